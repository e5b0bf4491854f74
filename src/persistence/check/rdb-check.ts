/* The check of an RDB file, or of one that an append-only file begins with: reads everything as if to load it, as
 * thoroughly as can be, and keeps nothing. The words are those of redis-check-rdb, which scripts look for. */
import { Keyspace } from '../../keyspace/keyspace.ts'
import { STRING_LEN_MAX } from '../../keyspace/strings.ts'
import { type Int64, toNumber } from '../../lib/int64.ts'
import { NONE } from '../../memory/memory.ts'
import { Opcode, RDB_MODULE, shownKey, typeIn, typeName, VERSION_WITH_CHECKSUM } from '../rdb/format.ts'
import { readHead } from '../rdb/head.ts'
import { readModuleName, skipModulePieces } from '../rdb/module-data.ts'
import { RdbError, RdbReader, type Source } from '../rdb/reader.ts'
import { ValueFormats } from '../rdb/values.ts'

/** Prints a line. */
export type Print = (line: string) => void

const RDB_MODULE_2 = RDB_MODULE
const NO_EXPIRY = -1
/** A name is looked at, not kept. */
const NAME_SHOWN = 128

class RdbCheck {
  private readonly keyspace = new Keyspace(1)
  private readonly formats = new ValueFormats(this.keyspace)
  private readonly reader: RdbReader
  private readonly print: Print
  private version = 0
  private expiry: Int64 = NO_EXPIRY
  /** What is being read, for a message. */
  doing = 'start'
  key = ''
  rdbType = -1
  keys = 0
  expires = 0
  expired = 0
  empty = 0

  constructor(reader: RdbReader, print: Print) {
    this.reader = reader
    this.print = print
  }

  /** Tells what was found here. */
  private tell(text: string): void {
    this.print(`[offset ${this.reader.offset}] ${text}`)
  }

  run(): void {
    const { reader } = this
    this.version = readHead(reader)
    for (;;) {
      this.doing = 'read-type'
      const opcode = reader.byte()
      if (opcode === Opcode.EOF) return this.checkSum()
      if (opcode >= Opcode.SLOT_INFO) this.readMark(opcode)
      else this.readKey(typeIn(this.version, opcode))
    }
  }

  private readMark(opcode: number): void {
    const { reader } = this
    switch (opcode) {
      case Opcode.EXPIRETIME_MS:
        this.doing = 'read-expire'
        this.expiry = reader.int64()
        return
      case Opcode.EXPIRETIME:
        this.doing = 'read-expire'
        this.expiry = reader.int32() * 1000
        return
      case Opcode.FREQ:
        reader.byte()
        return
      case Opcode.IDLE:
        reader.length()
        return
      case Opcode.SELECTDB:
        this.doing = 'read-len'
        return this.tell(`Selecting DB ID ${reader.length()}`)
      case Opcode.RESIZEDB:
      case Opcode.SLOT_INFO:
        this.doing = 'read-len'
        for (let left = opcode === Opcode.RESIZEDB ? 2 : 3; left > 0; left--) reader.length()
        return
      default:
        return this.readExtra(opcode)
    }
  }

  /** What is neither a key nor about keys. */
  private readExtra(opcode: number): void {
    const { reader } = this
    if (opcode === Opcode.AUX) {
      this.doing = 'read-aux'
      const name = reader.text()
      this.tell(`AUX FIELD ${name} = '${reader.text()}'`)
    } else if (opcode === Opcode.FUNCTION) {
      this.doing = 'read-functions'
      reader.head()
      reader.skip()
    } else if (opcode === Opcode.MODULE_AUX) {
      this.doing = 'read-module-aux'
      const name = readModuleName(reader)
      reader.length()
      reader.length()
      this.tell(`MODULE AUX for: ${name}`)
      skipModulePieces(reader)
    } else reader.refuse('Pre-release function format not supported')
  }

  private readKey(rdbType: number): void {
    const { reader } = this
    if (typeName(rdbType) === undefined) reader.refuse(`Invalid object type: ${rdbType}`)
    this.rdbType = rdbType
    this.doing = 'read-key'
    reader.head()
    reader.take()
    this.key = shownKey(reader.bytes, reader.pos, Math.min(reader.len, NAME_SHOWN))
    this.keys++
    this.doing = 'read-object-value'
    this.readValue(rdbType)
    if (this.expiry !== NO_EXPIRY) {
      this.expires++
      if (toNumber(this.expiry) < Date.now()) this.expired++
    }
    this.expiry = NO_EXPIRY
    this.key = ''
    this.rdbType = -1
  }

  private readValue(rdbType: number): void {
    const { reader, keyspace } = this
    if (rdbType === RDB_MODULE_2) {
      readModuleName(reader)
      return skipModulePieces(reader)
    }
    const format = this.formats.reading(rdbType)
    if (format === undefined) return reader.refuse('Values of this type cannot be read yet')
    const entry = format.load(rdbType, reader, { bytes: new Uint8Array(0), len: 0 }, undefined)
    if (entry === NONE) this.empty++
    else keyspace.freeEntry(entry)
    while (keyspace.reclaim()) {}
  }

  private checkSum(): void {
    this.doing = 'check-sum'
    if (this.version < VERSION_WITH_CHECKSUM) return
    const { isAbsent, wrong } = this.reader.verifyChecksum()
    if (isAbsent) this.tell('RDB file was saved with checksum disabled: no check performed.')
    else if (wrong === undefined) this.tell('Checksum OK')
    else this.reader.refuse(`RDB CRC error: expected ${wrong.expected}, found ${wrong.found}`, 8)
  }

  summary(): void {
    this.print(`[info] ${this.keys} keys read`)
    this.print(`[info] ${this.expires} expires`)
    this.print(`[info] ${this.expired} already expired`)
    if (this.empty > 0) this.print(`[info] ${this.empty} empty keys, which are not loaded`)
  }
}

/** Checks what a source holds; answers where it ends, or undefined after telling what is wrong. */
export function checkRdb(source: Source, name: string, print: Print): number | undefined {
  const reader = new RdbReader(source, true, STRING_LEN_MAX)
  reader.thorough = true
  const check = new RdbCheck(reader, print)
  print(`[offset 0] Checking RDB file ${name}`)
  try {
    check.run()
  } catch (error) {
    if (!(error instanceof RdbError)) throw error
    print('--- RDB ERROR DETECTED ---')
    print(`[offset ${error.offset}] ${error.message}`)
    print(`[additional info] While doing: ${check.doing}`)
    if (check.key !== '') print(`[additional info] Reading key ${check.key}`)
    if (check.rdbType >= 0) print(`[additional info] Reading type ${check.rdbType} (${typeName(check.rdbType)})`)
    check.summary()
    return undefined
  }
  print(`[offset ${reader.offset}] \\o/ RDB looks OK! \\o/`)
  check.summary()
  return reader.offset
}
