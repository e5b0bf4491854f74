/* Hashes in RDB files: fields and values one after the other, or a listpack as it is. Ziplists and zipmaps, which older
 * versions wrote, are read. */
import { HashEncoding, Type } from '../../keyspace/entry.ts'
import { HashWalk } from '../../keyspace/hash-walk.ts'
import type { Hashes } from '../../keyspace/hashes.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import type { Int64 } from '../../lib/int64.ts'
import { NONE, posOf, type Ref } from '../../memory/memory.ts'
import { Listpacks } from '../../structures/listpack.ts'
import { RDB_HASH, RDB_HASH_LISTPACK, RDB_HASH_ZIPLIST, RDB_HASH_ZIPMAP } from './format.ts'
import { PackedReader } from './packed.ts'
import type { RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

/** Room for fields that is kept; a longer one's lasts until it is in its hash. */
const FIELD_SIZE = 64 * 1024

export function hashValues(keyspace: Keyspace): ValueFormat {
  const { entries, memory, hashes } = keyspace
  const walk = new HashWalk(entries)
  const listpacks = new Listpacks(memory)
  const loader = new HashLoader(keyspace)

  function rdbType(entry: Ref): number {
    return entries.encoding(entry) === HashEncoding.LISTPACK ? RDB_HASH_LISTPACK : RDB_HASH
  }

  function save(entry: Ref, writer: RdbWriter): void {
    if (entries.encoding(entry) === HashEncoding.LISTPACK) {
      const root = entries.value(entry) as Ref
      return writer.string(memory.bytesOf(root), posOf(root), listpacks.size(root))
    }
    writer.length(hashes.size(entry))
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      writer.string(walk.bytes, walk.pos, walk.len)
      writer.string(walk.valueBytes, walk.valuePos, walk.valueLen)
    }
  }

  function skip(type: number, reader: RdbReader): void {
    for (let left = type === RDB_HASH ? reader.length() * 2 : 1; left > 0; left--) {
      reader.head()
      reader.skip()
    }
  }

  return {
    type: Type.HASH,
    rdbTypes: [RDB_HASH, RDB_HASH_ZIPMAP, RDB_HASH_ZIPLIST, RDB_HASH_LISTPACK],
    rdbType,
    save,
    load: (type, reader, key, expiry) => loader.load(type, reader, key, expiry),
    skip,
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
    if (type === RDB_HASH) return this.loadFields(reader, key, expiry)
    const { hashes } = this
    const root = this.readPacked(type, reader)
    if (root === NONE) return NONE
    const entry = hashes.adopt(HashEncoding.LISTPACK, root, key.bytes, 0, key.len, expiry)
    hashes.fit(entry)
    if (type === RDB_HASH_ZIPMAP) hashes.expect(entry, this.lengths.fill(this.packed.longest), 0, 2)
    return entry
  }

  private readPacked(type: number, reader: RdbReader): Ref {
    if (type === RDB_HASH_LISTPACK) return this.packed.readListpack(reader, true)
    return type === RDB_HASH_ZIPLIST ? this.packed.readZiplist(reader) : this.packed.readZipmap(reader)
  }

  private loadFields(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const { hashes } = this
    const count = reader.length()
    if (count === 0) return NONE
    if (count > reader.remaining) reader.refuse('A hash of no possible size')
    const large = count > hashes.listpackCountMax
    const encoding = large ? HashEncoding.TABLE : HashEncoding.LISTPACK
    const entry = hashes.create(encoding, key.bytes, 0, key.len, large ? count : 0, expiry)
    try {
      for (let left = count; left > 0; left--) this.setField(entry, reader)
    } catch (error) {
      this.keyspace.freeEntry(entry)
      throw error
    }
    return entry
  }

  private setField(entry: Ref, reader: RdbReader): void {
    reader.head()
    const len = reader.len
    const field = len <= FIELD_SIZE ? this.field : new Uint8Array(len)
    reader.takeInto(field, 0)
    reader.head()
    reader.take()
    const isNew = this.hashes.set(entry, field, 0, len, reader.bytes, reader.pos, reader.len)
    if (!isNew) reader.refuse('Duplicate hash fields detected')
  }
}
