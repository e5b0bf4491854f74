/* What scripts ask of the server they run in. The engine knows Lua and bytes; commands, replies to clients, the log and
 * who may do what are behind this interface. */
import type { Call } from '../commands/call.ts'

/** Severities of redis.log. */
export const LogLevel = { DEBUG: 0, VERBOSE: 1, NOTICE: 2, WARNING: 3 } as const

/** Where the effects of a script's commands go: bits of redis.set_repl. */
export const Propagate = { NONE: 0, AOF: 1, REPLICAS: 2, ALL: 3 } as const

export interface ScriptHost {
  /** The call that a script's commands run in. The engine sets its arguments, and reads its reply. */
  readonly call: Call
  /** Runs `call`. Replies into it; or answers why the command may not be run, with its code or without. */
  runCommand(): string | null
  /** Whether the client that runs the script may run `call`; undefined if there is no such command. */
  mayRun(): boolean | undefined
  /** The script's own RESP version. */
  setVersion(version: number): void
  setPropagation(flags: number): void
  /** Whether scripts get setfenv, getfenv and newproxy (lua-enable-deprecated-api). */
  readonly givesDeprecated: boolean
  /** The least level that is logged. */
  readonly logLevel: number
  log(level: number, text: string): void
  /** The script replies an error that one of its commands made: it counts as failed, the error has been counted. */
  countFailure(): void
  /** Asked now and then while a script runs: whether it shall end. */
  isKilled(): boolean
}
