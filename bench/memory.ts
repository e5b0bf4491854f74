/* Memory per key: what a server's used_memory and resident memory grow by when keys of one shape are stored.
 *
 * Every shape is stored into a server started for it, so that no earlier data leaves holes to fill. Resident memory is
 * given as growth per key, and whole, since a server's own memory counts too where little is stored. Keys and values
 * are made from the running number: the same bytes for every server. */
import { type Command, keyOf, runLoad } from './load.ts'
import { Server } from './servers.ts'
import { geometricMean } from './statistics.ts'
import {
  atMost,
  type Bar,
  type Chart,
  left,
  type Options,
  right,
  type Suite,
  selected,
  significant,
  type Table,
} from './suite.ts'

const KEYS_DEFAULT = 1_000_000
const KEYS_QUICK = 100_000
const SETTLE_MS = 1000
const STRING_LIMIT = 0.75
const COLLECTION_MEAN_LIMIT = 0.85
const COLLECTION_LIMIT = 1

export interface Shape {
  name: string
  /** Elements in each key; 0 for a string. A key's worth of memory is compared, whatever it holds. */
  elements: number
  /** How many commands it takes to make `keys` keys, and the command by number. */
  commands(keys: number): number
  command(index: number): Command
}

export interface MemoryFigures {
  server: string
  usedPerKey: number
  rssPerKey: number
  rssBytes: number
}

export interface ShapeFigures {
  shape: string
  elements: number
  keys: number
  /** One per server; null where it failed. */
  servers: (MemoryFigures | null)[]
  errors: Record<string, string>
}

const value32 = (i: number): string => `value:${String(i).padStart(26, '0')}`
const word = (i: number): string => `w${(Math.imul(i, 0x9e3779b1) >>> 0).toString(36)}`

export const STRING_SHAPE: Shape = {
  name: 'string (16-byte key, 32-byte value)',
  elements: 0,
  commands: (keys) => keys,
  command: (i) => ['SET', keyOf(i), value32(i)],
}

const SMALL = 10
const LARGE = 1000
const HUGE = 1_000_000

export const SHAPES: readonly Shape[] = [
  STRING_SHAPE,
  { ...STRING_SHAPE, name: 'string (integer)', command: (i) => ['SET', keyOf(i), i * 1000] },
  { ...STRING_SHAPE, name: 'string (200-byte value)', command: (i) => ['SET', keyOf(i), value32(i).padEnd(200, '.')] },
  { ...STRING_SHAPE, name: 'string with TTL', command: (i) => ['SET', keyOf(i), value32(i), 'EX', 100_000 + i] },
  small('hash, 10 fields', 'HSET', (i) => [word(i), `value${i % 1000}`]),
  large('hash, 1000 fields', 'HSET', (i) => [word(i), `value${i % 1000}`]),
  small('list, 10 elements', 'RPUSH', (i) => [word(i)]),
  large('list, 1000 elements', 'RPUSH', (i) => [word(i)]),
  small('set, 10 members', 'SADD', (i) => [word(i)]),
  small('set, 10 integers', 'SADD', (i) => [i]),
  large('set, 1000 members', 'SADD', (i) => [word(i)]),
  small('sorted set, 10 members', 'ZADD', (i) => [i % 10_000, word(i)]),
  large('sorted set, 1000 members', 'ZADD', (i) => [i % 10_000, word(i)]),
  collection('hash, 20 fields', 'HSET', 20, (i) => [word(i), `value${i % 1000}`]),
  collection('list, 10 short elements', 'RPUSH', SMALL, (i) => [`e${i % 1000}`]),
  collection('set, 50 integers', 'SADD', 50, (i) => [i]),
  collection('sorted set, 100 members', 'ZADD', 100, (i) => [i % 10_000, word(i)]),
  collection('hash, 1M fields', 'HSET', HUGE, (i) => [word(i), `value${i % 1000}`]),
  collection('list, 1M elements', 'RPUSH', HUGE, (i) => [word(i)]),
  collection('set, 1M members', 'SADD', HUGE, (i) => [word(i)]),
  collection('sorted set, 1M members', 'ZADD', HUGE, (i) => [i % 10_000, word(i)]),
  { name: 'stream, 10 entries', elements: SMALL, commands: (keys) => keys * SMALL, command: entry },
]

/** The keys number what they would for strings, divided by the elements in each. */
function small(name: string, command: string, element: (index: number) => Command): Shape {
  return collection(name, command, SMALL, element)
}

function large(name: string, command: string, element: (index: number) => Command): Shape {
  return collection(name, command, LARGE, element)
}

/** One command makes at most 100 elements of a key, as clients do; so encodings are converted on the way, too. */
function collection(name: string, command: string, elements: number, element: (index: number) => Command): Shape {
  const batch = Math.min(elements, 100)
  const batches = elements / batch
  return {
    name,
    elements,
    commands: (keys) => keys * batches,
    command(index) {
      const words: (string | number)[] = [command, keyOf(Math.floor(index / batches))]
      for (let i = 0; i < batch; i++) words.push(...element(index * batch + i))
      return words
    },
  }
}

function entry(index: number): Command {
  return ['XADD', keyOf(Math.floor(index / SMALL)), `${1 + index}-0`, 'field', word(index)]
}

export const memorySuite: Suite = {
  name: 'memory',
  summary: 'bytes per key by used_memory and resident memory, for strings and collections',
  async run(options) {
    const shapes = SHAPES.filter((shape) => selected(options, shape.name))
    const figures = await measureMemory(options, shapes)
    const { table, bars } = memoryTable(figures, options)
    return { tables: [table], bars, chart: memoryChart(figures, options), data: figures }
  },
}

export async function measureMemory(options: Options, shapes: readonly Shape[]): Promise<ShapeFigures[]> {
  const results: ShapeFigures[] = []
  for (const shape of shapes) {
    const wanted = options.keys ?? (options.quick ? KEYS_QUICK : KEYS_DEFAULT)
    const keys = Math.max(1, Math.round(wanted / Math.max(1, shape.elements)))
    const figures: ShapeFigures = { shape: shape.name, elements: shape.elements, keys, servers: [], errors: {} }
    for (const spec of options.specs) {
      options.progress(`memory: ${shape.name} ${spec.name}`)
      const server = await Server.start(spec, options.portBase)
      try {
        figures.servers.push(await measureShape(server, shape, keys))
      } catch (error) {
        figures.servers.push(null)
        figures.errors[spec.name] = error instanceof Error ? error.message : String(error)
      } finally {
        await server.stop()
      }
    }
    results.push(figures)
  }
  return results
}

async function measureShape(server: Server, shape: Shape, keys: number): Promise<MemoryFigures> {
  const before = await memoryOf(server)
  await runLoad(server.address, { count: shape.commands(keys), command: shape.command })
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS)) // Replies written, buffers shrunk, rehashing done.
  const after = await memoryOf(server)
  return {
    server: server.name,
    usedPerKey: (after.used - before.used) / keys,
    rssPerKey: (after.rss - before.rss) / keys,
    rssBytes: after.rss,
  }
}

async function memoryOf(server: Server): Promise<{ used: number; rss: number }> {
  const info = await server.info()
  return { used: Number(info.get('used_memory') ?? Number.NaN), rss: await server.rssBytes() }
}

type Field = 'usedPerKey' | 'rssPerKey'

function ratioOf(figures: ShapeFigures, field: Field, rival = 1): number {
  const [ours, theirs] = [figures.servers[0], figures.servers[rival]]
  return ours && theirs ? ours[field] / theirs[field] : Number.NaN
}

export function memoryTable(figures: readonly ShapeFigures[], options: Options): { table: Table; bars: Bar[] } {
  const names = options.specs.map((spec) => spec.name)
  const rows: string[][] = []
  for (const shape of figures) {
    for (const [index, server] of shape.servers.entries()) {
      const ratio = (field: Field): string => (index === 0 ? '' : significant(ratioOf(shape, field, index)))
      const cells = server === null ? ['-', '', '-', '', '-'] : cellsOf(server, ratio)
      rows.push([index === 0 ? shape.shape : '', index === 0 ? significant(shape.keys) : '', names[index]!, ...cells])
    }
  }
  const titles = ['used_memory/key', 'ratio', 'RSS/key', 'ratio', 'RSS MB in all']
  const columns = [left('shape'), right('keys'), left('server'), ...titles.map(right)]
  const notes = figures.flatMap((shape) =>
    Object.entries(shape.errors).map(([server, error]) => `${shape.shape} on ${server}: ${error}`),
  )
  const table = { title: `Memory per key, bytes (ratio: ${names[0]} to each)`, columns, rows, notes }
  return { table, bars: names.length === 1 ? [] : barsOf(figures) }
}

function cellsOf(server: MemoryFigures, ratio: (field: Field) => string): string[] {
  return [
    significant(server.usedPerKey),
    ratio('usedPerKey'),
    significant(server.rssPerKey),
    ratio('rssPerKey'),
    significant(server.rssBytes / 1e6),
  ]
}

function barsOf(figures: readonly ShapeFigures[]): Bar[] {
  const bars: Bar[] = []
  const strings = figures.find((shape) => shape.shape === STRING_SHAPE.name)
  if (strings !== undefined) {
    bars.push(atMost('memory per key, strings, used_memory ratio', ratioOf(strings, 'usedPerKey'), STRING_LIMIT))
    bars.push(atMost('memory per key, strings, RSS growth ratio', ratioOf(strings, 'rssPerKey'), STRING_LIMIT))
  }
  const collections = figures.filter((shape) => shape.elements > 0)
  if (collections.length === 0) return bars
  const ratios = collections.map((shape) => ratioOf(shape, 'usedPerKey')).filter((ratio) => !Number.isNaN(ratio))
  const complete = ratios.length === collections.length
  const greatest = ratios.length === 0 ? Number.NaN : Math.max(...ratios)
  const mean = geometricMean(ratios)
  bars.push(atMost('memory per key, collections, geometric mean of ratios', mean, COLLECTION_MEAN_LIMIT, complete))
  bars.push(atMost('memory per key, collections, greatest ratio', greatest, COLLECTION_LIMIT, complete))
  return bars
}

function memoryChart(figures: readonly ShapeFigures[], options: Options): Chart | null {
  const names = options.specs.map((spec) => spec.name)
  if (names.length === 1) return null
  const orNull = (value: number): number | null => (Number.isFinite(value) ? value : null)
  return {
    title: `Memory per key of ${names[0]} relative to ${names[1]}`,
    subtitle: `${names[1]} = 1; lower is better`,
    series: ['used_memory', 'resident memory'],
    groups: figures.map((shape) => ({
      label: shape.shape,
      values: [orNull(ratioOf(shape, 'usedPerKey')), orNull(ratioOf(shape, 'rssPerKey'))],
    })),
    lines: [
      { value: 1, label: '1.0' },
      { value: STRING_LIMIT, label: String(STRING_LIMIT) },
    ],
  }
}
