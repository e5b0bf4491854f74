/* Sorted sets, sent to Cinnabar and to redis-server in RESP2 and RESP3: the replies must be the same bytes. First the
 * edges that somebody thought of, then thousands of random commands over a few keys, with limits so low that encodings
 * change all the time.
 *
 * REDIS_SERVER names another redis-server. One of 7.0 has no WITHSCORE of ZRANK, writes
 * some scores otherwise, and stores ranges in other encodings, so these are not compared with it. */
import { describe, expect, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable } from '../helpers/servers.ts'
import { shown, usePair } from './pair.ts'
import { linesOf } from './set-hash-commands.ts'
import { EDGES, Generator, LIMITS } from './zset-commands.ts'

/** What 7.0 answers otherwise. */
const KNOWN = /^(z(rev)?rank .* (withscore|foo|x)|object encoding)/

const DEBUG = { args: ['--enable-debug-command', 'yes'] }

/** A table gives what ZSCAN finds in an order of its own. Of large scores 7.0 writes 17 digits, and later versions as
 *  many as it takes to tell them from others. */
const comparable = (name: string, reply: Buffer): string => {
  const text = reply
    .toString('latin1')
    .replace(/(?:\$\d+\r\n|,)(-?[\d.]+e[+-]\d+)(?=\r\n)/g, (_, score: string) => `score ${Number(score)}`)
  if (name !== 'zscan' && name !== 'zrandmember') return text
  return text
    .split(/(?=[$*,])/)
    .sort()
    .join('')
}

describe.skipIf(!redisAvailable())('sorted sets answer as redis-server does', () => {
  const pair = usePair(DEBUG)

  describe.each([2, 3])('in RESP%i', (version) => {
    test.each(
      Object.keys(EDGES).flatMap((group) => [
        [group, 128],
        [group, 0],
      ]),
    )('%s (up to %i in a listpack)', async (group, limit) => {
      await pair().send(`HELLO ${version}\r\nFLUSHALL\r\nCONFIG SET zset-max-listpack-entries ${limit}\r\n`, 3)
      const unlike: string[] = []
      for (const line of linesOf(EDGES[group]!)) {
        const [[ours, redis]] = (await pair().send(`${line}\r\n`, 1)) as [[Buffer, Buffer]]
        const name = line.split(' ')[0]!
        if (comparable(name, ours) === comparable(name, redis) || (pair().isOld && KNOWN.test(line))) continue
        unlike.push(`${line}\n  ours  ${JSON.stringify(String(ours))}\n  redis ${JSON.stringify(String(redis))}`)
      }
      expect(unlike).toEqual([])
    })

    test.each([
      ['BZPOPMIN w z 0', 'ZADD z 2 b 1 a'],
      ['BZPOPMAX z w 0', 'ZADD z 2 b 1 a'],
      ['BZMPOP 0 2 w z MAX COUNT 2', 'ZADD z 2 b 1 a 3 c'],
      ['BZPOPMIN z 0', 'ZINCRBY z 1.5 a'],
      ['BZPOPMIN z 0', 'ZUNIONSTORE z 1 other'],
      ['BZPOPMIN z 0', 'ZRANGESTORE z other 0 -1'],
      ['BZPOPMIN z 0', 'RENAME other z'],
    ])('%s waits for %s', async (waits, line) => {
      await pair().send(`HELLO ${version}\r\nFLUSHALL\r\nZADD other 7 x 8 y\r\n`, 3)
      const answers = []
      for (const [index, server] of pair().servers.entries()) {
        const waiting = await server.connect()
        waiting.send(`HELLO ${version}\r\n`)
        await waiting.replies(1)
        waiting.send(`${waits}\r\n`)
        const blocked = async () =>
          /blocked_clients:1/.test(String(await pair().clients[index]!.command('INFO', 'clients')))
        while (!(await blocked())) {}
        const answer = String(await pair().clients[index]!.command(...line.split(' ')))
        answers.push(answer + String((await waiting.replies(1))[0]))
        await waiting.close()
      }
      expect(answers[0]).toBe(answers[1])
    })

    test('ranges of large ones', async () => {
      const seed = testSeed()
      const generator = new Generator(seed)
      const numbers = Array.from({ length: 700 }, (_, number) => number)
      const fill = [
        [
          'zadd',
          'scored',
          '-inf',
          'least',
          'inf',
          'most',
          ...numbers.flatMap((number) => [number % 250, `m${number}`]),
        ],
        ['zadd', 'level', ...numbers.flatMap((number) => ['0', `m${number}`])],
      ].map((args) => encode(...args.map(String)))
      await pair().send(`HELLO ${version}\r\nFLUSHALL\r\n`, 2)
      await pair().send(Buffer.concat(fill), fill.length)
      const commands = Array.from({ length: 600 }, () => generator.large())
      const pairs = await pair().send(Buffer.concat(commands.map((args) => encode(...args))), commands.length)
      pairs.forEach(([ours, redis], index) => {
        expect(String(ours), `seed ${seed}, command ${index}: ${shown(commands[index]!)}`).toBe(String(redis))
      })
    })

    test.each([1, 2, 3, 4])('random commands (%i)', async (round) => {
      const seed = testSeed(round)
      const generator = new Generator(seed)
      await pair().send(`HELLO ${version}\r\nFLUSHALL\r\nSAVE\r\nCONFIG RESETSTAT\r\n`, 4)
      await pair().send(`${LIMITS.join('\r\n')}\r\n`, LIMITS.length)
      for (let batch = 0; batch < 60; batch++) {
        const commands = Array.from({ length: 100 }, () => generator.next())
        const pairs = await pair().send(Buffer.concat(commands.map((args) => encode(...args))), commands.length)
        pairs.forEach(([ours, redis], index) => {
          const args = commands[index]!
          const name = String(args[0])
          if (comparable(name, ours) === comparable(name, redis) || (pair().isOld && name === 'object')) return
          const where = `seed ${seed}, batch ${batch}, command ${index}: ${shown(args)}`
          expect.fail(`${where}\n  ours  ${JSON.stringify(String(ours))}\n  redis ${JSON.stringify(String(redis))}`)
        })
      }
      const figures = /^(keyspace_hits|keyspace_misses|rdb_changes_since_last_save|db\d):?.*$/gm
      const [infos] = await pair().send('INFO ALL\r\n', 1)
      const [ours, redis] = infos!.map((reply) => reply.toString('latin1').match(figures)!.sort().join('\n'))
      expect(ours, `seed ${seed}`).toBe(redis)
      const [digests] = await pair().send('DEBUG DIGEST\r\n', 1)
      expect(String(digests![0])).toMatch(/^\+[0-9a-f]{40}/)
      if (!pair().isOld) expect(String(digests![0]), `seed ${seed}`).toBe(String(digests![1]))
      expect(String(await pair().clients[0].command('DEBUG', 'RELOAD'))).toBe('+OK\r\n')
      expect(String(await pair().clients[0].command('DEBUG', 'DIGEST')), `seed ${seed}`).toBe(String(digests![0]))
    })
  })
})
