/* How many bytes a string takes in an RDB file, its type left out: what DEBUG OBJECT calls serializedlength. */
import { RdbWriter, type Sink } from '../../../persistence/rdb/writer.ts'

/** Keeps nothing: the writer counts. */
const nowhere: Sink = { take: (chunk) => chunk }

export function serializedLength(bytes: Uint8Array, pos: number, len: number, compression: boolean): number {
  const writer = new RdbWriter(nowhere, { checksum: false, compression })
  writer.string(bytes, pos, len)
  return writer.size
}
