/* The sorted set commands that make one of several: union, intersection, difference; and those that store what comes of
 * it. A key that is not there is an empty sorted set, and a set is one whose members all have the score 1.
 *
 * A result, unless it is only counted, is an entry in no database until it is stored or told. */
import { Type, ZsetEncoding } from '../keyspace/entry.ts'
import { Event, type KeyEvent } from '../keyspace/events.ts'
import { ZaddFlag, ZaddOutcome } from '../keyspace/zsets.ts'
import { parseDouble } from '../lib/double.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { LIMIT_NEGATIVE, NOT_INTEGER, noInputKey, SYNTAX, WEIGHT_NOT_FLOAT, WRONG_TYPE } from '../protocol/errors.ts'
import type { Call } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, many, oneOf, optional } from './definition.ts'
import { replyRange, storeZset } from './zsets-ranges.ts'

type Combine = (call: Call, sources: readonly Source[]) => Ref

interface Source {
  readonly entry: Ref
  readonly size: number
  weight: number
}

/** Which options a command has. */
interface Ways {
  readonly weights?: boolean
  readonly scores?: boolean
  readonly limit?: boolean
}

const Aggregate = { SUM: 0, MIN: 1, MAX: 2 } as const
type Aggregate = (typeof Aggregate)[keyof typeof Aggregate]

// The options at hand.
let aggregate: Aggregate = Aggregate.SUM
let withScores = false
let limit = 0

/** Reads what begins with the number of keys at an argument: the sources in their order; null after an error. */
function parse(call: Call, numkeysIndex: number, ways: Ways): Source[] | null {
  const { reply, argc } = call
  const numkeys = call.integer(numkeysIndex)
  if (numkeys === undefined) reply.error(NOT_INTEGER)
  else if (compareInt64(numkeys, 1) < 0) reply.error(noInputKey(call.command!.fullName))
  else if (compareInt64(numkeys, argc - numkeysIndex - 1) > 0) reply.error(SYNTAX)
  else {
    const first = numkeysIndex + 1
    const sources = sourcesOf(call, first, first + toNumber(numkeys))
    return sources !== null && parseOptions(call, first + sources.length, sources, ways) ? sources : null
  }
  return null
}

function sourcesOf(call: Call, first: number, after: number): Source[] | null {
  const { db, keyspace } = call
  const { entries, sets, zsets } = keyspace
  const sources: Source[] = []
  for (let index = first; index < after; index++) {
    const entry = db.lookupRead(call.bytes, call.posOf(index), call.lenOf(index))
    const type = entry === NONE ? Type.ZSET : entries.type(entry)
    if (type !== Type.ZSET && type !== Type.SET) {
      call.reply.error(WRONG_TYPE)
      return null
    }
    const size = entry === NONE ? 0 : type === Type.SET ? sets.size(entry) : zsets.size(entry)
    sources.push({ entry, size, weight: 1 })
  }
  return sources
}

/** Reads options up to the last argument; false after replying what is wrong with them. */
function parseOptions(call: Call, first: number, sources: readonly Source[], ways: Ways): boolean {
  aggregate = Aggregate.SUM
  withScores = false
  limit = 0
  for (let index = first; index < call.argc; ) {
    const left = call.argc - index
    if (ways.weights === true && left > sources.length && call.is(index, 'WEIGHTS')) {
      if (!parseWeights(call, index + 1, sources)) return false
      index += 1 + sources.length
    } else if (ways.weights === true && left >= 2 && call.is(index, 'AGGREGATE')) {
      if (!parseAggregate(call, index + 1)) return false
      index += 2
    } else if (ways.scores === true && call.is(index, 'WITHSCORES')) {
      withScores = true
      index++
    } else if (ways.limit === true && left >= 2 && call.is(index, 'LIMIT')) {
      const given = call.integer(index + 1)
      if (given === undefined || compareInt64(given, 0) < 0) {
        call.reply.error(LIMIT_NEGATIVE)
        return false
      }
      limit = toNumber(given)
      index += 2
    } else {
      call.reply.error(SYNTAX)
      return false
    }
  }
  return true
}

function parseWeights(call: Call, first: number, sources: readonly Source[]): boolean {
  for (const [index, source] of sources.entries()) {
    const weight = parseDouble(call.bytes, call.posOf(first + index), call.lenOf(first + index))
    if (weight === undefined) {
      call.reply.error(WEIGHT_NOT_FLOAT)
      return false
    }
    source.weight = weight
  }
  return true
}

function parseAggregate(call: Call, index: number): boolean {
  if (call.is(index, 'SUM')) aggregate = Aggregate.SUM
  else if (call.is(index, 'MIN')) aggregate = Aggregate.MIN
  else if (call.is(index, 'MAX')) aggregate = Aggregate.MAX
  else {
    call.reply.error(SYNTAX)
    return false
  }
  return true
}

/** The score of a member of two: infinities that cancel each other out make 0. */
function together(score: number, other: number): number {
  if (aggregate === Aggregate.SUM) return numberOf(score + other)
  const isOther = aggregate === Aggregate.MIN ? other < score : other > score
  return isOther ? other : score
}

const numberOf = (score: number): number => (Number.isNaN(score) ? 0 : score)

// A walk through a source.

let isSet = false
let bytes = new Uint8Array(0) as Uint8Array
let pos = 0
let len = 0
let score = 0

function begin(call: Call, source: Source): void {
  const { entries, sets, zsets } = call.keyspace
  isSet = source.entry !== NONE && entries.type(source.entry) === Type.SET
  if (isSet) sets.walk.begin(source.entry)
  else if (source.entry !== NONE) zsets.walk.begin(source.entry)
}

/** Goes to the next member: `bytes`, `pos`, `len`, `score`; false when there is none. */
function next(call: Call): boolean {
  const { sets, zsets } = call.keyspace
  const walk = isSet ? sets.walk : zsets.walk
  if (!walk.next()) return false
  score = isSet ? 1 : zsets.walk.score
  walk.locate()
  bytes = walk.bytes
  pos = walk.pos
  len = walk.len
  return true
}

/** The score in another source of the member at which the walk is; undefined if it is not there. */
function scoreIn(call: Call, source: Source): number | undefined {
  const { entries, sets, zsets } = call.keyspace
  const { entry } = source
  if (entry === NONE) return undefined
  if (entries.type(entry) === Type.SET) return sets.has(entry, bytes, pos, len) ? 1 : undefined
  return zsets.find(entry, bytes, pos, len) ? zsets.score : undefined
}

/** An empty sorted set that is in no database, under the name of argument 1. Allocates. */
function newResult(call: Call): Ref {
  return call.keyspace.zsets.create(ZsetEncoding.TABLE, call.bytes, call.posOf(1), call.lenOf(1))
}

const bySize = (sources: readonly Source[]): Source[] => sources.toSorted((a, b) => a.size - b.size)

function unionOf(call: Call, sources: readonly Source[]): Ref {
  const { zsets } = call.keyspace
  const result = newResult(call)
  for (const source of bySize(sources)) {
    if (source.entry === NONE) continue
    for (begin(call, source); next(call); ) {
      const weighted = numberOf(source.weight * score)
      const outcome = zsets.update(result, weighted, ZaddFlag.NX, bytes, pos, len)
      // Else `score` is what it has already.
      if (outcome === ZaddOutcome.ADDED) continue
      zsets.update(result, together(zsets.score, weighted), 0, bytes, pos, len)
    }
  }
  return result
}

/** The score of the member at which the walk through the first source is among all; undefined if one lacks it. */
function commonScore(call: Call, sources: readonly Source[]): number | undefined {
  let common = numberOf(sources[0]!.weight * score)
  for (let index = 1; index < sources.length; index++) {
    const other = scoreIn(call, sources[index]!)
    if (other === undefined) return undefined
    common = together(common, other * sources[index]!.weight)
  }
  return common
}

function intersectionOf(call: Call, given: readonly Source[]): Ref {
  const result = newResult(call)
  const sources = bySize(given)
  if (sources[0]!.size === 0) return result
  for (begin(call, sources[0]!); next(call); ) {
    const common = commonScore(call, sources)
    if (common !== undefined) call.keyspace.zsets.update(result, common, ZaddFlag.NX, bytes, pos, len)
  }
  return result
}

function differenceOf(call: Call, sources: readonly Source[]): Ref {
  const result = newResult(call)
  const [first, ...others] = sources
  if (first === undefined || first.size === 0) return result
  for (begin(call, first); next(call); ) {
    if (others.some((other) => scoreIn(call, other) !== undefined)) continue
    call.keyspace.zsets.update(result, score, ZaddFlag.NX, bytes, pos, len)
  }
  return result
}

function tell(call: Call, combine: Combine, weights: boolean): void {
  const sources = parse(call, 1, { weights, scores: true })
  if (sources === null) return
  const result = combine(call, sources)
  replyRange(call, result, 0, call.keyspace.zsets.size(result), false, withScores)
  call.keyspace.freeEntry(result)
}

function store(call: Call, combine: Combine, weights: boolean, event: KeyEvent): void {
  const sources = parse(call, 2, { weights })
  if (sources === null) return
  const result = combine(call, sources)
  call.keyspace.zsets.compact(result)
  storeZset(call, result, event)
}

function zunion(call: Call): void {
  tell(call, unionOf, true)
}
function zinter(call: Call): void {
  tell(call, intersectionOf, true)
}
function zdiff(call: Call): void {
  tell(call, differenceOf, false)
}
function zunionstore(call: Call): void {
  store(call, unionOf, true, Event.ZUNIONSTORE)
}
function zinterstore(call: Call): void {
  store(call, intersectionOf, true, Event.ZINTERSTORE)
}
function zdiffstore(call: Call): void {
  store(call, differenceOf, false, Event.ZDIFFSTORE)
}

function zintercard(call: Call): void {
  const given = parse(call, 1, { limit: true })
  if (given === null) return
  const sources = bySize(given)
  let count = 0
  if (sources[0]!.size > 0) {
    for (begin(call, sources[0]!); (limit === 0 || count < limit) && next(call); ) {
      if (commonScore(call, sources) !== undefined) count++
    }
  }
  call.reply.integer(count)
}

export const zsetAlgebraCommands = group('sorted-set', {
  ZDIFF: {
    summary: 'Gives the members of the first sorted set that no other has.',
    since: '6.2.0',
    complexity: 'O(L + (N-K)log(N)) at worst, L members of all the sets, N of the first, K of the result',
    flags: Flag.READONLY,
    args: [integer('numkeys'), many(key('RO access')), optional('WITHSCORES')],
    run: zdiff,
  },
  ZDIFFSTORE: {
    summary: 'Stores the members of the first sorted set that no other has.',
    since: '6.2.0',
    complexity: 'O(L + (N-K)log(N)) at worst, L members of all the sets, N of the first, K of the result',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('OW update', 'destination'), integer('numkeys'), many(key('RO access'))],
    run: zdiffstore,
  },
  ZINTER: {
    summary: 'Gives the members that all sorted sets have.',
    since: '6.2.0',
    complexity: 'O(N*K)+O(M*log(M)) at worst, N members of the smallest set, K sets, M members of the result',
    flags: Flag.READONLY,
    args: [
      integer('numkeys'),
      many(key('RO access')),
      optional(many(integer('WEIGHTS weight'))),
      optional(oneOf('AGGREGATE aggregate', 'SUM', 'MIN', 'MAX')),
      optional('WITHSCORES'),
    ],
    run: zinter,
  },
  ZINTERCARD: {
    summary: 'Counts the members that all sorted sets have.',
    since: '7.0.0',
    complexity: 'O(N*K) at worst, N members of the smallest set, K sets',
    flags: Flag.READONLY,
    args: [integer('numkeys'), many(key('RO access')), optional(integer('LIMIT limit'))],
    run: zintercard,
  },
  ZINTERSTORE: {
    summary: 'Stores the members that all sorted sets have.',
    since: '2.0.0',
    complexity: 'O(N*K)+O(M*log(M)) at worst, N members of the smallest set, K sets, M members of the result',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('OW update', 'destination'),
      integer('numkeys'),
      many(key('RO access')),
      optional(many(integer('WEIGHTS weight'))),
      optional(oneOf('AGGREGATE aggregate', 'SUM', 'MIN', 'MAX')),
    ],
    run: zinterstore,
  },
  ZUNION: {
    summary: 'Gives the members that any of the sorted sets has.',
    since: '6.2.0',
    complexity: 'O(N)+O(M*log(M)), N members of all the sets, M of the result',
    flags: Flag.READONLY,
    args: [
      integer('numkeys'),
      many(key('RO access')),
      optional(many(integer('WEIGHTS weight'))),
      optional(oneOf('AGGREGATE aggregate', 'SUM', 'MIN', 'MAX')),
      optional('WITHSCORES'),
    ],
    run: zunion,
  },
  ZUNIONSTORE: {
    summary: 'Stores the members that any of the sorted sets has.',
    since: '2.0.0',
    complexity: 'O(N)+O(M*log(M)), N members of all the sets, M of the result',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('OW update', 'destination'),
      integer('numkeys'),
      many(key('RO access')),
      optional(many(integer('WEIGHTS weight'))),
      optional(oneOf('AGGREGATE aggregate', 'SUM', 'MIN', 'MAX')),
    ],
    run: zunionstore,
  },
} satisfies CommandGroup)
