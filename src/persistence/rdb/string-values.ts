/* Strings in RDB files: one string, in whichever of its forms. */

import { StringEncoding, Type } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { Strings } from '../../keyspace/strings.ts'
import { copyBytes } from '../../lib/bytes.ts'
import { INT64_LEN_MAX, type Int64, parseInt64 } from '../../lib/int64.ts'
import type { Ref } from '../../memory/memory.ts'
import { RDB_STRING } from './format.ts'
import { Form, type RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

export function stringValues(keyspace: Keyspace): ValueFormat {
  const { entries, strings } = keyspace
  // A snapshot saves in the midst of commands: what they have located must stay located.
  const saved = new Strings(entries)

  function save(entry: Ref, writer: RdbWriter): void {
    if (entries.encoding(entry) === StringEncoding.INT) return writer.integer(entries.integer(entry))
    saved.locate(entry)
    writer.string(saved.bytes, saved.pos, saved.len)
  }

  function load(_: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    reader.head()
    if (reader.form === Form.INTEGER) return strings.makeInteger(key.bytes, 0, key.len, reader.value, expiry)
    if (reader.len <= INT64_LEN_MAX) return loadShort(reader, key, expiry)
    const entry = strings.make(key.bytes, 0, key.len, reader.len, expiry)
    try {
      reader.takeInto(strings.bytes, strings.pos)
    } catch (error) {
      keyspace.freeEntry(entry)
      throw error
    }
    return entry
  }

  /** A string that may read as an integer of more than 32 bits. */
  function loadShort(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    reader.take()
    const { bytes, pos, len } = reader
    const integer = parseInt64(bytes, pos, len)
    if (integer !== undefined) return strings.makeInteger(key.bytes, 0, key.len, integer, expiry)
    const entry = strings.make(key.bytes, 0, key.len, len, expiry)
    copyBytes(bytes, pos, strings.bytes, strings.pos, len)
    return entry
  }

  function skip(_: number, reader: RdbReader): void {
    reader.head()
    reader.skip()
  }

  return { type: Type.STRING, rdbTypes: [RDB_STRING], rdbType: () => RDB_STRING, save, load, skip }
}
