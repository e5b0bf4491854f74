/* Messages over TCP: slow subscribers and many of them, what clients and operators are told, client libraries. What is
 * said byte for byte stands in test/compat/pubsub.test.ts. */
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode, RawClient } from '../helpers/raw-client.ts'
import { sleep } from '../helpers/servers.ts'
import {
  ask,
  body,
  connect,
  describeClient,
  eventually,
  fieldsOf,
  listClients,
  openFilesAllowed,
  useServer,
} from './support.ts'

const MB = 1024 * 1024

const server = useServer()

/** The number after a field's name in INFO. */
async function infoOf(client: RawClient, field: string): Promise<number> {
  const text = await ask(client, 'INFO')
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(text)![1])
}

const message = (channel: string, payload: string): string => encode('message', channel, payload).toString('latin1')

describe('what is told of subscribers', () => {
  test('CLIENT LIST and INFO count subscriptions, and forget those of clients that have gone', async () => {
    const [client, admin] = [await connect(server()), await connect(server())]
    await ask(client, 'HELLO', '3')
    client.send(encode('SUBSCRIBE', 'a', 'b'))
    client.send(encode('PSUBSCRIBE', 'p*'))
    client.send(encode('SSUBSCRIBE', 's'))
    await client.replies(4)
    const line = await describeClient(client)
    expect(line).toMatchObject({ flags: 'P', sub: '2', psub: '1', ssub: '1', resp: '3' })
    expect(await infoOf(admin, 'pubsub_channels')).toBe(2)
    expect(await infoOf(admin, 'pubsub_clients')).toBe(1)
    expect(await infoOf(admin, 'pubsub_patterns')).toBe(1)
    expect(await infoOf(admin, 'pubsubshard_channels')).toBe(1)
    expect(fieldsOf(body(await ask(admin, 'CLIENT', 'LIST', 'TYPE', 'pubsub')))['id']).toBe(line['id'])
    await client.close()
    await eventually(async () => (await infoOf(admin, 'pubsub_channels')) === 0, 'a channel less')
    expect(await ask(admin, 'PUBSUB', 'NUMPAT')).toBe(':0\r\n')
    expect(await ask(admin, 'PUBSUB', 'SHARDCHANNELS')).toBe('*0\r\n')
  })

  test('a client that is closed for what it is told of its own SUBSCRIBE leaves no subscription', async () => {
    const [client, admin] = [await connect(server()), await connect(server())]
    client.send(encode('CLIENT', 'REPLY', 'OFF'))
    const channels = Array.from({ length: 40 }, (_, index) => `${index}:`.padEnd(MB, 'x'))
    client.send(encode('SUBSCRIBE', ...channels))
    await client.closed
    expect(await infoOf(admin, 'pubsub_channels')).toBe(0)
  })

  test('CLIENT KILL TYPE pubsub closes subscribers only', async () => {
    const [subscriber, other, admin] = [await connect(server()), await connect(server()), await connect(server())]
    await subscriber.command('SUBSCRIBE', 'x')
    expect(await ask(admin, 'CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(':1\r\n')
    await subscriber.closed
    expect(await ask(other, 'PING')).toBe('+PONG\r\n')
    expect(await ask(admin, 'PUBLISH', 'x', '1')).toBe(':0\r\n')
  })

  test('RESET and QUIT end subscriptions', async () => {
    const [first, second, admin] = [await connect(server()), await connect(server()), await connect(server())]
    await first.command('SUBSCRIBE', 'x')
    await second.command('PSUBSCRIBE', 'x')
    expect(await ask(admin, 'PUBLISH', 'x', '1')).toBe(':2\r\n')
    first.send(encode('RESET'))
    second.send(encode('QUIT'))
    await second.closed
    await first.replies(2)
    expect(await ask(admin, 'PUBLISH', 'x', '1')).toBe(':0\r\n')
    expect(await describeClient(first)).toMatchObject({ flags: 'N', sub: '0', psub: '0' })
  })
})

describe('slow subscribers', () => {
  test('one that does not read is closed at the hard limit, and the others get everything', async () => {
    const [slow, quick, admin] = [await connect(server()), await connect(server()), await connect(server())]
    await slow.command('SUBSCRIBE', 'big')
    await quick.command('SUBSCRIBE', 'big')
    await ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 4mb 0 0')
    slow.pause()
    const payload = 'x'.repeat(256 * 1024)
    let receivers = ':2\r\n'
    let count = 0
    for (; receivers === ':2\r\n' && count < 1000; count++) receivers = await ask(admin, 'PUBLISH', 'big', payload)
    expect(receivers).toBe(':1\r\n')
    expect(count).toBeGreaterThan(16) // the limit's worth, and what the kernel holds
    for (const reply of await quick.replies(count)) expect(reply.toString('latin1')).toBe(message('big', payload))
    await eventually(async () => (await listClients(admin)).length === 2, 'the end of the slow one')
    await ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60')
  })

  test('some among many are closed while all are written to, and the others get everything in order', async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => connect(server())))
    const admin = await connect(server())
    for (const client of clients) await client.command('SUBSCRIBE', 'many')
    await ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 1mb 0 0')
    // A turn writes to 32: the first, one in its midst, its last, the next turn's first and the very last do not read.
    const slow = new Set([0, 10, 31, 32, 99].map((index) => clients[index]!))
    for (const client of slow) client.pause()
    const texts: string[] = []
    let receivers = 100
    for (let round = 0; receivers > 95 && round < 500; round++) {
      const batch = Array.from({ length: 4 }, (_, index) => `${round}.${index} `.padEnd(60_000 + index, 'x'))
      texts.push(...batch)
      admin.send(Buffer.concat(batch.map((text) => encode('PUBLISH', 'many', text))))
      receivers = Number(String((await admin.replies(4))[3]).slice(1))
      // Else those who read would be behind as well.
      const reading = clients.filter((client) => !slow.has(client))
      for (const client of reading) {
        for (const [index, reply] of (await client.replies(4)).entries()) {
          expect(reply.equals(encode('message', 'many', batch[index]!))).toBe(true)
        }
      }
    }
    expect(receivers).toBe(95)
    await ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60')
    // What the slow ones did get is what was sent first, in order, as far as it goes.
    const sent = Buffer.concat(texts.map((text) => encode('message', 'many', text)))
    for (const client of slow) {
      client.resume()
      await client.closed
      const received = Buffer.concat([...client.takeUnclaimed(), client.rest])
      expect(sent.subarray(0, received.length).equals(received)).toBe(true)
    }
  })

  test('small messages that a client does not read count, and all come in order when it reads again', async () => {
    const [slow, admin] = [await connect(server()), await connect(server())]
    await slow.command('SUBSCRIBE', 'small')
    slow.pause()
    const filling = 'x'.repeat(64 * 1024)
    const waiting = async (): Promise<number> =>
      Number((await listClients(admin)).find(({ flags }) => flags === 'P')!['omem'])
    let count = 0
    for (; (await waiting()) === 0; count++) await ask(admin, 'PUBLISH', 'small', `${count}:${filling}`)
    let omem = -1
    for (let quiet = 0; quiet < 20; quiet++) {
      await sleep(10) // the system may take some more of it yet
      const now = await waiting()
      if (now !== omem) quiet = 0
      omem = now
    }
    const texts = Array.from({ length: 3000 }, (_, index) => `small message ${index}`)
    admin.send(Buffer.concat(texts.map((text) => encode('PUBLISH', 'small', text))))
    await admin.replies(texts.length)
    const size = texts.reduce((sum, text) => sum + message('small', text).length, 0)
    expect((await waiting()) - omem).toBe(size)
    slow.resume()
    await slow.replies(count)
    const received = await slow.replies(texts.length)
    expect(received.map((reply) => reply.toString('latin1'))).toEqual(texts.map((text) => message('small', text)))
  })

  test('one that sends itself too much in one transaction is closed', async () => {
    const [client, admin] = [await connect(server()), await connect(server())]
    await ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 1mb 0 0')
    await ask(client, 'HELLO', '3')
    await client.command('SUBSCRIBE', 'self')
    const publish = encode('PUBLISH', 'self', 'x'.repeat(100_000))
    client.send(Buffer.concat([encode('MULTI'), ...Array.from({ length: 20 }, () => publish), encode('EXEC')]))
    await client.closed
    expect(await ask(admin, 'PUBLISH', 'self', '1')).toBe(':0\r\n')
    await ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60')
  })

  test('megabytes to many that do not read are in memory once', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(server())))
    const admin = await connect(server())
    await Promise.all(clients.map((client) => client.command('SUBSCRIBE', 'huge')))
    for (const client of clients) client.pause()
    const payload = 'x'.repeat(4 * MB)
    const before = await infoOf(admin, 'used_memory_rss')
    for (let count = 0; count < 6; count++) expect(await ask(admin, 'PUBLISH', 'huge', payload)).toBe(':20\r\n')
    const waiting = (await listClients(admin)).reduce((sum, line) => sum + Number(line['omem']), 0)
    const growth = (await infoOf(admin, 'used_memory_rss')) - before
    expect(growth).toBeLessThan(Math.max(waiting / 2, 100 * MB))
    for (const client of clients) client.resume()
    const expected = encode('message', 'huge', payload)
    for (const client of clients) expect((await client.replies(6)).every((reply) => reply.equals(expected))).toBe(true)
  })
})

const CROWD = Math.min(5000, openFilesAllowed() - 200)

test(`${CROWD} subscribers of one channel get every message, in order`, async () => {
  const admin = await connect(server())
  const clients: RawClient[] = []
  for (let index = 0; index < CROWD; index++) {
    const client = await RawClient.connect(server().port)
    client.send(encode(...(index % 2 === 0 ? ['SUBSCRIBE', 'all'] : ['PSUBSCRIBE', 'al?'])))
    clients.push(client)
  }
  await Promise.all(clients.map((client) => client.reply()))
  admin.send(Buffer.concat(['1', '2', '3'].map((text) => encode('PUBLISH', 'all', text))))
  expect((await admin.replies(3)).map(String)).toEqual(Array(3).fill(`:${CROWD}\r\n`))
  for (const [index, client] of clients.entries()) {
    const kind = index % 2 === 0 ? ['message'] : ['pmessage', 'al?']
    const expected = ['1', '2', '3'].map((text) => String(encode(...kind, 'all', text)))
    expect((await client.replies(3)).map(String)).toEqual(expected)
  }
  await Promise.all(clients.map((client) => client.close()))
  await eventually(async () => (await ask(admin, 'PUBLISH', 'all', '4')) === ':0\r\n', 'the subscribers have gone')
})

test('a publisher among many subscribers goes on while they are written to, and nobody misses anything', async () => {
  const clients = await Promise.all(Array.from({ length: 200 }, () => connect(server())))
  const publisher = await connect(server())
  await ask(publisher, 'HELLO', '3')
  for (const client of [...clients, publisher]) client.send(encode('SUBSCRIBE', 'crowd'))
  await Promise.all([...clients, publisher].map((client) => client.reply()))
  const payloads = Array.from({ length: 60 }, (_, index) => `${index} ${'z'.repeat((index * 331) % 3000)}`)
  const own: string[] = []
  for (const payload of payloads) {
    publisher.send(encode('PUBLISH', 'crowd', payload))
    own.push(...(await publisher.replies(2)).map(String))
    publisher.send(encode('ECHO', payload))
    own.push(String(await publisher.reply()))
  }
  const pushed = (payload: string) => message('crowd', payload).replace('*', '>')
  const bulk = (payload: string) => `$${payload.length}\r\n${payload}\r\n`
  expect(own).toEqual(payloads.flatMap((payload) => [':201\r\n', pushed(payload), bulk(payload)]))
  publisher.send(encode('PUBLISH', 'crowd', 'last'))
  await publisher.replies(2)
  await ask(publisher, 'CLIENT', 'KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes')
  for (const client of clients) {
    const received = (await client.replies(payloads.length + 1)).map(String)
    expect(received).toEqual([...payloads, 'last'].map((payload) => message('crowd', payload)))
    await client.closed
  }
})

test('messages of ten channels, patterns and protocols in one turn reach each subscriber in order', async () => {
  const admin = await connect(server())
  const subscribers = []
  for (let index = 0; index < 10; index++) {
    const client = await connect(server())
    if (index % 3 === 0) await ask(client, 'HELLO', '3')
    await client.command('SUBSCRIBE', `c${index}`)
    await client.command('PSUBSCRIBE', index % 2 === 0 ? 'c*' : `c[0-${index}]`)
    subscribers.push(client)
  }
  const sent = Array.from({ length: 400 }, (_, index) => [
    `c${(index * 7) % 10}`,
    `${index} ${'y'.repeat((index * 97) % 9000)}`,
  ])
  admin.send(Buffer.concat(sent.map(([channel, payload]) => encode('PUBLISH', channel!, payload!))))
  await admin.replies(sent.length)
  for (const [index, client] of subscribers.entries()) {
    const first = index % 3 === 0 ? '>' : '*'
    const pattern = index % 2 === 0 ? 'c*' : `c[0-${index}]`
    const expected = sent.flatMap(([channel, payload]) => {
      const number = Number(channel!.slice(1))
      const own = number === index ? [message(channel!, payload!)] : []
      const matched = index % 2 === 0 || number <= index
      return matched ? [...own, String(encode('pmessage', pattern, channel!, payload!))] : own
    })
    const received = (await client.replies(expected.length)).map((reply) => reply.toString('latin1'))
    expect(received).toEqual(expected.map((text) => first + text.slice(1)))
  }
})

describe('ioredis', () => {
  test('subscribes again by itself when its connection is cut', async () => {
    const subscriber = new Redis({ port: server().port, retryStrategy: () => 20 })
    const publisher = new Redis({ port: server().port })
    onTestFinished(() => {
      subscriber.disconnect()
      publisher.disconnect()
    })
    const received: string[] = []
    subscriber.on('message', (channel, text) => received.push(`${channel} ${text}`))
    subscriber.on('pmessage', (pattern, channel, text) => received.push(`${pattern} ${channel} ${text}`))
    subscriber.on('error', () => undefined)
    await subscriber.subscribe('news', 'sport')
    await subscriber.psubscribe('n*')
    expect(await publisher.publish('news', '1')).toBe(2)
    await publisher.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(async () => (await publisher.publish('sport', '2')) === 1, 'the new subscription')
    await eventually(async () => (await publisher.publish('news', '3')) === 2, 'the new subscription to a pattern')
    await eventually(() => received.includes('n* news 3'), 'the message')
    expect(received.filter((text) => !text.startsWith('sport'))).toEqual(
      expect.arrayContaining(['news 1', 'n* news 1', 'news 3', 'n* news 3']),
    )
    await subscriber.unsubscribe('news', 'sport')
    await subscriber.punsubscribe('n*')
    expect(await subscriber.set('key', 'value')).toBe('OK')
  })
})
