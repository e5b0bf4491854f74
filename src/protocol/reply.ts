/* Reply: writes replies in the RESP version of the client they are for, straight into a buffer that is reused.
 *
 *   spilled chunks (full)                 bytes
 *   [ … 64 KB … ] [ one 9 MB bulk ]  +    | replies of this turn … |  room  |
 *                                                                  ^pos
 *
 * A reply that does not fit moves to a larger buffer while it is short, and then spills: the buffer so far becomes a
 * chunk of its own and writing goes on in a new one, so nothing long is copied again. The buffers come from a pool
 * (reply-buffer.ts); `takeBuffer`, or `takeChunks` when the reply spilled, hands over what was written to be sent at
 * the end of the turn.
 *
 * An array whose length is known only at its end is begun with `begin`, which leaves a gap of GAP bytes, and closed
 * with `endArray`, which writes the header into the gap and moves what follows up to it.
 *
 * Shapes that RESP3 has and RESP2 has not are written as Redis does for each: a map as a flat array, a double as a bulk
 * string, null as $-1 or *-1, a verbatim string as a bulk string. */

import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { DOUBLE_LEN_MAX, writeDouble } from '../lib/double.ts'
import { INT64_LEN_MAX, type Int64, writeInt64 } from '../lib/int64.ts'
import type { ErrorReply } from './errors.ts'
import { giveBuffer, type ReplyBuffer, takeBuffer } from './reply-buffer.ts'

const CR = 13
const LF = 10
const SIMPLE = 43 // +
const INTEGER = 58 // :
const BULK = 36 // $
const ARRAY = 42 // *
const MAP = 37 // %
const SET = 126 // ~
const PUSH = 62 // >
const NULL = 95 // _
const DOUBLE = 44 // ,
const BOOLEAN = 35 // #
const VERBATIM = 61 // =
const BIG_NUMBER = 40 // (
const ATTRIBUTE = 124 // |
const MINUS = 45
const DIGIT_0 = 48
const DIGIT_1 = 49

const HEADER_MAX = 1 + INT64_LEN_MAX + 2
/** Room left for a header whose number is not yet known. */
const GAP = HEADER_MAX
/** Up to so many bytes move to a larger buffer when theirs is full. */
const MOVED_MAX = 64 * 1024
/** A bulk string of up to 63 bytes. */
const SHORT_BULK_MAX = 1 + 2 + 2 + 63 + 2
/** What is read, at most, of where one lies in a listpack: its bytes in whole words, and one before them. */
const SHORT_SOURCE_MAX = 1 + 64
/** "$0\r\n", "00\r\n" and "\r\n" as words, their lowest byte first. */
const ONE_DIGIT_HEADER = 0x0a0d3024
const TWO_DIGITS = 0x0a0d3030
const LINE_END = 0x0a0d
/** Room of the next buffer when one is full grows fourfold up to this. */
const SPILL_MAX = 256 * 1024
/** A larger buffer goes back to the pool when what was written has been forgotten. */
const KEPT_MAX = 2 * SPILL_MAX

/** Where a double's text is made, since its length stands before it. */
const doubleText = new Uint8Array(DOUBLE_LEN_MAX)

/** Where an array of unknown length began. */
export interface Mark {
  chunk: number
  pos: number
}

export class Reply {
  /** RESP version of the client that the replies are for: 2 or 3. */
  version = 2
  /** How many errors have been written so far: the dispatcher sees by it whether a command failed. */
  errors = 0
  lastError: ErrorReply | undefined
  /** Asked whenever the buffer is full, with the bytes so far, whether there may be more: if not, what follows is lost
   *  (`overflowed`), and commands with much left to write may give up. */
  mayGrow: ((size: number) => boolean) | null = null
  overflowed = false
  /** Where the last run of bulk strings stopped. */
  runEnd = 0
  private current: ReplyBuffer
  private bytes: Uint8Array
  private pos = 0
  private readonly chunks: ReplyBuffer[] = []
  private spilled = 0

  constructor() {
    this.current = takeBuffer()
    this.bytes = this.current.bytes
  }

  /** Bytes written and not taken. */
  get length(): number {
    return this.spilled + this.pos
  }

  /** Makes room for `len` bytes in one piece. */
  private ensure(len: number): void {
    if (this.pos + len > this.bytes.length) this.spill(len)
  }

  private spill(len: number): void {
    if (!this.overflowed && this.mayGrow !== null) this.overflowed = !this.mayGrow(this.spilled + this.pos)
    if (this.overflowed) {
      this.pos = 0
      if (len > this.bytes.length) this.use(takeBuffer(len))
      return
    }
    const room = Math.min(this.bytes.length * 4, SPILL_MAX)
    if (this.chunks.length === 0 && this.pos <= MOVED_MAX) return this.move(Math.max(this.pos + len, room))
    if (this.pos > 0) this.chunks.push(this.close())
    else giveBuffer(this.current)
    this.spilled += this.pos
    this.use(takeBuffer(Math.max(len, room)))
  }

  /** Goes on in a larger buffer with what there is: copying a little is cheaper than a second write. */
  private move(size: number): void {
    const source = this.current
    const len = this.pos
    this.use(takeBuffer(size))
    copyBytes(source.bytes, 0, this.bytes, 0, len)
    this.pos = len
    giveBuffer(source)
  }

  /** Notes in the current buffer how much of it counts. */
  private close(): ReplyBuffer {
    this.current.len = this.pos
    return this.current
  }

  private use(buffer: ReplyBuffer): void {
    this.current = buffer
    this.bytes = buffer.bytes
    this.pos = 0
  }

  /** Whether what was written is more than one piece. */
  get isSpilled(): boolean {
    return this.chunks.length > 0
  }

  /** Hands over what was written, in order. */
  takeChunks(): ReplyBuffer[] {
    if (this.pos > 0) this.chunks.push(this.close())
    else giveBuffer(this.current)
    const taken = this.chunks.splice(0)
    this.spilled = 0
    this.use(takeBuffer())
    return taken
  }

  /** Hands over what was written, if it is one piece. */
  takeBuffer(): ReplyBuffer {
    DEV: assert(!this.isSpilled, 'what is taken is all that was written')
    const taken = this.close()
    this.use(takeBuffer())
    return taken
  }

  /** Copies what was written, in one piece, and forgets it: replies that are not for a client. */
  moveTo(target: Uint8Array, targetPos: number): void {
    let at = targetPos
    if (this.chunks.length > 0) {
      for (const chunk of this.chunks) {
        copyBytes(chunk.bytes, 0, target, at, chunk.len)
        at += chunk.len
        giveBuffer(chunk)
      }
      this.chunks.length = 0 // 15 ns even if there are none (Node 20)
      this.spilled = 0
    }
    copyBytes(this.bytes, 0, target, at, this.pos)
    this.beginAnew()
  }

  /** Forgets all that was written. */
  drop(): void {
    this.overflowed = false
    for (const chunk of this.chunks.splice(0)) giveBuffer(chunk)
    this.spilled = 0
    this.beginAnew()
  }

  /** Nothing is written any more; nor is a long reply's buffer kept, for who knows how long. */
  private beginAnew(): void {
    this.pos = 0
    if (this.bytes.length <= KEPT_MAX) return
    giveBuffer(this.current)
    this.use(takeBuffer())
  }

  /** Forgets what was written after `length` said `mark`. */
  truncate(mark: number): void {
    if (mark === 0) this.overflowed = false
    while (this.spilled > mark) {
      const chunk = this.chunks.pop()!
      this.spilled -= chunk.len
      giveBuffer(this.current)
      this.use(chunk)
    }
    this.pos = mark - this.spilled
  }

  ok(): void {
    this.ensure(5)
    const bytes = this.bytes
    const pos = this.pos
    bytes[pos] = SIMPLE
    bytes[pos + 1] = 79
    bytes[pos + 2] = 75
    bytes[pos + 3] = CR
    bytes[pos + 4] = LF
    this.pos = pos + 5
  }

  /** The answer to each command between MULTI and EXEC. */
  queued(): void {
    this.ensure(9)
    const bytes = this.bytes
    const pos = this.pos
    bytes[pos] = SIMPLE
    bytes[pos + 1] = 81
    bytes[pos + 2] = 85
    bytes[pos + 3] = 69
    bytes[pos + 4] = 85
    bytes[pos + 5] = 69
    bytes[pos + 6] = 68
    bytes[pos + 7] = CR
    bytes[pos + 8] = LF
    this.pos = pos + 9
  }

  /** A status; `text` is ASCII without line ends. */
  simple(text: string): void {
    this.line(SIMPLE, text)
  }

  /** A pre-encoded error (see errors.ts). */
  error(error: ErrorReply): void {
    this.errors++
    this.lastError = error
    this.raw(error.bytes)
  }

  private line(type: number, text: string): void {
    const source = Buffer.from(text)
    this.ensure(source.length + 3)
    this.bytes[this.pos++] = type
    copyBytes(source, 0, this.bytes, this.pos, source.length)
    this.pos += source.length
    this.endLine()
  }

  private endLine(): void {
    this.bytes[this.pos++] = CR
    this.bytes[this.pos++] = LF
  }

  integer(value: Int64): void {
    this.header(INTEGER, value)
  }

  private header(type: number, value: Int64): void {
    this.ensure(HEADER_MAX)
    const bytes = this.bytes
    let pos = this.pos
    bytes[pos++] = type
    if (typeof value === 'number' && value >= 0 && value < 100) {
      if (value >= 10) bytes[pos++] = DIGIT_0 + ((value / 10) | 0)
      bytes[pos++] = DIGIT_0 + (value % 10)
    } else pos = writeInt64(value, bytes, pos)
    bytes[pos] = CR
    bytes[pos + 1] = LF
    this.pos = pos + 2
  }

  bulk(source: Uint8Array, sourcePos: number, len: number): void {
    this.ensure(len + HEADER_MAX + 2)
    const { bytes } = this
    let pos = this.pos
    bytes[pos++] = BULK
    if (len < 100) {
      if (len >= 10) bytes[pos++] = DIGIT_0 + ((len / 10) | 0)
      bytes[pos++] = DIGIT_0 + (len % 10)
    } else pos = writeInt64(len, bytes, pos)
    bytes[pos++] = CR
    bytes[pos++] = LF
    copyBytes(source, sourcePos, bytes, pos, len)
    pos += len
    bytes[pos] = CR
    bytes[pos + 1] = LF
    this.pos = pos + 2
  }

  /** Writes up to `count` bulk strings that lie one behind the other as the short strings of a listpack do: a byte
   *  0x80 | len, `len` bytes, one byte more. Stops at what is none of them, or so near to the source's end that its
   *  last word would lie beyond, at `runEnd`; returns how many it wrote. Words at a time take a third to a half of what
   *  bytes do: what a word brings too many is written over by what follows. */
  bulkRun(source: DataView, sourcePos: number, count: number): number {
    const last = source.byteLength - SHORT_SOURCE_MAX
    let from = sourcePos
    let target = this.current.words
    let pos = this.pos
    let written = 0
    for (; written < count && from <= last; written++) {
      const head = source.getUint8(from)
      if ((head & 0xc0) !== 0x80) break
      if (pos + SHORT_BULK_MAX > target.byteLength) {
        this.pos = pos
        this.spill(SHORT_BULK_MAX)
        target = this.current.words
        pos = this.pos
      }
      const len = head & 63
      if (len < 10) {
        target.setInt32(pos, ONE_DIGIT_HEADER + (len << 8), true)
        pos += 4
      } else {
        target.setUint8(pos, BULK)
        target.setInt32(pos + 1, TWO_DIGITS + ((len / 10) | 0) + ((len % 10) << 8), true)
        pos += 5
      }
      for (let at = 0; at < len; at += 4) target.setInt32(pos + at, source.getInt32(from + 1 + at, true), true)
      pos += len
      target.setInt16(pos, LINE_END, true)
      pos += 2
      from += len + 2
    }
    this.pos = pos
    this.runEnd = from
    return written
  }

  /** A bulk string that the program made itself, encoded as UTF-8. */
  bulkString(text: string): void {
    const source = Buffer.from(text)
    this.bulk(source, 0, source.length)
  }

  bulkInteger(value: Int64): void {
    this.ensure(2 * HEADER_MAX)
    // One digit of length is written blind: a decimal has 1 to 20 characters.
    const start = this.pos
    const digits = start + 5
    const end = writeInt64(value, this.bytes, digits)
    const len = end - digits
    this.header(BULK, len)
    if (this.pos !== digits) this.bytes.copyWithin(this.pos, digits, end)
    this.pos += len
    this.endLine()
  }

  nullBulk(): void {
    if (this.version === 3) return this.null()
    this.ensure(5)
    const bytes = this.bytes
    const pos = this.pos
    bytes[pos] = BULK
    bytes[pos + 1] = MINUS
    bytes[pos + 2] = DIGIT_1
    bytes[pos + 3] = CR
    bytes[pos + 4] = LF
    this.pos = pos + 5
  }

  nullArray(): void {
    if (this.version === 3) return this.null()
    this.header(ARRAY, -1)
  }

  private null(): void {
    this.ensure(3)
    this.bytes[this.pos++] = NULL
    this.endLine()
  }

  array(count: number): void {
    this.header(ARRAY, count)
  }
  /** A map of `count` pairs. */
  map(count: number): void {
    if (this.version === 3) this.header(MAP, count)
    else this.header(ARRAY, count * 2)
  }
  set(count: number): void {
    this.header(this.version === 3 ? SET : ARRAY, count)
  }
  push(count: number): void {
    this.header(this.version === 3 ? PUSH : ARRAY, count)
  }
  /** Attributes of the reply that follows; RESP3 only. */
  attribute(count: number): void {
    this.header(ATTRIBUTE, count)
  }

  double(value: number): void {
    if (this.version !== 3) return this.bulk(doubleText, 0, writeDouble(value, doubleText, 0))
    this.ensure(DOUBLE_LEN_MAX + 3)
    this.bytes[this.pos++] = DOUBLE
    this.pos = writeDouble(value, this.bytes, this.pos)
    this.endLine()
  }

  /** A double whose decimals somebody else has written. */
  decimals(source: Uint8Array, sourcePos: number, len: number): void {
    if (this.version !== 3) return this.bulk(source, sourcePos, len)
    this.ensure(len + 3)
    this.bytes[this.pos++] = DOUBLE
    copyBytes(source, sourcePos, this.bytes, this.pos, len)
    this.pos += len
    this.endLine()
  }

  boolean(value: boolean): void {
    if (this.version === 3) this.line(BOOLEAN, value ? 't' : 'f')
    else this.integer(value ? 1 : 0)
  }

  bigNumber(digits: string): void {
    if (this.version === 3) this.line(BIG_NUMBER, digits)
    else this.bulkString(digits)
  }

  /** Text for people; `format` has three letters (`txt`, `mkd`). */
  verbatim(format: string, text: string): void {
    if (this.version !== 3) return this.bulkString(text)
    const source = Buffer.from(`${format}:${text}`)
    this.ensure(source.length + HEADER_MAX + 2)
    this.header(VERBATIM, source.length)
    copyBytes(source, 0, this.bytes, this.pos, source.length)
    this.pos += source.length
    this.endLine()
  }

  /** Bytes that are already RESP. */
  raw(source: Uint8Array): void {
    this.ensure(source.length)
    copyBytes(source, 0, this.bytes, this.pos, source.length)
    this.pos += source.length
  }

  /** Begins an array (or map, or set) whose count is told to the matching `end…`. Nests. */
  begin(): Mark {
    this.ensure(GAP)
    const mark = { chunk: this.chunks.length, pos: this.pos }
    this.pos += GAP
    return mark
  }
  endArray(mark: Mark, count: number): void {
    this.closeGap(mark, ARRAY, count)
  }
  endSet(mark: Mark, count: number): void {
    this.closeGap(mark, this.version === 3 ? SET : ARRAY, count)
  }
  endMap(mark: Mark, count: number): void {
    if (this.version === 3) this.closeGap(mark, MAP, count)
    else this.closeGap(mark, ARRAY, count * 2)
  }

  private closeGap(mark: Mark, type: number, count: number): void {
    if (this.overflowed) return
    const isSpilled = mark.chunk < this.chunks.length
    const chunk = isSpilled ? this.chunks[mark.chunk]! : this.current
    const end = isSpilled ? chunk.len : this.pos
    const bytes = chunk.bytes
    bytes[mark.pos] = type
    let pos = writeInt64(count, bytes, mark.pos + 1)
    bytes[pos++] = CR
    bytes[pos++] = LF
    bytes.copyWithin(pos, mark.pos + GAP, end)
    const gap = mark.pos + GAP - pos
    if (!isSpilled) this.pos -= gap
    else {
      chunk.len -= gap
      this.spilled -= gap
    }
  }
}
