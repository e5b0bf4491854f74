/* Decoder: finds the arguments of a request in the bytes that carry it, and copies nothing.
 *
 *   * 3 \r \n $ 3 \r \n S E T \r \n $ 1 \r \n k \r \n $ 5 \r \n h e l l o \r \n      the next request …
 *                       ^pos[0]               ^pos[1]           ^pos[2]              ^at
 *                       len[0] = 3            len[1] = 1        len[2] = 5
 *
 * Several requests may be decoded before the first is executed: `first` is where the current one's ranges begin.
 * `decode` reads one request and answers COMPLETE (argc arguments, ranges of `bytes`; `at` behind it), INCOMPLETE (the
 * state stays: call again with the same bytes and more behind them; nothing is scanned twice but a half length line),
 * EMPTY (a request of no arguments: skip it) or FAILED (`error` is the text Redis closes the connection with).
 * An inline request may have quotes and escapes: its arguments are unquoted into a buffer of their own, and `bytes` is
 * that. No other request can be executed together with it: behind others it is not decoded at all (ALONE).
 *
 * The texts and limits are those of processMultibulkBuffer and processInlineBuffer (Redis 7.2, networking.c). */
import { parseInt64 } from '../lib/int64.ts'
import { splitArgs } from '../lib/quoting.ts'

export const INCOMPLETE = 0
export const COMPLETE = 1
export const EMPTY = 2
export const FAILED = 3
/** What follows is to be decoded when the requests before it have been executed: with `first` = 0. */
export const ALONE = 4

const STAR = 42
const DOLLAR = 36
const MINUS = 45
const NUL = 0
const CR = 13
const LF = 10
const SPACE = 32
const DOUBLE_QUOTE = 34
const SINGLE_QUOTE = 39
const DIGIT_0 = 48
const DIGIT_9 = 57

/** The longest line that is not a bulk string: an inline request, or a length. Its end is its first byte behind
 *  that. */
const INLINE_MAX = 64 * 1024
const ARGUMENTS_MAX = 0x7fffffff
/** What a client may send before it has authenticated. */
const UNAUTHENTICATED_ARGUMENTS_MAX = 10
const UNAUTHENTICATED_BULK_MAX = 16384
const RANGES_MIN = 64
/** Ranges kept for the next request; a larger table is dropped with the request that needed it. */
const RANGES_KEPT_MAX = 64 * 1024

// Answers of `readLength` that are no length.
const LENGTH_INCOMPLETE = -2
const LENGTH_INVALID = -3
const LENGTH_TOO_LONG = -4

export class Decoder {
  /** The bytes that the ranges of the complete request lie in. */
  bytes: Uint8Array = new Uint8Array(0)
  argc = 0
  /** Index of the request's first argument in `pos` and `len`; the ranges before it are those of earlier requests. */
  first = 0
  /** Argument ranges: position in `bytes`, length. */
  pos = new Int32Array(RANGES_MIN)
  len = new Int32Array(RANGES_MIN)
  /** Position behind the last decoded request; while INCOMPLETE, where to go on. */
  at = 0
  error = ''
  /** Where the request being decoded, or the next one, begins. */
  requestStart = 0
  /** proto-max-bulk-len, in bytes. */
  bulkLenMax = 512 * 1024 * 1024
  /** Holds the sender to the limits of one that has not authenticated. */
  restricted = false
  /** Arguments that the current request announced; 0 between requests. */
  private wanted = 0
  /** Behind the digits of the length that `readLength` read. */
  private lineEnd = 0

  /** Decodes the request at `at` (or goes on with the one begun) from bytes[at … end). */
  decode(bytes: Uint8Array, end: number): number {
    if (this.wanted === 0) {
      this.requestStart = this.at
      if (bytes[this.at] !== STAR) return this.decodeInline(bytes, end)
      // Most counts have one digit.
      const start = this.at
      const digit = start + 3 < end && bytes[start + 2] === CR ? bytes[start + 1]! - DIGIT_0 : 0
      if (digit > 0 && digit <= 9) {
        this.at = start + 4
        this.wanted = digit
      } else {
        const state = this.decodeCount(bytes, end)
        if (state !== COMPLETE) return state
      }
      this.argc = 0
    }
    return this.decodeArguments(bytes, end)
  }

  /** Any count of arguments; COMPLETE if there are some. */
  private decodeCount(bytes: Uint8Array, end: number): number {
    const count = this.readLength(bytes, this.at + 1, end)
    if (count === LENGTH_INCOMPLETE) return INCOMPLETE
    if (count < -1) return this.failCount(count)
    if (count > ARGUMENTS_MAX) return this.fail('invalid multibulk length')
    if (this.restricted && count > UNAUTHENTICATED_ARGUMENTS_MAX) return this.fail('unauthenticated multibulk length')
    this.at = this.lineEnd
    if (count <= 0) return EMPTY
    this.wanted = count
    return COMPLETE
  }

  /** Whether a request has been begun. */
  get isMidway(): boolean {
    return this.wanted !== 0
  }

  private decodeArguments(bytes: Uint8Array, end: number): number {
    const { first, pos, len: lens } = this
    const wanted = first + this.wanted
    let argc = first + this.argc
    let at = this.at
    while (argc < wanted) {
      if (at >= end) return this.pause(argc, at)
      if (bytes[at] !== DOLLAR) return this.judgeHeader(bytes, argc, at, end)
      const dollar = at
      // Most lengths have one or two digits.
      let len = bytes[at + 1]! - DIGIT_0
      const second = at + 6 < end ? bytes[at + 2]! : 0
      if (len > 0 && len <= 9 && second === CR) at += 4
      else if (len > 0 && len <= 9 && second >= DIGIT_0 && second <= DIGIT_9 && bytes[at + 3] === CR) {
        len = len * 10 + second - DIGIT_0
        at += 5
      } else {
        len = this.readLength(bytes, at + 1, end)
        if (len < 0 || len > this.bulkLenMax || (this.restricted && len > UNAUTHENTICATED_BULK_MAX)) {
          return this.judgeBulkLength(len, argc, at)
        }
        at = this.lineEnd
      }
      if (at + len + 2 > end) return this.pause(argc, dollar)
      if (argc === pos.length) {
        // (Nothing that is called goes on in the loop: V8 would look the tables up anew for each argument.)
        this.pause(argc, dollar)
        this.growRanges()
        return this.decodeArguments(bytes, end)
      }
      pos[argc] = at
      lens[argc] = len
      argc++
      at += len + 2
    }
    this.argc = argc - first
    this.at = at
    this.wanted = 0
    if (this.bytes !== bytes) this.bytes = bytes
    return COMPLETE
  }

  /** A line that does not begin with the dollar of a bulk length; an error as soon as it is whole. */
  private judgeHeader(bytes: Uint8Array, argc: number, at: number, end: number): number {
    const reason = this.judgeLine(bytes, at, end)
    if (reason !== LENGTH_INVALID) return this.judgeBulkLength(reason, argc, at)
    return this.fail(`expected '$', got '${String.fromCharCode(bytes[at]!)}'`)
  }

  private judgeBulkLength(len: number, argc: number, at: number): number {
    if (len === LENGTH_INCOMPLETE) return this.pause(argc, at)
    if (len === LENGTH_TOO_LONG) return this.fail('too big bulk count string')
    if (len < 0 || len > this.bulkLenMax) return this.fail('invalid bulk length')
    return this.fail('unauthenticated bulk length')
  }

  private pause(argc: number, at: number): number {
    this.argc = argc - this.first
    this.at = at
    return INCOMPLETE
  }

  private fail(text: string): number {
    this.error = text
    return FAILED
  }

  private failCount(reason: number): number {
    return this.fail(reason === LENGTH_TOO_LONG ? 'too big mbulk count string' : 'invalid multibulk length')
  }

  /** Reads the decimal at `pos` up to its CR LF, and leaves `lineEnd` behind that. A negative one is answered as -1. */
  private readLength(bytes: Uint8Array, pos: number, end: number): number {
    let at = pos
    let value = 0
    const negative = at < end && bytes[at] === MINUS
    if (negative) at++
    const digits = at
    while (at < end) {
      const digit = bytes[at]! - DIGIT_0
      if (digit < 0 || digit > 9) break
      if (at > digits && value === 0) break
      value = value * 10 + digit
      if (at - digits > 18) break
      at++
    }
    if (at < end && bytes[at] === CR && at > digits && !(negative && value === 0)) {
      if (at + 1 >= end) return LENGTH_INCOMPLETE
      this.lineEnd = at + 2
      if (!negative) return value
      return parseInt64(bytes, pos, at - pos) === undefined ? LENGTH_INVALID : -1
    }
    return this.judgeLine(bytes, pos - 1, end)
  }

  /** A line that is no length: it may be unfinished, or too long to wait for. */
  private judgeLine(bytes: Uint8Array, start: number, end: number): number {
    const cr = this.findLineEnd(bytes, start, end, CR)
    if (cr < 0) return cr
    return cr + 1 < end ? LENGTH_INVALID : LENGTH_INCOMPLETE
  }

  /** Where the line that begins at `start` has its first `mark`, or LENGTH_INCOMPLETE or LENGTH_TOO_LONG. Redis
   *  searches C strings: a NUL hides what is behind it. (Not indexOf, which would search the whole buffer.) */
  private findLineEnd(bytes: Uint8Array, start: number, end: number, mark: number): number {
    const last = Math.min(end, start + INLINE_MAX + 1)
    for (let at = start; at < last; at++) {
      const byte = bytes[at]
      if (byte === mark) return at
      if (byte === NUL) break
    }
    return end - start > INLINE_MAX ? LENGTH_TOO_LONG : LENGTH_INCOMPLETE
  }

  private decodeInline(bytes: Uint8Array, end: number): number {
    const start = this.at
    const newline = this.findLineEnd(bytes, start, end, LF)
    if (newline < 0) return newline === LENGTH_TOO_LONG ? this.fail('too big inline request') : INCOMPLETE
    const lineEnd = newline > start && bytes[newline - 1] === CR ? newline - 1 : newline
    if (this.splitPlain(bytes, start, lineEnd)) {
      this.at = newline + 1
      this.bytes = bytes
      return this.argc === 0 ? EMPTY : COMPLETE
    }
    if (this.first > 0) return ALONE
    const words = splitArgs(bytes, start, lineEnd - start)
    if (words === undefined) return this.fail('unbalanced quotes in request')
    this.at = newline + 1
    if (words.length === 0) return EMPTY
    let size = 0
    for (const word of words) size += word.length
    const target = new Uint8Array(size)
    let pos = 0
    let index = 0
    for (const word of words) {
      if (index === this.pos.length) this.growRanges()
      target.set(word, pos)
      this.pos[index] = pos
      this.len[index] = word.length
      index++
      pos += word.length
    }
    this.argc = words.length
    this.bytes = target
    return COMPLETE
  }

  /** Finds the words of a line that has no quotes and nothing unusual; false, having done nothing, of any other. */
  private splitPlain(bytes: Uint8Array, start: number, end: number): boolean {
    let index = this.first
    let from = -1
    for (let at = start; at <= end; at++) {
      const byte = at === end ? SPACE : bytes[at]!
      if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE || byte < SPACE) return false
      if (byte !== SPACE) {
        if (from < 0) from = at
      } else if (from >= 0) {
        if (index === this.pos.length) this.growRanges()
        this.pos[index] = from
        this.len[index] = at - from
        index++
        from = -1
      }
    }
    this.argc = index - this.first
    return true
  }

  private growRanges(): void {
    const pos = new Int32Array(this.pos.length * 2)
    const len = new Int32Array(this.len.length * 2)
    pos.set(this.pos)
    len.set(this.len)
    this.pos = pos
    this.len = len
  }

  /** Forgets a request begun, and what it made grow; positions start anew at `at`. */
  reset(at: number): void {
    this.at = at
    this.requestStart = at
    this.argc = 0
    this.first = 0
    this.wanted = 0
    if (this.pos.length > RANGES_KEPT_MAX) {
      this.pos = new Int32Array(RANGES_MIN)
      this.len = new Int32Array(RANGES_MIN)
    }
  }

  /** The bytes have moved down by `distance`: positions of the unfinished request move with them. */
  rebase(distance: number): void {
    if (this.wanted === 0) {
      this.reset(this.at - distance)
      return
    }
    if (distance === 0 && this.first === 0) return // each read of a request of many arguments comes here
    this.at -= distance
    this.requestStart -= distance
    for (let index = 0; index < this.argc; index++) {
      this.pos[index] = this.pos[this.first + index]! - distance
      this.len[index] = this.len[this.first + index]!
    }
    this.first = 0
  }

  /** Takes over the state of a decoder whose unfinished request began at `start` and has been moved to 0. */
  adopt(other: Decoder, start: number): void {
    this.bulkLenMax = other.bulkLenMax
    this.restricted = other.restricted
    this.wanted = other.wanted
    this.at = other.at
    this.argc = other.wanted === 0 ? 0 : other.argc
    while (this.pos.length < this.argc) this.growRanges()
    for (let index = 0; index < this.argc; index++) {
      this.pos[index] = other.pos[other.first + index]!
      this.len[index] = other.len[other.first + index]!
    }
    this.requestStart = start
    this.rebase(start)
  }

  /** Whether the argument being received is its request's last one. */
  get isLastArgument(): boolean {
    return this.argc + 1 === this.wanted
  }

  /** Where the argument begins whose length `expectedEnd` has just read. */
  get expectedStart(): number {
    return this.lineEnd
  }

  /** Bytes from the start of the request that are certainly needed, if its next argument's length is known. */
  expectedEnd(bytes: Uint8Array, end: number): number {
    if (this.wanted === 0 || this.at >= end || bytes[this.at] !== DOLLAR) return 0
    const len = this.readLength(bytes, this.at + 1, end)
    return len < 0 ? 0 : this.lineEnd + len + 2
  }
}
