/* The suites by name, and the tests of those that redis-benchmark runs.
 *
 * Each test says how its data is brought into the same state on every server before every run. Keys and members are
 * those of redis-benchmark (`key:000000000042`, `element:000000000042`), so that what is filled in here is what its
 * random numbers then hit. */
import { blockedSuite } from './blocked.ts'
import { collectionsSuite } from './collections.ts'
import { decoderSuite } from './decoder.ts'
import { evictionSuite } from './eviction.ts'
import { gcSuite } from './gc.ts'
import { heapSuite } from './heap.ts'
import { fillKeys, keyOf, runLoad } from './load.ts'
import { measureMemory, memorySuite, memoryTable, STRING_SHAPE } from './memory.ts'
import { persistenceSuite } from './persistence.ts'
import { pubsubSuite } from './pubsub.ts'
import { scriptingSuite } from './scripting.ts'
import type { Server } from './servers.ts'
import type { Suite } from './suite.ts'
import { measure, type ThroughputTest } from './throughput.ts'
import { present } from './throughput-report.ts'
import { transactionsSuite } from './transactions.ts'

const DEPTHS = [1, 16, 100]

const CORE: readonly ThroughputTest[] = [
  { name: 'PING_INLINE', test: 'ping_inline' },
  { name: 'PING_MBULK', test: 'ping_mbulk' },
  { name: 'SET', test: 'set' },
  { name: 'GET', test: 'get' },
  { name: 'INCR', test: 'incr' },
  { name: 'MGET (10 keys)', test: ['MGET', ...Array<string>(10).fill('key:__rand_int__')], weight: 5 },
  { name: 'MSET (10 keys)', test: 'mset', weight: 5 },
]

const VALUES: readonly ThroughputTest[] = [
  ...values('1 KB', 1024, 100_000, [1, 16], 2),
  ...values('64 KB', 64 * 1024, 4096, [1, 16], 20),
  ...values('1 MB', 1024 * 1024, 256, [1], 100), // Deeper, redis-benchmark's own buffers would hold gigabytes.
]

const coreSuite: Suite = {
  name: 'core',
  summary: 'PING SET GET INCR MGET MSET at P = 1, 16, 100, and memory per key',
  async run(options) {
    const memory = options.only.length === 0 ? await measureMemory(options, [STRING_SHAPE]) : null
    const result = present(
      'core',
      await measure(options, CORE, DEPTHS, (server) => fillKeys(server.address, options.keyspace)),
      options,
    )
    if (memory === null) return result
    const { table, bars } = memoryTable(memory, options)
    const data = { tests: result.data, memory }
    return { ...result, tables: [...result.tables, table], bars: [...result.bars, ...bars], data }
  },
}

const valuesSuite: Suite = {
  name: 'values',
  summary: 'SET and GET of 1 KB, 64 KB and 1 MB',
  async run(options) {
    return present('values', await measure(options, VALUES, [1, 16], async () => {}), options)
  },
}

export const SUITES: readonly Suite[] = [
  coreSuite,
  collectionsSuite,
  valuesSuite,
  memorySuite,
  heapSuite,
  evictionSuite,
  gcSuite,
  decoderSuite,
  transactionsSuite,
  scriptingSuite,
  pubsubSuite,
  persistenceSuite,
  blockedSuite,
]

function values(
  label: string,
  valueSize: number,
  keyspace: number,
  pipelines: readonly number[],
  weight: number,
): ThroughputTest[] {
  const value = 'x'.repeat(valueSize)
  const pipeline = Math.max(1, Math.floor((1 << 20) / valueSize))
  const prepare = (server: Server): Promise<void> =>
    runLoad(server.address, { count: keyspace, command: (i) => ['SET', keyOf(i), value], connections: 1, pipeline })
  const common = { valueSize, keyspace, pipelines, weight, prepare }
  return [
    { name: `SET ${label}`, test: 'set', ...common },
    { name: `GET ${label}`, test: 'get', ...common },
  ]
}

/** The names on the command line, in the order they run. */
export function suitesNamed(names: readonly string[]): Suite[] {
  if (names.includes('all')) return [...SUITES]
  return (names.length === 0 ? ['core'] : names).map((name) => {
    const suite = SUITES.find((candidate) => candidate.name === name)
    if (suite === undefined) throw new Error(`no suite '${name}' (${SUITES.map((s) => s.name).join(', ')}, all)`)
    return suite
  })
}
