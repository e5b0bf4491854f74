/* A RESP client of our own on plain sockets: it fills servers before a test, and is the writer of the `heap` suite.
 *
 * redis-benchmark cannot insert each of N keys exactly once, nor values whose bytes are known; this can. Commands are
 * built from a running number, so what is stored is the same in every run. Requests go out in batches of `pipeline`
 * commands per connection, and the next batch waits for the last reply of the one before, so that neither side queues
 * without bound. Replies are parsed by redis-parser; an error reply ends the load with that error. */
import { createRequire } from 'node:module'
import { connect, type Socket } from 'node:net'

export interface ReplyParser {
  execute(chunk: Buffer): void
}
interface ReplyHandlers {
  returnReply(reply: unknown): void
  returnError(error: Error): void
  returnFatalError(error: Error): void
}
// redis-parser has no type declarations: this is the part of it we use.
const Parser = createRequire(import.meta.url)('redis-parser') as new (handlers: ReplyHandlers) => ReplyParser

export interface Address {
  host: string
  port: number
}

/** The words of a command, each sent as one bulk string of latin1 characters. */
export type Command = readonly (string | number)[]

export interface Load {
  /** How many commands; `command` is called once with each number from 0 up. */
  count: number
  command(index: number): Command
  connections?: number
  pipeline?: number
  onProgress?(done: number): void
}

export function encode(command: Command): string {
  let text = `*${command.length}\r\n`
  for (const word of command) {
    const argument = String(word)
    text += `$${argument.length}\r\n${argument}\r\n`
  }
  return text
}

/** One batch on its way: how many of its replies are missing, and the first error among those that came. */
interface Waiter {
  missing: number
  error: Error | null
  resolve(reply: unknown): void
  reject(error: Error): void
}

export class Connection {
  private readonly socket: Socket
  private readonly waiting: Waiter[] = []
  private failure: Error | null = null

  private constructor(socket: Socket) {
    this.socket = socket
    const parser = new Parser({
      returnReply: (reply) => this.answered(reply, null),
      returnError: (error) => this.answered(null, error),
      returnFatalError: (error) => this.fail(error),
    })
    socket.on('data', (chunk) => parser.execute(chunk))
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
  }

  static open(address: Address): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: address.host, port: address.port, noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Connection(socket))
      })
    })
  }

  /** Sends one command; rejects on an error reply. */
  call(...command: Command): Promise<unknown> {
    return this.send(encode(command), 1)
  }

  /** Sends text that holds `count` commands; resolves with the last reply, rejects with the first error reply. */
  send(text: string, count: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.failure !== null) return reject(this.failure)
      this.waiting.push({ missing: count, error: null, resolve, reject })
      this.socket.write(text, 'latin1')
    })
  }

  close(): void {
    this.failure ??= new Error('the connection was closed')
    this.socket.destroy()
  }

  private answered(reply: unknown, error: Error | null): void {
    const waiter = this.waiting[0]
    if (waiter === undefined) {
      this.fail(new Error('the server sent a reply nobody asked for'))
      return
    }
    waiter.error ??= error
    if (--waiter.missing > 0) return
    this.waiting.shift()
    if (waiter.error === null) waiter.resolve(reply)
    else waiter.reject(waiter.error)
  }

  private fail(error: Error): void {
    this.failure ??= error
    for (const waiter of this.waiting.splice(0)) waiter.reject(error)
    this.socket.destroy()
  }
}

/** Sends `load.count` commands over a few connections and resolves when each has been answered without an error. */
export async function runLoad(address: Address, load: Load): Promise<void> {
  const pipeline = load.pipeline ?? 100
  let next = 0
  let done = 0
  const drive = async (connection: Connection): Promise<void> => {
    while (next < load.count) {
      const size = Math.min(pipeline, load.count - next)
      let text = ''
      for (let i = 0; i < size; i++) text += encode(load.command(next++))
      await connection.send(text, size)
      done += size
      load.onProgress?.(done)
    }
  }
  const connections: Connection[] = []
  try {
    for (let i = 0; i < (load.connections ?? 4); i++) connections.push(await Connection.open(address))
    await Promise.all(connections.map(drive))
  } finally {
    for (const connection of connections) connection.close()
  }
}

/** Runs a few commands on one connection, in order. */
export async function runCommands(address: Address, commands: readonly Command[]): Promise<void> {
  await runLoad(address, { count: commands.length, command: (i) => commands[i]!, connections: 1, pipeline: 1 })
}

/** The 16-byte key that redis-benchmark's tests use for this number. */
export function keyOf(index: number): string {
  return `key:${String(index).padStart(12, '0')}`
}

/** Stores the keys of all numbers below `count`, so that a GET is a hit whatever number redis-benchmark draws. */
export function fillKeys(address: Address, count: number, valueSize = 3): Promise<void> {
  const value = 'x'.repeat(valueSize)
  return runLoad(address, { count, command: (i) => ['SET', keyOf(i), value] })
}
