/* Filtering: which of many entries another table has too, by their keys; intersections and differences are made of it.
 *
 *   entries     | ref  | ref  | …     to be filled in, with `count`; after `filter`: those that stay, in their order
 *   hashes      | hash | hash | …     of each one's key
 *   buckets     | ref  | ref  | …     of each one's bucket in the other table
 *   likely      | index | index | …   of those whose bucket has their fingerprint, or goes on in an overflow bucket
 *   others      | ref  | NONE  | …    of the entry there that each of these probably is
 *
 * Each line is a loop of its own, tight enough for the processor to be busy with several entries at once: a lookup of a
 * key of 20 bytes takes 33 ns all in all, a third of what it takes alone. Whether a bucket has a fingerprint is
 * anybody's guess, and a branch on it would be mispredicted as often as not: it is added up instead. Keys are compared
 * by words: they begin with one, and so do their blocks end. */
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, type Ref } from '../memory/memory.ts'
import { readAll } from '../memory/read-ahead.ts'
import { hashOfKey, KEY_LEN_LONG, KEY_LEN_SHIFT, KEY_WORD_MASK } from './entry-head.ts'
import {
  BITS,
  DEPTH,
  DIRECTORY,
  hitsAfter,
  hitsOf,
  LINE_REF_SHIFT,
  NEXT,
  REF_WORDS_SHIFT,
  slotOf,
} from './table-layout.ts'

export class TableFilter {
  readonly entries: Int32Array
  count = 0
  private readonly memory: Memory
  private readonly hashes: Int32Array
  private readonly buckets: Int32Array
  private readonly likely: Int32Array
  private readonly others: Int32Array
  private readonly isFound: Uint8Array
  /** Takes what was read, so that reading it is not optimised away. */
  sink = 0

  constructor(memory: Memory, size: number) {
    this.memory = memory
    this.entries = new Int32Array(size)
    this.hashes = new Int32Array(size)
    this.buckets = new Int32Array(size)
    this.likely = new Int32Array(size)
    this.others = new Int32Array(size)
    this.isFound = new Uint8Array(size)
  }

  /** Takes entries, from `first` on and as many as there is room for, and reads and hashes their keys; returns how many
   *  it has taken. */
  take(found: Int32Array, first: number, after: number): number {
    const { entries, hashes } = this
    const count = Math.min(after - first, entries.length)
    const chunks = this.memory.words
    for (let index = 0; index < count; index++) entries[index] = found[first + index]!
    this.sink ^= readAll(this.memory, entries, count)
    for (let index = 0; index < count; index++) {
      const entry = entries[index]!
      const words = chunks[entry >>> CHUNK_SHIFT]!
      const head = (entry & CHUNK_MASK) << REF_WORDS_SHIFT
      hashes[index] = hashOfKey(words, head, words[head]!)
    }
    this.count = count
    return count
  }

  /** Keeps of the entries those whose keys a table has; or those whose keys it has not. */
  filter(root: Ref, isWanted: boolean): void {
    if (this.count === 0) return
    this.findBuckets(root)
    const likely = this.findLikely()
    const { entries, hashes, isFound } = this
    const { count } = this
    isFound.fill(0, 0, count)
    this.confirm(likely)
    const unwanted = isWanted ? 0 : 1
    let kept = 0
    for (let index = 0; index < count; index++) {
      entries[kept] = entries[index]!
      hashes[kept] = hashes[index]!
      kept += isFound[index]! ^ unwanted
    }
    this.count = kept
  }

  private findBuckets(root: Ref): void {
    const { hashes, buckets, count } = this
    const chunks = this.memory.words
    const rootWords = chunks[root >>> CHUNK_SHIFT]!
    const rootPos = (root & CHUNK_MASK) << REF_WORDS_SHIFT
    const directory = rootWords[rootPos + DIRECTORY]!
    const directoryWords = chunks[directory >>> CHUNK_SHIFT]!
    const directoryPos = (directory & CHUNK_MASK) << REF_WORDS_SHIFT
    const pairShift = 31 - rootWords[rootPos + DEPTH]!
    const lineShift = 32 - rootWords[rootPos + BITS]!
    for (let index = 0; index < count; index++) {
      const hash = hashes[index]!
      const pair = directoryPos + (((hash >>> 1) >>> pairShift) << 1)
      const line = ((hash << directoryWords[pair + 1]!) >>> lineShift) + 1
      buckets[index] = directoryWords[pair]! + (line << LINE_REF_SHIFT)
    }
    this.sink ^= readAll(this.memory, buckets, count)
  }

  /** Lists those that may be in their buckets, and reads what they may be; returns how many. */
  private findLikely(): number {
    const { hashes, buckets, likely, others, count } = this
    const chunks = this.memory.words
    let met = 0
    for (let index = 0; index < count; index++) {
      const ref = buckets[index]!
      const words = chunks[ref >>> CHUNK_SHIFT]!
      const bucket = (ref & CHUNK_MASK) << REF_WORDS_SHIFT
      const hits = hitsOf(words, bucket, hashes[index]! & 0xff)
      const may = hits | words[bucket + NEXT]!
      likely[met] = index
      others[met] = words[bucket + slotOf(hits)]! & ((hits | -hits) >> 31)
      met += (may | -may) >>> 31
    }
    this.sink ^= readAll(this.memory, others, met)
    return met
  }

  /** Marks those of the likely ones that are there. */
  private confirm(likelyCount: number): void {
    const { likely, others, entries, isFound } = this
    const chunks = this.memory.words
    for (let at = 0; at < likelyCount; at++) {
      const index = likely[at]!
      const entry = entries[index]!
      const other = others[at]!
      const words = chunks[entry >>> CHUNK_SHIFT]!
      const otherWords = chunks[other >>> CHUNK_SHIFT]!
      const head = (entry & CHUNK_MASK) << REF_WORDS_SHIFT
      const otherHead = (other & CHUNK_MASK) << REF_WORDS_SHIFT
      const isSame = other !== NONE && haveSameKey(words, head, otherWords, otherHead)
      if (isSame || this.isInChain(index, words, head)) isFound[index] = 1
    }
  }

  /** Whether anything in the bucket of an entry has the same key, for those that are not the first with their
   *  fingerprint there. */
  private isInChain(index: number, entryWords: Int32Array, entryHead: number): boolean {
    const chunks = this.memory.words
    const fingerprint = this.hashes[index]! & 0xff
    for (let ref = this.buckets[index]!; ref !== NONE; ) {
      const words = chunks[ref >>> CHUNK_SHIFT]!
      const bucket = (ref & CHUNK_MASK) << REF_WORDS_SHIFT
      for (let hits = hitsOf(words, bucket, fingerprint); hits !== 0; hits = hitsAfter(hits)) {
        const other = words[bucket + slotOf(hits)]!
        if (other === NONE) continue
        const head = (other & CHUNK_MASK) << REF_WORDS_SHIFT
        if (haveSameKey(entryWords, entryHead, chunks[other >>> CHUNK_SHIFT]!, head)) return true
      }
      ref = words[bucket + NEXT]!
    }
    return false
  }
}

/** Whether two entries, given by the words and positions of their heads, have the same key. */
function haveSameKey(a: Int32Array, aHead: number, b: Int32Array, bHead: number): boolean {
  const aMeta = a[aHead]!
  const bMeta = b[bHead]!
  let len = aMeta >>> KEY_LEN_SHIFT
  if (len !== bMeta >>> KEY_LEN_SHIFT) return false
  let aWord = aHead + (aMeta & KEY_WORD_MASK)
  let bWord = bHead + (bMeta & KEY_WORD_MASK)
  if (len === KEY_LEN_LONG) {
    len = a[aWord - 1]!
    if (len !== b[bWord - 1]!) return false
  }
  const end = aWord + (len >>> 2)
  for (; aWord < end; aWord++, bWord++) if (a[aWord] !== b[bWord]) return false
  const rest = (len & 3) << 3
  return rest === 0 || ((a[aWord]! ^ b[bWord]!) & ((1 << rest) - 1)) === 0
}
