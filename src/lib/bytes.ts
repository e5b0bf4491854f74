/* Byte ranges: comparing, copying, reading as text, in place.
 *
 * A byte string is (bytes, pos, len) over a plain Uint8Array. These are the leaves of nearly every hot path, so each
 * takes primitives, makes no object while the range is short, and owns its threshold: where a loop stops paying and
 * a call into V8's C++ starts to. Loops take four bytes a turn. Nanoseconds on Node 20:
 *
 *   len                          4    8   16   24   32   40   64   96  256
 *   copy, a byte a turn          4   13   21   30   39   49   76  112  299
 *   copy, four a turn            4    7   11   16   20   25   39   68  181
 *   target.set(subarray)        30   30   30   30   30   30   30   30   32   for two arrays, and leaves garbage
 *   copyWithin                  16   16   16   16   16   16   16   16   18   within one array
 *   equal, four a turn           5    7   12   17   21   26   40   70  186
 *   Buffer.compare(subarrays)   67   67   67   67   67   67   67   67   66
 */
import { Buffer } from 'node:buffer'

/** The longest range that is copied from one array to another by the loop. */
const COPY_LOOP_MAX = 40
/** The longest range that is copied within one array by the loop. */
const MOVE_LOOP_MAX = 20
/** The longest range that is compared by the loop. */
const COMPARE_LOOP_MAX = 96

/** Whether a word of memory has its lowest byte first, as the formats that structures are kept in want it. */
export const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** Whether two ranges of one length hold the same bytes. */
export function equalBytes(a: Uint8Array, aPos: number, b: Uint8Array, bPos: number, len: number): boolean {
  if (len > COMPARE_LOOP_MAX) return compareLong(a, aPos, b, bPos, len) === 0
  let i = 0
  for (; i + 4 <= len; i += 4) {
    const first = (a[aPos + i]! ^ b[bPos + i]!) | (a[aPos + i + 1]! ^ b[bPos + i + 1]!)
    const after = (a[aPos + i + 2]! ^ b[bPos + i + 2]!) | (a[aPos + i + 3]! ^ b[bPos + i + 3]!)
    if ((first | after) !== 0) return false
  }
  for (; i < len; i++) if (a[aPos + i] !== b[bPos + i]) return false
  return true
}

function compareLong(a: Uint8Array, aPos: number, b: Uint8Array, bPos: number, len: number): number {
  return Buffer.compare(a.subarray(aPos, aPos + len), b.subarray(bPos, bPos + len))
}

/** Whether the bytes are `upperText` in any case. `upperText` is ASCII without lower-case letters. */
export function equalsIgnoreCase(bytes: Uint8Array, pos: number, len: number, upperText: string): boolean {
  if (len !== upperText.length) return false
  for (let i = 0; i < len; i++) if (asciiUpper(bytes[pos + i]!) !== upperText.charCodeAt(i)) return false
  return true
}

/** Copies `len` bytes; as if through a buffer when the ranges overlap within one array. Two views over the same
 *  memory must not overlap. */
export function copyBytes(
  source: Uint8Array,
  sourcePos: number,
  target: Uint8Array,
  targetPos: number,
  len: number,
): void {
  if (len > MOVE_LOOP_MAX && (len > COPY_LOOP_MAX || source === target)) {
    copyLong(source, sourcePos, target, targetPos, len)
  } else if (source === target && targetPos > sourcePos && targetPos < sourcePos + len) {
    for (let i = len - 1; i >= 0; i--) target[targetPos + i] = source[sourcePos + i]!
  } else {
    let i = 0
    for (; i + 4 <= len; i += 4) {
      target[targetPos + i] = source[sourcePos + i]!
      target[targetPos + i + 1] = source[sourcePos + i + 1]!
      target[targetPos + i + 2] = source[sourcePos + i + 2]!
      target[targetPos + i + 3] = source[sourcePos + i + 3]!
    }
    for (; i < len; i++) target[targetPos + i] = source[sourcePos + i]!
  }
}

function copyLong(source: Uint8Array, sourcePos: number, target: Uint8Array, targetPos: number, len: number): void {
  if (source === target) target.copyWithin(targetPos, sourcePos, sourcePos + len)
  else target.set(source.subarray(sourcePos, sourcePos + len), targetPos)
}

/** Below 0, 0 or above 0: by bytes, and where one is a prefix of the other, the shorter first. */
export function compareBytes(
  a: Uint8Array,
  aPos: number,
  aLen: number,
  b: Uint8Array,
  bPos: number,
  bLen: number,
): number {
  const common = Math.min(aLen, bLen)
  if (common > COMPARE_LOOP_MAX) return compareLong(a, aPos, b, bPos, common) || aLen - bLen
  for (let i = 0; i < common; i++) {
    const difference = a[aPos + i]! - b[bPos + i]!
    if (difference !== 0) return difference
  }
  return aLen - bLen
}

/** The 32-bit word at a position that need not be a multiple of four, its lowest byte first. Signed. */
export function littleWord(bytes: Uint8Array, pos: number): number {
  return bytes[pos]! | (bytes[pos + 1]! << 8) | (bytes[pos + 2]! << 16) | (bytes[pos + 3]! << 24)
}

export function writeLittleWord(word: number, bytes: Uint8Array, pos: number): void {
  bytes[pos] = word
  bytes[pos + 1] = word >>> 8
  bytes[pos + 2] = word >>> 16
  bytes[pos + 3] = word >>> 24
}

/** The bytes as text, one character each: lossless. Cold. */
export function latin1(bytes: Uint8Array, pos: number, len: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + pos, len).toString('latin1')
}

/** The bytes as text, ill-formed UTF-8 replaced. Cold. */
export function utf8(bytes: Uint8Array, pos: number, len: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + pos, len).toString('utf8')
}

/** Writes one byte per character (its low eight bits); returns the position after. */
export function writeLatin1(text: string, bytes: Uint8Array, pos: number): number {
  for (let i = 0; i < text.length; i++) bytes[pos + i] = text.charCodeAt(i)
  return pos + text.length
}

/** A new array with one byte per character (its low eight bits). Cold: for constants and tests. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  writeLatin1(text, bytes, 0)
  return bytes
}

export function asciiLower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte
}

export function asciiUpper(byte: number): number {
  return byte >= 97 && byte <= 122 ? byte - 32 : byte
}
