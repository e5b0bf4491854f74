/* The outbox: the connections that have something to be sent when this turn of the loop ends.
 *
 * Sent one after the other at the end, the replies of a turn wake their clients once; sent each at once, every write
 * lets a client on the same processor interrupt the server (three times the context switches at 50 clients). The end of
 * the turn is also the one point of durability: what must be on disk before a reply leaves is written first.
 *
 * Who is sent messages that many get keeps no buffer meanwhile: there may be thousands of those, and what they are sent
 * in one turn is one write, too. They come after the replies, so that publishers go on meanwhile, and not all at once:
 *
 *   turn    replies | 32 of those with messages    next turn    replies | 32 more    next turn    …
 *
 * So a message to thousands keeps nobody waiting for all the writes that it takes (9 µs each), and who has not been
 * written to when the next message comes gets both with one write: with 5,000 subscribers fourteen times as many
 * messages a second from a publisher who waits for each reply, with 100 twice as many. A turn writes to the more, the
 * more messages it brought; all leave at once when what gathers could count towards somebody's limit.
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

/** A turn writes to at least so many of those with messages, and to one for so many messages that it queued. */
const SLICE_MIN = 32
const PUSHES_PER_WRITE = 16

export class Outbox {
  // Of fixed length (but for what is queued while everything is sent): an array that is filled and emptied would get a
  // new backing store each turn.
  private readonly waiting = new Array<Connection | null>(WAITING_MAX).fill(null)
  private count = 0
  // Those at [pushedFirst, pushedEnd).
  private pushed: (Connection | null)[] = []
  private pushedFirst = 0
  private pushedEnd = 0
  /** Messages that were queued this turn, each receiver counted. */
  pushes = 0
  /** Whether messages are not to be gathered any longer. */
  pressing = false
  private scheduled = false
  private flushing = false
  private lonelyTurns = 0
  private directLeft = 0
  /** Sees to it that what replies say is on disk, where it is to be; false if they must not leave. */
  beforeFlush: () => boolean = () => true
  /** Told when the replies of a turn have been sent: what nobody waits for is done now. */
  afterReplies: () => void = () => {}
  private readonly endTurn = (): void => {
    this.scheduled = false
    const { count, pushedCount } = this
    this.lonelyTurns = count + pushedCount <= 1 ? this.lonelyTurns + 1 : 0
    if (this.lonelyTurns >= LONELY_TURNS) this.directLeft = DIRECT_COUNT
    this.flushReplies()
    this.afterReplies()
    if (pushedCount === 0) this.pressing = false
    else if (!this.flushPushes(this.sliceSize)) this.schedule()
    this.pushes = 0
  }

  private get pushedCount(): number {
    return this.pushedEnd - this.pushedFirst
  }

  add(connection: Connection): void {
    if (this.directLeft > 0 && this.count === 0) {
      this.directLeft--
      return connection.flushOutput()
    }
    if (this.count === WAITING_MAX) this.flushReplies()
    this.waiting[this.count++] = connection
    this.schedule()
  }

  /** Adds a connection that has nothing to be sent but messages that others get as well. */
  addPushed(connection: Connection): void {
    if (this.pushedEnd === this.pushed.length) this.makeRoom()
    this.pushed[this.pushedEnd++] = connection
    this.schedule()
  }

  private makeRoom(): void {
    const { pushed, pushedFirst, pushedEnd, pushedCount } = this
    if (pushedFirst < pushedCount) {
      pushed.push(null)
      return
    }
    pushed.copyWithin(0, pushedFirst, pushedEnd)
    pushed.fill(null, pushedCount)
    this.pushedFirst = 0
    this.pushedEnd = pushedCount
  }

  /** Sees to it that this turn is ended, even if nothing is to be sent. */
  schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(this.endTurn)
  }

  /** To how many of those with messages this turn writes. */
  private get sliceSize(): number {
    return this.pressing ? this.pushedCount : Math.max(SLICE_MIN, Math.floor(this.pushes / PUSHES_PER_WRITE))
  }

  /** Sends everything. What is queued meanwhile is sent too. */
  flush(): void {
    this.flushReplies()
    this.flushAllPushes()
  }

  /** Sends messages of earlier turns: what comes now may end their receivers, or takes long. */
  flushAllPushes(): void {
    this.flushPushes(Number.POSITIVE_INFINITY)
  }

  private flushReplies(): void {
    if (this.flushing || !this.beforeFlush()) return
    this.flushing = true
    for (let index = 0; index < this.count; index++) {
      const connection = this.waiting[index]!
      this.waiting[index] = null
      connection.flushOutput()
    }
    this.count = 0
    this.flushing = false
  }

  /** Sends to so many of those with messages, the first ones first. False if another turn is to go on. */
  private flushPushes(count: number): boolean {
    if (this.pushedCount === 0 || this.flushing || !this.beforeFlush()) return true
    this.flushing = true
    for (let sent = 0; sent < count && this.pushedFirst < this.pushedEnd; sent++) {
      const connection = this.pushed[this.pushedFirst]!
      this.pushed[this.pushedFirst++] = null
      connection.flushPushed()
    }
    this.flushing = false
    if (this.pushedFirst < this.pushedEnd) return false
    this.pushedFirst = 0
    this.pushedEnd = 0
    if (this.pushed.length > PUSHED_KEPT) this.pushed = []
    this.pressing = false
    return true
  }
}
