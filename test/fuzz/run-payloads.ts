/* More of what payloads.test.ts does: `npx tsx test/fuzz/run-payloads.ts --cases 1000000 --seed 7`. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { fuzzPayloads } from './payloads.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '300000' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
})
const started = performance.now()
console.log(`seed ${values.seed}`)
const report = fuzzPayloads(Number(values.seed), Number(values.cases))
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(`${values.cases} payloads, ${report.values} of them values, ${seconds} s`)
