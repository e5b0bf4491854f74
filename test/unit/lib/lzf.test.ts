import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { compress, decompress } from '../../../src/lib/lzf.ts'
import { Random } from '../../../src/lib/random.ts'

/** Compresses from and to the middle of larger arrays; undefined when it did not fit, fails if it wrote elsewhere. */
function pack(bytes: Uint8Array, targetLen: number): Uint8Array | undefined {
  const source = new Uint8Array(bytes.length + 9).fill(0x33)
  source.set(bytes, 4)
  const target = new Uint8Array(targetLen + 9).fill(0x55)
  const len = compress(source, 4, bytes.length, target, 5, targetLen)
  expect(len).toBeLessThanOrEqual(targetLen)
  for (let at = 0; at < target.length; at++) if (at < 5 || at >= 5 + targetLen) expect(target[at]).toBe(0x55)
  return len === 0 ? undefined : target.slice(5, 5 + len)
}

function unpack(packed: Uint8Array, targetLen: number): Uint8Array | undefined {
  const target = new Uint8Array(targetLen + 9).fill(0x55)
  const len = decompress(packed, 0, packed.length, target, 5, targetLen)
  for (let at = 0; at < target.length; at++) if (at < 5 || at >= 5 + targetLen) expect(target[at]).toBe(0x55)
  return len === 0 ? undefined : target.slice(5, 5 + len)
}

/** Literals and repeats from up to the whole window back and beyond. */
function sample(seed: number): Uint8Array {
  const random = new Random(seed)
  const bytes = new Uint8Array(1 + random.below(random.below(2) === 0 ? 60 : 30000))
  const alphabet = 1 << (1 + random.below(8))
  for (let at = 0; at < bytes.length; ) {
    const back = 1 + random.below(Math.min(at + 1, 9000))
    const run = at > back && random.below(3) === 0 ? random.below(400) : 0
    for (let i = 0; i < run && at < bytes.length; i++, at++) bytes[at] = bytes[at - back]!
    if (at < bytes.length) bytes[at++] = random.below(alphabet)
  }
  return bytes
}

const worstCase = (len: number): number => len + Math.ceil(len / 32) + 1

describe('lzf', () => {
  test('what is compressed comes back', () => {
    for (let seed = 0; seed < 300; seed++) {
      const bytes = sample(seed)
      const packed = pack(bytes, worstCase(bytes.length))
      expect(packed, `seed ${seed}`).toBeDefined()
      expect(Buffer.compare(unpack(packed!, bytes.length)!, bytes), `seed ${seed}`).toBe(0)
    }
  })

  test('output that does not fit is refused, output that just fits is not', () => {
    for (let seed = 0; seed < 50; seed++) {
      const bytes = sample(seed)
      const len = pack(bytes, worstCase(bytes.length))!.length
      expect(pack(bytes, len)?.length, `seed ${seed}`).toBe(len)
      expect(pack(bytes, len - 1), `seed ${seed}`).toBeUndefined()
    }
    expect(pack(new Uint8Array(0), 10)).toBeUndefined()
  })

  test('repetition shrinks, and random bytes do not', () => {
    expect(pack(new Uint8Array(10000).fill(97), 200)!.length).toBeLessThan(150)
    const random = new Random(7)
    expect(
      pack(
        new Uint8Array(10000).map(() => random.next()),
        9996,
      ),
    ).toBeUndefined()
  })

  test('matches reach back 8192 bytes and no further', () => {
    for (const distance of [8191, 8192, 8193, 8194]) {
      const bytes = new Uint8Array(distance + 4)
      bytes.set([1, 2, 3, 4])
      bytes.set([1, 2, 3, 4], distance)
      const packed = pack(bytes, 400)!
      expect(Buffer.compare(unpack(packed, bytes.length)!, bytes), `distance ${distance}`).toBe(0)
    }
  })

  test('no match refers to what lies before the range, though an earlier call has seen it', () => {
    const source = fromLatin1('abcdefghijklmnopqrst'.repeat(2))
    const target = new Uint8Array(100)
    compress(source, 0, 20, target, 0, 100)
    const len = compress(source, 20, 20, target, 0, 100)
    expect(len).toBe(21) // all literals
    expect(unpack(target.slice(0, len), 20)).toEqual(source.slice(20))
  })

  test('reads what Redis wrote', () => {
    // Taken from DUMP's answer for 60 times "a", a space, and 26 letters twice, by redis-server 7.2.4.
    const packed = [
      0x01,
      0x61,
      0x61,
      0xe0,
      0x31,
      0x00,
      0x1a,
      0x20,
      ...fromLatin1('abcdefghijklmnopqrstuvwxyz'),
      0xe0,
      0x0f,
      0x19,
      0x01,
      0x79,
      0x7a,
    ]
    const text = `${'a'.repeat(60)} ${'abcdefghijklmnopqrstuvwxyz'.repeat(2)}`
    expect(latin1(unpack(new Uint8Array(packed), text.length)!, 0, text.length)).toBe(text)
  })

  test('damaged input is refused or gives some bytes, but never leaves its bounds', () => {
    const packed = pack(sample(3), 40000)!
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), fc.nat(3000), (changes, targetLen) => {
        const damaged = packed.slice(0, 500)
        for (const [at, byte] of changes) damaged[at % damaged.length] = byte
        unpack(damaged, targetLen)
      }),
      { numRuns: 500 },
    )
    expect(unpack(fromLatin1('\x05abc'), 100)).toBeUndefined() // literals missing
    expect(unpack(fromLatin1('\x00a\x20\x05'), 100)).toBeUndefined() // from before the start
    expect(unpack(fromLatin1('\x00a\x20'), 100)).toBeUndefined() // offset missing
    expect(unpack(fromLatin1('\x00a\xe0'), 100)).toBeUndefined() // length missing
    expect(unpack(fromLatin1('\x00a\xe0\xff\x00'), 10)).toBeUndefined() // too long
  })
})
