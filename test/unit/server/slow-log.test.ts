import { describe, expect, test } from 'vitest'
import { Call } from '../../../src/commands/call.ts'
import { Session } from '../../../src/commands/session.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { Reply } from '../../../src/protocol/reply.ts'
import { SlowLog } from '../../../src/server/slow-log.ts'

const keyspace = new Keyspace(1)

function callOf(...words: readonly string[]): Call {
  const call = new Call(keyspace, new Session(1), new Reply())
  call.bytes = fromLatin1(words.join(' '))
  call.argc = words.length
  call.len = Int32Array.from(words, (word) => word.length)
  let pos = 0
  call.pos = Int32Array.from(words, (word) => (pos += word.length + 1) - word.length - 1)
  return call
}

const NO_SECRETS: ReadonlySet<number> = new Set()

function logged(words: readonly string[], secrets = NO_SECRETS): string[] {
  const log = new SlowLog()
  log.setCapacity(1)
  log.add(callOf(...words), secrets, 5, '')
  return log.latest(1)[0]!.args.map((arg) => latin1(arg, 0, arg.length))
}

describe('the slow log', () => {
  test('keeps the latest entries up to its capacity, and gives the latest first', () => {
    const log = new SlowLog()
    log.setCapacity(3)
    for (let number = 0; number < 5; number++) log.add(callOf('SET', `k${number}`), NO_SECRETS, number + 0.9, 'here')
    expect(log.length).toBe(3)
    expect(log.latest(9).map((entry) => entry.id)).toEqual([4, 3, 2])
    expect(log.latest(1)).toMatchObject([{ id: 4, durationUs: 4, peer: 'here' }])
    expect(log.latest(0)).toEqual([])
    log.setCapacity(1)
    expect(log.latest(9).map((entry) => entry.id)).toEqual([4])
  })

  test('keeps nothing at capacity 0, and counts ids on after a reset', () => {
    const log = new SlowLog()
    log.setCapacity(0)
    log.add(callOf('PING'), NO_SECRETS, 1, '')
    expect(log.length).toBe(0)
    log.setCapacity(2)
    log.clear()
    log.add(callOf('PING'), NO_SECRETS, 1, '')
    expect(log.latest(1)[0]?.id).toBe(1)
  })

  test('keeps 32 arguments, the last of which tells how many there were more', () => {
    const words = Array.from({ length: 33 }, (_, at) => String(at))
    expect(logged(words.slice(0, 32))).toEqual(words.slice(0, 32))
    expect(logged(words)).toEqual([...words.slice(0, 31), '... (2 more arguments)'])
  })

  test('keeps 128 bytes of an argument', () => {
    const long = 'A'.repeat(129)
    expect(logged(['SET', 'A'.repeat(128), long])).toEqual([
      'SET',
      'A'.repeat(128),
      `${'A'.repeat(128)}... (1 more bytes)`,
    ])
  })

  test('keeps no secrets', () => {
    expect(logged(['AUTH', 'me', 'x'.repeat(200)], new Set([2]))).toEqual(['AUTH', 'me', '(redacted)'])
  })

  test('keeps copies: the bytes of a request are soon another one', () => {
    const log = new SlowLog()
    log.setCapacity(1)
    const call = callOf('SET', 'key')
    log.add(call, NO_SECRETS, 1, '')
    call.bytes.fill(0)
    expect(log.latest(1)[0]!.args.map((arg) => latin1(arg, 0, arg.length))).toEqual(['SET', 'key'])
  })
})
