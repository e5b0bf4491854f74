/* Long values: they are received in the arena and may stay where they were received (keyspace/loose-block.ts). Here
 * they come cut at any byte, in every command that stores one, from clients that go away in the midst; after all of it
 * each value is what was sent, and nothing is left behind. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { encode } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { sleep } from '../helpers/servers.ts'
import { ask, body, connect, eventually, OK, useServer } from './support.ts'

const KB = 1024
const ROUNDS = 150
const KEYS = 12

const digest = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

function randomValue(random: Random): Buffer {
  const sizes = [1, 100, 200 * KB, 256 * KB - 1, 256 * KB, 300_000, 1024 * KB, 1024 * KB + 7, 3_000_000, 9_000_000]
  const size = sizes[random.below(sizes.length)]! + random.below(3)
  return Buffer.alloc(size, Buffer.from(`${random.below(1e9)}.`))
}

/** Commands that store `value`, what they reply, and under which keys it is then. */
const STORES: readonly ((key: string, value: Buffer) => [readonly (string | Buffer)[], string])[] = [
  (key, value) => [['SET', key, value], OK],
  (key, value) => [['SETEX', key, '1000', value], OK],
  (key, value) => [['PSETEX', key, '1000000', value], OK],
  (key, value) => [['MSET', 'other', 'x', key, value], OK],
  (key, value) => [['MSET', key, value, 'other', 'x'], OK],
  (key, value) => [['SET', key, value, 'EX', '1000'], OK],
  (key, value) => [['set', `${key}`, value, 'KEEPTTL'], OK],
]

describe('long values', () => {
  const server = useServer({ args: ['--enable-debug-command', 'yes'] })
  const used = async (): Promise<number> => {
    const text = body(await ask(await connect(server()), 'INFO', 'memory'))
    return Number(/allocator_allocated:(\d+)/.exec(text)![1])
  }

  test('are what was sent, however they were cut', async () => {
    const seed = testSeed()
    const random = new Random(seed)
    const client = await connect(server())
    const stored = new Map<string, string>()
    for (let round = 0; round < ROUNDS; round++) {
      const key = `key:${'k'.repeat(random.below(20))}${random.below(KEYS)}`
      const value = randomValue(random)
      const [words, reply] = STORES[random.below(STORES.length)]!(key, value)
      const request = Buffer.concat([encode(...words), encode('STRLEN', key)])
      for (let pos = 0; pos < request.length; ) {
        const len = 1 + random.below(random.below(3) === 0 ? 100 : request.length)
        client.send(request.subarray(pos, pos + len))
        pos += len
        if (random.below(2) === 0) await sleep(random.below(2))
      }
      expect(String(await client.reply()), `seed ${seed}, round ${round}`).toBe(reply)
      expect(String(await client.reply())).toBe(`:${value.length}\r\n`)
      stored.set(key, digest(value))
      if (random.below(5) === 0) await ask(client, 'BGSAVE')
      if (random.below(10) === 0) await ask(client, 'APPEND', key, '')
      if (random.below(40) === 0) expect(await ask(client, 'DEBUG', 'VERIFY')).toBe(OK)
    }
    for (const [key, wanted] of stored) {
      const reply = await client.command('GET', key)
      expect(digest(reply.subarray(reply.indexOf('\n') + 1, -2)), `seed ${seed}, ${key}`).toBe(wanted)
    }
    await eventually(async () => body(await ask(client, 'INFO', 'persistence')).includes('rdb_bgsave_in_progress:0'))
    expect(await ask(client, 'DEBUG', 'VERIFY')).toBe(OK)
  })

  test('that were never stored leave nothing behind', async () => {
    const control = await connect(server())
    await ask(control, 'FLUSHALL')
    const before = await used()
    const value = Buffer.alloc(2_000_000, 'v')
    const request = encode('SET', 'key', value)
    const clients = []
    for (let index = 0; index < 5; index++) {
      const client = await connect(server())
      clients.push(client)
      client.send(request.subarray(0, 1_000_000))
    }
    await eventually(async () => (await used()) > before + 5 * value.length, 'the reads')
    expect(await ask(control, 'FLUSHALL')).toBe(OK) // others keep blocks in the arena now
    for (const client of clients.slice(1)) client.close()
    clients[0]!.send(request.subarray(1_000_000))
    expect(String(await clients[0]!.reply())).toBe(OK)
    expect(digest((await control.command('GET', 'key')).subarray(10, -2))).toBe(digest(value))
    for (const [command, reply] of [
      [['GET', value], '$-1\r\n'],
      [['SETNX', 'key', value], ':0\r\n'],
      [['SET', 'key', value, 'NX'], '$-1\r\n'],
      [['ECHO', value], `$${value.length}`],
      [['LPUSH', 'key', value], '-WRONGTYPE'],
      [['SET', 'key', value, 'PXAT', '1'], OK],
    ] as const) {
      expect(String(await control.command(...command)).startsWith(reply), command[0]).toBe(true)
    }
    expect(await ask(control, 'EXISTS', 'key')).toBe(':0\r\n')
    for (const client of clients) client.close()
    await eventually(async () => (await used()) <= before + 100_000, 'the freeing')
    expect(await ask(control, 'DEBUG', 'VERIFY')).toBe(OK)
  })

  test('wait in a transaction like others', async () => {
    const client = await connect(server())
    const value = Buffer.alloc(1_500_000, 'w')
    await ask(client, 'MULTI')
    expect(await ask(client, 'SET', 'first', value.toString())).toBe('+QUEUED\r\n')
    expect(await ask(client, 'SET', 'second', value.toString())).toBe('+QUEUED\r\n')
    expect(await ask(client, 'EXEC')).toBe(`*2\r\n${OK}${OK}`)
    for (const key of ['first', 'second']) {
      expect(digest((await client.command('GET', key)).subarray(10, -2))).toBe(digest(value))
    }
    expect(await ask(client, 'DEBUG', 'VERIFY')).toBe(OK)
  })
  test('leave no buffer behind whose client goes while it is answered', async () => {
    const control = await connect(server())
    const buffers = async (): Promise<number> =>
      Number(/cinnabar_large_buffers:(\d+)/.exec(body(await ask(control, 'INFO', 'memory')))![1])
    await ask(control, 'SET', 'long', 'x'.repeat(3_000_000))
    for (let round = 0; round < 10; round++) {
      const client = await connect(server())
      // The buffer that this is received in is kept for what comes next, which does not need it.
      const request = encode('SET', 'key', Buffer.alloc(150_000))
      client.send(request.subarray(0, 60_000))
      await sleep(5)
      client.send(request.subarray(60_000))
      expect(String(await client.reply())).toBe(OK)
      const long = Array.from({ length: 10 }, () => encode('GET', 'long'))
      client.send(Buffer.concat([encode('DEBUG', 'SLEEP', '0.05'), ...long]))
      await sleep(20)
      client.socket.resetAndDestroy()
    }
    await ask(control, 'FLUSHALL')
    await eventually(async () => (await buffers()) < 100_000, 'the buffers going back')
  })
})
