/* Saves in the background: a snapshot (snapshots.ts) written to the RDB file while the server goes on, asked for by
 * BGSAVE or due by the save points.
 *
 * Redis forks for this and we do not; what it says of the child, in the log and in INFO, is said of the save. A save
 * that is killed (FLUSHALL, SHUTDOWN) leaves no file and no bad status; one that fails leaves the old file, and makes
 * writes be refused (stop-writes-on-bgsave-error) until one succeeds. */
import type { Call } from '../commands/call.ts'
import { type Command, Flag } from '../commands/definition.ts'
import { Admission, ServerGate } from '../commands/dispatcher.ts'
import { BackgroundFile } from '../persistence/background-file.ts'
import { type FileFailure, isSystemError } from '../persistence/rdb/files.ts'
import type { RdbImage } from '../persistence/rdb/image.ts'
import { type ErrorReply, MISCONF } from '../protocol/errors.ts'
import type { AppendOnly } from './append-only/append-only.ts'
import type { Persistence } from './persistence.ts'
import type { Server } from './server.ts'
import type { SnapshotUser } from './snapshots.ts'
import { unixTime } from './unix-time.ts'

/** After a failure the save points wait so long, in seconds. */
const RETRY_DELAY_SECONDS = 5

export class BackgroundSave {
  private readonly server: Server
  private readonly persistence: Persistence
  private file: BackgroundFile | null = null
  /** What the snapshot is shown to. */
  private user: SnapshotUser | null = null
  /** Saves begun so far, which name the temporary files. */
  private count = 0
  /** The changes that the save under way has in it. */
  private dirtyBefore = 0
  private lastTry = 0
  private startedAt = 0
  /** BGSAVE SCHEDULE waits for its turn. */
  scheduled = false
  /** The last save succeeded, or there was none. */
  ok = true
  /** The most memory that the save under way, or the last one, held because data had changed; bytes. */
  heldMax = 0
  /** How long the last one took, in seconds; -1: there was none. */
  lastSeconds = -1

  constructor(server: Server, persistence: Persistence) {
    this.server = server
    this.persistence = persistence
    server.cron.every(() => this.tick())
    server.cron.onClockJump(() => this.clockJumped())
    server.dispatcher.addAdmission((call, command) => this.admit(call, command))
    const { config } = server
    config.onChange('save', () => this.judge())
    config.onChange('stop-writes-on-bgsave-error', () => this.judge())
  }

  get inProgress(): boolean {
    return this.file !== null
  }

  /** The system's clock has been set: to an earlier time, and nothing has been tried in the time to come. */
  private clockJumped(): void {
    const now = unixTime()
    this.lastTry = Math.min(this.lastTry, now)
    this.persistence.lastSave = Math.min(this.persistence.lastSave, now)
  }

  /** How long the save under way has taken so far, in seconds; -1 if there is none. */
  get currentSeconds(): number {
    return this.inProgress ? unixTime() - this.startedAt : -1
  }

  /** Begins a save. False, having logged why, if that cannot be. */
  begin(): boolean {
    const { server, persistence } = this
    const { keyspace, log, snapshots, config } = server
    if (snapshots.busy) return false
    if (!server.directoryLock.mayWrite()) {
      this.failed('The data belongs to another server.')
      return false
    }
    this.lastTry = unixTime()
    persistence.saves++
    const name = `temp-${process.pid}.${++this.count}.rdb`
    const file = this.open(name)
    if (file === null) return false
    const { image } = persistence.imageFor(file)
    this.file = file
    this.heldMax = 0
    this.dirtyBefore = keyspace.dirty
    this.startedAt = unixTime()
    file.onRoom = () => snapshots.resume()
    log.info(`Background saving started by pid ${process.pid}`)
    this.user = {
      sink: image,
      isFull: () => {
        this.heldMax = Math.max(this.heldMax, snapshots.heldBytes)
        return file.isFull || this.spoiled(image)
      },
      heldBytes: () => image.heldBytes,
      keyDelayUs: config.number('rdb-key-save-delay'),
      shown: () => {
        if (!this.spoiled(image)) file.finish()
      },
    }
    snapshots.begin(this.user)
    return true
  }

  private open(name: string): BackgroundFile | null {
    const { persistence } = this
    try {
      return new BackgroundFile(persistence.replacement(name), (failure) => this.ended(name, failure))
    } catch (error) {
      if (!isSystemError(error)) throw error
      this.failed(persistence.describe({ step: 'open', error }, name))
      return null
    }
  }

  /** Whether there is a key that cannot be written; then the save has just ended. */
  private spoiled(image: RdbImage): boolean {
    if (image.failure === null) return false
    setImmediate(() => {
      if (this.file === null) return
      this.lastSeconds = this.currentSeconds
      this.stop()
      this.failed(`The data cannot be saved. ${image.failure?.message}`)
    })
    return true
  }

  private ended(name: string, failure: FileFailure | undefined): void {
    const { server, persistence } = this
    const { keyspace, log, snapshots } = server
    this.lastSeconds = this.currentSeconds
    this.file = null
    if (failure !== undefined) {
      snapshots.giveUp(this.user)
      return this.failed(persistence.describe(failure, name))
    }
    log.info('DB saved on disk')
    log.info('Background saving terminated with success')
    keyspace.dirty = Math.max(0, keyspace.dirty - this.dirtyBefore)
    persistence.lastSave = unixTime()
    this.succeeded()
  }

  private failed(reason: string): void {
    const { log } = this.server
    log.warn(reason)
    log.warn('Background saving error')
    this.ok = false
    this.judge()
  }

  /** The data has been saved, in the background or not. */
  succeeded(): void {
    this.ok = true
    this.judge()
  }

  /** Gives up the save under way, if there is one. */
  kill(): void {
    if (this.file === null) return
    this.lastSeconds = this.currentSeconds
    this.stop()
    this.server.log.warn('Background saving terminated by signal 10')
  }

  private stop(): void {
    this.file?.giveUp()
    this.file = null
    this.server.snapshots.giveUp(this.user)
  }

  /** Whether enough time has passed since a save that failed. */
  private get mayTry(): boolean {
    return this.ok || unixTime() - this.lastTry > RETRY_DELAY_SECONDS
  }

  private tick(): void {
    const { server, persistence } = this
    if (server.snapshots.busy || this.inProgress || (server.dispatcher.gates & ServerGate.LOADING) !== 0) return
    const { dirty } = server.keyspace
    if (this.scheduled && this.mayTry) {
      this.scheduled = false
      this.begin()
      return
    }
    if (dirty === 0 || !this.mayTry) return
    const elapsed = unixTime() - persistence.lastSave
    for (const { seconds, changes } of persistence.savePoints) {
      if (dirty < changes || elapsed <= seconds) continue
      server.log.info(`${changes} changes in ${seconds} seconds. Saving...`)
      this.begin()
      return
    }
  }

  /** Whether writes are refused now because the data cannot be saved. */
  get refusesWrites(): boolean {
    return !this.ok && this.persistence.hasSavePoints && this.server.config.bool('stop-writes-on-bgsave-error')
  }

  /** Why writes are refused, if they are. */
  get refusal(): ErrorReply | null {
    // It is made after this.
    const appendOnly: AppendOnly | undefined = this.server.appendOnly
    return this.refusesWrites ? MISCONF : (appendOnly?.refusal ?? null)
  }

  judge(): void {
    const { dispatcher } = this.server
    if (this.refusal !== null) dispatcher.gates |= ServerGate.MISCONF
    else dispatcher.gates &= ~ServerGate.MISCONF
  }

  /** PING is refused as well, so that whoever watches over the server learns of it. */
  private admit(call: Call, command: Command): Admission {
    const { dispatcher } = this.server
    if ((dispatcher.gates & ServerGate.MISCONF) === 0) return Admission.RUN
    if ((command.flagsFor(call) & Flag.WRITE) === 0 && command.name !== 'ping') return Admission.RUN
    dispatcher.reject(call, command, this.refusal ?? MISCONF)
    return Admission.ANSWERED
  }

  close(): void {
    if (this.file === null) return
    this.stop()
  }
}
