import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { sleep } from '../helpers/servers.ts'
import { ask, connect, describeClient, OK, useServer } from './support.ts'

const PONG = '+PONG\r\n'

describe('a connection', () => {
  const server = useServer()

  test('is greeted back', async () => {
    const client = await connect(server())
    expect(await ask(client, 'PING')).toBe(PONG)
    expect(await ask(client, 'PING', '\xff')).toBe('$2\r\n\xc3\xbf\r\n')
    expect(await ask(client, 'ECHO', '')).toBe('$0\r\n\r\n')
    expect(await ask(client, 'PING', 'a', 'b')).toBe("-ERR wrong number of arguments for 'ping' command\r\n")
  })

  test('changes its protocol in the middle of a pipeline', async () => {
    const client = await connect(server())
    client.send(Buffer.concat(['2', '3', '2'].flatMap((version) => [encode('GET', 'x'), encode('HELLO', version)])))
    const replies = (await client.replies(6)).map((reply) => reply.toString('latin1'))
    expect([replies[0], replies[2], replies[4]]).toEqual(['$-1\r\n', '$-1\r\n', '_\r\n'])
    expect(replies[3]).toMatch(/^%7\r\n\$6\r\nserver\r\n\$5\r\nredis\r\n\$7\r\nversion\r\n\$5\r\n7\.2\.4\r\n/)
    expect(replies[5]).toMatch(/^\*14\r\n.*\$5\r\nproto\r\n:2\r\n/s)
  })

  test('refuses a greeting it does not understand, and changes nothing', async () => {
    const client = await connect(server())
    expect(await ask(client, 'HELLO', '4')).toBe('-NOPROTO unsupported protocol version\r\n')
    expect(await ask(client, 'HELLO', 'x')).toBe('-ERR Protocol version is not an integer or out of range\r\n')
    expect(await ask(client, 'HELLO', '3', 'SETNAME')).toBe("-ERR Syntax error in HELLO option 'SETNAME'\r\n")
    expect(await ask(client, 'HELLO', '3', 'SETNAME', 'a b')).toBe(
      '-ERR Client names cannot contain spaces, newlines or special characters.\r\n',
    )
    expect(await ask(client, 'CLIENT', 'GETNAME')).toBe('$-1\r\n')
  })

  test('ends after QUIT, and what was sent behind it is not executed', async () => {
    const client = await connect(server())
    client.send(Buffer.concat([encode('QUIT'), encode('SET', 'after-quit', '1'), encode('PING')]))
    expect(String(await client.reply())).toBe(OK)
    await client.closed
    expect(client.takeUnclaimed()).toEqual([])
    expect(await ask(await connect(server()), 'EXISTS', 'after-quit')).toBe(':0\r\n')
  })

  test('gets all of a large reply before QUIT closes it', async () => {
    const client = await connect(server())
    const value = Buffer.alloc(8 * 1024 * 1024, 'x')
    await client.command('SET', 'large', value)
    client.pause()
    client.send(Buffer.concat([encode('GET', 'large'), encode('QUIT'), encode('PING')]))
    await sleep(100)
    client.send(encode('PING'))
    client.resume()
    const [large, quit] = await client.replies(2)
    expect(large!.length).toBe(value.length + '$8388608\r\n\r\n'.length)
    expect(String(quit)).toBe(OK)
    await client.closed
    expect(client.takeUnclaimed()).toEqual([])
  })

  test('starts over with RESET, but keeps the name of its library', async () => {
    const client = await connect(server())
    await ask(client, 'HELLO', '3', 'SETNAME', 'bob')
    await ask(client, 'CLIENT', 'SETINFO', 'lib-name', 'bobs')
    for (const command of ['NO-EVICT', 'NO-TOUCH']) await ask(client, 'CLIENT', command, 'ON')
    await ask(client, 'SELECT', 3)
    expect(await describeClient(client)).toMatchObject({ name: 'bob', db: '3', resp: '3', flags: 'eT' })
    expect(await ask(client, 'RESET')).toBe('+RESET\r\n')
    expect(await describeClient(client)).toMatchObject({
      name: '',
      db: '0',
      resp: '2',
      flags: 'N',
      'lib-name': 'bobs',
    })
  })

  test('gets its replies again after RESET', async () => {
    const client = await connect(server())
    client.send(Buffer.concat([encode('CLIENT', 'REPLY', 'OFF'), encode('PING'), encode('RESET')]))
    expect(String(await client.reply())).toBe('+RESET\r\n')
  })

  test.each([['POST / HTTP/1.1\r\n'], ['hOsT: 127.0.0.1\r\n'], [encode('post', 'x').toString()]])(
    'is dropped without a word when it speaks HTTP: %j',
    async (request) => {
      const client = await connect(server())
      client.send(`GET x\r\n${request}SET from-http 1\r\n`)
      await client.closed
      expect(client.received).toBe(0)
      expect(await ask(await connect(server()), 'EXISTS', 'from-http')).toBe(':0\r\n')
      await server().waitForLog(/compromise your Redis instance\. Connection from 127\.0\.0\.1:\d+ aborted\./)
      expect(server().log().split('Possible SECURITY ATTACK detected')).toHaveLength(2)
    },
  )
})

describe('a password', () => {
  const server = useServer({ args: ['--requirepass', 'p\xe4ss'] })
  const NO_AUTH = '-NOAUTH Authentication required.\r\n'
  const WRONG = '-WRONGPASS invalid username-password pair or user is disabled.\r\n'
  const password = Buffer.from('p\xe4ss')

  test('is wanted of everybody, but not for greeting and leaving', async () => {
    const client = await connect(server())
    expect(await ask(client, 'PING')).toBe(NO_AUTH)
    expect(await ask(client, 'NOSUCH')).toMatch(/^-ERR unknown command/)
    expect(await ask(client, 'HELLO')).toMatch(/^-NOAUTH HELLO must be called with the client already authenticated/)
    expect(await ask(client, 'RESET')).toBe('+RESET\r\n')
    expect(await ask(client, 'QUIT')).toBe(OK)
  })

  test('must be right, and belongs to the user default', async () => {
    const client = await connect(server())
    expect(await ask(client, 'AUTH', 'wrong')).toBe(WRONG)
    expect(await ask(client, 'AUTH', 'bob', password)).toBe(WRONG)
    expect(await ask(client, 'HELLO', '3', 'AUTH', 'default', 'wrong', 'SETNAME', 'x')).toBe(WRONG)
    expect(await ask(client, 'AUTH', 'default', password, 'more')).toBe('-ERR syntax error\r\n')
    expect(await ask(client, 'PING')).toBe(NO_AUTH)
    expect(await ask(client, 'AUTH', 'default', password)).toBe(OK)
    expect(await describeClient(client)).toMatchObject({ name: '', resp: '2', user: 'default' })
    expect(await ask(client, 'AUTH', 'wrong')).toBe(WRONG)
    expect(await ask(client, 'PING')).toBe(PONG)
  })

  test('frees what follows in the same packet from the limits of strangers', async () => {
    const client = await connect(server())
    const keys = Array.from({ length: 100 }, (_, index) => `k${index}`)
    client.send(Buffer.concat([encode('AUTH', password), encode('DEL', ...keys), encode('ECHO', 'x'.repeat(20_000))]))
    const replies = (await client.replies(3)).map(String)
    expect(replies[0]).toBe(OK)
    expect(replies[1]).toBe(':0\r\n')
    expect(replies[2]).toHaveLength(20_000 + '$20000\r\n\r\n'.length)
  })

  test('does not free what came before it', async () => {
    const client = await connect(server())
    client.send(Buffer.concat([encode('DEL', ...'abcdefghijk'), encode('AUTH', password)]))
    expect(String(await client.reply())).toBe('-ERR Protocol error: unauthenticated multibulk length\r\n')
    await client.closed
  })

  test('can be changed and removed while clients are connected', async () => {
    const admin = await connect(server())
    const stranger = await connect(server())
    await ask(admin, 'AUTH', password)
    expect(await ask(admin, 'CONFIG', 'SET', 'requirepass', '')).toBe(OK)
    expect(await ask(stranger, 'PING')).toBe(PONG)
    expect(await ask(stranger, 'AUTH', 'x')).toMatch(/^-ERR AUTH <password> called without any password configured/)
    const guest = await connect(server())
    expect(await ask(guest, 'PING')).toBe(PONG)
    expect(await ask(admin, 'CONFIG', 'SET', 'requirepass', password)).toBe(OK)
    expect(await ask(guest, 'PING')).toBe(PONG) // came while there was none
    expect(await ask(stranger, 'PING')).toBe(NO_AUTH)
    expect(await ask(guest, 'RESET')).toBe('+RESET\r\n')
    expect(await ask(guest, 'PING')).toBe(NO_AUTH)
  })

  test('is what ioredis and node-redis send when they connect', async () => {
    const text = 'p\xe4ss'
    const io = new Redis({ port: server().port, password: text, connectionName: 'io', lazyConnect: true })
    await io.connect()
    expect(await io.client('GETNAME')).toBe('io')
    await io.quit()
    const node = createClient({
      socket: { port: server().port },
      password: text,
      name: 'node',
      RESP: 3,
    })
    await node.connect()
    expect(await node.clientInfo()).toMatchObject({ name: 'node', resp: 3, libName: 'node-redis' })
    await node.close()
  })
})
