/* Messages: what subscribers are sent, encoded once for all who speak one protocol.
 *
 *   RESP2   *3 $7 message  $7 channel $7 payload        *4 $8 pmessage $pattern  $7 channel $7 payload
 *   RESP3   >3 …                                        >4 …
 *                          '------- body -------'                                '------- body -------'
 *
 * A long body is the same memory for all, whatever stands before it: then each client is sent a head of its own kind
 * and the body. */
import { copyBytes, fromLatin1 } from '../lib/bytes.ts'
import { INT64_LEN_MAX, writeInt64 } from '../lib/int64.ts'
import type { ReplyBuffer } from '../protocol/reply-buffer.ts'
import { SharedBuffers } from '../protocol/shared-buffers.ts'
import type { Subscriber, Topic } from './topic.ts'

/** Longer bodies are not copied behind each head. */
const COPIED_BODY_MAX = 4096
/** `$len\r\n` and a line end. */
const BULK_EXTRA = 1 + INT64_LEN_MAX + 4

/** What a message begins with, in RESP2 and in RESP3. */
export interface Head {
  readonly resp2: Uint8Array
  readonly resp3: Uint8Array
}

const head = (count: number, kind: string): Head => ({
  resp2: fromLatin1(`*${count}\r\n$${kind.length}\r\n${kind}\r\n`),
  resp3: fromLatin1(`>${count}\r\n$${kind.length}\r\n${kind}\r\n`),
})

export const MESSAGE = head(3, 'message')
export const SHARD_MESSAGE = head(3, 'smessage')
export const PATTERN_MESSAGE = head(4, 'pmessage')

const DOLLAR = 36
const CR = 13
const LF = 10

const NOTHING = new Uint8Array(0)

function writeBulk(source: Uint8Array, pos: number, len: number, target: Uint8Array, targetPos: number): number {
  target[targetPos] = DOLLAR
  let at = writeInt64(len, target, targetPos + 1)
  target[at++] = CR
  target[at++] = LF
  copyBytes(source, pos, target, at, len)
  at += len
  target[at++] = CR
  target[at++] = LF
  return at
}

/** A message in one protocol's encoding. */
class Encoding {
  private readonly buffers = new SharedBuffers()
  buffer: ReplyBuffer | null = null
  from = 0
  to = 0

  write(message: Messages, headBytes: Uint8Array, pattern: Uint8Array): void {
    const headSize = headBytes.length + pattern.length
    const size = headSize + (message.isLong ? 0 : message.bodySizeMax)
    const buffer = this.buffers.begin(size)
    const { bytes } = buffer
    this.buffer = buffer
    this.from = buffer.len
    copyBytes(headBytes, 0, bytes, buffer.len, headBytes.length)
    copyBytes(pattern, 0, bytes, buffer.len + headBytes.length, pattern.length)
    const bodyPos = buffer.len + headSize
    this.to = message.isLong ? bodyPos : message.writeBody(bytes, bodyPos)
    buffer.len = this.to
  }

  end(): void {
    this.buffer = null
    this.buffers.end()
  }
}

export class Messages {
  /** Whether the body is sent apart from the head. */
  isLong = false
  bodySizeMax = 0
  private readonly resp2 = new Encoding()
  private readonly resp3 = new Encoding()
  private readonly bodies = new SharedBuffers()
  private body: ReplyBuffer | null = null
  private bodyFrom = 0
  // The message at hand.
  private channelBytes: Uint8Array = NOTHING
  private channelPos = 0
  private channelLen = 0
  private payloadBytes: Uint8Array = NOTHING
  private payloadPos = 0
  private payloadLen = 0

  /** Begins a message. The ranges must stay as they are until `end`. */
  begin(
    channelBytes: Uint8Array,
    channelPos: number,
    channelLen: number,
    payloadBytes: Uint8Array,
    payloadPos: number,
    payloadLen: number,
  ): void {
    this.channelBytes = channelBytes
    this.channelPos = channelPos
    this.channelLen = channelLen
    this.payloadBytes = payloadBytes
    this.payloadPos = payloadPos
    this.payloadLen = payloadLen
    this.bodySizeMax = channelLen + payloadLen + 2 * BULK_EXTRA
    this.isLong = this.bodySizeMax > COPIED_BODY_MAX
    this.body = null
  }

  end(): void {
    this.resp2.end()
    this.resp3.end()
    this.bodies.end()
    this.channelBytes = NOTHING
    this.payloadBytes = NOTHING
    this.body = null
  }

  /** Writes channel and payload; returns the position behind. */
  writeBody(target: Uint8Array, pos: number): number {
    const at = writeBulk(this.channelBytes, this.channelPos, this.channelLen, target, pos)
    return writeBulk(this.payloadBytes, this.payloadPos, this.payloadLen, target, at)
  }

  private shareBody(): ReplyBuffer {
    const buffer = this.bodies.begin(this.bodySizeMax)
    this.body = buffer
    this.bodyFrom = buffer.len
    buffer.len = this.writeBody(buffer.bytes, buffer.len)
    return buffer
  }

  /** Sends the message to all subscribers of a topic; returns how many there are. */
  deliver(topic: Topic, kind: Head, pattern: Uint8Array = NOTHING): number {
    this.resp2.buffer = null
    this.resp3.buffer = null
    const { single, several } = topic
    if (several === null) {
      if (single === null) return 0
      this.deliverTo(single, kind, pattern)
      return 1
    }
    const { size } = several
    for (const subscriber of several) this.deliverTo(subscriber, kind, pattern)
    return size
  }

  private deliverTo(subscriber: Subscriber, kind: Head, pattern: Uint8Array): void {
    const isThree = subscriber.session.version === 3
    const encoding = isThree ? this.resp3 : this.resp2
    if (encoding.buffer === null) encoding.write(this, isThree ? kind.resp3 : kind.resp2, pattern)
    subscriber.pushShared(encoding.buffer!, encoding.from, encoding.to)
    if (!this.isLong) return
    const body = this.body ?? this.shareBody()
    subscriber.pushShared(body, this.bodyFrom, body.len)
  }
}
