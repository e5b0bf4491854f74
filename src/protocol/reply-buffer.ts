/* Reply buffers: fixed pieces of memory that replies are written into, used again and again.
 *
 * Each remembers views of its first bytes by length: the short replies of a turn need no new object to be sent. */

/** Bytes of a buffer in the pool: a turn's replies of one client mostly fit. */
export const BUFFER_SIZE = 16 * 1024
const VIEWS_MAX = 1024
/** Buffers kept for later; what is above goes to the garbage collector. */
const POOL_MAX = 256

export class ReplyBuffer {
  readonly bytes: Uint8Array
  readonly buffer: Buffer
  private readonly views: (Buffer | undefined)[] = []

  constructor(size: number) {
    const memory = new ArrayBuffer(size)
    this.bytes = new Uint8Array(memory)
    this.buffer = Buffer.from(memory)
  }

  /** The first `len` bytes. */
  view(len: number): Buffer {
    if (len >= VIEWS_MAX) return this.buffer.subarray(0, len)
    let view = this.views[len]
    if (view === undefined) {
      while (this.views.length <= len) this.views.push(undefined)
      view = this.buffer.subarray(0, len)
      this.views[len] = view
    }
    return view
  }
}

// A stack in an array of fixed length: push and pop would make and drop backing stores all the time.
const pool = new Array<ReplyBuffer | null>(POOL_MAX).fill(null)
let pooled = 0

export function takeBuffer(): ReplyBuffer {
  if (pooled === 0) return new ReplyBuffer(BUFFER_SIZE)
  const buffer = pool[--pooled]!
  pool[pooled] = null
  return buffer
}

/** Nobody holds a view of the buffer any more. */
export function giveBuffer(buffer: ReplyBuffer): void {
  if (pooled < POOL_MAX && buffer.bytes.length === BUFFER_SIZE) pool[pooled++] = buffer
}
