/* Payloads: values on their own, as DUMP gives them, RESTORE takes them and MIGRATE sends them.
 *
 *   | type | value, as in a file | version, 2 bytes | CRC-64 of all that, 8 bytes |      numbers are little-endian
 *
 * The version is the lowest that knows the type. Whoever sends a payload is trusted even less than a file: the reader
 * is thorough, and works on the bytes where they lie. FUNCTION DUMP's payloads have the same end. */

import type { Keyspace } from '../../keyspace/keyspace.ts'
import { STRING_LEN_MAX } from '../../keyspace/strings.ts'
import { copyBytes, littleWord } from '../../lib/bytes.ts'
import { Crc64 } from '../../lib/crc64.ts'
import type { Int64 } from '../../lib/int64.ts'
import { NONE, type Ref } from '../../memory/memory.ts'
import { isKnownVersion, Opcode, typeIn, typeName, VERSION_WRITTEN, versionOf } from './format.ts'
import { RdbError, RdbReader } from './reader.ts'
import { hintedAccess, type ValueFormats } from './values.ts'
import { RdbWriter, type Sink } from './writer.ts'

const VERSION_SIZE = 2
const FOOTER_SIZE = VERSION_SIZE + 8
/** Room that is kept: for a payload, and for the name of a key. */
const KEPT_SIZE = 64 * 1024

const checksum = new Crc64()

function versionAt(bytes: Uint8Array, footer: number): number {
  return bytes[footer]! | (bytes[footer + 1]! << 8)
}

/** Whether bytes end as a payload does. */
function isPayload(bytes: Uint8Array, pos: number, len: number, skipChecksum: boolean): boolean {
  if (len < FOOTER_SIZE) return false
  const footer = pos + len - FOOTER_SIZE
  if (!isKnownVersion(versionAt(bytes, footer))) return false
  if (skipChecksum) return true
  const sum = footer + VERSION_SIZE
  checksum.reset()
  checksum.update(bytes, pos, sum - pos)
  return littleWord(bytes, sum) === checksum.low && littleWord(bytes, sum + 4) === checksum.high
}

/** Keeps what is written in one piece: in the chunk that it was written to, unless that was filled. */
class PayloadSink implements Sink {
  readonly chunk = new Uint8Array(KEPT_SIZE)
  bytes = this.chunk
  len = 0
  /** No more follows. */
  private ends = false

  /** Begins anew; what a long payload took is given back. */
  clear(): void {
    this.bytes = this.chunk
    this.len = 0
    this.ends = false
  }

  take(chunk: Uint8Array, len: number): Uint8Array {
    if (this.ends && this.len === 0) {
      this.len = len
      return chunk
    }
    this.makeRoom(len)
    copyBytes(chunk, 0, this.bytes, this.len, len)
    this.len += len
    return chunk
  }

  /** Makes room behind what is there, and never in the chunk, which is written to again. */
  private makeRoom(len: number): void {
    const needed = this.len + len + FOOTER_SIZE
    if (this.bytes !== this.chunk && needed <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    copyBytes(this.bytes, 0, larger, 0, this.len)
    this.bytes = larger
  }

  /** Takes what the writer still has, and puts the footer behind it. */
  finish(writer: RdbWriter, version: number): void {
    this.ends = true
    writer.flush()
    if (this.len + FOOTER_SIZE > this.bytes.length) this.makeRoom(0)
    const { bytes, len } = this
    bytes[len] = version & 255
    bytes[len + 1] = version >>> 8
    checksum.reset()
    checksum.update(bytes, 0, len + VERSION_SIZE)
    this.len = checksum.write(bytes, len + VERSION_SIZE)
  }
}

export class Payloads {
  /** rdbcompression. */
  readonly options = { checksum: false, compression: true }
  /** DEBUG SET-SKIP-CHECKSUM-VALIDATION. */
  skipChecksum = false
  /** Told why a payload that is sound is no value, and where in it that was seen. */
  onRefused: (reason: string, offset: number) => void = () => {}
  private readonly keyspace: Keyspace
  private readonly formats: ValueFormats
  private readonly sink = new PayloadSink()
  private readonly writer = new RdbWriter(this.sink, this.options, this.sink.chunk)
  private readonly reader: RdbReader
  private readonly key = { bytes: new Uint8Array(KEPT_SIZE), len: 0 }
  private readonly keyKept = this.key.bytes

  constructor(keyspace: Keyspace, formats: ValueFormats) {
    this.keyspace = keyspace
    this.formats = formats
    this.reader = new RdbReader({ size: 0, read: () => 0 }, false, STRING_LEN_MAX, 0)
    this.reader.thorough = true
  }

  /** The payload that `dump` made: `bytes` from 0 to `len`, until the next one. */
  get bytes(): Uint8Array {
    return this.sink.bytes
  }
  get len(): number {
    return this.sink.len
  }

  /** Makes a payload of an entry's value; false if values of its type cannot be written. */
  dump(entry: Ref): boolean {
    const { sink, writer } = this
    sink.clear()
    const format = this.formats.of(this.keyspace.entries.type(entry))
    if (format === undefined) return false
    const rdbType = format.rdbType(entry)
    writer.byte(rdbType)
    format.save(entry, writer)
    sink.finish(writer, versionOf(rdbType))
    return true
  }

  /** Makes a payload of libraries of functions. */
  dumpFunctions(codes: Iterable<Uint8Array>): void {
    const { sink, writer } = this
    sink.clear()
    for (const code of codes) {
      writer.byte(Opcode.FUNCTION)
      writer.string(code, 0, code.length)
    }
    sink.finish(writer, VERSION_WRITTEN)
  }

  /** Listpacks and intsets that were examined. */
  get examined(): number {
    return this.reader.examined
  }

  /** Whether bytes end as a payload does. */
  isSound(bytes: Uint8Array, pos: number, len: number): boolean {
    return isPayload(bytes, pos, len, this.skipChecksum)
  }

  /** The codes in a payload of libraries, which is sound; undefined if there is anything else in it. */
  functionsIn(bytes: Uint8Array, pos: number, len: number): Uint8Array[] | undefined {
    const { reader } = this
    const codes: Uint8Array[] = []
    try {
      for (reader.restart(bytes, pos, len - FOOTER_SIZE); reader.remaining > 0; ) {
        if (reader.byte() !== Opcode.FUNCTION) return undefined
        reader.head()
        reader.take()
        codes.push(reader.bytes.slice(reader.pos, reader.pos + reader.len))
      }
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      return undefined
    }
    return codes
  }

  /** Makes an entry, of no database yet, of a payload that is sound; NONE if there is no value in it. `idleSeconds` and
   *  `frequency` are negative if they are not known. Allocates. */
  restore(
    bytes: Uint8Array,
    pos: number,
    len: number,
    keyBytes: Uint8Array,
    keyPos: number,
    keyLen: number,
    expiry: Int64 | undefined,
    idleSeconds: number,
    frequency: number,
  ): Ref {
    const { reader, key, keyspace } = this
    const { entries } = keyspace
    const fresh = entries.freshAccess
    key.bytes = keyLen <= KEPT_SIZE ? this.keyKept : new Uint8Array(keyLen)
    key.len = keyLen
    copyBytes(keyBytes, keyPos, key.bytes, 0, keyLen)
    reader.restart(bytes, pos, len - FOOTER_SIZE)
    try {
      const rdbType = typeIn(versionAt(bytes, pos + len - FOOTER_SIZE), reader.byte())
      const format = this.formats.reading(rdbType)
      if (format === undefined)
        return reader.refuse(`Values of type ${typeName(rdbType) ?? rdbType} cannot be restored`, 1)
      entries.freshAccess = hintedAccess(keyspace.clock, idleSeconds, frequency, fresh)
      const entry = format.load(rdbType, reader, key, expiry)
      if (entry === NONE) this.onRefused('A value without elements', reader.offset)
      return entry
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      this.onRefused(error.message, error.offset)
      return NONE
    } finally {
      entries.freshAccess = fresh
      key.bytes = this.keyKept
      reader.restart(this.keyKept, 0, 0) // the payload is its owner's again
    }
  }
}
