/* The persistence suite: how long a background save takes while nobody asks for anything, what clients see of one while
 * they write at full speed, what memory it takes, and how long the file takes to load.
 *
 * The servers are measured one after the other, so that they do not take the processors from each other; a saving
 * child, which Redis has, still takes one from its own clients and their generator where there are two. Redis's
 * memory is what its child had to copy (rdb_last_cow_size), ours what the process grew by. Processor time is
 * the server's own: it leaves out what a child of Redis's takes. */
import { measureAppendOnly } from './append-only.ts'
import { removeDirectory, temporaryDirectory } from './children.ts'
import { Connection, fillKeys } from './load.ts'
import { runRedisBenchmark } from './redis-benchmark.ts'
import { Server, type ServerSpec } from './servers.ts'
import { median } from './statistics.ts'
import { atLeast, atMost, left, type Options, right, type Suite, type SuiteResult, significant } from './suite.ts'

const KEYS = 5_000_000
const QUICK_KEYS = 500_000
const VALUE_SIZE = 32
const CLIENTS = 50
const DEPTHS = [1, 16]
/** One run of the generator during a save, in seconds; those that outlast the save do not count. */
const RUN_SECONDS = 0.8
const POLL_MS = 20
const MB = 1024 * 1024

interface LoadFigures {
  pipeline: number
  perSecond: number
  p999Ms: number
  duringPerSecond: number
  duringP999Ms: number
  duringMaxMs: number
  saveSeconds: number
  extraMb: number
  forkMs: number
}

interface Figures {
  idleSeconds: number
  idleCpuSeconds: number
  loads: LoadFigures[]
  loadSeconds: number
  loadCpuSeconds: number
}

async function isSaving(server: Server): Promise<boolean> {
  return (await server.info()).get('rdb_bgsave_in_progress') === '1'
}

async function beginSave(server: Server): Promise<void> {
  const connection = await Connection.open(server.address)
  await connection.call('BGSAVE')
  connection.close()
}

/** Seconds until the save under way has ended, since `beganMs`. */
async function ended(server: Server, beganMs: number): Promise<number> {
  while (await isSaving(server)) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  return (performance.now() - beganMs) / 1000
}

async function measureUnderLoad(
  server: Server,
  pipeline: number,
  keys: number,
  options: Options,
): Promise<LoadFigures> {
  const bench = (requests: number) =>
    runRedisBenchmark({
      address: server.address,
      clients: CLIENTS,
      pipeline,
      requests: Math.ceil(requests / pipeline) * pipeline,
      keyspace: keys,
      valueSize: VALUE_SIZE,
      test: 'set',
    })
  const guess = await bench(pipeline === 1 ? 20_000 : 100_000)
  const normal = await bench(guess.requestsPerSecond * options.seconds)
  const before = await server.rssBytes()
  const beganMs = performance.now()
  await beginSave(server)
  const end = ended(server, beganMs)
  let saving = true
  let peak = before
  void end.then(() => (saving = false))
  const watch = setInterval(() => void server.rssBytes().then((bytes) => (peak = Math.max(peak, bytes))), 100)
  const runs = []
  while (saving) {
    const run = await bench(normal.requestsPerSecond * RUN_SECONDS)
    if (saving || runs.length === 0) runs.push(run)
  }
  const saveSeconds = await end
  clearInterval(watch)
  const info = await server.info()
  const copied = Number(info.get('rdb_last_cow_size'))
  return {
    pipeline,
    perSecond: normal.requestsPerSecond,
    p999Ms: normal.p999Ms,
    duringPerSecond: median(runs.map((run) => run.requestsPerSecond)),
    duringP999Ms: median(runs.map((run) => run.p999Ms)),
    duringMaxMs: Math.max(...runs.map((run) => run.maxMs)),
    saveSeconds,
    extraMb: (copied > 0 ? copied : peak - before) / MB,
    forkMs: Number(info.get('latest_fork_usec') ?? 0) / 1000,
  }
}

async function measureServer(spec: ServerSpec, keys: number, options: Options): Promise<Figures> {
  const directory = temporaryDirectory()
  const command = spec.command === null ? null : [...spec.command, '--dir', directory]
  const inDirectory = { ...spec, command }
  let server = await Server.start(inDirectory, options.portBase)
  try {
    options.progress(`${spec.name}: ${significant(keys)} keys`)
    await fillKeys(server.address, keys, VALUE_SIZE) // what is set meanwhile must not make the data grow
    options.progress(`${spec.name}: saving`)
    const usage = await server.usage()
    const beganMs = performance.now()
    await beginSave(server)
    const idleSeconds = await ended(server, beganMs)
    const idleCpuSeconds = ((await server.usage()).cpuUs - usage.cpuUs) / 1e6
    const loads: LoadFigures[] = []
    for (const pipeline of DEPTHS) {
      options.progress(`${spec.name}: saving under load, P=${pipeline}`)
      loads.push(await measureUnderLoad(server, pipeline, keys, options))
    }
    options.progress(`${spec.name}: loading`)
    await server.stop()
    const startedMs = performance.now()
    server = await Server.start(inDirectory, options.portBase)
    // The server's own words leave out the start of the process, which does not depend on the data.
    const told = /loaded from disk: ([\d.]+) seconds/.exec(server.lastOutput)?.[1]
    const loadSeconds = told === undefined ? (performance.now() - startedMs) / 1000 : Number(told)
    const loadCpuSeconds = (await server.usage()).cpuUs / 1e6
    return { idleSeconds, idleCpuSeconds, loads, loadSeconds, loadCpuSeconds }
  } finally {
    await server.stop()
    removeDirectory(directory)
  }
}

function present(options: Options, keys: number, all: readonly Figures[]): SuiteResult {
  const names = options.specs.map(({ name }) => name)
  const millions = `${significant(keys / 1e6)}M keys`
  const saves = all.map((each, index) => {
    const seconds = [each.idleSeconds, each.idleCpuSeconds, each.loadSeconds, each.loadCpuSeconds]
    return [names[index]!, ...seconds.map(significant)]
  })
  const loads = all.flatMap((each, index) =>
    each.loads.map((load) => [
      `${names[index]}, P=${load.pipeline}`,
      significant(load.perSecond),
      significant(load.duringPerSecond),
      (load.duringPerSecond / load.perSecond).toFixed(2),
      ...[load.p999Ms, load.duringP999Ms, load.duringMaxMs, load.forkMs, load.saveSeconds].map(significant),
      significant(load.extraMb),
    ]),
  )
  const idleTitles = ['save, s', 'CPU s', 'load, s', 'CPU s']
  const loadTitles = ['SET/s', 'saving', 'ratio', 'p99.9 ms', 'saving', 'max ms', 'fork ms', 'save, s', 'memory + MB']
  const [ours, theirs] = all
  const bars = []
  if (ours !== undefined && theirs !== undefined) {
    bars.push(atMost('Idle save: ratio of times', ours.idleSeconds / theirs.idleSeconds, 2))
    bars.push(atLeast('Load: ratio of speeds', theirs.loadSeconds / ours.loadSeconds, 1))
  }
  for (const load of ours?.loads ?? []) {
    const label = `P=${load.pipeline}, during a save: `
    bars.push(atMost(`${label}p99.9 in ms`, load.duringP999Ms, 10))
    bars.push(atLeast(`${label}share of throughput`, load.duringPerSecond / load.perSecond, 0.6))
  }
  return {
    tables: [
      { title: `${millions}, nobody else`, columns: [left(''), ...idleTitles.map(right)], rows: saves, notes: [] },
      { title: `${millions}, SET`, columns: [left(''), ...loadTitles.map(right)], rows: loads, notes: [] },
    ],
    bars,
    chart: null,
    data: { keys, servers: all },
  }
}

export const persistenceSuite: Suite = {
  name: 'persistence',
  summary: 'background saves of 5M keys, idle and under load; loading; the append-only file',
  async run(options) {
    const keys = options.keys ?? (options.quick ? QUICK_KEYS : KEYS)
    const figures: Figures[] = []
    for (const spec of options.specs) figures.push(await measureServer(spec, keys, options))
    const own = present(options, keys, figures)
    const appendOnly = await measureAppendOnly(options)
    return {
      ...own,
      tables: [...own.tables, ...appendOnly.tables],
      bars: [...own.bars, ...appendOnly.bars],
      data: { keys, servers: figures, appendOnly: appendOnly.data },
    }
  },
}
