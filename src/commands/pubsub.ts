/* Commands about messages: who listens to what (SUBSCRIBE and its kin), sending (PUBLISH, SPUBLISH), and asking about
 * it (PUBSUB). The subscriptions themselves are in src/pubsub/.
 *
 * The answer to a subscription is a message, one for each channel: a client gets it even if it turned replies off. */
import { fromLatin1, latin1 } from '../lib/bytes.ts'
import { matches } from '../lib/glob.ts'
import { notWhileSubscribed, subscribeDenied, TOO_MANY_SUBSCRIPTIONS, wrongSubcommand } from '../protocol/errors.ts'
import type { PubSub } from '../pubsub/pubsub.ts'
import type { Subscriber } from '../pubsub/topic.ts'
import type { Call } from './call.ts'
import { type Command, type CommandGroup, Flag, group, many, optional, pattern, string } from './definition.ts'
import { Admission, type Admit, type Dispatcher } from './dispatcher.ts'
import { helpCommand } from './introspection/help.ts'
import { atWord, keySpec, ONE, range } from './introspection/key-specs.ts'
import { followSubscriptions, Gate, ReplyMode, type Session, SessionFlag } from './session.ts'

/** A client whose commands may subscribe it. */
export interface Listener extends Subscriber {
  /** Sends a push, whatever becomes of replies. */
  push(bytes: Uint8Array): void
}

/** The client of a session; a program's or a script's has none. */
export type ListenerOf = (session: Session) => Listener | undefined

/** A longer one would take up too much of what all subscriptions may, as the three copies that are kept of it. */
const PATTERN_LEN_MAX = 64 * 1024 * 1024

/** Which of the three kinds of subscriptions. */
type Kind = 'channel' | 'pattern' | 'shard'

const SUBSCRIBE = { channel: 'subscribe', pattern: 'psubscribe', shard: 'ssubscribe' } as const
const UNSUBSCRIBE = { channel: 'unsubscribe', pattern: 'punsubscribe', shard: 'sunsubscribe' } as const

/** Commands that a RESP2 client with subscriptions may send. */
const WHILE_SUBSCRIBED: ReadonlySet<string> = new Set([
  'ping',
  'quit',
  'reset',
  ...Object.values(SUBSCRIBE),
  ...Object.values(UNSUBSCRIBE),
])

/** Refuses what a RESP2 client with subscriptions may not send. */
export function subscribedAdmission(dispatcher: Dispatcher): Admit {
  return (call, command) => {
    if ((call.session.gates & Gate.SUBSCRIBED) === 0 || WHILE_SUBSCRIBED.has(command.fullName)) return Admission.RUN
    dispatcher.reject(call, command, notWhileSubscribed(command.fullName))
    return Admission.ANSWERED
  }
}

class PubSubCommands {
  private readonly pubsub: PubSub
  private readonly listenerOf: ListenerOf

  constructor(pubsub: PubSub, listenerOf: ListenerOf) {
    this.pubsub = pubsub
    this.listenerOf = listenerOf
  }

  /** Who subscribes; undefined after replying that it must not. */
  private subscriberOf(call: Call, kind: Kind): Listener | undefined {
    const { session } = call
    const listener = this.listenerOf(session)
    const isDenied = (session.flags & SessionFlag.DENY_BLOCKING) !== 0
    // In a transaction it has always been allowed, but for shard channels.
    if (listener !== undefined && (!isDenied || (kind !== 'shard' && (session.gates & Gate.MULTI) !== 0)))
      return listener
    call.reply.error(subscribeDenied(SUBSCRIBE[kind].toUpperCase()))
    return undefined
  }

  subscribe(call: Call, kind: Kind): void {
    const listener = this.subscriberOf(call, kind)
    if (listener === undefined) return
    for (let index = 1; index < call.argc; index++) {
      // (Being told may be too much for a client; what has gone subscribes to nothing.)
      if (this.listenerOf(call.session) === undefined) return
      if (this.add(listener, call, index, kind)) {
        tell(call, listener, SUBSCRIBE[kind], kind, call.bytes, call.posOf(index), call.lenOf(index))
      } else call.reply.error(TOO_MANY_SUBSCRIPTIONS)
    }
    followSubscriptions(call.session)
  }

  private add(listener: Listener, call: Call, index: number, kind: Kind): boolean {
    if (kind === 'pattern') {
      if (call.lenOf(index) > PATTERN_LEN_MAX) return false
      return this.pubsub.subscribePattern(listener, latin1(call.bytes, call.posOf(index), call.lenOf(index)))
    }
    return this.pubsub.subscribe(listener, call.bytes, call.posOf(index), call.lenOf(index), kind === 'shard')
  }

  unsubscribe(call: Call, kind: Kind): void {
    const listener = this.listenerOf(call.session)
    if (call.argc === 1) this.unsubscribeAll(call, listener, kind)
    for (let index = 1; index < call.argc; index++) {
      this.remove(call, listener, kind, call.bytes, call.posOf(index), call.lenOf(index))
    }
    followSubscriptions(call.session)
  }

  private unsubscribeAll(call: Call, listener: Listener | undefined, kind: Kind): void {
    const names = listener === undefined ? [] : this.namesOf(listener, kind)
    for (const name of names) {
      const bytes = fromLatin1(name)
      this.remove(call, listener, kind, bytes, 0, bytes.length)
    }
    if (names.length === 0) tell(call, listener, UNSUBSCRIBE[kind], kind, null, 0, 0)
  }

  private namesOf(listener: Listener, kind: Kind): readonly string[] {
    return kind === 'pattern' ? this.pubsub.patternsOf(listener) : this.pubsub.channelsOf(listener, kind === 'shard')
  }

  private remove(
    call: Call,
    listener: Listener | undefined,
    kind: Kind,
    bytes: Uint8Array,
    pos: number,
    len: number,
  ): void {
    if (listener !== undefined) {
      // (None so long is subscribed to.)
      if (kind !== 'pattern') this.pubsub.unsubscribe(listener, bytes, pos, len, kind === 'shard')
      else if (len <= PATTERN_LEN_MAX) this.pubsub.unsubscribePattern(listener, latin1(bytes, pos, len))
    }
    tell(call, listener, UNSUBSCRIBE[kind], kind, bytes, pos, len)
  }

  publish(call: Call): void {
    const { bytes } = call
    const { pubsub } = this
    call.reply.integer(pubsub.publish(bytes, call.posOf(1), call.lenOf(1), bytes, call.posOf(2), call.lenOf(2)))
  }

  publishSharded(call: Call): void {
    const { bytes } = call
    const { pubsub } = this
    call.reply.integer(pubsub.publishSharded(bytes, call.posOf(1), call.lenOf(1), bytes, call.posOf(2), call.lenOf(2)))
  }

  channels(call: Call, sharded: boolean): void {
    const { reply, argc } = call
    if (argc > 3) return reply.error(wrongSubcommand(call.string(1), 'pubsub'))
    const mark = reply.begin()
    let count = 0
    for (const name of this.pubsub.channelNames(sharded)) {
      if (reply.overflowed) break
      const bytes = fromLatin1(name)
      const isWanted = argc === 2 || matches(call.bytes, call.posOf(2), call.lenOf(2), bytes, 0, bytes.length)
      if (!isWanted) continue
      reply.bulk(bytes, 0, bytes.length)
      count++
    }
    reply.endArray(mark, count)
  }

  subscriberCounts(call: Call, sharded: boolean): void {
    const { reply, bytes } = call
    reply.array((call.argc - 2) * 2)
    for (let index = 2; index < call.argc; index++) {
      const [pos, len] = [call.posOf(index), call.lenOf(index)]
      reply.bulk(bytes, pos, len)
      reply.integer(this.pubsub.countOf(bytes, pos, len, sharded))
    }
  }

  patternCount(call: Call): void {
    call.reply.integer(this.pubsub.patternCount)
  }
}

/** Tells a client of its subscription, with the number that it has now. No name: it had none. */
function tell(
  call: Call,
  listener: Listener | undefined,
  what: string,
  kind: Kind,
  bytes: Uint8Array | null,
  pos: number,
  len: number,
): void {
  const { session, reply } = call
  const count = kind === 'shard' ? session.shardChannelCount : session.channelCount + session.patternCount
  if (session.replyMode !== ReplyMode.ON) {
    if (listener !== undefined) pushTold(listener, what, bytes, pos, len, count)
    return
  }
  reply.push(3)
  reply.bulkString(what)
  if (bytes === null) reply.nullBulk()
  else reply.bulk(bytes, pos, len)
  reply.integer(count)
}

/** The same to a client that turned replies off. */
function pushTold(
  listener: Listener,
  what: string,
  bytes: Uint8Array | null,
  pos: number,
  len: number,
  count: number,
): void {
  const isThree = listener.session.version === 3
  const nothing = isThree ? '_\r\n' : '$-1\r\n'
  const parts = [
    Buffer.from(`${isThree ? '>' : '*'}3\r\n$${what.length}\r\n${what}\r\n${bytes === null ? nothing : `$${len}\r\n`}`),
    bytes === null ? Buffer.alloc(0) : Buffer.from(bytes.slice(pos, pos + len)),
    Buffer.from(`${bytes === null ? '' : '\r\n'}:${count}\r\n`),
  ]
  listener.push(new Uint8Array(Buffer.concat(parts)))
}

const ANY_TIME = Flag.PUBSUB | Flag.LOADING | Flag.STALE
const SUBSCRIBES = ANY_TIME | Flag.NOSCRIPT
const PUBLISHES = ANY_TIME | Flag.FAST | Flag.MAY_REPLICATE

const subscriptionCommands = (commands: PubSubCommands): CommandGroup => ({
  PSUBSCRIBE: {
    summary: 'Listens to the channels that match patterns.',
    since: '2.0.0',
    complexity: 'O(N), N patterns',
    flags: SUBSCRIBES,
    args: [many(pattern('pattern'))],
    run: (call) => commands.subscribe(call, 'pattern'),
  },
  PUNSUBSCRIBE: {
    summary: 'Stops listening to patterns.',
    since: '2.0.0',
    complexity: 'O(N), N patterns',
    flags: SUBSCRIBES,
    args: [optional(many(pattern('pattern')))],
    run: (call) => commands.unsubscribe(call, 'pattern'),
  },
  SSUBSCRIBE: {
    summary: 'Listens to shard channels.',
    since: '7.0.0',
    complexity: 'O(N), N channels',
    flags: SUBSCRIBES,
    args: [many(string('shardchannel'))],
    keySpecs: [keySpec('not_key', atWord(1), range(-1, 1, 0))],
    run: (call) => commands.subscribe(call, 'shard'),
  },
  SUBSCRIBE: {
    summary: 'Listens to channels.',
    since: '2.0.0',
    complexity: 'O(N), N channels',
    flags: SUBSCRIBES,
    args: [many(string('channel'))],
    run: (call) => commands.subscribe(call, 'channel'),
  },
  SUNSUBSCRIBE: {
    summary: 'Stops listening to shard channels.',
    since: '7.0.0',
    complexity: 'O(N), N channels',
    flags: SUBSCRIBES,
    args: [optional(many(string('shardchannel')))],
    keySpecs: [keySpec('not_key', atWord(1), range(-1, 1, 0))],
    run: (call) => commands.unsubscribe(call, 'shard'),
  },
  UNSUBSCRIBE: {
    summary: 'Stops listening to channels.',
    since: '2.0.0',
    complexity: 'O(N), N channels',
    flags: SUBSCRIBES,
    args: [optional(many(string('channel')))],
    run: (call) => commands.unsubscribe(call, 'channel'),
  },
})

const publishingCommands = (commands: PubSubCommands): CommandGroup => ({
  PUBLISH: {
    summary: 'Sends a message to a channel.',
    since: '2.0.0',
    complexity: 'O(N+M), N subscribers of the channel, M patterns of all clients',
    flags: PUBLISHES,
    args: [string('channel'), string('message')],
    run: (call) => commands.publish(call),
  },
  SPUBLISH: {
    summary: 'Sends a message to a shard channel.',
    since: '7.0.0',
    complexity: 'O(N), N subscribers of the channel',
    flags: PUBLISHES,
    args: [string('shardchannel'), string('message')],
    keySpecs: [keySpec('not_key', atWord(1), ONE)],
    run: (call) => commands.publishSharded(call),
  },
})

const questions = (commands: PubSubCommands): CommandGroup => ({
  CHANNELS: {
    summary: 'Lists the channels that someone listens to.',
    since: '2.8.0',
    complexity: 'O(N), N such channels',
    flags: ANY_TIME,
    args: [optional(pattern('pattern'))],
    run: (call) => commands.channels(call, false),
  },
  HELP: helpCommand('6.2.0'),
  NUMPAT: {
    summary: 'Counts the different patterns listened to.',
    since: '2.8.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    run: (call) => commands.patternCount(call),
  },
  NUMSUB: {
    summary: 'Counts the subscribers of channels.',
    since: '2.8.0',
    complexity: 'O(N), N channels asked for',
    flags: ANY_TIME,
    args: [optional(many(string('channel')))],
    run: (call) => commands.subscriberCounts(call, false),
  },
  SHARDCHANNELS: {
    summary: 'Lists the shard channels that someone listens to.',
    since: '7.0.0',
    complexity: 'O(N), N such channels',
    flags: ANY_TIME,
    args: [optional(pattern('pattern'))],
    run: (call) => commands.channels(call, true),
  },
  SHARDNUMSUB: {
    summary: 'Counts the subscribers of shard channels.',
    since: '7.0.0',
    complexity: 'O(N), N channels asked for',
    flags: ANY_TIME,
    args: [optional(many(string('shardchannel')))],
    run: (call) => commands.subscriberCounts(call, true),
  },
})

export function pubsubCommands(pubsub: PubSub, listenerOf: ListenerOf): readonly Command[] {
  const commands = new PubSubCommands(pubsub, listenerOf)
  return group('pubsub', {
    ...subscriptionCommands(commands),
    ...publishingCommands(commands),
    PUBSUB: { summary: 'Tells who listens to what.', since: '2.8.0', subcommands: questions(commands) },
  } satisfies CommandGroup)
}
