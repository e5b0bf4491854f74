/* The limit holds at every moment: it is looked at with each block that is allocated, in the midst of commands. */
import { expect, test } from 'vitest'
import { ServerGate } from '../../../src/commands/dispatcher.ts'
import { Session } from '../../../src/commands/session.ts'
import { Random } from '../../../src/lib/random.ts'
import { blockSizeFor } from '../../../src/memory/memory.ts'
import { newServer, run } from './support.ts'

const MB = 1024 * 1024
const MAX = 6 * MB

test.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random', 'volatile-ttl'])(
  '%s: what is used never exceeds maxmemory by more than what the running command brings',
  (policy) => {
    const server = newServer()
    const { memory } = server.keyspace
    server.config.assign('maxmemory-policy', policy)
    server.config.assign('maxmemory-eviction-tenacity', 100)
    server.config.assign('maxmemory', MAX)
    const random = new Random(5)
    const session = new Session(1)
    let over = 0
    const alloc = memory.alloc.bind(memory)
    memory.alloc = (size) => {
      const ref = alloc(size)
      over = Math.max(over, server.vitals.usedBytes - MAX)
      return ref
    }
    let exceeded = 0
    for (let step = 0; step < 20_000; step++) {
      const len = random.below(20) === 0 ? random.below(60_000) : random.below(300)
      over = Number.NEGATIVE_INFINITY
      run(server, session, 'SET', `key:${random.below(50_000)}`, 'x'.repeat(len), 'EX', String(100 + random.below(900)))
      // A table's segment may be split besides, and the expiry index grow.
      const worth = blockSizeFor(len + 64) + 32 * 1024
      expect(over, `step ${step}, ${len} bytes`).toBeLessThan(worth)
      if (over > 0) exceeded++
    }
    expect(server.keyspace.stats.evicted).toBeGreaterThan(1000)
    expect(exceeded).toBeGreaterThan(100)
  },
)

test('what the last command of a turn took too much is freed when the turn has ended, if keys may go', () => {
  const server = newServer()
  server.config.assign('maxmemory-policy', 'allkeys-lru')
  server.config.assign('maxmemory', MAX)
  const session = new Session(1)
  const isExceeded = (): boolean => (server.dispatcher.gates & ServerGate.OUT_OF_MEMORY) !== 0
  const fillPast = (): void => {
    for (let key = 0; !isExceeded(); key++) run(server, session, 'SET', `key:${key}`, 'x'.repeat(500))
  }
  fillPast()
  expect(server.keyspace.stats.evicted).toBe(0)
  server.outbox.afterReplies()
  expect(isExceeded()).toBe(false)
  expect(server.keyspace.stats.evicted).toBeGreaterThan(0)
  server.config.assign('maxmemory-policy', 'noeviction')
  const { evicted } = server.keyspace.stats
  fillPast()
  server.outbox.afterReplies()
  expect(server.keyspace.stats.evicted).toBe(evicted)
  expect(run(server, session, 'SET', 'key', 'value')).toMatch(/^-OOM/)
})

test('a key added in the same millisecond in which the policy was changed starts as that policy has it', () => {
  const server = newServer()
  const session = new Session(1)
  server.config.assign('maxmemory-policy', 'allkeys-lfu')
  expect(server.keyspace.entries.freshAccess & 0xff).toBe(5)
  server.config.assign('maxmemory-policy', 'allkeys-lru')
  expect(run(server, session, 'SET', 'key', 'value')).toBe('+OK\r\n')
  expect(server.keyspace.entries.freshAccess).toBe(server.keyspace.now | 0)
})
