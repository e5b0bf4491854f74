import { beforeAll, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { hashBytes, seedHash } from '../../../src/lib/siphash.ts'
import { Memory, type Ref } from '../../../src/memory/memory.ts'
import { keyLenOf, keyPosOf } from '../../../src/structures/entry-head.ts'
import { Table } from '../../../src/structures/table.ts'
import { createMember, scoreOf, setScore, verifyMember } from '../../../src/structures/zset-member.ts'

beforeAll(() => seedHash(1, 2))

const memory = new Memory()
const create = (text: string, score: number): Ref => createMember(memory, score, fromLatin1(text), 0, text.length)
const textOf = (member: Ref): string =>
  latin1(memory.bytesOf(member), keyPosOf(memory, member), keyLenOf(memory, member))

const LENGTHS = [0, 1, 3, 4, 5, 20, 21, 65_534, 65_535, 65_536, 70_000]

test.each(LENGTHS)('a member of %i bytes keeps its bytes and its score', (length) => {
  const text = '\x00\xffab'.repeat(20_000).slice(0, length)
  const member = create(text, 1.5)
  verifyMember(memory, member)
  expect(textOf(member)).toBe(text)
  expect(scoreOf(memory, member)).toBe(1.5)
  setScore(memory, member, -2e300)
  verifyMember(memory, member)
  expect(textOf(member)).toBe(text)
  expect(scoreOf(memory, member)).toBe(-2e300)
  memory.free(member)
  memory.verify()
})

test.each([0, -0, Infinity, -Infinity, Number.MIN_VALUE, -1e-310, 2 ** 53, 0.1])(
  'the score %d is kept exactly',
  (score) => {
    expect(scoreOf(memory, create('m', score))).toBe(score)
  },
)

test('a member of 4 bytes takes one granule', () => {
  expect(memory.capacity(create('abcd', 1))).toBe(16)
  expect(memory.capacity(create('abcde', 1))).toBe(32)
})

test('a table finds members by their bytes', () => {
  const table = new Table(memory)
  const root = table.create()
  const texts = LENGTHS.map((length) => 'm'.repeat(length))
  const members = texts.map((text, index) => create(text, index))
  texts.forEach((text, index) => {
    table.insert(root, members[index]!, hashBytes(fromLatin1(text), 0, text.length))
  })
  texts.forEach((text, index) => {
    const found = table.find(root, fromLatin1(text), 0, text.length, hashBytes(fromLatin1(text), 0, text.length))
    expect(found).toBe(members[index])
    expect(scoreOf(memory, found)).toBe(index)
  })
})

test('verify notices a score that is no number', () => {
  const member = create('m', 1)
  setScore(memory, member, Number.NaN)
  expect(() => verifyMember(memory, member)).toThrow('a score is a number')
})
