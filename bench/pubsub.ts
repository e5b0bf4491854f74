/* The pubsub suite: messages delivered per second.
 *
 * Publishers keep one write on its way each; what subscribers receive is counted in bytes, of which every message has
 * as many, in a buffer that all sockets read into: the generator makes no object for a message. It still spends more
 * time on a read than a server on a write, so with many subscribers both servers wait for it; the server's processor
 * time per delivered message tells what the rates then cannot. Publishers wait while more than WINDOW bytes are on
 * their way. */
import { connect, type Socket } from 'node:net'
import { encode, runCommands } from './load.ts'
import { type Server, startAll, stopAll } from './servers.ts'
import { median, spread, sum } from './statistics.ts'
import {
  atLeast,
  atMost,
  type Bar,
  left,
  type Options,
  right,
  type Suite,
  type SuiteResult,
  selected,
  significant,
} from './suite.ts'

const CHANNEL = 'news:500:weather'
const PAYLOAD = 'x'.repeat(32)
const WINDOW = 4 * 1024 * 1024

interface Test {
  name: string
  /** What each subscriber subscribes to. */
  subscribers: readonly (readonly string[])[]
  publishers: number
  /** Messages to a write. */
  pipeline: number
  /** Bytes that one published message makes, for all subscribers together. */
  delivery: readonly string[]
}

const message = (): string => encode(['message', CHANNEL, PAYLOAD])
const patternMessage = (pattern: string): string => encode(['pmessage', pattern, CHANNEL, PAYLOAD])

const toChannel = (count: number, publishers: number, pipeline: number): Test => ({
  name: `${count.toLocaleString('en-US')} subscriber${count > 1 ? 's' : ''} at P=${pipeline}`,
  subscribers: Array<readonly string[]>(count).fill(['SUBSCRIBE', CHANNEL]),
  publishers,
  pipeline,
  delivery: Array<string>(count).fill(message()),
})

const patterns = (pattern: (index: number) => string): string[] => Array.from({ length: 1000 }, (_, at) => pattern(at))
/** Each with other letters of the channel's name left open. */
const matching = patterns((index) => {
  const letters = [...CHANNEL].slice(0, 10).map((letter, at) => ((index >> at) & 1 ? '?' : letter))
  return `${letters.join('')}*`
})

const TESTS: readonly Test[] = [
  toChannel(1, 50, 1),
  toChannel(1, 4, 16),
  toChannel(100, 4, 1),
  toChannel(100, 4, 16),
  toChannel(5000, 1, 1),
  toChannel(5000, 1, 16),
  {
    name: '1,000 patterns of which one matches',
    subscribers: [['PSUBSCRIBE', ...patterns((index) => `news:${index}:*`)]],
    publishers: 50,
    pipeline: 1,
    delivery: [patternMessage('news:500:*')],
  },
  {
    name: '1,000 patterns that all match',
    subscribers: matching.map((pattern) => ['PSUBSCRIBE', pattern]),
    publishers: 4,
    pipeline: 1,
    delivery: matching.map(patternMessage),
  },
]

interface Sample {
  perSecond: number
  cpuUs: number
}

/** What all sockets of the generator read into: nobody looks at it. */
const sink = Buffer.allocUnsafe(1024 * 1024)

function open(server: Server, received: (bytes: number) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: server.address.host,
      port: server.address.port,
      noDelay: true,
      onread: {
        buffer: sink,
        callback: (bytes) => {
          received(bytes)
          return true
        },
      },
    })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', (error) => {
        throw error
      })
      resolve(socket)
    })
  })
}

/** Bytes that have come, on all connections of subscribers together. */
class Counter {
  bytes = 0
  private next = Number.POSITIVE_INFINITY
  private waiting: { bytes: number; then: () => void }[] = []

  readonly add = (bytes: number): void => {
    this.bytes += bytes
    if (this.bytes >= this.next) this.wake()
  }

  /** Calls back when so many bytes have come in all. */
  whenReceived(bytes: number, then: () => void): void {
    this.waiting.push({ bytes, then })
    this.next = Math.min(this.next, bytes)
    if (this.bytes >= this.next) this.wake()
  }

  until(bytes: number): Promise<void> {
    return new Promise((resolve) => this.whenReceived(bytes, resolve))
  }

  private wake(): void {
    const due = this.waiting.filter(({ bytes }) => bytes <= this.bytes)
    this.waiting = this.waiting.filter(({ bytes }) => bytes > this.bytes)
    this.next = Math.min(Number.POSITIVE_INFINITY, ...this.waiting.map(({ bytes }) => bytes))
    for (const { then } of due) then()
  }
}

async function subscribeAll(server: Server, test: Test, counter: Counter): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (const words of test.subscribers) {
    const socket = await open(server, counter.add)
    const [command, ...names] = words
    const answers = names.map(
      (name, index) => `${encode([command!.toLowerCase(), name]).replace('*2', '*3')}:${index + 1}\r\n`,
    )
    const expected = counter.bytes + sum(answers.map((answer) => answer.length))
    socket.write(encode(words))
    await counter.until(expected)
    sockets.push(socket)
  }
  counter.bytes = 0
  return sockets
}

/** What the publishers of a run have in common. */
interface Flow {
  readonly counter: Counter
  readonly perMessage: number
  readonly request: Buffer
  readonly pipeline: number
  readonly answerLen: number
  published: number
  stopping: boolean
}

/** A connection that keeps one write on its way, without a promise or a closure for each. */
class Publisher {
  private readonly flow: Flow
  private socket: Socket | null = null
  private missing = 0
  private finish: (() => void) | null = null

  constructor(flow: Flow) {
    this.flow = flow
  }

  async run(server: Server): Promise<void> {
    this.socket = await open(server, this.received)
    await new Promise<void>((resolve) => {
      this.finish = resolve
      this.publish()
    })
    this.socket.destroy()
  }

  private readonly received = (bytes: number): void => {
    this.missing -= bytes
    if (this.missing > 0) return
    const { flow } = this
    if (flow.stopping) this.finish?.()
    else if (flow.published * flow.perMessage - flow.counter.bytes <= WINDOW) this.publish()
    else flow.counter.whenReceived(flow.published * flow.perMessage, () => this.publish())
  }

  private publish(): void {
    const { flow } = this
    flow.published += flow.pipeline
    this.missing = flow.answerLen
    this.socket!.write(flow.request)
  }
}

/** Publishes for a while; returns how many messages were published. */
async function publish(server: Server, test: Test, counter: Counter, seconds: number): Promise<number> {
  const flow: Flow = {
    counter,
    perMessage: sum(test.delivery.map((text) => text.length)),
    request: Buffer.from(encode(['PUBLISH', CHANNEL, PAYLOAD]).repeat(test.pipeline)),
    pipeline: test.pipeline,
    answerLen: `:${test.delivery.length}\r\n`.length * test.pipeline,
    published: 0,
    stopping: false,
  }
  setTimeout(() => (flow.stopping = true), seconds * 1000)
  await Promise.all(Array.from({ length: test.publishers }, () => new Publisher(flow).run(server)))
  await counter.until(flow.published * flow.perMessage)
  return flow.published
}

async function measureOnce(server: Server, test: Test, seconds: number): Promise<Sample> {
  const counter = new Counter()
  const sockets = await subscribeAll(server, test, counter)
  const before = await server.usage()
  const beganMs = performance.now()
  const published = await publish(server, test, counter, seconds)
  const took = (performance.now() - beganMs) / 1000
  const after = await server.usage()
  for (const socket of sockets) socket.destroy()
  const delivered = published * test.delivery.length
  return { perSecond: delivered / took, cpuUs: (after.cpuUs - before.cpuUs) / delivered }
}

async function measureTest(servers: readonly Server[], test: Test, options: Options): Promise<Sample[][]> {
  const samples: Sample[][] = servers.map(() => [])
  for (const server of servers) await measureOnce(server, test, options.seconds / 2)
  for (let round = 0; round < options.rounds; round++) {
    const turn = [...servers.entries()]
    if (round % 2 === 1) turn.reverse()
    for (const [index, server] of turn) {
      options.progress(`round ${round + 1}/${options.rounds} ${test.name} ${server.name}`)
      samples[index]!.push(await measureOnce(server, test, options.seconds))
    }
  }
  return samples
}

function present(options: Options, results: readonly { test: Test; samples: Sample[][] }[]): SuiteResult {
  const names = options.specs.map((spec) => spec.name)
  const cpuOf = (samples: readonly Sample[]) => median(samples.map(({ cpuUs }) => cpuUs))
  const rateOf = (samples: readonly Sample[]) => median(samples.map(({ perSecond }) => perSecond))
  const rows: string[][] = []
  const bars: Bar[] = []
  for (const { test, samples } of results) {
    const [ours, ...rivals] = samples
    for (const [index, theirs] of rivals.entries()) {
      const ratio = spread(ours!.map(({ perSecond }, round) => perSecond / theirs[round]!.perSecond))
      const cpuRatio = cpuOf(ours!) / cpuOf(theirs)
      const rates = [significant(rateOf(ours!)), significant(rateOf(theirs))]
      const cpus = [cpuOf(ours!).toFixed(2), cpuOf(theirs).toFixed(2), cpuRatio.toFixed(2)]
      const range = `${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)}`
      rows.push([`${test.name}, against ${names[index + 1]}`, ...rates, ratio.median.toFixed(2), range, ...cpus])
      if (index > 0) continue
      bars.push(atLeast(`${test.name}: ratio of messages per second`, ratio.median, 1))
      bars.push(atMost(`${test.name}: ratio of CPU time a message`, cpuRatio, 1))
    }
  }
  const titles = [`${names[0]}/s`, 'theirs/s', 'ratio', 'spread', 'CPU us each', 'theirs', 'CPU ratio']
  const table = { title: 'Messages delivered', columns: [left('test'), ...titles.map(right)], rows, notes: [] }
  const data = results.map(({ test, samples }) => ({ name: test.name, servers: names, samples }))
  return { tables: [table], bars, chart: null, data }
}

export const pubsubSuite: Suite = {
  name: 'pubsub',
  summary: 'messages delivered to 1, 100 and 5,000 subscribers, and by 1,000 patterns',
  async run(options) {
    const servers = await startAll(options.specs, options.portBase)
    try {
      for (const server of servers) {
        await runCommands(server.address, [['CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 0 0 0']])
      }
      const results = []
      for (const test of TESTS.filter(({ name }) => selected(options, name))) {
        results.push({ test, samples: await measureTest(servers, test, options) })
      }
      return present(options, results)
    } finally {
      await stopAll(servers)
    }
  },
}
