/* A walk that is confined by other sets must meet what plain lookups tell, whatever the encodings, the lengths of the
 * members (whose last word is compared in part, and which decide whether the hash is kept) and the sizes (several
 * blocks, overflow buckets), and however many sets there are. */
import { expect, test } from 'vitest'
import { SetEncoding } from '../../../src/keyspace/entry.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { endOf } from './support.ts'

const keyspace = new Keyspace(1)
const { sets } = keyspace
const db = keyspace.databases[0]!

function make(name: string, members: Iterable<string>): Ref {
  const key = fromLatin1(name)
  db.lookupWrite(key, 0, key.length)
  const entry = sets.create(SetEncoding.INTSET, key, 0, key.length)
  db.insert(entry)
  for (const member of members) sets.add(entry, fromLatin1(member), 0, member.length)
  return entry
}

/** Members of every length up to 40, differing in their first, middle or last byte, and one that is long. */
function membersFrom(first: number, count: number): Set<string> {
  const members = new Set<string>()
  for (let number = first; number < first + count; number++) {
    const text = 'abcdefgh'[number & 7]! + String(number)
    members.add(text.padEnd(number % 41, 'x') + (number % 3))
  }
  if (count > 1000) members.add('l'.repeat(70_000))
  return members
}

/** Walks through what of a set others have, or have not, as commands do. */
function walked(first: Ref, others: readonly Ref[], isIn: boolean, tell: (member: string) => void): void {
  const { walk } = sets
  walk.begin(first)
  const asked = others.filter((other) => !walk.filterBy(sets.tableOf(other), isIn))
  while (walk.next()) {
    if (!asked.every((other) => sets.hasWalked(other, walk) === isIn)) continue
    walk.locate()
    tell(latin1(walk.bytes, walk.pos, walk.len))
  }
}

test.each([
  [4000, 3000, 3000],
  [700, 650, 600],
  [30, 0, 3000],
  [3000, 2990, 30],
])('%i members, from %i on %i members: what is common', (aCount, bFirst, bCount) => {
  const a = membersFrom(0, aCount)
  const b = membersFrom(bFirst, bCount)
  const first = make('a', a)
  const other = make('b', b)
  const met = new Set<string>()
  walked(first, [], true, (member) => met.add(member))
  expect(met).toEqual(a)
  for (const isIn of [true, false]) {
    const kept: string[] = []
    walked(first, [other], isIn, (member) => kept.push(member))
    expect(kept.sort()).toEqual([...a].filter((member) => b.has(member) === isIn).sort())
  }
  for (const name of ['a', 'b']) db.remove(db.lookupWrite(fromLatin1(name), 0, 1))
  while (keyspace.reclaim()) {}
  expect(db.lookup(fromLatin1('a'), 0, 1)).toBe(NONE)
  endOf(keyspace)
})

test('more sets than a walk can ask itself, of all encodings', () => {
  const numbers = Array.from({ length: 2000 }, (_, number) => number)
  const first = make('first', numbers.map(String))
  const others: Ref[] = []
  const common = new Set(numbers)
  for (let divisor = 2; divisor < 14; divisor++) {
    const members = numbers.filter((number) => number % divisor !== 1 && (divisor < 12 || number < 40 * divisor))
    others.push(make(`other:${divisor}`, members.map(String)))
    const has = new Set(members)
    for (const number of numbers) if (!has.has(number)) common.delete(number)
  }
  for (const isIn of [true, false]) {
    const met: number[] = []
    // For what none has, without those that have nearly all.
    walked(first, isIn ? others : others.slice(-2), isIn, (member) => met.push(Number(member)))
    const least = numbers.filter((number) => number >= 40 * 12 || number % 12 === 1)
    const expected = isIn ? [...common] : least.filter((number) => number >= 40 * 13 || number % 13 === 1)
    expect(met.sort((a, b) => a - b)).toEqual(expected)
    expect(met.length).toBeGreaterThan(5)
  }
  endOf(keyspace)
})

test('members of every length keep their hashes where there is room, and are found again', () => {
  const members = Array.from({ length: 600 }, (_, len) => 'm'.repeat(len))
  const entry = make('lengths', members)
  sets.verify(entry)
  for (const member of members) expect(sets.has(entry, fromLatin1(member), 0, member.length)).toBe(true)
  const other = make('others', members.toReversed())
  const met: number[] = []
  walked(entry, [other], true, (member) => met.push(member.length))
  expect(met.sort((a, b) => a - b)).toEqual(members.map((member) => member.length))
  endOf(keyspace)
})
