/* The append-only file's part of the persistence suite: SET with each appendfsync, and how long the file takes to load.
 *
 * With `always` the disk decides: a sync for all clients of a turn. The figures are medians of runs that the servers
 * take in turns, so that a disk's good and bad moments meet both. */
import { removeDirectory, temporaryDirectory } from './children.ts'
import { fillKeys } from './load.ts'
import { runRedisBenchmark } from './redis-benchmark.ts'
import { Server, type ServerSpec } from './servers.ts'
import { median } from './statistics.ts'
import { atLeast, type Bar, left, type Options, right, significant, type Table } from './suite.ts'

const CLIENTS = 50
const KEYS = 5_000_000
const QUICK_KEYS = 500_000
const ROUNDS = 3
const VALUE_SIZE = 32
/** The first requests, which a server that compiles its code as it runs answers slowly, are not counted. */
const WARM_UP_REQUESTS = 50_000
const LOADS = [
  { appendfsync: 'everysec', pipeline: 1, requests: 100_000 },
  { appendfsync: 'everysec', pipeline: 16, requests: 1_000_000 },
  { appendfsync: 'always', pipeline: 1, requests: 50_000 },
  { appendfsync: 'always', pipeline: 16, requests: 200_000 },
] as const

interface Figures {
  /** Requests a second, by load. */
  perSecond: number[]
  loadSeconds: number
}

function inDirectory(spec: ServerSpec, directory: string, appendfsync: string): ServerSpec {
  const own = ['--dir', directory, '--appendonly', 'yes', '--appendfsync', appendfsync, '--aof-use-rdb-preamble', 'no']
  const command = spec.command === null ? null : [...spec.command, ...own, '--auto-aof-rewrite-percentage', '0']
  return { ...spec, command }
}

async function measureLoad(spec: ServerSpec, load: (typeof LOADS)[number], options: Options): Promise<number> {
  const directory = temporaryDirectory()
  const server = await Server.start(inDirectory(spec, directory, load.appendfsync), options.portBase)
  try {
    const bench = (requests: number) =>
      runRedisBenchmark({
        address: server.address,
        clients: CLIENTS,
        pipeline: load.pipeline,
        requests: options.quick ? requests / 10 : requests,
        keyspace: 1_000_000,
        valueSize: VALUE_SIZE,
        test: 'set',
      })
    await bench(WARM_UP_REQUESTS)
    return (await bench(load.requests)).requestsPerSecond
  } finally {
    await server.stop()
    removeDirectory(directory)
  }
}

async function measureLoading(spec: ServerSpec, options: Options): Promise<number> {
  const directory = temporaryDirectory()
  const own = inDirectory(spec, directory, 'no')
  let server = await Server.start(own, options.portBase)
  try {
    await fillKeys(server.address, options.keys ?? (options.quick ? QUICK_KEYS : KEYS))
    await server.stop()
    const startedMs = performance.now()
    server = await Server.start(own, options.portBase)
    const told = /loaded from append only file: ([\d.]+) seconds/.exec(server.lastOutput)?.[1]
    return told === undefined ? (performance.now() - startedMs) / 1000 : Number(told)
  } finally {
    await server.stop()
    removeDirectory(directory)
  }
}

/** Measures all servers; what it answers is added to the suite's own. */
export async function measureAppendOnly(options: Options): Promise<{ tables: Table[]; bars: Bar[]; data: object }> {
  const specs = options.specs
  const runs = specs.map(() => LOADS.map((): number[] => []))
  for (const [index, load] of LOADS.entries()) {
    for (let round = 0; round < (options.quick ? 1 : ROUNDS); round++) {
      for (const [at, spec] of specs.entries()) {
        options.progress(`${spec.name}: appendfsync ${load.appendfsync}, P=${load.pipeline}`)
        runs[at]![index]!.push(await measureLoad(spec, load, options))
      }
    }
  }
  const figures: Figures[] = []
  for (const [at, spec] of specs.entries()) {
    options.progress(`${spec.name}: loading the append-only file`)
    figures.push({ perSecond: runs[at]!.map(median), loadSeconds: await measureLoading(spec, options) })
  }
  return present(specs, figures)
}

function present(
  specs: readonly ServerSpec[],
  figures: readonly Figures[],
): { tables: Table[]; bars: Bar[]; data: object } {
  const titles = [...LOADS.map((load) => `${load.appendfsync}, P=${load.pipeline}`), 'load, s']
  const rows = figures.map(({ perSecond, loadSeconds }, at) => [
    specs[at]!.name,
    ...perSecond.map(significant),
    significant(loadSeconds),
  ])
  const bars: Bar[] = []
  const [ours, theirs] = figures
  if (ours !== undefined && theirs !== undefined) {
    for (const [index, load] of LOADS.entries()) {
      const label = `appendfsync ${load.appendfsync}, P=${load.pipeline}: ratio of speeds`
      bars.push(atLeast(label, ours.perSecond[index]! / theirs.perSecond[index]!, 1))
    }
    bars.push(atLeast('Load of an append-only file: ratio of speeds', theirs.loadSeconds / ours.loadSeconds, 1))
  }
  const columns = [left(''), ...titles.map(right)]
  return { tables: [{ title: 'Append-only file, SET/s', columns, rows, notes: [] }], bars, data: { figures } }
}
