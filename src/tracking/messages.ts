/* Messages: what clients are told about keys that they may have copies of.
 *
 *   RESP3, or redirected to RESP3     > 2   invalidate                        names
 *   redirected to a RESP2 subscriber  * 3   message   __redis__:invalidate    names
 *
 * Names are an array, or null for all of them. Each is encoded once, however many clients are told. */
import { copyBytes, fromLatin1 } from '../lib/bytes.ts'
import { int64Length, writeInt64 } from '../lib/int64.ts'

const CR = 13
const LF = 10
const STAR = 42
const DOLLAR = 36
const HEADER_MAX = 24
const ONE = fromLatin1('*1\r\n$')

export const PUSH_HEAD = fromLatin1('>2\r\n$10\r\ninvalidate\r\n')
export const CHANNEL_HEAD = fromLatin1('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n')
/** All names, by the protocol of the client that tracks (not of the one that is told). */
export const NULL_RESP2 = fromLatin1('$-1\r\n')
export const NULL_RESP3 = fromLatin1('_\r\n')

export function brokenRedirect(id: number): Uint8Array {
  return fromLatin1(`>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`)
}

/** An array of names being written. Its size must be known: `sizeOf` of each, and `HEADER_MAX`. */
export class NamesWriter {
  private bytes: Uint8Array
  private at: number

  /** Begins with a head, and the announcement of `count` names of `size` bytes in all. */
  constructor(count: number, size: number) {
    this.bytes = new Uint8Array(HEADER_MAX + size)
    this.at = this.header(0, STAR, count)
  }

  /** Bytes that a name of this length takes. */
  static sizeOf(len: number): number {
    return HEADER_MAX + len
  }

  private header(pos: number, type: number, value: number): number {
    this.bytes[pos] = type
    const end = writeInt64(value, this.bytes, pos + 1)
    this.bytes[end] = CR
    this.bytes[end + 1] = LF
    return end + 2
  }

  add(bytes: Uint8Array, pos: number, len: number): void {
    const at = this.header(this.at, DOLLAR, len)
    this.bytes.set(new Uint8Array(bytes.buffer, bytes.byteOffset + pos, len), at)
    this.bytes[at + len] = CR
    this.bytes[at + len + 1] = LF
    this.at = at + len + 2
  }

  take(): Uint8Array {
    return this.bytes.slice(0, this.at)
  }
}

/** A message of this head and these names. */
export function messageOf(head: Uint8Array, names: Uint8Array): Uint8Array {
  const message = new Uint8Array(head.length + names.length)
  message.set(head)
  message.set(names, head.length)
  return message
}

/** A message of this head and an array of one name: nearly all are. One array is made, of the exact size. */
export function messageOfOne(head: Uint8Array, bytes: Uint8Array, pos: number, len: number): Uint8Array {
  const lengthEnd = head.length + ONE.length + int64Length(len)
  const message = new Uint8Array(lengthEnd + 2 + len + 2)
  copyBytes(head, 0, message, 0, head.length)
  copyBytes(ONE, 0, message, head.length, ONE.length)
  writeInt64(len, message, head.length + ONE.length)
  message[lengthEnd] = CR
  message[lengthEnd + 1] = LF
  copyBytes(bytes, pos, message, lengthEnd + 2, len)
  message[lengthEnd + 2 + len] = CR
  message[lengthEnd + 3 + len] = LF
  return message
}
