/* Compaction of values: what hangs at an entry is moved out of chunks that are being emptied (Memory.move).
 *
 *   cursor   string, listpack, intset   one step
 *            table                      position in hash order
 *            large list                 index of an element
 *            large sorted set           position in hash order; then 2^32 + rank, for the index
 *
 * A step moves a bucket or a node or two. The value may change between two steps: a cursor never becomes wrong, it can
 * only pass over something, which then stays where it is. */
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import type { SortedIndex } from '../structures/sorted-index.ts'
import { SCAN_END } from '../structures/table.ts'
import { compactBucket, type EntryMover } from '../structures/table-compaction.ts'
import { scoreOf } from '../structures/zset-member.ts'
import { type Entries, HashEncoding, SetEncoding, ZsetEncoding } from './entry.ts'
import { moveExpiringRecord } from './expiring-hashes.ts'
import type { HashFields } from './hash-fields.ts'
import type { Hashes } from './hashes.ts'
import { ListEncoding, type Lists } from './lists.ts'
import { ZSET_INDEX, ZSET_TABLE } from './zset-walk.ts'
import type { Zsets } from './zsets.ts'

/** The cursor of a value that is done. */
export const COMPACTED = -1
/** Buckets to a step. */
const BUCKETS = 8

/** Does the next step of a table; returns the next cursor. */
function compactTable(memory: Memory, root: Ref, cursor: number, mover: EntryMover): number {
  let position = cursor
  for (let left = BUCKETS; left > 0 && position < SCAN_END; left--) {
    position = compactBucket(memory, root, position, mover)
  }
  return position
}

/** Moves the block that is an entry's value; returns its ref. */
function moveValue(entries: Entries, entry: Ref): Ref {
  const root = entries.memory.move(entries.value(entry) as Ref)
  entries.setValue(entry, root)
  return root
}

export function compactString(entries: Entries, entry: Ref): number {
  if (entries.isOwn(entry)) moveValue(entries, entry)
  return COMPACTED
}

export function compactSet(entries: Entries, entry: Ref, cursor: number): number {
  const { memory } = entries
  const root = moveValue(entries, entry)
  if (entries.encoding(entry) !== SetEncoding.TABLE) return COMPACTED
  const next = compactTable(memory, root, cursor, { moveEntry: (member) => memory.move(member) })
  return next === SCAN_END ? COMPACTED : next
}

export function compactList(lists: Lists, entries: Entries, entry: Ref, cursor: number): number {
  const root = moveValue(entries, entry)
  if (entries.encoding(entry) === ListEncoding.LISTPACK) return COMPACTED
  const { sequence } = lists.quicklist
  if (cursor >= sequence.count(root)) return COMPACTED
  return sequence.compact(root, cursor)
}

/** Moves the entries of a table that an index refers to as well. */
class IndexedMover implements EntryMover {
  private readonly memory: Memory
  private readonly index: SortedIndex
  private readonly order: Ref
  private readonly scoreOf: (entry: Ref) => number | undefined

  /** `scoreOf`: by which an entry stands in the index; undefined if it does not. */
  constructor(memory: Memory, index: SortedIndex, order: Ref, scoreOf: (entry: Ref) => number | undefined) {
    this.memory = memory
    this.index = index
    this.order = order
    this.scoreOf = scoreOf
  }

  moveEntry(entry: Ref): Ref {
    const { memory } = this
    if (!memory.mustMove(entry)) return entry
    const target = memory.duplicate(entry)
    const score = this.scoreOf(entry)
    if (score !== undefined) this.index.replace(this.order, score, entry, target)
    memory.free(entry)
    return target
  }
}

/** Does the next step of an index; returns the next cursor. */
function compactIndex(index: SortedIndex, order: Ref, cursor: number): number {
  const rank = cursor - SCAN_END
  return rank < index.count(order) ? index.compact(order, rank) + SCAN_END : COMPACTED
}

export function compactZset(zsets: Zsets, entries: Entries, entry: Ref, cursor: number): number {
  const { memory } = entries
  const root = moveValue(entries, entry)
  if (entries.encoding(entry) !== ZsetEncoding.TABLE) return COMPACTED
  const table = memory.move(memory.word(root, ZSET_TABLE) as Ref)
  const order = memory.move(memory.word(root, ZSET_INDEX) as Ref)
  memory.setWord(root, ZSET_TABLE, table)
  memory.setWord(root, ZSET_INDEX, order)
  if (cursor >= SCAN_END) return compactIndex(zsets.index, order, cursor)
  const mover = new IndexedMover(memory, zsets.index, order, (member) => scoreOf(memory, member))
  return compactTable(memory, table, cursor, mover)
}

/** The value block of a field, where it has one, goes with it. */
function moveFieldBlock(memory: Memory, fields: HashFields, field: Ref): void {
  if (fields.blockOf(field) !== NONE) fields.setBlock(field, memory.move(fields.blockOf(field)))
}

export function compactHash(hashes: Hashes, entries: Entries, entry: Ref, cursor: number): number {
  const { memory } = entries
  const { fields } = hashes
  const value = moveValue(entries, entry)
  const isTable = (entries.encoding(entry) & HashEncoding.TABLE) !== 0
  const expiring = entries.hasExpiringFields(entry)
  if (expiring) moveExpiringRecord(memory, value, isTable)
  if (!isTable) return COMPACTED
  const root = hashes.root(entry)
  if (!expiring) {
    const next = compactTable(memory, root, cursor, {
      moveEntry: (field) => {
        moveFieldBlock(memory, fields, field)
        return memory.move(field)
      },
    })
    return next === SCAN_END ? COMPACTED : next
  }
  const { index } = hashes.expiring
  const order = hashes.expiring.indexOf(entry)
  if (cursor >= SCAN_END) return order === NONE ? COMPACTED : compactIndex(index, order, cursor)
  const mover = new IndexedMover(memory, index, order, (field) => fields.due(field) || undefined)
  return compactTable(memory, root, cursor, {
    moveEntry: (field) => {
      moveFieldBlock(memory, fields, field)
      return mover.moveEntry(field)
    },
  })
}
