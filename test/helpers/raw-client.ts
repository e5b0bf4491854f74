/* A connection that hides nothing: what is sent is what the test says, what is returned is the bytes of each reply.
 *
 *     const client = await RawClient.connect(server.port)
 *     expect(String(await client.command('SET', 'key', 'value'))).toBe('+OK\r\n')
 *     client.send('*1\r\n$4\r\nPI')                  // a request cut in two
 *     client.send('NG\r\n')
 *     const [pong] = await client.replies(1)
 *
 * Replies come in order of arrival, pushes (`>`) included, whoever they were meant for. */
import { connect, type Socket } from 'node:net'
import { ReplySplitter } from './replies.ts'

const REPLY_TIMEOUT_MS = 60_000

export type Argument = string | number | Uint8Array
export type Address = number | { readonly host?: string; readonly port: number } | { readonly path: string }

/** A request as clients send it: an array of bulk strings. Strings are sent as UTF-8. */
export function encode(...args: readonly Argument[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = typeof arg === 'object' ? arg : Buffer.from(String(arg))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

type Waiter = { readonly resolve: (reply: Buffer) => void; readonly reject: (reason: Error) => void }

export class RawClient {
  readonly socket: Socket
  /** Settles when the connection has ended, by whichever side. */
  readonly closed: Promise<void>
  /** Bytes received so far. */
  received = 0
  private readonly splitter = new ReplySplitter()
  private readonly unclaimed: Buffer[] = []
  private readonly waiters: Waiter[] = []
  private ended: Error | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('error', (error) => this.end(error))
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.end(new Error('the server closed the connection'))
        resolve()
      })
    })
  }

  static connect(address: Address): Promise<RawClient> {
    const options = typeof address === 'number' ? { host: '127.0.0.1', port: address } : address
    return new Promise((resolve, reject) => {
      const socket = connect('path' in options ? { path: options.path } : { host: '127.0.0.1', ...options })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new RawClient(socket))
      })
    })
  }

  /** Sends bytes as they are; a string's characters are bytes (latin1). */
  send(bytes: Uint8Array | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Sends one command; returns the next reply, whole and unread. */
  command(...args: readonly Argument[]): Promise<Buffer> {
    this.send(encode(...args))
    return this.reply()
  }

  /** The next reply; one that does not come within 60 s, or before the connection ends, is an error. */
  reply(): Promise<Buffer> {
    const ready = this.unclaimed.shift()
    if (ready !== undefined) return Promise.resolve(ready)
    if (this.ended !== undefined) return Promise.reject(this.ended)
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (reply) => {
          clearTimeout(timer)
          resolve(reply)
        },
        reject: (reason) => {
          clearTimeout(timer)
          reject(reason)
        },
      }
      const timer = setTimeout(() => {
        this.waiters.splice(this.waiters.indexOf(waiter), 1)
        reject(new Error(`no reply within ${REPLY_TIMEOUT_MS} ms${this.describeRest()}`))
      }, REPLY_TIMEOUT_MS)
      this.waiters.push(waiter)
    })
  }

  /** The next `count` replies. */
  async replies(count: number): Promise<Buffer[]> {
    const replies: Buffer[] = []
    while (replies.length < count) replies.push(await this.reply())
    return replies
  }

  /** Replies that have arrived and were not asked for; they are taken. */
  takeUnclaimed(): Buffer[] {
    return this.unclaimed.splice(0)
  }

  /** What has arrived of a reply that is not complete. */
  get rest(): Buffer {
    return this.splitter.rest
  }

  /** Stops reading, as a stalled client does: the server's output stays with the server. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Closes the connection at once and waits until it is gone. */
  async close(): Promise<void> {
    this.socket.destroy()
    await this.closed
  }

  private receive(chunk: Buffer): void {
    this.received += chunk.length
    if (this.ended !== undefined) return
    try {
      for (const reply of this.splitter.feed(chunk)) {
        const waiter = this.waiters.shift()
        if (waiter !== undefined) waiter.resolve(reply)
        else this.unclaimed.push(reply)
      }
    } catch (error) {
      this.end(error as Error) // what cannot be split is told to whoever waits for it
    }
  }

  private end(reason: Error): void {
    if (this.ended !== undefined) return
    this.ended = new Error(reason.message + this.describeRest())
    for (const waiter of this.waiters.splice(0)) waiter.reject(this.ended)
  }

  private describeRest(): string {
    const rest = this.rest
    return rest.length === 0 ? '' : `; of a reply had come ${JSON.stringify(rest.toString('latin1', 0, 200))}`
  }
}
