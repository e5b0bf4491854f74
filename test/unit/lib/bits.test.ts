import { describe, expect, test } from 'vitest'
import { BitOp, combineBits, countBits, findBit } from '../../../src/lib/bits.ts'
import { Random } from '../../../src/lib/random.ts'
import { testSeed } from '../../helpers/seed.ts'

const bitsOf = (bytes: Uint8Array, pos: number, len: number): string =>
  [...bytes.slice(pos, pos + len)].map((byte) => byte.toString(2).padStart(8, '0')).join('')

describe('bits of byte ranges', () => {
  const seed = testSeed()
  const random = new Random(seed)
  /** Mostly of one kind, so that searches go far. */
  const randomBytes = (size: number): Uint8Array => {
    const fill = [0, 255, -1][random.below(3)]!
    const bytes = Uint8Array.from({ length: size }, () => (fill < 0 ? random.next() : fill))
    if (size > 0 && random.below(3) > 0) bytes[random.below(size)] = random.next()
    return bytes
  }
  const ranges = Array.from({ length: 300 }, () => {
    const bytes = randomBytes(random.below(random.below(2) === 0 ? 40 : 1500))
    const pos = random.below(bytes.length + 1)
    return { bytes, pos, len: random.below(bytes.length - pos + 1) }
  })

  test('are counted as one by one', () => {
    for (const { bytes, pos, len } of ranges) {
      expect(countBits(bytes, pos, len), `seed ${seed}`).toBe(bitsOf(bytes, pos, len).replaceAll('0', '').length)
    }
  })

  test('are found as one by one', () => {
    for (const { bytes, pos, len } of ranges) {
      for (const bit of [0, 1]) {
        expect(findBit(bytes, pos, len, bit), `seed ${seed}`).toBe(bitsOf(bytes, pos, len).indexOf(String(bit)))
      }
    }
  })

  test.each(Object.entries(BitOp))('are combined by %s, and nothing beside them changes', (name, op) => {
    for (const { bytes, pos, len } of ranges) {
      const shift = random.below(9)
      const target = randomBytes(shift + len + 5)
      const before = target.slice()
      combineBits(op, bytes, pos, target, shift, len)
      const expected = before.map((byte, at) => {
        const other = bytes[pos + at - shift]!
        if (at < shift || at >= shift + len) return byte
        return { AND: byte & other, OR: byte | other, XOR: byte ^ other, NOT: ~other & 255 }[name]!
      })
      expect(target, `seed ${seed}`).toEqual(expected)
    }
  })
})
