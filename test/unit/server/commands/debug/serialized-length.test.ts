import { describe, expect, test } from 'vitest'
import { fromLatin1 } from '../../../../../src/lib/bytes.ts'
import { serializedLength } from '../../../../../src/server/commands/debug/serialized-length.ts'

const sizeOf = (text: string, compressed = true): number =>
  serializedLength(fromLatin1(`<${text}>`), 1, text.length, compressed)

describe('the length of a string in an RDB file', () => {
  // Sizes are those that redis-server 7.2.4 tells (DEBUG OBJECT).
  test.each([
    ['', 1],
    ['a', 2],
    ['12', 2],
    ['127', 2],
    ['128', 3],
    ['-129', 3],
    ['32767', 3],
    ['32768', 5],
    ['2147483647', 5],
    ['2147483648', 11],
    ['123456789012', 13],
    ['01', 3],
    ['abcdefghijabcdefghij', 21],
    ['a'.repeat(44), 12],
    ['a'.repeat(64), 13],
    ['a'.repeat(100), 13],
    ['a'.repeat(16383), 200],
    ['a'.repeat(16384), 203],
  ])('of %j is %i', (text, size) => {
    expect(sizeOf(text)).toBe(size)
  })

  test('has no compression when that is off, or when it gains nothing', () => {
    const noise = String.fromCharCode(...Array.from({ length: 100 }, (_, at) => (at * 89 + ((at * at) % 251)) % 256))
    expect(sizeOf('a'.repeat(100), false)).toBe(102)
    expect(sizeOf(noise)).toBe(102)
  })
})
