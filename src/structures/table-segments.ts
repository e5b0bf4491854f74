/* The segments of a table (table-layout.ts), and the directory that finds them: how a table grows and shrinks.
 *
 *   directory | a | a | b | c |     split of a     | a | d | b | c |     and join of a and d: back
 *               1   1   2   2        ────────►       2   2   2   2
 *
 * Growth splits one segment in two (about 640 keys rehashed), shrinkage joins two; nothing else moves, and no operation
 * takes long. A small table is one segment of fewer buckets (bits < SEGMENT_BITS), rebuilt with twice as many when it
 * fills, with half as many when it empties. Entries are the caller's, and so are counts, unless told otherwise.
 *
 * Hashes are 32 bits: beyond 2^DEPTH_MAX segments chains grow instead. */
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, posOf, type Ref } from '../memory/memory.ts'
import { readAll } from '../memory/read-ahead.ts'
import { keyHashOf } from './entry-head.ts'
import {
  BITS,
  COUNT,
  CROWDED,
  DEEPEST,
  DEPTH,
  DIRECTORY,
  HASH_SPAN,
  LINE_SHIFT,
  LINE_SIZE,
  LINE_WORDS,
  NEXT,
  OVERFLOWS,
  pairOf,
  ROOT_SIZE,
  SEGMENT_BITS,
  SEGMENTS,
  SLOT_0,
  setFingerprint,
} from './table-layout.ts'

const SEGMENT_BUCKETS = 1 << SEGMENT_BITS
export const BITS_MIN = 1
const DEPTH_MAX = 32 - SEGMENT_BITS
/** Entries to a bucket at which a segment splits: at 10 of 12 slots one bucket in five has an overflow bucket. */
const LOAD_MAX = 10
/** Entries to a segment, at most, in a table made in advance: few segments then come to split. */
const RESERVED_MAX = 600
/** Entries to a bucket below which two segments join, or a small one is halved. */
const LOAD_MIN = 4

export class TableSegments {
  /** Overflow buckets that the operation at hand has added less those it freed; to be booked at its end. */
  overflowChange = 0
  private readonly memory: Memory
  /** The refs of a segment being split, joined or rebuilt. Grows to the largest segment seen. */
  private moving = new Int32Array(1024)
  /** Takes what was read ahead, so that reading it is not optimised away. */
  sink = 0

  constructor(memory: Memory) {
    this.memory = memory
  }

  /** Makes an empty table with room for `expected` entries. */
  create(expected = 0): Ref {
    let bits = BITS_MIN
    while (bits < SEGMENT_BITS && expected > LOAD_MAX << bits) bits++
    const memory = this.memory
    const root = memory.alloc(ROOT_SIZE)
    const directory = memory.alloc(8)
    const segment = this.newSegment(bits)
    memory.setWord(directory, 0, segment)
    memory.setWord(directory, 1, 0)
    memory.setWord(root, COUNT, 0)
    memory.setWord(root, DEPTH, 0)
    memory.setWord(root, DIRECTORY, directory)
    memory.setWord(root, BITS, bits)
    memory.setWord(root, DEEPEST, 1)
    memory.setWord(root, SEGMENTS, 1)
    memory.setWord(root, OVERFLOWS, 0)
    return root
  }

  /** Makes an empty table as large as it will be with `expected` entries, so that none moves on the way. Allocates. */
  reserve(root: Ref, expected: number): void {
    const memory = this.memory
    if (memory.word(root, COUNT) > 0) return
    let depth = 0
    while (depth < DEPTH_MAX && expected > RESERVED_MAX * 2 ** depth) depth++
    if (depth <= memory.word(root, DEPTH)) return
    this.releaseEmpty(root)
    const directory = memory.alloc(8 << depth)
    for (let index = 0; index < 1 << depth; index++) {
      memory.setWord(directory, index << 1, this.newSegment(SEGMENT_BITS))
      memory.setWord(directory, (index << 1) + 1, depth)
    }
    memory.setWord(root, DEPTH, depth)
    memory.setWord(root, DIRECTORY, directory)
    memory.setWord(root, BITS, SEGMENT_BITS)
    memory.setWord(root, DEEPEST, 1 << depth)
    memory.setWord(root, SEGMENTS, 1 << depth)
  }

  /** Gives back the room that `reserve` made for entries that did not come. May move entries. */
  tighten(root: Ref): void {
    const memory = this.memory
    for (let depth = memory.word(root, DEPTH); depth > 0; depth--) {
      const width = 2 ** (33 - depth) // of two segments of this depth
      for (let position = 0; position < HASH_SPAN && depth <= memory.word(root, DEPTH); position += width) {
        this.join(root, pairOf(memory, root, position | 0), depth)
      }
    }
    this.bookOverflows(root)
  }

  /** Frees the segments and the directory of an empty table. */
  private releaseEmpty(root: Ref): void {
    const memory = this.memory
    const directory = memory.word(root, DIRECTORY) as Ref
    const depthMax = memory.word(root, DEPTH)
    for (let index = 0; index < 1 << depthMax; ) {
      memory.free(memory.word(directory, index << 1) as Ref)
      index += 1 << (depthMax - memory.word(directory, (index << 1) + 1))
    }
    memory.free(directory)
  }

  private bookOverflows(root: Ref): void {
    this.memory.setWord(root, OVERFLOWS, this.memory.word(root, OVERFLOWS) + this.overflowChange)
    this.overflowChange = 0
  }

  private newSegment(bits: number): Ref {
    return this.memory.allocZeroed(((1 << bits) + 1) * LINE_SIZE)
  }

  /** Writes the entry into its bucket chain; counts are the caller's. */
  place(segment: Ref, bits: number, depth: number, entry: Ref, hash: number): void {
    const memory = this.memory
    const chunks = memory.words
    let words = chunks[segment >>> CHUNK_SHIFT]!
    const line = (hash << depth) >>> (32 - bits)
    let bucket = ((segment & CHUNK_MASK) << 2) + ((line + 1) << LINE_SHIFT)
    for (let next = words[bucket + NEXT]!; next !== 0; next = words[bucket + NEXT]!) {
      words = chunks[next >>> CHUNK_SHIFT]!
      bucket = (next & CHUNK_MASK) << 2
    }
    let slot = SLOT_0
    while (slot < LINE_WORDS && words[bucket + slot] !== NONE) slot++
    if (slot === LINE_WORDS) {
      const crowded = CROWDED + (line >>> 5)
      memory.setWord(segment, crowded, memory.word(segment, crowded) | (1 << line))
      const overflow = memory.allocZeroed(LINE_SIZE)
      this.overflowChange++
      words[bucket + NEXT] = overflow
      words = memory.wordsOf(overflow)
      bucket = (overflow & CHUNK_MASK) << 2
      slot = SLOT_0
    }
    words[bucket + slot] = entry
    setFingerprint(words, bucket, slot, hash & 0xff)
  }

  /** Books that an entry has been placed in a segment, which may split then. Allocates. */
  added(root: Ref, segment: Ref, pair: number, depth: number, bits: number): void {
    const memory = this.memory
    const count = memory.word(segment, COUNT) + 1
    memory.setWord(segment, COUNT, count)
    memory.setWord(root, COUNT, memory.word(root, COUNT) + 1)
    if (count > LOAD_MAX << bits) this.grow(root, segment, pair, depth, bits)
    if (this.overflowChange !== 0) this.bookOverflows(root)
  }

  private grow(root: Ref, segment: Ref, pair: number, depth: number, bits: number): void {
    if (bits < SEGMENT_BITS) this.rebuild(root, segment, bits + 1)
    else if (depth < DEPTH_MAX) this.split(root, segment, pair, depth)
  }

  /** Reads all that have been gathered, whose hashes are wanted next: these reads overlap, those between hashes do not.
   *  A split takes half the time. */
  private touchMoving(count: number): void {
    this.sink = readAll(this.memory, this.moving, count)
  }

  /** Moves the only segment's entries into one with 2^bits buckets. */
  private rebuild(root: Ref, segment: Ref, bits: number): void {
    const memory = this.memory
    const count = this.gather(segment, memory.word(root, BITS), 0)
    memory.free(segment)
    const target = this.newSegment(bits)
    memory.setWord(root, BITS, bits)
    memory.setWord(memory.word(root, DIRECTORY) as Ref, 0, target)
    memory.setWord(target, COUNT, count)
    this.touchMoving(count)
    for (let index = 0; index < count; index++) {
      const entry = this.moving[index]! as Ref
      this.place(target, bits, 0, entry, keyHashOf(this.memory, entry))
    }
  }

  private split(root: Ref, segment: Ref, pair: number, depth: number): void {
    const memory = this.memory
    if (depth === memory.word(root, DEPTH)) {
      this.doubleDirectory(root)
      pair <<= 1
    }
    const count = this.gather(segment, SEGMENT_BITS, 0)
    memory.bytesOf(segment).fill(0, posOf(segment), posOf(segment) + (SEGMENT_BUCKETS + 1) * LINE_SIZE)
    const upper = this.newSegment(SEGMENT_BITS)
    const deeper = depth + 1
    let upperCount = 0
    this.touchMoving(count)
    for (let index = 0; index < count; index++) {
      const entry = this.moving[index]! as Ref
      const hash = keyHashOf(this.memory, entry)
      if (hash << depth < 0) {
        this.place(upper, SEGMENT_BITS, deeper, entry, hash)
        upperCount++
      } else this.place(segment, SEGMENT_BITS, deeper, entry, hash)
    }
    memory.setWord(segment, COUNT, count - upperCount)
    memory.setWord(upper, COUNT, upperCount)
    const depthMax = memory.word(root, DEPTH)
    const half = 1 << (depthMax - deeper)
    const first = (pair >> 1) & ~(2 * half - 1)
    this.point(root, first, half, segment, deeper)
    this.point(root, first + half, half, upper, deeper)
    memory.setWord(root, SEGMENTS, memory.word(root, SEGMENTS) + 1)
    if (deeper === depthMax) memory.setWord(root, DEEPEST, memory.word(root, DEEPEST) + 2)
  }

  private point(root: Ref, first: number, count: number, segment: Ref, depth: number): void {
    const directory = this.memory.word(root, DIRECTORY) as Ref
    for (let index = first; index < first + count; index++) {
      this.memory.setWord(directory, index << 1, segment)
      this.memory.setWord(directory, (index << 1) + 1, depth)
    }
  }

  private doubleDirectory(root: Ref): void {
    const memory = this.memory
    const depth = memory.word(root, DEPTH)
    const source = memory.word(root, DIRECTORY) as Ref
    const target = memory.alloc(16 << depth)
    for (let index = 0; index < 1 << depth; index++) {
      const segment = memory.word(source, index << 1)
      const segmentDepth = memory.word(source, (index << 1) + 1)
      for (let word = index << 2; word < (index + 1) << 2; word += 2) {
        memory.setWord(target, word, segment)
        memory.setWord(target, word + 1, segmentDepth)
      }
    }
    memory.free(source)
    memory.setWord(root, DIRECTORY, target)
    memory.setWord(root, DEPTH, depth + 1)
    memory.setWord(root, DEEPEST, 0)
  }

  /** Halves the directory as long as no segment needs its depth. */
  private halveDirectory(root: Ref): void {
    const memory = this.memory
    const depth = memory.word(root, DEPTH) - 1
    const source = memory.word(root, DIRECTORY) as Ref
    const target = memory.alloc(8 << depth)
    let deepest = 0
    for (let index = 0; index < 1 << depth; index++) {
      const segmentDepth = memory.word(source, (index << 2) + 1)
      memory.setWord(target, index << 1, memory.word(source, index << 2))
      memory.setWord(target, (index << 1) + 1, segmentDepth)
      if (segmentDepth === depth) deepest++
    }
    memory.free(source)
    memory.setWord(root, DIRECTORY, target)
    memory.setWord(root, DEPTH, depth)
    memory.setWord(root, DEEPEST, deepest)
  }

  /** Books the removal of an entry with this hash, which has been taken out of its bucket; joins what is too empty. */
  removed(root: Ref, hash: number): void {
    const memory = this.memory
    const pair = pairOf(memory, root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    const segment = memory.word(directory, pair) as Ref
    const count = memory.word(segment, COUNT) - 1
    const bits = memory.word(root, BITS)
    memory.setWord(segment, COUNT, count)
    memory.setWord(root, COUNT, memory.word(root, COUNT) - 1)
    if (count < LOAD_MIN << (bits - 1)) {
      const depth = memory.word(directory, pair + 1)
      if (depth > 0) this.join(root, pair, depth)
      else if (bits > BITS_MIN) this.rebuild(root, segment, bits - 1)
    }
    if (this.overflowChange !== 0) this.bookOverflows(root)
  }

  /** Joins the segment with its buddy, if both have the same depth and are nearly empty. */
  private join(root: Ref, pair: number, depth: number): void {
    const memory = this.memory
    const directory = memory.word(root, DIRECTORY) as Ref
    const depthMax = memory.word(root, DEPTH)
    const half = 1 << (depthMax - depth)
    const first = (pair >> 1) & ~(2 * half - 1)
    if (memory.word(directory, (first << 1) + 1) !== depth) return
    if (memory.word(directory, ((first + half) << 1) + 1) !== depth) return
    const lower = memory.word(directory, first << 1) as Ref
    const upper = memory.word(directory, (first + half) << 1) as Ref
    if (memory.word(lower, COUNT) + memory.word(upper, COUNT) > LOAD_MIN << SEGMENT_BITS) return
    const lowerCount = this.gather(lower, SEGMENT_BITS, 0)
    const count = this.gather(upper, SEGMENT_BITS, lowerCount)
    this.touchMoving(count)
    memory.free(upper)
    memory.bytesOf(lower).fill(0, posOf(lower), posOf(lower) + (SEGMENT_BUCKETS + 1) * LINE_SIZE)
    for (let index = 0; index < count; index++) {
      const entry = this.moving[index]! as Ref
      this.place(lower, SEGMENT_BITS, depth - 1, entry, keyHashOf(this.memory, entry))
    }
    memory.setWord(lower, COUNT, count)
    this.point(root, first, 2 * half, lower, depth - 1)
    memory.setWord(root, SEGMENTS, memory.word(root, SEGMENTS) - 1)
    if (depth !== depthMax) return
    const deepest = memory.word(root, DEEPEST) - 2
    memory.setWord(root, DEEPEST, deepest)
    if (deepest === 0) this.halveDirectory(root)
  }

  /** Copies a segment's refs to `moving` from index `start` on and frees its overflow buckets; returns the end. */
  private gather(segment: Ref, bits: number, start: number): number {
    const memory = this.memory
    const end = start + memory.word(segment, COUNT)
    if (end > this.moving.length) {
      const larger = new Int32Array(end * 2)
      larger.set(this.moving)
      this.moving = larger
    }
    let index = start
    const lines = (1 << bits) + 1
    for (let line = 1; line < lines; line++) {
      let block = segment
      let bucket = line << LINE_SHIFT
      for (;;) {
        for (let slot = SLOT_0; slot < LINE_WORDS; slot++) {
          const entry = memory.word(block, bucket + slot)
          if (entry !== NONE) this.moving[index++] = entry
        }
        const next = memory.word(block, bucket + NEXT) as Ref
        if (next === NONE) break
        block = next
        bucket = 0
      }
      this.freeOverflow(segment, line << LINE_SHIFT)
    }
    return index
  }

  freeOverflow(segment: Ref, bucket: number): void {
    const memory = this.memory
    let next = memory.word(segment, bucket + NEXT) as Ref
    memory.setWord(segment, bucket + NEXT, NONE)
    while (next !== NONE) {
      const after = memory.word(next, NEXT) as Ref
      memory.free(next)
      this.overflowChange--
      next = after
    }
  }
}
