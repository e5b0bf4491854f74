import { describe, expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { Digest } from '../../../src/lib/digest.ts'

function digestOf(...parts: readonly (readonly ['mix' | 'xor', string])[]): string {
  const digest = new Digest()
  for (const [way, text] of parts) digest[way](fromLatin1(`[${text}]`), 1, text.length)
  return digest.hex
}

describe('a digest', () => {
  test('is that of DEBUG DIGEST-VALUE for a string, with and without an expiry', () => {
    // Taken from redis-server 7.2.4: SET foo bar; SET e x EX 100000.
    expect(digestOf(['mix', '\0\0\0\0'], ['mix', 'bar'])).toBe('68467c70ae30376e7ce005bcc8827f5ba7fd67dc')
    expect(digestOf(['mix', '\0\0\0\0'], ['mix', 'x'], ['xor', '!!expire!!'])).toBe(
      '0745672cb1bf060476eedeb8a28f5ffe1ff5a2be',
    )
  })

  test('forgets the order of what is added by xor, and keeps that of what is mixed in', () => {
    expect(digestOf(['xor', 'a'], ['xor', 'b'])).toBe(digestOf(['xor', 'b'], ['xor', 'a']))
    expect(digestOf(['mix', 'a'], ['mix', 'b'])).not.toBe(digestOf(['mix', 'b'], ['mix', 'a']))
    expect(digestOf(['mix', 'a'], ['mix', 'b'])).not.toBe(digestOf(['mix', 'ab']))
  })

  test('takes another digest as a part, and begins anew after a reset', () => {
    const part = new Digest()
    part.mix(fromLatin1('a'), 0, 1)
    const [one, other] = [new Digest(), new Digest()]
    one.xorDigest(part)
    other.xor(part.bytes, 0, part.bytes.length)
    expect(one.hex).toBe(other.hex)
    one.reset()
    expect(one.hex).toBe('0'.repeat(40))
  })
})
