/* The RDB reader: bytes, lengths and strings out of a source that is read in pieces.
 *
 *   buffer  | read already | at ► rest | end … |        the rest moves to the front when more is wanted
 *
 * Nothing in a file is believed: a length is compared with what the source still has (or, of a packed string, could
 * become) before memory is asked for, so a damaged file cannot make the reader take more than a good one of its size.
 * What is wrong is thrown as RdbError, with the offset at which it was seen: whoever opened the source catches it.
 *
 * A string is read in two steps: `head` tells its length, then `take` shows its bytes where they lie (valid until
 * anything else is read), `takeInto` writes them where they are to stay, or `skip` passes over them. */
import { copyBytes, latin1 } from '../../lib/bytes.ts'
import { Crc64 } from '../../lib/crc64.ts'
import { fromWords, INT64_LEN_MAX, type Int64, int64Length, writeInt64 } from '../../lib/int64.ts'
import { decompress } from '../../lib/lzf.ts'
import {
  CHECKSUM_LEN,
  EXPANSION_MAX,
  LENGTH_6,
  LENGTH_14,
  LENGTH_32,
  LENGTH_64,
  LENGTH_FORM,
  StringForm,
} from './format.ts'

export const BUFFER_SIZE = 256 * 1024
/** Room for unpacked strings that is kept; a longer string's lasts as long as it is looked at. */
const SCRATCH_SIZE = 64 * 1024
const TWO_32 = 2 ** 32

export interface Source {
  /** Bytes from the first to the last; Infinity if nobody knows. */
  readonly size: number
  /** Reads up to `len` bytes; 0 at the end. */
  read(target: Uint8Array, pos: number, len: number): number
}

/** What was read is not what the format allows, or nothing that can be held here. */
export class RdbError extends Error {
  readonly offset: number

  constructor(reason: string, offset: number) {
    super(reason)
    this.offset = offset
  }
}

/** The source of a reader that reads bytes where they lie. */
const NOTHING: Source = { size: 0, read: () => 0 }

/** How a string lies in the file. */
export const Form = { PLAIN: 0, INTEGER: 1, PACKED: 2 } as const
export type Form = (typeof Form)[keyof typeof Form]

export class RdbReader {
  private source: Source
  /** Bytes of the source. */
  private size: number
  private readonly checked: boolean
  /** The longest string that may come. */
  private readonly stringLenMax: number
  private buffer: Uint8Array
  private at = 0
  private end = 0
  /** Offset of the buffer's first byte in the source. */
  private base = 0
  /** The buffer's bytes are in the checksum up to here. */
  private summed = 0
  private readonly checksum = new Crc64()
  private readonly digits = new Uint8Array(INT64_LEN_MAX)
  private readonly scratch = new Uint8Array(SCRATCH_SIZE)
  /** The words of the length last read. */
  lengthHigh = 0
  lengthLow = 0
  /** Look also for what is not wrong with the form, but with the sense: members that are there twice. */
  thorough = false
  /** Listpacks and intsets that were looked at so. */
  examined = 0
  // What `head` found.
  form: Form = Form.PLAIN
  /** Bytes of the string. */
  len = 0
  /** Of an INTEGER, its value. */
  value = 0
  /** Bytes of the string in the source. */
  private storedLen = 0
  // Where `take` found the string.
  bytes: Uint8Array
  pos = 0

  /** `checked`: keep a checksum of what is read. */
  constructor(source: Source, checked: boolean, stringLenMax: number, bufferSize = BUFFER_SIZE) {
    this.source = source
    this.size = source.size
    this.checked = checked
    this.stringLenMax = stringLenMax
    this.buffer = new Uint8Array(bufferSize)
    this.bytes = this.digits
  }

  /** Reads `len` bytes where they lie, instead of what it read so far. */
  restart(bytes: Uint8Array, pos: number, len: number): void {
    this.source = NOTHING
    this.size = len
    this.buffer = bytes
    this.base = -pos
    this.at = pos
    this.end = pos + len
    this.summed = pos
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.base + this.at
  }

  /** Bytes that the source still has. */
  get remaining(): number {
    return this.size - this.offset
  }

  /** Gives up because of what stands `back` bytes before. */
  refuse(reason: string, back = 0): never {
    throw new RdbError(reason, this.offset - back)
  }

  byte(): number {
    if (this.at === this.end) this.fill(1)
    return this.buffer[this.at++]!
  }

  /** A signed word, little-endian. */
  int32(): number {
    if (this.end - this.at < 4) this.fill(4)
    const { buffer, at } = this
    this.at = at + 4
    return buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24)
  }

  /** A signed 64-bit integer, little-endian. */
  int64(): Int64 {
    const low = this.int32()
    return fromWords(this.int32(), low)
  }

  /** A length, a count, an index; beyond 2^53 about so much. */
  length(): number {
    const first = this.byte()
    this.lengthHigh = 0
    if (first >>> 6 === LENGTH_6) this.lengthLow = first
    else if (first >>> 6 === LENGTH_14) this.lengthLow = ((first & 63) << 8) | this.byte()
    else if (first === LENGTH_32) this.lengthLow = this.bigEndian()
    else if (first === LENGTH_64) {
      this.lengthHigh = this.bigEndian()
      this.lengthLow = this.bigEndian()
    } else this.refuse('Unknown length encoding', 1)
    return (this.lengthHigh >>> 0) * TWO_32 + (this.lengthLow >>> 0)
  }

  private bigEndian(): number {
    if (this.end - this.at < 4) this.fill(4)
    const { buffer, at } = this
    this.at = at + 4
    return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!
  }

  /** Reads what stands before a string's bytes: `form` and `len` tell what follows. */
  head(): void {
    const first = this.byte()
    if (first >>> 6 === LENGTH_FORM) return this.specialHead(first & 63)
    this.at--
    this.form = Form.PLAIN
    this.len = this.length()
    this.storedLen = this.len
    this.checkLengths()
  }

  private specialHead(form: number): void {
    if (form === StringForm.LZF) {
      this.form = Form.PACKED
      this.storedLen = this.length()
      this.len = this.length()
      if (this.len > this.storedLen * EXPANSION_MAX) this.refuse('A compressed string cannot become so long')
      return this.checkLengths()
    }
    this.form = Form.INTEGER
    if (form === StringForm.INT8) this.value = (this.byte() << 24) >> 24
    else if (form === StringForm.INT16) this.value = ((this.byte() | (this.byte() << 8)) << 16) >> 16
    else if (form === StringForm.INT32) this.value = this.int32()
    else this.refuse(`Unknown string encoding ${form}`, 1)
    this.len = int64Length(this.value)
    this.storedLen = 0
  }

  private checkLengths(): void {
    if (this.storedLen > this.remaining) {
      this.refuse(`Unexpected EOF: a string of ${this.storedLen} bytes begins where ${this.remaining} are left`)
    }
    if (this.len > this.stringLenMax) this.refuse(`A string of ${this.len} bytes is longer than can be held`)
  }

  /** Points `bytes` and `pos` at the string that `head` announced; `len` is its length. */
  take(): void {
    if (this.form === Form.PLAIN && this.len <= this.buffer.length) {
      this.point(this.len)
      return
    }
    const target = this.form === Form.INTEGER ? this.digits : this.roomFor(this.len)
    this.takeInto(target, 0)
    this.bytes = target
    this.pos = 0
  }

  /** Writes the string that `head` announced to where it is to stay. */
  takeInto(target: Uint8Array, pos: number): void {
    if (this.form === Form.INTEGER) writeInt64(this.value, target, pos)
    else if (this.form === Form.PLAIN) this.copyTo(target, pos, this.len)
    else this.unpackTo(target, pos)
  }

  private unpackTo(target: Uint8Array, pos: number): void {
    const storedLen = this.storedLen
    if (storedLen <= this.buffer.length) this.point(storedLen)
    else {
      this.bytes = new Uint8Array(storedLen)
      this.pos = 0
      this.copyTo(this.bytes, 0, storedLen)
    }
    const len = decompress(this.bytes, this.pos, storedLen, target, pos, this.len)
    if (len !== this.len) this.refuse('Invalid LZF compressed string', storedLen)
  }

  /** Reads bytes that are no string. */
  raw(target: Uint8Array, pos: number, len: number): void {
    this.copyTo(target, pos, len)
  }

  /** Passes over the string that `head` announced. */
  skip(): void {
    let left = this.storedLen
    while (left > this.end - this.at) {
      left -= this.end - this.at
      this.at = this.end
      this.fill(1)
    }
    this.at += left
  }

  /** Reads a string, head and all, as text of one character a byte. Cold. */
  text(): string {
    this.head()
    this.take()
    return latin1(this.bytes, this.pos, this.len)
  }

  /** Reads the checksum that ends a file, and compares it: undefined if it is right or absent (`isAbsent`), else what
   *  it is and should be. */
  verifyChecksum(): { isAbsent: boolean; wrong?: { expected: string; found: string } } {
    this.sum()
    const expected = hex(this.checksum.high, this.checksum.low)
    if (this.end - this.at < CHECKSUM_LEN) this.fill(CHECKSUM_LEN)
    const low = this.int32()
    const high = this.int32()
    if (low === 0 && high === 0) return { isAbsent: true }
    const found = hex(high, low)
    return found === expected || !this.checked ? { isAbsent: false } : { isAbsent: false, wrong: { expected, found } }
  }

  /** Points at the next bytes of the buffer, and passes over them. */
  private point(len: number): void {
    if (this.end - this.at < len) this.fill(len)
    this.bytes = this.buffer
    this.pos = this.at
    this.at += len
  }

  private copyTo(target: Uint8Array, pos: number, len: number): void {
    let at = pos
    for (let left = len; left > 0; ) {
      if (this.at === this.end) this.fill(1)
      const count = Math.min(left, this.end - this.at)
      copyBytes(this.buffer, this.at, target, at, count)
      this.at += count
      at += count
      left -= count
    }
  }

  /** Makes `len` bytes, at most the buffer's size, lie in the buffer from `at` on. */
  private fill(len: number): void {
    const { buffer, source } = this
    if (this.end - this.at < len && len > this.remaining) throw new RdbError('Unexpected EOF', this.size)
    this.sum()
    buffer.copyWithin(0, this.at, this.end)
    this.base += this.at
    this.end -= this.at
    this.at = 0
    this.summed = 0
    while (this.end < len) {
      const count = source.read(buffer, this.end, buffer.length - this.end)
      if (count === 0) throw new RdbError('Unexpected EOF', this.base + this.end)
      this.end += count
    }
  }

  private sum(): void {
    if (this.checked) this.checksum.update(this.buffer, this.summed, this.at - this.summed)
    this.summed = this.at
  }

  private roomFor(len: number): Uint8Array {
    return len <= this.scratch.length ? this.scratch : new Uint8Array(len)
  }
}

function hex(high: number, low: number): string {
  const digits = (word: number) => (word >>> 0).toString(16).padStart(8, '0')
  return digits(high) + digits(low)
}
