/* A table knows how many bytes it takes: what is used less what the entries take. */
import { expect, test } from 'vitest'
import { Entries, Type } from '../../../src/keyspace/entry.ts'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { hashBytes } from '../../../src/lib/siphash.ts'
import { Memory, type Ref } from '../../../src/memory/memory.ts'
import { Table } from '../../../src/structures/table.ts'

const KEYS = 20_000

test('a table counts its bytes while it grows and shrinks', () => {
  const memory = new Memory()
  const entries = new Entries(memory)
  const before = memory.usedBytes
  const table = new Table(memory)
  const root = table.create()
  expect(table.bytes(root)).toBe(memory.usedBytes - before)
  expect(table.bytes(root)).toBe(table.emptyBytes)
  let entryBytes = 0
  const keys = Array.from({ length: KEYS }, (_, number) => fromLatin1(`key:${number}`))
  for (const [number, key] of keys.entries()) {
    const entry = entries.create(Type.STRING, 0, 0, key, 0, key.length, 0)
    entryBytes += memory.capacity(entry)
    table.insert(root, entry, hashBytes(key, 0, key.length))
    if (number % 997 === 0) expect(table.bytes(root)).toBe(memory.usedBytes - before - entryBytes)
  }
  table.verify(root)
  expect(table.bytes(root)).toBe(memory.usedBytes - before - entryBytes)
  for (const [number, key] of keys.entries()) {
    const entry = table.find(root, key, 0, key.length, hashBytes(key, 0, key.length)) as Ref
    table.removeFound(root)
    entryBytes -= memory.capacity(entry)
    memory.free(entry)
    if (number % 997 === 0) expect(table.bytes(root)).toBe(memory.usedBytes - before - entryBytes)
  }
  table.verify(root)
  expect(table.bytes(root)).toBe(table.emptyBytes)
})

test('a table tells how many buckets hold how many entries', () => {
  const memory = new Memory()
  const entries = new Entries(memory)
  const table = new Table(memory)
  const root = table.create()
  for (let number = 0; number < 5000; number++) {
    const key = fromLatin1(`key:${number}`)
    table.insert(root, entries.create(Type.STRING, 0, 0, key, 0, key.length, 0), hashBytes(key, 0, key.length))
  }
  const lengths = table.chainLengths(root)
  expect(lengths.reduce((sum, buckets) => sum + buckets, 0)).toBe(table.bucketCount(root))
  expect(lengths.reduce((sum, buckets, length) => sum + buckets * length, 0)).toBe(5000)
})
