/* Doubles with a fixed number of decimals, as C writes them.
 *
 *   %.17f, without the zeros at its end     13.36138933897018433     places
 *   %.4f of a value that llrint rounds      166274.1516              distances */

import { writeLatin1 } from './bytes.ts'
import { writeInt64 } from './int64.ts'

/** The longest that `writePlace` and `writeDistance` write. */
export const FIXED_LEN_MAX = 64
const DECIMALS = 17
const DISTANCE_SCALE = 10000
const DIGIT_0 = 48
const POINT = 46

/** Writes a value below 10^21 with up to 17 decimals; returns the position behind it. */
export function writePlace(value: number, bytes: Uint8Array, pos: number): number {
  // Of two that are equally near C takes the even one, JavaScript the greater. There are two if the 18th decimal is a 5
  // and the last: such a value is an odd multiple of 2^-18.
  const isTie = Number.isInteger(value * 2 ** 18) && !Number.isInteger(value * 2 ** 17)
  let text = value.toFixed(DECIMALS)
  if (isTie) {
    const exact = value.toFixed(DECIMALS + 1)
    const below = exact.slice(0, -1)
    if ('02468'.includes(below.at(-1)!)) text = below
  }
  let len = text.length
  while (text.charCodeAt(len - 1) === DIGIT_0) len--
  if (text.charCodeAt(len - 1) === POINT) len--
  if (len === 2 && text.startsWith('-0')) return writeLatin1('0', bytes, pos)
  return writeLatin1(text.slice(0, len), bytes, pos)
}

/** Writes a value from 0 to 10^11 with four decimals; returns the position behind it. */
export function writeDistance(value: number, bytes: Uint8Array, pos: number): number {
  const scaled = value * DISTANCE_SCALE
  let rounded = Math.floor(scaled)
  const rest = scaled - rounded
  if (rest > 0.5 || (rest === 0.5 && rounded % 2 === 1)) rounded++
  const whole = Math.floor(rounded / DISTANCE_SCALE)
  let decimals = rounded - whole * DISTANCE_SCALE
  let end = writeInt64(whole, bytes, pos)
  bytes[end++] = POINT
  for (let at = end + 3; at >= end; at--) {
    bytes[at] = DIGIT_0 + (decimals % 10)
    decimals = Math.floor(decimals / 10)
  }
  return end + 4
}
