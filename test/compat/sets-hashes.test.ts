/* Sets and hashes, sent to Cinnabar and to redis-server in RESP2 and RESP3: the replies must be the same bytes, but for
 * the order of what has none. First the edges that somebody thought of, then thousands of random commands over a few
 * keys, with limits so low that encodings change all the time.
 *
 * REDIS_SERVER names another redis-server. One of 7.0 has no listpacks in sets, so encodings are compared only where
 * both have the same, and the order of a set of fewer members than a listpack may have is left out as well. */
import { describe, expect, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable } from '../helpers/servers.ts'
import { shown, usePair } from './pair.ts'
import { EDGES, Generator, LIMITS, linesOf } from './set-hash-commands.ts'

/** Lines whose answers may differ, and why. */
const KNOWN: Readonly<Record<string, string>> = {
  'object encoding d': '7.0 has no listpacks in sets',
}

const DEBUG = { args: ['--enable-debug-command', 'yes'] }
const UNORDERED = /^(s(members|inter|union|diff|pop|randmember|scan)|h(keys|vals|randfield|scan|getall))$/

/** What has to be equal of a reply: of what has no order, the header and the sorted elements. Which value is whose is
 *  seen by HGET, and by the digest at the end. */
function comparable(name: string, reply: Buffer): string {
  const text = reply.toString('latin1')
  return UNORDERED.test(name)
    ? text
        .split(/(?=[$*])/)
        .sort()
        .join('')
    : text
}

describe.skipIf(!redisAvailable())('sets and hashes answer as redis-server does', () => {
  const pair = usePair(DEBUG)

  describe.each([2, 3])('in RESP%i', (version) => {
    test.each(Object.keys(EDGES))('%s', async (group) => {
      await pair().send(`HELLO ${version}\r\nFLUSHALL\r\n`, 2)
      const unlike: string[] = []
      for (const line of linesOf(EDGES[group]!)) {
        const [[ours, redis]] = (await pair().send(`${line}\r\n`, 1)) as [[Buffer, Buffer]]
        const name = line.split(' ')[0]!
        if (comparable(name, ours) === comparable(name, redis) || line in KNOWN) continue
        unlike.push(`${line}\n  ours  ${JSON.stringify(String(ours))}\n  redis ${JSON.stringify(String(redis))}`)
      }
      expect(unlike).toEqual([])
    })

    test.each([1, 2, 3, 4])('random commands (%i)', async (round) => {
      const seed = testSeed(round)
      const generator = new Generator(seed)
      await pair().send(`HELLO ${version}\r\nFLUSHALL\r\nSAVE\r\nCONFIG RESETSTAT\r\n`, 4)
      await pair().send(`${LIMITS.join('\r\n')}\r\n`, LIMITS.length)
      pair().clients[0].send('config set set-max-listpack-entries 4\r\nconfig set set-max-listpack-value 10\r\n')
      await pair().clients[0].replies(2)
      for (let batch = 0; batch < 60; batch++) {
        const commands = Array.from({ length: 100 }, () => generator.next())
        const pairs = await pair().send(Buffer.concat(commands.map((args) => encode(...args))), commands.length)
        pairs.forEach(([ours, redis], index) => {
          const args = commands[index]!
          const name = String(args[0])
          if (comparable(name, ours) === comparable(name, redis)) return
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
      expect(String(digests![0]), `seed ${seed}`).toBe(String(digests![1]))
      expect(String(await pair().clients[0].command('DEBUG', 'RELOAD'))).toBe('+OK\r\n')
      expect(String(await pair().clients[0].command('DEBUG', 'DIGEST')), `seed ${seed}`).toBe(String(digests![1]))
    })
  })
})
