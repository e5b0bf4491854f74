/* Doubles to text and back, as Redis does it: scores, INCRBYFLOAT's cousins, RESP3's doubles.
 *
 * Reading accepts what C's strtod accepts (float-text.ts), except NaN, leading spaces, and whatever leaves the range.
 *
 * Writing follows Redis 7.2: whole numbers up to 2^62 in full, everything else by Grisu2 (Loitsch, "Printing
 * floating-point numbers quickly and accurately with integers", 2010). Grisu2 is almost always the shortest text that
 * reads back as the same double, which is what JavaScript prints; but about one double in two thousand gets a digit
 * more, and replies are to be equal byte for byte. So Grisu2 itself is here, its 64-bit integers held as two 32-bit
 * halves ("high" and "low", unsigned) in doubles, which are exact to 53 bits:
 *
 *   lower < value < upper     the neighbours half-way to the next doubles: what lies between reads back as value
 *   each * 10^-k              by a cached power, so that the product has 32 to 60 bits after the binary point
 *   digits of upper           one by one, until what is left is less than upper - lower; then the last is
 *                             lowered while that brings the text nearer to value
 *
 * Cost on Node 20, write / read: whole numbers 13 / 11 ns, up to six decimals 35 / 14 ns, 17 digits 340 / 185 ns. */

import { latin1, writeLatin1 } from './bytes.ts'
import { classifyFloat, FloatKind } from './float-text.ts'
import { fromNumber, writeInt64 } from './int64.ts'
import { parseHexDouble } from './long-double.ts'
import { POWER_COUNT, POWER_FIRST, POWER_STEP, powerExponent, SIGNIFICANDS } from './powers-of-ten.ts'

/** The most bytes writeDouble writes: sign, "0.00", 17 digits, and a few to spare. */
export const DOUBLE_LEN_MAX = 32

const TWO_32 = 4294967296
const HALF = 1 / TWO_32 // what the low half counts, in units of the high one
const LOG10_2 = 0.30102999566398114 // Redis's, one digit off at the end
const WHOLE_MAX = 2 ** 62 // Redis prints whole numbers as integers up to here
const DIGIT_0 = 48
const MINUS = 45
const PLUS = 43
const POINT = 46
const LETTER_E = 101
/** What shortDecimals considers. */
const SHORT_DECIMALS_MAX = 6
const SHORT_MAX = 1e15
/** So many digits and powers of ten are exact in a double, hence their quotient is rounded once. */
const EXACT_DIGITS_MAX = 15
const POWERS = new Float64Array(EXACT_DIGITS_MAX + 1).map((_, power) => 10 ** power)
const INVERSES = POWERS.map((power) => 1 / power)

/** The value of the text, undefined where Redis says "value is not a valid float". */
export function parseDouble(bytes: Uint8Array, pos: number, len: number): number | undefined {
  const end = pos + len
  let at = pos
  const negative = len > 0 && bytes[at] === MINUS
  if (negative) at++
  if (end - at > EXACT_DIGITS_MAX + 1) return parseSlowly(bytes, pos, len)
  let size = 0
  let digits = 0
  let point = -1 // digits before it
  for (; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0
    if (digit >= 0 && digit <= 9) {
      size = size * 10 + digit
      digits++
    } else if (digit === POINT - DIGIT_0 && point < 0) {
      point = digits
    } else {
      return parseSlowly(bytes, pos, len)
    }
  }
  if (digits === 0 || digits > EXACT_DIGITS_MAX) return parseSlowly(bytes, pos, len)
  if (point >= 0) size /= POWERS[digits - point]!
  return negative ? -size : size
}

function parseSlowly(bytes: Uint8Array, pos: number, len: number): number | undefined {
  const kind = classifyFloat(bytes, pos, len)
  if (kind === FloatKind.INVALID) return undefined
  if (kind === FloatKind.HEX) return parseHexDouble(bytes, pos, len)
  if (kind === FloatKind.INFINITY) return bytes[pos] === MINUS ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const text = latin1(bytes, pos, len)
  const value = Number(text)
  if (!Number.isFinite(value)) return undefined
  if (value === 0 && /^[^eE]*[1-9]/.test(text)) return undefined // too small
  return value
}

const scratch = new Uint8Array(DOUBLE_LEN_MAX)

/** The text Redis 7.2 replies for a double. */
export function formatDouble(value: number): string {
  return latin1(scratch, 0, writeDouble(value, scratch, 0))
}

/** Writes the text Redis 7.2 replies for a double; returns the position after it. */
export function writeDouble(value: number, bytes: Uint8Array, pos: number): number {
  if (value === Math.trunc(value)) {
    if (value >= -WHOLE_MAX && value <= WHOLE_MAX && value !== 0) return writeInt64(fromNumber(value)!, bytes, pos)
    if (value === 0) return writeLatin1(Object.is(value, -0) ? '-0' : '0', bytes, pos)
    if (value === Number.POSITIVE_INFINITY) return writeLatin1('inf', bytes, pos)
    if (value === Number.NEGATIVE_INFINITY) return writeLatin1('-inf', bytes, pos)
  } else if (Number.isNaN(value)) {
    return writeLatin1('nan', bytes, pos)
  }
  const size = value < 0 ? -value : value
  let at = pos
  if (value < 0) bytes[at++] = MINUS
  const decimals = shortDecimals(size)
  if (decimals !== 0) return writeDecimals(size, decimals, bytes, at)
  generate(size)
  return emit(bytes, at)
}

/** Writes the digits that Grisu2 finds also of a whole number, which may have an exponent then; returns the position
 *  after it. Redis digests scores so. */
export function writeShortDouble(value: number, bytes: Uint8Array, pos: number): number {
  if (value === 0 || !Number.isInteger(value)) return writeDouble(value, bytes, pos)
  let at = pos
  if (value < 0) bytes[at++] = MINUS
  generate(Math.abs(value))
  return emit(bytes, at)
}

/** How many decimals (up to 6) are certain to be what Grisu2 prints, 0 when that is not certain. Most scores that
 *  people set are such, and need an eighth of the time. No two decimal texts of up to 15 digits read as one double, so
 *  this is the shortest; and Grisu2 finds it unless it is too near the border, half a last place away from the value,
 *  for Grisu2 is out by less than a hundredth of that. (Powers of two, whose lower border is nearer, are either exact
 *  in 6 decimals or do not have them.) */
function shortDecimals(size: number): number {
  for (let decimals = 1; decimals <= SHORT_DECIMALS_MAX; decimals++) {
    const power = POWERS[decimals]!
    const near = Math.floor(size * power + 0.5)
    if (near / power !== size) continue
    if (near >= SHORT_MAX) return 0
    // The distance from the text to the value, times the power: exact, by way of halves of the significand.
    const split = size * 134217729
    const major = split - (split - size)
    const distance = major * power - near + (size - major) * power
    float[0] = size
    floatWords[0] = 0
    floatWords[1] = floatWords[1]! & 0x7ff00000
    const binade = float[0] // the power of two at or below
    return Math.abs(distance) < 0.49 * 2 ** -52 * binade * power ? decimals : 0
  }
  return 0
}

/** Writes a value for which shortDecimals has answered. */
function writeDecimals(size: number, decimals: number, bytes: Uint8Array, pos: number): number {
  const power = POWERS[decimals]!
  const near = Math.floor(size * power + 0.5)
  const whole = Math.floor(near / power)
  const at = writeInt64(whole, bytes, pos)
  bytes[at] = POINT
  let rest = near - whole * power
  for (let i = decimals; i > 0; i--) {
    const tenth = (rest / 10) | 0
    bytes[at + i] = rest - tenth * 10 + DIGIT_0
    rest = tenth
  }
  return at + 1 + decimals
}

// The digits of the number at hand: value = 0.d1d2… * 10^(digitCount + decimalExponent). At most 18 of them.
const digits = new Uint8Array(20)
let digitCount = 0
let decimalExponent = 0

/** Lays the digits out: in full, with a point, or with an exponent. */
function emit(bytes: Uint8Array, pos: number): number {
  const exponent = digitCount + decimalExponent - 1
  const size = exponent < 0 ? -exponent : exponent
  if (decimalExponent >= 0 && size < digitCount + 7) {
    const at = copyDigits(0, digitCount, bytes, pos)
    bytes.fill(DIGIT_0, at, at + decimalExponent)
    return at + decimalExponent
  }
  if (decimalExponent < 0 && (decimalExponent > -7 || size < 4)) return emitDecimal(bytes, pos)
  let at = copyDigits(0, 1, bytes, pos)
  if (digitCount > 1) {
    bytes[at++] = POINT
    at = copyDigits(1, digitCount, bytes, at)
  }
  bytes[at++] = LETTER_E
  bytes[at++] = exponent < 0 ? MINUS : PLUS
  return writeInt64(size, bytes, at)
}

function emitDecimal(bytes: Uint8Array, pos: number): number {
  const whole = digitCount + decimalExponent
  let at = pos
  if (whole > 0) {
    at = copyDigits(0, whole, bytes, at)
    bytes[at++] = POINT
    return copyDigits(whole, digitCount, bytes, at)
  }
  bytes[at++] = DIGIT_0
  bytes[at++] = POINT
  for (let zeros = whole; zeros < 0; zeros++) bytes[at++] = DIGIT_0
  return copyDigits(0, digitCount, bytes, at)
}

function copyDigits(first: number, end: number, bytes: Uint8Array, pos: number): number {
  for (let i = first; i < end; i++) bytes[pos + i - first] = digits[i]! + DIGIT_0
  return pos + end - first
}

const float = new Float64Array(1)
const floatWords = new Uint32Array(float.buffer) // little-endian, as every machine Node runs on

// The products, as pairs of halves: what was multiplied, then times a power of ten.
const product = new Uint32Array(6)
const VALUE = 0
const UPPER = 2
const LOWER = 4

/** Grisu2: fills digits, digitCount and decimalExponent for a finite value above 0. */
function generate(value: number): void {
  float[0] = value
  const low = floatWords[0]!
  const biased = floatWords[1]! >>> 20
  const high = (floatWords[1]! & 0xfffff) | (biased === 0 ? 0 : 0x100000)
  // Shift the significand to the top of 64 bits; half of its last place is then bit `shift - 1`.
  const shift = high !== 0 ? Math.clz32(high) : 32 + Math.clz32(low)
  const exponent = (biased === 0 ? 1 : biased) - 1075 - shift
  const top = shift < 32 ? ((high << shift) | (low >>> (32 - shift))) >>> 0 : (low << (shift - 32)) >>> 0
  const bottom = shift < 32 ? (low << shift) >>> 0 : 0
  const upperStep = 2 ** (shift - 1)
  // Below a power of two the doubles lie twice as dense.
  const lowerStep = high === 0x100000 && low === 0 ? upperStep / 2 : upperStep
  const index = cachedPower(exponent)
  multiply(top, bottom, index, VALUE)
  // A step is one bit, in one of the halves; adding it carries nothing, since the bits there are zero.
  if (upperStep < TWO_32) multiply(top, bottom + upperStep, index, UPPER)
  else multiply(top + upperStep / TWO_32, bottom, index, UPPER)
  if (lowerStep >= TWO_32) multiply(top - lowerStep / TWO_32, bottom, index, LOWER)
  else if (bottom >= lowerStep) multiply(top, bottom - lowerStep, index, LOWER)
  else multiply(top - 1, bottom - lowerStep + TWO_32, index, LOWER)
  // The products may be off by one in the last place: draw the borders in.
  const upperLow = product[UPPER + 1]!
  const lowerLow = product[LOWER + 1]!
  product[UPPER + 1] = upperLow - 1
  if (upperLow === 0) product[UPPER] = product[UPPER]! - 1
  product[LOWER + 1] = lowerLow + 1
  if (lowerLow === TWO_32 - 1) product[LOWER] = product[LOWER]! + 1
  decimalExponent = -(POWER_FIRST + POWER_STEP * index)
  generateDigits(-(exponent + powerExponent(index) + 64))
}

/** The power whose product with 64 bits times 2^exponent has 32 to 60 bits after the binary point. Several may;
 *  which one is taken shows in the digits, so the first guess is Redis's. */
function cachedPower(exponent: number): number {
  const decimal = Math.trunc(-(exponent + POWER_COUNT) * LOG10_2)
  let index = Math.trunc((decimal - POWER_FIRST) / POWER_STEP)
  for (;;) {
    const scaled = exponent + powerExponent(index) + 64
    if (scaled < -60) index++
    else if (scaled > -32) index--
    else return index
  }
}

/** The upper half of the product of two unsigned 32-bit integers; `low` is the lower one. Exact: the rounding error of
 *  a * b is below 2^11, far from half of what it is divided by. */
function highProduct(a: number, b: number, low: number): number {
  return Math.floor((a * b - low) * HALF + 0.5)
}

function lowProduct(a: number, b: number): number {
  return Math.imul(a, b) >>> 0
}

/** product[into] = the upper 64 bits, rounded, of (high, low) times the significand of power `index`. */
function multiply(high: number, low: number, index: number, into: number): void {
  const powerHigh = SIGNIFICANDS[2 * index]!
  const powerLow = SIGNIFICANDS[2 * index + 1]!
  const outerLow = lowProduct(high, powerHigh)
  const oneLow = lowProduct(high, powerLow)
  const otherLow = lowProduct(low, powerHigh)
  const inner = highProduct(low, powerLow, lowProduct(low, powerLow))
  const carry = Math.floor((oneLow + otherLow + inner) * HALF + 0.5)
  const sum = outerLow + highProduct(high, powerLow, oneLow) + highProduct(low, powerHigh, otherLow) + carry
  product[into + 1] = sum
  product[into] = highProduct(high, powerHigh, outerLow) + Math.floor(sum * HALF)
}

/** The digits of the upper border until the rest lies within the interval. `point`: bits after the binary point. */
function generateDigits(point: number): void {
  const unit = 2 ** (point - 32) // a one, in the high half
  const inverse = 1 / unit
  const upperHigh = product[UPPER]!
  const upperLow = product[UPPER + 1]!
  const deltaHigh = upperHigh - product[LOWER]!
  const deltaLow = upperLow - product[LOWER + 1]!
  // Before the point: at most ten digits.
  let count = 0
  let whole = Math.floor(upperHigh * inverse)
  let high = upperHigh - whole * unit
  let low = upperLow
  for (let left = whole < 100000 ? 4 : 9; left >= 0; left--) {
    const power = POWERS[left]!
    const digit = ((whole + 0.5) * INVERSES[left]!) | 0 // the half keeps multiples of the power from rounding down
    if (digit > 0 || count > 0) digits[count++] = digit
    whole -= digit * power
    const restHigh = whole * unit + high
    if (restHigh - deltaHigh + (low - deltaLow) * HALF <= 0) {
      digitCount = count
      decimalExponent += left
      roundLast(restHigh, low, 0, power * unit)
      return
    }
  }
  // After it: everything times ten, and the digit is what crosses the point. The interval is multiplied in a double:
  // only where that is too rough to decide, exactly.
  let rough = (deltaHigh + deltaLow * HALF) * (1 + 1e-13)
  for (let decimals = 1; ; decimals++) {
    low *= 10
    const carry = Math.floor(low * HALF)
    low -= carry * TWO_32
    high = high * 10 + carry
    rough *= 10
    const digit = Math.floor(high * inverse)
    if (digit > 0 || count > 0) digits[count++] = digit
    high -= digit * unit
    if (high <= rough && isWithin(high, low, deltaHigh, deltaLow, decimals)) {
      digitCount = count
      decimalExponent -= decimals
      roundLast(high, low, decimals, unit)
      return
    }
  }
}

// A pair of halves times a power of ten, as `scale` leaves it.
let scaledHigh = 0
let scaledLow = 0

/** (scaledHigh, scaledLow) = (high, low) * 10^count; below 2^64, and the halves in order. */
function scale(high: number, low: number, count: number): void {
  let upper = low < 0 ? high - 1 : high
  let lower = low < 0 ? low + TWO_32 : low
  for (let left = count; left > 0; left -= 6) {
    const factor = POWERS[Math.min(left, 6)]! // a half times it is exact
    lower *= factor
    const carry = Math.floor(lower * HALF)
    lower -= carry * TWO_32
    upper = upper * factor + carry
  }
  scaledHigh = upper
  scaledLow = lower
}

/** Whether (high, low) < (deltaHigh, deltaLow) * 10^count. */
function isWithin(high: number, low: number, deltaHigh: number, deltaLow: number, count: number): boolean {
  scale(deltaHigh, deltaLow, count)
  return high < scaledHigh || (high === scaledHigh && low < scaledLow)
}

/** Lowers the last digit while the text stays above the lower border and gets nearer to the value. (high, low) is what
 *  the digits leave of the upper border, times 10^count; `step`, a high half, is what one in the last digit is. */
function roundLast(high: number, low: number, count: number, step: number): void {
  const upperHigh = product[UPPER]!
  const upperLow = product[UPPER + 1]!
  scale(upperHigh - product[VALUE]!, upperLow - product[VALUE + 1]!, count)
  let gap = scaledHigh - high // from the value up to the text, when not below 0
  const gapPart = (scaledLow - low) * HALF // between -1 and 1
  scale(upperHigh - product[LOWER]!, upperLow - product[LOWER + 1]!, count)
  let room = scaledLow < low ? scaledHigh - high - 1 : scaledHigh - high // from the lower border up to the text
  // The sum is rounded, but only its sign is asked, which rounding keeps.
  while (room >= step && gap - step / 2 + gapPart > 0) {
    digits[digitCount - 1] = digits[digitCount - 1]! - 1
    gap -= step
    room -= step
  }
}

/** The text of C's "%.17g", which Redis 7.0 replies and append-only files hold. */
export function formatDouble17(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const sign = value < 0 ? '-' : ''
  const [mantissa = '', exponentText = ''] = exponential17(Math.abs(value)).split('e')
  const exponent = Number(exponentText)
  const text = mantissa.replace('.', '').replace(/0+$/, '')
  if (exponent < -4 || exponent >= 17) {
    const size = Math.abs(exponent)
    const fraction = text.length > 1 ? '.' + text.slice(1) : ''
    return sign + text[0] + fraction + (exponent < 0 ? 'e-' : 'e+') + (size < 10 ? '0' : '') + size
  }
  if (exponent < 0) return sign + '0.' + '0'.repeat(-exponent - 1) + text
  if (text.length <= exponent + 1) return sign + text.padEnd(exponent + 1, '0')
  return sign + text.slice(0, exponent + 1) + '.' + text.slice(exponent + 1)
}

/** 17 digits with an exponent, ties to even: toExponential takes the larger. */
function exponential17(value: number): string {
  const text = value.toExponential(16)
  const [longer = ''] = value.toExponential(17).split('e')
  if (!longer.endsWith('5')) return text
  // It is a tie if nothing follows the 5; 60 digits would show it. Then the 17 digits before the 5 decide.
  const [longest = ''] = value.toExponential(60).split('e')
  const even = Number(longer[longer.length - 2]) % 2 === 0
  if (!even || !/^0*$/.test(longest.slice(longer.length)) || longest.slice(0, longer.length) !== longer) return text
  return longer.slice(0, -1) + text.slice(text.indexOf('e'))
}
