import { expect, test } from 'vitest'
import { fuzzPayloads } from './payloads.ts'

const CASES = 30_000
/** FUZZ_SEED=… repeats a run. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

test(`${CASES} payloads, sound and damaged, are values or refused, and nothing is left behind (seed ${SEED})`, () => {
  const { values } = fuzzPayloads(SEED, CASES)
  expect(values).toBeGreaterThan(CASES / 10)
}, 60_000)
