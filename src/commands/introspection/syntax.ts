/* Syntax: a command's arguments as one line of text, for HELP and the README: `SET key value [NX | XX] [GET]`. */

import type { Command } from '../definition.ts'
import type { Arg } from './arguments.ts'

/** Text that stands for one thing: alternatives are set apart from what surrounds them. */
function once(arg: Arg): string {
  if (arg.type === 'pure-token') return arg.token || '""'
  const keyword = arg.token === null ? '' : `${arg.token} `
  if (arg.type === 'block') return keyword + arg.of.map(syntaxOfArg).join(' ')
  if (arg.type !== 'oneof') return keyword + (arg.display ?? arg.name)
  const choice = arg.of.map(syntaxOfArg).join(' | ')
  return arg.optional && keyword === '' && arg.repeats === 'once' ? choice : `${keyword}<${choice}>`
}

/** Repeated arguments with one keyword for all repeat what follows it only. */
function repeated(arg: Arg): string {
  const text = once(arg)
  if (arg.repeats === 'once') return text
  const keyword = arg.repeats === 'many' && arg.token !== null && arg.type !== 'pure-token' ? `${arg.token} ` : ''
  return `${text} [${text.slice(keyword.length)} ...]`
}

function syntaxOfArg(arg: Arg): string {
  return arg.optional ? `[${repeated(arg)}]` : repeated(arg)
}

/** The whole line, the command's name first. */
export function syntaxOf(command: Command): string {
  const name = command.fullName.toUpperCase().replace('|', ' ')
  return [name, ...(command.definition.args ?? []).map(syntaxOfArg)].join(' ')
}

/** What HELP answers for a command with subcommands, a line each. */
export function helpLines(command: Command): readonly string[] {
  const lines = [`${command.name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`]
  const isHelp = (subcommand: Command): number => (subcommand.name === 'help' ? 1 : 0)
  for (const subcommand of command.subcommands.toSorted((a, b) => isHelp(a) - isHelp(b))) {
    const args = (subcommand.definition.args ?? []).map(syntaxOfArg)
    lines.push([subcommand.name.toUpperCase(), ...args].join(' '), `    ${subcommand.definition.summary}`)
  }
  return lines
}
