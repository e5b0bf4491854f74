import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DueSum } from '../../../src/keyspace/due-sum.ts'

const NOW = Date.now()

test('the sum of many moments, far and near, is exact: what is taken out leaves no trace', () => {
  const [sum, near] = [new DueSum(), new DueSum()]
  for (let index = 0; index < 100_000; index++) sum.add(NOW + 9e12)
  for (let index = 0; index < 3000; index++) {
    sum.add(NOW + index * 3 + 1)
    near.add(NOW + index * 3 + 1)
  }
  expect(sum.equals(near)).toBe(false)
  for (let index = 0; index < 100_000; index++) sum.subtract(NOW + 9e12)
  expect(sum.equals(near)).toBe(true)
  expect(Math.round(sum.mean(3000) - NOW)).toBe(Math.round(1 + (3 * 2999) / 2))
})

test('moments may lie anywhere', () => {
  const moment = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: NOW - 1e9, max: NOW + 1e9 }))
  fc.assert(
    fc.property(fc.array(moment), (moments) => {
      const sum = new DueSum()
      for (const each of moments) sum.add(each)
      for (const each of moments.toReversed()) sum.subtract(each)
      expect(sum.equals(new DueSum())).toBe(true)
    }),
  )
})
