/* The loader: reads an RDB file into the databases, a key a step.
 *
 * Whoever calls `step` decides how much is loaded at a time. Keys past their time are dropped, as a primary does that
 * starts. What is no RDB file, is damaged, or holds something that has no place here is thrown as RdbError: nothing is
 * skipped in silence, since the next save would then lose it. `place` says where that was. */
import type { Database } from '../../keyspace/database.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { type Int64, toNumber } from '../../lib/int64.ts'
import { hashBytes } from '../../lib/siphash.ts'
import { NONE, type Ref } from '../../memory/memory.ts'
import { TableAhead } from '../../structures/table-ahead.ts'
import { pauseFor } from './delay.ts'
import { bareKey, Opcode, RDB_MODULE, shownKey, typeIn, typeName, VERSION_WITH_CHECKSUM } from './format.ts'
import type { FunctionStore } from './functions.ts'
import { readHead } from './head.ts'
import { readModuleName } from './module-data.ts'
import type { RdbReader } from './reader.ts'
import { hintedAccess, type LoadedKey, type ValueFormats } from './values.ts'

/** Room for keys that is kept; a longer key's lasts as long as it is being loaded. */
const KEY_SIZE = 64 * 1024
const NO_EXPIRY = -1
/** Entries that are added to a database together: so many reads of its table are under way at once. */
const HELD_MAX = 32
/** Bytes that a key takes in a file at least: its type, a letter of a name, and an empty value. */
const KEY_STORED_MIN = 4
/** Keys without elements that are told to the log. */
const EMPTY_LOGGED_MAX = 10

/** Told what the file says about itself. */
export interface LoadLog {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
}

export interface LoaderOptions {
  readonly log: LoadLog
  /** Compare the checksum. */
  readonly checksum: boolean
  /** A key that is there already is replaced; else that is an error. */
  readonly replace: boolean
  /** As `pauseFor`: how long to wait after each key; its owner may change it meanwhile. */
  readonly keyDelay: number
  /** Who takes the libraries of functions that are in the file; null: there must be none. */
  readonly functions: FunctionStore | null
}

export class RdbLoader {
  private readonly keyspace: Keyspace
  private readonly formats: ValueFormats
  private readonly reader: RdbReader
  private readonly options: LoaderOptions
  private version = 0
  private db: Database
  private readonly key: { bytes: Uint8Array; len: number }
  private readonly keyBytes = new Uint8Array(KEY_SIZE)
  /** What is being read of the key at hand; '' between keys. */
  private part: '' | 'key' | 'value' = ''
  // What stands before the next key.
  private expiry: Int64 = NO_EXPIRY
  private idleSeconds = -1
  private frequency = -1
  /** Entries that are in no database yet; the hashes of their keys are with what reads ahead for them. */
  private readonly held = new Int32Array(HELD_MAX)
  private readonly ahead: TableAhead
  private heldCount = 0
  /** Keys that are in the databases now, those that were past their time, and those that had no elements. */
  loadedCount = 0
  expiredCount = 0
  emptyCount = 0
  /** The memory that was in use when the file was written, as it says. */
  usedMemory = 0

  constructor(keyspace: Keyspace, formats: ValueFormats, reader: RdbReader, options: LoaderOptions) {
    this.keyspace = keyspace
    this.formats = formats
    this.reader = reader
    this.options = options
    this.ahead = new TableAhead(keyspace.memory, HELD_MAX)
    this.db = keyspace.databases[0]!
    this.key = { bytes: this.keyBytes, len: 0 }
  }

  /** Where in the data the loader is, for a message; '' outside of keys. */
  get place(): string {
    if (this.part === '') return ''
    if (this.part === 'key') return `in the name of a key of database ${this.db.id}`
    return `in the value of key ${shownKey(this.key.bytes, 0, this.key.len)} of database ${this.db.id}`
  }

  /** Reads one key, or one mark; false when the file has been read to its end. */
  step(): boolean {
    const { reader } = this
    if (this.version === 0) this.version = readHead(reader)
    const opcode = reader.byte()
    switch (opcode) {
      case Opcode.EXPIRETIME_MS:
        this.expiry = reader.int64()
        return true
      case Opcode.EXPIRETIME:
        this.expiry = reader.int32() * 1000
        return true
      case Opcode.IDLE:
        this.idleSeconds = reader.length()
        return true
      case Opcode.FREQ:
        this.frequency = reader.byte()
        return true
      case Opcode.EOF:
        this.finish()
        return false
      default:
        if (opcode >= Opcode.SLOT_INFO) this.readMark(opcode)
        else this.readKey(typeIn(this.version, opcode))
        return true
    }
  }

  /** What is no key. */
  private readMark(opcode: number): void {
    const { reader } = this
    switch (opcode) {
      case Opcode.SELECTDB:
        return this.select(reader.length())
      case Opcode.RESIZEDB:
        this.db.expect(Math.min(reader.length(), Math.floor(reader.remaining / KEY_STORED_MIN)))
        reader.length() // keys with expiry
        return
      case Opcode.SLOT_INFO: // slot, keys, keys with expiry
        for (let count = 0; count < 3; count++) reader.length()
        return
      case Opcode.AUX:
        return this.readAux(reader.text(), reader.text())
      case Opcode.MODULE_AUX:
        return reader.refuse(
          `There is data of the module '${readModuleName(reader)}', and modules cannot be loaded here`,
        )
      case Opcode.FUNCTION:
        return this.readFunction()
      default:
        return reader.refuse('There are functions in a form from before Redis 7.0, which is not supported', 1)
    }
  }

  private readFunction(): void {
    const { reader, options } = this
    const { functions } = options
    if (functions === null) {
      return reader.refuse('There is a library of functions, and functions cannot be loaded here', 1)
    }
    reader.head()
    reader.take()
    const reason = functions.load(reader.bytes.slice(reader.pos, reader.pos + reader.len), options.replace)
    if (reason !== undefined) reader.refuse(`Failed loading library, ${reason}`)
  }

  private select(index: number): void {
    this.addHeld()
    const { databases } = this.keyspace
    const db = databases[index]
    if (db === undefined) {
      return this.reader.refuse(
        `Data file was created with a Redis server configured to handle more than ${databases.length} databases ` +
          `(there is a key in database ${index}): set \`databases\` to as many`,
      )
    }
    this.db = db
  }

  private readAux(name: string, value: string): void {
    const { log } = this.options
    const number = Number.parseInt(value, 10) || 0
    if (name.startsWith('%')) return log.info(`RDB '${name}': ${value}`)
    switch (name.toLowerCase()) {
      case 'redis-ver':
      case 'valkey-ver':
        return log.info(`Loading RDB produced by version ${value}`)
      case 'ctime':
        return log.info(`RDB age ${Math.max(0, Math.floor(this.keyspace.now / 1000) - number)} seconds`)
      case 'used-mem':
        this.usedMemory = number
        return log.info(`RDB memory usage when created ${(number / 2 ** 20).toFixed(2)} Mb`)
      case 'aof-preamble':
        return number !== 0 ? log.info('RDB has an AOF tail') : undefined
      case 'aof-base':
        return number !== 0 ? log.info('RDB is base AOF') : undefined
      case 'redis-bits':
      case 'lua':
      case 'repl-stream-db':
      case 'repl-id':
      case 'repl-offset':
        return
      default:
        log.debug(`Unrecognized RDB AUX field: '${name}'`)
    }
  }

  private readKey(rdbType: number): void {
    const { reader, keyspace } = this
    const format = this.formats.reading(rdbType)
    if (format === undefined && typeName(rdbType) === undefined) reader.refuse(`Unknown RDB type ${rdbType}`, 1)
    this.part = 'key'
    const key = this.readName()
    this.part = 'value'
    if (format === undefined) this.refuseType(rdbType)
    const { expiry } = this
    if (expiry !== NO_EXPIRY && toNumber(expiry) < keyspace.dueBefore) {
      format.skip(rdbType, reader)
      this.expiredCount++
    } else {
      const fresh = keyspace.entries.freshAccess
      keyspace.entries.freshAccess = hintedAccess(keyspace.clock, this.idleSeconds, this.frequency, fresh)
      const entry = format.load(rdbType, reader, key, expiry === NO_EXPIRY ? undefined : expiry)
      keyspace.entries.freshAccess = fresh
      this.part = '' // another key may turn out to be there twice
      if (entry !== NONE) this.hold(entry, hashBytes(key.bytes, 0, key.len))
      else this.passOverEmpty(key)
    }
    this.key.bytes = this.keyBytes
    this.expiry = NO_EXPIRY
    this.idleSeconds = -1
    this.frequency = -1
    this.part = ''
    if (this.options.keyDelay !== 0) pauseFor(this.options.keyDelay)
  }

  /** Redis does not load what cannot exist either, and before 6.2 could write it. */
  private passOverEmpty(key: LoadedKey): void {
    if (this.emptyCount++ >= EMPTY_LOGGED_MAX) return
    this.options.log.info(`rdbLoadObject skipping empty key: ${bareKey(key.bytes, 0, key.len)}`)
  }

  private refuseType(rdbType: number): never {
    const name = rdbType === RDB_MODULE ? ` '${readModuleName(this.reader)}'` : ''
    const what = `${typeName(rdbType)}${name}, type ${rdbType}`
    return this.reader.refuse(`The value (${what}) cannot be loaded yet`)
  }

  /** Copies the key's name to where it lasts until its value has been read. */
  private readName(): LoadedKey {
    const { reader, key } = this
    reader.head()
    if (reader.len > key.bytes.length) key.bytes = new Uint8Array(reader.len)
    reader.takeInto(key.bytes, 0)
    key.len = reader.len
    return key
  }

  /** Keeps an entry until there are enough of them to be added together. */
  private hold(entry: Ref, hash: number): void {
    this.held[this.heldCount] = entry
    this.ahead.hashes[this.heldCount++] = hash
    if (this.heldCount === HELD_MAX) this.addHeld()
  }

  /** Adds the entries held to the database. */
  private addHeld(): void {
    const { held, ahead, db } = this
    const count = this.heldCount
    this.heldCount = 0
    // These reads overlap, where those of the lookups would wait for one another.
    ahead.roots.fill(db.root, 0, count)
    ahead.touchBuckets(count)
    for (let index = 0; index < count; index++) this.add(held[index]! as Ref, ahead.hashes[index]!)
  }

  private add(entry: Ref, hash: number): void {
    const { keyspace, db } = this
    const { entries, memory } = keyspace
    const bytes = memory.bytesOf(entry)
    const pos = entries.keyPos(entry)
    const len = entries.keyLen(entry)
    keyspace.hint(bytes, pos, hash)
    const found = db.lookup(bytes, pos, len)
    keyspace.hintPos = -1
    if (found !== NONE) {
      if (!this.options.replace)
        this.reader.refuse(`RDB has duplicated key ${shownKey(bytes, pos, len)} in DB ${db.id}`)
      db.remove(found)
    }
    db.insertLoaded(entry)
    this.loadedCount++
  }

  private finish(): void {
    const { reader, options } = this
    this.addHeld()
    for (const db of this.keyspace.databases) db.expectNoMore()
    if (this.version < VERSION_WITH_CHECKSUM) return
    const { isAbsent, wrong } = reader.verifyChecksum()
    if (!options.checksum) return
    if (isAbsent) options.log.info('RDB file was saved with checksum disabled: no check performed.')
    if (wrong !== undefined) {
      reader.refuse(`RDB CRC error: Wrong RDB checksum expected: (${wrong.expected}) but got (${wrong.found})`, 8)
    }
  }
}
