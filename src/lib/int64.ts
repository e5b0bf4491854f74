/* Int64: Redis's signed 64-bit integers, kept as plain numbers for as long as that is exact.
 *
 * A value is a number when it is a safe integer (±(2^53 - 1)) and a bigint only outside that range. The number form is
 * canonical, so `===` compares two values whatever they are, and nearly everything that is ever stored, counted or
 * replied stays a number. To the rest of the program `Int64` is opaque: this is the one file that may mention BigInt
 * (long-double.ts, whose mantissas are wide by nature, is the exception). Everything that can leave the 64-bit range
 * answers `undefined` then; the caller words the error.
 *
 *   number                -(2^53 - 1) ........ 2^53 - 1
 *   bigint   -2^63 ....... -2^53              2^53 ....... 2^63 - 1   (unsigned: 2^64 - 1)
 *
 * Two 32-bit words are how a value lies in an Int32Array: `highWord` and `lowWord` split it, `fromWords` joins it.
 *
 * Always: a number is a safe integer and never -0; a bigint is never a safe integer.
 *
 * Cost on Node 20, parse / write: 2 digits 5 / 5 ns, 9 digits 14 / 14 ns, 16 digits 22 / 30 ns; 19 digits, as a bigint,
 * 210 / 50 ns. Refusing "hello world" takes 4 ns, which is why SET can try every value. */

export type Int64 = number | bigint

/** The longest decimal form is that of -2^63. */
export const INT64_LEN_MAX = 20
export const INT64_MAX: Int64 = 9223372036854775807n
export const INT64_MIN: Int64 = -9223372036854775808n

export const UINT64_MAX: Int64 = 18446744073709551615n
const SAFE_MAX = Number.MAX_SAFE_INTEGER
const TWO_32 = 4294967296
const BILLION = 1000000000
const DIGIT_0 = 48
const MINUS = 45
const PLUS = 43
const SPACE = 32

/** The canonical form of a value in range, undefined for one out of range. */
function canonical(value: bigint): Int64 | undefined {
  const near = Number(value)
  if (near >= -SAFE_MAX && near <= SAFE_MAX) return near
  return value >= (INT64_MIN as bigint) && value <= (INT64_MAX as bigint) ? value : undefined
}

/** Strict decimal, as string2ll: no leading zero, no sign but '-', no spaces, no "-0"; undefined for anything else. */
export function parseInt64(bytes: Uint8Array, pos: number, len: number): Int64 | undefined {
  if (len === 0 || len > INT64_LEN_MAX) return undefined
  const end = pos + len
  let at = pos
  let digit = bytes[at]! - DIGIT_0
  const negative = digit === MINUS - DIGIT_0
  if (negative) {
    if (++at === end) return undefined
    digit = bytes[at]! - DIGIT_0
  }
  if (digit <= 0 || digit > 9) return digit === 0 && len === 1 ? 0 : undefined
  // Nine digits fit V8's small integers; up to sixteen, a double is exact, or lands beyond SAFE_MAX and shows it.
  let value = digit
  const smallEnd = end - at > 9 ? at + 9 : end
  for (at++; at < smallEnd; at++) {
    digit = bytes[at]! - DIGIT_0
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return at === end ? (negative ? -value : value) : parseLong(bytes, at, end, value, negative)
}

/** The rest of parseInt64: `value` holds the first nine digits, and at least one byte is left. */
function parseLong(bytes: Uint8Array, pos: number, end: number, value: number, negative: boolean): Int64 | undefined {
  let head = value
  const headEnd = end - pos > 7 ? pos + 7 : end
  let at = pos
  for (; at < headEnd; at++) {
    const digit = bytes[at]! - DIGIT_0
    if (digit < 0 || digit > 9) return undefined
    head = head * 10 + digit
  }
  if (at === end && head <= SAFE_MAX) return negative ? -head : head
  // Seventeen digits or more, or sixteen that are not safe: redo the last seven exactly.
  let wide = BigInt(value)
  for (at = pos; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0
    if (digit < 0 || digit > 9) return undefined
    wide = wide * 10n + BigInt(digit)
  }
  return canonical(negative ? -wide : wide)
}

/** As string2ull: strict decimals first, then what strtoull takes (leading spaces, a sign that wraps, leading zeros) up
 *  to a NUL byte. Cold. The result is unsigned: a number, or a bigint up to 2^64 - 1. */
export function parseUint64(bytes: Uint8Array, pos: number, len: number): Int64 | undefined {
  const nul = bytes.subarray(pos, pos + len).indexOf(0)
  const end = nul < 0 ? pos + len : pos + nul
  const strict = parseInt64(bytes, pos, end - pos)
  if (strict !== undefined) return strict < 0 ? undefined : strict
  let at = pos
  while (at < end && (bytes[at] === SPACE || (bytes[at]! >= 9 && bytes[at]! <= 13))) at++
  const negative = bytes[at] === MINUS && at < end
  if (at < end && (negative || bytes[at] === PLUS)) at++
  if (at === end) return undefined
  let value = 0n
  for (; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0
    if (digit < 0 || digit > 9) return undefined
    value = value * 10n + BigInt(digit)
    if (value > (UINT64_MAX as bigint)) return undefined
  }
  return wrapUnsigned(negative ? -value : value)
}

/** The canonical form of a value modulo 2^64. */
function wrapUnsigned(value: bigint): Int64 {
  const wrapped = BigInt.asUintN(64, value)
  return wrapped <= BigInt(SAFE_MAX) ? Number(wrapped) : wrapped
}

/** The product modulo 2^64. Cold; `factor` is a safe integer, neither is negative. */
export function mulUint64(value: Int64, factor: number): Int64 {
  return wrapUnsigned(BigInt(value) * BigInt(factor))
}

export function addInt64(a: Int64, b: Int64): Int64 | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b // exact while safe; when it is not, rounding cannot bring it back below 2^53
    if (sum >= -SAFE_MAX && sum <= SAFE_MAX) return sum
  }
  return canonical(BigInt(a) + BigInt(b))
}

export function subInt64(a: Int64, b: Int64): Int64 | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b
    if (difference >= -SAFE_MAX && difference <= SAFE_MAX) return difference
  }
  return canonical(BigInt(a) - BigInt(b))
}

/** The difference modulo 2^64, as a signed number: what counters that C keeps without a sign are apart. */
export function wrapSubInt64(a: Int64, b: Int64): Int64 {
  const difference = subInt64(a, b)
  return difference ?? (canonical(BigInt.asIntN(64, BigInt(a) - BigInt(b))) as Int64)
}

/** Only INT64_MIN has no negative. */
export function negInt64(value: Int64): Int64 | undefined {
  return typeof value === 'number' ? 0 - value : canonical(-value)
}

/** `factor` is a safe integer. */
export function mulInt64(value: Int64, factor: number): Int64 | undefined {
  if (typeof value === 'number') {
    const product = value * factor + 0 // + 0 turns -0 into 0
    if (product >= -SAFE_MAX && product <= SAFE_MAX) return product
  }
  return canonical(BigInt(value) * BigInt(factor))
}

/** Truncates towards zero. `divisor` is a safe integer, not 0. */
export function divInt64(value: Int64, divisor: number): Int64 | undefined {
  // Exact for safe integers: a quotient just below an integer is further from it than half its last bit.
  if (typeof value === 'number') return Math.trunc(value / divisor) + 0
  return canonical(value / BigInt(divisor))
}

/** Below 0, 0, or above 0, as a sorts before, with, or after b. */
export function compareInt64(a: Int64, b: Int64): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The upper 32 bits, signed. */
export function highWord(value: Int64): number {
  if (typeof value === 'number') return Math.floor(value / TWO_32) | 0
  return Number(BigInt.asIntN(32, value >> 32n))
}

/** The lower 32 bits, as a signed number. */
export function lowWord(value: Int64): number {
  if (typeof value === 'number') return value | 0
  return Number(BigInt.asIntN(32, value))
}

/** The signed value of two words; either may be given signed or unsigned. */
export function fromWords(high: number, low: number): Int64 {
  const value = (high | 0) * TWO_32 + (low >>> 0)
  if (value >= -SAFE_MAX && value <= SAFE_MAX) return value
  return (BigInt(high | 0) << 32n) | BigInt(low >>> 0)
}

/** As fromWords, but for values from 0 to 2^64 - 1 (stream ids). */
export function fromUnsignedWords(high: number, low: number): Int64 {
  const value = (high >>> 0) * TWO_32 + (low >>> 0)
  if (value <= SAFE_MAX) return value
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}

/** Exact for safe integers, the nearest double beyond. */
export function toNumber(value: Int64): number {
  return typeof value === 'number' ? value : Number(value)
}

export function int64ToString(value: Int64): string {
  return value.toString()
}

/** The canonical Int64 of a whole double, undefined outside the 64-bit range. */
export function fromNumber(value: number): Int64 | undefined {
  if (value >= -SAFE_MAX && value <= SAFE_MAX) return value + 0
  return Number.isInteger(value) ? canonical(BigInt(value)) : undefined
}

function smallLength(value: number): number {
  if (value < 10000) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4
  if (value < 1000000) return value < 100000 ? 5 : 6
  return value < 100000000 ? (value < 10000000 ? 7 : 8) : value < BILLION ? 9 : 10
}

/** How many characters writeInt64 will write. */
export function int64Length(value: Int64): number {
  if (typeof value === 'bigint') return value.toString().length
  const size = value < 0 ? -value : value
  const sign = value < 0 ? 1 : 0
  if (size < BILLION) return sign + smallLength(size | 0)
  return sign + 9 + smallLength(Math.floor(size / BILLION) | 0)
}

/** Writes a small integer as `count` decimal digits, which it has no more of, so that they end before `end`. */
function writeDigits(value: number, count: number, bytes: Uint8Array, end: number): void {
  let rest = value | 0
  let at = end
  // Each division waits for the one before: two digits at a time are half as many.
  for (const second = end - count + 1; at > second; at -= 2) {
    const hundredth = (rest / 100) | 0
    const pair = rest - hundredth * 100
    const tens = (pair * 103) >> 10 // pair / 10, below 100
    bytes[at - 2] = tens + DIGIT_0
    bytes[at - 1] = pair - tens * 10 + DIGIT_0
    rest = hundredth
  }
  if (at > end - count) bytes[at - 1] = rest + DIGIT_0
}

/** Writes decimal ASCII; returns the position after it. At most INT64_LEN_MAX bytes. */
export function writeInt64(value: Int64, bytes: Uint8Array, pos: number): number {
  if (typeof value === 'bigint') return writeText(value.toString(), bytes, pos)
  let at = pos
  let size = value
  if (size < 0) {
    bytes[at++] = MINUS
    size = -size
  }
  if (size < 10) {
    bytes[at] = size + DIGIT_0
    return at + 1
  }
  if (size < BILLION) {
    const count = smallLength(size | 0)
    writeDigits(size | 0, count, bytes, at + count)
    return at + count
  }
  const billions = Math.floor(size / BILLION)
  const count = smallLength(billions | 0)
  writeDigits(billions | 0, count, bytes, at + count)
  writeDigits((size - billions * BILLION) | 0, 9, bytes, at + count + 9)
  return at + count + 9
}

function writeText(text: string, bytes: Uint8Array, pos: number): number {
  for (let i = 0; i < text.length; i++) bytes[pos + i] = text.charCodeAt(i)
  return pos + text.length
}
