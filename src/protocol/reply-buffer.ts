/* Reply buffers: pieces of memory that replies are written into, used again and again.
 *
 *   sizes     16 KB      68 KB      272 KB      1.1 MB      4.3 MB      larger: made to measure, not kept
 *   kept      256        64         64         64           8
 *
 * Most turns need one small buffer a client. Large replies go through larger ones, so that a megabyte is not fresh (and
 * zeroed) memory each time. Each remembers views of its first bytes by length: a short reply needs no new object to be
 * sent. Fifty clients that ask for a megabyte each need as many at a time, and a buffer that is made anew for each
 * reply costs three times what filling it does: zeroing, page faults, and the collector, whom it brings onto the scene.
 * `trimBuffers` gives back what was not used of late.
 *
 * A buffer whose content goes to many clients (shared-buffers.ts) counts them: it goes back when the last one has
 * it. */
import { release } from '../lib/release.ts'

/** Bytes of the smallest buffer. */
export const BUFFER_SIZE = 16 * 1024
const SIZES = [BUFFER_SIZE, 68 * 1024, 272 * 1024, 1088 * 1024, 4352 * 1024]
const KEPT = [256, 64, 64, 64, 8]
const UNKEPT = SIZES.length
const VIEWS_MAX = 1024
/** Of the buffers not wanted, a call of `trimBuffers` drops one in so many. */
const TRIM_PARTS = 32

export class ReplyBuffer {
  readonly bytes: Uint8Array
  readonly buffer: Buffer
  /** The bytes, for words that lie at any of them. */
  readonly words: DataView
  /** Bytes written, once the buffer has been handed over. */
  len = 0
  /** Which pool it belongs to. */
  readonly pool: number
  /** How many hold a part of it; 0: it is one owner's. */
  users = 0
  private readonly views: (Buffer | undefined)[] = []
  // The part last asked for, and its view if it was asked for twice: clients that are sent the same have it one after
  // the other.
  private partFrom = -1
  private partTo = -1
  private part: Buffer | null = null

  constructor(bytes: Uint8Array, pool: number) {
    const memory = bytes.buffer as ArrayBuffer
    this.bytes = bytes
    this.buffer = Buffer.from(memory, bytes.byteOffset, bytes.length)
    this.words = new DataView(memory, bytes.byteOffset, bytes.length)
    this.pool = pool
  }

  /** The bytes written. */
  view(): Buffer {
    return this.beginning(this.len)
  }

  private beginning(len: number): Buffer {
    if (len >= VIEWS_MAX) return this.buffer.subarray(0, len)
    let view = this.views[len]
    if (view === undefined) {
      while (this.views.length <= len) this.views.push(undefined)
      view = this.buffer.subarray(0, len)
      this.views[len] = view
    }
    return view
  }

  /** The bytes [from, to), or null where copying them is cheaper than a view of them. */
  range(from: number, to: number): Buffer | null {
    if (from === 0 && to < VIEWS_MAX) return this.beginning(to)
    if (from !== this.partFrom || to !== this.partTo) {
      this.partFrom = from
      this.partTo = to
      this.part = null
      if (to - from < VIEWS_MAX) return null
    }
    this.part ??= this.buffer.subarray(from, to)
    return this.part
  }
}

// Stacks in arrays of fixed length: push and pop would make and drop backing stores all the time.
const pools = KEPT.map((kept) => new Array<ReplyBuffer | null>(kept).fill(null))
const counts = new Int32Array(SIZES.length)
/** The lowest each count has been since the last trim: so many were not needed. */
const spare = new Int32Array(SIZES.length)

/** Bytes of all buffers that there are, used or not. */
let heldBytes = 0
/** Bytes of small buffers that have been dropped, all in all. */
let droppedBytes = 0

/** Where the memory of buffers comes from, and goes to. */
export interface BufferSource {
  take(size: number): Uint8Array
  give(bytes: Uint8Array): void
}
let source: BufferSource = { take: (size) => new Uint8Array(size), give: release }

/** Takes the memory of all buffers to come from there; the source must take those from elsewhere, too. */
export function setBufferSource(wanted: BufferSource): void {
  source = wanted
}

function make(size: number, pool: number): ReplyBuffer {
  heldBytes += size
  return new ReplyBuffer(source.take(size), pool)
}

function unmake({ bytes }: ReplyBuffer): void {
  heldBytes -= bytes.length
  if (bytes.length === BUFFER_SIZE) droppedBytes += BUFFER_SIZE
  source.give(bytes)
}

/** A buffer of at least `size` bytes, its content undefined. */
export function takeBuffer(size = BUFFER_SIZE): ReplyBuffer {
  let pool = 0
  while (pool < UNKEPT && SIZES[pool]! < size) pool++
  if (pool === UNKEPT) return make(size, UNKEPT)
  const count = counts[pool]!
  if (count === 0) return make(SIZES[pool]!, pool)
  counts[pool] = count - 1
  if (count - 1 < spare[pool]!) spare[pool] = count - 1
  const buffer = pools[pool]![count - 1]!
  pools[pool]![count - 1] = null
  return buffer
}

/** One who held the buffer, or a part of it, does not any more. */
export function dropBuffer(buffer: ReplyBuffer): void {
  if (buffer.users > 0 && --buffer.users > 0) return
  giveBuffer(buffer)
}

/** Nobody holds a view of the buffer any more. */
export function giveBuffer(buffer: ReplyBuffer): void {
  const pool = buffer.pool
  if (pool === UNKEPT || counts[pool]! >= KEPT[pool]!) unmake(buffer)
  else pools[pool]![counts[pool]!++] = buffer
}

/** Drops some of the buffers that nobody has wanted since the last call: few, for load comes in waves. */
export function trimBuffers(): void {
  for (let pool = 0; pool < UNKEPT; pool++) {
    for (let left = Math.ceil(spare[pool]! / TRIM_PARTS); left > 0; left--) {
      const at = --counts[pool]!
      unmake(pools[pool]![at]!)
      pools[pool]![at] = null
    }
    spare[pool] = counts[pool]!
  }
}

/** Bytes that were left to the collector, since the process began. */
export function bytesDropped(): number {
  return droppedBytes
}

/** Bytes of the buffers in use, and of all small ones: there is one or another of those in use all the time. Larger
 *  ones that wait to be used are free memory. */
export function bufferBytes(): number {
  let free = 0
  for (let pool = 1; pool < UNKEPT; pool++) free += counts[pool]! * SIZES[pool]!
  return heldBytes - free
}
