import { describe, expect, test } from 'vitest'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { latin1 } from '../../../../src/lib/bytes.ts'
import { Random } from '../../../../src/lib/random.ts'
import { NONE, type Ref } from '../../../../src/memory/memory.ts'
import { RdbError } from '../../../../src/persistence/rdb/reader.ts'
import {
  bytesOf,
  fileOf,
  type LoadOptions,
  listpackOf,
  load,
  loaderOf,
  medium,
  save,
  short,
  withChecksum,
  ziplistOf,
} from './support.ts'

const SEED = Number(process.env['SEED'] ?? 7700)
const CASES = Number(process.env['CASES'] ?? 5000)
const NAME = short('key')
const PLAIN = '\x01'
const PACKED = '\x02'
const A = '\x81a'
const B = '\x81b'

function find(keyspace: Keyspace, key: string): Ref {
  const bytes = bytesOf(key)
  return keyspace.databases[0]!.lookup(bytes, 0, bytes.length)
}

function push(keyspace: Keyspace, key: string, elements: readonly string[]): void {
  const { lists } = keyspace
  const name = bytesOf(key)
  const found = find(keyspace, key)
  const entry = found === NONE ? lists.add(keyspace.databases[0]!, name, 0, name.length) : found
  for (const element of elements) {
    const bytes = bytesOf(element)
    lists.expect(entry, 1, bytes.length)
    lists.push(entry, false, bytes, 0, bytes.length)
  }
}

/** Encoding and elements; undefined if the key is not there. */
function listOf(keyspace: Keyspace, key = 'key'): { encoding: string; elements: string[] } | undefined {
  const { lists } = keyspace
  const { listpacks } = lists
  const entry = find(keyspace, key)
  if (entry === NONE) return undefined
  const elements: string[] = []
  lists.start(entry, 0, false)
  do {
    lists.locate()
    elements.push(latin1(listpacks.bytes, listpacks.pos, listpacks.len))
  } while (lists.advance())
  expect(elements.length).toBe(lists.length(entry))
  return { encoding: keyspace.kindOf(entry).encodingName(entry), elements }
}

const range = (count: number, len: number): string[] =>
  Array.from({ length: count }, (_, index) => String(index).padStart(len, 'x'))

/** What the file holds, which must be one list. */
const loaded = (type: number, value: string, options?: LoadOptions) => {
  const keyspace = load(fileOf([type, NAME, value]), options)
  keyspace.verify()
  return listOf(keyspace)
}

describe('a list that is saved is loaded', () => {
  test.each([
    ['of one element', ['a']],
    ['of an empty one', ['']],
    ['of integers', ['0', '-1', '127', '4096', '-32768', '8388607', '2147483648', '-9223372036854775808']],
    ['of a listpack', range(100, 10)],
    ['of two nodes', range(1000, 10)],
    ['of a hundred nodes', range(10_000, 76)],
    ['of elements larger than nodes', ['x'.repeat(9000), 'y', 'z'.repeat(300_000), 'end']],
  ])('%s', (_, elements) => {
    const keyspace = new Keyspace(1)
    push(keyspace, 'key', elements)
    for (const compression of [true, false]) {
      for (const [bufferSize, chunkSize] of [
        [64, 64],
        [4096, 50],
        [262_144, 262_144],
      ] as const) {
        const found = load(save(keyspace, { compression, chunkSize }), { bufferSize, portionMax: bufferSize })
        found.verify()
        expect(listOf(found)).toEqual(listOf(keyspace))
      }
    }
  })

  test('of elements in nodes of their own', () => {
    const keyspace = new Keyspace(1)
    keyspace.lists.quicklist.setPackedThreshold(5)
    push(keyspace, 'key', ['x'.repeat(100_000), 'a', 'longer', '123456789', 'b'])
    const found = load(save(keyspace))
    found.verify()
    expect(listOf(found)).toEqual(listOf(keyspace))
    const { sequence } = found.lists.quicklist
    expect(sequence.nodeCount(found.entries.value(find(found, 'key')) as Ref)).toBe(5)
  })

  test('expiry and all, among others', () => {
    const keyspace = load(fileOf([`\xfc\x00\x00\x00\x00\x00\x10\x00\x00\x01${NAME}\x01\x01a`, `\x01\x01k\x01\x01b`]))
    const again = load(save(keyspace))
    again.verify()
    expect([listOf(again)?.elements, listOf(again, 'k')?.elements]).toEqual([['a'], ['b']])
    expect(again.entries.expiry(find(again, 'key'))).toBe(2 ** 44)
    expect(again.entries.expires(find(again, 'k'))).toBe(false)
  })

  test('and its bytes are those that Redis writes', () => {
    const keyspace = new Keyspace(1)
    push(keyspace, 'key', ['a', 'b'])
    const node = `${PACKED}${short(listpackOf([A, B]))}`
    expect(Buffer.from(save(keyspace)).toString('latin1')).toContain(`\x12${NAME}\x01${node}\xff`)
  })
})

describe('of the forms that Redis has written', () => {
  test('strings are read', () => {
    expect(loaded(1, `\x03${short('a')}\xc0\x05${short('')}`)).toEqual({
      encoding: 'listpack',
      elements: ['a', '5', ''],
    })
    const many = range(3000, 20)
    const value = `\x4b\xb8${many.map(short).join('')}`
    expect(loaded(1, value)).toEqual({ encoding: 'quicklist', elements: many })
  })

  test('a ziplist is read, and stays a quicklist as in Redis', () => {
    const elements = ['abc', '12', '-8388608', 'x'.repeat(258)]
    const entries = ['\x03abc', '\xfd', '\xf0\x00\x00\x80', `\x41\x02${'x'.repeat(258)}`]
    expect(loaded(10, medium(ziplistOf(entries)))).toEqual({ encoding: 'quicklist', elements })
  })

  test('a quicklist of ziplists is read', () => {
    const first = short(ziplistOf(['\x01a', '\xe0\xff\xff\xff\xff\xff\xff\xff\x7f']))
    const second = short(ziplistOf(['\xf1']))
    const empty = short(ziplistOf([]))
    expect(loaded(14, `\x01${first}`)).toEqual({ encoding: 'listpack', elements: ['a', '9223372036854775807'] })
    expect(loaded(14, `\x03${first}${empty}${second}`)).toEqual({
      encoding: 'quicklist',
      elements: ['a', '9223372036854775807', '0'],
    })
  })

  test('a quicklist of listpacks and huge elements is read, empty listpacks left out', () => {
    const node = PACKED + short(listpackOf([A, B]))
    const empty = PACKED + short(listpackOf([]))
    expect(loaded(18, `\x01${node}`)).toEqual({ encoding: 'listpack', elements: ['a', 'b'] })
    expect(loaded(18, `\x02${empty}${node}`)).toEqual({ encoding: 'listpack', elements: ['a', 'b'] })
    expect(loaded(18, `\x03${node}${PLAIN}${short('huge')}${PLAIN}\xc0\x07`)).toEqual({
      encoding: 'quicklist',
      elements: ['a', 'b', 'huge', '7'],
    })
  })

  test('a listpack beyond list-max-listpack-size stays a quicklist', () => {
    const keyspace = new Keyspace(1)
    keyspace.lists.quicklist.setFill(1)
    expect(loaded(18, `\x01${PACKED}${short(listpackOf([A, B]))}`, { keyspace })!.encoding).toBe('quicklist')
  })

  const EMPTY: [number, string][] = [
    [1, '\x00'],
    [10, short(ziplistOf([]))],
    [14, '\x00'],
    [14, `\x01${short(ziplistOf([]))}`],
    [18, '\x00'],
    [18, `\x01${PACKED}${short(listpackOf([]))}`],
  ]

  test.each(EMPTY)('a list of type %i without elements is left out, and the log says so', (type, value) => {
    const lines: string[] = []
    const log = { debug() {}, warn() {}, info: (line: string) => lines.push(line) }
    const { loader, keyspace } = loaderOf(fileOf([type, NAME, value, `\x00\x01k\x01v`]), { log })
    const before = keyspace.memory.usedBytes
    while (loader.step());
    expect(lines).toEqual(['rdbLoadObject skipping empty key: key'])
    expect([loader.loadedCount, loader.emptyCount]).toEqual([1, 1])
    expect(find(keyspace, 'key')).toBe(NONE)
    expect(find(keyspace, 'k')).not.toBe(NONE)
    keyspace.verify()
    keyspace.flush()
    while (keyspace.reclaim()) {} // gives the arena back
    expect(keyspace.memory.usedBytes).toBe(before)
  })

  test.each([
    [1, `\x02${short('a')}\xc0\x05`],
    [10, short(ziplistOf(['\x01a']))],
    [14, `\x02${short(ziplistOf(['\x01a']))}${short(ziplistOf(['\x01b']))}`],
    [18, `\x02${PACKED}${short(listpackOf([A]))}${PLAIN}${short('b')}`],
  ])('a list of type %i past its time is passed over', (type, value) => {
    const { loader, keyspace } = loaderOf(fileOf([`\xfd\x01\x00\x00\x00`, type, NAME, value, `\x00\x01k\x01v`]))
    while (loader.step());
    expect([loader.loadedCount, loader.expiredCount]).toEqual([1, 1])
    expect(find(keyspace, 'key')).toBe(NONE)
  })
})

/** Why a file of one list is refused; whatever was read of it is freed again. */
function refusal(bytes: Uint8Array): string {
  const keyspace = new Keyspace(1)
  const before = keyspace.memory.usedBytes
  const { loader } = loaderOf(bytes, { keyspace, bufferSize: 64 })
  try {
    while (loader.step());
  } catch (error) {
    if (!(error instanceof RdbError)) throw error
    expect(keyspace.memory.usedBytes).toBe(before)
    expect(loader.place).toBe('in the value of key "key" of database 0')
    return error.message
  }
  throw new Error('it was loaded')
}

describe('what is damaged is refused, and nothing is kept of it:', () => {
  const sound = PACKED + short(listpackOf([A, B]))
  const ziplist = short(ziplistOf(['\x01a']))
  const damaged: [string, number, string, RegExp][] = [
    ['more strings than bytes', 1, `\x80\xff\xff\xff\xff${short('a')}`, /^A list of no possible size$/],
    ['more nodes than bytes', 18, `\x81\xff\xff\xff\xff\xff\xff\xff\xff${sound}`, /^A list of no possible size$/],
    ['a string too few', 1, `\x09${short('a').repeat(8)}`, /^Unexpected EOF/],
    [
      'a node of another kind',
      18,
      `\x02${sound}\x03${short('a')}`,
      /^Quicklist integrity check failed: a node of unknown kind 3$/,
    ],
    ['a node of no kind', 18, `\x01\x00${short('a')}`, /^Quicklist integrity check failed: a node of unknown kind 0$/],
    ['an empty huge element', 18, `\x02${sound}${PLAIN}\x00`, /^Quicklist integrity check failed: an empty node$/],
    [
      'a huge element cut off',
      18,
      `\x02${sound}${PLAIN}\x40\xc8${'x'.repeat(100)}`,
      /^Unexpected EOF: a string of 200/,
    ],
    [
      'a huge element wrongly packed',
      18,
      `\x02${sound}${PLAIN}\xc3\x02\x10\xe0\xff`,
      /^Invalid LZF compressed string$/,
    ],
    ['a listpack of nothing', 18, `\x02${sound}${PACKED}\x00`, /^Listpack integrity check failed$/],
    ['an integer for a listpack', 18, `\x02${sound}${PACKED}\xc0\x01`, /^Listpack integrity check failed$/],
    [
      'a listpack of another count',
      18,
      `\x02${sound}${PACKED}${short(listpackOf([A], 2))}`,
      /^Listpack integrity check failed$/,
    ],
    [
      'an element too long',
      18,
      `\x02${sound}${PACKED}${short(listpackOf(['\x85a']))}`,
      /^Listpack integrity check failed$/,
    ],
    ['a ziplist for a listpack', 18, `\x02${sound}${PACKED}${ziplist}`, /^Listpack integrity check failed$/],
    ['a listpack for a ziplist', 14, `\x02${ziplist}${short(listpackOf([A]))}`, /^Ziplist integrity check failed$/],
    [
      'a ziplist of another count',
      14,
      `\x02${ziplist}${short(ziplistOf(['\x01a'], { count: 2 }))}`,
      /^Ziplist integrity check failed/,
    ],
    ['a single ziplist', 10, short(ziplistOf(['\x02a'])), /^Ziplist integrity check failed$/],
  ]

  test.each(damaged)('%s', (_, type, value, message) => {
    expect(refusal(fileOf([type, NAME, value], 10, message.source.startsWith('^Unexpected') === false))).toMatch(
      message,
    )
  })

  test('a list cut off anywhere', () => {
    const keyspace = new Keyspace(1)
    keyspace.lists.quicklist.setPackedThreshold(100)
    push(keyspace, 'key', [...range(900, 8), 'x'.repeat(300), ...range(900, 8)])
    const bytes = save(keyspace, { compression: false })
    const begin = Buffer.from(bytes).indexOf('\x12\x03key') + 5
    for (let len = begin; len < bytes.length - 9; len += 97) {
      expect(refusal(bytes.subarray(0, len)), `cut at ${len}`).toMatch(/^Unexpected EOF/)
    }
  })
})

test(`${CASES} files changed at random are loaded or refused, and the lists are sound (seed ${SEED})`, () => {
  const random = new Random(SEED)
  const originals = [
    fileOf([1, NAME, `\x03${short('a')}\xc0\x05${short('abc')}`]),
    fileOf([10, NAME, short(ziplistOf(['\x03abc', '\xfd', '\xf0\x00\x00\x80']))]),
    fileOf([14, NAME, `\x02${short(ziplistOf(['\x01a', '\xc0\x01\x02']))}${short(ziplistOf(['\xf1']))}`]),
    fileOf([18, NAME, `\x02${PACKED}${short(listpackOf([A, B, '\xf1\x01\x02', '\x05']))}${PLAIN}${short('huge')}`]),
  ]
  const keyspace = new Keyspace(4)
  const before = keyspace.memory.usedBytes
  let sound = 0
  for (let index = 0; index < CASES; index++) {
    const list = Array.from(originals[index % originals.length]!.subarray(0, -8))
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      const at = 13 + random.below(list.length - 13)
      const byte =
        random.below(2) === 0 ? random.below(256) : [0, 1, 2, 3, 0x7f, 0x80, 0xf0, 0xfe, 0xff][random.below(9)]!
      const change = random.below(8)
      if (change === 0) list.splice(at, 1)
      else if (change === 1) list.splice(at, 0, byte)
      else list[at] = byte
    }
    const { loader } = loaderOf(withChecksum(Uint8Array.from(list)), { keyspace, bufferSize: 64 })
    try {
      while (loader.step());
      sound++
      if (listOf(keyspace) !== undefined) save(keyspace)
    } catch (error) {
      if (!(error instanceof RdbError)) throw error
    }
    keyspace.verify()
    expect(keyspace.memory.usedBytes, `case ${index}`).toBeLessThan(before + 1e6)
    keyspace.flush()
    while (keyspace.reclaim()) {} // gives the arena back
  }
  expect(sound).toBeGreaterThan(CASES / 50)
  expect(sound).toBeLessThan(CASES)
})
