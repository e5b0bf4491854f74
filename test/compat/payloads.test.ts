/* DUMP and RESTORE, exchanged with redis-server: what one dumps the other restores, to an equal value; and both refuse
 * the same requests in the same words. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { payloadOf } from '../fuzz/payloads.ts'
import { type Argument, encode, type RawClient } from '../helpers/raw-client.ts'
import { redisAvailable, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'
import { bytesOf, listpackOf, short, ziplistOf } from '../unit/persistence/rdb/support.ts'

const SEED = 22_000
const OPTIONS = { args: ['--enable-debug-command', 'yes'] }

/** Commands that make one key of each kind, of a size that says which form it takes. */
function commandsFor(random: Random, size: number): [string, Argument[][]][] {
  const words = Array.from({ length: size }, (_, index) =>
    random.below(2) === 0 ? String(random.next() >> random.below(31)) : `w${index}${'x'.repeat(random.below(80))}`,
  )
  const each = (make: (word: string, index: number) => Argument[]): Argument[][] => words.map(make)
  return [
    ['string', [['SET', 'string', words.join(' ')]]],
    ['integer', [['SET', 'integer', random.next()]]],
    ['list', each((word) => ['RPUSH', 'list', word])],
    ['set', each((word) => ['SADD', 'set', word])],
    ['intset', each((_, index) => ['SADD', 'intset', index * 1000])],
    ['hash', each((word, index) => ['HSET', 'hash', word, index])],
    ['zset', each((word, index) => ['ZADD', 'zset', index / 4, word])],
  ]
}

describe.skipIf(!redisAvailable())('a payload', () => {
  let servers: readonly [TestServer, TestServer]
  let clients: readonly [RawClient, RawClient]

  beforeAll(async () => {
    servers = [await startCinnabar(OPTIONS), await startRedis(OPTIONS)]
    clients = [await servers[0].connect(), await servers[1].connect()]
  })
  afterAll(async () => {
    for (const client of clients) await client.close()
    for (const server of servers) await server.stop()
  })

  const both = async (...args: readonly Argument[]): Promise<[string, string]> => {
    const replies = await Promise.all(clients.map((client) => client.command(...args)))
    return [replies[0]!.toString('latin1'), replies[1]!.toString('latin1')]
  }
  const payloadFrom = async (client: RawClient, key: string): Promise<Uint8Array> => {
    const reply = await client.command('DUMP', key)
    const start = reply.indexOf('\r\n') + 2
    return new Uint8Array(reply.subarray(start, reply.length - 2))
  }

  test.each([1, 10, 100, 1000])('of %i elements is restored by the other, and equal', async (size) => {
    await both('FLUSHALL')
    for (const [key, commands] of commandsFor(new Random(SEED + size), size)) {
      for (const client of clients) {
        client.send(Buffer.concat(commands.map((command) => encode(...command))))
        await client.replies(commands.length)
      }
      const digests = await both('DEBUG', 'DIGEST-VALUE', key)
      expect(digests[0]).toBe(digests[1])
      const [ours, theirs] = [await payloadFrom(clients[0], key), await payloadFrom(clients[1], key)]
      expect(String(await clients[0].command('RESTORE', key, 0, theirs, 'REPLACE'))).toBe('+OK\r\n')
      expect(String(await clients[1].command('RESTORE', key, 0, ours, 'REPLACE'))).toBe('+OK\r\n')
      expect(await both('DEBUG', 'DIGEST-VALUE', key)).toEqual(digests)
    }
    expect(String(await clients[0].command('DEBUG', 'VERIFY'))).toBe('+OK\r\n')
  })

  const sound = payloadOf(bytesOf(`\x00${short('value')}`))
  const wrong = sound.slice()
  wrong[2]! ^= 1
  const of = (content: string): Uint8Array => payloadOf(bytesOf(content))

  test.each<[string, Argument[][]]>([
    [
      'a key that is there',
      [
        ['SET', 'k', 'v'],
        ['RESTORE', 'k', 0, sound],
        ['GET', 'k'],
      ],
    ],
    [
      'an expired key',
      [
        ['SET', 'k', 'v', 'PX', 1],
        ['DEBUG', 'SLEEP', '0.01'],
        ['RESTORE', 'k', 0, sound],
      ],
    ],
    [
      'REPLACE',
      [
        ['RPUSH', 'k', 'v'],
        ['RESTORE', 'k', 0, sound, 'replace'],
        ['GET', 'k'],
      ],
    ],
    [
      'no key there to replace',
      [
        ['RESTORE', 'k', 0, sound, 'REPLACE', 'REPLACE'],
        ['GET', 'k'],
      ],
    ],
    [
      'a time',
      [
        ['RESTORE', 'k', 100_000_000, sound],
        ['TTL', 'k'],
        ['RESTORE', 'k', 0, sound, 'REPLACE'],
        ['TTL', 'k'],
      ],
    ],
    [
      'an absolute time',
      [
        ['RESTORE', 'k', 4_000_000_000_000, sound, 'ABSTTL'],
        ['PEXPIRETIME', 'k'],
      ],
    ],
    ['a time that has gone', [['RESTORE', 'k', 1, sound, 'ABSTTL'], ['EXISTS', 'k'], ['DBSIZE']]],
    [
      'a time that has gone, for a key that is there',
      [
        ['SET', 'k', 'v'],
        ['RESTORE', 'k', 1, sound, 'ABSTTL', 'REPLACE'],
        ['EXISTS', 'k'],
      ],
    ],
    [
      'times that are none',
      [
        ['RESTORE', 'k', -1, sound],
        ['RESTORE', 'k', 'x', sound],
        ['RESTORE', 'k', '', sound],
      ],
    ],
    [
      'the longest time',
      [
        ['RESTORE', 'k', '9223372036854775807', sound, 'ABSTTL'],
        ['PEXPIRETIME', 'k'],
      ],
    ],
    [
      'the key before the time',
      [
        ['SET', 'k', 'v'],
        ['RESTORE', 'k', 'x', sound],
      ],
    ],
    ['the time before the payload', [['RESTORE', 'k', 'x', wrong]]],
    [
      'the options before the key',
      [
        ['SET', 'k', 'v'],
        ['RESTORE', 'k', 'x', wrong, 'WHATEVER'],
      ],
    ],
    [
      'how long it has been idle',
      [
        ['RESTORE', 'k', 0, sound, 'IDLETIME', 1000],
        ['OBJECT', 'IDLETIME', 'k'],
      ],
    ],
    [
      'that it has not been idle',
      [
        ['RESTORE', 'k', 0, sound, 'IDLETIME', 0],
        ['OBJECT', 'IDLETIME', 'k'],
      ],
    ],
    [
      'idle times that are none',
      [
        ['RESTORE', 'k', 0, sound, 'IDLETIME'],
        ['RESTORE', 'k', 0, sound, 'IDLETIME', -1],
      ],
    ],
    [
      'an idle time of ages',
      [
        ['RESTORE', 'k', 0, sound, 'IDLETIME', 4_000_000],
        ['OBJECT', 'IDLETIME', 'k'],
      ],
    ],
    [
      'frequencies that are none',
      [
        ['RESTORE', 'k', 0, sound, 'FREQ', 256],
        ['RESTORE', 'k', 0, sound, 'FREQ', 'x'],
      ],
    ],
    [
      'both',
      [
        ['RESTORE', 'k', 0, sound, 'FREQ', 1, 'IDLETIME', 1],
        ['RESTORE', 'k', 0, sound, 'IDLETIME', 1, 'FREQ', 1],
      ],
    ],
    [
      'how often it was used',
      [
        ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu'],
        ['RESTORE', 'k', 0, sound, 'FREQ', 100],
        ['OBJECT', 'FREQ', 'k'],
        ['RESTORE', 'k', 0, sound, 'FREQ', 0, 'REPLACE'],
        ['OBJECT', 'FREQ', 'k'],
        ['RESTORE', 'k', 0, sound, 'FREQ', 255, 'REPLACE'],
        ['OBJECT', 'FREQ', 'k'],
        ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction'],
      ],
    ],
    ['a wrong checksum', [['RESTORE', 'k', 0, wrong]]],
    [
      'a checksum that is not looked at',
      [
        ['DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', 1],
        ['RESTORE', 'k', 0, wrong],
        ['GET', 'k'],
        ['DEBUG', 'SET-SKIP-CHECKSUM-VALIDATION', 0],
      ],
    ],
    ['a version to come', [['RESTORE', 'k', 0, payloadOf(bytesOf('\x00\x01v'), 99)]]],
    [
      'too few bytes',
      [
        ['RESTORE', 'k', 0, ''],
        ['RESTORE', 'k', 0, sound.slice(0, 9)],
      ],
    ],
    [
      'no value',
      [
        ['RESTORE', 'k', 0, of('')],
        ['RESTORE', 'k', 0, of('\x08')],
        ['RESTORE', 'k', 0, of('\xff')],
      ],
    ],
    [
      'an empty list',
      [
        ['RESTORE', 'k', 0, of('\x12\x00')],
        ['RESTORE', 'k', 0, of('\x01\x00')],
        ['EXISTS', 'k'],
      ],
    ],
    ['a wrong listpack', [['RESTORE', 'k', 0, of(`\x10${short(listpackOf(['\x81a']))}`)]]],
    ['a field twice', [['RESTORE', 'k', 0, of(`\x0d${short(ziplistOf(['\x01a', '\x01b', '\x01a', '\x01c']))}`)]]],
    [
      'old forms',
      [
        ['RESTORE', 'zipmap', 0, of(`\x09${short('\x02\x03foo\x03\x00bar\x01a\x01\x00b\xff')}`)],
        ['RESTORE', 'ziplist', 0, of(`\x0a${short(ziplistOf(['\x03abc', '\xf1', '\xfe\x80']))}`)],
        ['RESTORE', 'hash', 0, of(`\x0d${short(ziplistOf(['\x01a', '\xf1', '\xfe\x80', '\x01v']))}`)],
        ['RESTORE', 'zset', 0, of(`\x0c${short(ziplistOf(['\x01a', '\xf1', '\xfe\x80', '\x031.5']))}`)],
        ['RESTORE', 'scores', 0, of(`\x03\x03${short('a')}\x031.5${short('b')}\xff${short('c')}\xfe`)],
        ['DEBUG', 'DIGEST-VALUE', 'zipmap', 'ziplist', 'hash', 'zset', 'scores'],
        ['HGETALL', 'hash'],
        ['ZRANGE', 'scores', 0, -1, 'WITHSCORES'],
        ['OBJECT', 'ENCODING', 'zipmap'],
      ],
    ],
    [
      'too few words',
      [['RESTORE', 'k', 0], ['DUMP'], ['DUMP', 'nothing'], ['RESTORE-ASKING', 'k', 0, sound], ['GET', 'k']],
    ],
  ])('%s: the same answers', async (_, commands) => {
    await both('FLUSHALL')
    for (const command of commands) {
      const [ours, theirs] = await both(...command)
      expect(`${command[0]} ${ours}`).toBe(`${command[0]} ${theirs}`)
    }
  })

  test('wakes who waits for the key, and is told as an event', async () => {
    await clients[0].command('FLUSHALL')
    const waiting = await servers[0].connect()
    waiting.send(encode('BLPOP', 'k', 0))
    const list = of(`\x12\x01\x02${short(listpackOf(['\x81a', '\x81b']))}`)
    while (!/blocked_clients:1/.test(String(await clients[0].command('INFO', 'clients')))) {}
    expect(String(await clients[0].command('RESTORE', 'k', 0, list))).toBe('+OK\r\n')
    expect(String((await waiting.replies(1))[0])).toBe('*2\r\n$1\r\nk\r\n$1\r\na\r\n')
    expect(String(await clients[0].command('LLEN', 'k'))).toBe(':1\r\n')
    await waiting.close()
  })
})
