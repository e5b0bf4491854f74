/* Payloads: values on their own, as DUMP gives them, RESTORE takes them and MIGRATE sends them.
 *
 *   | type | value, as in a file | version, 2 bytes | CRC-64 of all that, 8 bytes |      numbers are little-endian
 *
 * The version is the lowest that knows the type. Whoever sends a payload is trusted even less than a file: the reader
 * is thorough, and works on the bytes where they lie. FUNCTION DUMP's payloads have the same end. */

import type { Keyspace } from '../../keyspace/keyspace.ts'
import { STRING_LEN_MAX } from '../../keyspace/strings.ts'
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
export function isPayload(bytes: Uint8Array, pos: number, len: number, skipChecksum: boolean): boolean {
  if (len < FOOTER_SIZE) return false
  const footer = pos + len - FOOTER_SIZE
  if (!isKnownVersion(versionAt(bytes, footer))) return false
  if (skipChecksum) return true
  checksum.reset()
  checksum.update(bytes, pos, len - FOOTER_SIZE + VERSION_SIZE)
  const expected = new Uint8Array(8)
  checksum.write(expected, 0)
  return expected.every((byte, index) => byte === bytes[footer + VERSION_SIZE + index])
}

/** Keeps what is written in one piece, which grows. */
class PayloadSink implements Sink {
  private readonly kept = new Uint8Array(KEPT_SIZE)
  bytes = this.kept
  len = 0

  /** Begins anew; what a long payload took is given back. */
  clear(): void {
    this.bytes = this.kept
    this.len = 0
  }

  take(chunk: Uint8Array, len: number): Uint8Array {
    this.append(chunk, len)
    return chunk
  }

  private append(source: Uint8Array, len: number): void {
    if (this.len + len > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.len + len + FOOTER_SIZE, this.bytes.length * 2))
      larger.set(this.bytes)
      this.bytes = larger
    }
    this.bytes.set(len === source.length ? source : new Uint8Array(source.buffer, source.byteOffset, len), this.len)
    this.len += len
  }

  appendFooter(version: number): void {
    const footer = Uint8Array.of(version & 255, version >>> 8, 0, 0, 0, 0, 0, 0, 0, 0)
    this.append(footer, VERSION_SIZE)
    checksum.reset()
    checksum.update(this.bytes, 0, this.len)
    checksum.write(footer, 0)
    this.append(footer, FOOTER_SIZE - VERSION_SIZE)
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
  private readonly writer = new RdbWriter(this.sink, this.options, new Uint8Array(KEPT_SIZE))
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
    writer.flush()
    sink.appendFooter(versionOf(rdbType))
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
    writer.flush()
    sink.appendFooter(VERSION_WRITTEN)
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
    for (let index = 0; index < keyLen; index++) key.bytes[index] = keyBytes[keyPos + index]!
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
