import { describe, expect, test } from 'vitest'
import { DrawnWords, Random, random, randomBelow, seedRandom } from '../../../src/lib/random.ts'

/** The sum of squared deviations over the expectation: about `counts.length` for fair dice, with little spread. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

describe('Random', () => {
  test('one seed gives one sequence, another seed another', () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed)
      return Array.from({ length: 20 }, () => random.next())
    }
    expect(draw(42)).toEqual(draw(42))
    expect(draw(42)).not.toEqual(draw(43))
    expect(new Random().next()).not.toBe(new Random().next())
  })

  test('every number below a bound is as likely as the other', () => {
    const random = new Random(1)
    for (const bound of [2, 3, 10, 100]) {
      const counts = new Array<number>(bound).fill(0)
      for (let i = 0; i < 1000 * bound; i++) counts[random.below(bound)]!++
      // Five standard deviations.
      expect(chiSquare(counts), `below ${bound}`).toBeLessThan(bound + 5 * Math.sqrt(2 * bound))
      expect(Math.min(...counts)).toBeGreaterThan(0)
    }
  })

  test('bounds at the ends of the range are kept', () => {
    const random = new Random(2)
    for (let i = 0; i < 1000; i++) {
      expect(random.below(1)).toBe(0)
      const large = random.below(2 ** 31)
      expect(large >= 0 && large < 2 ** 31).toBe(true)
      const fraction = random.fraction()
      expect(fraction >= 0 && fraction < 1).toBe(true)
    }
  })

  test('every bit is set half of the time', () => {
    const random = new Random(3)
    const counts = new Array<number>(32).fill(0)
    for (let i = 0; i < 10000; i++) {
      const bits = random.next()
      for (let bit = 0; bit < 32; bit++) counts[bit]! += (bits >>> bit) & 1
    }
    for (const count of counts) expect(Math.abs(count - 5000)).toBeLessThan(300)
  })
})

test("the process's own generator repeats itself once seeded", () => {
  const draw = (): number[] => [randomBelow(1000000), random(), randomBelow(7)]
  seedRandom(5)
  const first = draw()
  expect(draw()).not.toEqual(first)
  seedRandom(5)
  expect(draw()).toEqual(first)
})

describe('words drawn ahead', () => {
  test('are taken in their order, and then those that nobody drew', () => {
    seedRandom(6)
    const expected = Array.from({ length: 5 }, () => randomBelow(2 ** 31))
    seedRandom(6)
    const drawn = new DrawnWords(4)
    const ahead = [drawn.ahead(), drawn.ahead(), drawn.ahead()]
    expect(drawn.room).toBe(1)
    expect([drawn.take(), drawn.take(), drawn.take()]).toEqual(ahead)
    expect(drawn.room, 'all are taken').toBe(4)
    drawn.take()
    expect(randomBelow(2 ** 31), 'the fifth').toBe(expected[4])
  })

  test('are left when they are not wanted any more', () => {
    const drawn = new DrawnWords(2)
    const left = [drawn.ahead(), drawn.ahead()]
    drawn.forget()
    expect(drawn.room).toBe(2)
    expect(left).not.toContain(drawn.take())
  })
})
