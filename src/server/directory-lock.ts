/* Directory lock: keeps a second server from writing over this one's files (persistence/file-lock.ts).
 *
 * The lock is held while the server writes files by itself: where there are save points, or appendonly is on. Without
 * them many servers may share a directory, as with Redis; a SAVE is refused there only if another server holds the
 * lock. Names of files count: servers with files of other names do not disturb each other. */
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
  private lock: FileLock | null = null
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

  /** The lock of the files that are configured now. */
  private current(): FileLock {
    const { config } = this.server
    const name = `.${config.bytes('dbfilename') ?? ''}.lock`
    const path = toText(resolveBytes(config.directory, name).toString('latin1'))
    if (this.lock !== null && this.lock.path !== path) this.lock.release()
    if (this.lock === null || this.lock.path !== path) this.lock = new FileLock(path)
    return this.lock
  }

  /** At the start: takes the lock if it will be wanted. False, having logged why, if somebody else has it. */
  async begin(): Promise<boolean> {
    if (!this.isWanted) return true
    const lock = this.current()
    let state = lock.look()
    if (state === LockState.UNCERTAIN) {
      this.server.log.info(`The data may belong to another server (${this.holder(lock)}): waiting whether it lives.`)
      for (let waited = 0; state === LockState.UNCERTAIN && waited <= SILENCE_MS + LOOK_MS; waited += LOOK_MS) {
        await after(LOOK_MS)
        state = lock.look()
      }
    }
    return this.takeIf(lock, state)
  }

  /** Whether files may be written now. If not, why is in the log. */
  mayWrite(): boolean {
    const lock = this.current()
    if (lock.isHeld) return true
    const state = lock.look()
    if (this.isWanted) return this.takeIf(lock, state)
    if (state === LockState.FREE) return true
    this.refuse(lock)
    return false
  }

  private takeIf(lock: FileLock, state: LockState): boolean {
    if (state === LockState.TAKEN || state === LockState.UNCERTAIN) {
      this.refuse(lock)
      return false
    }
    try {
      lock.take()
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
    if (this.lock?.touch() === false) this.refuse(this.lock)
  }

  release(): void {
    clearInterval(this.timer)
    this.lock?.release()
  }
}
