import { expect, test } from 'vitest'
import { formatInteger, parseUnsigned, signedWords, unsignedWords } from '../../../src/scripting/wide-integers.ts'

test('makes of a double the 64 bits that C makes', () => {
  expect(signedWords(2 ** 40 + 0.9)).toEqual([256, 0])
  expect(signedWords(-1.9)).toEqual([0xffffffff, 0xffffffff])
  for (const none of [2 ** 63, -(2 ** 64), Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(signedWords(none)).toEqual([0x80000000, 0])
  }
  expect(unsignedWords(2 ** 63 + 2048)).toEqual([0x80000000, 2048])
  expect(unsignedWords(2 ** 64)).toEqual([0, 0])
})

test.each([
  ['d', 2 ** 40, '', 0, -1, '1099511627776'],
  ['d', -(2 ** 63), '', 0, -1, '-9223372036854775808'],
  ['i', 2 ** 40, '+', 0, -1, '+1099511627776'],
  ['d', 2 ** 40, '0', 20, -1, '00000001099511627776'],
  ['d', -(2 ** 40), '0', 20, -1, '-0000001099511627776'],
  ['d', 2 ** 40, '0', 20, 14, '      01099511627776'],
  ['d', 2 ** 40, '-', 15, -1, '1099511627776  '],
  ['u', -1, '', 0, -1, '18446744073709551615'],
  ['x', -1, '', 0, -1, 'ffffffffffffffff'],
  ['X', 2 ** 40 - 1, '#', 0, -1, '0XFFFFFFFFFF'],
  ['o', 2 ** 64 - 2048, '', 0, -1, '1777777777777777774000'],
  ['o', 2 ** 40, '#', 0, -1, '020000000000000'],
  ['d', 0, '', 0, 0, ''],
])('writes %%%s of %d as C does', (conversion, value, flags, width, precision, text) => {
  expect(formatInteger(conversion, value, flags, width, precision)).toBe(text)
})

test('reads numbers of any base as C does', () => {
  expect(parseUnsigned('ffffffffff', 16)).toBe(2 ** 40 - 1)
  expect(parseUnsigned(' 0xFFFFFFFFFF\n', 16)).toBe(2 ** 40 - 1)
  expect(parseUnsigned('-ff', 16)).toBe(2 ** 64)
  expect(parseUnsigned('-1000000000000000', 16)).toBe(2 ** 64 - 2 ** 60)
  expect(parseUnsigned('zzzzzzzzzzzzzz', 36)).toBe(2 ** 64)
  for (const text of ['', '-', '0x', '12 3', '8', '1.0']) expect(parseUnsigned(text, 8)).toBeUndefined()
  expect(parseUnsigned('0x', 16)).toBeUndefined()
})
