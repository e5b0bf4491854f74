/* Rewrites: the data as it is becomes the new base file, and what was appended before is not needed any more.
 *
 *   begin      what is done from now on goes to another incremental file, which the manifest lists
 *   snapshot   the data of that instant is written to a temporary file, while the server goes on
 *   end        the temporary file becomes the base file; a manifest takes effect that has nothing but it and the
 *              incremental file begun; what is not in it is deleted in the background
 *
 * At each moment the manifest on disk lists files that hold everything. Redis forks for this and we do not; what it
 * says of the child, in the log and in INFO, is said of the rewrite. Those that fail are tried again, after three
 * failures not at once: after 1, 2, 4 … 60 minutes. */
import { CommandImage } from '../../persistence/aof/image.ts'
import { BackgroundFile } from '../../persistence/background-file.ts'
import { type FileFailure, isSystemError } from '../../persistence/rdb/files.ts'
import type { RdbError } from '../../persistence/rdb/reader.ts'
import type { ImageSink } from '../../persistence/snapshot.ts'
import { errorText, toText } from '../config/text.ts'
import type { Server } from '../server.ts'
import type { SnapshotUser } from '../snapshots.ts'
import { unixTime } from '../unix-time.ts'
import type { AppendOnly } from './append-only.ts'
import { Persisted } from './directory.ts'
import { AofState } from './state.ts'

/** From so many failures on, one waits for the next try: so many minutes at most. */
const LIMITED_FROM = 3
const DELAY_MINUTES_MAX = 60

/** A picture that may turn out to be good for nothing. */
type FallibleImage = ImageSink & { readonly failure: RdbError | null }

export class AofRewrite {
  /** One waits for its turn. */
  scheduled = false
  /** The last one succeeded, or there was none. */
  ok = true
  /** How long it took, in seconds; -1: there was none. */
  lastSeconds = -1
  /** Rewrites begun; those that failed since the last that did not. */
  count = 0
  failures = 0
  private file: BackgroundFile | null = null
  /** What the snapshot is shown to. */
  private user: SnapshotUser | null = null
  private startedAt = 0
  /** Whether the base file being written is an RDB file. */
  private isRdb = true
  // After too many failures.
  private delayMinutes = 0
  private nextTry = 0
  private readonly server: Server
  private readonly owner: AppendOnly

  constructor(server: Server, owner: AppendOnly) {
    this.server = server
    this.owner = owner
  }

  get inProgress(): boolean {
    return this.file !== null
  }

  /** How long the one under way has taken so far, in seconds; -1 if there is none. */
  get currentSeconds(): number {
    return this.inProgress ? unixTime() - this.startedAt : -1
  }

  private get temporaryName(): string {
    return `temp-rewriteaof-bg-${process.pid}.aof`
  }

  /** Begins a rewrite. False, having logged why, if that cannot be. */
  begin(): boolean {
    const { server, owner } = this
    const { snapshots, config, log } = server
    if (snapshots.busy) return false
    this.ok = false
    if (!server.directoryLock.mayWrite(true) || !owner.directory.create()) return false
    this.isRdb = config.bool('aof-use-rdb-preamble')
    const file = this.open()
    if (file === null) return false
    if (!owner.switchFile()) {
      file.giveUp()
      return false
    }
    this.ok = true
    this.count++
    this.file = file
    this.startedAt = unixTime()
    this.scheduled = false
    const image = this.imageFor(file)
    file.onRoom = () => snapshots.resume()
    log.info(`Background append only file rewriting started by pid ${process.pid}`)
    this.user = {
      sink: image,
      isFull: () => file.isFull || this.spoiled(image),
      keyDelayUs: config.number('rdb-key-save-delay'),
      shown: () => {
        if (!this.spoiled(image)) file.finish()
      },
    }
    snapshots.begin(this.user)
    return true
  }

  private imageFor(file: BackgroundFile): FallibleImage {
    const { config, keyspace, persistence } = this.server
    if (this.isRdb) return persistence.imageFor(file, { 'aof-base': 1 }).image
    const second = config.bool('aof-timestamp-enabled') ? unixTime() : 0
    return new CommandImage(keyspace, file, { second, functions: persistence.functions })
  }

  private open(): BackgroundFile | null {
    const { config, log } = this.server
    const { directory, manifest } = this.owner
    const base = manifest.copy().addBase(directory.prefix, this.isRdb ? 'rdb' : 'aof')
    const target = {
      path: directory.path(base.name),
      temporary: directory.path(this.temporaryName, true),
      directory: directory.ownPath,
      incrementalSync: config.bool('aof-rewrite-incremental-fsync'),
    }
    try {
      return new BackgroundFile(target, (failure) => this.written(base.name, failure), directory.fs)
    } catch (error) {
      if (!isSystemError(error)) throw error
      log.warn(`Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): ${errorText(error)}`)
      return null
    }
  }

  /** Whether there is a key that cannot be written; then the rewrite has just ended. */
  private spoiled(image: FallibleImage): boolean {
    if (image.failure === null) return false
    setImmediate(() => {
      if (this.file === null) return
      this.server.log.warn(`The data cannot be rewritten. ${image.failure?.message}`)
      this.file.giveUp()
      this.server.snapshots.giveUp(this.user)
      this.end(false)
    })
    return true
  }

  /** The base file has its name, or has been removed. */
  private written(baseName: string, failure: FileFailure | undefined): void {
    const { log, snapshots } = this.server
    const { directory } = this.owner
    if (failure !== undefined) {
      snapshots.giveUp(this.user)
      log.warn(`Write error writing append only file on disk(${failure.step}): ${errorText(failure.error)}`)
      if (failure.step === 'fsync directory') directory.unlink(baseName)
      return this.end(false)
    }
    log.info('Background AOF rewrite terminated with success')
    log.info(`Successfully renamed the temporary AOF base file ${this.temporaryName} into ${toText(baseName)}`)
    this.end(this.takeEffect(baseName))
  }

  /** Has the manifest list the new base file. */
  private takeEffect(baseName: string): boolean {
    const { owner } = this
    const { directory } = owner
    const manifest = owner.manifest.copy()
    const base = manifest.addBase(directory.prefix, this.isRdb ? 'rdb' : 'aof')
    let incremental: string | null = null
    if (owner.state === AofState.WAITING) {
      const { name } = manifest.addIncremental(directory.prefix)
      const names = `${directory.temporaryIncremental} into ${name}`
      const rename = () => directory.fs.renameSync(directory.path(directory.temporaryIncremental), directory.path(name))
      if (!directory.attempt(rename, `Error trying to rename the temporary AOF incr file ${toText(names)}`)) {
        directory.unlink(baseName)
        return false
      }
      this.server.log.info(`Successfully renamed the temporary AOF incr file ${toText(names)}`)
      incremental = name
    }
    manifest.retire(owner.state === AofState.OFF ? 0 : 1)
    const persisted = directory.persist(manifest)
    // If nobody knows which manifest is on disk, the files of both must stay.
    if (persisted === Persisted.NO) {
      directory.unlink(baseName)
      if (incremental !== null) directory.unlink(incremental)
    }
    if (persisted !== Persisted.YES) return false
    owner.rewritten(manifest, directory.size(base) ?? 0)
    return true
  }

  private end(ok: boolean): void {
    const { log } = this.server
    this.file = null
    this.ok = ok
    this.lastSeconds = unixTime() - this.startedAt
    if (ok) {
      this.failures = 0
      log.info('Background AOF rewrite finished successfully')
    } else {
      this.failures++
      log.warn('Background AOF rewrite terminated with error')
    }
    this.owner.rewriteEnded()
  }

  /** Gives up the rewrite under way, if there is one. */
  kill(): void {
    if (this.file === null) return
    const { log, snapshots } = this.server
    log.info(`Killing running AOF rewrite child: ${process.pid}`)
    this.file.giveUp()
    this.file = null
    snapshots.giveUp(this.user)
  }

  /** Begins what is due. */
  tick(): void {
    const { owner, server } = this
    if (server.snapshots.busy || this.inProgress) return
    if (this.scheduled) {
      if (!this.isLimited()) this.begin()
      return
    }
    const percentage = server.config.number('auto-aof-rewrite-percentage')
    if (owner.state !== AofState.ON || percentage === 0) return
    if (owner.size <= server.config.number('auto-aof-rewrite-min-size')) return
    const growth = Math.trunc((owner.size * 100) / (owner.baseSize || 1)) - 100
    if (growth < percentage || this.isLimited()) return
    server.log.info(`Starting automatic rewriting of AOF on ${growth}% growth`)
    this.begin()
  }

  /** Whether failures keep the next one waiting. */
  private isLimited(): boolean {
    if (this.failures < LIMITED_FROM) {
      this.delayMinutes = 0
      this.nextTry = 0
      return false
    }
    if (this.nextTry !== 0) {
      if (unixTime() < this.nextTry) return true
      this.nextTry = 0
      return false
    }
    this.delayMinutes = Math.min(Math.max(1, this.delayMinutes * 2), DELAY_MINUTES_MAX)
    this.nextTry = unixTime() + this.delayMinutes * 60
    this.server.log.warn(
      'Background AOF rewrite has repeatedly failed and triggered the limit, ' +
        `will retry in ${this.delayMinutes} minutes`,
    )
    return true
  }
}
