/* The fuzzer: sends streams of requests to a server, over many connections, and looks at what comes back: every request
 * gets one well-formed reply, what breaks the protocol gets its error and ends the connection, nothing else does. */
import { connect, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { ReplySplitter } from '../helpers/replies.ts'
import { Grammar } from './grammar.ts'
import { type Stream, streamOf } from './streams.ts'

const CONNECTIONS = 12
const TIMEOUT_MS = 60_000
/** Connections of a hundred that are dropped in the middle of it all. */
const ABORTED_PERCENT = 5
const SHOWN_MAX = 2000

export type FuzzOptions = {
  readonly port: number
  readonly seed: number
  /** At least so many requests, and attempts at one. */
  readonly cases: number
  /** Only this stream, again. */
  readonly only?: number | undefined
  readonly progress?: (cases: number) => void
}

export type FuzzReport = {
  readonly cases: number
  readonly connections: number
  /** Connections that the server had to close. */
  readonly closed: number
  /** Of those, the ones whose last replies were lost, because something was sent after that: the system answers it with
   *  a RST. */
  readonly cutShort: number
}

export async function fuzz({ port, seed, cases, only, progress }: FuzzOptions): Promise<FuzzReport> {
  const redis = new Redis(port, { maxRetriesPerRequest: 0, retryStrategy: () => null })
  const grammar = await Grammar.of(redis)
  redis.disconnect()
  const report = { cases: 0, connections: 0, closed: 0, cutShort: 0 }
  if (only !== undefined) {
    await sendStream(port, streamOf(seed, only, grammar), false).catch((error: Error) =>
      fail(error, seed, only, grammar),
    )
    return report
  }
  let next = 0
  const work = async (): Promise<void> => {
    while (report.cases < cases) {
      const index = next++
      const stream = streamOf(seed, index, grammar)
      report.cases += stream.cases
      const abort = index % 100 < ABORTED_PERCENT
      const { cutShort } = await sendStream(port, stream, abort).catch((error: Error) =>
        fail(error, seed, index, grammar),
      )
      if (cutShort) report.cutShort++
      report.connections++
      if (stream.closes) report.closed++
      if (report.connections % 1000 === 0) progress?.(report.cases)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, work))
  return report
}

function fail(error: Error, seed: number, index: number, grammar: Grammar): never {
  const { text, replies, closes } = streamOf(seed, index, grammar)
  const shown = JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text)
  const wanted = `${replies} replies, then the connection ${closes ? 'closed' : 'open'}`
  const again = `npx tsx test/fuzz/run.ts --seed ${seed} --only ${index}`
  throw new Error(`${error.message}\nwanted: ${wanted}\nsent: ${shown}\nagain: ${again}`)
}

/** Sends a stream in its pieces and waits for what it must get. */
async function sendStream(port: number, stream: Stream, abort: boolean): Promise<Exchange> {
  const exchange = new Exchange(port, stream)
  await exchange.connected
  let from = 0
  for (const cut of [...stream.cuts, stream.text.length]) {
    if (exchange.isOver) break
    exchange.send(stream.text.slice(from, cut))
    from = cut
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (abort) exchange.reset()
  await exchange.over
  return exchange
}

class Exchange {
  readonly connected: Promise<void>
  /** Settles when all that must come has come, and nothing else. */
  readonly over: Promise<void>
  isOver = false
  cutShort = false
  private readonly socket: Socket
  private readonly splitter = new ReplySplitter()
  private readonly stream: Stream
  private replies = 0
  private finish: (error?: Error) => void = () => {}

  constructor(port: number, stream: Stream) {
    this.stream = stream
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.connected = new Promise((resolve) => {
      this.socket.once('connect', resolve)
      this.socket.once('close', () => resolve())
    })
    this.over = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.finish(new Error(`only ${this.replies} replies in time`)), TIMEOUT_MS)
      this.finish = (error) => {
        this.finish = () => {}
        this.isOver = true
        clearTimeout(timer)
        this.socket.destroy()
        if (error === undefined) resolve()
        else reject(error)
      }
    })
    this.over.catch(() => {}) // whoever waits for it hears of it
    this.socket.on('data', (chunk: Buffer) => this.receive(chunk))
    // 'close' follows.
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.cutShort = error.code === 'EPIPE' || error.code === 'ECONNRESET'
    })
    this.socket.on('close', () => this.closed())
    if (stream.replies === 0 && !stream.closes) this.socket.once('connect', () => setImmediate(() => this.check()))
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'))
  }

  /** Ends it with a RST. */
  reset(): void {
    this.socket.removeAllListeners('data').resetAndDestroy()
    this.finish()
  }

  private receive(chunk: Buffer): void {
    try {
      this.replies += this.splitter.feed(chunk).length
    } catch (error) {
      return this.finish(error as Error)
    }
    this.check()
  }

  private check(): void {
    const { replies, closes } = this.stream
    if (this.replies > replies) this.finish(new Error(`${this.replies} replies`))
    else if (this.replies === replies && !closes && this.socket.writableLength === 0) this.finish()
  }

  private closed(): void {
    const { replies, closes } = this.stream
    if (closes && (this.replies === replies || this.cutShort)) this.finish()
    else this.finish(new Error(`closed after ${this.replies} replies`))
  }
}
