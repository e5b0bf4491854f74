/* The RDB writer: bytes, lengths and strings into chunks, which a sink takes as they fill.
 *
 *   | chunk: written up to `pos` … |  ─ full ─►  sink.take(chunk, len)  ─►  the next chunk to fill
 *
 * The sink decides what becomes of a chunk: written at once, it is handed back; given to somebody else, another one is.
 * So the bytes are copied once, and no more memory is in use than there are chunks.
 *
 * A string takes the shortest of Redis's forms: an integer of up to 32 bits as such, compressed if that gains anything,
 * else as it is. Strings longer than a chunk run over several. */
import { copyBytes, fromLatin1, writeLittleWord } from '../../lib/bytes.ts'
import { Crc64 } from '../../lib/crc64.ts'
import { highWord as highHalf, lowWord as lowHalf } from '../../lib/double-words.ts'
import { highWord, INT64_LEN_MAX, type Int64, lowWord, parseInt64, writeInt64 } from '../../lib/int64.ts'
import { compress } from '../../lib/lzf.ts'
import {
  CHECKSUM_LEN,
  COMPRESSED_LEN_MIN,
  COMPRESSION_GAIN_MIN,
  INTEGER_LEN_MAX,
  LENGTH_14,
  LENGTH_32,
  LENGTH_64,
  LENGTH_FORM,
  Opcode,
  StringForm,
} from './format.ts'

export const CHUNK_SIZE = 256 * 1024
/** Room for packed strings that is kept; a longer string's lasts as long as it is being written. */
const PACKED_SIZE = 64 * 1024
/** Dead when a string has been written: all writers use it. */
const PACKED = new Uint8Array(PACKED_SIZE)
const LENGTH_SIZE_MAX = 9
const TWO_32 = 2 ** 32

export interface Sink {
  /** Takes `len` bytes of a chunk that the writer has filled; returns the chunk to go on with, perhaps the same. */
  take(chunk: Uint8Array, len: number): Uint8Array
}

export interface WriterOptions {
  /** End with a checksum, not with zeros. */
  readonly checksum: boolean
  /** Try to make strings shorter, */
  readonly compression: boolean
  /** up to so many bytes. */
  readonly compressedMax?: number
}

export class RdbWriter {
  private readonly sink: Sink
  private readonly options: WriterOptions
  private readonly compressedMax: number
  private chunk: Uint8Array
  private pos = 0
  /** The chunk's bytes are in the checksum up to here. */
  private summed = 0
  private taken = 0
  private readonly checksum = new Crc64()
  private readonly digits = new Uint8Array(INT64_LEN_MAX)

  constructor(sink: Sink, options: WriterOptions, chunk: Uint8Array = new Uint8Array(CHUNK_SIZE)) {
    this.sink = sink
    this.options = options
    this.compressedMax = options.compression ? (options.compressedMax ?? Number.POSITIVE_INFINITY) : 0
    this.chunk = chunk
  }

  /** Bytes written so far. */
  get size(): number {
    return this.taken + this.pos
  }

  byte(value: number): void {
    this.makeRoom(1)
    this.chunk[this.pos++] = value
  }

  bytes(bytes: Uint8Array, pos: number, len: number): void {
    let at = pos
    for (let left = len; left > 0; ) {
      this.makeRoom(1)
      const count = Math.min(left, this.chunk.length - this.pos)
      copyBytes(bytes, at, this.chunk, this.pos, count)
      this.pos += count
      at += count
      left -= count
    }
  }

  /** A length, a count, an index: up to 2^53. */
  length(value: number): void {
    this.makeRoom(LENGTH_SIZE_MAX)
    const chunk = this.chunk
    if (value < 1 << 6) {
      chunk[this.pos++] = value
    } else if (value < 1 << 14) {
      chunk[this.pos++] = (LENGTH_14 << 6) | (value >>> 8)
      chunk[this.pos++] = value
    } else if (value < TWO_32) {
      chunk[this.pos++] = LENGTH_32
      this.bigEndian(value)
    } else {
      chunk[this.pos++] = LENGTH_64
      this.bigEndian(Math.floor(value / TWO_32))
      this.bigEndian(value % TWO_32)
    }
  }

  /** A length of 64 bits, as two words. */
  longLength(high: number, low: number): void {
    if (high === 0) return this.length(low >>> 0)
    this.makeRoom(LENGTH_SIZE_MAX)
    this.chunk[this.pos++] = LENGTH_64
    this.bigEndian(high)
    this.bigEndian(low)
  }

  private bigEndian(word: number): void {
    for (let shift = 24; shift >= 0; shift -= 8) this.chunk[this.pos++] = word >>> shift
  }

  /** Eight bytes, little-endian: a time in milliseconds. */
  int64(value: Int64): void {
    this.makeRoom(8)
    this.littleEndian(lowWord(value))
    this.littleEndian(highWord(value))
  }

  /** A score, as its eight bytes: word by word, since nearly all of them would be a BigInt each. */
  double(value: number): void {
    this.makeRoom(8)
    this.littleEndian(lowHalf(value))
    this.littleEndian(highHalf(value))
  }

  private littleEndian(word: number): void {
    writeLittleWord(word, this.chunk, this.pos)
    this.pos += 4
  }

  string(bytes: Uint8Array, pos: number, len: number): void {
    if (len <= INTEGER_LEN_MAX) {
      const value = parseInt64(bytes, pos, len)
      if (value !== undefined && this.smallInteger(value)) return
    }
    if (len >= COMPRESSED_LEN_MIN && len <= this.compressedMax && this.compressed(bytes, pos, len)) return
    this.length(len)
    this.bytes(bytes, pos, len)
  }

  /** The string that an integer's decimal digits are. */
  integer(value: Int64): void {
    if (this.smallInteger(value)) return
    const len = writeInt64(value, this.digits, 0)
    this.length(len)
    this.bytes(this.digits, 0, len)
  }

  /** A string of characters below 256. */
  text(text: string): void {
    this.string(fromLatin1(text), 0, text.length)
  }

  aux(name: string, value: string): void {
    this.byte(Opcode.AUX)
    this.text(name)
    this.text(value)
  }

  /** Writes an integer of 32 bits; false, having written nothing, if it is longer. */
  private smallInteger(value: Int64): boolean {
    const low = lowWord(value)
    if (highWord(value) !== low >> 31) return false
    this.makeRoom(5)
    const chunk = this.chunk
    const form =
      low === (low << 24) >> 24 ? StringForm.INT8 : low === (low << 16) >> 16 ? StringForm.INT16 : StringForm.INT32
    chunk[this.pos++] = (LENGTH_FORM << 6) | form
    chunk[this.pos++] = low
    if (form === StringForm.INT8) return true
    chunk[this.pos++] = low >> 8
    if (form === StringForm.INT16) return true
    chunk[this.pos++] = low >> 16
    chunk[this.pos++] = low >> 24
    return true
  }

  /** Writes a string packed; false, having written nothing, if that would not make it shorter. */
  private compressed(bytes: Uint8Array, pos: number, len: number): boolean {
    const room = len - COMPRESSION_GAIN_MIN
    const packed = room <= PACKED_SIZE ? PACKED : new Uint8Array(room)
    const packedLen = compress(bytes, pos, len, packed, 0, room)
    if (packedLen === 0) return false
    this.byte((LENGTH_FORM << 6) | StringForm.LZF)
    this.length(packedLen)
    this.length(len)
    this.bytes(packed, 0, packedLen)
    return true
  }

  /** Writes the mark of the end and the checksum, and hands over what is left. */
  end(): void {
    this.byte(Opcode.EOF)
    this.makeRoom(CHECKSUM_LEN)
    if (this.options.checksum) this.sum()
    this.pos = this.checksum.write(this.chunk, this.pos)
    this.summed = this.pos // the checksum is not in itself
    this.handOver()
  }

  /** Hands over what has been written, though the chunk is not full. */
  flush(): void {
    this.handOver()
  }

  private makeRoom(len: number): void {
    if (this.pos + len > this.chunk.length) this.handOver()
  }

  private handOver(): void {
    if (this.options.checksum) this.sum()
    const len = this.pos
    this.chunk = this.sink.take(this.chunk, len)
    this.taken += len
    this.pos = 0
    this.summed = 0
  }

  private sum(): void {
    this.checksum.update(this.chunk, this.summed, this.pos - this.summed)
    this.summed = this.pos
  }
}
