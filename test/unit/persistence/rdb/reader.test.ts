import { describe, expect, test } from 'vitest'
import { Random } from '../../../../src/lib/random.ts'
import { Form, RdbError, RdbReader } from '../../../../src/persistence/rdb/reader.ts'
import { RdbWriter } from '../../../../src/persistence/rdb/writer.ts'
import { bytesOf, Collector, sourceOf, withChecksum } from './support.ts'

const LEN_MAX = 1_000_000

function readerOf(bytes: Uint8Array | string, bufferSize = 64, portionMax = 7): RdbReader {
  const source = sourceOf(typeof bytes === 'string' ? bytesOf(bytes) : bytes, portionMax)
  return new RdbReader(source, true, LEN_MAX, bufferSize)
}

function written(write: (writer: RdbWriter) => void, compression = true): Uint8Array {
  const sink = new Collector()
  const writer = new RdbWriter(sink, { compression, checksum: true })
  write(writer)
  writer.end()
  return sink.all
}

function writtenAll<T>(
  items: readonly T[],
  write: (writer: RdbWriter, item: T) => void,
  compression = true,
): Uint8Array {
  return written((writer) => {
    for (const item of items) write(writer, item)
  }, compression)
}

/** The reason why reading is given up, and where. */
function refusal(read: () => void): { message: string; offset: number } {
  try {
    read()
  } catch (error) {
    if (error instanceof RdbError) return { message: error.message, offset: error.offset }
    throw error
  }
  throw new Error('it was read')
}

test('lengths come back as they were written', () => {
  const lengths = [0, 1, 63, 64, 16383, 16384, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, 2 ** 53 - 1]
  const reader = readerOf(writtenAll(lengths, (writer, length) => writer.length(length)))
  expect(lengths.map(() => reader.length())).toEqual(lengths)
})

test.each([16, 64, 100_000])('strings come back as they were written, read through %i bytes', (bufferSize) => {
  const random = new Random(3)
  const texts = ['', '0', '-128', '32767', '-2147483648', '2147483648', 'hello', 'a'.repeat(300), 'xyz'.repeat(40_000)]
  for (let count = 0; count < 200; count++) {
    const letters = count % 3 === 0 ? 256 : 3
    texts.push(Array.from({ length: random.below(400) }, () => String.fromCharCode(random.below(letters))).join(''))
  }
  for (const compression of [true, false]) {
    const bytes = writtenAll(texts, (writer, text) => writer.text(text), compression)
    const reader = readerOf(bytes, bufferSize, 1000)
    for (const text of texts) expect(reader.text()).toBe(text)
    expect(reader.byte()).toBe(255)
    expect(reader.verifyChecksum()).toEqual({ isAbsent: false })
    expect(reader.remaining).toBe(0)
  }
})

test('a string can be written to its place, or passed over', () => {
  const texts = ['12345', 'plain', 'z'.repeat(500), `${'q'.repeat(30)}w`, 'end']
  const bytes = writtenAll(texts, (writer, text) => writer.text(text))
  const [taking, skipping] = [readerOf(bytes), readerOf(bytes)]
  for (const text of texts) {
    taking.head()
    expect(taking.len).toBe(text.length)
    const target = new Uint8Array(text.length + 2).fill(7)
    taking.takeInto(target, 1)
    expect(target).toEqual(bytesOf(`\x07${text}\x07`))
    skipping.head()
    skipping.skip()
    expect(skipping.offset).toBe(taking.offset)
  }
})

test('words are signed, the lowest byte first', () => {
  const reader = readerOf('\xff\xff\xff\xff\x01\x00\x00\x80\x00\x68\xe5\xcf\x8b\x01\x00\x00')
  expect([reader.int32(), reader.int32(), reader.int64()]).toEqual([-1, -(2 ** 31) + 1, 1700000000000])
})

describe('what cannot be is refused, with its place', () => {
  test.each([
    ['a string that is longer than the rest', '\x05abcd', 'Unexpected EOF', 1],
    ['a long string of which there is nothing', '\x80\x00\x01\x00\x00', 'Unexpected EOF', 5],
    ['a string of terabytes', '\x81\x00\x00\x10\x00\x00\x00\x00\x00', 'Unexpected EOF', 9],
    ['a string of 2^64 - 1 bytes', `\x81${'\xff'.repeat(8)}`, 'Unexpected EOF', 9],
    ['an integer that is cut off', '\xc2\x01\x02', 'Unexpected EOF', 3],
    ['a length that is cut off', '\x40', 'Unexpected EOF', 1],
    ['a length of no kind', '\x82\x00\x00\x00\x00', 'Unknown length encoding', 0],
    ['a string of no kind', '\xc4\x00', 'Unknown string encoding 4', 0],
    ['a packed string that is cut off', '\xc3\x05\x10ab', 'Unexpected EOF', 3],
    ['a packed string that unpacks to too much', '\xc3\x02\x43\xe8ab', 'A compressed string cannot become so long', 4],
    ['a packed string that is damaged', '\xc3\x02\x10\xffa', 'Invalid LZF compressed string', 3],
    ['a packed string that unpacks to less', '\xc3\x02\x04\x00a', 'Invalid LZF compressed string', 3],
  ])('%s', (_, bytes, message, offset) => {
    const found = refusal(() => readerOf(bytes).text())
    expect(found.message).toContain(message)
    expect(found.offset).toBe(offset)
  })

  test('a string longer than can be held', () => {
    const bytes = written((writer) => writer.text('a'.repeat(LEN_MAX + 1)))
    expect(refusal(() => readerOf(bytes).text()).message).toContain('longer than can be held')
  })

  test('a packed length where only a plain one can stand', () => {
    expect(refusal(() => readerOf('\xc0\x01').length()).message).toContain('Unknown length encoding')
  })
})

describe('the checksum', () => {
  const content = 'x'.repeat(1000)
  const read = (bytes: Uint8Array): RdbReader => {
    const reader = readerOf(bytes)
    for (let index = 0; index < content.length; index++) reader.byte()
    return reader
  }

  test('tells a changed byte', () => {
    const bytes = withChecksum(bytesOf(content))
    expect(read(bytes).verifyChecksum()).toEqual({ isAbsent: false })
    bytes[500]! ^= 1
    expect(read(bytes).verifyChecksum().wrong).toMatchObject({ expected: expect.stringMatching(/^[0-9a-f]{16}$/) })
  })

  test('of zero is none', () => {
    expect(read(bytesOf(content + '\0'.repeat(8))).verifyChecksum()).toEqual({ isAbsent: true })
  })

  test('that is cut off is an error', () => {
    expect(refusal(() => read(bytesOf(`${content}\0\0`)).verifyChecksum())).toEqual({
      message: 'Unexpected EOF',
      offset: 1002,
    })
  })
})

test('the form of a string is told before it is read', () => {
  const reader = readerOf('\xc0\x05\x03abc\xc3\x03\x03\x01aa')
  reader.head()
  expect([reader.form, reader.len, reader.value]).toEqual([Form.INTEGER, 1, 5])
  reader.head()
  expect([reader.form, reader.len]).toEqual([Form.PLAIN, 3])
  reader.skip()
  reader.head()
  expect([reader.form, reader.len]).toEqual([Form.PACKED, 3])
})
