/* The image: what an RDB file says, for whoever walks the data: a saver that does nothing else meanwhile, or a snapshot
 * that is taken in slices (snapshot.ts), whose keys come in any order.
 *
 *   begin ─► entry, entry, … of whatever databases ─► end, checksum
 *
 * While a large value is being written to the file, which takes many slices, whatever else is shown is kept aside and
 * goes behind it.
 *
 * A database is announced, with its size, before its first key; after that a change of database is two bytes. */
import type { AccessClock } from '../../keyspace/access.ts'
import type { Entries } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import type { Ref } from '../../memory/memory.ts'
import type { LargeSink } from '../frozen.ts'
import type { DatabaseSize, ImageSink } from '../snapshot.ts'
import { pauseFor } from './delay.ts'
import { MAGIC, Opcode, shownKey, VERSION_LEN, VERSION_READ_MAX, VERSION_WRITTEN } from './format.ts'
import type { FunctionStore } from './functions.ts'
import { AsideWriter, LargeValue } from './large-values.ts'
import { RdbError } from './reader.ts'
import type { ValueFormats } from './values.ts'
import type { RdbWriter } from './writer.ts'

const headOf = (version: number): Uint8Array => fromLatin1(MAGIC + String(version).padStart(VERSION_LEN, '0'))

/** What is written of the use of keys. */
export const Hint = { NONE: 0, IDLE: 1, FREQUENCY: 2 } as const
export type Hint = (typeof Hint)[keyof typeof Hint]

export interface ImageOptions {
  readonly hint: Hint
  /** Facts about the file, by name. */
  readonly aux: Readonly<Record<string, string | number>>
  /** As `pauseFor`: how long to wait after each key, so that tests can look at a save under way. */
  readonly keyDelay: number
  /** Who has libraries of functions; null if nobody does. */
  readonly functions: FunctionStore | null
  /** Try to make strings shorter, as the writer does. */
  readonly compression: boolean
}

export class RdbImage implements ImageSink {
  private readonly entries: Entries
  private readonly clock: AccessClock
  private readonly formats: ValueFormats
  private readonly keyspace: Keyspace
  /** The file. */
  private readonly writer: RdbWriter
  /** What goes behind the large value that is being written to the file, while there is one. */
  private readonly aside: AsideWriter
  private out: RdbWriter
  /** Large values that have been begun; the first is being written to the file. */
  private readonly open: LargeValue[] = []
  private readonly options: ImageOptions
  private sizes: readonly DatabaseSize[] = []
  private readonly announced = new Set<number>()
  /** The database that the next key belongs to, as far as the file says. */
  private dbIndex = -1
  /** Keys written so far. */
  keyCount = 0
  /** Why the image is good for nothing: a key that cannot be written. */
  failure: RdbError | null = null

  constructor(keyspace: Keyspace, formats: ValueFormats, writer: RdbWriter, options: ImageOptions) {
    this.keyspace = keyspace
    this.entries = keyspace.entries
    this.clock = keyspace.clock
    this.formats = formats
    this.writer = writer
    this.out = writer
    this.aside = new AsideWriter(options.compression)
    this.options = options
  }

  /** Whether there are hashes with fields that expire, which only the latest version can hold. */
  private get hasExpiringFields(): boolean {
    return this.keyspace.databases.some((db) => db.expiringHashes > 0)
  }

  begin(sizes: readonly DatabaseSize[]): void {
    const { writer, options } = this
    this.sizes = sizes
    const head = headOf(this.hasExpiringFields ? VERSION_READ_MAX : VERSION_WRITTEN)
    writer.bytes(head, 0, head.length)
    for (const [name, value] of Object.entries(options.aux)) writer.aux(name, String(value))
    for (const code of options.functions?.codes() ?? []) {
      writer.byte(Opcode.FUNCTION)
      writer.string(code, 0, code.length)
    }
  }

  entry(dbIndex: number, entry: Ref): void {
    const { entries, out } = this
    const format = this.formats.of(entries.type(entry))
    if (format === undefined) return this.refuse(dbIndex, entry)
    this.writeKey(dbIndex, entry, format.rdbType(entry))
    format.save(entry, out)
    const { keyDelay } = this.options
    if (keyDelay !== 0) pauseFor(keyDelay)
  }

  /** Writes all that stands before a value. */
  private writeKey(dbIndex: number, entry: Ref, rdbType: number): void {
    const { entries, out, clock } = this
    const { hint } = this.options
    if (dbIndex !== this.dbIndex) this.select(dbIndex)
    if (entries.expires(entry)) {
      out.byte(Opcode.EXPIRETIME_MS)
      out.int64(entries.expiry(entry))
    }
    if (hint === Hint.IDLE) {
      out.byte(Opcode.IDLE)
      out.length(Math.floor(clock.idleMs(entries.access(entry)) / 1000))
    } else if (hint === Hint.FREQUENCY) {
      out.byte(Opcode.FREQ)
      out.byte(clock.frequency(entries.access(entry)))
    }
    out.byte(rdbType)
    out.string(entries.memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    this.keyCount++
  }

  large(dbIndex: number, entry: Ref): LargeSink {
    const { open } = this
    const value = new LargeValue(this.keyspace, dbIndex, entry, () => this.close(value))
    open.push(value)
    if (open.length === 1) this.beginLarge(value)
    else value.wait(this.options.compression)
    return value
  }

  /** A large value goes to the file from now on, and whatever else comes goes behind it. */
  private beginLarge(value: LargeValue): void {
    this.writeKey(value.dbIndex, value.entry, value.rdbType)
    value.writeTo(this.writer)
    this.out = this.aside.writer
  }

  /** The first large value is complete. */
  private close(value: LargeValue): void {
    const { open, aside, writer } = this
    const at = open.indexOf(value)
    open.splice(at, 1)
    if (at > 0) return this.writeEarly(value)
    this.out = writer
    aside.moveTo(writer)
    if (open.length > 0) this.beginLarge(open[0]!)
  }

  /** A large value is complete before its turn has come. */
  private writeEarly(value: LargeValue): void {
    this.writeKey(value.dbIndex, value.entry, value.rdbType)
    value.writeTo(this.out)
  }

  /** Bytes that are kept in memory until their place in the file is reached. */
  get heldBytes(): number {
    return this.open.reduce((sum, value) => sum + value.heldBytes, this.aside.heldBytes)
  }

  end(): void {
    this.writer.end()
  }

  private select(dbIndex: number): void {
    const { out, announced } = this
    this.dbIndex = dbIndex
    out.byte(Opcode.SELECTDB)
    out.length(dbIndex)
    if (announced.has(dbIndex)) return
    announced.add(dbIndex)
    const { keys, expiring } = this.sizes[dbIndex]!
    out.byte(Opcode.RESIZEDB)
    out.length(keys)
    out.length(expiring)
  }

  /** A file without this key would lose it. */
  private refuse(dbIndex: number, entry: Ref): void {
    const { entries } = this
    const key = shownKey(entries.memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    const reason = `The value of key ${key} of database ${dbIndex} cannot be saved yet`
    this.failure ??= new RdbError(reason, this.writer.size)
  }
}
