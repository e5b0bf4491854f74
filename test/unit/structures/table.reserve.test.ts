import { expect, test } from 'vitest'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'

function fill(keyspace: Keyspace, count: number): void {
  const db = keyspace.databases[0]!
  const value = new Uint8Array(8)
  for (let index = 0; index < count; index++) {
    const key = new Uint8Array(Buffer.from(`key:${index}`))
    db.lookup(key, 0, key.length)
    keyspace.strings.store(db, 0 as never, key, 0, key.length, value, 0, value.length, undefined)
  }
}

test.each([0, 1, 11, 600, 601, 5000, 100_000])(
  'a table with room for %i entries takes them all, and is sound',
  (count) => {
    const keyspace = new Keyspace(1)
    const db = keyspace.databases[0]!
    db.expect(count)
    keyspace.verify()
    fill(keyspace, count)
    expect(db.size).toBe(count)
    keyspace.verify()
    keyspace.flush()
    keyspace.verify()
  },
)

test('it is no larger than one that has grown', () => {
  const [grown, reserved] = [new Keyspace(1), new Keyspace(1)]
  reserved.databases[0]!.expect(50_000)
  const before = reserved.databases[0]!.tableBytes
  for (const keyspace of [grown, reserved]) fill(keyspace, 50_000)
  expect(reserved.databases[0]!.tableBytes).toBeLessThanOrEqual(grown.databases[0]!.tableBytes * 1.05)
  // Few segments had to split.
  expect(reserved.databases[0]!.tableBytes).toBeLessThan(before * 1.4)
})

test('one with entries stays as it is', () => {
  const keyspace = new Keyspace(1)
  fill(keyspace, 3)
  const before = keyspace.databases[0]!.tableBytes
  keyspace.databases[0]!.expect(1_000_000)
  expect(keyspace.databases[0]!.tableBytes).toBe(before)
  keyspace.verify()
})

test('one that was full once, and one made before, can be made again', () => {
  const keyspace = new Keyspace(1)
  const db = keyspace.databases[0]!
  fill(keyspace, 3000)
  for (let index = 0; index < 3000; index++) {
    const key = new Uint8Array(Buffer.from(`key:${index}`))
    db.remove(db.lookup(key, 0, key.length))
  }
  db.expect(10_000)
  db.expect(40_000)
  db.expect(5)
  fill(keyspace, 20_000)
  keyspace.verify()
})

test.each([0, 1, 700, 20_000])('it gives the room back that %i entries do not need', (count) => {
  const [grown, reserved] = [new Keyspace(1), new Keyspace(1)]
  reserved.databases[0]!.expect(1_000_000)
  for (const keyspace of [grown, reserved]) fill(keyspace, count)
  reserved.databases[0]!.expectNoMore()
  reserved.verify()
  expect(reserved.databases[0]!.size).toBe(count)
  // Two segments join below a fifth of what one holds.
  expect(reserved.databases[0]!.tableBytes).toBeLessThan(6 * grown.databases[0]!.tableBytes + 8192)
})

test('one that is as full as expected stays as it is', () => {
  const keyspace = new Keyspace(1)
  keyspace.databases[0]!.expect(50_000)
  fill(keyspace, 50_000)
  const before = keyspace.databases[0]!.tableBytes
  keyspace.databases[0]!.expectNoMore()
  expect(keyspace.databases[0]!.tableBytes).toBe(before)
})
