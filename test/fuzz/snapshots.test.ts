import { expect, test } from 'vitest'
import { testSeed } from '../helpers/seed.ts'
import { fuzzSnapshots } from './snapshots.ts'

/** FUZZ_SEED=… repeats a run. */
const SEED = Math.abs(testSeed())

test(`snapshots of both forms are the data of their instant, and what follows fits (seed ${SEED})`, () => {
  let commands = 0
  for (let index = 0; index < 3; index++) commands += fuzzSnapshots({ seed: SEED + index, rounds: 4 }).commands
  expect(commands).toBeGreaterThan(1000)
}, 120_000)
