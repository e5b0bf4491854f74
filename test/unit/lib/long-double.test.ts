import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import {
  addLongDouble,
  formatLongDouble,
  fromDouble,
  isFiniteLongDouble,
  parseLongDouble,
} from '../../../src/lib/long-double.ts'

function parse(text: string) {
  return parseLongDouble(fromLatin1(`1${text}1`), 1, text.length)
}

/** What INCRBYFLOAT would reply: the text, or undefined for either of its errors. */
function sum(a: string, b: string): string | undefined {
  const [one, other] = [parse(a), parse(b)]
  if (one === undefined || other === undefined) return undefined
  const total = addLongDouble(one, other)
  return total === undefined ? undefined : formatLongDouble(total)
}

describe('addition', () => {
  test("gives INCRBYFLOAT's replies", () => {
    // Recorded from redis-server 7.2.4 on x86-64.
    const recorded: readonly (readonly [string, string, string])[] = [
      ['10.5', '0.1', '10.6'],
      ['0.1', '0.2', '0.3'],
      ['3.0e3', '200', '3200'],
      ['5.0e3', '2.0e2', '5200'],
      ['1000.1', '0', '1000.09999999999999998'],
      ['0', '1e-17', '0.00000000000000001'],
      ['0', '5e-18', '0'],
      ['0', '6e-18', '0.00000000000000001'],
      ['0', '-5e-18', '0'],
      ['1', '-1', '0'],
      ['0.000000000000000015', '0', '0.00000000000000002'],
      ['9223372036854775807', '1', '9223372036854775808'],
      ['18446744073709551615', '1', '18446744073709551616'],
      ['18446744073709551616', '1', '18446744073709551616'],
      ['123456789.123456789', '0.000000001', '123456789.12345678999554366'],
      ['-1.5', '0x1.8p4', '22.5'],
      ['3.14159265358979323846', '2.71828182845904523536', '5.85987448204883847'],
      ['1e-4950', '1', '1'],
      ['100', '-0.01', '99.99'],
      ['99999999999.99', '0.01', '100000000000'],
      ['0.3', '-0.1', '0.2'],
      ['1e21', '0.1', '1000000000000000000000'],
    ]
    for (const [a, b, reply] of recorded) expect(sum(a, b), `${a} + ${b}`).toBe(reply)
  })

  test('is refused when the sum is infinite or no number', () => {
    for (const [a, b] of [
      ['inf', '1'],
      ['inf', '-inf'],
      ['-inf', '1'],
      ['1e4932', '1e4932'],
      ['-1.1e4932', '-1.1e4932'],
    ]) {
      expect(sum(a!, b!)).toBeUndefined()
    }
  })

  test('of integers below 2^63 is exact', () => {
    const integer = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n })
    fc.assert(fc.property(integer, integer, (a, b) => sum(a.toString(), b.toString()) === (a + b).toString()))
  })

  test('of decimals below 16 with 12 places shows no rounding', () => {
    const trillionths = fc.integer({ min: -15_999_999_999_999, max: 15_999_999_999_999 })
    const text = (value: number): string => {
      const padded = String(Math.abs(value)).padStart(13, '0')
      const trimmed = `${padded.slice(0, -12)}.${padded.slice(-12)}`.replace(/\.?0+$/, '')
      return value < 0 ? `-${trimmed}` : trimmed
    }
    fc.assert(fc.property(trillionths, trillionths, (a, b) => sum(text(a), text(b)) === text(a + b)))
  })

  test('commutes', () => {
    const value = fc.double({ noNaN: true }).map(String)
    fc.assert(fc.property(value, value, (a, b) => sum(a, b) === sum(b, a)))
  })
})

describe('parseLongDouble', () => {
  test('refuses what Redis refuses', () => {
    const refused = [
      '',
      ' ',
      '-',
      '.',
      '-.',
      ' 1',
      '1 ',
      'nan',
      '-nan',
      'abc',
      '1e',
      '0x',
      '0x1p',
      '1\x00',
      '1.2.3',
      '1,5',
      '1-',
    ]
    refused.push(
      '1e4933',
      '1.2e4932',
      '-1e5000',
      '1e-4951',
      '1e99999999999999999999',
      '0x1p16384',
      '0x1p-16447',
      '1'.repeat(5120),
    )
    for (const text of refused) expect(parse(text), text.slice(0, 30)).toBeUndefined()
  })

  test('looks at no byte outside of the text', () => {
    for (const around of ['-', '+', '.', '1', 'e']) {
      expect(parseLongDouble(fromLatin1(around), 0, 0)).toBeUndefined()
      expect(parseLongDouble(fromLatin1(`${around}-${around}`), 1, 1)).toBeUndefined()
      expect(parseLongDouble(fromLatin1(`${around}5${around}`), 1, 1)).toEqual(parse('5'))
    }
  })

  test('reads the ends of the range', () => {
    expect(parse('1.1e4932')).toBeDefined()
    expect(parse('0x1p-16445')).toEqual({ negative: false, significand: 1n, exponent: -16445 })
    expect(parse('2e-4951')).toEqual({ negative: false, significand: 1n, exponent: -16445 })
    expect(parse('0e99999999999999999999')).toEqual({ negative: false, significand: 0n, exponent: 0 })
    expect(parse('1'.repeat(4900))).toBeDefined()
    expect(isFiniteLongDouble(parse('-Infinity')!)).toBe(false)
  })

  test('rounds to 64 bits, ties to even', () => {
    const significandOf = (text: string) => parse(text)!.significand
    expect(significandOf('18446744073709551615')).toBe(2n ** 64n - 1n)
    expect(formatLongDouble(parse('18446744073709551617')!)).toBe('18446744073709551616') // 2^64 + 1: down, to even
    expect(formatLongDouble(parse('18446744073709551619')!)).toBe('18446744073709551620') // 2^64 + 3: up, to even
    expect(formatLongDouble(parse('18446744073709551617.0000001')!)).toBe('18446744073709551618') // just above the tie
  })

  test('every text with up to 15 digits has the value that the general way gives it', () => {
    const text = fc.tuple(fc.nat(10 ** 15 - 1), fc.nat(14), fc.boolean()).map(([digits, places, negative]) => {
      const padded = String(digits).padStart(places + 1, '0')
      const unsigned = places === 0 ? padded : `${padded.slice(0, -places)}.${padded.slice(-places)}`
      return negative ? `-${unsigned}` : unsigned
    })
    fc.assert(fc.property(text, (plain) => sum(plain, '0') === sum(`${plain}e0`, '0')))
  })
})

describe('formatLongDouble', () => {
  test('prints a double as Redis prints coordinates: 17 decimals, trailing zeros cut', () => {
    const print = (value: number): string => formatLongDouble(fromDouble(value)!)
    expect(print(13.361389338970184)).toBe('13.36138933897018433')
    expect(print(-0.25)).toBe('-0.25')
    expect(print(1e20)).toBe('100000000000000000000')
    expect(print(5e-324)).toBe('0')
    expect(print(-1e-18)).toBe('0') // never "-0"
    expect(print(Number.NEGATIVE_INFINITY)).toBe('-inf')
    expect(fromDouble(Number.NaN)).toBeUndefined()
  })

  test('doubles keep their exact value', () => {
    const value = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((candidate) => Math.abs(candidate) > 1e-3)
    fc.assert(
      fc.property(
        value,
        (size) => Number(formatLongDouble(fromDouble(size)!)).toPrecision(12) === size.toPrecision(12),
      ),
    )
  })
})
