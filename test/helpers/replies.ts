/* Cuts a stream of RESP2 and RESP3 replies into replies, without reading what they say: each comes out as exactly the
 * bytes that came in, so that two servers can be compared byte by byte. Bytes may arrive cut anywhere.
 *
 *     $3\r\nfoo\r\n*2\r\n:1\r\n_\r\n+O        feed() returns two replies; "+O" waits for its rest
 *     ^ start of the reply at hand    ^ pos, where scanning goes on when more has come
 *
 * `missing` counts the values that the reply at hand still needs: an array of n takes one and adds n, so that nesting
 * needs no stack. A reply's attribute (`|`) belongs to it. */

const CR = 0x0d
const LF = 0x0a

/** How many values follow an aggregate's header of `count`; undefined for a type that is not an aggregate. */
function valuesAfter(type: string, count: number): number | undefined {
  if (type === '*' || type === '~' || type === '>') return count
  if (type === '%') return count * 2
  if (type === '|') return count * 2 + 1
  return undefined
}

export class ReplySplitter {
  private buffer = Buffer.allocUnsafe(4096)
  private end = 0
  private start = 0
  private pos = 0
  private missing = 1

  /** Takes what has arrived; returns the replies that are complete now. */
  feed(chunk: Uint8Array): Buffer[] {
    this.append(chunk)
    const replies: Buffer[] = []
    while (this.skipValue()) {
      if (this.missing > 0) continue
      replies.push(Buffer.from(this.buffer.subarray(this.start, this.pos)))
      this.start = this.pos
      this.missing = 1
    }
    return replies
  }

  /** What has arrived of a reply that is not complete. */
  get rest(): Buffer {
    return Buffer.from(this.buffer.subarray(this.start, this.end))
  }

  private append(chunk: Uint8Array): void {
    const size = this.end - this.start
    if (this.end + chunk.length > this.buffer.length) {
      const needed = size + chunk.length
      const target = needed * 2 > this.buffer.length ? Buffer.allocUnsafe(needed * 2) : this.buffer
      this.buffer.copy(target, 0, this.start, this.end)
      this.buffer = target
      this.pos -= this.start
      this.start = 0
      this.end = size
    }
    this.buffer.set(chunk, this.end)
    this.end += chunk.length
  }

  /** Moves `pos` behind the next value (of an aggregate, its header); false if that has not arrived whole. */
  private skipValue(): boolean {
    const line = this.buffer.indexOf('\r\n', this.pos, 'latin1')
    if (line === -1 || line + 2 > this.end) return false
    const type = String.fromCharCode(this.buffer[this.pos]!)
    const after = line + 2
    if ('+-:_#,('.includes(type)) return this.moveTo(after, 0)

    const count = Number(this.buffer.toString('latin1', this.pos + 1, line))
    if (!Number.isInteger(count) || count < -1) throw this.unreadable(after)
    const values = valuesAfter(type, Math.max(count, 0))
    if (values !== undefined) return this.moveTo(after, values)

    if (type !== '$' && type !== '=' && type !== '!') throw this.unreadable(after)
    if (count === -1) return this.moveTo(after, 0)
    const last = after + count + 2
    if (last > this.end) return false
    if (this.buffer[last - 2] !== CR || this.buffer[last - 1] !== LF) throw this.unreadable(last)
    return this.moveTo(last, 0)
  }

  private moveTo(pos: number, values: number): boolean {
    this.pos = pos
    this.missing += values - 1
    return true
  }

  private unreadable(until: number): Error {
    const bytes = this.buffer.toString('latin1', this.pos, Math.min(until, this.pos + 100))
    return new Error(`not a RESP reply: ${JSON.stringify(bytes)}`)
  }
}
