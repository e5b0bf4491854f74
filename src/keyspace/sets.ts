/* Sets: the values of type set, in three forms behind one set of operations.
 *
 *   INTSET     value: root of an intset       nothing but integers, up to set-max-intset-entries of them
 *   LISTPACK   value: root of a listpack      up to set-max-listpack-entries, none above set-max-listpack-value bytes
 *   TABLE      value: root of a table         whose entries are set-members.ts's
 *
 * A set goes from each form to those below when an added member asks for it, as in Redis, and never back; a set made
 * from others may end as an intset again (`toIntset`). An operation that moves the root writes it into the entry, so
 * that an entry's ref stays good whatever happens to its members. */
import { assert } from '../lib/assert.ts'
import { INT64_LEN_MAX, type Int64, int64Length, parseInt64, writeInt64 } from '../lib/int64.ts'
import { randomBelow } from '../lib/random.ts'
import { hashBytes } from '../lib/siphash.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { INTSET_COUNT_MAX, Intsets } from '../structures/intset.ts'
import { Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import { SCAN_END, Table } from '../structures/table.ts'
import { drawAhead } from '../structures/table-ahead.ts'
import { type Entries, EntryFlag, SetEncoding, Type } from './entry.ts'
import type { Kind } from './kinds.ts'
import { hashMember } from './member-hash.ts'
import { createSetMember, verifySetMember } from './set-members.ts'
import { SetWalk } from './set-walk.ts'
import { type Doom, freeTable, tableBytes } from './table-values.ts'
import { compactSet } from './value-compaction.ts'

export class Sets {
  /** set-max-intset-entries, set-max-listpack-entries, set-max-listpack-value. */
  intsetCountMax = 512
  listpackCountMax = 128
  listpackLenMax = 64
  /** The tables of large sets: not the keyspace's, so that what that one has found stays found. */
  readonly table: Table
  /** The member that `pick` chose. Dead after any change. */
  bytes: Uint8Array
  pos = 0
  len = 0
  /** Slot, offset or ref of that member. */
  private picked = 0
  /** Takes what was read ahead, so that reading it is not optimised away. */
  sink = 0
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly intsets: Intsets
  private readonly listpacks: Listpacks
  private readonly doom: Doom
  /** For commands; conversions have their own. */
  readonly walk: SetWalk
  private readonly inner: SetWalk
  private readonly digits = new Uint8Array(INT64_LEN_MAX)

  constructor(entries: Entries, doom: Doom) {
    this.entries = entries
    this.memory = entries.memory
    this.table = new Table(entries.memory)
    this.intsets = new Intsets(entries.memory)
    this.listpacks = new Listpacks(entries.memory)
    this.doom = doom
    this.walk = new SetWalk(entries)
    this.inner = new SetWalk(entries)
    this.bytes = this.digits
  }

  private root(entry: Ref): Ref {
    return this.entries.value(entry) as Ref
  }

  /** The root of a large set's table, or NONE. */
  tableOf(entry: Ref): Ref {
    return this.entries.encoding(entry) === SetEncoding.TABLE ? this.root(entry) : NONE
  }

  /** Members of the set. */
  size(entry: Ref): number {
    const encoding = this.entries.encoding(entry)
    if (encoding === SetEncoding.TABLE) return this.table.count(this.root(entry))
    if (encoding === SetEncoding.INTSET) return this.intsets.count(this.root(entry))
    return this.listpacks.count(this.root(entry))
  }

  /** Makes an entry with an empty set of this encoding, for the caller to fill and to put somewhere. Allocates. */
  create(encoding: number, keyBytes: Uint8Array, keyPos: number, keyLen: number, expected = 0, expiry?: Int64): Ref {
    return this.adopt(encoding, this.createRoot(encoding, expected), keyBytes, keyPos, keyLen, expiry)
  }

  /** As `create`, of a root that there is already: an intset, a listpack or a table as a set's are. */
  adopt(encoding: number, root: Ref, keyBytes: Uint8Array, keyPos: number, keyLen: number, expiry?: Int64): Ref {
    const { entries } = this
    const flags = expiry === undefined ? 0 : EntryFlag.EXPIRES
    const entry = entries.create(Type.SET, encoding, flags, keyBytes, keyPos, keyLen, 0)
    entries.setValue(entry, root)
    if (expiry !== undefined) entries.setExpiry(entry, expiry)
    return entry
  }

  private createRoot(encoding: number, expected: number): Ref {
    if (encoding === SetEncoding.INTSET) return this.intsets.create()
    if (encoding === SetEncoding.LISTPACK) return this.listpacks.create()
    const root = this.table.create(expected)
    this.table.reserve(root, expected)
    return root
  }

  /** The encoding for a new set that begins with this member and will have up to `expected`. */
  encodingFor(bytes: Uint8Array, pos: number, len: number, expected: number): number {
    if (expected <= this.intsetCountMax && parseInt64(bytes, pos, len) !== undefined) return SetEncoding.INTSET
    return expected <= this.listpackCountMax ? SetEncoding.LISTPACK : SetEncoding.TABLE
  }

  /** So many members are about to be added: whether the set would have to become a table is decided by that. */
  expect(entry: Ref, count: number): void {
    const encoding = this.entries.encoding(entry)
    if (encoding === SetEncoding.TABLE) return
    const most = encoding === SetEncoding.INTSET ? this.intsetCountMax : this.listpackCountMax
    if (count > most) this.toTable(entry, count)
  }

  /** Adds a member; whether it is new. Allocates. */
  add(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const encoding = this.entries.encoding(entry)
    if (encoding === SetEncoding.TABLE) {
      return this.addToTable(this.root(entry), bytes, pos, len, hashMember(bytes, pos, len))
    }
    if (encoding === SetEncoding.LISTPACK) return this.addToListpack(entry, bytes, pos, len)
    const value = parseInt64(bytes, pos, len)
    if (value !== undefined) return this.addToIntset(entry, value)
    const count = this.size(entry)
    if (count < this.listpackCountMax && this.fitsListpack(entry, count, len)) this.toListpack(entry)
    else this.toTable(entry, count + 1)
    return this.add(entry, bytes, pos, len)
  }

  /** Adds the member at which a walk through another set is; whether it is new. Allocates. */
  addWalked(entry: Ref, walk: SetWalk): boolean {
    const encoding = this.entries.encoding(entry)
    if (encoding === SetEncoding.INTSET && walk.isInteger) return this.addToIntset(entry, walk.integer)
    walk.locate()
    if (encoding !== SetEncoding.TABLE) return this.add(entry, walk.bytes, walk.pos, walk.len)
    return this.addToTable(this.root(entry), walk.bytes, walk.pos, walk.len, walk.hash)
  }

  private addToTable(root: Ref, bytes: Uint8Array, pos: number, len: number, hash: number): boolean {
    if (this.table.find(root, bytes, pos, len, hash) !== NONE) return false
    this.table.insert(root, createSetMember(this.memory, bytes, pos, len, hash), hash)
    return true
  }

  private addToListpack(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const { listpacks } = this
    const root = this.root(entry)
    if (listpacks.find(root, listpacks.first(root), bytes, pos, len, 0) !== NO_ELEMENT) return false
    const count = listpacks.count(root)
    if (count < this.listpackCountMax && len <= this.listpackLenMax && listpacks.safeToAdd(root, len)) {
      this.entries.setValue(entry, listpacks.append(root, bytes, pos, len))
      return true
    }
    this.toTable(entry, count + 1)
    return this.addToTable(this.root(entry), bytes, pos, len, hashBytes(bytes, pos, len))
  }

  private addToIntset(entry: Ref, value: Int64): boolean {
    const { intsets } = this
    const root = intsets.add(this.root(entry), value)
    if (!intsets.changed) return false
    this.entries.setValue(entry, root)
    const count = intsets.count(root)
    if (count > this.intsetCountMax || count >= INTSET_COUNT_MAX) this.toTable(entry, count)
    return true
  }

  has(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const encoding = this.entries.encoding(entry)
    const root = this.root(entry)
    if (encoding === SetEncoding.TABLE) {
      return this.table.find(root, bytes, pos, len, hashMember(bytes, pos, len)) !== NONE
    }
    if (encoding === SetEncoding.LISTPACK) {
      return this.listpacks.find(root, this.listpacks.first(root), bytes, pos, len, 0) !== NO_ELEMENT
    }
    const value = parseInt64(bytes, pos, len)
    return value !== undefined && this.intsets.has(root, value)
  }

  /** Whether the set has the member at which a walk through another one is. */
  hasWalked(entry: Ref, walk: SetWalk): boolean {
    const encoding = this.entries.encoding(entry)
    if (encoding === SetEncoding.INTSET && walk.isInteger) return this.intsets.has(this.root(entry), walk.integer)
    walk.locate()
    if (encoding !== SetEncoding.TABLE) return this.has(entry, walk.bytes, walk.pos, walk.len)
    return this.table.find(this.root(entry), walk.bytes, walk.pos, walk.len, walk.hash) !== NONE
  }

  /** Removes a member; whether it was there. The set may be empty then. */
  remove(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const encoding = this.entries.encoding(entry)
    const root = this.root(entry)
    if (encoding === SetEncoding.TABLE) return this.removeFromTable(root, bytes, pos, len, hashMember(bytes, pos, len))
    if (encoding === SetEncoding.LISTPACK) {
      const { listpacks } = this
      const off = listpacks.find(root, listpacks.first(root), bytes, pos, len, 0)
      if (off === NO_ELEMENT) return false
      this.entries.setValue(entry, listpacks.delete(root, off))
      return true
    }
    const value = parseInt64(bytes, pos, len)
    if (value === undefined) return false
    this.entries.setValue(entry, this.intsets.remove(root, value))
    return this.intsets.changed
  }

  /** Removes the member at which a walk through another set is; whether it was there. */
  removeWalked(entry: Ref, walk: SetWalk): boolean {
    walk.locate()
    if (this.entries.encoding(entry) !== SetEncoding.TABLE) return this.remove(entry, walk.bytes, walk.pos, walk.len)
    return this.removeFromTable(this.root(entry), walk.bytes, walk.pos, walk.len, walk.hash)
  }

  private removeFromTable(root: Ref, bytes: Uint8Array, pos: number, len: number, hash: number): boolean {
    const member = this.table.find(root, bytes, pos, len, hash)
    if (member === NONE) return false
    this.table.removeFound(root)
    this.memory.free(member)
    return true
  }

  /** Chooses a member, each with the same probability, of a set that is not empty: `bytes`, `pos`, `len`. Answers a
   *  number that tells it from the others, never 0. */
  pick(entry: Ref): number {
    const { memory, intsets, listpacks } = this
    const encoding = this.entries.encoding(entry)
    const root = this.root(entry)
    if (encoding === SetEncoding.TABLE) {
      const member = this.table.random(root)
      this.bytes = memory.bytesOf(member)
      this.pos = keyPosOf(memory, member)
      this.len = keyLenOf(memory, member)
      this.picked = member
      return member
    }
    if (encoding === SetEncoding.INTSET) {
      this.picked = randomBelow(intsets.count(root))
      this.bytes = this.digits
      this.pos = 0
      this.len = writeInt64(intsets.get(root, this.picked), this.digits, 0)
      return this.picked + 1
    }
    this.picked = listpacks.seek(root, randomBelow(listpacks.count(root)))
    listpacks.locate(root, this.picked)
    this.bytes = listpacks.bytes
    this.pos = listpacks.pos
    this.len = listpacks.len
    return this.picked
  }

  /** So many members are about to be picked and removed: reads ahead what that will want. */
  takesAhead(entry: Ref, count: number): void {
    const root = this.tableOf(entry)
    if (root !== NONE && this.table.count(root) > count) this.sink ^= drawAhead(this.table, root, count)
  }

  /** Removes the member that `pick` has just chosen. */
  removePicked(entry: Ref): void {
    const encoding = this.entries.encoding(entry)
    const root = this.root(entry)
    if (encoding === SetEncoding.TABLE) {
      this.table.removeFound(root)
      this.memory.free(this.picked as Ref)
    } else if (encoding === SetEncoding.INTSET) {
      this.entries.setValue(entry, this.intsets.removeAt(root, this.picked))
    } else this.entries.setValue(entry, this.listpacks.delete(root, this.picked))
  }

  /** Removes from a listpack the members at these offsets, which ascend. */
  removePlaces(entry: Ref, places: Int32Array): void {
    this.entries.setValue(entry, this.listpacks.deleteMany(this.root(entry), places, places.length))
  }

  /** Gives the values of two entries to each other. */
  exchange(first: Ref, second: Ref): void {
    const { entries } = this
    const encoding = entries.encoding(first)
    const root = entries.value(first)
    entries.setEncoding(first, entries.encoding(second))
    entries.setValue(first, entries.value(second))
    entries.setEncoding(second, encoding)
    entries.setValue(second, root)
  }

  // Conversions.

  /** Whether an intset's members, and a string of `len` bytes, are short enough for a listpack. */
  private fitsListpack(entry: Ref, count: number, len: number): boolean {
    const { intsets, listpacks } = this
    if (len > this.listpackLenMax) return false
    if (count === 0) return listpacks.safeToAdd(NONE, len)
    const least = intsets.get(this.root(entry), 0)
    const most = intsets.get(this.root(entry), count - 1)
    if (Math.max(int64Length(least), int64Length(most)) > this.listpackLenMax) return false
    const size = Math.max(listpacks.sizeForIntegers(least, count), listpacks.sizeForIntegers(most, count))
    return listpacks.safeToAdd(NONE, size + len)
  }

  /** Makes an intset a listpack. */
  private toListpack(entry: Ref): void {
    const { intsets, listpacks } = this
    const source = this.root(entry)
    const count = intsets.count(source)
    let target = listpacks.create(count === 0 ? 0 : listpacks.sizeForIntegers(intsets.get(source, count - 1), count))
    for (let slot = 0; slot < count; slot++) target = listpacks.appendInteger(target, intsets.get(source, slot))
    intsets.free(source)
    this.settle(entry, SetEncoding.LISTPACK, listpacks.trim(target))
  }

  /** Makes an intset or a listpack a table, with room for `expected` members. */
  private toTable(entry: Ref, expected: number): void {
    const { table, memory, inner: walk } = this
    const source = this.root(entry)
    const target = this.createRoot(SetEncoding.TABLE, expected)
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      const { bytes, pos, len, hash } = walk
      // A listpack that somebody else made may have a member twice.
      if (table.find(target, bytes, pos, len, hash) !== NONE) continue
      table.insert(target, createSetMember(memory, bytes, pos, len, hash), hash)
    }
    memory.free(source)
    this.settle(entry, SetEncoding.TABLE, target)
  }

  /** Makes a set of nothing but integers an intset, unless there are too many. */
  toIntset(entry: Ref): void {
    const { intsets, inner: walk } = this
    if (this.entries.encoding(entry) === SetEncoding.INTSET) return
    if (this.size(entry) > this.intsetCountMax || this.size(entry) >= INTSET_COUNT_MAX) return
    let target = intsets.create()
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      const value = parseInt64(walk.bytes, walk.pos, walk.len)
      assert(value !== undefined, 'all members are integers')
      target = intsets.add(target, value)
    }
    this.freeValue(entry)
    this.settle(entry, SetEncoding.INTSET, target)
  }

  private settle(entry: Ref, encoding: number, root: Ref): void {
    this.entries.setEncoding(entry, encoding)
    this.entries.setValue(entry, root)
  }

  /** Gives back what a set that has been made in one go has too much. */
  trim(entry: Ref): void {
    if (this.entries.encoding(entry) !== SetEncoding.LISTPACK) return
    this.entries.setValue(entry, this.listpacks.trim(this.root(entry)))
  }

  // What a kind does.

  freeValue(entry: Ref): void {
    const root = this.root(entry)
    if (this.entries.encoding(entry) !== SetEncoding.TABLE) this.memory.free(root)
    else freeTable(this.table, root, (member) => this.memory.free(member), this.doom)
  }

  valueBytes(entry: Ref): number {
    const root = this.root(entry)
    if (this.entries.encoding(entry) !== SetEncoding.TABLE) return this.memory.capacity(root)
    return tableBytes(this.memory, this.table, root, () => NONE)
  }

  /** Gives `target`, an entry of the same encoding without a value, a copy of `source`'s. Allocates. */
  copyValue(source: Ref, target: Ref): void {
    const { entries, table, memory, inner: walk } = this
    const encoding = entries.encoding(source)
    const root = this.root(source)
    if (encoding === SetEncoding.INTSET) return entries.setValue(target, this.intsets.copy(root))
    if (encoding === SetEncoding.LISTPACK) return entries.setValue(target, this.listpacks.copy(root))
    const copy = this.createRoot(SetEncoding.TABLE, table.count(root))
    for (walk.begin(source); walk.next(); ) {
      const { bytes, pos, len, hash } = walk
      table.insert(copy, createSetMember(memory, bytes, pos, len, hash), hash)
    }
    entries.setValue(target, copy)
  }

  verify(entry: Ref): void {
    const { table } = this
    const encoding = this.entries.encoding(entry)
    const root = this.root(entry)
    assert(this.size(entry) > 0, 'there are no empty sets')
    if (encoding === SetEncoding.INTSET) return this.intsets.verify(root)
    if (encoding === SetEncoding.LISTPACK) return this.listpacks.verify(root)
    table.verify(root)
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(root, position)
      for (let index = 0; index < table.foundCount; index++) verifySetMember(this.memory, table.found[index]! as Ref)
    }
  }
}

const ENCODING_NAMES = ['intset', 'listpack', 'hashtable']

export function setKind(sets: Sets, entries: Entries): Kind {
  const walk = new SetWalk(entries)
  return {
    type: Type.SET,
    name: 'set',
    encodingName: (entry) => ENCODING_NAMES[entries.encoding(entry)]!,
    freeValue: (entry) => sets.freeValue(entry),
    valueBytes: (entry) => sets.valueBytes(entry),
    copyValue: (source, target) => sets.copyValue(source, target),
    length: (entry) => sets.size(entry),
    memberTable: (entry) => sets.tableOf(entry),
    takesAhead: (entry, count) => sets.takesAhead(entry, count),
    digest: (entry, into) => {
      for (walk.begin(entry); walk.next(); ) {
        walk.locate()
        into.xor(walk.bytes, walk.pos, walk.len)
      }
    },
    compact: (entry, cursor) => compactSet(entries, entry, cursor),
    verify: (entry) => sets.verify(entry),
  }
}
