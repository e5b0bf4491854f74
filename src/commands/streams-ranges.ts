/* Reading entries of a stream: XRANGE and XREVRANGE, and how entries are replied. */

import { Type } from '../keyspace/entry.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { NOT_INTEGER, SYNTAX } from '../protocol/errors.ts'
import { LogId } from '../structures/stream-log.ts'
import type { StreamWalk } from '../structures/stream-walk.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, optional, string } from './definition.ts'
import { rangeEnd, rangeStart, replyId } from './streams-ids.ts'

/** The value of COUNT: negative ones are 0; undefined after replying that it is none. */
export function countOption(call: Call, index: number): number | undefined {
  const value = call.integer(index)
  if (value === undefined) call.reply.error(NOT_INTEGER)
  else return compareInt64(value, 0) < 0 ? 0 : toNumber(value)
  return undefined
}

/** Replies the entry that a walk is on: its id, and its fields and values. */
export function replyEntry(call: Call, walk: StreamWalk): void {
  const { reply } = call
  const { listpacks } = call.keyspace.streams.log.nodes
  reply.array(2)
  replyId(call, walk.id)
  reply.array(walk.fieldCount * 2)
  for (let left = walk.fieldCount; left > 0; left--) {
    walk.locateField()
    reply.bulk(listpacks.bytes, listpacks.pos, listpacks.len)
    walk.locateValue()
    reply.bulk(listpacks.bytes, listpacks.pos, listpacks.len)
  }
}

/** Replies the entry of this id; false, having replied nothing, if there is none. */
export function replyEntryAt(call: Call, root: Ref, id: StreamId): boolean {
  const { walk } = call.keyspace.streams
  walk.start(root, id, id, false)
  if (!walk.next()) return false
  replyEntry(call, walk)
  return true
}

const firstId = new StreamId()
const lastId = new StreamId()

/** Replies the entries between two ids as an array, up to `count` of them (0: all). */
export function replyRange(
  call: Call,
  root: Ref,
  from: StreamId,
  to: StreamId,
  count: number,
  backwards: boolean,
): void {
  const { reply } = call
  const { log, walk } = call.keyspace.streams
  const length = log.length(root)
  const most = count === 0 ? length : Math.min(count, length)
  const isWhole =
    from.compare(log.id(root, LogId.FIRST, firstId)) <= 0 && to.compare(log.id(root, LogId.LAST, lastId)) >= 0
  walk.start(root, from, to, backwards)
  if (isWhole) {
    reply.array(most)
    for (let left = most; left > 0 && !reply.overflowed && walk.next(); left--) replyEntry(call, walk)
    return
  }
  const mark = reply.begin()
  let shown = 0
  for (; shown < most && !reply.overflowed && walk.next(); shown++) replyEntry(call, walk)
  reply.endArray(mark, shown)
}

const from = new StreamId()
const to = new StreamId()

function range(call: Call, backwards: boolean): void {
  const { reply, argc } = call
  if (!rangeStart(call, backwards ? 3 : 2, from)) return
  if (!rangeEnd(call, backwards ? 2 : 3, to)) return
  let count = -1
  for (let index = 4; index < argc; index += 2) {
    if (index + 1 >= argc || !call.is(index, 'COUNT')) return reply.error(SYNTAX)
    const given = countOption(call, index + 1)
    if (given === undefined) return
    count = given
  }
  const { keyspace } = call
  const entry = call.readKey(1, Type.STREAM)
  if (entry === REFUSED) return
  if (entry === NONE) reply.array(0)
  else if (count === 0) reply.nullArray()
  else replyRange(call, keyspace.streams.rootOf(entry), from, to, Math.max(count, 0), backwards)
}

export const streamRangeCommands = group('stream', {
  XRANGE: {
    summary: 'Gives the entries between two ids.',
    since: '5.0.0',
    complexity: 'O(N), N entries returned',
    flags: Flag.READONLY,
    args: [key('RO access'), string('start'), string('end'), optional(integer('COUNT count'))],
    history: [['6.2.0', 'Ranges without their ends.']],
    run: (call) => range(call, false),
  },
  XREVRANGE: {
    summary: 'Gives the entries between two ids, last first.',
    since: '5.0.0',
    complexity: 'O(N), N entries returned',
    flags: Flag.READONLY,
    args: [key('RO access'), string('end'), string('start'), optional(integer('COUNT count'))],
    history: [['6.2.0', 'Ranges without their ends.']],
    run: (call) => range(call, true),
  },
} satisfies CommandGroup)
