import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { sortIndexes } from '../../../src/lib/sort-indexes.ts'

test('any number of indexes ends in the order of what they stand for, those of equals in the order they had', () => {
  const random = new Random(7)
  for (const count of [0, 1, 2, 7, 8, 9, 16, 17, 63, 64, 65, 100, 1000, 4099]) {
    const keys = Array.from({ length: count }, () => random.below(Math.max(1, count >> 2)))
    const indexes = Int32Array.from(keys.keys())
    sortIndexes(indexes, count, (a, b) => keys[a]! - keys[b]!)
    expect([...indexes]).toEqual([...keys.keys()].sort((a, b) => keys[a]! - keys[b]! || a - b))
  }
})

test('indexes behind the count stay where they are', () => {
  const indexes = Int32Array.of(3, 2, 1, 9, 0)
  sortIndexes(indexes, 3, (a, b) => a - b)
  expect([...indexes]).toEqual([1, 2, 3, 9, 0])
})

test('indexes that are in order take one comparison each', () => {
  const indexes = Int32Array.from({ length: 1024 }, (_, index) => index)
  let compared = 0
  sortIndexes(indexes, 1024, (a, b) => {
    compared++
    return a - b
  })
  expect(compared).toBeLessThan(1024 * 2)
})
