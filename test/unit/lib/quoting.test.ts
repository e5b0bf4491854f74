import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { needsRepr, quote, quotedLengthMax, splitArgs, writeQuoted } from '../../../src/lib/quoting.ts'

/** The arguments of a line that lies amid other bytes. */
function split(line: string): string[] | undefined {
  const args = splitArgs(fromLatin1(`"${line}x"`), 1, line.length)
  return args?.map((arg) => latin1(arg, 0, arg.length))
}

describe('splitArgs', () => {
  test('cuts at white space', () => {
    expect(split('')).toEqual([])
    expect(split(' \t\r\n\v\f')).toEqual([])
    expect(split('SET  key\tvalue\r\n')).toEqual(['SET', 'key', 'value'])
    expect(split('a\vb \fc')).toEqual(['a\vb', 'c']) // these two end no argument, but may stand between
  })

  test('reads quotes and their escapes', () => {
    expect(split('"a b" \'c d\' "" \'\'')).toEqual(['a b', 'c d', '', ''])
    expect(split('"\\n\\r\\t\\b\\a\\\\\\"\\q"')).toEqual(['\n\r\t\b\x07\\"q'])
    expect(split('"\\x41\\xfF\\x4" "\\xg1"')).toEqual(['A\xffx4', 'xg1'])
    expect(split("'\\n\\'\\x41'")).toEqual(["\\n'\\x41"])
    expect(split('foo"bar baz"')).toEqual(['foobar baz'])
    expect(split('a\\nb')).toEqual(['a\\nb'])
    expect(split('"\xff"')).toEqual(['\xff'])
  })

  test('refuses unbalanced quotes, and quotes that do not end their argument', () => {
    for (const line of ['"', "'", '"a', "'a", '"a\\"', "'a\\'", '"a"b', "'a'b", '"a"\'b\'', 'a "b']) {
      expect(split(line), line).toBeUndefined()
    }
  })

  test('ends at a NUL', () => {
    expect(split('a b\x00c')).toEqual(['a', 'b'])
    expect(split('"a\x00"')).toBeUndefined()
    expect(split('"a"\x00b')).toEqual(['a'])
  })
})

describe('quote', () => {
  test('escapes as Redis does', () => {
    expect(quote(fromLatin1('xa\n\r\t\x07\b\\"\x00\x7f\xffbx'), 1, 12)).toBe(
      '"a\\n\\r\\t\\a\\b\\\\\\"\\x00\\x7f\\xffb"',
    )
  })

  test('what was quoted is read back as one argument', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(split(quote(bytes, 0, bytes.length))).toEqual([latin1(bytes, 0, bytes.length)])
      }),
    )
  })

  test('writing into bytes gives the same, within the stated length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const target = new Uint8Array(quotedLengthMax(bytes.length) + 3)
        const end = writeQuoted(bytes, 0, bytes.length, target, 3)
        expect(end).toBeLessThanOrEqual(target.length)
        expect(latin1(target, 3, end - 3)).toBe(quote(bytes, 0, bytes.length))
      }),
    )
  })

  test('quotes are needed for spaces, quotes, backslashes and whatever is not printable', () => {
    for (let byte = 0; byte < 256; byte++) {
      const plain = byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      expect(needsRepr(new Uint8Array([0x61, byte]), 0, 2), `byte ${byte}`).toBe(!plain)
    }
  })
})
