/* Sets in RDB files: their members one after the other, or an intset or a listpack as it is. A listpack is written
 * member by member: before 7.2 Redis knew none in sets. */
import { SetEncoding, Type } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { SetWalk } from '../../keyspace/set-walk.ts'
import type { Sets } from '../../keyspace/sets.ts'
import type { Int64 } from '../../lib/int64.ts'
import { NONE, posOf, type Ref } from '../../memory/memory.ts'
import { Intsets, validateIntset } from '../../structures/intset.ts'
import { RDB_SET, RDB_SET_INTSET, RDB_SET_LISTPACK } from './format.ts'
import { PackedReader } from './packed.ts'
import type { RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

export function setValues(keyspace: Keyspace): ValueFormat {
  const { entries, memory, sets } = keyspace
  const walk = new SetWalk(entries)
  const intsets = new Intsets(memory)
  const loader = new SetLoader(keyspace)

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

  function skip(type: number, reader: RdbReader): void {
    for (let left = type === RDB_SET ? reader.length() : 1; left > 0; left--) {
      reader.head()
      reader.skip()
    }
  }

  return {
    type: Type.SET,
    rdbTypes: [RDB_SET, RDB_SET_INTSET, RDB_SET_LISTPACK],
    rdbType,
    save,
    load: (type, reader, key, expiry) => loader.load(type, reader, key, expiry),
    skip,
  }
}

class SetLoader {
  private readonly keyspace: Keyspace
  private readonly sets: Sets
  private readonly intsets: Intsets
  private readonly packed: PackedReader

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace
    this.sets = keyspace.sets
    this.intsets = new Intsets(keyspace.memory)
    this.packed = new PackedReader(keyspace.memory, 'set ')
  }

  load(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    if (type === RDB_SET) return this.loadMembers(reader, key, expiry)
    const isIntset = type === RDB_SET_INTSET
    const root = isIntset ? this.readIntset(reader) : this.packed.readListpack(reader, 1)
    if (root === NONE) return NONE
    const encoding = isIntset ? SetEncoding.INTSET : SetEncoding.LISTPACK
    const entry = this.sets.adopt(encoding, root, key.bytes, 0, key.len, expiry)
    this.sets.expect(entry, this.sets.size(entry))
    return entry
  }

  private readIntset(reader: RdbReader): Ref {
    reader.head()
    reader.take()
    const { bytes, pos, len } = reader
    if (reader.thorough) reader.examined++
    if (!validateIntset(bytes, pos, len)) reader.refuse('Intset integrity check failed')
    return this.intsets.fromBytes(bytes, pos, len)
  }

  private loadMembers(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const { sets } = this
    const count = reader.length()
    if (count === 0) return NONE
    if (count > reader.remaining) reader.refuse('A set of no possible size')
    const large = count > sets.intsetCountMax
    const encoding = large ? SetEncoding.TABLE : SetEncoding.INTSET
    const entry = sets.create(encoding, key.bytes, 0, key.len, large ? count : 0, expiry)
    try {
      for (let left = count; left > 0; left--) this.addMember(entry, reader)
    } catch (error) {
      this.keyspace.freeEntry(entry)
      throw error
    }
    return entry
  }

  private addMember(entry: Ref, reader: RdbReader): void {
    reader.head()
    reader.take()
    const isNew = this.sets.add(entry, reader.bytes, reader.pos, reader.len)
    if (!isNew) reader.refuse('Duplicate set members detected')
  }
}
