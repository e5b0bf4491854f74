/* The forms of floating point text that Redis reads, which are those of C's strtod in the C locale.
 *
 *   [+-] digits [. digits] [e [+-] digits]          digits on one side of the point at least
 *   [+-] 0x hex [. hex] [p [+-] digits]
 *   [+-] inf | infinity                             letters in any case
 *
 * The whole range must be one of these: no spaces, nothing after. NaN, which strtod reads, Redis always refuses.
 * double.ts and long-double.ts turn the digits into values. */
import { asciiUpper, equalsIgnoreCase } from './bytes.ts'

export const FloatKind = { INVALID: 0, DECIMAL: 1, HEX: 2, INFINITY: 3 } as const
export type FloatKind = (typeof FloatKind)[keyof typeof FloatKind]

const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const LETTER_E = 0x45
const LETTER_P = 0x50
const LETTER_X = 0x58

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function isHexDigit(byte: number): boolean {
  const upper = asciiUpper(byte)
  return isDigit(byte) || (upper >= 0x41 && upper <= 0x46)
}

/** Which of the forms the whole range is. */
export function classifyFloat(bytes: Uint8Array, pos: number, len: number): FloatKind {
  const end = pos + len
  if (len === 0) return FloatKind.INVALID
  const start = bytes[pos] === PLUS || bytes[pos] === MINUS ? pos + 1 : pos
  const left = end - start
  if (equalsIgnoreCase(bytes, start, left, 'INF') || equalsIgnoreCase(bytes, start, left, 'INFINITY')) {
    return FloatKind.INFINITY
  }
  const hex = left > 2 && bytes[start] === 0x30 && asciiUpper(bytes[start + 1]!) === LETTER_X
  const first = hex ? start + 2 : start
  let digits = 0
  let points = 0
  let at = first
  for (; at < end; at++) {
    const byte = bytes[at]!
    if (hex ? isHexDigit(byte) : isDigit(byte)) digits++
    else if (byte === POINT && points === 0) points++
    else break
  }
  if (digits === 0) return FloatKind.INVALID
  if (at < end && !isExponent(bytes, at, end, hex ? LETTER_P : LETTER_E)) return FloatKind.INVALID
  return hex ? FloatKind.HEX : FloatKind.DECIMAL
}

function isExponent(bytes: Uint8Array, pos: number, end: number, letter: number): boolean {
  if (asciiUpper(bytes[pos]!) !== letter) return false
  let at = pos + 1
  if (at < end && (bytes[at] === PLUS || bytes[at] === MINUS)) at++
  if (at === end) return false
  while (at < end && isDigit(bytes[at]!)) at++
  return at === end
}
