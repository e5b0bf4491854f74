/* Shared buffers: what is sent to many clients is encoded once, into memory that all their outputs refer to.
 *
 *   buffer   | message 1 | message 2 | message 3 |   room   |
 *              ^from                 ^to                        a client that was sent 1 and 2
 *
 * Messages of one turn lie one behind the other, so that what a client is sent in a turn is nearly always one range,
 * which grows by one number a message and leaves with one write. The writer is one of the buffer's users: when it is
 * the only one, all has been sent and writing begins at the start again. A long message has a buffer to itself, so that
 * a client that does not read it keeps no more memory than it is charged for. */
import { dropBuffer, type ReplyBuffer, takeBuffer } from './reply-buffer.ts'

/** Room for the messages of a turn, at first and at most. */
const SIZE_MIN = 64 * 1024
const SIZE_MAX = 1024 * 1024
/** Longer messages get a buffer of their own. */
const GATHERED_MAX = 8 * 1024

export class SharedBuffers {
  private current: ReplyBuffer | null = null
  private size = SIZE_MIN
  /** A long message's buffer, of which the writer is a user until the next message. */
  private long: ReplyBuffer | null = null

  /** A buffer with room for `size` bytes from its `len` on; whoever writes them adds them to `len`. What was written
   *  before and has been taken by nobody may be written over. */
  begin(size: number): ReplyBuffer {
    this.end()
    if (size > GATHERED_MAX) {
      this.long = take(size)
      return this.long
    }
    const { current } = this
    if (current !== null) {
      if (current.users === 1) current.len = 0
      if (current.len + size <= current.bytes.length) return current
      dropBuffer(current)
      this.size = Math.min(4 * this.size, SIZE_MAX)
    }
    this.current = take(this.size)
    return this.current
  }

  /** Whoever is to have what was written last has it: a long message is theirs from now on. */
  end(): void {
    if (this.long === null) return
    dropBuffer(this.long)
    this.long = null
  }
}

function take(size: number): ReplyBuffer {
  const buffer = takeBuffer(size)
  buffer.users = 1
  buffer.len = 0
  return buffer
}
