/* Hashes: the values of type hash, in four forms behind one set of operations.
 *
 *   LISTPACK      value: root of a listpack      field, value, field, value …: up to hash-max-listpack-entries fields,
 *                                                nothing above hash-max-listpack-value bytes
 *   TABLE         value: root of a table         whose entries are hash-fields.ts's
 *   LISTPACK_EX   value: ref of a record         the same, of a hash whose fields may expire: expiring-hashes.ts
 *   TABLE_EX
 *
 * A hash becomes a table when a field or a value asks for it, as in Redis, and never goes back. An operation that moves
 * the root writes it into the entry, so that an entry's ref stays good whatever happens to its fields.
 *
 * A field past its time is not found any more, but counts (`size`), can be set and deleted until it is taken away. */
import { assert } from '../lib/assert.ts'
import { fromLatin1 } from '../lib/bytes.ts'
import { Digest } from '../lib/digest.ts'
import { INT64_LEN_MAX, type Int64, writeInt64 } from '../lib/int64.ts'
import { randomBelow } from '../lib/random.ts'
import { hashBytes } from '../lib/siphash.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import { IndexCursor } from '../structures/sorted-index.ts'
import { SCAN_END, Table } from '../structures/table.ts'
import { type Entries, EntryFlag, HashEncoding, Type } from './entry.ts'
import { ExpiringHashes, TRIPLE } from './expiring-hashes.ts'
import { HashFields } from './hash-fields.ts'
import { HashWalk } from './hash-walk.ts'
import type { Kind } from './kinds.ts'
import { hashMember } from './member-hash.ts'
import { type Doom, freeTable, tableBytes } from './table-values.ts'
import { compactHash } from './value-compaction.ts'

/** The time, in milliseconds, before which what is due is past its time. */
interface Clock {
  readonly dueBefore: number
}

export class Hashes {
  /** hash-max-listpack-entries, hash-max-listpack-value. */
  listpackCountMax = 512
  listpackLenMax = 64
  /** The tables of large hashes: not the keyspace's, so that what that one has found stays found. */
  readonly table: Table
  readonly fields: HashFields
  /** The value that `find` met: an integer, or bytes. Dead after any change. */
  isInteger = false
  bytes: Uint8Array
  pos = 0
  len = 0
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly listpacks: Listpacks
  private readonly doom: Doom
  /** For commands; conversions have their own. */
  readonly walk: HashWalk
  /** What is done to those whose fields may expire. */
  readonly expiring: ExpiringHashes
  private readonly clock: Clock
  private readonly inner: HashWalk
  /** Over the fields of a hash that expire. */
  private readonly due: IndexCursor
  private readonly digits = new Uint8Array(INT64_LEN_MAX)

  constructor(entries: Entries, doom: Doom, clock: Clock) {
    this.entries = entries
    this.memory = entries.memory
    this.table = new Table(entries.memory)
    this.fields = new HashFields(entries.memory)
    this.listpacks = new Listpacks(entries.memory)
    this.doom = doom
    this.clock = clock
    this.expiring = new ExpiringHashes(entries, this.table, this.fields, this.listpacks)
    this.walk = new HashWalk(entries)
    this.inner = new HashWalk(entries)
    this.due = new IndexCursor(entries.memory)
    this.bytes = entries.memory.bytes[0]!
  }

  /** The listpack or table. */
  root(entry: Ref): Ref {
    return this.entries.hasExpiringFields(entry) ? this.expiring.root(entry) : (this.entries.value(entry) as Ref)
  }

  isTable(entry: Ref): boolean {
    return (this.entries.encoding(entry) & HashEncoding.TABLE) !== 0
  }

  /** Fields of the hash, those past their time included. */
  size(entry: Ref): number {
    const root = this.root(entry)
    const encoding = this.entries.encoding(entry)
    if ((encoding & HashEncoding.TABLE) !== 0) return this.table.count(root)
    const count = this.listpacks.count(root)
    return encoding === HashEncoding.LISTPACK ? count >>> 1 : count / TRIPLE
  }

  /** Fields of the hash that are not past their time. */
  liveSize(entry: Ref): number {
    const size = this.size(entry)
    if (!this.entries.hasExpiringFields(entry)) return size
    return size - this.expiring.countDue(entry, this.clock.dueBefore, size)
  }

  /** Begins the walk of commands over the fields that are not past their time. */
  walkLive(entry: Ref): HashWalk {
    this.walk.beginLive(entry, this.clock.dueBefore)
    return this.walk
  }

  /** Makes an entry with an empty hash, for the caller to fill and to put somewhere. Allocates. */
  create(encoding: number, keyBytes: Uint8Array, keyPos: number, keyLen: number, expected = 0, expiry?: Int64): Ref {
    return this.adopt(encoding, this.createRoot(encoding, expected), keyBytes, keyPos, keyLen, expiry)
  }

  /** As `create`, of a root that there is already: a listpack or a table as a hash's are. */
  adopt(encoding: number, root: Ref, keyBytes: Uint8Array, keyPos: number, keyLen: number, expiry?: Int64): Ref {
    const { entries } = this
    const flags = expiry === undefined ? 0 : EntryFlag.EXPIRES
    const entry = entries.create(Type.HASH, encoding, flags, keyBytes, keyPos, keyLen, 0)
    entries.setValue(entry, root)
    if (expiry !== undefined) entries.setExpiry(entry, expiry)
    return entry
  }

  private createRoot(encoding: number, expected: number): Ref {
    if (encoding === HashEncoding.LISTPACK) return this.listpacks.create()
    const root = this.table.create(expected)
    this.table.reserve(root, expected)
    return root
  }

  /** Fields and values of these lengths, those from `first` up to `after`, are about to be set: makes the hash a table
   *  if there are too many, or one is too long. Allocates. */
  expect(entry: Ref, len: Int32Array, first: number, after: number): void {
    if (this.isTable(entry)) return
    const count = (after - first) >>> 1
    if (count > this.listpackCountMax) return this.toTable(entry, Math.max(count, this.size(entry)))
    let total = 0
    for (let index = first; index < after; index++) {
      if (len[index]! > this.listpackLenMax) return this.toTable(entry, this.size(entry) + count)
      total += len[index]!
    }
    if (!this.listpacks.safeToAdd(this.root(entry), total)) this.toTable(entry, this.size(entry) + count)
  }

  /** Makes the hash a table if it has too many fields for a listpack. Allocates. */
  fit(entry: Ref): void {
    if (this.isTable(entry)) return
    const count = this.size(entry)
    if (count > this.listpackCountMax) this.toTable(entry, count)
  }

  /** The root of a large hash's table, or NONE. */
  tableOf(entry: Ref): Ref {
    return (this.entries.encoding(entry) & HashEncoding.TABLE) !== 0 ? this.root(entry) : NONE
  }

  /** Whether the hash has the field; its value is in `isInteger`, `bytes`, `pos`, `len` then, or `integer`. */
  find(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const encoding = this.entries.encoding(entry)
    if (encoding > HashEncoding.TABLE) return this.findExpiring(entry, bytes, pos, len)
    const root = this.entries.value(entry) as Ref
    if (encoding === HashEncoding.TABLE) {
      const field = this.table.find(root, bytes, pos, len, hashMember(bytes, pos, len))
      if (field === NONE) return false
      this.fields.locate(field)
      this.takeField()
      return true
    }
    const { listpacks } = this
    const off = listpacks.find(root, listpacks.first(root), bytes, pos, len, 1)
    if (off === NO_ELEMENT) return false
    listpacks.get(root, listpacks.next(root, off))
    this.takeElement()
    return true
  }

  private findExpiring(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    if (!this.hasExpiring(entry, bytes, pos, len)) return false
    this.expiring.locateValue(entry)
    if (this.isTable(entry)) this.takeField()
    else this.takeElement()
    return true
  }

  private hasExpiring(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const { expiring } = this
    this.metPast = false
    if (!expiring.seek(entry, bytes, pos, len)) return false
    this.metPast = expiring.due !== 0 && expiring.due < this.clock.dueBefore
    return !this.metPast
  }

  /** Whether the field that was just not found is there, but past its time: `expiring` knows its place. */
  hasMetPast(entry: Ref): boolean {
    return this.metPast && this.entries.hasExpiringFields(entry)
  }
  private metPast = false

  private takeElement(): void {
    const { listpacks } = this
    this.isInteger = listpacks.isInteger
    this.bytes = listpacks.bytes
    this.pos = listpacks.pos
    this.len = listpacks.len
  }

  private takeField(): void {
    const { fields } = this
    this.isInteger = false
    this.bytes = fields.bytes
    this.pos = fields.pos
    this.len = fields.len
  }

  /** The value that `find` met, which `isInteger`. */
  get integer(): Int64 {
    return this.listpacks.integer
  }

  /** As `find`, but an integer's digits are written into a scratch and made `bytes`. */
  findText(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    if (!this.find(entry, bytes, pos, len)) return false
    if (this.isInteger) {
      this.bytes = this.digits
      this.pos = 0
      this.len = writeInt64(this.integer, this.digits, 0)
    }
    return true
  }

  has(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const encoding = this.entries.encoding(entry)
    if (encoding > HashEncoding.TABLE) return this.hasExpiring(entry, bytes, pos, len)
    const root = this.entries.value(entry) as Ref
    if (encoding === HashEncoding.TABLE) {
      return this.table.find(root, bytes, pos, len, hashMember(bytes, pos, len)) !== NONE
    }
    return this.listpacks.find(root, this.listpacks.first(root), bytes, pos, len, 1) !== NO_ELEMENT
  }

  /** Sets a field; whether it is new. Its expiry goes, unless it is to be kept. The value must not lie in the hash
   *  itself. Allocates. */
  set(
    entry: Ref,
    bytes: Uint8Array,
    pos: number,
    len: number,
    valueBytes: Uint8Array,
    valuePos: number,
    valueLen: number,
    keepDue = false,
  ): boolean {
    const encoding = this.entries.encoding(entry)
    if ((encoding & HashEncoding.TABLE) === 0) {
      const most = this.listpackLenMax
      if (len > most || valueLen > most) this.toTable(entry, this.size(entry) + 1)
      else if (encoding === HashEncoding.LISTPACK) {
        return this.setInListpack(entry, bytes, pos, len, valueBytes, valuePos, valueLen)
      }
    }
    if (encoding > HashEncoding.TABLE) {
      const isNew = this.expiring.set(entry, bytes, pos, len, valueBytes, valuePos, valueLen, keepDue)
      this.fit(entry)
      return isNew
    }
    const { table, fields } = this
    const root = this.root(entry)
    const hash = hashMember(bytes, pos, len)
    const found = table.find(root, bytes, pos, len, hash)
    if (found === NONE) {
      table.insert(root, fields.create(bytes, pos, len, valueBytes, valuePos, valueLen), hash)
      return true
    }
    if (table.watcher !== null) table.watcher.changes(root, found)
    if (fields.overwrite(found, valueBytes, valuePos, valueLen)) return false
    table.replaceFound(fields.create(bytes, pos, len, valueBytes, valuePos, valueLen))
    fields.free(found)
    return false
  }

  private setInListpack(
    entry: Ref,
    bytes: Uint8Array,
    pos: number,
    len: number,
    valueBytes: Uint8Array,
    valuePos: number,
    valueLen: number,
  ): boolean {
    const { listpacks, entries } = this
    let root = this.root(entry)
    const off = listpacks.find(root, listpacks.first(root), bytes, pos, len, 1)
    if (off !== NO_ELEMENT) {
      root = listpacks.replace(root, listpacks.next(root, off), valueBytes, valuePos, valueLen)
      entries.setValue(entry, root)
      this.fit(entry) // the limit may have been lowered
      return false
    }
    root = listpacks.append(root, bytes, pos, len)
    root = listpacks.append(root, valueBytes, valuePos, valueLen)
    entries.setValue(entry, root)
    const count = listpacks.count(root) >>> 1
    if (count > this.listpackCountMax) this.toTable(entry, count)
    return true
  }

  /** Deletes a field; whether it was there. The hash may be empty then. */
  delete(entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const { table, listpacks } = this
    if (this.entries.hasExpiringFields(entry)) {
      if (!this.expiring.seek(entry, bytes, pos, len)) return false
      this.expiring.remove(entry)
      return true
    }
    const root = this.root(entry)
    if (this.entries.encoding(entry) === HashEncoding.TABLE) {
      const field = table.find(root, bytes, pos, len, hashMember(bytes, pos, len))
      if (field === NONE) return false
      table.removeFound(root)
      this.fields.free(field)
      return true
    }
    const off = listpacks.find(root, listpacks.first(root), bytes, pos, len, 1)
    if (off === NO_ELEMENT) return false
    this.entries.setValue(entry, listpacks.deleteFrom(root, off, 2))
    return true
  }

  /** Chooses a field, each with the same probability, of a hash that is not empty: the offset of the field in the
   *  listpack, or the ref of the field in the table; never 0. */
  pick(entry: Ref): number {
    const { listpacks } = this
    const root = this.root(entry)
    if (this.isTable(entry)) return this.table.random(root)
    const stride = this.entries.hasExpiringFields(entry) ? TRIPLE : 2
    return listpacks.seek(root, randomBelow(listpacks.count(root) / stride) * stride)
  }

  /** Lets fields of the hash expire; whether that is new. Allocates. */
  letExpire(entry: Ref): boolean {
    const encoding = this.entries.encoding(entry)
    if (encoding === HashEncoding.LISTPACK) this.expiring.fromListpack(entry)
    else if (encoding === HashEncoding.TABLE) this.expiring.fromTable(entry)
    return encoding <= HashEncoding.TABLE
  }

  private toTable(entry: Ref, expected: number): void {
    const { table, inner: walk, fields } = this
    const target = this.createRoot(HashEncoding.TABLE, expected)
    if (this.entries.hasExpiringFields(entry)) return this.expiring.toTable(entry, target)
    const source = this.root(entry)
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      const { bytes, pos, len } = walk
      const hash = hashBytes(bytes, pos, len)
      // A listpack that somebody else made may have a field twice.
      if (table.find(target, bytes, pos, len, hash) !== NONE) continue
      table.insert(target, fields.create(bytes, pos, len, walk.valueBytes, walk.valuePos, walk.valueLen), hash)
    }
    this.memory.free(source)
    this.entries.setEncoding(entry, HashEncoding.TABLE)
    this.entries.setValue(entry, target)
  }

  // What a kind does.

  freeValue(entry: Ref): void {
    if (this.entries.hasExpiringFields(entry)) return this.expiring.freeValue(entry, this.doom)
    const root = this.root(entry)
    if (this.entries.encoding(entry) === HashEncoding.LISTPACK) this.memory.free(root)
    else freeTable(this.table, root, (field) => this.fields.free(field), this.doom)
  }

  valueBytes(entry: Ref): number {
    if (this.entries.hasExpiringFields(entry)) return this.expiring.valueBytes(entry)
    const root = this.root(entry)
    if (this.entries.encoding(entry) === HashEncoding.LISTPACK) return this.memory.capacity(root)
    return tableBytes(this.memory, this.table, root, (field) => this.fields.blockOf(field))
  }

  /** Gives `target`, an entry of the same encoding without a value, a copy of `source`'s. Allocates. */
  copyValue(source: Ref, target: Ref): void {
    const { entries, table, inner: walk, expiring } = this
    const isExpiring = entries.hasExpiringFields(source)
    const isTable = this.isTable(source)
    const root = this.root(source)
    const copy = isTable ? this.createRoot(HashEncoding.TABLE, table.count(root)) : this.listpacks.copy(root)
    entries.setValue(target, isExpiring ? expiring.createRecord(copy, isTable) : copy)
    if (!isTable) return
    if (isExpiring && expiring.index.count(expiring.indexOf(source)) > 0) this.copyExpiring(source, target, copy)
    for (walk.begin(source); walk.next(); ) if (walk.due === 0) this.copyField(copy)
  }

  /** Copies the fields that expire, in the order of their index: so each belongs behind all that the new one has. In
   *  any other order its place would be sought, and among many that are due at once by their names. Allocates. */
  private copyExpiring(source: Ref, target: Ref, copy: Ref): void {
    const { expiring, inner: walk, due } = this
    walk.aim(source)
    for (expiring.index.seekEnd(expiring.indexOf(source), false, due); due.member !== NONE; due.next()) {
      walk.goTo(due.member)
      expiring.indexField(target, this.copyField(copy))
    }
  }

  /** Gives a table a copy of the field that the walk is at. Allocates. */
  private copyField(copy: Ref): Ref {
    const walk = this.inner
    walk.locate()
    const { bytes, pos, len } = walk
    const hash = hashBytes(bytes, pos, len)
    const field = this.fields.create(bytes, pos, len, walk.valueBytes, walk.valuePos, walk.valueLen, walk.due)
    this.table.insert(copy, field, hash)
    return field
  }

  verify(entry: Ref): void {
    const { table, listpacks } = this
    const root = this.root(entry)
    assert(this.size(entry) > 0, 'there are no empty hashes')
    if (this.entries.hasExpiringFields(entry)) this.expiring.verify(entry)
    if (!this.isTable(entry)) {
      listpacks.verify(root)
      if (this.entries.encoding(entry) === HashEncoding.LISTPACK) {
        assert(listpacks.count(root) % 2 === 0, 'each field has a value')
      }
      return
    }
    table.verify(root)
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(root, position)
      for (let index = 0; index < table.foundCount; index++) this.fields.verify(table.found[index]! as Ref)
    }
  }
}

const ENCODING_NAMES = ['listpack', 'hashtable', 'listpackex', 'hashtable']
/** Told in the digest of a field that expires, as Redis does. */
const EXPIRES_MARK = fromLatin1('!!hexpire!!')

export function hashKind(hashes: Hashes, entries: Entries): Kind {
  const walk = new HashWalk(entries)
  const pair = new Digest()
  return {
    type: Type.HASH,
    name: 'hash',
    encodingName: (entry) => ENCODING_NAMES[entries.encoding(entry)]!,
    freeValue: (entry) => hashes.freeValue(entry),
    valueBytes: (entry) => hashes.valueBytes(entry),
    copyValue: (source, target) => hashes.copyValue(source, target),
    length: (entry) => hashes.size(entry),
    memberTable: (entry) => hashes.tableOf(entry),
    digest: (entry, into) => {
      for (walk.begin(entry); walk.next(); ) {
        walk.locate()
        pair.reset()
        pair.mix(walk.bytes, walk.pos, walk.len)
        pair.mix(walk.valueBytes, walk.valuePos, walk.valueLen)
        if (walk.due !== 0) pair.xor(EXPIRES_MARK, 0, EXPIRES_MARK.length)
        into.xorDigest(pair)
      }
    },
    compact: (entry, cursor) => compactHash(hashes, entries, entry, cursor),
    verify: (entry) => hashes.verify(entry),
  }
}
