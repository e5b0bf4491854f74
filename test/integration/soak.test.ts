/* A soak at the limit: random commands of all types, transactions, scans and waiting clients, while keys are evicted by
 * one policy after another, expire, and memory is compacted. At every look used_memory keeps the limit; in the end the
 * server's structures and its arena verify themselves, and nothing is left when all is flushed.
 *
 *   npm run soak          ten minutes of it, instead of the few seconds that the tests take
 *
 * SOAK_SECONDS and SOAK_SEED say otherwise. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { ask, body, connect, eventually, OK, useServer } from './support.ts'

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 4)
const SEED = Number(process.env['SOAK_SEED'] ?? 1)
const MAX = 10 * 1024 * 1024
const KEYS = 3000
const BATCH = 200
const POLICIES = ['lru', 'lfu', 'random'].flatMap((order) => [`allkeys-${order}`, `volatile-${order}`])

type Words = readonly string[]

class Chance {
  private readonly random: Random

  constructor(seed: number) {
    this.random = new Random(seed)
  }
  below(count: number): number {
    return this.random.below(count)
  }
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }
  key(type: string): string {
    return `${type}:${this.below(KEYS)}`
  }
  member(): string {
    return `member:${this.below(5000)}`
  }
  text(): string {
    const most = this.pick([10, 100, 1000, 1000, 20_000])
    return String.fromCharCode(97 + this.below(26)).repeat(1 + this.below(most))
  }
  many(make: () => Words): Words {
    return Array.from({ length: 1 + this.below(this.pick([3, 30, 400])) }, make).flat()
  }
}

const COMMANDS: readonly ((chance: Chance) => Words)[] = [
  (c) => ['SET', c.key('string'), c.text()],
  (c) => ['SET', c.key('string'), String(c.below(1e6)), 'PX', String(1 + c.below(5000))],
  (c) => ['GET', c.key('string')],
  (c) => ['APPEND', c.key('string'), c.text()],
  (c) => ['SETRANGE', c.key('string'), String(c.below(50_000)), 'x'],
  (c) => ['INCR', c.key('counter')],
  (c) => ['RPUSH', c.key('list'), ...c.many(() => [c.text()])],
  (c) => ['LPOP', c.key('list'), String(1 + c.below(50))],
  (c) => ['LTRIM', c.key('list'), '0', String(c.below(100))],
  (c) => ['LMOVE', c.key('list'), c.key('list'), 'LEFT', 'RIGHT'],
  (c) => ['SADD', c.key('set'), ...c.many(() => [c.member()])],
  (c) => ['SADD', c.key('intset'), ...c.many(() => [String(c.below(1e6))])],
  (c) => ['SREM', c.key('set'), ...c.many(() => [c.member()])],
  (c) => ['SPOP', c.key('set'), String(c.below(100))],
  (c) => ['SUNIONSTORE', c.key('set'), c.key('set'), c.key('set')],
  (c) => ['HSET', c.key('hash'), ...c.many(() => [c.member(), c.text()])],
  (c) => ['HDEL', c.key('hash'), ...c.many(() => [c.member()])],
  (c) => ['HPEXPIRE', c.key('hash'), String(1 + c.below(3000)), 'FIELDS', '1', c.member()],
  (c) => ['ZADD', c.key('zset'), ...c.many(() => [String(c.below(1000)), c.member()])],
  (c) => ['ZREM', c.key('zset'), ...c.many(() => [c.member()])],
  (c) => ['ZREMRANGEBYRANK', c.key('zset'), '0', String(c.below(100))],
  (c) => ['ZRANGESTORE', c.key('zset'), c.key('zset'), '0', '-1'],
  (c) => ['PEXPIRE', c.key(c.pick(['string', 'list', 'set', 'hash', 'zset'])), String(1 + c.below(20_000))],
  (c) => ['EXPIRE', c.key(c.pick(['string', 'list', 'set', 'hash', 'zset'])), '1000'],
  (c) => ['PERSIST', c.key('string')],
  (c) => ['RENAME', c.key('string'), c.key('string')],
  (c) => ['COPY', c.key('zset'), c.key('zset'), 'REPLACE'],
  (c) => ['DEL', ...[c.key(c.pick(['string', 'list', 'set', 'hash', 'zset', 'intset']))]],
  (c) => ['SCAN', String(c.below(2 ** 30)), 'COUNT', '50'],
  (c) => ['WATCH', c.key('string')],
  () => ['RANDOMKEY'],
]

/** Commands for one go, of which some stand in a transaction. */
function batch(chance: Chance): Words[] {
  const words: Words[] = []
  for (let count = 0; count < BATCH; count++) {
    const inMulti = chance.below(40) === 0
    if (inMulti) words.push(['MULTI'])
    for (let left = inMulti ? 5 : 1; left > 0; left--) words.push(chance.pick(COMMANDS)(chance))
    if (inMulti) words.push(['EXEC'])
  }
  return words
}

async function info(client: RawClient, field: string): Promise<number> {
  const text = body(await ask(client, 'INFO', 'everything'))
  return Number(new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1])
}

describe('a soak at the limit', () => {
  // (With a tenacity of 100 the time that a busy machine takes makes no difference.)
  const limit = ['--maxmemory', String(MAX), '--maxmemory-eviction-tenacity', '100']
  const server = useServer({ args: [...limit, '--enable-debug-command', 'yes', '--hz', '50'] })

  test('leaves nothing broken, nothing lost, and never more than may be used', async () => {
    const chance = new Chance(SEED)
    const [client, control] = [await connect(server()), await connect(server())]
    const waiting = await connect(server())
    const until = Date.now() + SECONDS * 1000
    let [round, most, evicted] = [0, 0, 0]
    let policy = ''
    for (; Date.now() < until || evicted <= 100; round++) {
      if (round % 40 === 0) {
        policy = [...POLICIES, 'volatile-ttl'][(round / 40) % 7]!
        await ask(control, 'CONFIG', 'SET', 'maxmemory-policy', policy)
        waiting.send(encode('BLPOP', chance.key('list'), chance.key('list'), '0.1'))
      }
      const commands = batch(chance)
      client.send(Buffer.concat(commands.map((words) => encode(...words))))
      await client.replies(commands.length)
      // Where only some keys may go, the last command before all are gone may be one too many.
      if (policy.startsWith('allkeys')) most = Math.max(most, await info(control, 'used_memory'))
      evicted = await info(control, 'evicted_keys')
      if (SECONDS > 60 && round % 500 === 0) expect(await ask(control, 'DEBUG', 'VERIFY'), `round ${round}`).toBe(OK)
    }
    expect(most).toBeLessThanOrEqual(MAX)
    expect(await ask(control, 'DEBUG', 'VERIFY')).toBe(OK)
    await ask(control, 'FLUSHALL')
    await ask(client, 'UNWATCH')
    expect(await ask(control, 'DEBUG', 'VERIFY')).toBe(OK)
    await eventually(async () => (await info(control, 'allocator_allocated')) < 100_000, 'an empty arena')
  })
})
