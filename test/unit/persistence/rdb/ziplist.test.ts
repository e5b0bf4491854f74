import { describe, expect, test } from 'vitest'
import { latin1 } from '../../../../src/lib/bytes.ts'
import { Random } from '../../../../src/lib/random.ts'
import { ZiplistReader } from '../../../../src/persistence/rdb/ziplist.ts'
import { bytesOf, ziplistOf } from './support.ts'

/** The entries of a ziplist that stands behind other bytes, or undefined if it is refused. */
function read(ziplist: string, reader = new ZiplistReader()): string[] | undefined {
  const bytes = bytesOf(`before${ziplist}`)
  if (!reader.open(bytes, 6, bytes.length - 6)) return undefined
  const found: string[] = []
  while (reader.next()) {
    reader.locate()
    found.push(latin1(reader.bytes, reader.pos, reader.len))
  }
  expect(found.length).toBe(reader.count)
  return found
}

describe('a ziplist', () => {
  test.each([
    ['\x00', ''],
    ['\x03abc', 'abc'],
    [`\x3f${'a'.repeat(63)}`, 'a'.repeat(63)],
    [`\x41\x02${'b'.repeat(258)}`, 'b'.repeat(258)],
    [`\x80\x00\x00\x40\x01${'c'.repeat(16385)}`, 'c'.repeat(16385)],
    ['\xbf\x00\x00\x00\x01d', 'd'],
    ['\xf1', '0'],
    ['\xfd', '12'],
    ['\xfe\x80', '-128'],
    ['\xc0\xff\x7f', '32767'],
    ['\xc0\x00\x80', '-32768'],
    ['\xf0\xff\xff\x7f', '8388607'],
    ['\xf0\x00\x00\x80', '-8388608'],
    ['\xd0\x00\x00\x00\x80', '-2147483648'],
    ['\xe0\xff\xff\xff\xff\xff\xff\xff\x7f', '9223372036854775807'],
    ['\xe0\x00\x00\x00\x00\x00\x00\x00\x80', '-9223372036854775808'],
  ])('has entries of each form (%j)', (entry, value) => {
    expect(read(ziplistOf([entry, '\x01x', entry]))).toEqual([value, 'x', value])
  })

  test('may be empty, or of more entries than it counts', () => {
    expect(read(ziplistOf([]))).toEqual([])
    expect(read(ziplistOf(['\x01a', '\x01b'], { count: 0xffff }))).toEqual(['a', 'b'])
  })

  test('may say a small size in five bytes', () => {
    const wide = '\xfe\x03\x00\x00\x00\x01b'
    expect(read(`\x15\0\0\0\x0d\0\0\0\x02\0\x00\x01a${wide}\xff`)).toEqual(['a', 'b'])
  })

  test.each([
    ['of another size', `\x0f${ziplistOf(['\x01a']).slice(1)}`],
    ['without an end', `${ziplistOf(['\x01a']).slice(0, -1)}\xfe`],
    ['that ends before its end', ziplistOf(['\x01a', '\x01b']).replace('\x03\x01b', '\xff\x01b')],
    ['of another count', ziplistOf(['\x01a'], { count: 2 })],
    ['with another tail', ziplistOf(['\x01a', '\x01b'], { tail: 10 })],
    ['with a tail outside', ziplistOf(['\x01a'], { tail: 0xffffffff })],
    ['with an entry that goes on too far', ziplistOf(['\x02a'])],
    // These put the tail where a reader that went on would believe it.
    ['with a last string that goes on too far', ziplistOf(['\x02a'], { tail: 9 })],
    ['with a last integer that goes on too far', ziplistOf(['\xfe'], { tail: 9 })],
    ['with a string of a length beyond 2^31', ziplistOf(['\x80\xff\xff\xff\xff'])],
    ['with half a length', ziplistOf(['\x40'])],
    ['with half an integer', ziplistOf(['\xe0\x01'])],
    ['with an unknown encoding', ziplistOf(['\xff'])],
    ['with another unknown encoding', ziplistOf(['\xc1ab'])],
    ['whose entries do not know each other', ziplistOf(['\x01a', '\x01b']).replace('\x03\x01b', '\x02\x01b')],
    ['that is nothing', ''],
    ['that is a header', '\x0a\0\0\0\x0a\0\0\0\0\0'],
  ])('%s is refused', (_, ziplist) => {
    expect(read(ziplist)).toBeUndefined()
  })

  test('cut off or changed anywhere is read within its bounds, or refused', () => {
    const whole = ziplistOf(['\x03abc', '\xf0\x01\x02\x03', `\x41\x02${'b'.repeat(258)}`, '\xf5', '\xc0\x01\x80'])
    const reader = new ZiplistReader()
    for (let len = 0; len < whole.length; len++) expect(read(whole.slice(0, len), reader)).toBeUndefined()
    const random = new Random(7001)
    const original = bytesOf(whole)
    let sound = 0
    for (let round = 0; round < 20_000; round++) {
      const bytes = original.slice()
      for (let changes = 1 + random.below(3); changes > 0; changes--) {
        const at = random.below(2) === 0 ? random.below(30) : random.below(bytes.length)
        bytes[at] = random.below(256)
      }
      if (!reader.open(bytes, 0, bytes.length)) continue
      sound++
      while (reader.next()) {
        reader.locate()
        if (!reader.isInteger) expect(reader.pos + reader.len).toBeLessThan(bytes.length)
      }
    }
    expect(sound).toBeGreaterThan(100)
    expect(sound).toBeLessThan(19_000)
  })
})
