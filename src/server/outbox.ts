/* The outbox: the connections that have something to be sent when this turn of the loop ends.
 *
 * Sent one after the other at the end, the replies of a turn wake their clients once; sent each at once, every write
 * lets a client on the same processor interrupt the server (three times the context switches at 50 clients). The end of
 * the turn is also the one point of durability: what must be on disk before a reply leaves is written first. */
import type { Connection } from './connection.ts'

/** So many connections are not made to wait for others. */
const WAITING_MAX = 128

export class Outbox {
  private waiting: Connection[] = []
  private spare: Connection[] = []
  private scheduled = false
  private readonly endTurn = (): void => {
    this.scheduled = false
    this.flush()
  }

  add(connection: Connection): void {
    this.waiting.push(connection)
    if (this.waiting.length >= WAITING_MAX) return this.flush()
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(this.endTurn)
  }

  flush(): void {
    const connections = this.waiting
    this.waiting = this.spare
    for (const connection of connections) connection.flushOutput()
    connections.length = 0
    this.spare = connections
  }
}
