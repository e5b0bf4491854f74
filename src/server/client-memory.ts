/* Client memory: what each client takes, what all take together, and who must go when that is more than
 * maxmemory-clients.
 *
 *   a client   | connection | request not yet executed | replies not yet read | transaction, subscriptions |
 *
 * A connection measures itself when one of these has changed (Connection.measure), so that the sum is always true and
 * nobody walks through ten thousand clients to know it. The largest go first, until the rest keeps the limit; those
 * with CLIENT NO-EVICT count, but stay. */
import { type Session, SessionFlag } from '../commands/session.ts'
import { clientLine } from './client-line.ts'
import { ClientType, clientTypeOf } from './client-type.ts'
import type { Connection } from './connection.ts'
import type { Server } from './server.ts'

/** What a connection takes besides its buffers: JavaScript objects and libuv's handle. Measured: to the resident size
 *  each of 8,000 idle clients adds 1.5 KB (Node 20), 2.3 KB (Node 24). */
export const CONNECTION_SIZE = 2400
/** With less there would be no talking to the server. */
const LIMIT_MIN = 128 * 1024

/** About what a prefix of client-side caching takes. */
const PREFIX_SIZE = 64

/** Bytes that a transaction, the watched keys and what is tracked take. */
export function sessionSize({ queue, watcher, tracking }: Session): number {
  return (queue?.capacity ?? 0) + (watcher?.memoryBytes ?? 0) + (tracking?.prefixes.length ?? 0) * PREFIX_SIZE
}

export class ClientMemory {
  /** Bytes that all clients take. */
  bytes = 0
  /** Bytes of these that lie in reply buffers and in the arena, which are counted for themselves. */
  buffered = 0
  /** Clients closed for want of memory. */
  evicted = 0
  /** `bytes` at which clients must go. */
  limit = Number.POSITIVE_INFINITY
  private readonly server: Server

  constructor(server: Server) {
    this.server = server
    const { config } = server
    config.onChange('maxmemory-clients', () => this.setLimit())
    config.onChange('maxmemory', () => this.setLimit())
    server.cron.everyClient((connection) => {
      if (!connection.closed) connection.measure()
      this.enforce()
    })
  }

  private setLimit(): void {
    const { config } = this.server
    const wanted = config.number('maxmemory-clients')
    const maxmemory = config.number('maxmemory')
    this.limit = Number.POSITIVE_INFINITY
    if (wanted > 0) this.limit = Math.max(wanted, LIMIT_MIN)
    else if (wanted < 0 && maxmemory > 0) this.limit = Math.max(Math.floor((maxmemory * -wanted) / 100), LIMIT_MIN)
  }

  /** Closes the largest clients, if all take too much. */
  enforce(): void {
    if (this.bytes >= this.limit) this.evict()
  }

  private evict(): void {
    const { server } = this
    const clients: Connection[] = []
    for (const connection of server.connections.values()) {
      const { session } = connection
      const type = clientTypeOf(session)
      if (type !== ClientType.NORMAL && type !== ClientType.PUBSUB) continue
      if ((session.flags & SessionFlag.NO_EVICT) === 0) clients.push(connection)
    }
    clients.sort((first, second) => second.memory - first.memory)
    for (const connection of clients) {
      if (this.bytes < this.limit) return
      server.log.info(`Evicting client: ${clientLine(server, connection)}`)
      connection.session.flags |= SessionFlag.CLOSE_NOW // what else it has sent is not executed
      connection.close()
      this.evicted++
    }
  }
}
