/* Ziplists: what Redis had before 7.0 where it has listpacks now. They are read, never written.
 *
 *   | size, 4 bytes | offset of the last entry, 4 | count, 2 | entry | entry | … | 0xff |
 *
 *   entry      | size of the entry before | encoding | string, or integer |      numbers are little-endian, save the
 *                                                                                 lengths in encodings
 *   size       up to 253: 1 byte             else 11111110, 4 bytes
 *   encoding   00LLLLLL                      a string, its length in 6 bits
 *              01LLLLLL LLLLLLLL             14 bits
 *              10……, 4 bytes                 32 bits
 *              11000000, 11010000, 11100000  an integer of 16, 32, 64 bits follows
 *              11110000, 11111110            … of 24, of 8 bits
 *              11110001 … 11111101           the integer is 0 … 12, and nothing follows
 *
 * A count of 65535 stands for one that is not known. `open` looks at everything once, for whoever wrote it is not
 * trusted; then `next` goes from entry to entry. */
import { littleWord } from '../../lib/bytes.ts'
import { fromWords, INT64_LEN_MAX, type Int64, writeInt64 } from '../../lib/int64.ts'

const TAIL = 4
const COUNT = 8
const HEADER_SIZE = 10
const EMPTY_SIZE = HEADER_SIZE + 1
const COUNT_UNKNOWN = 0xffff
const END = 0xff
/** No version of Redis made longer ones, and a listpack of the same elements has room in a block. */
const SIZE_MAX = 1 << 30
/** The first byte of a size of five bytes. */
const LONG_SIZE = 0xfe

// Encodings, strings first: by their two upper bits, and by the whole byte.
const STRING_14 = 1
const STRING_32 = 2
const INTEGER = 3
const INT_16 = 0xc0
const INT_32 = 0xd0
const INT_64 = 0xe0
const INT_24 = 0xf0
const INT_8 = 0xfe
const INT_0 = 0xf1
const INT_12 = 0xfd

export class ZiplistReader {
  /** Entries of the ziplist that was opened. */
  count = 0
  // The entry that `next` went to.
  isInteger = false
  integer: Int64 = 0
  /** The string; after `locate` an integer's digits as well. */
  bytes: Uint8Array
  pos = 0
  len = 0
  private readonly digits = new Uint8Array(INT64_LEN_MAX)
  private source: Uint8Array
  /** Where the next entry begins, and where the last one ends. */
  private at = 0
  private end = 0
  /** What the entry says about the size of the one before. */
  private prevSize = 0

  constructor() {
    this.bytes = this.digits
    this.source = this.digits
  }

  /** Goes before the first entry of a ziplist; false if that is not sound. */
  open(bytes: Uint8Array, pos: number, len: number): boolean {
    this.count = 0
    if (len < EMPTY_SIZE || len > SIZE_MAX) return false
    this.source = bytes
    this.at = pos + HEADER_SIZE
    this.end = pos + len - 1
    if (littleWord(bytes, pos) !== len || bytes[this.end] !== END) return false
    let size = 0
    while (this.at < this.end) {
      const start = this.at
      if (!this.read() || this.prevSize !== size) return false
      size = this.at - start
      this.count++
    }
    const tail = littleWord(bytes, pos + TAIL) >>> 0
    const written = bytes[pos + COUNT]! | (bytes[pos + COUNT + 1]! << 8)
    this.at = pos + HEADER_SIZE
    return (this.count === 0 || pos + tail === this.end - size) && (written === COUNT_UNKNOWN || written === this.count)
  }

  /** Goes to the next entry; false if there is none. */
  next(): boolean {
    return this.at < this.end && this.read()
  }

  /** Makes an integer's digits the string, until the next entry. */
  locate(): void {
    if (!this.isInteger) return
    this.bytes = this.digits
    this.pos = 0
    this.len = writeInt64(this.integer, this.digits, 0)
  }

  /** Reads the entry at `at`, and goes behind it; false if it is none, or not within the ziplist. */
  private read(): boolean {
    const { source, at, end } = this
    const isLong = source[at] === LONG_SIZE
    const pos = at + (isLong ? 5 : 1)
    if (source[at] === END || pos >= end) return false
    this.prevSize = isLong ? littleWord(source, at + 1) >>> 0 : source[at]!
    const encoding = source[pos]!
    this.isInteger = encoding >>> 6 === INTEGER
    return this.isInteger ? this.readInteger(encoding, pos + 1) : this.readString(encoding, pos)
  }

  private readString(encoding: number, pos: number): boolean {
    const { source, end } = this
    const form = encoding >>> 6
    const lead = form === STRING_32 ? 5 : form === STRING_14 ? 2 : 1
    if (pos + lead > end) return false
    let len = encoding & 63
    if (form === STRING_14) len = (len << 8) | source[pos + 1]!
    if (form === STRING_32) {
      len = ((source[pos + 1]! << 24) | (source[pos + 2]! << 16) | (source[pos + 3]! << 8) | source[pos + 4]!) >>> 0
    }
    this.bytes = source
    this.pos = pos + lead
    this.len = len
    this.at = this.pos + len
    return this.at <= end
  }

  private readInteger(encoding: number, pos: number): boolean {
    const size = integerSize(encoding)
    if (size < 0 || pos + size > this.end) return false
    this.integer = integerAt(this.source, pos, encoding)
    this.at = pos + size
    return true
  }
}

/** Bytes of the integer behind an encoding; negative if it is none. */
function integerSize(encoding: number): number {
  if (encoding >= INT_0 && encoding <= INT_12) return 0
  if (encoding === INT_8) return 1
  if (encoding === INT_16) return 2
  if (encoding === INT_24) return 3
  if (encoding === INT_32) return 4
  return encoding === INT_64 ? 8 : -1
}

function integerAt(bytes: Uint8Array, pos: number, encoding: number): Int64 {
  if (encoding === INT_8) return (bytes[pos]! << 24) >> 24
  if (encoding === INT_16) return ((bytes[pos]! << 16) | (bytes[pos + 1]! << 24)) >> 16
  if (encoding === INT_24) return ((bytes[pos]! << 8) | (bytes[pos + 1]! << 16) | (bytes[pos + 2]! << 24)) >> 8
  if (encoding === INT_32) return littleWord(bytes, pos)
  if (encoding === INT_64) return fromWords(littleWord(bytes, pos + 4), littleWord(bytes, pos))
  return encoding - INT_0
}
