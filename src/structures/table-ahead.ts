/* Reading ahead in tables: what lookups of several keys will want is read before they want it, in loops so tight that
 * the processor has many reads under way at once, where lookups one after the other wait for each read in turn.
 *
 *   roots    | table | table | …     to be filled in with the hashes; NONE: this index is passed over
 *   hashes   | hash  | hash  | …
 *   buckets  | ref   | ref   | …     of each one's bucket, once its line has been asked for
 *   likely   | ref   | ref   | …     of the entry that its lookup will probably look at, or of the overflow bucket
 *   entries  | ref   | NONE  | …     of that entry; NONE if the bucket has no such fingerprint
 *
 * First `touchBuckets`, then `touchEntries`, for as many as have been filled in. What has been noted is good until the
 * table changes.
 *
 * Hashes are worked out before, and places in loops that read only what is near: what is far is read at the end of each
 * step, all at once (memory/read-ahead.ts).
 *
 * Lookups by likelihood need no branch: the tests of a bucket's three groups of fingerprints make one number, and where
 * none matches, the word before the first ref is taken, which is the link to the overflow bucket. */
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, type Ref } from '../memory/memory.ts'
import { readAll } from '../memory/read-ahead.ts'
import { CHAIN_MAX, type Table } from './table.ts'
import {
  BITS,
  CROWDED,
  DEPTH,
  DIRECTORY,
  hitsOf,
  LINE_REF_SHIFT,
  NEXT,
  REF_WORDS_SHIFT,
  SLOT_0,
  SLOTS,
  slotOf,
} from './table-layout.ts'

/** Keys of one command that are read ahead at a time: their lines should stay in the first cache. */
export const KEYS_AHEAD_MAX = 32

export class TableAhead {
  readonly roots: Int32Array
  readonly hashes: Int32Array
  readonly entries: Int32Array
  private readonly buckets: Int32Array
  private readonly likely: Int32Array
  private readonly memory: Memory
  /** Takes what was read, so that reading it is not optimised away. */
  sink = 0

  constructor(memory: Memory, size: number) {
    this.memory = memory
    this.roots = new Int32Array(size)
    this.hashes = new Int32Array(size)
    this.entries = new Int32Array(size)
    this.buckets = new Int32Array(size)
    this.likely = new Int32Array(size)
  }

  /** Reads the first word of each bucket, and of its segment's header, which inserts and removals write. */
  touchBuckets(count: number): void {
    const { roots, hashes, buckets } = this
    const chunks = this.memory.words
    let root = NONE
    let directoryWords = chunks[0]!
    let directoryPos = 0
    let pairShift = 0
    let lineShift = 0
    let sink = 0
    for (let index = 0; index < count; index++) {
      const wanted = roots[index]! as Ref
      if (wanted === NONE) {
        buckets[index] = NONE
        continue
      }
      if (wanted !== root) {
        root = wanted
        const rootWords = chunks[root >>> CHUNK_SHIFT]!
        const rootPos = (root & CHUNK_MASK) << REF_WORDS_SHIFT
        const directory = rootWords[rootPos + DIRECTORY]!
        directoryWords = chunks[directory >>> CHUNK_SHIFT]!
        directoryPos = (directory & CHUNK_MASK) << REF_WORDS_SHIFT
        pairShift = 31 - rootWords[rootPos + DEPTH]!
        lineShift = 32 - rootWords[rootPos + BITS]!
      }
      const hash = hashes[index]!
      const pair = directoryPos + (((hash >>> 1) >>> pairShift) << 1)
      const segment = directoryWords[pair]!
      const line = ((hash << directoryWords[pair + 1]!) >>> lineShift) + 1
      buckets[index] = segment + (line << LINE_REF_SHIFT)
      sink ^= chunks[segment >>> CHUNK_SHIFT]![(segment & CHUNK_MASK) << REF_WORDS_SHIFT]!
    }
    this.sink ^= sink ^ readAll(this.memory, buckets, count)
  }

  /** Reads the first word of the entry that each lookup will probably find. */
  touchEntries(count: number): void {
    const { roots, hashes, buckets, likely, entries } = this
    const chunks = this.memory.words
    for (let index = 0; index < count; index++) {
      if (roots[index] === NONE) {
        likely[index] = NONE
        continue
      }
      const ref = buckets[index]!
      const words = chunks[ref >>> CHUNK_SHIFT]!
      const bucket = (ref & CHUNK_MASK) << REF_WORDS_SHIFT
      const hits = hitsOf(words, bucket, hashes[index]! & 0xff)
      const entry = words[bucket + slotOf(hits)]!
      likely[index] = entry
      entries[index] = hits === 0 ? NONE : entry
    }
    this.sink ^= readAll(this.memory, likely, count)
  }

  /** Reads the first word of each of `entries`, which have been filled in. */
  readEntries(count: number): void {
    this.sink ^= readAll(this.memory, this.entries, count)
  }
}

const CANDIDATES_MAX = 64
const buckets = new Int32Array(CANDIDATES_MAX)
const slots = new Int32Array(CANDIDATES_MAX)
const entries = new Int32Array(CANDIDATES_MAX)

/** Draws ahead for so many calls of `Table.random`, and reads what they will want; returns what means nothing. The
 *  calls judge every word anew, so that nothing is lost but time if the table has changed by then. */
export function drawAhead(table: Table, root: Ref, wanted: number): number {
  const { memory, drawn } = table
  const chunks = memory.words
  drawn.forget()
  let sink = 0
  for (let met = 0; met < wanted; ) {
    // Half of the slots are filled, or fewer.
    const count = drawBuckets(table, root, Math.min(2 * (wanted - met), CANDIDATES_MAX))
    if (count === 0) break
    for (let index = 0; index < count; index++) {
      const bucket = buckets[index]!
      const word = ((bucket & CHUNK_MASK) << REF_WORDS_SHIFT) + slots[index]!
      const ref = chunks[bucket >>> CHUNK_SHIFT]![word]!
      entries[index] = ref
      met += (ref | -ref) >>> 31 // no branch: it would be anybody's guess
    }
    sink ^= readAll(memory, entries, count)
  }
  return sink
}

/** Draws up to `wanted` slots as `Table.random` does it, up to where it looks at the bucket, and reads that one's line;
 *  fewer if there is no room for more words. */
function drawBuckets(table: Table, root: Ref, wanted: number): number {
  const { memory, drawn } = table
  const directory = memory.word(root, DIRECTORY) as Ref
  const depthMax = memory.word(root, DEPTH)
  const bits = memory.word(root, BITS)
  let count = 0
  while (count < wanted && drawn.room >= 2) {
    const hash = drawn.ahead()
    const pair = ((hash >>> 1) >>> (31 - depthMax)) << 1
    const depth = memory.word(directory, pair + 1)
    const slot = drawn.ahead() & ((CHAIN_MAX << (depthMax - depth)) - 1)
    if (slot >= CHAIN_MAX) continue
    const segment = memory.word(directory, pair) as Ref
    const line = (hash << depth) >>> (32 - bits)
    if (slot >= SLOTS && (memory.word(segment, CROWDED + (line >>> 5)) & (1 << line)) === 0) continue
    buckets[count] = segment + ((line + 1) << LINE_REF_SHIFT)
    // What lies in an overflow bucket is left to the call.
    slots[count++] = slot < SLOTS ? SLOT_0 + slot : NEXT
  }
  table.sink = readAll(memory, buckets, count)
  return count
}
