/* Keyspace notifications of Cinnabar and of redis-server: names, order, channels and payloads, of every command that
 * the other differential tests know, and of scenes with several clients. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Argument, encode, type RawClient } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'
import { isRecent } from './crowd.ts'
import * as setsAndHashes from './set-hash-commands.ts'
import * as stringsAndKeys from './string-key-commands.ts'
import * as zsets from './zset-commands.ts'

const LISTS = `
  rpush l a b c | lpush l x y | rpushx l d | lpushx none d | rpushx none d | linsert l before b z | linsert l
  after q z | linsert none before a b | lset l 0 A | lset l 99 A | lrem l 0 z | lrem l 0 nope | lrem none 0 a
  | ltrim l 0 3 | ltrim l 0 99 | ltrim none 0 1 | lpop l | rpop l | lpop l 0 | lpop l 1 | rpop l 5 | lpop none
  | lpop none 2 | rpush l a b c | ltrim l 5 1 | rpush l a | lrem l 0 a | rpush l a b c | rpoplpush l m |
  rpoplpush l l | rpoplpush none m | lmove l m left right | lmove l m right left | lmove none m left right |
  lmove m m left right | lmpop 2 none m left | lmpop 2 none m right count 10 | lmpop 1 none left | rpush l 1 2
  3 | blpop none l 0 | brpop none l 0 | blpop l 0 | rpush l 1 2 3 | brpoplpush l m 0 | blmove l m left left 0
  | blmpop 0 2 none m left count 2 | blmpop 0 1 l right | blpop none 0.001 | del l m | rpush l 3 1 2 | sort l
  store d | sort none store d | sort none store d | sort l | lpos l 1 | lrange l 0 -1 | llen l | lindex l 0 |
  lindex none 0 | llen none | lrange none 0 1 | lpos none 1 | set s x | rpush s 1 | lpop s`

const VARIOUS = `
  set a 1 | set a 2 ex 100 | rename a b | multi | set a 1 | incr a | del a nope | exec | multi | set a 1 |
  discard | watch a | unwatch | select 1 | set a 1 | move a 2 | copy b a db 3 | swapdb 1 2 | select 0 | expire
  b 1 | expire b -1 | flushdb | set x 1 | set x 2 pxat 1 | get x | set x 1 pxat 1 | exists x | set x 1 pxat 1
  | del x | set x 1 pxat 1 | set x 2 | set x 3 keepttl | get nope | mget x nope | type nope | object encoding
  nope | object freq nope | dump nope | touch x nope | unlink x nope | getdel nope | set y 1 | getdel y | set
  y 1 | getex y ex 100 | getex y persist | set y 1 px 100000 | persist y | persist y | append z a | append z b
  | setrange z 5 q | setrange z 9 '' | setbit | incrbyfloat f 1.5 | incrbyfloat f x | hset h a 1 | hdel h a |
  hsetnx h a 1 | hsetnx h a 2 | hincrby h n 1 | hincrbyfloat h n 1 | hmset h a 1 b 2 | hget h nope | hget none
  a | hdel h a b n | sadd s 1 2 | smove s t 1 | smove s t 9 | srem s 2 | sinterstore d t t | sinterstore d t
  none | zadd z2 1 a 2 b | zadd z2 1 a | zadd z2 xx incr 1 a | zincrby z2 1 a | zrem z2 a | zpopmin z2 |
  zpopmax none | zadd z2 1 a 2 b 3 c | zremrangebyscore z2 1 1 | zremrangebyrank z2 0 0 | zrangestore z3 z2 0
  -1 | zrangestore z3 none 0 -1 | zunionstore z3 1 z2 | bzpopmin z3 0 | bzmpop 0 1 z2 min | dbsize | keys * |
  scan 0 | flushall | set a 1 | copy a b | copy a b | copy a b replace | rename a a | renamenx a b | renamenx
  a c | rename c b | set b 1 get | getset b 2 | getset n 2 | msetnx b 1 m 2 | msetnx m 2 o 3 | mset a 1 b 2 a
  3 | setnx a 1 | setnx p 1 | setex a 100 1 | psetex a 100000 1 | decr q | decrby q 5`

/** A server, a client who does things and one who is told of them. */
class Witness {
  readonly server: TestServer
  private readonly client: RawClient
  private readonly subscriber: RawClient

  private constructor(server: TestServer, client: RawClient, subscriber: RawClient) {
    this.server = server
    this.client = client
    this.subscriber = subscriber
  }

  static async of(server: TestServer): Promise<Witness> {
    const witness = new Witness(server, await server.connect(), await server.connect())
    await witness.subscriber.command('PSUBSCRIBE', '__key*@*__:*')
    return witness
  }

  /** Sends a command; what the subscriber is told of it. */
  async events(command: string | readonly Argument[]): Promise<string[]> {
    if (typeof command === 'string') this.client.send(`${command}\r\n`)
    else this.client.send(encode(...command))
    await this.client.reply()
    return this.told()
  }

  async told(): Promise<string[]> {
    this.subscriber.send(encode('PING'))
    const events: string[] = []
    for (;;) {
      const message = (await this.subscriber.reply()).toString('latin1')
      if (!message.includes('pmessage')) return events
      events.push(message.split('\r\n').slice(6).join(' '))
    }
  }

  async leave(): Promise<void> {
    await this.client.close()
    await this.subscriber.close()
  }
}

const linesOf = (text: string): string[] =>
  text
    .split('|')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '')

/** What 7.0 does not know, or tells otherwise. */
const ONLY_RECENT = /^(z(rev)?rank .* withscore|scan .* type)/

/** A random command, and how many events there must have been for the test to mean something. */
const GENERATORS = {
  'strings and keys': { make: (seed: number) => new stringsAndKeys.Generator(seed), least: 1500 },
  'sets and hashes': { make: (seed: number) => new setsAndHashes.Generator(seed), least: 1500 },
  'sorted sets': { make: (seed: number) => new zsets.Generator(seed), least: 1500 },
}

describe.skipIf(!redisAvailable())('notifications are those of redis-server', () => {
  let ours: Witness
  let theirs: Witness
  const servers: TestServer[] = []
  let isOld: boolean

  beforeAll(async () => {
    const options = { args: ['--enable-debug-command', 'yes', '--notify-keyspace-events', 'AKEmn'] }
    servers.push(...(await Promise.all([startCinnabar(options), startRedis(options)])))
    ;[ours, theirs] = [await Witness.of(servers[0]!), await Witness.of(servers[1]!)]
    isOld = !(await isRecent(servers[1]!))
    await both('DEBUG SET-ACTIVE-EXPIRE 0')
  })
  afterAll(async () => {
    await Promise.all([ours.leave(), theirs.leave()])
    await Promise.all(servers.map((server) => server.stop()))
  })

  const both = (command: string | readonly Argument[]) => Promise.all([ours.events(command), theirs.events(command)])

  async function begin(): Promise<void> {
    for (const line of ['FLUSHALL', 'SELECT 0', ...setsAndHashes.LIMITS, ...zsets.LIMITS]) await both(line)
  }

  async function compare(command: string | readonly Argument[], where: string): Promise<number> {
    const [received, expected] = await both(command)
    expect({ where, events: received }).toEqual({ where, events: expected })
    return expected.length
  }

  const EDGES: Readonly<Record<string, readonly string[]>> = {
    lists: linesOf(LISTS),
    'this and that': linesOf(VARIOUS),
    ...Object.fromEntries(
      Object.entries(stringsAndKeys.EDGES).map(([name, text]) => [
        name,
        stringsAndKeys.linesOf(text).filter((line) => line !== 'randomkey'),
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(setsAndHashes.EDGES).map(([name, text]) => [name, setsAndHashes.linesOf(text)]),
    ),
    ...Object.fromEntries(Object.entries(zsets.EDGES).map(([name, text]) => [name, linesOf(text)])),
  }

  test.each(Object.keys(EDGES))('at the edges: %s', async (name) => {
    await begin()
    for (const line of EDGES[name]!) {
      if (isOld && ONLY_RECENT.test(line)) await both(line)
      else await compare(line, line)
    }
  })

  test.each(Object.keys(GENERATORS) as (keyof typeof GENERATORS)[])('of random commands: %s', async (name) => {
    const seed = testSeed()
    const generator = GENERATORS[name].make(seed)
    let count = 0
    await begin()
    for (let step = 0; step < 2500; step++) {
      const args = generator.next()
      count += await compare(args, `seed ${seed}, step ${step}: ${args.join(' ').slice(0, 200)}`)
    }
    expect(count).toBeGreaterThan(GENERATORS[name].least)
  })

  test('of clients that waited', async () => {
    await begin()
    const waiting = await Promise.all(servers.map((server) => server.connect()))
    for (const client of waiting) await client.command('PING')
    for (const client of waiting) client.send(encode('BLMOVE', 'l', 'm', 'LEFT', 'LEFT', '0'))
    for (const client of waiting) client.send(encode('PING'))
    await both('ping')
    await compare('rpush l a b', 'the push that serves a client')
    for (const client of waiting) await client.replies(2)
    for (const client of waiting) client.send(encode('BZPOPMIN', 'z', '0'))
    for (const client of waiting) client.send(encode('PING'))
    await both('ping')
    await compare('zadd z 1 a', 'the addition that serves a client')
    await Promise.all(waiting.map((client) => client.close()))
  })

  /** A client that is told of events and of changes of keys that it has read: what comes first differs by command. */
  test.each([
    ['set k 1', 'get k', 'set k 2'],
    ['set k 1', 'get k', 'del k'],
    ['rpush k a b', 'llen k', 'lpop k'],
    ['rpush k a b', 'llen k', 'rpop k 2'],
    ['rpush k a b', 'llen k', 'ltrim k 1 1'],
    ['rpush k a b', 'llen k', 'lrem k 0 a'],
    ['rpush k a b', 'llen k', 'lmove k l left left'],
    ['sadd k a b', 'scard k', 'spop k'],
    ['sadd k a b', 'scard k', 'srem k a b'],
    ['sadd k a b', 'scard k', 'smove k l a'],
    ['zadd k 1 a 2 b', 'zcard k', 'zpopmin k'],
    ['zadd k 1 a 2 b', 'zcard k', 'zrem k a b'],
    ['zadd k 1 a 2 b', 'zcard k', 'zremrangebyrank k 0 -1'],
    ['hset k a 1', 'hlen k', 'hdel k a'],
    ['set k 1', 'get k', 'rename k l'],
    ['set k 1', 'get k', 'move k 3'],
    ['set k 1', 'get k', 'pexpire k 100000'],
    ['set k 1', 'get k', 'pexpireat k 1'],
  ])('and invalidations, in their order: %s, %s, %s', async (setup, read, change) => {
    await begin()
    await both('CONFIG SET notify-keyspace-events AKE')
    const told = await Promise.all(
      [ours, theirs].map(async (witness) => {
        const tracker = await witness.server.connect()
        await witness.events(setup)
        for (const line of ['HELLO 3', 'CLIENT TRACKING ON', 'PSUBSCRIBE __keyevent@*__:*', read]) {
          tracker.send(`${line}\r\n`)
          await tracker.reply()
        }
        await witness.events(change)
        tracker.send(encode('PING'))
        const pushes: string[] = []
        for (let push = ''; push !== '+PONG'; ) {
          push = (await tracker.reply()).toString('latin1').trim().replaceAll(/\s+/g, ' ')
          pushes.push(push)
        }
        await tracker.close()
        return pushes
      }),
    )
    await both('CONFIG SET notify-keyspace-events AKEmn')
    expect(told[0]).toEqual(told[1])
    expect(told[0]!.some((push) => push.includes('invalidate'))).toBe(true)
  })

  test('of the classes asked for', async () => {
    for (const classes of [
      '',
      'K',
      'E',
      'A',
      'KA',
      'EA',
      'Kg',
      'E$',
      'KEl',
      'KEx',
      'Em',
      'Kn',
      'KEg$lshzxetdnm',
      'AKEmn',
    ]) {
      await begin()
      await both(['CONFIG', 'SET', 'notify-keyspace-events', classes])
      for (const line of ['set k 1', 'get nope', 'rpush l a', 'del k', 'set x 1 pxat 1', 'get x', 'expire l 100']) {
        await compare(line, `${classes}: ${line}`)
      }
      await begin()
    }
  })
})
