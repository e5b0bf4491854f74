/* File lock: a file beside the data that says which server the data belongs to, so that a second one that is started in
 * the same directory by mistake does not write over it. Node knows no flock, so the file tells who has it:
 *
 *   { "id": "…", "pid": 4711, "started": "8123456", "space": "4026531836", "boot": "…", "host": "…" }
 *
 *   same boot and PID namespace    the holder lives if there is a process of that number that was started then
 *   another one (a container)      he lives if he keeps touching the file, as he does every second
 *
 * So a lock that outlived its holder (kill -9, a crash, power gone) is in nobody's way: within a machine that is seen
 * at once, and elsewhere within seconds.
 *
 * A lock that is free is taken by giving a file written before the lock's name, which the system lets only one do. A
 * lock whose holder is gone is not removed, for somebody else may have done so already, and what is there be his: it
 * gets a successor, whose file has the name of the one it succeeds, so that there can be only one.
 *
 *   lock {id: a} ─► lock.after-a {id: b} ─► lock.after-b {id: c}        the last one has the lock: a and b are gone
 *
 * He gives his file the lock's own name then, and clears the others away. Who made himself the successor of one that is
 * not in the chain any more (he was slow) finds that out, and begins again.
 *
 * What it cannot do: keep off a redis-server, which knows of no locks; or see a holder in another container who is
 * stopped (SIGSTOP) or busy for longer than that. */

import * as nodeFs from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { randomBytes } from '../lib/crypto.ts'
import { isSystemError } from './rdb/files.ts'

/** A holder elsewhere who has not touched the file for so long is gone, in milliseconds. */
export const SILENCE_MS = 4000

/** Whatever the umask, nobody else is to say who holds a lock. */
const MODE = 0o644

/** Holders gone before that a chain may have, and how often somebody may be faster. */
const CHAIN_MAX = 100
const TRIES = 100

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

/** A file that says that somebody has the lock. */
interface Claim {
  /** '' if nobody can read the file. */
  readonly id: string
  readonly holder: LockHolder
  readonly touchedMs: number
}

const UNREADABLE: LockHolder = { pid: 0, started: '', space: '', boot: '', host: '' }

export class FileLock {
  readonly path: string
  /** Who has it, if somebody else does. */
  holder: LockHolder | null = null
  /** What our own file is called by; '' if the lock is not ours. */
  private id = ''

  constructor(path: string) {
    this.path = path
  }

  get isHeld(): boolean {
    return this.id !== ''
  }

  /** Looks who has the lock. */
  look(now = Date.now()): LockState {
    if (this.isHeld) return LockState.OURS
    const last = this.chain().at(-1)
    return last === undefined ? LockState.FREE : this.judge(last, now)
  }

  private judge({ holder, touchedMs }: Claim, now: number): LockState {
    this.holder = holder
    const own = ownIdentity()
    if (holder === UNREADABLE) return LockState.FREE
    if (holder.boot !== own.boot && holder.host === own.host) return LockState.FREE // this machine has been restarted
    if (holder.boot === own.boot && holder.space === own.space) {
      return startOf(holder.pid) === holder.started && holder.pid !== own.pid ? LockState.TAKEN : LockState.FREE
    }
    return Math.abs(now - touchedMs) > SILENCE_MS ? LockState.FREE : LockState.UNCERTAIN
  }

  /** Takes the lock if it is free: OURS, or how it stands. Throws what the system answers if no file can be written. */
  take(now = Date.now()): LockState {
    if (this.isHeld) return LockState.OURS
    const id = randomBytes(8).toString('hex')
    const temporary = `${this.path}.${process.pid}-${id}`
    nodeFs.writeFileSync(temporary, `${JSON.stringify({ id, ...ownIdentity() })}\n`, { mode: MODE })
    try {
      for (let left = TRIES; left > 0; left--) {
        const state = this.tryTake(id, temporary, now)
        if (state !== undefined) return state
      }
      return LockState.TAKEN
    } finally {
      attempt(() => nodeFs.unlinkSync(temporary))
    }
  }

  /** Undefined: somebody was faster, or slower. */
  private tryTake(id: string, temporary: string, now: number): LockState | undefined {
    const chain = this.chain()
    const last = chain.at(-1)
    if (last === undefined) {
      if (!linkNew(temporary, this.path)) return undefined
      this.id = id
      return LockState.OURS
    }
    const state = this.judge(last, now)
    if (state !== LockState.FREE) return state
    const successor = this.after(last.id)
    if (!linkNew(temporary, successor)) return undefined
    if (this.chain().at(-1)?.id !== id) {
      attempt(() => nodeFs.unlinkSync(successor))
      return undefined
    }
    nodeFs.renameSync(temporary, this.path)
    this.id = id
    this.clear()
    return LockState.OURS
  }

  private after(id: string): string {
    return `${this.path}.after-${id}`
  }

  /** Who has the lock, behind those who had it and are gone. */
  private chain(): Claim[] {
    const chain: Claim[] = []
    for (let path = this.path; chain.length < CHAIN_MAX; ) {
      const claim = readClaim(path)
      if (claim === null) return chain
      chain.push(claim)
      path = this.after(claim.id)
    }
    return chain
  }

  /** What successors have left: of none but the one who has the lock's own name it matters any more. */
  private clear(): void {
    const beginning = basename(this.after(''))
    attempt(() => {
      for (const name of nodeFs.readdirSync(dirname(this.path))) {
        if (name.startsWith(beginning)) attempt(() => nodeFs.unlinkSync(join(dirname(this.path), name)))
      }
    })
  }

  /** Shows that the holder lives. False if somebody else has taken the lock. */
  touch(): boolean {
    if (!this.isHeld) return true
    const found = readClaim(this.path)
    if (found !== null && found.id !== this.id) {
      this.id = ''
      this.holder = found.holder
      return false
    }
    const seconds = Date.now() / 1000
    attempt(() => nodeFs.utimesSync(this.path, seconds, seconds))
    return true
  }

  release(): void {
    if (this.isHeld && readClaim(this.path)?.id === this.id) attempt(() => nodeFs.unlinkSync(this.path))
    this.id = ''
  }
}

/** What a file says; null if there is none. */
function readClaim(path: string): Claim | null {
  let text = ''
  let touchedMs = 0
  const there = attempt(() => {
    text = nodeFs.readFileSync(path, 'utf8')
    touchedMs = nodeFs.statSync(path).mtimeMs
  })
  return there ? { ...parse(text), touchedMs } : null
}

function parse(text: string): Omit<Claim, 'touchedMs'> {
  try {
    const { id, pid, started, space, boot, host } = JSON.parse(text) as Partial<LockHolder & { id: string }>
    if (typeof pid === 'number' && /^\w*$/.test(id ?? '')) {
      const holder = { pid, started: `${started}`, space: `${space}`, boot: `${boot}`, host: `${host}` }
      return { id: id ?? '', holder }
    }
  } catch {
    // Half a file: power was gone before it was on the disk.
  }
  return { id: '', holder: UNREADABLE }
}

/** Gives a file one more name; false if something has that name. Where files cannot have two, it is copied, and can for
 *  a moment be seen half. */
function linkNew(path: string, name: string): boolean {
  try {
    nodeFs.linkSync(path, name)
    return true
  } catch (error) {
    if (!isSystemError(error)) throw error
    if (error.code === 'EEXIST') return false
    if (!NO_LINKS.includes(error.code ?? '')) throw error
    return attempt(() => nodeFs.copyFileSync(path, name, nodeFs.constants.COPYFILE_EXCL))
  }
}

/** What file systems answer that know of no second names. */
const NO_LINKS = ['EPERM', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EXDEV', 'EMLINK']

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
