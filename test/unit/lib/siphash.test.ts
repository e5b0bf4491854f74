import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashBytes, hashWords, seedHash } from '../../../src/lib/siphash.ts'

const MASK = 0xffffffffn
const rotate = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (32n - bits))) & MASK

/** HalfSipHash-c-d as its paper defines it, in exact integers: slow and plain. */
function reference(compressions: number, finals: number, key: readonly [number, number], bytes: Uint8Array): number {
  const k0 = BigInt(key[0] >>> 0)
  const k1 = BigInt(key[1] >>> 0)
  const v = [k0, k1, 0x6c796765n ^ k0, 0x74656462n ^ k1] as [bigint, bigint, bigint, bigint]
  const round = (): void => {
    v[0] = (v[0] + v[1]) & MASK
    v[1] = rotate(v[1], 5n) ^ v[0]
    v[0] = rotate(v[0], 16n)
    v[2] = (v[2] + v[3]) & MASK
    v[3] = rotate(v[3], 8n) ^ v[2]
    v[0] = (v[0] + v[3]) & MASK
    v[3] = rotate(v[3], 7n) ^ v[0]
    v[2] = (v[2] + v[1]) & MASK
    v[1] = rotate(v[1], 13n) ^ v[2]
    v[2] = rotate(v[2], 16n)
  }
  const padded = [...bytes]
  while (padded.length % 4 !== 3) padded.push(0)
  padded.push(bytes.length & 255)
  for (let at = 0; at < padded.length; at += 4) {
    const word = padded.slice(at, at + 4).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
    v[3] ^= word
    for (let i = 0; i < compressions; i++) round()
    v[0] ^= word
  }
  v[2] ^= 0xffn
  for (let i = 0; i < finals; i++) round()
  return Number(v[1] ^ v[3])
}

const counting = new Uint8Array(64).map((_, i) => i)
const KEY = [0x03020100, 0x07060504] as const

describe('hashBytes', () => {
  test('gives the published values of HalfSipHash-1-3 for 0 to 15 bytes', () => {
    // From Linux's siphash self test: key 00 01 … 07, input 00 01 02 ….
    const published = [
      0x5814c896, 0xe7e864ca, 0xbc4b0e30, 0x01539939, 0x7e059ea6, 0x88e3d89b, 0xa0080b65, 0x9d38d9d6, 0x577999b1,
      0xc839caed, 0xe4fa32cf, 0x959246ee, 0x6b28096c, 0x66dd9cd6, 0x16658a7c, 0xd0257b04,
    ]
    seedHash(...KEY)
    for (const [len, hash] of published.entries()) {
      expect(hashBytes(counting, 0, len), `${len} bytes`).toBe(hash | 0)
      expect(reference(1, 3, KEY, counting.subarray(0, len))).toBe(hash)
    }
  })

  test('the reference it is compared with gives the published values of HalfSipHash-2-4', () => {
    // From the authors' vectors.h, read little-endian.
    const published = [0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a]
    for (const [len, hash] of published.entries()) expect(reference(2, 4, KEY, counting.subarray(0, len))).toBe(hash)
  })

  test('agrees with the reference under any key, length and position', () => {
    const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    fc.assert(
      fc.property(word, word, fc.uint8Array({ maxLength: 300 }), fc.nat(5), (k0, k1, bytes, pos) => {
        const around = new Uint8Array(pos + bytes.length + 4).fill(0xaa)
        around.set(bytes, pos)
        seedHash(k0, k1)
        expect(hashBytes(around, pos, bytes.length)).toBe(reference(1, 3, [k0, k1], bytes) | 0)
      }),
      { numRuns: 300 },
    )
  })

  test('is the same of words of memory, whatever follows in the last one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(5), (bytes, first) => {
        const words = new Int32Array(first + Math.ceil(bytes.length / 4)).fill(-1)
        new Uint8Array(words.buffer).set(bytes, first * 4)
        expect(hashWords(words, first, bytes.length)).toBe(hashBytes(bytes, 0, bytes.length))
      }),
    )
  })

  test('the key decides: another one gives other hashes', () => {
    seedHash(1, 2)
    const one = hashBytes(counting, 0, 16)
    seedHash(1, 3)
    expect(hashBytes(counting, 0, 16)).not.toBe(one)
  })
})
