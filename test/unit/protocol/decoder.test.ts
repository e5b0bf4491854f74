import { describe, expect, test } from 'vitest'
import { COMPLETE, Decoder, INCOMPLETE } from '../../../src/protocol/decoder.ts'
import { bytesOf, type Event, RULES, type Rules } from '../../helpers/protocol-reference.ts'
import { Receiver } from './receiver.ts'

const MB = 1024 * 1024
const LINE_MAX = 64 * 1024

function receive(text: string, rules: Rules = RULES): Receiver {
  const receiver = new Receiver(rules)
  receiver.receive(bytesOf(text))
  return receiver
}

const eventsOf = (text: string, rules?: Rules): readonly Event[] => receive(text, rules).events
const error = (text: string): Event => ({ error: text })

describe('a request of bulk strings', () => {
  test('is its arguments, whatever bytes they hold', () => {
    const text = '*3\r\n$3\r\nSET\r\n$6\r\n\r\n\0*$\xff\r\n$0\r\n\r\n'
    expect(eventsOf(text)).toEqual([['SET', '\r\n\0*$\xff', '']])
  })

  test('is read where it lies: arguments are ranges of the bytes received', () => {
    const decoder = new Decoder()
    const bytes = bytesOf('*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n')
    expect(decoder.decode(bytes, bytes.length)).toBe(COMPLETE)
    expect(decoder.bytes).toBe(bytes)
    expect([...decoder.pos.subarray(0, 2)]).toEqual([8, 18])
    expect([...decoder.len.subarray(0, 2)]).toEqual([4, 2])
    expect(decoder.at).toBe(bytes.length)
  })

  test('may come in any pieces', () => {
    const text = '*2\r\n$4\r\nECHO\r\n$11\r\nhello world\r\n*1\r\n$4\r\nPING\r\n'
    for (let cut = 1; cut < text.length; cut++) {
      const receiver = new Receiver()
      receiver.receive(bytesOf(text.slice(0, cut)))
      receiver.receive(bytesOf(text.slice(cut)))
      expect(receiver.events, `cut at ${cut}`).toEqual([['ECHO', 'hello world'], ['PING']])
    }
  })

  test('may have a million arguments, and leaves no large tables behind', () => {
    const decoder = new Decoder()
    const count = 1_000_000
    const bytes = bytesOf(`*${count}\r\n${'$1\r\nx\r\n'.repeat(count)}`)
    expect(decoder.decode(bytes, bytes.length)).toBe(COMPLETE)
    expect(decoder.argc).toBe(count)
    expect(decoder.pos[count - 1]).toBe(bytes.length - 3)
    decoder.reset(0)
    expect(decoder.pos.length).toBeLessThan(1000)
  })

  test('costs no memory for what it only announces', () => {
    const decoder = new Decoder()
    const bytes = bytesOf('*2147483647\r\n$1\r\nx\r\n$536870912\r\n')
    expect(decoder.decode(bytes, bytes.length)).toBe(INCOMPLETE)
    expect(decoder.pos.length).toBeLessThan(1000)
  })

  test('is nothing at all if it has no arguments, or fewer', () => {
    expect(eventsOf('*0\r\n*-1\r\n*-9223372036854775808\r\n*1\r\n$4\r\nPING\r\n')).toEqual([['PING']])
  })

  test('ends each part with two bytes, of which only the CR of a length is looked at', () => {
    expect(eventsOf('*1\rx$4\rxPINGxx*1\r\n$4\r\nPING\r\n')).toEqual([['PING'], ['PING']])
  })

  test('waits for all of a length line before it judges it', () => {
    for (const text of ['*', '*x', '*x\r', '*1\r\nx', '*1\r\nxyz\r', '*1\r\n$x\r', '*1\r\n$-1\r']) {
      expect(receive(text).outcome, text).toEqual({ events: [], unread: text.length })
    }
  })

  test('waits for ever where a NUL hides the end of a line, or until that is too long', () => {
    expect(eventsOf('*1\0\r\n*1\r\n$4\r\nPING\r\n')).toEqual([])
    expect(eventsOf(`*1\0\r\n${'x'.repeat(LINE_MAX)}`)).toEqual([error('too big mbulk count string')])
    expect(eventsOf(`*1\r\n$\0\r\n${'x'.repeat(LINE_MAX)}`)).toEqual([error('too big bulk count string')])
  })
})

describe('an inline request', () => {
  test.each<[string, string[][]]>([
    ['PING\r\n', [['PING']]],
    ['PING\n', [['PING']]],
    [' \t SET  a\tb \r\n', [['SET', 'a', 'b']]],
    ['\r\n\n \r\nPING\r\n', [['PING']]],
    ['SET k "a b\\n\\x00\\"" \'c\\\'d\\n\'\r\n', [['SET', 'k', 'a b\n\0"', "c'd\\n"]]],
    ['ECHO ""\r\n', [['ECHO', '']]],
    ['ECHO \xff\x80\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n', [['ECHO', '\xff\x80'], ['PING'], ['QUIT']]],
    ['GET / HTTP/1.1\r\n', [['GET', '/', 'HTTP/1.1']]],
    ['$4\r\n+OK\r\n', [['$4'], ['+OK']]],
  ])('%j', (text, events) => {
    expect(eventsOf(text)).toEqual(events)
  })

  test('may have a line of 64 KB', () => {
    const words = 'x '.repeat(LINE_MAX / 2)
    expect(eventsOf(`${words}\n`)).toHaveLength(1)
    expect(eventsOf(`${words}x\n`)).toEqual([error('too big inline request')])
    expect(eventsOf(words)).toEqual([])
    expect(eventsOf(`${words}x`)).toEqual([error('too big inline request')])
  })
})

describe('the stream ends with an error', () => {
  const invalid = ['', '-', '+1', ' 1', '1 ', '01', '00', '-0', 'a', '1a', '0x1', '9223372036854775808', '9'.repeat(40)]

  test.each([...invalid, '2147483648', '-9223372036854775809'])('for %j arguments', (count) => {
    expect(eventsOf(`*1\r\n$4\r\nPING\r\n*${count}\r\n`)).toEqual([['PING'], error('invalid multibulk length')])
  })

  test.each([...invalid, '-1', '-10', '536870913'])('for an argument of %j bytes', (len) => {
    expect(eventsOf(`*2\r\n$4\r\nECHO\r\n$${len}\r\n`)).toEqual([error('invalid bulk length')])
  })

  test.each(['x', '*', ':', '+', '\n', '\xff', ' '])('where %j stands for the $ of a length', (byte) => {
    expect(eventsOf(`*2\r\n$4\r\nECHO\r\n${byte}1\r\n`)).toEqual([error(`expected '$', got '${byte}'`)])
  })

  test('where quotes are not closed, or something follows them', () => {
    for (const line of ['"', "'", 'ECHO "a', "ECHO 'a", 'ECHO "a"b', "ECHO 'a'b", 'ECHO "a\\"', 'ECHO "a\\']) {
      expect(eventsOf(`${line}\r\n`), line).toEqual([error('unbalanced quotes in request')])
    }
  })

  test.each([
    ['', 'too big inline request'],
    ['x', 'too big inline request'],
    ['*', 'too big mbulk count string'],
    ['*1\r\n', 'too big bulk count string'],
    ['*1\r\n$', 'too big bulk count string'],
  ])('for a line behind %j that does not end within 64 KB', (start, text) => {
    const line = start.slice(start.lastIndexOf('\n') + 1)
    const full = start + '1'.repeat(LINE_MAX - line.length)
    expect(eventsOf(full)).toEqual([])
    expect(eventsOf(`${full}1`)).toEqual([error(text)])
    expect(eventsOf(`${full}1\r\n`)).toEqual([error(text)])
  })

  test('and nothing behind it is read', () => {
    expect(eventsOf('*1\r\n$4\r\nPING\r\n*1\r\n!\r\n*1\r\n$4\r\nPING\r\n')).toHaveLength(2)
  })
})

describe('proto-max-bulk-len', () => {
  const rules = { ...RULES, bulkLenMax: MB }

  test('is the longest argument', () => {
    expect(eventsOf(`*1\r\n$${MB}\r\n${'x'.repeat(MB)}\r\n`, rules)).toHaveLength(1)
    expect(receive(`*1\r\n$${MB}\r\n`, rules).failed).toBe(false)
    expect(eventsOf(`*1\r\n$${MB + 1}\r\n`, rules)).toEqual([error('invalid bulk length')])
  })
})

describe('who has not authenticated', () => {
  const rules = { ...RULES, restricted: true }

  test('may send ten arguments', () => {
    expect(eventsOf(`*10\r\n${'$1\r\nx\r\n'.repeat(10)}`, rules)).toHaveLength(1)
    expect(eventsOf('*11\r\n', rules)).toEqual([error('unauthenticated multibulk length')])
    expect(eventsOf('*2147483648\r\n', rules)).toEqual([error('invalid multibulk length')])
  })

  test('may send 16 KB each', () => {
    expect(eventsOf(`*1\r\n$16384\r\n${'x'.repeat(16384)}\r\n`, rules)).toHaveLength(1)
    expect(eventsOf('*1\r\n$16385\r\n', rules)).toEqual([error('unauthenticated bulk length')])
    expect(eventsOf('*1\r\n$536870913\r\n', rules)).toEqual([error('invalid bulk length')])
  })
})

describe('an argument of many megabytes', () => {
  test('is received into a buffer that ends up as large as it', () => {
    const len = 8 * MB
    const receiver = new Receiver()
    receiver.receive(bytesOf(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${len}\r\n`))
    const header = receiver.input!.len
    const part = new Uint8Array(64 * 1024)
    for (let sent = 0; sent < len; sent += part.length) receiver.receive(part)
    expect(receiver.input!.bytes.length).toBe(header + len + 2)
    receiver.receive(bytesOf('\r\n'))
    expect(receiver.events).toHaveLength(1)
    expect(receiver.input).toBeNull()
  })
})

test('a request of millions of arguments takes time in proportion to them', () => {
  const timeOf = (count: number): number => {
    const receiver = new Receiver()
    const bytes = Buffer.concat([Buffer.from(`*${count + 1}\r\n`), Buffer.alloc(6 * count, '$0\r\n\r\n')])
    const start = process.cpuUsage() // of the processor: other processes do not matter
    receiver.receive(new Uint8Array(bytes))
    expect(receiver.input!.decoder.argc).toBe(count)
    return process.cpuUsage(start).user
  }
  timeOf(1e5)
  expect(timeOf(8e6) / timeOf(1e6)).toBeLessThan(24) // 8 is ideal, 64 would be quadratic
})
