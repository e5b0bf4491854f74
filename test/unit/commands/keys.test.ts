/* What the commands about keys promise beyond the form of their replies, which test/compat compares with redis-server:
 * bounded work, whole walks, uses that count and uses that do not. */
import { describe, expect, test } from 'vitest'
import { Call } from '../../../src/commands/call.ts'
import { CommandTable } from '../../../src/commands/command-table.ts'
import { databaseCommands } from '../../../src/commands/databases.ts'
import { Dispatcher } from '../../../src/commands/dispatcher.ts'
import { keyCommands } from '../../../src/commands/keys.ts'
import { objectCommands } from '../../../src/commands/keys-object.ts'
import { keyScanCommands } from '../../../src/commands/keys-scan.ts'
import { lcsCommands } from '../../../src/commands/lcs.ts'
import { Session } from '../../../src/commands/session.ts'
import { stringCommands } from '../../../src/commands/strings.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { Random } from '../../../src/lib/random.ts'
import { Reply } from '../../../src/protocol/reply.ts'

const FAMILIES = [stringCommands, keyCommands, keyScanCommands, objectCommands, databaseCommands, lcsCommands]

/** A keyspace with the commands about it, and no server around. */
class Engine {
  readonly keyspace = new Keyspace(2)
  private readonly dispatcher: Dispatcher
  private bytes: Uint8Array = new Uint8Array(4096)

  constructor() {
    const table = new CommandTable()
    for (const commands of FAMILIES) table.register(commands)
    this.dispatcher = new Dispatcher(table, this.keyspace)
  }

  /** The reply to a command, as it would be sent. */
  run(...words: readonly (string | number)[]): string {
    const call = new Call(this.keyspace, new Session(1), new Reply())
    const texts = words.map(String)
    call.bytes = this.received(texts.join(''))
    call.argc = texts.length
    call.makeRoom(call.argc)
    let pos = 0
    texts.forEach((text, index) => {
      call.pos[index] = pos
      call.len[index] = text.length
      pos += text.length
    })
    this.dispatcher.begin()
    this.dispatcher.dispatch(call)
    return call.reply
      .takeChunks()
      .map((chunk) => chunk.view().toString('latin1'))
      .join('')
  }

  /** The bytes of a request, which lie where those of the one before lay. */
  private received(text: string): Uint8Array {
    if (text.length > this.bytes.length) this.bytes = new Uint8Array(2 * text.length)
    this.bytes.set(Buffer.from(text, 'latin1'))
    return this.bytes
  }

  /** What one SCAN answers. */
  scan(cursor: string, ...options: readonly (string | number)[]): { readonly cursor: string; readonly keys: string[] } {
    const words = this.run('SCAN', cursor, ...options).split(/\r\n(?:[*$]\d+\r\n)*/)
    return { cursor: words[1]!, keys: words.slice(2, -1) }
  }
}

function filled(count: number): Engine {
  const engine = new Engine()
  for (let number = 0; number < count; number++) engine.run('SET', `key:${number}`, number)
  return engine
}

describe('SCAN', () => {
  test('looks at about as many keys as COUNT says', () => {
    const engine = filled(20_000)
    for (const count of [1, 10, 100, 1000]) {
      for (let cursor = '0', calls = 0; calls < 15; calls++) {
        const answer = engine.scan(cursor, 'COUNT', count)
        // A bucket is never cut: one more of them than needed, with an overflow bucket or two.
        expect(answer.keys.length).toBeLessThan(count + 40)
        expect(answer.keys.length).toBeGreaterThanOrEqual(count)
        cursor = answer.cursor
      }
    }
    expect(engine.scan('0', 'COUNT', 1_000_000).keys.length).toBe(20_000)
  })

  test('does not look further because nothing matches', () => {
    const engine = filled(20_000)
    const answer = engine.scan('0', 'COUNT', 10, 'MATCH', 'nothing*')
    expect(answer.keys).toEqual([])
    expect(Number(answer.cursor)).toBeGreaterThan(0)
    expect(Number(answer.cursor)).toBeLessThan(2 ** 32 / 500)
  })

  test('passes over the emptiness that deleted keys have left', () => {
    const engine = filled(20_000)
    for (let number = 0; number < 19_990; number++) engine.run('DEL', `key:${number}`)
    const met: string[] = []
    let calls = 0
    for (let cursor = '0'; calls === 0 || cursor !== '0'; calls++) {
      const answer = engine.scan(cursor)
      met.push(...answer.keys)
      cursor = answer.cursor
    }
    expect(met.length).toBe(10)
    expect(calls).toBeLessThan(10)
  })

  test.each([1, 2, 3])('meets what stays while clients add and delete (%i)', (seed) => {
    const random = new Random(seed)
    const engine = filled(500)
    const met = new Set<string>()
    let added = 0
    for (let cursor = '0', calls = 0; calls === 0 || cursor !== '0'; calls++) {
      const answer = engine.scan(cursor, 'COUNT', 5)
      for (const key of answer.keys) met.add(key)
      cursor = answer.cursor
      const grows = Math.floor(calls / 20) % 2 === 0
      for (let change = random.below(200); change > 0; change--) {
        if (grows) engine.run('SET', `passing:${added++}`, 'x')
        else if (added > 0) engine.run('DEL', `passing:${--added}`)
      }
    }
    for (let number = 0; number < 500; number++) expect(met).toContain(`key:${number}`)
    engine.keyspace.verify()
  })
})

describe('a use', () => {
  const accessOf = (engine: Engine): number => {
    const entry = engine.keyspace.databases[0]!.lookup(Buffer.from('a'), 0, 1)
    return engine.keyspace.entries.access(entry)
  }

  /** Whether the access word of key a changes when this is run a while after the key was made. */
  function counts(engine: Engine, ...words: readonly string[]): boolean {
    engine.run('SET', 'a', '1')
    engine.keyspace.entries.setAccess(engine.keyspace.databases[0]!.lookup(Buffer.from('a'), 0, 1), 12345)
    engine.run(...words)
    return accessOf(engine) !== 12345
  }

  test.each([['GET a'], ['TOUCH a'], ['INCR a'], ['SET a 2'], ['MGET a']])('is %s', (line) => {
    expect(counts(new Engine(), ...line.split(' '))).toBe(true)
  })

  test.each([['EXISTS a'], ['TYPE a'], ['OBJECT ENCODING a'], ['SCAN 0 COUNT 100 TYPE string'], ['RANDOMKEY']])(
    'is not %s',
    (line) => {
      expect(counts(new Engine(), ...line.split(' '))).toBe(false)
    },
  )

  test('by a client that must not touch is TOUCH alone', () => {
    const engine = new Engine()
    engine.keyspace.noTouch = true
    expect(counts(engine, 'GET', 'a')).toBe(false)
    expect(counts(engine, 'INCR', 'a')).toBe(false)
    expect(counts(engine, 'TOUCH', 'a')).toBe(true)
  })

  test('counts hits and misses of what is read, and of what is only asked about', () => {
    const engine = filled(1)
    engine.keyspace.stats.hits = 0
    for (const line of [
      'GET key:0',
      'EXISTS key:0 nope',
      'TYPE nope',
      'SET key:0 1',
      'DEL nope',
      'OBJECT ENCODING key:0',
    ]) {
      engine.run(...line.split(' '))
    }
    expect([engine.keyspace.stats.hits, engine.keyspace.stats.misses]).toEqual([3, 2])
  })
})

test('UNLINK and DEL give back every block', () => {
  const engine = new Engine()
  const before = engine.keyspace.memory.blockCount
  for (let number = 0; number < 100; number++) engine.run('SET', `key:${number}`, 'v'.repeat(number * 100))
  for (let number = 0; number < 100; number++) engine.run(number % 2 === 0 ? 'DEL' : 'UNLINK', `key:${number}`)
  expect(engine.keyspace.memory.blockCount).toBe(before)
  engine.keyspace.verify()
})

test('LCS refuses what Redis has no memory for, and is quick about the rest', () => {
  const engine = new Engine()
  engine.run('SET', 'a', 'ab'.repeat(10_000))
  engine.run('SET', 'b', 'ba'.repeat(10_000))
  expect(engine.run('LCS', 'a', 'b', 'LEN')).toMatch(/^-ERR Insufficient memory/)
  engine.run('SET', 'b', 'ba'.repeat(2000))
  const start = performance.now()
  expect(engine.run('LCS', 'a', 'b', 'LEN')).toBe(':4000\r\n')
  expect(engine.run('LCS', 'a', 'b')).toBe(`$4000\r\n${'ba'.repeat(2000)}\r\n`)
  expect(performance.now() - start).toBeLessThan(5000)
})

test('FLUSHALL SYNC has given all memory back when it replies, with other databases in use too', () => {
  const engine = filled(5000)
  const { memory, databases } = engine.keyspace
  databases[1]!.exchange(databases[0]!)
  engine.run('SET', 'a', '1')
  engine.run('FLUSHDB', 'SYNC')
  expect(databases[1]!.size).toBe(5000)
  engine.run('FLUSHALL', 'SYNC')
  expect(memory.blockCount).toBe(new Keyspace(2).memory.blockCount)
  engine.keyspace.verify()
})

describe('commands with many keys', () => {
  const numbers = Array.from({ length: 100 }, (_, index) => index)

  test('meet each key, in whatever number, there or not, or named twice', () => {
    for (const count of [1, 2, 31, 32, 33, 64, 65, 100]) {
      const engine = new Engine()
      const some = numbers.slice(0, count)
      const keys = some.map((number) => `key:${number}`)
      expect(engine.run('MSET', ...keys.flatMap((key, index) => [key, `v${index}`]))).toBe('+OK\r\n')
      expect(engine.run('DBSIZE')).toBe(`:${count}\r\n`)
      expect(engine.run('MSET', ...keys.flatMap((key, index) => [key, `w${index}`, key, `x${index}`]))).toBe('+OK\r\n')
      const values = some.map((number) => `$${`x${number}`.length}\r\nx${number}\r\n$-1\r\n`)
      const asked = keys.flatMap((key) => [key, `no-${key}`])
      expect(engine.run('MGET', ...asked)).toBe(`*${2 * count}\r\n${values.join('')}`)
      expect(engine.run('EXISTS', ...asked, ...keys)).toBe(`:${2 * count}\r\n`)
      expect(engine.run('TOUCH', ...asked)).toBe(`:${count}\r\n`)
      expect(engine.run('DEL', ...asked, ...keys)).toBe(`:${count}\r\n`)
      expect(engine.run('DBSIZE')).toBe(':0\r\n')
    }
  })

  test('leave nothing behind that others would take for true of a key at the same place', () => {
    const engine = new Engine()
    engine.run('MSET', 'one', 1, 'two', 2)
    // The last key of each begins at byte 6, where INCRBY's does.
    for (const words of [
      ['MGET', 'xx', 'two'],
      ['TOUCH', 'x', 'two'],
      ['EXISTS', '', 'two'],
      ['MSET', 'x', 'y', 'two', '2'],
      ['DEL', 'xxx', 'two'],
    ]) {
      engine.run(...words)
      expect(engine.run('INCRBY', 'one', 0)).toBe(':1\r\n')
    }
  })
})
