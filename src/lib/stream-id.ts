/* StreamId: the 128-bit ids of stream entries, as four 32-bit words, so that none of them needs an object of its own.
 *
 *   | msHigh | msLow | seqHigh | seqLow |     two unsigned 64-bit integers: milliseconds, and a sequence number in them
 *
 * In memory the words lie in this order; in files they are 16 bytes, big-endian, which therefore sort as the ids do; to
 * clients an id is `ms-seq`. An instance is a register that is written over: who wants to keep an id copies it. */
import { fromUnsignedWords, INT64_LEN_MAX, writeInt64 } from './int64.ts'

export const ID_WORDS = 4
/** Bytes of an id in a file. */
export const ID_SIZE = 16
/** Two integers of 20 digits, and what stands between them. */
export const ID_TEXT_MAX = 41
const MINUS = 45
const DIGIT_0 = 48
const TWO_32 = 4294967296

/** The milliseconds last written, and their digits. */
let textHigh = 0
let textLow = 0
let textLen = 1
const msText = new Uint8Array(INT64_LEN_MAX).fill(DIGIT_0)

/** Below, at, or above: as unsigned words. */
function compareWords(a: number, b: number): number {
  return a === b ? 0 : a >>> 0 < b >>> 0 ? -1 : 1
}

export class StreamId {
  msHigh = 0
  msLow = 0
  seqHigh = 0
  seqLow = 0

  set(msHigh: number, msLow: number, seqHigh: number, seqLow: number): this {
    this.msHigh = msHigh | 0
    this.msLow = msLow | 0
    this.seqHigh = seqHigh | 0
    this.seqLow = seqLow | 0
    return this
  }
  copy(other: StreamId): this {
    this.msHigh = other.msHigh
    this.msLow = other.msLow
    this.seqHigh = other.seqHigh
    this.seqLow = other.seqLow
    return this
  }
  toLeast(): this {
    return this.set(0, 0, 0, 0)
  }
  toGreatest(): this {
    return this.set(-1, -1, -1, -1)
  }
  /** The first id of a millisecond, which is a safe integer. */
  toStartOf(ms: number): this {
    return this.set(ms / TWO_32, ms, 0, 0)
  }

  get isZero(): boolean {
    return (this.msHigh | this.msLow | this.seqHigh | this.seqLow) === 0
  }
  get isGreatest(): boolean {
    return (this.msHigh & this.msLow & this.seqHigh & this.seqLow) === -1
  }
  /** The sequence number is the last one of its millisecond. */
  get isLastOfMs(): boolean {
    return (this.seqHigh & this.seqLow) === -1
  }

  hasMsOf(other: StreamId): boolean {
    return this.msHigh === other.msHigh && this.msLow === other.msLow
  }

  compare(other: StreamId): number {
    if (this.msHigh !== other.msHigh) return compareWords(this.msHigh, other.msHigh)
    if (this.msLow !== other.msLow) return compareWords(this.msLow, other.msLow)
    if (this.seqHigh !== other.seqHigh) return compareWords(this.seqHigh, other.seqHigh)
    return compareWords(this.seqLow, other.seqLow)
  }

  /** As `compare`, with an id that lies in words. */
  compareAt(words: Int32Array, index: number): number {
    if (this.msHigh !== words[index]) return compareWords(this.msHigh, words[index]!)
    if (this.msLow !== words[index + 1]) return compareWords(this.msLow, words[index + 1]!)
    if (this.seqHigh !== words[index + 2]) return compareWords(this.seqHigh, words[index + 2]!)
    return compareWords(this.seqLow, words[index + 3]!)
  }

  /** Becomes the next id; false, having become the least, if there is none. */
  increment(): boolean {
    this.seqLow = (this.seqLow + 1) | 0
    if (this.seqLow !== 0) return true
    this.seqHigh = (this.seqHigh + 1) | 0
    if (this.seqHigh !== 0) return true
    this.msLow = (this.msLow + 1) | 0
    if (this.msLow !== 0) return true
    this.msHigh = (this.msHigh + 1) | 0
    return this.msHigh !== 0
  }

  /** Becomes the id before; false, having become the greatest, if there is none. */
  decrement(): boolean {
    this.seqLow = (this.seqLow - 1) | 0
    if (this.seqLow !== -1) return true
    this.seqHigh = (this.seqHigh - 1) | 0
    if (this.seqHigh !== -1) return true
    this.msLow = (this.msLow - 1) | 0
    if (this.msLow !== -1) return true
    this.msHigh = (this.msHigh - 1) | 0
    return this.msHigh !== -1
  }

  /** Adds to the milliseconds and to the sequence number, each modulo 2^64. */
  add(msHigh: number, msLow: number, seqHigh: number, seqLow: number): this {
    const low = (this.msLow + msLow) | 0
    this.msHigh = (this.msHigh + msHigh + (low >>> 0 < msLow >>> 0 ? 1 : 0)) | 0
    this.msLow = low
    const seq = (this.seqLow + seqLow) | 0
    this.seqHigh = (this.seqHigh + seqHigh + (seq >>> 0 < seqLow >>> 0 ? 1 : 0)) | 0
    this.seqLow = seq
    return this
  }

  /** Takes another id away, milliseconds and sequence number each modulo 2^64. */
  subtract(other: StreamId): this {
    const msBorrow = this.msLow >>> 0 < other.msLow >>> 0 ? 1 : 0
    const seqBorrow = this.seqLow >>> 0 < other.seqLow >>> 0 ? 1 : 0
    this.msHigh = (this.msHigh - other.msHigh - msBorrow) | 0
    this.msLow = (this.msLow - other.msLow) | 0
    this.seqHigh = (this.seqHigh - other.seqHigh - seqBorrow) | 0
    this.seqLow = (this.seqLow - other.seqLow) | 0
    return this
  }

  read(words: Int32Array, index: number): this {
    this.msHigh = words[index]!
    this.msLow = words[index + 1]!
    this.seqHigh = words[index + 2]!
    this.seqLow = words[index + 3]!
    return this
  }

  write(words: Int32Array, index: number): void {
    words[index] = this.msHigh
    words[index + 1] = this.msLow
    words[index + 2] = this.seqHigh
    words[index + 3] = this.seqLow
  }

  /** Reads what a file has: ID_SIZE bytes. */
  readBytes(bytes: Uint8Array, pos: number): this {
    this.msHigh = bigEndianAt(bytes, pos)
    this.msLow = bigEndianAt(bytes, pos + 4)
    this.seqHigh = bigEndianAt(bytes, pos + 8)
    this.seqLow = bigEndianAt(bytes, pos + 12)
    return this
  }

  writeBytes(bytes: Uint8Array, pos: number): void {
    writeBigEndian(this.msHigh, bytes, pos)
    writeBigEndian(this.msLow, bytes, pos + 4)
    writeBigEndian(this.seqHigh, bytes, pos + 8)
    writeBigEndian(this.seqLow, bytes, pos + 12)
  }

  /** Writes `ms-seq`, at most ID_TEXT_MAX bytes; `between` in place of the hyphen. Returns where it ends. */
  writeText(bytes: Uint8Array, pos: number, between = MINUS): number {
    // Ids that are written one after the other are often of one millisecond.
    if (this.msHigh !== textHigh || this.msLow !== textLow) {
      textHigh = this.msHigh
      textLow = this.msLow
      textLen = writeInt64(fromUnsignedWords(this.msHigh, this.msLow), msText, 0)
    }
    for (let at = 0; at < textLen; at++) bytes[pos + at] = msText[at]!
    const end = pos + textLen
    bytes[end] = between
    if (this.seqHigh === 0 && this.seqLow >= 0 && this.seqLow < 10) {
      bytes[end + 1] = DIGIT_0 + this.seqLow
      return end + 2
    }
    return writeInt64(fromUnsignedWords(this.seqHigh, this.seqLow), bytes, end + 1)
  }

  toString(): string {
    return `${fromUnsignedWords(this.msHigh, this.msLow)}-${fromUnsignedWords(this.seqHigh, this.seqLow)}`
  }
}

function bigEndianAt(bytes: Uint8Array, pos: number): number {
  return (bytes[pos]! << 24) | (bytes[pos + 1]! << 16) | (bytes[pos + 2]! << 8) | bytes[pos + 3]!
}

function writeBigEndian(word: number, bytes: Uint8Array, pos: number): void {
  bytes[pos] = word >>> 24
  bytes[pos + 1] = word >>> 16
  bytes[pos + 2] = word >>> 8
  bytes[pos + 3] = word
}
