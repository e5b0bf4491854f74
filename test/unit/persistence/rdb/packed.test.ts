/* Collections that lie in a file as one string, in the forms of all versions; damaged ones as well. */
import { describe, expect, test } from 'vitest'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { latin1 } from '../../../../src/lib/bytes.ts'
import { Random } from '../../../../src/lib/random.ts'
import { NONE, type Ref } from '../../../../src/memory/memory.ts'
import { RdbError, RdbReader } from '../../../../src/persistence/rdb/reader.ts'
import { ValueFormats } from '../../../../src/persistence/rdb/values.ts'
import { bytesOf, fileOf, listpackOf, load, medium, short, sourceOf, ziplistOf } from './support.ts'

const KEY = { bytes: bytesOf('key'), len: 3 }
const LIST = 1
const SET = 2
const ZSET = 3
const HASH = 4
const ZIPMAP = 9
const INTSET = 11
const ZSET_ZIPLIST = 12
const HASH_ZIPLIST = 13
const QUICKLIST = 14
const HASH_LISTPACK = 16
const ZSET_LISTPACK = 17
const QUICKLIST_2 = 18
const SET_LISTPACK = 20

/** The value that a payload makes, as an entry of no database; NONE of an empty one. */
function entryOf(keyspace: Keyspace, type: number, payload: string, thorough = false): Ref {
  const reader = new RdbReader(sourceOf(bytesOf(payload)), false, 1 << 20, 4096)
  reader.thorough = thorough
  return new ValueFormats(keyspace).reading(type)!.load(type, reader, KEY, undefined)
}

function fieldsOf(keyspace: Keyspace, entry: Ref): Record<string, string> {
  const { walk } = keyspace.hashes
  const fields: Record<string, string> = {}
  for (walk.begin(entry); walk.next(); ) {
    walk.locate()
    fields[latin1(walk.bytes, walk.pos, walk.len)] = latin1(walk.valueBytes, walk.valuePos, walk.valueLen)
  }
  return fields
}

const encodingOf = (keyspace: Keyspace, entry: Ref): string => keyspace.kindOf(entry).encodingName(entry)

describe('a zipmap', () => {
  test('becomes a hash, whatever room to spare it has', () => {
    const keyspace = new Keyspace(1)
    const entry = entryOf(keyspace, ZIPMAP, short('\x03\x03foo\x03\x00bar\x05hello\x05\x02world??\x00\x01\x007\xff'))
    expect(fieldsOf(keyspace, entry)).toEqual({ foo: 'bar', hello: 'world', '': '7' })
    expect(encodingOf(keyspace, entry)).toBe('listpack')
    keyspace.kindOf(entry).verify(entry)
  })

  test('of long strings becomes a table', () => {
    const keyspace = new Keyspace(1)
    const value = 'v'.repeat(300)
    const entry = entryOf(keyspace, ZIPMAP, medium(`\x01\x03foo\xfe\x2c\x01\x00\x00\x00${value}\xff`))
    expect(fieldsOf(keyspace, entry)).toEqual({ foo: value })
    expect(encodingOf(keyspace, entry)).toBe('hashtable')
  })

  test('of so many fields that they are not counted is read', () => {
    const keyspace = new Keyspace(1)
    const fields = Array.from({ length: 600 }, (_, index) => `\x03${String(index).padStart(3, '0')}\x01\x00v`)
    const entry = entryOf(keyspace, ZIPMAP, medium(`\xfe${fields.join('')}\xff`))
    expect(Object.keys(fieldsOf(keyspace, entry))).toHaveLength(600)
    expect(encodingOf(keyspace, entry)).toBe('hashtable')
  })

  test.each([
    ['nothing at all', ''],
    ['no end', '\x01\x01f\x01\x00v'],
    ['no fields', '\x00\xff'],
    ['a count that is wrong', '\x02\x01f\x01\x00v\xff'],
    ['a field twice', '\x02\x01f\x01\x00v\x01f\x01\x00w\xff'],
    ['a field without a value', '\x01\x01f\xff'],
    ['a field that goes beyond the end', '\x01\x7ff\x01\x00v\xff'],
    ['a value that goes beyond the end', '\x01\x01f\x7f\x00v\xff'],
    ['room to spare that goes beyond the end', '\x01\x01f\x01\x70v\xff'],
    ['a length of four gigabytes', '\x01\x01f\xfe\xff\xff\xff\xff\x00v\xff'],
    ['a length that is cut', '\x01\x01f\xfe\xff'],
    ['a short length in the long form', '\x01\xfe\x01\x00\x00\x00f\x01\x00v\xff'],
  ])('with %s is refused', (_, zipmap) => {
    const keyspace = new Keyspace(1)
    const used = keyspace.memory.usedBytes
    expect(() => entryOf(keyspace, ZIPMAP, short(zipmap))).toThrow(RdbError)
    expect(keyspace.memory.usedBytes).toBe(used)
  })
})

describe('a ziplist', () => {
  test('becomes a hash', () => {
    const keyspace = new Keyspace(1)
    const entry = entryOf(keyspace, HASH_ZIPLIST, short(ziplistOf(['\x01a', '\x01b', '\xfe\x05', '\x00'])))
    expect(fieldsOf(keyspace, entry)).toEqual({ a: 'b', 5: '' })
    keyspace.hashes.listpackCountMax = 1
    const large = entryOf(keyspace, HASH_ZIPLIST, short(ziplistOf(['\x01a', '\x01b', '\xfe\x05', '\x00'])))
    expect(encodingOf(keyspace, large)).toBe('hashtable')
    expect(fieldsOf(keyspace, large)).toEqual({ a: 'b', 5: '' })
  })

  test('becomes a sorted set', () => {
    const keyspace = new Keyspace(1)
    const { zsets } = keyspace
    const payload = short(ziplistOf(['\x01a', '\xf2', '\xfe\x05', '\x032.5']))
    for (const encoding of ['listpack', 'skiplist']) {
      const entry = entryOf(keyspace, ZSET_ZIPLIST, payload)
      expect(encodingOf(keyspace, entry)).toBe(encoding)
      expect(zsets.find(entry, bytesOf('5'), 0, 1)).toBe(true)
      expect(zsets.score).toBe(2.5)
      zsets.verify(entry)
      zsets.listpackCountMax = 1
    }
  })

  test.each([
    ['a field twice', HASH_ZIPLIST, ziplistOf(['\x01a', '\x01b', '\x01a', '\x01c'])],
    ['a field twice, one of them an integer', HASH_ZIPLIST, ziplistOf(['\xf2', '\x01b', '\x011', '\x01c'])],
    ['a field without a value', HASH_ZIPLIST, ziplistOf(['\x01a', '\x01b', '\x01c'])],
    ['a member without a score', ZSET_ZIPLIST, ziplistOf(['\x01a'])],
    ['a score that is none', ZSET_ZIPLIST, ziplistOf(['\x01a', '\x01b'])],
    ['scores out of order', ZSET_ZIPLIST, ziplistOf(['\x01a', '\xf3', '\x01b', '\xf2'])],
    ['an entry cut off', HASH_ZIPLIST, ziplistOf(['\x01a', '\x05b'])],
  ])('with %s is refused', (_, type, ziplist) => {
    const keyspace = new Keyspace(1)
    const used = keyspace.memory.usedBytes
    expect(() => entryOf(keyspace, type, short(ziplist))).toThrow(RdbError)
    expect(keyspace.memory.usedBytes).toBe(used)
  })
})

describe('what is there twice', () => {
  const twice: readonly (readonly [string, number, string])[] = [
    ['a field', HASH_LISTPACK, listpackOf(['\x81a', '\x81b', '\x81a', '\x81c'])],
    ['a field, once as an integer', HASH_LISTPACK, listpackOf(['\x01', '\x81b', '\x811', '\x81c'])],
    ['a member of a sorted set', ZSET_LISTPACK, listpackOf(['\x81a', '\x01', '\x81a', '\x02'])],
    ['a member of a set', SET_LISTPACK, listpackOf(['\x81a', '\x81b', '\x81a'])],
  ]
  test.each(twice)('%s, is refused by a thorough reader', (_, type, listpack) => {
    const keyspace = new Keyspace(1)
    const used = keyspace.memory.usedBytes
    expect(() => entryOf(keyspace, type, short(listpack), true)).toThrow('twice')
    expect(keyspace.memory.usedBytes).toBe(used)
  })

  test.each(twice)('%s, is there once when the listpack becomes a table', (_, type, listpack) => {
    const keyspace = new Keyspace(1)
    for (const values of [keyspace.hashes, keyspace.sets, keyspace.zsets]) values.listpackCountMax = 1
    const entry = entryOf(keyspace, type, short(listpack))
    keyspace.kindOf(entry).verify(entry)
    expect(keyspace.kindOf(entry).length(entry)).toBe(type === SET_LISTPACK ? 2 : 1)
  })

  test('values are no members, and a thousand members are looked through', () => {
    const keyspace = new Keyspace(1)
    const pairs = Array.from({ length: 1000 }, (_, index) => [`\x84${String(index).padStart(4, 'f')}`, '\x81v']).flat()
    const sound = entryOf(keyspace, HASH_LISTPACK, medium(listpackOf(pairs)), true)
    expect(keyspace.hashes.size(sound)).toBe(1000)
    const wrong = medium(listpackOf([...pairs, pairs[1998]!, '\x81w']))
    expect(() => entryOf(keyspace, HASH_LISTPACK, wrong, true)).toThrow('twice')
  })
})

describe('a collection without elements', () => {
  test.each([
    [LIST, '\x00'],
    [SET, '\x00'],
    [ZSET, '\x00'],
    [5, '\x00'],
    [HASH, '\x00'],
    [10, short(ziplistOf([]))],
    [ZSET_ZIPLIST, short(ziplistOf([]))],
    [HASH_ZIPLIST, short(ziplistOf([]))],
    [QUICKLIST, '\x00'],
    [QUICKLIST, `\x01${short(ziplistOf([]))}`],
    [HASH_LISTPACK, short(listpackOf([]))],
    [ZSET_LISTPACK, short(listpackOf([]))],
    [QUICKLIST_2, `\x01\x02${short(listpackOf([]))}`],
    [SET_LISTPACK, short(listpackOf([]))],
  ])('of type %i is no value, and no key when a file holds it', (type, payload) => {
    const keyspace = new Keyspace(1)
    const used = keyspace.memory.usedBytes
    expect(entryOf(keyspace, type, payload)).toBe(NONE)
    expect(keyspace.memory.usedBytes).toBe(used)
    const loaded = load(fileOf([type, short('empty'), payload, `\x00${short('key')}${short('value')}`]))
    expect(loaded.databases[0]!.size).toBe(1)
  })

  test('of type 11 is refused: no version could write it', () => {
    expect(() => entryOf(new Keyspace(1), INTSET, short('\x02\0\0\0\0\0\0\0'))).toThrow(RdbError)
  })
})

describe('a value that turns out to be damaged', () => {
  const long = Array.from({ length: 300 }, (_, index) => short(`element ${index}`))
  const scored = long.map((element) => `${element}\x03${'1.5'}`)
  test.each([
    [LIST, `\x41\x2d${long.join('')}`],
    [SET, `\x41\x2d${long.join('')}`],
    [SET, `\x44\x00${long.join('')}`],
    [ZSET, `\x41\x2d${scored.join('')}`],
    [HASH, `\x40\x97${long.join('')}`],
    [HASH, `\x44\x00${long.join('')}`],
    [QUICKLIST_2, `\x03\x02${short(listpackOf(['\x81a']))}\x01${short('plain')}`],
  ])('after some of it has been read leaves nothing behind (type %i)', (type, payload) => {
    const keyspace = new Keyspace(1)
    const empty = entryOf(keyspace, 0, short('a value')) // the databases' own blocks are there
    const used = keyspace.memory.usedBytes
    expect(() => entryOf(keyspace, type, payload)).toThrow(RdbError)
    while (keyspace.reclaim()) {}
    expect(keyspace.memory.usedBytes).toBe(used)
    keyspace.freeEntry(empty)
  })
})

test('10000 payloads changed at random are values or refused, and leave nothing behind (seed 20260)', () => {
  const random = new Random(20260)
  const samples: readonly (readonly [number, string])[] = [
    [ZIPMAP, '\x03\x03foo\x03\x00bar\x05hello\x05\x02world??\x00\x01\x007\xff'],
    [HASH_ZIPLIST, ziplistOf(['\x01a', '\x01b', '\xfe\x05', '\x00', '\xf0\x01\x02\x03', '\x03abc'])],
    [ZSET_ZIPLIST, ziplistOf(['\x01a', '\xf2', '\xfe\x05', '\x032.5', '\x01c', '\x033e5'])],
    [HASH_LISTPACK, listpackOf(['\x81a', '\x81b', '\x05', '\xc1\x05', '\xf1\x01\x02', '\x83abc'])],
    [ZSET_LISTPACK, listpackOf(['\x81a', '\x01', '\x81b', '\x832.5', '\x81c', '\x833e5'])],
    [SET_LISTPACK, listpackOf(['\x81a', '\x01', '\x81b', '\x832.5', '\x81c', '\x833e5'])],
    [INTSET, `\x02\0\0\0\x03\0\0\0${'\xff\xff\x05\x00\x00\x01'}`],
  ]
  const keyspace = new Keyspace(1)
  const { usedBytes } = keyspace.memory
  let values = 0
  for (let round = 0; round < 10_000; round++) {
    const [type, payload] = samples[random.below(samples.length)]!
    const bytes = bytesOf(payload)
    for (let left = random.below(3); left >= 0; left--) bytes[random.below(bytes.length)] = random.below(256)
    let entry: Ref = NONE
    try {
      entry = entryOf(keyspace, type, short(latin1(bytes, 0, bytes.length)), true)
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
    }
    if (entry !== NONE) {
      values++
      keyspace.kindOf(entry).verify(entry)
      keyspace.freeEntry(entry)
    }
  }
  expect(values).toBeGreaterThan(1000)
  while (keyspace.reclaim()) {}
  expect(keyspace.memory.usedBytes).toBe(usedBytes)
  keyspace.verify()
})
