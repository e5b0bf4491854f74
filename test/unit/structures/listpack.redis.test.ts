/* Small lists, hashes, sets and sorted sets of a real redis-server, against ours: the listpacks and intsets in what
 * DUMP answers must be, byte for byte, what we make of the same elements, and RESTORE must accept what we accept. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { Crc64 } from '../../../src/lib/crc64.ts'
import { type Int64, parseInt64 } from '../../../src/lib/int64.ts'
import { Random } from '../../../src/lib/random.ts'
import { Memory, posOf, type Ref } from '../../../src/memory/memory.ts'
import { Intsets, validateIntset } from '../../../src/structures/intset.ts'
import { Listpacks, NO_ELEMENT, validateListpack } from '../../../src/structures/listpack.ts'
import type { RawClient } from '../../helpers/raw-client.ts'
import { redisAvailable, startRedis, type TestServer } from '../../helpers/servers.ts'
import { anyListpack, INTEGERS, LENGTHS, LOOKALIKES, mutate } from './listpack-model.ts'

// Types of values in an RDB file.
const SET_TABLE = 2
const SET_INTSET = 11
const HASH_LISTPACK = 16
const ZSET_LISTPACK = 17
const LIST_QUICKLIST_2 = 18
const SET_LISTPACK = 20
/** Of RDB: 7.0's, which later servers read, too. */
const VERSION = 10
const PACKED = 2
/** Bytes behind the value in a payload: version and checksum. */
const TRAILER = 10

const random = new Random(20_240_719)
const memory = new Memory()
const listpacks = new Listpacks(memory)
const intsets = new Intsets(memory)

describe.skipIf(!redisAvailable())('beside a real server', () => {
  let server: TestServer
  let client: RawClient

  beforeAll(async () => {
    server = await startRedis({
      args: ['--rdbcompression', 'no', '--sanitize-dump-payload', 'yes', '--loglevel', 'warning'],
    })
    client = await server.connect()
    await call('CONFIG', 'SET', 'hash-max-listpack-value', '100000', 'hash-max-listpack-entries', '1000')
    await call('CONFIG', 'SET', 'zset-max-listpack-value', '100000', 'zset-max-listpack-entries', '1000')
    await call('CONFIG', 'SET', 'list-max-listpack-size', '1000', 'set-max-intset-entries', '1000')
  })

  afterAll(async () => {
    await client.close()
    await server.stop()
  })

  /** The reply, as bytes: a bulk string's content, or the line. */
  async function call(...args: readonly string[]): Promise<Buffer> {
    const reply = await client.command(...args.map((arg) => Buffer.from(arg, 'latin1')))
    if (reply[0] === 0x2d) expect.fail(String(reply))
    return reply[0] === 0x24 ? reply.subarray(reply.indexOf('\r\n') + 2, -2) : reply
  }

  /** The type and the bytes of a value: one string, or of a list as many as it has nodes. */
  async function dump(key: string): Promise<[number, ...Buffer[]]> {
    const payload = await call('DUMP', key)
    const [type, strings]: [number, Buffer[]] = [payload[0]!, []]
    const isList = type === LIST_QUICKLIST_2
    for (let at = isList ? 2 : 1; at < payload.length - TRAILER; ) {
      if (isList) expect(payload[at++]).toBe(PACKED)
      const form = payload[at]! >> 6
      const len = [payload[at]! & 63, payload.readUInt16BE(at) & 0x3fff, payload.readUInt32BE(at + 1)][form]!
      const first = at + [1, 2, 5][form]!
      at = first + len
      strings.push(payload.subarray(first, at))
    }
    return [type, ...strings]
  }

  test('lists are the same, however they came about', async () => {
    for (let round = 0; round < 12; round++) {
      let ref = listpacks.create()
      const key = `list:${round}`
      for (let step = 0; step < 150; step++) ref = await changeList(key, ref)
      expect(await dump(key), `list of round ${round}`).toEqual([LIST_QUICKLIST_2, bytesOf(ref)])
      listpacks.free(ref)
    }
  })

  /** Does the same to both. The list keeps one element at least, so that it lives. */
  async function changeList(key: string, ref: Ref): Promise<Ref> {
    const text = drawText()
    const bytes = fromLatin1(text)
    const count = listpacks.count(ref)
    const rank = random.below(Math.max(count, 1))
    const kind = count < 2 ? 0 : random.below(8)
    if (kind < 2) {
      await call('RPUSH', key, text)
      return listpacks.append(ref, bytes, 0, text.length)
    }
    if (kind < 4) {
      await call('LPUSH', key, text)
      return listpacks.prepend(ref, bytes, 0, text.length)
    }
    if (kind === 4) {
      await call('LSET', key, String(rank), text)
      return listpacks.replace(ref, listpacks.seek(ref, rank), bytes, 0, text.length)
    }
    if (kind === 5) {
      await call('LTRIM', key, '1', '-1')
      return listpacks.deleteRange(ref, 0, 1)
    }
    listpacks.locate(ref, listpacks.seek(ref, rank))
    const pivot = latin1(listpacks.bytes, listpacks.pos, listpacks.len)
    const off = listpacks.find(ref, listpacks.first(ref), fromLatin1(pivot), 0, pivot.length, 0)
    if (kind === 6) {
      await call('LREM', key, '1', pivot)
      return listpacks.delete(ref, off)
    }
    await call('LINSERT', key, 'AFTER', pivot, text)
    return listpacks.insertAfter(ref, off, bytes, 0, text.length)
  }

  test('every integer and every form of string is the same', async () => {
    const texts = [...INTEGERS, ...LOOKALIKES, ...LENGTHS.map((len) => 'f'.repeat(len))]
    await call('RPUSH', 'all', ...texts)
    const [, ...nodes] = await dump('all')
    let seen = 0
    for (const bytes of nodes) {
      const count = validateListpack(bytes, 0, bytes.length)
      expect(bytesOf(listpackOf(texts.slice(seen, seen + count))).equals(bytes)).toBe(true)
      seen += count
    }
    expect(seen).toBe(texts.length)
  })

  test('hashes are the same', async () => {
    const fields = [...new Set([...INTEGERS, ...LOOKALIKES, ...LENGTHS.map((len) => 'f'.repeat(len))])]
    const pairs = fields.flatMap((field) => [field, drawText()])
    await call('HSET', 'hash', ...pairs)
    let ref = listpackOf(pairs)
    for (let step = 0; step < 200; step++) {
      const field = fields[random.below(fields.length)]!
      const value = drawText()
      const off = listpacks.find(ref, listpacks.first(ref), fromLatin1(field), 0, field.length, 1)
      if (off === NO_ELEMENT) ref = append(append(ref, field), value)
      else ref = listpacks.replace(ref, listpacks.next(ref, off), fromLatin1(value), 0, value.length)
      await call('HSET', 'hash', field, value)
      if (random.below(3) > 0) continue
      const gone = listpacks.seek(ref, 2 * random.below(listpacks.count(ref) >>> 1))
      listpacks.locate(ref, gone)
      await call('HDEL', 'hash', latin1(listpacks.bytes, listpacks.pos, listpacks.len))
      ref = listpacks.deleteFrom(ref, gone, 2)
    }
    expect(await dump('hash')).toEqual([HASH_LISTPACK, bytesOf(ref)])
  })

  test('sorted sets are the same', async () => {
    const scores = [...INTEGERS.filter((text) => Math.abs(Number(text)) < 2 ** 50)].sort(
      (a, b) => Number(a) - Number(b),
    )
    const pairs = scores.flatMap((score, at) => [`member:${String(at).padStart(3, '0')}`, score])
    for (const [at, score] of scores.entries()) await call('ZADD', 'zset', score, pairs[at * 2]!)
    expect(await dump('zset')).toEqual([ZSET_LISTPACK, bytesOf(listpackOf(pairs))])
  })

  test('sets of strings are the same, where the server keeps them so', async () => {
    const members = ['a', ...LOOKALIKES, ...INTEGERS.slice(0, 50)]
    await call('SADD', 'set', ...members)
    const [type, bytes] = await dump('set')
    if (type === SET_LISTPACK) expect(bytes).toEqual(bytesOf(listpackOf(members)))
    else expect(type).toBe(SET_TABLE) // 7.0 has no other form
  })

  test.each([6, 16, 17, 32, 33, 64])('sets of integers of up to %i bits are the same', async (bits) => {
    const key = `intset:${bits}`
    let ref = intsets.create()
    for (let step = 0; step < 300; step++) {
      const word = (): bigint => BigInt(random.next() >>> 0)
      const wide = random.below(step + 1) < 5 ? 6 : bits
      const text = String(BigInt.asIntN(wide, (word() << 32n) | word()))
      const removes = intsets.count(ref) > 1 && random.below(3) === 0
      const value = removes ? intsets.get(ref, random.below(intsets.count(ref))) : int64(text)
      ref = removes ? intsets.remove(ref, value) : intsets.add(ref, value)
      await call(removes ? 'SREM' : 'SADD', key, String(value))
    }
    const pos = posOf(ref)
    const bytes = Buffer.from(memory.bytesOf(ref).subarray(pos, pos + intsets.size(ref)))
    expect(await dump(key)).toEqual([SET_INTSET, bytes])
    expect(validateIntset(bytes, 0, bytes.length)).toBe(true)
  })

  async function restores(type: number, bytes: Uint8Array): Promise<boolean> {
    const head = type === LIST_QUICKLIST_2 ? [type, 1, PACKED] : [type]
    const len = Buffer.alloc(5)
    len[0] = 0x80
    len.writeUInt32BE(bytes.length, 1)
    const payload = Buffer.concat([Buffer.from(head), len, bytes, Buffer.of(VERSION, 0), Buffer.alloc(8)])
    const crc = new Crc64()
    crc.update(payload, 0, payload.length - 8)
    crc.write(payload, payload.length - 8)
    const reply = String(await client.command('RESTORE', 'restored', '0', payload, 'REPLACE'))
    if (reply !== '+OK\r\n') expect(reply).toBe('-ERR Bad data format\r\n')
    return reply === '+OK\r\n'
  }

  test('damaged listpacks are refused where the server refuses them', async () => {
    let accepted = 0
    for (let round = 0; round < 4000; round++) {
      const mutant = mutate(anyListpack(random), random)
      const sound = validateListpack(mutant, 0, mutant.length)
      if (mutant.length === 0) continue
      if (sound > 0) accepted++
      expect(await restores(LIST_QUICKLIST_2, mutant), mutant.toString('hex').slice(0, 200)).toBe(sound > 0)
    }
    expect(accepted).toBeGreaterThan(500)
  })

  test('damaged intsets are refused where the server refuses them', async () => {
    let accepted = 0
    for (let round = 0; round < 1500; round++) {
      const width = [2, 4, 8][random.below(3)]!
      const values = Array.from({ length: 1 + random.below(5) }, (_, at) => at * 100 + random.below(102))
      const bytes = Buffer.alloc(8 + values.length * width)
      bytes.writeUInt32LE(width)
      bytes.writeUInt32LE(values.length, 4)
      for (const [slot, value] of values.entries()) bytes.writeInt16LE(value, 8 + slot * width)
      if (random.below(2) === 0) bytes[random.below(bytes.length)] = random.below(256)
      const cut = random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length) + 1) : bytes
      const sound = validateIntset(cut, 0, cut.length)
      if (sound) accepted++
      expect(await restores(SET_INTSET, cut), cut.toString('hex')).toBe(sound)
    }
    expect(accepted).toBeGreaterThan(300)
  })
})

function drawText(): string {
  const kind = random.below(4)
  if (kind === 0) return INTEGERS[random.below(INTEGERS.length)]!
  if (kind === 1) return String(random.next() >> random.below(32))
  if (kind === 2) return LOOKALIKES[random.below(LOOKALIKES.length)]!
  return String.fromCharCode(...Array.from({ length: random.below(100) }, () => random.below(256)))
}

const int64 = (text: string): Int64 => parseInt64(fromLatin1(text), 0, text.length)!

const append = (ref: Ref, text: string): Ref => listpacks.append(ref, fromLatin1(text), 0, text.length)

function listpackOf(texts: readonly string[]): Ref {
  let ref = listpacks.create()
  for (const text of texts) ref = append(ref, text)
  listpacks.verify(ref)
  return ref
}

function bytesOf(ref: Ref): Buffer {
  const pos = posOf(ref)
  return Buffer.from(memory.bytesOf(ref).subarray(pos, pos + listpacks.size(ref)))
}
