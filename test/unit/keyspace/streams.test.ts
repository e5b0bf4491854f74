import { expect, test } from 'vitest'
import { Session } from '../../../src/commands/session.ts'
import type { Server } from '../../../src/server/server.ts'
import { newServer, run } from '../server/support.ts'

const ENTRIES = 3000

/** A stream of many nodes, of which much is pending. */
function large(server: Server, session: Session): void {
  server.keyspace.streams.log.nodeEntriesMax = 10
  run(server, session, 'XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
  for (let count = 0; count < ENTRIES; count++) run(server, session, 'XADD', 's', '*', 'field', 'value')
  run(server, session, 'XREADGROUP', 'GROUP', 'g', 'one', 'COUNT', '2000', 'STREAMS', 's', '>')
  run(server, session, 'XREADGROUP', 'GROUP', 'g', 'two', 'STREAMS', 's', '>')
}

test('a large stream, and a large group, are freed little by little, and wholly', () => {
  const server = newServer()
  const session = new Session(1)
  const { keyspace } = server
  const empty = keyspace.memory.usedBytes
  large(server, session)
  const before = keyspace.memory.usedBytes
  expect(run(server, session, 'XGROUP', 'DESTROY', 's', 'g')).toBe(':1\r\n')
  expect(keyspace.pendingFrees).toBe(1)
  let steps = 0
  while (keyspace.reclaim()) steps++
  expect(steps).toBeGreaterThan(20)
  expect(keyspace.memory.usedBytes).toBeLessThan(before)
  keyspace.verify()
  run(server, session, 'DEL', 's')
  expect(keyspace.pendingFrees).toBe(1)
  expect(run(server, session, 'EXISTS', 's')).toBe(':0\r\n')
  while (keyspace.reclaim()) {}
  keyspace.verify()
  expect(keyspace.memory.usedBytes).toBe(empty)
})

test('a small stream takes a few hundred bytes, and MEMORY USAGE knows them', () => {
  const server = newServer()
  const session = new Session(1)
  const before = server.keyspace.memory.usedBytes
  run(server, session, 'XADD', 's', '1-1', 'field', 'value')
  const used = server.keyspace.memory.usedBytes - before
  expect(used).toBeLessThan(500)
  const told = Number(run(server, session, 'MEMORY', 'USAGE', 's').slice(1))
  expect(told).toBeGreaterThanOrEqual(used)
  expect(told).toBeLessThan(used + 200)
})
