/* The table against a Map, under random operations on keys chosen to be difficult: many in one bucket, many in one
 * segment, some with the very same hash. `verify` checks the table after each operation; the memory is verified too, so
 * that a lost overflow bucket or directory shows. */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { Entries, Type } from '../../../src/keyspace/entry.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { Random, seedRandom } from '../../../src/lib/random.ts'
import { hashBytes, seedHash } from '../../../src/lib/siphash.ts'
import { Memory, NONE, type Ref } from '../../../src/memory/memory.ts'
import { SCAN_END, Table } from '../../../src/structures/table.ts'

const hashOf = (key: string): number => hashBytes(fromLatin1(key), 0, key.length)

/** A table beside the plain map that it must agree with. */
class Pair {
  readonly memory = new Memory()
  readonly entries = new Entries(this.memory)
  readonly table = new Table(this.memory)
  readonly root = this.table.create()
  readonly model = new Map<string, Ref>()
  private readonly keyless = this.memory.usedBytes

  find(key: string): Ref {
    return this.table.find(this.root, fromLatin1(key), 0, key.length, hashOf(key))
  }

  private create(key: string): Ref {
    return this.entries.create(Type.STRING, 1, 0, fromLatin1(key), 0, key.length, 0)
  }

  add(key: string): void {
    const found = this.find(key)
    expect(found).toBe(this.model.get(key) ?? NONE)
    const entry = this.create(key)
    if (found === NONE) this.table.insert(this.root, entry, hashOf(key))
    else {
      this.table.replaceFound(entry)
      this.memory.free(found)
    }
    this.model.set(key, entry)
  }

  remove(key: string): void {
    const found = this.find(key)
    expect(found).toBe(this.model.get(key) ?? NONE)
    if (found === NONE) return
    this.table.removeFound(this.root)
    this.memory.free(found)
    this.model.delete(key)
  }

  keyOf(entry: Ref): string {
    return latin1(this.memory.bytesOf(entry), this.entries.keyPos(entry), this.entries.keyLen(entry))
  }

  /** What one call of `scan` lists. */
  scan(position: number): { readonly next: number; readonly keys: string[] } {
    const next = this.table.scan(this.root, position)
    return { next, keys: [...this.table.found.subarray(0, this.table.foundCount)].map((ref) => this.keyOf(ref as Ref)) }
  }

  verify(): void {
    this.table.verify(this.root)
    expect(this.table.count(this.root)).toBe(this.model.size)
  }

  verifyWhole(): void {
    this.verify()
    this.memory.verify()
    const met: string[] = []
    for (let position = 0; position !== SCAN_END; ) {
      const { next, keys } = this.scan(position)
      expect(next).toBeGreaterThan(position)
      met.push(...keys)
      position = next
    }
    expect(met.sort()).toEqual([...this.model.keys()].sort())
    for (const [key, ref] of this.model) {
      expect(this.find(key)).toBe(ref)
      expect(this.table.seek(this.root, ref, hashOf(key))).toBe(true)
      expect(this.table.seek(this.root, ref, hashOf(key) ^ 0x55)).toBe(false)
    }
    let entryBytes = 0
    for (const ref of this.model.values()) entryBytes += this.memory.capacity(ref)
    expect(this.memory.usedBytes).toBe(entryBytes + this.table.bytes(this.root))
  }

  dismantle(): void {
    let listed = 0
    for (let position = 0; position !== SCAN_END; ) {
      position = this.table.dismantle(this.root, position)
      listed += this.table.foundCount
      for (let index = 0; index < this.table.foundCount; index++) this.memory.free(this.table.found[index]! as Ref)
    }
    expect(listed).toBe(this.model.size)
    expect(this.memory.blockCount).toBe(0)
    expect(this.keyless).toBeGreaterThan(0)
    this.memory.verify()
  }
}

/** Keys whose hashes begin with `bits` zero bits: they all meet in one segment, however often it splits up to there. */
const crowd: string[] = []
/** Pairs of keys with the same hash. */
const twins: string[] = []
/** Keys with the same fingerprint. */
const lookalikes: string[] = []

beforeAll(() => {
  seedHash(0x01234567, 0x89abcdef)
  const seen = new Map<number, string>()
  for (let number = 0; number < 300_000; number++) {
    const key = `key:${number}`
    const hash = hashOf(key)
    if (hash >>> 22 === 0 && crowd.length < 200) crowd.push(key)
    if ((hash & 0xff) === 0 && hash >>> 26 === 5) lookalikes.push(key)
    const twin = seen.get(hash)
    if (twin !== undefined) twins.push(twin, key)
    else seen.set(hash, key)
  }
  expect(twins.length).toBeGreaterThan(4)
  expect(lookalikes.length).toBeGreaterThan(10)
})

const LONG = 'l'.repeat(65_530)
/** An index into a list of keys of every kind. */
const anyKey = fc.oneof(
  { weight: 8, arbitrary: fc.nat(400).map((number) => `plain:${number}`) },
  { weight: 4, arbitrary: fc.nat(199).map((number) => crowd[number % crowd.length]!) },
  { weight: 2, arbitrary: fc.nat(100).map((number) => twins[number % twins.length]!) },
  { weight: 1, arbitrary: fc.nat(100).map((number) => lookalikes[number % lookalikes.length]!) },
  { weight: 1, arbitrary: fc.nat(12).map((number) => LONG + 'x'.repeat(number)) },
  { weight: 1, arbitrary: fc.constant('') },
)

describe('random operations', () => {
  test('on all kinds of keys agree with a map', () => {
    const op = fc.tuple(anyKey, fc.integer({ min: 0, max: 9 }))
    fc.assert(
      fc.property(fc.array(op, { minLength: 200, maxLength: 1200, size: 'max' }), (ops) => {
        const pair = new Pair()
        ops.forEach(([key, choice], step) => {
          const shrinks = Math.floor(step / 300) % 2 === 1
          if (choice < (shrinks ? 3 : 7)) pair.add(key)
          else pair.remove(key)
          pair.verify()
        })
        pair.verifyWhole()
        pair.dismantle()
      }),
      { numRuns: 20 },
    )
  })

  test('grow a table by thousands and shrink it to nothing, over and over', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed)
        const pair = new Pair()
        for (let round = 0; round < 3; round++) {
          const first = round * 10_000
          for (let number = 0; number < 8000; number++) pair.add(`n:${first + number}`)
          pair.verifyWhole()
          const keys = [...pair.model.keys()]
          // In random order, in order of insertion, and in hash order, as a client does that deletes what SCAN lists.
          if (round === 0) keys.sort(() => random.next())
          if (round === 2) keys.sort((a, b) => (hashOf(a) >>> 0) - (hashOf(b) >>> 0))
          keys.forEach((key, index) => {
            pair.remove(key)
            if (index % 500 === 0) pair.verify()
          })
          pair.verifyWhole()
          expect(pair.table.bucketCount(pair.root)).toBeLessThanOrEqual(64)
        }
        pair.dismantle()
      }),
      { numRuns: 2 },
    )
  })

  test('a crowd in one corner of the hashes splits that corner only, and it joins again', () => {
    const pair = new Pair()
    let number = 0
    const corner: string[] = []
    while (corner.length < 3000) {
      const key = `corner:${number++}`
      if (hashOf(key) >>> 25 === 0) corner.push(key)
    }
    for (const key of corner) pair.add(key)
    pair.verifyWhole()
    expect(pair.table.bucketCount(pair.root)).toBeLessThan(25 * 64)
    for (const key of corner) pair.remove(key)
    pair.verifyWhole()
    expect(pair.table.bucketCount(pair.root)).toBeLessThanOrEqual(64)
  })
})

describe('a scan', () => {
  test('meets every key that is there all along, however the table grows and shrinks meanwhile', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, stride) => {
        const random = new Random(seed)
        const pair = new Pair()
        const stable = new Set<string>()
        for (let number = 0; number < 300; number++) {
          stable.add(`stable:${number}`)
          pair.add(`stable:${number}`)
        }
        const met = new Set<string>()
        const passing: string[] = []
        let grows = true
        let calls = 0
        for (let position = 0; position !== SCAN_END; calls++) {
          const { next, keys } = pair.scan(position)
          for (const key of keys) met.add(key)
          position = next
          if (passing.length > 6000) grows = false
          if (passing.length < 50) grows = true
          for (let change = random.below(stride * 5); change > 0; change--) {
            if (grows) {
              passing.push(`passing:${random.below(1_000_000)}`)
              pair.add(passing.at(-1)!)
            } else if (passing.length > 0) {
              const [key] = passing.splice(random.below(passing.length), 1)
              pair.remove(key!)
            }
          }
        }
        for (const key of stable) expect(met.has(key)).toBe(true)
        expect(calls).toBeLessThanOrEqual(8192)
        pair.verify()
      }),
      { numRuns: 12 },
    )
  })

  test('goes on from any position, also one that was never given', () => {
    const pair = new Pair()
    for (let number = 0; number < 2000; number++) pair.add(`n:${number}`)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (position) => {
        const { next, keys } = pair.scan(position)
        expect(next).toBeGreaterThan(position)
        expect(next).toBeLessThanOrEqual(SCAN_END)
        for (const key of keys) expect(hashOf(key) >>> 0).toBeLessThan(next)
      }),
    )
  })
})

describe('a random entry', () => {
  /** Pearson's statistic of how often each key was drawn; with many keys it is near their count, ± some of its root. */
  function deviation(pair: Pair, draws: number): number {
    const counts = new Map<string, number>()
    for (let draw = 0; draw < draws; draw++) {
      const key = pair.keyOf(pair.table.random(pair.root))
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    const expected = draws / pair.model.size
    let sum = 0
    for (const key of pair.model.keys()) sum += ((counts.get(key) ?? 0) - expected) ** 2 / expected
    const freedom = pair.model.size - 1
    return freedom === 0 ? 0 : (sum - freedom) / Math.sqrt(2 * freedom)
  }

  test.each([1, 2, 30, 700, 3000])('is each of %i with the same probability', (count) => {
    seedRandom(count)
    const pair = new Pair()
    for (let number = 0; number < count; number++) pair.add(`n:${number}`)
    expect(deviation(pair, count === 1 ? 10 : count * 60)).toBeLessThan(4.5)
  })

  test('is so too where some segments are far deeper than others', () => {
    seedRandom(7)
    const pair = new Pair()
    for (let number = 0, crowded = 0; crowded < 1500; number++) {
      if (hashOf(`n:${number}`) >>> 27 !== 3) continue
      pair.add(`n:${number}`)
      crowded++
    }
    for (let number = 0; number < 300; number++) pair.add(`sparse:${number}`)
    expect(deviation(pair, pair.model.size * 60)).toBeLessThan(4.5)
  })

  test('is so too after most keys were deleted', () => {
    seedRandom(8)
    const pair = new Pair()
    for (let number = 0; number < 6000; number++) pair.add(`n:${number}`)
    for (let number = 0; number < 5900; number++) pair.remove(`n:${number}`)
    expect(deviation(pair, 6000)).toBeLessThan(4.5)
  })
})

test('keys of the same hash, length and fingerprint are told apart', () => {
  const pair = new Pair()
  for (const key of twins) pair.add(key)
  for (const key of twins) expect(pair.keyOf(pair.find(key))).toBe(key)
  pair.table.matches(pair.root, hashOf(twins[0]!))
  const matching = [...pair.table.found.subarray(0, pair.table.foundCount)].map((ref) => pair.keyOf(ref as Ref))
  expect(matching).toEqual(expect.arrayContaining(twins.slice(0, 2)))
  for (const key of twins) pair.remove(key)
  pair.verifyWhole()
})

test('a table made for many entries does not grow while they come', () => {
  const memory = new Memory()
  const table = new Table(memory)
  expect(table.bucketCount(table.create(600))).toBe(64)
  expect(table.bucketCount(table.create(0))).toBe(2)
})
