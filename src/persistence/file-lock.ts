/* File lock: a file beside the data that says which server the data belongs to, so that a second one that is started in
 * the same directory by mistake does not write over it. Node knows no flock, so the file tells who has it:
 *
 *   { "pid": 4711, "started": "8123456", "space": "4026531836", "boot": "…", "host": "…" }
 *
 *   same boot and PID namespace    the holder lives if there is a process of that number that was started then
 *   another one (a container)      he lives if he keeps touching the file, as he does every second
 *
 * So a lock that outlived its holder (kill -9, a crash, power gone) is in nobody's way: within a machine that is seen
 * at once, and elsewhere within seconds. What it cannot do: keep off a redis-server, which knows of no locks; see a
 * holder in another container who is stopped (SIGSTOP) or busy for longer than that; or decide between two servers that
 * find an old lock in the same instant, of which the later one stays. */
import * as nodeFs from 'node:fs'
import { hostname } from 'node:os'
import { isSystemError } from './rdb/files.ts'

/** A holder elsewhere who has not touched the file for so long is gone, in milliseconds. */
export const SILENCE_MS = 4000

export interface LockHolder {
  readonly pid: number
  /** When the process was started, in ticks since the machine was. */
  readonly started: string
  /** The PID namespace, and the run of the machine. */
  readonly space: string
  readonly boot: string
  readonly host: string
}

/** How a lock stands; UNCERTAIN: its holder may live, time will tell. */
export const LockState = { FREE: 0, OURS: 1, TAKEN: 2, UNCERTAIN: 3 } as const
export type LockState = (typeof LockState)[keyof typeof LockState]

export class FileLock {
  readonly path: string
  /** Who has it, if somebody else does. */
  holder: LockHolder | null = null
  private held = false

  constructor(path: string) {
    this.path = path
  }

  get isHeld(): boolean {
    return this.held
  }

  /** Looks who has the lock. */
  look(now = Date.now()): LockState {
    if (this.held) return LockState.OURS
    const found = this.read()
    if (found === null) return LockState.FREE
    this.holder = found.holder
    const own = ownIdentity()
    const { holder } = found
    if (holder.boot !== own.boot && holder.host === own.host) return LockState.FREE // this machine has been restarted
    if (holder.boot === own.boot && holder.space === own.space) {
      return startOf(holder.pid) === holder.started && holder.pid !== own.pid ? LockState.TAKEN : LockState.FREE
    }
    return Math.abs(now - found.touchedMs) > SILENCE_MS ? LockState.FREE : LockState.UNCERTAIN
  }

  /** Takes the lock, whoever had it. Throws what the system answers if the file cannot be written. */
  take(): void {
    const temporary = `${this.path}.${process.pid}`
    nodeFs.writeFileSync(temporary, `${JSON.stringify(ownIdentity())}\n`)
    nodeFs.renameSync(temporary, this.path)
    this.held = true
  }

  /** Shows that the holder lives. False if somebody else has taken the lock. */
  touch(): boolean {
    if (!this.held) return true
    const found = this.read()
    const own = ownIdentity()
    if (found !== null && (found.holder.pid !== own.pid || found.holder.started !== own.started)) {
      this.held = false
      return false
    }
    const seconds = Date.now() / 1000
    attempt(() => nodeFs.utimesSync(this.path, seconds, seconds))
    return true
  }

  release(): void {
    if (!this.held) return
    this.held = false
    attempt(() => nodeFs.unlinkSync(this.path))
  }

  private read(): { holder: LockHolder; touchedMs: number } | null {
    let text = ''
    let touchedMs = 0
    const there = attempt(() => {
      text = nodeFs.readFileSync(this.path, 'utf8')
      touchedMs = nodeFs.statSync(this.path).mtimeMs
    })
    const holder = there ? parse(text) : null
    return holder === null ? null : { holder, touchedMs }
  }
}

function parse(text: string): LockHolder | null {
  try {
    const { pid, started, space, boot, host } = JSON.parse(text) as Partial<LockHolder>
    if (typeof pid !== 'number') return null
    return { pid, started: `${started}`, space: `${space}`, boot: `${boot}`, host: `${host}` }
  } catch {
    return null // half a file: its writer has not survived
  }
}

/** Does something with a file; false if the system does not let it. */
function attempt(action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (!isSystemError(error)) throw error
    return false
  }
}

let own: LockHolder | null = null

function ownIdentity(): LockHolder {
  own ??= {
    pid: process.pid,
    started: startOf(process.pid),
    space: linkOf('/proc/self/ns/pid'),
    boot: textOf('/proc/sys/kernel/random/boot_id'),
    host: hostname(),
  }
  return own
}

/** When a process was started; '' if there is none, or only 'alive' where the system does not tell more. */
function startOf(pid: number): string {
  const stat = textOf(`/proc/${pid}/stat`)
  // The name, in parentheses, may hold anything; the start is the twentieth field behind it.
  if (stat !== '') return stat.substring(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  if (textOf('/proc/self/stat') !== '') return ''
  return attempt(() => process.kill(pid, 0)) ? 'alive' : ''
}

function textOf(path: string): string {
  let text = ''
  attempt(() => {
    text = nodeFs.readFileSync(path, 'utf8').trim()
  })
  return text
}

function linkOf(path: string): string {
  let text = ''
  attempt(() => {
    text = nodeFs.readlinkSync(path)
  })
  return text
}
