/* Hashes with fields that expire: two further forms, in which each field may have a moment when it is due (Unix time in
 * milliseconds; 0: never). A hash takes one of them with the first command that gives a field an expiry, and keeps to
 * it, as in Redis; hashes without such fields pay nothing. The entry's value is the ref of a record:
 *
 *   word  0      1       2       3
 *       +------+-------+-----------------+
 *       | root | index | recorded lo, hi |
 *       +------+-------+-----------------+
 *
 *   LISTPACK_EX   root: a listpack     field, value, due, field, value, due …: those that are due sooner first, those
 *                                      that never are (0) last; byte for byte Redis's listpackex
 *   TABLE_EX      root: a table        whose entries are hash-fields.ts's
 *                 index: a sorted index over the fields that expire, by when they do
 *
 * `recorded` is the moment before or at which the database's expiry index has a record of this hash (database.ts), so
 * that a field that is due later needs none.
 *
 * What is past its time is still there until somebody takes it away: here it counts as there. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { hashBytes } from '../lib/siphash.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { type Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import { SortedIndex } from '../structures/sorted-index.ts'
import { SCAN_END, type Table } from '../structures/table.ts'
import { type Entries, HashEncoding } from './entry.ts'
import type { HashFields } from './hash-fields.ts'
import { type Doom, freeIndexedTable, tableBytes } from './table-values.ts'

// Words of a record.
const ROOT = 0
const INDEX = 1
const RECORDED_LOW = 2
const RECORDED_HIGH = 3
const RECORD_SIZE = 16
/** Elements of a listpack to a field. */
export const TRIPLE = 3
/** `recorded` of a hash that the expiry index does not know. */
export const NEVER = 2 ** 52
const TWO_32 = 2 ** 32
const KEPT_SIZE = 1024

/** The listpack or table that a record refers to. */
export function rootOfExpiring(memory: Memory, record: Ref): Ref {
  return memory.word(record, ROOT) as Ref
}

/** Moves the blocks that a record refers to, if they must be moved (Memory.move). */
export function moveExpiringRecord(memory: Memory, record: Ref, isTable: boolean): void {
  memory.setWord(record, ROOT, memory.move(memory.word(record, ROOT) as Ref))
  if (isTable) memory.setWord(record, INDEX, memory.move(memory.word(record, INDEX) as Ref))
}

export class ExpiringHashes {
  readonly index: SortedIndex
  /** What `seek` met: the field's offset in the listpack, or its ref; and when it is due. */
  place = 0
  due = 0
  /** The field that `locateDue` points at. Dead after any change. */
  bytes: Uint8Array
  pos = 0
  len = 0
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly table: Table
  private readonly fields: HashFields
  private readonly listpacks: Listpacks
  /** A value on its way to another place of the same listpack. */
  private kept = new Uint8Array(KEPT_SIZE)

  constructor(entries: Entries, table: Table, fields: HashFields, listpacks: Listpacks) {
    this.entries = entries
    this.memory = entries.memory
    this.table = table
    this.fields = fields
    this.listpacks = listpacks
    this.index = new SortedIndex(entries.memory)
    this.bytes = this.kept
  }

  /** Makes a record of a listpack of triples, or of a table with an empty index. Allocates. */
  createRecord(root: Ref, isTable: boolean): Ref {
    const record = this.memory.alloc(RECORD_SIZE)
    this.memory.setWord(record, ROOT, root)
    this.memory.setWord(record, INDEX, NONE)
    this.setRecordedIn(record, NEVER)
    if (isTable) this.memory.setWord(record, INDEX, this.index.create())
    return record
  }

  private recordOf(entry: Ref): Ref {
    DEV: assert(this.entries.hasExpiringFields(entry), 'only hashes whose fields may expire have a record')
    return this.entries.value(entry) as Ref
  }
  private isTable(entry: Ref): boolean {
    return this.entries.encoding(entry) === HashEncoding.TABLE_EX
  }
  root(entry: Ref): Ref {
    return rootOfExpiring(this.memory, this.recordOf(entry))
  }
  private setRoot(entry: Ref, root: Ref): void {
    this.memory.setWord(this.recordOf(entry), ROOT, root)
  }
  /** The index over the fields that expire; NONE if the hash is a listpack. */
  indexOf(entry: Ref): Ref {
    return this.memory.word(this.recordOf(entry), INDEX) as Ref
  }

  recorded(entry: Ref): number {
    const record = this.recordOf(entry)
    return this.memory.word(record, RECORDED_HIGH) * TWO_32 + (this.memory.word(record, RECORDED_LOW) >>> 0)
  }
  setRecorded(entry: Ref, due: number): void {
    this.setRecordedIn(this.recordOf(entry), due)
  }
  private setRecordedIn(record: Ref, due: number): void {
    this.memory.setWord(record, RECORDED_LOW, due | 0)
    this.memory.setWord(record, RECORDED_HIGH, Math.floor(due / TWO_32))
  }

  // Single fields.

  /** Whether the hash has the field: `place` and `due` are its. */
  seek(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const { listpacks } = this
    const root = this.root(entry)
    if (this.isTable(entry)) {
      this.place = this.table.find(root, bytes, pos, len, hashBytes(bytes, pos, len))
      if (this.place === NONE) return false
      this.due = this.fields.due(this.place as Ref)
      return true
    }
    this.place = listpacks.find(root, listpacks.first(root), bytes, pos, len, TRIPLE - 1)
    if (this.place === NO_ELEMENT) return false
    this.due = this.dueAt(root, this.place)
    return true
  }

  /** When the field at an offset of a listpack is due. */
  dueAt(root: Ref, off: number): number {
    const { listpacks } = this
    listpacks.get(root, listpacks.next(root, listpacks.next(root, off)))
    return listpacks.number
  }

  /** Points the listpacks, or the fields, at the value of the field that `seek` met. */
  locateValue(entry: Ref): void {
    if (this.isTable(entry)) return this.fields.locate(this.place as Ref)
    const root = this.root(entry)
    this.listpacks.get(root, this.listpacks.next(root, this.place))
  }

  /** Sets a field's value; whether the field is new. Its expiry goes unless it is to be kept. Allocates. */
  set(
    entry: Ref,
    bytes: Uint8Array,
    pos: number,
    len: number,
    valueBytes: Uint8Array,
    valuePos: number,
    valueLen: number,
    keep: boolean,
  ): boolean {
    if (this.isTable(entry)) return this.setInTable(entry, bytes, pos, len, valueBytes, valuePos, valueLen, keep)
    const { listpacks } = this
    const root = this.root(entry)
    if (!this.seek(entry, bytes, pos, len)) {
      this.setRoot(entry, this.putTriple(root, bytes, pos, len, valueBytes, valuePos, valueLen, 0))
      return true
    }
    if (keep || this.due === 0) {
      this.setRoot(entry, listpacks.replace(root, listpacks.next(root, this.place), valueBytes, valuePos, valueLen))
    } else {
      const rest = listpacks.deleteFrom(root, this.place, TRIPLE)
      this.setRoot(entry, this.putTriple(rest, bytes, pos, len, valueBytes, valuePos, valueLen, 0))
    }
    return false
  }

  private setInTable(
    entry: Ref,
    bytes: Uint8Array,
    pos: number,
    len: number,
    valueBytes: Uint8Array,
    valuePos: number,
    valueLen: number,
    keep: boolean,
  ): boolean {
    const { table, fields, index } = this
    const root = this.root(entry)
    const hash = hashBytes(bytes, pos, len)
    const found = table.find(root, bytes, pos, len, hash)
    if (found === NONE) {
      table.insert(root, fields.create(bytes, pos, len, valueBytes, valuePos, valueLen), hash)
      return true
    }
    if (table.watcher !== null) table.watcher.changes(root, found)
    const old = fields.due(found)
    const due = keep ? old : 0
    if (due === old && fields.overwrite(found, valueBytes, valuePos, valueLen)) return false
    if (old !== 0) index.remove(this.indexOf(entry), old, found)
    const fresh = fields.create(bytes, pos, len, valueBytes, valuePos, valueLen, due)
    table.replaceFound(fresh)
    fields.free(found)
    if (due !== 0) index.insert(this.indexOf(entry), due, fresh)
    return false
  }

  /** Adds a field, its value and when it is due (0: never) where they belong in a listpack. Allocates. */
  putTriple(
    ref: Ref,
    bytes: Uint8Array,
    pos: number,
    len: number,
    valueBytes: Uint8Array,
    valuePos: number,
    valueLen: number,
    due: number,
  ): Ref {
    const { listpacks } = this
    const off = due === 0 ? listpacks.end(ref) : this.placeFor(ref, due)
    const root = listpacks.insertBefore(ref, off, bytes, pos, len)
    const withValue = listpacks.insertAfter(root, off, valueBytes, valuePos, valueLen)
    return listpacks.insertIntegerAfter(withValue, listpacks.next(withValue, off), due)
  }

  /** Offset of the first field that is due later, or never; or of the end. */
  private placeFor(root: Ref, due: number): number {
    const { listpacks } = this
    for (let off = listpacks.first(root); off !== NO_ELEMENT; ) {
      const dueOff = listpacks.next(root, listpacks.next(root, off))
      listpacks.get(root, dueOff)
      if (listpacks.number === 0 || listpacks.number > due) return off
      off = listpacks.next(root, dueOff)
    }
    return listpacks.end(root)
  }

  /** Sets when the field is due that `seek` met, of which these are the bytes: not those in the hash. Allocates. */
  setDue(entry: Ref, bytes: Uint8Array, pos: number, len: number, due: number): void {
    if (due === this.due) return
    if (this.isTable(entry)) return this.setDueInTable(entry, due)
    const { listpacks } = this
    const root = this.root(entry)
    listpacks.locate(root, listpacks.next(root, this.place))
    const valueLen = listpacks.len
    if (valueLen > this.kept.length) this.kept = new Uint8Array(valueLen)
    const kept = this.kept
    copyBytes(listpacks.bytes, listpacks.pos, kept, 0, valueLen)
    if (kept.length > KEPT_SIZE) this.kept = new Uint8Array(KEPT_SIZE)
    const rest = listpacks.deleteFrom(root, this.place, TRIPLE)
    this.setRoot(entry, this.putTriple(rest, bytes, pos, len, kept, 0, valueLen, due))
  }

  private setDueInTable(entry: Ref, due: number): void {
    const { table, fields, index, memory } = this
    const field = this.place as Ref
    const order = this.indexOf(entry)
    if (table.watcher !== null) table.watcher.changes(this.root(entry), field)
    if (this.due !== 0 && due !== 0) {
      index.rescore(order, this.due, field, due)
      fields.setDue(field, due)
      return
    }
    if (this.due !== 0) index.remove(order, this.due, field)
    const fresh = fields.recreate(field, due)
    table.replaceFound(fresh)
    memory.free(field)
    if (due !== 0) index.insert(order, due, fresh)
  }

  /** Deletes the field that `seek` met. The hash may be empty then. */
  remove(entry: Ref): void {
    if (!this.isTable(entry)) {
      return this.setRoot(entry, this.listpacks.deleteFrom(this.root(entry), this.place, TRIPLE))
    }
    const field = this.place as Ref
    if (this.due !== 0) this.index.remove(this.indexOf(entry), this.due, field)
    this.table.removeFound(this.root(entry))
    this.fields.free(field)
  }

  // What is due.

  /** When the first field is due, 0 if none ever is. */
  nextDue(entry: Ref): number {
    const root = this.root(entry)
    if (!this.isTable(entry)) return this.listpacks.isEmpty(root) ? 0 : this.dueAt(root, this.listpacks.first(root))
    const order = this.indexOf(entry)
    return this.index.count(order) === 0 ? 0 : this.fields.due(this.index.at(order, 0))
  }

  /** How many fields are past their time, at most `most`. */
  countDue(entry: Ref, now: number, most: number): number {
    if (this.isTable(entry)) return Math.min(most, this.index.scoreRank(this.indexOf(entry), now, false))
    const { listpacks } = this
    const root = this.root(entry)
    let count = 0
    for (let off = listpacks.first(root); off !== NO_ELEMENT && count < most; count++) {
      const dueOff = listpacks.next(root, listpacks.next(root, off))
      listpacks.get(root, dueOff)
      if (listpacks.number === 0 || listpacks.number >= now) break
      off = listpacks.next(root, dueOff)
    }
    return count
  }

  /** Points `bytes`, `pos`, `len` at the field with so many due before it. */
  locateDue(entry: Ref, rank: number): void {
    const { listpacks, memory } = this
    const root = this.root(entry)
    if (this.isTable(entry)) {
      const field = this.index.at(this.indexOf(entry), rank)
      this.bytes = memory.bytesOf(field)
      this.pos = keyPosOf(memory, field)
      this.len = keyLenOf(memory, field)
      return
    }
    listpacks.locate(root, listpacks.seek(root, rank * TRIPLE))
    this.bytes = listpacks.bytes
    this.pos = listpacks.pos
    this.len = listpacks.len
  }

  /** Deletes the `count` fields that are due first, which are there. The hash may be empty then. */
  removeDue(entry: Ref, count: number): void {
    const root = this.root(entry)
    if (!this.isTable(entry)) return this.setRoot(entry, this.listpacks.deleteRange(root, 0, count * TRIPLE))
    const { index, table, fields, memory } = this
    for (let left = count; left > 0; ) {
      const removed = index.removeRange(this.indexOf(entry), 0, left)
      for (let slot = 0; slot < removed; slot++) {
        const field = index.found[slot]! as Ref
        const bytes = memory.bytesOf(field)
        const pos = keyPosOf(memory, field)
        const len = keyLenOf(memory, field)
        table.find(root, bytes, pos, len, hashBytes(bytes, pos, len))
        table.removeFound(root)
        fields.free(field)
      }
      left -= removed
    }
  }

  // Conversions.

  /** Makes a listpack of pairs one of triples. Allocates. */
  fromListpack(entry: Ref): void {
    const { listpacks, entries } = this
    const pairs = entries.value(entry) as Ref
    let root = listpacks.create(listpacks.size(pairs) + listpacks.count(pairs))
    for (let off = listpacks.first(pairs), at = 0; off !== NO_ELEMENT; at++) {
      const next = listpacks.locate(pairs, off)
      root = listpacks.append(root, listpacks.bytes, listpacks.pos, listpacks.len)
      if (at % 2 === 1) root = listpacks.appendInteger(root, 0)
      off = next
    }
    listpacks.free(pairs)
    entries.setValue(entry, this.createRecord(root, false))
    entries.setEncoding(entry, HashEncoding.LISTPACK_EX)
  }

  /** Lets the fields of a table expire. Allocates. */
  fromTable(entry: Ref): void {
    const { entries } = this
    const root = entries.value(entry) as Ref
    const record = this.createRecord(root, true)
    entries.setValue(entry, record)
    entries.setEncoding(entry, HashEncoding.TABLE_EX)
    this.table.watcher?.becomes(root, record, HashEncoding.TABLE_EX)
  }

  /** Makes a listpack of triples a table, in an empty one given. Allocates. */
  toTable(entry: Ref, target: Ref): void {
    const { listpacks, memory, index, fields, table, entries } = this
    const source = this.root(entry)
    const order = index.create()
    for (let off = listpacks.first(source); off !== NO_ELEMENT; ) {
      const due = this.dueAt(source, off)
      const valueOff = listpacks.locate(source, off)
      const len = listpacks.len
      // The scratch for an integer's digits will be wanted for the value's.
      if (len > this.kept.length) this.kept = new Uint8Array(len)
      const kept = this.kept
      copyBytes(listpacks.bytes, listpacks.pos, kept, 0, len)
      const dueOff = listpacks.locate(source, valueOff)
      const field = fields.create(kept, 0, len, listpacks.bytes, listpacks.pos, listpacks.len, due)
      table.insert(target, field, hashBytes(kept, 0, len))
      if (due !== 0) index.insert(order, due, field)
      off = listpacks.next(source, dueOff)
    }
    if (this.kept.length > KEPT_SIZE) this.kept = new Uint8Array(KEPT_SIZE)
    listpacks.free(source)
    memory.setWord(this.recordOf(entry), INDEX, order)
    this.setRoot(entry, target)
    entries.setEncoding(entry, HashEncoding.TABLE_EX)
  }

  // What a kind does.

  freeValue(entry: Ref, doom: Doom): void {
    const root = this.root(entry)
    const order = this.indexOf(entry)
    const isTable = this.isTable(entry)
    this.memory.free(this.recordOf(entry))
    if (!isTable) return this.listpacks.free(root)
    freeIndexedTable(this.table, root, (field) => this.fields.free(field), this.index, order, doom)
  }

  valueBytes(entry: Ref): number {
    const { memory } = this
    const root = this.root(entry)
    const record = memory.capacity(this.recordOf(entry))
    if (!this.isTable(entry)) return record + memory.capacity(root)
    const table = tableBytes(memory, this.table, root, (field) => this.fields.blockOf(field))
    return record + table + this.index.bytes(this.indexOf(entry))
  }

  /** Adds to the index of a hash whose table's entries were made with their expiries. Allocates. */
  indexField(entry: Ref, field: Ref): void {
    const due = this.fields.due(field)
    if (due !== 0) this.index.insert(this.indexOf(entry), due, field)
  }

  /** Whether a listpack of triples has moments up to `most`, in order, and those that never are due last. */
  isOrdered(root: Ref, most: number): boolean {
    const { listpacks } = this
    let last = 0
    for (let off = listpacks.first(root); off !== NO_ELEMENT; ) {
      const dueOff = listpacks.next(root, listpacks.next(root, off))
      off = listpacks.get(root, dueOff)
      if (!listpacks.isInteger) return false
      const due = listpacks.number === 0 ? NEVER : listpacks.number
      if (due < 0 || due < last || (due !== NEVER && due > most)) return false
      last = due
    }
    return true
  }

  verify(entry: Ref): void {
    const { listpacks, table, index, fields } = this
    const root = this.root(entry)
    if (this.isTable(entry)) {
      const order = this.indexOf(entry)
      index.verify(order, (field) => fields.due(field))
      let expiring = 0
      for (let position = 0; position !== SCAN_END; ) {
        position = table.scan(root, position)
        for (let at = 0; at < table.foundCount; at++) if (fields.due(table.found[at]! as Ref) !== 0) expiring++
      }
      assert(expiring === index.count(order), 'the index has all fields that expire')
    } else {
      assert(listpacks.count(root) % TRIPLE === 0, 'each field has a value and a moment')
      assert(this.isOrdered(root, NEVER), 'those that are due sooner come first')
    }
    const due = this.nextDue(entry)
    assert(due === 0 || this.recorded(entry) <= due, 'the expiry index knows of the first field that is due')
  }
}
