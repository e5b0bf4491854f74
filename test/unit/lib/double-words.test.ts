import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromOrder, fromWords, highOrder, highWord, lowOrder, lowWord } from '../../../src/lib/double-words.ts'

const anyDouble = fc.oneof(
  fc.double({ noNaN: true }),
  fc.integer(),
  fc.constantFrom(0, -0, Infinity, -Infinity, Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE),
)

test('words make the same double again, -0 included', () => {
  fc.assert(fc.property(anyDouble, (value) => Object.is(fromWords(highWord(value), lowWord(value)), value)))
})

test('the high word is the one with sign and exponent', () => {
  expect(highWord(1)).toBe(0x3ff00000)
  expect(lowWord(1)).toBe(0)
  expect(highWord(-0)).toBe(0x80000000 | 0)
})

test('order words compare as the doubles do', () => {
  fc.assert(
    fc.property(anyDouble, anyDouble, (a, b) => {
      const high = Math.sign(highOrder(a) - highOrder(b))
      const order = high !== 0 ? high : Math.sign(lowOrder(a) - lowOrder(b))
      expect(order).toBe(a === b ? 0 : a < b ? -1 : 1)
    }),
    { numRuns: 2000 },
  )
})

test('order words of close neighbours differ in the low word alone, and sort there', () => {
  for (const value of [1, -1, 1e300, -1e-300, 123456.789]) {
    const next = fromWords(highWord(value), lowWord(value) + 1) // away from 0
    expect(highOrder(next)).toBe(highOrder(value))
    expect(Math.sign(lowOrder(next) - lowOrder(value))).toBe(Math.sign(next - value))
  }
})

test('order words make the same double again, and 0 of -0', () => {
  fc.assert(fc.property(anyDouble, (value) => Object.is(fromOrder(highOrder(value), lowOrder(value)), value + 0)))
})
