/* Messages between connections, on Cinnabar and on redis-server: every connection must receive the same bytes in the
 * same order, of RESP2 and RESP3, replies and messages mixed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'
import { Crowd, isRecent, type Received } from './crowd.ts'

const CLIENTS = ['a', 'b', 'c', 'd']

/** Scripts of steps. "7.2: " in front: answered otherwise by an older server (which tells a client that publishes to
 *  itself before it replies, and knows no channels of shards' own). */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  'channels in RESP2': [
    'a: SUBSCRIBE x y x',
    'b: PUBLISH x hello | PUBLISH y world | PUBLISH z none',
    'a: PING | PING hey | PING a b',
    'a: GET k | SET k v | MULTI | EXEC | HELLO 3 | CLIENT LIST | CLIENT REPLY ON | AUTH x | NOSUCH',
    "a: SUBSCRIBE | PSUBSCRIBE | SSUBSCRIBE | SUBSCRIBE ''",
    "b: PUBLISH '' empty | PUBLISH x ''",
    'a: UNSUBSCRIBE x | UNSUBSCRIBE x nope | GET k',
    'b: PUBLISH x no | PUBLISH y yes',
    "a: UNSUBSCRIBE y '' | GET k | PING",
    'a: UNSUBSCRIBE | PUNSUBSCRIBE | SUNSUBSCRIBE | UNSUBSCRIBE q | PUNSUBSCRIBE q r | SUNSUBSCRIBE q',
  ],
  'patterns in RESP2': [
    'a: PSUBSCRIBE n.*',
    'b: PSUBSCRIBE n.? n.[ab]* *',
    'a: SUBSCRIBE n.x',
    'c: PUBLISH n.x 1',
    'c: PUBLISH n.xx 2 | PUBLISH m 3',
    "c: PUBLISH '' 4",
    'a: PSUBSCRIBE n.* | PUNSUBSCRIBE n.x | PUNSUBSCRIBE n.*',
    'a: UNSUBSCRIBE n.x | GET k',
    'b: PUNSUBSCRIBE * | PUNSUBSCRIBE n.? n.[ab]* | PUNSUBSCRIBE',
    'c: PUBSUB NUMPAT | PUBLISH n.x 5',
  ],
  RESP3: [
    'a: HELLO 3 | SUBSCRIBE x | PSUBSCRIBE x* | GET k | PING | PING hey',
    'b: HELLO 3 | SUBSCRIBE x',
    'c: SUBSCRIBE x | PSUBSCRIBE x*',
    'd: PUBLISH x 1 | PUBLISH xx 2',
    '7.2: a: SET k 1 | PUBLISH x 3 | GET k | PUBLISH xx 4 | PUBLISH x 5 | GET k',
    'a: UNSUBSCRIBE | PUNSUBSCRIBE | UNSUBSCRIBE | PUNSUBSCRIBE | SUNSUBSCRIBE',
    'b: SUBSCRIBE y | HELLO 2 | GET k | PING',
    'd: PUBLISH x 6 | PUBLISH y 7',
    'b: RESET | GET k | PUBLISH x 8',
  ],
  'shard channels': [
    'a: SSUBSCRIBE x y | SUBSCRIBE x | PING | GET k',
    'b: HELLO 3 | SSUBSCRIBE x',
    'c: SPUBLISH x 1 | PUBLISH x 2 | SPUBLISH z 3',
    'c: PUBSUB SHARDNUMSUB x y z | PUBSUB NUMSUB x y | PUBSUB SHARDNUMSUB | PUBSUB SHARDCHANNELS y*',
    'a: UNSUBSCRIBE | SUNSUBSCRIBE y | GET k | SUNSUBSCRIBE | GET k',
    'b: SUNSUBSCRIBE | SUNSUBSCRIBE',
    'c: PUBSUB SHARDCHANNELS | SPUBLISH x 4',
  ],
  questions: [
    'a: SUBSCRIBE x xy',
    'b: SUBSCRIBE x',
    'c: PUBSUB NUMSUB | PUBSUB NUMSUB x xy z x | PUBSUB CHANNELS xy | PUBSUB CHANNELS z* | PUBSUB NUMPAT',
    'c: PUBSUB | PUBSUB NOSUCH | PUBSUB CHANNELS a b | PUBSUB NUMPAT a | PUBSUB SHARDCHANNELS a b',
    'c: PUBLISH | PUBLISH x | PUBLISH x y z | SPUBLISH x',
  ],
  transactions: [
    '7.2: a: HELLO 3 | SUBSCRIBE x',
    '7.2: b: MULTI | PUBLISH x 1 | SET k 1 | PUBLISH x 2 | EXEC',
    '7.2: a: MULTI | PUBLISH x 3 | SET k 2 | PUBLISH x 4 | GET k | EXEC | PUBLISH x 5',
    '7.2: a!: MULTI',
    '7.2: b: PUBLISH x 6',
    '7.2: a!: PUBLISH x 7',
    '7.2: a: EXEC',
    '7.2: a: MULTI | SUBSCRIBE y | PUBLISH y 8 | UNSUBSCRIBE y | PUBLISH x 9 | EXEC',
    'c: MULTI | SUBSCRIBE y z | PSUBSCRIBE y* | GET k | EXEC | GET k | PING',
    '7.2: c: UNSUBSCRIBE y | UNSUBSCRIBE z | PUNSUBSCRIBE y* | MULTI | SUBSCRIBE y | PUBLISH y 10 | EXEC',
    'c: GET k',
    'd: MULTI | SSUBSCRIBE s | EXEC | MULTI | UNSUBSCRIBE | EXEC',
    'd: MULTI | SUBSCRIBE | EXEC',
  ],
  silence: [
    '7.2: a: HELLO 3 | SUBSCRIBE x',
    '7.2: b: HELLO 3 | SUBSCRIBE x | UNSUBSCRIBE x | CLIENT REPLY OFF | SUBSCRIBE y | UNSUBSCRIBE y | CLIENT REPLY ON',
    '7.2: a: CLIENT REPLY OFF | PUBLISH x 1 | SET k 1 | PUBLISH x 2 | CLIENT REPLY ON',
    '7.2: a: CLIENT REPLY SKIP | PUBLISH x 3 | PUBLISH x 4',
    '7.2: a: CLIENT REPLY SKIP | SUBSCRIBE z | GET k',
    '7.2: a: CLIENT REPLY OFF | UNSUBSCRIBE z | UNSUBSCRIBE z | PUNSUBSCRIBE | SUBSCRIBE | CLIENT REPLY ON',
    '7.2: a: CLIENT REPLY OFF | MULTI | PUBLISH x 5 | SET k 2 | EXEC | CLIENT REPLY ON',
  ],
  'clients that wait, and notifications': [
    '7.2: c: CONFIG SET notify-keyspace-events KEA | FLUSHALL',
    '7.2: a: HELLO 3 | PSUBSCRIBE __keyevent@0__:*',
    '7.2: b: HELLO 3 | PSUBSCRIBE __keyevent@0__:*',
    '7.2: a!: PING | BLPOP l 0',
    '7.2: b: SET k 1 | RPUSH l x y | GET k',
    '7.2: a: DEL l k',
    '7.2: a!: CLIENT REPLY ON | CLIENT REPLY OFF | BLMOVE l m LEFT LEFT 0',
    '7.2: b: CLIENT REPLY SKIP | RPUSH l x | GET k',
    '7.2: a: CLIENT REPLY ON | DEL m',
    '7.2: b: MULTI | SET k 2 | PUBLISH __keyevent@0__:zz hi | DEL k | EXEC',
    "7.2: b: EVAL return{redis.call('SET','k','1'),redis.call('PUBLISH','__keyevent@0__:z','m')} 0 | DEL k",
    "7.2: c: CONFIG SET notify-keyspace-events ''",
  ],
  'RESET and errors': [
    'a: SUBSCRIBE x | PSUBSCRIBE x* | RESET | GET k | PING',
    'b: PUBLISH x 1 | PUBSUB NUMSUB x | PUBSUB NUMPAT | PUBSUB CHANNELS',
    'a: SUBSCRIBE x | CONFIG GET port | SUBSCRIBE y | OBJECT HELP',
  ],
}

/** HELLO tells ids and versions. A client's order among patterns that match one message, and among all that it
 *  unsubscribes from, is that of a hash table in Redis. */
function withoutAccidents(step: string, received: Received): Received {
  const isUnordered = /UNSUBSCRIBE( \||$)/.test(step)
  const tidy = (replies: readonly string[]): string[] => {
    const named = replies.map((reply) => reply.replace(/(id\r\n:|version\r\n\$)[\d.\r\n]+/g, '$1?'))
    return isUnordered ? named.map((reply) => reply.replace(/:\d+\r\n$/, ':n\r\n')).sort() : sortedRuns(named)
  }
  return Object.fromEntries(Object.entries(received).map(([name, replies]) => [name, tidy(replies)]))
}

function sortedRuns(replies: readonly string[]): string[] {
  const sorted: string[] = []
  let run: string[] = []
  for (const reply of replies) {
    if (/^.4\r\n\$8\r\npmessage/.test(reply)) run.push(reply)
    else {
      sorted.push(...run.sort(), reply)
      run = []
    }
  }
  return [...sorted, ...run.sort()]
}

/** Steps of four clients at random. */
class Steps {
  private state: number

  constructor(seed: number) {
    this.state = seed
  }

  private below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.state / 2 ** 32) * limit)
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  private names(items: readonly string[]): string {
    return Array.from({ length: 1 + this.below(3) }, () => this.pick(items)).join(' ')
  }

  private command(): string {
    const channels = ['x', 'y', 'xy', 'long-channel-name-1', 'long-channel-name-2']
    const patterns = ['x*', '*', 'long-channel-name-*', 'long-channel-name-?', '[xy]', 'xy', 'l*1']
    const body = this.pick(['1', '', 'x'.repeat(100), 'y'.repeat(5000)]) || "''"
    return this.pick([
      () => `SUBSCRIBE ${this.names(channels)}`,
      () => `UNSUBSCRIBE ${this.names(channels)}`,
      () => `PSUBSCRIBE ${this.names(patterns)}`,
      () => `PUNSUBSCRIBE ${this.names(patterns)}`,
      () => `SSUBSCRIBE ${this.names(channels)}`,
      () => `SUNSUBSCRIBE ${this.names(channels)}`,
      () => this.pick(['UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE']),
      () => `PUBLISH ${this.pick(channels)} ${body}`,
      () => `PUBLISH ${this.pick(channels)} ${body}`,
      () => `SPUBLISH ${this.pick(channels)} ${body}`,
      () => `PUBSUB ${this.pick(['NUMPAT', 'NUMSUB x y', 'SHARDNUMSUB x y', 'CHANNELS xy'])}`,
      () => this.pick(['RESET', 'HELLO 2', 'HELLO 3', 'HELLO 3', 'GET k', 'SET k 1', 'PING']),
    ])()
  }

  next(): string {
    const commands = Array.from({ length: 1 + this.below(3) }, () => this.command())
    // Without arguments they answer several things in any order, of which EXEC would make one reply.
    const isTransaction = this.below(5) === 0 && !commands.some((command) => /UNSUBSCRIBE$/.test(command))
    const sent = isTransaction ? ['MULTI', ...commands, 'EXEC'] : commands
    return `${this.pick(CLIENTS)}: ${sent.join(' | ')}`
  }
}

describe.skipIf(!redisAvailable())('messages are those of redis-server', () => {
  let ours: TestServer
  let theirs: TestServer
  let areRecent: boolean

  beforeAll(async () => {
    ;[ours, theirs] = await Promise.all([startCinnabar(), startRedis()])
    areRecent = await isRecent(theirs)
  })
  afterAll(() => Promise.all([ours.stop(), theirs.stop()]))

  async function compare(steps: readonly string[], what: string): Promise<number> {
    const [one, other] = await Promise.all([Crowd.gather(ours, CLIENTS), Crowd.gather(theirs, CLIENTS)])
    let count = 0
    try {
      for (const [index, step] of steps.entries()) {
        const [received, expected] = await Promise.all([one.step(step), other.step(step)])
        const where = `${what}, step ${index}: ${step.slice(0, 200)}`
        expect({ where, ...withoutAccidents(step, received) }).toEqual({ where, ...withoutAccidents(step, expected) })
        count += Object.values(received).flat().length
      }
    } finally {
      // Whoever comes next is not to meet the subscriptions of these.
      await Promise.all([one.dissolve(), other.dissolve()])
    }
    return count
  }

  test.each(Object.keys(SCRIPTS))('%s', async (name) => {
    const steps = SCRIPTS[name]!.filter((step) => areRecent || !step.startsWith('7.2: '))
    await compare(
      steps.map((step) => step.replace('7.2: ', '')),
      name,
    )
  })

  test('steps at random', async ({ skip }) => {
    if (!areRecent) skip('a client that sends messages to itself is answered in another order before 7.2')
    const seed = testSeed() >>> 0
    const steps = new Steps(seed)
    const count = await compare(
      Array.from({ length: 1500 }, () => steps.next()),
      `seed ${seed}`,
    )
    expect(count).toBeGreaterThan(1500)
  })
})
