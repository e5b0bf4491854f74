import { describe, expect, test } from 'vitest'
import { Type } from '../../../../../src/keyspace/entry.ts'
import { fromLatin1 } from '../../../../../src/lib/bytes.ts'
import { NONE } from '../../../../../src/memory/memory.ts'
import type { ValueFormat } from '../../../../../src/persistence/rdb/values.ts'
import { savedLength } from '../../../../../src/server/commands/debug/serialized-length.ts'

/** A format whose only value is this text. */
const formatOf = (text: string): ValueFormat => ({
  type: Type.STRING,
  rdbTypes: [0],
  rdbType: () => 0,
  save: (_, writer) => writer.string(fromLatin1(`<${text}>`), 1, text.length),
  load: () => NONE,
  skip: () => {},
})

const sizeOf = (text: string, compressed = true): number => savedLength(formatOf(text), NONE, compressed)

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
  ])('of %j is %i', (text, size) => {
    expect(sizeOf(text)).toBe(size)
  })

  test.each([
    [44, 12],
    [64, 13],
    [100, 13],
    [16383, 200],
    [16384, 203],
  ])('of %i times the same letter is no more than Redis compresses it to', (count, size) => {
    expect(sizeOf('a'.repeat(count))).toBeLessThanOrEqual(size)
    expect(sizeOf('a'.repeat(count))).toBeGreaterThan(size - 6)
  })

  test('has no compression when that is off, or when it gains nothing', () => {
    const noise = String.fromCharCode(...Array.from({ length: 100 }, (_, at) => (at * 89 + ((at * at) % 251)) % 256))
    expect(sizeOf('a'.repeat(100), false)).toBe(102)
    expect(sizeOf(noise)).toBe(102)
  })
})
