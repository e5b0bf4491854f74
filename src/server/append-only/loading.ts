/* Loading: reads the base file and what was appended since, as the manifest lists them.
 *
 * A file is an RDB file, or commands, or (of older versions) the one followed by the other. It goes on in steps, so
 * that others may be served in between. What is damaged is refused, with file and offset, and nothing is changed; only
 * the very end of the last file may be missing (the server was killed while it wrote), and with aof-load-truncated it
 * is cut off then. */
import type { AofFile, Manifest } from '../../persistence/aof/manifest.ts'
import { AofReader } from '../../persistence/aof/reader.ts'
import { isSystemError } from '../../persistence/rdb/files.ts'
import { hasRdbMagic } from '../../persistence/rdb/head.ts'
import type { Source } from '../../persistence/rdb/reader.ts'
import { errorText, toText } from '../config/text.ts'
import type { Steps } from '../loading.ts'
import type { Server } from '../server.ts'
import type { AofDirectory } from './directory.ts'
import { Replay, ReplayEnd } from './replay.ts'

export const Loaded = { YES: 0, NOTHING: 1, EMPTY: 2, TRUNCATED: 3, FAILED: 4 } as const
export type Loaded = (typeof Loaded)[keyof typeof Loaded]

/** As many bytes of a file as tell whether it is an RDB file. */
const MAGIC_LEN = 6
/** Redis's words name its own tool; this one is at hand. */
const TOOL = '(Here the tool is called `cinnabar check`; without --fix it changes nothing.)'
const ADVICE = 'Restore the append-only files from a backup, or correct the command in a copy of the file.'

export class AofLoading {
  /** Bytes of all files, and of the base file. */
  totalBytes = 0
  baseBytes = 0
  private readonly server: Server
  private readonly directory: AofDirectory
  private readonly manifest: Manifest

  constructor(server: Server, directory: AofDirectory, manifest: Manifest) {
    this.server = server
    this.directory = directory
    this.manifest = manifest
  }

  /** Loads all files; what is wrong has been logged. */
  *run(): Steps<Loaded> {
    const { manifest, directory } = this
    const { files } = manifest
    if (files.length === 0) return Loaded.NOTHING
    for (const file of files) {
      const size = directory.size(file)
      if (size === undefined) return Loaded.FAILED
      this.totalBytes += size
      if (file === manifest.base) this.baseBytes = size
    }
    if (this.totalBytes === 0) return Loaded.EMPTY
    this.server.loading.expect(this.totalBytes)
    const { keyspace } = this.server
    keyspace.keepExpired(true)
    try {
      return yield* this.loadFiles(files)
    } finally {
      keyspace.keepExpired(false)
    }
  }

  private *loadFiles(files: readonly AofFile[]): Steps<Loaded> {
    const { log } = this.server
    let loaded: Loaded = Loaded.YES
    for (const [index, file] of files.entries()) {
      const start = performance.now()
      const isLast = index === files.length - 1
      loaded = yield* this.loadFile(file)
      if (loaded === Loaded.TRUNCATED && !isLast) {
        log.warn('Fatal error: the truncated file is not the last file')
        return Loaded.FAILED
      }
      if (loaded === Loaded.FAILED) return loaded
      if (loaded === Loaded.EMPTY) continue
      const kind = file === this.manifest.base ? 'base' : 'incr'
      const seconds = ((performance.now() - start) / 1000).toFixed(3)
      log.info(`DB loaded from ${kind} file ${toText(file.name)}: ${seconds} seconds`)
    }
    return loaded === Loaded.TRUNCATED ? loaded : Loaded.YES
  }

  private *loadFile(file: AofFile): Steps<Loaded> {
    const { fs } = this.directory
    const path = this.directory.path(file.name)
    const name = toText(file.name)
    let fd = -1
    const failure = `Fatal error: can't open the append log file ${name} for reading`
    if (!this.directory.attempt(() => (fd = fs.openSync(path, 'r')), failure)) return Loaded.FAILED
    try {
      const { size } = fs.fstatSync(fd)
      return size === 0 ? Loaded.EMPTY : yield* this.loadOpened(file, fd, size)
    } catch (error) {
      if (!isSystemError(error)) throw error
      this.server.log.warn(`Unrecoverable error reading the append only file ${name}: ${errorText(error)}`)
      return Loaded.FAILED
    } finally {
      fs.closeSync(fd)
    }
  }

  private *loadOpened(file: AofFile, fd: number, size: number): Steps<Loaded> {
    const { fs } = this.directory
    const { log, persistence } = this.server
    const name = toText(file.name)
    const head = new Uint8Array(MAGIC_LEN)
    fs.readSync(fd, head, 0, head.length, 0)
    let start = 0
    if (hasRdbMagic(Buffer.from(head).toString('latin1'))) {
      const isOld = file.name === this.directory.prefix
      log.info(isOld ? 'Reading RDB preamble from AOF file...' : 'Reading RDB base file on AOF loading...')
      const source: Source = { size, read: (target, pos, len) => fs.readSync(fd, target, pos, len, null) }
      const end = yield* persistence.loadPreamble(source, toText(this.directory.path(file.name).toString('latin1')))
      if (end === undefined) {
        log.warn(`Error reading the RDB ${isOld ? 'preamble of the AOF' : 'base'} file ${name}, AOF loading aborted`)
        return Loaded.FAILED
      }
      start = end
      if (isOld) log.info('Reading the remaining AOF tail...')
    }
    const readAt = (target: Uint8Array, pos: number, len: number, offset: number): number =>
      fs.readSync(fd, target, pos, len, offset)
    const reader = new AofReader(readAt, start, size)
    this.server.loading.follow(() => reader.offset - start)
    const replay = new Replay(this.server, reader)
    while (replay.step()) yield
    return this.judge(file, reader, replay)
  }

  /** What the end of a replay means. */
  private judge({ name: bytes }: AofFile, reader: AofReader, replay: Replay): Loaded {
    const { log } = this.server
    const name = toText(bytes)
    switch (replay.end) {
      case ReplayEnd.WHOLE:
        return Loaded.YES
      case ReplayEnd.UNKNOWN_COMMAND:
        log.warn(
          `Unknown command '${replay.unknown}' reading the append only file ${name}, after offset ` +
            `${replay.validTo}; it was not changed. ${ADVICE}`,
        )
        return Loaded.FAILED
      case ReplayEnd.ERROR:
        log.warn(
          `A command of the append only file ${name} failed, after offset ${replay.validTo}; it was not changed. ` +
            ADVICE,
        )
        return Loaded.FAILED
      case ReplayEnd.MALFORMED:
        log.warn(
          `Bad file format reading the append only file ${name}: make a backup of your AOF file, then use ` +
            `./redis-check-aof --fix <filename.manifest>. What is wrong begins at offset ${reader.faultOffset}; ` +
            `the file was not changed. ${TOOL}`,
        )
        return Loaded.FAILED
      case ReplayEnd.CUT_TRANSACTION:
        log.warn(`Revert incomplete MULTI/EXEC transaction in AOF file ${name}`)
        return this.truncate(bytes, replay.validTo)
      default:
        return this.truncate(bytes, replay.validTo)
    }
  }

  private truncate(bytes: string, validTo: number): Loaded {
    const { log, config } = this.server
    const name = toText(bytes)
    if (config.bool('aof-load-truncated')) {
      log.warn(`!!! Warning: short read while loading the AOF file ${name}!!!`)
      log.warn(`!!! Truncating the AOF ${name} at offset ${validTo} !!!`)
      const { fs } = this.directory
      const failure = `Error truncating the AOF file ${name}`
      if (this.directory.attempt(() => fs.truncateSync(this.directory.path(bytes), validTo), failure)) {
        log.warn(`AOF ${name} loaded anyway because aof-load-truncated is enabled`)
        return Loaded.TRUNCATED
      }
    }
    log.warn(
      `Unexpected end of file reading the append only file ${name}. You can: 1) Make a backup of your AOF file, then ` +
        'use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the ' +
        "'aof-load-truncated' configuration option to yes and restart the server. " +
        `It is whole up to offset ${validTo}, and was not changed. ${TOOL}`,
    )
    return Loaded.FAILED
  }
}
