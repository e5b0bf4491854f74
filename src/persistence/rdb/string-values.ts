/* Strings in RDB files: one string, in whichever of its forms. */

import type { Database } from '../../keyspace/database.ts'
import { StringEncoding, Type } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import type { Int64 } from '../../lib/int64.ts'
import { NONE, type Ref } from '../../memory/memory.ts'
import { RDB_STRING } from './format.ts'
import { Form, type RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

/** Longer strings are read to where they stay, at the cost of one more lookup: no second copy of them is made. */
const COPIED_LEN_MAX = 64 * 1024

export function stringValues({ entries, strings }: Keyspace): ValueFormat {
  function save(entry: Ref, writer: RdbWriter): void {
    if (entries.encoding(entry) === StringEncoding.INT) return writer.integer(entries.integer(entry))
    strings.locate(entry)
    writer.string(strings.bytes, strings.pos, strings.len)
  }

  function load(_: number, reader: RdbReader, db: Database, key: LoadedKey, expiry: Int64 | undefined): void {
    reader.head()
    if (reader.form === Form.INTEGER) {
      strings.storeInteger(db, NONE, key.bytes, 0, key.len, reader.value, expiry)
    } else if (reader.len <= COPIED_LEN_MAX) {
      reader.take()
      strings.store(db, NONE, key.bytes, 0, key.len, reader.bytes, reader.pos, reader.len, expiry)
    } else loadLong(reader, db, key, expiry)
  }

  function loadLong(reader: RdbReader, db: Database, key: LoadedKey, expiry: Int64 | undefined): void {
    strings.add(db, key.bytes, 0, key.len, reader.len)
    reader.takeInto(strings.bytes, strings.pos)
    if (expiry !== undefined) db.setExpiry(db.lookup(key.bytes, 0, key.len), expiry)
  }

  function skip(_: number, reader: RdbReader): void {
    reader.head()
    reader.skip()
  }

  return { type: Type.STRING, rdbTypes: [RDB_STRING], rdbType: () => RDB_STRING, save, load, skip }
}
