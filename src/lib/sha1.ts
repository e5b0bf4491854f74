/* SHA-1 of short byte strings, without an object for each: what DEBUG DIGEST takes three times for every element
 * stored. Strings that fill more than one block are left to node:crypto (Node 20: half as fast at 20 bytes, as
 * fast at 100). */
import { crypto } from './crypto.ts'

const SIZE_OF_BLOCK = 64
const SIZE = 20
/** A block has room for so many bytes, an end mark, and the length. */
const SHORT = SIZE_OF_BLOCK - 9

const block = new Uint8Array(SIZE_OF_BLOCK)
const schedule = new Int32Array(80)
const state = new Int32Array(5)

/** Adds the block to the state. */
function addBlock(): void {
  const w = schedule
  for (let at = 0, from = 0; at < 16; at++, from += 4) {
    w[at] = (block[from]! << 24) | (block[from + 1]! << 16) | (block[from + 2]! << 8) | block[from + 3]!
  }
  for (let at = 16; at < 80; at++) {
    const word = w[at - 3]! ^ w[at - 8]! ^ w[at - 14]! ^ w[at - 16]!
    w[at] = (word << 1) | (word >>> 31)
  }
  let [a, b, c, d, e] = [state[0]!, state[1]!, state[2]!, state[3]!, state[4]!]
  for (let at = 0; at < 80; at++) {
    const mixed =
      at < 20
        ? ((b & c) | (~b & d)) + 0x5a827999
        : at < 40
          ? (b ^ c ^ d) + 0x6ed9eba1
          : at < 60
            ? ((b & c) | (b & d) | (c & d)) - 0x70e44324
            : (b ^ c ^ d) - 0x359d3e2a
    const next = (((a << 5) | (a >>> 27)) + mixed + e + w[at]!) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  state[0] = (state[0]! + a) | 0
  state[1] = (state[1]! + b) | 0
  state[2] = (state[2]! + c) | 0
  state[3] = (state[3]! + d) | 0
  state[4] = (state[4]! + e) | 0
}

/** Writes the 20 bytes of a string's SHA-1. */
export function writeSha1(bytes: Uint8Array, pos: number, len: number, target: Uint8Array): void {
  if (len > SHORT)
    return target.set(crypto().hash('sha1', new Uint8Array(bytes.buffer, bytes.byteOffset + pos, len), 'buffer'))
  state[0] = 0x67452301
  state[1] = 0xefcdab89 | 0
  state[2] = 0x98badcfe | 0
  state[3] = 0x10325476
  state[4] = 0xc3d2e1f0 | 0
  for (let at = 0; at < len; at++) block[at] = bytes[pos + at]!
  block[len] = 0x80
  block.fill(0, len + 1, SIZE_OF_BLOCK - 2)
  block[SIZE_OF_BLOCK - 2] = len >>> 5 // the length in bits: below 2^16
  block[SIZE_OF_BLOCK - 1] = len << 3
  addBlock()
  for (let index = 0; index < SIZE; index++) target[index] = state[index >>> 2]! >>> (24 - 8 * (index & 3))
}
