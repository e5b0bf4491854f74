import { describe, expect, test } from 'vitest'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { ZsetWalk } from '../../../../src/keyspace/zset-walk.ts'
import { latin1 } from '../../../../src/lib/bytes.ts'
import { RdbError } from '../../../../src/persistence/rdb/reader.ts'
import { bytesOf, fileOf, listpackOf, load, save, short } from './support.ts'

const NAME = short('key')
const KEY = bytesOf('key')

/** A double's eight bytes. */
const binary = (score: number): string => latin1(new Uint8Array(Float64Array.of(score).buffer), 0, 8)

/** Encoding, members and scores. */
function zsetOf(keyspace: Keyspace): { encoding: string; members: [string, number][] } {
  const entry = keyspace.databases[0]!.lookup(KEY, 0, KEY.length)
  const walk = new ZsetWalk(keyspace.entries)
  const members: [string, number][] = []
  for (walk.begin(entry); walk.next(); ) {
    const { score } = walk
    walk.locate()
    members.push([latin1(walk.bytes, walk.pos, walk.len), score])
  }
  return { encoding: keyspace.kindOf(entry).encodingName(entry), members }
}

const loaded = (type: number, value: string) => zsetOf(load(fileOf([type, NAME, value])))

describe('a sorted set', () => {
  test('with scores as text is read', () => {
    const value = `\x04${short('a')}\x031.5${short('b')}\xfe${short('c')}\xff${short('5')}\x010`
    const members = [
      ['c', Number.NEGATIVE_INFINITY],
      ['5', 0],
      ['a', 1.5],
      ['b', Number.POSITIVE_INFINITY],
    ]
    expect(loaded(3, value)).toEqual({ encoding: 'listpack', members })
  })

  test('with scores as doubles is read', () => {
    const value = `\x02${short('a')}${binary(0.1)}${short('b')}${binary(-7)}`
    const members = [
      ['b', -7],
      ['a', 0.1],
    ]
    expect(loaded(5, value)).toEqual({ encoding: 'listpack', members })
  })

  test('keeps a zero its sign, unless all of it fits into a listpack', () => {
    const long = 'x'.repeat(65)
    const zero = `${short('a')}${binary(-0)}`
    const members = [
      ['a', -0],
      [long, 0],
    ]
    const value = `\x02${zero}\x40\x41${long}${binary(0)}`
    expect(loaded(5, value)).toEqual({ encoding: 'skiplist', members })
    expect(loaded(5, `\x01${zero}`)).toEqual({ encoding: 'listpack', members: [['a', 0]] })
  })

  test('that is a listpack is read as it is', () => {
    const members = [
      ['a', 1],
      ['b', 2.5],
    ]
    const value = short(listpackOf(['\x81a', '\x01', '\x81b', '\x832.5']))
    expect(loaded(17, value)).toEqual({ encoding: 'listpack', members })
  })

  test.each([
    ['a score that is not a number', 5, `\x01${short('a')}${binary(Number.NaN)}`],
    ['a score of text that is none', 3, `\x01${short('a')}\xfd`],
    ['a member twice', 5, `\x02${short('a')}${binary(1)}${short('a')}${binary(2)}`],
    ['more members than bytes', 5, '\x3f'],
    ['a member without a score', 17, short(listpackOf(['\x81a']))],
    ['scores out of order', 17, short(listpackOf(['\x81a', '\x02', '\x81b', '\x01']))],
    ['words for scores', 17, short(listpackOf(['\x81a', '\x81x']))],
  ])('is refused with %s', (_, type, value) => {
    expect(() => load(fileOf([type, NAME, value]))).toThrow(RdbError)
  })

  test.each([3, 1000])('of %i members comes back as it was saved', (count) => {
    const keyspace = new Keyspace(1)
    const { zsets } = keyspace
    const db = keyspace.databases[0]!
    db.lookup(KEY, 0, KEY.length)
    const entry = zsets.create(zsets.encodingFor(4, count), KEY, 0, KEY.length)
    db.insert(entry)
    for (let number = 0; number < count; number++) {
      const member = bytesOf(`m${number}`)
      zsets.update(entry, ((number * 31) % 100) / 7, 0, member, 0, member.length)
    }
    const copy = load(save(keyspace))
    expect(zsetOf(copy)).toEqual(zsetOf(keyspace))
    expect(zsetOf(copy).members).toHaveLength(count)
    copy.verify()
  })
})
