import { expect, test } from 'vitest'
import { Session } from '../../../src/commands/session.ts'
import { Compactor } from '../../../src/keyspace/compactor.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { Digest } from '../../../src/lib/digest.ts'
import { Random, seedRandom } from '../../../src/lib/random.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { SCAN_END } from '../../../src/structures/table.ts'
import { newServer, run } from '../server/support.ts'

const MB = 1024 * 1024

/** What all keys hold, in any order and wherever they lie. */
function digestOf(keyspace: Keyspace): string {
  const { table, entries, memory } = keyspace
  const all = new Digest()
  for (const db of keyspace.databases) {
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(db.root, position)
      const found = [...table.found.subarray(0, table.foundCount)] as Ref[]
      for (const entry of found) {
        const one = new Digest()
        one.mix(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
        keyspace.kindOf(entry).digest(entry, one)
        all.xorDigest(one)
      }
    }
  }
  return all.hex
}

function settle(keyspace: Keyspace): void {
  while (keyspace.canReclaim) keyspace.reclaim()
}

test('sparse chunks are emptied and given back, with values of all types in all forms', () => {
  seedRandom(3)
  const random = new Random(11)
  const server = newServer()
  const session = new Session(1)
  const { keyspace } = server
  const command = (...args: string[]): string => run(server, session, ...args)
  const many = (count: number, word: (index: number) => string[]): string[] =>
    Array.from({ length: count }, (_, index) => word(index)).flat()
  const long = 'x'.repeat(2000)
  for (let round = 0; round < 240; round++) {
    const size = round % 50 === 0 ? 1000 : 20
    command('SET', `string:${round}`, 'x'.repeat(random.below(220_000)))
    command('SET', `number:${round}`, String(round), 'EX', String(1 + random.below(1e6)))
    command('RPUSH', `list:${round}`, ...many(size, (index) => [`element:${index}`]), long)
    command('SADD', `set:${round}`, ...many(size, (index) => [`member:${index}`]))
    command('SADD', `intset:${round}`, ...many(100, (index) => [String(index * 7)]))
    command('HSET', `hash:${round}`, ...many(size, (index) => [`field:${index}`, `value:${index}`]), 'long', long)
    command('ZADD', `zset:${round}`, ...many(size, (index) => [String(index % 7), `member:${index}`]))
    command('XGROUP', 'CREATE', `stream:${round}`, 'group', '0', 'MKSTREAM')
    for (let index = 0; index < size; index++)
      if (round % 5 === 0) command('XADD', `stream:${round}`, '*', 'field', `value:${index}`)
    for (const consumer of ['one', 'two', 'one']) {
      command('XREADGROUP', 'GROUP', 'group', consumer, 'COUNT', String(size / 4), 'STREAMS', `stream:${round}`, '>')
    }
    if (round % 25 === 0) command('HEXPIRE', `hash:${round}`, '1000', 'FIELDS', '2', 'field:1', 'field:2')
  }
  for (let round = 0; round < 240; round++) {
    if (round % 10 === 0) continue
    const types = ['string', 'number', 'list', 'set', 'intset', 'hash', 'zset', 'stream']
    command('DEL', ...types.map((type) => `${type}:${round}`))
  }
  settle(keyspace)
  const before = digestOf(keyspace)
  const { usedBytes, reservedBytes } = keyspace.memory
  const compactor = new Compactor(keyspace)
  compactor.begin()
  let steps = 0
  while (compactor.step()) {
    if (++steps % 1000 === 0) keyspace.memory.verify()
  }
  settle(keyspace)
  keyspace.verify()
  expect(digestOf(keyspace)).toBe(before)
  expect(compactor.stats.hits).toBeGreaterThan(30)
  expect(keyspace.memory.reservedBytes).toBeLessThanOrEqual(reservedBytes - 16 * MB)
  expect(keyspace.memory.usedBytes).toBeLessThan(usedBytes * 1.05)
  command('FLUSHALL')
  keyspace.verify()
})

test('commands may run between any two steps', () => {
  seedRandom(5)
  const random = new Random(17)
  const server = newServer()
  const session = new Session(1)
  const { keyspace } = server
  const model = new Map<string, string>()
  const big = new Set<string>()
  const change = (): void => {
    const key = `key:${random.below(2000)}`
    if (random.below(3) === 0) {
      run(server, session, 'DEL', key)
      model.delete(key)
    } else {
      const value = String.fromCharCode(97 + random.below(26)).repeat(1 + random.below(30_000))
      run(server, session, 'SET', key, value)
      model.set(key, value)
    }
    const member = `member:${random.below(20_000)}`
    if (random.below(2) === 0) {
      run(server, session, 'ZADD', 'zset', String(random.below(100)), member)
      run(server, session, 'RPUSH', 'list', member)
      run(server, session, 'HSET', 'hash', member, member)
      run(server, session, 'XADD', 'stream', '*', 'field', member)
      run(server, session, 'XREADGROUP', 'GROUP', 'g', member.slice(0, 9), 'COUNT', '2', 'STREAMS', 'stream', '>')
      big.add(member)
    } else {
      run(server, session, 'ZREM', 'zset', member)
      run(server, session, 'LPOP', 'list')
      run(server, session, 'HDEL', 'hash', member)
      run(server, session, 'XTRIM', 'stream', 'MAXLEN', '500')
      run(server, session, 'XAUTOCLAIM', 'stream', 'g', 'other', '0', '0', 'COUNT', '3')
      big.delete(member)
    }
  }
  run(server, session, 'XGROUP', 'CREATE', 'stream', 'g', '0', 'MKSTREAM')
  for (let count = 0; count < 5000; count++) change()
  for (let index = 0; index < 1700; index++) {
    run(server, session, 'DEL', `key:${index}`)
    model.delete(`key:${index}`)
  }
  settle(keyspace)
  const before = keyspace.memory.reservedBytes
  const compactor = new Compactor(keyspace)
  compactor.begin()
  while (compactor.step()) if (random.below(4) === 0) change()
  settle(keyspace)
  keyspace.verify()
  expect(keyspace.memory.reservedBytes).toBeLessThan(before - 8 * MB)
  for (const [key, value] of model) expect(run(server, session, 'GET', key)).toBe(`$${value.length}\r\n${value}\r\n`)
  expect(run(server, session, 'ZCARD', 'zset')).toBe(`:${big.size}\r\n`)
  expect(run(server, session, 'HLEN', 'hash')).toBe(`:${big.size}\r\n`)
})

test('the little that is left goes close together into a chunk of which no more is used', () => {
  const server = newServer()
  const session = new Session(1)
  const { keyspace } = server
  for (let index = 0; index < 3000; index++) {
    run(server, session, 'SET', `key:${index}`, 'x'.repeat(5000), 'EX', '1000')
    run(server, session, 'RPUSH', 'list', `element:${index}`)
  }
  for (let index = 0; index < 3000; index++) if (index % 20 !== 0) run(server, session, 'DEL', `key:${index}`)
  const before = digestOf(keyspace)
  const { memory } = keyspace
  expect(memory.residentBytes).toBeGreaterThan(14 * MB)
  const compactor = new Compactor(keyspace)
  do {
    compactor.begin()
    while (compactor.step()) {}
    settle(keyspace)
  } while (compactor.emptied > 0)
  keyspace.verify()
  expect(digestOf(keyspace)).toBe(before)
  expect(memory.usedBytes).toBeGreaterThan(0.7 * MB)
  expect(memory.residentBytes).toBeLessThan(memory.usedBytes + MB)
})

test('nothing is moved where it would free no chunk', () => {
  const keyspace = new Keyspace(1)
  const db = keyspace.databases[0]!
  for (let index = 0; index < 1000; index++) {
    const name = fromLatin1(`key:${index}`)
    expect(db.lookup(name, 0, name.length)).toBe(NONE)
    keyspace.strings.store(db, NONE, name, 0, name.length, name, 0, name.length, undefined)
  }
  const compactor = new Compactor(keyspace)
  compactor.begin()
  while (compactor.step()) {}
  expect(compactor.stats.hits + compactor.stats.misses).toBe(0)
})
