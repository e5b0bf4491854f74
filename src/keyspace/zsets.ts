/* Sorted sets: the values of type zset, in two forms behind one set of operations.
 *
 *   LISTPACK   value: root of a listpack     member, score, member, score … in order: up to zset-max-listpack-entries
 *                                            members, none above zset-max-listpack-value bytes
 *   TABLE      value: ref of two words       the root of a table of the members, which know their scores (structures/
 *                                            zset-member.ts), and the root of the sorted index over them
 *
 * OBJECT ENCODING calls the second one skiplist, which is what Redis has there. A sorted set becomes a table when a
 * member asks for it, as in Redis, and never goes back; one made from others may be made small at the end (`compact`).
 * A score in a listpack is an integer or text, and -0 is 0 there, as in Redis.
 *
 * Ranges of every kind are ranges of ranks: `scoreRank` and `lexRank` tell how many members lie before a bound. */
import { assert } from '../lib/assert.ts'
import { compareBytes } from '../lib/bytes.ts'
import { DOUBLE_LEN_MAX, parseDouble, writeDouble } from '../lib/double.ts'
import { fromNumber, type Int64 } from '../lib/int64.ts'
import { randomBelow } from '../lib/random.ts'
import { hashBytes } from '../lib/siphash.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import { IndexCursor, SortedIndex } from '../structures/sorted-index.ts'
import { Table } from '../structures/table.ts'
import { TableAhead } from '../structures/table-ahead.ts'
import { createMember, scoreOf, setScore } from '../structures/zset-member.ts'
import { type Entries, EntryFlag, Type, ZsetEncoding } from './entry.ts'
import { hashMember } from './member-hash.ts'
import { type Doom, freeIndexedTable, tableBytes } from './table-values.ts'
import { ZsetRange } from './zset-range.ts'
import { scoreAt, ZSET_INDEX, ZSET_TABLE, ZsetWalk } from './zset-walk.ts'

/** Conditions and ways of `update`. */
export const ZaddFlag = { NX: 1, XX: 2, GT: 4, LT: 8, INCR: 16 } as const
/** What `update` did: NOTHING because of a condition, SAME because the score is the one that it was. */
export const ZaddOutcome = { NOTHING: 0, SAME: 1, UPDATED: 2, ADDED: 3, NAN: 4 } as const
export type ZaddOutcome = (typeof ZaddOutcome)[keyof typeof ZaddOutcome]

/** Whole numbers up to here are integers in a listpack. */
const WHOLE_MAX = 2 ** 62
const ROOT_SIZE = 8
const AHEAD_MAX = 64
/** Of the members that go, the share up to which the set is made anew of those that stay. */
const PARTED_SHARE = 0.5

export class Zsets {
  /** zset-max-listpack-entries, zset-max-listpack-value. */
  listpackCountMax = 128
  listpackLenMax = 64
  /** So many members must go at least for the set to be made anew of the others. */
  partedLeast = 1000
  /** The tables of large sorted sets: not the keyspace's, so that what that one has found stays found. */
  readonly table: Table
  /** The score that `find` or `update` met, or left. */
  score = 0
  /** The member that `pick` chose. Dead after any change. */
  bytes: Uint8Array
  pos = 0
  len = 0
  /** Offset or ref of the member that `find` met, and the hash by which it was sought in a table. */
  private found = 0
  private hash = 0
  private readonly entries: Entries
  private readonly memory: Memory
  readonly index: SortedIndex
  private readonly listpacks: Listpacks
  private readonly doom: Doom
  /** For commands; conversions have their own. */
  readonly walk: ZsetWalk
  readonly range: ZsetRange
  private readonly inner: ZsetWalk
  private readonly text = new Uint8Array(DOUBLE_LEN_MAX)
  private readonly cursor: IndexCursor
  /** Members that will probably be taken from an end, and where in there the next one is. */
  private readonly ahead: TableAhead
  private aheadNext = 0

  constructor(entries: Entries, doom: Doom) {
    this.entries = entries
    this.memory = entries.memory
    this.table = new Table(entries.memory)
    this.index = new SortedIndex(entries.memory)
    this.listpacks = new Listpacks(entries.memory)
    this.doom = doom
    this.walk = new ZsetWalk(entries)
    this.range = new ZsetRange(entries)
    this.inner = new ZsetWalk(entries)
    this.cursor = new IndexCursor(entries.memory)
    this.ahead = new TableAhead(entries.memory, AHEAD_MAX)
    this.bytes = this.text
  }

  private root(entry: Ref): Ref {
    return this.entries.value(entry) as Ref
  }

  private isTable(entry: Ref): boolean {
    return this.entries.encoding(entry) === ZsetEncoding.TABLE
  }

  /** The root of a large sorted set's table, or NONE. */
  memberTable(entry: Ref): Ref {
    return this.isTable(entry) ? this.tableOf(entry) : NONE
  }

  /** Root of a large sorted set's table. */
  tableOf(entry: Ref): Ref {
    return this.memory.word(this.root(entry), ZSET_TABLE) as Ref
  }

  private indexOf(entry: Ref): Ref {
    return this.memory.word(this.root(entry), ZSET_INDEX) as Ref
  }

  /** Members of the sorted set. */
  size(entry: Ref): number {
    return this.isTable(entry) ? this.table.count(this.tableOf(entry)) : this.listpacks.count(this.root(entry)) >>> 1
  }

  /** Makes an entry with an empty sorted set, for the caller to fill and to put somewhere. Allocates. */
  create(encoding: number, keyBytes: Uint8Array, keyPos: number, keyLen: number, expected = 0, expiry?: Int64): Ref {
    return this.adopt(encoding, this.createRoot(encoding, expected), keyBytes, keyPos, keyLen, expiry)
  }

  /** As `create`, of a root that there is already: a listpack as a sorted set's are. */
  adopt(encoding: number, root: Ref, keyBytes: Uint8Array, keyPos: number, keyLen: number, expiry?: Int64): Ref {
    const { entries } = this
    const flags = expiry === undefined ? 0 : EntryFlag.EXPIRES
    const entry = entries.create(Type.ZSET, encoding, flags, keyBytes, keyPos, keyLen, 0)
    entries.setValue(entry, root)
    if (expiry !== undefined) entries.setExpiry(entry, expiry)
    return entry
  }

  private createRoot(encoding: number, expected: number): Ref {
    if (encoding === ZsetEncoding.LISTPACK) return this.listpacks.create()
    const root = this.memory.alloc(ROOT_SIZE)
    const table = this.table.create(expected)
    this.table.reserve(table, expected)
    this.memory.setWord(root, ZSET_TABLE, table)
    this.memory.setWord(root, ZSET_INDEX, this.index.create())
    return root
  }

  /** The encoding for a new sorted set that begins with a member of `len` bytes and will have up to `expected`. */
  encodingFor(len: number, expected: number): number {
    return expected <= this.listpackCountMax && len <= this.listpackLenMax ? ZsetEncoding.LISTPACK : ZsetEncoding.TABLE
  }

  /** So many members are about to be added, or are there: a listpack that may not have so many becomes a table. */
  expect(entry: Ref, count: number): void {
    if (!this.isTable(entry) && count > this.listpackCountMax) this.toTable(entry, count)
  }

  // Single members.

  /** Whether there is such a member; `score` is its score then. */
  find(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    if (this.isTable(entry)) {
      this.hash = hashMember(bytes, pos, len)
      const member = this.table.find(this.tableOf(entry), bytes, pos, len, this.hash)
      if (member === NONE) return false
      this.found = member
      this.score = scoreOf(this.memory, member)
      return true
    }
    const { listpacks } = this
    const root = this.root(entry)
    const off = listpacks.find(root, listpacks.first(root), bytes, pos, len, 1)
    if (off === NO_ELEMENT) return false
    this.found = off
    this.score = scoreAt(listpacks, root, listpacks.next(root, off))
    return true
  }

  /** Adds a member, or gives it another score, as the flags (ZaddFlag's) say; `score` is what it has afterwards, if it
   *  was not refused. Allocates. */
  update(entry: Ref, given: number, flags: number, bytes: Uint8Array, pos: number, len: number): ZaddOutcome {
    if (!this.find(entry, bytes, pos, len)) {
      if ((flags & ZaddFlag.XX) !== 0) return ZaddOutcome.NOTHING
      this.insert(entry, given, bytes, pos, len)
      this.score = given
      return ZaddOutcome.ADDED
    }
    if ((flags & ZaddFlag.NX) !== 0) return ZaddOutcome.NOTHING
    const old = this.score
    const score = (flags & ZaddFlag.INCR) !== 0 ? old + given : given
    if (Number.isNaN(score)) return ZaddOutcome.NAN
    if ((flags & ZaddFlag.LT) !== 0 && score >= old) return ZaddOutcome.NOTHING
    if ((flags & ZaddFlag.GT) !== 0 && score <= old) return ZaddOutcome.NOTHING
    this.score = score
    if (score === old) return ZaddOutcome.SAME
    this.rescoreFound(entry, old, score, bytes, pos, len)
    return ZaddOutcome.UPDATED
  }

  /** Gives the member that `find` met another score. */
  private rescoreFound(entry: Ref, old: number, score: number, bytes: Uint8Array, pos: number, len: number): void {
    if (this.isTable(entry)) {
      const member = this.found as Ref
      if (this.table.watcher !== null) this.table.watcher.changes(this.tableOf(entry), member)
      this.index.rescore(this.indexOf(entry), old, member, score)
      setScore(this.memory, member, score)
      return
    }
    this.entries.setValue(entry, this.listpacks.deleteFrom(this.root(entry), this.found, 2))
    this.insertInListpack(entry, score, bytes, pos, len)
  }

  /** Adds a member that is not there: `find` has just looked for it. */
  private insert(entry: Ref, score: number, bytes: Uint8Array, pos: number, len: number): void {
    if (this.isTable(entry)) return this.insertInTable(entry, score, bytes, pos, len, this.hash)
    const { listpacks } = this
    const root = this.root(entry)
    const count = listpacks.count(root) >>> 1
    if (count < this.listpackCountMax && len <= this.listpackLenMax && listpacks.safeToAdd(root, len)) {
      return this.insertInListpack(entry, score, bytes, pos, len)
    }
    this.toTable(entry, count + 1)
    this.insertInTable(entry, score, bytes, pos, len, hashBytes(bytes, pos, len))
  }

  private insertInTable(entry: Ref, score: number, bytes: Uint8Array, pos: number, len: number, hash: number): void {
    const member = createMember(this.memory, score, bytes, pos, len)
    this.table.insert(this.tableOf(entry), member, hash)
    this.index.insert(this.indexOf(entry), score, member)
  }

  private insertInListpack(entry: Ref, score: number, bytes: Uint8Array, pos: number, len: number): void {
    const root = this.root(entry)
    const off = this.placeInListpack(root, score, bytes, pos, len)
    this.entries.setValue(entry, this.putPair(root, off, score, bytes, pos, len))
  }

  /** Puts a member and its score at an offset. */
  private putPair(ref: Ref, off: number, score: number, bytes: Uint8Array, pos: number, len: number): Ref {
    const { listpacks, text } = this
    const root = listpacks.insertBefore(ref, off, bytes, pos, len)
    if (Number.isInteger(score) && score >= -WHOLE_MAX && score <= WHOLE_MAX) {
      return listpacks.insertIntegerAfter(root, off, fromNumber(score + 0) ?? 0)
    }
    return listpacks.insertAfter(root, off, text, 0, writeDouble(score, text, 0))
  }

  /** Offset of the first member behind which the given one does not belong, or of the end. */
  private placeInListpack(root: Ref, score: number, bytes: Uint8Array, pos: number, len: number): number {
    const { listpacks } = this
    const end = listpacks.end(root)
    if (listpacks.isEmpty(root)) return end
    // Members often come in order.
    const last = listpacks.last(root)
    if (scoreAt(listpacks, root, last) < score) return end
    for (let off = listpacks.first(root); off !== NO_ELEMENT; ) {
      const scoreOff = listpacks.next(root, off)
      const other = scoreAt(listpacks, root, scoreOff)
      if (other > score) return off
      if (other === score) {
        listpacks.locate(root, off)
        if (compareBytes(listpacks.bytes, listpacks.pos, listpacks.len, bytes, pos, len) > 0) return off
      }
      off = listpacks.next(root, scoreOff)
    }
    return end
  }

  /** Removes a member; whether it was there. The sorted set may be empty then. */
  remove(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    if (!this.find(entry, bytes, pos, len)) return false
    if (this.isTable(entry)) {
      const member = this.found as Ref
      this.index.remove(this.indexOf(entry), this.score, member)
      this.table.removeFound(this.tableOf(entry))
      this.memory.free(member)
    } else this.entries.setValue(entry, this.listpacks.deleteFrom(this.root(entry), this.found, 2))
    return true
  }

  /** The number of members before this one, or -1 if it is not there; `score` is its score. */
  rank(entry: Ref, bytes: Uint8Array, pos: number, len: number): number {
    if (!this.find(entry, bytes, pos, len)) return -1
    if (this.isTable(entry)) return this.index.rank(this.indexOf(entry), this.score, this.found as Ref)
    const { listpacks } = this
    const root = this.root(entry)
    let rank = 0
    for (let off = listpacks.first(root); off !== this.found; rank++)
      off = listpacks.next(root, listpacks.next(root, off))
    return rank
  }

  /** Chooses a member, each with the same probability, of a sorted set that is not empty: `bytes`, `pos`, `len`, and
   *  `score`. Answers a number that tells it from the others, never 0. */
  pick(entry: Ref): number {
    const { memory, listpacks } = this
    const root = this.root(entry)
    if (this.isTable(entry)) {
      const member = this.table.random(this.tableOf(entry))
      this.bytes = memory.bytesOf(member)
      this.pos = keyPosOf(memory, member)
      this.len = keyLenOf(memory, member)
      this.score = scoreOf(memory, member)
      return member
    }
    const off = listpacks.seek(root, randomBelow(listpacks.count(root) >>> 1) << 1)
    const scoreOff = listpacks.locate(root, off)
    this.bytes = listpacks.bytes
    this.pos = listpacks.pos
    this.len = listpacks.len
    this.score = scoreAt(listpacks, root, scoreOff)
    return off
  }

  // The ends.

  /** Finds the first member, or the last, of a sorted set that is not empty: `bytes`, `pos`, `len`, and `score`. */
  pickEnd(entry: Ref, last: boolean): void {
    const { memory, listpacks, cursor } = this
    if (this.isTable(entry)) {
      this.index.seekEnd(this.indexOf(entry), last, cursor)
      const { member } = cursor
      this.found = member
      this.bytes = memory.bytesOf(member)
      this.pos = keyPosOf(memory, member)
      this.len = keyLenOf(memory, member)
      this.score = cursor.score
      return
    }
    const root = this.root(entry)
    const off = last ? listpacks.prev(root, listpacks.last(root)) : listpacks.first(root)
    this.score = scoreAt(listpacks, root, listpacks.next(root, off))
    listpacks.locate(root, off)
    this.found = off
    this.bytes = listpacks.bytes
    this.pos = listpacks.pos
    this.len = listpacks.len
  }

  /** Removes the member that `pickEnd` has just found. */
  removePickedEnd(entry: Ref, last: boolean): void {
    if (!this.isTable(entry)) {
      return this.entries.setValue(entry, this.listpacks.deleteFrom(this.root(entry), this.found, 2))
    }
    const { table, ahead } = this
    const root = this.tableOf(entry)
    const member = this.found as Ref
    // A hash worked out ahead may be another one's that lay here: then it does not lead to this ref.
    const isAhead = ahead.entries[this.aheadNext] === member
    if (!isAhead || !table.seek(root, member, ahead.hashes[this.aheadNext]!)) {
      table.seek(root, member, table.hashOf(member))
    }
    if (isAhead) this.aheadNext = (this.aheadNext + 1) % AHEAD_MAX
    this.index.removeEnd(this.indexOf(entry), last)
    table.removeFound(root)
    this.memory.free(member)
  }

  /** So many members are about to be taken from an end: reads ahead what that will want. */
  takesAhead(entry: Ref, count: number, last: boolean): void {
    if (!this.isTable(entry)) return
    const { index, ahead, table, cursor } = this
    const root = this.tableOf(entry)
    const most = Math.min(count, AHEAD_MAX, table.count(root))
    index.seekEnd(this.indexOf(entry), last, cursor)
    for (let slot = 0; slot < most; slot++) {
      ahead.entries[slot] = cursor.member
      if (last) cursor.prev()
      else cursor.next()
    }
    this.readMembersAhead(root, most)
    this.aheadNext = 0
  }

  /** Reads what finding the members will want which have been filled in. */
  private readMembersAhead(root: Ref, count: number): void {
    const { ahead, table } = this
    ahead.readEntries(count)
    ahead.roots.fill(root, 0, count)
    for (let slot = 0; slot < count; slot++) ahead.hashes[slot] = table.hashOf(ahead.entries[slot]! as Ref)
    ahead.touchBuckets(count)
  }

  // Ranges.

  /** The number of members whose score is below `score`; or, if `inclusive`, not above it. */
  scoreRank(entry: Ref, score: number, inclusive: boolean): number {
    if (this.isTable(entry)) {
      // Bounds are often those that all scores are within.
      if (score === Number.POSITIVE_INFINITY && inclusive) return this.size(entry)
      if (score === Number.NEGATIVE_INFINITY && !inclusive) return 0
      return this.index.scoreRank(this.indexOf(entry), score, inclusive)
    }
    const { listpacks } = this
    const root = this.root(entry)
    let rank = 0
    for (let off = listpacks.first(root); off !== NO_ELEMENT; rank++) {
      const scoreOff = listpacks.next(root, off)
      const other = scoreAt(listpacks, root, scoreOff)
      if (other > score || (other === score && !inclusive)) break
      off = listpacks.next(root, scoreOff)
    }
    return rank
  }

  /** The number of members before these bytes; or, if `inclusive`, not after them. All scores are taken to be equal. */
  lexRank(entry: Ref, bytes: Uint8Array, pos: number, len: number, inclusive: boolean): number {
    if (this.isTable(entry)) return this.index.lexRank(this.indexOf(entry), bytes, pos, len, inclusive)
    const { listpacks } = this
    const root = this.root(entry)
    let rank = 0
    for (let off = listpacks.first(root); off !== NO_ELEMENT; rank++) {
      const scoreOff = listpacks.locate(root, off)
      const order = compareBytes(listpacks.bytes, listpacks.pos, listpacks.len, bytes, pos, len)
      if (order > 0 || (order === 0 && !inclusive)) break
      off = listpacks.next(root, scoreOff)
    }
    return rank
  }

  /** Removes the `count` members from a rank on, which are there. The sorted set may be empty then. */
  removeRange(entry: Ref, rank: number, count: number): void {
    if (count <= 0) return
    if (!this.isTable(entry)) {
      this.entries.setValue(entry, this.listpacks.deleteRange(this.root(entry), rank * 2, count * 2))
      return
    }
    const { index } = this
    for (let left = count; left > 0; ) {
      const removed = index.removeRange(this.indexOf(entry), rank, left)
      for (let first = 0; first < removed; first += AHEAD_MAX) {
        this.removeMembers(this.tableOf(entry), index.found, first, Math.min(removed, first + AHEAD_MAX))
      }
      left -= removed
    }
  }

  /** Removes members, at most AHEAD_MAX, that the index has no more: what that will want is read ahead. */
  private removeMembers(root: Ref, found: Int32Array, first: number, after: number): void {
    const { memory, table, ahead } = this
    const count = after - first
    for (let slot = 0; slot < count; slot++) ahead.entries[slot] = found[first + slot]!
    this.readMembersAhead(root, count)
    for (let slot = 0; slot < count; slot++) {
      const member = ahead.entries[slot]! as Ref
      const isThere = table.seek(root, member, ahead.hashes[slot]!)
      DEV: assert(isThere, 'a member of the index is one of the table')
      table.removeFound(root)
      memory.free(member)
    }
  }

  /** Whether it is cheaper to part with all but a few than to remove `count` members one by one. */
  isWorthParting(entry: Ref, count: number): boolean {
    return count >= this.partedLeast && this.isTable(entry) && this.size(entry) - count < count * PARTED_SHARE
  }

  /** Leaves the entry copies of all members but the `count` from a rank on; returns one of no name that has all as they
   *  were, to be freed. Allocates. */
  part(entry: Ref, rank: number, count: number): Ref {
    const size = this.size(entry)
    const whole = this.adopt(ZsetEncoding.TABLE, this.root(entry), this.text, 0, 0)
    this.entries.setValue(entry, this.createRoot(ZsetEncoding.TABLE, size - count))
    this.copyRanks(whole, entry, 0, rank)
    this.copyRanks(whole, entry, rank + count, size)
    return whole
  }

  private copyRanks(source: Ref, target: Ref, from: number, to: number): void {
    const { inner: walk } = this
    if (from === to) return
    walk.start(source, from, false)
    for (let left = to - from; left > 0; left--) {
      walk.next()
      walk.locate()
      const { bytes, pos, len } = walk
      this.insertInTable(target, walk.score, bytes, pos, len, hashBytes(bytes, pos, len))
    }
  }

  // Conversions.

  private toTable(entry: Ref, expected: number): void {
    const { table, index, memory, inner: walk } = this
    const source = this.root(entry)
    const root = this.createRoot(ZsetEncoding.TABLE, expected)
    const members = memory.word(root, ZSET_TABLE) as Ref
    const order = memory.word(root, ZSET_INDEX) as Ref
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      const { bytes, pos, len, score } = walk
      const hash = hashBytes(bytes, pos, len)
      // A listpack that somebody else made may have a member twice.
      if (table.find(members, bytes, pos, len, hash) !== NONE) continue
      const member = createMember(memory, score, bytes, pos, len)
      table.insert(members, member, hash)
      index.insert(order, score, member)
    }
    memory.free(source)
    this.entries.setEncoding(entry, ZsetEncoding.TABLE)
    this.entries.setValue(entry, root)
  }

  /** Makes a table a listpack, if it may be one. */
  compact(entry: Ref): void {
    const { listpacks, inner: walk } = this
    if (!this.isTable(entry) || this.size(entry) > this.listpackCountMax) return
    let total = 0
    for (walk.begin(entry); walk.next(); total += walk.len) {
      walk.locate()
      if (walk.len > this.listpackLenMax) return
    }
    if (!listpacks.safeToAdd(NONE, total)) return
    let root = listpacks.create()
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      root = this.putPair(root, listpacks.end(root), walk.score, walk.bytes, walk.pos, walk.len)
    }
    this.freeValue(entry)
    this.entries.setEncoding(entry, ZsetEncoding.LISTPACK)
    this.entries.setValue(entry, listpacks.trim(root))
  }

  // What a kind does.

  freeValue(entry: Ref): void {
    const { memory, index, table } = this
    const root = this.root(entry)
    if (!this.isTable(entry)) return memory.free(root)
    const members = this.tableOf(entry)
    const order = this.indexOf(entry)
    memory.free(root)
    freeIndexedTable(table, members, (member) => memory.free(member), index, order, this.doom)
  }

  valueBytes(entry: Ref): number {
    const { memory } = this
    const root = this.root(entry)
    if (!this.isTable(entry)) return memory.capacity(root)
    const members = tableBytes(memory, this.table, this.tableOf(entry), () => NONE)
    return memory.capacity(root) + members + this.index.bytes(this.indexOf(entry))
  }

  /** Gives `target`, an entry of the same encoding without a value, a copy of `source`'s. Allocates. */
  copyValue(source: Ref, target: Ref): void {
    const { entries } = this
    if (!this.isTable(source)) return entries.setValue(target, this.listpacks.copy(this.root(source)))
    const size = this.size(source)
    entries.setValue(target, this.createRoot(ZsetEncoding.TABLE, size))
    this.copyRanks(source, target, 0, size)
  }

  verify(entry: Ref): void {
    assert(this.size(entry) > 0, 'there are no empty sorted sets')
    if (!this.isTable(entry)) return this.verifyListpack(this.root(entry))
    this.table.verify(this.tableOf(entry))
    this.index.verify(this.indexOf(entry))
    const { memory, inner: walk } = this
    assert(this.table.count(this.tableOf(entry)) === this.index.count(this.indexOf(entry)), 'all members are in order')
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      const { bytes, pos, len } = walk
      const member = this.table.find(this.tableOf(entry), bytes, pos, len, hashBytes(bytes, pos, len))
      assert(member !== NONE && scoreOf(memory, member) === walk.score, 'the table has each member and its score')
    }
  }

  private verifyListpack(root: Ref): void {
    this.listpacks.verify(root)
    assert(this.listpacks.count(root) % 2 === 0, 'each member has a score')
    assert(this.isOrdered(root), 'members ascend by score and bytes')
  }

  /** Whether a listpack has scores that are numbers, and ascend. */
  isOrdered(root: Ref): boolean {
    const { listpacks } = this
    let least = Number.NEGATIVE_INFINITY
    for (let off = listpacks.first(root); off !== NO_ELEMENT; ) {
      const scoreOff = listpacks.next(root, off)
      if (scoreOff === NO_ELEMENT) return false
      off = listpacks.get(root, scoreOff)
      const score = listpacks.isInteger ? listpacks.number : parseDouble(listpacks.bytes, listpacks.pos, listpacks.len)
      if (score === undefined || score < least) return false
      least = score
    }
    return true
  }
}
