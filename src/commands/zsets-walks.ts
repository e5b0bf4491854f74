/* ZRANDMEMBER and ZSCAN: members of a sorted set at random, and all of them a few at a time. */
import { Type, ZsetEncoding } from '../keyspace/entry.ts'
import { Distinct } from '../lib/distinct.ts'
import { formatDouble, formatDouble17 } from '../lib/double.ts'
import { compareInt64, fromWords, toNumber } from '../lib/int64.ts'
import { randomBelow } from '../lib/random.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { INVALID_CURSOR, OUT_OF_RANGE, SYNTAX } from '../protocol/errors.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { scoreOf } from '../structures/zset-member.ts'
import { type Call, REFUSED } from './call.ts'
import { CollectionScan } from './collection-scan.ts'
import { block, type CommandGroup, Flag, group, integer, key, optional, pattern } from './definition.ts'
import { cursorOf } from './keys-scan.ts'
import { replyNothing } from './sets.ts'
import { randomCount } from './sets-random.ts'
import { replyWalked } from './zsets.ts'
import { replyRange } from './zsets-ranges.ts'

/** From one in so many members on, they are chosen by walking past all: a draw costs about as much as so many steps. */
const WALKED_FROM = 8
/** Half of a C long's range: so many pairs can be counted by one. */
const PAIRS_MAX = fromWords(0x3fffffff, -1)
const PAIRS_MIN = fromWords(-0x40000000, 1)

const scan = new CollectionScan()
const distinct = new Distinct()

function zrandmember(call: Call): void {
  const { reply, argc } = call
  const { zsets } = call.keyspace
  const given = argc >= 3 ? randomCount(call, 2) : 0
  if (given === undefined) return
  if (argc > 4 || (argc === 4 && !call.is(3, 'WITHSCORES'))) return reply.error(SYNTAX)
  const count = toNumber(given)
  const isTooMuch = compareInt64(given, PAIRS_MAX) > 0 || compareInt64(given, PAIRS_MIN) < 0
  if (argc === 4 && isTooMuch) return reply.error(OUT_OF_RANGE)
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  if (argc >= 3) return entry === NONE || count === 0 ? reply.array(0) : replyRandom(call, entry, count, argc === 4)
  if (entry === NONE) return reply.nullBulk()
  zsets.pick(entry)
  reply.bulk(zsets.bytes, zsets.pos, zsets.len)
}

function replyRandom(call: Call, entry: Ref, given: number, scores: boolean): void {
  const { reply } = call
  const { zsets, entries } = call.keyspace
  const size = zsets.size(entry)
  const repeats = given < 0
  const count = repeats ? -given : Math.min(given, size)
  if (!repeats && count === size && given !== 1) return replyRange(call, entry, 0, size, true, scores)
  const nested = scores && reply.version === 3
  reply.array(scores && !nested ? count * 2 : count)
  const walks = !repeats && (entries.encoding(entry) === ZsetEncoding.LISTPACK || count * WALKED_FROM > size)
  if (walks) return replyWalking(call, entry, size, count, scores)
  if (!repeats) distinct.begin(count)
  for (let left = count; left > 0 && !reply.overflowed; ) {
    const picked = zsets.pick(entry)
    if (!repeats && !distinct.meet(picked)) continue
    if (nested) reply.array(2)
    reply.bulk(zsets.bytes, zsets.pos, zsets.len)
    if (scores) reply.double(zsets.score)
    left--
  }
}

function replyWalking(call: Call, entry: Ref, size: number, count: number, scores: boolean): void {
  const { reply } = call
  const { walk } = call.keyspace.zsets
  walk.begin(entry)
  for (let unseen = size, left = count; left > 0 && !reply.overflowed; unseen--) {
    walk.next()
    if (randomBelow(unseen) >= left) continue
    if (scores && reply.version === 3) reply.array(2)
    replyWalked(call, walk)
    if (scores) reply.double(walk.score)
    left--
  }
}

function zscan(call: Call): void {
  const { reply, keyspace } = call
  const { zsets, entries, memory } = keyspace
  const cursor = cursorOf(call, 2)
  if (cursor === undefined) return reply.error(INVALID_CURSOR)
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  if (entry === NONE) return replyNothing(call)
  if (!scan.parse(call, false)) return
  if (entries.encoding(entry) === ZsetEncoding.LISTPACK) return scanSmall(call, entry)
  scan.walk(call, memory, zsets.table, zsets.tableOf(entry), cursor)
  reply.array(2)
  reply.bulkInteger(scan.cursor)
  reply.array(scan.metCount * 2)
  for (let index = 0; index < scan.metCount; index++) {
    const member = scan.met[index]! as Ref
    reply.bulk(memory.bytesOf(member), keyPosOf(memory, member), keyLenOf(memory, member))
    // With 17 digits, as Redis does it here and nowhere else.
    reply.bulkString(formatDouble17(scoreOf(memory, member)))
  }
  scan.end()
}

function scanSmall(call: Call, entry: Ref): void {
  const { reply } = call
  const { walk } = call.keyspace.zsets
  let count = 0
  reply.array(2)
  reply.bulkInteger(0)
  const mark = reply.begin()
  for (walk.begin(entry); walk.next(); ) {
    walk.locate()
    if (!scan.matches(call, walk.bytes, walk.pos, walk.len)) continue
    reply.bulk(walk.bytes, walk.pos, walk.len)
    reply.bulkString(formatDouble(walk.score))
    count += 2
  }
  reply.endArray(mark, count)
}

export const zsetWalkCommands = group('sorted-set', {
  ZRANDMEMBER: {
    summary: 'Gives members of a sorted set picked at random.',
    since: '6.2.0',
    complexity: 'O(N), N members returned',
    flags: Flag.READONLY,
    args: [key('RO access'), optional(block('options', integer('count'), optional('WITHSCORES')))],
    tips: ['nondeterministic_output'],
    run: zrandmember,
  },
  ZSCAN: {
    summary: 'Walks through members and scores, a few at a time.',
    since: '2.8.0',
    complexity: 'O(1) a call, O(N) for a whole iteration, N elements',
    flags: Flag.READONLY,
    args: [key('RO access'), integer('cursor'), optional(pattern('MATCH pattern')), optional(integer('COUNT count'))],
    tips: ['nondeterministic_output'],
    run: zscan,
  },
} satisfies CommandGroup)
