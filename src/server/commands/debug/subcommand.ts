/* What a subcommand of DEBUG is. They are no commands of their own, in Redis as here: no COMMAND INFO, no
 * statistics. */
import type { Call } from '../../../commands/call.ts'
import type { Server } from '../../server.ts'

export interface DebugSubcommand {
  /** Its arguments, for HELP. */
  readonly args?: string
  /** How many arguments it takes: just so many, or from … to. */
  readonly count: number | readonly [least: number, most: number]
  readonly summary: string
  readonly run: (call: Call, server: Server) => void
}

/** The first argument of a subcommand. */
export const FIRST = 2

export const MANY = 0x3fffffff

/** As C's atoi: what comes before the first other character, 0 if nothing does. */
export function leadingInteger(text: string): number {
  return Number(/^\s*[+-]?\d+/.exec(text)?.[0] ?? 0)
}

export const isOn = (call: Call): boolean => leadingInteger(call.string(FIRST)) !== 0
