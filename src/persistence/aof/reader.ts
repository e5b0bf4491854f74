/* The reader: finds the commands in an append-only file that is read in pieces.
 *
 *   bytes   | done with | request | request | #TS:… | half of a reque |            base: the offset of bytes[0]
 *                        ^ decoder.at                             end ^
 *
 * `next` decodes one request where it lies, lines that begin with # skipped. When the next one is cut it answers CUT:
 * `refill` moves what there is of it to the front, which makes the ranges of earlier requests void, and reads on. The
 * buffer grows with the longest request, and never by more than the file still has.
 *
 * MULTI, what follows and EXEC are done together or not at all: `seekExec` makes sure that the file has the EXEC. */
import { assert } from '../../lib/assert.ts'
import { equalsIgnoreCase } from '../../lib/bytes.ts'
import { release } from '../../lib/release.ts'
import { COMPLETE, Decoder, INCOMPLETE } from '../../protocol/decoder.ts'

export const Next = { REQUEST: 0, CUT: 1, END: 2, MALFORMED: 3 } as const
export type Next = (typeof Next)[keyof typeof Next]

/** Reads from a place in a file; answers how many bytes there were. */
export type ReadAt = (target: Uint8Array, pos: number, len: number, offset: number) => number

export const READ_SIZE = 1024 * 1024
/** The longest line of a comment. */
const COMMENT_LEN_MAX = 1024
const HASH = 35
const STAR = 42
const LF = 10
/** Positions are signed 32-bit integers: no request, and no transaction, may be longer. */
const SIZE_MAX = 2 ** 31 - 2 ** 20

export class AofReader {
  readonly decoder = new Decoder()
  bytes: Uint8Array
  /** Bytes in the buffer. */
  end = 0
  /** Where what is MALFORMED begins. */
  faultOffset = 0
  /** The whole file has been read. */
  atEnd = false
  private base: number
  private readonly readAt: ReadAt
  private readonly size: number
  /** Goes ahead of the decoder, within a transaction. */
  private readonly scout = new Decoder()

  /** Reads a file of `size` bytes from `start` on. */
  constructor(readAt: ReadAt, start: number, size: number, bufferSize = READ_SIZE) {
    this.readAt = readAt
    this.base = start
    this.size = size
    this.bytes = new Uint8Array(Math.max(64, Math.min(bufferSize, size - start + 1)))
    this.decoder.bulkLenMax = Number.MAX_SAFE_INTEGER
    this.scout.bulkLenMax = Number.MAX_SAFE_INTEGER
  }

  /** Where the next request begins, or the one that is cut. */
  get offset(): number {
    return this.base + this.keepFrom
  }

  /** The offset of a place in the buffer. */
  offsetOf(pos: number): number {
    return this.base + pos
  }

  /** What must stay in the buffer. */
  private get keepFrom(): number {
    return this.decoder.isMidway ? this.decoder.requestStart : this.decoder.at
  }

  next(): Next {
    return this.advance(this.decoder)
  }

  private advance(decoder: Decoder): Next {
    while (!decoder.isMidway) {
      if (decoder.at >= this.end) return this.atEnd ? Next.END : Next.CUT
      if (this.bytes[decoder.at] === STAR) break
      if (this.bytes[decoder.at] !== HASH) return this.fault(decoder.at)
      const after = this.commentEnd(decoder.at)
      if (after < 0) return this.end - decoder.at > COMMENT_LEN_MAX ? this.fault(decoder.at) : Next.CUT
      decoder.at = after
    }
    const state = decoder.decode(this.bytes, this.end)
    if (state === COMPLETE) return Next.REQUEST
    return state === INCOMPLETE ? Next.CUT : this.fault(decoder.requestStart)
  }

  private fault(pos: number): Next {
    this.faultOffset = this.base + pos
    return Next.MALFORMED
  }

  /** Behind a comment; -1 if it has not come whole. A file may end without a line end. */
  private commentEnd(from: number): number {
    for (let at = from; at < this.end; at++) if (this.bytes[at] === LF) return at + 1
    return this.atEnd ? this.end : -1
  }

  /** Reads on; false if there is nothing more. Ranges of earlier requests are void. */
  refill(): boolean {
    const from = this.keepFrom
    this.moveTo(from)
    this.decoder.rebase(from)
    return this.read()
  }

  private moveTo(from: number): void {
    if (from === 0) return
    this.bytes.copyWithin(0, from, this.end)
    this.end -= from
    this.base += from
  }

  private read(): boolean {
    if (this.end === this.bytes.length) this.grow()
    const count = this.readAt(this.bytes, this.end, this.bytes.length - this.end, this.base + this.end)
    this.end += count
    if (count === 0) this.atEnd = true
    return count > 0
  }

  private grow(): void {
    assert(this.end < SIZE_MAX, 'no request or transaction of an append-only file has 2 GB')
    const larger = new Uint8Array(Math.max(this.end + 1, Math.min(this.end * 2, this.size - this.base + 1)))
    larger.set(this.bytes)
    release(this.bytes)
    this.bytes = larger
  }

  /** After a MULTI, which begins at `start` in the buffer and must stay there: goes on to its EXEC. END if the file
   *  ends before. The MULTI is where the buffer begins then. */
  seekExec(start: number): Next {
    const { scout } = this
    this.moveTo(start)
    this.decoder.reset(this.decoder.at - start)
    scout.reset(this.decoder.at)
    for (;;) {
      const next = this.advance(scout)
      if (next === Next.REQUEST) {
        if (scout.argc === 1 && equalsIgnoreCase(this.bytes, scout.pos[0]!, scout.len[0]!, 'EXEC')) return Next.REQUEST
      } else if (next === Next.MALFORMED) return next
      else if (this.atEnd || !this.read()) return Next.END
    }
  }

  /** Behind the EXEC that `seekExec` found. */
  get execEnd(): number {
    return this.scout.at
  }
}
