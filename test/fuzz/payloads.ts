/* Payloads for RESTORE, and files: sound ones of every type, put together at random, and changed at random. What comes
 * of each is a value that is sound, or nothing; and when all have been freed, no memory is missing. */
import { strict as assert } from 'node:assert'
import { Keyspace } from '../../src/keyspace/keyspace.ts'
import { Crc64 } from '../../src/lib/crc64.ts'
import { Random } from '../../src/lib/random.ts'
import { NONE } from '../../src/memory/memory.ts'
import { Payloads } from '../../src/persistence/rdb/payload.ts'
import { RdbError } from '../../src/persistence/rdb/reader.ts'
import { ValueFormats } from '../../src/persistence/rdb/values.ts'
import { bytesOf, fileOf, listpackOf, loaderOf, medium, short, ziplistOf } from '../unit/persistence/rdb/support.ts'

const MB = 1024 * 1024
/** The first type of hashes with fields that expire. */
const FIRST_EXPIRING = 22

/** The payload that a type's number and what follows it make. */
export function payloadOf(content: Uint8Array, version = 10): Uint8Array {
  const bytes = new Uint8Array(content.length + 10)
  bytes.set(content)
  bytes[content.length] = version
  const sum = new Crc64()
  sum.update(bytes, 0, content.length + 2)
  sum.write(bytes, content.length + 2)
  return bytes
}

const letters = (random: Random, len: number): string =>
  Array.from({ length: len }, () => String.fromCharCode(97 + random.below(26))).join('')

/** Elements, no two of them alike unless they are numbers. */
const elements = (random: Random, count: number): string[] =>
  Array.from({ length: count }, (_, index) =>
    random.below(3) === 0 ? String(index * 7) : `${index}${letters(random, 1 + random.below(30))}`,
  )

const packed = (text: string): string => (text.length < 64 ? short(text) : medium(text))
const word = (text: string): string => short(text.slice(0, 60))
const length = (count: number): string =>
  count < 64 ? String.fromCharCode(count) : String.fromCharCode(0x40 | (count >>> 8), count & 255)

/** An element as a listpack has it, and as a ziplist has it. */
const inListpack = (text: string): string => {
  const number = Number(text)
  return String(number) === text && number < 128 ? String.fromCharCode(number) : `${chr(0x80 | text.length)}${text}`
}
const inZiplist = (text: string): string => `${chr(text.length)}${text}`
const chr = (code: number): string => String.fromCharCode(code)

/** Members with scores that ascend. */
function scored(random: Random, count: number): string[] {
  let score = 0
  return elements(random, count).flatMap((member) => {
    score += 1 + random.below(3)
    return [member, random.below(2) === 0 ? String(score) : `${score}.5`]
  })
}

function quicklist(random: Random): string {
  const nodes = 1 + random.below(4)
  const text = Array.from({ length: nodes }, () =>
    random.below(4) === 0
      ? `\x01${packed(letters(random, 200))}`
      : `\x02${packed(listpackOf(elements(random, 1 + random.below(20)).map(inListpack)))}`,
  )
  return length(nodes) + text.join('')
}

const id = (ms: number, seq = 0): string => `${'\0'.repeat(7)}${chr(ms)}${'\0'.repeat(7)}${chr(seq)}`

/** A stream's node, whose first entry has this id, and how many entries it has that are not deleted. */
function streamNode(random: Random, ms: number, entries: number): readonly [string, number] {
  const fields = elements(random, 1 + random.below(3)).map(inListpack)
  let deleted = 0
  const list = Array.from({ length: entries }, (_, index) => {
    const isDeleted = index > 0 && random.below(4) === 0 ? 1 : 0
    deleted += isDeleted
    const head = [chr(0), chr(index)]
    if (random.below(3) > 0) return [chr(2 | isDeleted), ...head, ...fields, chr(fields.length + 3)]
    return [chr(isDeleted), ...head, chr(1), inListpack('other'), inListpack('value'), chr(6)]
  })
  const front = [chr(entries - deleted), chr(deleted), chr(fields.length), ...fields, chr(0)]
  return [`${chr(16)}${id(ms)}${packed(listpackOf([...front, ...list.flat()]))}`, entries - deleted]
}

/** A stream of this type, with a group of two consumers. */
function stream(random: Random, type: number): string {
  const nodes = Array.from({ length: random.below(4) }, (_, index) =>
    streamNode(random, index + 1, 1 + random.below(8)),
  )
  const living = nodes.reduce((sum, [, count]) => sum + count, 0)
  const rest = type === 15 ? '' : `${length(1)}${length(0)}${length(0)}${length(0)}${length(50)}`
  const time = `${letters(random, 5)}\0\0\0`
  const pending = [1, 2, 3].map((ms) => `${id(ms)}${time}${length(random.below(100))}`)
  const consumer = (name: string, owned: string) =>
    `${word(name)}${time}${type === 21 ? time : ''}${length(owned.length / 16)}${owned}`
  const group = [word('group'), length(2), length(0), type === 15 ? '' : length(3), length(3), ...pending, length(2)]
  group.push(consumer('one', id(2)), consumer('two', id(1) + id(3)))
  const groups = random.below(2) === 0 ? length(0) : `${length(1)}${group.join('')}`
  const texts = nodes.map(([text]) => text).join('')
  return `${chr(type)}${length(nodes.length)}${texts}${length(living)}${length(60)}${length(0)}${rest}${groups}`
}

/** What a payload of each type may consist of. */
const MAKERS: readonly ((random: Random, count: number) => string)[] = [
  (random, count) => `\x00${packed(letters(random, count * 3))}`,
  (random) => `\x00\xc2${letters(random, 4)}`,
  () => '\x00\xc3\x06\x1e\x01aa\xe0\x13\x00',
  (random, count) => `\x01${length(count)}${elements(random, count).map(word).join('')}`,
  (random, count) => `\x02${length(count)}${elements(random, count).map(word).join('')}`,
  (random, count) => `\x03${length(count)}${scored(random, count).map(word).join('')}`,
  (random, count) =>
    `\x05${length(count)}${elements(random, count)
      .map((member) => word(member) + letters(random, 7).concat('@'))
      .join('')}`,
  (random, count) =>
    `\x04${length(count)}${elements(random, count * 2)
      .map(word)
      .join('')}`,
  (random, count) => {
    const fields = elements(random, count * 2).map((text, index) => chr(text.length) + (index % 2 ? '\0' : '') + text)
    return `\x09${packed(`${chr(count)}${fields.join('')}\xff`)}`
  },
  (random, count) => `\x0a${packed(ziplistOf(elements(random, count).map(inZiplist)))}`,
  (random, count) => {
    const integers = Array.from({ length: count }, (_, index) => chr(random.below(256)) + chr(index))
    return `\x0b${packed(`\x02\0\0\0${chr(count)}\0\0\0${integers.join('')}`)}`
  },
  (random, count) => `\x0c${packed(ziplistOf(scored(random, count).map(inZiplist)))}`,
  (random, count) => `\x0d${packed(ziplistOf(elements(random, count * 2).map(inZiplist)))}`,
  (random, count) => `\x0e\x01${packed(ziplistOf(elements(random, count).map(inZiplist)))}`,
  (random, count) => `\x10${packed(listpackOf(elements(random, count * 2).map(inListpack)))}`,
  (random, count) => `\x11${packed(listpackOf(scored(random, count).map(inListpack)))}`,
  (random) => `\x12${quicklist(random)}`,
  (random, count) => {
    const fields = elements(random, count).map((field) => `${chr(random.below(50))}${word(field)}\x01v`)
    return `\x18\0\0\0\0\xff\x03\0\0${length(count)}${fields.join('')}`
  },
  (random, count) => {
    const fields = elements(random, count).flatMap((field) => [field, letters(random, 3), '0'])
    return `\x19\0\0\0\0\xff\x03\0\0${packed(listpackOf(fields.map(inListpack)))}`
  },
  (random) => stream(random, [15, 19, 21][random.below(3)]!),
  (random, count) => `\x14${packed(listpackOf(elements(random, count).map(inListpack)))}`,
]

/** Changes, cuts or repeats some of the bytes. */
function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  const way = random.below(10)
  if (way === 0) return copy.slice(0, 1 + random.below(copy.length))
  if (way === 1) {
    const from = random.below(copy.length)
    const to = from + random.below(Math.min(20, copy.length - from))
    return Uint8Array.of(...copy.slice(0, to), ...copy.slice(from))
  }
  for (let left = random.below(4); left >= 0; left--) {
    const at = random.below(copy.length)
    copy[at] = [random.below(256), copy[at]! ^ (1 << random.below(8)), 0xff, 0, 0x80, 0xfe][random.below(6)]!
  }
  return copy
}

/** A small file with a key of each type, of these sizes. */
export function fileOfAll(random: Random, sizeMax: number): Uint8Array {
  const keys = MAKERS.map((make, index) => {
    const value = make(random, 1 + random.below(sizeMax))
    const expiry = random.below(4) === 0 ? `\xfc${'\x7f'.repeat(6)}\0\0` : ''
    const hint = random.below(4) === 0 ? `\xf8${chr(random.below(64))}` : random.below(4) === 0 ? '\xf9\x05' : ''
    return `${expiry}${hint}${value.slice(0, 1)}${short(`key ${index}`)}${value.slice(1)}`
  })
  const middle = random.below(keys.length)
  const [first, second] = [keys.slice(0, middle), keys.slice(middle)]
  const head = [`\xfa${short('redis-ver')}${short('7.2.4')}`, '\xfe\x00', `\xfb${chr(middle)}\x00`]
  return fileOf([...head, ...first, '\xfe\x01', ...second])
}

/** Loads so many files, most of them changed; answers how many could be loaded. Throws when something is wrong. */
export function fuzzFiles(seed: number, cases: number): { loaded: number } {
  const random = new Random(seed)
  const keyspace = new Keyspace(2)
  keyspace.tenants++ // a flush frees everything by itself, instead of dropping the arena: so blocks left behind show
  let loaded = 0
  for (let index = 0; index < cases; index++) {
    const sound = fileOfAll(random, 8)
    const isSound = random.below(10) === 0
    const file = isSound ? sound : mutate(random, sound)
    const { loader } = loaderOf(file, { keyspace, checksum: isSound })
    const note = `seed ${seed}, case ${index}: ${Buffer.from(file).toString('hex')}`
    const before = keyspace.memory.usedBytes
    let isComplete = false
    try {
      while (loader.step()) {}
      loaded++
      isComplete = true
      if (index % 20 === 0) keyspace.verify()
    } catch (error) {
      assert(error instanceof RdbError && !isSound, `${error} ${note}`)
    }
    assert(keyspace.memory.usedBytes < before + 8 * MB, `a short file takes a lot of memory. ${note}`)
    keyspace.flush()
    while (keyspace.reclaim()) {}
    // Of a file that is given up, up to 32 entries are: who loads files ends then.
    assert(keyspace.memory.usedBytes === before || !isComplete, `blocks are left behind. ${note}`)
  }
  keyspace.verify()
  return { loaded }
}

/** Restores so many payloads, most of them changed; answers how many were values. Throws when something is wrong. */
export function fuzzPayloads(seed: number, cases: number): { values: number } {
  const random = new Random(seed)
  const keyspace = new Keyspace(1)
  const payloads = new Payloads(keyspace, new ValueFormats(keyspace))
  const key = bytesOf('key')
  const db = keyspace.databases[0]!
  const empty = keyspace.memory.usedBytes
  let values = 0
  for (let index = 0; index < cases; index++) {
    const before = keyspace.memory.usedBytes
    const content = bytesOf(MAKERS[random.below(MAKERS.length)]!(random, 1 + random.below(20)))
    const isSound = random.below(10) === 0
    const payload = payloadOf(isSound ? content : mutate(random, content))
    const note = `seed ${seed}, case ${index}: ${Buffer.from(payload).toString('hex')}`
    assert(payloads.isSound(payload, 0, payload.length), note)
    const entry = payloads.restore(payload, 0, payload.length, key, 0, key.length, undefined, -1, -1)
    assert(entry !== NONE || !isSound, `a sound payload is no value. ${note}`)
    assert(keyspace.memory.usedBytes < empty + 8 * MB, `a short payload takes a lot of memory. ${note}`)
    if (entry === NONE) {
      while (keyspace.reclaim()) {}
      assert.equal(keyspace.memory.usedBytes, before, `blocks are left behind. ${note}`)
      continue
    }
    values++
    db.lookup(key, 0, key.length)
    db.insert(entry)
    keyspace.kindOf(entry).verify(entry)
    assert(payloads.dump(entry), note)
    db.lookup(key, 0, key.length)
    db.remove(entry)
    while (keyspace.reclaim()) {}
    // The index of what expires keeps records for a while.
    const isIndexed = payload[0]! >= FIRST_EXPIRING
    assert(isIndexed || keyspace.memory.usedBytes === before, `blocks were left behind. ${note}`)
  }
  keyspace.verify()
  return { values }
}
