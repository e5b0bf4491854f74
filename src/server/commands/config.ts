/* CONFIG: the configuration at run time (../config/), and the statistics' way back to zero. */
import type { Call } from '../../commands/call.ts'
import { block, type Command, type CommandGroup, Flag, group, many, string } from '../../commands/definition.ts'
import { ServerGate } from '../../commands/dispatcher.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import { errorReply } from '../../protocol/errors.ts'
import { rewriteFile } from '../config/rewrite.ts'
import type { Server } from '../server.ts'
import { ownConnection } from './client-list.ts'

/** The arguments from `first` on, as byte strings. */
function argumentsFrom(call: Call, first: number): string[] {
  const args: string[] = []
  for (let at = first; at < call.argc; at++) args.push(call.string(at))
  return args
}

function get(server: Server, call: Call): void {
  const found = server.config.get(argumentsFrom(call, 2))
  call.reply.map(found.length)
  for (const text of found.flat()) {
    const bytes = fromLatin1(text)
    call.reply.bulk(bytes, 0, bytes.length)
  }
}

function set(server: Server, call: Call): void {
  const error = server.config.set(argumentsFrom(call, 2), {
    local: ownConnection(server, call)?.isLocal ?? false,
    loading: (server.dispatcher.gates & ServerGate.LOADING) !== 0,
  })
  if (error === undefined) call.reply.ok()
  else call.reply.error(errorReply(error))
}

/** CONFIG REWRITE, or with `force` of everything, defaults as well (DEBUG CONFIG-REWRITE-FORCE-ALL). */
export function rewriteConfig(server: Server, call: Call, force: boolean): void {
  const users = server.access.hasFile ? [] : server.access.users.lines
  const error = rewriteFile(server.config, server.configFile, { force, users })
  if (error === undefined) {
    server.log.info('CONFIG REWRITE executed with success.')
    call.reply.ok()
    return
  }
  if (server.configFile !== undefined) server.log.warn(`CONFIG REWRITE failed: ${error}`)
  call.reply.error(errorReply(error))
}

function resetStatistics(server: Server, call: Call): void {
  server.vitals.reset()
  call.reply.ok()
}

const ADMIN = Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE

const subcommands = (server: Server): CommandGroup => ({
  GET: {
    summary: 'Gives the parameters that match.',
    since: '2.0.0',
    complexity: 'O(N), N parameters asked for',
    flags: ADMIN,
    args: [many(string('parameter'))],
    history: [['7.0.0', 'Several patterns in one call.']],
    run: (call) => get(server, call),
  },
  HELP: helpCommand('5.0.0'),
  RESETSTAT: {
    summary: 'Sets the statistics back to zero.',
    since: '2.0.0',
    complexity: 'O(1)',
    flags: ADMIN,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: (call) => resetStatistics(server, call),
  },
  REWRITE: {
    summary: 'Writes the configuration in use to its file.',
    since: '2.8.0',
    complexity: 'O(1)',
    flags: ADMIN,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: (call) => rewriteConfig(server, call, false),
  },
  SET: {
    summary: 'Changes parameters while the server runs.',
    since: '2.0.0',
    complexity: 'O(N), N parameters given',
    flags: ADMIN,
    args: [many(block('data', string('parameter'), string('value')))],
    history: [['7.0.0', 'Several parameters in one call.']],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: (call) => set(server, call),
  },
})

export function configCommands(server: Server): readonly Command[] {
  return group('server', {
    CONFIG: { summary: 'Looks after the configuration.', since: '2.0.0', subcommands: subcommands(server) },
  } satisfies CommandGroup)
}
