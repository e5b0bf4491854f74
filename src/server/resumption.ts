/* Resumption: clients that waited go on, in the order in which they were released, as background work: never inside the
 * command that released them (the call and the reply being written are shared), and ten thousand of them in slices. */
import type { Background } from './background.ts'
import type { Connection } from './connection.ts'

export class Resumption {
  private readonly background: Background
  private queue: Connection[] = []
  /** How many of the queue have gone on. */
  private done = 0

  constructor(background: Background) {
    this.background = background
    background.add(() => this.next())
  }

  add(connection: Connection): void {
    this.queue.push(connection)
    this.background.wake()
  }

  private next(): boolean {
    const connection = this.queue[this.done]
    if (connection === undefined) return false
    this.done++
    if (this.done === this.queue.length) {
      this.queue = []
      this.done = 0
    }
    if (!connection.closed) connection.goOn()
    return this.queue.length > 0
  }
}
