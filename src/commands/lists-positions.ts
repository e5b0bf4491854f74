/* List commands that name elements by their position or by their value. */

import { Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { compareInt64, INT64_MIN, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  COUNT_NEGATIVE,
  INDEX_OUT_OF_RANGE,
  MAXLEN_NEGATIVE,
  NO_SUCH_KEY,
  NOT_INTEGER,
  RANK_OUT_OF_RANGE,
  RANK_ZERO,
  SYNTAX,
} from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, oneOf, optional, string } from './definition.ts'
import { afterRemoval, atLeast, replyElements } from './lists.ts'

/** An argument as an integer, maybe rounded; undefined after replying that it is none. */
function integerArgument(call: Call, index: number): number | undefined {
  const value = call.integer(index)
  if (value !== undefined) return toNumber(value)
  call.reply.error(NOT_INTEGER)
  return undefined
}

/** An index counted from the end if negative; -1 if there is no such element. */
function resolveIndex(index: number, length: number): number {
  const resolved = index < 0 ? length + index : index
  return resolved >= 0 && resolved < length ? resolved : -1
}

function lindex(call: Call): void {
  const entry = call.readKey(1, Type.LIST)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.nullBulk()
  const index = integerArgument(call, 2)
  if (index === undefined) return
  const { lists } = call.keyspace
  const resolved = resolveIndex(index, lists.length(entry))
  if (resolved < 0) return call.reply.nullBulk()
  lists.start(entry, resolved, false)
  lists.locate()
  call.reply.bulk(lists.listpacks.bytes, lists.listpacks.pos, lists.listpacks.len)
}

function lset(call: Call): void {
  const entry = call.writeKey(1, Type.LIST)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.error(NO_SUCH_KEY)
  const index = integerArgument(call, 2)
  if (index === undefined) return
  const { lists } = call.keyspace
  const pos = call.posOf(3)
  const len = call.lenOf(3)
  lists.expect(entry, 1, len)
  const resolved = resolveIndex(index, lists.length(entry))
  if (resolved < 0) return call.reply.error(INDEX_OUT_OF_RANGE)
  lists.replace(entry, resolved, call.bytes, pos, len)
  lists.shrunk(entry)
  call.changed(1, Event.LSET)
  call.reply.ok()
}

function linsert(call: Call): void {
  const after = call.is(2, 'AFTER')
  if (!after && !call.is(2, 'BEFORE')) return call.reply.error(SYNTAX)
  const entry = call.writeKey(1, Type.LIST)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  const { bytes, pos, len } = call
  const { lists } = call.keyspace
  lists.expect(entry, 1, len[4]!)
  lists.start(entry, 0, false)
  while (!lists.equals(bytes, pos[3]!, len[3]!)) if (!lists.advance()) return call.reply.integer(-1)
  lists.insertHere(after, bytes, pos[4]!, len[4]!)
  call.changed(1, Event.LINSERT)
  call.reply.integer(lists.length(entry))
}

function lrange(call: Call): void {
  const from = integerArgument(call, 2)
  const to = from === undefined ? undefined : integerArgument(call, 3)
  if (from === undefined || to === undefined) return
  const entry = call.readKey(1, Type.LIST)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.array(0)
  const length = call.keyspace.lists.length(entry)
  const start = Math.max(from < 0 ? length + from : from, 0)
  const last = Math.min(to < 0 ? length + to : to, length - 1)
  if (start > last) return call.reply.array(0)
  replyElements(call, entry, start, last - start + 1, false)
}

function ltrim(call: Call): void {
  const from = integerArgument(call, 2)
  const to = from === undefined ? undefined : integerArgument(call, 3)
  if (from === undefined || to === undefined) return
  const entry = call.writeKey(1, Type.LIST)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.ok()
  const { keyspace } = call
  const { lists } = keyspace
  const length = lists.length(entry)
  const start = Math.max(from < 0 ? length + from : from, 0)
  const last = Math.min(to < 0 ? length + to : to, length - 1)
  const isEmpty = start > last
  if (isEmpty) call.db.remove(entry)
  else {
    const count = last - start + 1
    if (lists.isWorthParting(entry, count)) keyspace.freeEntry(lists.part(entry, start, count))
    else {
      lists.deleteRange(entry, last + 1, length - last - 1)
      lists.deleteRange(entry, 0, start)
    }
    lists.shrunk(entry)
  }
  call.taken(1, Event.LTRIM, isEmpty)
  keyspace.dirty += (isEmpty ? length : length - (last - start + 1)) - 1
  call.reply.ok()
}

function lrem(call: Call): void {
  const count = integerArgument(call, 2)
  if (count === undefined) return
  const entry = call.writeKey(1, Type.LIST)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  const removed = removeEqual(call, entry, count)
  if (removed > 0) {
    const isEmpty = call.keyspace.lists.length(entry) === 0
    afterRemoval(call, 1, entry, true)
    call.changed(1, Event.LREM)
    call.keyspace.dirty += removed - 1
    if (isEmpty) call.tell(1, Event.DEL)
  }
  call.reply.integer(removed)
}

/** Removes `count` elements that equal argument 3, from the end if negative, all if 0; answers how many there were. */
function removeEqual(call: Call, entry: Ref, count: number): number {
  const { bytes } = call
  const { lists } = call.keyspace
  const pos = call.posOf(3)
  const len = call.lenOf(3)
  const wanted = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count)
  const backwards = count < 0
  lists.start(entry, backwards ? lists.length(entry) - 1 : 0, backwards)
  let removed = 0
  for (let isMore = true; isMore && removed < wanted; ) {
    if (lists.equals(bytes, pos, len)) {
      isMore = lists.removeHere()
      removed++
    } else isMore = lists.advance()
  }
  return removed
}

/** LPOS's options; -1: no COUNT, none found. */
const search = { rank: 1, count: -1, lengthMax: 0, firstFound: -1 }

function readSearch(call: Call): boolean {
  search.rank = 1
  search.count = -1
  search.lengthMax = 0
  for (let index = 3; index < call.argc; index += 2) {
    const value = index + 1
    if (value === call.argc) {
      call.reply.error(SYNTAX)
      return false
    }
    if (call.is(index, 'RANK')) {
      if (!readRank(call, value)) return false
    } else if (call.is(index, 'COUNT')) {
      const count = atLeast(call, value, 0, COUNT_NEGATIVE)
      if (count === undefined) return false
      search.count = count
    } else if (call.is(index, 'MAXLEN')) {
      const lengthMax = atLeast(call, value, 0, MAXLEN_NEGATIVE)
      if (lengthMax === undefined) return false
      search.lengthMax = lengthMax
    } else {
      call.reply.error(SYNTAX)
      return false
    }
  }
  return true
}

function readRank(call: Call, index: number): boolean {
  const rank = call.integer(index)
  if (rank === undefined) call.reply.error(NOT_INTEGER)
  else if (compareInt64(rank, INT64_MIN) === 0) call.reply.error(RANK_OUT_OF_RANGE)
  else if (compareInt64(rank, 0) === 0) call.reply.error(RANK_ZERO)
  else {
    search.rank = toNumber(rank)
    return true
  }
  return false
}

function lpos(call: Call): void {
  if (!readSearch(call)) return
  const entry = call.readKey(1, Type.LIST)
  if (entry === REFUSED) return
  const { reply } = call
  const isCounted = search.count >= 0
  if (entry === NONE) {
    if (isCounted) reply.array(0)
    else reply.nullBulk()
    return
  }
  if (!isCounted) {
    replyPositions(call, entry, 1, false)
    if (search.firstFound < 0) reply.nullBulk()
    else reply.integer(search.firstFound)
    return
  }
  const mark = reply.begin()
  const most = search.count === 0 ? Number.POSITIVE_INFINITY : search.count
  reply.endArray(mark, replyPositions(call, entry, most, true))
}

/** Looks for argument 2, and replies with up to `most` positions if `writes`; answers how many. */
function replyPositions(call: Call, entry: Ref, most: number, writes: boolean): number {
  const { bytes, reply } = call
  const { lists } = call.keyspace
  const pos = call.posOf(2)
  const len = call.lenOf(2)
  const length = lists.length(entry)
  const backwards = search.rank < 0
  const looked = search.lengthMax === 0 ? length : Math.min(length, search.lengthMax)
  let skipped = Math.abs(search.rank) - 1
  let found = 0
  search.firstFound = -1
  lists.start(entry, backwards ? length - 1 : 0, backwards)
  for (let step = 0; step < looked; step++) {
    if (lists.equals(bytes, pos, len) && skipped-- <= 0) {
      const index = backwards ? length - step - 1 : step
      if (found === 0) search.firstFound = index
      if (writes) reply.integer(index)
      if (++found === most) break
    }
    if (!lists.advance()) break
  }
  return found
}

export const listPositionCommands = group('list', {
  LINDEX: {
    summary: 'Gives the element at an index.',
    since: '1.0.0',
    complexity: 'O(N), N elements passed on the way; O(1) at the ends',
    flags: Flag.READONLY,
    args: [key('RO access'), integer('index')],
    run: lindex,
  },
  LINSERT: {
    summary: 'Inserts an element before or after another.',
    since: '2.2.0',
    complexity: 'O(N), N elements passed on the way',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('RW insert'), oneOf('where', 'BEFORE', 'AFTER'), string('pivot'), string('element')],
    run: linsert,
  },
  LPOS: {
    summary: 'Finds where an element stands in a list.',
    since: '6.0.6',
    complexity: 'O(N), N elements; less near an end or with MAXLEN',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      string('element'),
      optional(integer('RANK rank')),
      optional(integer('COUNT num-matches')),
      optional(integer('MAXLEN len')),
    ],
    run: lpos,
  },
  LRANGE: {
    summary: 'Gives the elements between two indexes.',
    since: '1.0.0',
    complexity: 'O(S+N), S elements passed on the way, N returned',
    flags: Flag.READONLY,
    args: [key('RO access'), integer('start'), integer('stop')],
    run: lrange,
  },
  LREM: {
    summary: 'Removes elements equal to the one given.',
    since: '1.0.0',
    complexity: 'O(N+M), N elements, M of them removed',
    flags: Flag.WRITE,
    args: [key('RW delete'), integer('count'), string('element')],
    run: lrem,
  },
  LSET: {
    summary: 'Replaces the element at an index.',
    since: '1.0.0',
    complexity: 'O(N), N elements; O(1) at the ends',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('RW update'), integer('index'), string('element')],
    run: lset,
  },
  LTRIM: {
    summary: 'Keeps only the elements between two indexes.',
    since: '1.0.0',
    complexity: 'O(N), N elements removed',
    flags: Flag.WRITE,
    args: [key('RW delete'), integer('start'), integer('stop')],
    run: ltrim,
  },
} satisfies CommandGroup)
