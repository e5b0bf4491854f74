/* The sorted set commands that concern single members, or the first and last of a sorted set. Ranges are in
 * zsets-ranges.ts, several sorted sets in zsets-algebra.ts, random members and ZSCAN in zsets-walks.ts. */
import { Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import type { ZsetWalk } from '../keyspace/zset-walk.ts'
import { ZaddFlag, ZaddOutcome } from '../keyspace/zsets.ts'
import { parseDouble } from '../lib/double.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  NOT_FLOAT,
  NOT_POSITIVE,
  SCORE_NAN,
  SYNTAX,
  wrongArity,
  ZADD_CONDITIONS,
  ZADD_INCR_PAIRS,
  ZADD_NX_XX,
} from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import {
  block,
  type CommandGroup,
  double,
  Flag,
  group,
  integer,
  key,
  many,
  oneOf,
  optional,
  since,
  string,
  Taking,
  token,
} from './definition.ts'
import { type Popper, popSeveral } from './popping.ts'

const { NX, XX, GT, LT, INCR } = ZaddFlag
/** Beside ZaddFlag's: CH was given. */
export const CHANGES = 32
const SCORES_KEPT = 1024
let scores = new Float64Array(SCORES_KEPT)

function zadd(call: Call): void {
  let flags = 0
  let first = 2
  for (; first < call.argc; first++) {
    // A score is no word, and most calls begin with one.
    const flag = call.bytes[call.posOf(first)]! < 0x41 ? 0 : optionOf(call, first)
    if (flag === 0) break
    flags |= flag
  }
  addScores(call, flags, first)
}

function optionOf(call: Call, index: number): number {
  if (call.is(index, 'NX')) return NX
  if (call.is(index, 'XX')) return XX
  if (call.is(index, 'GT')) return GT
  if (call.is(index, 'LT')) return LT
  if (call.is(index, 'CH')) return CHANGES
  return call.is(index, 'INCR') ? INCR : 0
}

function zincrby(call: Call): void {
  addScores(call, INCR, 2)
}

/** Reads the pairs of score and member from `first` on, and adds them. */
function addScores(call: Call, flags: number, first: number): void {
  const { reply, argc } = call
  const pairs = (argc - first) / 2
  if (pairs === 0 || !Number.isInteger(pairs)) return reply.error(SYNTAX)
  const nx = (flags & NX) !== 0
  if (nx && (flags & XX) !== 0) return reply.error(ZADD_NX_XX)
  if ((nx && (flags & (GT | LT)) !== 0) || (flags & (GT | LT)) === (GT | LT)) return reply.error(ZADD_CONDITIONS)
  if ((flags & INCR) !== 0 && pairs > 1) return reply.error(ZADD_INCR_PAIRS)
  const scores = roomForScores(pairs)
  for (let pair = 0; pair < pairs; pair++) {
    const index = first + pair * 2
    const score = parseDouble(call.bytes, call.posOf(index), call.lenOf(index))
    if (score === undefined) return reply.error(NOT_FLOAT)
    scores[pair] = score
  }
  addMembers(call, flags, first + 1, 2, pairs)
}

/** Where the scores of so many members go, for `addMembers`. */
export function roomForScores(count: number): Float64Array {
  if (count > scores.length || scores.length > SCORES_KEPT) scores = new Float64Array(Math.max(count, SCORES_KEPT))
  return scores
}

/** Adds so many members whose scores are known: arguments `first`, `first + step` and so on. */
export function addMembers(call: Call, flags: number, first: number, step: number, count: number): void {
  const { keyspace, reply, bytes, pos, len } = call
  const { zsets } = keyspace
  const increments = (flags & INCR) !== 0
  let entry = call.writeKey(1, Type.ZSET)
  if (entry === REFUSED) return
  if (entry === NONE) {
    if ((flags & XX) !== 0) return increments ? reply.nullBulk() : reply.integer(0)
    entry = addZset(call, 1, zsets.encodingFor(len[first]!, count), count)
  } else zsets.expect(entry, count)
  let added = 0
  let updated = 0
  let outcome: ZaddOutcome = ZaddOutcome.NOTHING
  for (let slot = 0; slot < count; slot++) {
    const index = first + slot * step
    outcome = zsets.update(entry, scores[slot]!, flags, bytes, pos[index]!, len[index]!)
    if (outcome === ZaddOutcome.NAN) return reply.error(SCORE_NAN)
    if (outcome === ZaddOutcome.ADDED) added++
    else if (outcome === ZaddOutcome.UPDATED) updated++
  }
  if (increments) {
    if (outcome === ZaddOutcome.NOTHING) reply.nullBulk()
    else reply.double(zsets.score)
  } else reply.integer((flags & CHANGES) !== 0 ? added + updated : added)
  if (added + updated === 0) return
  keyspace.dirty += added + updated - 1
  call.changed(1, increments ? Event.ZINCR : Event.ZADD)
}

/** Adds an empty sorted set for the key last looked up, that of an argument, which must not be there. Allocates. */
function addZset(call: Call, index: number, encoding: number, expected: number): Ref {
  const entry = call.keyspace.zsets.create(encoding, call.bytes, call.posOf(index), call.lenOf(index), expected)
  call.db.insert(entry)
  return entry
}

function zrem(call: Call): void {
  const entry = call.writeKey(1, Type.ZSET)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  const { keyspace, bytes, pos, len, argc } = call
  const { zsets } = keyspace
  let removed = 0
  let empty = false
  for (let index = 2; index < argc && !empty; index++) {
    if (!zsets.remove(entry, bytes, pos[index]!, len[index]!)) continue
    removed++
    empty = zsets.size(entry) === 0
  }
  if (empty) call.db.remove(entry)
  if (removed > 0) {
    keyspace.dirty += removed - 1
    call.taken(1, Event.ZREM, empty)
  }
  call.reply.integer(removed)
}

function zcard(call: Call): void {
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  call.reply.integer(entry === NONE ? 0 : call.keyspace.zsets.size(entry))
}

function zscore(call: Call): void {
  const entry = call.readKey(1, Type.ZSET)
  if (entry !== REFUSED) replyScore(call, entry, 2)
}

function replyScore(call: Call, entry: Ref, index: number): void {
  const { zsets } = call.keyspace
  if (entry !== NONE && zsets.find(entry, call.bytes, call.posOf(index), call.lenOf(index))) {
    call.reply.double(zsets.score)
  } else call.reply.nullBulk()
}

function zmscore(call: Call): void {
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  call.reply.array(call.argc - 2)
  for (let index = 2; index < call.argc; index++) replyScore(call, entry, index)
}

function zrank(call: Call): void {
  replyRank(call, false)
}

function zrevrank(call: Call): void {
  replyRank(call, true)
}

function replyRank(call: Call, back: boolean): void {
  const { reply, argc } = call
  const { zsets } = call.keyspace
  if (argc > 4) return reply.error(wrongArity(call.command!.fullName))
  const withScore = argc === 4
  if (withScore && !call.is(3, 'WITHSCORE')) return reply.error(SYNTAX)
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  const rank = entry === NONE ? -1 : zsets.rank(entry, call.bytes, call.posOf(2), call.lenOf(2))
  if (rank < 0) return withScore ? reply.nullArray() : reply.nullBulk()
  if (withScore) reply.array(2)
  reply.integer(back ? zsets.size(entry) - 1 - rank : rank)
  if (withScore) reply.double(zsets.score)
}

/** Replies with the member at which a walk is. */
export function replyWalked(call: Call, walk: ZsetWalk): void {
  walk.read()
  if (walk.isInteger) call.reply.bulkInteger(walk.integer)
  else call.reply.bulk(walk.bytes, walk.pos, walk.len)
}

// The first and the last.

function zpopmin(call: Call): void {
  popSome(call, false)
}

function zpopmax(call: Call): void {
  popSome(call, true)
}

function popSome(call: Call, max: boolean): void {
  const { reply } = call
  const { zsets } = call.keyspace
  if (call.argc > 3) return reply.error(SYNTAX)
  let wanted = 1
  if (call.argc === 3) {
    const given = call.integer(2)
    if (given === undefined || compareInt64(given, 0) < 0) return reply.error(NOT_POSITIVE)
    wanted = toNumber(given)
  }
  const entry = call.writeKey(1, Type.ZSET)
  if (entry === REFUSED) return
  if (entry === NONE || wanted === 0) return reply.array(0)
  const count = Math.min(wanted, zsets.size(entry))
  const nested = reply.version === 3 && call.argc === 3
  reply.array(nested ? count : count * 2)
  popMembers(call, 1, entry, max, count, nested)
}

/** Takes out so many members of the sorted set at the key of an argument, which was looked up last, and replies with
 *  them. */
function popMembers(call: Call, index: number, entry: Ref, max: boolean, count: number, nested: boolean): void {
  const { keyspace, reply } = call
  const { zsets } = keyspace
  const { walk } = zsets
  const size = zsets.size(entry)
  if (count === 1 && size > 1) return popOne(call, index, entry, max, nested)
  walk.start(entry, max ? size - 1 : 0, max)
  for (let left = count; left > 0; left--) {
    walk.next()
    if (nested) reply.array(2)
    replyWalked(call, walk)
    reply.double(walk.score)
  }
  if (count === size) call.db.remove(entry)
  else zsets.removeRange(entry, max ? size - count : 0, count)
  keyspace.dirty += count - 1
  call.changed(index, max ? Event.ZPOPMAX : Event.ZPOPMIN)
  if (count === size) call.tell(index, Event.DEL)
}

/** As `popMembers`, for one of several: most calls are for one. */
function popOne(call: Call, index: number, entry: Ref, max: boolean, nested: boolean): void {
  const { reply } = call
  const { zsets } = call.keyspace
  zsets.pickEnd(entry, max)
  if (nested) reply.array(2)
  reply.bulk(zsets.bytes, zsets.pos, zsets.len)
  reply.double(zsets.score)
  zsets.removePickedEnd(entry, max)
  call.changed(index, max ? Event.ZPOPMAX : Event.ZPOPMIN)
}

export const zsetPopper: Popper = {
  type: Type.ZSET,
  ends: ['MIN', 'MAX'],
  words: ['ZPOPMIN', 'ZPOPMAX'],
  size: (call, entry) => call.keyspace.zsets.size(entry),
  popOne(call, index, entry, last) {
    call.reply.array(3)
    call.reply.bulk(call.bytes, call.posOf(index), call.lenOf(index))
    popMembers(call, index, entry, last, 1, false)
  },
  popMany(call, index, entry, last, count) {
    call.reply.array(count)
    popMembers(call, index, entry, last, count, true)
  },
}

export const zsetCommands = group('sorted-set', {
  ZADD: {
    summary: 'Adds members to a sorted set, or changes their scores.',
    since: '1.2.0',
    complexity: 'O(log(N)) a member, N members in the set',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [
      key('RW update'),
      optional(since('3.0.2', oneOf('condition', 'NX', 'XX'))),
      optional(since('6.2.0', oneOf('comparison', 'GT', 'LT'))),
      optional(token('CH', { name: 'change', since: '3.0.2' })),
      optional(token('INCR', { name: 'increment', since: '3.0.2' })),
      many(block('data', double('score'), string('member'))),
    ],
    history: [
      ['2.4.0', 'Several members in one call.'],
      ['3.0.2', 'The options `XX`, `NX`, `CH` and `INCR`.'],
      ['6.2.0', 'The options `GT` and `LT`.'],
    ],
    memberAt: 3,
    run: zadd,
  },
  ZCARD: {
    summary: 'Counts the members of a sorted set.',
    since: '1.2.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO')],
    run: zcard,
  },
  ZINCRBY: {
    summary: 'Adds to the score of a member.',
    since: '1.2.0',
    complexity: 'O(log(N)), N members',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update'), integer('increment'), string('member')],
    memberAt: 3,
    run: zincrby,
  },
  ZMPOP: {
    summary: 'Takes members from the first sorted set that has any.',
    since: '7.0.0',
    complexity: 'O(K) + O(M*log(N)), K keys, N members, M of them popped',
    flags: Flag.WRITE,
    args: [
      integer('numkeys'),
      many(key('RW access delete')),
      oneOf('where', 'MIN', 'MAX'),
      optional(integer('COUNT count')),
    ],
    run: (call) => popSeveral(call, zsetPopper),
  },
  ZMSCORE: {
    summary: 'Gives the scores of members.',
    since: '6.2.0',
    complexity: 'O(N), N members asked for',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), many(string('member'))],
    run: zmscore,
  },
  ZPOPMAX: {
    summary: 'Takes the members with the highest scores.',
    since: '5.0.0',
    complexity: 'O(log(N)*M), N members, M of them popped',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete'), optional(integer('count'))],
    takes: Taking.LAST,
    run: zpopmax,
  },
  ZPOPMIN: {
    summary: 'Takes the members with the lowest scores.',
    since: '5.0.0',
    complexity: 'O(log(N)*M), N members, M of them popped',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete'), optional(integer('count'))],
    takes: Taking.FIRST,
    run: zpopmin,
  },
  ZRANK: {
    summary: 'Gives the rank of a member, counted from the lowest score.',
    since: '2.0.0',
    complexity: 'O(log(N))',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), string('member'), optional('WITHSCORE')],
    history: [['7.2.0', 'The option `WITHSCORE`.']],
    memberAt: 2,
    run: zrank,
  },
  ZREM: {
    summary: 'Removes members from a sorted set.',
    since: '1.2.0',
    complexity: 'O(M*log(N)), N members, M of them removed',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW delete'), many(string('member'))],
    history: [['2.4.0', 'Several members in one call.']],
    memberAt: 2,
    run: zrem,
  },
  ZREVRANK: {
    summary: 'Gives the rank of a member, counted from the highest score.',
    since: '2.0.0',
    complexity: 'O(log(N))',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), string('member'), optional('WITHSCORE')],
    history: [['7.2.0', 'The option `WITHSCORE`.']],
    memberAt: 2,
    run: zrevrank,
  },
  ZSCORE: {
    summary: 'Gives the score of a member.',
    since: '1.2.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), string('member')],
    memberAt: 2,
    run: zscore,
  },
} satisfies CommandGroup)
