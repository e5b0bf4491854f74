/* Cross-protocol scripting: a web page can make a browser send an HTTP request to this port, with commands in its body.
 * No browser can avoid a line that begins with POST, or one that begins with Host: so either ends the connection. */
import type { Call } from '../commands/call.ts'
import { SessionFlag } from '../commands/session.ts'
import type { Server } from './server.ts'

/** At most one warning is logged in so many milliseconds. */
const WARNING_INTERVAL_MS = 60_000

export function guardAgainstHttp(server: Server): void {
  let warnedMs = Number.NEGATIVE_INFINITY
  server.dispatcher.onForeignProtocol = ({ session }: Call) => {
    session.flags |= SessionFlag.CLOSE_NOW
    const now = server.keyspace.now
    if (Math.abs(now - warnedMs) <= WARNING_INTERVAL_MS) return
    warnedMs = now
    const peer = server.connections.get(session.id)?.peer
    server.log.warn(
      'Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. ' +
        'This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis ' +
        'instance. ' +
        (peer === undefined ? 'Connection aborted.' : `Connection from ${peer} aborted.`),
    )
  }
}
