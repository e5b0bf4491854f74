import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { DOUBLE_LEN_MAX, formatDouble, formatDouble17, parseDouble, writeDouble } from '../../../src/lib/double.ts'
import { POWER_COUNT, POWER_FIRST, POWER_STEP, powerExponent, SIGNIFICANDS } from '../../../src/lib/powers-of-ten.ts'

function parse(text: string): number | undefined {
  return parseDouble(fromLatin1(`1${text}1`), 1, text.length)
}

const significand = (index: number): bigint =>
  (BigInt(SIGNIFICANDS[2 * index]!) << 32n) | BigInt(SIGNIFICANDS[2 * index + 1]!)

/** Every bit pattern alike, plain decimals often. */
const bitPatterns = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((bits) => {
  return new Float64Array(new BigUint64Array([bits]).buffer)[0]!
})
const decimals = fc.tuple(fc.nat(10 ** 9), fc.nat(9)).map(([digits, places]) => digits / 10 ** places)
const powersOfTwo = fc.integer({ min: -1074, max: 1023 }).map((power) => 2 ** power)
const finite = fc.oneof(bitPatterns, decimals, powersOfTwo, fc.double()).filter(Number.isFinite)

describe('formatDouble', () => {
  test('prints what Redis 7.2 prints', () => {
    const printed: readonly (readonly [number, string])[] = [
      [0, '0'],
      [-0, '-0'],
      [Number.NaN, 'nan'],
      [Number.POSITIVE_INFINITY, 'inf'],
      [Number.NEGATIVE_INFINITY, '-inf'],
      [1, '1'],
      [-17, '-17'],
      [3.14, '3.14'],
      [-1.1, '-1.1'],
      [0.1, '0.1'],
      [1 / 3, '0.3333333333333333'],
      [123456789.125, '123456789.125'],
      [2 ** 53, '9007199254740992'],
      [2 ** 62, '4611686018427387904'],
      [-(2 ** 62), '-4611686018427387904'],
      [2 ** 63, '9223372036854776000'],
      [12345678901234567000, '12345678901234567000'],
      [1e18, '1000000000000000000'],
      [1e19, '1e+19'],
      [1e21, '1e+21'],
      [9.999e22, '9.999e+22'],
      [1.5e300, '1.5e+300'],
      [0.000001, '0.000001'],
      [1e-7, '1e-7'],
      [1.5e-7, '1.5e-7'],
      [0.000123, '0.000123'],
      [0.00012345, '1.2345e-4'],
      [-2.5e-10, '-2.5e-10'],
      [5e-324, '5e-324'],
      [1.7976931348623157e308, '1.7976931348623157e+308'],
      // Where Grisu2 is not the shortest, or not the nearest.
      [0.32374, '0.32374000000000003'],
      [3.075461, '3.0754609999999998'],
      [0.000649, '6.489999999999999e-4'],
      [0.01207, '0.012070000000000001'],
      [915819918473424.8, '915819918473424.7'],
      [1e15 + 0.3, '1000000000000000.3'],
    ]
    for (const [value, text] of printed) expect(formatDouble(value)).toBe(text)
  })

  test('agrees with Grisu2 in exact integers, and reads back as the same double', () => {
    fc.assert(
      fc.property(finite, (value) => {
        const text = formatDouble(value)
        expect(text.length).toBeLessThan(DOUBLE_LEN_MAX)
        if (Number.isInteger(value) && Math.abs(value) <= 2 ** 62) expect(text).toBe(wholeText(value))
        else expect(text).toBe((value < 0 ? '-' : '') + layOut(grisu2(Math.abs(value))))
        expect(parse(text)).toBe(value)
      }),
      { numRuns: 5000 },
    )
  })

  test('writes at a position and returns the one after', () => {
    const bytes = new Uint8Array(40).fill(0x55)
    expect(writeDouble(-0.25, bytes, 3)).toBe(8)
    expect(latin1(bytes, 2, 7)).toBe('U-0.25U')
  })

  test('the cached powers are the nearest to the true ones', () => {
    expect(SIGNIFICANDS.length).toBe(2 * POWER_COUNT)
    for (let index = 0; index < POWER_COUNT; index++) {
      const power = BigInt(POWER_FIRST + POWER_STEP * index)
      const exponent = BigInt(powerExponent(index))
      const size = (value: bigint): bigint => (value < 0n ? -value : value)
      // | significand * 2^exponent - 10^power | <= 2^exponent / 2, everything multiplied to become whole
      const up = (10n ** (power < 0n ? -power : 0n)) << (exponent < 0n ? 0n : exponent)
      const down = (10n ** (power > 0n ? power : 0n)) << (exponent < 0n ? -exponent : 0n)
      expect(2n * size(significand(index) * up - down) <= up, `10^${power}`).toBe(true)
      expect(significand(index) >> 63n).toBe(1n)
    }
  })
})

describe('parseDouble', () => {
  test('reads what JavaScript prints, and every other decimal form', () => {
    fc.assert(
      fc.property(finite, (value) => Object.is(parse(Object.is(value, -0) ? '-0' : String(value)), value)),
      { numRuns: 3000 },
    )
    const forms: readonly (readonly [string, number])[] = [
      ['5', 5],
      ['+5', 5],
      ['-5', -5],
      ['.5', 0.5],
      ['5.', 5],
      ['-0', -0],
      ['-0.0', -0],
      ['007', 7],
      ['1e5', 1e5],
      ['1E+05', 1e5],
      ['3.0e3', 3000],
      ['0e999', 0],
      ['4.9e-324', 5e-324],
      ['123456789012345678901234567890', 1.2345678901234568e29],
      ['0.1', 0.1],
      ['999999999999999', 999999999999999],
      ['9999999999999999', 1e16],
      [`0.${'0'.repeat(400)}`, 0],
    ]
    for (const [text, value] of forms) expect(Object.is(parse(text), value), text).toBe(true)
  })

  test('reads infinities in any case', () => {
    for (const text of ['inf', '+INF', 'Infinity']) expect(parse(text)).toBe(Number.POSITIVE_INFINITY)
    for (const text of ['-inf', '-iNfInItY']) expect(parse(text)).toBe(Number.NEGATIVE_INFINITY)
  })

  test('reads hexadecimal floats, rounded once', () => {
    const forms: readonly (readonly [string, number])[] = [
      ['0x10', 16],
      ['-0X1.8p3', -12],
      ['0x.8', 0.5],
      ['0x1p-1074', 5e-324],
      ['0x0p99999', 0],
      ['0x1.fffffffffffffp1023', Number.MAX_VALUE],
      ['0x1.00000000000008p0', 1],
      ['0x1.000000000000080001p0', 1 + 2 ** -52],
      ['0x1.00000000000018p0', 1 + 2 ** -51],
      ['0x1.8p-1074', 1e-323],
      ['0x1.7fffffffffffffffp-1074', 5e-324],
      ['0x0.00000001p32', 1],
    ]
    for (const [text, value] of forms) expect(parse(text), text).toBe(value)
  })

  test('refuses what Redis refuses', () => {
    const refused = [
      '',
      '-',
      '+',
      '.',
      '-.',
      ' 1',
      '1 ',
      '\t1',
      '1\n',
      '1_0',
      '1,5',
      '1e',
      '1e+',
      '1x5',
      '1p5',
      'e5',
      '0x',
      '0x.',
      '0x1p',
      '0x1p+',
      '0x1.8g2',
      '0xg',
    ]
    refused.push('nan', 'NaN', '-nan', 'nan(1)', 'infinit', 'in', 'inff', '--1', '+-1', '1.2.3', '1\x002', 'abc')
    refused.push('1e400', '-1e400', '1e-400', '2.4e-324', '0x1p1024', '0x1p-1076', '1'.repeat(400))
    for (const text of refused) expect(parse(text), JSON.stringify(text)).toBeUndefined()
  })
})

describe('formatDouble17', () => {
  test("prints what C's %.17g prints", () => {
    const printed: readonly (readonly [number, string])[] = [
      [0, '0'],
      [-0, '-0'],
      [1, '1'],
      [0.1, '0.10000000000000001'],
      [3.14, '3.1400000000000001'],
      [100.5, '100.5'],
      [1e16, '10000000000000000'],
      [1e17, '1e+17'],
      [1e20, '1e+20'],
      [2 ** 63, '9.2233720368547758e+18'],
      [1e-4, '0.0001'],
      [1e-5, '1.0000000000000001e-05'],
      [1.5e300, '1.5000000000000001e+300'],
      [5e-324, '4.9406564584124654e-324'],
      [-2 / 3, '-0.66666666666666663'],
      [Number.POSITIVE_INFINITY, 'inf'],
      [Number.NEGATIVE_INFINITY, '-inf'],
      [Number.NaN, 'nan'],
      [1 + 2 ** -17, '1.0000076293945312'], // a tie: to even
      [1 + 3 * 2 ** -17, '1.0000228881835938'],
    ]
    for (const [value, text] of printed) expect(formatDouble17(value)).toBe(text)
  })

  test('reads back as the same double', () => {
    fc.assert(
      fc.property(finite, (value) => Object.is(Number(formatDouble17(value)), value)),
      { numRuns: 2000 },
    )
  })
})

function wholeText(value: number): string {
  return Object.is(value, -0) ? '-0' : BigInt(value).toString()
}

/** Grisu2 over exact integers: the digits, and the power of ten of the last. */
function grisu2(value: number): [digits: number[], exponent: number] {
  const bits = new BigUint64Array(new Float64Array([value]).buffer)[0]!
  const biased = bits >> 52n
  const fraction = (bits & (2n ** 52n - 1n)) | (biased === 0n ? 0n : 2n ** 52n)
  const shift = BigInt(64 - fraction.toString(2).length)
  const binary = Number((biased === 0n ? 1n : biased) - 1075n - shift)
  let index = Math.trunc((Math.trunc(-(binary + POWER_COUNT) * 0.30102999566398114) - POWER_FIRST) / POWER_STEP)
  while (binary + powerExponent(index) + 64 < -60) index++
  while (binary + powerExponent(index) + 64 > -32) index--
  const times = (factor: bigint): bigint => (factor * significand(index) + 2n ** 63n) >> 64n
  const half = 1n << (shift - 1n)
  const exact = times(fraction << shift)
  const upper = times((fraction << shift) + half) - 1n
  const lower = times((fraction << shift) - (fraction === 2n ** 52n ? half / 2n : half)) + 1n
  const point = BigInt(-(binary + powerExponent(index) + 64))
  // The fewest digits that, cut off upper, stay within the interval.
  let scale = 0
  let unit = (10n ** 10n) << point
  let factor = 1n
  const within = (): boolean => {
    const rest = (upper * factor) % unit
    const delta = (upper - lower) * factor
    return scale >= 0 && factor === 1n ? rest <= delta : rest < delta
  }
  for (scale = 10; !within(); scale--) {
    if (scale > 0) unit /= 10n
    else factor *= 10n
  }
  let digits = (upper * factor) / unit
  let rest = (upper * factor) % unit
  const wanted = (upper - exact) * factor
  while ((upper - lower) * factor - rest >= unit && 2n * (wanted - rest) > unit) {
    digits -= 1n
    rest += unit
  }
  return [[...digits.toString()].map(Number), scale - (POWER_FIRST + POWER_STEP * index)]
}

/** Redis's layout of digits: in full, with a point, or with an exponent. */
function layOut([digits, last]: [number[], number]): string {
  const text = digits.join('')
  const exponent = text.length + last - 1
  if (last >= 0 && exponent < text.length + 7) return text + '0'.repeat(last)
  if (last < 0 && (last > -7 || Math.abs(exponent) < 4)) {
    const padded = text.padStart(1 - last, '0')
    return padded.slice(0, last) + '.' + padded.slice(last)
  }
  const fraction = text.length > 1 ? '.' + text.slice(1) : ''
  return text[0] + fraction + 'e' + (exponent < 0 ? '-' : '+') + Math.abs(exponent)
}
