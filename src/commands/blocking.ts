/* Blocking: what commands that wait for a key need: reading their timeout, and the one who lets clients wait.
 *
 * A command that finds nothing asks to wait for its keys, and replies nothing. When one of them has changed so that it
 * may find something, it is run again, arguments and all, as if it came just now. */
import type { Type } from '../keyspace/entry.ts'
import { parseDouble } from '../lib/double.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import { isFiniteLongDouble, parseLongDouble } from '../lib/long-double.ts'
import { TIMEOUT_NEGATIVE, TIMEOUT_NOT_FLOAT, TIMEOUT_NOT_INTEGER, TIMEOUT_OUT_OF_RANGE } from '../protocol/errors.ts'
import type { Call } from './call.ts'

const MS_MAX = 2 ** 63

export interface Blocker {
  /** Makes the caller wait until one of the keys of arguments `first` to `first + count - 1` holds a value of this
   *  type, or is gone if that is to be known too; for `timeoutMs`, 0 for ever. False if it must not wait, or cannot:
   *  then its time is up at once. `replaced`: arguments that are to be others when the command is run again. */
  block(
    call: Call,
    type: Type,
    first: number,
    count: number,
    timeoutMs: number,
    whenGone?: boolean,
    replaced?: ReadonlyMap<number, Uint8Array>,
  ): boolean
}

/** A timeout in seconds as milliseconds; undefined after replying what is wrong with it. */
export function timeoutOf(call: Call, index: number): number | undefined {
  const pos = call.posOf(index)
  const len = call.lenOf(index)
  const exact = parseLongDouble(call.bytes, pos, len)
  if (exact === undefined) {
    call.reply.error(TIMEOUT_NOT_FLOAT)
    return undefined
  }
  // What only a long double can hold is far too long, or nothing.
  const huge = isFiniteLongDouble(exact) && exact.exponent < 0 ? 0 : Number.POSITIVE_INFINITY
  const seconds = parseDouble(call.bytes, pos, len) ?? (exact.negative ? -huge : huge)
  const ms = Math.ceil(seconds * 1000)
  if (ms >= MS_MAX) call.reply.error(TIMEOUT_OUT_OF_RANGE)
  else if (ms < 0) call.reply.error(TIMEOUT_NEGATIVE)
  else if (ms > MS_MAX - 1 - call.keyspace.now) call.reply.error(TIMEOUT_OUT_OF_RANGE)
  else return ms
  return undefined
}

/** A timeout in milliseconds; undefined after replying what is wrong with it. */
export function timeoutMsOf(call: Call, index: number): number | undefined {
  const ms = call.integer(index)
  if (ms === undefined) call.reply.error(TIMEOUT_NOT_INTEGER)
  else if (compareInt64(ms, 0) < 0) call.reply.error(TIMEOUT_NEGATIVE)
  else if (toNumber(ms) > MS_MAX - 1 - call.keyspace.now) call.reply.error(TIMEOUT_OUT_OF_RANGE)
  else return toNumber(ms)
  return undefined
}
