/* Bitmaps, HyperLogLogs and geo indexes, sent to Cinnabar and to redis-server in RESP2 and RESP3: the replies must be
 * the same bytes, and so must the strings that are left. First the edges that somebody thought of, then thousands of
 * random commands. REDIS_SERVER names another redis-server. */
import { describe, expect, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable } from '../helpers/servers.ts'
import { BitGenerator, CounterGenerator, EDGES, PlaceGenerator } from './bits-places-commands.ts'
import { shown, usePair } from './pair.ts'
import { linesOf } from './set-hash-commands.ts'

const DEBUG = { args: ['--enable-debug-command', 'yes'] }

/** Of scores 7.0 writes 17 digits, and later versions as many as it takes to tell them from others. Of stored distances
 *  the last bit is V8's. */
const comparable = (name: string, reply: Buffer): string => {
  const text = reply.toString('latin1')
  if (name !== 'zrange') return text
  return text.replace(
    /(?:\$\d+\r\n|,)(-?\d+\.?[\de+-]*)(?=\r\n)/g,
    (_, score: string) => `score ${Number(score).toPrecision(score.includes('.') ? 14 : 17)}`,
  )
}

describe.skipIf(!redisAvailable())('bitmaps, HyperLogLogs and geo indexes answer as redis-server does', () => {
  const pair = usePair(DEBUG)

  describe.each([2, 3])('in RESP%i', (version) => {
    test.each(Object.keys(EDGES))('%s', async (group) => {
      await pair().send(`HELLO ${version}\r\nFLUSHALL\r\n`, 2)
      const unlike: string[] = []
      for (const line of linesOf(EDGES[group]!)) {
        const [[ours, redis]] = (await pair().send(`${line.replace(/\s+/g, ' ')}\r\n`, 1)) as [[Buffer, Buffer]]
        const name = line.split(' ')[0]!
        if (comparable(name, ours) === comparable(name, redis)) continue
        unlike.push(`${line}\n  ours  ${JSON.stringify(String(ours))}\n  redis ${JSON.stringify(String(redis))}`)
      }
      expect(unlike).toEqual([])
    })

    test.each([
      ['bits', BitGenerator],
      ['counters', CounterGenerator],
      ['places', PlaceGenerator],
    ])('random commands on %s', async (name, Generator) => {
      const seed = testSeed(name.length + version)
      const generator = new Generator(seed)
      await pair().send(`HELLO ${version}\r\nFLUSHALL\r\nSAVE\r\nCONFIG RESETSTAT\r\n`, 4)
      for (let batch = 0; batch < 25; batch++) {
        const commands = Array.from({ length: 100 }, () => generator.next())
        const pairs = await pair().send(Buffer.concat(commands.map((args) => encode(...args))), commands.length)
        pairs.forEach(([ours, redis], index) => {
          const name = String(commands[index]![0])
          if (comparable(name, ours) === comparable(name, redis)) return
          const where = `seed ${seed}, batch ${batch}, command ${index}: ${shown(commands[index]!)}`
          const texts = [ours, redis].map((reply) => JSON.stringify(reply.toString('latin1').slice(0, 2000)))
          expect.fail(`${where}\n  ours  ${texts[0]}\n  redis ${texts[1]}`)
        })
      }
      const figures = /^(keyspace_hits|keyspace_misses|rdb_changes_since_last_save|db\d):?.*$/gm
      const [infos] = await pair().send('INFO ALL\r\n', 1)
      const [ours, redis] = infos!.map((reply) => reply.toString('latin1').match(figures)!.sort().join('\n'))
      expect(ours, `seed ${seed}`).toBe(redis)
      const [digests] = await pair().send('DEBUG DIGEST\r\n', 1)
      if (name !== 'places') expect(String(digests![0]), `seed ${seed}`).toBe(String(digests![1]))
      expect(String(await pair().clients[0].command('DEBUG', 'RELOAD'))).toBe('+OK\r\n')
      expect(String(await pair().clients[0].command('DEBUG', 'DIGEST')), `seed ${seed}`).toBe(String(digests![0]))
    })
  })
})
