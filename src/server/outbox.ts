/* The outbox: the connections that have something to be sent when this turn of the loop ends.
 *
 * Sent one after the other at the end, the replies of a turn wake their clients once; sent each at once, every write
 * lets a client on the same processor interrupt the server (three times the context switches at 50 clients). The end of
 * the turn is also the one point of durability: what must be on disk before a reply leaves is written first.
 *
 * Who is sent messages that many get keeps no buffer meanwhile: there may be thousands of those, and what they are sent
 * in one turn is one write, too.
 *
 * When turn after turn has but one connection to send to, there is nothing to gather, and an Immediate per request is
 * dear (180 bytes of garbage): then DIRECT_COUNT replies are sent at once before it is tried again. */
import type { Connection } from './connection.ts'

/** So many connections are not made to wait for others. */
const WAITING_MAX = 128

/** Turns with a single connection after which replies are sent at once, and how many of them. */
const LONELY_TURNS = 16
const DIRECT_COUNT = 512

/** Room for connections with messages that is kept from turn to turn. */
const PUSHED_KEPT = 16 * 1024

export class Outbox {
  // Of fixed length (but for what is queued while everything is sent): an array that is filled and emptied would get a
  // new backing store each turn.
  private readonly waiting = new Array<Connection | null>(WAITING_MAX).fill(null)
  private count = 0
  private pushed: (Connection | null)[] = []
  private pushedCount = 0
  private scheduled = false
  private flushing = false
  private lonelyTurns = 0
  private directLeft = 0
  /** Sees to it that what replies say is on disk, where it is to be; false if they must not leave. */
  beforeFlush: () => boolean = () => true
  private readonly endTurn = (): void => {
    this.scheduled = false
    this.lonelyTurns = this.count + this.pushedCount <= 1 ? this.lonelyTurns + 1 : 0
    if (this.lonelyTurns >= LONELY_TURNS) this.directLeft = DIRECT_COUNT
    this.flush()
  }

  add(connection: Connection): void {
    if (this.directLeft > 0 && this.count === 0) {
      this.directLeft--
      return connection.flushOutput()
    }
    if (this.count === WAITING_MAX) this.flush()
    this.waiting[this.count++] = connection
    this.schedule()
  }

  /** Adds a connection that has nothing to be sent but messages that others get as well. */
  addPushed(connection: Connection): void {
    if (this.pushedCount === this.pushed.length) this.pushed.push(connection)
    else this.pushed[this.pushedCount] = connection
    this.pushedCount++
    this.schedule()
  }

  /** Sees to it that this turn is ended, even if nothing is to be sent. */
  schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(this.endTurn)
  }

  /** Sends everything. What is queued meanwhile is sent too. */
  flush(): void {
    if (this.flushing || !this.beforeFlush()) return
    this.flushing = true
    for (let index = 0; index < this.count; index++) {
      const connection = this.waiting[index]!
      this.waiting[index] = null
      connection.flushOutput()
    }
    this.count = 0
    for (let index = 0; index < this.pushedCount; index++) {
      const connection = this.pushed[index]!
      this.pushed[index] = null
      connection.flushOutput()
    }
    this.pushedCount = 0
    if (this.pushed.length > PUSHED_KEPT) this.pushed = []
    this.flushing = false
  }
}
