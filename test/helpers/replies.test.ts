import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReplySplitter } from './replies.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

const EXAMPLES = [
  '+OK\r\n',
  '-ERR a\rb\r\n',
  ':-9223372036854775808\r\n',
  '$-1\r\n',
  '$0\r\n\r\n',
  '$5\r\na\r\nb\n\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*2\r\n*1\r\n:1\r\n$1\r\nx\r\n',
  '_\r\n',
  '#t\r\n',
  ',inf\r\n',
  '(123456789012345678901234567890\r\n',
  '!5\r\nERR x\r\n',
  '=7\r\ntxt:abc\r\n',
  '%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n_\r\n~0\r\n',
  '~1\r\n+member\r\n',
  '>2\r\n+pubsub\r\n*0\r\n',
  '|1\r\n+ttl\r\n:3\r\n*1\r\n+the reply itself\r\n',
]

describe('the reply splitter', () => {
  test.each(EXAMPLES)('returns %j whole, and only when its last byte has come', (example) => {
    const splitter = new ReplySplitter()
    expect(splitter.feed(latin1(example.slice(0, -1)))).toEqual([])
    expect(splitter.rest.toString('latin1')).toBe(example.slice(0, -1))
    expect(splitter.feed(latin1(example.slice(-1)))).toEqual([latin1(example)])
    expect(splitter.rest).toHaveLength(0)
  })

  test('returns the same replies wherever the stream is cut', () => {
    const replies = fc.array(fc.oneof(fc.constantFrom(...EXAMPLES), longBulk()), { maxLength: 30 })
    fc.assert(
      fc.property(replies, fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (wanted, cuts) => {
        const stream = latin1(wanted.join(''))
        const splitter = new ReplySplitter()
        const found: string[] = []
        for (let pos = 0, cut = 0; pos < stream.length; pos += cuts[cut++ % cuts.length]!) {
          const chunk = stream.subarray(pos, pos + cuts[cut % cuts.length]!)
          found.push(...splitter.feed(chunk).map((reply) => reply.toString('latin1')))
        }
        expect(found).toEqual(wanted)
      }),
    )
  })

  test.each(['hello\r\n', '$x\r\n', '*1\r\n?\r\n', '$3\r\nabcdef', '$-2\r\n'])('refuses %j', (bytes) => {
    expect(() => new ReplySplitter().feed(latin1(bytes))).toThrow('not a RESP reply')
  })
})

const longBulk = (): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: 20_000 }).map((len) => `$${len}\r\n${'\r\n+x'.repeat(len).slice(0, len)}\r\n`)
