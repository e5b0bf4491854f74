/* Strings and keys, sent to Cinnabar and to redis-server in RESP2 and RESP3: the replies must be the same bytes. First
 * the edges that somebody thought of, then thousands of random commands over a few keys in three databases, where what
 * one command leaves behind is what the next one finds; at the end the counters of INFO must agree too.
 *
 * REDIS_SERVER names another redis-server; one of 7.0 differs from 7.2 as KNOWN says. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable, sleep, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'
import { shown } from './pair.ts'
import { EDGES, Generator, linesOf } from './string-key-commands.ts'

/** Lines whose answers may differ, and why. */
const KNOWN: Readonly<Record<string, string>> = {
  'OBJECT HELP': 'our help is in our own words (and 7.0 and 7.2 have different ones)',
  'OBJECT REFCOUNT copied': 'a copied small integer is the one that Redis does not share',
}

/** Those that answer what passes in time; two servers may be so many milliseconds apart. */
const CLOCKS = /^(p?ttl|p?expiretime)$/
const SLACK_MS = 2000
const UNORDERED = /^keys$/

/** Both servers, one connection to each. */
class Twins {
  readonly ours: RawClient
  readonly redis: RawClient

  constructor(ours: RawClient, redis: RawClient) {
    this.ours = ours
    this.redis = redis
  }

  /** Sends the same bytes to both; what they answer to each of `count` commands, in pairs. */
  async send(bytes: Uint8Array | string, count: number): Promise<[Buffer, Buffer][]> {
    this.ours.send(bytes)
    this.redis.send(bytes)
    const [ours, redis] = [await this.ours.replies(count), await this.redis.replies(count)]
    return ours.map((reply, index) => [reply, redis[index]!])
  }

  /** Empties both, and begins in database 0 of this protocol. */
  async begin(version: number): Promise<void> {
    await this.send(`HELLO ${version}\r\nFLUSHALL\r\nSELECT 0\r\nCONFIG RESETSTAT\r\n`, 4)
  }

  /** The keys that a whole SCAN with these options meets, of either server. */
  async walk(options: string): Promise<[Set<string>, Set<string>]> {
    return [await walk(this.ours, options), await walk(this.redis, options)]
  }

  async counters(): Promise<[string, string]> {
    const names = /^(keyspace_hits|keyspace_misses|expired_keys|rdb_changes_since_last_save|db\d):?.*$/gm
    const [pair] = await this.send('INFO ALL\r\n', 1)
    const lines = pair!.map((reply) =>
      reply
        .toString('latin1')
        .match(names)!
        .map((line) => line.replace(/,avg_ttl.*/, '')),
    )
    return [lines[0]!.sort().join('\n'), lines[1]!.sort().join('\n')]
  }

  async close(): Promise<void> {
    await this.ours.close()
    await this.redis.close()
  }
}

async function walk(client: RawClient, options: string): Promise<Set<string>> {
  const met = new Set<string>()
  let cursor = '0'
  do {
    client.send(`SCAN ${cursor} ${options}\r\n`)
    const words = String(await client.reply()).split(/\r\n(?:[*$]\d+\r\n)*/)
    cursor = words[1]!
    for (const key of words.slice(2, -1)) met.add(key)
  } while (cursor !== '0')
  return met
}

/** What has to be equal of a reply. */
function comparable(name: string, reply: Buffer): string {
  const text = reply.toString('latin1')
  if (!UNORDERED.test(name)) return text
  return text
    .split(/(?=\$)/)
    .sort()
    .join('')
}

function agree(name: string, ours: Buffer, redis: Buffer): boolean {
  if (ours.equals(redis)) return true
  if (!CLOCKS.test(name)) return comparable(name, ours) === comparable(name, redis)
  const [a, b] = [ours, redis].map((reply) => Number(reply.toString('latin1', 1)))
  const slack = name.startsWith('p') ? SLACK_MS : SLACK_MS / 1000
  return a! >= 0 && b! >= 0 && Math.abs(a! - b!) <= slack
}

describe.skipIf(!redisAvailable())('strings and keys answer as redis-server does', () => {
  let servers: readonly [TestServer, TestServer]
  let twins: Twins

  beforeAll(async () => {
    const debug = { args: ['--enable-debug-command', 'yes'] }
    servers = [await startCinnabar(debug), await startRedis(debug)]
    twins = new Twins(await servers[0].connect(), await servers[1].connect())
    await twins.send('DEBUG SET-ACTIVE-EXPIRE 0\r\n', 1) // or each looks for what is due in its own time
  })
  afterAll(async () => {
    await twins.close()
    for (const server of servers) await server.stop()
  })

  describe.each([2, 3])('in RESP%i', (version) => {
    test.each(Object.keys(EDGES))('%s', async (group) => {
      await twins.begin(version)
      const unlike: string[] = []
      for (const line of linesOf(EDGES[group]!)) {
        const [[ours, redis]] = (await twins.send(`${line}\r\n`, 1)) as [[Buffer, Buffer]]
        if (agree(line.split(' ')[0]!.toLowerCase(), ours, redis)) continue
        if (Object.keys(KNOWN).some((known) => line.toUpperCase().startsWith(known.toUpperCase()))) continue
        unlike.push(`${line}\n  ours  ${JSON.stringify(String(ours))}\n  redis ${JSON.stringify(String(redis))}`)
      }
      expect(unlike).toEqual([])
    })

    test.each([1, 2, 3, 4])('random commands (%i)', async (round) => {
      const seed = testSeed(round)
      const generator = new Generator(seed)
      await twins.begin(version)
      for (let batch = 0; batch < 60; batch++) {
        const commands = Array.from({ length: 100 }, () => generator.next())
        const pairs = await twins.send(Buffer.concat(commands.map((args) => encode(...args))), commands.length)
        pairs.forEach(([ours, redis], index) => {
          const args = commands[index]!
          if (agree(String(args[0]).toLowerCase(), ours, redis)) return
          const where = `seed ${seed}, batch ${batch}, command ${index}: ${shown(args)}`
          expect.fail(`${where}\n  ours  ${JSON.stringify(String(ours))}\n  redis ${JSON.stringify(String(redis))}`)
        })
      }
      const [ours, redis] = await twins.counters()
      expect(ours, `seed ${seed}`).toBe(redis)
    })

    test('a walk through thousands of keys', async () => {
      await twins.begin(version)
      const lines = Array.from({ length: 3000 }, (_, number) => `SET key:${number} ${number}`)
      await twins.send(`${lines.join('\r\n')}\r\n`, lines.length)
      for (const options of [
        '',
        'COUNT 1',
        'COUNT 500',
        'COUNT 100000',
        'MATCH *7*',
        'MATCH *7* TYPE string COUNT 77',
      ]) {
        const [ours, redis] = await twins.walk(options)
        expect(ours).toEqual(redis)
      }
    })

    test('keys that expire while they are looked at', async () => {
      await twins.begin(version)
      for (let round = 0; round < 5; round++) {
        await twins.send('SET a 1 PX 1\r\nSET b 2\r\nPEXPIRE b 1\r\nMSET c 3 d 4\r\nPEXPIRE c 100000\r\n', 5)
        await sleep(20)
        const lines = [
          'EXISTS a',
          'GET b',
          'TTL c',
          'RENAME a x',
          'COPY b c',
          'SETNX a 5',
          'INCR b',
          'KEYS *',
          'DBSIZE',
        ]
        const pairs = await twins.send(`${lines.join('\r\n')}\r\n`, lines.length)
        const names = lines.map((line) => line.split(' ')[0]!.toLowerCase())
        const unlike = lines.filter((_, index) => !agree(names[index]!, ...pairs[index]!))
        expect(unlike).toEqual([])
      }
    })
  })
})
