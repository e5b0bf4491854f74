/* The append-only file: everything that changes the data is written down, so that it can be done again.
 *
 *   effects of commands ─► buffer ─► (end of the turn) file ─► disk
 *
 *   OFF        appendonly no
 *   ON         what is done is in the base file and the incremental files that the manifest lists
 *   WAITING    appendonly yes was set while the server ran: the first base file is being written; what is done
 *              meanwhile goes to a temporary incremental file, and both become valid together
 *
 * Replies leave only after `beforeSending`: with appendfsync always, what they acknowledge is on disk then. */
import * as nodeFs from 'node:fs'
import type { EffectListener } from '../../commands/effects.ts'
import { Manifest } from '../../persistence/aof/manifest.ts'
import { AofWriter, type SyncPolicy, type WriterHost } from '../../persistence/aof/writer.ts'
import { type ErrorReply, errorReply } from '../../protocol/errors.ts'
import { errorText, toByteString, toText } from '../config/text.ts'
import type { Steps } from '../loading.ts'
import type { Server } from '../server.ts'
import { AofDirectory, type AofFileSystem, Persisted } from './directory.ts'
import { AofLoading, Loaded } from './loading.ts'
import { AofRewrite } from './rewrite.ts'
import { AofState } from './state.ts'

/** Seconds between rewrites that a failed sync asks for. */
const HEAL_DELAY_MAX = 60

/** Unix time in milliseconds by a clock that is never set: a sync must not wait for an hour to come again. */
const steadyMs = (): number => performance.timeOrigin + performance.now()

export class AppendOnly implements EffectListener, WriterHost {
  state: AofState = AofState.OFF
  readonly writer: AofWriter
  readonly directory: AofDirectory
  manifest = new Manifest()
  /** Bytes of all files that the manifest lists, less what has been written since (`writer.written`). */
  private sizeBefore = 0
  /** Bytes after the last rewrite, or of the base file. */
  baseSize = 0
  private failed = false
  private lastRetry = 0
  /** Unix time in seconds of the next try to rewrite what a failed sync may have lost, and how long after the last. */
  private nextHeal = 0
  private healDelay = 0
  readonly rewrite: AofRewrite
  /** What clients are told who want to write while that cannot be kept; null while it can. */
  refusal: ErrorReply | null = null
  private readonly server: Server

  constructor(server: Server, fs: AofFileSystem = nodeFs) {
    this.server = server
    this.directory = new AofDirectory(server.config, server.log, fs)
    this.writer = new AofWriter(fs, this)
    this.rewrite = new AofRewrite(server, this)
    this.followConfig()
    server.cron.every((now) => this.tick(now))
    server.outbox.beforeFlush = () => this.beforeSending()
  }

  private followConfig(): void {
    const { config, dispatcher } = this.server
    const { writer } = this
    const { effects } = dispatcher
    config.onChange('appendfsync', () => (writer.policy = config.choice('appendfsync') as SyncPolicy))
    config.onChange('no-appendfsync-on-rewrite', () => {
      writer.sparesRewrites = config.bool('no-appendfsync-on-rewrite')
    })
    config.onChange('aof-timestamp-enabled', () => (writer.buffer.timestamps = config.bool('aof-timestamp-enabled')))
    config.onApply('appendonly', () => {
      const wanted = config.bool('appendonly')
      if (wanted === this.isOn) return undefined
      if (!wanted) this.stop()
      else if (!this.server.directoryLock.mayWrite(true) || !this.startLater())
        return 'Unable to turn on AOF. Check server logs.'
      return undefined
    })
    config.onChange('aof-disable-auto-gc', () => this.deleteHistory())
    config.onChange('lazyfree-lazy-expire', () => (effects.lazyExpire = config.bool('lazyfree-lazy-expire')))
    config.onChange('lazyfree-lazy-eviction', () => (effects.lazyEviction = config.bool('lazyfree-lazy-eviction')))
    config.onChange('lazyfree-lazy-server-del', () => (effects.lazyDelete = config.bool('lazyfree-lazy-server-del')))
  }

  get isOn(): boolean {
    return this.state !== AofState.OFF
  }

  /** Bytes of memory that what waits to be written may take. */
  get bufferBytes(): number {
    return this.isOn ? this.writer.buffer.bytes.length : 0
  }

  /** Bytes of all files. */
  get size(): number {
    return this.sizeBefore + this.writer.written
  }
  set size(bytes: number) {
    this.sizeBefore = bytes - this.writer.written
  }

  // What has been done.

  take(dbIndex: number, bytes: Uint8Array, pos: number, len: number): void {
    if (this.isIdle) return
    this.writer.buffer.add(dbIndex, this.server.keyspace.now, bytes, pos, len)
  }
  begin(): void {
    if (!this.isIdle) this.writer.buffer.begin(this.server.keyspace.now)
  }
  end(): void {
    if (!this.isIdle) this.writer.buffer.end()
  }

  /** Waits for a rewrite to begin: what is done before that will be in the base file. */
  private get isIdle(): boolean {
    return this.state === AofState.WAITING && !this.rewrite.inProgress
  }

  /** Everything that has been done is in the buffer, but for what the running command does. */
  get hasUnwritten(): boolean {
    return this.writer.buffer.length > 0
  }

  /** Where what is done next will stand in the log. */
  get position(): number {
    this.server.dispatcher.effects.settle()
    return this.writer.position
  }

  /** Whether all before a position is on disk. */
  hasSynced(position: number): boolean {
    return this.state === AofState.ON && this.writer.syncedTo >= position
  }

  /** Sees to it that replies may leave; false if they must not: then the server is about to end. */
  beforeSending(): boolean {
    if (this.state === AofState.OFF) return true
    this.server.dispatcher.effects.settle()
    if (this.writer.buffer.length === 0) return !this.failed
    return this.flush(false)
  }

  /** Writes what waits, and syncs it as configured. */
  flush(force: boolean): boolean {
    if (this.failed) return false
    return this.writer.flush(force, steadyMs())
  }

  private tick(now: number): void {
    this.rewrite.tick()
    if (this.state === AofState.OFF) return
    this.server.dispatcher.effects.settle()
    const seconds = Math.floor(now / 1000)
    if (this.writer.writeFails && seconds === this.lastRetry) return
    this.lastRetry = seconds
    this.flush(false)
    this.heal(seconds)
  }

  /** After a sync that failed: rewrites everything, again after 1, 2, 4 … 60 seconds if that fails. */
  private heal(seconds: number): void {
    if (!this.writer.wantsRewrite) this.healDelay = 0
    else if (this.state === AofState.ON && !this.rewrite.inProgress && !this.server.snapshots.busy) {
      if (seconds < this.nextHeal) return
      this.healDelay = Math.min(Math.max(1, this.healDelay * 2), HEAL_DELAY_MAX)
      this.nextHeal = seconds + this.healDelay
      this.rewrite.begin()
    }
  }

  // For the writer.

  info(message: string): void {
    this.server.log.info(message)
  }
  warn(message: string): void {
    this.server.log.warn(message)
  }
  describe(error: NodeJS.ErrnoException): string {
    return errorText(error)
  }
  fatal(message: string): void {
    this.server.log.warn(message)
    this.failed = true
    this.server.exit(1)
    this.server.close()
  }
  get isWatched(): boolean {
    return this.server.slow.latency.threshold > 0
  }
  took(event: string, ms: number): void {
    this.server.slow.latency.note(event, ms)
  }
  get isSaving(): boolean {
    return this.rewrite.inProgress || this.server.persistence.background.inProgress
  }
  troubleChanged(): void {
    const { trouble } = this.writer
    this.refusal =
      trouble === null
        ? null
        : errorReply(`MISCONF Errors writing to the AOF file: ${toByteString(errorText(trouble))}`)
    this.server.persistence.background.judge()
  }
  synced(): void {
    this.server.waiting.check()
  }

  // At the start.

  /** Reads all files and begins to write, in steps; false if the server must not go on. Why is in the log. */
  *restoreAndStart(): Steps<boolean> {
    const isRestored = yield* this.restore()
    return isRestored && this.start()
  }

  /** Notes which files there are, though they are not wanted now: what is begun later goes on from them, and takes
   *  their place at once or not at all. False if that cannot be told; why is in the log. */
  readManifest(): boolean {
    const manifest = this.directory.readManifest()
    if (manifest !== null) this.manifest = manifest
    return manifest !== null
  }

  /** Reads all files, in steps; false if the server must not go on. Why is in the log. */
  *restore(): Steps<boolean> {
    const { log } = this.server
    const start = performance.now()
    if (!this.readManifest() || !this.upgrade()) return false
    const loading = new AofLoading(this.server, this.directory, this.manifest)
    const loaded = yield* loading.run()
    if (loaded === Loaded.FAILED) return false
    if (loaded !== Loaded.NOTHING) {
      log.info(`DB loaded from append only file: ${((performance.now() - start) / 1000).toFixed(3)} seconds`)
    }
    this.size = loading.totalBytes
    this.baseSize = loading.baseBytes
    return true
  }

  /** DEBUG LOADAOF: reads the files again, instead of what there is. False if there is nothing, or it is damaged. */
  reload(): boolean {
    const { keyspace, persistence, log } = this.server
    if (this.state === AofState.ON) {
      this.server.dispatcher.effects.settle()
      this.flush(true)
    }
    keyspace.flush()
    persistence.functions?.clear()
    if (!this.readManifest()) return false
    const steps = new AofLoading(this.server, this.directory, this.manifest).run()
    for (;;) {
      const step = steps.next()
      if (step.done !== true) continue
      if (step.value !== Loaded.YES && step.value !== Loaded.EMPTY) return false
      keyspace.dirty = 0
      log.info('Append Only File loaded by DEBUG LOADAOF')
      return true
    }
  }

  /** The one file that servers before Redis 7.0 wrote becomes the base file. */
  private upgrade(): boolean {
    const { directory, manifest } = this
    const { prefix } = directory
    if (!directory.exists(prefix, true)) return true
    const isEmpty = manifest.files.length === 0
    const isHalfDone = manifest.base?.name === prefix && manifest.incremental.length === 0 && !directory.exists(prefix)
    if (!isEmpty && !isHalfDone) return true
    if (!directory.create()) return false
    manifest.base = { name: prefix, seq: 1 }
    manifest.baseSeq = 1
    manifest.dirty = true
    if (directory.persist(manifest) !== Persisted.YES) return false
    const names = `${toText(prefix)} into dir ${directory.shownName}`
    const move = () => directory.fs.renameSync(directory.path(prefix, true), directory.path(prefix))
    if (!directory.attempt(move, `Error trying to move the old AOF file ${names}`)) return false
    const where = `(${toText(prefix)}) into the AOF directory (${directory.shownName})`
    this.server.log.info(`Successfully migrated an old-style AOF file ${where}.`)
    return true
  }

  /** Begins to write after what was loaded; false if the server must not go on. */
  start(): boolean {
    const { directory, manifest } = this
    const { log, config, persistence } = this.server
    if (!directory.create()) return false
    const isNew = manifest.files.length === 0
    if (isNew) {
      const base = manifest.addBase(directory.prefix, config.bool('aof-use-rdb-preamble') ? 'rdb' : 'aof')
      if (!persistence.writeBase(directory.path(base.name))) return false
      log.info(`Creating AOF base file ${toText(base.name)} on server start`)
    }
    const opens = manifest.last !== undefined
    const last = manifest.last ?? manifest.addIncremental(directory.prefix)
    // A file of this name that the manifest does not list is none of ours: a crash may have left it.
    const fd = directory.open(last.name, !opens)
    if (fd < 0 || directory.persist(manifest) !== Persisted.YES) return false
    this.writer.open(fd, directory.size(last) ?? 0)
    log.info(`${opens ? 'Opening' : 'Creating'} AOF incr file ${toText(last.name)} on server start`)
    this.state = AofState.ON
    this.server.dispatcher.propagateTo(this)
    this.deleteHistory()
    return true
  }

  /** Deletes what the manifest says is done with. That it fails is no harm. */
  private deleteHistory(): void {
    const { manifest, directory } = this
    if (this.server.config.bool('aof-disable-auto-gc') || manifest.history.length === 0) return
    for (const { name } of manifest.history) {
      this.server.log.info(`Removing the history file ${toText(name)} in the background`)
      directory.unlink(name)
    }
    manifest.history.length = 0
    manifest.dirty = true
    directory.persist(manifest)
  }

  // While the server runs.

  /** appendonly yes is set: what is there becomes a base file first. False after logging why that cannot be. */
  private startLater(): boolean {
    const { log, snapshots, dispatcher } = this.server
    const { rewrite } = this
    this.state = AofState.WAITING
    const schedule = (why: string) => {
      rewrite.scheduled = true
      log.info(`AOF was enabled ${why}. An AOF background was scheduled to start when possible.`)
    }
    if (rewrite.inProgress) {
      log.info(
        'AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting ' +
          'a rewrite now.',
      )
      rewrite.kill() // what is done meanwhile was not gathered
    }
    if (snapshots.busy) schedule('but there is already another background operation')
    else if (dispatcher.depth > 0) schedule('during a transaction')
    else if (!rewrite.begin()) {
      this.state = AofState.OFF
      log.warn(
        "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above logs " +
          'for more info about the error.',
      )
      return false
    }
    this.writer.forgive()
    dispatcher.propagateTo(this)
    return true
  }

  /** Goes on in another incremental file: everything before it will be in the base file that is about to be written.
   *  False, having changed nothing, after logging why that cannot be. */
  switchFile(): boolean {
    if (this.state === AofState.OFF) return true
    const { directory } = this
    const { dispatcher, log } = this.server
    dispatcher.effects.settle()
    this.flush(true)
    // What could not be written would be done twice: it is in the base file that is about to be written.
    if (this.hasUnwritten) {
      log.warn("Can't rewrite the append-only file while what waits to be written to it cannot be written.")
      return false
    }
    const isWaiting = this.state === AofState.WAITING
    const manifest = this.manifest.copy()
    const name = isWaiting ? directory.temporaryIncremental : manifest.addIncremental(directory.prefix).name
    const fd = directory.open(name, true)
    if (fd < 0) return false
    if (!isWaiting && directory.persist(manifest) !== Persisted.YES) {
      directory.fs.closeSync(fd)
      return false
    }
    log.info(`Creating AOF incr file ${toText(name)} on background rewrite`)
    this.writer.open(fd, 0)
    this.manifest = manifest
    return true
  }

  /** A rewrite has succeeded: this manifest is on disk, and its base file has so many bytes. */
  rewritten(manifest: Manifest, baseBytes: number): void {
    this.manifest = manifest
    if (this.state !== AofState.OFF) {
      this.size = baseBytes + this.writer.size
      this.baseSize = this.size
    }
    this.writer.rewritten()
    this.deleteHistory()
    if (this.state !== AofState.WAITING) return
    this.state = AofState.ON
    this.server.waiting.check()
  }

  /** A rewrite has ended, in whatever way. */
  rewriteEnded(): void {
    if (this.state !== AofState.WAITING) return
    this.writer.buffer.clear()
    this.directory.unlink(this.directory.temporaryIncremental)
    this.rewrite.scheduled = true
  }

  /** Writes and syncs everything: the server ends. False after logging that it must not, unless it is forced. */
  shutdown(force: boolean): boolean {
    const { log } = this.server
    if (this.rewrite.inProgress) {
      if (this.state === AofState.WAITING) {
        log.warn(force ? 'Writing initial AOF. Exit anyway.' : "Writing initial AOF, can't exit.")
        if (!force) return false
      }
      log.warn('There is a child rewriting the AOF. Killing it!')
      this.rewrite.kill()
    }
    return true
  }

  /** The last thing before the server ends. */
  close(): void {
    this.rewrite.kill()
    if (this.state === AofState.OFF) return
    if (this.failed) return this.writer.abandon()
    this.server.log.info('Calling fsync() on the AOF file.')
    this.stop()
  }

  private stop(): void {
    const { dispatcher } = this.server
    this.rewrite.scheduled = false
    this.rewrite.kill()
    dispatcher.propagateNoMoreTo(this)
    this.writer.close(steadyMs())
    if (this.state === AofState.WAITING) this.directory.unlink(this.directory.temporaryIncremental)
    this.state = AofState.OFF
    this.server.waiting.check()
  }
}
