import { expect, test } from 'vitest'
import { Keyspace } from '../../src/keyspace/keyspace.ts'
import { Random } from '../../src/lib/random.ts'
import { RdbError } from '../../src/persistence/rdb/reader.ts'
import { testSeed } from '../helpers/seed.ts'
import { loaderOf } from '../unit/persistence/rdb/support.ts'
import { fileOfAll, fuzzFiles, fuzzPayloads } from './payloads.ts'

const CASES = 30_000
const FILES = 3000
/** FUZZ_SEED=… repeats a run. */
const SEED = Math.abs(testSeed())

test(`${CASES} payloads, sound and damaged, are values or refused, and nothing is left behind (seed ${SEED})`, () => {
  const { values } = fuzzPayloads(SEED, CASES)
  expect(values).toBeGreaterThan(CASES / 10)
}, 60_000)

test(`${FILES} files with every type, sound and damaged, are loaded or refused (seed ${SEED})`, () => {
  const { loaded } = fuzzFiles(SEED, FILES)
  expect(loaded).toBeGreaterThan(FILES / 20)
}, 60_000)

test('a file with every type is refused wherever it is cut, and the message says where that is', () => {
  const file = fileOfAll(new Random(7), 4)
  const keyspace = new Keyspace(2)
  for (let len = 0; len < file.length; len++) {
    const { loader } = loaderOf(file.slice(0, len), { keyspace })
    try {
      while (loader.step()) {}
      expect.fail(`${len} bytes of ${file.length} were loaded`)
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
      expect(error.message).toMatch(/^Unexpected EOF|of no possible size$/)
      expect(error.offset).toBeLessThanOrEqual(len)
    }
    if (len % 50 === 0) keyspace.verify()
    keyspace.flush()
  }
})
