/* Sets against a JavaScript Set, with limits so low that all three encodings and the ways between them are met all the
 * time: the members are those that were added, the encoding is the one that Redis would have, no byte is leaked. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SetEncoding } from '../../../src/keyspace/entry.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { SetWalk } from '../../../src/keyspace/set-walk.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { parseInt64 } from '../../../src/lib/int64.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { checkOperations, endOf } from './support.ts'

const INTSET_MAX = 6
const LISTPACK_MAX = 4
const LEN_MAX = 10
const KEY = fromLatin1('key')
const COPY = fromLatin1('copy')

const isInteger = (text: string): boolean => parseInt64(fromLatin1(text), 0, text.length) !== undefined

class Pair {
  readonly keyspace = new Keyspace(1)
  readonly db = this.keyspace.databases[0]!
  readonly sets = this.keyspace.sets
  readonly walk = new SetWalk(this.keyspace.entries)
  readonly model = new Set<string>()
  encoding: number = SetEncoding.INTSET

  constructor() {
    this.sets.intsetCountMax = INTSET_MAX
    this.sets.listpackCountMax = LISTPACK_MAX
    this.sets.listpackLenMax = LEN_MAX
  }

  private found(key = KEY): Ref {
    return this.db.lookupWrite(key, 0, key.length)
  }

  add(member: string): void {
    const bytes = fromLatin1(member)
    let entry = this.found()
    if (entry === NONE) {
      this.encoding = this.sets.encodingFor(bytes, 0, bytes.length, 1)
      entry = this.sets.create(this.encoding, KEY, 0, KEY.length)
      this.db.insert(entry)
    }
    const isNew = !this.model.has(member)
    if (isNew) this.convert(member)
    this.model.add(member)
    expect(this.sets.add(entry, bytes, 0, bytes.length)).toBe(isNew)
  }

  /** Redis's rules for a new member. */
  private convert(member: string): void {
    const size = this.model.size
    const longest = Math.max(member.length, ...[...this.model].map((other) => other.length))
    if (this.encoding === SetEncoding.INTSET) {
      if (isInteger(member)) {
        if (size + 1 > INTSET_MAX) this.encoding = SetEncoding.TABLE
      } else this.encoding = size < LISTPACK_MAX && longest <= LEN_MAX ? SetEncoding.LISTPACK : SetEncoding.TABLE
    } else if (size >= LISTPACK_MAX || member.length > LEN_MAX) this.encoding = SetEncoding.TABLE
  }

  remove(member: string): void {
    const entry = this.found()
    if (entry === NONE) return
    const bytes = fromLatin1(member)
    expect(this.sets.remove(entry, bytes, 0, bytes.length)).toBe(this.model.delete(member))
    if (this.sets.size(entry) === 0) this.db.remove(entry)
  }

  pop(): void {
    const entry = this.found()
    if (entry === NONE) return
    if (this.model.size % 3 === 0) this.sets.takesAhead(entry, 2)
    this.sets.pick(entry)
    const member = latin1(this.sets.bytes, this.sets.pos, this.sets.len)
    expect(this.model.delete(member)).toBe(true)
    this.sets.removePicked(entry)
    if (this.sets.size(entry) === 0) this.db.remove(entry)
  }

  /** Puts a copy of the set in its own place. */
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

  /** Makes the set anew from its own members, as the commands that store do. */
  restore(): void {
    const entry = this.found()
    if (entry === NONE) return
    const { sets, walk } = this
    const made = sets.create(SetEncoding.INTSET, KEY, 0, KEY.length)
    for (walk.begin(entry); walk.next(); ) {
      expect(sets.hasWalked(entry, walk)).toBe(true)
      expect(sets.addWalked(made, walk)).toBe(true)
      expect(sets.addWalked(made, walk)).toBe(false)
    }
    if ([...this.model].every(isInteger)) sets.toIntset(made)
    sets.trim(made)
    this.encoding = this.keyspace.entries.encoding(made)
    this.db.put(entry, made)
  }

  verify(): void {
    const { keyspace, sets, walk, model } = this
    keyspace.verify()
    const entry = this.found()
    expect(entry === NONE).toBe(model.size === 0)
    if (entry === NONE) return
    expect(keyspace.entries.encoding(entry)).toBe(this.encoding)
    expect(sets.size(entry)).toBe(model.size)
    const walked: string[] = []
    for (walk.begin(entry); walk.next(); ) {
      walk.locate()
      walked.push(latin1(walk.bytes, walk.pos, walk.len))
    }
    expect(walked.toSorted()).toEqual([...model].toSorted())
    for (const member of [...model, '13', 'none']) {
      expect(sets.has(entry, fromLatin1(member), 0, member.length)).toBe(model.has(member))
    }
  }
}

const member = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }).map(String) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 6 }).map((number) => `m${number}`) },
  fc.constantFrom('', '-9223372036854775808', '70000', '5000000000', '007', '\0\xff', 'x'.repeat(LEN_MAX)),
  { weight: 1, arbitrary: fc.constantFrom(...[LEN_MAX + 1, 300, 65534, 65535].map((len) => 'x'.repeat(len))) },
)
const operation = fc.oneof(
  { weight: 8, arbitrary: member.map((text) => (pair: Pair) => pair.add(text)) },
  { weight: 4, arbitrary: member.map((text) => (pair: Pair) => pair.remove(text)) },
  { weight: 2, arbitrary: fc.constant((pair: Pair) => pair.pop()) },
  { weight: 1, arbitrary: fc.constant((pair: Pair) => pair.copy()) },
  { weight: 1, arbitrary: fc.constant((pair: Pair) => pair.restore()) },
)

describe('a set', () => {
  test('is a set, in every encoding', { timeout: 60_000 }, () => {
    checkOperations(() => new Pair(), operation, 150)
  })

  test('of many members grows, is popped empty at random, and leaks nothing', () => {
    const pair = new Pair()
    for (let number = 0; number < 5000; number++) pair.add(`member:${number}`)
    pair.verify()
    for (let number = 0; number < 4999; number++) pair.pop()
    pair.verify()
    pair.pop()
    pair.verify()
    endOf(pair.keyspace)
  })

  test.each([
    ['an intset', ['1', '2', '3', '4']],
    ['a listpack', ['1', 'b', '3', 'd']],
    ['a table', Array.from({ length: 40 }, (_, number) => `member:${number}`)],
  ])('%s gives each of its members with the same probability', (_, members) => {
    const pair = new Pair()
    for (const each of members) pair.add(each)
    const entry = pair.db.lookup(KEY, 0, KEY.length)
    const counts = new Map<string, number>()
    const draws = members.length * 1000
    for (let draw = 0; draw < draws; draw++) {
      if (draw % 100 === 0) pair.sets.takesAhead(entry, draw % 90) // as pipelined SPOPs do; some draws are left over
      pair.sets.pick(entry)
      const drawn = latin1(pair.sets.bytes, pair.sets.pos, pair.sets.len)
      counts.set(drawn, (counts.get(drawn) ?? 0) + 1)
    }
    let chiSquare = 0
    for (const each of members) chiSquare += ((counts.get(each) ?? 0) - 1000) ** 2 / 1000
    // Six standard deviations above the mean: a fair generator fails once in a million runs or so.
    expect(chiSquare).toBeLessThan(members.length + 6 * Math.sqrt(2 * members.length) + 15)
  })
})
