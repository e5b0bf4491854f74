/* The writer: gets what was appended to the log's buffer into the file, and the file onto the disk.
 *
 *   always     written and synced by `flush`, before any reply of the turn leaves; a failure ends the server, since
 *              what it would reply could not be held
 *   everysec   written by `flush`, synced in the background about once a second. While a sync is under way a write
 *              would wait for it: it is put off, for two seconds at most
 *   no         written by `flush`; the system syncs when it likes
 *
 * What cannot be written stays in the buffer, and is tried again; a part of it that got into the file is cut off.
 * Syncs run in libuv's thread pool, one after the other: when one has ended, all that was written before it began is
 * on disk.
 *
 * A sync that has failed is not made good by one that succeeds: Linux takes pages for written that it could not write,
 * and says so once. What was written since the last good sync may be lost, whatever is answered later; the error stays
 * until a rewrite has put all data into other files (`rewritten`).
 *
 * The file system is passed in, so that tests can make each step fail. */
import type * as nodeFs from 'node:fs'
import { isSystemError } from '../rdb/files.ts'
import { LogBuffer } from './log-buffer.ts'

export type WriterFileSystem = Pick<
  typeof nodeFs,
  'writeSync' | 'fdatasyncSync' | 'fdatasync' | 'ftruncateSync' | 'close' | 'closeSync'
>

export type SyncPolicy = 'always' | 'everysec' | 'no'

/** Whom a writer works for. */
export interface WriterHost {
  info(message: string): void
  warn(message: string): void
  /** What a system error means. */
  describe(error: NodeJS.ErrnoException): string
  /** The server must end: it could not keep what it promised. */
  fatal(message: string): void
  /** Something took so long, if anybody watches. */
  readonly isWatched: boolean
  took(event: string, ms: number): void
  /** Data is being saved or rewritten in the background. */
  readonly isSaving: boolean
  /** `trouble` is another now. */
  troubleChanged(): void
  /** All that had been appended before `position` is on disk. */
  synced(position: number): void
}

interface SyncJob {
  readonly fd: number
  /** How much had been written when it was asked for. */
  readonly position: number
  /** The file is done with. */
  readonly close: boolean
}

/** Seconds that a write may wait for a sync to end. */
const POSTPONED_MAX = 2
/** Seconds between messages about writes that fail. */
const ERROR_LOG_SECONDS = 30

export class AofWriter {
  readonly buffer = new LogBuffer()
  policy: SyncPolicy = 'everysec'
  /** no-appendfsync-on-rewrite. */
  sparesRewrites = false
  /** DEBUG AOF-FLUSH-SLEEP: milliseconds to wait before each write. */
  delayMs = 0
  /** Why the last write failed, and a sync in the background since the last rewrite; null if they did not. */
  private writeError: NodeJS.ErrnoException | null = null
  private syncError: NodeJS.ErrnoException | null = null
  /** Bytes of the file that is written to. */
  size = 0
  /** Bytes written to all files so far; those that are on disk. */
  written = 0
  syncedTo = 0
  /** Writes that did not wait any longer for a sync. */
  delayedCount = 0
  private fd = -1
  /** Up to where the file that is written to is on disk, counted over all files, if all before it is; and whether a
   *  sync of it has failed. */
  private fileSyncedTo = 0
  private fileFailed = false
  /** How large the file was when a sync was last asked for. */
  private syncedSize = 0
  /** Unix time in seconds: of the last sync; since when writes are put off, 0 if they are not. */
  private lastSync = 0
  private postponedSince = 0
  private lastErrorLog = 0
  private readonly jobs: SyncJob[] = []
  private readonly fs: WriterFileSystem
  private readonly host: WriterHost

  constructor(fs: WriterFileSystem, host: WriterHost) {
    this.fs = fs
    this.host = host
  }

  /** Why what is appended does not get to the disk; null if it does. */
  get trouble(): NodeJS.ErrnoException | null {
    return this.writeError ?? this.syncError
  }
  get writeFails(): boolean {
    return this.writeError !== null
  }
  /** A sync has failed: only a rewrite makes that good. */
  get wantsRewrite(): boolean {
    return this.syncError !== null
  }

  private setErrors(writeError: NodeJS.ErrnoException | null, syncError: NodeJS.ErrnoException | null): void {
    const before = this.trouble
    this.writeError = writeError
    this.syncError = syncError
    if (this.trouble !== before) this.host.troubleChanged()
  }

  get isOpen(): boolean {
    return this.fd >= 0
  }

  /** Where what is appended next will stand, counted over all files. */
  get position(): number {
    return this.written + this.buffer.length
  }

  /** Syncs that are under way or wait to be. */
  get pendingSyncs(): number {
    return this.jobs.length
  }

  /** Writes to this file from now on, whose size is `size`. The one before is synced and closed in the background. */
  open(fd: number, size: number): void {
    if (this.fd >= 0) this.addJob({ fd: this.fd, position: this.written, close: true })
    this.fd = fd
    this.size = size
    this.syncedSize = size
    this.fileSyncedTo = this.written
    this.fileFailed = false
    this.buffer.startFile()
  }

  /** Writes and syncs what there is, and closes the file. */
  close(nowMs: number): void {
    this.flush(true, nowMs)
    if (this.fd < 0) return
    const fd = this.fd
    this.fd = -1
    try {
      this.fs.fdatasyncSync(fd)
    } catch (error) {
      if (!isSystemError(error)) throw error
      this.host.warn(`Fail to fsync the AOF file: ${this.host.describe(error)}`)
    }
    // A sync that is under way must find the file that it was asked for, and not one that was given its number.
    if (this.jobs.length > 0) this.addJob({ fd, position: this.written, close: true })
    else this.fs.closeSync(fd)
    this.buffer.clear()
    this.setErrors(null, null)
    this.postponedSince = 0
  }

  /** Closes the file without writing what waits. */
  abandon(): void {
    if (this.fd < 0) return
    this.fs.closeSync(this.fd)
    this.fd = -1
    this.buffer.clear()
  }

  private get isSyncing(): boolean {
    for (const job of this.jobs) if (!job.close) return true
    return false
  }

  /** Forgets errors, for a file that is begun anew. */
  forgive(): void {
    if (this.syncError !== null) this.host.warn('AOF reopen, just ignore the AOF fsync error in bio job')
    if (this.writeError !== null) this.host.warn('AOF reopen, just ignore the last error.')
    this.setErrors(null, null)
  }

  /** Writes what waits, and syncs as the policy says. False if the server must end. `force`: does not wait for a sync
   *  that is under way. */
  flush(force: boolean, nowMs: number): boolean {
    if (this.fd < 0) return true
    const seconds = Math.floor(nowMs / 1000)
    if (this.buffer.length > 0) {
      if (this.policy === 'everysec' && !force && this.isSyncing && this.postpones(seconds)) return true
      if (!this.write(seconds)) return this.policy !== 'always'
    }
    return this.size === this.syncedSize || this.sync(seconds)
  }

  /** Whether a write waits for the sync that is under way. */
  private postpones(seconds: number): boolean {
    if (this.postponedSince === 0) this.postponedSince = seconds
    if (seconds - this.postponedSince < POSTPONED_MAX) return true
    this.delayedCount++
    this.host.info(
      'Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync ' +
        'to complete, this may slow down Redis.',
    )
    return false
  }

  /** Writes the buffer; false if that failed. */
  private write(seconds: number): boolean {
    const { buffer, host } = this
    if (this.delayMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, this.delayMs)
    const start = host.isWatched ? performance.now() : 0
    const wanted = buffer.length
    const error = this.writeAll()
    if (host.isWatched) this.noteWrite(performance.now() - start)
    this.postponedSince = 0
    const done = this.writtenNow
    if (error !== null) return this.fail(error, done, wanted, seconds)
    if (this.writeError !== null) {
      host.info('AOF write error looks solved, Redis can write again.')
      this.setErrors(null, this.syncError)
    }
    this.account(done)
    return true
  }

  private noteWrite(ms: number): void {
    const { host } = this
    host.took(
      this.isSyncing ? 'aof-write-pending-fsync' : host.isSaving ? 'aof-write-active-child' : 'aof-write-alone',
      ms,
    )
    host.took('aof-write', ms)
  }

  /** Bytes that the last `writeAll` wrote. */
  private writtenNow = 0

  private writeAll(): NodeJS.ErrnoException | null {
    const { bytes, length } = this.buffer
    this.writtenNow = 0
    try {
      while (this.writtenNow < length) {
        this.writtenNow += this.fs.writeSync(this.fd, bytes, this.writtenNow, length - this.writtenNow)
      }
      return null
    } catch (error) {
      if (!isSystemError(error)) throw error
      return error
    }
  }

  private account(len: number): void {
    this.size += len
    this.written += len
    this.buffer.consume(len)
  }

  private fail(error: NodeJS.ErrnoException, done: number, wanted: number, seconds: number): false {
    const { host } = this
    const logs = seconds - this.lastErrorLog > ERROR_LOG_SECONDS
    if (logs) this.lastErrorLog = seconds
    if (logs && done === 0) host.warn(`Error writing to the AOF file: ${host.describe(error)}`)
    if (logs && done > 0) {
      host.warn(
        `Short write while writing to the AOF file: (nwritten=${done}, expected=${wanted}): ${host.describe(error)}`,
      )
    }
    const left = done > 0 && this.cut(logs) ? 0 : done
    if (this.policy === 'always') {
      host.fatal("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...")
      return false
    }
    this.setErrors(error, this.syncError)
    if (left > 0) this.account(left)
    return false
  }

  /** Takes the part of a write that got into the file out again; false if that failed. */
  private cut(logs: boolean): boolean {
    try {
      this.fs.ftruncateSync(this.fd, this.size)
      return true
    } catch (error) {
      if (!isSystemError(error)) throw error
      if (logs) {
        this.host.warn(
          'Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next time ' +
            `it starts.  ftruncate: ${this.host.describe(error)}`,
        )
      }
      return false
    }
  }

  /** Syncs as the policy says; false if the server must end. */
  private sync(seconds: number): boolean {
    if (this.sparesRewrites && this.host.isSaving) return true
    if (this.policy === 'always') return this.syncNow(seconds)
    if (this.policy === 'everysec' && seconds > this.lastSync) {
      if (!this.isSyncing) {
        this.syncedSize = this.size
        this.addJob({ fd: this.fd, position: this.written, close: false })
      }
      this.lastSync = seconds
    }
    return true
  }

  private syncNow(seconds: number): boolean {
    const { host } = this
    const start = host.isWatched ? performance.now() : 0
    try {
      this.fs.fdatasyncSync(this.fd)
    } catch (error) {
      if (!isSystemError(error)) throw error
      const reason = host.describe(error)
      host.fatal(`Can't persist AOF for fsync error when the AOF fsync policy is 'always': ${reason}. Exiting...`)
      return false
    }
    if (host.isWatched) host.took('aof-fsync-always', performance.now() - start)
    this.syncedSize = this.size
    this.lastSync = seconds
    if (this.jobs.length === 0) this.noteSynced(this.written)
    return true
  }

  /** All data, as it was when the file at hand was begun, is in other files on disk: syncs that failed before matter
   *  no more. */
  rewritten(): void {
    if (this.syncError === null || this.fileFailed) return
    this.host.info('AOF fsync error looks solved: all data has been written anew, Redis can write again.')
    this.setErrors(this.writeError, null)
    this.noteSynced(this.fileSyncedTo)
  }

  /** The file that is written to is on disk up to this position. */
  private noteSynced(position: number): void {
    if (!this.fileFailed) this.fileSyncedTo = Math.max(this.fileSyncedTo, position)
    if (this.syncError !== null || position <= this.syncedTo) return
    this.syncedTo = position
    this.host.synced(position)
  }

  private addJob(job: SyncJob): void {
    this.jobs.push(job)
    if (this.jobs.length === 1) this.startJob(job)
  }

  private startJob(job: SyncJob): void {
    this.fs.fdatasync(job.fd, (error) => this.endJob(job, error))
  }

  private endJob(job: SyncJob, error: NodeJS.ErrnoException | null): void {
    if (error === null) this.noteSynced(job.position)
    else if (error.code !== 'EBADF' && error.code !== 'EINVAL') this.failSync(job, error)
    // If a rewrite has deleted the file meanwhile, its content goes with this, which takes long. (What closing could
    // tell, the synchronization has told.)
    if (job.close) this.fs.close(job.fd, () => {})
    this.jobs.shift()
    const next = this.jobs[0]
    if (next !== undefined) this.startJob(next)
  }

  private failSync(job: SyncJob, error: NodeJS.ErrnoException): void {
    const { host } = this
    if (this.syncError === null) host.warn(`Fail to fsync the AOF file: ${host.describe(error)}`)
    if (!this.isOpen) return
    if (this.syncError === null) {
      host.warn(
        'What was written since the last fsync may be lost, whatever the next one answers: all data is to be ' +
          'rewritten, and writes are refused until then.',
      )
    }
    if (!job.close) this.fileFailed = true
    this.setErrors(this.writeError, error)
  }
}
