import { describe, expect, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { ask, body, connect, describeClient, eventually, listClients, OK, useServer } from './support.ts'

const MB = 1024 * 1024

async function info(client: RawClient, field: string): Promise<number> {
  const text = body(await ask(client, 'INFO', 'everything'))
  return Number(new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1])
}

/** Sends part of a request of so many bytes. */
async function begin(client: RawClient, size: number): Promise<string> {
  const { id } = await describeClient(client)
  client.send(`*2\r\n$${size}\r\n${'x'.repeat(size - 1)}`)
  return id!
}

const isThere = async (admin: RawClient, id: string): Promise<boolean> =>
  (await listClients(admin)).some((fields) => fields['id'] === id)

describe('maxmemory-clients', () => {
  const server = useServer()

  test('closes the largest client, and no more than must go', async () => {
    const [admin, large, small] = [await connect(server()), await connect(server()), await connect(server())]
    const ids = [await begin(large, 2 * MB), await begin(small, MB)]
    await eventually(async () => (await info(admin, 'mem_clients_normal')) > 3 * MB)
    expect(await ask(admin, 'CONFIG', 'SET', 'maxmemory-clients', '2mb')).toBe(OK)
    await large.closed
    expect([await isThere(admin, ids[0]!), await isThere(admin, ids[1]!)]).toEqual([false, true])
    expect(await info(admin, 'evicted_clients')).toBe(1)
    await server().waitForLog(/Evicting client: id=\d+ .* tot-mem=2\d{6}/)
    await ask(admin, 'CONFIG', 'RESETSTAT')
    expect(await info(admin, 'evicted_clients')).toBe(0)
    await ask(admin, 'CONFIG', 'SET', 'maxmemory-clients', '0')
  })

  test('spares those with CLIENT NO-EVICT, though they count', async () => {
    const [admin, spared, other] = [await connect(server()), await connect(server()), await connect(server())]
    expect(await ask(spared, 'CLIENT', 'NO-EVICT', 'ON')).toBe(OK)
    expect(await ask(admin, 'CLIENT', 'NO-EVICT', 'ON')).toBe(OK)
    const ids = [await begin(spared, 2 * MB), await begin(other, MB)]
    await eventually(async () => (await info(admin, 'mem_clients_normal')) > 3 * MB)
    await ask(admin, 'CONFIG', 'SET', 'maxmemory-clients', '1mb')
    await other.closed
    expect(await isThere(admin, ids[0]!)).toBe(true)
    await ask(admin, 'CONFIG', 'SET', 'maxmemory-clients', '0')
  })

  test('counts replies that a client does not read, and queued commands', async () => {
    const [admin, reader, queuer] = [await connect(server()), await connect(server()), await connect(server())]
    await ask(admin, 'CLIENT', 'NO-EVICT', 'ON')
    await ask(admin, 'SETRANGE', 'big', String(MB), 'x')
    await ask(admin, 'CONFIG', 'RESETSTAT')
    await ask(admin, 'CONFIG', 'SET', 'maxmemory-clients', '3mb')
    reader.pause()
    for (let count = 0; count < 100; count++) reader.send(encode('GET', 'big'))
    await eventually(async () => (await info(admin, 'evicted_clients')) === 1)
    await ask(queuer, 'MULTI')
    for (let count = 0; count < 6; count++) queuer.send(encode('SET', 'key', 'x'.repeat(MB)))
    await queuer.closed
    expect(await info(admin, 'evicted_clients')).toBe(2)
    await eventually(async () => (await info(admin, 'mem_clients_normal')) < 100_000)
    await ask(admin, 'CONFIG', 'SET', 'maxmemory-clients', '0')
  })

  test('used_memory comes back when a client has gone or is idle', async () => {
    const [admin, other] = [await connect(server()), await connect(server())]
    const before = await info(admin, 'used_memory')
    // (The buffer of a longer one is not kept.) It is asked in the same turn: idle buffers may go with the next.
    other.send(Buffer.concat([encode('ECHO', 'x'.repeat(MB / 5)), encode('INFO', 'memory')]))
    const [, used] = await other.replies(2)
    expect(Number(/^used_memory:(\d+)/m.exec(String(used))![1])).toBeGreaterThan(before + MB / 5)
    await eventually(async () => (await info(admin, 'used_memory')) < before + 100_000)
    await begin(other, MB)
    await eventually(async () => (await info(admin, 'used_memory')) > before + MB)
    await other.close()
    await eventually(async () => (await info(admin, 'used_memory')) < before + 100_000)
  })
})
