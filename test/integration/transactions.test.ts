/* Transactions as clients meet them: what they cost and show, and what happens when a client goes. */
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { ask, body, connect, describeClient, eventually, listClients, OK, useServer } from './support.ts'

const QUEUED = '+QUEUED\r\n'

describe('a transaction', () => {
  const server = useServer()

  test('is shown by CLIENT LIST while it is queued', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    const { id } = await describeClient(client)
    expect(await describeClient(client)).toMatchObject({ flags: 'N', multi: '-1', 'multi-mem': '0' })
    await ask(client, 'WATCH', 'k')
    expect(await ask(other, 'INFO', 'clients')).toMatch(/watching_clients:1\r\n.*total_watched_keys:1\r\n/s)
    await ask(client, 'WATCH', 'k', 'l')
    await ask(client, 'MULTI')
    await ask(client, 'SET', 'k', 'x'.repeat(100_000))
    await ask(client, 'GET', 'k')
    const line = (await listClients(other)).find((fields) => fields['id'] === id)!
    expect(line).toMatchObject({ flags: 'x', multi: '2', watch: '2' })
    expect(Number(line['multi-mem'])).toBe(100_004 + 4 + 5 * 8)
    expect(Number(line['tot-mem'])).toBeGreaterThan(100_000)
    await ask(other, 'SET', 'k', '1')
    expect((await listClients(other)).find((fields) => fields['id'] === id)!['flags']).toBe('xd')
    expect(await ask(client, 'EXEC')).toBe('*-1\r\n')
    expect(await describeClient(client)).toMatchObject({ flags: 'N', multi: '-1', watch: '0', 'multi-mem': '0' })
  })

  test('pipelined in one write is answered in order', async () => {
    const client = await connect(server())
    const requests: Buffer[] = []
    for (let round = 0; round < 40; round++) {
      requests.push(encode('MULTI'))
      for (let at = 0; at < 10; at++) requests.push(encode('SET', `key:${round}:${at}`, `${at}`))
      requests.push(encode('GET', `key:${round}:3`), encode('EXEC'))
    }
    client.send(Buffer.concat(requests))
    for (let round = 0; round < 40; round++) {
      const replies = (await client.replies(13)).map(String)
      expect(replies).toEqual([OK, ...Array(11).fill(QUEUED), `*11\r\n${OK.repeat(10)}$1\r\n3\r\n`])
    }
  })

  test('keeps what was queued while others are read from', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    const set = (at: number) => encode('SET', `kept:${at}`, `${at}`.repeat(100))
    client.send(Buffer.concat([encode('MULTI'), set(1), set(2)]))
    expect((await client.replies(3)).map(String)).toEqual([OK, QUEUED, QUEUED])
    other.send(Buffer.concat(Array(20).fill(encode('ECHO', '#'.repeat(40)))))
    await other.replies(20)
    client.send(Buffer.concat([set(3), set(4), encode('MGET', 'kept:1', 'kept:2', 'kept:3', 'kept:4'), encode('EXEC')]))
    const values = [1, 2, 3, 4].map((at) => `$100\r\n${`${at}`.repeat(100)}\r\n`).join('')
    expect(String((await client.replies(4))[3])).toBe(`*5\r\n${OK.repeat(4)}*4\r\n${values}`)
  })

  test('cut anywhere is the same', async () => {
    const client = await connect(server())
    const bytes = Buffer.concat([encode('MULTI'), encode('SET', 'cut', 'v'.repeat(50)), encode('EXEC')])
    for (let cut = 1; cut < bytes.length; cut += 7) {
      client.send(bytes.subarray(0, cut))
      await new Promise((resolve) => setImmediate(resolve))
      client.send(bytes.subarray(cut))
      expect((await client.replies(3)).map(String)).toEqual([OK, QUEUED, `*1\r\n${OK}`])
    }
  })

  test('goes with its client, watched keys too', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    const { id } = await describeClient(client)
    await ask(client, 'WATCH', 'gone')
    await ask(client, 'MULTI')
    await ask(client, 'SET', 'gone', '1')
    await client.close()
    await eventually(async () => (await listClients(other)).every((fields) => fields['id'] !== id))
    expect(await ask(other, 'SET', 'gone', '2')).toBe(OK)
    expect(await ask(other, 'GET', 'gone')).toBe('$1\r\n2\r\n')
  })

  test('whose client is killed in between does nothing', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    const { id } = await describeClient(client)
    await ask(client, 'MULTI')
    await ask(client, 'SET', 'killed', '1')
    expect(await ask(other, 'CLIENT', 'KILL', 'ID', id!)).toBe(':1\r\n')
    await client.closed
    expect(await ask(other, 'EXISTS', 'killed')).toBe(':0\r\n')
  })

  test('in which the client kills itself is run to its end and answered', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    const { id } = await describeClient(client)
    await ask(client, 'MULTI')
    await ask(client, 'CLIENT', 'KILL', 'ID', id!, 'SKIPME', 'no')
    await ask(client, 'SET', 'after', '1')
    expect(await ask(client, 'EXEC')).toBe(`*2\r\n:1\r\n${OK}`)
    await client.closed
    expect(await ask(other, 'GET', 'after')).toBe('$1\r\n1\r\n')
  })

  test('fails when a watched key has run out of time and been taken away', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(other, 'FLUSHALL')
    client.send(Buffer.concat([encode('SET', 'k', '1', 'PX', '100'), encode('WATCH', 'k')])) // it is there when watched
    await client.replies(2)
    await eventually(async () => (await ask(other, 'DBSIZE')) === ':0\r\n')
    await ask(client, 'MULTI')
    await ask(client, 'PING')
    expect(await ask(client, 'EXEC')).toBe('*-1\r\n')
  })

  test('fails when a watched key has been evicted', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(other, 'FLUSHALL')
    await ask(client, 'SET', 'k', '1', 'EX', '1000')
    await ask(client, 'WATCH', 'k')
    const used = /used_memory:(\d+)/.exec(body(await ask(other, 'INFO', 'memory')))![1]
    await ask(other, 'CONFIG', 'SET', 'maxmemory-policy', 'volatile-random', 'maxmemory', String(Number(used) + 50_000))
    await ask(other, 'SETRANGE', 'big', '300000', 'x')
    await ask(other, 'GET', 'big')
    expect(await ask(other, 'EXISTS', 'k')).toBe(':0\r\n')
    await ask(other, 'CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
    await ask(client, 'MULTI')
    await ask(client, 'PING')
    expect(await ask(client, 'EXEC')).toBe('*-1\r\n')
  })

  test('that queues more than the query buffer may hold closes the connection, and nothing of it runs', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(other, 'CONFIG', 'SET', 'client-query-buffer-limit', '1mb')
    onTestFinished(async () => {
      const restore = await server().connect()
      await restore.command('CONFIG', 'SET', 'client-query-buffer-limit', '1gb')
      await restore.close()
    })
    const set = encode('SET', 'flood', 'x'.repeat(10_000))
    client.send(Buffer.concat([encode('MULTI'), ...Array<Buffer>(200).fill(set), encode('EXEC'), set]))
    await client.closed
    expect(await ask(other, 'EXISTS', 'flood')).toBe(':0\r\n')
  })

  test('is held back by a pause of writes only if it writes', async () => {
    const [reader, writer, other] = [await connect(server()), await connect(server()), await connect(server())]
    await ask(reader, 'MULTI')
    await ask(reader, 'GET', 'k')
    await ask(writer, 'MULTI')
    await ask(writer, 'SET', 'paused', '1')
    await ask(other, 'CLIENT', 'PAUSE', '100000', 'WRITE')
    expect(await ask(reader, 'EXEC')).toMatch(/^\*1\r\n/)
    const answer = writer.command('EXEC')
    await eventually(async () => /blocked_clients:1\r/.test(body(await ask(other, 'INFO', 'clients'))))
    expect(await ask(other, 'GET', 'paused')).toBe('$-1\r\n')
    await ask(other, 'CLIENT', 'UNPAUSE')
    expect(String(await answer)).toBe(`*1\r\n${OK}`)
  })

  test.each([
    ['EVAL', '#!lua flags=no-writes\nreturn 1', false],
    ['EVAL', '#!lua\nreturn 1', true],
    ['EVAL', 'return 1', true],
    ['EVAL_RO', 'return 1', false],
  ] as const)('of %s %j is held back by a pause of writes if the script may write', async (name, script, isHeld) => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(client, 'MULTI')
    await ask(client, name, script, '0')
    await ask(other, 'CLIENT', 'PAUSE', '100000', 'WRITE')
    const answer = client.command('EXEC')
    if (isHeld) await eventually(async () => /blocked_clients:1\r/.test(body(await ask(other, 'INFO', 'clients'))))
    else expect(String(await answer)).toBe('*1\r\n:1\r\n')
    await ask(other, 'CLIENT', 'UNPAUSE')
    expect(String(await answer)).toBe('*1\r\n:1\r\n')
  })

  test('that pauses is not paused itself', async () => {
    const client = await connect(server())
    await ask(client, 'MULTI')
    await ask(client, 'CLIENT', 'PAUSE', '100000', 'ALL')
    await ask(client, 'SET', 'inside', '1')
    await ask(client, 'CLIENT', 'UNPAUSE')
    expect(await ask(client, 'EXEC')).toBe(`*3\r\n${OK}${OK}${OK}`)
  })
})

describe('a client that is closed for its output in the midst of its EXEC', () => {
  const server = useServer()
  const FLOOD = "for i = 1, 40 do redis.call('PUBLISH', 'ch', string.rep('x', 1000000)) end"

  test('has each of its commands run once', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(client, 'HELLO', '3')
    await ask(client, 'SUBSCRIBE', 'ch')
    await ask(client, 'MULTI')
    const queued = [
      ['INCR', 'first'],
      ['EVAL', FLOOD, '0'],
      ['INCR', 'second'],
      ['SUBSCRIBE', 'more'],
      ['INCR', 'last'],
    ]
    for (const args of queued) await ask(client, ...args)
    client.send(encode('EXEC'))
    await client.closed
    expect(await ask(other, 'MGET', 'first', 'second', 'last')).toBe('*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n')
    expect(await ask(other, 'PUBSUB', 'CHANNELS')).toBe('*0\r\n')
    await ask(other, 'MULTI')
    await ask(other, 'PING')
    expect(await ask(other, 'EXEC')).toBe('*1\r\n+PONG\r\n')
  })
})

describe('ioredis', () => {
  const server = useServer()

  function newRedis(): Redis {
    const redis = new Redis(server().port)
    onTestFinished(() => redis.disconnect())
    return redis
  }

  test('runs multi, pipelined and not', async () => {
    const redis = newRedis()
    expect(await redis.multi().set('a', '1').incr('a').hset('h', 'f', 'v').hgetall('h').get('none').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, 1],
      [null, { f: 'v' }],
      [null, null],
    ])
    await redis.multi({ pipeline: false })
    await redis.set('a', '5')
    await redis.lpush('a', 'x')
    const results = (await redis.exec())!
    expect(results[0]).toEqual([null, 'OK'])
    expect(results[1]![0]).toMatchObject({ message: expect.stringMatching(/^WRONGTYPE/) })
  })

  test('is told that a watched key has changed', async () => {
    const [redis, other] = [newRedis(), newRedis()]
    await redis.set('balance', 10)
    await redis.watch('balance')
    await other.set('balance', 0)
    expect(await redis.multi().decr('balance').exec()).toBeNull()
    await redis.watch('balance')
    expect(await redis.multi().decr('balance').exec()).toEqual([[null, -1]])
  })

  test('loses no increment when many retry', async () => {
    const clients = Array.from({ length: 8 }, newRedis)
    const increments = async (redis: Redis): Promise<void> => {
      for (let done = 0; done < 20; ) {
        await redis.watch('counter')
        const value = Number((await redis.get('counter')) ?? 0)
        if (
          (await redis
            .multi()
            .set('counter', value + 1)
            .exec()) !== null
        )
          done++
      }
    }
    await Promise.all(clients.map(increments))
    expect(await clients[0]!.get('counter')).toBe('160')
  })

  test('gets an error for what was refused, and for the whole', async () => {
    const redis = newRedis()
    await expect(redis.multi().set('a', '1').call('NOSUCH').exec()).rejects.toThrow(/EXECABORT/)
  })
})
