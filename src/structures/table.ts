/* Table: a hash table of entries by key, by extendible hashing (Fagin 1979; the segments as in Dragonfly's Dash table,
 * the buckets as in Valkey's hashtable). It serves as the keyspace, and as the large form of hashes and sets.
 *
 *   root   | count | depth | directory | bits | deepest | segments | overflows |
 *
 *   directory   2^depth pairs, found by the hash's top `depth` bits; neighbours may share a segment
 *          | segment, its depth | segment, its depth | …
 *
 *   segment     a line of header, then 2^bits buckets of one cache line, found by the `bits` bits of the hash that
 *          | count | crowded (2) | …    follow the segment's own depth; crowded: a bit for each bucket, set if it
 *                                       may have an overflow bucket
 *          | bucket | bucket | …
 *
 *   bucket      word 0 … 2        3        4 … 15
 *          | 12 fingerprints |  next  |  12 refs  |    fingerprint: low byte of the hash; next: an overflow bucket
 *
 * A bucket's place is thus a prefix of the hash, whatever the segments' depths: the table is ordered by hash, and a
 * scan cursor is a position in that order. Growth splits one segment in two (about 640 keys rehashed), shrinkage joins
 * two; nothing else moves, so an entry present all along is met by every scan, and no operation takes long. A small
 * table is one segment of fewer buckets (bits < 6), rebuilt with twice as many when it fills.
 *
 * Always: an entry is in the bucket chain its hash names; refs are dense from slot 0 of the chain on (only the last
 * bucket of a chain has room); a segment's count and the root's are true; bits < SEGMENT_BITS only while depth is 0;
 * `deepest` segments have the directory's depth; `overflows` overflow buckets are in use.
 *
 * A lookup touches the directory, one bucket, one entry. 8 to 13 bytes an entry while growing. The table never frees
 * or allocates entries. Hashes are 32 bits: beyond 2^DEPTH_MAX segments chains grow instead. */
import { assert } from '../lib/assert.ts'
import { equalBytes, zeroBytes } from '../lib/bytes.ts'
import { DrawnWords } from '../lib/random.ts'
import { hashWords } from '../lib/siphash.ts'
import { blockSizeFor, CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, posOf, type Ref } from '../memory/memory.ts'
import { KEY_LEN_LONG, KEY_LEN_SHIFT, KEY_WORD_MASK } from './entry-head.ts'

// Words of the root.
const COUNT = 0
export const DEPTH = 1
export const DIRECTORY = 2
export const BITS = 3
const DEEPEST = 4
const SEGMENTS = 5
const OVERFLOWS = 6
const ROOT_SIZE = 7 * 4

// Words of a segment's header, besides COUNT.
export const CROWDED = 1

// Words of a bucket.
export const LINE_WORDS = 16
export const LINE_SHIFT = 4
const LINE_SIZE = LINE_WORDS * 4
export const NEXT = 3
export const SLOT_0 = 4
export const SLOTS = 12

const SEGMENT_BITS = 6
const SEGMENT_BUCKETS = 1 << SEGMENT_BITS
const BITS_MIN = 1
const DEPTH_MAX = 32 - SEGMENT_BITS
/** Entries to a bucket at which a segment splits: at 10 of 12 slots one bucket in five has an overflow bucket. */
const LOAD_MAX = 10
/** Entries to a segment, at most, in a table made in advance: few segments then come to split. */
const RESERVED_MAX = 600
/** Entries to a bucket below which two segments join, or a small one is halved. */
const LOAD_MIN = 4
/** Chains are longer with probability 1e-8 at LOAD_MAX; `random` would meet their ends less often. A power of two. */
export const CHAIN_MAX = 32
const DRAWN_MAX = 2048

const HASH_SPAN = 2 ** 32

/** A scan position past the last bucket. */
export const SCAN_END = HASH_SPAN

/** Told of changes to tables, while somebody walks one in slices who wants to show what was there when he began. */
export interface TableWatcher {
  /** An entry has been added. */
  added(root: Ref, entry: Ref, hash: number): void
  /** An entry is about to change, or to leave the table. */
  changes(root: Ref, entry: Ref): void
  /** The value that the table was by itself has become `value`, of another encoding, which has the table. */
  becomes(root: Ref, value: Ref, encoding: number): void
}

export class Table {
  readonly memory: Memory
  watcher: TableWatcher | null = null
  /** What `random` draws with; readers ahead (table-ahead.ts) have some drawn before. */
  readonly drawn = new DrawnWords(DRAWN_MAX)
  /** Entries met by `scan` and `dismantle`: valid until the next call of either. */
  found = new Int32Array(64)
  foundCount = 0
  /** Where the bucket begins that `scan` listed: before the position asked for, if the table has shrunk meanwhile. */
  foundFrom = 0
  // Where the last find or random succeeded: bucket words, index of the bucket and of the slot. Dead after any change.
  private foundWords: Int32Array
  private foundBucket = 0
  private foundSlot = 0
  private foundHash = 0
  private foundRoot: Ref = NONE
  /** Overflow buckets that the operation at hand has added less those it freed; booked at its end. */
  private overflowChange = 0
  /** The refs of a segment being split, joined or rebuilt. Grows to the largest segment seen. */
  private moving = new Int32Array(1024)
  /** Takes what was read ahead, so that reading it is not optimised away. */
  sink = 0

  constructor(memory: Memory) {
    this.memory = memory
    this.foundWords = memory.words[0]!
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
    if (this.count(root) > 0) return
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
        this.join(root, this.pairOf(root, position | 0), depth)
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

  count(root: Ref): number {
    return this.memory.word(root, COUNT)
  }

  /** Buckets of the table, overflow buckets aside. */
  bucketCount(root: Ref): number {
    return this.memory.word(root, SEGMENTS) << this.memory.word(root, BITS)
  }

  /** Bytes of an empty table. */
  get emptyBytes(): number {
    return blockSizeFor(ROOT_SIZE) + blockSizeFor(8) + blockSizeFor(((1 << BITS_MIN) + 1) * LINE_SIZE)
  }

  /** Bytes of the table's own blocks; its entries are the caller's. */
  bytes(root: Ref): number {
    const memory = this.memory
    const segmentSize = blockSizeFor(((1 << memory.word(root, BITS)) + 1) * LINE_SIZE)
    const own = memory.capacity(root) + memory.capacity(memory.word(root, DIRECTORY) as Ref)
    return own + memory.word(root, SEGMENTS) * segmentSize + memory.word(root, OVERFLOWS) * LINE_SIZE
  }

  /** The entry with this key, or NONE. `hash` is `hashBytes` of the key. */
  find(root: Ref, bytes: Uint8Array, pos: number, len: number, hash: number): Ref {
    const chunks = this.memory.words
    const rootWords = chunks[root >>> CHUNK_SHIFT]!
    const rootPos = (root & CHUNK_MASK) << 2
    const directory = rootWords[rootPos + DIRECTORY]!
    const pair = ((directory & CHUNK_MASK) << 2) + (((hash >>> 1) >>> (31 - rootWords[rootPos + DEPTH]!)) << 1)
    const directoryWords = chunks[directory >>> CHUNK_SHIFT]!
    const segment = directoryWords[pair]!
    const line = ((hash << directoryWords[pair + 1]!) >>> (32 - rootWords[rootPos + BITS]!)) + 1
    let words = chunks[segment >>> CHUNK_SHIFT]!
    let bucket = ((segment & CHUNK_MASK) << 2) + (line << LINE_SHIFT)
    for (;;) {
      for (let hits = hitsOf(words, bucket, hash & 0xff); hits !== 0; hits &= hits - 1) {
        const slot = SLOT_0 + 31 - Math.clz32(hits & -hits)
        const entry = words[bucket + slot]! as Ref
        if (entry !== NONE && this.hasKey(entry, bytes, pos, len)) {
          this.foundWords = words
          this.foundBucket = bucket
          this.foundSlot = slot
          this.foundHash = hash
          this.foundRoot = root
          return entry
        }
      }
      const next = words[bucket + NEXT]!
      if (next === 0) return NONE
      words = chunks[next >>> CHUNK_SHIFT]!
      bucket = (next & CHUNK_MASK) << 2
    }
  }

  /** Finds an entry that is known to be in the table by its ref: nothing but its bucket is looked at. False if `hash`
   *  is not that of its key. */
  seek(root: Ref, entry: Ref, hash: number): boolean {
    const memory = this.memory
    const pair = this.pairOf(root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    let block = memory.word(directory, pair) as Ref
    let bucket = (((hash << memory.word(directory, pair + 1)) >>> (32 - memory.word(root, BITS))) + 1) << LINE_SHIFT
    while (block !== NONE) {
      const words = memory.wordsOf(block)
      const at = ((block & CHUNK_MASK) << 2) + bucket
      for (let hits = hitsOf(words, at, hash & 0xff); hits !== 0; hits &= hits - 1) {
        const slot = SLOT_0 + 31 - Math.clz32(hits & -hits)
        if (words[at + slot] !== entry) continue
        this.foundWords = words
        this.foundBucket = at
        this.foundSlot = slot
        this.foundHash = hash
        this.foundRoot = root
        return true
      }
      block = words[at + NEXT]! as Ref
      bucket = 0
    }
    return false
  }

  private hasKey(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const chunk = entry >>> CHUNK_SHIFT
    const words = this.memory.words[chunk]!
    const head = (entry & CHUNK_MASK) << 2
    const meta = words[head]!
    const keyWord = head + (meta & KEY_WORD_MASK)
    let keyLen = meta >>> KEY_LEN_SHIFT
    if (keyLen === KEY_LEN_LONG) keyLen = words[keyWord - 1]!
    if (keyLen !== len) return false
    return equalBytes(this.memory.bytes[chunk]!, keyWord << 2, bytes, pos, len)
  }

  /** The hash of an entry's key, read by words: blocks begin, and end, with one. */
  hashOf(entry: Ref): number {
    const words = this.memory.words[entry >>> CHUNK_SHIFT]!
    const head = (entry & CHUNK_MASK) << 2
    const meta = words[head]!
    const keyWord = head + (meta & KEY_WORD_MASK)
    const len = meta >>> KEY_LEN_SHIFT
    return hashWords(words, keyWord, len === KEY_LEN_LONG ? words[keyWord - 1]! : len)
  }

  /** Puts `entry` in the place of the one that the last `find` met. */
  replaceFound(entry: Ref): void {
    if (this.watcher !== null) this.tellReplaced(this.watcher, entry)
    this.foundWords[this.foundBucket + this.foundSlot] = entry
  }

  private tellReplaced(watcher: TableWatcher, entry: Ref): void {
    watcher.changes(this.foundRoot, this.foundWords[this.foundBucket + this.foundSlot]! as Ref)
    watcher.added(this.foundRoot, entry, this.foundHash)
  }

  /** Takes the entry that the last `find` met out of the table; the entry itself stays the caller's. */
  removeFound(root: Ref): void {
    const memory = this.memory
    const words = this.foundWords
    const bucket = this.foundBucket
    if (this.watcher !== null) this.watcher.changes(root, words[bucket + this.foundSlot]! as Ref)
    // The chain stays dense: its last entry fills the hole. It is walked from its head on, since a bucket that loses
    // its last entry must be taken off the one before.
    const hash = this.foundHash
    const pair = this.pairOf(root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    const segment = memory.word(directory, pair) as Ref
    const line = ((hash << memory.word(directory, pair + 1)) >>> (32 - memory.word(root, BITS))) + 1
    let tailWords = memory.wordsOf(segment)
    let tail = ((segment & CHUNK_MASK) << 2) + (line << LINE_SHIFT)
    let beforeWords = tailWords
    let before = -1
    for (let next = tailWords[tail + NEXT]!; next !== 0; next = tailWords[tail + NEXT]!) {
      beforeWords = tailWords
      before = tail
      tailWords = memory.words[next >>> CHUNK_SHIFT]!
      tail = (next & CHUNK_MASK) << 2
    }
    let last = SLOT_0 + SLOTS - 1
    while (tailWords[tail + last] === 0) last--
    words[bucket + this.foundSlot] = tailWords[tail + last]!
    setFingerprint(words, bucket, this.foundSlot, fingerprintAt(tailWords, tail, last))
    tailWords[tail + last] = NONE
    if (last === SLOT_0 && before >= 0) {
      const overflow = beforeWords[before + NEXT]! as Ref
      beforeWords[before + NEXT] = NONE
      memory.free(overflow)
      this.overflowChange--
    }
    this.afterRemoval(root, hash)
    if (this.overflowChange !== 0) this.bookOverflows(root)
  }

  /** Adds an entry whose key is not in the table. Allocates. */
  insert(root: Ref, entry: Ref, hash: number): void {
    const memory = this.memory
    const pair = this.pairOf(root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    const segment = memory.word(directory, pair) as Ref
    const depth = memory.word(directory, pair + 1)
    const bits = memory.word(root, BITS)
    this.place(segment, bits, depth, entry, hash)
    if (this.watcher !== null) this.watcher.added(root, entry, hash)
    const count = memory.word(segment, COUNT) + 1
    memory.setWord(segment, COUNT, count)
    memory.setWord(root, COUNT, memory.word(root, COUNT) + 1)
    if (count > LOAD_MAX << bits) this.grow(root, segment, pair, depth, bits)
    if (this.overflowChange !== 0) this.bookOverflows(root)
  }

  private bookOverflows(root: Ref): void {
    this.memory.setWord(root, OVERFLOWS, this.memory.word(root, OVERFLOWS) + this.overflowChange)
    this.overflowChange = 0
  }

  /** Lists one bucket's entries in `found` and returns the next position, SCAN_END after the last.
   *  Positions are hashes (0 … 2^32-1): a position names the same place however the table grows or shrinks. */
  scan(root: Ref, position: number): number {
    this.foundCount = 0
    return this.listBucket(root, position)
  }

  /** As `scan`, of as many buckets as hold so many entries. */
  scanSome(root: Ref, position: number, wanted: number): number {
    this.foundCount = 0
    while (this.foundCount < wanted && position !== SCAN_END) position = this.listBucket(root, position)
    return position
  }

  private listBucket(root: Ref, position: number): number {
    const memory = this.memory
    const hash = position | 0
    const pair = this.pairOf(root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    const depth = memory.word(directory, pair + 1)
    const bits = memory.word(root, BITS)
    const line = ((hash << depth) >>> (32 - bits)) + 1
    this.listChain(memory.word(directory, pair) as Ref, line << LINE_SHIFT)
    const width = 2 ** (32 - depth - bits)
    this.foundFrom = Math.floor(position / width) * width
    return this.foundFrom + width
  }

  /** Lists in `found` the entries whose hash shares the fingerprint and the bucket of `hash`. */
  matches(root: Ref, hash: number): void {
    const memory = this.memory
    const pair = this.pairOf(root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    const depth = memory.word(directory, pair + 1)
    const line = ((hash << depth) >>> (32 - memory.word(root, BITS))) + 1
    let block = memory.word(directory, pair) as Ref
    let bucket = line << LINE_SHIFT
    this.foundCount = 0
    while (block !== NONE) {
      const words = memory.wordsOf(block)
      const start = ((block & CHUNK_MASK) << 2) + bucket
      for (let slot = SLOT_0; slot < LINE_WORDS && words[start + slot] !== NONE; slot++) {
        if (fingerprintAt(words, start, slot) !== (hash & 0xff)) continue
        if (this.foundCount === this.found.length) this.growFound()
        this.found[this.foundCount++] = words[start + slot]!
      }
      block = words[start + NEXT]! as Ref
      bucket = 0
    }
  }

  /** A random entry, each with the same probability; the table must not be empty. It counts as found: `removeFound`
   *  means it. */
  random(root: Ref): Ref {
    const memory = this.memory
    const { drawn } = this
    DEV: assert(this.count(root) > 0, 'random of an empty table')
    const directory = memory.word(root, DIRECTORY) as Ref
    const depthMax = memory.word(root, DEPTH)
    const bits = memory.word(root, BITS)
    // A bucket is met in proportion to its width in the hash order: shallow, wide ones are refused as much more often.
    for (;;) {
      const hash = drawn.take()
      const pair = ((hash >>> 1) >>> (31 - depthMax)) << 1
      const depth = memory.word(directory, pair + 1)
      let slot = drawn.take() & ((CHAIN_MAX << (depthMax - depth)) - 1)
      if (slot >= CHAIN_MAX) continue
      let block = memory.word(directory, pair) as Ref
      const line = (hash << depth) >>> (32 - bits)
      // Most draws are of slots that few buckets have: the header alone refuses them.
      if (slot >= SLOTS && (memory.word(block, CROWDED + (line >>> 5)) & (1 << line)) === 0) continue
      let bucket = (line + 1) << LINE_SHIFT
      while (slot >= SLOTS && memory.word(block, bucket + NEXT) !== 0) {
        block = memory.word(block, bucket + NEXT) as Ref
        bucket = 0
        slot -= SLOTS
      }
      if (slot >= SLOTS) continue
      const entry = memory.word(block, bucket + SLOT_0 + slot) as Ref
      if (entry === NONE) continue
      this.foundWords = memory.wordsOf(block)
      this.foundBucket = ((block & CHUNK_MASK) << 2) + bucket
      this.foundSlot = SLOT_0 + slot
      this.foundHash = hash // of the same bucket
      return entry
    }
  }

  /** Frees the table, a segment a call: lists that segment's entries in `found` for the caller to free, and returns
   *  the next position; at SCAN_END the root is freed too. Between calls the table is good for nothing else. */
  dismantle(root: Ref, position: number): number {
    const memory = this.memory
    const pair = this.pairOf(root, position | 0)
    const directory = memory.word(root, DIRECTORY) as Ref
    const segment = memory.word(directory, pair) as Ref
    const width = 2 ** (32 - memory.word(directory, pair + 1))
    const lines = (1 << memory.word(root, BITS)) + 1
    this.foundCount = 0
    for (let line = 1; line < lines; line++) {
      this.listChain(segment, line << LINE_SHIFT)
      this.freeOverflow(segment, line << LINE_SHIFT)
    }
    memory.free(segment)
    this.overflowChange = 0 // nobody will ask
    const next = (Math.floor(position / width) + 1) * width
    if (next === SCAN_END) {
      memory.free(directory)
      memory.free(root)
    }
    return next
  }

  /** Index of the hash's pair in the directory, in words. */
  private pairOf(root: Ref, hash: number): number {
    return ((hash >>> 1) >>> (31 - this.memory.word(root, DEPTH))) << 1
  }

  private newSegment(bits: number): Ref {
    return this.memory.allocZeroed(((1 << bits) + 1) * LINE_SIZE)
  }

  /** Writes the entry into its bucket chain; counts are the caller's. */
  private place(segment: Ref, bits: number, depth: number, entry: Ref, hash: number): void {
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

  private grow(root: Ref, segment: Ref, pair: number, depth: number, bits: number): void {
    if (bits < SEGMENT_BITS) this.rebuild(root, segment, bits + 1)
    else if (depth < DEPTH_MAX) this.split(root, segment, pair, depth)
  }

  /** Reads all that have been gathered, whose hashes are wanted next: these reads overlap, those between hashes do not.
   *  A split takes half the time. */
  private touchMoving(count: number): void {
    const chunks = this.memory.words
    const { moving } = this
    let sink = 0
    for (let index = 0; index < count; index++) {
      const entry = moving[index]!
      sink ^= chunks[entry >>> CHUNK_SHIFT]![(entry & CHUNK_MASK) << 2]!
    }
    this.sink = sink
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
      this.place(target, bits, 0, entry, this.hashOf(entry))
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
      const hash = this.hashOf(entry)
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

  private afterRemoval(root: Ref, hash: number): void {
    const memory = this.memory
    const pair = this.pairOf(root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    const segment = memory.word(directory, pair) as Ref
    const count = memory.word(segment, COUNT) - 1
    const bits = memory.word(root, BITS)
    memory.setWord(segment, COUNT, count)
    memory.setWord(root, COUNT, memory.word(root, COUNT) - 1)
    if (count >= LOAD_MIN << (bits - 1)) return
    const depth = memory.word(directory, pair + 1)
    if (depth > 0) this.join(root, pair, depth)
    else if (bits > BITS_MIN) this.rebuild(root, segment, bits - 1)
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
      this.place(lower, SEGMENT_BITS, depth - 1, entry, this.hashOf(entry))
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

  private freeOverflow(segment: Ref, bucket: number): void {
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

  private listChain(block: Ref, bucket: number): void {
    const memory = this.memory
    for (;;) {
      if (this.foundCount + SLOTS > this.found.length) this.growFound()
      for (let slot = SLOT_0; slot < LINE_WORDS; slot++) {
        const entry = memory.word(block, bucket + slot)
        if (entry !== NONE) this.found[this.foundCount++] = entry
      }
      const next = memory.word(block, bucket + NEXT) as Ref
      if (next === NONE) return
      block = next
      bucket = 0
    }
  }

  private growFound(): void {
    const larger = new Int32Array(this.found.length * 2)
    larger.set(this.found)
    this.found = larger
  }

  /** How many buckets hold 0, 1, 2 … entries, those of their overflow buckets included. Visits every bucket. */
  chainLengths(root: Ref): number[] {
    const lengths: number[] = [0]
    for (let position = 0; position !== SCAN_END; ) {
      position = this.scan(root, position)
      while (lengths.length <= this.foundCount) lengths.push(0)
      lengths[this.foundCount]!++
    }
    return lengths
  }

  /** The essay's "Always". */
  verify(root: Ref): void {
    const memory = this.memory
    const directory = memory.word(root, DIRECTORY) as Ref
    const depthMax = memory.word(root, DEPTH)
    const bits = memory.word(root, BITS)
    let total = 0
    let segments = 0
    let deepest = 0
    assert(bits === SEGMENT_BITS || depthMax === 0, 'only a single segment is small')
    for (let index = 0; index < 1 << depthMax; ) {
      const segment = memory.word(directory, index << 1) as Ref
      const depth = memory.word(directory, (index << 1) + 1)
      const span = 1 << (depthMax - depth)
      assert(index % span === 0, 'a segment begins at a multiple of its width')
      for (let other = index; other < index + span; other++) {
        assert(memory.word(directory, other << 1) === segment, 'neighbours share a shallow segment')
      }
      total += this.verifySegment(segment, bits, depth, index << (32 - depthMax))
      segments++
      if (depth === depthMax) deepest++
      index += span
    }
    assert(total === this.count(root), 'the count is the sum over the segments')
    assert(segments === memory.word(root, SEGMENTS), 'segments are counted')
    assert(deepest === memory.word(root, DEEPEST), 'deepest segments are counted')
    let overflows = 0
    this.chainLengths(root).forEach((buckets, length) => {
      overflows += buckets * Math.max(0, Math.ceil(length / SLOTS) - 1)
    })
    assert(overflows === memory.word(root, OVERFLOWS), 'overflow buckets are counted')
  }

  private verifySegment(segment: Ref, bits: number, depth: number, prefix: number): number {
    let total = 0
    for (let line = 0; line < 1 << bits; line++) {
      this.foundCount = 0
      this.listChain(segment, (line + 1) << LINE_SHIFT)
      const crowded = (this.memory.word(segment, CROWDED + (line >>> 5)) & (1 << line)) !== 0
      assert(crowded || this.foundCount <= SLOTS, 'a bucket with an overflow bucket is marked')
      for (let index = 0; index < this.foundCount; index++) {
        const hash = this.hashOf(this.found[index]! as Ref)
        assert((hash << depth) >>> (32 - bits) === line, 'an entry lies in its bucket')
        assert(depth === 0 || (hash ^ prefix) >>> (32 - depth) === 0, 'an entry lies in its segment')
      }
      total += this.foundCount
    }
    assert(total === this.memory.word(segment, COUNT), 'a segment knows its count')
    return total
  }
}

/** The slots of a bucket that have this fingerprint, as bits from 0 on; rarely another one, or one that is empty. */
export function hitsOf(words: Int32Array, bucket: number, fingerprint: number): number {
  const pattern = Math.imul(fingerprint, 0x01010101)
  return (
    zeroBytes(words[bucket]! ^ pattern) |
    (zeroBytes(words[bucket + 1]! ^ pattern) << 4) |
    (zeroBytes(words[bucket + 2]! ^ pattern) << 8)
  )
}

function fingerprintAt(words: Int32Array, bucket: number, slot: number): number {
  const index = slot - SLOT_0
  return (words[bucket + (index >> 2)]! >>> ((index & 3) << 3)) & 0xff
}

function setFingerprint(words: Int32Array, bucket: number, slot: number, fingerprint: number): void {
  const index = slot - SLOT_0
  const shift = (index & 3) << 3
  const at = bucket + (index >> 2)
  words[at] = (words[at]! & ~(0xff << shift)) | (fingerprint << shift)
}
