/* How many bytes a value takes in an RDB file, its type left out: what DEBUG OBJECT calls serializedlength. */
import type { Ref } from '../../../memory/memory.ts'
import type { ValueFormat } from '../../../persistence/rdb/values.ts'
import { RdbWriter, type Sink } from '../../../persistence/rdb/writer.ts'

/** Keeps nothing: the writer counts. */
const nowhere: Sink = { take: (chunk) => chunk }

/** Room for what is counted. */
const CHUNK_SIZE = 4096

export function savedLength(format: ValueFormat, entry: Ref, compression: boolean): number {
  const writer = new RdbWriter(nowhere, { checksum: false, compression }, new Uint8Array(CHUNK_SIZE))
  format.save(entry, writer)
  return writer.size
}
