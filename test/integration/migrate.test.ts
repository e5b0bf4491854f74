/* MIGRATE, to a Cinnabar and, where there is one, to a redis-server. */
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type Argument, encode, type RawClient } from '../helpers/raw-client.ts'
import { redisAvailable, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'

const OK = '+OK\r\n'
const OPTIONS = { args: ['--enable-debug-command', 'yes'] }
const HOST = '127.0.0.1'

let source: TestServer
let client: RawClient

beforeAll(async () => {
  source = await startCinnabar(OPTIONS)
  client = await source.connect()
})
afterAll(async () => {
  await client.close()
  await source.stop()
})

const tell = async (who: RawClient, ...args: readonly Argument[]): Promise<string> =>
  (await who.command(...args)).toString('latin1')
const ask = (...args: readonly Argument[]): Promise<string> => tell(client, ...args)

describe.each(redisAvailable() ? ['cinnabar', 'redis'] : ['cinnabar'])('to %s', (program) => {
  let server: TestServer
  let target: RawClient
  const migrate = (...rest: readonly Argument[]): Promise<string> => ask('MIGRATE', HOST, server.port, ...rest)

  beforeAll(async () => {
    server = await (program === 'redis' ? startRedis : startCinnabar)(OPTIONS)
    target = await server.connect()
  })
  beforeEach(async () => {
    await ask('FLUSHALL')
    await tell(target, 'FLUSHALL')
    await tell(target, 'SELECT', 0)
  })
  afterAll(async () => {
    await target.close()
    await server.stop()
  })

  test('a key goes there, its expiry as well, and is not here any more', async () => {
    await ask('RPUSH', 'key', 'a', 'b')
    await ask('PEXPIRE', 'key', 100_000)
    expect(await migrate('key', 0, 20_000)).toBe(OK)
    expect(await ask('DBSIZE')).toBe(':0\r\n')
    expect(await tell(target, 'LRANGE', 'key', 0, -1)).toBe('*2\r\n$1\r\na\r\n$1\r\nb\r\n')
    expect(await tell(target, 'PTTL', 'key')).toMatch(/^:(9\d{4}|100000)\r/)
    expect(await migrate('key', 0, 20_000)).toBe('+NOKEY\r\n')
  })

  test('COPY leaves it here, REPLACE replaces what is there', async () => {
    await ask('SET', 'key', 'value')
    expect(await migrate('key', 0, 20_000, 'COPY')).toBe(OK)
    expect(await migrate('key', 0, 20_000)).toMatch(/^-ERR Target instance replied with error: BUSYKEY /)
    expect(await ask('GET', 'key')).toBe('$5\r\nvalue\r\n')
    await ask('SET', 'key', 'other')
    expect(await migrate('key', 0, 20_000, 'COPY', 'REPLACE')).toBe(OK)
    expect(await tell(target, 'GET', 'key')).toBe('$5\r\nother\r\n')
  })

  test('several keys go to another database, those that there are; one that is refused stays', async () => {
    await ask('MSET', 'a', '1', 'b', '2', 'c', '3')
    await tell(target, 'SELECT', 5)
    await tell(target, 'SET', 'b', 'taken')
    expect(await migrate('', 5, 20_000, 'KEYS', 'a', 'nothing', 'b', 'c')).toMatch(/^-ERR Target .* BUSYKEY /)
    expect(await ask('KEYS', '*')).toBe('*1\r\n$1\r\nb\r\n')
    expect(await tell(target, 'MGET', 'a', 'b', 'c')).toBe('*3\r\n$1\r\n1\r\n$5\r\ntaken\r\n$1\r\n3\r\n')
    expect(await migrate('', 99, 20_000, 'KEYS', 'b')).toMatch(/^-ERR Target .* DB index is out of range/)
    expect(await ask('GET', 'b')).toBe('$1\r\n2\r\n')
  })

  test('a password is given, and kept out of the slow log', async () => {
    await tell(target, 'CONFIG', 'SET', 'requirepass', 'secret')
    await ask('CONFIG', 'SET', 'slowlog-log-slower-than', 0)
    await ask('SET', 'key', 'value')
    const stranger = await server.connect()
    await tell(stranger, 'AUTH', 'secret')
    await tell(stranger, 'CLIENT', 'KILL', 'SKIPME', 'yes', 'TYPE', 'normal') // also the connection that is kept
    expect(await migrate('key', 0, 20_000)).toMatch(/^-ERR Target .* NOAUTH /)
    expect(await migrate('key', 0, 20_000, 'AUTH', 'wrong')).toMatch(/^-ERR Target .* WRONGPASS /)
    expect(await ask('EXISTS', 'key')).toBe(':1\r\n')
    expect(await migrate('key', 0, 20_000, 'AUTH2', 'default', 'secret')).toBe(OK)
    await ask('SET', 'key', 'value')
    expect(await migrate('key', 0, 20_000, 'REPLACE', 'AUTH', 'secret')).toBe(OK)
    expect(await ask('SLOWLOG', 'GET', 100)).not.toContain('secret')
    await tell(stranger, 'CONFIG', 'SET', 'requirepass', '')
    await ask('CONFIG', 'SET', 'slowlog-log-slower-than', 10_000)
    target = await server.connect()
    await stranger.close()
  })

  test('a kept connection that has been closed is replaced by a new one', async () => {
    await ask('MSET', 'a', '1', 'b', '2')
    expect(await migrate('a', 0, 20_000)).toBe(OK)
    // (One to the server of earlier tests may be kept still.)
    expect(await ask('INFO', 'stats')).toMatch(/migrate_cached_sockets:[12]\r/)
    await tell(target, 'CLIENT', 'KILL', 'SKIPME', 'yes', 'TYPE', 'normal')
    expect(await migrate('b', 0, 20_000)).toBe(OK)
    expect(await tell(target, 'DBSIZE')).toBe(':2\r\n')
  })

  test('a value that takes many writes arrives whole', async () => {
    await ask('CONFIG', 'SET', 'rdbcompression', 'no')
    await ask('SET', 'key', Buffer.alloc(20_000_000, 'pattern'))
    const digest = await ask('DEBUG', 'DIGEST-VALUE', 'key')
    expect(await migrate('key', 0, 20_000)).toBe(OK)
    expect(await tell(target, 'DEBUG', 'DIGEST-VALUE', 'key')).toBe(digest)
    await ask('CONFIG', 'SET', 'rdbcompression', 'yes')
  })
})

/** A server that answers nothing, or hangs up; at a port that the system chooses. */
async function strange(hangsUp: boolean): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    if (hangsUp) socket.once('data', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('a target that does not do its part', () => {
  beforeEach(async () => {
    await ask('FLUSHALL')
    await ask('SET', 'key', 'value')
  })

  test('not there', async () => {
    expect(await ask('MIGRATE', HOST, 1, 'key', 0, 20_000)).toBe('-IOERR error or timeout connecting to the client\r\n')
    expect(await ask('GET', 'key')).toBe('$5\r\nvalue\r\n')
  })

  test('hangs up', async () => {
    const reply = await ask('MIGRATE', HOST, await strange(true), 'key', 0, 20_000)
    expect(reply).toMatch(/^-IOERR error or timeout (reading|writing) to target instance\r\n$/)
    expect(await ask('GET', 'key')).toBe('$5\r\nvalue\r\n')
  })

  test('answers nothing: others read on, and write when it is over; the key stays', async () => {
    const others = await source.connect()
    client.send(encode('MIGRATE', HOST, await strange(false), 'key', 0, 400))
    client.send(encode('PING'))
    expect(await tell(others, 'GET', 'key')).toBe('$5\r\nvalue\r\n')
    others.send(encode('APPEND', 'key', '!'))
    expect(String(await client.replies(2))).toBe('-IOERR error or timeout reading to target instance\r\n,+PONG\r\n')
    expect(String(await others.replies(1))).toBe(':6\r\n')
    await others.close()
  })

  test('and a client that has gone meanwhile', async () => {
    const other = await source.connect()
    other.send(encode('MIGRATE', HOST, await strange(false), 'key', 0, 100))
    await ask('PING')
    await other.close()
    expect(await ask('SET', 'key', 'other')).toBe(OK)
  })
})

test('requests that make no sense are refused', async () => {
  await ask('FLUSHALL')
  await ask('SET', 'key', 'value')
  const refused = (...rest: readonly Argument[]): Promise<string> => ask('MIGRATE', HOST, 1, ...rest)
  expect(await refused('key', 0, 20_000, 'WHATEVER')).toBe('-ERR syntax error\r\n')
  expect(await refused('key', 0, 20_000, 'AUTH')).toBe('-ERR syntax error\r\n')
  expect(await refused('key', 0, 20_000, 'AUTH2', 'name')).toBe('-ERR syntax error\r\n')
  expect(await refused('key', 'x', 20_000)).toBe('-ERR value is not an integer or out of range\r\n')
  expect(await refused('key', 0, 'x')).toBe('-ERR value is not an integer or out of range\r\n')
  expect(await refused('key', 0, 20_000, 'KEYS', 'key')).toMatch(/^-ERR When using MIGRATE KEYS option/)
  await ask('MULTI')
  await refused('key', 0, 20_000)
  expect(await ask('EXEC')).toBe('*1\r\n-ERR MIGRATE is not possible in transactions and scripts\r\n')
})
