/* Clients that wait for keys: many at once, fairly, with timeouts, disconnections, pauses, and what is told of them. */
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { ask, body, connect, describeClient, eventually, listClients, OK, useServer } from './support.ts'

const server = useServer()

function ioredis(): Redis {
  const client = new Redis({ port: server().port, maxRetriesPerRequest: 0 })
  onTestFinished(() => client.disconnect())
  return client
}

/** A field of INFO. */
async function info(client: Redis, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.info('everything'))![1])
}

/** Waits until so many clients are blocked. */
const blocked = (client: Redis, count: number) =>
  eventually(async () => (await info(client, 'blocked_clients')) === count, `${count} blocked clients`)

describe('clients that wait', () => {
  test('are served in the order in which they came, one element each', async () => {
    const pusher = ioredis()
    const waiting: Promise<[string, string] | null>[] = []
    for (let number = 0; number < 20; number++) {
      waiting.push(ioredis().blpop('queue', 0))
      await blocked(pusher, number + 1)
    }
    expect(await info(pusher, 'total_blocking_keys')).toBe(1)
    await pusher.rpush('queue', ...Array.from({ length: 12 }, (_, number) => number))
    expect(await Promise.all(waiting.slice(0, 12))).toEqual(
      Array.from({ length: 12 }, (_, number) => ['queue', String(number)]),
    )
    for (let number = 12; number < 20; number++) await pusher.lpush('queue', number)
    expect((await Promise.all(waiting)).map((reply) => Number(reply![1]))).toEqual([...waiting.keys()])
    expect(await pusher.exists('queue')).toBe(0)
    expect(await info(pusher, 'blocked_clients')).toBe(0)
  })

  test('do not wait for millions of keys', async () => {
    const client = await connect(server())
    client.send(`*1000003\r\n$5\r\nBLPOP\r\n${'$1\r\nk\r\n'.repeat(1_000_001)}$1\r\n0\r\n`)
    expect((await client.reply()).toString()).toBe('*-1\r\n')
  })

  test('workers and producers at once lose and double nothing', async () => {
    const workers = Array.from({ length: 10 }, ioredis)
    const producers = Array.from({ length: 5 }, ioredis)
    const taken: string[] = []
    const end = 'end'
    const work = workers.map(async (worker, number) => {
      for (;;) {
        const [, job] = (await (number % 2 === 0
          ? worker.blpop('jobs:a', 'jobs:b', 0)
          : worker.brpop('jobs:b', 'jobs:a', 0)))!
        if (job === end) return
        taken.push(job)
      }
    })
    await Promise.all(
      producers.map(async (producer, number) => {
        for (let job = 0; job < 300; job++) {
          const push = job % 3 === 0 ? producer.lpush : producer.rpush
          await push.call(producer, job % 2 === 0 ? 'jobs:a' : 'jobs:b', `${number}:${job}`)
        }
      }),
    )
    await eventually(() => taken.length === 1500, 'all jobs')
    for (const _ of workers) await producers[0]!.rpush('jobs:a', end)
    await Promise.all(work)
    expect(new Set(taken).size).toBe(1500)
    expect(await producers[0]!.exists('jobs:a', 'jobs:b')).toBe(0)
  })

  test('an element is handed on through a ring of moves', async () => {
    const rounds = 50
    const names = ['ring:0', 'ring:1', 'ring:2', 'ring:3']
    const movers = names.map(async (name, number) => {
      const client = ioredis()
      const next = names[(number + 1) % names.length]!
      for (let round = 0; round < rounds; round++) {
        expect(await client.blmove(name, next, 'LEFT', 'RIGHT', 0)).toBe('token')
      }
    })
    const client = ioredis()
    await blocked(client, 4)
    await client.rpush('ring:0', 'token')
    await Promise.all(movers)
    expect(await client.lrange('ring:0', 0, -1)).toEqual(['token'])
  })

  test('a pipeline waits where one of its commands does', async () => {
    const client = ioredis()
    const pusher = ioredis()
    const pipeline = client.pipeline().set('before', 1).blpop('pipe', 0).get('before').blpop('pipe', 0).incr('before')
    const done = pipeline.exec()
    await blocked(pusher, 1)
    await pusher.set('before', 5)
    await pusher.rpush('pipe', 'a')
    await blocked(pusher, 1)
    await pusher.rpush('pipe', 'b')
    expect((await done)!.map(([, reply]) => reply)).toEqual(['OK', ['pipe', 'a'], '5', ['pipe', 'b'], 6])
  })
})

describe('the end of a wait', () => {
  test('comes in time, in the order of the times', async () => {
    const ended: number[] = []
    const other = ioredis()
    const waits: Promise<void>[] = []
    // They come one behind the other, and where the later one is to be told first it has most of a second for coming.
    for (const ms of [2000, 100, 1000, 150, 1100]) {
      const client = ioredis()
      await client.ping()
      const start = performance.now()
      const wait = async () => {
        expect(await client.blpop('never', ms / 1000)).toBe(null)
        expect(performance.now() - start).toBeGreaterThanOrEqual(ms)
        ended.push(ms)
      }
      waits.push(wait())
      await other.ping()
    }
    await Promise.all(waits)
    expect(ended).toEqual([100, 150, 1000, 1100, 2000])
    expect(await info(other, 'clients_in_timeout_table')).toBe(0)
  })

  test('may be told by CLIENT UNBLOCK, as a timeout or as an error', async () => {
    const client = ioredis()
    const other = ioredis()
    const id = await client.client('ID')
    const first = client.blpop('never', 0)
    await blocked(other, 1)
    expect(await other.client('UNBLOCK', id)).toBe(1)
    expect(await first).toBe(null)
    const second = expect(client.brpoplpush('never', 'ever', 0)).rejects.toThrow(
      'UNBLOCKED client unblocked via CLIENT UNBLOCK',
    )
    await blocked(other, 1)
    expect(await other.client('UNBLOCK', id, 'ERROR')).toBe(1)
    await second
    expect(await other.client('UNBLOCK', id)).toBe(0)
  })

  test('of a client that has gone takes no element with it', async () => {
    const other = ioredis()
    const gone = ioredis()
    gone.blpop('left', 0).catch(() => {})
    const stays = ioredis()
    await blocked(other, 1)
    const element = stays.blpop('left', 0)
    await blocked(other, 2)
    gone.disconnect()
    await blocked(other, 1)
    await other.rpush('left', 'a')
    expect(await element).toEqual(['left', 'a'])
    const killed = ioredis()
    const id = await killed.client('ID')
    killed.blpop('left', 0).catch(() => {})
    await blocked(other, 1)
    expect(await other.client('KILL', 'ID', id)).toBe(1)
    await blocked(other, 0)
    expect(await other.rpush('left', 'b')).toBe(1)
  })
})

describe('what is told of clients that wait', () => {
  test('flag, count, and statistics that count a command when it has ended', async () => {
    const client = await connect(server())
    const other = await connect(server())
    await ask(other, 'CONFIG', 'RESETSTAT')
    const { id } = await describeClient(client)
    client.send(encode('BLPOP', 'told', 0))
    await eventually(async () => (await listClients(other)).some((line) => line['id'] === id && line['flags'] === 'b'))
    const [line] = (await listClients(other)).filter((each) => each['id'] === id)
    expect(line!['cmd']).toBe('blpop')
    expect(body(await ask(other, 'INFO', 'COMMANDSTATS'))).not.toContain('cmdstat_blpop')
    await ask(other, 'RPUSH', 'told', 'a')
    expect(String(await client.reply())).toBe('*2\r\n$4\r\ntold\r\n$1\r\na\r\n')
    expect(body(await ask(other, 'INFO', 'COMMANDSTATS'))).toMatch(/cmdstat_blpop:calls=1,.*failed_calls=0/)
    client.send(encode('BLPOP', 'told', 0))
    await eventually(async () => (await ask(other, 'CLIENT', 'UNBLOCK', id!, 'ERROR')) === ':1\r\n')
    expect(String(await client.reply())).toMatch(/^-UNBLOCKED/)
    expect(body(await ask(other, 'INFO', 'COMMANDSTATS'))).toMatch(/cmdstat_blpop:calls=2,.*failed_calls=1/)
    expect(body(await ask(other, 'INFO', 'ERRORSTATS'))).toContain('errorstat_UNBLOCKED:count=1')
  })

  test('monitors see a command once, when it came', async () => {
    const monitor = await connect(server())
    expect(await ask(monitor, 'MONITOR')).toBe(OK)
    const client = await connect(server())
    const other = await connect(server())
    client.send(encode('BLPOP', 'seen', 0))
    const lines = [String(await monitor.reply())]
    await ask(other, 'RPUSH', 'seen', 'a')
    await client.reply()
    await ask(other, 'ECHO', 'end')
    while (!lines.at(-1)!.includes('"ECHO"')) lines.push(String(await monitor.reply()))
    expect(lines.map((line) => /"([A-Z]+)"/.exec(line)?.[1])).toEqual(['BLPOP', 'RPUSH', 'ECHO'])
  })
})

describe('a pause', () => {
  test('does not keep the time from running out, and holds back what would serve a client', async () => {
    const client = await connect(server())
    const [other, admin] = [await connect(server()), await connect(server())]
    const isBlocked = async (id: string) =>
      (await listClients(admin)).some((line) => line['id'] === id && line['flags'] === 'b')
    const { id } = await describeClient(client)
    client.send(encode('BLPOP', 'paused', '0.5'))
    await ask(admin, 'CLIENT', 'PAUSE', 600_000, 'WRITE')
    expect(String(await client.reply())).toBe('*-1\r\n')
    await ask(admin, 'CLIENT', 'UNPAUSE')
    client.send(Buffer.concat([encode('BLPOP', 'paused', 0), encode('PING')]))
    await eventually(() => isBlocked(id!))
    await ask(admin, 'CLIENT', 'PAUSE', 600_000, 'WRITE')
    const pusher = (await describeClient(other))['id']!
    other.send(encode('RPUSH', 'paused', 'a'))
    await eventually(() => isBlocked(pusher))
    expect(client.takeUnclaimed()).toEqual([])
    await ask(admin, 'CLIENT', 'UNPAUSE')
    expect((await client.replies(2)).map(String)).toEqual(['*2\r\n$6\r\npaused\r\n$1\r\na\r\n', '+PONG\r\n'])
    expect(String(await other.reply())).toBe(':1\r\n')
  })
})

describe('many clients', () => {
  test('that wait for a key each, and for one in common', async () => {
    const count = 500
    const clients = await Promise.all(Array.from({ length: count }, () => connect(server())))
    const other = ioredis()
    for (const [number, client] of clients.entries()) {
      client.send(encode('BLPOP', `many:${number}`, 'all', number % 2 === 0 ? 0 : 1000))
    }
    await blocked(other, count)
    expect(await info(other, 'total_blocking_keys')).toBe(count + 1)
    expect(await info(other, 'clients_in_timeout_table')).toBe(count / 2)
    await other.rpush('many:7', 'x')
    expect(String(await clients[7]!.reply())).toBe('*2\r\n$6\r\nmany:7\r\n$1\r\nx\r\n')
    await other.rpush('all', ...Array.from({ length: count - 1 }, (_, number) => number))
    await Promise.all(clients.filter((_, number) => number !== 7).map((client) => client.reply()))
    expect(await info(other, 'total_blocking_keys')).toBe(0)
    expect(await other.exists('all')).toBe(0)
  })
})
