/* What SORT's patterns lead to: BY's and GET's are names with a `*`, for which an element is put.
 *
 *   weight_*          the string at weight_<element>
 *   user_*->name      the field `name` of the hash at user_<element>
 *   #                 the element itself (GET only)
 *
 * A pattern without `*` leads nowhere. Patterns are C strings to Redis: what is looked for is not found behind a zero
 * byte. */
import { StringEncoding, Type } from '../keyspace/entry.ts'
import { copyBytes } from '../lib/bytes.ts'
import { NONE } from '../memory/memory.ts'
import type { Call } from './call.ts'

const STAR = 0x2a
const HASH_SIGN = 0x23
const DASH = 0x2d
const GREATER = 0x3e

const NAME_SIZE = 1024
/** Room that is kept for the next name. */
const NAME_SIZE_MAX = 64 * 1024

/** Position of the first `*` of argument `index`, -1 if it has none. */
function starOf(call: Call, index: number): number {
  const { bytes } = call
  const end = call.posOf(index) + call.lenOf(index)
  for (let at = call.posOf(index); at < end && bytes[at] !== 0; at++) if (bytes[at] === STAR) return at
  return -1
}

export function hasStar(call: Call, index: number): boolean {
  return starOf(call, index) >= 0
}

export class SortLookup {
  /** What `find` met, until the next one. */
  bytes: Uint8Array
  pos = 0
  len = 0
  /** It lies in a scratch, to be copied. */
  isPassing = false
  private name = new Uint8Array(NAME_SIZE)

  constructor() {
    this.bytes = this.name
  }

  /** Whether the pattern of argument `index` leads to something for this element. */
  find(call: Call, index: number, bytes: Uint8Array, pos: number, len: number): boolean {
    const star = starOf(call, index)
    if (star < 0) {
      this.bytes = bytes
      this.pos = pos
      this.len = len
      this.isPassing = false
      return call.lenOf(index) === 1 && call.bytes[call.posOf(index)] === HASH_SIGN
    }
    const end = call.posOf(index) + call.lenOf(index)
    const arrow = arrowOf(call, star + 1, end)
    const nameLen = this.putName(call, index, star, arrow < 0 ? end : arrow, bytes, pos, len)
    const entry = call.db.lookupRead(this.name, 0, nameLen)
    if (entry === NONE) return false
    const { entries, strings, hashes } = call.keyspace
    if (arrow >= 0) {
      if (entries.type(entry) !== Type.HASH) return false
      if (!hashes.findText(entry, call.bytes, arrow + 2, end - arrow - 2)) return false
      this.take(hashes.bytes, hashes.pos, hashes.len, hashes.isInteger)
      return true
    }
    if (entries.type(entry) !== Type.STRING) return false
    strings.locate(entry)
    this.take(strings.bytes, strings.pos, strings.len, entries.encoding(entry) === StringEncoding.INT)
    return true
  }

  private take(bytes: Uint8Array, pos: number, len: number, isPassing: boolean): void {
    this.bytes = bytes
    this.pos = pos
    this.len = len
    this.isPassing = isPassing
  }

  /** Makes the key's name: the pattern up to `end` with the element for its star. Returns its length. */
  private putName(
    call: Call,
    index: number,
    star: number,
    end: number,
    bytes: Uint8Array,
    pos: number,
    len: number,
  ): number {
    const first = call.posOf(index)
    const before = star - first
    const after = end - star - 1
    const total = before + len + after
    if (total > this.name.length || this.name.length > NAME_SIZE_MAX) {
      this.name = new Uint8Array(Math.max(total, NAME_SIZE))
    }
    copyBytes(call.bytes, first, this.name, 0, before)
    copyBytes(bytes, pos, this.name, before, len)
    copyBytes(call.bytes, star + 1, this.name, before + len, after)
    return total
  }
}

/** Position of the first `->` from `from` on with something behind it, -1 if there is none. */
function arrowOf(call: Call, from: number, end: number): number {
  const { bytes } = call
  for (let at = from; at + 2 < end && bytes[at] !== 0; at++) {
    if (bytes[at] === DASH && bytes[at + 1] === GREATER) return bytes[at + 2] === 0 ? -1 : at
  }
  return -1
}
