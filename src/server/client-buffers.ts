/* Client buffers: what the largest of the clients lately held, gathered a few clients at a time.
 *
 *   pass    | clients 1 … n/10 | … n/5 | … | … n |     a tenth with every sample, so about a second for all
 *   maxima  | pass | pass | … 8                  |     "recent" is the greatest of the last eight passes
 *
 * INFO then tells figures of at most a second ago, as Redis does, and no call visits ten thousand clients at once. */
import type { Connection } from './connection.ts'

const PORTIONS = 10
const PASSES = 8

export class ClientBuffers {
  private readonly inputMaxima = new Float64Array(PASSES)
  private readonly outputMaxima = new Float64Array(PASSES)
  private pass = 0
  private walk: Iterator<Connection> | null = null

  /** Visits the next tenth of the clients. */
  sample(connections: ReadonlyMap<number, Connection>): void {
    this.walk ??= connections.values()
    for (let left = Math.ceil(connections.size / PORTIONS); left >= 0; left--) {
      const next = this.walk.next()
      if (next.done === true) return this.endPass()
      this.visit(next.value)
    }
  }

  private visit(connection: Connection): void {
    const input = connection.inputCapacity
    const output = connection.pendingOutput
    if (input > this.inputMaxima[this.pass]!) this.inputMaxima[this.pass] = input
    if (output > this.outputMaxima[this.pass]!) this.outputMaxima[this.pass] = output
  }

  private endPass(): void {
    this.walk = null
    this.pass = (this.pass + 1) % PASSES
    this.inputMaxima[this.pass] = 0
    this.outputMaxima[this.pass] = 0
  }

  /** The largest buffer that a client lately kept for a request not yet whole. */
  get inputMax(): number {
    return Math.max(...this.inputMaxima)
  }
  /** The largest backlog of replies that a client lately had. */
  get outputMax(): number {
    return Math.max(...this.outputMaxima)
  }
}
