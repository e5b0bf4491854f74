/* Counts garbage collections while hot commands run: a server that makes no JS object per command has next to none.
 *
 * The server is started with `node --trace-gc`, which prints a line per collection; those between the start and the end
 * of a run of redis-benchmark are counted. Warm-up comes first, since compiling makes garbage too. */
import { fillKeys } from './load.ts'
import { redisBenchmarkVersion, runRedisBenchmark } from './redis-benchmark.ts'
import { Server } from './servers.ts'
import { sum } from './statistics.ts'
import { atMost, left, type Options, right, type Suite, significant } from './suite.ts'

const REQUESTS = 5_000_000
const REQUESTS_QUICK = 200_000
const PIPELINE = 16
const MINOR_PER_MILLION_LIMIT = 1
const LINE = /\d ms: (Scavenge|Minor Mark|Mark-Compact)[^,\n]*, ([\d.]+) \//g

interface Collections {
  test: string
  requests: number
  minor: number
  major: number
  pauseMs: number
}

export const gcSuite: Suite = {
  name: 'gc',
  summary: 'garbage collections per million SETs and GETs',
  async run(options) {
    if (redisBenchmarkVersion() === null) throw new Error('redis-benchmark is not installed (Debian: redis-tools)')
    const spec = options.specs[0]!
    if (spec.command === null || !/(^|\/)node$/.test(spec.command[0]!)) {
      throw new Error(`the gc suite needs a server that is started as 'node ...', which ${spec.name} is not`)
    }
    const server = await Server.start(spec, options.portBase, ['--trace-gc'])
    try {
      const figures = await countAll(options, server)
      const minor = sum(figures.map((figure) => figure.minor)) / (sum(figures.map((figure) => figure.requests)) / 1e6)
      const columns = [left('test'), ...['requests', 'minor', 'major', 'minor per million', 'pauses ms'].map(right)]
      const rows = figures.map((figure) => [
        figure.test,
        significant(figure.requests),
        String(figure.minor),
        String(figure.major),
        significant(figure.minor / (figure.requests / 1e6)),
        significant(figure.pauseMs),
      ])
      return {
        tables: [{ title: `Garbage collections, ${spec.name}, P=${PIPELINE}`, columns, rows, notes: [] }],
        bars: [atMost('minor collections per million hot commands', minor, MINOR_PER_MILLION_LIMIT)],
        chart: null,
        data: figures,
      }
    } finally {
      await server.stop()
    }
  },
}

async function countAll(options: Options, server: Server): Promise<Collections[]> {
  let text = ''
  server.listen((chunk) => {
    text += chunk
  })
  options.progress(`filling ${server.name}`)
  await fillKeys(server.address, options.keyspace)
  const requests = options.quick ? REQUESTS_QUICK : REQUESTS
  const run = (test: string): Promise<unknown> => {
    const { clients, keyspace } = options
    return runRedisBenchmark({
      address: server.address,
      clients,
      pipeline: PIPELINE,
      requests,
      keyspace,
      valueSize: 3,
      test,
    })
  }
  const figures: Collections[] = []
  for (const test of ['set', 'get']) {
    options.progress(`gc: warming up ${test}`)
    await run(test)
    await printed()
    text = ''
    options.progress(`gc: ${test}`)
    await run(test)
    await printed()
    const lines = [...text.matchAll(LINE)]
    const major = lines.filter((line) => line[1] === 'Mark-Compact').length
    const pauseMs = sum(lines.map((line) => Number(line[2])))
    figures.push({ test: test.toUpperCase(), requests, minor: lines.length - major, major, pauseMs })
  }
  return figures
}

/** The server's lines come through a pipe: leave them a moment to arrive. */
function printed(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 200))
}
