/* Listpacks: sequences of strings and integers in one block each, byte for byte in Redis's own format (7.2), so that
 * saving one is a copy. The small form of lists, hashes, sets and sorted sets, and the nodes of the large ones.
 *
 *   off 0          4       6
 *       +----------+-------+---------+---------+-   -+------+- - - - - -+
 *       |   size   | count | element | element |  …  | 0xff |   spare   |
 *       +----------+-------+---------+---------+-   -+------+- - - - - -+
 *        u32        u16     listpack-element.ts draws them   up to the block's capacity
 *
 * A place is an offset `off` from the block's start: that of an element, or of the end (0xff). It stays true while only
 * what lies behind it changes, wherever the block moves to. Whatever changes a listpack answers its ref, which may be
 * another one: the old ref, positions and hoisted views are then dead.
 *
 * Always: `size` bytes are in use, the last of them 0xff; elements are sound and fill what is between; `count` is their
 * number, or COUNT_UNKNOWN: from 65535 on it is not written any more, and one has to walk.
 *
 * A block grows by the steps of the size classes (up to an eighth), so that appending n elements copies each byte about
 * ten times; it shrinks when only half of it is used, or when told to (`trim`). Reaching an element by rank is a walk
 * from the nearer end, finding one a walk from the front: a table tells by its first byte how long an element is.
 *
 * The listpack at the head of a large list may have a gap in front of its first element (listpack-gap.ts draws it).
 * `pushFront` and `dropFront` make it, `closeGap` closes it, what says nothing of it keeps it. All others have none.
 *
 * Nanoseconds on Node 20, each (bench/structures-listpack.ts; in brackets Redis's own code, gcc -O3, on that machine):
 *   append one of 128 strings of 10 bytes     45 (11), where there is room 32; one of the first 10: 63 (14)
 *   add and delete one in a node of 8 KB      37 at the tail (19), 130 at the head (78)
 *   walk over 128                             5 a string (3), 8 an integer, 22 with its digits; back 8 and 11
 *   seek one of 128                           73 (79)
 *   find a string in 128 pairs                320 where it is (225), 690 where it is not (440) */
import { assert } from '../lib/assert.ts'
import { copyBytes, equalBytes, LITTLE_ENDIAN, littleWord } from '../lib/bytes.ts'
import { fromWords, highWord, INT64_LEN_MAX, type Int64, lowWord, parseInt64, writeInt64 } from '../lib/int64.ts'
import { BLOCK_BYTES_MAX, type Memory, NONE, posOf, type Ref, wordPosOf } from '../memory/memory.ts'
import {
  backlenEndingAt,
  backlenSize,
  checkedElementSize,
  elementSizeAt,
  highWordAt,
  integerSize,
  LEAD_BY_HEAD,
  LISTPACK_END,
  longSizeAt,
  lowWordAt,
  SIZE_BY_HEAD,
  shortStringHead,
  shortTextLen,
  stringSize,
  textLenAt,
  verifyElement,
  writeInteger,
  writeString,
} from './listpack-element.ts'
import { GAP_MAX, GAP_MIN, gapAt, verifyGap, writeGap } from './listpack-gap.ts'

const COUNT = 4
const HEADER_SIZE = 6
const EMPTY_SIZE = HEADER_SIZE + 1
const COUNT_UNKNOWN = 0xffff
/** Instead of an offset: there is no such element. */
export const NO_ELEMENT = 0
/** The largest listpack that Redis lets grow, so that `size` cannot overflow. */
const SAFE_SIZE_MAX = 1 << 30
/** From here on blocks are whole pages: to grow page by page would copy too often. */
const SPARE_FROM = 128 * 1024
/** Blocks below this are not shrunk: there is too little to be had. */
const SHRINK_FROM = 64

assert(LITTLE_ENDIAN, 'a word of memory has its bytes in the order of the format')

export class Listpacks {
  readonly memory: Memory
  /** What `get` or `locate` met, until the next of these and until any listpack changes. */
  isInteger = false
  /** The integer, as two words; `integer` and `number` join them. Only where `isInteger`. */
  high = 0
  low = 0
  /** The string; after `locate` an integer's digits as well. */
  bytes: Uint8Array
  pos = 0
  len = 0
  /** Bytes of the element last pushed, or dropped, all included. */
  pushedSize = 0
  droppedSize = 0
  private frontPos = 0
  private readonly digits = new Uint8Array(INT64_LEN_MAX)

  constructor(memory: Memory) {
    this.memory = memory
    this.bytes = this.digits
  }

  // Whole listpacks.

  /** An empty one, with room for `size` bytes in all. Allocates. */
  create(size = EMPTY_SIZE): Ref {
    const ref = this.memory.alloc(Math.max(size, EMPTY_SIZE))
    this.finish(ref, EMPTY_SIZE, 0)
    return ref
  }

  /** One with the given bytes, which are sound: `validateListpack` has seen them, or a listpack they come from.
   *  Allocates. */
  fromBytes(bytes: Uint8Array, pos: number, len: number): Ref {
    const ref = this.memory.alloc(len)
    copyBytes(bytes, pos, this.memory.bytesOf(ref), posOf(ref), len)
    return ref
  }

  /** A copy of one without a gap. Allocates. */
  copy(ref: Ref): Ref {
    DEV: assert(this.gap(ref) === 0, 'what is copied has no gap')
    return this.fromBytes(this.memory.bytesOf(ref), posOf(ref), this.size(ref))
  }

  free(ref: Ref): void {
    this.memory.free(ref)
  }

  /** Bytes of the format, header and end included: what a payload has. The block may be larger. With the gap, if there
   *  is one. */
  size(ref: Ref): number {
    return this.memory.word(ref, 0)
  }

  /** Number of elements. A walk if there are 65535 or more, or were. */
  count(ref: Ref): number {
    const written = this.writtenCount(ref)
    if (written !== COUNT_UNKNOWN) return written
    const count = countFrom(this.memory.bytesOf(ref), posOf(ref) + this.front(ref))
    this.setCount(ref, count)
    return count
  }

  isEmpty(ref: Ref): boolean {
    return this.memory.word(ref, 0) === EMPTY_SIZE
  }

  /** Gives unused bytes of the block back. May move it. */
  trim(ref: Ref): Ref {
    const size = this.size(ref)
    return this.memory.resize(ref, size, size)
  }

  /** Makes room for `extra` bytes of elements (as `sizeFor` counts them), at once for several. May move the block. */
  reserve(ref: Ref, extra: number): Ref {
    const size = this.size(ref)
    return size + extra <= this.memory.capacity(ref) ? ref : this.memory.resize(ref, size + extra, size)
  }

  /** Whether a listpack (NONE: a new one) may take so many bytes more. */
  safeToAdd(ref: Ref, extra: number): boolean {
    return (ref === NONE ? 0 : this.size(ref)) + extra <= SAFE_SIZE_MAX
  }

  /** Appends the elements of `second` to `first`; returns what holds them all. Both refs are dead afterwards; neither
   *  has a gap. */
  merge(first: Ref, second: Ref): Ref {
    const memory = this.memory
    DEV: assert(this.gap(first) + this.gap(second) === 0, 'what is merged has no gap')
    const count = this.count(first) + this.count(second)
    const end = this.end(first)
    const rest = this.size(second) - HEADER_SIZE
    const merged = this.reserve(first, rest - 1)
    copyBytes(memory.bytesOf(second), posOf(second) + HEADER_SIZE, memory.bytesOf(merged), posOf(merged) + end, rest)
    memory.free(second)
    this.finish(merged, end + rest, count)
    return merged
  }

  /** Moves the elements from `off` on to a new listpack, whose ref it returns. `ref` keeps its block. Allocates. */
  split(ref: Ref, off: number): Ref {
    const memory = this.memory
    const rest = this.size(ref) - off
    const tail = memory.alloc(HEADER_SIZE + rest)
    copyBytes(memory.bytesOf(ref), posOf(ref) + off, memory.bytesOf(tail), posOf(tail) + HEADER_SIZE, rest)
    const moved = countFrom(memory.bytesOf(tail), posOf(tail) + HEADER_SIZE)
    this.finish(tail, HEADER_SIZE + rest, moved)
    const written = this.writtenCount(ref)
    this.finish(ref, off + 1, written === COUNT_UNKNOWN ? written : written - moved)
    return tail
  }

  // Places.

  /** Offset of the end, where the next element would be appended. */
  end(ref: Ref): number {
    return this.memory.word(ref, 0) - 1
  }

  /** `off`, or NO_ELEMENT if it is the end: for going on after a deletion. */
  elementAt(ref: Ref, off: number): number {
    return off === this.end(ref) ? NO_ELEMENT : off
  }

  first(ref: Ref): number {
    return this.elementAt(ref, this.front(ref))
  }

  /** Offset of the first element, or of the end. */
  private front(ref: Ref): number {
    return HEADER_SIZE + this.gap(ref)
  }

  last(ref: Ref): number {
    return this.prev(ref, this.end(ref))
  }

  /** The element after the one at `off`, or NO_ELEMENT. */
  next(ref: Ref, off: number): number {
    const bytes = this.memory.bytesOf(ref)
    const pos = posOf(ref) + off
    const size = elementSizeAt(bytes, pos)
    return bytes[pos + size] === LISTPACK_END ? NO_ELEMENT : off + size
  }

  /** The element before the one at `off`, which may be the end, or NO_ELEMENT. */
  prev(ref: Ref, off: number): number {
    if (off === HEADER_SIZE) return NO_ELEMENT
    const encoded = backlenEndingAt(this.memory.bytesOf(ref), posOf(ref) + off - 1)
    return encoded === 0 ? NO_ELEMENT : off - encoded - backlenSize(encoded)
  }

  /** The element of this rank, from the end if negative (-1 is the last), or NO_ELEMENT. */
  seek(ref: Ref, index: number): number {
    const count = this.writtenCount(ref)
    if (count === COUNT_UNKNOWN) return index < 0 ? this.seekBack(ref, -index) : this.seekOn(ref, index)
    const rank = index < 0 ? count + index : index
    if (rank < 0 || rank >= count) return NO_ELEMENT
    return rank <= count >>> 1 ? this.seekOn(ref, rank) : this.seekBack(ref, count - rank)
  }

  private seekOn(ref: Ref, rank: number): number {
    const pos = posOf(ref)
    return this.elementAt(ref, skipElements(this.memory.bytesOf(ref), pos + this.front(ref), rank) - pos)
  }

  /** `back` elements before the end. */
  private seekBack(ref: Ref, back: number): number {
    const bytes = this.memory.bytesOf(ref)
    const first = posOf(ref) + this.front(ref)
    let pos = posOf(ref) + this.end(ref)
    for (let left = back; left > 0; left--) {
      if (pos === first) return NO_ELEMENT
      const encoded = backlenEndingAt(bytes, pos - 1)
      pos -= encoded + backlenSize(encoded)
    }
    return pos - posOf(ref)
  }

  // Reading.

  /** Reads the element at `off` into the fields, an integer as one; returns the next element's offset or NO_ELEMENT. */
  get(ref: Ref, off: number): number {
    const bytes = this.memory.bytesOf(ref)
    const at = posOf(ref) + off
    DEV: assert(bytes[at] !== LISTPACK_END, 'get of an element')
    const textLen = shortTextLen(bytes[at]!)
    if (textLen < 0) return this.getOther(bytes, at, off)
    this.isInteger = false
    this.bytes = bytes
    this.pos = at + 1
    this.len = textLen
    return bytes[at + textLen + 2] === LISTPACK_END ? NO_ELEMENT : off + textLen + 2
  }

  /** The rest of `get`: what is no short string. */
  private getOther(bytes: Uint8Array, at: number, off: number): number {
    const head = bytes[at]!
    const lead = LEAD_BY_HEAD[head]!
    let size = SIZE_BY_HEAD[head]!
    this.isInteger = lead === 0
    if (lead === 0) {
      const low = lowWordAt(bytes, at)
      this.low = low
      this.high = highWordAt(bytes, at, low)
    } else {
      this.bytes = bytes
      this.pos = at + lead
      this.len = textLenAt(bytes, at, lead)
      size = lead + this.len + backlenSize(lead + this.len)
    }
    return bytes[at + size] === LISTPACK_END ? NO_ELEMENT : off + size
  }

  /** As `get`, but an integer's digits are written into a scratch and made the string, until the next `locate`. */
  locate(ref: Ref, off: number): number {
    const next = this.get(ref, off)
    if (this.isInteger) {
      this.bytes = this.digits
      this.pos = 0
      this.len = writeInt64(this.integer, this.digits, 0)
    }
    return next
  }

  /** The integer that `get` met. */
  get integer(): Int64 {
    const low = this.low
    return this.high === low >> 31 ? low : fromWords(this.high, low)
  }

  /** The integer that `get` met, or the double nearest to it. */
  get number(): number {
    return this.high * 4294967296 + (this.low >>> 0)
  }

  /** Whether the element at `off` is these bytes; an integer is if the bytes read as the same one. Reads as `get`. */
  equals(ref: Ref, off: number, bytes: Uint8Array, pos: number, len: number): boolean {
    this.get(ref, off)
    if (!this.isInteger) return this.len === len && equalBytes(this.bytes, this.pos, bytes, pos, len)
    const value = parseInt64(bytes, pos, len)
    return value !== undefined && lowWord(value) === this.low && highWord(value) === this.high
  }

  /** The first element from `from` on (NO_ELEMENT: none) that equals these bytes, or NO_ELEMENT. Of each 1 + `skip`
   *  elements the first is looked at: fields, and not their values. */
  find(ref: Ref, from: number, bytes: Uint8Array, pos: number, len: number, skip: number): number {
    if (from === NO_ELEMENT) return NO_ELEMENT
    const own = this.memory.bytesOf(ref)
    const start = posOf(ref)
    const value = parseInt64(bytes, pos, len)
    const found =
      value === undefined
        ? findString(own, start + from, bytes, pos, len, skip)
        : findInteger(own, start + from, highWord(value), lowWord(value), bytes, pos, len, skip)
    return found < 0 ? NO_ELEMENT : found - start
  }

  // Changing. The bytes given must not lie in the listpack itself.

  append(ref: Ref, bytes: Uint8Array, pos: number, len: number): Ref {
    return this.put(ref, this.end(ref), 0, bytes, pos, len)
  }

  appendInteger(ref: Ref, value: Int64): Ref {
    return this.putInteger(ref, this.end(ref), 0, value)
  }

  /** Puts an element in front of all, which have no gap before them: see `pushFront`. */
  prepend(ref: Ref, bytes: Uint8Array, pos: number, len: number): Ref {
    return this.put(ref, HEADER_SIZE, 0, bytes, pos, len)
  }

  /** Puts an element at `off`, before the one that is there; `off` may be the end. */
  insertBefore(ref: Ref, off: number, bytes: Uint8Array, pos: number, len: number): Ref {
    return this.put(ref, off, 0, bytes, pos, len)
  }

  /** Puts an element behind the one at `off`. */
  insertAfter(ref: Ref, off: number, bytes: Uint8Array, pos: number, len: number): Ref {
    return this.put(ref, off + this.elementSize(ref, off), 0, bytes, pos, len)
  }

  insertIntegerAfter(ref: Ref, off: number, value: Int64): Ref {
    return this.putInteger(ref, off + this.elementSize(ref, off), 0, value)
  }

  /** The new element is at `off`. */
  replace(ref: Ref, off: number, bytes: Uint8Array, pos: number, len: number): Ref {
    return this.put(ref, off, this.elementSize(ref, off), bytes, pos, len)
  }

  replaceInteger(ref: Ref, off: number, value: Int64): Ref {
    return this.putInteger(ref, off, this.elementSize(ref, off), value)
  }

  /** Afterwards `off` is that of the element that followed, if one did: `elementAt` tells. */
  delete(ref: Ref, off: number): Ref {
    return this.makeRoom(ref, off, this.elementSize(ref, off), 0, -1)
  }

  /** Deletes up to `count` elements from the one at `off` on. */
  deleteFrom(ref: Ref, off: number, count: number): Ref {
    const bytes = this.memory.bytesOf(ref)
    const pos = posOf(ref) + off
    let after = pos
    let deleted = 0
    for (; deleted < count && bytes[after] !== LISTPACK_END; deleted++) after += elementSizeAt(bytes, after)
    return this.makeRoom(ref, off, after - pos, 0, -deleted)
  }

  /** Deletes up to `count` elements from this rank on (from the end if negative). */
  deleteRange(ref: Ref, index: number, count: number): Ref {
    const off = count === 0 ? NO_ELEMENT : this.seek(ref, index)
    if (off === NO_ELEMENT) return ref
    const written = this.writtenCount(ref)
    const left = index < 0 ? -index : written - index
    // To the end: no need to walk there.
    if (written !== COUNT_UNKNOWN && count >= left) return this.makeRoom(ref, off, this.end(ref) - off, 0, -left)
    return this.deleteFrom(ref, off, count)
  }

  /** Deletes the elements at the first `count` of these offsets, which ascend. */
  deleteMany(ref: Ref, offs: Int32Array, count: number): Ref {
    if (count === 0) return ref
    const bytes = this.memory.bytesOf(ref)
    const start = posOf(ref)
    const size = this.size(ref)
    const first = offs[0]!
    let target = start + first
    for (let index = 0; index < count; index++) {
      const off = offs[index]!
      const keep = start + off + elementSizeAt(bytes, start + off)
      const keepEnd = start + (index + 1 < count ? offs[index + 1]! : size)
      copyBytes(bytes, keep, bytes, target, keepEnd - keep)
      target += keepEnd - keep
    }
    const written = this.writtenCount(ref)
    this.finish(ref, target - start, written === COUNT_UNKNOWN ? written : written - count)
    return this.shrink(ref, target - start, 0)
  }

  // The gap in front of the first element.

  /** Bytes between header and first element. */
  gap(ref: Ref): number {
    return gapAt(this.memory.bytesOf(ref), posOf(ref) + HEADER_SIZE)
  }

  /** As `size`, but the gap does not count. */
  packedSize(ref: Ref): number {
    return this.size(ref) - this.gap(ref)
  }

  /** As `prepend`, for one that many elements are put in front of: what it leaves unused of the block is the gap, which
   *  the next ones go into. */
  pushFront(ref: Ref, bytes: Uint8Array, pos: number, len: number): Ref {
    const value = parseInt64(bytes, pos, len)
    if (value !== undefined) return this.pushIntegerFront(ref, highWord(value), lowWord(value))
    const size = stringSize(len)
    const room = size + backlenSize(size)
    const block = this.makeFrontRoom(ref, room)
    this.pushedSize = room
    writeString(bytes, pos, len, size, this.memory.bytesOf(block), this.frontPos)
    return block
  }

  private pushIntegerFront(ref: Ref, high: number, low: number): Ref {
    const size = integerSize(high, low)
    const block = this.makeFrontRoom(ref, size + 1)
    this.pushedSize = size + 1
    writeInteger(high, low, size, this.memory.bytesOf(block), this.frontPos)
    return block
  }

  /** Takes `room` bytes off the end of the gap, for one more element, which is to be at `frontPos`. */
  private makeFrontRoom(ref: Ref, room: number): Ref {
    DEV: assert(room <= GAP_MAX, 'an element that comes in front of others fits into a gap')
    const bytes = this.memory.bytesOf(ref)
    const start = posOf(ref) + HEADER_SIZE
    const gap = gapAt(bytes, start)
    const left = gap - room
    if (left < GAP_MIN && left !== 0) return this.makeFrontRoom(this.widenGap(ref, gap, room), room)
    writeGap(bytes, start, left)
    countMore(bytes, start - HEADER_SIZE + COUNT, 1)
    this.frontPos = start + left
    return ref
  }

  /** Moves the elements to the end of the block, or of a larger one, so that `room` bytes fit into the gap. */
  private widenGap(ref: Ref, gap: number, room: number): Ref {
    const memory = this.memory
    const used = this.size(ref) - gap
    const needed = used + room
    const spare = needed > SPARE_FROM ? needed >>> 3 : 0
    const isFull = needed > memory.capacity(ref)
    const block = isFull ? memory.alloc(Math.min(needed + spare, BLOCK_BYTES_MAX)) : ref
    let wide = Math.min(memory.capacity(block) - used, GAP_MAX)
    if (wide - room > 0 && wide - room < GAP_MIN) wide = room
    const source = posOf(ref) + HEADER_SIZE + gap
    const target = posOf(block) + HEADER_SIZE + wide
    copyBytes(memory.bytesOf(ref), source, memory.bytesOf(block), target, used - HEADER_SIZE)
    if (isFull) {
      memory.setWord(block, 1, memory.word(ref, 1)) // the count, and nothing that counts
      memory.free(ref)
    }
    memory.setWord(block, 0, used + wide)
    writeGap(memory.bytesOf(block), posOf(block) + HEADER_SIZE, wide)
    return block
  }

  /** Removes the first element, of more than one, and leaves a gap in its place. */
  dropFront(ref: Ref): Ref {
    const { memory } = this
    const pos = posOf(ref) + HEADER_SIZE
    const bytes = memory.bytesOf(ref)
    const gap = gapAt(bytes, pos)
    this.droppedSize = elementSizeAt(bytes, pos + gap)
    const wide = gap + this.droppedSize
    if (wide > GAP_MAX) return this.delete(ref, HEADER_SIZE + gap)
    writeGap(bytes, pos, wide)
    this.addToCount(ref, -1)
    return this.shrink(ref, memory.word(ref, 0) - wide, wide)
  }

  /** Removes the last element, which is at `off`, of more than one. */
  dropBack(ref: Ref, off: number): Ref {
    const { memory } = this
    const words = memory.wordsOf(ref)
    const start = wordPosOf(ref)
    this.droppedSize = words[start]! - 1 - off
    words[start] = off + 1
    const own = memory.bytesOf(ref)
    own[posOf(ref) + off] = LISTPACK_END
    countMore(own, posOf(ref) + COUNT, -1)
    return this.shrink(ref, off + 1, 0)
  }

  /** Moves the elements to where the format has them. */
  closeGap(ref: Ref): void {
    const gap = this.gap(ref)
    if (gap === 0) return
    const bytes = this.memory.bytesOf(ref)
    const pos = posOf(ref) + HEADER_SIZE
    const size = this.size(ref) - gap
    copyBytes(bytes, pos + gap, bytes, pos, size - HEADER_SIZE)
    this.memory.setWord(ref, 0, size)
  }

  /** As `append`, for one that may have a gap: the block does not grow while the gap has room enough. */
  pushBack(ref: Ref, bytes: Uint8Array, pos: number, len: number): Ref {
    const { memory } = this
    const value = parseInt64(bytes, pos, len)
    const size = value === undefined ? stringSize(len) : integerSize(highWord(value), lowWord(value))
    const room = size + (value === undefined ? backlenSize(size) : 1)
    this.pushedSize = room
    const words = memory.wordsOf(ref)
    const start = wordPosOf(ref)
    const used = words[start]!
    if (used + room > memory.capacity(ref)) {
      this.closeGap(ref)
      return this.append(ref, bytes, pos, len)
    }
    const own = memory.bytesOf(ref)
    const at = posOf(ref) + used - 1
    if (value === undefined) writeString(bytes, pos, len, size, own, at)
    else writeInteger(highWord(value), lowWord(value), size, own, at)
    own[at + room] = LISTPACK_END
    words[start] = used + room
    countMore(own, posOf(ref) + COUNT, 1)
    return ref
  }

  // Sizes.

  /** Bytes of the element at `off`, all included. */
  elementSize(ref: Ref, off: number): number {
    return elementSizeAt(this.memory.bytesOf(ref), posOf(ref) + off)
  }

  /** Bytes that these bytes would take as an element, all included. */
  sizeFor(bytes: Uint8Array, pos: number, len: number): number {
    const value = parseInt64(bytes, pos, len)
    if (value !== undefined) return this.sizeForInteger(value)
    const encoded = stringSize(len)
    return encoded + backlenSize(encoded)
  }

  sizeForInteger(value: Int64): number {
    return integerSize(highWord(value), lowWord(value)) + 1
  }

  /** Bytes of a listpack of this integer, `count` times. */
  sizeForIntegers(value: Int64, count: number): number {
    return EMPTY_SIZE + this.sizeForInteger(value) * count
  }

  /** The essay's "Always". */
  verify(ref: Ref): void {
    const bytes = this.memory.bytesOf(ref)
    const size = this.size(ref)
    const end = posOf(ref) + size - 1
    let count = 0
    let pos = verifyGap(bytes, posOf(ref) + HEADER_SIZE)
    assert(size >= EMPTY_SIZE && size <= this.memory.capacity(ref), 'a listpack lies within its block')
    assert(bytes[end] === LISTPACK_END, 'the last byte is the end')
    for (; pos < end; count++) pos = verifyElement(bytes, pos, end)
    assert(pos === end, 'elements fill the listpack')
    const written = this.writtenCount(ref)
    assert(written === COUNT_UNKNOWN || written === count, 'elements are counted')
  }

  /** The count in the header, which may be COUNT_UNKNOWN. */
  private writtenCount(ref: Ref): number {
    const bytes = this.memory.bytesOf(ref)
    const pos = posOf(ref) + COUNT
    return bytes[pos]! | (bytes[pos + 1]! << 8)
  }

  private setCount(ref: Ref, count: number): void {
    const bytes = this.memory.bytesOf(ref)
    const pos = posOf(ref) + COUNT
    const written = count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN
    bytes[pos] = written
    bytes[pos + 1] = written >> 8
  }

  /** Writes what a listpack of `size` bytes has beside its elements. */
  private finish(ref: Ref, size: number, count: number): void {
    this.memory.setWord(ref, 0, size)
    this.setCount(ref, count)
    this.memory.bytesOf(ref)[posOf(ref) + size - 1] = LISTPACK_END
  }

  /** Puts an element in the place of the `replaced` bytes at `off`. */
  private put(ref: Ref, off: number, replaced: number, bytes: Uint8Array, pos: number, len: number): Ref {
    const value = parseInt64(bytes, pos, len)
    if (value !== undefined) return this.putInteger(ref, off, replaced, value)
    const size = stringSize(len)
    const block = this.makeRoom(ref, off, replaced, size + backlenSize(size), replaced === 0 ? 1 : 0)
    writeString(bytes, pos, len, size, this.memory.bytesOf(block), posOf(block) + off)
    return block
  }

  private putInteger(ref: Ref, off: number, replaced: number, value: Int64): Ref {
    const high = highWord(value)
    const low = lowWord(value)
    const size = integerSize(high, low)
    const block = this.makeRoom(ref, off, replaced, size + 1, replaced === 0 ? 1 : 0)
    writeInteger(high, low, size, this.memory.bytesOf(block), posOf(block) + off)
    return block
  }

  /** Makes `from` bytes at `off` `to` bytes, of undefined content, and counts `added` elements more. */
  private makeRoom(ref: Ref, off: number, from: number, to: number, added: number): Ref {
    const memory = this.memory
    const size = memory.word(ref, 0)
    const target = size - from + to
    DEV: assert(off >= HEADER_SIZE && off + from < size, 'a change is between header and end')
    const block = target > memory.capacity(ref) ? this.grow(ref, target, size) : ref
    const bytes = memory.bytesOf(block)
    const pos = posOf(block)
    if (from !== to) {
      if (off + from === size - 1) bytes[pos + target - 1] = LISTPACK_END
      else copyBytes(bytes, pos + off + from, bytes, pos + off + to, size - off - from)
      memory.setWord(block, 0, target)
    }
    if (added !== 0) this.addToCount(block, added)
    return to < from ? this.shrink(block, target, 0) : block
  }

  private addToCount(ref: Ref, added: number): void {
    countMore(this.memory.bytesOf(ref), posOf(ref) + COUNT, added)
  }

  private grow(ref: Ref, size: number, keep: number): Ref {
    const spare = size > SPARE_FROM ? size >>> 3 : 0
    return this.memory.resize(ref, Math.min(size + spare, BLOCK_BYTES_MAX), keep)
  }

  /** Gives half of the block back, or more, if so much is unused: `gap` bytes, which go, and what is behind the `size`
   *  bytes that stay. */
  private shrink(ref: Ref, size: number, gap: number): Ref {
    const capacity = this.memory.capacity(ref)
    if (capacity < SHRINK_FROM || size * 2 > capacity) return ref
    if (gap > 0) this.closeGap(ref)
    return this.memory.resize(ref, size, size)
  }
}

/** Adds to the count that is written at `pos`, unless it is not known. */
function countMore(bytes: Uint8Array, pos: number, added: number): void {
  const written = bytes[pos]! | (bytes[pos + 1]! << 8)
  if (written === COUNT_UNKNOWN) return
  const count = written + added // one that is COUNT_UNKNOWN says that it is
  bytes[pos] = count
  bytes[pos + 1] = count >> 8
}

/** The number of elements of a listpack that somebody else wrote, or -1 if it is not sound. Reads nothing outside. */
export function validateListpack(bytes: Uint8Array, pos: number, len: number): number {
  if (len < EMPTY_SIZE || len > BLOCK_BYTES_MAX) return -1
  const end = pos + len - 1
  if (littleWord(bytes, pos) !== len || bytes[end] !== LISTPACK_END) return -1
  let count = 0
  let at = pos + HEADER_SIZE
  while (at < end) {
    const elementSize = checkedElementSize(bytes, at, end)
    if (elementSize === 0) return -1
    at += elementSize
    count++
  }
  const written = bytes[pos + COUNT]! | (bytes[pos + COUNT + 1]! << 8)
  return written === COUNT_UNKNOWN || written === count ? count : -1
}

/** The position after `count` elements, or that of the end if there are fewer. */
function skipElements(bytes: Uint8Array, pos: number, count: number): number {
  let at = pos
  for (let left = count; left > 0; left--) {
    const size = SIZE_BY_HEAD[bytes[at]!]!
    if (size !== 0) at += size
    else if (bytes[at] === LISTPACK_END) return at
    else at += longSizeAt(bytes, at)
  }
  return at
}

function countFrom(bytes: Uint8Array, pos: number): number {
  let count = 0
  for (let at = pos; bytes[at] !== LISTPACK_END; count++) at += elementSizeAt(bytes, at)
  return count
}

/** The position of the first string like this one, or -1. It reads as no integer, so no integer is it. */
function findString(own: Uint8Array, first: number, bytes: Uint8Array, pos: number, len: number, skip: number): number {
  const wanted = shortStringHead(len)
  // Fields of one length often begin alike, so the last byte tells most of them apart. That of '' is its head.
  const last = len === 0 ? wanted : bytes[pos + len - 1]
  for (let at = first; ; ) {
    const head = own[at]!
    if (head === wanted && own[at + len] === last && equalBytes(own, at + 1, bytes, pos, len)) return at
    let size = SIZE_BY_HEAD[head]!
    if (size === 0) {
      if (head === LISTPACK_END) return -1
      if (isString(own, at, bytes, pos, len)) return at
      size = longSizeAt(own, at)
    }
    at += size
    for (let left = skip; left > 0; left--) {
      size = SIZE_BY_HEAD[own[at]!]!
      if (size === 0) {
        if (own[at] === LISTPACK_END) return -1
        size = longSizeAt(own, at)
      }
      at += size
    }
  }
}

/** The position of the first element that is this integer, or a string that reads as it, or -1. */
function findInteger(
  own: Uint8Array,
  first: number,
  high: number,
  low: number,
  bytes: Uint8Array,
  pos: number,
  len: number,
  skip: number,
): number {
  for (let at = first; own[at] !== LISTPACK_END; at = skipElements(own, at, skip + 1)) {
    if (LEAD_BY_HEAD[own[at]!] !== 0) {
      // We write none such, but whoever wrote what we loaded may have.
      if (isString(own, at, bytes, pos, len)) return at
      continue
    }
    const ownLow = lowWordAt(own, at)
    if (ownLow === low && highWordAt(own, at, ownLow) === high) return at
  }
  return -1
}

/** Whether the element, a string, is this one. Long ones are compared only where their last byte is the same. */
function isString(own: Uint8Array, at: number, bytes: Uint8Array, pos: number, len: number): boolean {
  const lead = LEAD_BY_HEAD[own[at]!]!
  if (textLenAt(own, at, lead) !== len) return false
  return len === 0 || (own[at + lead + len - 1] === bytes[pos + len - 1] && equalBytes(own, at + lead, bytes, pos, len))
}
