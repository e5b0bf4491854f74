/* Persistence: when the data is written to the RDB file and read from it, and what INFO and LASTSAVE tell of that.
 *
 * SAVE and a shutdown write the file in one go, and nobody is served meanwhile; background-save.ts does it while the
 * server goes on. The log says what Redis's says, since operators and their tools look for it. */
import { STRING_LEN_MAX } from '../keyspace/strings.ts'
import { LARGE } from '../persistence/frozen.ts'
import { type FileFailure, FileSource, isSystemError, type Replacement, replaceFile } from '../persistence/rdb/files.ts'
import type { FunctionStore } from '../persistence/rdb/functions.ts'
import { Hint, type ImageOptions, RdbImage } from '../persistence/rdb/image.ts'
import { RdbLoader } from '../persistence/rdb/loader.ts'
import { RdbError, RdbReader, type Source } from '../persistence/rdb/reader.ts'
import { RdbSaver } from '../persistence/rdb/saver.ts'
import { ValueFormats } from '../persistence/rdb/values.ts'
import { RdbWriter, type Sink } from '../persistence/rdb/writer.ts'
import { BackgroundSave } from './background-save.ts'
import { REDIS_VERSION } from './config/load.ts'
import { errorText, toBytes, toText } from './config/text.ts'
import { resolveBytes } from './config/working-directory.ts'
import type { Steps } from './loading.ts'
import type { Server } from './server.ts'
import { unixTime } from './unix-time.ts'

/** Keys that are loaded in one step, unless a test wants them slow. */
const KEYS_PER_STEP = 64

/** What an image says about itself at its beginning, by name. */
type Facts = Readonly<Record<string, string | number>>

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
  /** Saves that were asked for or due. */
  saves = 0
  readonly background: BackgroundSave
  /** Of the last load: keys that are in the databases since, and keys that were past their time. */
  keysLoaded = 0
  keysExpired = 0

  constructor(server: Server) {
    this.server = server
    this.formats = server.formats
    this.background = new BackgroundSave(server, this)
    server.keyspace.onFlushAll = () => this.flushAll()
  }

  /** Whether there are save points: then a shutdown saves. */
  get hasSavePoints(): boolean {
    return this.savePoints.length > 0
  }
  get savePoints() {
    return this.server.config.value('save')
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
    const { keyspace, log, directoryLock } = this.server
    if (!directoryLock.mayWrite()) return false
    const failure = this.replace(this.replacement(this.temporaryName))
    if (failure !== undefined) {
      log.warn(failure)
      return false
    }
    log.info('DB saved on disk')
    keyspace.dirty = 0
    this.lastSave = unixTime()
    this.background.succeeded()
    return true
  }

  close(): void {
    this.background.close()
    this.server.snapshots.close()
  }

  /** FLUSHALL: a save under way is for nothing then, and where there are save points the empty data is saved. */
  private flushAll(): void {
    const { keyspace } = this.server
    this.background.kill()
    keyspace.flush()
    if (this.hasSavePoints) this.save()
  }

  /** How the RDB file is replaced by one that is written under this name. */
  replacement(temporaryName: string): Replacement {
    const { config } = this.server
    return {
      path: this.dumpPath,
      temporary: this.path(temporaryName),
      directory: toBytes(config.directory.path()),
      incrementalSync: config.bool('rdb-save-incremental-fsync'),
    }
  }

  /** Answers what failed. */
  private replace(target: Replacement): string | undefined {
    try {
      const failure = replaceFile(target, (sink) => this.writeAll(sink))
      return failure === undefined ? undefined : this.describe(failure, this.temporaryName)
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
      if (config.bool('aof-use-rdb-preamble')) this.writeAll(sink, { 'aof-base': 1 })
    })
    if (failure === undefined) return true
    log.warn(`Write error writing append only file on disk: ${errorText(failure.error)}`)
    return false
  }

  private writeAll(sink: Sink, facts?: Facts): void {
    const options = { ...this.imageOptions(facts), keyDelay: this.server.config.number('rdb-key-save-delay') }
    const saver = new RdbSaver(this.server.keyspace, this.formats, this.writerTo(sink), options)
    while (saver.step());
  }

  /** What takes long to compress is not, if it is longer than `compressedMax`. */
  private writerTo(sink: Sink, compressedMax = Number.POSITIVE_INFINITY): RdbWriter {
    const { config } = this.server
    const [checksum, compression] = [config.bool('rdbchecksum'), config.bool('rdbcompression')]
    return new RdbWriter(sink, { checksum, compression, compressedMax })
  }

  private imageOptions(facts: Facts = { 'aof-base': 0 }): ImageOptions {
    const { config, vitals } = this.server
    const policy = config.choice('maxmemory-policy')
    return {
      hint: policy.endsWith('-lru') ? Hint.IDLE : policy.endsWith('-lfu') ? Hint.FREQUENCY : Hint.NONE,
      aux: {
        'redis-ver': REDIS_VERSION,
        'redis-bits': 64,
        ctime: unixTime(),
        'used-mem': vitals.usedBytes,
        ...facts,
      },
      keyDelay: 0,
      functions: this.functions,
      compression: config.bool('rdbcompression'),
    }
  }

  /** What a snapshot is to be shown to, for it to become an RDB file; `facts` are said at its beginning. */
  imageFor(sink: Sink, facts?: Facts): { writer: RdbWriter; image: RdbImage } {
    const writer = this.writerTo(sink, LARGE.bytes)
    // Formats of its own: a snapshot saves in the midst of commands, and perhaps of another save.
    const { keyspace } = this.server
    return { writer, image: new RdbImage(keyspace, new ValueFormats(keyspace), writer, this.imageOptions(facts)) }
  }

  /** What failed, for the log. */
  describe({ step, error }: FileFailure, temporaryName: string): string {
    const { config } = this.server
    const where = `(in server root dir ${toText(config.directory.path())})`
    const reason = errorText(error)
    switch (step) {
      case 'open':
        return `Failed opening the temp RDB file ${temporaryName} ${where} for saving: ${reason}`
      case 'rename': {
        const names = `${temporaryName} on the final destination ${config.text('dbfilename')}`
        return `Error moving temp DB file ${names} ${where}: ${reason}`
      }
      case 'fsync directory':
        return `Failed to fsync directory while saving DB: ${reason}`
      default:
        return `Write error while saving DB to the disk(${step}): ${reason}`
    }
  }

  /** At the start: reads the file if there is one, in slices. False, having logged why, if the server must not go
   *  on. */
  async restore(): Promise<boolean> {
    const { config, log, loading, appendOnly } = this.server
    if (config.bool('appendonly')) return loading.run(appendOnly.restoreAndStart())
    if (!appendOnly.readManifest()) return false
    if ((await loading.run(this.loadSteps(false))) !== Restored.FAILED) return true
    log.warn('Fatal error loading the DB, check server logs. Exiting.')
    return false
  }

  /** Adds what is in the file to the databases, at once; with `replace`, instead of keys that are there. Logs what it
   *  finds. */
  load(replace: boolean): Restored {
    const steps = this.loadSteps(replace)
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
    }
  }

  private *loadSteps(replace: boolean): Steps<Restored> {
    const { log, loading } = this.server
    const start = performance.now()
    try {
      const source = new FileSource(this.dumpPath)
      loading.expect(source.size)
      try {
        if (!(yield* this.loadFrom(source, replace))) return Restored.FAILED
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
    const { checksum, reader } = this.readerOf(source)
    const keyDelay = config.number('key-load-delay')
    const { functions } = this
    const options = { log, checksum, replace: false, keyDelay, functions }
    const loader = new RdbLoader(keyspace, this.formats, reader, options)
    this.server.loading.follow(() => reader.offset)
    try {
      yield* this.keySteps(loader, options)
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      const place = loader.place === '' ? '' : `, ${loader.place}`
      log.warn(`Cannot load the RDB data in ${file}: ${error.message}. At offset ${error.offset}${place}.`)
      log.warn('The file was not changed. Replace it, or the whole directory, by a copy that can be loaded.')
      log.warn('Terminating server after rdb file reading failure.')
      return undefined
    }
    this.keysLoaded = loader.loadedCount
    this.keysExpired = loader.expiredCount
    log.info(`Done loading RDB, keys loaded: ${this.keysLoaded}, keys expired: ${this.keysExpired}.`)
    return reader.offset
  }

  private readerOf(source: Source): { checksum: boolean; reader: RdbReader } {
    const { config, payloads } = this.server
    const checksum = config.bool('rdbchecksum') && !payloads.skipChecksum
    const reader = new RdbReader(source, checksum, STRING_LEN_MAX)
    reader.thorough = config.choice('sanitize-dump-payload') === 'yes'
    return { checksum, reader }
  }

  private *loadFrom(source: FileSource, replace: boolean): Steps<boolean> {
    const { config, keyspace, log } = this.server
    const { checksum, reader } = this.readerOf(source)
    const keyDelay = config.number('key-load-delay')
    const { functions } = this
    const options = { log, checksum, replace, keyDelay, functions }
    const loader = new RdbLoader(keyspace, this.formats, reader, options)
    keyspace.setTime(Date.now())
    this.server.loading.follow(() => reader.offset)
    try {
      yield* this.keySteps(loader, options)
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      const place = loader.place === '' ? '' : `, ${loader.place}`
      const file = toText(this.dumpPath.toString('latin1'))
      log.warn(`Cannot load the RDB file ${file}: ${error.message}. At offset ${error.offset}${place}.`)
      log.warn('The file was not changed. Replace it by one that can be loaded, or move it away to start without data.')
      log.warn('Terminating server after rdb file reading failure.')
      return false
    }
    this.keysLoaded = loader.loadedCount
    this.keysExpired = loader.expiredCount
    if (reader.remaining > 0) log.warn(`The RDB file goes on after its end: ${reader.remaining} bytes were not read.`)
    const empty = loader.emptyCount > 0 ? `, empty keys skipped: ${loader.emptyCount}` : ''
    log.info(`Done loading RDB, keys loaded: ${this.keysLoaded}, keys expired: ${this.keysExpired}${empty}.`)
    return true
  }

  private *keySteps(loader: RdbLoader, options: { keyDelay: number }): Steps<void> {
    const { config, loading } = this.server
    for (let steps = 1; loader.step(); steps++) {
      if (options.keyDelay === 0 && steps % KEYS_PER_STEP !== 0) continue
      loading.usedMemory = loader.usedMemory
      yield
      options.keyDelay = config.number('key-load-delay')
    }
  }
}
