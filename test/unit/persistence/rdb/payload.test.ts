import { expect, test } from 'vitest'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { latin1 } from '../../../../src/lib/bytes.ts'
import { Digest } from '../../../../src/lib/digest.ts'
import { NONE, type Ref } from '../../../../src/memory/memory.ts'
import { Payloads } from '../../../../src/persistence/rdb/payload.ts'
import { ValueFormats } from '../../../../src/persistence/rdb/values.ts'
import { bytesOf, set } from './support.ts'

const KEY = bytesOf('key')
const KB = 1024

function payloadsOf(keyspace: Keyspace): Payloads {
  return new Payloads(keyspace, new ValueFormats(keyspace))
}

test.each([0, 1, 20, 64 * KB, 256 * KB, 3 * KB * KB])('values of about %i bytes come back', (size) => {
  const keyspace = new Keyspace(1)
  const payloads = payloadsOf(keyspace)
  payloads.options.compression = false
  const db = keyspace.databases[0]!
  for (let len = Math.max(0, size - 20); len < size + 20; len++) {
    const text = 'x'.repeat(len)
    set(keyspace, 0, 'key', text)
    expect(payloads.dump(db.lookup(KEY, 0, KEY.length))).toBe(true)
    const { bytes, len: payloadLen } = payloads
    expect(payloads.isSound(bytes, 0, payloadLen), `${len} bytes`).toBe(true)
    const entry = payloads.restore(bytes, 0, payloadLen, KEY, 0, KEY.length, undefined, -1, -1)
    expect(entry).not.toBe(NONE)
    const { strings } = keyspace
    strings.locate(entry)
    expect(latin1(strings.bytes, strings.pos, strings.len) === text, `${len} bytes`).toBe(true)
    keyspace.freeEntry(entry)
  }
})

test('any byte that is another one spoils the checksum', () => {
  const keyspace = new Keyspace(1)
  const payloads = payloadsOf(keyspace)
  set(keyspace, 0, 'key', 'a value that is somewhat longer than most')
  payloads.dump(keyspace.databases[0]!.lookup(KEY, 0, KEY.length))
  const payload = payloads.bytes.slice(0, payloads.len)
  for (let at = 0; at < payload.length; at++) {
    const wrong = payload.slice()
    wrong[at]! ^= 1 << (at % 8)
    expect(payloads.isSound(wrong, 0, wrong.length)).toBe(false)
  }
  expect(payloads.isSound(bytesOf(`before${latin1(payload, 0, payload.length)}`), 6, payload.length)).toBe(true)
})

test('a list that was pushed and popped at its front is dumped as the format has it, and comes back', () => {
  const keyspace = new Keyspace(1)
  const payloads = payloadsOf(keyspace)
  const db = keyspace.databases[0]!
  const { lists } = keyspace
  db.lookup(KEY, 0, KEY.length)
  const entry = lists.add(db, KEY, 0, KEY.length)
  lists.expect(entry, 3000, 30_000)
  for (let number = 0; number < 3000; number++) lists.push(entry, true, bytesOf(`element${number}`), 0, 11)
  for (let number = 0; number < 100; number++) {
    lists.locateEnd(entry, true)
    lists.removeEnd()
  }
  const { quicklist, listpacks } = lists
  const firstGap = () =>
    listpacks.gap(quicklist.sequence.payload(quicklist.sequence.head(keyspace.entries.value(entry) as Ref)))
  expect(firstGap()).toBeGreaterThan(0)
  const digestOf = (list: Ref) => {
    const digest = new Digest()
    keyspace.kindOf(list).digest(list, digest)
    return digest.hex
  }
  const digest = digestOf(entry)
  expect(payloads.dump(entry)).toBe(true)
  expect(firstGap()).toBe(0)
  lists.verify(entry)
  const restored = payloads.restore(payloads.bytes, 0, payloads.len, bytesOf('copy'), 0, 4, undefined, -1, -1)
  lists.verify(restored)
  expect(digestOf(restored)).toBe(digest)
  keyspace.freeEntry(restored)
})

test('libraries of functions have payloads of their own', () => {
  const payloads = payloadsOf(new Keyspace(1))
  const codes = ['#!lua name=a\n', `#!lua name=b\n${'-- long '.repeat(20_000)}`]
  payloads.dumpFunctions(codes.map(bytesOf))
  const payload = payloads.bytes.slice(0, payloads.len)
  expect(payloads.isSound(payload, 0, payload.length)).toBe(true)
  const found = payloads.functionsIn(payload, 0, payload.length)
  expect(found?.map((code) => latin1(code, 0, code.length))).toEqual(codes)
  expect(payloads.functionsIn(payload.slice(1), 0, payload.length - 1)).toBe(undefined)
  expect(payloads.restore(payload, 0, payload.length, KEY, 0, KEY.length, undefined, -1, -1)).toBe(NONE)
})
