/* What is saved is what is loaded: random databases, through chunks and buffers small enough that everything is cut
 * everywhere. And the other way: files changed at random are loaded or refused, and never do harm. */
import { describe, expect, test } from 'vitest'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { fromWords, type Int64 } from '../../../../src/lib/int64.ts'
import { Random } from '../../../../src/lib/random.ts'
import { Hint } from '../../../../src/persistence/rdb/image.ts'
import { RdbError } from '../../../../src/persistence/rdb/reader.ts'
import { accessOf, allContent, bytesOf, load, loaderOf, save, set, withChecksum } from './support.ts'

const SEED = Number(process.env['SEED'] ?? 20240917)
const CASES = Number(process.env['CASES'] ?? 20_000)
/** No type of Redis's has this tag. */
const NO_TYPE = 15
const FAR = 4_000_000_000_000

function randomText(random: Random): string {
  const lengths = [3, 12, 30, 100, 100, 2000, 70_000]
  const len = random.below(lengths[random.below(lengths.length)]!)
  const letters = [2, 10, 256][random.below(3)]!
  const first = letters === 10 ? 48 : 0
  return Array.from({ length: len }, () => String.fromCharCode(first + random.below(letters))).join('')
}

function randomInteger(random: Random): Int64 {
  const bits = random.below(64)
  return bits < 32 ? random.next() >> (31 - bits) : fromWords(random.next() >> (63 - bits), random.next())
}

function randomKeyspace(random: Random, keys: number): Keyspace {
  const keyspace = new Keyspace(16)
  for (let count = 0; count < keys; count++) {
    const dbIndex = random.below(4) === 0 ? random.below(16) : 0
    const key =
      random.below(2) === 0 ? `key:${count}` : random.below(2) === 0 ? String(random.next()) : randomText(random)
    const value = random.below(3) === 0 ? String(randomInteger(random)) : randomText(random)
    set(keyspace, dbIndex, key, value, random.below(4) === 0 ? FAR + random.below(1e9) : undefined)
  }
  return keyspace
}

test.each([
  [40, 16],
  [41, 17],
  [64, 4096],
  [262_144, 262_144],
])(`chunks of %i bytes and buffers of %i carry everything (seed ${SEED})`, (chunkSize, bufferSize) => {
  const random = new Random(SEED + chunkSize)
  for (let round = 0; round < 6; round++) {
    const keyspace = randomKeyspace(random, [0, 1, 10, 100, 700, 1500][round]!)
    const content = allContent(keyspace)
    for (const compression of [true, false]) {
      const bytes = save(keyspace, { chunkSize, compression })
      const loaded = load(bytes, { bufferSize, portionMax: 1 + random.below(bufferSize) })
      expect(allContent(loaded)).toEqual(content)
      loaded.verify()
    }
  }
})

test('a string made of many chunks is loaded to its place, expiry and all', () => {
  const keyspace = new Keyspace(16)
  const random = new Random(SEED)
  const noise = Array.from({ length: 300_000 }, () => String.fromCharCode(random.below(256))).join('')
  set(keyspace, 2, 'noise', noise, FAR)
  set(keyspace, 2, 'pattern', 'pattern'.repeat(60_000), FAR)
  set(keyspace, 2, 'plain', noise.slice(0, 70_000))
  const loaded = load(save(keyspace))
  expect(allContent(loaded)).toEqual(allContent(keyspace))
  loaded.verify()
})

test.each([
  [Hint.NONE, [0, 0, 0]],
  [Hint.IDLE, [5000, 100_000, 0]],
])('idle times are kept when they are saved (hint %i)', (hint, wanted) => {
  const now = Date.now()
  const keyspace = new Keyspace(1)
  for (const [key, idle] of [
    ['a', 5999],
    ['b', 100_000],
    ['c', 0],
  ] as const) {
    keyspace.setTime(now - idle)
    set(keyspace, 0, key, 'v')
  }
  keyspace.setTime(now)
  const loaded = new Keyspace(1)
  loaded.setTime(now)
  load(save(keyspace, { hint }), { keyspace: loaded })
  expect(['a', 'b', 'c'].map((key) => loaded.clock.idleMs(accessOf(loaded, key)))).toEqual(wanted)
})

test('frequencies are kept when they are saved, as they have decayed', () => {
  const keyspace = new Keyspace(1)
  keyspace.clock.lfu = true
  keyspace.setTime(1_700_000_000_000)
  keyspace.entries.freshAccess = keyspace.clock.withFrequency(100)
  set(keyspace, 0, 'a', 'v')
  keyspace.setTime(1_700_000_000_000 + 10 * 60_000)
  const loaded = new Keyspace(1)
  loaded.clock.lfu = true
  loaded.setTime(keyspace.now)
  load(save(keyspace, { hint: Hint.FREQUENCY }), { keyspace: loaded })
  expect(loaded.clock.frequency(accessOf(loaded, 'a'))).toBe(90)
})

test('what cannot be written yet is refused by its key, not left out', () => {
  const keyspace = new Keyspace(4)
  set(keyspace, 0, 'a', 'v')
  const db = keyspace.databases[3]!
  const key = bytesOf('my "key"')
  db.lookup(key, 0, key.length)
  db.insert(keyspace.entries.create(NO_TYPE, 0, 0, key, 0, key.length, 0))
  expect(() => save(keyspace)).toThrow(/^The value of key "my \\"key\\"" of database 3 cannot be saved yet/)
})

/** Changes, adds, removes, doubles bytes; some of them to what means much in the format. */
function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const telling = [0, 1, 0x3f, 0x40, 0x80, 0x81, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xf5, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc]
  const list = Array.from(bytes)
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(list.length)
    const byte = random.below(2) === 0 ? random.below(256) : telling[random.below(telling.length)]!
    switch (random.below(6)) {
      case 0:
        list.splice(at, 1 + random.below(8))
        break
      case 1:
        list.splice(at, 0, byte)
        break
      case 2:
        list.splice(at, 0, ...list.slice(at, at + random.below(50)))
        break
      case 3:
        list.fill(byte, at, at + 1 + random.below(9))
        break
      default:
        list[at] = byte
    }
    if (list.length === 0) list.push(0)
  }
  return Uint8Array.from(list)
}

/** What came of a file: undefined if it was loaded. */
function attempt(bytes: Uint8Array, keyspace: Keyspace): RdbError | undefined {
  const { loader } = loaderOf(bytes, { keyspace, bufferSize: 64 })
  try {
    while (loader.step());
    return undefined
  } catch (error) {
    if (error instanceof RdbError) return error
    throw error
  }
}

describe(`changed files (seed ${SEED})`, () => {
  const random = new Random(SEED)
  const originals = [5, 12, 40].map((keys) => {
    const keyspace = new Keyspace(4)
    for (let count = 0; count < keys; count++) {
      const value = random.below(2) === 0 ? String(random.next()) : 'abcdef'.repeat(random.below(20))
      set(keyspace, random.below(4), `k${count}`, value, count % 3 === 0 ? FAR : undefined)
    }
    return save(keyspace, { hint: Hint.IDLE })
  })

  test(`${CASES} of them are loaded or refused, in little memory, and the keyspace stays sound`, () => {
    const keyspace = new Keyspace(4)
    let loaded = 0
    for (let index = 0; index < CASES; index++) {
      const original = originals[index % originals.length]!
      // With the checksum put right, so that it is not what the change is noticed by.
      const changed = withChecksum(mutate(original.subarray(0, -8), random))
      const error = attempt(changed, keyspace)
      if (error === undefined) loaded++
      else expect(error.offset, `case ${index}`).toBeLessThanOrEqual(changed.length)
      expect(keyspace.memory.usedBytes, `case ${index}`).toBeLessThan(5e6)
      keyspace.verify()
      keyspace.flush()
      while (keyspace.reclaim()) {} // gives the arena back
    }
    expect(loaded).toBeGreaterThan(CASES / 100)
    expect(loaded).toBeLessThan(CASES)
  })

  test('are refused if their checksum tells', () => {
    const keyspace = new Keyspace(4)
    for (let index = 0; index < 500; index++) {
      const original = originals[index % originals.length]!
      const changed = mutate(original, random)
      if (Buffer.compare(changed, original) === 0) continue
      keyspace.flush()
      while (keyspace.reclaim()) {} // gives the arena back
      const error = attempt(changed, keyspace)
      // What was added behind the end is not looked at.
      if (error === undefined) expect(changed.subarray(0, original.length), `case ${index}`).toEqual(original)
    }
  })
})
