import { expect, test } from 'vitest'
import { crypto, randomBytes } from '../../../src/lib/crypto.ts'

test('random bytes are as many as were asked for, and others each time', () => {
  const drawn = Array.from({ length: 100 }, () => randomBytes(16).toString('hex'))
  expect(new Set(drawn).size).toBe(100)
  expect(drawn.every((text) => text.length === 32)).toBe(true)
  expect(randomBytes(0)).toHaveLength(0)
})

test("node's cryptography is there when it is wanted", () => {
  expect(crypto().hash('sha1', '')).toBe('da39a3ee5e6b4b0d3255bfef95601890afd80709')
})
