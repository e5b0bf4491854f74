import { expect, test } from 'vitest'
import { Lrand48 } from '../../../src/scripting/lrand48.ts'

const take = (random: Lrand48): number[] => [random.next(), random.next(), random.next(), random.next()]

test('gives the numbers that C gives', () => {
  const random = new Lrand48()
  expect(take(random)).toEqual([851401618, 1804928587, 758783491, 959030623])
  random.seed(0)
  expect(take(random)).toEqual(SEED_0)
  random.seed(42)
  expect(take(random)).toEqual(SEED_42)
  random.seed(-1)
  expect(take(random)).toEqual(SEED_MINUS_1)
})

const SEED_0 = [366850414, 1610402240, 206956554, 1869309841]
const SEED_42 = [1598855263, 735945821, 238553827, 906966006]
const SEED_MINUS_1 = [644300343, 97305740, 768640432, 869611528]
