/* What is pending in a group: XPENDING shows it, XCLAIM and XAUTOCLAIM give it to other consumers. */

import { Type } from '../keyspace/entry.ts'
import { addInt64, compareInt64, type Int64, subInt64, toNumber } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  AUTOCLAIM_COUNT,
  BAD_AUTOCLAIM_IDLE,
  BAD_CLAIM_IDLE,
  BAD_CLAIM_IDLE_OPTION,
  BAD_CLAIM_RETRYCOUNT,
  BAD_CLAIM_TIME_OPTION,
  type ErrorReply,
  noKeyOrGroup,
  SYNTAX,
  unknownClaimOption,
  WRONG_TYPE,
} from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, many, optional, string, unixTime } from './definition.ts'
import { ensureConsumer, tellClaim, tellGroupId } from './streams-effects.ts'
import { exactId, isExactId, LEAST_SEQ, rangeStart, replyId } from './streams-ids.ts'
import { replyEntryAt } from './streams-ranges.ts'

const at = { key: 1, group: 2 }
const NAME_AT = 3
const IDLE_AT = 4
/** Pending entries that XAUTOCLAIM looks at for each that it may give. */
const ATTEMPTS = 10
const COUNT_DEFAULT = 100
/** What Redis allows: a sixteenth of a C long. */
const COUNT_MAX = (2 ** 63 - 1) / 16

const id = new StreamId()
const lastId = new StreamId()

function lookup(call: Call): Ref {
  return call.db.lookupRead(call.bytes, call.posOf(1), call.lenOf(1))
}

/** The entry if it is a stream, or none; REFUSED after replying that it is another type. */
function streamOf(call: Call, entry: Ref): Ref {
  if (entry === NONE || call.keyspace.entries.type(entry) === Type.STREAM) return entry
  call.reply.error(WRONG_TYPE)
  return REFUSED
}

/** The group of a stream; REFUSED after replying that there is none. */
function groupOf(call: Call, entry: Ref): Ref {
  const { streams } = call.keyspace
  if (entry !== NONE) {
    const found = streams.groups.group(streams.rootOf(entry), call.bytes, call.posOf(2), call.lenOf(2))
    if (found !== NONE) return found
  }
  call.reply.error(noKeyOrGroup(call.string(1), call.string(2)))
  return REFUSED
}

/** An argument as a number of milliseconds; undefined after replying `error`. */
function millisecondsAt(call: Call, index: number, error: ErrorReply): Int64 | undefined {
  const value = call.integer(index)
  if (value === undefined) call.reply.error(error)
  return value
}

/** How long the pending entry at the groups' place has been idle is less than `least`. */
function isTooFresh(call: Call, least: Int64): boolean {
  if (compareInt64(least, 0) <= 0) return false
  const idle = subInt64(call.keyspace.now, call.keyspace.streams.groups.deliveredAt)
  return idle === undefined || compareInt64(idle, least) < 0
}

// XCLAIM.

/** What was asked for. One serves all calls. */
class ClaimOptions {
  time: Int64 = -1
  retryCount: Int64 = -1
  force = false
  justId = false
  readonly lastId = new StreamId()

  /** Reads the arguments behind the ids; false after replying what is wrong. */
  read(call: Call, first: number): boolean {
    this.time = -1
    this.retryCount = -1
    this.force = false
    this.justId = false
    this.lastId.toLeast()
    for (let index = first; index < call.argc; ) {
      const next = this.readOption(call, index)
      if (next < 0) return false
      index = next
    }
    const { now } = call.keyspace
    if (compareInt64(this.time, 0) < 0 || compareInt64(this.time, now) > 0) this.time = now
    return true
  }

  /** Returns the argument to go on with; -1 after replying what is wrong. */
  private readOption(call: Call, index: number): number {
    const more = index + 1 < call.argc
    if (call.is(index, 'FORCE')) this.force = true
    else if (call.is(index, 'JUSTID')) this.justId = true
    else if (more) return this.readValue(call, index)
    else {
      call.reply.error(unknownClaimOption(call.string(index)))
      return -1
    }
    return index + 1
  }

  private readValue(call: Call, index: number): number {
    let value: Int64 | undefined = 0
    if (call.is(index, 'IDLE')) {
      value = millisecondsAt(call, index + 1, BAD_CLAIM_IDLE_OPTION)
      if (value !== undefined) this.time = subInt64(call.keyspace.now, value) ?? -1
    } else if (call.is(index, 'TIME')) {
      value = millisecondsAt(call, index + 1, BAD_CLAIM_TIME_OPTION)
      if (value !== undefined) this.time = value
    } else if (call.is(index, 'RETRYCOUNT')) {
      value = millisecondsAt(call, index + 1, BAD_CLAIM_RETRYCOUNT)
      if (value !== undefined) this.retryCount = value
    } else if (call.is(index, 'LASTID')) {
      if (!exactId(call, index + 1, this.lastId)) return -1
    } else {
      call.reply.error(unknownClaimOption(call.string(index)))
      return -1
    }
    return value === undefined ? -1 : index + 2
  }
}

const options = new ClaimOptions()

function xclaim(call: Call): void {
  const { reply, keyspace, db } = call
  const { groups } = keyspace.streams
  const entry = streamOf(call, lookup(call))
  if (entry === REFUSED) return
  const found = groupOf(call, entry)
  if (found === REFUSED) return
  const idle = millisecondsAt(call, IDLE_AT, BAD_CLAIM_IDLE)
  if (idle === undefined) return
  let end = IDLE_AT + 1
  while (end < call.argc && isExactId(call, end, LEAST_SEQ, id)) end++
  if (!options.read(call, end)) return
  db.willChange(entry)
  call.effects.suppress()
  let advanced = options.lastId.compare(groups.lastId(found, lastId)) > 0
  if (advanced) groups.setLastId(found, options.lastId)
  const consumer = ensureConsumer(call, at, found, NAME_AT)
  groups.setSeen(consumer, keyspace.now)
  const mark = reply.begin()
  let claimed = 0
  const { dirty } = keyspace
  for (let index = IDLE_AT + 1; index < end; index++) {
    isExactId(call, index, LEAST_SEQ, id)
    if (claim(call, entry, found, consumer, idle)) claimed++
  }
  if (keyspace.dirty > dirty) advanced = false // it has been told with the others
  if (advanced) {
    tellGroupId(call, at, found)
    keyspace.dirty++
  }
  reply.endArray(mark, claimed)
}

/** Gives the entry `id` to a consumer, if it may be given, and replies it; false if it may not. */
function claim(call: Call, entry: Ref, found: Ref, consumer: Ref, idle: Int64): boolean {
  const { keyspace } = call
  const { log, groups } = keyspace.streams
  const root = keyspace.streams.rootOf(entry)
  const { force, justId, retryCount, time } = options
  if (!log.has(root, id)) {
    drop(call, found)
    return false
  }
  const isPending = groups.findPending(found, id)
  if (!isPending && !force) return false
  if (isPending && isTooFresh(call, idle)) return false
  // Redis makes what it is forced to make as delivered once, and counts this time as well.
  if (!isPending) {
    groups.addPending(found, id, NONE, time, 1)
    groups.findPending(found, id)
  }
  let count = groups.deliveries
  if (compareInt64(retryCount, 0) >= 0) count = retryCount
  else if (!justId) count = addInt64(count, 1) ?? count
  groups.setDelivery(found, id, time, count)
  groups.give(found, id, consumer)
  groups.setActive(consumer, keyspace.now)
  tellClaim(call, at, found, id)
  keyspace.dirty++
  if (justId) replyId(call, id)
  else replyEntryAt(call, root, id)
  return true
}

/** The entry `id` is no more: it is not pending either. False if it was not. */
function drop(call: Call, found: Ref): boolean {
  const { groups } = call.keyspace.streams
  if (!groups.findPending(found, id)) return false
  tellClaim(call, at, found, id)
  groups.removePending(found, id)
  call.keyspace.dirty++
  return true
}

// XAUTOCLAIM.

const ID_WORDS = 4
const KEPT_IDS = 1024

/** Ids that are to be replied when all has been done. */
class IdList {
  count = 0
  private words = new Int32Array(KEPT_IDS * ID_WORDS)

  clear(): void {
    this.count = 0
    if (this.words.length > KEPT_IDS * ID_WORDS) this.words = new Int32Array(KEPT_IDS * ID_WORDS)
  }

  add(added: StreamId): void {
    const index = this.count++ * ID_WORDS
    if (index === this.words.length) {
      const larger = new Int32Array(index * 2)
      larger.set(this.words)
      this.words = larger
    }
    added.write(this.words, index)
  }

  get(index: number, into: StreamId): StreamId {
    return into.read(this.words, index * ID_WORDS)
  }
}

const claimedIds = new IdList()
const deletedIds = new IdList()
const start = new StreamId()

function xautoclaim(call: Call): void {
  const { keyspace, db } = call
  const { groups } = keyspace.streams
  const looked = lookup(call) // before anything else: a miss is told of, even if an argument is wrong
  const idle = millisecondsAt(call, IDLE_AT, BAD_AUTOCLAIM_IDLE)
  if (idle === undefined || !rangeStart(call, 5, start)) return
  let count = COUNT_DEFAULT
  let justId = false
  for (let index = 6; index < call.argc; index++) {
    if (call.is(index, 'COUNT') && index + 1 < call.argc) {
      const value = call.integer(++index)
      const isGood = value !== undefined && compareInt64(value, 1) >= 0 && toNumber(value) <= COUNT_MAX
      if (!isGood) return call.reply.error(AUTOCLAIM_COUNT)
      count = toNumber(value)
    } else if (call.is(index, 'JUSTID')) justId = true
    else return call.reply.error(SYNTAX)
  }
  const entry = streamOf(call, looked)
  if (entry === REFUSED) return
  const found = groupOf(call, entry)
  if (found === REFUSED) return
  db.willChange(entry)
  call.effects.suppress()
  const consumer = ensureConsumer(call, at, found, NAME_AT)
  groups.setSeen(consumer, keyspace.now)
  const root = keyspace.streams.rootOf(entry)
  claimSome(call, root, found, consumer, idle, count, justId)
  replyClaimed(call, root, justId)
}

/** Gives up to `count` entries from `start` on, which becomes the one to go on with: the lists say which, and which
 *  were pending no more. */
function claimSome(
  call: Call,
  root: Ref,
  found: Ref,
  consumer: Ref,
  idle: Int64,
  count: number,
  justId: boolean,
): void {
  const { keyspace } = call
  const { log, groups } = keyspace.streams
  claimedIds.clear()
  deletedIds.clear()
  const tree = groups.pendingRoot(found)
  let left = count
  let attempts = count * ATTEMPTS
  let more = tree !== NONE && groups.pending.seek(tree, start)
  while (more && attempts-- > 0 && left > 0) {
    groups.pending.id(id)
    if (!log.has(root, id)) {
      drop(call, found)
      deletedIds.add(id)
      left--
      more = groups.pending.seek(tree, id)
      continue
    }
    if (!isTooFresh(call, idle)) {
      const count = justId ? groups.deliveries : (addInt64(groups.deliveries, 1) ?? groups.deliveries)
      groups.setDelivery(found, id, keyspace.now, count)
      groups.give(found, id, consumer)
      groups.setActive(consumer, keyspace.now)
      tellClaim(call, at, found, id)
      keyspace.dirty++
      claimedIds.add(id)
      left--
    }
    more = groups.pending.next()
  }
  if (more) groups.pending.id(start)
  else start.toLeast()
}

function replyClaimed(call: Call, root: Ref, justId: boolean): void {
  const { reply } = call
  reply.array(3)
  replyId(call, start)
  reply.array(claimedIds.count)
  for (let index = 0; index < claimedIds.count && !reply.overflowed; index++) {
    claimedIds.get(index, id)
    if (justId) replyId(call, id)
    else replyEntryAt(call, root, id)
  }
  reply.array(deletedIds.count)
  for (let index = 0; index < deletedIds.count; index++) replyId(call, deletedIds.get(index, id))
}

export const streamClaimCommands = group('stream', {
  XAUTOCLAIM: {
    summary: 'Takes over entries that other consumers have left pending for long.',
    since: '6.2.0',
    complexity: 'O(1) for a small count',
    flags: Flag.WRITE | Flag.FAST,
    args: [
      key('RW delete'),
      string('group'),
      string('consumer'),
      string('min-idle-time'),
      string('start'),
      optional(integer('COUNT count')),
      optional('JUSTID'),
    ],
    history: [['7.0.0', 'The reply also lists pending ids whose entries were deleted.']],
    tips: ['nondeterministic_output'],
    run: xautoclaim,
  },
  XCLAIM: {
    summary: 'Takes over pending entries from other consumers.',
    since: '5.0.0',
    complexity: 'O(log N), N entries pending in the group',
    flags: Flag.WRITE | Flag.FAST,
    args: [
      key('RW update'),
      string('group'),
      string('consumer'),
      string('min-idle-time'),
      many(string('id')),
      optional(integer('IDLE ms')),
      optional(unixTime('TIME unix-time-milliseconds')),
      optional(integer('RETRYCOUNT count')),
      optional('FORCE'),
      optional('JUSTID'),
      optional(string('LASTID lastid')),
    ],
    tips: ['nondeterministic_output'],
    run: xclaim,
  },
} satisfies CommandGroup)
