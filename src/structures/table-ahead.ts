/* Reading ahead in tables: what lookups of several keys will want is read before they want it, in loops so tight that
 * the processor has many reads under way at once, where lookups one after the other wait for each read in turn.
 *
 *   roots    | table | table | …     to be filled in with the hashes; NONE: this index is passed over
 *   hashes   | hash  | hash  | …
 *   buckets  | ref   | ref   | …     of each one's bucket, once its line has been asked for
 *   entries  | ref   | NONE  | …     of the entry that its lookup will probably find, once that has
 *
 * First `touchBuckets`, then `touchEntries`, for as many as have been filled in. Hashes are worked out before, not in
 * between: a loop that hashes as well holds so much that only one or two reads overlap. What has been noted is good
 * until the table changes.
 *
 * Lookups by likelihood need no branch: the tests of a bucket's three groups of fingerprints make one number, and where
 * none matches, the word before the first ref is taken, which is the link to the overflow bucket. */
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, type Ref } from '../memory/memory.ts'
import { CHAIN_MAX, type Table } from './table.ts'
import {
  BITS,
  CROWDED,
  DEPTH,
  DIRECTORY,
  hitsOf,
  LINE_REF_SHIFT,
  LINE_SHIFT,
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
  private readonly memory: Memory
  /** Takes what was read, so that reading it is not optimised away. */
  sink = 0

  constructor(memory: Memory, size: number) {
    this.memory = memory
    this.roots = new Int32Array(size)
    this.hashes = new Int32Array(size)
    this.entries = new Int32Array(size)
    this.buckets = new Int32Array(size)
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
      if (wanted === NONE) continue
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
      const words = chunks[segment >>> CHUNK_SHIFT]!
      const start = (segment & CHUNK_MASK) << REF_WORDS_SHIFT
      sink ^= words[start]! ^ words[start + (line << LINE_SHIFT)]!
    }
    this.sink ^= sink
  }

  /** Reads the first word of the entry that each lookup will probably find. */
  touchEntries(count: number): void {
    const { roots, hashes, buckets, entries } = this
    const chunks = this.memory.words
    let sink = 0
    for (let index = 0; index < count; index++) {
      if (roots[index] === NONE) continue
      const ref = buckets[index]!
      const words = chunks[ref >>> CHUNK_SHIFT]!
      const bucket = (ref & CHUNK_MASK) << REF_WORDS_SHIFT
      const hits = hitsOf(words, bucket, hashes[index]! & 0xff)
      const entry = words[bucket + slotOf(hits)]!
      entries[index] = hits === 0 ? NONE : entry
      sink ^= chunks[entry >>> CHUNK_SHIFT]![(entry & CHUNK_MASK) << REF_WORDS_SHIFT]!
    }
    this.sink ^= sink
  }

  /** Reads the first word of each of `entries`, which have been filled in. */
  readEntries(count: number): void {
    const { entries } = this
    const chunks = this.memory.words
    let sink = 0
    for (let index = 0; index < count; index++) {
      const entry = entries[index]!
      sink ^= chunks[entry >>> CHUNK_SHIFT]![(entry & CHUNK_MASK) << REF_WORDS_SHIFT]!
    }
    this.sink ^= sink
  }
}

const CANDIDATES_MAX = 64
const buckets = new Int32Array(CANDIDATES_MAX)
const slots = new Int32Array(CANDIDATES_MAX)

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
      if (ref !== NONE) met++
      sink ^= chunks[ref >>> CHUNK_SHIFT]![(ref & CHUNK_MASK) << REF_WORDS_SHIFT]!
    }
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
  const chunks = memory.words
  let sink = 0
  for (let index = 0; index < count; index++) {
    const bucket = buckets[index]!
    sink ^= chunks[bucket >>> CHUNK_SHIFT]![(bucket & CHUNK_MASK) << REF_WORDS_SHIFT]!
  }
  table.sink = sink
  return count
}
