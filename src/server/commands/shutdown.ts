/* SHUTDOWN: its options. What it does is shutdown.ts's matter. */
import type { Call } from '../../commands/call.ts'
import { type Command, type CommandGroup, Flag, group, oneOf, optional, token } from '../../commands/definition.ts'
import { BUSY_FUNCTION, BUSY_SCRIPT, NO_SHUTDOWN, SHUTDOWN_FAILED, SYNTAX } from '../../protocol/errors.ts'
import type { Server } from '../server.ts'

const OPTIONS = ['NOSAVE', 'SAVE', 'NOW', 'FORCE', 'ABORT'] as const

function shutdown(call: Call, server: Server): void {
  const given = new Set<(typeof OPTIONS)[number]>()
  for (let at = 1; at < call.argc; at++) {
    const option = OPTIONS.find((each) => call.is(at, each))
    if (option === undefined) return call.reply.error(SYNTAX)
    given.add(option)
  }
  const contradicts = (given.has('ABORT') && given.size > 1) || (given.has('SAVE') && given.has('NOSAVE'))
  if (contradicts) return call.reply.error(SYNTAX)
  if (given.has('ABORT')) return server.shutdown.abort() ? call.reply.ok() : call.reply.error(NO_SHUTDOWN)
  // A script that is only half done must not be saved.
  const { running } = server.scripting
  if (running !== null && !given.has('NOSAVE')) {
    return call.reply.error(running.isFunction ? BUSY_FUNCTION : BUSY_SCRIPT)
  }
  const save = given.has('SAVE') ? true : given.has('NOSAVE') ? false : undefined
  if (!server.shutdown.now({ save, force: given.has('FORCE') })) call.reply.error(SHUTDOWN_FAILED)
}

export function shutdownCommands(server: Server): readonly Command[] {
  return group('server', {
    SHUTDOWN: {
      summary: 'Stops the server, saving the dataset if it is set up so.',
      since: '1.0.0',
      complexity: 'O(N) if it saves, N keys in all databases; else O(1)',
      flags: Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.NO_MULTI | Flag.ALLOW_BUSY,
      args: [
        optional(oneOf('save-selector', 'NOSAVE', 'SAVE')),
        optional(token('NOW', { since: '7.0.0' })),
        optional(token('FORCE', { since: '7.0.0' })),
        optional(token('ABORT', { since: '7.0.0' })),
      ],
      history: [['7.0.0', '`NOW`, `FORCE` and `ABORT`.']],
      run: (call) => shutdown(call, server),
    },
  } satisfies CommandGroup)
}
