/* More of what payloads.test.ts does, and as many files: `npx tsx test/fuzz/run-payloads.ts --cases 1000000
 * --seed 7`. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { fuzzFiles, fuzzPayloads } from './payloads.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '300000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
})
const started = performance.now()
console.log(`seed ${values.seed}`)
const report = fuzzPayloads(Number(values.seed), Number(values.cases))
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1)
console.log(`${values.cases} payloads, ${report.values} of them values, ${seconds()} s`)
const files = fuzzFiles(Number(values.seed), Number(values.cases))
console.log(`${values.cases} files, ${files.loaded} of them loaded, ${seconds()} s`)
