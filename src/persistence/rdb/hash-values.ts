/* Hashes in RDB files: fields and values one after the other, or a listpack as it is. Ziplists and zipmaps, which older
 * versions wrote, are read. Hashes with fields that expire are Redis 7.4's, and written only where there are such:
 *
 *   24   | first due, 8 bytes | count | due, field, value | due, field, value | …
 *   25   | first due, 8 bytes | listpack of field, value, due … |
 *
 * In the former a field's moment is 0 if it never is due, and else counted from one before the first. Valkey's hash
 * (RDB_HASH_VALKEY) has it as eight bytes behind the value, -1 if it never is due. */
import { HashEncoding, Type } from '../../keyspace/entry.ts'
import { TRIPLE } from '../../keyspace/expiring-hashes.ts'
import { HashWalk } from '../../keyspace/hash-walk.ts'
import type { Hashes } from '../../keyspace/hashes.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { type Int64, toNumber } from '../../lib/int64.ts'
import { NONE, posOf, type Ref } from '../../memory/memory.ts'
import { Listpacks } from '../../structures/listpack.ts'
import {
  RDB_HASH,
  RDB_HASH_EXPIRING,
  RDB_HASH_EXPIRING_RC,
  RDB_HASH_LISTPACK,
  RDB_HASH_LISTPACK_EX,
  RDB_HASH_LISTPACK_EX_RC,
  RDB_HASH_VALKEY,
  RDB_HASH_ZIPLIST,
  RDB_HASH_ZIPMAP,
} from './format.ts'
import { PackedReader } from './packed.ts'
import type { RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

/** Room for fields that is kept; a longer one's lasts until it is in its hash. */
const FIELD_SIZE = 64 * 1024

const EXPIRING = [RDB_HASH_EXPIRING_RC, RDB_HASH_LISTPACK_EX_RC, RDB_HASH_EXPIRING, RDB_HASH_LISTPACK_EX]
// Instead of the moment that the others are counted from:
const NOT_EXPIRING = -1
const VALKEY = -2
/** The latest moment that Redis takes. */
const DUE_MAX = 2 ** 48 - 1

export function hashValues(keyspace: Keyspace): ValueFormat {
  const { entries, memory, hashes } = keyspace
  const walk = new HashWalk(entries)
  const listpacks = new Listpacks(memory)
  const loader = new HashLoader(keyspace)

  function rdbType(entry: Ref): number {
    const isTable = hashes.isTable(entry)
    if (!entries.hasExpiringFields(entry)) return isTable ? RDB_HASH : RDB_HASH_LISTPACK
    if (hashes.expiring.nextDue(entry) === 0) return RDB_HASH
    return isTable ? RDB_HASH_EXPIRING : RDB_HASH_LISTPACK_EX
  }

  function save(entry: Ref, writer: RdbWriter): void {
    const type = rdbType(entry)
    const firstDue = type > RDB_HASH_LISTPACK ? hashes.expiring.nextDue(entry) : 0
    if (firstDue !== 0) writer.int64(firstDue)
    if (type === RDB_HASH_LISTPACK || type === RDB_HASH_LISTPACK_EX) {
      const root = hashes.root(entry)
      return writer.string(memory.bytesOf(root), posOf(root), listpacks.size(root))
    }
    writer.length(hashes.size(entry))
    for (walk.begin(entry); walk.next(); ) {
      if (firstDue !== 0) writer.length(walk.due === 0 ? 0 : walk.due - firstDue + 1)
      walk.locate()
      writer.string(walk.bytes, walk.pos, walk.len)
      writer.string(walk.valueBytes, walk.valuePos, walk.valueLen)
    }
  }

  function skip(type: number, reader: RdbReader): void {
    if (type === RDB_HASH_VALKEY) return skipValkey(reader)
    if (type >= RDB_HASH_EXPIRING) reader.int64()
    const hasDues = type === RDB_HASH_EXPIRING || type === RDB_HASH_EXPIRING_RC
    for (let left = type === RDB_HASH || hasDues ? reader.length() * 2 : 1; left > 0; left--) {
      if (hasDues && left % 2 === 0) reader.length()
      reader.head()
      reader.skip()
    }
  }

  return {
    type: Type.HASH,
    rdbTypes: [RDB_HASH, RDB_HASH_ZIPMAP, RDB_HASH_ZIPLIST, RDB_HASH_LISTPACK, ...EXPIRING, RDB_HASH_VALKEY],
    rdbType,
    save,
    load: (type, reader, key, expiry) => loader.load(type, reader, key, expiry),
    skip,
  }
}

function skipValkey(reader: RdbReader): void {
  for (let left = reader.length(); left > 0; left--) {
    reader.head()
    reader.skip()
    reader.head()
    reader.skip()
    reader.int64()
  }
}

class HashLoader {
  private readonly keyspace: Keyspace
  private readonly hashes: Hashes
  private readonly packed: PackedReader
  private readonly field = new Uint8Array(FIELD_SIZE)
  private readonly lengths = new Int32Array(2)

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace
    this.hashes = keyspace.hashes
    this.packed = new PackedReader(keyspace.memory, 'hash ')
  }

  load(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const { hashes } = this
    if (type === RDB_HASH_VALKEY) return this.loadFields(reader, key, expiry, VALKEY)
    const firstDue = type >= RDB_HASH_EXPIRING ? toNumber(reader.int64()) : 0
    if (firstDue < 0 || firstDue > DUE_MAX) reader.refuse('A hash whose fields expire at no possible time')
    if (type === RDB_HASH) return this.loadFields(reader, key, expiry, NOT_EXPIRING)
    if (type === RDB_HASH_EXPIRING) return this.loadFields(reader, key, expiry, firstDue)
    if (type === RDB_HASH_EXPIRING_RC) return this.loadFields(reader, key, expiry, 1)
    if (type === RDB_HASH_LISTPACK_EX || type === RDB_HASH_LISTPACK_EX_RC) return this.loadTriples(reader, key, expiry)
    const root = this.readPacked(type, reader)
    if (root === NONE) return NONE
    const entry = hashes.adopt(HashEncoding.LISTPACK, root, key.bytes, 0, key.len, expiry)
    hashes.fit(entry)
    if (type === RDB_HASH_ZIPMAP) hashes.expect(entry, this.lengths.fill(this.packed.longest), 0, 2)
    return entry
  }

  private readPacked(type: number, reader: RdbReader): Ref {
    if (type === RDB_HASH_LISTPACK) return this.packed.readListpack(reader, 2)
    return type === RDB_HASH_ZIPLIST ? this.packed.readZiplist(reader) : this.packed.readZipmap(reader)
  }

  private loadTriples(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const { hashes } = this
    const { expiring } = hashes
    const root = this.packed.readListpack(reader, TRIPLE)
    if (root === NONE) return NONE
    const encoding = HashEncoding.LISTPACK_EX
    const entry = hashes.adopt(encoding, expiring.createRecord(root, false), key.bytes, 0, key.len, expiry)
    if (!expiring.isOrdered(root, DUE_MAX)) {
      this.keyspace.freeEntry(entry)
      reader.refuse('The fields of a hash are not in the order in which they expire')
    }
    hashes.fit(entry)
    return entry
  }

  /** `firstDue` is what the fields' moments are counted from; or NOT_EXPIRING, or VALKEY. */
  private loadFields(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined, firstDue: number): Ref {
    const { hashes } = this
    const count = reader.length()
    if (count === 0) return NONE
    if (count > reader.remaining) reader.refuse('A hash of no possible size')
    const large = count > hashes.listpackCountMax
    const encoding = large ? HashEncoding.TABLE : HashEncoding.LISTPACK
    const entry = hashes.create(encoding, key.bytes, 0, key.len, large ? count : 0, expiry)
    if (firstDue !== NOT_EXPIRING) hashes.letExpire(entry)
    try {
      for (let left = count; left > 0; left--) this.setField(entry, reader, firstDue)
    } catch (error) {
      this.keyspace.freeEntry(entry)
      throw error
    }
    return entry
  }

  private setField(entry: Ref, reader: RdbReader, firstDue: number): void {
    const { hashes } = this
    const counted = firstDue < 0 ? 0 : reader.length()
    let due = counted === 0 ? 0 : counted + firstDue - 1
    reader.head()
    const len = reader.len
    const field = len <= FIELD_SIZE ? this.field : new Uint8Array(len)
    reader.takeInto(field, 0)
    reader.head()
    reader.take()
    const isNew = hashes.set(entry, field, 0, len, reader.bytes, reader.pos, reader.len)
    if (!isNew) reader.refuse('Duplicate hash fields detected')
    if (firstDue === VALKEY) due = Math.max(0, toNumber(reader.int64()))
    if (due > DUE_MAX) reader.refuse('A field that expires at no possible time')
    if (due === 0) return
    hashes.expiring.seek(entry, field, 0, len)
    hashes.expiring.setDue(entry, field, 0, len, due)
  }
}
