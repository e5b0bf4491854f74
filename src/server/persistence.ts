/* Persistence: when the data is written to the RDB file and read from it, and what INFO and LASTSAVE tell of that.
 *
 * The file is written by SAVE and at shutdown, read at the start. It is done in one go for now: nobody is served
 * meanwhile. The log says what Redis's says, since operators and their tools look for it. */
import { existsSync } from 'node:fs'
import { STRING_LEN_MAX } from '../keyspace/strings.ts'
import { FileSource, isSystemError, replaceFile } from '../persistence/rdb/files.ts'
import { RdbLoader } from '../persistence/rdb/loader.ts'
import { RdbError, RdbReader } from '../persistence/rdb/reader.ts'
import { Hint, RdbSaver } from '../persistence/rdb/saver.ts'
import { ValueFormats } from '../persistence/rdb/values.ts'
import { RdbWriter } from '../persistence/rdb/writer.ts'
import { REDIS_VERSION } from './config/load.ts'
import { errorText, toBytes, toText } from './config/text.ts'
import { resolveBytes } from './config/working-directory.ts'
import type { Server } from './server.ts'

const FAILED_START = 'Fatal error loading the DB, check server logs. Exiting.'

export class Persistence {
  private readonly server: Server
  private readonly formats: ValueFormats
  /** When the data was last written, or the server started; Unix time in seconds. */
  lastSave = Math.floor(Date.now() / 1000)
  /** Saves that clients asked for. */
  saves = 0
  /** Of the last load: keys that were loaded, and those that were past their time. */
  keysLoaded = 0
  keysExpired = 0

  constructor(server: Server) {
    this.server = server
    this.formats = new ValueFormats(server.keyspace)
  }

  /** The file, for people. */
  private get name(): string {
    return this.server.config.text('dbfilename') ?? ''
  }

  private get directoryName(): string {
    return toText(this.server.config.directory.path())
  }

  private path(name: string): Buffer {
    return resolveBytes(this.server.config.directory, name)
  }

  /** Whether save points are set: then a shutdown saves. */
  get wanted(): boolean {
    return this.server.config.value('save').length > 0
  }

  /** Writes all data to the file; false, having said why in the log, if that failed. The old file is still there then.
   *  */
  save(): boolean {
    const { config, keyspace, log } = this.server
    const temporary = `temp-${process.pid}.rdb`
    const failure = replaceFile(
      {
        path: this.path(config.bytes('dbfilename') ?? ''),
        temporary: this.path(temporary),
        directory: toBytes(config.directory.path()),
        incrementalSync: config.bool('rdb-save-incremental-fsync'),
      },
      (sink) => {
        const checksum = config.bool('rdbchecksum')
        const writer = new RdbWriter(sink, { checksum, compression: config.bool('rdbcompression') })
        const keyDelay = config.number('rdb-key-save-delay')
        const saver = new RdbSaver(keyspace, this.formats, writer, { hint: this.hint, aux: this.aux, keyDelay })
        while (saver.step());
      },
    )
    if (failure !== undefined) {
      const reason = errorText(failure.error)
      const where = `(in server root dir ${this.directoryName})`
      if (failure.step === 'open') {
        log.warn(`Failed opening the temp RDB file ${temporary} ${where} for saving: ${reason}`)
      } else if (failure.step === 'rename') {
        log.warn(`Error moving temp DB file ${temporary} on the final destination ${this.name} ${where}: ${reason}`)
      } else if (failure.step === 'fsync directory') {
        log.warn(`Failed to fsync directory while saving DB: ${reason}`)
      } else log.warn(`Write error while saving DB to the disk(${failure.step}): ${reason}`)
      return false
    }
    log.info('DB saved on disk')
    keyspace.dirty = 0
    this.lastSave = Math.floor(Date.now() / 1000)
    return true
  }

  private get hint(): Hint {
    const policy = this.server.config.choice('maxmemory-policy')
    return policy.endsWith('-lru') ? Hint.IDLE : policy.endsWith('-lfu') ? Hint.FREQUENCY : Hint.NONE
  }

  private get aux(): Record<string, string | number> {
    return {
      'redis-ver': REDIS_VERSION,
      'redis-bits': 64,
      ctime: Math.floor(Date.now() / 1000),
      'used-mem': this.server.vitals.usedBytes,
      'aof-base': 0,
    }
  }

  /** At the start: reads the file if there is one. False, having said why in the log, if the server must not go on. */
  restore(): boolean {
    const { config, log } = this.server
    if (!this.checkAppendOnly()) return false
    if (this.wanted) {
      log.warn(
        'Save points are set, but snapshots in the background are not built yet: SAVE and a shutdown write the file.',
      )
    }
    const start = performance.now()
    try {
      if (!this.load(false)) {
        log.warn(FAILED_START)
        return false
      }
    } catch (error) {
      if (!isSystemError(error)) throw error
      if (error.code === 'ENOENT') return true
      log.warn(`Fatal error: can't open the RDB file ${config.text('dbfilename')} for reading: ${errorText(error)}`)
      log.warn(FAILED_START)
      return false
    }
    log.info(`DB loaded from disk: ${((performance.now() - start) / 1000).toFixed(3)} seconds`)
    return true
  }
}
