/* The saver: walks the databases in hash order and writes them as an RDB file, a bucket a step.
 *
 *   head, aux fields ─► database 0: its size, then bucket after bucket ─► database 1 ─► … ─► end, checksum
 *
 * Whoever calls `step` decides how much is written at a time. The place in the walk is a position in hash order, which
 * means the same whatever the table does between steps; what changes meanwhile is the caller's matter. */
import type { AccessClock } from '../../keyspace/access.ts'
import type { Database } from '../../keyspace/database.ts'
import type { Entries } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import type { Ref } from '../../memory/memory.ts'
import { SCAN_END, type Table } from '../../structures/table.ts'
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

export interface SaverOptions {
  readonly hint: Hint
  /** Facts about the file, by name. */
  readonly aux: Readonly<Record<string, string | number>>
  /** As `pauseFor`: how long to wait after each key, so that tests can look at a save under way. */
  readonly keyDelay: number
  /** Whose libraries go into the file, if there are any. */
  readonly functions: FunctionStore | null
}

export class RdbSaver {
  private readonly databases: readonly Database[]
  private readonly table: Table
  private readonly entries: Entries
  private readonly clock: AccessClock
  private readonly formats: ValueFormats
  private readonly writer: RdbWriter
  private readonly options: SaverOptions
  /** The database being written, and where in it the walk has got to. */
  private dbIndex = -1
  private position = SCAN_END
  /** Keys written so far. */
  keyCount = 0

  constructor(keyspace: Keyspace, formats: ValueFormats, writer: RdbWriter, options: SaverOptions) {
    this.databases = keyspace.databases
    this.table = keyspace.table
    this.entries = keyspace.entries
    this.clock = keyspace.clock
    this.formats = formats
    this.writer = writer
    this.options = options
  }

  /** Writes the keys of one bucket, and what must stand before them; false when the file is complete. */
  step(): boolean {
    const { table } = this
    if (this.position === SCAN_END && !this.nextDatabase()) {
      this.writer.end()
      return false
    }
    this.position = table.scan(this.databases[this.dbIndex]!.root, this.position)
    this.prefetch()
    for (let index = 0; index < table.foundCount; index++) this.saveKey(table.found[index]! as Ref)
    return true
  }

  /** Reads the first word of each entry found: these reads overlap, where those of `saveKey` would wait one by one.
   *  What is returned means nothing. */
  private prefetch(): number {
    const { table, entries } = this
    const { found } = table
    let sum = 0
    for (let index = 0; index < table.foundCount; index++) sum ^= entries.memory.word(found[index]! as Ref, 0)
    return sum
  }

  /** Goes on to the next database that has keys; false if there is none. */
  private nextDatabase(): boolean {
    const { writer, databases } = this
    if (this.dbIndex < 0) this.writeHead()
    do this.dbIndex++
    while (this.dbIndex < databases.length && databases[this.dbIndex]!.size === 0)
    if (this.dbIndex === databases.length) return false
    const db = databases[this.dbIndex]!
    writer.byte(Opcode.SELECTDB)
    writer.length(this.dbIndex)
    writer.byte(Opcode.RESIZEDB)
    writer.length(db.size)
    writer.length(db.expiring)
    this.position = 0
    return true
  }

  private writeHead(): void {
    this.writer.bytes(HEAD, 0, HEAD.length)
    for (const [name, value] of Object.entries(this.options.aux)) this.writer.aux(name, String(value))
    for (const code of this.options.functions?.codes() ?? []) {
      this.writer.byte(Opcode.FUNCTION)
      this.writer.string(code, 0, code.length)
    }
  }

  /** Gives up: a file without this key would lose it. */
  private refuse(entry: Ref): never {
    const { entries } = this
    const key = shownKey(entries.memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    const reason = `The value of key ${key} of database ${this.dbIndex} cannot be saved yet`
    throw new RdbError(reason, this.writer.size)
  }

  private saveKey(entry: Ref): void {
    const { entries, writer, clock } = this
    const { hint, keyDelay } = this.options
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
    const format = this.formats.of(entries.type(entry))
    if (format === undefined) return this.refuse(entry)
    writer.byte(format.rdbType(entry))
    writer.string(entries.memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    format.save(entry, writer)
    this.keyCount++
    if (keyDelay !== 0) pauseFor(keyDelay)
  }
}
