/* Intsets against plain sorted arrays of BigInts, under random operations: after each one the intset must be, byte for
 * byte, what the model's own encoder makes of the array. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { type Int64, parseInt64 } from '../../../src/lib/int64.ts'
import { Random } from '../../../src/lib/random.ts'
import { Memory, posOf, type Ref } from '../../../src/memory/memory.ts'
import { Intsets, validateIntset } from '../../../src/structures/intset.ts'
import { guarded } from './guarded.ts'
import { INTEGERS } from './listpack-model.ts'

const BOUNDARIES = INTEGERS.map(BigInt)

function int64(value: bigint): Int64 {
  const text = value.toString()
  return parseInt64(fromLatin1(text), 0, text.length)!
}

function widthOf(value: bigint): number {
  return [2, 4, 8].find((width) => BigInt.asIntN(width * 8, value) === value)!
}

/** An intset's bytes; `width`: of the widest integer that ever was in it. */
function encodeIntset(values: readonly bigint[], width: number): Buffer {
  const bytes = Buffer.alloc(8 + values.length * width)
  bytes.writeUInt32LE(width)
  bytes.writeUInt32LE(values.length, 4)
  values.forEach((value, slot) => {
    for (let at = 0; at < width; at++) bytes[8 + slot * width + at] = Number((value >> BigInt(8 * at)) & 255n)
  })
  return bytes
}

/** An intset beside the array that it must agree with. */
class Pair {
  readonly memory: Memory
  readonly intsets: Intsets
  readonly random: Random
  model: bigint[] = []
  width = 2
  /** Integers are drawn with up to so many bits, and not very many different ones. */
  readonly bits: number
  ref: Ref

  constructor(memory: Memory, random: Random) {
    this.memory = memory
    this.intsets = new Intsets(memory)
    this.random = random
    this.bits = [6, 9, 16, 17, 32, 33, 64][random.below(7)]!
    this.ref = this.intsets.create(random.below(2) === 0 ? 0 : random.below(100))
  }

  draw(): bigint {
    const { random } = this
    if (random.below(3) === 0 && this.model.length > 0) return this.model[random.below(this.model.length)]!
    if (random.below(4) === 0) {
      const boundary = BOUNDARIES[random.below(BOUNDARIES.length)]!
      if (BigInt.asIntN(this.bits, boundary) === boundary) return boundary
    }
    const word = (): bigint => BigInt(random.next() >>> 0)
    return BigInt.asIntN(this.bits, (word() << 32n) | word())
  }

  step(growing: boolean): void {
    const value = this.draw()
    const rank = this.model.indexOf(value)
    const slot = this.intsets.find(this.ref, int64(value))
    const place = this.model.findIndex((other) => other > value)
    expect(slot).toBe(rank >= 0 ? rank : ~(place < 0 ? this.model.length : place))
    const choice = this.random.below(20)
    if (choice === 0) this.ref = this.intsets.trim(this.ref)
    else if (choice === 1) this.renew()
    else if (choice < (growing ? 14 : 8)) this.add(value, rank)
    else this.remove(value, rank)
  }

  private renew(): void {
    const copy = this.intsets.copy(this.ref)
    this.intsets.free(this.ref)
    this.ref = copy
  }

  private add(value: bigint, rank: number): void {
    this.ref = this.intsets.add(this.ref, int64(value))
    expect(this.intsets.changed).toBe(rank < 0)
    if (rank >= 0) return
    this.width = Math.max(this.width, widthOf(value))
    this.model.push(value)
    this.model.sort((a, b) => (a < b ? -1 : 1))
  }

  private remove(value: bigint, rank: number): void {
    this.ref = this.intsets.remove(this.ref, int64(value))
    expect(this.intsets.changed).toBe(rank >= 0)
    if (rank >= 0) this.model.splice(rank, 1)
  }

  verify(): void {
    const { intsets, memory, ref } = this
    intsets.verify(ref)
    const pos = posOf(ref)
    const bytes = memory.bytesOf(ref).subarray(pos, pos + intsets.size(ref))
    expect(Buffer.compare(bytes, encodeIntset(this.model, this.width)), 'the bytes are those of the model').toBe(0)
    expect(intsets.count(ref)).toBe(this.model.length)
    expect(intsets.encoding(ref)).toBe(this.width)
  }

  verifyReading(): void {
    const { intsets, ref } = this
    expect(this.model.map((_, slot) => BigInt(intsets.get(ref, slot)))).toEqual(this.model)
    const digits = this.model.map((_, slot) => {
      intsets.locate(ref, slot)
      return latin1(intsets.bytes, intsets.pos, intsets.len)
    })
    expect(digits).toEqual(this.model.map(String))
    const members = new Set(this.model)
    expect(BOUNDARIES.filter((value) => intsets.has(ref, int64(value)))).toEqual(
      BOUNDARIES.filter((value) => members.has(value)),
    )
  }
}

test('random operations leave just the bytes that the model says', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 700 }), (seed, steps) => {
      const memory = new Memory()
      const pair = new Pair(memory, new Random(seed))
      for (let step = 0; step < steps; step++) {
        pair.step(step % 300 < 200)
        pair.verify()
        if (step % 64 === 0) pair.verifyReading()
      }
      pair.verifyReading()
      pair.intsets.free(pair.ref)
      expect(memory.blockCount).toBe(0)
      memory.verify()
    }),
    { numRuns: 80 },
  )
})

describe('an intset', () => {
  test('widens when it must, from any width to any', () => {
    const memory = new Memory()
    const intsets = new Intsets(memory)
    const steps: readonly (readonly bigint[])[] = [
      [5n, -5n, 40_000n, -40_000n, 1n << 40n, -(1n << 63n)],
      [5n, -5n, 1n << 31n, (1n << 63n) - 1n],
      [-(1n << 31n) - 1n, 0n],
      [32_767n, -32_768n, 32_768n],
    ]
    for (const values of steps) {
      let ref = intsets.create()
      const model: bigint[] = []
      for (const value of values) {
        ref = intsets.add(ref, int64(value))
        model.push(value)
        model.sort((a, b) => (a < b ? -1 : 1))
        expect(model.map((_, slot) => BigInt(intsets.get(ref, slot)))).toEqual(model)
        intsets.verify(ref)
      }
      expect(values.every((value) => intsets.has(ref, int64(value)))).toBe(true)
      expect(intsets.has(ref, int64(values[0]! - 2n))).toBe(false)
      intsets.free(ref)
    }
    expect(memory.blockCount).toBe(0)
  })

  test('keeps 20,000 integers in order, added in any order', () => {
    const memory = new Memory()
    const intsets = new Intsets(memory)
    const random = new Random(4)
    const model = new Set<number>()
    let ref = intsets.create()
    let moves = 0
    for (let count = 0; count < 20_000; count++) {
      const value = random.next()
      const grown = intsets.add(ref, value)
      if (intsets.changed === model.has(value)) expect.fail('what is new changes the set')
      if (grown !== ref) moves++
      ref = grown
      model.add(value)
    }
    intsets.verify(ref)
    expect(intsets.count(ref)).toBe(model.size)
    expect(moves).toBeLessThan(120)
    for (const value of model) ref = intsets.remove(ref, value)
    expect(intsets.count(ref)).toBe(0)
    expect(memory.capacity(ref)).toBeLessThanOrEqual(64)
    intsets.verify(ref)
  })
})

describe('an intset from elsewhere', () => {
  const validate = (bytes: Uint8Array): boolean => validateIntset(guarded(bytes, 5), 5, bytes.length)
  const encode = (width: number, ...values: readonly bigint[]): Buffer => encodeIntset(values, width)

  test('is accepted if it is sound', () => {
    expect(validate(encode(2, -32_768n, -1n, 0n, 1n, 32_767n))).toBe(true)
    expect(validate(encode(4, -(1n << 31n), -1n, 0n, (1n << 31n) - 1n))).toBe(true)
    expect(validate(encode(8, -(1n << 63n), -(1n << 32n), -1n, 0n, 0xffff_ffffn, 1n << 32n, (1n << 63n) - 1n))).toBe(
      true,
    )
    expect(validate(encode(8, 1n, 2n))).toBe(true)
  })

  test('is refused when it is empty, cut, too long, out of order, twice the same, or of another width', () => {
    const good = encode(4, 1n, 2n, 3n)
    const extra = Buffer.concat([good, Buffer.of(0)])
    const broken = [Buffer.alloc(0), good.subarray(0, 7), good.subarray(0, 8), good.subarray(0, -1), extra, encode(2)]
    expect(broken.map(validate)).toEqual(broken.map(() => false))
    expect([2, 4, 8].map((width) => validate(encode(width, 2n, 1n)))).toEqual([false, false, false])
    expect([2, 4, 8].map((width) => validate(encode(width, -1n, -1n)))).toEqual([false, false, false])
    expect(validate(encode(8, 1n << 32n, 1n))).toBe(false)
    expect(validate(encode(8, 0xffff_ffffn, 1n))).toBe(false)
    expect(validate(encode(3, 1n, 2n))).toBe(false)
    const huge = Buffer.from(good)
    huge.writeUInt32LE(0x4000_0003, 4) // times 4 is 12, if one counts with 32 bits
    expect(validate(huge)).toBe(false)
  })

  test('is read within its bounds, whatever it is, and is sound when accepted', () => {
    const intsets = new Intsets(new Memory())
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed)
        const width = [2, 4, 8][random.below(3)]!
        const values = Array.from({ length: random.below(6) }, (_, at) => BigInt(at * 1000 + random.below(1001)))
        const mutant = encodeIntset(values, width)
        if (mutant.length > 8 || random.below(2) === 0) mutant[random.below(mutant.length)] = random.below(256)
        const cut = mutant.subarray(0, random.below(3) === 0 ? random.below(mutant.length + 1) : mutant.length)
        if (!validate(cut)) return
        const ref = intsets.fromBytes(cut, 0, cut.length)
        intsets.verify(ref)
        const found = Array.from({ length: intsets.count(ref) }, (_, slot) => intsets.find(ref, intsets.get(ref, slot)))
        expect(found).toEqual([...found.keys()])
        intsets.free(ref)
      }),
      { numRuns: 3000 },
    )
  })
})

test('verify notices what is wrong', () => {
  const memory = new Memory()
  const intsets = new Intsets(memory)
  const damage = (word: number, value: number) => () => {
    let ref = intsets.create()
    for (const member of [1, 2, 70_000]) ref = intsets.add(ref, member)
    memory.setWord(ref, word, value)
    intsets.verify(ref)
  }
  expect(damage(0, 4)).not.toThrow()
  expect(damage(0, 3)).toThrow('header')
  expect(damage(1, 300)).toThrow()
  expect(damage(2, 2)).toThrow('ascend')
})
