/* Request writer: writes commands as clients send them, into one buffer that grows.
 *
 *   bytes   | *3 \r\n $3 \r\n SET \r\n $1 \r\n k \r\n $1 \r\n v \r\n | *2 … |         |
 *           0                                                              length
 *
 * `head` announces how many arguments follow; whoever writes sees to it that so many do. */
import { copyBytes, writeLatin1 } from '../lib/bytes.ts'
import { INT64_LEN_MAX, type Int64, int64Length, writeInt64 } from '../lib/int64.ts'
import { release } from '../lib/release.ts'

const STAR = 42
const DOLLAR = 36
const CR = 13
const LF = 10

const SIZE_MIN = 4096
/** A larger buffer is not kept for what comes next. */
const SIZE_KEPT_MAX = 1024 * 1024
/** A type byte, a number, a line end. */
const HEADER_LEN_MAX = INT64_LEN_MAX + 3

export class RequestWriter {
  bytes: Uint8Array = new Uint8Array(SIZE_MIN)
  /** Bytes written. */
  length = 0

  /** Forgets what was written. */
  clear(): void {
    this.length = 0
    if (this.bytes.length <= SIZE_KEPT_MAX) return
    release(this.bytes)
    this.bytes = new Uint8Array(SIZE_MIN)
  }

  private ensure(len: number): void {
    const needed = this.length + len
    if (needed <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    copyBytes(this.bytes, 0, larger, 0, this.length)
    release(this.bytes)
    this.bytes = larger
  }

  /** A command of so many arguments begins. */
  head(argc: number): void {
    this.ensure(HEADER_LEN_MAX)
    this.header(STAR, argc)
  }

  private header(type: number, value: number): void {
    this.bytes[this.length] = type
    this.length = writeInt64(value, this.bytes, this.length + 1)
    this.endLine()
  }

  private endLine(): void {
    this.bytes[this.length++] = CR
    this.bytes[this.length++] = LF
  }

  /** An argument. */
  bulk(bytes: Uint8Array, pos: number, len: number): void {
    this.ensure(len + HEADER_LEN_MAX + 2)
    this.header(DOLLAR, len)
    copyBytes(bytes, pos, this.bytes, this.length, len)
    this.length += len
    this.endLine()
  }

  /** An argument given as latin1. */
  word(text: string): void {
    this.ensure(text.length + HEADER_LEN_MAX + 2)
    this.header(DOLLAR, text.length)
    this.length = writeLatin1(text, this.bytes, this.length)
    this.endLine()
  }

  integer(value: Int64): void {
    this.ensure(2 * HEADER_LEN_MAX)
    this.header(DOLLAR, int64Length(value))
    this.length = writeInt64(value, this.bytes, this.length)
    this.endLine()
  }

  /** What has been written elsewhere. */
  raw(bytes: Uint8Array, pos: number, len: number): void {
    this.ensure(len)
    copyBytes(bytes, pos, this.bytes, this.length, len)
    this.length += len
  }
}
