import { describe, expect, test } from 'vitest'
import { Distinct } from '../../../src/lib/distinct.ts'
import { Random } from '../../../src/lib/random.ts'

describe('Distinct', () => {
  test('tells the first meeting from those after it', () => {
    const distinct = new Distinct()
    distinct.begin(3)
    expect([5, -5, 5, 7, 7, -5].map((value) => distinct.meet(value))).toEqual([true, true, false, true, false, false])
  })

  test('forgets everything when it begins anew, with whatever room', () => {
    const distinct = new Distinct()
    for (const count of [10, 100_000, 10, 1000]) {
      distinct.begin(count)
      for (let value = 1; value <= count; value++) expect(distinct.meet(value * 16)).toBe(true)
      expect(distinct.meet(16)).toBe(false)
    }
  })

  test('agrees with a JavaScript Set about random integers', () => {
    const random = new Random(1)
    const distinct = new Distinct()
    const model = new Set<number>()
    distinct.begin(5000)
    for (let step = 0; step < 5000; step++) {
      const value = (random.next() >> 19) | 1
      expect(distinct.meet(value)).toBe(!model.has(value))
      model.add(value)
    }
  })
})
