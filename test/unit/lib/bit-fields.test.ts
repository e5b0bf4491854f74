import { expect, test } from 'vitest'
import { fitField, Overflow, readField, writeField } from '../../../src/lib/bit-fields.ts'
import { type Int64, parseInt64 } from '../../../src/lib/int64.ts'
import { Random } from '../../../src/lib/random.ts'
import { testSeed } from '../../helpers/seed.ts'

const int64 = (value: bigint): Int64 => {
  const text = Buffer.from(String(value))
  return parseInt64(text, 0, text.length)!
}

/** A number of so many bits at most, often near the ends. */
function draw(random: Random, width: number, signed: boolean): bigint {
  const wide = (BigInt(random.next() >>> 0) << 32n) | BigInt(random.next() >>> 0)
  const shown = [wide, 0n, -1n, 1n << BigInt(width - 1)][random.below(4)]!
  return signed ? BigInt.asIntN(width, shown) : BigInt.asUintN(width, shown)
}

test('fields are read as they were written, and what is beside them stays', () => {
  const seed = testSeed()
  const random = new Random(seed)
  for (let step = 0; step < 3000; step++) {
    const signed = random.below(2) === 0
    const width = 1 + random.below(signed ? 64 : 63)
    const offset = random.below(80)
    const bytes = Uint8Array.from({ length: 20 }, () => random.next())
    const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
    const value = draw(random, width, signed)
    writeField(int64(value), bytes, 0, offset, width)
    expect(readField(bytes, 0, 20, offset, width, signed), `seed ${seed}`).toBe(int64(value))
    const field = BigInt.asUintN(width, value).toString(2).padStart(width, '0')
    const expected = bits.slice(0, offset) + field + bits.slice(offset + width)
    expect([...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join(''), `seed ${seed}`).toBe(expected)
  }
})

test('behind the end of a string all bits are 0', () => {
  expect(readField(Uint8Array.of(255, 255), 0, 1, 4, 8, false)).toBe(240)
  expect(readField(Uint8Array.of(255), 0, 1, 100, 64, true)).toBe(0)
})

test('sums wrap around, stop at the ends, or are refused', () => {
  const seed = testSeed(1)
  const random = new Random(seed)
  for (let step = 0; step < 5000; step++) {
    const signed = random.below(2) === 0
    const width = 1 + random.below(signed ? 64 : 63)
    const value = draw(random, width, signed)
    const increment = draw(random, 64, true) >> BigInt(random.below(64))
    const least = signed ? -(1n << BigInt(width - 1)) : 0n
    const greatest = (1n << BigInt(signed ? width - 1 : width)) - 1n
    const sum = value + increment
    const fits = sum >= least && sum <= greatest
    const wrapped = signed ? BigInt.asIntN(width, sum) : BigInt.asUintN(width, sum)
    const fitted = (overflow: Overflow): Int64 | undefined =>
      fitField(int64(value), int64(increment), width, signed, overflow)
    const shown = `seed ${seed}: ${value} + ${increment} in ${signed ? 'i' : 'u'}${width}`
    expect(fitted(Overflow.WRAP), shown).toBe(int64(wrapped))
    expect(fitted(Overflow.FAIL), shown).toBe(fits ? int64(sum) : undefined)
    expect(fitted(Overflow.SAT), shown).toBe(int64(fits ? sum : sum > greatest ? greatest : least))
  }
})
