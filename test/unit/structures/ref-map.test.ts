import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import type { Ref } from '../../../src/memory/memory.ts'
import { RefMap } from '../../../src/structures/ref-map.ts'

test('a map of refs agrees with a Map', () => {
  const random = new Random(1)
  const map = new RefMap()
  const model = new Map<number, number>()
  for (let step = 0; step < 5000; step++) {
    const ref = (random.next() | 1) as Ref
    const value = random.below(1000)
    map.set(ref, value)
    model.set(ref, value)
    map.set(ref, value + 1)
    model.set(ref, value + 1)
  }
  map.verify()
  expect(map.count).toBe(model.size)
  for (const [ref, value] of model) expect(map.get(ref as Ref)).toBe(value)
  for (let ref = 2; ref < 2000; ref += 2) expect(map.has(ref as Ref)).toBe(false)
  expect(map.get(4 as Ref)).toBe(-1)
})
