/* HELP: the one subcommand that every container has, made from the definitions of the others. */

import type { Call } from '../call.ts'
import { type CommandDefinition, Flag } from '../definition.ts'
import { helpLines } from './syntax.ts'

function help(call: Call): void {
  const container = call.command?.parent
  const lines = container ? helpLines(container) : []
  call.reply.array(lines.length)
  for (const line of lines) call.reply.simple(line)
}

/** `HELP: helpCommand('5.0.0')`; with `categories` where the group's own is not right, as for COMMAND. */
export function helpCommand(since: string, categories?: number): CommandDefinition {
  return {
    summary: 'Tells what the subcommands do.',
    since,
    complexity: 'O(1)',
    flags: Flag.LOADING | Flag.STALE,
    run: help,
    ...(categories === undefined ? {} : { categories }),
  }
}
