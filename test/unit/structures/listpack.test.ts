/* What listpacks promise, one by one; listpack.model.test.ts has what they do together. */
import { beforeEach, describe, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { INT64_MAX, INT64_MIN } from '../../../src/lib/int64.ts'
import { Memory, NONE, posOf, type Ref } from '../../../src/memory/memory.ts'
import { Listpacks, NO_ELEMENT } from '../../../src/structures/listpack.ts'
import { backlenEndingAt, backlenSize, writeBacklen } from '../../../src/structures/listpack-element.ts'
import { encodeElement, encodeListpack, INTEGERS, integerOf, LENGTHS, LOOKALIKES } from './listpack-model.ts'

/** The payload of a list that redis-server 7.2.4 made with RPUSH, from its DUMP; see the first test. */
const RECORDED =
  '9a000000120000017f01c08002dfff02cfff02d00002f1001003f1008003f200800004f2ffff7f04f3ffff7fff05f3ffffff7f05f40000' +
  '00800000000009f400000000000000800980018568656c6c6f068330303704e040' +
  '79'.repeat(64) +
  '42ff'

let memory: Memory
let listpacks: Listpacks

beforeEach(() => {
  memory = new Memory()
  listpacks = new Listpacks(memory)
})

function listpackOf(...texts: readonly string[]): Ref {
  let ref = listpacks.create()
  for (const text of texts) ref = listpacks.append(ref, fromLatin1(text), 0, text.length)
  return ref
}

function bytesOf(ref: Ref): Buffer {
  const pos = posOf(ref)
  return Buffer.from(memory.bytesOf(ref).subarray(pos, pos + listpacks.size(ref)))
}

function textsOf(ref: Ref): string[] {
  const texts: string[] = []
  for (let off = listpacks.first(ref); off !== NO_ELEMENT; ) {
    off = listpacks.locate(ref, off)
    texts.push(latin1(listpacks.bytes, listpacks.pos, listpacks.len))
  }
  return texts
}

const find = (ref: Ref, text: string, skip = 0): number =>
  listpacks.find(ref, listpacks.first(ref), fromLatin1(text), 0, text.length, skip)

describe('the format', () => {
  test('is that of a real server', () => {
    const texts = ['0', '127', '128', '-1', '4095', '-4096', '4096', '-32768', '32768', '8388607', '-8388609']
    const wide = ['2147483647', '2147483648', '-9223372036854775808', '', 'hello', '007', 'y'.repeat(64)]
    expect(bytesOf(listpackOf(...texts, ...wide)).toString('hex')).toBe(RECORDED)
  })

  test.each([...INTEGERS, ...LOOKALIKES])(
    'of an element that reads "%s" is the shortest that gives it back',
    (text) => {
      const ref = listpackOf(text)
      expect(bytesOf(ref)).toEqual(encodeListpack([text]))
      expect(textsOf(ref)).toEqual([text])
      listpacks.get(ref, listpacks.first(ref))
      expect(listpacks.isInteger).toBe(integerOf(text) !== undefined)
    },
  )

  test.each(LENGTHS)('of a string of %i bytes is the shortest, and it can be walked over in both directions', (len) => {
    const text = 's'.repeat(len)
    const ref = listpackOf('before', text, 'after')
    expect(bytesOf(ref).equals(encodeListpack(['before', text, 'after']))).toBe(true)
    const off = listpacks.next(ref, listpacks.first(ref))
    listpacks.get(ref, off)
    expect(listpacks.len).toBe(len)
    expect(listpacks.prev(ref, listpacks.last(ref))).toBe(off)
    listpacks.verify(ref)
  })

  test('of an element of two megabytes has a backlen of four bytes', () => {
    const text = 'm'.repeat(2_100_000)
    const ref = listpackOf('1', text, '2')
    expect(bytesOf(ref).equals(encodeListpack(['1', text, '2']))).toBe(true)
    expect(listpacks.seek(ref, -2)).toBe(listpacks.seek(ref, 1))
    listpacks.verify(ref)
  })

  test('of a backlen takes 1 to 5 bytes, read from its end', () => {
    const limits = [1, 127, 128, 16382, 16383, 2097150, 2097151, 268435454, 268435455, 2 ** 31 - 1]
    expect(limits.map(backlenSize)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    for (const size of limits) {
      const bytes = new Uint8Array(16).fill(0xff)
      writeBacklen(size, bytes, 5)
      expect(backlenEndingAt(bytes, 5 + backlenSize(size) - 1)).toBe(size)
      expect(bytes[5 + backlenSize(size)]).toBe(0xff)
    }
    expect(backlenEndingAt(new Uint8Array(16).fill(0xff), 9)).toBe(-1)
  })
})

describe('integers', () => {
  test('are read as such and as digits', () => {
    const ref = listpackOf('-5', '9007199254740993', '-9223372036854775808')
    const second = listpacks.get(ref, listpacks.first(ref))
    expect([listpacks.isInteger, listpacks.integer, listpacks.number]).toEqual([true, -5, -5])
    const third = listpacks.get(ref, second)
    expect(listpacks.integer).toBe(9007199254740993n)
    listpacks.get(ref, third)
    expect(listpacks.integer).toBe(INT64_MIN)
    expect(listpacks.number).toBe(-(2 ** 63))
    expect(textsOf(ref)).toEqual(['-5', '9007199254740993', '-9223372036854775808'])
  })

  test('are written as their digits would be', () => {
    let ref = listpacks.create()
    ref = listpacks.appendInteger(ref, -4097)
    ref = listpacks.appendInteger(ref, 0)
    ref = listpacks.appendInteger(ref, INT64_MAX)
    ref = listpacks.insertIntegerAfter(ref, listpacks.last(ref), 2 ** 53 - 1)
    ref = listpacks.replaceInteger(ref, listpacks.first(ref), 300)
    expect(bytesOf(ref)).toEqual(encodeListpack(['300', '0', '9223372036854775807', '9007199254740991']))
  })

  test('are found by value, also where somebody wrote them with more bytes than needed, or as a string', () => {
    const wide = Buffer.from('110000000100f4050000000000000009ff', 'hex')
    const wideRef = listpacks.fromBytes(wide, 0, wide.length)
    expect(find(wideRef, '5')).toBe(6)
    const text = Buffer.from([10, 0, 0, 0, 1, 0, 0x81, 0x35, 2, 0xff])
    const textRef = listpacks.fromBytes(text, 0, text.length)
    expect(find(textRef, '5')).toBe(6)
    expect(listpacks.equals(textRef, 6, fromLatin1('5'), 0, 1)).toBe(true)
    expect(find(wideRef, '05')).toBe(NO_ELEMENT)
  })
})

describe('finding', () => {
  test('looks at fields, and not at their values', () => {
    const ref = listpackOf('a', 'b', 'b', 'c', 'c', 'a')
    expect(find(ref, 'b', 1)).toBe(listpacks.seek(ref, 2))
    expect(find(ref, 'b', 0)).toBe(listpacks.seek(ref, 1))
    expect(find(ref, 'a', 1)).toBe(listpacks.seek(ref, 0))
    expect(find(ref, 'd', 1)).toBe(NO_ELEMENT)
  })

  test('goes on from an element, and stops at the end however many are to be skipped', () => {
    const ref = listpackOf('a', 'b', 'a', 'b', 'a')
    const second = listpacks.next(ref, listpacks.first(ref))
    expect(listpacks.find(ref, second, fromLatin1('a'), 0, 1, 0)).toBe(listpacks.seek(ref, 2))
    expect(find(ref, 'x', 3)).toBe(NO_ELEMENT)
    expect(find(ref, '7', 3)).toBe(NO_ELEMENT)
    expect(find(listpacks.create(), 'x')).toBe(NO_ELEMENT)
  })

  test('tells strings of each form apart by their last byte', () => {
    for (const len of LENGTHS.filter((length) => length > 0)) {
      const texts = ['a', 'b', 'c'].map((last) => 'x'.repeat(len - 1) + last)
      const ref = listpackOf(...texts)
      expect(texts.map((text) => find(ref, text))).toEqual([0, 1, 2].map((rank) => listpacks.seek(ref, rank)))
      expect(find(ref, 'x'.repeat(len - 1) + 'd')).toBe(NO_ELEMENT)
    }
  })
})

describe('the count', () => {
  test('is not written from 65535 elements on, and again when a walk finds fewer', () => {
    const ones = (count: number): string[] => Array<string>(count).fill('1')
    let ref = listpackOf(...ones(65_534))
    expect(bytesOf(ref).equals(encodeListpack(ones(65_534)))).toBe(true)
    ref = listpacks.append(ref, fromLatin1('1'), 0, 1)
    expect(bytesOf(ref).equals(encodeListpack(ones(65_535), 65_535))).toBe(true)
    ref = listpacks.append(ref, fromLatin1('2'), 0, 1)
    expect(listpacks.count(ref)).toBe(65_536)
    listpacks.verify(ref)
    expect(listpacks.seek(ref, -1)).toBe(listpacks.last(ref))
    expect(listpacks.seek(ref, 65_535)).toBe(listpacks.last(ref))
    expect(listpacks.seek(ref, 65_536)).toBe(NO_ELEMENT)
    expect(listpacks.seek(ref, -65_536)).toBe(listpacks.first(ref))
    expect(listpacks.seek(ref, -65_537)).toBe(NO_ELEMENT)
    ref = listpacks.deleteRange(ref, -3, 3)
    expect(bytesOf(ref).equals(encodeListpack(ones(65_533), 65_535))).toBe(true)
    expect(listpacks.count(ref)).toBe(65_533)
    expect(bytesOf(ref).equals(encodeListpack(ones(65_533)))).toBe(true)
  })

  test('of what was split and merged is right on both sides of the limit', () => {
    let ref = listpackOf(...Array<string>(40_000).fill('1'))
    ref = listpacks.merge(ref, listpacks.copy(ref))
    expect(listpacks.count(ref)).toBe(80_000)
    const tail = listpacks.split(ref, listpacks.seek(ref, 30_000))
    expect([listpacks.count(ref), listpacks.count(tail)]).toEqual([30_000, 50_000])
    listpacks.verify(ref)
    listpacks.verify(tail)
  })
})

describe('the block', () => {
  test('grows by steps, so that appending copies little', () => {
    let ref = listpacks.create()
    let moves = 0
    for (let count = 0; count < 8000; count++) {
      const grown = listpacks.append(ref, fromLatin1('x'), 0, 1)
      if (grown !== ref) moves++
      ref = grown
      expect(memory.capacity(ref)).toBeLessThanOrEqual(Math.max(32, listpacks.size(ref) * 1.125 + 16))
    }
    expect(moves).toBeLessThan(80)
  })

  test('grows by an eighth where it is large', () => {
    let ref = listpacks.create()
    let moves = 0
    const text = fromLatin1('y'.repeat(4000))
    for (let count = 0; count < 2500; count++) {
      const grown = listpacks.append(ref, text, 0, text.length)
      if (grown !== ref) moves++
      ref = grown
    }
    expect(moves).toBeLessThan(100)
    ref = listpacks.trim(ref)
    expect(memory.capacity(ref)).toBeLessThan(listpacks.size(ref) + 16_384)
    listpacks.verify(ref)
  })

  test('shrinks when half of it is unused, not before', () => {
    let ref = listpackOf(...Array<string>(1000).fill('1'))
    const before = memory.usedBytes
    const same = listpacks.deleteRange(ref, 0, 450)
    expect(same).toBe(ref)
    ref = listpacks.deleteRange(ref, 0, 150)
    expect(memory.usedBytes).toBeLessThan(before / 2)
    ref = listpacks.deleteRange(ref, 0, 1000)
    expect([listpacks.isEmpty(ref), listpacks.first(ref), listpacks.last(ref)]).toEqual([true, NO_ELEMENT, NO_ELEMENT])
    expect(memory.capacity(ref)).toBe(16)
  })

  test('has room for what was reserved', () => {
    const texts = Array.from({ length: 50 }, (_, number) => `element ${number}`)
    const extra = texts.reduce((sum, text) => sum + listpacks.sizeFor(fromLatin1(text), 0, text.length), 0)
    let ref = listpacks.reserve(listpacks.create(), extra)
    const reserved = ref
    for (const text of texts) ref = listpacks.append(ref, fromLatin1(text), 0, text.length)
    expect(ref).toBe(reserved)
    expect(listpacks.create(200)).not.toBe(NONE)
  })

  test('is given back', () => {
    const refs = [listpackOf('a'), listpackOf('b'.repeat(100_000)), listpacks.copy(listpackOf('c'))]
    for (const ref of refs) listpacks.free(ref)
    expect(memory.blockCount).toBe(1)
    memory.verify()
  })
})

test('sizes are foretold', () => {
  for (const text of [...INTEGERS, ...LOOKALIKES]) {
    const size = encodeElement(text).length
    expect(listpacks.sizeFor(fromLatin1(text), 0, text.length)).toBe(size)
    expect(listpacks.elementSize(listpackOf(text), 6)).toBe(size)
  }
  expect(listpacks.sizeForInteger(INT64_MIN)).toBe(10)
  expect(listpacks.sizeForIntegers(4096, 10)).toBe(listpacks.size(listpackOf(...Array<string>(10).fill('4096'))))
})

test('a listpack is refused what would make it larger than 1 GB', () => {
  expect(listpacks.safeToAdd(NONE, 1 << 30)).toBe(true)
  expect(listpacks.safeToAdd(NONE, (1 << 30) + 1)).toBe(false)
  expect(listpacks.safeToAdd(listpacks.create(), (1 << 30) - 7)).toBe(true)
  expect(listpacks.safeToAdd(listpacks.create(), (1 << 30) - 6)).toBe(false)
})

test('a range is deleted as far as there is one', () => {
  const after = (index: number, count: number): string[] =>
    textsOf(listpacks.deleteRange(listpackOf('a', 'b', 'c', 'd'), index, count))
  expect(after(1, 2)).toEqual(['a', 'd'])
  expect(after(-2, 1)).toEqual(['a', 'b', 'd'])
  expect(after(-2, 100)).toEqual(['a', 'b'])
  expect(after(2, 0)).toEqual(['a', 'b', 'c', 'd'])
  expect(after(4, 1)).toEqual(['a', 'b', 'c', 'd'])
  expect(after(-5, 1)).toEqual(['a', 'b', 'c', 'd'])
})

test('verify notices what is wrong', () => {
  const damage = (change: (bytes: Uint8Array, pos: number) => void) => () => {
    const ref = listpackOf('hello', '1234567', 'z'.repeat(200))
    change(memory.bytesOf(ref), posOf(ref))
    listpacks.verify(ref)
  }
  expect(damage(() => undefined)).not.toThrow()
  expect(damage((bytes, pos) => (bytes[pos + 4] = 2))).toThrow('counted')
  expect(damage((bytes, pos) => (bytes[pos + 6] = 0x84))).toThrow('backlen')
  expect(damage((bytes, pos) => (bytes[pos + 12] = 5))).toThrow('backlen')
  expect(damage((bytes, pos) => (bytes[pos + 1] = 9))).toThrow('block')
  expect(damage((bytes, pos) => bytes[pos]!--)).toThrow('end')
  expect(damage((bytes, pos) => (bytes[pos + 13] = 0xf5))).toThrow('whole')
})
