import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  asciiLower,
  asciiUpper,
  compareBytes,
  copyBytes,
  equalBytes,
  equalsIgnoreCase,
  fromLatin1,
  latin1,
  utf8,
  writeLatin1,
} from '../../../src/lib/bytes.ts'

/** Bytes inside a larger array: neither end of the range is an end of the array. */
function embed(bytes: Uint8Array, pos: number): Uint8Array {
  const around = new Uint8Array(pos + bytes.length + 3).fill(0xaa)
  around.set(bytes, pos)
  return around
}

const range = fc.uint8Array({ maxLength: 200 })

describe('comparing', () => {
  test('equal ranges are equal wherever they lie, and one changed byte makes them differ', () => {
    fc.assert(
      fc.property(range, fc.nat(7), fc.nat(7), fc.nat(), (bytes, aPos, bPos, at) => {
        const a = embed(bytes, aPos)
        const b = embed(bytes, bPos)
        expect(equalBytes(a, aPos, b, bPos, bytes.length)).toBe(true)
        if (bytes.length === 0) return
        b[bPos + (at % bytes.length)]! ^= 0x10
        expect(equalBytes(a, aPos, b, bPos, bytes.length)).toBe(false)
      }),
    )
  })

  test('the order is that of the bytes, then of the lengths', () => {
    const pair = fc.tuple(range, range, fc.nat(200)).map(([a, b, common]) => {
      return [a, new Uint8Array([...a.subarray(0, common), ...b])] as const
    })
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const order = compareBytes(embed(a, 2), 2, a.length, embed(b, 5), 5, b.length)
        expect(Math.sign(order)).toBe(Buffer.compare(a, b))
      }),
    )
  })

  test('a name is recognised in any case, and only as a whole', () => {
    const is = (text: string, upper: string) => equalsIgnoreCase(fromLatin1(`x${text}x`), 1, text.length, upper)
    expect(is('mAtCh', 'MATCH')).toBe(true)
    expect(is('MATC', 'MATCH')).toBe(false)
    expect(is('MATCHX', 'MATCH')).toBe(false)
    expect(is('M@TCH', 'M`TCH')).toBe(false) // '@' and '`' differ by the case bit, yet are no letters
    expect(is('', '')).toBe(true)
  })
})

describe('copying', () => {
  test('moves the range and nothing else, between arrays', () => {
    fc.assert(
      fc.property(range, fc.nat(7), fc.nat(7), (bytes, sourcePos, targetPos) => {
        const target = new Uint8Array(targetPos + bytes.length + 5).fill(0x55)
        copyBytes(embed(bytes, sourcePos), sourcePos, target, targetPos, bytes.length)
        const wanted = new Uint8Array(target.length).fill(0x55)
        wanted.set(bytes, targetPos)
        expect(target).toEqual(wanted)
      }),
    )
  })

  test('within one array the ranges may overlap in either direction', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 60, maxLength: 60 }),
        fc.nat(30),
        fc.nat(30),
        fc.nat(30),
        (bytes, from, to, len) => {
          const wanted = bytes.slice()
          wanted.set(bytes.slice(from, from + len), to)
          copyBytes(bytes, from, bytes, to, len)
          expect(bytes).toEqual(wanted)
        },
      ),
    )
  })
})

describe('text', () => {
  test('latin1 keeps every byte, there and back', () => {
    const all = new Uint8Array(256).map((_, byte) => byte)
    const text = latin1(embed(all, 4), 4, 256)
    expect(fromLatin1(text)).toEqual(all)
    const target = new Uint8Array(260)
    expect(writeLatin1(text, target, 2)).toBe(258)
    expect(target.subarray(2, 258)).toEqual(all)
  })

  test('utf8 decodes, and replaces what is ill-formed', () => {
    const bytes = new Uint8Array([0x61, 0xc3, 0xa9, 0xff])
    expect(utf8(bytes, 1, 3)).toBe('é\ufffd')
  })

  test('only ASCII letters change their case', () => {
    for (let byte = 0; byte < 256; byte++) {
      const text = String.fromCharCode(byte)
      expect(asciiLower(byte)).toBe(byte < 128 ? text.toLowerCase().charCodeAt(0) : byte)
      expect(asciiUpper(byte)).toBe(byte < 128 ? text.toUpperCase().charCodeAt(0) : byte)
    }
  })
})
