/* Servers in this process that keep an append-only file, and disks that fail or stand still at a chosen step. */
import nodeFs from 'node:fs'
import { onTestFinished } from 'vitest'
import { Session } from '../../../../src/commands/session.ts'
import type { AofFileSystem } from '../../../../src/server/append-only/directory.ts'
import type { Log } from '../../../../src/server/log.ts'
import { Server } from '../../../../src/server/server.ts'
import { newConfig, temporaryDirectory } from '../config/support.ts'
import { run } from '../support.ts'

export { temporaryDirectory }

/** A log that remembers. */
export class Notes implements Log {
  level = 'info'
  text = ''
  trace(): void {}
  debug(): void {}
  info(message: string): void {
    this.text += `${message}\n`
  }
  warn(message: string): void {
    this.info(message)
  }
  error(message: string): void {
    this.info(message)
  }
  fatal(message: string): void {
    this.info(message)
  }
}

type Answer = (error: null) => void

/** The system's files, never synced: what these tests look at is in the system's cache as well. */
const unsynced = {
  ...nodeFs,
  fsyncSync: () => {},
  fdatasyncSync: () => {},
  fsync: (_: number, answer: Answer) => void setImmediate(answer, null),
  fdatasync: (_: number, answer: Answer) => void setImmediate(answer, null),
} as unknown as AofFileSystem

export interface Running {
  readonly server: Server
  readonly log: Notes
  /** Whether the data could be loaded. */
  readonly restored: boolean
  /** What the server ended with, if it has. */
  readonly exits: number[]
  /** Runs a command as a client does who gets the reply: '' if none could leave. */
  ask(...words: string[]): string
}

/** A server on a directory, with appendonly on. */
export async function start(
  dir: string,
  settings: Readonly<Record<string, string>> = {},
  fileSystem: AofFileSystem = unsynced,
): Promise<Running> {
  const config = newConfig()
  const log = new Notes()
  const directives = { dir, save: '', appendonly: 'yes', 'enable-debug-command': 'yes', ...settings }
  for (const [name, value] of Object.entries(directives)) {
    const error = config.configure(name, [value])
    if (error !== undefined) throw new Error(`${name}: ${error}`)
  }
  const exits: number[] = []
  const server = new Server({ config, log, exit: (code) => exits.push(code), fileSystem })
  const restored = await server.persistence.restore()
  const session = new Session(1)
  const ask = (...words: string[]): string => {
    const reply = run(server, session, ...words)
    server.dispatcher.end(false)
    return server.appendOnly.beforeSending() ? reply : ''
  }
  onTestFinished(() => server.close())
  return { server, log, restored, exits, ask }
}

/** The calls that change something on disk. */
const CHANGING = [
  'openSync',
  'writeSync',
  'fsyncSync',
  'fdatasyncSync',
  'ftruncateSync',
  'renameSync',
  'unlinkSync',
  'mkdirSync',
  'write',
  'fsync',
  'fdatasync',
  'rename',
] as const
export type Changing = (typeof CHANGING)[number]

export type Outcome = NodeJS.ErrnoException | 'frozen' | 'half' | undefined
export type Fault = (call: Changing, step: number) => Outcome

export function systemError(code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall })
}

/** The system's files, with a fault at some of the calls that change something: an error, half a write, or nothing at
 *  all from then on (`frozen`), as after a kill: what is done reaches no disk, and no callback is called. */
export class FaultyDisk {
  steps = 0
  readonly calls: Changing[] = []
  frozen = false
  readonly fs: AofFileSystem

  constructor(fault: Fault) {
    const fs = { ...unsynced } as unknown as Record<string, unknown>
    for (const name of CHANGING) {
      const real = unsynced[name as keyof AofFileSystem] as unknown as (...args: unknown[]) => unknown
      fs[name] = (...args: unknown[]) => this.call(name, real, args, fault)
    }
    this.fs = fs as unknown as AofFileSystem
  }

  private call(name: Changing, real: (...args: unknown[]) => unknown, args: unknown[], fault: Fault): unknown {
    if (this.frozen) return this.pretend(name, args)
    this.calls.push(name)
    const outcome = fault(name, ++this.steps)
    if (outcome === undefined) return real(...args)
    if (outcome === 'half') {
      const len = Math.max(1, Math.floor((args[3] as number) / 2))
      return nodeFs.writeSync(args[0] as number, args[1] as Uint8Array, args[2] as number, len)
    }
    if (outcome === 'frozen') {
      this.frozen = true
      return this.pretend(name, args)
    }
    if (name.endsWith('Sync')) throw outcome
    const callback = args.at(-1) as (error: Error) => void
    setImmediate(() => callback(outcome))
    return undefined
  }

  private pretend(name: Changing, args: unknown[]): unknown {
    if (name === 'openSync') return nodeFs.openSync('/dev/null', 'w')
    return name === 'writeSync' ? args[3] : undefined
  }
}
