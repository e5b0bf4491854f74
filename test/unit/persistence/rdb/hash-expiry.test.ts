/* Hashes with fields that expire in RDB files: in Redis 7.4's two types and the two of its release candidates, and in
 * the older ones where no field expires. */
import { describe, expect, test } from 'vitest'
import { HashEncoding } from '../../../../src/keyspace/entry.ts'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { NONE } from '../../../../src/memory/memory.ts'
import { Payloads } from '../../../../src/persistence/rdb/payload.ts'
import { RdbError } from '../../../../src/persistence/rdb/reader.ts'
import { ValueFormats } from '../../../../src/persistence/rdb/values.ts'
import { payloadOf } from '../../../fuzz/payloads.ts'
import { bytesOf, fileOf, listpackOf, load, save, short, withChecksum } from './support.ts'

const DUE = 4_000_000_000_000
const KEY = bytesOf('hash')
const LENGTH_64 = '\x81'
/** A moment of eight bytes. */
const FIRST = '\0\0\0\0\x01\0\0\0'

/** A keyspace with a hash: what each field holds, and when it is due. */
function keyspaceWith(fields: Readonly<Record<string, readonly [value: string, due: number]>>): Keyspace {
  const keyspace = new Keyspace(16)
  const { hashes } = keyspace
  const db = keyspace.databases[0]!
  db.lookupWrite(KEY, 0, KEY.length)
  const entry = hashes.create(HashEncoding.LISTPACK, KEY, 0, KEY.length)
  for (const [name, [value, due]] of Object.entries(fields)) {
    const [field, text] = [bytesOf(name), bytesOf(value)]
    hashes.set(entry, field, 0, field.length, text, 0, text.length)
    hashes.letExpire(entry)
    hashes.expiring.seek(entry, field, 0, field.length)
    hashes.expiring.setDue(entry, field, 0, field.length, due)
  }
  db.insert(entry)
  return keyspace
}

test('only what needs the latest version is written in it', () => {
  const versionIn = (keyspace: Keyspace): string => Buffer.from(save(keyspace).slice(5, 9)).toString()
  const payloadVersionIn = (keyspace: Keyspace): number => {
    const payloads = new Payloads(keyspace, new ValueFormats(keyspace))
    payloads.dump(keyspace.databases[0]!.lookup(KEY, 0, KEY.length))
    return payloads.bytes[payloads.len - 10]!
  }
  const expiring = keyspaceWith({ a: ['1', DUE] })
  expect(versionIn(expiring)).toBe('0012')
  expect(payloadVersionIn(expiring)).toBe(12)
  const plain = keyspaceWith({})
  const [db, field] = [plain.databases[0]!, bytesOf('a')]
  plain.hashes.set(db.lookup(KEY, 0, KEY.length), field, 0, 1, field, 0, 1)
  expect(versionIn(plain)).toBe('0010')
  expect(payloadVersionIn(plain)).toBe(10)
})

/** What a loaded keyspace has: fields with their moments, and the form. */
function contentOf(keyspace: Keyspace): [Record<string, [string, number]>, number] {
  keyspace.verify()
  const { hashes, entries } = keyspace
  const entry = keyspace.databases[0]!.lookup(KEY, 0, KEY.length)
  expect(entry).not.toBe(NONE)
  const fields: Record<string, [string, number]> = {}
  const { walk } = hashes
  for (walk.begin(entry); walk.next(); ) {
    const { due } = walk
    walk.locate()
    const name = Buffer.from(walk.bytes.slice(walk.pos, walk.pos + walk.len)).toString()
    fields[name] = [Buffer.from(walk.valueBytes.slice(walk.valuePos, walk.valuePos + walk.valueLen)).toString(), due]
  }
  return [fields, entries.encoding(entry)]
}

const SMALL = { a: ['1', DUE + 5], b: ['two', 0], '33': ['-4', DUE] } as const
const LARGE = { ...SMALL, long: ['v'.repeat(2000), DUE + 2 ** 33] } as const

describe('a hash with fields that expire', () => {
  test.each([
    ['small', SMALL, HashEncoding.LISTPACK_EX, 25],
    ['large', LARGE, HashEncoding.TABLE_EX, 24],
  ] as const)('is loaded as it was saved, if %s', (_, fields, encoding, type) => {
    const bytes = save(keyspaceWith(fields))
    expect(typeOf(bytes)).toBe(type)
    const loaded = load(bytes)
    expect(contentOf(loaded)).toEqual([fields, encoding])
    expect(loaded.databases[0]!.expiringHashes).toBe(1)
  })

  test('whose fields never are due is written as any other hash', () => {
    const bytes = save(keyspaceWith({ a: ['1', 0], b: ['2', 0] }))
    expect(typeOf(bytes)).toBe(4)
    expect(contentOf(load(bytes))).toEqual([{ a: ['1', 0], b: ['2', 0] }, HashEncoding.LISTPACK])
  })

  test('of a release candidate is read', () => {
    const fields = `${LENGTH_64}\0\0\x03\xa3\x52\x94\x40\x05${short('a')}${short('1')}\0${short('b')}${short('2')}`
    const large = fileOf([22, short('hash'), 2, fields])
    expect(contentOf(load(large))[0]).toEqual({ a: ['1', DUE + 5], b: ['2', 0] })
    const due = '\xf4\x05\x40\x94\x52\xa3\x03\0\0'
    const small = fileOf([23, short('hash'), short(listpackOf(['\x81a', '\x01', due, '\x81b', '\x02', '\0']))])
    expect(contentOf(load(small))).toEqual([{ a: ['1', DUE + 5], b: ['2', 0] }, HashEncoding.LISTPACK_EX])
  })

  test.each([
    ['has a moment beyond 48 bits', [24, short('hash'), '\0\0\0\0\0\0\x01\0', 1, 1, short('a'), short('1')]],
    ['is there twice', [24, short('hash'), FIRST, 2, 1, short('a'), short('1'), 1, short('a'), short('1')]],
    ['has no moment', [25, short('hash'), FIRST, short(listpackOf(['\x81a', '\x01']))]],
    ['has text for a moment', [25, short('hash'), FIRST, short(listpackOf(['\x81a', '\x01', '\x81x']))]],
    [
      'is due before the one in front of it',
      [25, short('hash'), FIRST, short(listpackOf(['\x81a', '\x01', '\x09', '\x81b', '\x01', '\x08']))],
    ],
  ])('is refused if a field %s', (_, parts) => {
    expect(() => load(fileOf(parts))).toThrow(RdbError)
  })

  test('is passed over where it is not wanted', () => {
    const expired = `\xfc\x01\0\0\0\0\0\0\0`
    const large = `\x18${short('gone')}${FIRST}\x01\x01${short('a')}${short('1')}`
    const small = `\x19${short('gone')}${FIRST}${short(listpackOf(['\x81a', '\x01', '\x09']))}`
    const bytes = fileOf([expired, large, expired, small, `\x04${short('hash')}\x01${short('a')}${short('1')}`])
    expect(contentOf(load(bytes))[0]).toEqual({ a: ['1', 0] })
  })
})

/** The RDB type of the hash. */
function typeOf(bytes: Uint8Array): number {
  return bytes[Buffer.from(bytes).indexOf('\u0004hash') - 1]!
}

describe("Valkey's files", () => {
  const moment = (due: number): string =>
    Array.from({ length: 8 }, (_, at) => String.fromCharCode(Math.floor(due / 2 ** (8 * at)) % 256)).join('')
  const NEVER = '\xff'.repeat(8)
  const hash = `\x02${short('a')}${short('1')}${moment(DUE)}${short('b')}${short('2')}${NEVER}`
  const fileOfValkey = (text: string, version = '080'): Uint8Array =>
    withChecksum(bytesOf(`VALKEY${version}${text}\xff`))

  test('have a type of their own for hashes with fields that expire', () => {
    const fields = contentOf(load(fileOfValkey(`\x16${short('hash')}${hash}`)))[0]
    expect(fields).toEqual({ a: ['1', DUE], b: ['2', 0] })
    const past = load(
      fileOfValkey(`\xfc${'\x01'.repeat(5)}\0\0\0\x16${short('gone')}${hash}\x16${short('hash')}${hash}`),
    )
    expect(contentOf(past)[0]).toEqual(fields)
  })

  test('of other versions, and with other types, are refused', () => {
    expect(() => load(fileOfValkey('', '011'))).toThrow("Can't handle RDB format version 11")
    expect(() => load(fileOfValkey('', '099'))).toThrow("Can't handle RDB format version 99")
    expect(() => load(fileOf([], 80))).toThrow("Can't handle RDB format version 80")
    expect(() => load(fileOfValkey(`\x17${short('k')}x`))).toThrow("The value (path hash (Valkey's), type 279)")
    expect(() => load(fileOfValkey(`\x16${short('hash')}${hash.slice(0, -3)}`))).toThrow(RdbError)
  })

  test("give payloads that say so by their version: the same number is another type in Redis's", () => {
    const keyspace = new Keyspace(1)
    const payloads = new Payloads(keyspace, new ValueFormats(keyspace))
    for (const [version, isValue] of [
      [80, true],
      [12, false],
    ] as const) {
      const payload = payloadOf(bytesOf(`\x16${hash}`), version)
      expect(payloads.isSound(payload, 0, payload.length)).toBe(true)
      const entry = payloads.restore(payload, 0, payload.length, KEY, 0, KEY.length, undefined, -1, -1)
      expect(entry !== NONE).toBe(isValue)
    }
  })
})
