/* Client-side caching as a whole: what it costs the server, and its limits. What clients receive is compared with
 * redis-server in test/compat. */
import { describe, expect, test } from 'vitest'
import type { RawClient } from '../helpers/raw-client.ts'
import { ask, body, connect, describeClient, eventually, OK, useServer } from './support.ts'

async function infoOf(client: RawClient): Promise<Record<string, number>> {
  const text = body(await ask(client, 'INFO', 'clients', 'stats', 'memory'))
  return Object.fromEntries(
    [...text.matchAll(/^(tracking_\w+|used_memory):(\d+)/gm)].map(([, k, v]) => [k!, Number(v)]),
  )
}

async function tracker(client: RawClient, ...options: string[]): Promise<RawClient> {
  await client.command('HELLO', '3')
  expect(await ask(client, 'CLIENT', 'TRACKING', 'ON', ...options)).toBe(OK)
  return client
}

describe('tracking', () => {
  const server = useServer()

  test('counts its clients, keys and prefixes, and forgets what it told of', async () => {
    const [first, second, other] = [await connect(server()), await connect(server()), await connect(server())]
    await ask(other, 'FLUSHALL')
    await tracker(first)
    await tracker(second)
    await ask(first, 'MGET', 'a', 'b', 'c')
    await ask(second, 'MGET', 'a', 'b')
    expect(await infoOf(other)).toMatchObject({
      tracking_clients: 2,
      tracking_total_keys: 3,
      tracking_total_items: 5,
      tracking_total_prefixes: 0,
    })
    expect((await describeClient(first))['flags']).toBe('t')
    await ask(other, 'MSET', 'a', '1', 'c', '1')
    expect(await infoOf(other)).toMatchObject({ tracking_total_keys: 1, tracking_total_items: 2 })
    await first.close()
    await tracker(await connect(server()), 'BCAST', 'PREFIX', 'x', 'PREFIX', 'y')
    await eventually(async () => (await infoOf(other))['tracking_clients'] === 2)
    expect(await infoOf(other)).toMatchObject({ tracking_total_keys: 1, tracking_total_prefixes: 2 })
  })

  test('tells of a change before its notification, and of a key that ran out of time behind it', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(other, 'FLUSHALL')
    await ask(other, 'SET', 'short', '1', 'PX', '2000')
    await ask(other, 'CONFIG', 'SET', 'notify-keyspace-events', 'Ex$')
    await ask(client, 'HELLO', '3')
    await ask(client, 'PSUBSCRIBE', '__key*')
    await ask(client, 'CLIENT', 'TRACKING', 'ON')
    await ask(client, 'MGET', 'k', 'short')
    await ask(other, 'SET', 'k', '1')
    await eventually(async () => (await ask(other, 'EXISTS', 'short')) === ':0\r\n')
    const told = (await client.replies(4)).map((push) => push.toString().replace(/^>\d\r\n\$\d+\r\n/, ''))
    expect(told.map((push) => push.slice(0, push.indexOf('\r\n')))).toEqual([
      'invalidate',
      'pmessage',
      'pmessage',
      'invalidate',
    ])
    await ask(other, 'CONFIG', 'SET', 'notify-keyspace-events', '')
  })

  test('keeps no more names than it may, and says which it gave up', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(other, 'FLUSHALL')
    await ask(other, 'CONFIG', 'SET', 'tracking-table-max-keys', '100')
    await tracker(client)
    for (let at = 0; at < 300; at++) client.send(`GET key:${at}\r\n`)
    const invalidated = new Set<string>()
    for (let replies = 0; replies < 300; ) {
      const text = (await client.reply()).toString()
      if (text.startsWith('_')) replies++
      else invalidated.add(/key:\d+/.exec(text)![0])
    }
    while (invalidated.size < 200) invalidated.add(/key:\d+/.exec((await client.reply()).toString())![0])
    expect((await infoOf(other))['tracking_total_keys']).toBe(100)
    await ask(other, 'CONFIG', 'SET', 'tracking-table-max-keys', '10')
    await eventually(async () => (await infoOf(other))['tracking_total_keys'] === 10)
    await ask(other, 'CONFIG', 'SET', 'tracking-table-max-keys', '1000000')
  })

  test('tells of evicted keys in front of the reply of the command that wanted the memory', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(other, 'FLUSHALL')
    await tracker(client)
    await ask(client, 'SETEX', 'volatile', '1000', 'x')
    await ask(client, 'GET', 'volatile')
    const { used_memory: used } = await infoOf(other)
    await ask(other, 'CONFIG', 'SET', 'maxmemory-policy', 'volatile-random', 'maxmemory', String(used! + 100_000))
    await ask(client, 'SETRANGE', 'big', '300000', 'x')
    client.send('GETRANGE big 300000 -1\r\n')
    expect((await client.replies(2)).map(String)).toEqual([
      '>2\r\n$10\r\ninvalidate\r\n*1\r\n$8\r\nvolatile\r\n',
      '$1\r\nx\r\n',
    ])
    await ask(other, 'CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
  })

  test('of a hundred thousand keys takes little memory, which a flush gives back', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(other, 'FLUSHALL')
    await tracker(client)
    const before = (await infoOf(other))['used_memory']!
    for (let from = 0; from < 100_000; from += 1000) {
      await client.command('EXISTS', ...Array.from({ length: 1000 }, (_, at) => `key:${from + at}`))
    }
    const full = await infoOf(other)
    expect(full['tracking_total_keys']).toBe(100_000)
    expect(full['used_memory']! - before).toBeLessThan(100_000 * 64)
    await ask(other, 'FLUSHALL')
    const after = await infoOf(other)
    expect(after['tracking_total_keys']).toBe(0)
    expect(after['used_memory']! - before).toBeLessThan(1_000_000)
    expect((await client.reply()).toString()).toBe('>2\r\n$10\r\ninvalidate\r\n_\r\n')
  })

  test('tells many clients of one key, and each of many keys that another deletes', async () => {
    const clients: RawClient[] = []
    for (let index = 0; index < 50; index++) clients.push(await tracker(await connect(server())))
    const other = await connect(server())
    const names = Array.from({ length: 100 }, (_, at) => `many:${at}`)
    await ask(other, 'MSET', ...names.flatMap((name) => [name, '1']))
    for (const client of clients) await client.command('MGET', ...names)
    await ask(other, 'DEL', ...names)
    for (const client of clients) {
      const pushes = (await client.replies(names.length)).map(String)
      expect(pushes).toEqual(names.map((name) => `>2\r\n$10\r\ninvalidate\r\n*1\r\n$${name.length}\r\n${name}\r\n`))
    }
  })
})
