import { describe, expect, test } from 'vitest'
import { Reply } from '../../../src/protocol/reply.ts'
import { bufferBytes } from '../../../src/protocol/reply-buffer.ts'

describe('a reply that may not grow', () => {
  const LIMIT = 100_000
  const value = new Uint8Array(10_000)

  function limited(): Reply {
    const reply = new Reply()
    reply.mayGrow = (size) => size < LIMIT
    return reply
  }

  test('takes no more memory, whatever is written', () => {
    const reply = limited()
    for (let count = 0; count < 1000; count++) reply.bulk(value, 0, value.length)
    expect(reply.overflowed).toBe(true)
    expect(reply.length).toBeLessThan(10 * LIMIT)
  })

  test('lets arrays end that began before and after', () => {
    const reply = limited()
    const outer = reply.begin()
    for (let count = 0; count < 100; count++) {
      const inner = reply.begin()
      reply.bulk(value, 0, value.length)
      reply.endArray(inner, 1)
    }
    reply.endArray(outer, 100)
    expect(reply.overflowed).toBe(true)
    expect(reply.length).toBeGreaterThanOrEqual(0)
  })

  test('begins anew when it is dropped', () => {
    const reply = limited()
    for (let count = 0; count < 100; count++) reply.bulk(value, 0, value.length)
    reply.drop()
    expect([reply.overflowed, reply.length]).toEqual([false, 0])
    reply.ok()
    expect(reply.takeBuffer().view().toString('latin1')).toBe('+OK\r\n')
  })

  test('is whole as long as it may', () => {
    const reply = limited()
    for (let count = 0; count < 5; count++) reply.bulk(value, 0, value.length)
    expect(reply.overflowed).toBe(false)
    expect(reply.length).toBe(5 * (value.length + '$10000\r\n\r\n'.length))
  })
})

test('a long reply that is not sent leaves its buffer to others', () => {
  const reply = new Reply()
  const long = new Uint8Array(10_000_000)
  const before = bufferBytes()
  reply.bulk(long, 0, long.length)
  reply.drop()
  expect(bufferBytes()).toBe(before)
  reply.bulk(long, 0, long.length)
  reply.moveTo(new Uint8Array(reply.length), 0)
  expect([bufferBytes(), reply.length]).toEqual([before, 0])
})
