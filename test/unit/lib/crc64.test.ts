import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { Crc64 } from '../../../src/lib/crc64.ts'

/** One bit at a time, as the polynomial is defined. */
function reference(bytes: Uint8Array): bigint {
  let crc = 0n
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n
  }
  return crc
}

const valueIn = (crc: Crc64): bigint => (BigInt(crc.high >>> 0) << 32n) | BigInt(crc.low >>> 0)

describe('Crc64', () => {
  test('gives the check value of CRC-64/Redis', () => {
    const crc = new Crc64()
    crc.update(fromLatin1('123456789'), 0, 9)
    expect(valueIn(crc)).toBe(0xe9c6d914c4b8d9can)
    const bytes = new Uint8Array(10)
    expect(crc.write(bytes, 1)).toBe(9)
    expect([...bytes]).toEqual([0, 0xca, 0xd9, 0xb8, 0xc4, 0x14, 0xd9, 0xc6, 0xe9, 0])
    crc.reset()
    expect(valueIn(crc)).toBe(0n)
  })

  test('agrees with the bit by bit definition, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, one, other) => {
        const crc = new Crc64()
        const [first, second] = [Math.min(one, other, bytes.length), Math.min(Math.max(one, other), bytes.length)]
        crc.update(bytes, 0, first)
        crc.update(bytes, first, second - first)
        crc.update(bytes, second, bytes.length - second)
        expect(valueIn(crc)).toBe(reference(bytes))
      }),
    )
  })
})
