/* Lists, hashes, sets and sorted sets: redis-benchmark's own tests of them, and what these leave out: commands on large
 * ones.
 *
 * Each test says how its data is brought into the same state on every server before every run: emptied or filled anew
 * where a run changes it, filled once where it does not. Members are those of redis-benchmark (`element:000000000042`),
 * so that what is filled in here is what its random numbers then hit. */
import { type Command, Connection, fillKeys, runCommands, runLoad } from './load.ts'
import type { Server } from './servers.ts'
import { seededRandom } from './statistics.ts'
import type { Suite } from './suite.ts'
import { measure, type ThroughputTest } from './throughput.ts'
import { present } from './throughput-report.ts'

const DEPTHS = [1, 16, 100]
const SEED = 20_240_601
const DEFAULT_VALUE = 'xxx'
const LIST_ELEMENTS_FOR_LRANGE = 10_000
const MILLION = 1_000_000

type Prepare = (server: Server, requests: number) => Promise<void>

const memberOf = (i: number): string => `element:${String(i).padStart(12, '0')}`

const COMMON: readonly ThroughputTest[] = [
  { name: 'LPUSH', test: 'lpush', prepare: emptied('mylist') },
  { name: 'RPUSH', test: 'rpush', prepare: emptied('mylist') },
  { name: 'LPOP', test: 'lpop', requestsMax: MILLION, prepare: filledList },
  { name: 'RPOP', test: 'rpop', requestsMax: MILLION, prepare: filledList },
  { name: 'SADD', test: 'sadd', prepare: emptied('myset') },
  { name: 'HSET', test: 'hset', prepare: emptied('myhash') },
  { name: 'SPOP', test: 'spop', requestsMax: MILLION, prepare: filledSet },
  { name: 'ZADD', test: 'zadd', prepare: emptied('myzset') },
  { name: 'ZPOPMIN', test: 'zpopmin', requestsMax: MILLION, prepare: filledSortedSet },
  lrange(100, 10),
  lrange(300, 25),
  lrange(500, 40),
  lrange(600, 50),
  { name: 'MSET (10 keys)', test: 'mset', weight: 5 },
]

/** Each with as many requests at once as anybody would send. */
const LARGE: readonly ThroughputTest[] = [
  {
    name: 'ZRANGEBYSCORE LIMIT 10, 1M members',
    test: ['ZRANGEBYSCORE', 'large:zset', '500000', '+inf', 'LIMIT', '0', '10'],
    weight: 3,
    prepare: kept('large:zset', MILLION, 'ZADD', scoredBy(seededRandom(SEED))),
  },
  {
    name: 'ZRANK, 1M members',
    test: ['ZRANK', 'large:zset', 'element:__rand_int__'],
    weight: 2,
    prepare: kept('large:zset', MILLION, 'ZADD', scoredBy(seededRandom(SEED))),
  },
  {
    name: 'SINTER, 100k and 1k members',
    test: ['SINTER', 'large:set', 'small:set'],
    weight: 300,
    prepare: both(
      kept('large:set', 100_000, 'SADD', (i) => [memberOf(i)]),
      kept('small:set', 1000, 'SADD', (i) => [memberOf(i * 200)]),
    ),
  },
  {
    name: 'HGETALL, 100 fields',
    test: ['HGETALL', 'large:hash'],
    weight: 15,
    prepare: kept('large:hash', 100, 'HSET', (i) => [`field:${i}`, `value:${i}`]),
  },
  {
    name: 'LINDEX, middle of 1M elements',
    test: ['LINDEX', 'large:list', '500000'],
    weight: 5,
    prepare: kept('large:list', MILLION, 'RPUSH', (i) => [memberOf(i)]),
  },
  {
    name: 'SMEMBERS, 10k members',
    test: ['SMEMBERS', 'middle:set'],
    weight: 800,
    prepare: kept('middle:set', 10_000, 'SADD', (i) => [memberOf(i)]),
  },
].map((test) => ({ ...test, pipelines: [1, 16] }))

export const collectionsSuite: Suite = {
  name: 'collections',
  summary: "redis-benchmark's tests of lists, sets, hashes and sorted sets, and large ones, at P = 1, 16, 100",
  async run(options) {
    return present(
      'collections',
      await measure(options, [...COMMON, ...LARGE], DEPTHS, (server) => fillKeys(server.address, options.keyspace)),
      options,
    )
  },
}

function emptied(key: string): Prepare {
  return (server) => runCommands(server.address, [['DEL', key]])
}

/** At least one element for each pop to come, so that every reply is a hit. */
async function filledList(server: Server, requests: number): Promise<void> {
  await inBatches(server, 'mylist', requests, 'RPUSH', () => [DEFAULT_VALUE])
}

async function filledSet(server: Server, requests: number): Promise<void> {
  await inBatches(server, 'myset', requests, 'SADD', (i) => [memberOf(i)])
}

async function filledSortedSet(server: Server, requests: number): Promise<void> {
  await inBatches(server, 'myzset', requests, 'ZADD', scoredBy(seededRandom(SEED)))
}

function scoredBy(random: () => number): (index: number) => Command {
  return (i) => [Math.floor(random() * 1e6), memberOf(i)]
}

/** Fills the key unless it is there: for tests that only read it. */
function kept(key: string, count: number, name: string, element: (index: number) => Command): Prepare {
  return async (server) => {
    const connection = await Connection.open(server.address)
    const isThere = await connection.call('EXISTS', key).finally(() => connection.close())
    if (isThere === 0) await inBatches(server, key, count, name, element)
  }
}

function both(first: Prepare, second: Prepare): Prepare {
  return async (server, requests) => {
    await first(server, requests)
    await second(server, requests)
  }
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
