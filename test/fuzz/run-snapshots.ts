/* More of what snapshots.test.ts does: `npx tsx test/fuzz/run-snapshots.ts --seed 7 --seeds 100 --rounds 20`. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { fuzzSnapshots } from './snapshots.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    seeds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '1000000' },
    verbose: { type: 'boolean', default: false },
  },
})
const clock = process.hrtime.bigint
const started = clock()
let commands = 0
let errors = 0
let failures = 0
let seed = Number(values.seed)
for (
  let left = Number(values.seeds);
  left > 0 && Number(clock() - started) < Number(values.seconds) * 1e9;
  left--, seed++
) {
  try {
    const progress = values.verbose ? (text: string) => console.log(seed, text) : () => {}
    const report = fuzzSnapshots({ seed, rounds: Number(values.rounds), progress })
    commands += report.commands
    errors += report.errors
  } catch (error) {
    failures++
    console.error((error as Error).message)
    if (failures >= 3) break
  }
}
console.log(`up to seed ${seed}: ${commands} commands, ${errors} errors replied, ${failures} failures`)
process.exit(failures > 0 ? 1 : 0)
