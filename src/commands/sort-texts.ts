/* What SORT sorts, and what it sorts by: byte strings by index, as columns of typed arrays over bytes that lie
 * elsewhere.
 *
 *   index      0         1         2 …
 *   source   |   2     |   0     |   2     |    which of `sources`: 0 is the own bytes, the others are the arena's
 *   pos      | 1040    |   0     | 77312   |
 *   len      |   5     |   3     |  -1     |    -1: there is none
 *
 * Nothing is copied but the digits of integers, which lie nowhere: a value in the arena stays where it is as long as
 * its key is not changed, and SORT changes none before it has done. There is an entry of `sources` per chunk. */
import { compareBytes, copyBytes } from '../lib/bytes.ts'

const OWN = 0
const OWN_SIZE = 4096

export class SortTexts {
  count = 0
  private readonly source: Int32Array
  private readonly pos: Int32Array
  private readonly len: Int32Array
  private own = new Uint8Array(OWN_SIZE)
  private ownLen = 0
  private readonly sources: Uint8Array[] = [this.own]
  private readonly sourceIds = new Map<Uint8Array, number>()
  /** The source last met, and its id. */
  private last: Uint8Array | null = null
  private lastId = 0

  constructor(capacity: number) {
    this.source = new Int32Array(capacity)
    this.pos = new Int32Array(capacity)
    this.len = new Int32Array(capacity)
  }

  /** Adds a string that stays where it is; or, if it is in a scratch (`passing`), a copy of it. */
  add(bytes: Uint8Array, pos: number, len: number, passing: boolean): void {
    const index = this.count++
    this.source[index] = passing ? OWN : this.idOf(bytes)
    this.pos[index] = passing ? this.copy(bytes, pos, len) : pos
    this.len[index] = len
  }

  addNone(): void {
    this.len[this.count++] = -1
  }

  private idOf(bytes: Uint8Array): number {
    if (bytes === this.last) return this.lastId
    let id = this.sourceIds.get(bytes)
    if (id === undefined) {
      id = this.sources.length
      this.sources.push(bytes)
      this.sourceIds.set(bytes, id)
    }
    this.last = bytes
    this.lastId = id
    return id
  }

  private copy(bytes: Uint8Array, pos: number, len: number): number {
    const at = this.ownLen
    if (at + len > this.own.length) {
      const larger = new Uint8Array(Math.max(this.own.length * 2, at + len))
      larger.set(this.own)
      this.own = larger
      this.sources[OWN] = larger
    }
    copyBytes(bytes, pos, this.own, at, len)
    this.ownLen = at + len
    return at
  }

  isNone(index: number): boolean {
    return this.len[index]! < 0
  }
  bytesOf(index: number): Uint8Array {
    return this.sources[this.source[index]!]!
  }
  posOf(index: number): number {
    return this.pos[index]!
  }
  lenOf(index: number): number {
    return this.len[index]!
  }

  /** By bytes. */
  compare(a: number, b: number): number {
    return compareBytes(this.bytesOf(a), this.pos[a]!, this.len[a]!, this.bytesOf(b), this.pos[b]!, this.len[b]!)
  }

  /** As C's strcoll in the locale C, which Redis sorts with when the outcome is not stored: what lies behind a zero
   *  byte does not count. */
  collate(a: number, b: number): number {
    const first = this.bytesOf(a)
    const second = this.bytesOf(b)
    const firstPos = this.pos[a]!
    const secondPos = this.pos[b]!
    const common = Math.min(this.len[a]!, this.len[b]!)
    for (let at = 0; at < common; at++) {
      const byte = first[firstPos + at]!
      const difference = byte - second[secondPos + at]!
      if (difference !== 0) return difference
      if (byte === 0) return 0
    }
    // The end of a string is a zero byte to C.
    const firstByte = this.len[a]! > common ? first[firstPos + common]! : 0
    const secondByte = this.len[b]! > common ? second[secondPos + common]! : 0
    return firstByte - secondByte
  }
}
