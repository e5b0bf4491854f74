/* TIME: what the clock says. */
import type { Call } from '../../commands/call.ts'
import { type Command, type CommandGroup, Flag, group } from '../../commands/definition.ts'
import type { Server } from '../server.ts'

function time({ reply }: Call, server: Server): void {
  const us = server.dispatcher.nowUs
  const seconds = Math.floor(us / 1e6)
  reply.array(2)
  reply.bulkInteger(seconds)
  reply.bulkInteger(us - seconds * 1e6)
}

export function timeCommands(server: Server): readonly Command[] {
  return group('server', {
    TIME: {
      summary: 'Tells the time, in seconds and microseconds.',
      since: '2.6.0',
      complexity: 'O(1)',
      flags: Flag.LOADING | Flag.STALE | Flag.FAST,
      tips: ['nondeterministic_output'],
      run: (call) => time(call, server),
    },
  } satisfies CommandGroup)
}
