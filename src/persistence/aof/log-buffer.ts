/* The log's buffer: effects on their way to the append-only file, as the bytes that are written there.
 *
 *   #TS:1700000000 \r\n | SELECT 3 | SET k v | MULTI | SELECT 0 | DEL a | DEL b | EXEC | …      | room
 *   0                                                                                    length
 *
 * A SELECT stands before what is done in another database than what was before it. With timestamps, a line that begins
 * with # stands before the first command of each second. */
import { copyBytes, fromLatin1, writeLatin1 } from '../../lib/bytes.ts'
import { release } from '../../lib/release.ts'

const SIZE_MIN = 64 * 1024
/** A larger buffer is given back as soon as it has been written. */
const SIZE_KEPT_MAX = 4 * 1024 * 1024

const MULTI = fromLatin1('*1\r\n$5\r\nMULTI\r\n')
const EXEC = fromLatin1('*1\r\n$4\r\nEXEC\r\n')
const NO_DATABASE = -1

export class LogBuffer {
  bytes: Uint8Array = new Uint8Array(SIZE_MIN)
  /** Bytes that wait to be written. */
  length = 0
  /** aof-timestamp-enabled. */
  timestamps = false
  private selected = NO_DATABASE
  private lastSecond = 0

  private ensure(len: number): void {
    const needed = this.length + len
    if (needed <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    copyBytes(this.bytes, 0, larger, 0, this.length)
    release(this.bytes)
    this.bytes = larger
  }

  /** The file that follows begins without a database selected. */
  startFile(): void {
    this.selected = NO_DATABASE
  }

  /** Adds commands that are done in a database, as clients send them. */
  add(dbIndex: number, nowMs: number, bytes: Uint8Array, pos: number, len: number): void {
    if (this.timestamps) this.stamp(nowMs)
    if (dbIndex !== this.selected) this.select(dbIndex)
    this.raw(bytes, pos, len)
  }

  begin(nowMs: number): void {
    if (this.timestamps) this.stamp(nowMs)
    this.raw(MULTI, 0, MULTI.length)
  }
  end(): void {
    this.raw(EXEC, 0, EXEC.length)
  }

  private select(dbIndex: number): void {
    const digits = String(dbIndex)
    this.text(`*2\r\n$6\r\nSELECT\r\n$${digits.length}\r\n${digits}\r\n`)
    this.selected = dbIndex
  }

  private stamp(nowMs: number): void {
    const second = Math.floor(nowMs / 1000)
    if (second <= this.lastSecond) return
    this.lastSecond = second
    this.text(timestamp(second))
  }

  private text(text: string): void {
    this.ensure(text.length)
    this.length = writeLatin1(text, this.bytes, this.length)
  }

  private raw(bytes: Uint8Array, pos: number, len: number): void {
    this.ensure(len)
    copyBytes(bytes, pos, this.bytes, this.length, len)
    this.length += len
  }

  /** The first `len` bytes have been written. */
  consume(len: number): void {
    if (len < this.length) this.bytes.copyWithin(0, len, this.length)
    this.length -= len
    if (this.length > 0 || this.bytes.length <= SIZE_KEPT_MAX) return
    release(this.bytes)
    this.bytes = new Uint8Array(SIZE_MIN)
  }

  /** Forgets what waits. */
  clear(): void {
    this.consume(this.length)
  }
}

/** The line that says when what follows was done. */
export const timestamp = (second: number): string => `#TS:${second}\r\n`
