/* More of what protocol.test.ts does: `npx tsx test/fuzz/run.ts --cases 1000000 --seed 7`.
 *
 *   --cases N    so many requests, and attempts at one (default 1000000)
 *   --seed S     of the streams (default: drawn, and printed)
 *   --only I     only stream I of the seed, as a failure names it
 *   --port P     a server that runs already, with proto-max-bulk-len 1mb; else dist/main.js is started */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { startCinnabar } from '../helpers/servers.ts'
import { fuzz } from './fuzzer.ts'
import { FUZZED_SERVER } from './streams.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    only: { type: 'string' },
    port: { type: 'string' },
  },
})
const seed = Number(values.seed)
const started = performance.now()
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1)
const server = values.port === undefined ? await startCinnabar({ args: FUZZED_SERVER }) : undefined
try {
  console.log(`seed ${seed}`)
  const report = await fuzz({
    port: server?.port ?? Number(values.port),
    seed,
    cases: Number(values.cases),
    only: values.only === undefined ? undefined : Number(values.only),
    progress: (cases) => console.log(`${cases} cases, ${seconds()} s`),
  })
  console.log(`${report.cases} cases over ${report.connections} connections, ${report.closed} closed, ${seconds()} s`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error(server?.log().slice(-5000))
  process.exitCode = 1
} finally {
  await server?.stop()
}
