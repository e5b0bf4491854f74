/* What is known of streams, groups and pending entries: XINFO and XPENDING. Asking changes nothing. */

import { Type } from '../keyspace/entry.ts'
import { UNKNOWN_READ } from '../keyspace/streams.ts'
import { compareInt64, type Int64, subInt64, toNumber } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  NO_SUCH_KEY,
  NOT_INTEGER,
  noGroup,
  noKeyOrGroup,
  SYNTAX,
  WRONG_TYPE,
  wrongSubcommand,
} from '../protocol/errors.ts'
import { LogId } from '../structures/stream-log.ts'
import { type Call, REFUSED } from './call.ts'
import { block, type CommandGroup, Flag, group, integer, key, optional, string } from './definition.ts'
import { helpCommand } from './introspection/help.ts'
import { rangeEnd, rangeStart, replyId } from './streams-ids.ts'
import { countOption, replyEntry, replyRange } from './streams-ranges.ts'

/** Entries, and pending ones, that XINFO STREAM FULL shows of each list. */
const FULL_COUNT = 10

const id = new StreamId()
const from = new StreamId()
const to = new StreamId()

// The two kinds of pairs that the maps are made of.

function pairInteger(call: Call, name: string, value: Int64): void {
  call.reply.bulkString(name)
  call.reply.integer(value)
}

function pairId(call: Call, name: string, value: StreamId): void {
  call.reply.bulkString(name)
  replyId(call, value)
}

function pairName(call: Call, owner: Ref): void {
  call.reply.bulkString('name')
  replyName(call, owner)
}

function replyName(call: Call, owner: Ref): void {
  const { groups } = call.keyspace.streams
  call.reply.bulk(groups.memory.bytesOf(owner), groups.namePos(owner), groups.nameLen(owner))
}

/** The stream that an argument names; REFUSED after replying that there is none. */
function streamOf(call: Call): Ref {
  const entry = call.readKey(2, Type.STREAM)
  if (entry !== NONE) return entry
  call.reply.error(NO_SUCH_KEY)
  return REFUSED
}

/** Milliseconds since a moment, never below 0. */
function since(call: Call, ms: Int64): Int64 {
  const passed = subInt64(call.keyspace.now, ms) ?? 0
  return compareInt64(passed, 0) < 0 ? 0 : passed
}

function infoConsumers(call: Call): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  const entry = streamOf(call)
  if (entry === REFUSED) return
  const found = groups.group(keyspace.streams.rootOf(entry), call.bytes, call.posOf(3), call.lenOf(3))
  if (found === NONE) return reply.error(noGroup(call.string(3), call.string(2)))
  const count = groups.consumerCount(found)
  reply.array(count)
  for (let rank = 0; rank < count && !reply.overflowed; rank++) {
    const consumer = groups.consumerAt(found, rank)
    const active = groups.active(consumer)
    reply.map(4)
    pairName(call, consumer)
    pairInteger(call, 'pending', groups.ownedCount(consumer))
    pairInteger(call, 'idle', since(call, groups.seen(consumer)))
    pairInteger(call, 'inactive', active === -1 ? -1 : (subInt64(keyspace.now, active) ?? 0))
  }
}

function infoGroups(call: Call): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  const entry = streamOf(call)
  if (entry === REFUSED) return
  const root = keyspace.streams.rootOf(entry)
  const count = groups.groupCount(root)
  reply.array(count)
  for (let rank = 0; rank < count && !reply.overflowed; rank++) {
    const found = groups.groupAt(root, rank)
    reply.map(6)
    pairName(call, found)
    pairInteger(call, 'consumers', groups.consumerCount(found))
    pairInteger(call, 'pending', groups.pendingCount(found))
    pairId(call, 'last-delivered-id', groups.lastId(found, id))
    replyProgress(call, root, found)
  }
}

/** What a group has read, and has still to read. */
function replyProgress(call: Call, root: Ref, found: Ref): void {
  const { reply, keyspace } = call
  const { streams } = keyspace
  const read = streams.groups.entriesRead(found)
  reply.bulkString('entries-read')
  if (read === UNKNOWN_READ) reply.nullBulk()
  else reply.integer(read)
  reply.bulkString('lag')
  const lag = streams.lag(root, found)
  if (lag === undefined) reply.nullBulk()
  else reply.integer(lag)
}

function infoStream(call: Call): void {
  const { reply, argc, keyspace } = call
  const entry = streamOf(call)
  if (entry === REFUSED) return
  let count = FULL_COUNT
  const isFull = argc > 3
  if (isFull) {
    const isGood = (argc === 4 || argc === 6) && call.is(3, 'FULL') && (argc === 4 || call.is(4, 'COUNT'))
    if (!isGood) return reply.error(wrongSubcommand(call.string(1, 128), 'xinfo'))
    const value = argc === 6 ? call.integer(5) : FULL_COUNT
    if (value === undefined) return reply.error(NOT_INTEGER)
    count = compareInt64(value, 0) < 0 ? FULL_COUNT : toNumber(value)
  }
  const root = keyspace.streams.rootOf(entry)
  const { log } = keyspace.streams
  reply.map(isFull ? 9 : 10)
  pairInteger(call, 'length', log.length(root))
  pairInteger(call, 'radix-tree-keys', log.nodeCount(root))
  pairInteger(call, 'radix-tree-nodes', log.nodeCount(root) + 1)
  pairId(call, 'last-generated-id', log.id(root, LogId.LAST, id))
  pairId(call, 'max-deleted-entry-id', log.id(root, LogId.DELETED, id))
  pairInteger(call, 'entries-added', log.added(root))
  pairId(call, 'recorded-first-entry-id', log.id(root, LogId.FIRST, id))
  if (isFull) replyFull(call, root, count)
  else replyEnds(call, root)
}

function replyEnds(call: Call, root: Ref): void {
  const { reply, keyspace } = call
  const { walk, groups } = keyspace.streams
  pairInteger(call, 'groups', groups.groupCount(root))
  for (const isFirst of [true, false]) {
    reply.bulkString(isFirst ? 'first-entry' : 'last-entry')
    walk.startAt(root, isFirst)
    if (walk.next()) replyEntry(call, walk)
    else reply.nullBulk()
  }
}

function replyFull(call: Call, root: Ref, count: number): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  reply.bulkString('entries')
  replyRange(call, root, from.toLeast(), to.toGreatest(), count, false)
  reply.bulkString('groups')
  const groupCount = groups.groupCount(root)
  reply.array(groupCount)
  for (let rank = 0; rank < groupCount && !reply.overflowed; rank++) {
    const found = groups.groupAt(root, rank)
    reply.map(7)
    pairName(call, found)
    pairId(call, 'last-delivered-id', groups.lastId(found, id))
    replyProgress(call, root, found)
    pairInteger(call, 'pel-count', groups.pendingCount(found))
    replyPending(call, found, count)
    reply.bulkString('consumers')
    const consumers = groups.consumerCount(found)
    reply.array(consumers)
    for (let at = 0; at < consumers && !reply.overflowed; at++) {
      replyConsumer(call, found, groups.consumerAt(found, at), count)
    }
  }
}

/** Up to `count` (0: all) entries that a group has pending. */
function replyPending(call: Call, found: Ref, count: number): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  const pending = groups.pendingCount(found)
  const shown = count === 0 ? pending : Math.min(count, pending)
  reply.bulkString('pending')
  reply.array(shown)
  if (shown === 0) return
  groups.pending.first(groups.pendingRoot(found))
  for (let left = shown; left > 0 && !reply.overflowed; left--) {
    reply.array(4)
    replyId(call, groups.pending.id(id))
    replyName(call, groups.owner(found))
    reply.integer(groups.deliveredAt)
    reply.integer(groups.deliveries)
    groups.pending.next()
  }
}

function replyConsumer(call: Call, found: Ref, consumer: Ref, count: number): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  const owned = groups.ownedCount(consumer)
  const shown = count === 0 ? owned : Math.min(count, owned)
  reply.map(5)
  pairName(call, consumer)
  pairInteger(call, 'seen-time', groups.seen(consumer))
  pairInteger(call, 'active-time', groups.active(consumer))
  pairInteger(call, 'pel-count', owned)
  reply.bulkString('pending')
  reply.array(shown)
  if (shown === 0) return
  groups.owned.first(groups.ownedRoot(consumer))
  for (let left = shown; left > 0 && !reply.overflowed; left--) {
    groups.owned.id(id)
    groups.findPending(found, id)
    reply.array(3)
    replyId(call, id)
    reply.integer(groups.deliveredAt)
    reply.integer(groups.deliveries)
    groups.owned.next()
  }
}

// XPENDING.

/** What a range of pending entries is asked for. One serves all calls. */
const asked = { idle: 0 as Int64, count: 0, consumerAt: 0 }

/** Reads the arguments of a range; false after replying what is wrong. */
function readRange(call: Call): boolean {
  const { reply, argc } = call
  let first = 3
  asked.idle = 0
  if (call.is(3, 'IDLE')) {
    const idle = call.integer(4)
    if (idle === undefined) reply.error(NOT_INTEGER)
    else if (argc < 8) reply.error(SYNTAX)
    if (idle === undefined || argc < 8) return false
    asked.idle = idle
    first += 2
  }
  const count = countOption(call, first + 2)
  if (count === undefined || !rangeStart(call, first, from) || !rangeEnd(call, first + 1, to)) return false
  asked.count = count
  asked.consumerAt = first + 3 < argc ? first + 3 : 0
  return true
}

function xpending(call: Call): void {
  const { reply, keyspace, argc } = call
  const { streams } = keyspace
  if (argc !== 3 && (argc < 6 || argc > 9)) return reply.error(SYNTAX)
  if (argc > 3 && !readRange(call)) return
  const entry = call.db.lookupRead(call.bytes, call.posOf(1), call.lenOf(1))
  if (entry !== NONE && keyspace.entries.type(entry) !== Type.STREAM) return reply.error(WRONG_TYPE)
  const found =
    entry === NONE ? NONE : streams.groups.group(streams.rootOf(entry), call.bytes, call.posOf(2), call.lenOf(2))
  if (found === NONE) reply.error(noKeyOrGroup(call.string(1), call.string(2)))
  else if (argc === 3) replySummary(call, found)
  else if (asked.consumerAt === 0) replyPendingRange(call, found)
  else {
    const pos = call.posOf(asked.consumerAt)
    const consumer = streams.groups.consumer(found, call.bytes, pos, call.lenOf(asked.consumerAt))
    if (consumer === NONE) reply.array(0)
    else replyOwnedRange(call, found, consumer)
  }
}

function replySummary(call: Call, found: Ref): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  const tree = groups.pendingRoot(found)
  const pending = groups.pendingCount(found)
  reply.array(4)
  reply.integer(pending)
  if (pending === 0) {
    reply.nullBulk()
    reply.nullBulk()
    return reply.nullArray()
  }
  groups.pending.first(tree)
  replyId(call, groups.pending.id(id))
  groups.pending.last(tree)
  replyId(call, groups.pending.id(id))
  const mark = reply.begin()
  let shown = 0
  const consumers = groups.consumerCount(found)
  for (let rank = 0; rank < consumers && !reply.overflowed; rank++) {
    const consumer = groups.consumerAt(found, rank)
    if (groups.ownedCount(consumer) === 0) continue
    reply.array(2)
    replyName(call, consumer)
    reply.bulkInteger(groups.ownedCount(consumer))
    shown++
  }
  reply.endArray(mark, shown)
}

function replyPendingRange(call: Call, found: Ref): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  const tree = groups.pendingRoot(found)
  const mark = reply.begin()
  let shown = 0
  let more = asked.count > 0 && tree !== NONE && groups.pending.seek(tree, from)
  while (more && !reply.overflowed && groups.pending.id(id).compare(to) <= 0) {
    if (replyPendingEntry(call, found) && ++shown === asked.count) break
    more = groups.pending.next()
  }
  reply.endArray(mark, shown)
}

function replyOwnedRange(call: Call, found: Ref, consumer: Ref): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  const tree = groups.ownedRoot(consumer)
  const mark = reply.begin()
  let shown = 0
  let more = asked.count > 0 && tree !== NONE && groups.owned.seek(tree, from)
  while (more && !reply.overflowed && groups.owned.id(id).compare(to) <= 0) {
    groups.findPending(found, id)
    if (replyPendingEntry(call, found) && ++shown === asked.count) break
    more = groups.owned.next()
  }
  reply.endArray(mark, shown)
}

/** Replies the pending entry `id`, which the groups' place is on; false if it has not been idle for long enough. */
function replyPendingEntry(call: Call, found: Ref): boolean {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  if (asked.idle !== 0) {
    const idle = subInt64(keyspace.now, groups.deliveredAt) ?? 0
    if (compareInt64(idle, asked.idle) < 0) return false
  }
  reply.array(4)
  replyId(call, id)
  replyName(call, groups.owner(found))
  reply.integer(since(call, groups.deliveredAt))
  reply.integer(groups.deliveries)
  return true
}

export const streamInfoCommands = group('stream', {
  XINFO: {
    summary: 'Describes streams, groups and consumers.',
    since: '5.0.0',
    subcommands: {
      CONSUMERS: {
        summary: 'Describes the consumers of a group.',
        since: '5.0.0',
        complexity: 'O(1)',
        flags: Flag.READONLY,
        args: [key('RO access'), string('group')],
        history: [['7.2.0', 'The field `inactive`.']],
        tips: ['nondeterministic_output'],
        run: infoConsumers,
      },
      GROUPS: {
        summary: 'Describes the consumer groups of a stream.',
        since: '5.0.0',
        complexity: 'O(1)',
        flags: Flag.READONLY,
        args: [key('RO access')],
        history: [['7.0.0', 'The fields `entries-read` and `lag`.']],
        run: infoGroups,
      },
      HELP: helpCommand('5.0.0'),
      STREAM: {
        summary: 'Describes a stream.',
        since: '5.0.0',
        complexity: 'O(1)',
        flags: Flag.READONLY,
        args: [key('RO access'), optional(block('full-block', 'FULL', optional(integer('COUNT count'))))],
        history: [
          ['6.0.0', '`FULL`.'],
          [
            '7.0.0',
            'The fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`.',
          ],
          ['7.2.0', 'The field `active-time`; `seen-time` changes its meaning.'],
        ],
        run: infoStream,
      },
    },
  },
  XPENDING: {
    summary: 'Tells what a group has delivered and not seen acknowledged.',
    since: '5.0.0',
    complexity: 'O(N), N entries returned; O(M) with IDLE, M entries looked at',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      string('group'),
      optional(
        block(
          'filters',
          optional(integer('IDLE min-idle-time', { since: '6.2.0' })),
          string('start'),
          string('end'),
          integer('count'),
          optional(string('consumer')),
        ),
      ),
    ],
    history: [['6.2.0', '`IDLE`, and ranges without their ends.']],
    tips: ['nondeterministic_output'],
    run: xpending,
  },
} satisfies CommandGroup)
