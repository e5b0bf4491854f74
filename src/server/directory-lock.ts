/* Directory lock: keeps a second server from writing over this one's files (persistence/file-lock.ts).
 *
 * There are two: one for the RDB file, held where there are save points, and one for the append-only files, held while
 * appendonly is on: while the server writes them by itself. Without that many servers may share a directory, as with
 * Redis; a SAVE is refused there only if another server holds the lock. Names of files count: servers with files of
 * other names do not disturb each other. */
import { setTimeout as after } from 'node:timers/promises'
import { FileLock, LockState, SILENCE_MS } from '../persistence/file-lock.ts'
import { isSystemError } from '../persistence/rdb/files.ts'
import { errorText, toText } from './config/text.ts'
import { resolveBytes } from './config/working-directory.ts'
import type { Server } from './server.ts'

const TOUCH_MS = 1000
const LOOK_MS = 250

export class DirectoryLock {
  private readonly server: Server
  private locks: readonly FileLock[] = []
  private timer: NodeJS.Timeout | undefined

  constructor(server: Server) {
    this.server = server
    const { config } = server
    config.onApply('save', () => {
      if (this.mayKeep()) return undefined
      return 'Another server uses the files in this directory. Check server logs.'
    })
  }

  /** The locks of the files that are configured now: of the RDB file, and of the append-only files. */
  private current(): readonly [FileLock, FileLock] {
    const { config } = this.server
    const log = `${config.bytes('appenddirname') ?? ''}.${config.bytes('appendfilename') ?? ''}`
    const [rdbPath, logPath] = [config.bytes('dbfilename') ?? '', log].map((name) =>
      toText(resolveBytes(config.directory, `.${name}.lock`).toString('latin1')),
    )
    for (const lock of this.locks) if (lock.path !== rdbPath && lock.path !== logPath) lock.release()
    const lockAt = (path: string) => this.locks.find((lock) => lock.path === path) ?? new FileLock(path)
    const locks = [lockAt(rdbPath!), lockAt(logPath!)] as const
    this.locks = locks
    return locks
  }

  /** Those of files that the server writes by itself. */
  private wanted([rdb, log]: readonly [FileLock, FileLock]): readonly FileLock[] {
    const { config } = this.server
    return [...(config.value('save').length > 0 ? [rdb] : []), ...(config.bool('appendonly') ? [log] : [])]
  }

  /** At the start: takes the locks if they will be wanted. False, having logged why, if somebody else has one. */
  async begin(): Promise<boolean> {
    for (const lock of this.wanted(this.current())) {
      if (this.takeIf(lock, await this.settled(lock))) continue
      this.release()
      return false
    }
    return true
  }

  /** How a lock stands when that is certain, or cannot be told. */
  private async settled(lock: FileLock): Promise<LockState> {
    let state = lock.look()
    if (state !== LockState.UNCERTAIN) return state
    this.server.log.info(`The data may belong to another server (${this.holder(lock)}): waiting whether it lives.`)
    for (let waited = 0; state === LockState.UNCERTAIN && waited <= SILENCE_MS + LOOK_MS; waited += LOOK_MS) {
      await after(LOOK_MS)
      state = lock.look()
    }
    return state
  }

  /** Whether the files may be written that the server writes by itself. If not, why is in the log. */
  private mayKeep(): boolean {
    for (const lock of this.wanted(this.current())) {
      if (!lock.isHeld && !this.takeIf(lock, lock.look())) return false
    }
    return true
  }

  /** Whether the RDB file may be written now, or with `rewrites` the append-only files. If not, why is in the log. */
  mayWrite(rewrites = false): boolean {
    if (!this.mayKeep()) return false
    const lock = this.current()[rewrites ? 1 : 0]
    if (lock.isHeld || lock.look() === LockState.FREE) return true
    this.refuse(lock)
    return false
  }

  private takeIf(lock: FileLock, state: LockState): boolean {
    try {
      const now = state === LockState.FREE ? lock.take() : state
      if (now !== LockState.OURS) {
        this.refuse(lock)
        return false
      }
      clearInterval(this.timer)
      this.timer = setInterval(() => this.touch(), TOUCH_MS).unref()
    } catch (error) {
      if (!isSystemError(error)) throw error
      // A directory that cannot be written to needs no lock: the write that follows will tell.
      this.server.log.debug(`No lock could be written: ${errorText(error)}`)
    }
    return true
  }

  private holder({ holder }: FileLock): string {
    return holder === null ? 'unknown' : `PID ${holder.pid} on ${holder.host}`
  }

  private refuse(lock: FileLock): void {
    this.server.log.warn(
      `Another server (${this.holder(lock)}) uses the files in this directory, and the two would write over each ` +
        `other's data. Give this one another \`dir\`, or other names of files; if there is no such server, remove ` +
        `${lock.path}.`,
    )
  }

  /** Not the cron's matter, which stands still while the data is loaded. */
  private touch(): void {
    for (const lock of this.locks) if (!lock.touch()) this.refuse(lock)
  }

  release(): void {
    clearInterval(this.timer)
    for (const lock of this.locks) lock.release()
  }
}
