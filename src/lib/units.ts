/* Units: sizes in bytes as people write them ("64mb") and as INFO shows them ("1.50M").
 *
 * k, m and g are powers of 1000; kb, mb and gb of 1024, in any case; b or nothing means bytes. */

import { fromLatin1, latin1 } from './bytes.ts'
import { type Int64, int64ToString, mulUint64, parseUint64, toNumber, UINT64_MAX } from './int64.ts'

const MULTIPLIERS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1000],
  ['kb', 1024],
  ['m', 1000 ** 2],
  ['mb', 1024 ** 2],
  ['g', 1000 ** 3],
  ['gb', 1024 ** 3],
])

/** More digits than this Redis refuses outright. */
const DIGITS_MAX = 127

/** The number of bytes, from 0 to 2^64 - 1, or undefined when the text is none. As Redis has it, digits may be missing
 *  ("kb" is 0), too large a number counts as 2^64 - 1, and what a unit carries beyond 64 bits is dropped. */
export function memtoull(bytes: Uint8Array, pos: number, len: number): Int64 | undefined {
  const parts = /^([0-9]*)([a-z]*)$/i.exec(latin1(bytes, pos, len))
  if (parts === null) return undefined
  const [, digits = '', unit = ''] = parts
  const multiplier = MULTIPLIERS.get(unit.toLowerCase())
  if (multiplier === undefined || digits.length > DIGITS_MAX) return undefined
  const count = digits === '' ? 0 : (parseUint64(fromLatin1(digits), 0, digits.length) ?? UINT64_MAX)
  return mulUint64(count, multiplier)
}

const SUFFIXES = ['B', 'K', 'M', 'G', 'T', 'P'] as const

/** As INFO shows sizes: two decimals of the largest unit that leaves something before the point. */
export function bytesToHuman(size: Int64): string {
  const bytes = toNumber(size)
  let power = 0
  while (power < SUFFIXES.length && bytes >= 1024 ** (power + 1)) power++
  if (power === 0 || power === SUFFIXES.length) return int64ToString(size) + 'B'
  return fixed2(bytes / 1024 ** power) + SUFFIXES[power]
}

/** As C's "%.2f" for values that are not negative: ties go to even, where toFixed takes the larger. */
function fixed2(value: number): string {
  const eighths = value * 8 // a tie at two decimals is an odd number of eighths
  if (!Number.isInteger(eighths) || eighths % 2 === 0) return value.toFixed(2)
  const hundredths = Math.floor(value * 100)
  return ((hundredths + (hundredths % 2)) / 100).toFixed(2)
}
