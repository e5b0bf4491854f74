import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { ID_SIZE, ID_TEXT_MAX, StreamId } from '../../../src/lib/stream-id.ts'
import { testSeed } from '../../helpers/seed.ts'

const ALL = (1n << 128n) - 1n
const LOW = (1n << 64n) - 1n

const part = (value: bigint, shift: bigint): number => Number((value >> shift) & 0xffffffffn)
const idOf = (value: bigint): StreamId =>
  new StreamId().set(part(value, 96n), part(value, 64n), part(value, 32n), part(value, 0n))
const textOf = (value: bigint): string => `${value >> 64n}-${value & LOW}`

/** Ids of all sizes, many of them next to where words end. */
function someId(random: Random): bigint {
  const wide = [0, 0, 0, 0].reduce((sum) => (sum << 32n) | BigInt(random.next() >>> random.below(33)), 0n)
  const edge = (1n << BigInt(random.below(129))) + BigInt(random.below(3)) - 1n
  return (random.below(2) === 0 ? wide : edge) & ALL
}

test('ids compare, count, add, and are written as 128-bit numbers do', () => {
  const seed = testSeed()
  const random = new Random(seed)
  const bytes = new Uint8Array(ID_SIZE)
  const text = new Uint8Array(ID_TEXT_MAX)
  let last = 0n
  for (let round = 0; round < 20_000; round++) {
    const one = someId(random)
    const other = random.below(3) === 0 ? last : someId(random)
    last = one
    const note = `seed ${seed}: ${textOf(one)} and ${textOf(other)}`
    const id = idOf(one)
    expect(Math.sign(id.compare(idOf(other))), note).toBe(one < other ? -1 : one > other ? 1 : 0)
    const end = id.writeText(text, 0)
    expect(Buffer.from(text.slice(0, end)).toString(), note).toBe(textOf(one))
    id.writeBytes(bytes, 0)
    expect(Buffer.from(bytes).toString('hex'), note).toBe(one.toString(16).padStart(32, '0'))
    expect(new StreamId().readBytes(bytes, 0).compare(id), note).toBe(0)
    const next = idOf(one)
    expect(next.increment(), note).toBe(one !== ALL)
    expect(next.compare(idOf((one + 1n) & ALL)), note).toBe(0)
    const before = idOf(one)
    expect(before.decrement(), note).toBe(one !== 0n)
    expect(before.compare(idOf((one - 1n) & ALL)), note).toBe(0)
    const difference = idOf(one).subtract(idOf(other))
    const { msHigh, msLow, seqHigh, seqLow } = difference
    expect(idOf(other).add(msHigh, msLow, seqHigh, seqLow).compare(id), note).toBe(0)
  }
})

test('the first id of a millisecond', () => {
  for (const ms of [0, 1, 2 ** 31, 2 ** 32, 1_700_000_000_123, Number.MAX_SAFE_INTEGER]) {
    expect(String(new StreamId().toStartOf(ms))).toBe(`${ms}-0`)
  }
})
