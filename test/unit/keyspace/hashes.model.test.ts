/* Hashes against a Map, with limits so low that both encodings and the way between them are met all the time: whatever
 * was set is there, nothing else is, and no byte is leaked. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HashEncoding } from '../../../src/keyspace/entry.ts'
import { HashWalk } from '../../../src/keyspace/hash-walk.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { int64ToString } from '../../../src/lib/int64.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { checkOperations } from './support.ts'

const COUNT_MAX = 5
const LEN_MAX = 12
const KEY = fromLatin1('key')
const COPY = fromLatin1('copy')

class Pair {
  readonly keyspace = new Keyspace(1)
  readonly db = this.keyspace.databases[0]!
  readonly hashes = this.keyspace.hashes
  readonly walk = new HashWalk(this.keyspace.entries)
  readonly model = new Map<string, string>()
  isTable = false

  constructor() {
    this.hashes.listpackCountMax = COUNT_MAX
    this.hashes.listpackLenMax = LEN_MAX
  }

  private found(key = KEY): Ref {
    return this.db.lookupWrite(key, 0, key.length)
  }

  set(field: string, value: string): void {
    let entry = this.found()
    if (entry === NONE) {
      entry = this.hashes.create(HashEncoding.LISTPACK, KEY, 0, KEY.length)
      this.db.insert(entry)
      this.isTable = false
    }
    const isNew = !this.model.has(field)
    this.model.set(field, value)
    const [bytes, valueBytes] = [fromLatin1(field), fromLatin1(value)]
    expect(this.hashes.set(entry, bytes, 0, bytes.length, valueBytes, 0, valueBytes.length)).toBe(isNew)
    this.isTable ||= this.model.size > COUNT_MAX || field.length > LEN_MAX || value.length > LEN_MAX
  }

  delete(field: string): void {
    const entry = this.found()
    if (entry === NONE) return
    const bytes = fromLatin1(field)
    expect(this.hashes.delete(entry, bytes, 0, bytes.length)).toBe(this.model.delete(field))
    if (this.hashes.size(entry) === 0) this.db.remove(entry)
  }

  /** Puts a copy of the hash in its own place. */
  copy(): void {
    const entry = this.found()
    if (entry === NONE) return
    this.found(COPY)
    this.db.insertCopy(entry, COPY, 0, COPY.length)
    this.db.remove(this.found())
    const copy = this.found(COPY)
    this.found()
    this.db.relocate(copy, this.db, KEY, 0, KEY.length)
  }

  private value(entry: Ref, field: string): string | undefined {
    const { hashes } = this
    const bytes = fromLatin1(field)
    if (!hashes.find(entry, bytes, 0, bytes.length)) return undefined
    return hashes.isInteger ? int64ToString(hashes.integer) : latin1(hashes.bytes, hashes.pos, hashes.len)
  }

  verify(): void {
    const { keyspace, hashes, walk, model } = this
    keyspace.verify()
    const entry = this.found()
    expect(entry === NONE).toBe(model.size === 0)
    if (entry === NONE) return
    expect(keyspace.entries.encoding(entry) === HashEncoding.TABLE).toBe(this.isTable)
    expect(hashes.size(entry)).toBe(model.size)
    for (const [field, value] of model) expect(this.value(entry, field)).toBe(value)
    const walked: [string, string][] = []
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      const field = latin1(walk.bytes, walk.pos, walk.len)
      walked.push([field, latin1(walk.valueBytes, walk.valuePos, walk.valueLen)])
    }
    expect(walked.toSorted()).toEqual([...model].toSorted())
    walk.aim(entry)
    walk.goTo(hashes.pick(entry))
    walk.locateField()
    expect(model.has(latin1(walk.bytes, walk.pos, walk.len))).toBe(true)
    expect(this.value(entry, 'none')).toBeUndefined()
  }
}

const text = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }).map(String) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 12 }).map((number) => `f${number}`) },
  fc.constantFrom('', '-9223372036854775808', '70000', '007', '\0\xff', 'x'.repeat(LEN_MAX), 'x'.repeat(LEN_MAX + 1)),
  fc.constantFrom(...[1000, 1024, 1025, 5000, 65534, 65535, 70000].map((len) => 'v'.repeat(len))),
)
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(text, text).map(
      ([field, value]) =>
        (pair: Pair) =>
          pair.set(field, value),
    ),
  },
  { weight: 4, arbitrary: text.map((field) => (pair: Pair) => pair.delete(field)) },
  { weight: 1, arbitrary: fc.constant((pair: Pair) => pair.copy()) },
)

describe('a hash', () => {
  test('is a map, in either encoding', { timeout: 60_000 }, () => {
    checkOperations(() => new Pair(), operation, 150)
  })

  test('of many fields is freed in steps, and leaks nothing', () => {
    const pair = new Pair()
    for (let number = 0; number < 3000; number++) pair.set(`field:${number}`, 'v'.repeat(number % 2000))
    pair.verify()
    const { keyspace, db } = pair
    const other = fromLatin1('other')
    keyspace.tenants = 1 // no dropping of everything at once
    const before = keyspace.memory.blockCount
    const source = db.lookup(KEY, 0, KEY.length)
    db.lookupWrite(other, 0, other.length)
    db.insertCopy(source, other, 0, other.length)
    db.remove(db.lookupWrite(other, 0, other.length))
    expect(keyspace.pendingFrees).toBe(1)
    while (keyspace.reclaim()) {}
    expect(keyspace.memory.blockCount).toBe(before)
    pair.verify()
  })
})
