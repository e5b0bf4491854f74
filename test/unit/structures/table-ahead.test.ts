/* Reading ahead must touch nothing and need nothing: what it finds is what lookups find, as far as it goes, and draws
 * that were made ahead are as fair as others, even when the table is another one by the time they are used. */
import { beforeAll, expect, test } from 'vitest'
import { Entries, Type } from '../../../src/keyspace/entry.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { hashBytes, seedHash } from '../../../src/lib/siphash.ts'
import { Memory, NONE, type Ref } from '../../../src/memory/memory.ts'
import { Table } from '../../../src/structures/table.ts'
import { drawAhead, TableAhead } from '../../../src/structures/table-ahead.ts'

const memory = new Memory()
const entries = new Entries(memory)
const table = new Table(memory)
const SIZE = 16

beforeAll(() => seedHash(0x01234567, 0x89abcdef))

const hashOf = (key: string): number => hashBytes(fromLatin1(key), 0, key.length)

function find(root: Ref, key: string): Ref {
  return table.find(root, fromLatin1(key), 0, key.length, hashOf(key))
}

function add(root: Ref, key: string): void {
  const entry = entries.create(Type.STRING, 1, 0, fromLatin1(key), 0, key.length, 0)
  table.insert(root, entry, hashOf(key))
}

function remove(root: Ref, key: string): void {
  const found = find(root, key)
  table.removeFound(root)
  memory.free(found)
}

test('the entry that a lookup will probably find is the one that it finds', () => {
  const roots = [table.create(), table.create()]
  const ahead = new TableAhead(memory, SIZE)
  for (let number = 0; number < 5000; number++) add(roots[number < 4900 ? 0 : 1]!, `key:${number}`)
  let found = 0
  let wrong = 0
  for (let first = 0; first < 10_000; first += SIZE) {
    ahead.roots.fill(NONE)
    for (let index = 0; index < SIZE; index++) {
      if (index % 5 === 4) continue
      ahead.roots[index] = roots[index % 2]!
      ahead.hashes[index] = hashOf(`key:${first + index}`)
    }
    ahead.touchBuckets(SIZE)
    ahead.touchEntries(SIZE)
    for (let index = 0; index < SIZE; index++) {
      if (index % 5 === 4) continue
      const expected = find(roots[index % 2]! as Ref, `key:${first + index}`)
      if (ahead.entries[index] !== expected) wrong++
      else if (expected !== NONE) found++
    }
  }
  expect(found).toBeGreaterThan(1500)
  // Fingerprints that are alike, and entries in overflow buckets.
  expect(wrong).toBeLessThan(800)
})

test('draws ahead are fair, though the table changes before they are used', () => {
  const root = table.create()
  const names = Array.from({ length: 300 }, (_, number) => `name:${number}`)
  for (const name of names) add(root, name)
  const counts = new Map<string, number>()
  let hasOthers = false
  for (let draw = 0, kept = 0; kept < names.length * 500; draw++) {
    if (draw % 40 === 0) {
      drawAhead(table, root, draw % 3 === 0 ? 10 : 60)
      // Enough of others for the table to split, or to join again.
      for (let other = 0; other < 500; other++) {
        if (hasOthers) remove(root, `other:${other}`)
        else add(root, `other:${other}`)
      }
      hasOthers = !hasOthers
    }
    const entry = table.random(root)
    const name = latin1(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    if (name.startsWith('other')) continue
    kept++
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  let chiSquare = 0
  for (const name of names) chiSquare += ((counts.get(name) ?? 0) - 500) ** 2 / 500
  // Six standard deviations above the mean.
  expect(chiSquare).toBeLessThan(names.length + 6 * Math.sqrt(2 * names.length))
  table.verify(root)
})
