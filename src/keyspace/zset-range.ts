/* A few members of a large sorted set, from one bound of scores or strings towards the other: what a range with LIMIT
 * asks for. One search leads to the first of them, and a walk along the leaves lists them until it comes past the other
 * bound; no rank is worked out, which would take two more searches that add up weights.
 *
 *   count = range.byScore(entry, least, most, back, skipped, wanted)     range.members[0 … count - 1]
 *
 * The members are told as refs, which are dead after any change of the set. */
import { compareBytes } from '../lib/bytes.ts'
import { highOrder, lowOrder } from '../lib/double-words.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { IndexCursor, SortedIndex } from '../structures/sorted-index.ts'
import { type Entries, ZsetEncoding } from './entry.ts'
import { ZSET_INDEX } from './zset-walk.ts'

/** So many members are listed at most, or passed over: beyond, ranks are found faster than steps are made. */
export const RANGE_MAX = 256

/** One end of a range of scores. */
export interface ScoreBound {
  score: number
  exclusive: boolean
}

/** One end of a range of strings; unless `open`, which has none. */
export interface LexBound {
  open: boolean
  exclusive: boolean
  pos: number
  len: number
}

export class ZsetRange {
  readonly members = new Int32Array(RANGE_MAX)
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly index: SortedIndex
  private readonly cursor: IndexCursor

  constructor(entries: Entries) {
    this.entries = entries
    this.memory = entries.memory
    this.index = new SortedIndex(entries.memory)
    this.cursor = new IndexCursor(entries.memory)
  }

  /** Whether so many can be told here. */
  serves(entry: Ref, skipped: number, wanted: number): boolean {
    return skipped <= RANGE_MAX && wanted <= RANGE_MAX && this.entries.encoding(entry) === ZsetEncoding.TABLE
  }

  private indexOf(entry: Ref): Ref {
    return this.memory.word(this.entries.value(entry) as Ref, ZSET_INDEX) as Ref
  }

  /** Lists up to `wanted` members with scores between the bounds, after so many; from the greatest down if `back`.
   *  Returns how many. */
  byScore(entry: Ref, least: ScoreBound, most: ScoreBound, back: boolean, skipped: number, wanted: number): number {
    const { cursor, members } = this
    const root = this.indexOf(entry)
    const from = back ? most : least
    // Bounds are often those that all scores are within.
    const isOpen = from.score === (back ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY) && !from.exclusive
    if (isOpen) this.index.seekEnd(root, back, cursor)
    else {
      this.index.seekScore(root, from.score, back !== from.exclusive, cursor)
      if (back) cursor.prev()
    }
    this.skip(back, skipped)
    const to = back ? least : most
    const high = highOrder(to.score)
    const low = lowOrder(to.score)
    let count = 0
    while (count < wanted && cursor.member !== NONE && !cursor.isPast(high, low, back, to.exclusive)) {
      members[count++] = cursor.member
      if (back) cursor.prev()
      else cursor.next()
    }
    return count
  }

  /** As `byScore`, with members between two strings of these bytes. All scores are taken to be equal. */
  byLex(
    entry: Ref,
    bytes: Uint8Array,
    least: LexBound,
    most: LexBound,
    back: boolean,
    skipped: number,
    wanted: number,
  ): number {
    const { cursor, members, memory } = this
    const root = this.indexOf(entry)
    const from = back ? most : least
    if (from.open) this.index.seekEnd(root, back, cursor)
    else {
      this.index.seekLex(root, bytes, from.pos, from.len, back !== from.exclusive, cursor)
      if (back) cursor.prev()
    }
    this.skip(back, skipped)
    const to = back ? least : most
    let count = 0
    while (count < wanted && cursor.member !== NONE) {
      const { member } = cursor
      if (!to.open) {
        const len = keyLenOf(memory, member)
        const order = compareBytes(memory.bytesOf(member), keyPosOf(memory, member), len, bytes, to.pos, to.len)
        if (order === 0 ? to.exclusive : order > 0 !== back) break
      }
      members[count++] = member
      if (back) cursor.prev()
      else cursor.next()
    }
    return count
  }

  private skip(back: boolean, count: number): void {
    const { cursor } = this
    for (let left = count; left > 0 && cursor.member !== NONE; left--) {
      if (back) cursor.prev()
      else cursor.next()
    }
  }
}
