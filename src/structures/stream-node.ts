/* Stream nodes: some entries of a stream, one behind the other, in a listpack of Redis's own form (7.2), so that saving
 * one is a copy.
 *
 *   node     | count | deleted | fields | field 1 | … | field n | 0 | entry | entry | …
 *
 *   entry    | flags | ms | seq | value 1 | … | value n | elements |                                     SAME_FIELDS
 *            | flags | ms | seq | fields | field 1 | value 1 | … | field m | value m | elements |        other fields
 *
 * Each of these is an element of the listpack. The node's id, which its tree knows, is that of the first entry it got;
 * `ms` and `seq` are the differences to it (modulo 2^64). The fields in front are those of that entry, too; an entry
 * with the same ones does not name them. `elements` tells how many elements stand before it, so that one can walk from
 * the end; the 0 ends that walk. `count` are the entries without the flag DELETED, `deleted` those with it: they stay
 * until the node goes.
 *
 * The elements that begin a node or an entry are integers, and those that are counted here stay below 2^31. What
 * changes a node answers its ref, which may be another one. */
import { assert } from '../lib/assert.ts'
import { equalBytes } from '../lib/bytes.ts'
import { lowWord as lowerWord, parseInt64, highWord as upperWord } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import { type Memory, posOf, type Ref } from '../memory/memory.ts'
import { type Listpacks, validateListpack } from './listpack.ts'
import {
  backlenSize,
  elementSizeAt,
  highWordAt,
  integerSize,
  LEAD_BY_HEAD,
  LISTPACK_END,
  lowWordAt,
  shortStringHead,
  stringSize,
  writeInteger,
  writeString,
} from './listpack-element.ts'

export const EntryFlag = { DELETED: 1, SAME_FIELDS: 2 } as const

/** Offset of a listpack's first element, and of its count of elements. */
const FIRST_OFF = 6
const COUNT_OFF = 4
const COUNT_UNKNOWN = 0xffff
/** Bytes of the integers that stand around the values of an entry, at most. */
const FRAME_SIZE_MAX = 2 + 10 + 10 + 6 + 6
/** What a string takes beside its bytes, at most. */
const STRING_LEAD_MAX = 10
const SHORT_STRING_MAX = 63
const SHORT_STRING_LEAD = 2
/** Nodes below this grow by half. */
const HALF_MAX = 4096
/** Elements of an entry beside its values, or its fields, their count and values. */
const FRAME_ELEMENTS = 3

/** Where fields and values lie: ranges of some bytes. */
export interface Ranges {
  readonly bytes: Uint8Array
  readonly pos: Int32Array
  readonly len: Int32Array
}

export class StreamNodes {
  readonly memory: Memory
  readonly listpacks: Listpacks
  // Where is being written.
  private bytes: Uint8Array
  private at = 0

  constructor(memory: Memory, listpacks: Listpacks) {
    this.memory = memory
    this.listpacks = listpacks
    this.bytes = memory.bytes[0]!
  }

  /** A node with the names of these fields and no entry yet, in a block of `room` bytes if that is more than needed.
   *  Allocates. */
  create(ranges: Ranges, first: number, pairs: number, room: number): Ref {
    let bound = FIRST_OFF + 1 + 2 + 2 + 6 + 2
    for (let index = first; index < first + pairs * 2; index += 2) bound += ranges.len[index]! + STRING_LEAD_MAX
    const node = this.listpacks.create(Math.max(bound, room))
    this.bytes = this.memory.bytesOf(node)
    this.at = posOf(node) + FIRST_OFF
    this.small(0)
    this.small(0)
    this.small(pairs)
    for (let index = first; index < first + pairs * 2; index += 2) this.put(ranges, index)
    this.small(0)
    this.finish(node, pairs + 4)
    return node
  }

  /** Adds an entry, whose id is so much beyond the node's. Allocates. */
  append(node: Ref, difference: StreamId, ranges: Ranges, first: number, pairs: number): Ref {
    const same = this.hasFields(node, ranges, first, pairs)
    let bound = FRAME_SIZE_MAX
    const step = same ? 2 : 1
    for (let index = first + step - 1; index < first + pairs * 2; index += step) {
      const len = ranges.len[index]!
      bound += len + (len <= SHORT_STRING_MAX ? SHORT_STRING_LEAD : STRING_LEAD_MAX)
    }
    let target = this.addTo(node, FIRST_OFF, 1)
    target = this.reserve(target, bound)
    this.bytes = this.memory.bytesOf(target)
    this.at = posOf(target) + this.listpacks.end(target)
    this.small(same ? EntryFlag.SAME_FIELDS : 0)
    this.integer(difference.msHigh, difference.msLow)
    this.integer(difference.seqHigh, difference.seqLow)
    if (!same) this.small(pairs)
    for (let index = first + step - 1; index < first + pairs * 2; index += step) this.put(ranges, index)
    const elements = FRAME_ELEMENTS + (same ? pairs : pairs * 2 + 1)
    this.small(elements)
    this.finish(target, elements + 1)
    return target
  }

  /** Makes room for so many bytes more, and for what comes next: a full node gives back what it does not need. */
  private reserve(node: Ref, extra: number): Ref {
    const { memory } = this
    const size = memory.word(node, 0)
    if (size + extra <= memory.capacity(node)) return node
    return memory.resize(node, size + Math.max(extra, size < HALF_MAX ? size >>> 1 : size >>> 3), size)
  }

  /** Whether the node's fields are these. */
  private hasFields(node: Ref, ranges: Ranges, first: number, pairs: number): boolean {
    const own = this.memory.bytesOf(node)
    const base = posOf(node)
    const { bytes, pos, len } = ranges
    let at = base + FIRST_OFF
    at += elementSizeAt(own, at)
    at += elementSizeAt(own, at)
    if (lowWordAt(own, at) !== pairs) return false
    at += elementSizeAt(own, at)
    for (let index = first; index < first + pairs * 2; index += 2) {
      const fieldLen = len[index]!
      if (own[at] === shortStringHead(fieldLen)) {
        if (!equalBytes(own, at + 1, bytes, pos[index]!, fieldLen)) return false
        at += fieldLen + SHORT_STRING_LEAD
        continue
      }
      if (!this.listpacks.equals(node, at - base, bytes, pos[index]!, fieldLen)) return false
      at += elementSizeAt(own, at)
    }
    return true
  }

  private put(ranges: Ranges, index: number): void {
    const pos = ranges.pos[index]!
    const len = ranges.len[index]!
    const value = parseInt64(ranges.bytes, pos, len)
    if (value !== undefined) return this.integer(upperWord(value), lowerWord(value))
    const size = stringSize(len)
    writeString(ranges.bytes, pos, len, size, this.bytes, this.at)
    this.at += size + backlenSize(size)
  }

  private small(value: number): void {
    this.integer(0, value)
  }

  private integer(high: number, low: number): void {
    const size = integerSize(high, low)
    writeInteger(high, low, size, this.bytes, this.at)
    this.at += size + 1
  }

  /** Notes the size up to where was written, and so many elements more. */
  private finish(node: Ref, added: number): void {
    const { bytes } = this
    const base = posOf(node)
    bytes[this.at] = LISTPACK_END
    this.memory.setWord(node, 0, this.at + 1 - base)
    const count = bytes[base + COUNT_OFF]! | (bytes[base + COUNT_OFF + 1]! << 8)
    if (count === COUNT_UNKNOWN) return
    const written = Math.min(count + added, COUNT_UNKNOWN)
    bytes[base + COUNT_OFF] = written
    bytes[base + COUNT_OFF + 1] = written >> 8
  }

  /** Adds to an integer of the node. May move it. */
  private addTo(node: Ref, off: number, change: number): Ref {
    const bytes = this.memory.bytesOf(node)
    const pos = posOf(node) + off
    const value = lowWordAt(bytes, pos) + change
    const size = integerSize(0, value)
    if (size + 1 !== elementSizeAt(bytes, pos)) return this.listpacks.replaceInteger(node, off, value)
    writeInteger(0, value, size, bytes, pos)
    return node
  }

  /** Marks the entry at `off` as deleted, which it is not, without counting it: see `countDeleted`. */
  markDeleted(node: Ref, off: number): void {
    this.memory.bytesOf(node)[posOf(node) + off]! |= EntryFlag.DELETED
  }

  /** So many entries have been marked. May move the node. */
  countDeleted(node: Ref, marked: number): Ref {
    const target = this.addTo(node, FIRST_OFF, -marked)
    return this.addTo(target, this.deletedOff(target), marked)
  }

  private deletedOff(node: Ref): number {
    return FIRST_OFF + elementSizeAt(this.memory.bytesOf(node), posOf(node) + FIRST_OFF)
  }

  // Reading.

  /** Entries that are not deleted. */
  count(node: Ref): number {
    return lowWordAt(this.memory.bytesOf(node), posOf(node) + FIRST_OFF)
  }
  /** Entries that are. */
  deleted(node: Ref): number {
    return lowWordAt(this.memory.bytesOf(node), posOf(node) + this.deletedOff(node))
  }

  /** Where the node's fields begin. */
  fieldsAt(bytes: Uint8Array, base: number): number {
    let at = base + FIRST_OFF
    at += elementSizeAt(bytes, at)
    at += elementSizeAt(bytes, at)
    return at + elementSizeAt(bytes, at)
  }

  fieldCount(bytes: Uint8Array, base: number): number {
    let at = base + FIRST_OFF
    at += elementSizeAt(bytes, at)
    return lowWordAt(bytes, at + elementSizeAt(bytes, at))
  }

  /** The essay's form; and that ids ascend, from `last` on, which becomes that of the last entry. */
  verify(node: Ref, id: StreamId, last: StreamId): void {
    const bytes = this.memory.bytesOf(node)
    this.listpacks.verify(node)
    assert(validateNode(bytes, posOf(node), this.listpacks.size(node), id, last), 'a node has its form')
  }
}

/** Whether the bytes are a sound node of this id, with an entry at least, whose ids ascend and are not below the
 *  node's; `last` becomes the last one's. Reads nothing outside. */
export function validateNode(bytes: Uint8Array, pos: number, len: number, id: StreamId, last: StreamId): boolean {
  if (validateListpack(bytes, pos, len) < 0) return false
  checker.begin(bytes, pos + FIRST_OFF, pos + len - 1)
  const count = checker.count()
  const deleted = checker.count()
  const fields = checker.count()
  if (count < 0 || deleted < 0 || fields < 0 || !checker.skip(fields) || checker.count() !== 0) return false
  let living = 0
  last.copy(id).decrement()
  for (let left = count + deleted; left > 0; left--) {
    const flags = checker.count()
    if (flags < 0 || flags > (EntryFlag.DELETED | EntryFlag.SAME_FIELDS)) return false
    if (!checker.id(id, last)) return false
    let elements = FRAME_ELEMENTS + fields
    if ((flags & EntryFlag.SAME_FIELDS) === 0) {
      const own = checker.count()
      if (own < 0 || !checker.skip(own * 2)) return false
      elements = FRAME_ELEMENTS + 1 + own * 2
    } else if (!checker.skip(fields)) return false
    if (checker.count() !== elements) return false
    if ((flags & EntryFlag.DELETED) === 0) living++
  }
  return living === count && count + deleted > 0 && checker.isAtEnd
}

/** Goes through the elements of a sound listpack. */
class Checker {
  private bytes: Uint8Array = new Uint8Array(0)
  private at = 0
  private end = 0

  begin(bytes: Uint8Array, pos: number, end: number): void {
    this.bytes = bytes
    this.at = pos
    this.end = end
  }

  get isAtEnd(): boolean {
    return this.at === this.end
  }

  private get isInteger(): boolean {
    return this.at < this.end && LEAD_BY_HEAD[this.bytes[this.at]!] === 0
  }

  /** An integer from 0 to 2^31 - 1; -1 if there is none. */
  count(): number {
    const { bytes, at } = this
    if (!this.isInteger) return -1
    const low = lowWordAt(bytes, at)
    if (low < 0 || highWordAt(bytes, at, low) !== 0) return -1
    this.at += elementSizeAt(bytes, at)
    return low
  }

  skip(count: number): boolean {
    for (let left = count; left > 0; left--) {
      if (this.at >= this.end) return false
      this.at += elementSizeAt(this.bytes, this.at)
    }
    return true
  }

  /** An entry's id, which must be beyond `last` and becomes it. */
  id(base: StreamId, last: StreamId): boolean {
    const { bytes } = this
    if (!this.isInteger) return false
    const ms = lowWordAt(bytes, this.at)
    const msHigh = highWordAt(bytes, this.at, ms)
    this.skip(1)
    if (!this.isInteger) return false
    const seq = lowWordAt(bytes, this.at)
    const seqHigh = highWordAt(bytes, this.at, seq)
    this.skip(1)
    const { msHigh: lastMsHigh, msLow, seqHigh: lastSeqHigh, seqLow } = last
    last.copy(base).add(msHigh, ms, seqHigh, seq)
    before.set(lastMsHigh, msLow, lastSeqHigh, seqLow)
    return before.compare(last) < 0
  }
}

const checker = new Checker()
const before = new StreamId()
