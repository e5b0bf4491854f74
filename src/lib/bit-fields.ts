/* Integers of 1 to 64 bits at any place in a byte range, highest bit first, and their overflow, as BITFIELD has them.
 *
 *   u5 at bit 7, 23 written:   00000001 01110000
 *
 * A field is read as an Int64: unsigned ones have at most 63 bits, so that every value fits. Reading and writing take a
 * byte at a time; what is more than 32 bits wide is put together from two words. */
import {
  addInt64,
  compareInt64,
  fromWords,
  highWord,
  INT64_MAX,
  INT64_MIN,
  type Int64,
  lowWord,
  subInt64,
} from './int64.ts'

/** What becomes of a value that has no room: the low bits of it, the value nearest to it, nothing. */
export const Overflow = { WRAP: 0, SAT: 1, FAIL: 2 } as const
export type Overflow = (typeof Overflow)[keyof typeof Overflow]

/** The bits [offset, offset + width) of bytes[pos … pos + len), at most 32 of them; those behind the end are 0. */
function readWord(bytes: Uint8Array, pos: number, len: number, offset: number, width: number): number {
  let word = 0
  let at = Math.floor(offset / 8)
  let skipped = offset - at * 8
  for (let left = width; left > 0; at++) {
    const taken = Math.min(8 - skipped, left)
    const byte = at < len ? bytes[pos + at]! : 0
    word = (word << taken) | ((byte >>> (8 - skipped - taken)) & ((1 << taken) - 1))
    left -= taken
    skipped = 0
  }
  return word
}

/** Writes the low `width` bits, at most 32. */
function writeWord(word: number, bytes: Uint8Array, pos: number, offset: number, width: number): void {
  let at = pos + Math.floor(offset / 8)
  let skipped = offset % 8
  for (let left = width; left > 0; at++) {
    const taken = Math.min(8 - skipped, left)
    const shift = 8 - skipped - taken
    const mask = ((1 << taken) - 1) << shift
    bytes[at] = (bytes[at]! & ~mask) | (((word >>> (left - taken)) << shift) & mask)
    left -= taken
    skipped = 0
  }
}

/** The value of these words' low `width` bits. */
function valueIn(high: number, low: number, width: number, signed: boolean): Int64 {
  if (width === 64) return fromWords(high, low)
  const top = width > 32 ? high : low
  const unused = width > 32 ? 64 - width : 32 - width
  const extended = signed ? (top << unused) >> unused : (top << unused) >>> unused
  if (width > 32) return fromWords(extended, low)
  return extended
}

/** Reads a field of a string of `len` bytes, behind which all is 0. */
export function readField(
  bytes: Uint8Array,
  pos: number,
  len: number,
  offset: number,
  width: number,
  signed: boolean,
): Int64 {
  const highWidth = Math.max(width - 32, 0)
  const high = readWord(bytes, pos, len, offset, highWidth)
  const low = readWord(bytes, pos, len, offset + highWidth, width - highWidth)
  return valueIn(high, low, width, signed)
}

/** Writes the low bits of a value; the bytes must be there. */
export function writeField(value: Int64, bytes: Uint8Array, pos: number, offset: number, width: number): void {
  const highWidth = Math.max(width - 32, 0)
  if (highWidth > 0) writeWord(highWord(value), bytes, pos, offset, highWidth)
  writeWord(lowWord(value), bytes, pos, offset + highWidth, width - highWidth)
}

function greatestOf(width: number, signed: boolean): Int64 {
  const bits = signed ? width - 1 : width
  return bits === 63 ? INT64_MAX : bits < 53 ? 2 ** bits - 1 : subInt64(fromWords(2 ** (bits - 32), 0), 1)!
}

function leastOf(width: number, signed: boolean): Int64 {
  if (!signed) return 0
  return width === 64 ? INT64_MIN : width <= 53 ? 0 - 2 ** (width - 1) : fromWords(-(2 ** (width - 33)), 0)
}

/** The sum's low bits, as a field has them. */
function wrapped(value: Int64, increment: Int64, width: number, signed: boolean): Int64 {
  const low = (lowWord(value) >>> 0) + (lowWord(increment) >>> 0)
  const carry = low > 0xffffffff ? 1 : 0
  return valueIn((highWord(value) + highWord(increment) + carry) | 0, low | 0, width, signed)
}

/** What a field of this width holds when it is given the sum of the two; undefined when it has no room and is not to
 *  change. One of them is a value that the field has now, or the increment is 0. */
export function fitField(
  value: Int64,
  increment: Int64,
  width: number,
  signed: boolean,
  overflow: Overflow,
): Int64 | undefined {
  const greatest = greatestOf(width, signed)
  const sum = addInt64(value, increment)
  // What lies more than 2^63 below the greatest value counts as above it in Redis, whose difference wraps around; and
  // of an unsigned field every value below 0 that is set does.
  const isSet = increment === 0
  const isAbove =
    sum === undefined
      ? compareInt64(increment, 0) > 0
      : compareInt64(sum, greatest) > 0 ||
        (isSet && compareInt64(sum, 0) < 0 && (!signed || (width < 64 && subInt64(greatest, sum) === undefined)))
  if (!isAbove && sum !== undefined && compareInt64(sum, leastOf(width, signed)) >= 0) return sum
  if (overflow === Overflow.FAIL) return undefined
  if (overflow === Overflow.WRAP) return wrapped(value, increment, width, signed)
  return isAbove ? greatest : leastOf(width, signed)
}
