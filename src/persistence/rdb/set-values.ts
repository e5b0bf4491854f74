/* Sets in RDB files: their members one after the other, or an intset or a listpack as it is. A listpack is written
 * member by member: before 7.2 Redis knew none in sets. */
import { SetEncoding, Type } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { SetWalk } from '../../keyspace/set-walk.ts'
import type { Int64 } from '../../lib/int64.ts'
import { posOf, type Ref } from '../../memory/memory.ts'
import { Intsets, validateIntset } from '../../structures/intset.ts'
import { Listpacks, validateListpack } from '../../structures/listpack.ts'
import { RDB_SET, RDB_SET_INTSET, RDB_SET_LISTPACK } from './format.ts'
import type { RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

export function setValues(keyspace: Keyspace): ValueFormat {
  const { entries, memory, sets } = keyspace
  const walk = new SetWalk(entries)
  const intsets = new Intsets(memory)
  const listpacks = new Listpacks(memory)

  function rdbType(entry: Ref): number {
    return entries.encoding(entry) === SetEncoding.INTSET ? RDB_SET_INTSET : RDB_SET
  }

  function save(entry: Ref, writer: RdbWriter): void {
    if (entries.encoding(entry) === SetEncoding.INTSET) {
      const root = entries.value(entry) as Ref
      return writer.string(memory.bytesOf(root), posOf(root), intsets.size(root))
    }
    writer.length(sets.size(entry))
    for (walk.begin(entry); walk.next(); ) {
      if (walk.isInteger) writer.integer(walk.integer)
      else writer.string(walk.bytes, walk.pos, walk.len)
    }
  }

  function load(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    if (type === RDB_SET) return loadMembers(reader, key, expiry)
    reader.head()
    reader.take()
    const { bytes, pos, len } = reader
    if (type === RDB_SET_INTSET) {
      if (!validateIntset(bytes, pos, len)) reader.refuse('An intset is not sound')
      const entry = sets.adopt(SetEncoding.INTSET, intsets.fromBytes(bytes, pos, len), key.bytes, 0, key.len, expiry)
      sets.expect(entry, sets.size(entry))
      return entry
    }
    if (validateListpack(bytes, pos, len) < 1) reader.refuse('A listpack is not sound')
    const entry = sets.adopt(SetEncoding.LISTPACK, listpacks.fromBytes(bytes, pos, len), key.bytes, 0, key.len, expiry)
    sets.expect(entry, sets.size(entry))
    return entry
  }

  function loadMembers(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const count = reader.length()
    if (count === 0 || count > reader.remaining) reader.refuse('A set of no possible size')
    const large = count > sets.intsetCountMax
    const encoding = large ? SetEncoding.TABLE : SetEncoding.INTSET
    const entry = sets.create(encoding, key.bytes, 0, key.len, large ? count : 0, expiry)
    for (let left = count; left > 0; left--) {
      reader.head()
      reader.take()
      if (!sets.add(entry, reader.bytes, reader.pos, reader.len)) reader.refuse('A member of a set stands there twice')
    }
    return entry
  }

  function skip(type: number, reader: RdbReader): void {
    for (let left = type === RDB_SET ? reader.length() : 1; left > 0; left--) {
      reader.head()
      reader.skip()
    }
  }

  return { type: Type.SET, rdbTypes: [RDB_SET, RDB_SET_INTSET, RDB_SET_LISTPACK], rdbType, save, load, skip }
}
