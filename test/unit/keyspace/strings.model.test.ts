/* The string type against a plain byte string: one key goes through all its forms (integer, inline, a block of its own,
 * with room to spare or without) in random order, with and without an expiry, beside neighbours that must not
 * change. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StringEncoding } from '../../../src/keyspace/entry.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { copyBytes, fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { INT64_MAX, INT64_MIN, type Int64, int64ToString, parseInt64 } from '../../../src/lib/int64.ts'
import { blockSizeFor, NONE, type Ref } from '../../../src/memory/memory.ts'

const NOW = 1_700_000_000_000

/** A keyspace with one key whose value is watched, and two others. */
class Pair {
  readonly keyspace = new Keyspace(1)
  readonly db = this.keyspace.databases[0]!
  readonly key: Uint8Array
  value: string | undefined = undefined
  due: number | undefined = undefined
  encoding: number = StringEncoding.EMBSTR

  constructor(keyLen: number) {
    this.keyspace.setTime(NOW)
    this.key = new Uint8Array(keyLen).fill(107)
    for (const name of ['before', 'after']) this.put(fromLatin1(name), fromLatin1(name.repeat(50)), undefined)
  }

  private put(key: Uint8Array, value: Uint8Array, due: number | undefined): void {
    const found = this.db.lookupWrite(key, 0, key.length)
    this.keyspace.strings.store(this.db, found, key, 0, key.length, value, 0, value.length, due)
  }

  private found(): Ref {
    return this.db.lookupWrite(this.key, 0, this.key.length)
  }

  store(value: string, due: number | undefined): void {
    this.put(this.key, fromLatin1(value), due)
    this.set(value, due)
    if (parseInt64(fromLatin1(value), 0, value.length) !== undefined) this.encoding = StringEncoding.INT
  }

  storeBytes(value: string, due: number | undefined): void {
    const bytes = fromLatin1(value)
    this.keyspace.strings.storeBytes(this.db, this.found(), this.key, 0, this.key.length, bytes, 0, bytes.length, due)
    this.set(value, due)
  }

  storeInteger(value: Int64, due: number | undefined): void {
    this.keyspace.strings.storeInteger(this.db, this.found(), this.key, 0, this.key.length, value, due)
    this.set(int64ToString(value), due)
    this.encoding = StringEncoding.INT
  }

  private set(value: string, due: number | undefined): void {
    this.value = value
    this.due = due
    this.encoding = value.length <= 44 ? StringEncoding.EMBSTR : StringEncoding.RAW
  }

  /** As SETRANGE does; at the end, as APPEND. */
  write(offset: number, text: string): void {
    const { strings } = this.keyspace
    const old = this.value ?? ''
    const len = Math.max(old.length, offset + text.length)
    if (len === 0) return
    const entry = this.found()
    const target =
      entry === NONE ? strings.add(this.db, this.key, 0, this.key.length, len) : strings.extend(this.db, entry, len)
    strings.locate(target)
    copyBytes(fromLatin1(text), 0, strings.bytes, strings.pos + offset, text.length)
    const padded = old.padEnd(len, '\0')
    this.value = padded.slice(0, offset) + text + padded.slice(offset + text.length)
    this.encoding = StringEncoding.RAW
  }

  expire(due: number | undefined): void {
    const entry = this.found()
    if (entry === NONE || (due === undefined && this.due === undefined)) return
    if (due === undefined) this.db.dropExpiry(entry)
    else this.db.setExpiry(entry, due)
    this.due = due
  }

  remove(): void {
    const entry = this.found()
    if (entry !== NONE) this.db.remove(entry)
    this.value = undefined
    this.due = undefined
  }

  verify(): void {
    this.keyspace.verify()
    this.verifyValue()
    for (const name of ['before', 'after']) {
      const entry = this.db.lookup(fromLatin1(name), 0, name.length)
      expect(this.text(entry)).toBe(name.repeat(50))
    }
  }

  private text(entry: Ref): string {
    const { strings } = this.keyspace
    strings.locate(entry)
    return latin1(strings.bytes, strings.pos, strings.len)
  }

  private verifyValue(): void {
    const { entries, strings } = this.keyspace
    const entry = this.found()
    expect(entry === NONE).toBe(this.value === undefined)
    if (this.value === undefined) return
    expect(strings.length(entry)).toBe(this.value.length)
    expect(this.text(entry) === this.value).toBe(true)
    expect(entries.encoding(entry)).toBe(this.encoding)
    expect(entries.expires(entry) ? entries.expiry(entry) : undefined).toBe(this.due)
    const integer = this.value.length <= 20 ? parseInt64(fromLatin1(this.value), 0, this.value.length) : undefined
    expect(strings.integer(entry)).toBe(integer)
    const keyPos = entries.keyPos(entry)
    expect(latin1(this.keyspace.memory.bytesOf(entry), keyPos, entries.keyLen(entry))).toBe(
      latin1(this.key, 0, this.key.length),
    )
  }
}

type Op =
  | { readonly kind: 'store' | 'storeBytes'; readonly value: string; readonly due: number | undefined }
  | { readonly kind: 'storeInteger'; readonly value: Int64; readonly due: number | undefined }
  | { readonly kind: 'append'; readonly value: string }
  | { readonly kind: 'write'; readonly value: string; readonly offset: number }
  | { readonly kind: 'expire'; readonly due: number | undefined }
  | { readonly kind: 'remove' }

const lengths = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 60 }) },
  { weight: 3, arbitrary: fc.integer({ min: 60, max: 3000 }) },
  { weight: 2, arbitrary: fc.constantFrom(43, 44, 45, 1023, 1024, 1025, 2047, 2048, 2049) },
  { weight: 1, arbitrary: fc.integer({ min: 3000, max: 300_000 }) },
)
const integers: fc.Arbitrary<Int64> = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom<Int64>(0, -1, INT64_MAX, INT64_MIN, Number.MAX_SAFE_INTEGER, 9007199254740993n),
)
const values = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(lengths, fc.nat(255)).map(([len, byte]) => String.fromCharCode(byte).repeat(len)) },
  { weight: 1, arbitrary: integers.map(int64ToString) },
)
const dues = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 1, max: 2 ** 40 }).map((ahead) => NOW + ahead),
)
const anyOp: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('store' as const), value: values, due: dues }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('storeBytes' as const), value: values, due: dues }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('storeInteger' as const), value: integers, due: dues }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('append' as const), value: values }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('write' as const), value: values, offset: lengths }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const), due: dues }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const) }) },
)

function apply(pair: Pair, op: Op): void {
  if (op.kind === 'store') pair.store(op.value, op.due)
  else if (op.kind === 'storeBytes') pair.storeBytes(op.value, op.due)
  else if (op.kind === 'storeInteger') pair.storeInteger(op.value, op.due)
  else if (op.kind === 'append') pair.write(pair.value?.length ?? 0, op.value)
  else if (op.kind === 'write') pair.write(op.offset, op.value)
  else if (op.kind === 'expire') pair.expire(op.due)
  else pair.remove()
}

test.each([0, 1, 30, 65_534, 65_535, 70_000])('random changes of a string under a key of %i bytes', (keyLen) => {
  fc.assert(
    fc.property(fc.array(anyOp, { minLength: 30, maxLength: 120, size: 'max' }), (ops) => {
      const pair = new Pair(keyLen)
      for (const op of ops) {
        apply(pair, op)
        pair.verify()
      }
    }),
    { numRuns: 20 },
  )
})

describe('a string', () => {
  const lookup = (pair: Pair): Ref => pair.db.lookup(pair.key, 0, pair.key.length)

  test('that was stored whole has no room to spare', () => {
    for (const len of [1, 44, 45, 1000, 1024, 1025, 5000, 100_000, 5_000_000]) {
      const pair = new Pair(16)
      pair.store('x'.repeat(100), undefined)
      pair.store('x'.repeat(len), undefined)
      const { entries, memory, strings } = pair.keyspace
      const entry = lookup(pair)
      const own = strings.valueBytes(entry)
      expect(own).toBe(entries.isOwn(entry) ? blockSizeFor(len) : 0)
      if (own === 0) expect(memory.capacity(entry)).toBe(blockSizeFor(12 + 16 + len))
    }
  })

  test('that is appended to a million times is copied a few dozen times', () => {
    const pair = new Pair(5)
    pair.store('', undefined)
    const { strings } = pair.keyspace
    let moves = 0
    let last = -1
    for (let len = 1; len <= 1_000_000; len++) {
      const entry = strings.extend(pair.db, pair.db.lookupWrite(pair.key, 0, 5), len)
      strings.locate(entry)
      strings.bytes[strings.pos + len - 1] = 97
      if (strings.pos !== last) moves++
      last = strings.pos
    }
    expect(moves).toBeLessThan(40)
    pair.value = 'a'.repeat(1_000_000)
    pair.encoding = StringEncoding.RAW
    pair.verify()
  })

  test('may be longer than a chunk', () => {
    const pair = new Pair(3)
    pair.store('v'.repeat(20_000_000), undefined)
    pair.write(20_000_000, 'w'.repeat(3_000_000))
    pair.verify()
    pair.remove()
    pair.verify()
  })
})
