import { describe, expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { CHUNK_BYTES, Memory, type Ref } from '../../../src/memory/memory.ts'

/** Blocks of all sizes, so many of them, of which a share is freed again. */
function filled(seed: number, count: number, freed: number): { memory: Memory; live: Ref[] } {
  const memory = new Memory()
  const random = new Random(seed)
  const live: Ref[] = []
  for (let number = 0; number < count; number++) {
    const size = 1 + random.below(2 ** (4 + random.below(14)))
    const ref = memory.alloc(size)
    if (random.below(100) < freed) memory.free(ref)
    else live.push(ref)
  }
  return { memory, live }
}

describe('a purge', () => {
  test('gives back every page of an arena without blocks, and the chunk in reserve', () => {
    const { memory, live } = filled(1, 20_000, 0)
    for (const ref of live) memory.free(ref)
    expect(memory.activeBytes).toBeGreaterThan(100_000)
    memory.purge()
    memory.verify()
    expect(memory.usage().filter(({ pages }) => pages > 0)).toEqual([])
    expect(memory.reservedBytes).toBe(CHUNK_BYTES)
  })

  test('leaves blocks alone, and the arena in order', () => {
    const { memory, live } = filled(2, 20_000, 60)
    for (const [number, ref] of live.entries()) memory.setWord(ref, 0, number)
    memory.purge()
    memory.verify()
    for (const [number, ref] of live.entries()) expect(memory.word(ref, 0)).toBe(number)
    for (let number = 0; number < 1000; number++) live.push(memory.alloc(1 + number * 50))
    memory.verify()
    for (const ref of live) memory.free(ref)
    memory.verify()
    expect(memory.usedBytes).toBe(0)
  })
})

describe('the usage of the arena', () => {
  test('adds up to what is used', () => {
    const { memory, live } = filled(3, 5000, 30)
    const usage = memory.usage()
    expect(usage.reduce((sum, { blocks }) => sum + blocks, 0)).toBe(memory.blockCount)
    const larger = usage.at(-1)!
    const small = usage.slice(0, -1).reduce((sum, { blocks, blockSize }) => sum + blocks * blockSize, 0)
    expect(small + larger.pages * 16 * 1024).toBe(memory.usedBytes)
    expect(live.length).toBe(memory.blockCount)
    expect(memory.activeBytes).toBeGreaterThanOrEqual(memory.usedBytes)
    expect(memory.activeBytes).toBeLessThanOrEqual(memory.reservedBytes)
  })
})
