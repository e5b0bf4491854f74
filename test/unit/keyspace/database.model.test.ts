/* Databases against plain maps: keys with and without expiries are set, changed, renamed, moved, copied and deleted in
 * several databases, while time passes, keys are taken away actively or when met, databases are swapped and flushed,
 * and indexes are built anew. `verify` goes down to the arena after each operation; not one block may be left
 * in the end. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Database } from '../../../src/keyspace/database.ts'
import { Event, type KeyEvent } from '../../../src/keyspace/events.ts'
import { type ChangeListener, Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { seedRandom } from '../../../src/lib/random.ts'
import { seedHash } from '../../../src/lib/siphash.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { SCAN_END } from '../../../src/structures/table.ts'

const DATABASES = 3
const START = 1_700_000_000_000
const DAY = 86_400_000
/** An expiry index is two of its ticks late at most. */
const LATENESS_MS = 256

interface Value {
  readonly text: string
  readonly due: number | undefined
}

/** Counts what a listener is told. */
class Witness implements ChangeListener {
  expired = 0
  flushes = 0
  sizeWhenFlushed = 0
  private readonly keyspace: Keyspace

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace
  }

  keyChanged(_db: Database, _bytes: Uint8Array, _pos: number, _len: number, event: KeyEvent): void {
    if (event === Event.EXPIRED) this.expired++
  }
  flushed(db: Database | undefined): void {
    this.flushes++
    for (const each of db === undefined ? this.keyspace.databases : [db]) this.sizeWhenFlushed += each.size
  }
  swapped(): void {}
}

class Pair {
  readonly keyspace = new Keyspace(DATABASES)
  readonly witness = new Witness(this.keyspace)
  readonly model: Map<string, Value>[] = Array.from({ length: DATABASES }, () => new Map())
  now = START
  /** Keys that the model has seen run out of time. */
  private expired = 0
  private readonly emptyBlocks: number
  private flushedSizes = 0

  constructor() {
    this.keyspace.listen(this.witness)
    this.keyspace.setTime(this.now)
    this.emptyBlocks = this.keyspace.memory.blockCount
  }

  private db(index: number): Database {
    return this.keyspace.databases[index]!
  }

  /** What the model has at a key that is not past its time. */
  private live(index: number, key: string): Value | undefined {
    const value = this.model[index]!.get(key)
    if (value?.due === undefined || value.due >= this.now) return value
    this.model[index]!.delete(key)
    this.expired++
    return undefined
  }

  private lookup(index: number, key: string): Ref {
    const found = this.db(index).lookupWrite(fromLatin1(key), 0, key.length)
    expect(found !== NONE).toBe(this.live(index, key) !== undefined)
    return found
  }

  private textOf(entry: Ref): string {
    const { strings } = this.keyspace
    strings.locate(entry)
    return latin1(strings.bytes, strings.pos, strings.len)
  }

  private keyOf(entry: Ref): string {
    const { memory, entries } = this.keyspace
    return latin1(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
  }

  set(index: number, key: string, text: string, ahead: number | undefined): void {
    const found = this.lookup(index, key)
    const due = ahead === undefined ? undefined : this.now + ahead
    const value = fromLatin1(text)
    const { strings } = this.keyspace
    strings.store(this.db(index), found, fromLatin1(key), 0, key.length, value, 0, value.length, due)
    this.model[index]!.set(key, { text, due })
  }

  get(index: number, key: string): void {
    const entry = this.db(index).lookupRead(fromLatin1(key), 0, key.length)
    expect(entry === NONE ? undefined : this.textOf(entry)).toEqual(this.live(index, key)?.text)
  }

  remove(index: number, key: string): void {
    const found = this.lookup(index, key)
    if (found !== NONE) this.db(index).remove(found)
    this.model[index]!.delete(key)
  }

  expire(index: number, key: string, ahead: number | undefined): void {
    const found = this.lookup(index, key)
    const value = this.live(index, key)
    if (value === undefined || (ahead === undefined && value.due === undefined)) return
    const due = ahead === undefined ? undefined : this.now + ahead
    if (due === undefined) this.db(index).dropExpiry(found)
    else this.db(index).setExpiry(found, due)
    this.model[index]!.set(key, { text: value.text, due })
  }

  /** Copies a key to another name or database, or takes it there. */
  copy(index: number, key: string, target: number, name: string, keeps: boolean): void {
    const source = this.lookup(index, key)
    if (source === NONE || (index === target && key === name)) return
    const taken = this.lookup(target, name)
    if (taken !== NONE) this.db(target).remove(taken)
    const value = this.live(index, key)!
    this.model[target]!.set(name, value)
    if (keeps) this.db(target).insertCopy(source, fromLatin1(name), 0, name.length)
    else {
      this.db(index).relocate(source, this.db(target), fromLatin1(name), 0, name.length)
      this.model[index]!.delete(key)
    }
  }

  pass(ms: number): void {
    this.now += ms
    this.keyspace.setTime(this.now)
  }

  expireSome(steps: number): void {
    for (let step = 0; step < steps; step++) for (const db of this.keyspace.databases) db.expireNext()
  }

  swap(one: number, other: number): void {
    this.keyspace.swap(this.db(one), this.db(other))
    const first = this.model[one]!
    this.model[one] = this.model[other]!
    this.model[other] = first
  }

  flush(index: number | undefined): void {
    for (const each of index === undefined ? this.model.keys() : [index]) {
      // Whether what is past its time has been taken away yet is chance: now it has.
      for (const key of [...this.model[each]!.keys()]) this.lookup(each, key)
      this.flushedSizes += this.db(each).size
      this.model[each]!.clear()
    }
    this.keyspace.flush(index === undefined ? undefined : this.db(index))
    expect(this.db(index ?? 0).size).toBe(0)
    expect(this.witness.sizeWhenFlushed).toBe(this.flushedSizes)
  }

  random(index: number): void {
    const entry = this.db(index).random()
    const isLive = ({ due }: Value): boolean => due === undefined || due >= this.now
    const keys = [...this.model[index]!].filter(([, value]) => isLive(value)).map(([key]) => key)
    if (entry === NONE) expect(keys).toEqual([])
    else expect(keys).toContain(this.keyOf(entry))
  }

  verify(): void {
    this.keyspace.verify()
    this.model.forEach((map, index) => {
      expect(this.db(index).size).toBeLessThanOrEqual(map.size)
      expect(this.db(index).expiring).toBeLessThanOrEqual(
        [...map.values()].filter(({ due }) => due !== undefined).length,
      )
    })
  }

  /** Takes everything away that is due; then both sides have the very same keys. */
  verifyWhole(): void {
    this.model.forEach((map, index) => {
      while (this.db(index).expireNext()) {}
      for (const { due } of this.contents(index).values()) {
        expect(due ?? this.now).toBeGreaterThanOrEqual(this.now - LATENESS_MS)
      }
      for (const key of [...map.keys()]) this.lookup(index, key)
      expect(this.contents(index)).toEqual(map)
    })
    expect(this.witness.expired).toBe(this.expired)
    expect(this.keyspace.stats.expired).toBe(this.expired)
    this.keyspace.verify()
  }

  private contents(index: number): Map<string, Value> {
    const { table, entries } = this.keyspace
    const contents = new Map<string, Value>()
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(this.db(index).root, position)
      for (let at = 0; at < table.foundCount; at++) {
        const entry = table.found[at]! as Ref
        const due = entries.expires(entry) ? (entries.expiry(entry) as number) : undefined
        contents.set(this.keyOf(entry), { text: this.textOf(entry), due })
      }
    }
    return contents
  }

  /** Frees everything the slow way: not one block of keys, tables or indexes may be left. */
  drain(): void {
    this.keyspace.tenants++
    this.keyspace.flush()
    while (this.keyspace.reclaim()) {}
    this.keyspace.verify()
    expect(this.keyspace.pendingFrees).toBe(0)
    expect(this.keyspace.memory.blockCount).toBe(this.emptyBlocks)
  }
}

type Action =
  | ('set' | 'get' | 'remove' | 'expire' | 'copy')
  | ('pass' | 'active' | 'random' | 'swap' | 'flush' | 'rebuild' | 'reclaim' | 'whole')
interface Op {
  readonly action: Action
  readonly db: number
  readonly key: number
  readonly otherDb: number
  readonly otherKey: number
  readonly text: string | number
  readonly ahead: number | undefined
  readonly pick: number
}

// Operations name long keys and values by numbers, so that a counterexample can be read.
const PLAIN_KEYS = 30
const someKey = fc.oneof({ weight: 10, arbitrary: fc.nat(PLAIN_KEYS - 1) }, fc.integer({ min: 65_533, max: 65_537 }))
const keyOf = (number: number): string => (number < PLAIN_KEYS ? `key:${number}` : 'k'.repeat(number))
const someText = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 60, unit: 'binary-ascii' }) },
  { weight: 3, arbitrary: fc.integer().map(String) },
  { weight: 2, arbitrary: fc.integer({ min: 1000, max: 1050 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1050, max: 200_000 }) },
)
const textOf = (text: string | number): string => (typeof text === 'string' ? text : 'x'.repeat(text))
const someTime = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 3000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 3000, max: 600_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 600_000, max: 40 * DAY }) },
)
const someOp: fc.Arbitrary<Op> = fc.record({
  action: fc.oneof(
    {
      weight: 30,
      arbitrary: fc.constantFrom<Action>('set', 'set', 'get', 'remove', 'expire', 'expire', 'copy', 'copy'),
    },
    { weight: 10, arbitrary: fc.constantFrom<Action>('pass', 'active', 'random') },
    { weight: 1, arbitrary: fc.constantFrom<Action>('swap', 'flush', 'rebuild', 'reclaim', 'whole') },
  ),
  db: fc.nat(DATABASES - 1),
  key: someKey,
  otherDb: fc.nat(DATABASES - 1),
  otherKey: someKey,
  text: someText,
  ahead: fc.option(someTime, { nil: undefined, freq: 2 }),
  pick: fc.nat(1000),
})

function apply(pair: Pair, op: Op): void {
  const { action, db, pick } = op
  const key = keyOf(op.key)
  if (action === 'set') pair.set(db, key, textOf(op.text), op.ahead)
  else if (action === 'get') pair.get(db, key)
  else if (action === 'remove') pair.remove(db, key)
  else if (action === 'expire') pair.expire(db, key, op.ahead)
  else if (action === 'copy') pair.copy(db, key, op.otherDb, keyOf(op.otherKey), pick % 2 === 0)
  else if (action === 'pass') pair.pass((op.ahead ?? 50) % (pick % 20 === 0 ? 10 * DAY : 20_000))
  else if (action === 'active') pair.expireSome(pick % 50)
  else if (action === 'random') pair.random(db)
  else if (action === 'swap') pair.swap(db, op.otherDb)
  else if (action === 'rebuild') pair.keyspace.databases[db]!.rebuildIndex()
  else if (action === 'reclaim') pair.keyspace.reclaim()
  else if (action === 'flush') pair.flush(pick % 4 === 0 ? undefined : db)
  else pair.verifyWhole()
}

test('random operations agree with maps, and leave nothing behind', () => {
  fc.assert(
    fc.property(fc.array(someOp, { maxLength: 300, size: 'max' }), (ops) => {
      const pair = new Pair()
      for (const op of ops) {
        apply(pair, op)
        pair.verify()
      }
      pair.verifyWhole()
      pair.drain()
    }),
    { numRuns: 25 },
  )
})

describe('expiry', () => {
  const KEYS = 20_000

  function filled(ahead: (number: number) => number): Pair {
    const pair = new Pair()
    for (let number = 0; number < KEYS; number++) pair.set(0, `key:${number}`, 'value', ahead(number))
    return pair
  }

  test('takes thousands of keys away as their times come, each once', () => {
    const pair = filled((number) => 1000 + (number % 100) * 1000)
    for (let second = 0; second < 105; second++) {
      pair.pass(1000)
      while (pair.keyspace.databases[0]!.expireNext()) {}
      const left = Math.max(0, Math.min(KEYS, KEYS - (second - 1) * (KEYS / 100)))
      expect(pair.keyspace.databases[0]!.size).toBeLessThanOrEqual(left)
    }
    pair.verifyWhole()
    pair.drain()
  })

  test('keeps its index small where keys are put off again and again', () => {
    const pair = new Pair()
    for (let round = 0; round < 300; round++) {
      for (let number = 0; number < 500; number++) {
        if (round === 0) pair.set(0, `key:${number}`, 'v', 2000)
        else pair.expire(0, `key:${number}`, 2000 + ((round * 7919 + number) % 30_000))
      }
      pair.pass(1000)
      while (pair.keyspace.databases[0]!.expireNext()) {}
    }
    expect(pair.keyspace.databases[0]!.expiryBytes).toBeLessThan(1024 * 1024)
    pair.verifyWhole()
    pair.drain()
  })

  test('finds what is due after the clock has leapt by years, without walking through them', () => {
    const pair = filled((number) => 1000 + number)
    pair.pass(56 * 365 * DAY)
    const start = performance.now()
    while (pair.keyspace.databases[0]!.expireNext()) {}
    expect(performance.now() - start).toBeLessThan(2000)
    expect(pair.keyspace.databases[0]!.size).toBe(0)
    pair.drain()
  })

  test('knows the mean time to live', () => {
    const pair = filled((number) => 10_000 + (number % 2) * 10_000)
    expect(pair.keyspace.databases[0]!.averageTtl).toBe(15_000)
    pair.pass(5000)
    expect(pair.keyspace.databases[0]!.averageTtl).toBe(10_000)
    expect(pair.keyspace.databases[1]!.averageTtl).toBe(0)
  })
})

describe('a random key', () => {
  test('is never one that is past its time, though nearly all are', () => {
    seedRandom(1)
    const pair = new Pair()
    for (let number = 0; number < 2000; number++) pair.set(0, `gone:${number}`, 'v', 10)
    pair.set(0, 'stays', 'v', undefined)
    pair.pass(11)
    pair.random(0)
    pair.remove(0, 'stays')
    pair.random(0)
    pair.verifyWhole()
  })

  test('is found in the end while nothing may expire, though every key is past its time', () => {
    const pair = new Pair()
    for (let number = 0; number < 10; number++) pair.set(0, `gone:${number}`, 'v', 10)
    pair.pass(11)
    pair.keyspace.expiryPaused = true
    expect(pair.keyspace.databases[0]!.random()).not.toBe(NONE)
    expect(pair.keyspace.databases[0]!.size).toBe(10)
    expect(pair.keyspace.databases[0]!.lookupRead(fromLatin1('gone:1'), 0, 6)).toBe(NONE)
    expect(pair.keyspace.databases[0]!.size).toBe(10)
    // A command that will write there finds the place free.
    pair.set(0, 'gone:1', 'new', undefined)
    expect(pair.keyspace.databases[0]!.size).toBe(10)
    pair.keyspace.verify()
  })
})

describe('a flush', () => {
  test('of the last keys gives all memory back at once', () => {
    const pair = new Pair()
    for (let number = 0; number < 5000; number++) pair.set(number % 2, `key:${number}`, 'v'.repeat(3000), 1000)
    const { memory } = pair.keyspace
    pair.flush(0)
    expect(pair.keyspace.pendingFrees).toBe(2500)
    pair.flush(1)
    expect(pair.keyspace.pendingFrees).toBe(0)
    expect(memory.usedBytes).toBeLessThan(20_000)
    expect(memory.reservedBytes).toBe(16 * 1024 * 1024)
    pair.verify()
    pair.set(0, 'again', 'v', 10)
    pair.get(0, 'again')
    pair.verifyWhole()
  })

  test('frees in slices what others have blocks beside of', () => {
    const pair = new Pair()
    pair.keyspace.tenants++
    for (let number = 0; number < 5000; number++) pair.set(0, `key:${number}`, 'v', 1000)
    pair.flush(undefined)
    let slices = 0
    while (pair.keyspace.reclaim()) slices++
    expect(slices).toBeGreaterThan(8)
    expect(pair.keyspace.stats.lazyFreed).toBe(5000)
    pair.drain()
  })
})

test('hashes may be the same for different keys', () => {
  seedHash(1, 2)
  const pair = new Pair()
  const seen = new Map<number, string>()
  const db = pair.keyspace.databases[0]!
  for (let number = 0, twins = 0; twins < 3; number++) {
    const key = `twin:${number}`
    db.lookup(fromLatin1(key), 0, key.length)
    const other = seen.get(db.hash)
    seen.set(db.hash, key)
    if (other === undefined) continue
    twins++
    pair.set(0, key, 'one', 100)
    pair.set(0, other, 'other', 2000)
    pair.expire(0, key, 200)
  }
  pair.verify()
  pair.pass(300)
  pair.verifyWhole()
  expect(db.size).toBe(3)
  pair.pass(3000)
  pair.verifyWhole()
  pair.drain()
})
