/* The gap that a listpack may have in front of its first element, so that elements can be put there, and taken from
 * there, without moving all others. A listpack with a gap is for memory only: whoever wants Redis's format closes it.
 *
 *   off 0          4       6                   6 + gap
 *       +----------+-------+- - - - - - - - - -+---------+-   -+------+
 *       |   size   | count |       gap         | element |  …  | 0xff |
 *       +----------+-------+- - - - - - - - - -+---------+-   -+------+
 *        with the gap
 *
 *   gap of 2 bytes     11111011 00000000
 *   gap of 3 bytes     11111100    …     00000000
 *   longer             11111101 length, 2 bytes  …  00000000
 *
 * None of the first bytes begins an element. The last one would be the backlen of nothing: who walks from the end knows
 * by it that there is nothing before. */
import { assert } from '../lib/assert.ts'

const GAP_2 = 0xfb // and 0xfc with 3 bytes
const GAP_LONG = 0xfd
/** No gap is shorter, but for that of no bytes. */
export const GAP_MIN = 2
export const GAP_MAX = 0xffff

/** The length of what lies at `pos`, in front of the first element; 0: the element itself. */
export function gapAt(bytes: Uint8Array, pos: number): number {
  const head = bytes[pos]!
  if (head < GAP_2 || head > GAP_LONG) return 0
  return head === GAP_LONG ? bytes[pos + 1]! | (bytes[pos + 2]! << 8) : head - GAP_2 + GAP_MIN
}

/** Makes a gap of `len` bytes, GAP_MIN to GAP_MAX; or 0: an element is about to be written, and what is there now is
 *  not to be taken for a gap. */
export function writeGap(bytes: Uint8Array, pos: number, len: number): void {
  if (len === 0) {
    bytes[pos] = 0
    return
  }
  if (len > 3) {
    bytes[pos] = GAP_LONG
    bytes[pos + 1] = len
    bytes[pos + 2] = len >> 8
  } else bytes[pos] = GAP_2 + len - GAP_MIN
  bytes[pos + len - 1] = 0
}

/** Fails unless what lies at `pos` is a gap as drawn, or none; returns where it ends. */
export function verifyGap(bytes: Uint8Array, pos: number): number {
  const len = gapAt(bytes, pos)
  assert(len === 0 || (len >= GAP_MIN && bytes[pos + len - 1] === 0), 'a gap ends like the backlen of nothing')
  return pos + len
}
