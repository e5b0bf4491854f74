/* A walk over the members of a sorted set in order of score, in either encoding, from any rank and either way. One
 * object serves one walk after the other; each has scratch of its own, so that several may be under way. The sorted set
 * must not change meanwhile.
 *
 *   walk.start(entry, rank, back)
 *   while (walk.next()) { walk.locate() … walk.bytes, walk.pos, walk.len, walk.score … } */
import { parseDouble } from '../lib/double.ts'
import type { Int64 } from '../lib/int64.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import { IndexCursor, SortedIndex } from '../structures/sorted-index.ts'
import { type Entries, ZsetEncoding } from './entry.ts'

/** Words of a large sorted set's root. */
export const ZSET_TABLE = 0
export const ZSET_INDEX = 1

/** The score at an offset of a listpack: an integer, or text that was written as a score. */
export function scoreAt(listpacks: Listpacks, root: Ref, off: number): number {
  listpacks.get(root, off)
  if (listpacks.isInteger) return listpacks.number
  return parseDouble(listpacks.bytes, listpacks.pos, listpacks.len) ?? 0
}

export class ZsetWalk {
  /** The member at hand is an integer, and not located: `integer` is it. */
  isInteger = false
  /** The member, once located. Dead with the next step. */
  bytes: Uint8Array
  pos = 0
  len = 0
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly index: SortedIndex
  private readonly cursor: IndexCursor
  private readonly listpacks: Listpacks
  private isTable = false
  private back = false
  private isFresh = false
  private root: Ref = NONE
  /** Offsets of the member that comes next, and of the one at hand. */
  private place = 0
  private current = 0

  constructor(entries: Entries) {
    this.entries = entries
    this.memory = entries.memory
    this.index = new SortedIndex(entries.memory)
    this.cursor = new IndexCursor(entries.memory)
    this.listpacks = new Listpacks(entries.memory)
    this.bytes = entries.memory.bytes[0]!
  }

  /** Begins with the member of a rank, which there is (or with nothing of an empty set), and goes on, or back. */
  start(entry: Ref, rank: number, back: boolean): void {
    this.root = this.entries.value(entry) as Ref
    this.isTable = this.entries.encoding(entry) === ZsetEncoding.TABLE
    this.back = back
    if (!this.isTable) {
      this.place = this.listpacks.seek(this.root, rank * 2)
      return
    }
    this.isFresh = true
    const root = this.memory.word(this.root, ZSET_INDEX) as Ref
    if (this.index.count(root) > 0) this.index.seek(root, rank, this.cursor)
    else this.cursor.place(NONE, 0)
  }

  /** Begins with the first member whose score is not below this one, and goes on. */
  startAtScore(entry: Ref, score: number): void {
    this.root = this.entries.value(entry) as Ref
    this.isTable = this.entries.encoding(entry) === ZsetEncoding.TABLE
    this.back = false
    if (this.isTable) {
      this.isFresh = true
      this.index.seekScore(this.memory.word(this.root, ZSET_INDEX) as Ref, score, false, this.cursor)
      return
    }
    const { listpacks, root } = this
    let off = listpacks.first(root)
    while (off !== NO_ELEMENT) {
      const scoreOff = listpacks.next(root, off)
      if (scoreAt(listpacks, root, scoreOff) >= score) break
      off = listpacks.next(root, scoreOff)
    }
    this.place = off
  }

  /** Tells the member at hand from the others, for `recall`. */
  get mark(): number {
    return this.isTable ? this.cursor.member : this.current
  }

  /** Goes to a member that a mark tells, for `read` and `locate` only, in the set last walked through. */
  recall(mark: number): void {
    if (this.isTable) this.cursor.member = mark as Ref
    else this.current = mark
  }

  /** Begins with the lowest score. */
  begin(entry: Ref): void {
    this.start(entry, 0, false)
  }

  /** Goes to the next member; false when there is none. */
  next(): boolean {
    if (this.isTable) {
      if (this.isFresh) this.isFresh = false
      else if (this.back) this.cursor.prev()
      else this.cursor.next()
      return this.cursor.member !== NONE
    }
    if (this.place === NO_ELEMENT) return false
    const { listpacks, root, place } = this
    this.current = place
    if (!this.back) this.place = listpacks.next(root, listpacks.next(root, place))
    else {
      const score = listpacks.prev(root, place)
      this.place = score === NO_ELEMENT ? NO_ELEMENT : listpacks.prev(root, score)
    }
    return true
  }

  /** Finds the bytes of the member at hand; an integer becomes digits. */
  locate(): void {
    if (this.isTable) return this.locateInTable()
    this.listpacks.locate(this.root, this.current)
    this.take()
  }

  /** As `locate`, but an integer stays one. */
  read(): void {
    if (this.isTable) return this.locateInTable()
    this.listpacks.get(this.root, this.current)
    this.take()
  }

  private take(): void {
    const { listpacks } = this
    this.isInteger = listpacks.isInteger
    this.bytes = listpacks.bytes
    this.pos = listpacks.pos
    this.len = listpacks.len
  }

  private locateInTable(): void {
    const { member } = this.cursor
    this.isInteger = false
    this.bytes = this.memory.bytesOf(member)
    this.pos = keyPosOf(this.memory, member)
    this.len = keyLenOf(this.memory, member)
  }

  /** The integer that `read` met, until anything else is read. */
  get integer(): Int64 {
    return this.listpacks.integer
  }

  /** The score of the member at hand. */
  get score(): number {
    if (this.isTable) return this.cursor.score
    return scoreAt(this.listpacks, this.root, this.listpacks.next(this.root, this.current))
  }
}
