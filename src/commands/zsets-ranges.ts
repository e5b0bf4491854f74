/* The sorted set commands about ranges: of ranks, of scores, of strings. Whatever it is given by, a range is worked out
 * as ranks first; then telling, counting, storing and removing its members are the same for all three. But a few
 * members of a large sorted set are told without ranks (`tellFew`). */
import { Type, ZsetEncoding } from '../keyspace/entry.ts'
import { Event, type KeyEvent } from '../keyspace/events.ts'
import { RANGE_MAX } from '../keyspace/zset-range.ts'
import { ZaddFlag } from '../keyspace/zsets.ts'
import { latin1 } from '../lib/bytes.ts'
import { parseDouble } from '../lib/double.ts'
import { classifyFloat, FloatKind } from '../lib/float-text.ts'
import { toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  LEX_RANGE,
  LIMIT_WITH_RANKS,
  MIN_MAX_NOT_FLOAT,
  NOT_INTEGER,
  SYNTAX,
  WITHSCORES_BY_LEX,
} from '../protocol/errors.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { scoreOf } from '../structures/zset-member.ts'
import { type Call, REFUSED } from './call.ts'
import {
  block,
  type CommandGroup,
  double,
  Flag,
  group,
  integer,
  key,
  oneOf,
  optional,
  since,
  string,
  token,
} from './definition.ts'
import { replyWalked } from './zsets.ts'

const By = { ANY: 0, RANK: 1, SCORE: 2, LEX: 3 } as const
type By = (typeof By)[keyof typeof By]

const PAREN = 0x28
const BRACKET = 0x5b
const PLUS = 0x2b
const MINUS = 0x2d

/** Where a bound of strings lies. */
const Lex = { LEAST: 0, GREATEST: 1, BYTES: 2 } as const
type Lex = (typeof Lex)[keyof typeof Lex]

/** One end of a range of scores or strings. */
class Bound {
  score = 0
  exclusive = false
  lex: Lex = Lex.BYTES
  /** Whether it is `-` as the least, or `+` as the greatest. */
  open = false
  /** The bytes, in the call's. */
  pos = 0
  len = 0

  /** Reads a score, which `(` before it excludes; false if it is none. */
  parseScore(call: Call, index: number): boolean {
    const { bytes } = call
    let pos = call.posOf(index)
    const end = pos + call.lenOf(index)
    this.exclusive = pos < end && bytes[pos] === PAREN
    if (this.exclusive) pos++
    const score = parseDouble(bytes, pos, end - pos) ?? looseDouble(bytes, pos, end - pos)
    if (score === undefined) return false
    this.score = score
    return true
  }

  /** Reads `-`, `+`, or bytes after `[` or `(`; false if it is none of these. */
  parseLex(call: Call, index: number): boolean {
    const pos = call.posOf(index)
    const len = call.lenOf(index)
    const first = len === 0 ? 0 : call.bytes[pos]
    this.pos = pos + 1
    this.len = len - 1
    this.exclusive = first !== BRACKET
    if (first === BRACKET || first === PAREN) this.lex = Lex.BYTES
    else if (first === MINUS && len === 1) this.lex = Lex.LEAST
    else if (first === PLUS && len === 1) this.lex = Lex.GREATEST
    else return false
    return true
  }
}

/** Of a bound, Redis takes whatever C's strtod takes: all up to a zero byte, nothing is 0, spaces may stand before it,
 *  and what is too large is infinite. */
function looseDouble(bytes: Uint8Array, pos: number, len: number): number | undefined {
  let end = pos
  while (end < pos + len && bytes[end] !== 0) end++
  if (end === pos) return 0
  let first = pos
  while (first < end && (bytes[first] === 0x20 || (bytes[first]! >= 9 && bytes[first]! <= 13))) first++
  const left = end - first
  if (classifyFloat(bytes, first, left) === FloatKind.DECIMAL) return Number(latin1(bytes, first, left))
  return parseDouble(bytes, first, left)
}

// The range at hand. Bounds, and what comes of them: the ranks from `first` up to `after`.
const least = new Bound()
const most = new Bound()
let start = 0
let stop = 0
let first = 0
let after = 0

/** Reads the arguments `min` and `max` as ranks or bounds; false after replying what is wrong. */
function parseRange(call: Call, by: By, min: number, max: number): boolean {
  if (by === By.SCORE) {
    if (least.parseScore(call, min) && most.parseScore(call, max)) return true
    call.reply.error(MIN_MAX_NOT_FLOAT)
  } else if (by === By.LEX) {
    if (least.parseLex(call, min) && most.parseLex(call, max)) return true
    call.reply.error(LEX_RANGE)
  } else {
    const from = call.integer(min)
    const to = from === undefined ? undefined : call.integer(max)
    if (from !== undefined && to !== undefined) {
      start = toNumber(from)
      stop = toNumber(to)
      return true
    }
    call.reply.error(NOT_INTEGER)
  }
  return false
}

/** Works out which ranks the range has in this sorted set. */
function resolve(call: Call, by: By, entry: Ref, back: boolean): void {
  const { zsets } = call.keyspace
  const size = zsets.size(entry)
  if (by === By.SCORE) {
    first = zsets.scoreRank(entry, least.score, least.exclusive)
    after = zsets.scoreRank(entry, most.score, !most.exclusive)
  } else if (by === By.LEX) {
    first = lexRank(call, entry, least, size, least.exclusive)
    after = lexRank(call, entry, most, size, !most.exclusive)
  } else {
    const from = Math.max(start < 0 ? size + start : start, 0)
    const to = Math.min(stop < 0 ? size + stop : stop, size - 1)
    first = back ? size - 1 - to : from
    after = back ? size - from : to + 1
  }
  if (after < first) after = first
}

function lexRank(call: Call, entry: Ref, bound: Bound, size: number, inclusive: boolean): number {
  if (bound.lex === Lex.LEAST) return 0
  if (bound.lex === Lex.GREATEST) return size
  return call.keyspace.zsets.lexRank(entry, call.bytes, bound.pos, bound.len, inclusive)
}

// Telling and storing.

// The options at hand.
let by: By = By.RANK
let back = false
let withScores = false
let offset = 0
let limit = -1

/** Reads options from an argument on; false after replying what is wrong with them. */
function parseOptions(call: Call, from: number, givenBy: By, givenBack: boolean | undefined, stores: boolean): boolean {
  by = givenBy
  back = givenBack ?? false
  withScores = false
  offset = 0
  limit = -1
  for (let index = from; index < call.argc; index++) {
    if (!stores && call.is(index, 'WITHSCORES')) withScores = true
    else if (call.is(index, 'LIMIT') && index + 2 < call.argc) {
      const given = call.integer(index + 1)
      const most = given === undefined ? undefined : call.integer(index + 2)
      if (given === undefined || most === undefined) {
        call.reply.error(NOT_INTEGER)
        return false
      }
      offset = toNumber(given)
      limit = toNumber(most)
      index += 2
    } else if (givenBack === undefined && !back && call.is(index, 'REV')) back = true
    else if (by === By.ANY && call.is(index, 'BYLEX')) by = By.LEX
    else if (by === By.ANY && call.is(index, 'BYSCORE')) by = By.SCORE
    else {
      call.reply.error(SYNTAX)
      return false
    }
  }
  if (by === By.ANY) by = By.RANK
  if (by === By.RANK && limit !== -1) call.reply.error(LIMIT_WITH_RANKS)
  else if (by === By.LEX && withScores) call.reply.error(WITHSCORES_BY_LEX)
  else return true
  return false
}

/** Leaves of the range what LIMIT leaves. */
function applyLimit(): void {
  if (by === By.RANK) return
  const count = after - first
  const skipped = offset < 0 ? count : Math.min(offset, count)
  const left = limit < 0 ? count - skipped : Math.min(limit, count - skipped)
  if (back) {
    after -= skipped
    first = after - left
  } else {
    first += skipped
    after = first + left
  }
}

/** The sorted set at the key of an argument, after the arguments that follow have been read; REFUSED after an error. */
function findSource(call: Call, index: number, givenBy: By, givenBack: boolean | undefined, stores: boolean): Ref {
  if (!parseOptions(call, index + 3, givenBy, givenBack, stores)) return REFUSED
  const swapped = back && by !== By.RANK
  if (!parseRange(call, by, swapped ? index + 2 : index + 1, swapped ? index + 1 : index + 2)) return REFUSED
  return call.readKey(index, Type.ZSET)
}

/** Works out which ranks the range has, and leaves of them what LIMIT leaves. */
function resolveLimited(call: Call, entry: Ref): void {
  resolve(call, by, entry, back)
  applyLimit()
}

function tellRange(call: Call, givenBy: By, givenBack?: boolean): void {
  const { reply } = call
  const entry = findSource(call, 1, givenBy, givenBack, false)
  if (entry === REFUSED) return
  if (entry === NONE) return reply.array(0)
  if (by !== By.RANK && tellFew(call, entry)) return
  resolveLimited(call, entry)
  if (first === after) return reply.array(0)
  replyRange(call, entry, first, after, back, withScores)
}

/** Replies with the members of a range of scores or strings, if it is of a large sorted set and they turn out to be
 *  few; otherwise false, and nothing is replied. */
function tellFew(call: Call, entry: Ref): boolean {
  const { reply } = call
  const { zsets, memory } = call.keyspace
  const { range } = zsets
  const wanted = limit < 0 ? RANGE_MAX : limit
  if (offset < 0 || !range.serves(entry, offset, wanted)) return false
  let count = 0
  if (by === By.SCORE) count = range.byScore(entry, least, most, back, offset, wanted)
  else {
    least.open = least.lex === Lex.LEAST
    most.open = most.lex === Lex.GREATEST
    // A bound at the wrong end leaves nothing, and is nothing to search for.
    if (least.lex === Lex.GREATEST || most.lex === Lex.LEAST) return false
    count = range.byLex(entry, call.bytes, least, most, back, offset, wanted)
  }
  // There may be more.
  if (limit < 0 && count === wanted) return false
  const nested = withScores && reply.version === 3
  reply.array(withScores && !nested ? count * 2 : count)
  for (let index = 0; index < count; index++) {
    const member = range.members[index]! as Ref
    if (nested) reply.array(2)
    reply.bulk(memory.bytesOf(member), keyPosOf(memory, member), keyLenOf(memory, member))
    if (withScores) reply.double(scoreOf(memory, member))
  }
  return true
}

/** Replies with members of ranks from `from` up to `to`, which are there: flat in RESP2, by pairs in RESP3. */
export function replyRange(call: Call, entry: Ref, from: number, to: number, back: boolean, scores: boolean): void {
  const { reply } = call
  const { walk } = call.keyspace.zsets
  const nested = scores && reply.version === 3
  reply.array(scores && !nested ? (to - from) * 2 : to - from)
  walk.start(entry, back ? to - 1 : from, back)
  for (let left = to - from; left > 0 && !reply.overflowed; left--) {
    walk.next()
    if (nested) reply.array(2)
    replyWalked(call, walk)
    if (scores) reply.double(walk.score)
  }
}

function zrange(call: Call): void {
  tellRange(call, By.ANY)
}
function zrevrange(call: Call): void {
  tellRange(call, By.RANK, true)
}
function zrangebyscore(call: Call): void {
  tellRange(call, By.SCORE, false)
}
function zrevrangebyscore(call: Call): void {
  tellRange(call, By.SCORE, true)
}
function zrangebylex(call: Call): void {
  tellRange(call, By.LEX, false)
}
function zrevrangebylex(call: Call): void {
  tellRange(call, By.LEX, true)
}

function zrangestore(call: Call): void {
  const { zsets } = call.keyspace
  const source = findSource(call, 2, By.ANY, undefined, true)
  if (source === REFUSED) return
  if (source !== NONE) resolveLimited(call, source)
  if (source === NONE || first === after) return storeZset(call, NONE, Event.ZRANGESTORE)
  // Redis knows how many there are only of ranks; else it makes a large one, and leaves it so.
  const small = by === By.RANK && after - first <= zsets.listpackCountMax
  const encoding = small ? ZsetEncoding.LISTPACK : ZsetEncoding.TABLE
  const result = zsets.create(encoding, call.bytes, call.posOf(1), call.lenOf(1), small ? 0 : after - first)
  const { walk } = zsets
  walk.start(source, first, false)
  for (let left = after - first; left > 0; left--) {
    walk.next()
    const { score } = walk
    walk.locate()
    zsets.update(result, score, ZaddFlag.NX, walk.bytes, walk.pos, walk.len)
  }
  storeZset(call, result, Event.ZRANGESTORE)
}

/** Puts the result at the key of an argument, or, if it is empty, deletes that; replies with its size. */
export function storeZset(call: Call, result: Ref, event: KeyEvent, index = 1): void {
  const { keyspace, db } = call
  const size = result === NONE ? 0 : keyspace.zsets.size(result)
  const found = db.lookupWrite(call.bytes, call.posOf(index), call.lenOf(index))
  if (size > 0) {
    db.put(found, result)
    call.changed(index, event)
  } else {
    if (result !== NONE) keyspace.freeEntry(result)
    if (found !== NONE) {
      db.remove(found)
      call.changed(index, Event.DEL)
    }
  }
  call.reply.integer(size)
}

// Counting and removing.

function countRange(call: Call, by: By): void {
  if (!parseRange(call, by, 2, 3)) return
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  resolve(call, by, entry, false)
  call.reply.integer(after - first)
}

function zcount(call: Call): void {
  countRange(call, By.SCORE)
}
function zlexcount(call: Call): void {
  countRange(call, By.LEX)
}

function removeRange(call: Call, by: By, event: KeyEvent): void {
  if (!parseRange(call, by, 2, 3)) return
  const { keyspace, reply } = call
  const { zsets } = keyspace
  const entry = call.writeKey(1, Type.ZSET)
  if (entry === REFUSED) return
  if (entry === NONE) return reply.integer(0)
  resolve(call, by, entry, false)
  const count = after - first
  if (count === 0) return reply.integer(0)
  const empty = count === zsets.size(entry)
  if (empty) call.db.remove(entry)
  else if (zsets.isWorthParting(entry, count)) keyspace.freeEntry(zsets.part(entry, first, count))
  else zsets.removeRange(entry, first, count)
  keyspace.dirty += count - 1
  call.changed(1, event)
  if (empty) call.tell(1, Event.DEL)
  reply.integer(count)
}

function zremrangebyrank(call: Call): void {
  removeRange(call, By.RANK, Event.ZREMRANGEBYRANK)
}
function zremrangebyscore(call: Call): void {
  removeRange(call, By.SCORE, Event.ZREMRANGEBYSCORE)
}
function zremrangebylex(call: Call): void {
  removeRange(call, By.LEX, Event.ZREMRANGEBYLEX)
}

export const zsetRangeCommands = group('sorted-set', {
  ZCOUNT: {
    summary: 'Counts the members with scores in a range.',
    since: '2.0.0',
    complexity: 'O(log(N)), N members',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), double('min'), double('max')],
    run: zcount,
  },
  ZLEXCOUNT: {
    summary: 'Counts the members between two strings.',
    since: '2.8.9',
    complexity: 'O(log(N)), N members',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), string('min'), string('max')],
    run: zlexcount,
  },
  ZRANGE: {
    summary: 'Gives the members in a range of ranks, scores or strings.',
    since: '1.2.0',
    complexity: 'O(log(N)+M), N members, M of them returned',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      string('start'),
      string('stop'),
      optional(since('6.2.0', oneOf('sortby', 'BYSCORE', 'BYLEX'))),
      optional(token('REV', { since: '6.2.0' })),
      optional(since('6.2.0', block('LIMIT limit', integer('offset'), integer('count')))),
      optional('WITHSCORES'),
    ],
    history: [['6.2.0', 'The options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`.']],
    run: zrange,
  },
  ZRANGEBYLEX: {
    summary: 'Gives the members between two strings.',
    since: '2.8.9',
    complexity: 'O(log(N)+M), N members, M of them returned',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      string('min'),
      string('max'),
      optional(block('LIMIT limit', integer('offset'), integer('count'))),
    ],
    deprecated: { since: '6.2.0', use: '`ZRANGE` with the `BYLEX` argument' },
    run: zrangebylex,
  },
  ZRANGEBYSCORE: {
    summary: 'Gives the members with scores in a range.',
    since: '1.0.5',
    complexity: 'O(log(N)+M), N members, M of them returned',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      double('min'),
      double('max'),
      optional(token('WITHSCORES', { since: '2.0.0' })),
      optional(block('LIMIT limit', integer('offset'), integer('count'))),
    ],
    history: [['2.0.0', 'The option `WITHSCORES`.']],
    deprecated: { since: '6.2.0', use: '`ZRANGE` with the `BYSCORE` argument' },
    run: zrangebyscore,
  },
  ZRANGESTORE: {
    summary: 'Stores the members in a range of ranks, scores or strings.',
    since: '6.2.0',
    complexity: 'O(log(N)+M), N members, M of them stored',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('OW update', 'dst'),
      key('RO access', 'src'),
      string('min'),
      string('max'),
      optional(oneOf('sortby', 'BYSCORE', 'BYLEX')),
      optional('REV'),
      optional(block('LIMIT limit', integer('offset'), integer('count'))),
    ],
    run: zrangestore,
  },
  ZREMRANGEBYLEX: {
    summary: 'Removes the members between two strings.',
    since: '2.8.9',
    complexity: 'O(log(N)+M), N members, M of them removed',
    flags: Flag.WRITE,
    args: [key('RW delete'), string('min'), string('max')],
    run: zremrangebylex,
  },
  ZREMRANGEBYRANK: {
    summary: 'Removes the members in a range of ranks.',
    since: '2.0.0',
    complexity: 'O(log(N)+M), N members, M of them removed',
    flags: Flag.WRITE,
    args: [key('RW delete'), integer('start'), integer('stop')],
    run: zremrangebyrank,
  },
  ZREMRANGEBYSCORE: {
    summary: 'Removes the members with scores in a range.',
    since: '1.2.0',
    complexity: 'O(log(N)+M), N members, M of them removed',
    flags: Flag.WRITE,
    args: [key('RW delete'), double('min'), double('max')],
    run: zremrangebyscore,
  },
  ZREVRANGE: {
    summary: 'Gives the members in a range of ranks, highest score first.',
    since: '1.2.0',
    complexity: 'O(log(N)+M), N members, M of them returned',
    flags: Flag.READONLY,
    args: [key('RO access'), integer('start'), integer('stop'), optional('WITHSCORES')],
    deprecated: { since: '6.2.0', use: '`ZRANGE` with the `REV` argument' },
    run: zrevrange,
  },
  ZREVRANGEBYLEX: {
    summary: 'Gives the members between two strings, last first.',
    since: '2.8.9',
    complexity: 'O(log(N)+M), N members, M of them returned',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      string('max'),
      string('min'),
      optional(block('LIMIT limit', integer('offset'), integer('count'))),
    ],
    deprecated: { since: '6.2.0', use: '`ZRANGE` with the `REV` and `BYLEX` arguments' },
    run: zrevrangebylex,
  },
  ZREVRANGEBYSCORE: {
    summary: 'Gives the members with scores in a range, highest first.',
    since: '2.2.0',
    complexity: 'O(log(N)+M), N members, M of them returned',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      double('max'),
      double('min'),
      optional('WITHSCORES'),
      optional(block('LIMIT limit', integer('offset'), integer('count'))),
    ],
    history: [['2.1.6', 'The ends of the range may be excluded.']],
    deprecated: { since: '6.2.0', use: '`ZRANGE` with the `REV` and `BYSCORE` arguments' },
    run: zrevrangebyscore,
  },
} satisfies CommandGroup)
