import { describe, expect, test } from 'vitest'
import type { RawClient } from '../helpers/raw-client.ts'
import { ask, body, connect, eventually, OK, useServer } from './support.ts'

const numberIn = (reply: string): number => Number(/^:(-?\d+)\r\n$/.exec(reply)?.[1])

/** The names and values of MEMORY STATS, nested ones as they come. */
function statsOf(reply: string): string[] {
  return reply.split('\r\n').filter((line) => line !== '' && !/^[$%]/.test(line))
}

async function usage(client: RawClient, key: string): Promise<number> {
  return numberIn(await ask(client, 'MEMORY', 'USAGE', key))
}

describe('MEMORY USAGE', () => {
  const server = useServer()

  test('tells what a key has added to the memory used', async () => {
    const client = await connect(server())
    const used = async (): Promise<number> =>
      Number(/used_memory:(\d+)/.exec(body(await ask(client, 'INFO', 'memory')))?.[1])
    for (const [key, last] of [
      ['small', '0'],
      ['inline', '100'],
      ['own', '100000'],
    ] as const) {
      // (Once the cron may look in between, and have buffers given back.)
      await eventually(async () => {
        await ask(client, 'FLUSHALL', 'SYNC')
        await ask(client, 'SET', 'other', 'x') // one more key does not make the table grow
        const before = await used()
        await ask(client, 'SETRANGE', key, last, 'x') // not long: the request's own bytes count too
        return (await used()) - before === (await usage(client, key))
      }, `what ${key} takes`)
    }
  })

  test('adds up to all that the data takes', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL', 'SYNC')
    const empty = Number(/used_memory:(\d+)/.exec(body(await ask(client, 'INFO', 'memory')))?.[1])
    const keys = 2000
    let sum = 0
    for (let number = 0; number < keys; number++) await ask(client, 'SET', `key:${number}`, 'x'.repeat(number % 300))
    for (let number = 0; number < keys; number++) sum += await usage(client, `key:${number}`)
    const used = Number(/used_memory:(\d+)/.exec(body(await ask(client, 'INFO', 'memory')))?.[1])
    expect(Math.abs(used - empty - sum)).toBeLessThanOrEqual(keys / 2) // each share of the table is rounded
  })

  test('of nothing is null, of a wrong option a syntax error', async () => {
    const client = await connect(server())
    await ask(client, 'SET', 'k', 'v')
    expect(await ask(client, 'MEMORY', 'USAGE', 'none')).toBe('$-1\r\n')
    expect(numberIn(await ask(client, 'MEMORY', 'USAGE', 'k', 'samples', '0'))).toBeGreaterThan(0)
    expect(await ask(client, 'MEMORY', 'USAGE', 'k', 'SAMPLES')).toBe('-ERR syntax error\r\n')
    expect(await ask(client, 'MEMORY', 'USAGE', 'k', 'SAMPLES', '-1')).toBe('-ERR syntax error\r\n')
    expect(await ask(client, 'MEMORY', 'USAGE', 'k', 'SAMPLES', 'x')).toBe(
      '-ERR value is not an integer or out of range\r\n',
    )
    await ask(client, 'HELLO', '3')
    expect(await ask(client, 'MEMORY', 'USAGE', 'none')).toBe('_\r\n')
  })

  test('is no use of the key', async () => {
    const client = await connect(server())
    const misses = async () => /keyspace_misses:(\d+)/.exec(body(await ask(client, 'INFO', 'stats')))![1]
    const before = await misses()
    await ask(client, 'MEMORY', 'USAGE', 'none')
    expect(await misses()).toBe(before)
  })
})

describe('MEMORY', () => {
  const server = useServer()

  test('counts channels, watched and tracked keys as overhead, and no more when they are gone', async () => {
    const [client, admin] = [await connect(server()), await connect(server())]
    const figure = async (name: string): Promise<number> => {
      const stats = statsOf(await ask(admin, 'MEMORY', 'STATS'))
      return Number(stats[stats.indexOf(name) + 1]!.slice(1))
    }
    const COUNT = 2000
    const names = Array.from({ length: COUNT }, (_, index) => `name:${index}`)
    await ask(client, 'HELLO', '3')
    await ask(admin, 'MEMORY', 'STATS')
    for (const words of [['SUBSCRIBE'], ['PSUBSCRIBE'], ['WATCH'], ['CLIENT', 'TRACKING', 'ON', 'MGET']]) {
      const [overhead, dataset] = [await figure('overhead.total'), await figure('dataset.bytes')]
      if (words[0] === 'CLIENT') await ask(client, ...words.splice(0, 3))
      await client.command(words[0]!, ...names)
      if (words[0]!.endsWith('SUBSCRIBE')) await client.replies(COUNT - 1)
      expect((await figure('overhead.total')) - overhead).toBeGreaterThan(20 * COUNT)
      expect(Math.abs((await figure('dataset.bytes')) - dataset)).toBeLessThan(2000)
      await ask(client, 'RESET')
      await ask(admin, 'FLUSHALL')
      await ask(client, 'HELLO', '3')
      expect(Math.abs((await figure('overhead.total')) - overhead)).toBeLessThan(20 * COUNT)
    }
  })

  test('STATS is a map of numbers, and one map for each database with keys', async () => {
    const client = await connect(server())
    await ask(client, 'SELECT', '3')
    await ask(client, 'SET', 'k', 'v', 'EX', '100')
    const flat = await ask(client, 'MEMORY', 'STATS')
    expect(flat.startsWith('*56\r\n')).toBe(true)
    await ask(client, 'HELLO', '3')
    const reply = await ask(client, 'MEMORY', 'STATS')
    expect(reply.startsWith('%28\r\n')).toBe(true)
    const stats = statsOf(reply)
    const value = (name: string): string => stats[stats.indexOf(name) + 1]!
    expect(value('keys.count')).toBe(':1')
    expect(stats.slice(stats.indexOf('db.3') + 1, stats.indexOf('db.3') + 3)).toEqual([
      'overhead.hashtable.main',
      expect.stringMatching(/^:\d{2,4}$/),
    ])
    expect(value('overhead.hashtable.expires')).toMatch(/^:\d{4}$/)
    expect(value('dataset.bytes')).toMatch(/^:\d+$/)
    expect(value('peak.percentage')).toMatch(/^,\d/)
    expect(value('allocator-fragmentation.ratio')).toMatch(/^,\d/)
  })

  test('DOCTOR has nothing to say of an empty server', async () => {
    const client = await connect(server())
    expect(body(await ask(client, 'MEMORY', 'DOCTOR'))).toMatch(/too little data/)
  })

  test('MALLOC-STATS lists what the arena holds', async () => {
    const client = await connect(server())
    await ask(client, 'SET', 'k', 'x'.repeat(1_000_000))
    const text = body(await ask(client, 'MEMORY', 'MALLOC-STATS'))
    expect(text).toMatch(/^Arena: \d+\.\d\dM reserved/)
    expect(text).toMatch(/\n +larger +1 +62\n/)
  })

  test('PURGE gives back what deleted keys have left', async () => {
    const client = await connect(server())
    const reserved = async () => Number(/allocator_resident:(\d+)/.exec(body(await ask(client, 'INFO', 'memory')))![1])
    for (let number = 0; number < 60; number++) await ask(client, 'SET', `k${number}`, 'x'.repeat(1_000_000))
    const full = await reserved()
    await ask(client, 'FLUSHALL', 'SYNC')
    expect(await ask(client, 'MEMORY', 'PURGE')).toBe(OK)
    expect(await reserved()).toBeLessThan(full / 2)
    await ask(client, 'SET', 'k', 'still works')
    expect(await ask(client, 'GET', 'k')).toBe('$11\r\nstill works\r\n')
  })

  test('HELP lists the subcommands', async () => {
    const client = await connect(server())
    const help = await ask(client, 'MEMORY', 'HELP')
    for (const name of ['DOCTOR', 'MALLOC-STATS', 'PURGE', 'STATS', 'USAGE key [SAMPLES count]', 'HELP']) {
      expect(help).toContain(`+${name}\r\n`)
    }
  })
})
