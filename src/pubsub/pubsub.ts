/* Publish and subscribe: who listens to which channels and patterns, and the way of a message to them.
 *
 *   channels        name -> topic -> subscribers         PUBLISH, SUBSCRIBE
 *   patterns        name -> topic -> subscribers         PUBLISH, PSUBSCRIBE
 *   shardChannels   name -> topic -> subscribers         SPUBLISH, SSUBSCRIBE
 *
 * It knows no command and no socket: whoever is sent messages is a `Subscriber`. A session's counts of subscriptions
 * are kept true here. Names lie on the JavaScript heap, so all subscriptions together have a budget. */
import { fromLatin1, latin1 } from '../lib/bytes.ts'
import { MESSAGE, Messages, PATTERN_MESSAGE, SHARD_MESSAGE } from './messages.ts'
import { type Pattern, Patterns } from './patterns.ts'
import type { Subscriber, Topic } from './topic.ts'
import { Topics } from './topics.ts'

/** What all subscriptions may take up, by these estimates; bytes. */
const BUDGET = 256 * 1024 * 1024
const TOPIC_SIZE = 200
const SUBSCRIPTION_SIZE = 50

/** What one subscriber listens to. */
class Subscriptions {
  readonly channels = new Set<Topic>()
  readonly patterns = new Set<Pattern>()
  readonly shardChannels = new Set<Topic>()
}

export class PubSub {
  private readonly channels = new Topics()
  private readonly shardChannels = new Topics()
  private readonly patterns = new Patterns()
  private readonly bySubscriber = new Map<Subscriber, Subscriptions>()
  private readonly messages = new Messages()
  private readonly budget: number
  /** What the channels and patterns themselves take up, by estimate. */
  topicBytes = 0
  private subscriptionBytes = 0

  constructor(budget = BUDGET) {
    this.budget = budget
  }

  get channelCount(): number {
    return this.channels.count
  }
  get patternCount(): number {
    return this.patterns.count
  }
  get shardChannelCount(): number {
    return this.shardChannels.count
  }
  /** How many have subscriptions. */
  get subscriberCount(): number {
    return this.bySubscriber.size
  }
  /** Whether anybody listens to channels or patterns. */
  get isHeard(): boolean {
    return this.channels.count + this.patterns.count > 0
  }

  /** What a subscriber's subscriptions take up, by estimate. */
  sizeOf({ session }: Subscriber): number {
    return (session.channelCount + session.patternCount + session.shardChannelCount) * SUBSCRIPTION_SIZE
  }

  /** Subscribes to a channel, if it is not yet; false if there is no room for more subscriptions. */
  subscribe(subscriber: Subscriber, bytes: Uint8Array, pos: number, len: number, sharded: boolean): boolean {
    const topics = sharded ? this.shardChannels : this.channels
    let topic = topics.find(bytes, pos, len)
    if (topic?.has(subscriber) === true) return true
    if (!this.take(topic === null ? TOPIC_SIZE + len : 0)) return false
    if (topic === null) topic = topics.add(bytes, pos, len, latin1(bytes, pos, len))
    topic.add(subscriber)
    const own = this.ofSubscriber(subscriber)
    const set = sharded ? own.shardChannels : own.channels
    set.add(topic)
    this.count(subscriber, own)
    return true
  }

  unsubscribe(subscriber: Subscriber, bytes: Uint8Array, pos: number, len: number, sharded: boolean): void {
    const topics = sharded ? this.shardChannels : this.channels
    const topic = topics.find(bytes, pos, len)
    const own = this.bySubscriber.get(subscriber)
    if (topic === null || own === undefined) return
    const set = sharded ? own.shardChannels : own.channels
    if (set.delete(topic)) this.leave(subscriber, topic, topics)
    this.count(subscriber, own)
  }

  subscribePattern(subscriber: Subscriber, name: string): boolean {
    let pattern = this.patterns.find(name)
    if (pattern?.has(subscriber) === true) return true
    // A pattern is kept three times: as text, as bytes, and as part of a message.
    if (!this.take(pattern === undefined ? 2 * TOPIC_SIZE + 3 * name.length : 0)) return false
    pattern ??= this.patterns.add(name)
    pattern.add(subscriber)
    const own = this.ofSubscriber(subscriber)
    own.patterns.add(pattern)
    this.count(subscriber, own)
    return true
  }

  unsubscribePattern(subscriber: Subscriber, name: string): void {
    const pattern = this.patterns.find(name)
    const own = this.bySubscriber.get(subscriber)
    if (pattern === undefined || own === undefined) return
    if (own.patterns.delete(pattern)) this.leavePattern(subscriber, pattern)
    this.count(subscriber, own)
  }

  /** What a subscriber listens to, in the order in which it subscribed. */
  channelsOf(subscriber: Subscriber, sharded: boolean): readonly string[] {
    const own = this.bySubscriber.get(subscriber)
    const set = sharded ? own?.shardChannels : own?.channels
    return [...(set ?? [])].map((topic) => topic.name)
  }
  patternsOf(subscriber: Subscriber): readonly string[] {
    return [...(this.bySubscriber.get(subscriber)?.patterns ?? [])].map((topic) => topic.name)
  }

  /** Ends all subscriptions: the client has gone, or begins anew. */
  forget(subscriber: Subscriber): void {
    const own = this.bySubscriber.get(subscriber)
    if (own === undefined) return
    for (const topic of own.channels) this.leave(subscriber, topic, this.channels)
    for (const topic of own.shardChannels) this.leave(subscriber, topic, this.shardChannels)
    for (const pattern of own.patterns) this.leavePattern(subscriber, pattern)
    own.channels.clear()
    own.shardChannels.clear()
    own.patterns.clear()
    this.count(subscriber, own)
  }

  private leave(subscriber: Subscriber, topic: Topic, topics: Topics): void {
    topic.delete(subscriber)
    this.subscriptionBytes -= SUBSCRIPTION_SIZE
    if (topic.count > 0) return
    const name = fromLatin1(topic.name)
    topics.delete(name, 0, name.length)
    this.topicBytes -= TOPIC_SIZE + name.length
  }

  private leavePattern(subscriber: Subscriber, pattern: Pattern): void {
    pattern.delete(subscriber)
    this.subscriptionBytes -= SUBSCRIPTION_SIZE
    if (pattern.count > 0) return
    this.patterns.delete(pattern)
    this.topicBytes -= 2 * TOPIC_SIZE + 3 * pattern.name.length
  }

  /** Room for one more subscription, and for a topic of this size if it is a new one. */
  private take(topicSize: number): boolean {
    const size = SUBSCRIPTION_SIZE + topicSize
    if (this.topicBytes + this.subscriptionBytes + size > this.budget) return false
    this.topicBytes += topicSize
    this.subscriptionBytes += SUBSCRIPTION_SIZE
    return true
  }

  private ofSubscriber(subscriber: Subscriber): Subscriptions {
    let own = this.bySubscriber.get(subscriber)
    if (own === undefined) {
      own = new Subscriptions()
      this.bySubscriber.set(subscriber, own)
    }
    return own
  }

  private count(subscriber: Subscriber, own: Subscriptions): void {
    const { session } = subscriber
    session.channelCount = own.channels.size
    session.patternCount = own.patterns.size
    session.shardChannelCount = own.shardChannels.size
    if (own.channels.size + own.patterns.size + own.shardChannels.size === 0) this.bySubscriber.delete(subscriber)
  }

  /** Sends a message to those who listen to a channel, then to those who listen to patterns that match; returns how
   *  many copies that were. */
  publish(
    channelBytes: Uint8Array,
    channelPos: number,
    channelLen: number,
    payloadBytes: Uint8Array,
    payloadPos: number,
    payloadLen: number,
  ): number {
    const { messages, patterns } = this
    const topic = this.channels.find(channelBytes, channelPos, channelLen)
    patterns.match(channelBytes, channelPos, channelLen)
    if (topic === null && patterns.foundCount === 0) return 0
    messages.begin(channelBytes, channelPos, channelLen, payloadBytes, payloadPos, payloadLen)
    let receivers = topic === null ? 0 : messages.deliver(topic, MESSAGE)
    for (let index = 0; index < patterns.foundCount; index++) {
      const pattern = patterns.found[index]!
      receivers += messages.deliver(pattern, PATTERN_MESSAGE, pattern.bulk)
    }
    messages.end()
    return receivers
  }

  /** As `publish`, to a shard channel. */
  publishSharded(
    channelBytes: Uint8Array,
    channelPos: number,
    channelLen: number,
    payloadBytes: Uint8Array,
    payloadPos: number,
    payloadLen: number,
  ): number {
    const topic = this.shardChannels.find(channelBytes, channelPos, channelLen)
    if (topic === null) return 0
    this.messages.begin(channelBytes, channelPos, channelLen, payloadBytes, payloadPos, payloadLen)
    const receivers = this.messages.deliver(topic, SHARD_MESSAGE)
    this.messages.end()
    return receivers
  }

  /** How many listen to a channel. */
  countOf(bytes: Uint8Array, pos: number, len: number, sharded: boolean): number {
    return (sharded ? this.shardChannels : this.channels).find(bytes, pos, len)?.count ?? 0
  }

  /** The names of the channels that somebody listens to, as latin1, in no particular order. */
  *channelNames(sharded: boolean): Generator<string> {
    for (const topic of (sharded ? this.shardChannels : this.channels).all()) yield topic.name
  }
}
