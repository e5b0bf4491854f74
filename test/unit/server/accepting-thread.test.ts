import { Server as NetServer, Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { AcceptingThread, type Listening } from '../../../src/server/accepting-thread.ts'
import { handleFor } from '../../../src/server/native-handles.ts'

/** As many as the memory that is shared has room for. */
const ROOM = 1024
const COUNT = ROOM + 300
/** Which word counts what the thread has left there. */
const LEFT = 2

interface BoundHandle {
  readonly fd: number
  bind(address: string, port: number): number
  getsockname(out: { port?: number }): number
  close(): void
}

/** A socket that nobody but the thread listens at. */
function bound(): { listening: Listening; port: number } {
  const { binding } = process as unknown as { binding(name: string): unknown }
  const { TCP, constants } = binding('tcp_wrap') as {
    TCP: new (type: number) => BoundHandle
    constants: { SERVER: number }
  }
  const handle = new TCP(constants.SERVER)
  expect(handle.bind('127.0.0.1', 0)).toBe(0)
  onTestFinished(() => handle.close())
  const name: { port?: number } = {}
  handle.getsockname(name)
  return { listening: { server: new NetServer(), fd: handle.fd, unix: false }, port: name.port! }
}

/** Goes on trying until somebody listens. */
async function come(port: number): Promise<void> {
  for (;;) {
    const socket = new Socket()
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.connect(port, '127.0.0.1')
    })
    if (isConnected) return onTestFinished(() => void socket.destroy())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const PATIENCE = { timeout: 20_000, interval: 5 }

test('more connections than there is room for reach the loop, though it has not taken them in time', async () => {
  const { listening, port } = bound()
  const taken: number[] = []
  const thread = new AcceptingThread(
    [listening],
    4096,
    (fd) => taken.push(fd),
    (error) => expect.unreachable(error.message),
  )
  onTestFinished(() => {
    for (const fd of taken) handleFor(fd, false)?.close()
  })
  thread.rest() // before it has begun: it begins when it is to work
  thread.resume()
  for (let count = 0; count < COUNT; count++) await come(port)
  const words = Reflect.get(thread, 'words') as Int32Array
  await vi.waitFor(() => expect(words[LEFT]).toBe(ROOM), PATIENCE)
  thread.rest()
  await vi.waitFor(() => expect(taken.length).toBeGreaterThanOrEqual(ROOM), PATIENCE)
  thread.resume()
  await vi.waitFor(() => {
    thread.take()
    expect(taken.length).toBe(COUNT)
  }, PATIENCE)
  thread.rest()
  expect(new Set(taken).size).toBe(COUNT)
})
