/* Topic: a channel or pattern that somebody listens to, and who does.
 *
 * Most topics have one subscriber, who stands in a field; a Set is made when there are more. */

import type { ReplyBuffer } from '../protocol/reply-buffer.ts'

/** Whoever messages can be delivered to. */
export interface Subscriber {
  /** What is known of it: its protocol, and how many subscriptions it has. */
  readonly session: SubscriberState
  /** Sends bytes [from, to) of a buffer that others are sent as well. */
  pushShared(buffer: ReplyBuffer, from: number, to: number): void
}

/** The part of a session that subscriptions need and change. */
export interface SubscriberState {
  readonly version: number
  channelCount: number
  patternCount: number
  shardChannelCount: number
}

export class Topic {
  /** As latin1. */
  readonly name: string
  private only: Subscriber | null = null
  private many: Set<Subscriber> | null = null

  constructor(name: string) {
    this.name = name
  }

  get count(): number {
    if (this.many !== null) return this.many.size
    return this.only === null ? 0 : 1
  }

  has(subscriber: Subscriber): boolean {
    return this.only === subscriber || this.many?.has(subscriber) === true
  }

  add(subscriber: Subscriber): void {
    if (this.many !== null) this.many.add(subscriber)
    else if (this.only === null) this.only = subscriber
    else {
      this.many = new Set([this.only, subscriber])
      this.only = null
    }
  }

  delete(subscriber: Subscriber): void {
    if (this.many !== null) this.many.delete(subscriber)
    else if (this.only === subscriber) this.only = null
  }

  /** The one subscriber, unless there are (or were) more. */
  get single(): Subscriber | null {
    return this.only
  }
  /** The subscribers, if there are (or were) several, in the order in which they came. */
  get several(): ReadonlySet<Subscriber> | null {
    return this.many
  }
}
