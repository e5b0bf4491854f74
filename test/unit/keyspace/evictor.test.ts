import { expect, test } from 'vitest'
import { HashEncoding } from '../../../src/keyspace/entry.ts'
import { Evictor } from '../../../src/keyspace/evictor.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { seedRandom } from '../../../src/lib/random.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { SCAN_END } from '../../../src/structures/table.ts'

const START = 1_700_000_000_000
const HOUR = 3_600_000

function keyspaceWith(policy: string, databases = 1): { keyspace: Keyspace; evictor: Evictor } {
  seedRandom(7)
  const keyspace = new Keyspace(databases)
  keyspace.clock.lfu = policy.endsWith('lfu')
  keyspace.setTime(START)
  const evictor = new Evictor(keyspace)
  evictor.setPolicy(policy)
  return { keyspace, evictor }
}

function set(keyspace: Keyspace, key: string, expiry?: number, db = 0): void {
  const name = fromLatin1(key)
  const database = keyspace.databases[db]!
  const found = database.lookupWrite(name, 0, name.length)
  keyspace.strings.store(database, found, name, 0, name.length, fromLatin1('value'), 0, 5, expiry)
}

function find(keyspace: Keyspace, key: string): Ref {
  const name = fromLatin1(key)
  return keyspace.databases[0]!.lookup(name, 0, name.length)
}

function use(keyspace: Keyspace, key: string): void {
  const name = fromLatin1(key)
  expect(keyspace.databases[0]!.lookupRead(name, 0, name.length)).not.toBe(NONE)
}

function keysLeft(keyspace: Keyspace, db = 0): Set<string> {
  const keys = new Set<string>()
  const { table, entries, memory } = keyspace
  for (let position = 0; position !== SCAN_END; ) {
    position = table.scan(keyspace.databases[db]!.root, position)
    for (let index = 0; index < table.foundCount; index++) {
      const entry = table.found[index]! as Ref
      keys.add(latin1(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry)))
    }
  }
  return keys
}

/** Evicts until so many keys are left in the first database. */
function evictTo(keyspace: Keyspace, evictor: Evictor, size: number): void {
  for (let tries = 0; keyspace.databases[0]!.size > size; tries++) {
    expect(tries).toBeLessThan(100_000)
    expect(evictor.evictNext()).toBe(true)
  }
  keyspace.verify()
}

test('noeviction evicts nothing, nor does any policy of an empty keyspace', () => {
  const { keyspace, evictor } = keyspaceWith('noeviction')
  set(keyspace, 'key')
  expect(evictor.evictNext()).toBe(false)
  for (const policy of ['allkeys-lru', 'allkeys-random', 'volatile-lru', 'volatile-ttl', 'volatile-random']) {
    expect(keyspaceWith(policy).evictor.evictNext()).toBe(false)
  }
})

test.each(['volatile-lru', 'volatile-lfu', 'volatile-ttl', 'volatile-random'])(
  '%s takes keys with an expiry, be they few or many, and no others',
  (policy) => {
    for (const [lasting, expiring] of [
      [10, 2000],
      [5000, 40],
    ] as const) {
      const { keyspace, evictor } = keyspaceWith(policy)
      for (let index = 0; index < lasting; index++) set(keyspace, `lasting:${index}`)
      for (let index = 0; index < expiring; index++) set(keyspace, `expiring:${index}`, START + HOUR + index)
      evictTo(keyspace, evictor, lasting)
      expect(evictor.evictNext()).toBe(false)
      expect([...keysLeft(keyspace)].every((key) => key.startsWith('lasting'))).toBe(true)
      expect(keyspace.stats.evicted).toBe(expiring)
    }
  },
)

test.each(['allkeys-lru', 'allkeys-lfu', 'volatile-lru', 'volatile-lfu'])('%s keeps what is used', (policy) => {
  const { keyspace, evictor } = keyspaceWith(policy)
  for (let index = 0; index < 4000; index++) set(keyspace, `key:${index}`, START + 24 * HOUR)
  for (let round = 1; round <= 20; round++) {
    keyspace.setTime(START + round * 60_000)
    for (let index = 0; index < 200; index++) use(keyspace, `key:${index * 20}`)
  }
  evictTo(keyspace, evictor, 1000)
  const left = keysLeft(keyspace)
  for (let index = 0; index < 200; index++) expect(left).toContain(`key:${index * 20}`)
})

test('allkeys-lru comes near to the order of use', () => {
  const { keyspace, evictor } = keyspaceWith('allkeys-lru')
  for (let index = 0; index < 10_000; index++) {
    keyspace.setTime(START + index)
    set(keyspace, `key:${index}`)
  }
  evictTo(keyspace, evictor, 5000)
  const left = [...keysLeft(keyspace)].map((key) => Number(key.slice(4)))
  expect(left.filter((index) => index >= 5000).length).toBeGreaterThan(4450)
})

test('volatile-ttl takes those first that are due first', () => {
  const { keyspace, evictor } = keyspaceWith('volatile-ttl')
  for (let index = 0; index < 10_000; index++) set(keyspace, `key:${index}`, START + 1000 + index * 10_000)
  evictTo(keyspace, evictor, 5000)
  const left = [...keysLeft(keyspace)].map((key) => Number(key.slice(4)))
  expect(left.filter((index) => index >= 5000).length).toBeGreaterThan(4500)
})

test('volatile-ttl finds its way past records of keys that are gone or were put off', () => {
  const { keyspace, evictor } = keyspaceWith('volatile-ttl')
  for (let index = 0; index < 3000; index++) set(keyspace, `key:${index}`, START + 1000 + index)
  for (let index = 0; index < 3000; index++) set(keyspace, `key:${index}`, index % 3 === 0 ? START + HOUR : undefined)
  evictTo(keyspace, evictor, 2000)
  expect(evictor.evictNext()).toBe(false)
})

/** A hash with a field that expires. */
function setField(keyspace: Keyspace, key: string, due: number): void {
  const { hashes, databases } = keyspace
  const name = fromLatin1(key)
  const db = databases[0]!
  db.lookupWrite(name, 0, name.length)
  db.insert(hashes.create(HashEncoding.LISTPACK, name, 0, name.length))
  hashes.set(db.lookupWrite(name, 0, name.length), name, 0, name.length, name, 0, name.length, false)
  const entry = db.lookupWrite(name, 0, name.length)
  hashes.letExpire(entry)
  expect(hashes.has(entry, name, 0, name.length)).toBe(true)
  hashes.expiring.setDue(entry, name, 0, name.length, due)
  db.noteFields(entry, db.hash)
}

test.each(['volatile-lru', 'volatile-ttl', 'volatile-random'])(
  '%s finds the keys that may go among hashes of which only fields expire, be the index up to date or not',
  (policy) => {
    for (const state of ['up to date', 'behind', 'being built']) {
      const { keyspace, evictor } = keyspaceWith(policy)
      for (let index = 0; index < 1000; index++) setField(keyspace, `hash:${index}`, START + 10_000 + index)
      for (let index = 0; index < 3; index++) set(keyspace, `key:${index}`, START + HOUR)
      for (let index = 0; index < 3; index++) set(keyspace, `soon:${index}`, START + 5000)
      if (state === 'behind') {
        // What the three soonest point to is put off: their records are visited in vain.
        for (let index = 0; index < 3; index++) set(keyspace, `soon:${index}`, START + HOUR)
        keyspace.setTime(START + 6000)
        expect(keyspace.databases[0]!.expireNext()).toBe(true)
      }
      if (state === 'being built') keyspace.databases[0]!.rebuildIndex()
      evictTo(keyspace, evictor, 1000)
      expect([...keysLeft(keyspace)].every((key) => key.startsWith('hash'))).toBe(true)
      expect(evictor.evictNext()).toBe(false)
    }
  },
)

test('a candidate that is used before its turn comes is passed over', () => {
  const { keyspace, evictor } = keyspaceWith('allkeys-lru')
  for (let index = 0; index < 40; index++) {
    keyspace.setTime(START + index)
    set(keyspace, `key:${index}`)
  }
  keyspace.setTime(START + 100)
  evictor.evictNext() // the pool now holds what was met
  for (let index = 0; index < 20; index++) if (find(keyspace, `key:${index}`) !== NONE) use(keyspace, `key:${index}`)
  const used = [...keysLeft(keyspace)].filter((key) => Number(key.slice(4)) < 20).length
  evictTo(keyspace, evictor, used)
  expect([...keysLeft(keyspace)].every((key) => Number(key.slice(4)) < 20)).toBe(true)
})

test('all databases give, each in proportion to what it holds', () => {
  const { keyspace, evictor } = keyspaceWith('allkeys-random', 3)
  for (let index = 0; index < 3000; index++) set(keyspace, `key:${index}`, undefined, 0)
  for (let index = 0; index < 1000; index++) set(keyspace, `key:${index}`, undefined, 2)
  for (let count = 0; count < 2000; count++) evictor.evictNext()
  expect(keysLeft(keyspace, 0).size).toBeGreaterThan(1300)
  expect(keysLeft(keyspace, 0).size).toBeLessThan(1700)
  expect(keysLeft(keyspace, 2).size).toBe(2000 - keysLeft(keyspace, 0).size)
})

test('a flushed or swapped database leaves no candidate behind', () => {
  const { keyspace, evictor } = keyspaceWith('allkeys-lru', 2)
  for (let index = 0; index < 100; index++) set(keyspace, `key:${index}`, undefined, 0)
  evictor.evictNext()
  keyspace.flush()
  set(keyspace, 'new')
  keyspace.swap(keyspace.databases[0]!, keyspace.databases[1]!)
  let calls = 0
  while (evictor.evictNext()) expect(++calls).toBeLessThan(10)
  expect(keyspace.stats.evicted).toBe(2)
  keyspace.verify()
})
