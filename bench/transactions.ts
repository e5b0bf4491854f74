/* The transactions suite: MULTI, ten SETs of random keys, EXEC, as client libraries send them: in one write.
 *
 * redis-benchmark cannot send a sequence of different commands, so the requests are ours: made once, before anything is
 * measured, and sent over and over. Every transaction is answered with the same number of bytes, so replies are counted
 * and not parsed: the generator takes a small part of the processor time that either server does. (The replies of the
 * first write are compared with what they should be.) */
import { connect, type Socket } from 'node:net'
import { encode, keyOf } from './load.ts'
import { type Server, startAll, stopAll } from './servers.ts'
import { median, seededRandom, spread, sum } from './statistics.ts'
import { atLeast, left, type Options, right, type Suite, type SuiteResult, selected, significant } from './suite.ts'

const SETS = 10
const CONNECTIONS = 50
/** Different transactions to a connection. */
const VARIETY = 32
const SEED = 20_241_120
const ANSWER = `+OK\r\n${'+QUEUED\r\n'.repeat(SETS)}*${SETS}\r\n${'+OK\r\n'.repeat(SETS)}`

interface Test {
  name: string
  /** Transactions to a write. */
  pipeline: number
}

const TESTS: readonly Test[] = [
  { name: 'MULTI, 10 SET, EXEC', pipeline: 1 },
  { name: 'MULTI, 10 SET, EXEC, 8 at a time', pipeline: 8 },
]

interface Sample {
  perSecond: number
  cpuUs: number
}

/** A connection that keeps one write on its way until told to stop. */
class Driver {
  done = 0
  private readonly socket: Socket
  private readonly writes: readonly Buffer[]
  private readonly answer: Buffer
  private readonly pipeline: number
  private first = true
  private missing = 0
  private next = 0
  private stopping = false
  private finish: (() => void) | null = null
  private fail: ((error: Error) => void) | null = null

  constructor(socket: Socket, writes: readonly Buffer[], pipeline: number) {
    this.socket = socket
    this.writes = writes
    this.pipeline = pipeline
    this.answer = Buffer.from(ANSWER.repeat(pipeline))
    socket.on('data', (chunk) => this.received(chunk))
    socket.on('error', (error) => this.fail?.(error))
  }

  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.finish = resolve
      this.fail = reject
      this.write()
    })
  }

  stop(): void {
    this.stopping = true
  }

  close(): void {
    this.socket.destroy()
  }

  private write(): void {
    this.missing = this.answer.length
    this.socket.write(this.writes[this.next++ % this.writes.length]!)
  }

  private received(chunk: Buffer): void {
    if (this.first) {
      const from = this.answer.length - this.missing
      const wanted = this.answer.subarray(from, from + chunk.length)
      if (!chunk.equals(wanted)) return this.fail?.(new Error(`unexpected reply: ${chunk.toString('latin1', 0, 100)}`))
    }
    this.missing -= chunk.length
    if (this.missing > 0) return
    this.first = false
    this.done += this.pipeline
    if (this.stopping) this.finish?.()
    else this.write()
  }
}

function transactionsOf(random: () => number, keyspace: number, count: number): Buffer {
  let text = ''
  for (let index = 0; index < count; index++) {
    text += encode(['MULTI'])
    for (let at = 0; at < SETS; at++) text += encode(['SET', keyOf(Math.floor(random() * keyspace)), 'xxx'])
    text += encode(['EXEC'])
  }
  return Buffer.from(text)
}

function open(server: Server): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address.host, port: server.address.port, noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

async function measureOnce(server: Server, test: Test, options: Options): Promise<Sample> {
  const random = seededRandom(SEED)
  const drivers: Driver[] = []
  for (let index = 0; index < CONNECTIONS; index++) {
    const writes = Array.from({ length: VARIETY }, () => transactionsOf(random, options.keyspace, test.pipeline))
    drivers.push(new Driver(await open(server), writes, test.pipeline))
  }
  const before = await server.usage()
  const beganMs = performance.now()
  const ends = drivers.map((driver) => driver.run())
  const timer = setTimeout(() => {
    for (const driver of drivers) driver.stop()
  }, options.seconds * 1000)
  try {
    await Promise.all(ends)
  } finally {
    clearTimeout(timer)
    for (const driver of drivers) driver.close()
  }
  const seconds = (performance.now() - beganMs) / 1000
  const after = await server.usage()
  const done = sum(drivers.map((driver) => driver.done))
  return { perSecond: done / seconds, cpuUs: (after.cpuUs - before.cpuUs) / done }
}

async function measureTest(servers: readonly Server[], test: Test, options: Options): Promise<Sample[][]> {
  const samples: Sample[][] = servers.map(() => [])
  for (const server of servers) await measureOnce(server, test, { ...options, seconds: options.seconds / 2 })
  for (let round = 0; round < options.rounds; round++) {
    const turn = [...servers.entries()]
    if (round % 2 === 1) turn.reverse()
    for (const [index, server] of turn) {
      options.progress(`round ${round + 1}/${options.rounds} ${test.name} ${server.name}`)
      samples[index]!.push(await measureOnce(server, test, options))
    }
  }
  return samples
}

function present(options: Options, results: readonly { test: Test; samples: Sample[][] }[]): SuiteResult {
  const names = options.specs.map((spec) => spec.name)
  const cpuOf = (samples: readonly Sample[]) => median(samples.map(({ cpuUs }) => cpuUs))
  const rateOf = (samples: readonly Sample[]) => median(samples.map(({ perSecond }) => perSecond))
  const rows: string[][] = []
  const bars = []
  for (const { test, samples } of results) {
    const [ours, ...rivals] = samples
    for (const [index, theirs] of rivals.entries()) {
      const ratio = spread(ours!.map(({ perSecond }, round) => perSecond / theirs[round]!.perSecond))
      const cpuRatio = cpuOf(ours!) / cpuOf(theirs)
      const rates = [significant(rateOf(ours!)), significant(rateOf(theirs))]
      const cpus = [cpuOf(ours!).toFixed(1), cpuOf(theirs).toFixed(1), cpuRatio.toFixed(2)]
      const range = `${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)}`
      rows.push([`${test.name}, against ${names[index + 1]}`, ...rates, ratio.median.toFixed(2), range, ...cpus])
      if (index === 0) bars.push(atLeast(`${test.name}: ratio of transactions per second`, ratio.median, 1.1))
    }
  }
  const titles = [`${names[0]}/s`, 'theirs/s', 'ratio', 'spread', 'CPU us each', 'theirs', 'CPU ratio']
  const table = { title: 'Transactions', columns: [left('test'), ...titles.map(right)], rows, notes: [] }
  return { tables: [table], bars, chart: null, data: results }
}

export const transactionsSuite: Suite = {
  name: 'transactions',
  summary: 'MULTI, ten SETs and EXEC in one write, from 50 clients',
  async run(options) {
    const servers = await startAll(options.specs, options.portBase)
    try {
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
