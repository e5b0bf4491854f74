/* Doubles as two 32-bit words, for where they lie in memory: as they are, and so changed that the words sort.
 *
 *   high   31  30       20 19                  0       low   31                     0
 *         +---+-----------+---------------------+           +------------------------+
 *         | - | exponent  |  top of the fraction|           | bottom of the fraction |
 *         +---+-----------+---------------------+           +------------------------+
 *
 * Doubles of one sign sort as their 64 bits do; those below zero the other way round. The order words undo that, and
 * let both halves be compared as signed integers: a < b just if highOrder(a) < highOrder(b), or these are equal and
 * lowOrder(a) < lowOrder(b). -0 and 0 have the same order words. NaN has no place. */

const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)
/** Where the halves lie: every machine that Node runs on but one (s390x) is little-endian. */
const LOW = new Uint8Array(Int32Array.of(1).buffer)[0] === 1 ? 0 : 1
const HIGH = 1 - LOW
const SIGN = 0x80000000 | 0

/** The sign, the exponent, and the top of the fraction. */
export function highWord(value: number): number {
  double[0] = value
  return halves[HIGH]!
}

/** The bottom of the fraction. */
export function lowWord(value: number): number {
  double[0] = value
  return halves[LOW]!
}

export function fromWords(high: number, low: number): number {
  halves[HIGH] = high
  halves[LOW] = low
  return double[0]!
}

export function highOrder(value: number): number {
  double[0] = value + 0 // -0 + 0 is 0
  const high = halves[HIGH]!
  return high ^ ((high >> 31) >>> 1)
}

export function lowOrder(value: number): number {
  double[0] = value + 0
  return halves[LOW]! ^ (halves[HIGH]! >> 31) ^ SIGN
}

/** The double with these order words; 0 for those of -0. */
export function fromOrder(high: number, low: number): number {
  const sign = high >> 31
  halves[HIGH] = high ^ (sign >>> 1)
  halves[LOW] = low ^ sign ^ SIGN
  return double[0]!
}
