/* Directory lock: keeps a second server from writing over this one's files (persistence/file-lock.ts).
 *
 * The lock is held while the server writes files by itself: where there are save points, or appendonly is on. Without
 * them many servers may share a directory, as with Redis; a SAVE is refused there only if another server holds the
 * lock. Names of files count: there is one lock for the RDB file and one for the append-only files, and
 * servers with files of other names do not disturb each other. */
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
      if (!this.isWanted || this.mayWrite()) return undefined
      return 'Another server uses the files in this directory. Check server logs.'
    })
  }

  /** Whether the server writes files by itself. */
  private get isWanted(): boolean {
    const { config } = this.server
    return config.value('save').length > 0 || config.bool('appendonly')
  }

  /** The locks of the files that are configured now: of the RDB file, and where an append-only file is kept, or
   *  written by `rewrites`, of that. */
  private current(rewrites = false): readonly FileLock[] {
    const { config } = this.server
    const names = [config.bytes('dbfilename') ?? '']
    const keepsLog = rewrites || config.bool('appendonly')
    if (keepsLog) names.push(`${config.bytes('appenddirname') ?? ''}.${config.bytes('appendfilename') ?? ''}`)
    const paths = names.map((name) => toText(resolveBytes(config.directory, `.${name}.lock`).toString('latin1')))
    for (const lock of this.locks) if (!paths.includes(lock.path)) lock.release()
    this.locks = paths.map((path) => this.locks.find((lock) => lock.path === path) ?? new FileLock(path))
    return this.locks
  }

  /** At the start: takes the locks if they will be wanted. False, having logged why, if somebody else has one. */
  async begin(): Promise<boolean> {
    if (!this.isWanted) return true
    for (const lock of this.current()) {
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

  /** Whether files may be written now, with `rewrites` those of an append-only file. If not, why is in the log. */
  mayWrite(rewrites = false): boolean {
    for (const lock of this.current(rewrites)) {
      if (lock.isHeld) continue
      const state = lock.look()
      if (this.isWanted) {
        if (!this.takeIf(lock, state)) return false
      } else if (state !== LockState.FREE) {
        this.refuse(lock)
        return false
      }
    }
    return true
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
