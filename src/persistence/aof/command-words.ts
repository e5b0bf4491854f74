/* Commands as an append-only file has them: the words of requests, written through an RDB writer's chunks. Whoever
 * writes says first how many words there are to come. */
import { fromLatin1, writeLatin1 } from '../../lib/bytes.ts'
import { INT64_LEN_MAX, type Int64, int64Length, writeInt64 } from '../../lib/int64.ts'
import type { RdbWriter } from '../rdb/writer.ts'

const STAR = 42
const DOLLAR = 36
const CR = 13
const LF = 10

/** Words that have been written before, as they are written. */
const ENCODED = new Map<string, Uint8Array>()
const ENCODED_MAX = 64
/** For texts on their way: a new array for each is dear (with 30M of them, stalls of a tenth of a second). */
const SCRATCH = new Uint8Array(64)

export class CommandWords {
  readonly writer: RdbWriter
  private readonly header = new Uint8Array(INT64_LEN_MAX + 3)
  private readonly digits = new Uint8Array(INT64_LEN_MAX)

  constructor(writer: RdbWriter) {
    this.writer = writer
  }

  /** Begins a command of so many words. */
  head(argc: number): void {
    this.line(STAR, argc)
  }

  private line(type: number, value: number): void {
    const { header } = this
    header[0] = type
    const end = writeInt64(value, header, 1)
    header[end] = CR
    header[end + 1] = LF
    this.writer.bytes(header, 0, end + 2)
  }

  bulk(bytes: Uint8Array, pos: number, len: number): void {
    this.line(DOLLAR, len)
    this.writer.bytes(bytes, pos, len)
    this.endLine()
  }

  private endLine(): void {
    this.writer.byte(CR)
    this.writer.byte(LF)
  }

  integer(value: Int64): void {
    this.line(DOLLAR, int64Length(value))
    this.writer.bytes(this.digits, 0, writeInt64(value, this.digits, 0))
    this.endLine()
  }

  /** A word of a command's own, of which there are few. */
  word(text: string): void {
    let encoded = ENCODED.get(text)
    if (encoded === undefined) {
      encoded = fromLatin1(`$${text.length}\r\n${text}\r\n`)
      if (ENCODED.size < ENCODED_MAX) ENCODED.set(text, encoded)
    }
    this.writer.bytes(encoded, 0, encoded.length)
  }

  text(text: string): void {
    this.line(DOLLAR, text.length)
    this.raw(text)
    this.endLine()
  }

  raw(text: string): void {
    const bytes = text.length <= SCRATCH.length ? SCRATCH : new Uint8Array(text.length)
    writeLatin1(text, bytes, 0)
    this.writer.bytes(bytes, 0, text.length)
  }
}
