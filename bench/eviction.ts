/* Eviction: how good the choice of keys is, and what it costs.
 *
 *   hit rates    a client asks for keys and stores those that are not there, as a cache's client does. Each server gets
 *                the memory that so many of its own keys take, so that all hold the same number; exact LRU is a model
 *                of that size under the same requests.
 *   throughput   redis-benchmark's SET of random keys into servers that are full; and the longest time for which our
 *                event loop stood still meanwhile, with and without what it waited for a processor.
 *
 * --only rates or --only speed does one of the two.
 *
 *   workloads    zipf s       rank r is asked for with a weight of 1 / r^s
 *                scan         every fifth request is for a key that nobody asks for again
 *                shift        what is popular changes by and by */
import { Connection, encode, keyOf } from './load.ts'
import { runRedisBenchmark } from './redis-benchmark.ts'
import { type Server, type ServerSpec, startAll, stopAll } from './servers.ts'
import { median, seededRandom } from './statistics.ts'
import { atLeast, atMost, type Bar, left, type Options, right, type Suite, type Table } from './suite.ts'

const SEED = 20_261_120
const CACHED = 50_000
const UNIVERSE = 500_000
const REQUESTS = 600_000
/** The first third fills the cache and is not counted. */
const WARM_UP = 1 / 3
const BATCH = 200
const VALUE = 'x'.repeat(32)
const SCANNED_FROM = 1_000_000
const SHIFT_EVERY = 100_000
const SHIFT_BY = 6_000
const POLICIES = ['allkeys-lru', 'allkeys-lfu'] as const
/** Where Redis's figure and ours differ by less than chance: points of a hit rate. */
const CHANCE = 0.15
const FULL_BYTES = 100 * 1024 * 1024
const STALL_MS_MAX = 5

/** Gives the number of the next key. */
type Workload = () => number

function zipf(skew: number, random: () => number): Workload {
  const sums = new Float64Array(UNIVERSE)
  let total = 0
  for (let rank = 0; rank < UNIVERSE; rank++) {
    total += 1 / (rank + 1) ** skew
    sums[rank] = total
  }
  return () => {
    const drawn = random() * total
    let low = 0
    let high = UNIVERSE - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < drawn) low = middle + 1
      else high = middle
    }
    return low
  }
}

function scanned(popular: Workload): Workload {
  let count = 0
  return () => (++count % 5 === 0 ? SCANNED_FROM + count : popular())
}

function shifting(popular: Workload): Workload {
  let count = 0
  return () => (popular() + Math.floor(count++ / SHIFT_EVERY) * SHIFT_BY) % UNIVERSE
}

const WORKLOADS: readonly { readonly name: string; make(random: () => number): Workload }[] = [
  { name: 'zipf 0.7', make: (random) => zipf(0.7, random) },
  { name: 'zipf 0.9', make: (random) => zipf(0.9, random) },
  { name: 'zipf 1.1', make: (random) => zipf(1.1, random) },
  { name: 'scan', make: (random) => scanned(zipf(0.9, random)) },
  { name: 'shift', make: (random) => shifting(zipf(0.9, random)) },
]

/** Takes a batch of requests and says how many were hits. */
interface Cache {
  request(keys: readonly number[]): Promise<number>
}

class ExactLru implements Cache {
  private readonly keys = new Set<number>()

  async request(keys: readonly number[]): Promise<number> {
    const missing = keys.filter((key) => !this.use(key))
    for (const key of missing) this.store(key)
    return keys.length - missing.length
  }

  private use(key: number): boolean {
    if (!this.keys.delete(key)) return false
    this.keys.add(key)
    return true
  }

  private store(key: number): void {
    if (this.use(key)) return
    if (this.keys.size === CACHED) this.keys.delete(this.keys.values().next().value!)
    this.keys.add(key)
  }
}

class LiveCache implements Cache {
  private readonly connection: Connection

  constructor(connection: Connection) {
    this.connection = connection
  }

  async request(keys: readonly number[]): Promise<number> {
    // One MGET would be one use for all: each key is asked for by itself.
    const replies = await Promise.all(keys.map((key) => this.connection.call('GET', keyOf(key))))
    const missing = keys.filter((_, index) => replies[index] === null)
    const text = missing.map((key) => encode(['SET', keyOf(key), VALUE])).join('')
    if (missing.length > 0) await this.connection.send(text, missing.length)
    return keys.length - missing.length
  }
}

async function hitRate(cache: Cache, workload: Workload, requests: number): Promise<number> {
  let hits = 0
  let counted = 0
  for (let done = 0; done < requests; done += BATCH) {
    const batchHits = await cache.request(Array.from({ length: BATCH }, workload))
    if (done < requests * WARM_UP) continue
    hits += batchHits
    counted += BATCH
  }
  return (hits / counted) * 100
}

/** Stores so many keys. */
async function store(connection: Connection, from: number, count: number): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const text = Array.from({ length: BATCH }, (_, index) => encode(['SET', keyOf(from + done + index), VALUE])).join(
      '',
    )
    await connection.send(text, BATCH)
  }
}

/** Gives the server just the memory in which it keeps so many keys, and leaves it empty. */
async function grantRoom(connection: Connection, server: Server, policy: string): Promise<void> {
  await connection.call('CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', policy)
  await connection.call('FLUSHALL')
  const empty = Number((await server.info()).get('used_memory'))
  await store(connection, 0, CACHED)
  let room = Number((await server.info()).get('used_memory'))
  const perKey = (room - empty) / CACHED
  for (let tries = 0; tries < 4; tries++) {
    await connection.call('CONFIG', 'SET', 'maxmemory', String(Math.round(room)))
    await store(connection, tries * CACHED, CACHED)
    room += (CACHED - Number(await connection.call('DBSIZE'))) * perKey
  }
  await connection.call('FLUSHALL')
  await connection.call('CONFIG', 'SET', 'maxmemory', String(Math.round(room)))
}

interface HitRates {
  readonly workload: string
  readonly policy: string
  readonly exact: number
  /** By server. */
  readonly live: readonly number[]
}

async function measureHitRates(options: Options, servers: readonly Server[]): Promise<HitRates[]> {
  const requests = options.quick ? REQUESTS / 3 : REQUESTS
  const figures: HitRates[] = []
  for (const { name, make } of WORKLOADS) {
    const workload = (): Workload => make(seededRandom(SEED))
    const exact = await hitRate(new ExactLru(), workload(), requests)
    for (const policy of POLICIES) {
      const live: number[] = []
      for (const server of servers) {
        options.progress(`eviction: ${name}, ${policy}, ${server.name}`)
        const connection = await Connection.open(server.address)
        await grantRoom(connection, server, policy)
        live.push(await hitRate(new LiveCache(connection), workload(), requests))
        connection.close()
      }
      figures.push({ workload: name, policy, exact, live })
    }
  }
  return figures
}

interface Speed {
  readonly pipeline: number
  /** Ours to each other server's, by round: requests per second, and processor time per request. */
  readonly speedRatio: number
  readonly cpuRatio: number
  readonly stallMs: number
  /** The longest stall without what the server's thread waited for a processor, and all of that per second. */
  readonly ownStallMs: number
  readonly waitedMs: number
  readonly overBytes: number
}

/** Requests a second, processor time per request, and the microseconds that the server waited for a processor. */
type Run = readonly [number, number, number]

async function run(server: Server, options: Options, pipeline: number, requests: number): Promise<Run> {
  const { clients } = options
  const before = await server.usage()
  const { requestsPerSecond } = await runRedisBenchmark({
    address: server.address,
    clients,
    pipeline,
    requests,
    keyspace: 5_000_000,
    valueSize: 64,
    test: 'set',
  })
  const after = await server.usage()
  return [requestsPerSecond, (after.cpuUs - before.cpuUs) / requests, after.cpuWaitUs - before.cpuWaitUs]
}

async function measureSpeed(options: Options, servers: readonly Server[], pipeline: number): Promise<Speed> {
  const requests = Math.round((options.quick ? 40_000 : 400_000) * (pipeline === 1 ? 0.25 : 1))
  const rates: number[] = []
  const cpus: number[] = []
  let [stallMs, ownStallMs, waitedMs] = [0, 0, 0]
  let overBytes = Number.NEGATIVE_INFINITY
  for (let round = 0; round < options.rounds; round++) {
    options.progress(`eviction: SET into full servers, P=${pipeline}, round ${round + 1}`)
    const [ours, theirs] = servers
    const control = await Connection.open(ours!.address)
    // (It knows since its last tick what it has waited for.)
    await control.call('CONFIG', 'SET', 'hz', '100')
    await control.call('CONFIG', 'RESETSTAT')
    const [rate, cpu, waitedUs] = await run(ours!, options, pipeline, requests)
    const info = await ours!.info()
    stallMs = Math.max(stallMs, Number(info.get('cinnabar_loop_stall_max_us')) / 1000)
    ownStallMs = Math.max(ownStallMs, Number(info.get('cinnabar_loop_stall_own_us')) / 1000)
    waitedMs += waitedUs / 1000
    overBytes = Math.max(overBytes, Number(info.get('used_memory')) - FULL_BYTES)
    control.close()
    if (theirs === undefined) continue
    const [theirRate, theirCpu] = await run(theirs, options, pipeline, requests)
    rates.push(rate / theirRate)
    cpus.push(cpu / theirCpu)
  }
  return { pipeline, speedRatio: median(rates), cpuRatio: median(cpus), stallMs, ownStallMs, waitedMs, overBytes }
}

async function fillUp(servers: readonly Server[], options: Options): Promise<void> {
  for (const server of servers) {
    const connection = await Connection.open(server.address)
    await connection.call('FLUSHALL')
    await connection.call('CONFIG', 'SET', 'maxmemory', String(FULL_BYTES), 'maxmemory-policy', 'allkeys-lru')
    connection.close()
    options.progress(`eviction: filling ${server.name}`)
    await run(server, options, 50, 1_200_000)
  }
}

const points = (rate: number | undefined): string => (rate === undefined ? '-' : rate.toFixed(2))

function hitRateTable(specs: readonly ServerSpec[], figures: readonly HitRates[]): Table {
  return {
    title: `Hit rates in percent, ${CACHED.toLocaleString('en-US')} of ${UNIVERSE.toLocaleString('en-US')} keys cached`,
    columns: [left('workload'), left('policy'), right('exact LRU'), ...specs.map(({ name }) => right(name))],
    rows: figures.map(({ workload, policy, exact, live }) => [workload, policy, points(exact), ...live.map(points)]),
    notes: ['maxmemory-samples 5; each server has the memory in which it keeps so many keys'],
  }
}

function speedTable(speeds: readonly Speed[]): Table {
  return {
    title: 'SET of new keys into full servers (100 MB), ours / Redis',
    columns: ['pipeline', 'requests/s', 'CPU per request', 'longest stall, ms', 'of its own', 'waited, ms'].map(right),
    rows: speeds.map(({ pipeline, speedRatio, cpuRatio, stallMs, ownStallMs, waitedMs }) => [
      String(pipeline),
      ...[speedRatio, cpuRatio, stallMs, ownStallMs, waitedMs].map((value) =>
        Number.isNaN(value) ? '-' : value.toFixed(2),
      ),
    ]),
    notes: [
      'waited: how long all in all the server was ready to run, and no processor was free; a stall of its own is one ' +
        'without such waiting, as far as it is above 2 ms',
    ],
  }
}

function barsOf(figures: readonly HitRates[], speeds: readonly Speed[]): Bar[] {
  const lru = figures.filter(({ policy }) => policy === 'allkeys-lru')
  const least = (of: (rates: HitRates) => number, among = figures): number => Math.min(...among.map(of))
  const behind = ({ live }: HitRates): number => live[0]! - (live[1] ?? Number.NaN)
  return [
    atLeast('points of hit rate above Redis, at worst (LRU)', least(behind, lru), -CHANCE),
    atLeast(
      'points of hit rate above exact LRU, at worst (LRU)',
      least(({ live, exact }) => live[0]! - exact, lru),
      -1,
    ),
    atLeast('points of hit rate above Redis, at worst (LFU)', least(behind), -CHANCE),
    ...speeds.map((speed) => atLeast(`throughput while evicting, P=${speed.pipeline}`, speed.speedRatio, 1)),
    atMost('longest stall of its own, ms', Math.max(...speeds.map(({ ownStallMs }) => ownStallMs)), STALL_MS_MAX),
    atMost('used_memory above maxmemory, bytes', Math.max(...speeds.map(({ overBytes }) => overBytes)), 0),
  ]
}

export const evictionSuite: Suite = {
  name: 'eviction',
  summary: 'hit rates beside exact LRU and Redis, and SET into full servers',
  async run(options) {
    const servers = await startAll(options.specs.slice(0, 2), options.portBase)
    try {
      const { only } = options
      const isWanted = (part: string): boolean => only.length === 0 || only.some((text) => part.includes(text))
      const figures = isWanted('rates') ? await measureHitRates(options, servers) : []
      if (isWanted('speed')) await fillUp(servers, options)
      const speeds: Speed[] = []
      for (const pipeline of isWanted('speed') ? (options.pipelines ?? [1, 16, 50]) : [])
        speeds.push(await measureSpeed(options, servers, pipeline))
      const lru = figures.filter(({ policy }) => policy === 'allkeys-lru')
      const lfu = figures.filter(({ policy }) => policy === 'allkeys-lfu')
      const names = servers.map(({ name }) => name)
      return {
        tables: [hitRateTable(options.specs.slice(0, 2), figures), speedTable(speeds)],
        bars: barsOf(figures, speeds),
        chart: {
          title: 'Hit rates of a cache of one key in ten',
          subtitle: 'percent; every server has room for the same number of keys',
          series: ['exact LRU', ...names.map((name) => `${name} LRU`), `${names[0]} LFU`],
          groups: lru.map(({ workload, exact, live }, index) => ({
            label: workload,
            values: [exact, ...live, lfu[index]!.live[0]!],
          })),
          lines: [],
        },
        data: { figures, speeds },
      }
    } finally {
      await stopAll(servers)
    }
  },
}
