import { describe, expect, test } from 'vitest'
import { INT64_MAX, INT64_MIN, type Int64 } from '../../../../src/lib/int64.ts'
import { Random } from '../../../../src/lib/random.ts'
import { RdbWriter } from '../../../../src/persistence/rdb/writer.ts'
import { bytesOf, Collector, withChecksum } from './support.ts'

function written(
  write: (writer: RdbWriter) => void,
  { compression = true, checksum = true, chunkSize = 64, compressedMax = 1e9 } = {},
): { bytes: Uint8Array; parts: readonly Uint8Array[] } {
  const sink = new Collector()
  const writer = new RdbWriter(sink, { compression, checksum, compressedMax }, new Uint8Array(chunkSize))
  write(writer)
  writer.end()
  return { bytes: sink.all.subarray(0, -9), parts: sink.parts }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const hexOf = (write: (writer: RdbWriter) => void): string => hex(written(write).bytes)

describe('a length', () => {
  test.each([
    [0, '00'],
    [63, '3f'],
    [64, '4040'],
    [16383, '7fff'],
    [16384, '8000004000'],
    [2 ** 32 - 1, '80ffffffff'],
    [2 ** 32, '810000000100000000'],
    [2 ** 53 - 1, '81001fffffffffffff'],
  ])('%i takes as few bytes as can hold it', (length, wanted) => {
    expect(hexOf((writer) => writer.length(length))).toBe(wanted)
  })
})

describe('a string', () => {
  test.each([
    ['', '00'],
    ['0', 'c000'],
    ['-1', 'c0ff'],
    ['127', 'c07f'],
    ['-128', 'c080'],
    ['128', 'c18000'],
    ['-32768', 'c10080'],
    ['32767', 'c1ff7f'],
    ['32768', 'c200800000'],
    ['-2147483648', 'c200000080'],
    ['2147483647', 'c2ffffff7f'],
    ['2147483648', '0a32313437343833363438'],
    ['-2147483649', '0b2d32313437343833363439'],
    ['007', '03303037'],
    ['-0', '022d30'],
    ['+1', '022b31'],
    ['hello', '0568656c6c6f'],
    ['\xff\x00', '02ff00'],
  ])('%j is an integer where it reads as one, else itself', (text, wanted) => {
    expect(hexOf((writer) => writer.text(text))).toBe(wanted)
  })

  test('is compressed from 21 bytes on, where that gains four', () => {
    expect(hexOf((writer) => writer.text('a'.repeat(20)))).toMatch(/^14(61){20}$/)
    expect(hexOf((writer) => writer.text('a'.repeat(21)))).toMatch(/^c3..15/)
    expect(hexOf((writer) => writer.text('abcdefghijklmnopqrstuvwxyz'))).toMatch(/^1a6162/)
    const plain = written((writer) => writer.text('a'.repeat(21)), { compression: false })
    expect(hex(plain.bytes)).toMatch(/^15(61){21}$/)
  })

  test('is not compressed where it is longer than may be', () => {
    const options = { compression: true, compressedMax: 30 }
    expect(hex(written((writer) => writer.text('a'.repeat(30)), options).bytes)).toMatch(/^c3..1e/)
    expect(hex(written((writer) => writer.text('a'.repeat(31)), options).bytes)).toMatch(/^1f(61){31}$/)
  })

  test('runs over as many chunks as it takes', () => {
    const random = new Random(7)
    const text = Array.from({ length: 1000 }, () => String.fromCharCode(random.below(256))).join('')
    const { bytes, parts } = written((writer) => writer.text(text))
    expect(bytes).toEqual(bytesOf(`\x43\xe8${text}`))
    expect(parts.length).toBeGreaterThan(14)
    for (const part of parts.slice(1, -2)) expect(part.length).toBe(64)
  })

  test('that is longer than the room for packing is packed as well', () => {
    const { bytes } = written((writer) => writer.text('ab'.repeat(100_000)))
    expect(hex(bytes.subarray(0, 1))).toBe('c3')
    expect(bytes.length).toBeLessThan(10_000)
  })
})

test.each<[Int64, string]>([
  [0, 'c000'],
  [-129, 'c17fff'],
  [2 ** 31, '0a32313437343833363438'],
  [2 ** 53 - 1, `10${Buffer.from('9007199254740991').toString('hex')}`],
  [INT64_MAX, `13${Buffer.from('9223372036854775807').toString('hex')}`],
  [INT64_MIN, `14${Buffer.from('-9223372036854775808').toString('hex')}`],
])('the integer %s is written as its digits would be', (value, wanted) => {
  expect(hexOf((writer) => writer.integer(value))).toBe(wanted)
})

test.each<[Int64, string]>([
  [0, '0000000000000000'],
  [1700000000000, '00 68e5 cf8b 0100 00'.replaceAll(' ', '')],
  [-1, 'ffffffffffffffff'],
  [INT64_MIN, '0000000000000080'],
])('the time %s takes eight bytes, the lowest first', (value, wanted) => {
  expect(hexOf((writer) => writer.int64(value))).toBe(wanted)
})

describe('the end', () => {
  test('is a mark and the checksum of all before, however it was cut', () => {
    for (let len = 0; len < 200; len++) {
      const { parts } = written((writer) => writer.bytes(bytesOf('x'.repeat(len)), 0, len))
      expect(new Uint8Array(Buffer.concat(parts))).toEqual(withChecksum(bytesOf(`${'x'.repeat(len)}\xff`)))
    }
  })

  test('is zeros where no checksum is wanted', () => {
    const { parts } = written((writer) => writer.text('hello'), { checksum: false })
    expect(hex(Buffer.concat(parts))).toBe('0568656c6c6fff0000000000000000')
  })
})
