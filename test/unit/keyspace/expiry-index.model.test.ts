/* The expiry index against a plain list of records: whatever the order of times and however time passes, each record is
 * handed out once it is due and not lost before; what is handed out early is put in again, as the database does. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ExpiryIndex } from '../../../src/keyspace/expiry-index.ts'
import { Memory } from '../../../src/memory/memory.ts'

const START = 1_700_000_000_123
const TICK_MS = 128
const SECOND = 1000
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR
const YEAR = 365 * DAY

class Pair {
  readonly memory = new Memory()
  readonly index: ExpiryIndex
  now = START
  /** By hash, when the key is due. */
  readonly model = new Map<number, number>()
  /** By hash, when it could be handed out first: a record may be made of what is due already. */
  private readonly since = new Map<number, number>()
  private nextHash = 0

  constructor() {
    this.index = new ExpiryIndex(this.memory, this.now)
  }

  add(ahead: number): void {
    this.nextHash++
    this.index.add(this.nextHash | 0, this.now + ahead)
    this.model.set(this.nextHash, this.now + ahead)
    this.since.set(this.nextHash, Math.max(this.now, this.now + ahead))
  }

  /** Takes what the index hands out at this time; nothing that is due may stay behind. */
  collect(): void {
    while (this.index.advance(this.now)) {
      const due = this.model.get(this.index.hash)
      expect(due).toBeDefined()
      if (due! < this.now) this.model.delete(this.index.hash)
      else this.index.add(this.index.hash, due!)
    }
    this.index.verify()
    expect(this.index.count).toBe(this.model.size)
    const late = [...this.model.keys()].filter((hash) => this.since.get(hash)! < this.now - TICK_MS)
    expect(late).toEqual([])
  }

  dismantle(): void {
    while (this.index.dismantle()) {}
    expect(this.memory.blockCount).toBe(0)
    this.memory.verify()
  }
}

type Op = { readonly add: readonly number[] } | { readonly pass: number }

const someTime = fc.oneof(
  fc.integer({ min: -10 * SECOND, max: 10 * SECOND }),
  fc.integer({ min: 0, max: 60 * SECOND }),
  fc.integer({ min: 0, max: 3 * HOUR }),
  fc.integer({ min: 0, max: 30 * DAY }),
  fc.maxSafeInteger().map((time) => Math.abs(time) % (30 * YEAR)),
  // On and around the edges of slots and levels.
  fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 256 }), fc.integer({ min: -2, max: 2 }))
    .map(([level, slots, off]) => TICK_MS * 256 ** level * slots + off),
)
const somePause = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 60 * SECOND }),
  fc.integer({ min: 0, max: 2 * HOUR }),
)
const someOp: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ add: fc.array(someTime, { minLength: 1, maxLength: 150 }) }),
  fc.record({ pass: somePause }),
)

test('hands out every record when it is due, whatever else happens', () => {
  fc.assert(
    fc.property(fc.array(someOp, { minLength: 20, maxLength: 80, size: 'max' }), (ops) => {
      const pair = new Pair()
      for (const op of ops) {
        if ('add' in op) for (const ahead of op.add) pair.add(ahead)
        else {
          pair.now += op.pass
          pair.collect()
        }
      }
      pair.dismantle()
    }),
    { numRuns: 60 },
  )
})

test('does so through the turns of all its levels', () => {
  const pair = new Pair()
  for (let ahead = 1; ahead < 60 * DAY; ahead = Math.ceil(ahead * 1.1)) pair.add(ahead)
  for (let passed = 0; passed < 60 * DAY; passed += 3 * HOUR) {
    pair.now = START + passed
    pair.collect()
  }
  pair.now = START + 61 * DAY
  pair.collect()
  expect(pair.model.size).toBe(0)
  pair.dismantle()
})

test('gives every record back in few visits', () => {
  const memory = new Memory()
  const index = new ExpiryIndex(memory, START)
  const due = START + 3 * HOUR
  for (let hash = 0; hash < 1000; hash++) index.add(hash, due)
  let visits = 0
  for (let now = START; now < due + SECOND; now += 100) {
    while (index.advance(now)) {
      visits++
      if (due >= now) index.add(index.hash, due)
    }
  }
  expect(index.count).toBe(0)
  expect(visits).toBeLessThanOrEqual(4000)
})

describe('a leap of the clock', () => {
  test('is noticed before ages of empty ticks are walked through', () => {
    const index = new ExpiryIndex(new Memory(), 0)
    expect(index.isFarBehind(START)).toBe(false) // nothing recorded: there is nothing to walk for
    index.add(1, 1000)
    expect(index.isFarBehind(2 * HOUR)).toBe(false)
    expect(index.isFarBehind(START)).toBe(true)
  })

  test('back hands nothing out', () => {
    const pair = new Pair()
    pair.add(1000)
    expect(pair.index.advance(START - DAY)).toBe(false)
    pair.now += 2000
    pair.collect()
    expect(pair.model.size).toBe(0)
  })
})

test('is freed whole from any state, also between two visits', () => {
  fc.assert(
    fc.property(fc.array(someTime, { minLength: 1, maxLength: 2000, size: 'max' }), fc.nat(300), (times, visits) => {
      const pair = new Pair()
      for (const ahead of times) pair.add(ahead)
      pair.now += HOUR
      for (let visit = 0; visit < visits && pair.index.advance(pair.now); visit++) {}
      pair.index.verify()
      pair.dismantle()
    }),
    { numRuns: 30 },
  )
})
