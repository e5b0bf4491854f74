import { describe, expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import {
  addDense,
  addRaw,
  clearHistogram,
  estimate,
  getRegister,
  HLL_DENSE_LEN,
  HLL_REGISTERS,
  HllEncoding,
  mergeDense,
  patternOf,
  raiseRegister,
  registerOf,
  runOf,
  writeHeader,
} from '../../../src/lib/hyperloglog.ts'
import {
  addSparse,
  describeSparse,
  mergeSparse,
  Plan,
  planRaise,
  raise,
  SPARSE_EMPTY_LEN,
  SPARSE_VALUE_MAX,
  toDense,
  writeEmpty,
} from '../../../src/lib/hyperloglog-sparse.ts'
import { hashHigh, hashLow, murmurHash } from '../../../src/lib/murmur.ts'
import { Random } from '../../../src/lib/random.ts'
import { testSeed } from '../../helpers/seed.ts'

const M = 0xc6a4a7935bd1e995n
const mask = (value: bigint): bigint => BigInt.asUintN(64, value)

/** MurmurHash64A as it is defined. */
function reference(bytes: Uint8Array, seed: bigint): bigint {
  let hash = mask(seed ^ (BigInt(bytes.length) * M))
  const whole = bytes.length & ~7
  for (let at = 0; at < whole; at += 8) {
    let word = mask(Buffer.from(bytes).readBigUInt64LE(at) * M)
    word = mask((word ^ (word >> 47n)) * M)
    hash = mask((hash ^ word) * M)
  }
  const rest = [...bytes.slice(whole)].reduce((sum, byte, at) => sum | (BigInt(byte) << BigInt(8 * at)), 0n)
  if (bytes.length > whole) hash = mask((hash ^ rest) * M)
  hash = mask((hash ^ (hash >> 47n)) * M)
  return hash ^ (hash >> 47n)
}

describe('HyperLogLogs', () => {
  const seed = testSeed()
  const random = new Random(seed)

  test('hash as MurmurHash64A does', () => {
    for (let len = 0; len < 200; len++) {
      const bytes = Uint8Array.from({ length: len }, () => random.next())
      murmurHash(bytes, 0, len, 0xadc83b19 | 0)
      const hash = (BigInt(hashHigh >>> 0) << 32n) | BigInt(hashLow >>> 0)
      expect(hash, `seed ${seed}, ${len} bytes`).toBe(reference(bytes, 0xadc83b19n))
    }
  })

  test('choose the register by the lowest bits, and count zeros in the others', () => {
    const bytes = fromLatin1('hello')
    const hash = reference(bytes, 0xadc83b19n)
    const pattern = patternOf(bytes, 0, bytes.length)
    expect(registerOf(pattern)).toBe(Number(hash & 16383n))
    expect(runOf(pattern)).toBe((hash >> 14n).toString(2).length - (hash >> 14n).toString(2).lastIndexOf('1'))
  })

  test('hold sparse what they hold dense, whatever is raised', () => {
    const dense = new Uint8Array(HLL_DENSE_LEN)
    writeHeader(dense, 0, HllEncoding.DENSE)
    const sparse = new Uint8Array(40000)
    writeEmpty(sparse, 0)
    let len = SPARSE_EMPTY_LEN
    const copy = new Uint8Array(HLL_DENSE_LEN)
    for (let step = 0; step < 3000; step++) {
      // Close to each other, so that runs of one value form.
      const register = random.below(random.below(2) === 0 ? 300 : HLL_REGISTERS)
      const value = 1 + random.below(random.below(2) === 0 ? 3 : SPARSE_VALUE_MAX)
      const growth = planRaise(sparse, 0, len, register, value)
      expect(growth).not.toBe(Plan.INVALID)
      expect(growth === Plan.UNCHANGED, `seed ${seed}`).toBe(!raiseRegister(dense, 0, register, value))
      if (growth !== Plan.UNCHANGED) len = raise(sparse, 0, len)
      if (step % 300 > 0) continue
      expect(toDense(sparse, 0, len, copy)).toBe(true)
      expect(copy.subarray(16), `seed ${seed}`).toEqual(dense.subarray(16))
    }
    clearHistogram()
    addDense(dense, 0)
    const count = estimate()
    clearHistogram()
    expect(addSparse(sparse, 0, len)).toBe(true)
    expect(estimate()).toBe(count)
    const most = new Uint8Array(HLL_REGISTERS)
    expect(mergeSparse(sparse, 0, len, most)).toBe(true)
    mergeDense(dense, 0, most)
    for (let register = 0; register < HLL_REGISTERS; register++) {
      expect(most[register]).toBe(getRegister(dense, 0, register))
    }
    clearHistogram()
    addRaw(most)
    expect(estimate()).toBe(count)
  })

  test('join runs of one value up to four registers', () => {
    const bytes = new Uint8Array(100)
    writeEmpty(bytes, 0)
    let len = SPARSE_EMPTY_LEN
    for (let register = 10; register < 16; register++) {
      planRaise(bytes, 0, len, register, 7)
      len = raise(bytes, 0, len)
    }
    expect(describeSparse(bytes, 0, len)).toBe('z:10 v:7,4 v:7,2 Z:16368')
  })

  test.each([
    ['too few registers', '\x40\x05'],
    ['too many registers', '\x7f\xff\x80'],
    ['a run that is cut off', '\x7f'],
    ['too many after values', `\x7f\xfe${'\x83'}`],
  ])('refuse %s', (_, runs) => {
    const bytes = fromLatin1(`HYLL\x01${'\0'.repeat(11)}${runs}`)
    const most = new Uint8Array(HLL_REGISTERS)
    expect(addSparse(bytes, 0, bytes.length)).toBe(false)
    expect(mergeSparse(bytes, 0, bytes.length, most)).toBe(false)
    expect(toDense(bytes, 0, bytes.length, new Uint8Array(HLL_DENSE_LEN))).toBe(false)
  })
})
