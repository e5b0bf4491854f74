/* The suites by name, and the tests of those that redis-benchmark runs.
 *
 * Each test says how its data is brought into the same state on every server before every run. Keys and members are
 * those of redis-benchmark (`key:000000000042`, `element:000000000042`), so that what is filled in here is what its
 * random numbers then hit. */
import { decoderSuite } from './decoder.ts'
import { gcSuite } from './gc.ts'
import { heapSuite } from './heap.ts'
import { type Command, fillKeys, keyOf, runCommands, runLoad } from './load.ts'
import { measureMemory, memorySuite, memoryTable, STRING_SHAPE } from './memory.ts'
import type { Server } from './servers.ts'
import { seededRandom } from './statistics.ts'
import type { Suite } from './suite.ts'
import { measure, type ThroughputTest } from './throughput.ts'
import { present } from './throughput-report.ts'
import { transactionsSuite } from './transactions.ts'

const DEPTHS = [1, 16, 100]
const SEED = 20_240_601
const DEFAULT_VALUE = 'xxx'
const LIST_ELEMENTS_FOR_LRANGE = 10_000

const CORE: readonly ThroughputTest[] = [
  { name: 'PING_INLINE', test: 'ping_inline' },
  { name: 'PING_MBULK', test: 'ping_mbulk' },
  { name: 'SET', test: 'set' },
  { name: 'GET', test: 'get' },
  { name: 'INCR', test: 'incr' },
  { name: 'MGET (10 keys)', test: ['MGET', ...Array<string>(10).fill('key:__rand_int__')], weight: 5 },
  { name: 'MSET (10 keys)', test: 'mset', weight: 5 },
]

const COLLECTIONS: readonly ThroughputTest[] = [
  { name: 'LPUSH', test: 'lpush', prepare: emptied('mylist') },
  { name: 'RPUSH', test: 'rpush', prepare: emptied('mylist') },
  { name: 'LPOP', test: 'lpop', requestsMax: 1_000_000, prepare: filledList },
  { name: 'RPOP', test: 'rpop', requestsMax: 1_000_000, prepare: filledList },
  { name: 'SADD', test: 'sadd', prepare: emptied('myset') },
  { name: 'HSET', test: 'hset', prepare: emptied('myhash') },
  { name: 'SPOP', test: 'spop', requestsMax: 1_000_000, prepare: filledSet },
  { name: 'ZADD', test: 'zadd', prepare: emptied('myzset') },
  { name: 'ZPOPMIN', test: 'zpopmin', requestsMax: 1_000_000, prepare: filledSortedSet },
  lrange(100, 10),
  lrange(300, 25),
  lrange(500, 40),
  lrange(600, 50),
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

const collectionsSuite: Suite = {
  name: 'collections',
  summary: "redis-benchmark's tests of lists, sets, hashes and sorted sets at P = 1, 16, 100",
  async run(options) {
    return present(
      'collections',
      await measure(options, COLLECTIONS, DEPTHS, (server) => fillKeys(server.address, options.keyspace)),
      options,
    )
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
  gcSuite,
  decoderSuite,
  transactionsSuite,
]

function emptied(key: string): (server: Server) => Promise<void> {
  return (server) => runCommands(server.address, [['DEL', key]])
}

/** At least one element for each pop to come, so that every reply is a hit. */
async function filledList(server: Server, requests: number): Promise<void> {
  await inBatches(server, 'mylist', requests, 'RPUSH', () => [DEFAULT_VALUE])
}

async function filledSet(server: Server, requests: number): Promise<void> {
  await inBatches(server, 'myset', requests, 'SADD', (i) => [`element:${String(i).padStart(12, '0')}`])
}

async function filledSortedSet(server: Server, requests: number): Promise<void> {
  const random = seededRandom(SEED)
  const scored = (i: number): Command => [Math.floor(random() * 1e6), `element:${String(i).padStart(12, '0')}`]
  await inBatches(server, 'myzset', requests, 'ZADD', scored)
}

/** Replaces the key by a collection of `count` elements, 100 to a command. */
async function inBatches(
  server: Server,
  key: string,
  count: number,
  name: string,
  element: (index: number) => Command,
): Promise<void> {
  await runCommands(server.address, [['DEL', key]])
  const command = (batch: number): Command => {
    const words: (string | number)[] = [name, key]
    for (let i = batch * 100; i < Math.min(count, batch * 100 + 100); i++) words.push(...element(i))
    return words
  }
  await runLoad(server.address, { count: Math.ceil(count / 100), command, connections: 1, pipeline: 10 })
}

/** As redis-benchmark's own LRANGE tests, whose list would grow by a run's LPUSHes before each of them. */
function lrange(count: number, weight: number): ThroughputTest {
  return {
    name: `LRANGE_${count}`,
    test: ['LRANGE', 'mylist', '0', String(count - 1)],
    weight,
    prepare: (server) => filledList(server, LIST_ELEMENTS_FOR_LRANGE),
  }
}

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
