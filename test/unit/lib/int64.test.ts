import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import {
  addInt64,
  compareInt64,
  divInt64,
  fromNumber,
  fromUnsignedWords,
  fromWords,
  highWord,
  INT64_MAX,
  INT64_MIN,
  type Int64,
  int64Length,
  int64ToString,
  lowWord,
  mulInt64,
  mulUint64,
  negInt64,
  parseInt64,
  parseUint64,
  subInt64,
  toNumber,
  UINT64_MAX,
  wrapSubInt64,
  writeInt64,
} from '../../../src/lib/int64.ts'

/** Parses text that lies in the middle of a larger array, between digits that must not be read. */
function parse(text: string): Int64 | undefined {
  return parseInt64(fromLatin1(`77${text}77`), 2, text.length)
}

function parseUnsigned(text: string): Int64 | undefined {
  return parseUint64(fromLatin1(`77${text}77`), 2, text.length)
}

function write(value: Int64): string {
  const bytes = new Uint8Array(32)
  return latin1(bytes, 3, writeInt64(value, bytes, 3) - 3)
}

const isSafe = (value: bigint): boolean => Number.isSafeInteger(Number(value))
/** What the module must hold for a value of the model. */
const canonical = (value: bigint): Int64 => (isSafe(value) ? Number(value) : value)
const inRange = (value: bigint): boolean => BigInt.asIntN(64, value) === value
const expected = (value: bigint): Int64 | undefined => (inRange(value) ? canonical(value) : undefined)

const EDGES = [
  0n,
  1n,
  9n,
  10n,
  999999999n,
  1000000000n,
  2n ** 31n,
  2n ** 32n,
  10n ** 15n,
  2n ** 53n,
  10n ** 16n,
  2n ** 63n,
]
/** All sizes alike, with the edges and their neighbours often. */
const int64 = fc
  .oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.integer({ min: 0, max: 63 }).chain((bits) => fc.bigInt({ min: -(2n ** BigInt(bits)), max: 2n ** BigInt(bits) })),
    fc.tuple(fc.constantFrom(...EDGES), fc.integer({ min: -2, max: 2 })).map(([edge, step]) => edge + BigInt(step)),
    fc.tuple(fc.constantFrom(...EDGES), fc.integer({ min: -2, max: 2 })).map(([edge, step]) => -edge + BigInt(step)),
  )
  .filter(inRange)

describe('parseInt64', () => {
  test('reads every 64-bit integer in its canonical form', () => {
    fc.assert(
      fc.property(int64, (value) => Object.is(parse(value.toString()), canonical(value))),
      { numRuns: 2000 },
    )
  })

  test('refuses what is not strict decimal', () => {
    const refused = [
      '',
      '-',
      '+1',
      ' 1',
      '1 ',
      '-0',
      '00',
      '01',
      '-01',
      '1.',
      '1e3',
      '0x1',
      'a',
      '1a',
      '12345678901a',
      '--1',
    ]
    refused.push('1234567890123456789a', '/', ':', '1:', '123456789:', '1234567890123456:', '\x001', '1\x00')
    for (const text of refused) expect(parse(text), JSON.stringify(text)).toBeUndefined()
  })

  test('refuses what 64 bits cannot hold', () => {
    expect(parse('9223372036854775807')).toBe(INT64_MAX)
    expect(parse('-9223372036854775808')).toBe(INT64_MIN)
    for (const text of [
      '9223372036854775808',
      '-9223372036854775809',
      '99999999999999999999',
      '100000000000000000000',
    ]) {
      expect(parse(text), text).toBeUndefined()
    }
  })

  test('agrees with a naive reading on arbitrary short text', () => {
    const text = fc.string({ unit: fc.constantFrom(...'0123456789-'), maxLength: 21 })
    fc.assert(
      fc.property(text, (candidate) => {
        const valid = /^(0|-?[1-9][0-9]*)$/.test(candidate)
        return Object.is(parse(candidate), valid ? expected(BigInt(candidate)) : undefined)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('parseUint64', () => {
  test('reads up to 2^64 - 1 and refuses a negative strict decimal', () => {
    expect(parseUnsigned('0')).toBe(0)
    expect(parseUnsigned('18446744073709551615')).toBe(UINT64_MAX)
    expect(parseUnsigned('18446744073709551616')).toBeUndefined()
    expect(parseUnsigned('-1')).toBeUndefined()
  })

  test('also takes what strtoull takes: spaces before, signs that wrap, leading zeros, up to a NUL', () => {
    expect(parseUnsigned(' \t+007')).toBe(7)
    expect(parseUnsigned('-01')).toBe(UINT64_MAX)
    expect(parseUnsigned('-0')).toBe(0)
    expect(parseUnsigned('5\x00garbage')).toBe(5)
    for (const text of ['', ' ', '+', '-', '- 1', '1 ', 'a', '\x001']) expect(parseUnsigned(text)).toBeUndefined()
  })
})

describe('writeInt64', () => {
  test('writes what parseInt64 reads, and int64Length foretells its size', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const text = write(canonical(value))
        expect(text).toBe(value.toString())
        expect(int64Length(canonical(value))).toBe(text.length)
        expect(int64ToString(canonical(value))).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })

  test('touches no byte beyond what it returns', () => {
    const bytes = new Uint8Array(24).fill(0xaa)
    expect(writeInt64(-1234567890123, bytes, 1)).toBe(15)
    expect([bytes[0], bytes[15]]).toEqual([0xaa, 0xaa])
  })
})

describe('arithmetic', () => {
  test('sums, differences and order agree with exact integers, overflow included', () => {
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        expect(addInt64(canonical(a), canonical(b))).toBe(expected(a + b))
        expect(subInt64(canonical(a), canonical(b))).toBe(expected(a - b))
        expect(wrapSubInt64(canonical(a), canonical(b))).toBe(canonical(BigInt.asIntN(64, a - b)))
        expect(Math.sign(compareInt64(canonical(a), canonical(b)))).toBe(a < b ? -1 : a > b ? 1 : 0)
      }),
      { numRuns: 2000 },
    )
  })

  test('products, quotients and negatives agree with exact integers', () => {
    const factor = fc.oneof(fc.integer({ min: -2000, max: 2000 }), fc.maxSafeInteger())
    fc.assert(
      fc.property(int64, factor, (a, b) => {
        expect(mulInt64(canonical(a), b)).toBe(expected(a * BigInt(b)))
        if (b !== 0) expect(divInt64(canonical(a), b)).toBe(expected(a / BigInt(b)))
        expect(negInt64(canonical(a))).toBe(expected(-a))
      }),
      { numRuns: 2000 },
    )
  })

  test('never leaves a negative zero', () => {
    for (const zero of [negInt64(0), mulInt64(0, -5), divInt64(-1, 1000), subInt64(5, 5), fromNumber(-0)]) {
      expect(Object.is(zero, 0)).toBe(true)
    }
  })

  test('an unsigned product wraps at 2^64', () => {
    expect(mulUint64(UINT64_MAX, 1024)).toBe(BigInt.asUintN(64, (2n ** 64n - 1n) * 1024n))
    expect(mulUint64(3, 1024)).toBe(3072)
  })
})

describe('words', () => {
  test('splitting and joining gives the value back', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const high = highWord(canonical(value))
        const low = lowWord(canonical(value))
        expect([high | 0, low | 0]).toEqual([high, low])
        expect(fromWords(high, low)).toBe(canonical(value))
        expect(fromWords(high >>> 0, low >>> 0)).toBe(canonical(value))
        expect(fromUnsignedWords(high, low)).toBe(canonical(BigInt.asUintN(64, value)))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('numbers', () => {
  test('a whole double becomes an integer while 64 bits hold it', () => {
    expect(fromNumber(2 ** 62)).toBe(2n ** 62n)
    expect(fromNumber(-(2 ** 63))).toBe(INT64_MIN)
    for (const value of [2 ** 63, Number.POSITIVE_INFINITY, Number.NaN]) expect(fromNumber(value)).toBeUndefined()
    expect(toNumber(INT64_MAX)).toBe(2 ** 63)
    expect(toNumber(-7)).toBe(-7)
  })
})
