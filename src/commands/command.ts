/* COMMAND: what clients can learn about the commands, all of it derived from their definitions (introspection/). */

import { fromLatin1 } from '../lib/bytes.ts'
import { matches } from '../lib/glob.ts'
import { errorReply, SYNTAX } from '../protocol/errors.ts'
import type { Reply } from '../protocol/reply.ts'
import type { Call } from './call.ts'
import type { CommandTable } from './command-table.ts'
import {
  Category,
  type Command,
  type CommandGroup,
  Flag,
  group,
  many,
  oneOf,
  optional,
  pattern,
  string,
} from './definition.ts'
import { describeDocs, describeInfo, describeKeyFlags, type Tree } from './introspection/describe.ts'
import { helpCommand } from './introspection/help.ts'
import type { KeyWords, Words } from './introspection/key-specs.ts'
import { categoryOf, keysOfCall, listNames } from './introspection/lookup.ts'

const INVALID_COMMAND = errorReply('ERR Invalid command specified')
const NO_KEY_ARGUMENTS = errorReply('ERR The command has no key arguments')
const INVALID_ARGC = errorReply('ERR Invalid number of arguments specified for command')
const INVALID_ARGUMENTS = errorReply('ERR Invalid arguments specified for command')

/** Where the command line begins that GETKEYS is asked about. */
const INNER = 2

/** Writes a description in the client's protocol. */
function writeTree(reply: Reply, tree: Tree): void {
  if (tree === null) reply.nullBulk()
  else if (typeof tree === 'number') reply.integer(tree)
  else if (typeof tree === 'string') reply.bulkString(tree)
  else if (tree.kind === 'simple') reply.simple(tree.text)
  else if (tree.kind === 'map') {
    reply.map(tree.entries.length)
    for (const [name, value] of tree.entries) {
      reply.bulkString(name)
      writeTree(reply, value)
    }
  } else {
    if (tree.kind === 'set') reply.set(tree.items.length)
    else reply.array(tree.items.length)
    for (const item of tree.items) writeTree(reply, item)
  }
}

/** The commands that the arguments from `index` on name, null where there is none so called. */
function namedCommands(call: Call, table: CommandTable, index: number): (Command | null)[] {
  const commands: (Command | null)[] = []
  for (let at = index; at < call.argc; at++) commands.push(table.get(call.string(at).toLowerCase()) ?? null)
  return commands
}

function info(call: Call, commands: readonly (Command | null)[]): void {
  call.reply.array(commands.length)
  for (const command of commands) writeTree(call.reply, command === null ? null : describeInfo(command))
}

function docs(call: Call, commands: readonly (Command | null)[]): void {
  const known = commands.filter((command) => command !== null)
  call.reply.map(known.length)
  for (const command of known) {
    call.reply.bulkString(command.fullName)
    writeTree(call.reply, describeDocs(command))
  }
}

/** The command that the inner command line would run, null if none. */
function innerCommand(call: Call, table: CommandTable): Command | null {
  const { bytes, pos, len, argc } = call
  const command = table.lookup(bytes, pos[INNER]!, len[INNER]!)
  if (command === undefined) return null
  if (command.subcommands.length === 0 || argc === INNER + 1) return command
  return table.subcommand(command, bytes, pos[INNER + 1]!, len[INNER + 1]!) ?? null
}

/** The keys of the inner command line, null after replying why there are none. */
function innerKeys(call: Call, table: CommandTable): KeyWords | null {
  const command = innerCommand(call, table)
  const words: Words = { argc: call.argc - INNER, text: (word) => call.string(word + INNER) }
  if (command === null) call.reply.error(INVALID_COMMAND)
  else if (!command.hasKeys) call.reply.error(NO_KEY_ARGUMENTS)
  else if (words.argc < command.leastArgc || words.argc > command.mostArgc) call.reply.error(INVALID_ARGC)
  else {
    const keys = keysOfCall(command, words)
    if (keys.count > 0 || (command.flags & Flag.NO_MANDATORY_KEYS) !== 0) return keys
    call.reply.error(INVALID_ARGUMENTS)
  }
  return null
}

function getKeys(call: Call, table: CommandTable, withFlags: boolean): void {
  const keys = innerKeys(call, table)
  if (keys === null) return
  const { reply } = call
  reply.array(keys.count)
  for (const [at, word] of keys.words.entries()) {
    if (withFlags) reply.array(2)
    reply.bulk(call.bytes, call.posOf(word + INNER), call.lenOf(word + INNER))
    if (withFlags) writeTree(reply, describeKeyFlags(keys.flags[at]!))
  }
}

/** The condition that COMMAND LIST was given, null if it makes no sense. */
function listFilter(call: Call): ((command: Command) => boolean) | null {
  if (call.argc === 2) return () => true
  if (call.argc !== 5 || !call.is(2, 'FILTERBY')) return null
  if (call.is(3, 'MODULE')) return () => false // there are none
  if (call.is(3, 'ACLCAT')) {
    const category = categoryOf(call.string(4))
    return (command) => (command.categories & category) !== 0
  }
  if (!call.is(3, 'PATTERN')) return null
  return (command) => {
    const name = fromLatin1(command.fullName)
    return matches(call.bytes, call.posOf(4), call.lenOf(4), name, 0, name.length, true)
  }
}

function list(call: Call, table: CommandTable): void {
  const filter = listFilter(call)
  if (filter === null) {
    call.reply.error(SYNTAX)
    return
  }
  const names = listNames(table.commands, filter)
  call.reply.array(names.length)
  for (const name of names) call.reply.bulkString(name)
}

/** What COMMAND and its subcommands have in common. */
const ALWAYS_ALLOWED = { flags: Flag.LOADING | Flag.STALE, categories: Category.CONNECTION } as const

function subcommands(table: CommandTable): CommandGroup {
  const namedOrAll = (call: Call) => (call.argc === 2 ? table.commands : namedCommands(call, table, 2))
  return {
    COUNT: {
      ...ALWAYS_ALLOWED,
      summary: 'Counts the commands.',
      since: '2.8.13',
      complexity: 'O(1)',
      run: (call) => call.reply.integer(table.commands.length),
    },
    DOCS: {
      ...ALWAYS_ALLOWED,
      summary: 'Gives the documentation of some or all commands.',
      since: '7.0.0',
      complexity: 'O(N), N commands asked for',
      args: [optional(many(string('command-name')))],
      tips: ['nondeterministic_output_order'],
      run: (call) => docs(call, namedOrAll(call)),
    },
    GETKEYS: {
      ...ALWAYS_ALLOWED,
      summary: 'Finds the keys in a command line.',
      since: '2.8.13',
      complexity: 'O(N), N arguments of the command',
      args: [string('command'), optional(many(string('arg')))],
      run: (call) => getKeys(call, table, false),
    },
    GETKEYSANDFLAGS: {
      ...ALWAYS_ALLOWED,
      summary: 'Finds the keys in a command line and how they are used.',
      since: '7.0.0',
      complexity: 'O(N), N arguments of the command',
      args: [string('command'), optional(many(string('arg')))],
      run: (call) => getKeys(call, table, true),
    },
    HELP: helpCommand('5.0.0', Category.CONNECTION),
    INFO: {
      ...ALWAYS_ALLOWED,
      summary: 'Describes some or all commands.',
      since: '2.8.13',
      complexity: 'O(N), N commands asked for',
      args: [optional(many(string('command-name')))],
      history: [['7.0.0', 'Without names, all commands.']],
      tips: ['nondeterministic_output_order'],
      run: (call) => info(call, namedOrAll(call)),
    },
    LIST: {
      ...ALWAYS_ALLOWED,
      summary: 'Lists the names of commands.',
      since: '7.0.0',
      complexity: 'O(N), N commands',
      args: [
        optional(
          oneOf(
            'FILTERBY filterby',
            string('MODULE module-name'),
            string('ACLCAT category'),
            pattern('PATTERN pattern'),
          ),
        ),
      ],
      tips: ['nondeterministic_output_order'],
      run: (call) => list(call, table),
    },
  }
}

/** COMMAND tells about the commands of a table: its own, once it is registered. */
export function commandCommands(table: CommandTable): readonly Command[] {
  return group('server', {
    COMMAND: {
      ...ALWAYS_ALLOWED,
      summary: 'Describes all commands.',
      since: '2.8.13',
      complexity: 'O(N), N commands',
      tips: ['nondeterministic_output_order'],
      subcommands: subcommands(table),
      run: (call) => info(call, table.commands),
    },
  } satisfies CommandGroup)
}
