/* Pushes: what clients are sent that they did not ask for just now: messages, invalidations.
 *
 *   SET k v      ->  +OK   >2 invalidate …        a client's own command caused it: behind the reply
 *   others'      ->        >2 invalidate …        at once; it is sent at the end of the turn, like replies
 *
 * `Connection.push` knows which of both it is. Here stand the connections that have to wait for their own command (that
 * of a transaction or script counts as one), which the dispatcher tells of while PUSHES_HELD is set. */
import { ServerGate } from '../commands/dispatcher.ts'
import type { Connection } from './connection.ts'
import type { Server } from './server.ts'

export class Pushes {
  private readonly server: Server
  private holding: Connection[] = []

  constructor(server: Server) {
    this.server = server
    server.dispatcher.onPushesHeld = () => this.release()
  }

  /** A connection has got pushes while its own command runs. */
  hold(connection: Connection): void {
    this.holding.push(connection)
    this.server.dispatcher.gates |= ServerGate.PUSHES_HELD
  }

  /** The command has ended. A silenced client's reply is still to be thrown away, without the pushes: it sees to its
   *  own when that is done. */
  private release(): void {
    const connections = this.holding
    this.holding = []
    this.server.dispatcher.gates &= ~ServerGate.PUSHES_HELD
    for (const connection of connections) if (!connection.isSilenced) connection.releasePushes()
  }
}
