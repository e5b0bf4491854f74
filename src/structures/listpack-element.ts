/* One element of a listpack, byte for byte as Redis 7.2 writes it.
 *
 *        +------+- - - - - -+- - - - - - - - - -+---------+
 *        | head |  length   |  text or integer  | backlen |
 *        +------+- - - - - -+- - - - - - - - - -+---------+
 *
 *   head
 *   0nnnnnnn                       integer, 0 … 127
 *   10llllll                       string of up to 63 bytes, which follow
 *   110nnnnn nnnnnnnn              integer, 13 bits, the high ones first
 *   1110llll llllllll              string of up to 4095 bytes; its length, the high bits first
 *   11110000 length, 4 bytes       any string; the length little-endian, as the integers that follow
 *   11110001 2 bytes               integer, 16 bits
 *   11110010 3 bytes               integer, 24 bits
 *   11110011 4 bytes               integer, 32 bits
 *   11110100 8 bytes               integer, 64 bits
 *   11111111                       no element: the listpack ends here
 *
 * `backlen` is the size of what stands before it, so that one can walk from the end: 7 bits a byte, high ones first,
 * the top bit set in all bytes but the first. It takes one byte more than needed where those 7 bits would all be set
 * (16383, 2097151 …): a quirk to be kept.
 *
 * What reads as a 64-bit integer (as strictly as lib/int64.ts parses) is written as the shortest integer that holds it.
 * Integers are handled as two 32-bit words, so that none needs an object. */
import { assert } from '../lib/assert.ts'
import { copyBytes, littleWord, writeLittleWord } from '../lib/bytes.ts'

/** In place of a head: the end. */
export const LISTPACK_END = 0xff
const STRING_6 = 0x80
const STRING_6_MASK = 0xc0
const STRING_6_MAX = 63
const INT_13 = 0xc0
const STRING_12 = 0xe0
const STRING_12_MAX = 4095
const STRING_32 = 0xf0
const INT_16 = 0xf1
const INT_24 = 0xf2 // and 0xf3 with 32 bits
const INT_64 = 0xf4
const BACKLEN_SIZE_MAX = 5

/** Bytes of the whole element, by its head; 0 where the head does not tell: longer strings, the end, and no heads. */
export const SIZE_BY_HEAD = Uint8Array.from({ length: 256 }, (_, head) => {
  if (head < STRING_6) return 2
  if (head < INT_13) return head - STRING_6 + 2
  if (head < STRING_12) return 3
  return [4, 5, 6, 10][head - INT_16] ?? 0
})

/** Bytes before a string's text, by head; 0 for what is no string. */
export const LEAD_BY_HEAD = Uint8Array.from({ length: 256 }, (_, head) => {
  if ((head & STRING_6_MASK) === STRING_6) return 1
  if (head >= STRING_12 && head < STRING_32) return 2
  return head === STRING_32 ? 5 : 0
})

/** The head of a string of this length, if it is one of the short ones; -1 otherwise. */
export function shortStringHead(len: number): number {
  return len <= STRING_6_MAX ? STRING_6 | len : -1
}

/** The length of the string that begins so, if it is one of up to STRING_6_MAX bytes; negative otherwise. */
export function shortTextLen(head: number): number {
  return (head & STRING_6_MASK) === STRING_6 ? head & STRING_6_MAX : -1
}

/** Length of the text of a string whose lead is `lead` bytes. */
export function textLenAt(bytes: Uint8Array, pos: number, lead: number): number {
  if (lead === 1) return bytes[pos]! & STRING_6_MAX
  return lead === 2 ? ((bytes[pos]! & 0x0f) << 8) | bytes[pos + 1]! : littleWord(bytes, pos + 1) >>> 0
}

/** Bytes of the whole element at `pos`. */
export function elementSizeAt(bytes: Uint8Array, pos: number): number {
  const size = SIZE_BY_HEAD[bytes[pos]!]!
  return size !== 0 ? size : longSizeAt(bytes, pos)
}

/** As elementSizeAt, for an element whose head does not tell. */
export function longSizeAt(bytes: Uint8Array, pos: number): number {
  const head = bytes[pos]!
  DEV: assert(LEAD_BY_HEAD[head]! > 1, 'only long strings do not show their size in their head')
  if (head !== STRING_32) {
    const size = (((head & 0x0f) << 8) | bytes[pos + 1]!) + 2
    return size <= 127 ? size + 1 : size + 2
  }
  const size = textLenAt(bytes, pos, 5) + 5
  return size + backlenSize(size)
}

/** The lower word of an integer element. */
export function lowWordAt(bytes: Uint8Array, pos: number): number {
  const head = bytes[pos]!
  if (head < STRING_6) return head
  if (head < STRING_12) return ((head << 27) >> 19) | bytes[pos + 1]!
  if (head === INT_16) return ((bytes[pos + 1]! << 16) | (bytes[pos + 2]! << 24)) >> 16
  if (head === INT_24) return ((bytes[pos + 1]! << 8) | (bytes[pos + 2]! << 16) | (bytes[pos + 3]! << 24)) >> 8
  return littleWord(bytes, pos + 1)
}

/** The upper word of an integer element whose lower word is `low`. */
export function highWordAt(bytes: Uint8Array, pos: number, low: number): number {
  return bytes[pos] === INT_64 ? littleWord(bytes, pos + 5) : low >> 31
}

/** Bytes of an integer up to its backlen. */
export function integerSize(high: number, low: number): number {
  if (high !== low >> 31) return 9
  if (low >= 0 && low <= 127) return 1
  if (low === (low << 19) >> 19) return 2
  if (low === (low << 16) >> 16) return 3
  return low === (low << 8) >> 8 ? 4 : 5
}

/** Bytes of a string up to its backlen. */
export function stringSize(len: number): number {
  return len + (len <= STRING_6_MAX ? 1 : len <= STRING_12_MAX ? 2 : 5)
}

export function backlenSize(size: number): number {
  if (size <= 127) return 1
  if (size < 16383) return 2
  if (size < 2097151) return 3
  return size < 268435455 ? 4 : BACKLEN_SIZE_MAX
}

export function writeBacklen(size: number, bytes: Uint8Array, pos: number): void {
  let rest = size
  for (let at = pos + backlenSize(size) - 1; at > pos; at--) {
    bytes[at] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[pos] = rest
}

/** The size written in the backlen that ends at `last`; -1 if it goes on beyond the longest there is.
 *  Reads at most BACKLEN_SIZE_MAX bytes. */
export function backlenEndingAt(bytes: Uint8Array, last: number): number {
  let byte = bytes[last]!
  if (byte < 128) return byte
  let size = byte & 127
  let unit = 128
  for (let at = last - 1; at > last - BACKLEN_SIZE_MAX; at--) {
    byte = bytes[at]!
    size += (byte & 127) * unit
    if (byte < 128) return size
    unit *= 128
  }
  return -1
}

/** Writes an integer of `size` bytes, as integerSize says, and its backlen. */
export function writeInteger(high: number, low: number, size: number, bytes: Uint8Array, pos: number): void {
  bytes[pos + size] = size // its backlen: a single byte
  if (size === 1) {
    bytes[pos] = low
  } else if (size === 2) {
    bytes[pos] = INT_13 | ((low >> 8) & 0x1f)
    bytes[pos + 1] = low
  } else if (size === 9) {
    bytes[pos] = INT_64
    writeLittleWord(low, bytes, pos + 1)
    writeLittleWord(high, bytes, pos + 5)
  } else {
    bytes[pos] = INT_16 + size - 3
    for (let at = 1, rest = low; at < size; at++, rest >>= 8) bytes[pos + at] = rest
  }
}

/** Writes a string and its backlen; `size` is its stringSize. */
export function writeString(
  source: Uint8Array,
  sourcePos: number,
  len: number,
  size: number,
  target: Uint8Array,
  targetPos: number,
): void {
  if (len <= STRING_6_MAX) {
    target[targetPos] = STRING_6 | len
  } else if (len <= STRING_12_MAX) {
    target[targetPos] = STRING_12 | (len >> 8)
    target[targetPos + 1] = len
  } else {
    target[targetPos] = STRING_32
    writeLittleWord(len, target, targetPos + 1)
  }
  copyBytes(source, sourcePos, target, targetPos + size - len, len)
  if (size <= 127) target[targetPos + size] = size
  else writeBacklen(size, target, targetPos + size)
}

/** Bytes of the whole element at `pos`, or 0 if there is no sound one that ends by `end`: for bytes that nobody has
 *  checked. `pos` is below `end`, and at least BACKLEN_SIZE_MAX bytes lie before it. */
export function checkedElementSize(bytes: Uint8Array, pos: number, end: number): number {
  const head = bytes[pos]!
  let size = SIZE_BY_HEAD[head]!
  if (size === 0) {
    const lead = LEAD_BY_HEAD[head]!
    if (lead === 0 || pos + lead > end) return 0
    const encoded = lead + textLenAt(bytes, pos, lead)
    size = encoded + backlenSize(encoded)
  }
  if (pos + size > end) return 0
  const encoded = backlenEndingAt(bytes, pos + size - 1)
  return encoded >= 0 && encoded + backlenSize(encoded) === size ? size : 0
}

/** Fails unless a sound element lies at `pos` and ends by `end`; returns where it does end. */
export function verifyElement(bytes: Uint8Array, pos: number, end: number): number {
  const size = checkedElementSize(bytes, pos, end)
  assert(size > 0, 'an element is whole, and its backlen is its size')
  assert(size === elementSizeAt(bytes, pos), 'an element is as long as those who walk believe')
  return pos + size
}
