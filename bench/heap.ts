/* Inserts many keys and watches what that does to the server: the size of its JS heap, its resident memory, and the
 * longest time it kept another client waiting. Then stores collections of each shape, and watches the heap only.
 *
 * The stall is measured twice: from outside, as the slowest PING of a second process (which includes whatever the
 * machine's scheduler does when writer, probe and server share few cores: compare with the other server's figure, and
 * with the idle one), and by the server itself, if INFO has `cinnabar_loop_stall_max_us`. */
import { keyOf, runCommands, runLoad } from './load.ts'
import { SHAPES, type Shape } from './memory.ts'
import { Probe, type ProbeFigures } from './probe.ts'
import { type Info, Server } from './servers.ts'
import { atMost, type Bar, left, type Options, right, type Suite, selected, significant, type Table } from './suite.ts'

const KEYS_DEFAULT = 10_000_000
const KEYS_QUICK = 200_000
const CONNECTIONS = 10
const PIPELINE = 50
const IDLE_MS = 1000
const VALUE = 'v'.repeat(32)
const HEAP_LIMIT_MB = 64
const STALL_LIMIT_MS = 5
const STRINGS = 'strings'
const COLLECTIONS = [
  ...['list, 1M elements', 'hash, 1M fields', 'set, 1M members', 'sorted set, 1M members'],
  ...['list, 10 short elements', 'hash, 20 fields', 'set, 50 integers', 'sorted set, 100 members'],
]
const MANY = 1_000_000
const MANY_QUICK = 10_000
const SAMPLE_MS = 250

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
  summary: 'JS heap and longest stall while 10M keys are inserted, JS heap while collections are stored',
  async run(options) {
    const keys = options.keys ?? (options.quick ? KEYS_QUICK : KEYS_DEFAULT)
    const figures: HeapFigures[] = []
    if (selected(options, STRINGS)) {
      for (const spec of options.specs) {
        const server = await Server.start(spec, options.portBase)
        try {
          figures.push(await insert(options, server, keys))
        } finally {
          await server.stop()
        }
      }
    }
    const shapes: ShapeHeap[] = []
    for (const shape of SHAPES) {
      if (COLLECTIONS.includes(shape.name) && selected(options, shape.name)) shapes.push(await store(options, shape))
    }
    return {
      tables: [
        ...(figures.length > 0 ? [tableOf(figures, keys)] : []),
        ...(shapes.length > 0 ? [shapesOf(shapes)] : []),
      ],
      bars: [...(figures.length > 0 ? barsOf(figures, keys) : []), ...shapeBarsOf(shapes)],
      chart: null,
      data: { strings: figures, collections: shapes },
    }
  },
}

interface ShapeHeap {
  shape: string
  keys: number
  /** The greatest while they were stored, and at the end. */
  greatestMb: number
  heapMb: number
  usedMb: number
}

/** Stores a large collection, or many small ones, in a server of our own. */
async function store(options: Options, shape: Shape): Promise<ShapeHeap> {
  const many = options.quick ? MANY_QUICK : MANY
  const keys = shape.elements >= MANY ? 1 : Math.min(options.keys ?? many, many)
  const server = await Server.start(options.specs[0]!, options.portBase)
  let greatestMb = 0
  const sample = async () => {
    const info = await server.info()
    const heapMb = field(info, 'cinnabar_js_heap_used') / 1e6
    greatestMb = Math.max(greatestMb, heapMb)
    return { heapMb, usedMb: field(info, 'used_memory') / 1e6 }
  }
  try {
    options.progress(`heap: ${shape.name}`)
    let isDone = false
    const stored = runLoad(server.address, { count: shape.commands(keys), command: shape.command })
    const watched = async () => {
      for (; !isDone; await pause(SAMPLE_MS)) await sample()
    }
    await Promise.all([stored.finally(() => (isDone = true)), watched()])
    const { heapMb, usedMb } = await sample()
    return { shape: shape.name, keys, greatestMb, heapMb, usedMb }
  } finally {
    await server.stop()
  }
}

function shapesOf(shapes: readonly ShapeHeap[]): Table {
  return {
    title: 'JS heap while collections are stored, MB',
    columns: [left('shape'), ...['keys', 'greatest', 'at the end', 'used_memory'].map(right)],
    rows: shapes.map((each) => [
      each.shape,
      ...[each.keys, each.greatestMb, each.heapMb, each.usedMb].map((value) => significant(value)),
    ]),
    notes: [],
  }
}

function shapeBarsOf(shapes: readonly ShapeHeap[]): Bar[] {
  if (shapes.length === 0) return []
  const isAll = shapes.length === COLLECTIONS.length && shapes.every(({ keys }) => keys === 1 || keys >= MANY)
  const greatest = Math.max(...shapes.map(({ greatestMb }) => greatestMb))
  return [atMost('JS heap while collections are stored, MB', greatest, HEAP_LIMIT_MB, isAll)]
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
