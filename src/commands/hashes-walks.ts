/* The hash commands that tell many fields: all of them, some at random, a few at a time. */
import { HashEncoding, Type } from '../keyspace/entry.ts'
import { expireFields } from '../keyspace/field-expiry.ts'
import type { HashWalk } from '../keyspace/hash-walk.ts'
import { Distinct } from '../lib/distinct.ts'
import { compareInt64, type Int64, toNumber } from '../lib/int64.ts'
import { randomBelow } from '../lib/random.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { INVALID_CURSOR, OUT_OF_RANGE, SYNTAX } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { CollectionScan } from './collection-scan.ts'
import { block, type CommandGroup, Flag, group, integer, key, optional, pattern, token } from './definition.ts'
import { cursorOf } from './keys-scan.ts'
import { replyListpack } from './listpack-reply.ts'
import { replyNothing } from './sets.ts'
import { randomCount } from './sets-random.ts'

/** From one in so many fields on, they are chosen by walking past all: a draw costs about as much as so many steps. */
const WALKED_FROM = 8
/** More fields with their values than this would be too many elements of a reply. */
const PAIRS_MAX = 2 ** 62

const scan = new CollectionScan()
const distinct = new Distinct()

// All.

function replyField(call: Call, walk: HashWalk): void {
  walk.locateField()
  call.reply.bulk(walk.bytes, walk.pos, walk.len)
}

function replyValue(call: Call, walk: HashWalk): void {
  walk.locateValue()
  call.reply.bulk(walk.valueBytes, walk.valuePos, walk.valueLen)
}

function hgetall(call: Call): void {
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.map(0)
  const { hashes, entries, listpacks } = call.keyspace
  call.reply.map(hashes.liveSize(entry))
  if (entries.encoding(entry) === HashEncoding.LISTPACK) {
    const root = hashes.root(entry)
    replyListpack(call, root, listpacks.first(root), listpacks.count(root))
    return
  }
  for (const walk = hashes.walkLive(entry); walk.next() && !call.reply.overflowed; ) {
    replyField(call, walk)
    replyValue(call, walk)
  }
}

function replyAll(call: Call, replyPart: (call: Call, walk: HashWalk) => void): void {
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.array(0)
  const { hashes } = call.keyspace
  call.reply.array(hashes.liveSize(entry))
  for (const walk = hashes.walkLive(entry); walk.next() && !call.reply.overflowed; ) replyPart(call, walk)
}

// At random.

function hrandfield(call: Call): void {
  const { reply, argc } = call
  if (argc === 2) return randomField(call)
  const count = randomCount(call, 2)
  if (count === undefined) return
  const withValues = argc === 4 && call.is(3, 'WITHVALUES')
  if (argc > 4 || (argc === 4 && !withValues)) return reply.error(SYNTAX)
  if (withValues && Math.abs(toNumber(count)) >= PAIRS_MAX) return reply.error(OUT_OF_RANGE)
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  if (entry === NONE || isGone(call, entry) || count === 0) return reply.array(0)
  replyRandom(call, entry, count, withValues)
}

/** Takes away all fields of a hash that are past their time, of which a choice must know nothing; whether the hash has
 *  gone with them. */
function isGone(call: Call, entry: Ref): boolean {
  if (!call.keyspace.entries.hasExpiringFields(entry) || call.keyspace.expiryPaused) return false
  return expireFields(call.db, entry, call.db.hash, call.keyspace.hashes.size(entry))
}

function randomField(call: Call): void {
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  if (entry === NONE || isGone(call, entry)) return call.reply.nullBulk()
  const { hashes } = call.keyspace
  hashes.walk.aim(entry)
  hashes.walk.goTo(hashes.pick(entry))
  replyField(call, hashes.walk)
}

/** Replies with the field at which the walk is: in RESP3 with its value as a pair, in RESP2 one after the other. */
function replyOne(call: Call, walk: HashWalk, withValues: boolean): void {
  if (withValues && call.reply.version === 3) call.reply.array(2)
  replyField(call, walk)
  if (withValues) replyValue(call, walk)
}

function replyRandom(call: Call, entry: Ref, given: Int64, withValues: boolean): void {
  const { reply, keyspace } = call
  const { hashes } = keyspace
  const { walk } = hashes
  const size = hashes.size(entry)
  const repeats = compareInt64(given, 0) < 0
  const count = repeats ? -toNumber(given) : Math.min(toNumber(given), size)
  reply.array(withValues && reply.version === 2 ? count * 2 : count)
  if (repeats) {
    walk.aim(entry)
    for (let left = count; left > 0 && !reply.overflowed; left--) {
      walk.goTo(hashes.pick(entry))
      replyOne(call, walk, withValues)
    }
  } else if (!hashes.isTable(entry) || count * WALKED_FROM > size) {
    replyWalking(call, entry, count, withValues)
  } else {
    walk.aim(entry)
    distinct.begin(count)
    for (let left = count; left > 0 && !reply.overflowed; ) {
      const place = hashes.pick(entry)
      if (!distinct.meet(place)) continue
      walk.goTo(place)
      replyOne(call, walk, withValues)
      left--
    }
  }
}

/** Chooses while walking past all (Knuth's algorithm S). */
function replyWalking(call: Call, entry: Ref, count: number, withValues: boolean): void {
  const { hashes } = call.keyspace
  const { walk } = hashes
  let left = count
  walk.begin(entry)
  for (let unseen = hashes.size(entry); left > 0 && !call.reply.overflowed; unseen--) {
    walk.next()
    if (randomBelow(unseen) >= left) continue
    replyOne(call, walk, withValues)
    left--
  }
}

// A few at a time.

/** Leaves out of what the scan met the fields that are past their time. */
function dropPast(call: Call): void {
  const { hashes, dueBefore } = call.keyspace
  let kept = 0
  for (let index = 0; index < scan.metCount; index++) {
    const due = hashes.fields.due(scan.met[index]! as Ref)
    if (due === 0 || due >= dueBefore) scan.met[kept++] = scan.met[index]!
  }
  scan.metCount = kept
}

function hscan(call: Call): void {
  const { reply, keyspace } = call
  const { hashes, entries, memory } = keyspace
  const cursor = cursorOf(call, 2)
  if (cursor === undefined) return reply.error(INVALID_CURSOR)
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  if (entry === NONE) return replyNothing(call)
  if (!scan.parse(call, true)) return
  if (!hashes.isTable(entry)) return scanSmall(call, entry)
  const { walk } = hashes
  scan.walk(call, memory, hashes.table, hashes.root(entry), cursor)
  if (entries.hasExpiringFields(entry)) dropPast(call)
  reply.array(2)
  reply.bulkInteger(scan.cursor)
  reply.array(scan.noValues ? scan.metCount : scan.metCount * 2)
  walk.aim(entry)
  for (let index = 0; index < scan.metCount; index++) {
    walk.goTo(scan.met[index]!)
    replyField(call, walk)
    if (!scan.noValues) replyValue(call, walk)
  }
  scan.end()
}

function scanSmall(call: Call, entry: Ref): void {
  const { reply } = call
  const walk = call.keyspace.hashes.walkLive(entry)
  let count = 0
  reply.array(2)
  reply.bulkInteger(0)
  const mark = reply.begin()
  while (walk.next()) {
    walk.locateField()
    if (!scan.matches(call, walk.bytes, walk.pos, walk.len)) continue
    reply.bulk(walk.bytes, walk.pos, walk.len)
    if (!scan.noValues) replyValue(call, walk)
    count++
  }
  reply.endArray(mark, scan.noValues ? count : count * 2)
}

export const hashWalkCommands = group('hash', {
  HGETALL: {
    summary: 'Gives all fields of a hash and their values.',
    since: '2.0.0',
    complexity: 'O(N), N fields',
    flags: Flag.READONLY,
    args: [key('RO access')],
    tips: ['nondeterministic_output_order'],
    run: hgetall,
  },
  HKEYS: {
    summary: 'Gives all fields of a hash.',
    since: '2.0.0',
    complexity: 'O(N), N fields',
    flags: Flag.READONLY,
    args: [key('RO access')],
    tips: ['nondeterministic_output_order'],
    run: (call) => replyAll(call, replyField),
  },
  HRANDFIELD: {
    summary: 'Gives fields of a hash picked at random.',
    since: '6.2.0',
    complexity: 'O(N), N fields returned',
    flags: Flag.READONLY,
    args: [key('RO access'), optional(block('options', integer('count'), optional('WITHVALUES')))],
    tips: ['nondeterministic_output'],
    run: hrandfield,
  },
  HSCAN: {
    summary: 'Walks through fields and values, a few at a time.',
    since: '2.8.0',
    complexity: 'O(1) a call, O(N) for a whole iteration, N elements',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      integer('cursor'),
      optional(pattern('MATCH pattern')),
      optional(integer('COUNT count')),
      optional(token('NOVALUES', { since: '7.4.0' })),
    ],
    history: [['7.4.0', 'The option `NOVALUES`.']],
    tips: ['nondeterministic_output'],
    run: hscan,
  },
  HVALS: {
    summary: 'Gives all values of a hash.',
    since: '2.0.0',
    complexity: 'O(N), N fields',
    flags: Flag.READONLY,
    args: [key('RO access')],
    tips: ['nondeterministic_output_order'],
    run: (call) => replyAll(call, replyValue),
  },
} satisfies CommandGroup)
