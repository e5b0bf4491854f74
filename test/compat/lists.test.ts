/* Lists, sent to Cinnabar and to redis-server in RESP2 and RESP3: the replies must be the same bytes. Thousands of
 * random commands over a few keys, under each kind of list-max-listpack-size, with elements of a few bytes and of
 * thousands; and scenes of several clients of which some wait.
 *
 * REDIS_SERVER names another redis-server. Lists of 7.0 are quicklists from the first element on: encodings are
 * compared with 7.2 only. */
import { describe, expect, test } from 'vitest'
import { type Argument, encode, RawClient } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable, sleep, type TestServer } from '../helpers/servers.ts'
import { usePair } from './pair.ts'

const EDGES = `
  RPUSH l a b c 4 -5 "" 6.5
  LRANGE l 0 -1
  LRANGE l -100 100
  LRANGE l 5 1
  LRANGE l x 1
  LRANGE l 0 y
  LRANGE none 0 -1
  LRANGE none x 1
  LLEN l
  LLEN none
  LINDEX l 0
  LINDEX l -1
  LINDEX l 7
  LINDEX l -8
  LINDEX l x
  LINDEX none x
  LINDEX l 9223372036854775807
  LINDEX l -9223372036854775808
  LINDEX l 9223372036854775808
  LSET l 0 A
  LSET l -1 z
  LSET l 7 z
  LSET l x z
  LSET none x z
  LINSERT l BEFORE A start
  LINSERT l after z end
  LINSERT l AFTER nothere end
  LINSERT l BESIDE z end
  LINSERT none BEFORE a b
  LPOS l 4
  LPOS l 4 RANK -1
  LPOS l 4 RANK 0
  LPOS l 4 RANK x
  LPOS l 4 COUNT -1
  LPOS l 4 COUNT x
  LPOS l 4 COUNT 0
  LPOS l 4 COUNT 0 MAXLEN 2
  LPOS l 4 MAXLEN -1
  LPOS l 4 MAXLEN
  LPOS l 4 OTHER 1
  LPOS none 4
  LPOS none 4 COUNT 2
  LREM l 0 nothere
  LREM l x a
  LREM none 0 a
  LREM l -1 z
  LPOP l 0
  LPOP l -1
  LPOP l x
  LPOP l 9223372036854775808
  LPOP none
  LPOP none 0
  LPOP none 2
  RPOP none 2
  LPOP l 2
  RPOP l 2
  LPOP l 2 3
  LPOP l
  RPOP l 100
  EXISTS l
  LPUSHX l a
  RPUSHX l a
  LPUSH l 1 2 3
  RPUSHX l 4 5
  LTRIM l 1 -2
  LTRIM l x 1
  LTRIM none 0 1
  LRANGE l 0 -1
  LTRIM l 5 9
  EXISTS l
  RPUSH l a b c
  LMOVE l m LEFT RIGHT
  LMOVE l m LEFT MIDDLE
  LMOVE l m MIDDLE LEFT
  LMOVE none m LEFT RIGHT
  LMOVE l l LEFT RIGHT
  RPOPLPUSH l m
  RPOPLPUSH l m
  RPOPLPUSH l m
  RPOPLPUSH m m
  LRANGE m 0 -1
  SET s text
  LMOVE m s LEFT RIGHT
  LMOVE s m LEFT RIGHT
  RPOPLPUSH s m
  LRANGE s 0 -1
  LPUSH s a
  LPUSHX s a
  LPOP s
  LPOP s 1
  LLEN s
  LINDEX s x
  LSET s x y
  LINSERT s BEFORE a b
  LREM s 0 a
  LTRIM s 0 1
  LPOS s a
  GET m
  LMPOP 2 none m LEFT
  LMPOP 2 none m RIGHT COUNT 10
  LMPOP 2 none m RIGHT COUNT 10
  LMPOP 0 m LEFT
  LMPOP x m LEFT
  LMPOP 1 m MIDDLE
  LMPOP 3 m LEFT
  LMPOP 1 m LEFT COUNT 0
  LMPOP 1 m LEFT COUNT
  LMPOP 1 m LEFT COUNT 1 COUNT 1
  LMPOP 1 m LEFT OTHER 1
  LMPOP 2 s m LEFT
  RPUSH m x y z
  BLPOP m 0
  BRPOP none m 0
  BLPOP none 0.01
  BLPOP none -1
  BLPOP none x
  BLPOP none -inf
  BLPOP none nan
  BLPOP s 0
  BLPOP none s 0
  BLPOP none
  BLMOVE m n LEFT RIGHT 0
  BLMOVE m n LEFT RIGHT 0.01
  BLMOVE m n LEFT RIGHT x
  BLMOVE m n LEFT OTHER 1
  BLMOVE s n LEFT LEFT 1
  BLMOVE n s LEFT LEFT 1
  BRPOPLPUSH n o 0
  BRPOPLPUSH n o 0.01
  BRPOPLPUSH n o -1
  BLMPOP 0 2 none o LEFT COUNT 5
  BLMPOP 0.01 2 none o LEFT COUNT 5
  BLMPOP x 2 none o LEFT
  BLMPOP -1 1 o LEFT
  BLMPOP 1 0 o LEFT
  DEL s
  RPUSH l 1 2 3
  COPY l m
  RENAME m n
  MOVE n 1
  TYPE l
  OBJECT REFCOUNT l
  DEBUG DIGEST-VALUE l
`

/** Limits that 7.0 does not look at: its integers overflow. */
const EDGES_OF_72 = `
  LPOS l 4 RANK -9223372036854775808
  BLPOP none 1e400
  BLPOP none 0x7FFFFFFFFFFFFF
  BLPOP none inf
  BLPOP none 9223372036854775
`
/** 7.0 serves who waits from the key that is ready; 7.2 runs the command again, and that meets the other key first. */
const SCENES_OF_72 = ['an earlier key of the wrong type']

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

class Random {
  private state: number
  constructor(seed: number) {
    this.state = seed | 0
  }
  below(count: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) | 0
    return ((this.state >>> 8) * count) >>> 24
  }
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}

/** Random list commands over a few keys. */
class Generator {
  private readonly random: Random
  private readonly lenMax: number
  constructor(seed: number, lenMax: number) {
    this.random = new Random(seed)
    this.lenMax = lenMax
  }

  private key = (): string => this.random.of(['k1', 'k2', 'k3'])
  private end = (): string => this.random.of(['LEFT', 'RIGHT'])
  private index = (): number => this.random.below(80) - 40
  private element(): string {
    const { random } = this
    const kind = random.below(8)
    if (kind < 3) return String(random.below(10))
    if (kind === 3) return String(random.below(1 << 24) * random.of([1, -1, 65536, 1e9]))
    if (kind === 4) return 'x'.repeat(random.below(this.lenMax))
    return random.of(['a', 'b', 'c', '', '\0', '007'])
  }
  private elements(): string[] {
    return Array.from({ length: 1 + this.random.below(this.random.of([2, 8, 60])) }, () => this.element())
  }

  next(): Argument[] {
    const { random } = this
    const key = this.key()
    switch (random.below(16)) {
      case 0:
      case 1:
        return ['LPUSH', key, ...this.elements()]
      case 2:
      case 3:
        return ['RPUSH', key, ...this.elements()]
      case 4:
        return [random.of(['LPOP', 'RPOP']), key]
      case 5:
        return [random.of(['LPOP', 'RPOP']), key, random.below(random.of([3, 30]))]
      case 6:
        return ['LRANGE', key, this.index(), this.index()]
      case 7:
        return ['LINDEX', key, this.index()]
      case 8:
        return ['LSET', key, this.index(), this.element()]
      case 9:
        return ['LINSERT', key, random.of(['BEFORE', 'AFTER']), this.element(), this.element()]
      case 10:
        return ['LREM', key, random.below(7) - 3, this.element()]
      case 11:
        return random.below(4) === 0 ? ['LTRIM', key, this.index(), this.index()] : ['LTRIM', key, random.below(4), -1]
      case 12:
        return ['LMOVE', key, this.key(), this.end(), this.end()]
      case 13:
        return ['LMPOP', 2, key, this.key(), this.end(), 'COUNT', 1 + random.below(5)]
      case 14:
        return ['LPOS', key, this.element(), 'RANK', random.of([1, 2, -1, -2]), 'COUNT', random.below(3)]
      default:
        return random.below(5) === 0 ? ['COPY', key, this.key(), 'REPLACE'] : ['LRANGE', key, 0, -1]
    }
  }
}

/** A scene: who sends what, in turn; `-` lines tell what had been answered to whom by then. */
const SCENES: Readonly<Record<string, string>> = {
  'first come, first served': `
    1 BLPOP k 0
    2 BRPOP k 0
    3 BLMPOP 0 1 k LEFT COUNT 2
    9 RPUSH k a b c d e
    9 LRANGE k 0 -1`,
  'several keys: the first that is ready': `
    1 BLPOP k1 k2 k3 0
    9 RPUSH k3 c
    1 BLPOP k1 k2 k1 k2 0
    9 RPUSH k2 b
    9 EXISTS k1 k2 k3`,
  'a chain of moves': `
    1 BLMOVE a b LEFT RIGHT 0
    2 BLMOVE b c RIGHT LEFT 0
    3 BRPOPLPUSH c d 0
    4 BLPOP d 0
    9 RPUSH a 1 2
    9 LRANGE a 0 -1
    9 EXISTS b c d`,
  'a move to the wrong type': `
    9 SET b text
    1 BLMOVE a b LEFT RIGHT 0
    2 BLPOP a 0
    9 RPUSH a 1
    9 EXISTS a`,
  'a move onto itself': `
    1 BLMOVE a a LEFT RIGHT 0
    2 BLPOP a 0
    9 RPUSH a 1 2
    9 EXISTS a`,
  'keys of other types do not count': `
    1 BLPOP k 0
    9 SET k text
    9 DEL k
    9 RPUSH k a`,
  'an earlier key of the wrong type': `
    1 BLPOP k1 k2 0
    9 SET k1 text
    9 RPUSH k2 a
    9 LLEN k2`,
  'keys that come by other ways': `
    1 BLPOP k 0
    9 RPUSH other a
    9 RENAME other k
    1 BLPOP k 0
    9 RPUSH other b
    9 COPY other k
    1 BLPOP k 0
    9 MOVE other 1
    9 SELECT 1
    9 RENAME other k
    9 MOVE k 0
    9 SELECT 0
    1 BLPOP k 0
    9 SELECT 1
    9 RPUSH k c
    9 SELECT 0
    9 SWAPDB 0 1`,
  'several elements for several clients': `
    1 BLPOP k 0
    2 BLPOP k 0
    3 BLPOP k 0
    9 RPUSH k a b
    9 RPUSH k c d
    9 LLEN k`,
  'unblocked by others': `
    1 BLPOP k 0
    9 CLIENT LIST TYPE pubsub
    9 UNBLOCK 1
    1 BLMOVE k l LEFT LEFT 0
    9 UNBLOCK 1 TIMEOUT
    1 BLPOP k 0
    9 UNBLOCK 1 ERROR
    9 UNBLOCK 1`,
  'time is up': `
    1 BLPOP k 0.01
    1 BRPOPLPUSH k l 0.01
    1 BLMPOP 0.01 1 k LEFT
    1 BLPOP k l 0.001`,
  'what is sent meanwhile waits': `
    1 BLPOP k 0
    1 PING
    1 BLPOP k 0
    1 PING
    9 RPUSH k a
    9 RPUSH k b`,
  'silent clients': `
    1 CLIENT REPLY SKIP
    1 BLPOP k 0
    1 PING
    9 RPUSH k a`,
}

const SETTLE_MS = 60
/** Redis looks whose time is up when something else wakes it, ten times a second at least. */
const TIMEOUT_SETTLE_MS = 250

/** Plays a scene; what each client had been answered after each line. */
async function play(server: TestServer, scene: string, version: number): Promise<string[]> {
  const clients = new Map<string, RawClient>()
  const ids = new Map<string, string>()
  const heard: string[] = []
  const witness = await RawClient.connect(server.port)
  for (const line of linesOf(scene)) {
    const [who, ...words] = line.split(' ') as [string, ...string[]]
    let client = clients.get(who)
    if (client === undefined) {
      client = await RawClient.connect(server.port)
      await client.command('HELLO', version)
      ids.set(who, /\d+/.exec(String(await client.command('CLIENT', 'ID')))![0])
      clients.set(who, client)
    }
    if (words[0] === 'UNBLOCK') client.send(encode('CLIENT', 'UNBLOCK', ids.get(words[1]!)!, ...words.slice(2)))
    else client.send(encode(...words))
    await sleep(/ 0\.0/.test(line) ? TIMEOUT_SETTLE_MS : SETTLE_MS)
    // However slow the machine is: when the server has answered twice, it has dealt with what was sent before.
    for (let rounds = 0; rounds < 2; rounds++) await witness.command('PING')
    for (const [name, each] of clients)
      for (const reply of each.takeUnclaimed()) heard.push(`${line}: ${name} ${reply}`)
  }
  for (const client of [witness, ...clients.values()]) await client.close()
  return heard
}

describe.skipIf(!redisAvailable())('lists answer as redis-server does', () => {
  const pair = usePair()

  /** Changes that each server has counted. */
  async function changes(): Promise<[number, number]> {
    const [ourInfo, redisInfo] = await pair().both('INFO', 'PERSISTENCE')
    const field = /rdb_changes_since_last_save:(\d+)/
    return [Number(field.exec(ourInfo)![1]), Number(field.exec(redisInfo)![1])]
  }

  describe.each([2, 3])('in RESP%i', (version) => {
    test('edges', async () => {
      await pair().both('HELLO', version)
      await pair().both('FLUSHALL')
      const unlike: string[] = []
      for (const line of linesOf(pair().isOld ? EDGES : EDGES + EDGES_OF_72)) {
        const [replies] = await pair().send(`${line}\r\n`, 1)
        const [ourReply, redisReply] = replies!.map(String)
        if (ourReply !== redisReply) unlike.push(`${line}\n  ours  ${ourReply}\n  redis ${redisReply}`)
      }
      expect(unlike).toEqual([])
    })

    test.each([-1, -2, -5, 0, 1, 2, 5, 16, 128])('random commands with list-max-listpack-size %i', async (fill) => {
      const seed = testSeed()
      const generator = new Generator(seed, fill < 0 ? 3000 : 1000)
      await pair().both('HELLO', version)
      await pair().both('FLUSHALL')
      await pair().both('CONFIG', 'RESETSTAT')
      await pair().both('CONFIG', 'SET', 'list-max-listpack-size', fill)
      const [ourBefore, redisBefore] = await changes()
      for (let step = 0; step < 1500; step++) {
        const args = generator.next()
        const [ourReply, redisReply] = await pair().both(...args)
        expect(ourReply, `seed ${seed}, step ${step}: ${String(args).slice(0, 100)}`).toBe(redisReply)
        if (pair().isOld) continue
        const [ourEncoding, redisEncoding] = await pair().both('OBJECT', 'ENCODING', String(args[1]))
        expect(ourEncoding, `seed ${seed}, step ${step}: ${String(args).slice(0, 100)}`).toBe(redisEncoding)
      }
      const [ourDigest, redisDigest] = await pair().both('DEBUG', 'DIGEST')
      expect(ourDigest).toBe(redisDigest)
      const [ourChanges, redisChanges] = await changes()
      expect(ourChanges - ourBefore).toBe(redisChanges - redisBefore)
    })

    test.each(Object.keys(SCENES))('waiting: %s', async (name) => {
      if (pair().isOld && SCENES_OF_72.includes(name)) return
      await pair().both('FLUSHALL')
      const [ourHeard, redisHeard] = await Promise.all(
        pair().servers.map((server) => play(server, SCENES[name]!, version)),
      )
      expect(ourHeard).toEqual(redisHeard)
    })
  })
})
