/* Persistence: when the data is written to the RDB file and read from it, and what INFO and LASTSAVE tell of that.
 *
 * The file is written by SAVE and at shutdown, and read at the start, each in one go: nobody is served meanwhile. The
 * log says what Redis's says, since operators and their tools look for it. */
import { STRING_LEN_MAX } from '../keyspace/strings.ts'
import { type FileFailure, FileSource, isSystemError, type Replacement, replaceFile } from '../persistence/rdb/files.ts'
import type { FunctionStore } from '../persistence/rdb/functions.ts'
import { Hint } from '../persistence/rdb/image.ts'
import { RdbLoader } from '../persistence/rdb/loader.ts'
import { RdbError, RdbReader, type Source } from '../persistence/rdb/reader.ts'
import { RdbSaver } from '../persistence/rdb/saver.ts'
import type { ValueFormats } from '../persistence/rdb/values.ts'
import { RdbWriter, type Sink } from '../persistence/rdb/writer.ts'
import type { Steps } from './append-only/loading.ts'
import { REDIS_VERSION } from './config/load.ts'
import { errorText, toBytes, toText } from './config/text.ts'
import { resolveBytes } from './config/working-directory.ts'
import type { Server } from './server.ts'

/** Keys of an append-only file's preamble that are loaded in one step. */
const PREAMBLE_STEPS = 256

/** What came of reading the file. */
export const Restored = { LOADED: 0, ABSENT: 1, FAILED: 2 } as const
export type Restored = (typeof Restored)[keyof typeof Restored]

export class Persistence {
  private readonly server: Server
  private readonly formats: ValueFormats
  /** Whose libraries are saved and loaded with the data; whoever runs functions sets it. */
  functions: FunctionStore | null = null
  /** When the data was last written, or else when the server started; Unix time in seconds. */
  lastSave = unixTime()
  /** Saves that clients asked for. */
  saves = 0
  /** Of the last load: keys that are in the databases since, and keys that were past their time. */
  keysLoaded = 0
  keysExpired = 0

  constructor(server: Server) {
    this.server = server
    this.formats = server.formats
  }

  /** Whether there are save points: then a shutdown saves. */
  get hasSavePoints(): boolean {
    return this.server.config.value('save').length > 0
  }

  /** The bytes of a name in the working directory. */
  private path(name: string): Buffer {
    return resolveBytes(this.server.config.directory, name)
  }

  private get dumpPath(): Buffer {
    return this.path(this.server.config.bytes('dbfilename') ?? '')
  }

  private get temporaryName(): string {
    return `temp-${process.pid}.rdb`
  }

  /** Writes all data to the file. False, having logged why, if that failed: the old file is still there then. */
  save(): boolean {
    const { config, keyspace, log } = this.server
    const target = {
      path: this.dumpPath,
      temporary: this.path(this.temporaryName),
      directory: toBytes(config.directory.path()),
      incrementalSync: config.bool('rdb-save-incremental-fsync'),
    }
    const failure = this.replace(target)
    if (failure !== undefined) {
      log.warn(failure)
      return false
    }
    log.info('DB saved on disk')
    keyspace.dirty = 0
    this.lastSave = unixTime()
    return true
  }

  /** Answers what failed. */
  private replace(target: Replacement): string | undefined {
    try {
      const failure = replaceFile(target, (sink) => this.writeAll(sink))
      return failure === undefined ? undefined : this.describe(failure)
    } catch (error) {
      if (error instanceof RdbError) return `The data cannot be saved. ${error.message}`
      throw error
    }
  }

  /** Writes all data to the first base file of an append-only file. False after logging why that failed. */
  writeBase(path: Buffer): boolean {
    const { config, log } = this.server
    const directory = toBytes(config.directory.path())
    const temporary = this.path(`temp-rewriteaof-${process.pid}.aof`)
    const failure = replaceFile({ path, temporary, directory, incrementalSync: false }, (sink) => {
      if (config.bool('aof-use-rdb-preamble')) this.writeAll(sink, true)
    })
    if (failure === undefined) return true
    log.warn(`Write error writing append only file on disk: ${errorText(failure.error)}`)
    return false
  }

  private writeAll(sink: Sink, isBase = false): void {
    const { config, keyspace, vitals } = this.server
    const options = { checksum: config.bool('rdbchecksum'), compression: config.bool('rdbcompression') }
    const policy = config.choice('maxmemory-policy')
    const saver = new RdbSaver(keyspace, this.formats, new RdbWriter(sink, options), {
      hint: policy.endsWith('-lru') ? Hint.IDLE : policy.endsWith('-lfu') ? Hint.FREQUENCY : Hint.NONE,
      aux: {
        'redis-ver': REDIS_VERSION,
        'redis-bits': 64,
        ctime: unixTime(),
        'used-mem': vitals.usedBytes,
        'aof-base': isBase ? 1 : 0,
      },
      keyDelay: config.number('rdb-key-save-delay'),
      functions: this.functions,
    })
    while (saver.step());
  }

  private describe({ step, error }: FileFailure): string {
    const { config } = this.server
    const where = `(in server root dir ${toText(config.directory.path())})`
    const reason = errorText(error)
    switch (step) {
      case 'open':
        return `Failed opening the temp RDB file ${this.temporaryName} ${where} for saving: ${reason}`
      case 'rename': {
        const names = `${this.temporaryName} on the final destination ${config.text('dbfilename')}`
        return `Error moving temp DB file ${names} ${where}: ${reason}`
      }
      case 'fsync directory':
        return `Failed to fsync directory while saving DB: ${reason}`
      default:
        return `Write error while saving DB to the disk(${step}): ${reason}`
    }
  }

  /** At the start: reads the file if there is one. False, having logged why, if the server must not go on. */
  restore(): boolean {
    const { config, log } = this.server
    if (this.hasSavePoints) {
      log.warn('Save points are set, but saving in the background is not built yet: only SAVE and a shutdown save.')
    }
    if (config.bool('appendonly')) return this.server.appendOnly.restoreNow()
    if (this.load(false) !== Restored.FAILED) return true
    log.warn('Fatal error loading the DB, check server logs. Exiting.')
    return false
  }

  /** Adds what is in the file to the databases; with `replace`, instead of keys that are there. Logs what it finds. */
  load(replace: boolean): Restored {
    const { log } = this.server
    const start = performance.now()
    try {
      const source = new FileSource(this.dumpPath)
      try {
        if (!this.loadFrom(source, replace)) return Restored.FAILED
      } finally {
        source.close()
      }
    } catch (error) {
      if (!isSystemError(error)) throw error
      if (error.code === 'ENOENT') return Restored.ABSENT
      log.warn(`Fatal error: can't read the RDB file ${toText(this.dumpPath.toString('latin1'))}: ${errorText(error)}`)
      return Restored.FAILED
    }
    log.info(`DB loaded from disk: ${((performance.now() - start) / 1000).toFixed(3)} seconds`)
    return Restored.LOADED
  }

  /** Reads the RDB file that an append-only file begins with, in steps, keys past their time included. Answers where it
   *  ends; undefined after logging what is wrong with it. */
  *loadPreamble(source: Source, file: string): Steps<number | undefined> {
    const { config, keyspace, log } = this.server
    const checksum = config.bool('rdbchecksum')
    const reader = new RdbReader(source, checksum, STRING_LEN_MAX)
    const keyDelay = config.number('key-load-delay')
    const { functions } = this
    const options = { log, checksum, replace: false, keyDelay, functions }
    const loader = new RdbLoader(keyspace, this.formats, reader, options)
    try {
      for (let steps = 1; loader.step(); steps++) if (steps % PREAMBLE_STEPS === 0) yield
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      const place = loader.place === '' ? '' : `, ${loader.place}`
      log.warn(`Cannot load the RDB data in ${file}: ${error.message}. At offset ${error.offset}${place}.`)
      log.warn('The file was not changed.')
      return undefined
    }
    this.keysLoaded = loader.loadedCount
    this.keysExpired = loader.expiredCount
    log.info(`Done loading RDB, keys loaded: ${this.keysLoaded}, keys expired: ${this.keysExpired}.`)
    return reader.offset
  }

  private loadFrom(source: FileSource, replace: boolean): boolean {
    const { config, keyspace, log } = this.server
    const checksum = config.bool('rdbchecksum') && !this.server.payloads.skipChecksum
    const reader = new RdbReader(source, checksum, STRING_LEN_MAX)
    reader.thorough = config.choice('sanitize-dump-payload') === 'yes'
    const keyDelay = config.number('key-load-delay')
    const { functions } = this
    const loader = new RdbLoader(keyspace, this.formats, reader, { log, checksum, replace, keyDelay, functions })
    keyspace.setTime(Date.now())
    try {
      while (loader.step());
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      const place = loader.place === '' ? '' : `, ${loader.place}`
      const file = toText(this.dumpPath.toString('latin1'))
      log.warn(`Cannot load the RDB file ${file}: ${error.message}. At offset ${error.offset}${place}.`)
      log.warn('The file was not changed. Replace it by one that can be loaded, or move it away to start without data.')
      return false
    }
    this.keysLoaded = loader.loadedCount
    this.keysExpired = loader.expiredCount
    if (reader.remaining > 0) log.warn(`The RDB file goes on after its end: ${reader.remaining} bytes were not read.`)
    const empty = loader.emptyCount > 0 ? `, empty keys skipped: ${loader.emptyCount}` : ''
    log.info(`Done loading RDB, keys loaded: ${this.keysLoaded}, keys expired: ${this.keysExpired}${empty}.`)
    return true
  }
}

function unixTime(): number {
  return Math.floor(Date.now() / 1000)
}
