/* Ids of stream entries in commands: reading them from arguments, and writing them into replies and effects.
 *
 *   ms-seq   ms   ms-*   -   +   (ms-seq          which of these a command takes, it says by the function it calls */
import { highWord, lowWord, parseUint64 } from '../lib/int64.ts'
import { ID_TEXT_MAX, type StreamId } from '../lib/stream-id.ts'
import { BAD_RANGE_END, BAD_RANGE_START, BAD_STREAM_ID } from '../protocol/errors.ts'
import type { Call } from './call.ts'

/** The longest argument that is looked at. */
const LEN_MAX = 127
const MINUS = 45
const PLUS = 43
const STAR = 42
const OPEN = 40

/** What stands in place of a sequence number that is left out. */
export const LEAST_SEQ = 0
const GREATEST_SEQ = -1

const text = new Uint8Array(ID_TEXT_MAX)

/** Reads `ms`, or `ms-seq`; false if it is none. `missing`: both words of a sequence number that is not there. */
function readId(bytes: Uint8Array, pos: number, len: number, missing: number, id: StreamId): boolean {
  if (len > LEN_MAX) return false
  let end = pos
  while (end < pos + len && bytes[end] !== 0) end++
  let hyphen = pos
  while (hyphen < end && bytes[hyphen] !== MINUS) hyphen++
  const ms = parseUint64(bytes, pos, hyphen - pos)
  if (ms === undefined) return false
  if (hyphen === end) {
    id.set(highWord(ms), lowWord(ms), missing, missing)
    return true
  }
  const seq = parseUint64(bytes, hyphen + 1, end - hyphen - 1)
  if (seq === undefined) return false
  id.set(highWord(ms), lowWord(ms), highWord(seq), lowWord(seq))
  return true
}

/** Reads an id that is neither - nor +; false if it is none. */
export function isExactId(call: Call, index: number, missing: number, id: StreamId): boolean {
  const { bytes } = call
  const pos = call.posOf(index)
  const len = call.lenOf(index)
  if (len === 1 && (bytes[pos] === MINUS || bytes[pos] === PLUS)) return false
  return readId(bytes, pos, len, missing, id)
}

/** Reads an id that is neither - nor +; false after replying that it is none. */
export function exactId(call: Call, index: number, id: StreamId): boolean {
  if (isExactId(call, index, LEAST_SEQ, id)) return true
  call.reply.error(BAD_STREAM_ID)
  return false
}

/** How an id for a new entry was given. */
export const Given = { REFUSED: 0, WHOLE: 1, MS: 2 } as const
export type Given = (typeof Given)[keyof typeof Given]

/** Reads the id of a new entry, whose sequence number may be *; REFUSED after replying that it is none. */
export function newId(call: Call, index: number, id: StreamId): Given {
  const { bytes } = call
  const pos = call.posOf(index)
  const len = call.lenOf(index)
  if (len > 2 && len <= LEN_MAX && bytes[pos + len - 1] === STAR && bytes[pos + len - 2] === MINUS) {
    if (bytes.indexOf(MINUS, pos) === pos + len - 2 && readId(bytes, pos, len - 2, LEAST_SEQ, id)) return Given.MS
  }
  return exactId(call, index, id) ? Given.WHOLE : Given.REFUSED
}

/** Reads an id, - or +; false after replying that it is none. */
export function anyId(call: Call, index: number, missing: number, id: StreamId): boolean {
  const { bytes } = call
  const pos = call.posOf(index)
  if (call.lenOf(index) === 1) {
    if (bytes[pos] === MINUS) return id.toLeast().isZero
    if (bytes[pos] === PLUS) return id.toGreatest().isGreatest
  }
  if (readId(bytes, pos, call.lenOf(index), missing, id)) return true
  call.reply.error(BAD_STREAM_ID)
  return false
}

/** Whether the argument is an id with a bracket in front, which excludes it from a range. */
const isOpen = (call: Call, index: number): boolean => call.lenOf(index) > 1 && call.bytes[call.posOf(index)] === OPEN

/** Reads an open end of a range, bracket and all; false after replying that it is none. */
function openId(call: Call, index: number, missing: number, id: StreamId): boolean {
  const { bytes } = call
  const pos = call.posOf(index) + 1
  const len = call.lenOf(index) - 1
  const isSign = len === 1 && (bytes[pos] === MINUS || bytes[pos] === PLUS)
  if (!isSign && readId(bytes, pos, len, missing, id)) return true
  call.reply.error(BAD_STREAM_ID)
  return false
}

/** Reads the id that a range begins with; false after replying what is wrong. */
export function rangeStart(call: Call, index: number, id: StreamId): boolean {
  if (!isOpen(call, index)) return anyId(call, index, LEAST_SEQ, id)
  if (!openId(call, index, LEAST_SEQ, id)) return false
  if (id.increment()) return true
  call.reply.error(BAD_RANGE_START)
  return false
}

/** Reads the id that a range ends with; false after replying what is wrong. */
export function rangeEnd(call: Call, index: number, id: StreamId): boolean {
  if (!isOpen(call, index)) return anyId(call, index, GREATEST_SEQ, id)
  if (!openId(call, index, GREATEST_SEQ, id)) return false
  if (id.decrement()) return true
  call.reply.error(BAD_RANGE_END)
  return false
}

/** Whether the argument is this one character. */
export const isSign = (call: Call, index: number, sign: number): boolean =>
  call.lenOf(index) === 1 && call.bytes[call.posOf(index)] === sign

export function replyId(call: Call, id: StreamId): void {
  call.reply.bulk(text, 0, id.writeText(text, 0))
}

/** Says an id as the next word of an effect. */
export function tellId(call: Call, id: StreamId): void {
  call.effects.bulk(text, 0, id.writeText(text, 0))
}
