/* Output: what waits to be sent to one client, in order.
 *
 *   one of   nothing
 *            one reply buffer                        first
 *            ranges of one shared buffer             shared; the last is [from, to), those before it in `ranges`
 *            more than that                          first, then `more`
 *
 * (Shared buffers hold messages to many: protocol/shared-buffers.ts. Most have one range, that grows; where others were
 * sent something in between there are several, which are brought together when they are sent.)
 *
 * Nearly always it is one of the first three, which costs no object. Little things that come behind others are copied
 * behind them, so that a turn's output is one write; what is long stays where it is. Memory that a client who does not
 * read keeps is its own, or so large a part of a shared buffer that it may as well be. */
import { copyBytes } from '../lib/bytes.ts'
import { dropBuffer, giveBuffer, ReplyBuffer, takeBuffer } from '../protocol/reply-buffer.ts'

/** Up to so many bytes are copied behind what waits already: cheaper than a write of their own. */
const COPIED_MAX = 4096
/** Room for what is gathered from a client that does not read, when a small buffer was not enough. */
const GATHER_SIZE = 64 * 1024
/** Room for ranges that is kept from turn to turn. */
const RANGES_KEPT = 64
const NOTHING = new Uint8Array(0)
/** A range that takes up less than this part of its shared buffer does not keep it. */
const PART_MIN = 1 / 4

/** Bytes [from, to) of a buffer that others have a part of as well. */
export class SharedRange {
  readonly buffer: ReplyBuffer
  readonly from: number
  readonly to: number

  constructor(buffer: ReplyBuffer, from: number, to: number) {
    this.buffer = buffer
    this.from = from
    this.to = to
  }

  view(): Uint8Array {
    return this.buffer.range(this.from, this.to) ?? this.buffer.buffer.subarray(this.from, this.to)
  }
}

export type Piece = ReplyBuffer | SharedRange | Uint8Array

export class Output {
  /** Bytes that wait, and those of them that are not in a reply buffer. */
  size = 0
  plain = 0
  /** Bytes of the memory that they lie in. */
  held = 0
  /** What `takeShared` found. */
  view: Uint8Array = NOTHING
  first: ReplyBuffer | null = null
  shared: ReplyBuffer | null = null
  from = 0
  to = 0
  private readonly ranges: number[] = []
  private rangesLen = 0
  private more: Piece[] = []

  get isEmpty(): boolean {
    return this.size === 0
  }

  /** Pieces of memory. */
  get count(): number {
    return (this.first === null && this.shared === null ? 0 : 1 + this.rangesLen / 2) + this.more.length
  }

  /** Adds a reply. */
  addReply(buffer: ReplyBuffer): void {
    const { len } = buffer
    if (this.size === 0) {
      this.first = buffer
      this.held += buffer.bytes.length
    } else if (len <= COPIED_MAX) {
      this.append(buffer.bytes, 0, len)
      giveBuffer(buffer)
    } else {
      this.settle()
      this.more.push(buffer)
      this.held += buffer.bytes.length
    }
    this.size += len
  }

  /** Adds bytes that will not change. */
  addBytes(bytes: Uint8Array): void {
    if (this.size > 0 && bytes.length <= COPIED_MAX) this.append(bytes, 0, bytes.length)
    else {
      this.settle()
      this.more.push(bytes)
      this.plain += bytes.length
      this.held += bytes.length
    }
    this.size += bytes.length
  }

  /** Adds bytes [from, to) of a shared buffer. */
  addShared(buffer: ReplyBuffer, from: number, to: number): void {
    const len = to - from
    if (this.size === 0) {
      buffer.users++
      this.shared = buffer
      this.from = from
      this.to = to
    } else if (this.shared === buffer) {
      if (this.to !== from) {
        this.keepRange()
        this.from = from
      }
      this.to = to
    } else if (len <= COPIED_MAX) this.append(buffer.bytes, from, len)
    else {
      this.settle()
      this.addRange(buffer, from, to)
    }
    this.size += len
  }

  private keepRange(): void {
    if (this.rangesLen === this.ranges.length) this.ranges.push(0, 0)
    this.ranges[this.rangesLen++] = this.from
    this.ranges[this.rangesLen++] = this.to
  }

  /** The ranges of `shared` in one buffer, or its only one as it is if a view of that is there. The buffer is to be
   *  dropped when it has been sent, `view` is what to send; `shared` is not any more. */
  takeShared(shared: ReplyBuffer): ReplyBuffer {
    const { from, to, ranges, rangesLen } = this
    this.shared = null
    if (rangesLen === 0) {
      const view = shared.range(from, to)
      if (view !== null) {
        this.view = view
        return shared
      }
    }
    let size = to - from
    for (let index = 0; index < rangesLen; index += 2) size += ranges[index + 1]! - ranges[index]!
    const gathered = takeBuffer(size)
    let at = 0
    for (let index = 0; index < rangesLen; index += 2) {
      const len = ranges[index + 1]! - ranges[index]!
      copyBytes(shared.bytes, ranges[index]!, gathered.bytes, at, len)
      at += len
    }
    copyBytes(shared.bytes, from, gathered.bytes, at, to - from)
    this.rangesLen = 0
    if (ranges.length > RANGES_KEPT) ranges.length = 0
    dropBuffer(shared)
    gathered.len = size
    this.view = gathered.view()
    return gathered
  }

  private addRange(buffer: ReplyBuffer, from: number, to: number): void {
    if (to - from < buffer.bytes.length * PART_MIN) {
      this.append(buffer.bytes, from, to - from)
      return
    }
    buffer.users++
    this.held += to - from
    this.more.push(new SharedRange(buffer, from, to))
  }

  /** Copies bytes behind all others. */
  private append(bytes: Uint8Array, pos: number, len: number): void {
    if (this.shared !== null) this.settle()
    const tail = this.tailWithRoom(len)
    copyBytes(bytes, pos, tail.bytes, tail.len, len)
    tail.len += len
  }

  private tailWithRoom(len: number): ReplyBuffer {
    const { first, more } = this
    const last = more.length === 0 ? first : more[more.length - 1]!
    // (Others may have a part of a shared buffer; a plain array has no room.)
    if (last !== null && 'pool' in last && last.len + len <= last.bytes.length) return last
    const isFirst = first === null && more.length === 0
    const buffer = takeBuffer(Math.max(len, isFirst ? 0 : GATHER_SIZE))
    buffer.len = 0
    this.held += buffer.bytes.length
    if (isFirst) this.first = buffer
    else more.push(buffer)
    return buffer
  }

  /** Lets go of the shared buffer, unless most of it is in use: what waits is the client's own from now on. */
  settle(): void {
    const { shared, from, to } = this
    if (shared === null) return
    const { ranges, rangesLen } = this
    this.shared = null
    this.rangesLen = 0
    for (let index = 0; index < rangesLen; index += 2) this.addRange(shared, ranges[index]!, ranges[index + 1]!)
    this.addRange(shared, from, to)
    dropBuffer(shared)
  }

  /** Hands over what stands behind `first` or `shared`; those two the caller takes itself. */
  takeMore(): readonly Piece[] {
    if (this.more.length === 0) return this.more
    const taken = this.more
    this.more = []
    return taken
  }

  /** Forgets everything: the client has gone. */
  clear(): void {
    if (this.first !== null) giveBuffer(this.first)
    if (this.shared !== null) dropBuffer(this.shared)
    for (const piece of this.more) {
      if (piece instanceof SharedRange) dropBuffer(piece.buffer)
      else if (piece instanceof ReplyBuffer) giveBuffer(piece)
    }
    this.first = null
    this.shared = null
    this.rangesLen = 0
    this.more = []
    this.size = 0
    this.plain = 0
    this.held = 0
  }
}
