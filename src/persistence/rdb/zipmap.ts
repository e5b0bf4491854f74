/* Zipmaps: the small hashes of Redis 2.4 and before. They are read, never written.
 *
 *   | count | len | field | len | spare | value | spare bytes | len | field | … | 0xff |
 *
 *   len     up to 253: 1 byte     else 11111110, 4 bytes, little-endian; each in the shortest form
 *   spare   1 byte: so many bytes behind the value mean nothing
 *
 * A count of 254 or more stands for one that is not known. `open` looks at everything once, for whoever wrote it is
 * not trusted; then `next` goes from field to field. */
import { littleWord } from '../../lib/bytes.ts'

const COUNT_UNKNOWN = 254
const LONG_LEN = 254
const END = 0xff
/** No version of Redis made longer ones, and a listpack of the same strings has room in a block. */
const SIZE_MAX = 1 << 29

export class ZipmapReader {
  /** Fields of the zipmap that was opened. */
  count = 0
  /** The field and the value that `next` went to. */
  bytes: Uint8Array = new Uint8Array(0)
  pos = 0
  len = 0
  valuePos = 0
  valueLen = 0
  /** Where the next field begins, and where the end mark is. */
  private at = 0
  private end = 0

  /** Goes before the first field of a zipmap; false if that is not sound. */
  open(bytes: Uint8Array, pos: number, len: number): boolean {
    this.bytes = bytes
    this.count = 0
    if (len < 2 || len > SIZE_MAX) return false
    this.at = pos + 1
    this.end = pos + len - 1
    if (bytes[this.end] !== END) return false
    while (this.at < this.end) {
      if (!this.read()) return false
      this.count++
    }
    const written = bytes[pos]!
    this.at = pos + 1
    return written >= COUNT_UNKNOWN || written === this.count
  }

  /** Goes to the next field; false if there is none. */
  next(): boolean {
    return this.at < this.end && this.read()
  }

  /** Reads the field at `at` and its value, and goes behind them; false if they do not end before the end. */
  private read(): boolean {
    const { end } = this
    if (!this.readLen()) return false
    this.pos = this.at
    this.len = this.valueLen
    this.at += this.len
    if (this.at >= end || !this.readLen() || this.at >= end) return false
    const spare = this.bytes[this.at]!
    this.valuePos = this.at + 1
    this.at = this.valuePos + this.valueLen + spare
    return this.at <= end
  }

  /** Reads a length into `valueLen`; false if there is none. */
  private readLen(): boolean {
    const { bytes, at, end } = this
    const first = bytes[at]!
    if (first === END) return false
    const size = first === LONG_LEN ? 5 : 1
    if (at + size > end) return false
    this.valueLen = size === 1 ? first : littleWord(bytes, at + 1) >>> 0
    this.at = at + size
    return size === 1 || this.valueLen >= LONG_LEN // shorter ones have one form, too
  }
}
