/* Intsets: sets of integers as sorted arrays in one block each, byte for byte in Redis's own format, so that saving one
 * is a copy. The small form of a set that has nothing but integers.
 *
 *   word 0          1         2
 *       +----------+---------+---------+---------+-   -+- - - - - -+
 *       | encoding |  count  | integer | integer |  …  |   spare   |
 *       +----------+---------+---------+---------+-   -+- - - - - -+
 *         2, 4, 8     u32      `encoding` bytes each, little-endian, signed, ascending
 *
 * All integers have the width of the widest that was ever added; one that needs more lies outside of the range of the
 * others, so that it comes first or last when the block is rewritten wider. A slot is an integer's place in the order.
 * Whatever changes an intset answers its ref, which may be another one: the old ref, positions and views are then dead.
 *
 * Always: `encoding` is 2, 4 or 8; the integers ascend, and no two are equal; they lie within the block.
 *
 * Finding is a binary search. A block grows by the steps of the size classes (up to an eighth) and shrinks when only
 * half of it is used, or when told to (`trim`). 64-bit integers are compared as two words, and become an Int64 only to
 * be shown.
 *
 * Nanoseconds on Node 20, of 512 integers (bench/structures-listpack.ts; in brackets Redis's own code, gcc -O3):
 *   width          16 bits    32 bits    64 bits
 *   add, each      52 (12)    55 (14)    72 (20)     in ascending order 30
 *   has            27 (12)    22 (16)    36 (36)
 *   get            6          6          7 */
import { assert } from '../lib/assert.ts'
import { copyBytes, LITTLE_ENDIAN, littleWord } from '../lib/bytes.ts'
import { fromWords, highWord, INT64_LEN_MAX, type Int64, lowWord, writeInt64 } from '../lib/int64.ts'
import { BLOCK_BYTES_MAX, CHUNK_MASK, type Memory, posOf, type Ref } from '../memory/memory.ts'

// Words of the header.
const ENCODING = 0
const COUNT = 1
const FIRST = 2
const HEADER_SIZE = 8
const INT_16 = 2
const INT_32 = 4
const INT_64 = 8
/** From here on blocks are whole pages: to grow page by page would copy too often. */
const SPARE_FROM = 128 * 1024
/** Blocks below this are not shrunk: there is too little to be had. */
const SHRINK_FROM = 64
/** More integers than this may find no block that holds them. */
export const INTSET_COUNT_MAX = Math.floor((BLOCK_BYTES_MAX - HEADER_SIZE) / INT_64)

assert(LITTLE_ENDIAN, 'a word of memory has its bytes in the order of the format')

export class Intsets {
  readonly memory: Memory
  /** Whether the last `add` or `remove` changed the set. */
  changed = false
  /** The digits that `locate` wrote, until the next of these. */
  readonly bytes = new Uint8Array(INT64_LEN_MAX)
  readonly pos = 0
  len = 0

  constructor(memory: Memory) {
    this.memory = memory
  }

  /** An empty one; `count` integers of 16 bits will find room. Allocates. */
  create(count = 0): Ref {
    const ref = this.memory.alloc(HEADER_SIZE + count * INT_16)
    this.memory.setWord(ref, ENCODING, INT_16)
    this.memory.setWord(ref, COUNT, 0)
    return ref
  }

  /** One with the given bytes, which are sound: `validateIntset` has seen them, or an intset they come from.
   *  Allocates. */
  fromBytes(bytes: Uint8Array, pos: number, len: number): Ref {
    const ref = this.memory.alloc(len)
    copyBytes(bytes, pos, this.memory.bytesOf(ref), posOf(ref), len)
    return ref
  }

  /** Allocates. */
  copy(ref: Ref): Ref {
    return this.fromBytes(this.memory.bytesOf(ref), posOf(ref), this.size(ref))
  }

  free(ref: Ref): void {
    this.memory.free(ref)
  }

  count(ref: Ref): number {
    return this.memory.word(ref, COUNT)
  }

  /** Bytes of an integer: 2, 4 or 8. */
  encoding(ref: Ref): number {
    return this.memory.word(ref, ENCODING)
  }

  /** Bytes of the format: what a payload has. The block may be larger. */
  size(ref: Ref): number {
    return HEADER_SIZE + this.count(ref) * this.encoding(ref)
  }

  /** Gives unused bytes of the block back. May move it. */
  trim(ref: Ref): Ref {
    const size = this.size(ref)
    return this.memory.resize(ref, size, size)
  }

  /** The integer at a slot. */
  get(ref: Ref, slot: number): Int64 {
    const memory = this.memory
    DEV: assert(slot >= 0 && slot < this.count(ref), 'get of a slot that there is')
    const words = memory.wordsOf(ref)
    const first = firstOf(ref)
    const encoding = words[first - FIRST + ENCODING]!
    if (encoding === INT_16) return shortAt(words, first, slot)
    if (encoding === INT_32) return words[first + slot]!
    return fromWords(words[first + slot * 2 + 1]!, words[first + slot * 2]!)
  }

  /** Writes the digits of the integer at a slot into a scratch: `bytes`, `pos`, `len`. */
  locate(ref: Ref, slot: number): void {
    this.len = writeInt64(this.get(ref, slot), this.bytes, 0)
  }

  /** The slot of an integer, or `~slot`: it is not there, and would belong there. */
  find(ref: Ref, value: Int64): number {
    const words = this.memory.wordsOf(ref)
    const first = firstOf(ref)
    const count = words[first - FIRST + COUNT]!
    const encoding = words[first - FIRST + ENCODING]!
    if (encodingFor(value) > encoding) return value < 0 ? ~0 : ~count
    if (encoding === INT_16) return findShort(words, first, count, lowWord(value))
    if (encoding === INT_32) return findWord(words, first, count, lowWord(value))
    return findLong(words, first, count, highWord(value), lowWord(value))
  }

  has(ref: Ref, value: Int64): boolean {
    return this.find(ref, value) >= 0
  }

  /** Adds an integer; `changed` says whether it was new. May move the set. */
  add(ref: Ref, value: Int64): Ref {
    const slot = this.find(ref, value)
    this.changed = slot < 0
    return slot < 0 ? this.insert(ref, ~slot, value) : ref
  }

  /** Removes an integer; `changed` says whether it was there. May move the set. */
  remove(ref: Ref, value: Int64): Ref {
    const slot = this.find(ref, value)
    this.changed = slot >= 0
    return slot >= 0 ? this.removeAt(ref, slot) : ref
  }

  /** Puts in an integer that is not there yet, at the slot that `find` says. May move the set. */
  insert(ref: Ref, slot: number, value: Int64): Ref {
    const memory = this.memory
    const encoding = this.encoding(ref)
    if (encodingFor(value) > encoding) return this.widen(ref, slot, value)
    const count = this.count(ref)
    const size = HEADER_SIZE + count * encoding
    const block = size + encoding > memory.capacity(ref) ? this.grow(ref, size + encoding, size) : ref
    if (slot < count) {
      const bytes = memory.bytesOf(block)
      const pos = posOf(block) + HEADER_SIZE + slot * encoding
      copyBytes(bytes, pos, bytes, pos + encoding, (count - slot) * encoding)
    }
    this.set(block, encoding, slot, value)
    memory.setWord(block, COUNT, count + 1)
    return block
  }

  /** May move the set. */
  removeAt(ref: Ref, slot: number): Ref {
    const memory = this.memory
    const encoding = this.encoding(ref)
    const count = this.count(ref) - 1
    DEV: assert(slot >= 0 && slot <= count, 'removal of a slot that there is')
    const bytes = memory.bytesOf(ref)
    const pos = posOf(ref) + HEADER_SIZE + slot * encoding
    copyBytes(bytes, pos + encoding, bytes, pos, (count - slot) * encoding)
    memory.setWord(ref, COUNT, count)
    const size = HEADER_SIZE + count * encoding
    const capacity = memory.capacity(ref)
    return capacity >= SHRINK_FROM && size * 2 <= capacity ? memory.resize(ref, size, size) : ref
  }

  /** The essay's "Always". */
  verify(ref: Ref): void {
    const bytes = this.memory.bytesOf(ref)
    const sound = this.count(ref) === 0 || validateIntset(bytes, posOf(ref), this.size(ref))
    assert(sound, 'the integers ascend, and the header is one')
    assert([INT_16, INT_32, INT_64].includes(this.encoding(ref)), 'there are three widths')
    assert(this.size(ref) <= this.memory.capacity(ref), 'an intset lies within its block')
  }

  /** Rewrites the set so that `value` fits, and puts it first or last. */
  private widen(ref: Ref, slot: number, value: Int64): Ref {
    const memory = this.memory
    const count = this.count(ref)
    const encoding = encodingFor(value)
    DEV: assert(slot === (value < 0 ? 0 : count), 'what needs more width is outside of the range')
    const block = memory.alloc(HEADER_SIZE + (count + 1) * encoding)
    const shift = slot === 0 ? 1 : 0
    memory.setWord(block, ENCODING, encoding)
    memory.setWord(block, COUNT, count + 1)
    for (let old = 0; old < count; old++) this.set(block, encoding, old + shift, this.get(ref, old))
    this.set(block, encoding, slot, value)
    memory.free(ref)
    return block
  }

  private grow(ref: Ref, size: number, keep: number): Ref {
    const spare = size > SPARE_FROM ? size >>> 3 : 0
    return this.memory.resize(ref, Math.min(size + spare, BLOCK_BYTES_MAX), keep)
  }

  private set(ref: Ref, encoding: number, slot: number, value: Int64): void {
    const memory = this.memory
    const low = lowWord(value)
    if (encoding === INT_16) {
      const bytes = memory.bytesOf(ref)
      const pos = posOf(ref) + HEADER_SIZE + slot * INT_16
      bytes[pos] = low
      bytes[pos + 1] = low >> 8
    } else if (encoding === INT_32) {
      memory.setWord(ref, FIRST + slot, low)
    } else {
      memory.setWord(ref, FIRST + slot * 2, low)
      memory.setWord(ref, FIRST + slot * 2 + 1, highWord(value))
    }
  }
}

/** Index of the word that the integers begin at. */
const firstOf = (ref: Ref): number => ((ref & CHUNK_MASK) << 2) + FIRST

/** Bytes that an integer needs. */
function encodingFor(value: Int64): number {
  if (value >= -32768 && value <= 32767) return INT_16
  return value >= -2147483648 && value <= 2147483647 ? INT_32 : INT_64
}

/** The 16-bit integer at a slot: of a word, the lower half comes first. */
function shortAt(words: Int32Array, first: number, slot: number): number {
  return (words[first + (slot >>> 1)]! << ((~slot & 1) << 4)) >> 16
}

// One search for each width, each as `find` says; the largest integer is looked at first, since many sets are filled in
// order.

function findShort(words: Int32Array, first: number, count: number, value: number): number {
  if (count === 0 || shortAt(words, first, count - 1) < value) return ~count
  let low = 0
  let high = count - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (shortAt(words, first, middle) < value) low = middle + 1
    else high = middle
  }
  return shortAt(words, first, low) === value ? low : ~low
}

function findWord(words: Int32Array, first: number, count: number, value: number): number {
  if (count === 0 || words[first + count - 1]! < value) return ~count
  let low = 0
  let high = count - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (words[first + middle]! < value) low = middle + 1
    else high = middle
  }
  return words[first + low] === value ? low : ~low
}

function findLong(words: Int32Array, first: number, count: number, highOf: number, lowOf: number): number {
  if (count === 0 || longIsBelow(words, first + (count - 1) * 2, highOf, lowOf)) return ~count
  let low = 0
  let high = count - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (longIsBelow(words, first + middle * 2, highOf, lowOf)) low = middle + 1
    else high = middle
  }
  const found = first + low * 2
  return words[found] === lowOf && words[found + 1] === highOf ? low : ~low
}

/** Whether the 64-bit integer at `word` is less than that of these two words. */
function longIsBelow(words: Int32Array, word: number, high: number, low: number): boolean {
  const ownHigh = words[word + 1]!
  return ownHigh < high || (ownHigh === high && words[word]! >>> 0 < low >>> 0)
}

/** Whether an intset that somebody else wrote is sound: not empty, and as it should be. Reads nothing outside. */
export function validateIntset(bytes: Uint8Array, pos: number, len: number): boolean {
  if (len <= HEADER_SIZE || len > BLOCK_BYTES_MAX) return false
  const encoding = littleWord(bytes, pos)
  const count = littleWord(bytes, pos + 4) >>> 0
  if (encoding !== INT_16 && encoding !== INT_32 && encoding !== INT_64) return false
  if (HEADER_SIZE + count * encoding !== len) return false
  // The words of the integer before the one at hand.
  let high = 0
  let low = 0
  for (let at = pos + HEADER_SIZE; at < pos + len; at += encoding) {
    const ownLow = encoding === INT_16 ? ((bytes[at]! << 16) | (bytes[at + 1]! << 24)) >> 16 : littleWord(bytes, at)
    const ownHigh = encoding === INT_64 ? littleWord(bytes, at + 4) : ownLow >> 31
    const ascends = high < ownHigh || (high === ownHigh && low >>> 0 < ownLow >>> 0)
    if (at > pos + HEADER_SIZE && !ascends) return false
    high = ownHigh
    low = ownLow
  }
  return true
}
