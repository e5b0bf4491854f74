/* Streams, sent to Cinnabar and to redis-server in RESP2 and RESP3: the replies must be the same bytes. Fixed edges,
 * random commands over a few keys, values handed over both ways by DUMP and RESTORE, what is told to an append-only
 * file, and scenes of several clients of which some wait.
 *
 * REDIS_SERVER names another redis-server. What only 7.2 knows (when consumers were last active) is compared with
 * that only. Times, and how many nodes a radix tree has, are left out. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { type Argument, encode, RawClient } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable, sleep, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'
import { usePair } from './pair.ts'

/** Each as it is sent; what 7.0 answers otherwise is marked. */
const EDGES = `
  XADD s 0-0 a b
  XADD s 0-* a b
  XADD s 0-* a b
  XADD s 5 a b
  XADD s 5-* a b
  XADD s 4-* a b
  XADD s 5-1 a b
  XADD s 6-1 a
  XADD s 6-1 a b c
  XADD s 6-1
  XADD s * a
  XADD s abc a b
  XADD s 1-2-3 a b
  XADD s -1 a b
  XADD s - a b
  XADD s + a b
  XADD s 99999999999999999999 a b
  XADD s NOMKSTREAM 7-1 a b
  XADD none NOMKSTREAM 7-1 a b
  XADD s MAXLEN a 8-1 a b
  XADD s MAXLEN -1 8-1 a b
  XADD s MAXLEN 5 MINID 3 8-1 a b
  XADD s LIMIT 5 8-1 a b
  XADD s MAXLEN 5 LIMIT 5 8-1 a b
  XADD s MAXLEN ~ 5 LIMIT -1 8-1 a b
  XADD s MAXLEN ~ 5 LIMIT x 8-1 a b
  XADD s MAXLEN ~ 5 LIMIT 0 8-1 a b
  XADD s MAXLEN = 4 8-2 a b "" ""
  XADD s MINID 5-1 8-3 12 -5 12345678901 0
  XADD s MINID x 8-4 a b
  XRANGE s - +
  XLEN s
  XLEN none
  XRANGE s 8 8
  XRANGE s (8-1 (8-3
  XRANGE s (8-1 +
  XRANGE s (- +
  XRANGE s - (+
  XRANGE s (x +
  XRANGE s - (
  XRANGE s (18446744073709551615-18446744073709551615 +
  XRANGE s - (0-0
  XRANGE s - + COUNT 1
  XRANGE s - + COUNT 0
  XRANGE s - + COUNT -1
  XRANGE s - + COUNT x
  XRANGE s - + COUNT
  XRANGE s - + LIMIT 5
  XRANGE none - + COUNT 0
  XRANGE none - +
  XREVRANGE s + - COUNT 2
  XREVRANGE s 8-2 5
  XREVRANGE s - +
  XDEL s 8-2
  XDEL s 8-2 x
  XDEL s 8-2 8-3
  XDEL none 1
  XINFO STREAM s
  7.2 XSETID s 1-1
  XSETID s 9-1 ENTRIESADDED 0
  XSETID s 9-1 ENTRIESADDED -1
  XSETID s 9-1 ENTRIESADDED x
  XSETID s 9-1 MAXDELETEDID 9-2
  XSETID s 9-1 ENTRIESADDED 30 MAXDELETEDID 8-9
  7.2 XSETID s 8-8
  XSETID s 9-1 OTHER 5
  XSETID none 9-1
  XINFO STREAM s
  XTRIM s
  XTRIM s MAXLEN
  XTRIM s MAXLEN ~ 1
  XTRIM s MAXLEN 1 2
  XTRIM s LIMIT 1
  XTRIM s OTHER 1
  XTRIM s MINID = 8-1
  XTRIM s MAXLEN = 1
  XTRIM none MAXLEN 1
  XADD s 10-1 a b
  XADD much 1-1 a b
  XSETID much 1-1 ENTRIESADDED 9223372036854775807
  XGROUP CREATE much g 1-1
  XADD much 2-1 a b
  XTRIM much MAXLEN 1
  XINFO GROUPS much
  DEL much
  XGROUP CREATE none g $
  XGROUP CREATE none g x MKSTREAM
  EXISTS none
  XGROUP CREATE made g $ MKSTREAM
  XGROUP CREATE made g $
  XGROUP CREATE made h 0 MKSTREAM ENTRIESREAD 3
  XGROUP CREATE made i 0 ENTRIESREAD -2
  XGROUP CREATE made i 0 ENTRIESREAD x
  XGROUP CREATE made i 0 OTHER
  XGROUP CREATE made i -
  XGROUP SETID made h - ENTRIESREAD 5
  XGROUP SETID made h + MKSTREAM
  XGROUP SETID made x 0
  XGROUP SETID none x 0
  XGROUP CREATECONSUMER made x c
  XGROUP CREATECONSUMER made g c
  XGROUP CREATECONSUMER made g c
  XGROUP DELCONSUMER made g c
  XGROUP DELCONSUMER made g c
  XGROUP DELCONSUMER made x c
  XGROUP DESTROY made g
  XGROUP DESTROY made g
  XGROUP DESTROY none g
  XGROUP CREATE made
  XGROUP OTHER made g
  XGROUP
  XINFO STREAM made
  XINFO GROUPS made
  XINFO GROUPS none
  XINFO STREAM none
  XINFO CONSUMERS made x
  XINFO CONSUMERS none x
  XINFO STREAM made FULL COUNT
  XINFO STREAM made OTHER
  XINFO STREAM made FULL COUNT x
  7.2 XINFO STREAM made FULL COUNT 0
  XINFO OTHER made
  XGROUP CREATE s g 0
  XREADGROUP GROUP g c1 STREAMS s
  XREADGROUP GROUP g c1 STREAMS s $
  XREADGROUP GROUP x c1 STREAMS s >
  XREADGROUP GROUP g c1 STREAMS none >
  XREADGROUP GROUP g c1 COUNT x STREAMS s >
  XREADGROUP STREAMS s >
  XREADGROUP GROUP g c1 COUNT 1 STREAMS s >
  XREADGROUP GROUP g c1 COUNT 1 STREAMS s 0
  XREADGROUP GROUP g c1 NOACK STREAMS s >
  XREADGROUP GROUP g c2 STREAMS s >
  XREADGROUP GROUP g c2 STREAMS s 0
  XREAD STREAMS s
  XREAD STREAMS s made 0 0
  XREAD STREAMS s made 0 $
  7.2 XREAD STREAMS s 0 0
  XREAD COUNT 1 STREAMS s 0
  XREAD COUNT 0 STREAMS s 0
  XREAD COUNT -1 STREAMS s 0
  XREAD STREAMS s $
  XREAD STREAMS s >
  XREAD STREAMS s x
  XREAD STREAMS s -
  XREAD STREAMS none 0
  XREAD NOACK STREAMS s 0
  XREAD GROUP g c STREAMS s 0
  XREAD OTHER STREAMS s 0
  XREAD BLOCK x STREAMS s 0
  XREAD BLOCK -1 STREAMS s 0
  XREAD BLOCK 1 STREAMS s $
  XREAD COUNT 5
  XREAD STREAMS s 18446744073709551615-18446744073709551615
  XPENDING s g
  XPENDING s g - + 10
  XPENDING s g - + 0
  XPENDING s g - + -1
  XPENDING s g - + x
  XPENDING s g - +
  XPENDING s g IDLE 0 - + 10
  XPENDING s g IDLE 100000000 - + 10
  XPENDING s g IDLE x - + 10
  XPENDING s g IDLE 0 - +
  XPENDING s g - + 10 c1
  XPENDING s g - + 10 nobody
  XPENDING s g (8-1 + 10 c1
  XPENDING s g x + 10
  XPENDING s x
  XPENDING none x
  XCLAIM s g c2 0 8-1 10-1 77-7
  XCLAIM s g c2 x 10-1
  XCLAIM s g c2 0 10-1 IDLE x
  XCLAIM s g c2 0 10-1 TIME x
  XCLAIM s g c2 0 10-1 RETRYCOUNT x
  XCLAIM s g c2 0 10-1 OTHER
  XCLAIM s g c2 0 10-1 LASTID x
  XCLAIM s x c2 0 10-1
  XCLAIM none x c2 0 10-1
  XCLAIM s g c2 100000 10-1
  XCLAIM s g c3 0 10-1 JUSTID FORCE RETRYCOUNT 7 TIME 5 LASTID 11-1
  XPENDING s g - + 10
  XAUTOCLAIM s g c4 0 0 COUNT 0
  XAUTOCLAIM s g c4 0 0 COUNT x
  XAUTOCLAIM s g c4 x 0
  XAUTOCLAIM s g c4 0 x
  XAUTOCLAIM s g c4 0 0 OTHER
  XAUTOCLAIM s x c4 0 0
  XAUTOCLAIM s g c4 100000 -
  XDEL s 10-1
  XAUTOCLAIM s g c4 0 - COUNT 1 JUSTID
  XAUTOCLAIM s g c4 0 (0-1
  XACK s g 10-1 x
  XACK s g 10-1 8-1 8-2
  XACK s x 1
  XACK none x 1
  XINFO GROUPS s
  SET text x
  XADD text 1-1 a b
  XLEN text
  XRANGE text - +
  XREAD STREAMS text 0
  XREADGROUP GROUP g c STREAMS text >
  XACK text g 1
  XCLAIM text g c 0 1
  XPENDING text g
  XINFO STREAM text
  XGROUP CREATE text g 0
  XDEL text 1
  XTRIM text MAXLEN 0
  XSETID text 1
  LPUSH s x
  GET s
  SORT s
  DEL made
  SCAN 0 TYPE stream COUNT 100
  OBJECT ENCODING s
  TYPE s
  COPY s copied
  RENAME copied renamed
  XRANGE renamed - +
  DEBUG DIGEST-VALUE renamed s
  MOVE renamed 1
  COMMAND GETKEYS XREAD COUNT 5 STREAMS a b 0 0
  COMMAND GETKEYS XREADGROUP GROUP g c COUNT 5 STREAMS a b > >
  COMMAND GETKEYS XGROUP CREATE a g 0
  COMMAND GETKEYS XADD a * f v
  EVAL "return redis.call('XADD', KEYS[1], '99-1', 'a', 'b')" 1 s
  EVAL "return redis.pcall('XREAD', 'BLOCK', 0, 'STREAMS', KEYS[1], '$')" 1 s
  EVAL "return redis.call('XREAD', 'STREAMS', KEYS[1], '0')" 1 s
  MULTI
  XREAD BLOCK 0 STREAMS s $
  XREADGROUP GROUP g c BLOCK 0 STREAMS s >
  XREADGROUP GROUP g c BLOCK 0 STREAMS s >
  EXEC
  XADD end 18446744073709551615-18446744073709551615 a b
  XADD end * a b
  XADD end 18446744073709551615-* a b
`

const SCENES: Readonly<Record<string, string>> = {
  'all who read are served': `
    1 XREAD BLOCK 0 STREAMS s $
    2 XREAD BLOCK 0 COUNT 1 STREAMS s t $ $
    9 XADD s 1-1 a b
    1 XREAD BLOCK 0 STREAMS s 1-1
    9 XADD s 2-1 a b
    9 XADD s 3-1 a b`,
  'a group is served in order': `
    9 XGROUP CREATE s g $ MKSTREAM
    1 XREADGROUP GROUP g a BLOCK 0 STREAMS s >
    2 XREADGROUP GROUP g b BLOCK 0 STREAMS s >
    9 XADD s 1-1 a b
    9 XADD s 2-1 a b
    9 XPENDING s g
    9 XREADGROUP GROUP g a STREAMS s 0`,
  'what only looks like news': `
    9 XADD s 5-1 a b
    1 XREAD BLOCK 0 STREAMS s 5-1
    9 XDEL s 5-1
    9 XTRIM s MAXLEN 0
    9 XSETID s 6-1
    9 XADD s 7-1 a b`,
  'the key goes': `
    9 XGROUP CREATE s g $ MKSTREAM
    1 XREADGROUP GROUP g a BLOCK 0 STREAMS s >
    2 XREAD BLOCK 0 STREAMS s $
    9 DEL s
    9 XADD s 1-1 a b`,
  'the group goes': `
    9 XGROUP CREATE s g $ MKSTREAM
    1 XREADGROUP GROUP g a BLOCK 0 STREAMS s >
    9 XGROUP DESTROY s g`,
  'the consumer goes': `
    9 XGROUP CREATE s g $ MKSTREAM
    1 XREADGROUP GROUP g a BLOCK 0 STREAMS s >
    9 XGROUP DELCONSUMER s g a
    9 XGROUP CREATECONSUMER s g b
    9 XACK s g 1-1
    9 XINFO GROUPS s
    9 XADD s 1-1 a b
    9 XINFO GROUPS s`,
  'the type changes': `
    9 XGROUP CREATE s g $ MKSTREAM
    1 XREADGROUP GROUP g a BLOCK 0 STREAMS s >
    9 SET s text`,
  'all is flushed': `
    9 XGROUP CREATE s g $ MKSTREAM
    1 XREADGROUP GROUP g a BLOCK 0 STREAMS s >
    9 FLUSHALL`,
  'a stream that comes by another name': `
    1 XREAD BLOCK 0 STREAMS s 0
    9 XADD t 1-1 a b
    9 RENAME t s`,
  'within a transaction': `
    1 XREAD BLOCK 0 STREAMS s $
    9 MULTI
    9 XADD s 1-1 a b
    9 XADD s 2-1 a b
    9 DEL s
    9 XADD s 3-1 a b
    9 EXEC`,
  notifications: `
    9 CONFIG SET notify-keyspace-events KEAmn
    1 PSUBSCRIBE __key*__:*
    9 XAUTOCLAIM none g c x 0
    9 XAUTOCLAIM none g c 0 0
    9 XCLAIM none g c x 0
    9 XPENDING none g x
    9 XPENDING none g - + x
    9 XADD s 1-1 a b
    9 XADD s MAXLEN 1 2-1 a b
    9 XGROUP CREATE s g 0
    9 XGROUP CREATE t g 0 MKSTREAM
    9 XREADGROUP GROUP g c STREAMS s >
    9 XREADGROUP GROUP g d NOACK STREAMS s >
    9 XACK s g 2-1
    9 XCLAIM s g e 0 2-1 FORCE JUSTID
    9 XAUTOCLAIM s g f 0 0
    9 XGROUP CREATECONSUMER s g h
    9 XGROUP SETID s g 1-1
    9 XGROUP DELCONSUMER s g h
    9 XGROUP DESTROY s g
    9 XSETID s 5-1
    9 XDEL s 2-1
    9 XADD s 6-1 a b
    9 XTRIM s MAXLEN 0
    9 DEBUG RELOAD
    9 DEL s`,
  'watched keys': `
    1 XADD s 1-1 a b
    1 XGROUP CREATE s g 0
    1 WATCH s
    9 XGROUP CREATECONSUMER s g c
    9 XREADGROUP GROUP g c STREAMS s >
    9 XACK s g 1-1
    9 XSETID s 3-1
    1 MULTI
    1 PING
    1 EXEC
    1 WATCH s
    9 XTRIM s MAXLEN 0
    1 MULTI
    1 PING
    1 EXEC
    1 WATCH new
    9 XGROUP CREATE new g 0 MKSTREAM
    1 MULTI
    1 PING
    1 EXEC`,
  'time is up': `
    9 XADD s 1-1 a b
    1 XREAD BLOCK 10 STREAMS s $ 0.01
    1 XREAD BLOCK 10 STREAMS s t $ $ 0.01`,
}
/** 7.0 says in other words that a group has gone, nothing when its key has, and makes consumers later. */
const SCENES_OF_72 = ['notifications', 'the key goes', 'the group goes', 'the type changes', 'all is flushed']

const SETTLE_MS = 50

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** Leaves out what cannot be the same. */
const withoutTimes = (reply: string): string =>
  reply
    .replace(/(radix-tree-nodes\r\n):\d+/g, '$1:N')
    .replace(/:1\d{12}\r\n/g, ':MS\r\n')
    .replace(/:\d+\r\n(:\d+\r\n)(?=\*4\r\n|$)/g, ':IDLE\r\n$1')

/** Random commands over two streams. */
class Generator {
  private readonly random: Random
  private steps = 0
  constructor(seed: number) {
    this.random = new Random(seed)
  }
  private of<T>(items: readonly T[]): T {
    return items[this.random.below(items.length)]!
  }
  private key = (): string => this.of(['s1', 's2'])
  private group = (): string => this.of(['g', 'group-2', ''])
  private consumer = (): string => this.of(['alice', 'bob', 'c', ''])
  /** Ids move on, so that there is always something to add. */
  private ms = (): number => Math.max(0, (this.steps >> 3) + 2 - this.random.below(this.of([4, 30, 200])))
  private id = (): string => `${this.ms()}${this.of(['', '-1', '-2', '-0'])}`
  private end = (): string => this.of(['-', '+', this.id(), this.id(), `(${this.id()}`])
  private text(): string {
    return this.of(['', 'a', 'b', '12', '-3', '9007199254740993', 'x'.repeat(this.random.below(300)), 'é'])
  }
  private pairs(): string[] {
    if (this.random.below(3) > 0) return ['name', this.text(), '7', this.text()]
    return Array.from({ length: 2 + 2 * this.random.below(4) }, () => this.text())
  }
  private trim(): Argument[] {
    const { random } = this
    const [strategy, threshold] = this.of([
      ['MAXLEN', random.below(30)],
      ['MINID', this.id()],
    ] as const)
    const how = random.below(3)
    if (how === 0) return [strategy, threshold]
    if (how === 1) return [strategy, '=', threshold]
    return [strategy, '~', threshold, ...(random.below(2) === 0 ? ['LIMIT', random.below(20)] : [])]
  }

  next(): Argument[] {
    const { random } = this
    this.steps++
    const key = this.key()
    switch (random.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return ['XADD', key, `${(this.steps >> 3) + random.below(2)}-*`, ...this.pairs()]
      case 4:
        return ['XADD', key, ...this.trim(), `${(this.steps >> 3) + 1}-${random.below(5)}`, ...this.pairs()]
      case 5:
        return ['XDEL', key, this.id(), this.id()]
      case 6:
        return ['XTRIM', key, ...this.trim()]
      case 7:
        return ['XRANGE', key, this.end(), this.end(), ...(random.below(2) === 0 ? ['COUNT', random.below(5)] : [])]
      case 8:
        return ['XREVRANGE', key, this.end(), this.end()]
      case 9:
        return ['XREAD', 'COUNT', random.below(4), 'STREAMS', 's1', 's2', this.id(), this.of([this.id(), '$'])]
      case 10:
        return random.below(3) > 0
          ? ['XGROUP', 'CREATE', key, this.group(), this.of([this.id(), '$'])]
          : ['XGROUP', 'SETID', key, this.group(), this.id()]
      case 11:
        if (random.below(4) === 0) return ['XGROUP', 'DESTROY', key, this.group()]
        return ['XGROUP', this.of(['CREATECONSUMER', 'DELCONSUMER']), key, this.group(), this.consumer()]
      case 12:
      case 13: {
        const noAck = random.below(4) === 0 ? ['NOACK'] : []
        const head = ['XREADGROUP', 'GROUP', this.group(), this.consumer(), 'COUNT', random.below(4), ...noAck]
        return [...head, 'STREAMS', key, this.of(['>', '>', this.id()])]
      }
      case 14:
        return ['XACK', key, this.group(), this.id(), this.id()]
      case 15: {
        const rest = this.of([[], ['JUSTID'], ['FORCE'], ['FORCE', 'RETRYCOUNT', '5'], ['LASTID', this.id()]])
        return ['XCLAIM', key, this.group(), this.consumer(), this.of([0, 100000]), this.id(), this.id(), ...rest]
      }
      case 16: {
        const rest = random.below(2) === 0 ? ['JUSTID'] : ['COUNT', 1 + random.below(3)]
        return ['XAUTOCLAIM', key, this.group(), this.consumer(), this.of([0, 100000]), this.id(), ...rest]
      }
      case 17:
        return random.below(2) === 0
          ? ['XPENDING', key, this.group()]
          : [
              'XPENDING',
              key,
              this.group(),
              this.end(),
              this.end(),
              random.below(6),
              ...this.of([[], [this.consumer()]]),
            ]
      case 18:
        return this.of([
          ['XINFO', 'STREAM', key],
          ['XINFO', 'GROUPS', key],
          ['XLEN', key],
          ['XSETID', key, `${(this.steps >> 3) + 2}`],
        ])
      default:
        return random.below(20) === 0 ? ['DEL', key] : ['XLEN', key]
    }
  }
}

/** Plays a scene; what each client had been answered after each line. */
async function play(server: TestServer, scene: string, version: number): Promise<string[]> {
  const clients = new Map<string, RawClient>()
  const heard: string[] = []
  const witness = await RawClient.connect(server.port)
  for (const line of linesOf(scene)) {
    const [who, ...words] = line.replace(/ 0\.01$/, '').split(' ') as [string, ...string[]]
    let client = clients.get(who)
    if (client === undefined) {
      client = await RawClient.connect(server.port)
      await client.command('HELLO', version)
      clients.set(who, client)
    }
    client.send(encode(...words))
    await sleep(line.endsWith(' 0.01') ? 250 : SETTLE_MS)
    // However slow the machine is: when the server has answered twice, it has dealt with what was sent before.
    for (let rounds = 0; rounds < 2; rounds++) await witness.command('PING')
    for (const [name, each] of clients)
      for (const reply of each.takeUnclaimed()) heard.push(`${line}: ${name} ${reply}`)
  }
  for (const client of [witness, ...clients.values()]) await client.close()
  return heard
}

describe.skipIf(!redisAvailable())('streams answer as redis-server does', () => {
  const pair = usePair()

  /** What both know of a stream; the times of consumers are told in other words by 7.0. */
  async function expectSame(key: string): Promise<void> {
    const [ourInfo, redisInfo] = await pair().both('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0)
    const known = (info: string) => {
      const text = withoutTimes(info).replace(/\$11\r\nactive-time\r\n:(-1|MS)\r\n/g, '')
      return text.replace(/:MS\r\n/g, '').replace(/[%*](4|5|8|10)\r\n\$4\r\nname/g, 'consumer name')
    }
    expect(known(ourInfo)).toBe(known(redisInfo))
    const [ourDigest, redisDigest] = await pair().both('DEBUG', 'DIGEST-VALUE', key)
    expect(ourDigest).toBe(redisDigest)
  }

  describe.each([2, 3])('in RESP%i', (version) => {
    test('edges', async () => {
      await pair().both('HELLO', version)
      await pair().both('FLUSHALL')
      const unlike: string[] = []
      for (const each of linesOf(EDGES)) {
        if (pair().isOld && each.startsWith('7.2 ')) continue
        const line = each.replace('7.2 ', '')
        const [replies] = await pair().send(`${line}\r\n`, 1)
        const [ourReply, redisReply] = replies!.map((reply) => withoutTimes(String(reply)))
        if (ourReply !== redisReply) unlike.push(`${line}\n  ours  ${ourReply}\n  redis ${redisReply}`)
      }
      expect(unlike).toEqual([])
    })

    test.each([1, 3, 100])('random commands with stream-node-max-entries %i', async (entries) => {
      const seed = testSeed()
      const generator = new Generator(seed)
      await pair().both('HELLO', version)
      await pair().both('FLUSHALL')
      await pair().both('CONFIG', 'SET', 'stream-node-max-entries', entries)
      for (let step = 0; step < 1500; step++) {
        const args = generator.next()
        // In 7.0 a consumer is there only when it has been given something.
        const [at, name] = args[0] === 'XREADGROUP' ? [args.length - 2, 3] : [1, 3]
        const makes = args[0] === 'XREADGROUP' || args[0] === 'XCLAIM' || args[0] === 'XAUTOCLAIM'
        if (makes && pair().isOld) await pair().both('XGROUP', 'CREATECONSUMER', args[at]!, args[2]!, args[name]!)
        const [ourReply, redisReply] = (await pair().both(...args)).map(withoutTimes)
        expect(ourReply, `seed ${seed}, step ${step}: ${String(args).slice(0, 100)}`).toBe(redisReply)
        if (step % 300 === 299) for (const key of ['s1', 's2']) await expectSame(key)
      }
      const [ours, redis] = pair().clients
      const [ourDump, redisDump] = [await ours.command('DUMP', 's1'), await redis.command('DUMP', 's1')]
      const payloadOf = (dump: Buffer) => dump.subarray(dump.indexOf('\n') + 1, dump.length - 2)
      if (redisDump.length < 10) return
      const ourPayload = new Uint8Array(payloadOf(ourDump))
      await ours.command('DEL', 's1')
      expect(String(await ours.command('RESTORE', 's1', 0, new Uint8Array(payloadOf(redisDump))))).toBe('+OK\r\n')
      await redis.command('DEL', 's1')
      expect(String(await redis.command('RESTORE', 's1', 0, ourPayload))).toBe('+OK\r\n')
      await expectSame('s1')
    })

    test.each(Object.keys(SCENES))('several clients: %s', async (name) => {
      if (pair().isOld && SCENES_OF_72.includes(name)) return
      await pair().both('FLUSHALL')
      const [ourHeard, redisHeard] = await Promise.all(
        pair().servers.map((server) => play(server, SCENES[name]!, version)),
      )
      expect(ourHeard).toEqual(redisHeard)
    })
  })
})

describe.skipIf(!redisAvailable())('streams in files', () => {
  /** What was written to the append-only files of a directory. */
  function logOf(dir: string): string {
    const folder = join(dir, 'appendonlydir')
    const names = readdirSync(folder).filter((name) => name.endsWith('.aof') && name.includes('.incr.'))
    return names.map((name) => readFileSync(join(folder, name), 'latin1')).join('')
  }

  /** 7.0 tells of some things in other words. */
  test('the append-only file tells what redis-server tells, and both make the same of it', async () => {
    const logs: string[] = []
    const groups: string[] = []
    let is72 = false
    for (const start of [startCinnabar, startRedis]) {
      const dir = mkdtempSync(join(tmpdir(), 'cinnabar-streams-'))
      onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
      const args = ['--appendonly', 'yes', '--appendfsync', 'always', '--enable-debug-command', 'yes']
      const server = await start({ dir, args: [...args, '--stream-node-max-entries', '3'] })
      const client = await server.connect()
      is72 = !String(await client.command('INFO', 'SERVER')).includes('redis_version:7.0')
      const generator = new Generator(77)
      await client.command('XADD', 's0', 'MAXLEN', '~', 5, '*', 'a', 'b')
      for (let step = 0; step < 1200; step++) await client.command(...generator.next())
      const digest = String(await client.command('DEBUG', 'DIGEST'))
      expect(String(await client.command('DEBUG', 'LOADAOF'))).toBe('+OK\r\n')
      expect(String(await client.command('DEBUG', 'DIGEST'))).toBe(digest)
      for (const key of ['s1', 's2']) groups.push(String(await client.command('XINFO', 'GROUPS', key)))
      logs.push(
        logOf(dir)
          .replace(/\$13\r\n1\d{12}\r\n/g, 'MS\r\n')
          .replace(/\$15\r\n1\d{12}-0\r\n/g, 'ID\r\n'),
      )
      await client.close()
      await server.stop()
    }
    if (!is72) return
    expect(logs[0]).toBe(logs[1])
    expect(groups.slice(0, 2)).toEqual(groups.slice(2))
  })

  test.each(['yes', 'no'])(
    'a rewritten file (RDB preamble: %s) holds all that redis-server makes of it',
    async (preamble) => {
      const dir = mkdtempSync(join(tmpdir(), 'cinnabar-streams-'))
      onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
      const args = ['--appendonly', 'yes', '--enable-debug-command', 'yes', '--aof-use-rdb-preamble', preamble]
      const server = await startCinnabar({ dir, args })
      const client = await server.connect()
      const generator = new Generator(testSeed())
      for (let step = 0; step < 800; step++) await client.command(...generator.next())
      await client.command('BGREWRITEAOF')
      while (!String(await client.command('INFO', 'PERSISTENCE')).includes('aof_rewrite_in_progress:0')) await sleep(20)
      const digest = String(await client.command('DEBUG', 'DIGEST'))
      const groups = withoutTimes(String(await client.command('XINFO', 'GROUPS', 's1')))
      const pending = withoutTimes(String(await client.command('XPENDING', 's1', 'g', '-', '+', 100)))
      await client.close()
      await server.stop()
      const reader = await startRedis({ dir, args })
      const other = await reader.connect()
      expect(String(await other.command('DEBUG', 'DIGEST'))).toBe(digest)
      if (preamble === 'yes') {
        expect(withoutTimes(String(await other.command('XINFO', 'GROUPS', 's1')))).toBe(groups)
        expect(withoutTimes(String(await other.command('XPENDING', 's1', 'g', '-', '+', 100)))).toBe(pending)
      }
      await other.close()
      await reader.stop()
    },
  )
})
