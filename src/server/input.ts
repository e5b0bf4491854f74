/* Input: the bytes of a client that do not make a whole request yet.
 *
 * Reads land in one buffer that all connections share, and nearly always end with a request. When one is cut, what
 * there is of it moves here, and later reads are appended until it is whole:
 *
 *   bytes   | request, as far as it came | next read … | room |
 *           0                                          len
 *
 * The rest of a long argument is read right to its place here, not by way of the common buffer (`room`): then the bytes
 * must stay where they are until that read has come. If that argument is its request's last, the buffer is a block of
 * the arena, where the value may stay (loose-block.ts).
 *
 * The decoder keeps its place, so that a request of many arguments is not scanned twice. The buffer grows twofold, and
 * to the announced end of the argument being received as soon as a small part (1/32) of that has come: a large value
 * takes linear time and little memory besides its own, and a length that was only announced takes none. */
import type { Keyspace } from '../keyspace/keyspace.ts'
import { LooseBlock } from '../keyspace/loose-block.ts'
import { largeBuffers } from '../memory/large-buffers.ts'
import type { Decoder } from '../protocol/decoder.ts'

const SIZE_MIN = 1024
const LF = 10
const DOLLAR = 36
/** Positions in a request are signed 32-bit integers; and a read may bring one over the limit before it is looked
 *  at. */
export const REQUEST_SIZE_MAX = 2 ** 31 - 2 ** 20
/** A buffer grows by more than twofold if the announced end is less than so many times its size. */
const LEAP_MAX = 32
/** Less is read by way of the common buffer. */
const DIRECT_MIN = 16 * 1024
/** A buffer up to this size is not worth shrinking while its client is busy. */
const SIZE_FREE = 32 * 1024
/** A buffer up to this size is kept for the client's next cut request while the client is busy. */
const SIZE_KEPT_MAX = 2 * 1024 * 1024

export class Input {
  bytes: Uint8Array = new Uint8Array(0)
  /** Bytes received and not dropped yet: `decoder.requestStart` is where those begin that are not consumed. */
  len = 0
  readonly decoder: Decoder
  /** Largest `len` since the last `shrink`. */
  private peak = 0
  /** The announced end that the buffer has been made for; 0 if it has not. */
  private reserved = 0
  /** What `bytes` lie in, if they are not a buffer of their own. */
  block: LooseBlock | null = null
  private readonly lender: Keyspace | null

  /** `lender`: whose arena long values may be received in. */
  constructor(decoder: Decoder, lender: Keyspace | null = null) {
    this.decoder = decoder
    this.lender = lender
  }

  append(source: Uint8Array, pos: number, len: number): void {
    const needed = this.len + len
    if (needed > this.bytes.length) this.grow(needed)
    this.bytes.set(source.subarray(pos, pos + len), this.len)
    this.len = needed
    if (needed > this.peak) this.peak = needed
  }

  /** Room for the rest of the argument being received, if that is long, and nothing but its request is here; the caller
   *  sees to it that the next read lands there, and says so with `filled`. */
  room(): Uint8Array | null {
    const { decoder, len } = this
    if (decoder.requestStart !== 0) return null
    const end = decoder.expectedEnd(this.bytes, len)
    if (end - len < DIRECT_MIN) return null
    if (end > this.bytes.length) {
      if (end >= len * LEAP_MAX) return null
      this.grow(end)
    }
    return this.bytes.subarray(len, end)
  }

  /** So many bytes have been read into the room. */
  filled(len: number): void {
    this.len += len
    if (this.len > this.peak) this.peak = this.len
  }

  /** Bytes that are not yet an argument: neither what has been decoded nor the announcement of a length. */
  get pendingLength(): number {
    const { bytes, len } = this
    const { at } = this.decoder
    if (bytes[at] !== DOLLAR) return len - at
    const lineEnd = bytes.indexOf(LF, at)
    return lineEnd < 0 || lineEnd >= len ? len - at : len - lineEnd - 1
  }

  /** As `append`, of the beginning of a request, with nothing here yet: makes the buffer as large at once as the
   *  argument being received will be, if enough of that has come, or in any case. */
  begin(part: Uint8Array, inAnyCase: boolean): void {
    const expected = this.decoder.expectedEnd(part, part.length)
    const isNear = inAnyCase || expected < part.length * LEAP_MAX
    if (isNear && expected > this.bytes.length && expected <= REQUEST_SIZE_MAX) {
      this.reserved = expected
      this.enlarge(expected)
    }
    this.append(part, 0, part.length)
  }

  private grow(needed: number): void {
    const expected = this.decoder.expectedEnd(this.bytes, this.len)
    let size = Math.max(SIZE_MIN, this.bytes.length * 2, needed)
    this.reserved = 0
    if (expected >= needed && expected < this.bytes.length * LEAP_MAX) this.reserved = size = expected
    this.enlarge(size)
  }

  private enlarge(size: number): void {
    const block = size === this.reserved ? this.borrow(size) : null
    const larger = block === null ? largeBuffers.take(size) : block.bytes
    larger.set(this.bytes.subarray(0, this.len))
    this.replace(larger, block)
  }

  /** Goes on in a buffer of so many bytes, with what lies from `pos` on. */
  private move(size: number, pos: number): void {
    const bytes = largeBuffers.take(size)
    bytes.set(this.bytes.subarray(pos, this.len))
    this.replace(bytes, null)
  }

  /** A block of the arena for the request being received, if its last argument is what makes it long. */
  private borrow(size: number): LooseBlock | null {
    const { decoder, lender } = this
    if (lender === null || decoder.requestStart !== 0 || !decoder.isLastArgument) return null
    return LooseBlock.for(lender, size, decoder.expectedStart)
  }

  private replace(bytes: Uint8Array, block: LooseBlock | null): void {
    if (this.block !== null) this.block.free()
    else largeBuffers.give(this.bytes)
    this.bytes = bytes
    this.block = block
  }

  /** Gives the buffer back; ranges of what has been received are dead. */
  drop(): void {
    this.len = 0
    this.replace(new Uint8Array(0), null)
  }

  /** Drops what was consumed: all in front of `pos`. Ranges of what has been received are dead. */
  consume(pos: number): void {
    if (pos > 0) {
      if (this.block === null) this.bytes.copyWithin(0, pos, this.len)
      else this.move(this.len - pos, pos)
      this.reserved = 0
    }
    this.len -= pos
    if (this.len === 0 && this.bytes.length > SIZE_KEPT_MAX) this.drop()
  }

  /** Gives back room that has not been needed since the last call. */
  shrink(): void {
    if (this.reserved > this.len) return
    if (this.bytes.length > SIZE_FREE && this.peak < this.bytes.length / 2) {
      this.move(Math.max(this.peak, this.len, SIZE_MIN), 0)
    }
    this.peak = this.len
  }
}
