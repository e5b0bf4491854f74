import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encode, type RawClient } from './raw-client.ts'
import { freePort, redisAvailable, startRedis, type TestServer } from './servers.ts'

describe.skipIf(!redisAvailable())('a real redis-server under the helpers', () => {
  let server: TestServer
  let client: RawClient

  beforeAll(async () => {
    server = await startRedis({ args: ['--maxmemory', '7mb'] })
    client = await server.connect()
  })

  afterAll(async () => {
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    await client.closed
    expect(existsSync(server.dir)).toBe(false)
  })

  test('answers in raw bytes, in RESP2 and RESP3', async () => {
    expect(String(await client.command('SET', 'key', Buffer.from([0, 13, 10, 255])))).toBe('+OK\r\n')
    expect((await client.command('GET', 'key')).toString('latin1')).toBe('$4\r\n\0\r\n\xff\r\n')
    expect(String(await client.command('HELLO', 3))).toMatch(/^%7\r\n\$6\r\nserver\r\n\$5\r\nredis\r\n/)
    expect(String(await client.command('CONFIG', 'GET', 'maxmemory'))).toBe(
      '%1\r\n$9\r\nmaxmemory\r\n$7\r\n7340032\r\n',
    )
    expect(String(await client.command('GET', 'absent'))).toBe('_\r\n')
  })

  test('gets requests cut where the test says, and its replies in order', async () => {
    client.send('*1\r\n$4\r\nPI')
    client.send(Buffer.concat([latin1('NG\r\n'), encode('ECHO', 'x'), latin1('INLINE\r\n')]))
    const replies = await client.replies(3)
    expect(replies.map(String).slice(0, 2)).toEqual(['+PONG\r\n', '$1\r\nx\r\n'])
    expect(String(replies[2])).toMatch(/^-ERR unknown command 'INLINE'/)
  })

  test('tells of a connection that it closed', async () => {
    const other = await server.connect()
    other.send('*1\r\n$x\r\n')
    expect(String(await other.reply())).toBe('-ERR Protocol error: invalid bulk length\r\n')
    await other.closed
    await expect(other.reply()).rejects.toThrow('closed the connection')
  })

  test('says why it did not start', async () => {
    await expect(startRedis({ args: ['--nonsense', 'yes'] })).rejects.toThrow(/Bad directive/)
    await expect(startRedis({ port: server.port })).rejects.toThrow(/Address already in use/)
  })

  test('reads a configuration file, and is ready though its log does not say so', async () => {
    const config = 'requirepass secret\nloglevel warning\n'
    const second = await startRedis({ config, port: await freePort() })
    const stranger = await second.connect()
    expect(String(await stranger.command('GET', 'x'))).toMatch(/^-NOAUTH/)
    expect(String(await stranger.command('AUTH', 'secret'))).toBe('+OK\r\n')
    expect(await second.stop('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' })
  })
})

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
