/* Trimming: the options of XADD and XTRIM that take old entries away, and how these commands are told to be done again.
 *
 *   XADD s MAXLEN ~ 1000 * f v   ->   XADD s MAXLEN = 1100 1700000000000-0 f v
 *
 * How much an approximate trim leaves depends on the nodes, so what is told is what was left. */
import { compareInt64, toNumber } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import type { Ref } from '../memory/memory.ts'
import {
  NOT_INTEGER,
  SYNTAX,
  TRIM_LIMIT_ALONE,
  TRIM_LIMIT_EXACT,
  TRIM_LIMIT_NEGATIVE,
  TRIM_MAXLEN_NEGATIVE,
  TRIM_TWICE,
  XTRIM_NO_STRATEGY,
} from '../protocol/errors.ts'
import type { Call } from './call.ts'
import { SessionFlag } from './session.ts'
import { exactId, Given, isSign, newId, tellId } from './streams-ids.ts'

const TILDE = 126
const EQUAL = 61
const STAR = 42

/** Nodes that an approximate trim takes away at most, if nothing else is said; the limits of what that means. */
const LIMIT_NODES = 100
const LIMIT_DEFAULT = 10_000
const LIMIT_MAX = 1_000_000

export const Strategy = { NONE: 0, MAXLEN: 1, MINID: 2 } as const

/** What was asked for. One serves all calls: dead when the next one is read. */
export class TrimOptions {
  strategy: number = Strategy.NONE
  /** The argument that says how much is to be left. */
  thresholdAt = 0
  approximate = false
  /** Entries that may go; 0: any number. */
  limit = 0
  private limitGiven = false
  left = 0
  readonly minId = new StreamId()
  // Of XADD.
  makes = true
  /** The argument that is the new entry's id; 0: none was found. */
  idAt = 0
  given: Given | -1 = -1
  readonly id = new StreamId()

  /** Reads the arguments from the second on: all, or up to and with XADD's id. False after replying what is wrong. */
  read(call: Call, adds: boolean): boolean {
    this.strategy = Strategy.NONE
    this.thresholdAt = 0
    this.approximate = false
    this.limit = 0
    this.limitGiven = false
    this.makes = true
    this.idAt = 0
    this.given = -1
    for (let index = 2; index < call.argc && this.idAt === 0; ) {
      const next = this.readOption(call, index, adds)
      if (next < 0) return false
      index = next
    }
    if (this.limit !== 0 && this.strategy === Strategy.NONE) return refuse(call, TRIM_LIMIT_ALONE)
    if (!adds && this.strategy === Strategy.NONE) return refuse(call, XTRIM_NO_STRATEGY)
    return this.settleLimit(call)
  }

  /** Returns the argument to go on with; -1 after replying what is wrong. */
  private readOption(call: Call, index: number, adds: boolean): number {
    const more = call.argc - 1 - index
    if (adds && isSign(call, index, STAR)) {
      this.idAt = index
      return index + 1
    }
    if (more > 0 && call.is(index, 'MAXLEN')) return this.readThreshold(call, index, Strategy.MAXLEN)
    if (more > 0 && call.is(index, 'MINID')) return this.readThreshold(call, index, Strategy.MINID)
    if (more > 0 && call.is(index, 'LIMIT')) {
      const limit = countOf(call, index + 1, TRIM_LIMIT_NEGATIVE)
      if (limit < 0) return -1
      this.limit = limit
      this.limitGiven = true
      return index + 2
    }
    if (!adds) {
      call.reply.error(SYNTAX)
      return -1
    }
    if (call.is(index, 'NOMKSTREAM')) {
      this.makes = false
      return index + 1
    }
    this.given = newId(call, index, this.id)
    this.idAt = index
    return this.given === Given.REFUSED ? -1 : index + 1
  }

  private readThreshold(call: Call, index: number, strategy: number): number {
    if (this.strategy !== Strategy.NONE) {
      call.reply.error(TRIM_TWICE)
      return -1
    }
    let at = index + 1
    this.approximate = false
    if (at + 1 < call.argc && (isSign(call, at, TILDE) || isSign(call, at, EQUAL))) {
      this.approximate = isSign(call, at, TILDE)
      at++
    }
    if (strategy === Strategy.MAXLEN) {
      const left = countOf(call, at, TRIM_MAXLEN_NEGATIVE)
      if (left < 0) return -1
      this.left = left
    } else if (!exactId(call, at, this.minId)) return -1
    this.strategy = strategy
    this.thresholdAt = at
    return at + 1
  }

  private settleLimit(call: Call): boolean {
    const { nodeEntriesMax } = call.keyspace.streams.log
    if ((call.session.flags & SessionFlag.REPLAYS) !== 0) this.limit = 0
    else if (this.limitGiven && !this.approximate) return refuse(call, TRIM_LIMIT_EXACT)
    else if (!this.limitGiven) {
      const usual = nodeEntriesMax > 0 ? Math.min(LIMIT_NODES * nodeEntriesMax, LIMIT_MAX) : LIMIT_DEFAULT
      this.limit = this.approximate ? usual : 0
    }
    return true
  }

  /** Takes entries away as was asked for; returns how many. */
  trim(call: Call, root: Ref): number {
    const { log } = call.keyspace.streams
    if (this.strategy === Strategy.MAXLEN) return log.trimToLength(root, this.left, this.approximate, this.limit)
    return log.trimToId(root, this.minId, this.approximate, this.limit)
  }

  /** Tells of the call as it is to be done again: with what was left, and with this id, if it has one. */
  tell(call: Call, root: Ref, id: StreamId | null): void {
    const { effects, argc } = call
    const { log } = call.keyspace.streams
    effects.begin(call, argc)
    for (let index = 0; index < argc; index++) {
      if (id !== null && index === this.idAt) tellId(call, id)
      else if (this.approximate && index === this.thresholdAt - 1) effects.word('=')
      else if (!this.approximate || index !== this.thresholdAt) effects.argument(call, index)
      else if (this.strategy === Strategy.MAXLEN) effects.integer(log.length(root))
      else {
        if (!log.edge(root, true, false, this.minId)) this.minId.toGreatest()
        tellId(call, this.minId)
      }
    }
  }
}

function refuse(call: Call, error: Parameters<Call['reply']['error']>[0]): false {
  call.reply.error(error)
  return false
}

/** An argument that is a count; -1 after replying that it is none, or `negative`. */
function countOf(call: Call, index: number, negative: Parameters<Call['reply']['error']>[0]): number {
  const value = call.integer(index)
  if (value === undefined) call.reply.error(NOT_INTEGER)
  else if (compareInt64(value, 0) < 0) call.reply.error(negative)
  else return toNumber(value)
  return -1
}
