import { describe, expect, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { ask, body, connect, eventually, OK, useServer } from './support.ts'

const MB = 1024 * 1024
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"

async function info(client: RawClient, field: string): Promise<number> {
  const text = body(await ask(client, 'INFO', 'everything'))
  return Number(new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1])
}

const POLICIES = [
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
]

/** How a value of each type is made of some bytes. */
const MAKERS: readonly ((key: string, bytes: Buffer) => (string | Buffer)[])[] = [
  (key, bytes) => ['SET', key, bytes],
  (key, bytes) => ['RPUSH', key, bytes, ...elements(bytes)],
  (key, bytes) => ['SADD', key, bytes, ...elements(bytes)],
  (key, bytes) => ['HSET', key, 'field', bytes, ...elements(bytes).flatMap((element) => [element, element])],
  (key, bytes) => ['ZADD', key, '1', bytes, ...elements(bytes).flatMap((element, rank) => [String(rank), element])],
]

/** Many small elements, for a value that is large. */
function elements(bytes: Buffer): string[] {
  return Array.from({ length: bytes.length >> 6 }, (_, index) => `element:${index}`)
}

describe('maxmemory', () => {
  const server = useServer({ args: ['--maxmemory', '8mb', '--enable-debug-command', 'yes'] })

  test.each(POLICIES)('%s keeps the limit with values of all types and sizes, whatever is stored', async (policy) => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    await ask(client, 'CONFIG', 'SET', 'maxmemory-policy', policy)
    await ask(client, 'CONFIG', 'RESETSTAT')
    for (let index = 0; index < 3000; index++) {
      const key = `key:${index}`
      const bytes = Buffer.alloc(index % 100 === 0 ? 200_000 : 10 * (index % 97))
      expect(await ask(client, ...MAKERS[index % MAKERS.length]!(key, bytes))).not.toContain('OOM')
      await ask(client, 'PEXPIRE', key, String(1e6 + index))
      if (index % 50 === 0) expect(await info(client, 'used_memory')).toBeLessThanOrEqual(8 * MB)
    }
    expect(await info(client, 'evicted_keys')).toBeGreaterThan(100)
    expect(await ask(client, 'DEBUG', 'VERIFY')).toBe(OK)
  })

  test('volatile policies and noeviction refuse what needs memory when nothing may go', async () => {
    const client = await connect(server())
    for (const policy of ['noeviction', ...POLICIES.filter((name) => name.startsWith('volatile'))]) {
      await ask(client, 'FLUSHALL')
      await ask(client, 'CONFIG', 'SET', 'maxmemory-policy', policy)
      let reply = OK
      for (let index = 0; reply === OK && index < 1000; index++) {
        reply = await ask(client, 'SET', `key:${index}`, Buffer.alloc(100_000))
      }
      expect(reply).toBe(OOM)
      expect(await ask(client, 'LPUSH', 'list', 'a')).toBe(OOM)
      expect(await ask(client, 'GETRANGE', 'key:0', '0', '0')).toBe('$1\r\n\0\r\n')
      expect(await ask(client, 'EXPIRE', 'key:0', '1000')).toBe(':1\r\n')
      expect(await ask(client, 'DEL', 'key:1')).toBe(':1\r\n')
      expect(await ask(client, 'SET', 'key:1', 'a')).toBe(OK)
    }
  })

  test('a transaction is refused what needs memory: while it is queued, and when it is to be executed', async () => {
    const client = await connect(server())
    const other = await connect(server())
    await ask(client, 'FLUSHALL')
    await ask(client, 'CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
    await ask(client, 'SET', 'key', 'value')
    expect(await ask(client, 'MULTI')).toBe(OK)
    expect(await ask(client, 'GET', 'key')).toBe('+QUEUED\r\n')
    await ask(other, 'CONFIG', 'SET', 'maxmemory', '1')
    expect(await ask(client, 'GET', 'key')).toBe(OOM)
    expect(await ask(client, 'EXEC')).toContain('EXECABORT')
    await ask(client, 'MULTI')
    expect(await ask(client, 'DISCARD')).toBe(OK)
    await ask(other, 'CONFIG', 'SET', 'maxmemory', '0')
    await ask(client, 'MULTI')
    await ask(client, 'SET', 'key', 'other')
    await ask(other, 'CONFIG', 'SET', 'maxmemory', '1')
    expect(await ask(client, 'EXEC')).toContain('OOM')
    await ask(other, 'CONFIG', 'SET', 'maxmemory', '0')
    expect(await ask(client, 'GET', 'key')).toBe('$5\r\nvalue\r\n')
    await ask(other, 'CONFIG', 'SET', 'maxmemory', '8mb')
  })

  test('a watched key that is evicted breaks the transaction', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    await ask(client, 'CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl')
    await ask(client, 'SET', 'watched', 'value', 'EX', '100')
    await ask(client, 'WATCH', 'watched')
    let left = ':1\r\n'
    for (let index = 0; left === ':1\r\n' && index < 1000; index++) {
      await ask(client, 'SET', `key:${index}`, Buffer.alloc(100_000), 'EX', '1000')
      left = await ask(client, 'EXISTS', 'watched')
    }
    await ask(client, 'MULTI')
    await ask(client, 'PING')
    expect(await ask(client, 'EXEC')).toBe('*-1\r\n')
  })

  test('a limit lowered far below what is used is reached in the background, and commands run meanwhile', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    await ask(client, 'CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'allkeys-lru')
    const commands = Array.from({ length: 100_000 }, (_, index) => encode('SET', `key:${index}`, 'x'.repeat(100)))
    client.send(Buffer.concat(commands))
    await client.replies(commands.length)
    const other = await connect(server())
    expect(await info(other, 'used_memory')).toBeGreaterThan(12 * MB)
    expect(await ask(other, 'CONFIG', 'SET', 'maxmemory', '4mb')).toBe(OK)
    expect(await ask(other, 'SET', 'new', 'value')).toBe(OK)
    await eventually(async () => (await info(other, 'used_memory')) <= 4 * MB)
    await server().waitForLog(/WARNING: the new maxmemory value set via CONFIG SET \(4194304\) is smaller than/)
    await ask(other, 'CONFIG', 'SET', 'maxmemory', '8mb')
  })

  test('keys used all the time survive a flood of others that passes within a second', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    await ask(client, 'CONFIG', 'SET', 'maxmemory', '8mb', 'maxmemory-policy', 'allkeys-lru')
    const hot = Array.from({ length: 50 }, (_, index) => `hot:${index}`)
    for (const key of hot) await ask(client, 'SET', key, 'value')
    for (let round = 0; round < 100; round++) {
      const flood = Array.from({ length: 2000 }, (_, index) => encode('SET', `cold:${round}:${index}`, 'x'.repeat(50)))
      client.send(Buffer.concat(flood))
      await client.replies(flood.length)
      expect(await ask(client, 'TOUCH', ...hot)).toBe(':50\r\n')
    }
    expect(await info(client, 'evicted_keys')).toBeGreaterThan(100_000)
  })

  test('evicted keys may be watched by SCAN: what is there all along is met', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    await ask(client, 'CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru')
    for (let index = 0; index < 200; index++) await ask(client, 'SET', `lasting:${index}`, 'value')
    const met = new Set<string>()
    let cursor = '0'
    do {
      const reply = await ask(client, 'SCAN', cursor, 'COUNT', '20')
      cursor = /^\*2\r\n\$\d+\r\n(\d+)/.exec(reply)![1]!
      for (const [key] of reply.matchAll(/lasting:\d+/g)) met.add(key)
      const flood = Array.from({ length: 2000 }, (_, index) =>
        encode('SET', `${cursor}:${index}`, 'x'.repeat(99), 'EX', '99'),
      )
      client.send(Buffer.concat(flood))
      await client.replies(flood.length)
    } while (cursor !== '0')
    expect(met.size).toBe(200)
  })
})
