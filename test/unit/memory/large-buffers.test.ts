import { expect, test } from 'vitest'
import { LargeBuffers } from '../../../src/memory/large-buffers.ts'
import { BLOCK_BYTES_MAX } from '../../../src/memory/memory.ts'
import { testSeed } from '../../helpers/seed.ts'

test('buffers do not overlap, and when all have been given back so is what they lay in', () => {
  const seed = testSeed()
  let state = seed
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return (state >>> 8) % limit
  }
  const buffers = new LargeBuffers()
  const taken: { bytes: Uint8Array; mark: number }[] = []
  for (let step = 0; step < 600; step++) {
    if (taken.length > 0 && below(2) === 0) {
      const [{ bytes, mark }] = taken.splice(below(taken.length), 1) as [{ bytes: Uint8Array; mark: number }]
      expect([bytes[0], bytes.at(-1)], `seed ${seed}`).toEqual([mark, mark])
      buffers.give(bytes)
    } else {
      const bytes = buffers.take(1 + below(4 ** (1 + below(12))))
      const mark = step & 0xff
      bytes[0] = mark
      bytes[bytes.length - 1] = mark
      taken.push({ bytes, mark })
    }
    if (below(20) === 0) buffers.trim()
  }
  buffers.verify()
  for (const { bytes, mark } of taken) {
    expect([bytes[0], bytes.at(-1)], `seed ${seed}`).toEqual([mark, mark])
    buffers.give(bytes)
  }
  buffers.verify()
  for (let call = 0; call < 32; call++) buffers.trim()
  expect(buffers.residentBytes).toBe(0)
})

test('a buffer has just the size asked for, and may be larger than a chunk', () => {
  const buffers = new LargeBuffers()
  for (const size of [0, 1, 100, 32 * 1024 - 1, 32 * 1024, 1_000_001, 20_000_000, BLOCK_BYTES_MAX + 1]) {
    const bytes = buffers.take(size)
    expect(bytes.length).toBe(size)
    buffers.give(bytes)
  }
  buffers.verify()
})

test('a buffer from elsewhere may be given, too', () => {
  const buffers = new LargeBuffers()
  const kept = buffers.take(100_000)
  buffers.give(new Uint8Array(100_000))
  buffers.give(new Uint8Array(10_000_000))
  buffers.verify()
  buffers.give(kept)
})
