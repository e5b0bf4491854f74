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

/** A connection whose input is counted; `until` resolves when so many bytes have come. */
class Counter {
  bytes = 0
  private wanted = Number.POSITIVE_INFINITY
  private resolve: (() => void) | null = null

  readonly add = (bytes: number): void => {
    this.bytes += bytes
    if (this.bytes >= this.wanted) this.resolve?.()
  }

  until(bytes: number): Promise<void> {
    if (this.bytes >= bytes) return Promise.resolve()
    this.wanted = bytes
    return new Promise((resolve) => {
      this.resolve = () => {
        this.wanted = Number.POSITIVE_INFINITY
        resolve()
      }
    })
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

/** Publishes for a while; returns how many messages were published. */
async function publish(server: Server, test: Test, counter: Counter, seconds: number): Promise<number> {
  const perMessage = sum(test.delivery.map((text) => text.length))
  const request = Buffer.from(encode(['PUBLISH', CHANNEL, PAYLOAD]).repeat(test.pipeline))
  const answer = `:${test.delivery.length}\r\n`.length * test.pipeline
  let published = 0
  const endMs = performance.now() + seconds * 1000
  const run = async (): Promise<void> => {
    const replies = new Counter()
    const socket = await open(server, replies.add)
    for (let expected = answer; performance.now() < endMs; expected += answer) {
      if (published * perMessage - counter.bytes > WINDOW) await counter.until(published * perMessage)
      published += test.pipeline
      socket.write(request)
      await replies.until(expected)
    }
    socket.destroy()
  }
  await Promise.all(Array.from({ length: test.publishers }, run))
  await counter.until(published * perMessage)
  return published
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
