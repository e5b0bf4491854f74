/* SLOWLOG: what the slow log (slow-log.ts) holds. */

import type { Call } from '../../commands/call.ts'
import { type Command, type CommandGroup, Flag, group, integer, optional } from '../../commands/definition.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { compareInt64, toNumber } from '../../lib/int64.ts'
import { SLOWLOG_COUNT, wrongSubcommand } from '../../protocol/errors.ts'
import type { Server } from '../server.ts'
import type { SlowLog, SlowLogEntry } from '../slow-log.ts'

const COUNT_DEFAULT = 10

function get(call: Call, log: SlowLog): void {
  if (call.argc > 3) return call.reply.error(wrongSubcommand(call.string(1), 'SLOWLOG'))
  let count = COUNT_DEFAULT
  if (call.argc === 3) {
    const wanted = call.integer(2)
    if (wanted === undefined || compareInt64(wanted, -1) < 0) return call.reply.error(SLOWLOG_COUNT)
    count = compareInt64(wanted, -1) === 0 ? log.length : toNumber(wanted)
  }
  const entries = log.latest(count)
  call.reply.array(entries.length)
  for (const entry of entries) writeEntry(call, entry)
}

function writeEntry({ reply }: Call, entry: SlowLogEntry): void {
  reply.array(6)
  reply.integer(entry.id)
  reply.integer(entry.time)
  reply.integer(entry.durationUs)
  reply.array(entry.args.length)
  for (const arg of entry.args) reply.bulk(arg, 0, arg.length)
  reply.bulkString(entry.peer)
  reply.bulkString(entry.name)
}

export function slowlogCommands(server: Server): readonly Command[] {
  const flags = Flag.ADMIN | Flag.LOADING | Flag.STALE
  return group('server', {
    SLOWLOG: {
      summary: 'Looks after the log of slow commands.',
      since: '2.2.12',
      subcommands: {
        GET: {
          summary: 'Gives the latest entries of the slow log.',
          since: '2.2.12',
          complexity: 'O(N), N entries returned',
          flags,
          args: [optional(integer('count'))],
          history: [['4.0.0', "The client's address and name."]],
          tips: ['request_policy:all_nodes', 'nondeterministic_output'],
          run: (call) => get(call, server.slow.log),
        },
        HELP: helpCommand('6.2.0'),
        LEN: {
          summary: 'Counts the entries of the slow log.',
          since: '2.2.12',
          complexity: 'O(1)',
          flags,
          tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
          run: (call) => call.reply.integer(server.slow.log.length),
        },
        RESET: {
          summary: 'Empties the slow log.',
          since: '2.2.12',
          complexity: 'O(N), N entries',
          flags,
          tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
          run: (call) => {
            server.slow.log.clear()
            call.reply.ok()
          },
        },
      },
    },
  } satisfies CommandGroup)
}
