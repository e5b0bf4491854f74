/* How many bytes a string takes in an RDB file, its type left out: what DEBUG OBJECT calls serializedlength.
 *
 *   integer   | encoding | 1, 2 or 4 bytes |            whatever reads as one of at most 32 bits
 *   LZF       | encoding | length | length | bytes |    longer than 20 bytes, where compression makes it shorter
 *   plain     | length | bytes |
 */
import { compareInt64, type Int64, parseInt64 } from '../../../lib/int64.ts'
import { compress } from '../../../lib/lzf.ts'

const INTEGER_LEN_MAX = 11
const COMPRESSED_LEN_MIN = 21

/** Bytes that a length takes. */
function lengthSize(len: number): number {
  if (len < 1 << 6) return 1
  return len < 1 << 14 ? 2 : 5
}

function integerSize(value: Int64): number | undefined {
  for (const bytes of [1, 2, 4]) {
    const limit = 2 ** (8 * bytes - 1)
    if (compareInt64(value, -limit) >= 0 && compareInt64(value, limit - 1) <= 0) return 1 + bytes
  }
  return undefined
}

export function serializedLength(bytes: Uint8Array, pos: number, len: number, compressed: boolean): number {
  const integer = len <= INTEGER_LEN_MAX ? parseInt64(bytes, pos, len) : undefined
  const packed = integer === undefined ? undefined : integerSize(integer)
  if (packed !== undefined) return packed
  if (compressed && len >= COMPRESSED_LEN_MIN) {
    const target = new Uint8Array(len - 4)
    const size = compress(bytes, pos, len, target, 0, target.length)
    if (size > 0) return 1 + lengthSize(size) + lengthSize(len) + size
  }
  return lengthSize(len) + len
}
