/* The image: what an RDB file says, for whoever walks the data: a saver that does nothing else meanwhile, or a snapshot
 * that is taken in slices (snapshot.ts), whose keys come in any order.
 *
 *   begin ─► entry, entry, … of whatever databases ─► end, checksum
 *
 * A database is announced, with its size, before its first key; after that a change of database is two bytes. */
import type { AccessClock } from '../../keyspace/access.ts'
import type { Entries } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import type { Ref } from '../../memory/memory.ts'
import type { DatabaseSize, ImageSink } from '../snapshot.ts'
import { pauseFor } from './delay.ts'
import { MAGIC, Opcode, shownKey, VERSION_LEN, VERSION_WRITTEN } from './format.ts'
import type { FunctionStore } from './functions.ts'
import { RdbError } from './reader.ts'
import type { ValueFormats } from './values.ts'
import type { RdbWriter } from './writer.ts'

const HEAD = fromLatin1(MAGIC + String(VERSION_WRITTEN).padStart(VERSION_LEN, '0'))

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
}

export class RdbImage implements ImageSink {
  private readonly entries: Entries
  private readonly clock: AccessClock
  private readonly formats: ValueFormats
  private readonly writer: RdbWriter
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
    this.entries = keyspace.entries
    this.clock = keyspace.clock
    this.formats = formats
    this.writer = writer
    this.options = options
  }

  begin(sizes: readonly DatabaseSize[]): void {
    const { writer, options } = this
    this.sizes = sizes
    writer.bytes(HEAD, 0, HEAD.length)
    for (const [name, value] of Object.entries(options.aux)) writer.aux(name, String(value))
    for (const code of options.functions?.codes() ?? []) {
      writer.byte(Opcode.FUNCTION)
      writer.string(code, 0, code.length)
    }
  }

  entry(dbIndex: number, entry: Ref): void {
    const { entries, writer, clock } = this
    const { hint, keyDelay } = this.options
    const format = this.formats.of(entries.type(entry))
    if (format === undefined) return this.refuse(dbIndex, entry)
    if (dbIndex !== this.dbIndex) this.select(dbIndex)
    if (entries.expires(entry)) {
      writer.byte(Opcode.EXPIRETIME_MS)
      writer.int64(entries.expiry(entry))
    }
    if (hint === Hint.IDLE) {
      writer.byte(Opcode.IDLE)
      writer.length(Math.floor(clock.idleMs(entries.access(entry)) / 1000))
    } else if (hint === Hint.FREQUENCY) {
      writer.byte(Opcode.FREQ)
      writer.byte(clock.frequency(entries.access(entry)))
    }
    writer.byte(format.rdbType(entry))
    writer.string(entries.memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    format.save(entry, writer)
    this.keyCount++
    if (keyDelay !== 0) pauseFor(keyDelay)
  }

  end(): void {
    this.writer.end()
  }

  private select(dbIndex: number): void {
    const { writer, announced } = this
    this.dbIndex = dbIndex
    writer.byte(Opcode.SELECTDB)
    writer.length(dbIndex)
    if (announced.has(dbIndex)) return
    announced.add(dbIndex)
    const { keys, expiring } = this.sizes[dbIndex]!
    writer.byte(Opcode.RESIZEDB)
    writer.length(keys)
    writer.length(expiring)
  }

  /** A file without this key would lose it. */
  private refuse(dbIndex: number, entry: Ref): void {
    const { entries } = this
    const key = shownKey(entries.memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    const reason = `The value of key ${key} of database ${dbIndex} cannot be saved yet`
    this.failure ??= new RdbError(reason, this.writer.size)
  }
}
