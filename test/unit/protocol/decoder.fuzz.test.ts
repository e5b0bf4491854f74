/* Any bytes, delivered in any cuts, say the same as when they come whole, and as the reference reads them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesOf, RULES, type Rules, reference } from '../../helpers/protocol-reference.ts'
import { Receiver } from './receiver.ts'

const MAX_LINE = 64 * 1024
/** FUZZ_RUNS=100000 looks more closely. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 4000)

/** Bytes that protocols are made of, and some that they are not. */
const noise = fc
  .array(fc.constantFrom(...'*$$-+019:\r\n\r\n  "\'\\xa\0\x0b\xff'.split('')), { maxLength: 20 })
  .map((bytes) => bytes.join(''))
const lengths = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -1, max: 30 }).map(String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...[
        '',
        '-',
        '+1',
        ' 1',
        '1 ',
        '00',
        '-0',
        '01',
        '1a',
        'x',
        '0x10',
        '1\0',
        '\0',
        '10',
        '11',
        '16384',
        '16385',
        '99',
        '100',
        '999',
      ],
      ...['2147483647', '2147483648', '4294967296', '9223372036854775807', '9223372036854775808'],
      ...['-9223372036854775808', '-9223372036854775809', '18446744073709551617', '99999999999999999999999'],
    ),
  },
)
const lineEnd = fc.oneof(
  { weight: 30, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\rx', '\r\r\n', ' \r\n', '\0\r\n', '') },
)
const words = fc.oneof(noise, fc.string({ maxLength: 20 }), fc.constantFrom('PING', 'a'.repeat(99), 'b'.repeat(10_000)))
const bulk = fc.tuple(words, lineEnd, lineEnd).map(([word, first, last]) => `$${word.length}${first}${word}${last}`)
const request = fc
  .tuple(fc.array(bulk, { minLength: 1, maxLength: 12 }), lineEnd)
  .map(([bulks, end]) => `*${bulks.length}${end}${bulks.join('')}`)
const header = fc.tuple(fc.constantFrom('*', '$'), lengths, lineEnd).map((parts) => parts.join(''))
const inline = fc.tuple(fc.array(words, { maxLength: 4 }), lineEnd).map(([args, end]) => args.join(' ') + end)
const long = fc
  .tuple(fc.constantFrom('', '*', '*1\r\n$', '*1\r\n', '*2\r\n$1\r\nx\r\n$'), fc.integer({ min: -4, max: 4 }), lineEnd)
  .map(([start, more, end]) => start + '1'.repeat(MAX_LINE + more) + end)

const pieces = fc.oneof(
  { weight: 8, arbitrary: request },
  { weight: 2, arbitrary: header },
  { weight: 2, arbitrary: inline },
  { weight: 2, arbitrary: noise },
)
const text = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''))
const rules: fc.Arbitrary<Rules> = fc.record({
  // Lengths of two digits are never too big: proto-max-bulk-len is at least 1 MB.
  bulkLenMax: fc.constantFrom(RULES.bulkLenMax, 99, 17_000),
  restricted: fc.boolean(),
})
/** Lengths of the pieces that the bytes come in, used in turn. */
const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 70_000 })), { minLength: 1 })

function receiveCut(bytes: Uint8Array, lens: readonly number[], rules: Rules, batchMax: number): Receiver {
  const receiver = new Receiver(rules, batchMax)
  for (let pos = 0, turn = 0; pos < bytes.length; turn++) {
    const len = lens[turn % lens.length]!
    receiver.receive(bytes.subarray(pos, pos + len))
    pos += len
    // As the cron does to a client that is idle.
    if (turn % 3 === 0) receiver.input?.shrink()
  }
  return receiver
}

describe('the decoder, fed with anything', () => {
  test('agrees with the reference, however the bytes are cut', () => {
    const property = fc.property(text, cuts, rules, fc.integer({ min: 1, max: 5 }), (text, lens, rules, batchMax) => {
      expect(receiveCut(bytesOf(text), lens, rules, batchMax).outcome).toEqual(reference(text, rules))
    })
    fc.assert(property, { numRuns: RUNS })
  })

  test('agrees with the reference on lines about as long as they may be', () => {
    const property = fc.property(long, text, cuts, (line, text, lens) => {
      const all = line + text
      expect(receiveCut(bytesOf(all), [30_000, ...lens], RULES, 3).outcome).toEqual(reference(all))
    })
    fc.assert(property, { numRuns: RUNS / 40 })
  })

  test('agrees with the reference when bytes of good requests are changed, left out or repeated', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'drop', 'double', 'end')), {
      minLength: 1,
      maxLength: 4,
    })
    const good = fc.array(request, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''))
    const property = fc.property(good, changes, cuts, rules, (good, changes, lens, rules) => {
      let text = good
      for (const [where, byte, how] of changes) {
        const at = where % (text.length + 1)
        const head = text.slice(0, at)
        if (how === 'set') text = head + String.fromCharCode(byte) + text.slice(at + 1)
        else if (how === 'drop') text = head + text.slice(at + 1)
        else if (how === 'double') text = head + text.slice(Math.max(0, at - 4))
        else text = head
      }
      expect(receiveCut(bytesOf(text), lens, rules, 2).outcome).toEqual(reference(text, rules))
    })
    fc.assert(property, { numRuns: RUNS / 2 })
  })
})
