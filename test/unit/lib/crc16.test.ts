import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { crc16, keySlot } from '../../../src/lib/crc16.ts'

const slot = (key: string): number => keySlot(fromLatin1(`{${key}}`), 1, key.length)

describe('crc16', () => {
  test('gives the check value of CRC-16/XMODEM', () => {
    expect(crc16(fromLatin1('-123456789-'), 1, 9)).toBe(0x31c3)
    expect(crc16(new Uint8Array(0), 0, 0)).toBe(0)
  })
})

describe('keySlot', () => {
  test("gives CLUSTER KEYSLOT's answers", () => {
    expect(slot('foo')).toBe(12182)
    expect(slot('bar')).toBe(5061)
    expect(slot('somekey')).toBe(11058)
    expect(slot('')).toBe(0)
  })

  test('sums what stands between the first braces, if anything does', () => {
    expect(slot('{user1000}.following')).toBe(slot('user1000'))
    expect(slot('a{foo}{bar}')).toBe(slot('foo'))
    expect(slot('foo{{bar}}zap')).toBe(slot('{bar'))
    expect(slot('foo{}{bar}')).toBe(crc16(fromLatin1('foo{}{bar}'), 0, 10) & 16383)
    expect(slot('foo{bar')).toBe(crc16(fromLatin1('foo{bar'), 0, 7) & 16383)
    expect(slot('}foo{a}')).toBe(slot('a'))
  })

  test('lies within 0 to 16383', () => {
    fc.assert(fc.property(fc.uint8Array(), (key) => keySlot(key, 0, key.length) >>> 14 === 0))
  })
})
