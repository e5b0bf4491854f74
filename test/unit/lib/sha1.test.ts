import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { writeSha1 } from '../../../src/lib/sha1.ts'

test('strings of every length up to a few blocks have the sum that node:crypto says', () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, index) => (index * 151 + 7) & 255)
  const sum = new Uint8Array(20)
  for (let len = 0; len < 250; len++) {
    writeSha1(bytes, 5, len, sum)
    const expected = createHash('sha1')
      .update(bytes.slice(5, 5 + len))
      .digest('hex')
    expect(Buffer.from(sum).toString('hex'), `${len} bytes`).toBe(expected)
  }
})

test('the sum may take the place of the string', () => {
  const bytes = new Uint8Array(20).fill(3)
  const expected = createHash('sha1').update(bytes).digest('hex')
  writeSha1(bytes, 0, 20, bytes)
  expect(Buffer.from(bytes).toString('hex')).toBe(expected)
})
