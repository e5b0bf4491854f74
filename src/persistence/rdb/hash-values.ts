/* Hashes in RDB files: fields and values one after the other, or a listpack as it is. */
import { HashEncoding, Type } from '../../keyspace/entry.ts'
import { HashWalk } from '../../keyspace/hash-walk.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import type { Int64 } from '../../lib/int64.ts'
import { posOf, type Ref } from '../../memory/memory.ts'
import { Listpacks, validateListpack } from '../../structures/listpack.ts'
import { RDB_HASH, RDB_HASH_LISTPACK } from './format.ts'
import type { RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

export function hashValues(keyspace: Keyspace): ValueFormat {
  const { entries, memory, hashes } = keyspace
  const walk = new HashWalk(entries)
  const listpacks = new Listpacks(memory)
  let field = new Uint8Array(64)

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

  function load(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    return type === RDB_HASH ? loadFields(reader, key, expiry) : loadListpack(reader, key, expiry)
  }

  function loadFields(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const count = reader.length()
    if (count === 0 || count > reader.remaining) reader.refuse('A hash of no possible size')
    const large = count > hashes.listpackCountMax
    const encoding = large ? HashEncoding.TABLE : HashEncoding.LISTPACK
    const entry = hashes.create(encoding, key.bytes, 0, key.len, large ? count : 0, expiry)
    for (let left = count; left > 0; left--) {
      reader.head()
      const len = reader.len
      if (len > field.length) field = new Uint8Array(len)
      reader.takeInto(field, 0)
      reader.head()
      reader.take()
      const isNew = hashes.set(entry, field, 0, len, reader.bytes, reader.pos, reader.len)
      if (!isNew) reader.refuse('A field of a hash stands there twice')
    }
    return entry
  }

  function loadListpack(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    reader.head()
    reader.take()
    const count = validateListpack(reader.bytes, reader.pos, reader.len)
    if (count < 2 || count % 2 !== 0) reader.refuse('A listpack is not sound')
    const root = listpacks.fromBytes(reader.bytes, reader.pos, reader.len)
    const entry = hashes.adopt(HashEncoding.LISTPACK, root, key.bytes, 0, key.len, expiry)
    hashes.fit(entry)
    return entry
  }

  function skip(type: number, reader: RdbReader): void {
    for (let left = type === RDB_HASH ? reader.length() * 2 : 1; left > 0; left--) {
      reader.head()
      reader.skip()
    }
  }

  return { type: Type.HASH, rdbTypes: [RDB_HASH, RDB_HASH_LISTPACK], rdbType, save, load, skip }
}
