/* Promises of the arena, and random operations against a plain map of blocks: every block is filled with a pattern of
 * its own, which shows when two of them overlap. `verify` adds up pages, spans and blocks after each operation. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BLOCK_BYTES_MAX,
  blockSizeFor,
  CHUNK_BYTES,
  Memory,
  NONE,
  posOf,
  type Ref,
} from '../../../src/memory/memory.ts'

const KB = 1024
const MB = 1024 * KB
const PAGE_BYTES = 16 * KB

function fill(memory: Memory, ref: Ref, size: number, byte: number): void {
  const pos = posOf(ref)
  memory.bytesOf(ref).fill(byte, pos, pos + size)
}

/** Whether the block's first `size` bytes are all `byte`; of large ones, the ends and some in between are looked at. */
function isFilled(memory: Memory, ref: Ref, size: number, byte: number): boolean {
  const bytes = memory.bytesOf(ref)
  const pos = posOf(ref)
  const step = size <= 4 * KB ? 1 : 509
  for (let at = 0; at < size; at += step) if (bytes[pos + at] !== byte) return false
  return bytes[pos + size - 1] === byte
}

describe('a block', () => {
  test('has room for what was asked for, and at most an eighth more', () => {
    const memory = new Memory()
    for (let size = 1; size <= 200 * KB; size = Math.ceil(size * 1.013) + 1) {
      const ref = memory.alloc(size)
      expect(memory.capacity(ref)).toBe(blockSizeFor(size))
      expect(memory.capacity(ref)).toBeGreaterThanOrEqual(size)
      expect(memory.capacity(ref)).toBeLessThanOrEqual(Math.max(size * 1.125 + 16, Math.ceil(size / 16) * 16))
      memory.free(ref)
    }
    memory.verify()
  })

  test('begins at a multiple of 16 bytes, and never at NONE', () => {
    const memory = new Memory()
    for (let count = 0; count < 5000; count++) {
      const ref = memory.alloc(16)
      expect(ref).not.toBe(NONE)
      expect(posOf(ref) % 16).toBe(0)
    }
  })

  test('is zero when that was asked for, whatever was there before', () => {
    const memory = new Memory()
    for (const size of [1, 100, 5000, 300 * KB]) {
      const old = memory.alloc(size)
      fill(memory, old, size, 0xff)
      memory.free(old)
      const ref = memory.allocZeroed(size)
      expect(isFilled(memory, ref, size, 0)).toBe(true)
    }
  })

  test('keeps its bytes when it is made larger or smaller', () => {
    const memory = new Memory()
    for (const [before, after] of [
      [100, 5000],
      [5000, 100],
      [100 * KB, 500 * KB],
      [500 * KB, 90 * KB],
      [10 * MB, 20 * MB],
    ]) {
      const ref = memory.alloc(before!)
      fill(memory, ref, before!, 0x5a)
      const kept = Math.min(before!, after!)
      const resized = memory.resize(ref, after!, kept)
      expect(memory.capacity(resized)).toBe(blockSizeFor(after!))
      expect(isFilled(memory, resized, kept, 0x5a)).toBe(true)
      memory.free(resized)
      memory.verify()
    }
    expect(memory.usedBytes).toBe(0)
  })

  test('stays where it is when its size class does not change', () => {
    const memory = new Memory()
    const ref = memory.alloc(1000)
    expect(memory.resize(ref, memory.capacity(ref), 1000)).toBe(ref)
  })

  test('may be larger than a chunk, up to 2 GB less a page or two', () => {
    const memory = new Memory()
    const ref = memory.alloc(40 * MB)
    expect(memory.capacity(ref)).toBe(40 * MB)
    fill(memory, ref, 40 * MB, 7)
    expect(isFilled(memory, ref, 40 * MB, 7)).toBe(true)
    expect(memory.reservedBytes).toBe(CHUNK_BYTES + 40 * MB)
    memory.verify()
    memory.free(ref)
    expect(memory.reservedBytes).toBe(CHUNK_BYTES)
    memory.verify()
    expect(blockSizeFor(BLOCK_BYTES_MAX)).toBeLessThan(2 ** 31)
  })
})

describe('the arena', () => {
  test('counts what is in use to the byte', () => {
    const memory = new Memory()
    const refs = [10, 100, 1000, 10_000, 100_000, 1_000_000].map((size) => memory.alloc(size))
    const total = refs.reduce((sum, ref) => sum + memory.capacity(ref), 0)
    expect(memory.usedBytes).toBe(total)
    expect(memory.blockCount).toBe(refs.length)
    for (const ref of refs) memory.free(ref)
    expect(memory.usedBytes).toBe(0)
    expect(memory.blockCount).toBe(0)
    memory.verify()
  })

  test('uses pages again for other sizes, and gives empty chunks back but for one', () => {
    const memory = new Memory()
    for (const size of [48, 3000, 70 * KB, 2 * MB]) {
      const refs: Ref[] = []
      for (let total = 0; total < 100 * MB; total += size) refs.push(memory.alloc(size))
      expect(memory.reservedBytes).toBeGreaterThanOrEqual(100 * MB)
      expect(memory.reservedBytes).toBeLessThan(120 * MB)
      for (const ref of refs) memory.free(ref)
      memory.verify()
      memory.trim()
      memory.verify()
      expect(memory.reservedBytes).toBeLessThanOrEqual(2 * CHUNK_BYTES)
      expect(memory.activeBytes).toBe(PAGE_BYTES) // the page that NONE is in
    }
  })

  test('fills the holes between blocks that stay', () => {
    const memory = new Memory()
    const refs: Ref[] = []
    for (let count = 0; count < 50_000; count++) refs.push(memory.alloc(100))
    const reserved = memory.reservedBytes
    for (let round = 0; round < 5; round++) {
      for (let index = round % 2; index < refs.length; index += 2) memory.free(refs[index]!)
      for (let index = round % 2; index < refs.length; index += 2) refs[index] = memory.alloc(100)
    }
    expect(memory.reservedBytes).toBe(reserved)
    memory.verify()
  })

  test('takes memory only as far as blocks have reached', () => {
    const memory = new Memory()
    expect(memory.residentBytes).toBe(0)
    const refs = Array.from({ length: 10 }, () => memory.alloc(MB))
    expect(memory.residentBytes).toBe(10 * MB + PAGE_BYTES)
    for (const ref of refs) memory.free(ref)
    expect(memory.residentBytes).toBe(10 * MB + PAGE_BYTES)
    memory.reset()
    expect(memory.residentBytes).toBe(0)
    for (let count = 0; count < 30; count++) memory.alloc(MB)
    memory.alloc(20 * MB)
    expect(memory.residentBytes).toBeGreaterThanOrEqual(memory.usedBytes)
    expect(memory.residentBytes).toBeLessThan(memory.usedBytes + 2 * MB)
    memory.verify()
  })

  test('can be emptied of its first chunk too, whose place another takes at once', () => {
    const memory = new Memory()
    const refs = Array.from({ length: 2500 }, () => memory.alloc(5000))
    const kept = refs.filter((_, index) => index % 20 === 0)
    for (const ref of refs) if (!kept.includes(ref)) memory.free(ref)
    for (const [number, ref] of kept.entries()) fill(memory, ref, 5000, number)
    memory.beginEmptying(0)
    const moved = kept.map((ref) => memory.move(ref))
    memory.verify()
    expect(memory.emptyingChunks).toBe(0)
    expect(memory.residentBytes).toBeLessThan(memory.usedBytes + 10 * PAGE_BYTES)
    for (const [number, ref] of moved.entries()) expect(isFilled(memory, ref, 5000, number)).toBe(true)
    expect(memory.alloc(5000)).not.toBe(NONE)
    for (let count = 0; count < 2500; count++) memory.alloc(5000)
    memory.verify()
  })

  test('forgets everything at once when it is reset', () => {
    const memory = new Memory()
    for (let count = 0; count < 2000; count++) memory.alloc(20 * KB)
    memory.alloc(50 * MB)
    memory.reset()
    expect(memory.usedBytes).toBe(0)
    expect(memory.blockCount).toBe(0)
    expect(memory.reservedBytes).toBe(CHUNK_BYTES)
    memory.verify()
    const ref = memory.alloc(100)
    fill(memory, ref, 100, 1)
    memory.verify()
    expect(memory.blockCount).toBe(1)
  })

  test('takes the chunks of a reset again, or gives them back one by one', () => {
    const memory = new Memory()
    const fillUp = (): void => {
      for (let count = 0; count < 100; count++) memory.alloc(1024 * KB)
    }
    fillUp()
    const before = memory.bytes[1]!.buffer
    memory.reset()
    fillUp()
    expect(memory.bytes.some((bytes) => bytes.buffer === before)).toBe(true)
    memory.verify()
    memory.reset()
    let given = 0
    while (memory.discard()) given++
    expect(given).toBeGreaterThanOrEqual(6)
    fillUp()
    memory.verify()
  })

  test.each([false, true])('gives empty chunks back at once, or (%s) later, one by one', (later) => {
    const memory = new Memory()
    memory.discardsLater = later
    const refs = Array.from({ length: 100 }, () => memory.alloc(1024 * KB))
    const reserved = memory.bytes.slice(1).map(({ buffer }) => buffer)
    for (const ref of refs) memory.free(ref)
    // One is kept in reserve.
    expect(memory.reservedBytes).toBe(2 * CHUNK_BYTES)
    const kept = (): number => reserved.filter((buffer) => buffer.byteLength > 0).length
    expect(memory.discardedChunks).toBe(later ? reserved.length - 1 : 0)
    for (let left = later ? reserved.length : 1; left >= 1; left--) {
      expect(kept()).toBe(left)
      expect(memory.discard()).toBe(left > 1)
    }
    expect(kept()).toBe(1)
    memory.verify()
  })

  test('takes a chunk that is to be given back again before it asks for a new one', () => {
    const memory = new Memory()
    memory.discardsLater = true
    const fillUp = (): Ref[] => Array.from({ length: 100 }, () => memory.alloc(1024 * KB))
    for (const ref of fillUp()) memory.free(ref)
    expect(memory.discardedChunks).toBeGreaterThan(3)
    fillUp()
    expect(memory.discardedChunks).toBe(0)
    memory.verify()
  })

  test('finds a damaged chain of free blocks', () => {
    const memory = new Memory()
    const ref = memory.alloc(64)
    const other = memory.alloc(64)
    memory.free(ref)
    memory.setWord(ref, 0, other + 1)
    expect(() => memory.verify()).toThrow('a free block lies in its span')
    memory.setWord(ref, 0, NONE)
    memory.verify()
  })
})

type Op =
  | { readonly kind: 'alloc'; readonly size: number }
  | { readonly kind: 'free'; readonly slot: number }
  | { readonly kind: 'resize'; readonly slot: number; readonly size: number }
  | { readonly kind: 'freeMany'; readonly slot: number; readonly count: number }
  | { readonly kind: 'reset' }

const anySize = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 300, max: 20_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 20_000, max: 140_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 140_000, max: 3 * MB }) },
  { weight: 1, arbitrary: fc.integer({ min: 3 * MB, max: 17 * MB }) },
)
const anySlot = fc.nat(10_000)
const anyOp: fc.Arbitrary<Op> = fc.oneof(
  { weight: 250, arbitrary: fc.record({ kind: fc.constant('alloc' as const), size: anySize }) },
  { weight: 175, arbitrary: fc.record({ kind: fc.constant('free' as const), slot: anySlot }) },
  { weight: 75, arbitrary: fc.record({ kind: fc.constant('resize' as const), slot: anySlot, size: anySize }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('freeMany' as const), slot: anySlot, count: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const) }) },
)

/** The blocks that should be there: each with its size and the byte it is filled with. */
class Model {
  readonly memory = new Memory()
  readonly blocks: { ref: Ref; size: number; byte: number }[] = []
  private nextByte = 0

  apply(op: Op): void {
    const { memory, blocks } = this
    const at = 'slot' in op && blocks.length > 0 ? op.slot % blocks.length : -1
    if (op.kind === 'alloc') this.add(memory.alloc(op.size), op.size)
    else if (op.kind === 'reset') {
      memory.reset()
      blocks.length = 0
    } else if (at < 0) return
    else if (op.kind === 'free') this.remove(at)
    else if (op.kind === 'freeMany') for (let left = op.count; left > 0 && blocks.length > at; left--) this.remove(at)
    else this.resize(at, op.size)
  }

  private add(ref: Ref, size: number): void {
    this.nextByte = (this.nextByte + 1) & 0xff
    fill(this.memory, ref, size, this.nextByte)
    this.blocks.push({ ref, size, byte: this.nextByte })
  }

  private remove(at: number): void {
    const [block] = this.blocks.splice(at, 1)
    expect(isFilled(this.memory, block!.ref, block!.size, block!.byte)).toBe(true)
    this.memory.free(block!.ref)
  }

  private resize(at: number, size: number): void {
    const [block] = this.blocks.splice(at, 1)
    const kept = Math.min(size, block!.size)
    const ref = this.memory.resize(block!.ref, size, kept)
    expect(isFilled(this.memory, ref, kept, block!.byte)).toBe(true)
    this.add(ref, size)
  }

  verify(): void {
    const { memory, blocks } = this
    memory.verify()
    expect(memory.blockCount).toBe(blocks.length)
    expect(memory.usedBytes).toBe(blocks.reduce((sum, { size }) => sum + blockSizeFor(size), 0))
    expect(memory.usedBytes).toBeLessThanOrEqual(memory.activeBytes)
    expect(memory.reservedBytes % PAGE_BYTES).toBe(0)
  }
}

test('random operations leave every other block as it was', () => {
  fc.assert(
    fc.property(fc.array(anyOp, { minLength: 50, maxLength: 400, size: 'max' }), (ops) => {
      const model = new Model()
      for (const op of ops) {
        model.apply(op)
        model.verify()
      }
      for (const { ref, size, byte } of model.blocks) expect(isFilled(model.memory, ref, size, byte)).toBe(true)
    }),
    { numRuns: 25 },
  )
})

test('small blocks in tens of thousands of random operations', () => {
  const step = fc.tuple(fc.integer({ min: 1, max: 2000 }), fc.nat())
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 3000, maxLength: 6000, size: 'max' }),
      fc.integer({ min: 1, max: 9 }),
      (steps, bias) => {
        const model = new Model()
        steps.forEach(([size, pick], at) => {
          const grows = Math.floor(at / 1000) % 2 === 0 ? pick % 10 < bias : pick % 10 >= bias
          model.apply(grows ? { kind: 'alloc', size } : { kind: 'free', slot: pick >>> 4 })
          if (at % 100 === 0) model.verify()
        })
        model.verify()
      },
    ),
    { numRuns: 10 },
  )
})
