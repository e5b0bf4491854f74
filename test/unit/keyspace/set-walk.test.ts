/* A walk that reads ahead for lookups in another set must tell what plain lookups tell, whatever the encodings, the
 * lengths of the members (whose last word is compared in part) and the sizes (several blocks, overflow buckets). */
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

test.each([
  [4000, 3000, 3000],
  [700, 650, 600],
  [30, 0, 3000],
  [3000, 2990, 30],
])('%i members, from %i on %i members: what is common', (aCount, bFirst, bCount) => {
  const a = membersFrom(0, aCount)
  const b = membersFrom(bFirst, bCount)
  const walked = make('a', a)
  const other = make('b', b)
  const { walk } = sets
  const met = new Set<string>()
  const common: string[] = []
  for (walk.beginProbing(walked, sets.tableOf(other)); walk.next(); ) {
    const has = sets.hasWalked(other, walk)
    walk.locate()
    const member = latin1(walk.bytes, walk.pos, walk.len)
    met.add(member)
    if (has) common.push(member)
  }
  expect(met).toEqual(a)
  expect(common.sort()).toEqual([...a].filter((member) => b.has(member)).sort())
  for (const name of ['a', 'b']) db.remove(db.lookupWrite(fromLatin1(name), 0, 1))
  while (keyspace.reclaim()) {}
  expect(db.lookup(fromLatin1('a'), 0, 1)).toBe(NONE)
  endOf(keyspace)
})
