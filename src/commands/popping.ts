/* Taking elements from the first of several keys that holds any, at once or when there are: what LMPOP and ZMPOP, BLPOP
 * and BZPOPMIN, and those between them have in common. Lists and sorted sets differ in what their ends are called, and
 * in how an element is taken and told. */
import type { Type } from '../keyspace/entry.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { COUNT_NOT_POSITIVE, type ErrorReply, NUMKEYS_NOT_POSITIVE, SYNTAX } from '../protocol/errors.ts'
import { type Blocker, timeoutOf } from './blocking.ts'
import { type Call, REFUSED } from './call.ts'

/** A type with two ends from which elements are taken: the first (`false`) and the last. */
export interface Popper {
  readonly type: Type
  /** The ends, as they are named in arguments. */
  readonly ends: readonly [string, string]
  /** Commands that pop from one key, in whose words is told what others did. */
  readonly words: readonly [string, string]
  size(call: Call, entry: Ref): number
  /** Takes an element of the value last looked up, at the key of an argument, and replies with the key and it. */
  popOne(call: Call, index: number, entry: Ref, last: boolean): void
  /** Takes so many, of which there are as many, and replies with them as an array. */
  popMany(call: Call, index: number, entry: Ref, last: boolean, count: number): void
}

/** What a call was asked for. */
const asked = { firstKey: 0, keyCount: 0, last: false, count: 1 }

/** Reads the arguments from the one that counts the keys on. */
function read(call: Call, popper: Popper, index: number): ErrorReply | null {
  const { argc } = call
  const numkeys = call.integer(index)
  if (numkeys === undefined || compareInt64(numkeys, 1) < 0) return NUMKEYS_NOT_POSITIVE
  if (compareInt64(numkeys, argc - index - 2) > 0) return SYNTAX
  asked.firstKey = index + 1
  asked.keyCount = toNumber(numkeys)
  asked.count = 1
  const where = asked.firstKey + asked.keyCount
  asked.last = call.is(where, popper.ends[1])
  if (!asked.last && !call.is(where, popper.ends[0])) return SYNTAX
  if (where + 1 === argc) return null
  if (!call.is(where + 1, 'COUNT') || where + 2 === argc) return SYNTAX
  const count = call.integer(where + 2)
  if (count === undefined || compareInt64(count, 1) < 0) return COUNT_NOT_POSITIVE
  asked.count = toNumber(count)
  return where + 3 === argc ? null : SYNTAX
}

function isAsked(call: Call, popper: Popper, index: number): boolean {
  const error = read(call, popper, index)
  if (error !== null) call.reply.error(error)
  return error === null
}

/** The first of some keys' arguments that holds a value; 0 if none does, REFUSED after replying WRONGTYPE. */
function firstOf(call: Call, popper: Popper, first: number, count: number): number {
  for (let index = first; index < first + count; index++) {
    const entry = call.writeKey(index, popper.type)
    if (entry === REFUSED) return REFUSED
    if (entry === NONE) continue
    found = entry
    return index
  }
  return 0
}
/** The entry at the key that `firstOf` answered. */
let found: Ref = NONE

/** Pops what was asked for from the first key that holds any; false if none does: then nothing has been replied. */
function popAsked(call: Call, popper: Popper): boolean {
  const { reply, effects } = call
  const index = firstOf(call, popper, asked.firstKey, asked.keyCount)
  if (index <= 0) return index === REFUSED
  const { last } = asked
  const count = Math.min(asked.count, popper.size(call, found))
  reply.array(2)
  reply.bulk(call.bytes, call.posOf(index), call.lenOf(index))
  popper.popMany(call, index, found, last, count)
  if (effects.listening)
    effects
      .begin(call, 3)
      .word(popper.words[last ? 1 : 0])
      .argument(call, index)
      .integer(count)
  return true
}

/** LMPOP, ZMPOP. */
export function popSeveral(call: Call, popper: Popper): void {
  if (isAsked(call, popper, 1) && !popAsked(call, popper)) call.reply.nullArray()
}

/** BLMPOP, BZMPOP. */
export function blockingPopSeveral(call: Call, blocker: Blocker, popper: Popper): void {
  if (!isAsked(call, popper, 2)) return
  const timeoutMs = timeoutOf(call, 1)
  if (timeoutMs === undefined || popAsked(call, popper)) return
  if (!blocker.block(call, popper.type, asked.firstKey, asked.keyCount, timeoutMs)) call.reply.nullArray()
}

/** BLPOP and BRPOP, BZPOPMIN and BZPOPMAX. */
export function blockingPop(call: Call, blocker: Blocker, popper: Popper, last: boolean): void {
  const { effects } = call
  const keyCount = call.argc - 2
  const timeoutMs = timeoutOf(call, call.argc - 1)
  if (timeoutMs === undefined) return
  const index = firstOf(call, popper, 1, keyCount)
  if (index === REFUSED) return
  if (index > 0) {
    popper.popOne(call, index, found, last)
    if (effects.listening)
      effects
        .begin(call, 2)
        .word(popper.words[last ? 1 : 0])
        .argument(call, index)
  } else if (!blocker.block(call, popper.type, 1, keyCount, timeoutMs)) call.reply.nullArray()
}
