import { describe, expect, test } from 'vitest'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { RdbError } from '../../../../src/persistence/rdb/reader.ts'
import {
  accessOf,
  allContent,
  contentOf,
  fileOf,
  type LoadOptions,
  load,
  loaderOf,
  save,
  set,
  short,
  withChecksum,
} from './support.ts'

const SELECT_1 = '\xfe\x01'
const KEY = `\x00${short('key')}${short('value')}`

/** Why the file is not loaded, where, and what was being loaded. */
function refusal(bytes: Uint8Array, options: LoadOptions = {}): { message: string; offset: number; place: string } {
  const { loader, keyspace } = loaderOf(bytes, options)
  try {
    while (loader.step());
  } catch (error) {
    if (!(error instanceof RdbError)) throw error
    keyspace.verify()
    return { message: error.message, offset: error.offset, place: loader.place }
  }
  throw new Error('it was loaded')
}

const valuesOf = (keyspace: Keyspace, dbIndex = 0): Record<string, string> =>
  Object.fromEntries([...contentOf(keyspace, dbIndex)].map(([key, { value }]) => [key, value]))

describe('a file', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])('of version %i is loaded', (version) => {
    expect(valuesOf(load(fileOf(['\xfe\x00', KEY], version)))).toEqual({ key: 'value' })
  })

  test.each(['0000', '0013', '0099', 'abcd', '-001'])('of version %s is refused', (version) => {
    const bytes = withChecksum(Buffer.from(`REDIS${version}\xff`, 'latin1'))
    const found = refusal(bytes)
    expect(found.message).toMatch(/^Can't handle RDB format version /)
    expect(found.offset).toBe(5)
  })

  test('of something else is refused', () => {
    const found = refusal(Buffer.from('GIF89a, for example'))
    expect(found.message).toMatch(/^Wrong signature/)
    expect(found.offset).toBe(0)
  })

  test('without a checksum is loaded, and the log says so', () => {
    const lines: string[] = []
    const log = { debug() {}, warn() {}, info: (line: string) => lines.push(line) }
    const bytes = Buffer.concat([fileOf([KEY], 10, false), Buffer.from('\xff\0\0\0\0\0\0\0\0', 'latin1')])
    expect(valuesOf(load(bytes, { log }))).toEqual({ key: 'value' })
    expect(lines).toEqual(['RDB file was saved with checksum disabled: no check performed.'])
  })

  test('with a wrong checksum is refused, unless checksums are off', () => {
    const bytes = fileOf([KEY])
    bytes[bytes.length - 1]! ^= 1
    const found = refusal(bytes)
    expect(found.message).toMatch(
      /^RDB CRC error: Wrong RDB checksum expected: \([0-9a-f]{16}\) but got \([0-9a-f]+\)$/,
    )
    expect(found.offset).toBe(bytes.length - 8)
    expect(valuesOf(load(bytes, { checksum: false }))).toEqual({ key: 'value' })
  })

  test('that goes on after its end is read to its end', () => {
    expect(valuesOf(load(Buffer.concat([fileOf([KEY]), Buffer.from('more')])))).toEqual({ key: 'value' })
  })
})

describe('what stands beside keys', () => {
  test('selects databases, and makes room in them', () => {
    const keyspace = load(fileOf([KEY, SELECT_1, '\xfb\x02\x00', KEY, '\x00\x01k\x01v', '\xfe\x00\x00\x01k\x01w']))
    expect(valuesOf(keyspace, 0)).toEqual({ key: 'value', k: 'w' })
    expect(valuesOf(keyspace, 1)).toEqual({ key: 'value', k: 'v' })
    keyspace.verify()
  })

  test('says how many keys to expect, but is not believed beyond what the file can hold', () => {
    const keyspace = new Keyspace(1)
    load(fileOf(['\xfb\x81\xff\xff\xff\xff\xff\xff\xff\xff\x80\xff\xff\xff\xff', KEY]), { keyspace })
    expect(keyspace.memory.reservedBytes).toBeLessThan(100e6)
  })

  test('makes no room that keys past their time would have needed', () => {
    const expired = Array.from({ length: 20_000 }, (_, index) => {
      const name = String(index).padStart(8, '0')
      return `\xfc\x01\x00\x00\x00\x00\x00\x00\x00\x00\x08${name}\x01v`
    })
    const keyspace = load(fileOf(['\xfb\x80\x00\x00\x4e\x21\x80\x00\x00\x4e\x20', ...expired, KEY]))
    expect(valuesOf(keyspace)).toEqual({ key: 'value' })
    expect(keyspace.databases[0]!.tableBytes).toBeLessThan(10_000)
    keyspace.verify()
  })

  test('a database beyond those there are is refused', () => {
    const found = refusal(fileOf(['\xfe\x02', KEY]), { keyspace: new Keyspace(2) })
    expect(found.message).toMatch(/configured to handle more than 2 databases/)
    expect(found.offset).toBe(11)
  })

  test('facts about the file go to the log', () => {
    const lines: string[] = []
    const info = (line: string) => lines.push(line)
    const keyspace = new Keyspace(1)
    keyspace.setTime(1_700_000_100_500)
    const aux = (name: string, value: string) => `\xfa${short(name)}${short(value)}`
    const facts = [
      aux('redis-ver', '7.0.15'),
      aux('redis-bits', '64'),
      aux('ctime', '1700000000'),
      aux('used-mem', '1572864'),
      aux('aof-base', '1'),
      aux('%owner', 'ann'),
      aux('repl-id', 'x'.repeat(40)),
      aux('unheard-of', '1'),
    ]
    load(fileOf(facts), { keyspace, log: { debug: info, info, warn: info } })
    expect(lines).toEqual([
      'Loading RDB produced by version 7.0.15',
      'RDB age 100 seconds',
      'RDB memory usage when created 1.50 Mb',
      'RDB is base AOF',
      "RDB '%owner': ann",
      "Unrecognized RDB AUX field: 'unheard-of'",
    ])
  })

  test("Redis 7.4's notes on slots are passed over", () => {
    expect(valuesOf(load(fileOf(['\xf4\x40\x40\x01\x00', KEY], 12)))).toEqual({ key: 'value' })
  })

  test.each([
    // The id that RedisBloom's module type has: nine letters of six bits and a version.
    ['\xf7\x81\x30\xa2\x1d\x82\x1c\xfd\x0a\x04', /data of the module '[A-Za-z0-9_-]{9}'/],
    ['\xf5\x0cFUNCTION lib', /a library of functions/],
    ['\xf6\x00', /functions in a form from before Redis 7.0/],
  ])('data that has no place here is refused: %j', (mark, message) => {
    expect(refusal(fileOf([mark])).message).toMatch(message)
  })
})

test("a module's name is read out of its id", () => {
  // 'ReJSON-RL' version 3, as letters A-Za-z0-9-_ of six bits.
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const id = [...'ReJSON-RL'].reduce((sum, letter) => (sum << 6n) | BigInt(letters.indexOf(letter)), 0n)
  const bytes = Buffer.alloc(9, 0x81)
  bytes.writeBigUInt64BE((id << 10n) | 3n, 1)
  const mark = bytes.toString('latin1')
  expect(refusal(fileOf([`\xf7${mark}`])).message).toContain("the module 'ReJSON-RL'")
  const value = refusal(fileOf([`\x07${short('doc')}${mark}`]))
  expect(value.message).toContain("value of a module 'ReJSON-RL', type 7")
  expect(value.place).toBe('in the value of key "doc" of database 0')
})

describe('a key', () => {
  const expiring = (opcode: string, time: string) => `${opcode}${time}${KEY}`
  const future = '\x00\x00\x00\x00\x00\x10\x00\x00' // 2^44 ms

  test('with an expiry has it', () => {
    expect(contentOf(load(fileOf([expiring('\xfc', future)])), 0).get('key')!.expiry).toBe(String(2 ** 44))
    const inSeconds = load(fileOf([expiring('\xfd', '\xff\xff\xff\x7f')]))
    expect(contentOf(inSeconds, 0).get('key')!.expiry).toBe(String((2 ** 31 - 1) * 1000))
    inSeconds.verify()
  })

  test.each([
    ['\xfc', '\x01\x00\x00\x00\x00\x00\x00\x00'],
    ['\xfc', '\x00\x00\x00\x00\x00\x00\x00\x80'],
    ['\xfd', '\x01\x00\x00\x00'],
    ['\xfd', '\xff\xff\xff\xff'],
  ])('past its time is dropped and counted (%j, %j)', (opcode, time) => {
    const { loader, keyspace } = loaderOf(fileOf([expiring(opcode, time), '\x00\x01k\x01v']))
    while (loader.step());
    expect(valuesOf(keyspace)).toEqual({ k: 'v' })
    expect([loader.loadedCount, loader.expiredCount]).toEqual([1, 1])
  })

  test('with the time -1 does not expire', () => {
    expect(contentOf(load(fileOf([expiring('\xfc', '\xff'.repeat(8))])), 0).get('key')!.expiry).toBe('')
  })

  test("has an expiry of its own, not the last key's", () => {
    const content = contentOf(load(fileOf([expiring('\xfc', future), '\x00\x01k\x01v'])), 0)
    expect(content.get('k')!.expiry).toBe('')
  })

  test('that is there twice is refused, or replaces the first', () => {
    const bytes = fileOf([KEY, `\x00${short('key')}${short('other')}`])
    const found = refusal(bytes)
    expect(found.message).toBe('RDB has duplicated key "key" in DB 0')
    const keyspace = load(bytes, { replace: true })
    expect(valuesOf(keyspace)).toEqual({ key: 'other' })
    keyspace.verify()
  })

  test('is called an integer where its name was stored as one, and may be compressed', () => {
    const packed = '\xc3\x06\x1e\x01aa\xe0\x13\x00' // 30 times 'a'
    const keyspace = load(fileOf(['\x00\xc1\x39\x30\x01v', `\x00${packed}${packed}`]))
    expect(valuesOf(keyspace)).toEqual({ 12345: 'v', ['a'.repeat(30)]: 'a'.repeat(30) })
  })

  test.each([8, 26, 100, 243])('of type %i, which nobody writes, is refused', (rdbType) => {
    expect(refusal(fileOf([rdbType, short('key')]))).toEqual({
      message: `Unknown RDB type ${rdbType}`,
      offset: 9,
      place: '',
    })
  })

  test('of a great name is shown in part', () => {
    const bytes = fileOf([`\x03\x43\xe8${'n'.repeat(1000)}`])
    expect(refusal(bytes).place).toBe(`in the value of key "${'n'.repeat(128)}"… of database 0`)
  })
})

describe('how a key was used', () => {
  const HINTS = ['\xf8\x40\x64\x00\x04idle\x01v', '\xf9\xc8\x00\x04freq\x01v', '\x00\x04none\x01v']
  const NOW = 1_700_000_000_000

  test('is told by its idle time where that counts', () => {
    const keyspace = new Keyspace(1)
    keyspace.setTime(NOW)
    load(fileOf(HINTS), { keyspace })
    const idle = (key: string) => keyspace.clock.idleMs(accessOf(keyspace, key))
    expect([idle('idle'), idle('freq'), idle('none')]).toEqual([100_000, 0, 0])
  })

  test('is told by its frequency where that counts', () => {
    const keyspace = new Keyspace(1)
    keyspace.clock.lfu = true
    keyspace.setTime(NOW)
    load(fileOf(HINTS), { keyspace })
    const frequency = (key: string) => keyspace.clock.frequency(accessOf(keyspace, key))
    expect([frequency('idle'), frequency('freq'), frequency('none')]).toEqual([5, 200, 5])
  })

  test('longer ago than the clock can tell is as long ago as it can', () => {
    const keyspace = new Keyspace(1)
    keyspace.setTime(NOW)
    load(fileOf([`\xf8\x81${'\xff'.repeat(8)}\x00\x04idle\x01v`]), { keyspace })
    expect(keyspace.clock.idleMs(accessOf(keyspace, 'idle'))).toBe(4_294_967_000)
  })
})

test('a file cut off anywhere is refused, at the place where it ends, and leaves a sound keyspace', () => {
  const keyspace = new Keyspace(16)
  keyspace.setTime(Date.now())
  set(keyspace, 0, 'a', '1')
  set(keyspace, 0, 'expiring', 'hello', 4_000_000_000_000)
  set(keyspace, 3, 'compressed', 'abc'.repeat(50))
  set(keyspace, 3, 'k'.repeat(100), '-123456')
  set(keyspace, 15, 'long', 'x\xff'.repeat(70))
  const bytes = save(keyspace)
  expect(allContent(load(bytes))).toEqual(allContent(keyspace))
  for (let len = 0; len < bytes.length; len++) {
    for (const bufferSize of [16, 4096]) {
      const found = refusal(bytes.subarray(0, len), { bufferSize })
      expect(found.message, `cut at ${len}`).toMatch(/^Unexpected EOF/)
      expect(found.offset).toBeLessThanOrEqual(len)
    }
  }
})
