import { describe, expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { UINT64_MAX } from '../../../src/lib/int64.ts'
import { bytesToHuman, memtoull } from '../../../src/lib/units.ts'

const read = (text: string) => memtoull(fromLatin1(`1${text}1`), 1, text.length)

describe('memtoull', () => {
  test('knows units of 1000 and of 1024, in any case', () => {
    expect(['1', '7b', '1k', '1KB', '2m', '2Mb', '1g', '1gB'].map(read)).toEqual([
      1, 7, 1000, 1024, 2000000, 2097152, 1000000000, 1073741824,
    ])
  })

  test('follows strtoull where there are no digits or too many', () => {
    expect(read('')).toBe(0)
    expect(read('gb')).toBe(0)
    expect(read('0010kb')).toBe(10240)
    expect(read('18446744073709551615')).toBe(UINT64_MAX)
    expect(read('99999999999999999999')).toBe(UINT64_MAX)
    expect(read('18446744073709551615kb')).toBe(2n ** 64n - 1024n)
  })

  test('refuses anything else', () => {
    for (const text of ['-1', '+1', ' 1', '1 ', '1.5gb', '1kbb', '1tb', '1 kb', 'x', '1'.repeat(128)]) {
      expect(read(text), text).toBeUndefined()
    }
  })
})

describe('bytesToHuman', () => {
  test("prints INFO's sizes", () => {
    const printed: readonly (readonly [number, string])[] = [
      [0, '0B'],
      [1023, '1023B'],
      [1024, '1.00K'],
      [1536, '1.50K'],
      [1048575, '1024.00K'],
      [1048576, '1.00M'],
      [865 * 1024, '865.00K'],
      [2 ** 30, '1.00G'],
      [2 ** 40, '1.00T'],
      [2 ** 50, '1.00P'],
    ]
    for (const [size, text] of printed) expect(bytesToHuman(size)).toBe(text)
    expect(bytesToHuman(2n ** 60n)).toBe('1152921504606846976B')
  })

  test("rounds ties to even, as C's printf does", () => {
    expect(bytesToHuman(1024 * 1.125)).toBe('1.12K')
    expect(bytesToHuman(1024 * 1.375)).toBe('1.38K')
    expect(bytesToHuman(1024 * 1.625)).toBe('1.62K')
    expect(bytesToHuman(1024 * 9.875)).toBe('9.88K')
  })
})
