/* Hashes with fields that expire against a Map, with limits so low that all four forms are met: a field is there until
 * its time and never after it, what the expiry index takes away is what is due and nothing else, and no byte is
 * leaked. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Database } from '../../../src/keyspace/database.ts'
import { HashEncoding } from '../../../src/keyspace/entry.ts'
import type { KeyEvent } from '../../../src/keyspace/events.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { int64ToString } from '../../../src/lib/int64.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { checkOperations } from './support.ts'

const COUNT_MAX = 4
const LEN_MAX = 12
const START = 1_700_000_000_000
const NAMES = ['key', 'other'] as const

interface Field {
  value: string
  due: number
}

/** One key, which changes its name, and what it should hold. */
class Pair {
  readonly keyspace = new Keyspace(2)
  readonly hashes = this.keyspace.hashes
  readonly model = new Map<string, Field>()
  db: Database = this.keyspace.databases[0]!
  name: string = NAMES[0]
  now = START
  readonly removed: string[] = []
  readonly events: string[] = []

  constructor() {
    this.hashes.listpackCountMax = COUNT_MAX
    this.hashes.listpackLenMax = LEN_MAX
    this.keyspace.setTime(this.now)
    this.keyspace.removals = {
      expired: () => {},
      evicted: () => {},
      fieldExpired: (_db, _key, _keyPos, _keyLen, bytes, pos, len) => this.removed.push(latin1(bytes, pos, len)),
    }
    this.keyspace.listen({
      keyChanged: (_db, _bytes, _pos, _len, event: KeyEvent) => this.events.push(event.name),
      flushed: () => {},
      swapped: () => {},
    })
  }

  found(name = this.name): Ref {
    return this.db.lookupWrite(fromLatin1(name), 0, name.length)
  }

  set(name: string, value: string, keep: boolean): void {
    let entry = this.found()
    if (entry === NONE) {
      entry = this.hashes.create(HashEncoding.LISTPACK, fromLatin1(this.name), 0, this.name.length)
      this.db.insert(entry)
    }
    const [bytes, valueBytes] = [fromLatin1(name), fromLatin1(value)]
    const old = this.model.get(name)
    expect(this.hashes.set(entry, bytes, 0, bytes.length, valueBytes, 0, valueBytes.length, keep)).toBe(!old)
    this.model.set(name, { value, due: keep ? (old?.due ?? 0) : 0 })
  }

  delete(name: string): void {
    const entry = this.found()
    if (entry === NONE) return
    const bytes = fromLatin1(name)
    expect(this.hashes.delete(entry, bytes, 0, bytes.length)).toBe(this.model.delete(name))
    if (this.hashes.size(entry) === 0) this.db.remove(entry)
  }

  expireAt(name: string, ms: number): void {
    const entry = this.found()
    if (entry === NONE) return
    this.hashes.letExpire(entry)
    const bytes = fromLatin1(name)
    const field = this.model.get(name)
    const isLive = field !== undefined && (field.due === 0 || field.due >= this.now)
    expect(this.hashes.has(entry, bytes, 0, bytes.length)).toBe(isLive)
    expect(this.hashes.hasMetPast(entry)).toBe(field !== undefined && !isLive)
    if (!isLive) return
    expect(this.hashes.expiring.due).toBe(field.due)
    field.due = ms === 0 ? 0 : this.now + ms
    this.hashes.expiring.setDue(entry, bytes, 0, bytes.length, field.due)
    this.db.noteFields(entry, this.db.hash)
  }

  /** Puts a copy of the hash in its place, under another name; or the hash itself. */
  move(copies: boolean): void {
    const entry = this.found()
    if (entry === NONE) return
    const name = this.name === NAMES[0] ? NAMES[1] : NAMES[0]
    const bytes = fromLatin1(name)
    this.found(name)
    if (copies) {
      this.db.insertCopy(entry, bytes, 0, bytes.length)
      this.db.remove(this.found())
    } else this.db.relocate(entry, this.db, bytes, 0, bytes.length)
    this.name = name
  }

  swap(): void {
    const [first, second] = this.keyspace.databases
    this.keyspace.swap(first!, second!)
    this.db = this.db === first! ? second! : first!
  }

  /** Time passes, and whatever the index says is due goes. */
  pass(ms: number, expires: boolean): void {
    this.now += ms
    this.keyspace.setTime(this.now)
    if (!expires) return
    this.removed.length = 0
    this.events.length = 0
    for (const db of this.keyspace.databases) while (db.expireNext());
    const gone = this.removed.toSorted()
    for (const name of gone) expect(this.model.get(name)!.due).toBeLessThan(this.now)
    for (const name of gone) this.model.delete(name)
    // The index is exact to a tick of 128 ms.
    for (const { due } of this.model.values()) expect(due === 0 || due >= this.now - 256).toBe(true)
    expect(this.events.includes('hexpired')).toBe(gone.length > 0)
    expect(this.events.includes('del')).toBe(gone.length > 0 && this.model.size === 0)
  }

  verify(): void {
    const { keyspace, hashes, model, now } = this
    keyspace.verify()
    const entry = this.found()
    expect(entry === NONE).toBe(model.size === 0)
    if (entry === NONE) return
    const live = [...model].filter(([, { due }]) => due === 0 || due >= now)
    expect(hashes.size(entry)).toBe(model.size)
    expect(hashes.liveSize(entry)).toBe(live.length)
    for (const [name, { value, due }] of model) {
      const bytes = fromLatin1(name)
      const isFound = hashes.find(entry, bytes, 0, bytes.length)
      expect(isFound).toBe(due === 0 || due >= now)
      if (!isFound) continue
      const text = hashes.isInteger ? int64ToString(hashes.integer) : latin1(hashes.bytes, hashes.pos, hashes.len)
      expect(text).toBe(value)
    }
    const walked: [string, Field][] = []
    for (const walk = hashes.walkLive(entry); walk.next(); ) {
      const { due } = walk
      walk.locate()
      const name = latin1(walk.bytes, walk.pos, walk.len)
      walked.push([name, { value: latin1(walk.valueBytes, walk.valuePos, walk.valueLen), due }])
    }
    expect(walked.toSorted()).toEqual(live.toSorted())
  }
}

const name = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 6 }).map(String) },
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 6 }).map((number) => `f${number}`) },
  fc.constantFrom('', '-9223372036854775808', 'x'.repeat(LEN_MAX), 'y'.repeat(70000)),
)
const value = fc.constantFrom('', '1', 'value', '70000', 'v'.repeat(LEN_MAX + 1), 'v'.repeat(1030), 'v'.repeat(5000))
const short = fc.constantFrom('', '1', 'value', '70000', '-1', '12345678901')
const ms = fc.constantFrom(0, 1, 100, 100, 5000, 60_000, 10_000_000, 100_000_000_000)

const operations = (values: fc.Arbitrary<string>) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.tuple(name, values, fc.boolean()).map((args) => (p: Pair) => p.set(...args)) },
    { weight: 5, arbitrary: fc.tuple(name, ms).map((args) => (p: Pair) => p.expireAt(...args)) },
    { weight: 3, arbitrary: name.map((field) => (p: Pair) => p.delete(field)) },
    { weight: 2, arbitrary: fc.tuple(ms, fc.boolean()).map((args) => (p: Pair) => p.pass(...args)) },
    { weight: 1, arbitrary: fc.boolean().map((copies) => (p: Pair) => p.move(copies)) },
    { weight: 1, arbitrary: fc.constant((p: Pair) => p.swap()) },
  )

describe('a hash with fields that expire', () => {
  test.each([
    ['of short fields', operations(short)],
    ['of any fields', operations(value)],
  ])('is a map whose entries end, in any form (%s)', { timeout: 60_000 }, (_, operation) => {
    checkOperations(() => new Pair(), operation, 120, 50)
  })

  test('of many fields that are due at once loses them a few at a time', () => {
    const pair = new Pair()
    for (let number = 0; number < 1000; number++) pair.set(`f${number}`, 'value', false)
    for (let number = 0; number < 990; number++) pair.expireAt(`f${number}`, 100 + (number % 3))
    pair.now += 10_000
    pair.keyspace.setTime(pair.now)
    let most = 0
    for (let before = 0; pair.db.expireNext(); before = pair.removed.length) {
      most = Math.max(most, pair.removed.length - before)
    }
    expect(pair.removed.length).toBe(990)
    expect(most).toBeLessThan(100)
    expect(pair.hashes.size(pair.found())).toBe(10)
    expect(pair.db.expiringHashes).toBe(0)
    pair.keyspace.verify()
  })

  test('is counted as long as a field expires', () => {
    const pair = new Pair()
    pair.set('a', '1', false)
    pair.hashes.letExpire(pair.found())
    expect(pair.db.expiringHashes).toBe(0)
    pair.expireAt('a', 100)
    expect(pair.db.expiringHashes).toBe(1)
    pair.move(false)
    expect(pair.db.expiringHashes).toBe(1)
    pair.db.remove(pair.found())
    expect(pair.db.expiringHashes).toBe(0)
  })

  test('leaves no memory behind when its last field goes', () => {
    const pair = new Pair()
    const comeAndGo = (times: number): void => {
      for (let time = 0; time < times; time++) {
        pair.set('a', '1', false)
        pair.expireAt('a', 100)
        pair.pass(1000, true)
        expect(pair.found()).toBe(NONE)
      }
    }
    comeAndGo(10)
    const { usedBytes } = pair.keyspace.memory
    comeAndGo(1000)
    expect(pair.keyspace.memory.usedBytes).toBeLessThan(usedBytes + 10_000) // 32 bytes each, or more, if it did
  })

  test('finds its due fields again after the index was begun anew', () => {
    const pair = new Pair()
    for (const field of ['a', 'b', 'c']) pair.set(field, '1', false)
    pair.expireAt('a', 1000)
    pair.expireAt('b', 2000)
    pair.db.rebuildIndex()
    pair.expireAt('c', 500)
    pair.pass(1500, true)
    expect([...pair.model.keys()]).toEqual(['b'])
    pair.pass(1500, true)
    expect(pair.found()).toBe(NONE)
  })
})
