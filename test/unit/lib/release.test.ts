import { expect, test } from 'vitest'
import { release } from '../../../src/lib/release.ts'

const MB = 1024 * 1024

test('a large buffer is gone at once, with its memory', async () => {
  await new Promise((resolve) => setTimeout(resolve, 10))
  const before = process.memoryUsage.rss()
  for (let count = 0; count < 10; count++) {
    const bytes = new Uint8Array(64 * MB).fill(1)
    const view = bytes.subarray(10)
    release(bytes)
    expect([bytes.length, view.length]).toEqual([0, 0])
  }
  expect(process.memoryUsage.rss() - before).toBeLessThan(128 * MB)
})

test('a small one is left to the collector', () => {
  const bytes = new Uint8Array(MB)
  release(bytes)
  expect(bytes.length).toBe(MB)
})
