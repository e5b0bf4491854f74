/* Sorted sets against a JavaScript Map, with limits so low that both encodings and the way between them are met all the
 * time: the members are those that were added, in order, the encoding is the one that Redis would have, no byte is
 * leaked. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ZsetEncoding } from '../../../src/keyspace/entry.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { ZsetWalk } from '../../../src/keyspace/zset-walk.ts'
import { ZaddFlag, ZaddOutcome } from '../../../src/keyspace/zsets.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { checkOperations, endOf } from './support.ts'

const LISTPACK_MAX = 4
const LEN_MAX = 10
const KEY = fromLatin1('key')
const COPY = fromLatin1('copy')
const { NX, XX, GT, LT, INCR } = ZaddFlag

class Pair {
  readonly keyspace = new Keyspace(1)
  readonly db = this.keyspace.databases[0]!
  readonly zsets = this.keyspace.zsets
  readonly walk = new ZsetWalk(this.keyspace.entries)
  readonly model = new Map<string, number>()
  encoding: number = ZsetEncoding.LISTPACK

  constructor(listpackMax = LISTPACK_MAX) {
    this.zsets.listpackCountMax = listpackMax
    this.zsets.listpackLenMax = LEN_MAX
  }

  private found(key = KEY): Ref {
    return this.db.lookupWrite(key, 0, key.length)
  }

  private get sorted(): [string, number][] {
    return [...this.model].sort(([a, aScore], [b, bScore]) => aScore - bScore || (a < b ? -1 : 1))
  }

  add(member: string, given: number, flags: number): void {
    const bytes = fromLatin1(member)
    let entry = this.found()
    if (entry === NONE) {
      if ((flags & XX) !== 0) return
      this.encoding = this.zsets.encodingFor(bytes.length, 1)
      entry = this.zsets.create(this.encoding, KEY, 0, KEY.length)
      this.db.insert(entry)
    }
    const expected = this.addToModel(member, given, flags)
    expect(this.zsets.update(entry, given, flags, bytes, 0, bytes.length)).toBe(expected)
    const isDone = expected !== ZaddOutcome.NOTHING && expected !== ZaddOutcome.NAN
    if (isDone) expect(this.zsets.score).toBe(this.model.get(member))
  }

  private addToModel(member: string, given: number, flags: number): ZaddOutcome {
    const old = this.model.get(member)
    if (old === undefined) {
      if ((flags & XX) !== 0) return ZaddOutcome.NOTHING
      if (this.model.size >= this.zsets.listpackCountMax || member.length > LEN_MAX) this.encoding = ZsetEncoding.TABLE
      this.model.set(member, given)
      return ZaddOutcome.ADDED
    }
    if ((flags & NX) !== 0) return ZaddOutcome.NOTHING
    const score = (flags & INCR) !== 0 ? old + given : given
    if (Number.isNaN(score)) return ZaddOutcome.NAN
    if ((flags & GT) !== 0 && score <= old) return ZaddOutcome.NOTHING
    if ((flags & LT) !== 0 && score >= old) return ZaddOutcome.NOTHING
    if (score === old) return ZaddOutcome.SAME
    this.model.set(member, score)
    return ZaddOutcome.UPDATED
  }

  remove(member: string): void {
    const entry = this.found()
    if (entry === NONE) return
    const bytes = fromLatin1(member)
    expect(this.zsets.remove(entry, bytes, 0, bytes.length)).toBe(this.model.delete(member))
    if (this.zsets.size(entry) === 0) this.db.remove(entry)
  }

  removeRange(from: number, count: number): void {
    const entry = this.found()
    if (entry === NONE) return
    const first = Math.min(from, this.model.size)
    const removed = Math.min(count, this.model.size - first)
    for (const [member] of this.sorted.slice(first, first + removed)) this.model.delete(member)
    this.zsets.removeRange(entry, first, removed)
    if (this.zsets.size(entry) === 0) this.db.remove(entry)
  }

  /** As `removeRange`, by making the sorted set anew of those that stay. */
  part(from: number, count: number): void {
    const { keyspace, zsets } = this
    const entry = this.found()
    const first = Math.min(from, this.model.size)
    const removed = Math.min(count, this.model.size - first)
    if (entry === NONE || keyspace.entries.encoding(entry) !== ZsetEncoding.TABLE) return
    if (removed === this.model.size) return
    for (const [member] of this.sorted.slice(first, first + removed)) this.model.delete(member)
    keyspace.freeEntry(zsets.part(entry, first, removed))
    while (keyspace.reclaim()) {}
  }

  /** Takes the first or last member, perhaps one that has been read ahead, or was. */
  pop(last: boolean, ahead: number): void {
    const entry = this.found()
    if (entry === NONE) return
    const { zsets } = this
    if (ahead > 0) zsets.takesAhead(entry, ahead, last)
    zsets.pickEnd(entry, last)
    const [member, score] = this.sorted.at(last ? -1 : 0)!
    expect(latin1(zsets.bytes, zsets.pos, zsets.len)).toBe(member)
    expect(zsets.score).toBe(score)
    zsets.removePickedEnd(entry, last)
    this.model.delete(member)
    if (zsets.size(entry) === 0) this.db.remove(entry)
  }

  /** Puts a copy of the sorted set in its own place. */
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

  compact(): void {
    const entry = this.found()
    if (entry === NONE) return
    this.zsets.compact(entry)
    const isShort = [...this.model.keys()].every((member) => member.length <= LEN_MAX)
    if (isShort && this.model.size <= this.zsets.listpackCountMax) this.encoding = ZsetEncoding.LISTPACK
  }

  verify(): void {
    const { keyspace, zsets, walk, model, sorted } = this
    keyspace.verify()
    const entry = this.found()
    expect(entry === NONE).toBe(model.size === 0)
    if (entry === NONE) return
    expect(keyspace.entries.encoding(entry)).toBe(this.encoding)
    expect(zsets.size(entry)).toBe(model.size)
    for (const back of [false, true]) {
      const walked: [string, number][] = []
      for (walk.start(entry, back ? model.size - 1 : 0, back); walk.next(); ) {
        const { score } = walk
        walk.locate()
        walked.push([latin1(walk.bytes, walk.pos, walk.len), score])
      }
      expect(walked).toEqual(back ? sorted.toReversed() : sorted)
    }
    for (const [rank, [member, score]] of sorted.entries()) {
      expect(zsets.rank(entry, fromLatin1(member), 0, member.length)).toBe(rank)
      expect(zsets.score).toBe(score)
      walk.start(entry, rank, false)
      walk.next()
      expect(walk.score).toBe(score)
    }
    for (const bound of [Number.NEGATIVE_INFINITY, -1, 0, 0.5, 2, Number.POSITIVE_INFINITY]) {
      expect(zsets.scoreRank(entry, bound, false)).toBe(sorted.filter(([, score]) => score < bound).length)
      expect(zsets.scoreRank(entry, bound, true)).toBe(sorted.filter(([, score]) => score <= bound).length)
    }
    expect(zsets.rank(entry, KEY, 0, KEY.length)).toBe(-1)
  }
}

const member = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 9 }).map(String) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 6 }).map((number) => `m${number}`) },
  fc.constantFrom('', '-9223372036854775808', '70000', '007', '\0\xff', 'x'.repeat(LEN_MAX)),
  { weight: 1, arbitrary: fc.constantFrom(...[LEN_MAX + 1, 300, 65535].map((len) => 'x'.repeat(len))) },
)
// No -0: a listpack makes it 0.
const score = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -2, max: 3 }).map((number) => number + 0) },
  fc.constantFrom(0.5, -0.1, 1e300, 5e-324, 2 ** 62, 1e19, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
)
const flags = fc.constantFrom(0, 0, 0, NX, XX, GT, LT, XX | GT, XX | LT, INCR, INCR | GT, INCR | NX)
const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(member, score, flags).map(
      ([text, given, how]) =>
        (pair: Pair) =>
          pair.add(text, given, how),
    ),
  },
  { weight: 4, arbitrary: member.map((text) => (pair: Pair) => pair.remove(text)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(6), fc.nat(3)).map(
      ([from, count]) =>
        (pair: Pair) =>
          pair.removeRange(from, count),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(6), fc.nat(8)).map(
      ([from, count]) =>
        (pair: Pair) =>
          pair.part(from, count),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.boolean(), fc.nat(5)).map(
      ([last, ahead]) =>
        (pair: Pair) =>
          pair.pop(last, ahead),
    ),
  },
  { weight: 1, arbitrary: fc.constant((pair: Pair) => pair.copy()) },
  { weight: 1, arbitrary: fc.constant((pair: Pair) => pair.compact()) },
)

describe('a sorted set', () => {
  test('is a map in order of its scores, in both encodings', { timeout: 60_000 }, () => {
    checkOperations(() => new Pair(), operation, 150)
  })

  test('of many members gives ranges up in slices, is freed in slices, and leaks nothing', () => {
    const pair = new Pair()
    for (let number = 0; number < 3000; number++) pair.add(`member:${number}`, (number * 7919) % 1000, 0)
    pair.removeRange(100, 1500)
    pair.verify()
    for (let count = 0; count < 300; count++) pair.pop(count % 3 === 0, count % 7 === 0 ? 20 : 0)
    pair.verify()
    pair.copy()
    pair.verify()
    pair.keyspace.databases[0]!.remove(pair.db.lookupWrite(KEY, 0, KEY.length))
    expect(pair.keyspace.pendingFrees).toBeGreaterThan(0)
    while (pair.keyspace.reclaim()) {}
    pair.model.clear()
    pair.verify()
    expect(pair.keyspace.pendingFrees).toBe(0)
    endOf(pair.keyspace)
  })

  test.each([
    ['a listpack', 5, 1000],
    ['a table', 5, 2],
  ])('%s gives each of its members with the same probability', (_, count, limit) => {
    const pair = new Pair(limit)
    for (let number = 0; number < count; number++) pair.add(`m${number}`, number, 0)
    const entry = pair.db.lookup(KEY, 0, KEY.length)
    const counts = new Map<string, number>()
    for (let draw = 0; draw < count * 1000; draw++) {
      pair.zsets.pick(entry)
      const drawn = latin1(pair.zsets.bytes, pair.zsets.pos, pair.zsets.len)
      expect(pair.zsets.score).toBe(pair.model.get(drawn))
      counts.set(drawn, (counts.get(drawn) ?? 0) + 1)
    }
    let chiSquare = 0
    for (let number = 0; number < count; number++) chiSquare += ((counts.get(`m${number}`) ?? 0) - 1000) ** 2 / 1000
    expect(chiSquare).toBeLessThan(count + 6 * Math.sqrt(2 * count) + 15)
  })
})
