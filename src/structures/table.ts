/* Table: a hash table of entries by key, by extendible hashing (Fagin 1979; the segments as in Dragonfly's Dash table,
 * the buckets as in Valkey's hashtable). It serves as the keyspace, and as the large form of hashes and sets.
 *
 *   hash, 32 bits    | directory: depth | bucket: bits | … | fingerprint: 8 |
 *
 *   root -> directory -> | segment | segment | … | -> | bucket | bucket | … | -> | 12 fingerprints | 12 refs | -> entry
 *
 * table-layout.ts draws it to the word; table-segments.ts is how it grows and shrinks; here entries are found, added,
 * removed, listed and drawn. A bucket's place is a prefix of the hash: the table is ordered by hash, and a scan cursor
 * is a position in that order. Only whole segments split and join, so an entry present all along is met by every scan.
 *
 * A lookup touches the directory, one bucket, one entry. 8 to 13 bytes an entry while growing. The table never frees
 * or allocates entries. */
import { assert } from '../lib/assert.ts'
import { equalBytes } from '../lib/bytes.ts'
import { DrawnWords } from '../lib/random.ts'
import { blockSizeFor, CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, type Ref } from '../memory/memory.ts'
import { KEY_LEN_LONG, KEY_LEN_SHIFT, KEY_WORD_MASK, keyHashOf } from './entry-head.ts'
import {
  BITS,
  COUNT,
  CROWDED,
  DEEPEST,
  DEPTH,
  DIRECTORY,
  fingerprintAt,
  HASH_SPAN,
  hitsAfter,
  hitsOf,
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
  SLOTS,
  setFingerprint,
  slotOf,
} from './table-layout.ts'
import { BITS_MIN, TableSegments } from './table-segments.ts'

/** Chains are longer with probability 1e-8 in full segments; `random` would meet their ends less often; 2^5. */
export const CHAIN_MAX = 32
const DRAWN_MAX = 2048

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
  /** Another number whenever entries have come, gone, or changed places, in whatever table: while it stays the same, a
   *  key that was found has the entry that it had. */
  changes = 0
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
  private readonly segments: TableSegments
  /** Takes what was read ahead, so that reading it is not optimised away. */
  sink = 0

  constructor(memory: Memory) {
    this.memory = memory
    this.foundWords = memory.words[0]!
    this.segments = new TableSegments(memory)
  }

  /** Makes an empty table with room for `expected` entries. */
  create(expected = 0): Ref {
    return this.segments.create(expected)
  }

  /** Makes an empty table as large as it will be with `expected` entries, so that none moves on the way. Allocates. */
  reserve(root: Ref, expected: number): void {
    this.changed()
    this.segments.reserve(root, expected)
  }

  /** Gives back the room that `reserve` made for entries that did not come. May move entries. */
  tighten(root: Ref): void {
    this.changed()
    this.segments.tighten(root)
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
      for (let hits = hitsOf(words, bucket, hash & 0xff); hits !== 0; hits = hitsAfter(hits)) {
        const slot = slotOf(hits)
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
    const pair = pairOf(memory, root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    let block = memory.word(directory, pair) as Ref
    let bucket = (((hash << memory.word(directory, pair + 1)) >>> (32 - memory.word(root, BITS))) + 1) << LINE_SHIFT
    while (block !== NONE) {
      const words = memory.wordsOf(block)
      const at = ((block & CHUNK_MASK) << 2) + bucket
      for (let hits = hitsOf(words, at, hash & 0xff); hits !== 0; hits = hitsAfter(hits)) {
        const slot = slotOf(hits)
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

  /** The hash of an entry's key. */
  hashOf(entry: Ref): number {
    return keyHashOf(this.memory, entry)
  }

  /** Whether the last `find` met this entry, `changes` being the same since: what means what was found means it. */
  hasFound(root: Ref, entry: Ref, hash: number): boolean {
    if (this.foundRoot !== root || this.foundHash !== hash) return false
    return this.foundWords[this.foundBucket + this.foundSlot] === entry
  }

  /** To be called when entries change places otherwise than through the table. */
  changed(): void {
    this.changes = (this.changes + 1) | 0
  }

  /** Puts `entry` in the place of the one that the last `find` met. */
  replaceFound(entry: Ref): void {
    this.changed()
    if (this.watcher !== null) this.tellReplaced(this.watcher, entry)
    this.foundWords[this.foundBucket + this.foundSlot] = entry
  }

  private tellReplaced(watcher: TableWatcher, entry: Ref): void {
    watcher.changes(this.foundRoot, this.foundWords[this.foundBucket + this.foundSlot]! as Ref)
    watcher.added(this.foundRoot, entry, this.foundHash)
  }

  /** Takes the entry that the last `find` met out of the table; the entry itself stays the caller's. */
  removeFound(root: Ref): void {
    this.changed()
    const { memory, segments } = this
    const words = this.foundWords
    const bucket = this.foundBucket
    if (this.watcher !== null) this.watcher.changes(root, words[bucket + this.foundSlot]! as Ref)
    // The chain stays dense: its last entry fills the hole. It is walked from its head on, since a bucket that loses
    // its last entry must be taken off the one before.
    const hash = this.foundHash
    const pair = pairOf(memory, root, hash)
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
      segments.overflowChange--
    }
    segments.removed(root, hash)
  }

  /** Adds an entry whose key is not in the table. Allocates. */
  insert(root: Ref, entry: Ref, hash: number): void {
    const { memory, segments } = this
    const pair = pairOf(memory, root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    const segment = memory.word(directory, pair) as Ref
    const depth = memory.word(directory, pair + 1)
    const bits = memory.word(root, BITS)
    this.changed()
    segments.place(segment, bits, depth, entry, hash)
    if (this.watcher !== null) this.watcher.added(root, entry, hash)
    segments.added(root, segment, pair, depth, bits)
  }

  /** Lists one bucket's entries in `found` and returns the next position, SCAN_END after the last.
   *  Positions are hashes (0 … 2^32-1): a position names the same place however the table grows or shrinks. */
  scan(root: Ref, position: number): number {
    this.foundCount = 0
    return this.listBucket(root, position)
  }

  /** As `scan`, of as many buckets as hold so many entries. */
  scanSome(root: Ref, position: number, wanted: number): number {
    const memory = this.memory
    const bits = memory.word(root, BITS)
    const lines = 1 << bits
    this.foundCount = 0
    while (this.foundCount < wanted && position !== SCAN_END) {
      const hash = position | 0
      const pair = pairOf(memory, root, hash)
      const directory = memory.word(root, DIRECTORY) as Ref
      const segment = memory.word(directory, pair) as Ref
      const depth = memory.word(directory, pair + 1)
      const first = (hash << depth) >>> (32 - bits)
      let line = first
      while (line < lines && this.foundCount < wanted) this.listChain(segment, ++line << LINE_SHIFT)
      const width = HASH_SPAN / (1 << depth) / (1 << bits)
      position = (Math.floor(position / width) + line - first) * width
    }
    return position
  }

  private listBucket(root: Ref, position: number): number {
    const memory = this.memory
    const hash = position | 0
    const pair = pairOf(memory, root, hash)
    const directory = memory.word(root, DIRECTORY) as Ref
    const depth = memory.word(directory, pair + 1)
    const bits = memory.word(root, BITS)
    const line = ((hash << depth) >>> (32 - bits)) + 1
    this.listChain(memory.word(directory, pair) as Ref, line << LINE_SHIFT)
    const width = HASH_SPAN / (1 << depth) / (1 << bits)
    this.foundFrom = Math.floor(position / width) * width
    return this.foundFrom + width
  }

  /** Lists in `found` the entries whose hash shares the fingerprint and the bucket of `hash`. */
  matches(root: Ref, hash: number): void {
    const memory = this.memory
    const pair = pairOf(memory, root, hash)
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
    const { memory, segments } = this
    const pair = pairOf(memory, root, position | 0)
    const directory = memory.word(root, DIRECTORY) as Ref
    const segment = memory.word(directory, pair) as Ref
    const width = 2 ** (32 - memory.word(directory, pair + 1))
    const lines = (1 << memory.word(root, BITS)) + 1
    this.foundCount = 0
    for (let line = 1; line < lines; line++) {
      this.listChain(segment, line << LINE_SHIFT)
      segments.freeOverflow(segment, line << LINE_SHIFT)
    }
    memory.free(segment)
    segments.overflowChange = 0 // nobody will ask
    const next = (Math.floor(position / width) + 1) * width
    if (next === SCAN_END) {
      memory.free(directory)
      memory.free(root)
    }
    return next
  }

  private listChain(block: Ref, bucket: number): void {
    const chunks = this.memory.words
    let words = chunks[block >>> CHUNK_SHIFT]!
    let slot = ((block & CHUNK_MASK) << 2) + bucket + SLOT_0
    for (;;) {
      if (this.foundCount + SLOTS > this.found.length) this.growFound()
      const { found } = this
      let count = this.foundCount
      const after = slot + SLOTS
      const next = words[slot - SLOT_0 + NEXT]!
      for (; slot < after; slot++) {
        const entry = words[slot]!
        if (entry === NONE) break
        found[count++] = entry
      }
      this.foundCount = count
      if (next === NONE) return
      words = chunks[next >>> CHUNK_SHIFT]!
      slot = ((next & CHUNK_MASK) << 2) + SLOT_0
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
