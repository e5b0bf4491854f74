/* The directory of append-only files: names and paths, and the manifest on disk, which is only ever replaced by a whole
 * one. What fails is logged here, in Redis's words, and answered. */
import type * as nodeFs from 'node:fs'
import { constants } from 'node:fs'
import { type AofFile, Manifest, parseManifest } from '../../persistence/aof/manifest.ts'
import type { WriterFileSystem } from '../../persistence/aof/writer.ts'
import type { AsyncFileSystem } from '../../persistence/background-file.ts'
import { type FileSystem, isSystemError, replaceFile } from '../../persistence/rdb/files.ts'
import type { Config } from '../config/config.ts'
import { errorText, toBytes, toText } from '../config/text.ts'
import { resolveBytes } from '../config/working-directory.ts'
import type { Log } from '../log.ts'

export type AofFileSystem = FileSystem &
  AsyncFileSystem &
  WriterFileSystem &
  Pick<typeof nodeFs, 'mkdirSync' | 'statSync' | 'truncateSync' | 'readFileSync' | 'existsSync'>

/** What came of writing a manifest. UNSURE: it may be on disk or not, and so may the one before. */
export const Persisted = { YES: 0, NO: 1, UNSURE: 2 } as const
export type Persisted = (typeof Persisted)[keyof typeof Persisted]

const FILE_MODE = 0o644
/** As 'w', but what is written goes behind what is there: if half a write is cut off, the next one leaves no gap. */
const ANEW = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND

export class AofDirectory {
  private readonly config: Config
  private readonly log: Log
  readonly fs: AofFileSystem

  constructor(config: Config, log: Log, fs: AofFileSystem) {
    this.config = config
    this.log = log
    this.fs = fs
  }

  /** What all names begin with (appendfilename), as a byte string. */
  get prefix(): string {
    return this.config.bytes('appendfilename') ?? ''
  }
  private get name(): string {
    return this.config.bytes('appenddirname') ?? ''
  }
  get shownName(): string {
    return toText(this.name)
  }

  /** The bytes of a file's path in this directory; in the server's own with `outside`. */
  path(file: string, outside = false): Buffer {
    return resolveBytes(this.config.directory, outside ? file : `${this.name}/${file}`)
  }

  get ownPath(): Buffer {
    return resolveBytes(this.config.directory, this.name)
  }

  private get manifestName(): string {
    return `${this.prefix}.manifest`
  }
  /** Where what is done is gathered while the first base file is being written. */
  get temporaryIncremental(): string {
    return `temp-${this.prefix}.incr`
  }

  exists(file: string, outside = false): boolean {
    return this.fs.existsSync(this.path(file, outside))
  }

  /** Makes the directory unless it is there; false after logging why that could not be. */
  create(): boolean {
    return this.attempt(() => {
      if (!this.isDirectory()) this.fs.mkdirSync(this.ownPath, 0o755)
    }, `Can't open or create append-only dir ${this.shownName}`)
  }

  private isDirectory(): boolean {
    const stat = this.fs.statSync(this.ownPath, { throwIfNoEntry: false })
    return stat?.isDirectory() === true
  }

  /** Does something; false after logging why it failed. */
  attempt(act: () => void, failure: string): boolean {
    try {
      act()
      return true
    } catch (error) {
      if (!isSystemError(error)) throw error
      this.log.warn(`${failure}: ${errorText(error)}`)
      return false
    }
  }

  /** The manifest that is on disk, or an empty one; null after logging why it cannot be read. */
  readManifest(): Manifest | null {
    const path = this.path(this.manifestName)
    if (!this.fs.existsSync(path)) return new Manifest()
    let text = ''
    const failure = `Fatal error: can't open the AOF manifest file ${this.manifestName} for reading`
    if (!this.attempt(() => (text = this.fs.readFileSync(path, 'latin1')), failure)) return null
    const manifest = parseManifest(text)
    if (manifest instanceof Manifest) return manifest
    const { log } = this
    log.warn('*** FATAL AOF MANIFEST FILE ERROR ***')
    if (manifest.lineNumber > 0) {
      log.warn(`Reading the manifest file ${toText(path.toString('latin1'))}, at line ${manifest.lineNumber}`)
      log.warn(`>>> '${toText(manifest.line)}'`)
    }
    log.warn(manifest.error)
    return null
  }

  /** Puts a manifest in the place of the one on disk, if it has changed. */
  persist(manifest: Manifest): Persisted {
    if (!manifest.dirty) return Persisted.YES
    const bytes = toBytes(manifest.toString())
    const temporary = `temp-${this.manifestName}`
    const target = {
      path: this.path(this.manifestName),
      temporary: this.path(temporary),
      directory: this.ownPath,
      incrementalSync: false,
      mode: FILE_MODE,
    }
    const failure = replaceFile(target, (sink) => sink.take(new Uint8Array(bytes), bytes.length), this.fs)
    if (failure === undefined) {
      manifest.dirty = false
      return Persisted.YES
    }
    const { step, error } = failure
    const reason = errorText(error)
    if (step === 'open') this.log.warn(`Can't open the AOF manifest file ${temporary}: ${reason}`)
    else if (step === 'rename') {
      const names = `${temporary} into ${this.manifestName}`
      this.log.warn(`Error trying to rename the temporary AOF manifest file ${names}: ${reason}`)
    } else if (step === 'fsync directory') {
      this.log.warn(`Fail to fsync AOF directory ${this.shownName}: ${reason}.`)
    } else if (step === 'fsync') this.log.warn(`Fail to fsync the temp AOF file ${temporary}: ${reason}.`)
    else this.log.warn(`Error trying to write the temporary AOF manifest file ${temporary}: ${reason}`)
    return step === 'fsync directory' ? Persisted.UNSURE : Persisted.NO
  }

  /** Opens a file to append to; -1 after logging why that could not be. */
  open(file: string, beginsAnew: boolean): number {
    let fd = -1
    const failure = `Can't open the append-only file ${toText(file)}`
    this.attempt(() => (fd = this.fs.openSync(this.path(file), beginsAnew ? ANEW : 'a', FILE_MODE)), failure)
    return fd
  }

  /** Bytes of a file; undefined after logging why they cannot be told. */
  size({ name }: AofFile): number | undefined {
    let size: number | undefined
    const failure = `Unable to obtain the AOF file ${toText(name)} length. stat`
    this.attempt(() => (size = this.fs.statSync(this.path(name)).size), failure)
    return size
  }

  /** Deletes a file: its name at once, so that another may have it, its content in the background, which takes long.
   *  That it fails is nobody's matter. */
  unlink(file: string): void {
    let fd = -1
    try {
      fd = this.fs.openSync(this.path(file), 'r')
      this.fs.unlinkSync(this.path(file))
    } catch (error) {
      if (!isSystemError(error)) throw error
    }
    if (fd >= 0) this.fs.close(fd, () => {})
  }
}
