/* MONITOR: the client is shown every command from now on. What it is shown is in ../monitors.ts. */
import type { Call } from '../../commands/call.ts'
import { type Command, type CommandGroup, Flag, group } from '../../commands/definition.ts'
import { Gate, SessionFlag } from '../../commands/session.ts'
import { MONITOR_DENIED } from '../../protocol/errors.ts'
import type { Server } from '../server.ts'
import { ownConnection } from './client-list.ts'

function monitor(server: Server, call: Call): void {
  const { session, reply } = call
  const connection = ownConnection(server, call)
  if (connection === undefined || (session.flags & SessionFlag.DENY_BLOCKING) !== 0) {
    reply.error(MONITOR_DENIED)
    return
  }
  // A second time it is not answered, as in Redis.
  if ((session.gates & Gate.MONITOR) !== 0) return
  server.monitors.add(connection)
  reply.ok()
}

export function monitorCommands(server: Server): readonly Command[] {
  return group('server', {
    MONITOR: {
      summary: 'Shows every command that the server receives, as it comes.',
      since: '1.0.0',
      flags: Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE,
      run: (call) => monitor(server, call),
    },
  } satisfies CommandGroup)
}
