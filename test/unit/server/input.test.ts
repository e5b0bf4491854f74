import { describe, expect, test } from 'vitest'
import { Decoder, INCOMPLETE } from '../../../src/protocol/decoder.ts'
import { Input } from '../../../src/server/input.ts'

const KB = 1024
const MB = 1024 * KB
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

/** An input that has received the beginning of a request, as far as the length of its last argument. */
function inputOf(announced: number): Input {
  const input = new Input(new Decoder())
  receive(input, bytesOf(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${announced}\r\n`))
  return input
}

function receive(input: Input, bytes: Uint8Array): number {
  input.append(bytes, 0, bytes.length)
  return input.decoder.decode(input.bytes, input.len)
}

/** Receives so much in reads of 64 KB; returns how often the buffer was replaced. */
function receiveMuch(input: Input, size: number): number {
  const part = new Uint8Array(64 * KB).fill(120)
  let replaced = 0
  for (let received = 0; received < size; received += part.length) {
    const before = input.bytes
    expect(receive(input, part)).toBe(INCOMPLETE)
    if (input.bytes !== before) replaced++
  }
  return replaced
}

describe('an input', () => {
  test('takes no memory for what is only announced', () => {
    const input = inputOf(512 * MB)
    expect(input.bytes.length).toBeLessThan(2 * KB)
    receiveMuch(input, MB)
    expect(input.bytes.length).toBeLessThan(4 * MB)
  })

  test('ends up as large as the announced argument needs, having been replaced a few times', () => {
    const input = inputOf(64 * MB)
    const header = input.len
    expect(receiveMuch(input, 64 * MB)).toBeLessThan(12)
    expect(input.bytes.length).toBe(header + 64 * MB + 2)
  })

  test('grows twofold for many small arguments', () => {
    const input = new Input(new Decoder())
    receive(input, bytesOf('*2000000\r\n'))
    const part = bytesOf('$8\r\nabcdefgh\r\n'.repeat(1000))
    let replaced = 0
    for (let count = 0; count < 1000; count++) {
      const before = input.bytes
      receive(input, part)
      if (input.bytes !== before) replaced++
    }
    expect(replaced).toBeLessThan(15)
    expect(input.bytes.length).toBeLessThanOrEqual(2 * input.len)
  })

  test('gives back a large buffer when it has been consumed, and keeps a small one', () => {
    const large = inputOf(4 * MB)
    receiveMuch(large, 4 * MB)
    large.consume(large.len)
    expect(large.bytes.length).toBe(0)
    const small = inputOf(100 * KB)
    receiveMuch(small, 64 * KB)
    small.consume(small.len)
    expect(small.bytes.length).toBeGreaterThan(64 * KB)
  })

  test('keeps what has not been consumed', () => {
    const input = new Input(new Decoder())
    const text = bytesOf('abcdefgh')
    input.append(text, 2, 4)
    input.consume(1)
    input.append(text, 0, 2)
    expect(Buffer.from(input.bytes.subarray(0, input.len)).toString()).toBe('defab')
  })

  test('shrinks to what was needed since it was last asked, but not while a long argument comes', () => {
    const input = inputOf(100 * KB)
    receiveMuch(input, 64 * KB)
    const size = input.bytes.length
    input.shrink()
    input.shrink()
    expect(input.bytes.length).toBe(size)
    input.consume(input.len)
    input.decoder.reset(0)
    receive(input, new Uint8Array(3 * KB))
    input.consume(input.len)
    input.shrink() // the 64 KB were before this
    expect(input.bytes.length).toBe(size)
    receive(input, new Uint8Array(3 * KB))
    input.consume(input.len)
    input.shrink()
    expect(input.bytes.length).toBe(3 * KB)
    input.shrink()
    input.shrink()
    expect(input.bytes.length).toBe(3 * KB)
  })
})
