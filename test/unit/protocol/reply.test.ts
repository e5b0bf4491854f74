import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { INT64_MAX, INT64_MIN, type Int64 } from '../../../src/lib/int64.ts'
import {
  type ErrorReply,
  errorReply,
  protocolError,
  unknownCommand,
  unknownSubcommand,
  unsupportedOption,
} from '../../../src/protocol/errors.ts'
import { Reply } from '../../../src/protocol/reply.ts'

const KB = 1024

function replyOf(version: number): Reply {
  const reply = new Reply()
  reply.version = version
  return reply
}

/** What was written, which is taken. */
function taken(reply: Reply): string {
  const { length } = reply
  const pieces = reply.isSpilled ? reply.takeChunks() : [reply.takeBuffer()]
  const bytes = Buffer.concat(pieces.map((piece) => piece.view()))
  expect(bytes.length).toBe(length)
  expect(reply.length).toBe(0)
  return bytes.toString('latin1')
}

function written(version: number, write: (reply: Reply) => void): string {
  const reply = replyOf(version)
  write(reply)
  return taken(reply)
}

const bulk = (reply: Reply, text: string): void => {
  const bytes = new Uint8Array(Buffer.from(`..${text}..`, 'latin1'))
  reply.bulk(bytes, 2, bytes.length - 4)
}

describe('a reply has the shape of its protocol version', () => {
  test.each<[string, (reply: Reply) => void, resp2: string, resp3: string]>([
    ['OK', (reply) => reply.ok(), '+OK\r\n', '+OK\r\n'],
    ['a status', (reply) => reply.simple('QUEUED'), '+QUEUED\r\n', '+QUEUED\r\n'],
    ['an error', (reply) => reply.error(errorReply('WRONGTYPE no')), '-WRONGTYPE no\r\n', '-WRONGTYPE no\r\n'],
    ['an integer', (reply) => reply.integer(-12), ':-12\r\n', ':-12\r\n'],
    [
      'the least integer',
      (reply) => reply.integer(INT64_MIN),
      ':-9223372036854775808\r\n',
      ':-9223372036854775808\r\n',
    ],
    ['a bulk string', (reply) => bulk(reply, 'a\r\n\0\xff'), '$5\r\na\r\n\0\xff\r\n', '$5\r\na\r\n\0\xff\r\n'],
    ['an empty one', (reply) => bulk(reply, ''), '$0\r\n\r\n', '$0\r\n\r\n'],
    ['text', (reply) => reply.bulkString('\u00e4'), '$2\r\n\xc3\xa4\r\n', '$2\r\n\xc3\xa4\r\n'],
    [
      'an integer as a string',
      (reply) => reply.bulkInteger(1234567890),
      '$10\r\n1234567890\r\n',
      '$10\r\n1234567890\r\n',
    ],
    ['a short one', (reply) => reply.bulkInteger(0), '$1\r\n0\r\n', '$1\r\n0\r\n'],
    ['nothing', (reply) => reply.nullBulk(), '$-1\r\n', '_\r\n'],
    ['no array', (reply) => reply.nullArray(), '*-1\r\n', '_\r\n'],
    ['an array', (reply) => reply.array(2), '*2\r\n', '*2\r\n'],
    ['a map', (reply) => reply.map(2), '*4\r\n', '%2\r\n'],
    ['a set', (reply) => reply.set(2), '*2\r\n', '~2\r\n'],
    ['a push', (reply) => reply.push(3), '*3\r\n', '>3\r\n'],
    ['a double', (reply) => reply.double(0.1), '$3\r\n0.1\r\n', ',0.1\r\n'],
    ['a whole double', (reply) => reply.double(3), '$1\r\n3\r\n', ',3\r\n'],
    ['infinity', (reply) => reply.double(Number.NEGATIVE_INFINITY), '$4\r\n-inf\r\n', ',-inf\r\n'],
    ['true', (reply) => reply.boolean(true), ':1\r\n', '#t\r\n'],
    ['false', (reply) => reply.boolean(false), ':0\r\n', '#f\r\n'],
    [
      'a big number',
      (reply) => reply.bigNumber('12345678901234567999'),
      '$20\r\n12345678901234567999\r\n',
      '(12345678901234567999\r\n',
    ],
    ['text for people', (reply) => reply.verbatim('txt', 'a\nb'), '$3\r\na\nb\r\n', '=7\r\ntxt:a\nb\r\n'],
    ['an array closed later', (reply) => closed(reply, 'endArray'), '*2\r\n:1\r\n:2\r\n', '*2\r\n:1\r\n:2\r\n'],
    ['a set closed later', (reply) => closed(reply, 'endSet'), '*2\r\n:1\r\n:2\r\n', '~2\r\n:1\r\n:2\r\n'],
  ])('%s', (_, write, resp2, resp3) => {
    expect(written(2, write)).toBe(resp2)
    expect(written(3, write)).toBe(resp3)
  })

  test('a map closed later', () => {
    const write = (reply: Reply): void => {
      const mark = reply.begin()
      reply.integer(1)
      reply.ok()
      reply.endMap(mark, 1)
    }
    expect(written(2, write)).toBe('*2\r\n:1\r\n+OK\r\n')
    expect(written(3, write)).toBe('%1\r\n:1\r\n+OK\r\n')
  })
})

function closed(reply: Reply, end: 'endArray' | 'endSet'): void {
  const mark = reply.begin()
  reply.integer(1)
  reply.integer(2)
  reply[end](mark, 2)
}

/** What stands between the minus and the line's end. */
const shownOf = (error: ErrorReply): string => Buffer.from(error.bytes).toString('latin1').slice(1, -2)

describe('an error', () => {
  test('has a code, and keeps to one line whatever a client has sent', () => {
    const error = protocolError("expected '$', got '\r'")
    expect(error.code).toBe('ERR')
    expect(written(2, (reply) => reply.error(error))).toBe("-ERR Protocol error: expected '$', got ' '\r\n")
    expect(shownOf(unknownSubcommand('a\r\n\nb', 'client'))).toBe("ERR unknown subcommand 'a   b'. Try CLIENT HELP.")
  })

  test('stands even if a client sent millions of line ends', () => {
    expect(unsupportedOption('\r'.repeat(60_000_000)).bytes.indexOf(13)).toBe(
      60_000_000 + '-ERR Unsupported option '.length,
    )
  })

  test('shows what a client sent up to a NUL, and no more than 128 bytes', () => {
    const long = 'x'.repeat(200)
    const beginning = 'with args beginning with: '
    expect(shownOf(unknownCommand('a\0b', ['c\0d', '']))).toBe(`ERR unknown command 'a', ${beginning}'c' '' `)
    expect(shownOf(unknownCommand(long, [long, 'y']))).toBe(
      `ERR unknown command '${'x'.repeat(128)}', ${beginning}'${'x'.repeat(128)}' `,
    )
    expect(shownOf(unknownCommand('a', ['x'.repeat(120), long, 'y']))).toMatch(/x{120}' 'xxxxx' $/)
    expect(shownOf(unknownSubcommand(long, 'config'))).toHaveLength(
      128 + "ERR unknown subcommand ''. Try CONFIG HELP.".length,
    )
  })

  test('is counted', () => {
    const reply = new Reply()
    reply.ok()
    expect(reply.errors).toBe(0)
    reply.error(errorReply('OOM no'))
    expect(reply.errors).toBe(1)
    expect(reply.lastError?.code).toBe('OOM')
  })
})

describe('a long reply', () => {
  test('is handed over in pieces, and what is long is not written twice', () => {
    const reply = new Reply()
    const value = new Uint8Array(10_000_000).fill(120)
    reply.bulk(value, 0, 100 * KB)
    reply.bulk(value, 0, value.length)
    reply.integer(2)
    const chunks = reply.takeChunks()
    expect(chunks.map((chunk) => chunk.len)).toEqual([
      100 * KB + '$102400\r\n\r\n'.length,
      value.length + '$10000000\r\n\r\n'.length,
      4,
    ])
  })

  test('can be cut back to where it was', () => {
    const reply = new Reply()
    for (const before of [0, 10, 20 * KB, 200 * KB]) {
      for (const after of [0, 10, 20 * KB, 200 * KB]) {
        if (before > 0) bulk(reply, 'b'.repeat(before))
        const mark = reply.length
        bulk(reply, 'a'.repeat(after))
        bulk(reply, 'a')
        reply.truncate(mark)
        expect(reply.length).toBe(mark)
        reply.ok()
        expect(taken(reply)).toBe(`${before > 0 ? `$${before}\r\n${'b'.repeat(before)}\r\n` : ''}+OK\r\n`)
      }
    }
  })

  test('stops growing when it may not, and says so until it is dropped', () => {
    const reply = new Reply()
    const asked: number[] = []
    reply.mayGrow = (size) => {
      asked.push(size)
      return size < 100 * KB
    }
    const value = new Uint8Array(50 * KB)
    for (let count = 0; count < 1000; count++) reply.bulk(value, 0, value.length)
    expect(reply.overflowed).toBe(true)
    expect(asked.length).toBeLessThan(5)
    expect(reply.length).toBeLessThan(300 * KB)
    reply.drop()
    expect(reply.overflowed).toBe(false)
    reply.ok()
    expect(taken(reply)).toBe('+OK\r\n')
  })

  test('that was cut back to nothing has not overflowed', () => {
    const reply = new Reply()
    reply.mayGrow = () => false
    bulk(reply, 'x'.repeat(100 * KB))
    expect(reply.overflowed).toBe(true)
    reply.truncate(0)
    expect(reply.overflowed).toBe(false)
  })
})

/** A reply as a tree, to be written both ways. */
type Tree = Int64 | string | readonly Tree[]

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.integer(), fc.constantFrom<Int64>(INT64_MAX, INT64_MIN, 0, 9, 10, -1)),
    fc
      .oneof(
        { weight: 5, arbitrary: fc.nat(40) },
        { weight: 2, arbitrary: fc.nat(5000) },
        { weight: 1, arbitrary: fc.integer({ min: 16_300, max: 16_400 }) },
        { weight: 1, arbitrary: fc.nat(200_000) },
      )
      .map((len) => 'v'.repeat(len)),
    fc.array(tie('tree'), { maxLength: 12 }),
  ),
}))

function writeTree(reply: Reply, tree: Tree): void {
  if (typeof tree === 'string') bulk(reply, tree)
  else if (tree === 9) reply.bulkInteger(tree)
  else if (typeof tree !== 'object') reply.integer(tree)
  else {
    const mark = reply.begin()
    for (const child of tree) writeTree(reply, child)
    reply.endArray(mark, tree.length)
  }
}

function textOf(tree: Tree): string {
  if (typeof tree === 'string') return `$${tree.length}\r\n${tree}\r\n`
  if (typeof tree !== 'object') return tree === 9 ? '$1\r\n9\r\n' : `:${tree}\r\n`
  return `*${tree.length}\r\n${tree.map(textOf).join('')}`
}

test('arrays whose length is told at their end may be nested and as long as they like', () => {
  const reply = new Reply()
  const property = fc.property(fc.array(tree, { maxLength: 8 }), (trees) => {
    for (const each of trees) writeTree(reply, each)
    expect(taken(reply) === trees.map(textOf).join('')).toBe(true)
  })
  fc.assert(property, { numRuns: 500 })
})

test('a run of short strings as a listpack has them is as many bulk strings, up to what is none of them', () => {
  const texts = Array.from({ length: 3000 }, (_, number) => 'x'.repeat(number % 64))
  const elements = texts.map((text) => `${String.fromCharCode(0x80 | text.length)}${text}\x01`)
  const bytes = new Uint8Array(Buffer.from(`..${elements.join('')}\xff${'.'.repeat(64)}`, 'latin1'))
  const source = new DataView(bytes.buffer)
  const reply = new Reply()
  expect(reply.bulkRun(source, 2, 5)).toBe(5)
  expect(reply.runEnd).toBe(2 + elements.slice(0, 5).join('').length)
  expect(reply.bulkRun(source, reply.runEnd, 1_000_000)).toBe(texts.length - 5)
  expect(bytes[reply.runEnd]).toBe(0xff)
  expect(reply.bulkRun(source, reply.runEnd, 1)).toBe(0)
  expect(taken(reply)).toBe(texts.map(textOf).join(''))
})

test('a run of short strings ends before what is read of one, in whole words, would lie behind the source', () => {
  const bytes = new Uint8Array(Buffer.from('\x83abc\x05'.repeat(20), 'latin1'))
  const reply = new Reply()
  const count = reply.bulkRun(new DataView(bytes.buffer), 0, 20)
  expect(count).toBeGreaterThan(0)
  expect(count).toBeLessThan(20)
  expect(reply.runEnd).toBe(count * 5)
  expect(taken(reply)).toBe('$3\r\nabc\r\n'.repeat(count))
  expect(reply.bulkRun(new DataView(bytes.buffer), reply.runEnd, 20)).toBe(0)
})
