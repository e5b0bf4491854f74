/* Measures the tests of a suite on several servers side by side.
 *
 *   for each pipeline depth P
 *     warm up every test on every server, which also tells how many requests make a run of the wanted length
 *     for each round
 *       for each test
 *         for each server, in turn; the next round in reverse turn, so that neither always goes first
 *           prepare the data, run redis-benchmark, note throughput, latencies and the server's processor time
 *
 * A ratio is ours to theirs within one round. Every server gets the same number of requests. A test that a server
 * answers with an error is reported as such and not measured any further. */
import { redisBenchmarkVersion, runRedisBenchmark } from './redis-benchmark.ts'
import { type Server, startAll, stopAll } from './servers.ts'
import { median, type Spread, spread, sum } from './statistics.ts'
import { type Options, selected } from './suite.ts'

export interface ThroughputTest {
  name: string
  /** As redis-benchmark takes it: a name for -t, or a command's words. */
  test: string | readonly string[]
  valueSize?: number
  /** Of the random keys; the option's number when absent. */
  keyspace?: number
  pipelines?: readonly number[]
  /** No more requests than this in a run, where data for each has to be prepared or would pile up. */
  requestsMax?: number
  /** The first guess at how many times dearer than a SET it is. */
  weight?: number
  /** Brings the data into the state the test starts from. Called before every run, and not timed. */
  prepare?(server: Server, requests: number): Promise<void>
}

export interface Sample {
  requestsPerSecond: number
  p50Ms: number
  p99Ms: number
  p999Ms: number
  maxMs: number
  requests: number
  cpuUs: number
  /** Share of the run's time in which the server was ready to run but had no processor. */
  waitShare: number
}

export interface ServerFigures {
  server: string
  requestsPerSecond: Spread
  p50Ms: number
  p99Ms: number
  p999Ms: number
  maxMs: number
  cpuUsPerRequest: number
  waitShare: number
  samples: Sample[]
}

export interface Comparison {
  rival: string
  ratio: Spread
  cpuRatio: number
}

export interface TestFigures {
  pipeline: number
  test: string
  requests: number
  /** One per server, in order; null where it failed. */
  servers: (ServerFigures | null)[]
  /** Ours to each of the others; null where either failed. */
  comparisons: (Comparison | null)[]
  errors: Record<string, string>
}

const WARM_REQUESTS_AT_P1 = 20_000
const WARM_REQUESTS_PIPELINED = 200_000
const REQUESTS_MIN = 500

/** One test at one pipeline depth: what has been measured of it so far. */
class Trial {
  readonly test: ThroughputTest
  readonly pipeline: number
  readonly samples: Sample[][]
  readonly errors: (string | null)[]
  requests: number

  constructor(test: ThroughputTest, pipeline: number, servers: number) {
    this.test = test
    this.pipeline = pipeline
    this.samples = Array.from({ length: servers }, () => [])
    this.errors = Array.from({ length: servers }, () => null)
    const guess = pipeline === 1 ? WARM_REQUESTS_AT_P1 : WARM_REQUESTS_PIPELINED
    this.requests = Math.max(REQUESTS_MIN, Math.ceil(guess / (test.weight ?? 1)))
  }

  /** Sizes the measured runs by the fastest warm-up: no run is shorter than wanted. */
  size(rates: readonly number[], seconds: number): void {
    const wanted = Math.max(...rates) * seconds
    const limited = Math.min(wanted, this.test.requestsMax ?? Number.POSITIVE_INFINITY)
    this.requests = Math.max(REQUESTS_MIN, Math.round(limited / this.pipeline) * this.pipeline)
  }
}

export async function measure(
  options: Options,
  tests: readonly ThroughputTest[],
  pipelines: readonly number[],
  fill: (server: Server) => Promise<void>,
): Promise<TestFigures[]> {
  if (redisBenchmarkVersion() === null) throw new Error('redis-benchmark is not installed (Debian: redis-tools)')
  const servers = await startAll(options.specs, options.portBase)
  try {
    for (const server of servers) {
      options.progress(`filling ${server.name}`)
      await fill(server)
    }
    const results: TestFigures[] = []
    for (const pipeline of options.pipelines ?? pipelines) {
      results.push(...(await measureDepth(options, servers, tests, pipeline)))
    }
    return results
  } finally {
    await stopAll(servers)
  }
}

async function measureDepth(
  options: Options,
  servers: readonly Server[],
  tests: readonly ThroughputTest[],
  pipeline: number,
): Promise<TestFigures[]> {
  const trials = tests
    .filter((test) => selected(options, test.name) && (test.pipelines?.includes(pipeline) ?? true))
    .map((test) => new Trial(test, pipeline, servers.length))
  for (const trial of trials) {
    options.progress(`P=${pipeline} warming up ${trial.test.name}`)
    const rates: number[] = []
    for (const [index, server] of servers.entries()) {
      const sample = await attempt(options, trial, server, index)
      if (sample !== null) rates.push(sample.requestsPerSecond)
    }
    if (rates.length > 0) trial.size(rates, options.seconds)
  }
  for (let round = 0; round < options.rounds; round++) {
    const turn = [...servers.entries()]
    if (round % 2 === 1) turn.reverse()
    for (const trial of trials) {
      for (const [index, server] of turn) {
        options.progress(`P=${pipeline} round ${round + 1}/${options.rounds} ${trial.test.name} ${server.name}`)
        const sample = await attempt(options, trial, server, index)
        if (sample !== null) trial.samples[index]!.push(sample)
      }
    }
  }
  return trials.map((trial) => figuresOf(trial, servers))
}

/** One run; null, with the reason noted in the trial, when the server cannot do it. A server that died is fatal. */
async function attempt(options: Options, trial: Trial, server: Server, index: number): Promise<Sample | null> {
  if (trial.errors[index] !== null) return null
  try {
    return await runOnce(options, trial, server)
  } catch (error) {
    if (server.ended) throw new Error(`${server.name} ended during ${trial.test.name}: ${server.lastOutput}`)
    trial.errors[index] = error instanceof Error ? error.message : String(error)
    return null
  }
}

async function runOnce(options: Options, trial: Trial, server: Server): Promise<Sample> {
  const { test, pipeline, requests } = trial
  await test.prepare?.(server, requests)
  const before = await server.usage()
  const beganMs = performance.now()
  const figures = await runRedisBenchmark({
    address: server.address,
    clients: options.clients,
    pipeline,
    requests,
    keyspace: test.keyspace ?? options.keyspace,
    valueSize: test.valueSize ?? 3,
    test: test.test,
  })
  const elapsedUs = (performance.now() - beganMs) * 1000
  const after = await server.usage()
  const waitShare = (after.cpuWaitUs - before.cpuWaitUs) / elapsedUs
  return { ...figures, requests, cpuUs: after.cpuUs - before.cpuUs, waitShare }
}

function figuresOf(trial: Trial, servers: readonly Server[]): TestFigures {
  const figures = servers.map((server, index) =>
    trial.errors[index] === null ? summarize(server.name, trial.samples[index]!) : null,
  )
  const [ours, ...rivals] = figures
  const errors: Record<string, string> = {}
  for (const [index, server] of servers.entries()) {
    const error = trial.errors[index]
    if (typeof error === 'string') errors[server.name] = error
  }
  const comparisons = rivals.map((rival) => (ours && rival ? compare(ours, rival) : null))
  const { pipeline, requests } = trial
  return { pipeline, test: trial.test.name, requests, servers: figures, comparisons, errors }
}

function summarize(server: string, samples: Sample[]): ServerFigures {
  const middle = (field: keyof Sample): number => median(samples.map((sample) => sample[field]))
  return {
    server,
    requestsPerSecond: spread(samples.map((sample) => sample.requestsPerSecond)),
    p50Ms: middle('p50Ms'),
    p99Ms: middle('p99Ms'),
    p999Ms: middle('p999Ms'),
    maxMs: Math.max(...samples.map((sample) => sample.maxMs)),
    // Clock ticks are coarse: all rounds together, not a median of each.
    cpuUsPerRequest: sum(samples.map((sample) => sample.cpuUs)) / sum(samples.map((sample) => sample.requests)),
    waitShare: middle('waitShare'),
    samples,
  }
}

function compare(ours: ServerFigures, rival: ServerFigures): Comparison {
  const ratios = ours.samples.map((sample, i) => sample.requestsPerSecond / rival.samples[i]!.requestsPerSecond)
  return { rival: rival.server, ratio: spread(ratios), cpuRatio: ours.cpuUsPerRequest / rival.cpuUsPerRequest }
}
