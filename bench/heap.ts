/* Inserts many keys and watches what that does to the server: the size of its JS heap, its resident memory, and the
 * longest time it kept another client waiting.
 *
 * The stall is measured twice: from outside, as the slowest PING of a second process (which includes whatever the
 * machine's scheduler does when writer, probe and server share few cores: compare with the other server's figure, and
 * with the idle one), and by the server itself, if INFO has `cinnabar_loop_stall_max_us`. */
import { keyOf, runCommands, runLoad } from './load.ts'
import { Probe, type ProbeFigures } from './probe.ts'
import { type Info, Server } from './servers.ts'
import { atMost, type Bar, left, type Options, right, type Suite, significant, type Table } from './suite.ts'

const KEYS_DEFAULT = 10_000_000
const KEYS_QUICK = 200_000
const CONNECTIONS = 10
const PIPELINE = 50
const IDLE_MS = 1000
const VALUE = 'v'.repeat(32)
const HEAP_LIMIT_MB = 64
const STALL_LIMIT_MS = 5

interface HeapFigures {
  server: string
  keys: number
  seconds: number
  keysPerSecond: number
  heapMb: number
  rssMb: number
  usedPerKey: number
  rssPerKey: number
  ownStallMs: number
  idle: ProbeFigures
  loaded: ProbeFigures
}

export const heapSuite: Suite = {
  name: 'heap',
  summary: 'JS heap and longest stall while 10M keys are inserted',
  async run(options) {
    const keys = options.keys ?? (options.quick ? KEYS_QUICK : KEYS_DEFAULT)
    const figures: HeapFigures[] = []
    for (const spec of options.specs) {
      const server = await Server.start(spec, options.portBase)
      try {
        figures.push(await insert(options, server, keys))
      } finally {
        await server.stop()
      }
    }
    return { tables: [tableOf(figures, keys)], bars: barsOf(figures, keys), chart: null, data: figures }
  },
}

async function insert(options: Options, server: Server, keys: number): Promise<HeapFigures> {
  const probe = new Probe(server.address)
  try {
    await pause(IDLE_MS) // The probe starts and warms up.
    await probe.read()
    await pause(IDLE_MS)
    const idle = await probe.read()
    await resetStatistics(server)
    const before = await server.info()
    const rssBefore = await server.rssBytes()
    const beganMs = performance.now()
    await runLoad(server.address, {
      count: keys,
      command: (i) => ['SET', keyOf(i), VALUE],
      connections: CONNECTIONS,
      pipeline: PIPELINE,
      onProgress: everyTenth(keys, (share) => options.progress(`heap: ${server.name} ${share}% of ${keys} keys`)),
    })
    const seconds = (performance.now() - beganMs) / 1000
    const loaded = await probe.read()
    const after = await server.info()
    const rss = await server.rssBytes()
    return {
      server: server.name,
      keys,
      seconds,
      keysPerSecond: keys / seconds,
      heapMb: field(after, 'cinnabar_js_heap_used') / 1e6,
      rssMb: rss / 1e6,
      usedPerKey: (field(after, 'used_memory') - field(before, 'used_memory')) / keys,
      rssPerKey: (rss - rssBefore) / keys,
      ownStallMs: field(after, 'cinnabar_loop_stall_max_us') / 1000,
      idle,
      loaded,
    }
  } finally {
    await probe.stop()
  }
}

/** The server's own greatest stall is to be that of the load, not of its start. */
async function resetStatistics(server: Server): Promise<void> {
  try {
    await runCommands(server.address, [['CONFIG', 'RESETSTAT']])
  } catch (error) {
    if (server.ended) throw error // A server without CONFIG has no such figure either.
  }
}

function field(info: Info, name: string): number {
  return Number(info.get(name) ?? Number.NaN)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function everyTenth(total: number, report: (share: number) => void): (done: number) => void {
  let next = 1
  return (done) => {
    if (done * 10 < next * total) return
    next = Math.floor((done * 10) / total) + 1
    report((next - 1) * 10)
  }
}

function tableOf(figures: readonly HeapFigures[], keys: number): Table {
  const rows: [string, (server: HeapFigures) => number][] = [
    ['keys inserted per second', (server) => server.keysPerSecond],
    ['JS heap used, MB', (server) => server.heapMb],
    ['resident memory, MB', (server) => server.rssMb],
    ['used_memory per key, bytes', (server) => server.usedPerKey],
    ['resident memory per key, bytes', (server) => server.rssPerKey],
    ['longest stall by the server itself, ms', (server) => server.ownStallMs],
    ['PING beside the load, slowest, ms', (server) => server.loaded.maxMs],
    ['PING beside the load, p99.9, ms', (server) => server.loaded.p999Ms],
    ['PING beside the load, p50, ms', (server) => server.loaded.p50Ms],
    ['PING before the load, slowest, ms', (server) => server.idle.maxMs],
  ]
  return {
    title: `${significant(keys)} keys inserted (16-byte key, 32-byte value), ${CONNECTIONS} connections, P=${PIPELINE}`,
    columns: [left(''), ...figures.map((server) => right(server.server))],
    rows: rows.map(([label, value]) => [label, ...figures.map((server) => significant(value(server)))]),
    notes: [],
  }
}

/** The slowest PING is the machine's as much as the server's: the other server's stands beside it. */
function barsOf(figures: readonly HeapFigures[], keys: number): Bar[] {
  const [ours, theirs] = [figures[0]!, figures[1]]
  const beside = theirs === undefined ? '' : ` (${theirs.server}: ${theirs.loaded.maxMs.toFixed(1)})`
  const enough = keys >= KEYS_DEFAULT // With fewer keys a bar can be missed, but not met.
  return [
    atMost(`JS heap with ${significant(keys)} keys, MB`, ours.heapMb, HEAP_LIMIT_MB, enough),
    atMost('longest stall while inserting, by the server, ms', ours.ownStallMs, STALL_LIMIT_MS, enough),
    atMost(`longest stall while inserting, by PING, ms${beside}`, ours.loaded.maxMs, STALL_LIMIT_MS, enough),
  ]
}
