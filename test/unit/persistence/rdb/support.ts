/* RDB files in memory: saved from a keyspace, loaded into one, or put together byte by byte. */
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { STRING_LEN_MAX } from '../../../../src/keyspace/strings.ts'
import { latin1 } from '../../../../src/lib/bytes.ts'
import { Crc64 } from '../../../../src/lib/crc64.ts'
import { type Int64, int64ToString } from '../../../../src/lib/int64.ts'
import { NONE, type Ref } from '../../../../src/memory/memory.ts'
import type { FunctionStore } from '../../../../src/persistence/rdb/functions.ts'
import { Hint } from '../../../../src/persistence/rdb/image.ts'
import { type LoaderOptions, type LoadLog, RdbLoader } from '../../../../src/persistence/rdb/loader.ts'
import { RdbReader, type Source } from '../../../../src/persistence/rdb/reader.ts'
import { RdbSaver } from '../../../../src/persistence/rdb/saver.ts'
import { ValueFormats } from '../../../../src/persistence/rdb/values.ts'
import { RdbWriter, type Sink, type WriterOptions } from '../../../../src/persistence/rdb/writer.ts'
import { SCAN_END } from '../../../../src/structures/table.ts'

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

/** Keeps what is written. Chunks are overwritten after they were taken, as those of a file are. */
export class Collector implements Sink {
  readonly parts: Uint8Array[] = []

  take(chunk: Uint8Array, len: number): Uint8Array {
    this.parts.push(chunk.slice(0, len))
    chunk.fill(0xee)
    return chunk
  }

  get all(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.parts))
  }
}

export type SaveOptions = Partial<WriterOptions> & {
  readonly hint?: Hint
  readonly chunkSize?: number
  readonly functions?: FunctionStore
}

export function save(keyspace: Keyspace, options: SaveOptions = {}): Uint8Array {
  const { checksum = true, compression = true, hint = Hint.NONE, chunkSize = 4096, functions = null } = options
  const sink = new Collector()
  const writer = new RdbWriter(sink, { checksum, compression }, new Uint8Array(chunkSize))
  const aux = { 'redis-ver': '7.2.4', 'redis-bits': 64, ctime: 1700000000, 'used-mem': 12345678, 'aof-base': 0 }
  const saver = new RdbSaver(keyspace, new ValueFormats(keyspace), writer, {
    hint,
    aux,
    keyDelay: 0,
    functions,
    compression,
  })
  while (saver.step());
  if (writer.size !== sink.all.length) throw new Error('the writer knows how much it has written')
  return sink.all
}

/** Gives out bytes in portions of random length, as a pipe does. */
export function sourceOf(bytes: Uint8Array, portionMax = Number.POSITIVE_INFINITY): Source {
  let at = 0
  return {
    size: bytes.length,
    read(target, pos, len) {
      const count = Math.min(len, bytes.length - at, portionMax)
      target.set(bytes.subarray(at, at + count), pos)
      at += count
      return count
    },
  }
}

export type LoadOptions = Partial<LoaderOptions> & {
  readonly keyspace?: Keyspace
  readonly bufferSize?: number
  readonly portionMax?: number
  readonly stringLenMax?: number
}

const silent: LoadLog = { debug() {}, info() {}, warn() {} }

export function loaderOf(bytes: Uint8Array, options: LoadOptions = {}): { loader: RdbLoader; keyspace: Keyspace } {
  const { keyspace = new Keyspace(16), bufferSize = 4096, portionMax, stringLenMax = STRING_LEN_MAX, ...rest } = options
  const { checksum = true } = rest
  const reader = new RdbReader(sourceOf(bytes, portionMax), checksum, stringLenMax, bufferSize)
  const formats = new ValueFormats(keyspace)
  const loader = new RdbLoader(keyspace, formats, reader, {
    log: silent,
    replace: false,
    keyDelay: 0,
    functions: null,
    ...rest,
    checksum,
  })
  return { loader, keyspace }
}

/** Loads a file into a keyspace, a new one if none is given. */
export function load(bytes: Uint8Array, options: LoadOptions = {}): Keyspace {
  const { loader, keyspace } = loaderOf(bytes, options)
  while (loader.step());
  return keyspace
}

export type Entry = { readonly value: string; readonly encoding: string; readonly expiry: string }

/** Everything in a database, by key. */
export function contentOf(keyspace: Keyspace, dbIndex: number): Map<string, Entry> {
  const { table, entries, strings, memory } = keyspace
  const content = new Map<string, Entry>()
  const { root } = keyspace.databases[dbIndex]!
  for (let position = 0; position !== SCAN_END; ) {
    position = table.scan(root, position)
    for (let index = 0; index < table.foundCount; index++) {
      const entry = table.found[index]! as Ref
      const key = latin1(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
      strings.locate(entry)
      content.set(key, {
        value: latin1(strings.bytes, strings.pos, strings.len),
        encoding: keyspace.kindOf(entry).encodingName(entry),
        expiry: entries.expires(entry) ? int64ToString(entries.expiry(entry)) : '',
      })
    }
  }
  return content
}

export const allContent = (keyspace: Keyspace): Map<string, Entry>[] =>
  keyspace.databases.map((db) => contentOf(keyspace, db.id))

/** Sets a key as SET does. */
export function set(keyspace: Keyspace, dbIndex: number, key: string, value: string, expiry?: Int64): void {
  const db = keyspace.databases[dbIndex]!
  const [keyBytes, bytes] = [bytesOf(key), bytesOf(value)]
  const found = db.lookup(keyBytes, 0, keyBytes.length)
  keyspace.strings.store(db, found, keyBytes, 0, keyBytes.length, bytes, 0, bytes.length, expiry)
}

/** The access word of a key. */
export function accessOf(keyspace: Keyspace, key: string): number {
  const bytes = bytesOf(key)
  const entry = keyspace.databases[0]!.lookup(bytes, 0, bytes.length)
  if (entry === NONE) throw new Error(`no key ${key}`)
  return keyspace.entries.access(entry)
}

/** A file of these parts (latin1 text or bytes), with its head and, unless `ends` is false, its end and checksum. */
export function fileOf(parts: readonly (string | number)[], version = 10, ends = true): Uint8Array {
  const text = parts.map((part) => (typeof part === 'number' ? String.fromCharCode(part) : part)).join('')
  const file = bytesOf(`REDIS${String(version).padStart(4, '0')}${text}${ends ? '\xff' : ''}`)
  return ends && version >= 5 ? withChecksum(file) : file
}

/** The bytes with the checksum behind them. */
export function withChecksum(bytes: Uint8Array): Uint8Array {
  const sum = new Crc64()
  sum.update(bytes, 0, bytes.length)
  const whole = new Uint8Array(bytes.length + 8)
  whole.set(bytes)
  sum.write(whole, bytes.length)
  return whole
}

/** A short string as it stands in a file. */
export const short = (text: string): string => String.fromCharCode(text.length) + text

const little = (value: number, size: number): string =>
  Array.from({ length: size }, (_, at) => String.fromCharCode((value >>> (8 * at)) & 255)).join('')

/** A ziplist of these entries, of which the encodings are given, and what follows them. */
export function ziplistOf(entries: readonly string[], header: { tail?: number; count?: number } = {}): string {
  let text = ''
  let tail = 10
  let size = 0
  for (const entry of entries) {
    tail = 10 + text.length
    const prev = size < 254 ? String.fromCharCode(size) : `\xfe${little(size, 4)}`
    text += prev + entry
    size = prev.length + entry.length
  }
  const counted = little(header.tail ?? tail, 4) + little(header.count ?? entries.length, 2)
  return `${little(text.length + 11, 4)}${counted}${text}\xff`
}

/** A listpack of these elements, of which the encodings are given; none is longer than 127 bytes. */
export function listpackOf(elements: readonly string[], count = elements.length): string {
  const text = elements.map((element) => element + String.fromCharCode(element.length)).join('')
  return `${little(text.length + 7, 4)}${little(count, 2)}${text}\xff`
}

/** A string of up to 16383 bytes as it stands in a file, uncompressed. */
export const medium = (text: string): string =>
  String.fromCharCode(0x40 | (text.length >>> 8), text.length & 255) + text
