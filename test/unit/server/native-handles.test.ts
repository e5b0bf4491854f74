import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  type Handle,
  HandleLink,
  isLoopback,
  type Link,
  listenTcp,
  listenUnix,
  SocketLink,
  Written,
  write,
} from '../../../src/server/native-handles.ts'

test.each([
  ['127.0.0.1:6379', true],
  ['127.1.2.3:1', true],
  ['[::1]:6379', true],
  ['[::1:2]:6379', false],
  ['12.7.0.1:6379', false],
  ['10.0.0.1:127', false],
  ['', false],
])('protected mode lets everybody in from the loopback interface, and nobody else: %s', (name, expected) => {
  expect(isLoopback(name)).toBe(expected)
})

const UNIX_PATH = join(tmpdir(), `handles-${process.pid}.sock`)
const LONG = 8 * 1024 * 1024

/** What a connection's reader has been told. */
class Told {
  readonly buffer = new Uint8Array(64)
  text = ''
  ends = 0
  losses = 0
  next: Uint8Array | undefined
  onRead = (): void => {}

  received(len: number): Uint8Array | undefined {
    this.text += Buffer.from(this.buffer.subarray(0, len)).toString()
    this.onRead()
    return this.next
  }
  ended(): void {
    this.ends++
  }
  lost(): void {
    this.losses++
  }
}

let server: NetServer | undefined
let client: Socket | undefined
afterEach(() => {
  client?.destroy()
  server?.close()
  rmSync(UNIX_PATH, { force: true })
})

const listeners = {
  TCP: (bare: boolean, accept: (handle: Handle) => void) => listenTcp('127.0.0.1', 0, 16, accept, bare),
  'a Unix socket': (bare: boolean, accept: (handle: Handle) => void) => {
    rmSync(UNIX_PATH, { force: true })
    return listenUnix(UNIX_PATH, 16, accept, bare)
  },
}

const cases = (['TCP', 'a Unix socket'] as const).flatMap((net) => [
  { name: `a bare handle of ${net}`, net, bare: true, Kind: HandleLink },
  { name: `a socket's handle of ${net}`, net, bare: false, Kind: SocketLink },
])

describe.each(cases)('$name', ({ net, bare, Kind }) => {
  /** A connection, seen from both ends. */
  async function open(): Promise<{ handle: Handle; link: Link; told: Told; peer: Socket }> {
    let accepted = (_handle: Handle): void => {}
    const arrival = new Promise<Handle>((resolve) => (accepted = resolve))
    const listening = listeners[net](bare, (handle) => accepted(handle))
    if (typeof listening === 'string') throw new Error(listening)
    server = listening
    const peer = net === 'TCP' ? connect((listening.address() as AddressInfo).port, '127.0.0.1') : connect(UNIX_PATH)
    client = peer
    peer.on('error', () => {})
    const handle = await arrival
    const told = new Told()
    return { handle, link: new Kind(handle, told.buffer, told), told, peer }
  }

  const sent = async (peer: Socket): Promise<string> => {
    const chunks: Buffer[] = []
    peer.on('data', (chunk) => chunks.push(chunk)).resume()
    await new Promise((closed) => peer.once('close', closed)) // after a reset, too
    return Buffer.concat(chunks).toString('latin1')
  }

  test('is read into the buffer given, and into another one as soon as that is answered', async () => {
    const { told, link, peer } = await open()
    const other = new Uint8Array(16)
    told.next = other
    peer.write('first')
    await vi.waitUntil(() => told.text === 'first')
    peer.write('second')
    await vi.waitUntil(() => other[0] !== 0)
    expect(Buffer.from(other.subarray(0, 6)).toString()).toBe('second')
    link.close()
  })

  test('is not read while it is paused', async () => {
    const { told, link, peer } = await open()
    told.onRead = () => link.pause()
    peer.write('x'.repeat(told.buffer.length))
    await vi.waitUntil(() => told.text.length === 64)
    peer.write('rest')
    for (let turn = 0; turn < 20; turn++) await endOfTurn()
    expect(told.text).toHaveLength(64)
    link.resume()
    await vi.waitUntil(() => told.text.endsWith('rest'))
    link.close()
  })

  test('tells the end', async () => {
    const { told, link, peer } = await open()
    peer.end('last words')
    await vi.waitUntil(() => told.ends === 1)
    expect(told.text).toBe('last words')
    link.close()
  })

  test('is closed once, and tells nothing afterwards', async () => {
    const { told, link, peer } = await open()
    const end = sent(peer)
    link.close()
    link.close()
    link.pause()
    link.resume()
    link.closeWhenSent()
    expect(await end).toBe('')
    expect([told.text, told.ends]).toEqual(['', 0])
  })

  test('may be closed by its own read', async () => {
    const { told, link, peer } = await open()
    const end = sent(peer)
    told.onRead = () => link.close()
    peer.write('x'.repeat(1000))
    await end
    expect(told.text).toHaveLength(64)
  })

  test('sends what waits, however much it is, before it is closed', async () => {
    const { handle, told, link, peer } = await open()
    const bytes = randomBytes(LONG)
    const done = vi.fn()
    peer.pause()
    expect(write(handle, bytes, 'context', done)).toBe(Written.LATER)
    link.closeWhenSent()
    link.closeWhenSent()
    expect(told.losses).toBe(0)
    expect((await sent(peer)) === bytes.toString('latin1')).toBe(true)
    await vi.waitUntil(() => told.losses === 1)
    expect(done).toHaveBeenCalledExactlyOnceWith(undefined, 'context')
  })

  test('tells a write that the end of the connection cut off', async () => {
    const { handle, link, peer } = await open()
    const done = vi.fn()
    peer.pause()
    expect(write(handle, randomBytes(LONG), 'context', done)).toBe(Written.LATER)
    link.close()
    await vi.waitUntil(() => done.mock.calls.length > 0)
    expect(done).toHaveBeenCalledExactlyOnceWith('ECANCELED', 'context')
  })
})

test('a connection that was reset is lost', async () => {
  let accepted = (_handle: Handle): void => {}
  const arrival = new Promise<Handle>((resolve) => (accepted = resolve))
  const listening = listenTcp('127.0.0.1', 0, 16, (handle) => accepted(handle))
  if (typeof listening === 'string') throw new Error(listening)
  server = listening
  client = connect((listening.address() as AddressInfo).port, '127.0.0.1')
  const told = new Told()
  const link = new HandleLink(await arrival, told.buffer, told)
  client.resetAndDestroy()
  await vi.waitUntil(() => told.losses === 1)
  expect(told.ends).toBe(0)
  link.close()
})
