/* Ten thousand clients that wait for keys, as many as open files allow: served in order, forgotten when they go, told
 * when their time is out; and what they took comes back. */
import { expect, onTestFinished, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { sleep, startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, body, connect, OK, openFilesAllowed } from './support.ts'

const WANTED = 10_000
/** Those whose order of arrival is made sure of, one by one. */
const IN_ORDER = 200
/** What ten thousand waiting clients need, and not what three times as many need. */
const HEAP_MB = 80
const LONG = 'x'.repeat(1000)

const allowed = openFilesAllowed()
const count = Math.min(WANTED, allowed - 200)
if (count < WANTED) console.warn(`ONLY ${count} CLIENTS WAIT AT ONCE IN THE TEST: ulimit -n is ${allowed}`)

async function figure(admin: RawClient, name: string): Promise<number> {
  const text = body(await ask(admin, 'INFO', name === 'used_memory' ? 'memory' : 'clients'))
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)![1])
}

/** Waits until a figure is as given: longer than `eventually`, which is for less than ten thousand. */
async function comes(admin: RawClient, name: string, value: number): Promise<void> {
  while ((await figure(admin, name)) !== value) await sleep(10)
}

async function crowd(server: TestServer, size: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  while (clients.length < size) {
    const more = Math.min(200, size - clients.length)
    clients.push(...(await Promise.all(Array.from({ length: more }, () => server.connect()))))
  }
  return clients
}

const elementOf = async (client: RawClient) => String(await client.reply()).split('\r\n')[4]

test(`${count} clients wait for keys of their own and for the same ones`, async () => {
  const server = await startCinnabar({ args: ['--maxclients', String(count + 1), '--tcp-backlog', '4096'] })
  onTestFinished(async () => void (await server.stop()))
  const admin = await connect(server)
  const clients = await crowd(server, count)
  const quarter = count >> 2
  const gone = clients.slice(0, quarter)
  const inOrder = clients.slice(quarter, quarter + IN_ORDER)
  const shared = clients.slice(quarter + IN_ORDER, 3 * quarter)
  const late = clients.slice(3 * quarter)

  for (const [number, client] of gone.entries()) client.send(encode('BLPOP', `gone:${number}`, 'fair', 0))
  await comes(admin, 'blocked_clients', gone.length)
  for (const [number, client] of inOrder.entries()) {
    client.send(encode('BLPOP', 'fair', 0))
    await comes(admin, 'blocked_clients', gone.length + number + 1)
  }
  for (const [number, client] of shared.entries()) client.send(encode('BLPOP', `own:${number}`, 'common', 1000))
  await comes(admin, 'blocked_clients', gone.length + inOrder.length + shared.length)
  expect(await figure(admin, 'total_blocking_keys')).toBe(gone.length + shared.length + 2)
  expect(await figure(admin, 'clients_in_timeout_table')).toBe(shared.length)
  expect(await ask(admin, 'SET', 'meanwhile', 'x')).toBe(OK)

  // Their time runs out, and nobody else's.
  for (const [number, client] of late.entries()) client.send(encode('BLPOP', `late:${number}`, 'fair', '0.1'))
  const told = await Promise.all(late.map(async (client) => String(await client.reply())))
  expect(new Set(told)).toEqual(new Set(['*-1\r\n']))
  expect(await figure(admin, 'clients_in_timeout_table')).toBe(shared.length)

  // The first in the queue go, and take nothing with them.
  for (const client of gone) client.socket.destroy()
  await comes(admin, 'blocked_clients', inOrder.length + shared.length)
  const numbers = Array.from(inOrder.keys(), String)
  await ask(admin, 'RPUSH', 'fair', ...numbers.slice(0, 50))
  for (const number of numbers.slice(50)) await ask(admin, 'RPUSH', 'fair', number)
  expect(await Promise.all(inOrder.map(elementOf))).toEqual(numbers)

  await ask(admin, 'RPUSH', 'own:7', 'x')
  expect(await elementOf(shared[7]!)).toBe('x')
  const others = shared.filter((_, number) => number !== 7)
  await ask(admin, 'RPUSH', 'common', ...others.keys())
  expect(new Set(await Promise.all(others.map(elementOf)))).toEqual(new Set(Array.from(others.keys(), String)))
  for (const name of ['blocked_clients', 'total_blocking_keys', 'clients_in_timeout_table']) {
    expect(await figure(admin, name), name).toBe(0)
  }
  expect(await ask(admin, 'DBSIZE')).toBe(':1\r\n')
  for (const client of clients) client.socket.destroy()
  await comes(admin, 'connected_clients', 1)
})

/* A waiter that stayed when its client has gone would keep more than its key's name: the heap could not hold those of
 * three rounds, and the server would end. */
test(`what ${count} waiting clients take comes back when they go`, async () => {
  const server = await startCinnabar({
    args: ['--maxclients', String(count + 1), '--tcp-backlog', '4096'],
    env: { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` },
  })
  onTestFinished(async () => void (await server.stop()))
  const admin = await connect(server)
  const used: number[] = []
  for (let round = 0; round < 3; round++) {
    const clients = await crowd(server, count)
    for (const [number, client] of clients.entries())
      client.send(encode('BLPOP', `${LONG}${round}:${number}`, 'all', 0))
    await comes(admin, 'blocked_clients', count)
    for (const client of clients) client.socket.destroy()
    await comes(admin, 'connected_clients', 1)
    expect(await figure(admin, 'total_blocking_keys')).toBe(0)
    used.push(await figure(admin, 'used_memory'))
  }
  expect(used[2]! - used[0]!).toBeLessThan(64 * 1024) // buffers stay in their pools, but are not more each time
  expect(await ask(admin, 'RPUSH', 'all', 'x')).toBe(':1\r\n')
})
