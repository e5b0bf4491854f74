import { connect as connectSocket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { sleep } from '../helpers/servers.ts'
import { ask, connect, describeClient, eventually, listClients, OK, useServer } from './support.ts'

const MB = 1024 * 1024

const isGone = async (admin: RawClient, id: string | undefined): Promise<boolean> =>
  (await listClients(admin)).every((fields) => fields['id'] !== id)

describe('client-output-buffer-limit', () => {
  const server = useServer()
  const limit = (admin: RawClient, value: string) =>
    ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', `normal ${value}`)
  const isBehind = async (admin: RawClient, id: string | undefined): Promise<boolean> =>
    Number((await listClients(admin)).find((each) => each['id'] === id)?.['omem']) > MB

  test('closes a client for one reply over the hard limit, and says so in the log', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    await ask(admin, 'SET', 'large', Buffer.alloc(200_000))
    const { id } = await describeClient(client)
    expect(await limit(admin, '100000 0 0')).toBe(OK)
    client.send(encode('GET', 'large'))
    await client.closed
    expect(client.takeUnclaimed()).toEqual([])
    expect(await isGone(admin, id)).toBe(true)
    await server().waitForLog(
      new RegExp(`Client id=${id} .* scheduled to be closed ASAP for overcoming of output buffer limits\\.`),
    )
    await limit(admin, '0 0 0')
  })

  test('counts the replies of a pipeline together, executes all of it, and sends none', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    await ask(admin, 'SET', 'item', Buffer.alloc(10_000))
    await limit(admin, '100000 0 0')
    const commands = Array.from({ length: 15 }, (_, index) => [encode('GET', 'item'), encode('SET', `p${index}`, '1')])
    client.send(Buffer.concat(commands.flat()))
    await client.closed
    expect(client.received).toBe(0)
    expect(await ask(admin, 'EXISTS', 'p0', 'p14')).toBe(':2\r\n')
    await limit(admin, '0 0 0')
  })

  test('lets pass what 16 KB hold', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    await ask(admin, 'SET', 'small', Buffer.alloc(10_000))
    await limit(admin, '1000 0 0')
    expect(await ask(client, 'GET', 'small')).toHaveLength(10_000 + '$10000\r\n\r\n'.length)
    await limit(admin, '0 0 0')
  })

  test('stops a reply of many megabytes as soon as it is over the limit', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    await ask(admin, 'SET', 'item', Buffer.alloc(MB))
    await limit(admin, '4mb 0 0')
    client.send(encode('MGET', ...Array.from({ length: 2000 }, () => 'item')))
    await client.closed
    expect(client.received).toBe(0)
    await limit(admin, '0 0 0')
  })

  test('closes a client that does not read, at the hard limit', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    await ask(admin, 'SET', 'item', Buffer.alloc(MB))
    await limit(admin, '16mb 0 0')
    const { id } = await describeClient(client)
    client.pause()
    for (let sent = 0; sent < 64 && !(await isGone(admin, id)); sent++) client.send(encode('GET', 'item'))
    await eventually(() => isGone(admin, id))
    await limit(admin, '0 0 0')
  })

  test('closes a client that is over the soft limit for too long, though nothing more is written', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    await ask(admin, 'SET', 'huge', Buffer.alloc(32 * MB))
    const { id } = await describeClient(client)
    client.pause()
    client.send(encode('GET', 'huge'))
    await eventually(() => isBehind(admin, id))
    await limit(admin, '0 1mb 3')
    expect(await isGone(admin, id)).toBe(false)
    await eventually(() => isGone(admin, id))
    await limit(admin, '0 0 0')
  })

  test('forgives a client that reads in time', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    const { id } = await describeClient(client)
    client.pause()
    client.send(encode('GET', 'huge'))
    await eventually(() => isBehind(admin, id))
    await limit(admin, '0 1mb 60')
    await sleep(200) // it is seen to be over the limit
    client.resume()
    expect(await client.reply()).toHaveLength(32 * MB + '$33554432\r\n\r\n'.length)
    await limit(admin, '0 1mb 1')
    await sleep(2500)
    expect(await ask(client, 'PING')).toBe('+PONG\r\n')
    await limit(admin, '0 0 0')
  })
})

describe('limits on clients', () => {
  const server = useServer({ args: ['--loglevel', 'debug'] })

  test('a request may be no longer than client-query-buffer-limit', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    expect(await ask(admin, 'CONFIG', 'SET', 'client-query-buffer-limit', '2mb')).toBe(OK)
    const { id } = await describeClient(client)
    client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${4 * MB}\r\n`)
    client.send(Buffer.alloc(3 * MB))
    await client.closed
    expect(client.received).toBeLessThan(1000)
    await server().waitForLog(
      new RegExp(
        `Closing client that reached max query buffer length: id=${id} .* ` +
          String.raw`\(qbuf initial bytes: \\"\*3\\\\r\\\\n\$3\\\\r\\\\nSET`,
      ),
    )
    await ask(admin, 'CONFIG', 'SET', 'client-query-buffer-limit', '1gb')
  })

  test('its arguments that have come whole do not count against client-query-buffer-limit', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    expect(await ask(admin, 'CONFIG', 'SET', 'client-query-buffer-limit', '1mb')).toBe(OK)
    const value = Buffer.alloc(900_000)
    expect(await ask(client, 'MSET', 'a', value, 'b', value, 'c', value, 'd', value)).toBe(OK)
    await ask(admin, 'CONFIG', 'SET', 'client-query-buffer-limit', '1gb')
  })

  test('idle clients are closed after `timeout` seconds, busy ones are not', async () => {
    const [admin, idle, monitor] = [await connect(server()), await connect(server()), await connect(server())]
    await ask(monitor, 'MONITOR')
    await ask(idle, 'PING')
    expect(await ask(admin, 'CONFIG', 'SET', 'timeout', '3')).toBe(OK)
    const beat = setInterval(() => admin.command('ECHO', 'busy').catch(() => undefined), 200)
    await idle.closed
    clearInterval(beat)
    expect(await ask(admin, 'CONFIG', 'SET', 'timeout', '0')).toBe(OK)
    await server().waitForLog(/Closing idle client/)
    monitor.takeUnclaimed()
    expect(await ask(monitor, 'PING')).toBe('+PONG\r\n')
  })

  test('no more than maxclients are let in', async () => {
    const admin = await connect(server())
    await eventually(async () => (await listClients(admin)).length === 1, 'the end of earlier ones')
    const count = 1
    expect(await ask(admin, 'CONFIG', 'SET', 'maxclients', count + 2)).toBe(OK)
    const [first, second] = [await connect(server()), await connect(server())]
    expect(await ask(first, 'PING')).toBe('+PONG\r\n')
    const third = connectSocket(server().port, '127.0.0.1')
    const chunks: Buffer[] = []
    for await (const chunk of third) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).toString()).toBe('-ERR max number of clients reached\r\n')
    await second.close()
    await eventually(async () => (await listClients(admin)).length === count + 1)
    expect(await ask(await connect(server()), 'PING')).toBe('+PONG\r\n')
    expect(await ask(admin, 'CONFIG', 'SET', 'maxclients', '10000')).toBe(OK)
  })

  test('who is turned away is not served, whatever it sends', async () => {
    const admin = await connect(server())
    await eventually(async () => (await listClients(admin)).length === 1, 'the end of earlier ones')
    const count = 1
    await ask(admin, 'CONFIG', 'SET', 'maxclients', count)
    const socket = connectSocket(server().port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(Buffer.concat([encode('SET', 'turned-away', '1'), encode('PING')]))
    let text = ''
    socket.on('data', (chunk) => (text += String(chunk)))
    await new Promise((resolve) => socket.once('close', resolve))
    expect(['', '-ERR max number of clients reached\r\n']).toContain(text)
    expect(await ask(admin, 'EXISTS', 'turned-away')).toBe(':0\r\n')
    await ask(admin, 'CONFIG', 'SET', 'maxclients', '10000')
  })

  test('a protocol error is logged with the client and a sample of what it sent', async () => {
    const client = await connect(server())
    const { id } = await describeClient(client)
    client.send('*1\r\n$4\r\nPING\r\n*1\r\nx\x01y\r\n')
    expect((await client.replies(2)).map(String)).toEqual([
      '+PONG\r\n',
      "-ERR Protocol error: expected '$', got 'x'\r\n",
    ])
    await client.closed
    await server().waitForLog(
      new RegExp(
        `Protocol error \\(expected '\\$', got 'x'\\) from client: id=${id} .* ` +
          String.raw`Query buffer during protocol error: '\*1\.\.x\.y\.\.'`,
      ),
    )
  })
})
