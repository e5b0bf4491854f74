/* The list commands that carry the load: pushing, popping, length. Commands by position are in lists-positions.ts,
 * those that move elements or take from several lists in lists-move.ts, those that wait in lists-blocking.ts. */

import { Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { type ErrorReply, NOT_POSITIVE, wrongArity } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, many, optional, string } from './definition.ts'
import { replyListpack } from './listpack-reply.ts'

export const pushEvent = (first: boolean) => (first ? Event.LPUSH : Event.RPUSH)
const popEvent = (first: boolean) => (first ? Event.LPOP : Event.RPOP)

/** An argument as an integer that is no less than `least`, maybe rounded; undefined after replying `error`. */
export function atLeast(call: Call, index: number, least: number, error: ErrorReply): number | undefined {
  const value = call.integer(index)
  if (value !== undefined && compareInt64(value, least) >= 0) return toNumber(value)
  call.reply.error(error)
  return undefined
}

function push(call: Call, first: boolean, onlyExisting: boolean): void {
  const found = call.writeKey(1, Type.LIST)
  if (found === REFUSED) return
  if (found === NONE && onlyExisting) return call.reply.integer(0)
  const { bytes, pos, len, argc, keyspace } = call
  const lists = keyspace.lists
  const entry = found === NONE ? lists.add(call.db, bytes, pos[1]!, len[1]!) : found
  const length = lists.pushAll(entry, first, bytes, pos, len, 2, argc)
  call.changed(1, pushEvent(first))
  keyspace.dirty += argc - 3
  call.reply.integer(length)
}

/** Takes the list out of the database that has just lost its last element, or sees to its encoding. `found` says that
 *  the key of argument `key` is the one last looked up. */
export function afterRemoval(call: Call, key: number, entry: Ref, found: boolean): void {
  const { lists } = call.keyspace
  if (lists.length(entry) > 0) return lists.shrunk(entry)
  if (!found) call.db.lookup(call.bytes, call.posOf(key), call.lenOf(key))
  call.db.remove(entry)
}

/** Tells of elements that were taken from an end, after the fact. */
export function tellPopped(call: Call, key: number, first: boolean, count: number, isLast: boolean): void {
  call.taken(key, popEvent(first), isLast)
  call.keyspace.dirty += count - 1
}

/** Replies with `count` elements from `index` on, as an array. */
export function replyElements(call: Call, entry: Ref, index: number, count: number, backwards: boolean): void {
  const { reply } = call
  const { lists } = call.keyspace
  const { listpacks } = lists
  reply.array(count)
  lists.start(entry, index, backwards)
  for (let left = count; left > 0 && !reply.overflowed; ) {
    if (backwards || lists.isPlain) {
      lists.locate()
      reply.bulk(listpacks.bytes, listpacks.pos, listpacks.len)
      lists.advance()
      left--
      continue
    }
    left -= replyListpack(call, lists.block, lists.off, left)
    if (left > 0) lists.advanceBlock()
  }
}

/** Takes up to `count` elements from an end of the list last looked up, replies with them, and tells of it. */
export function popElements(call: Call, key: number, entry: Ref, first: boolean, count: number): void {
  const { lists } = call.keyspace
  const length = lists.length(entry)
  const taken = Math.min(count, length)
  replyElements(call, entry, first ? 0 : length - 1, taken, !first)
  if (taken === length) call.db.remove(entry)
  else {
    lists.deleteRange(entry, first ? 0 : length - taken, taken)
    lists.shrunk(entry)
  }
  tellPopped(call, key, first, taken, taken === length)
}

/** Takes the element at an end of the list last looked up, replies with it, and tells of it. */
export function popElement(call: Call, key: number, entry: Ref, first: boolean): void {
  const { lists } = call.keyspace
  const { listpacks } = lists
  lists.locateEnd(entry, first)
  call.reply.bulk(listpacks.bytes, listpacks.pos, listpacks.len)
  const isLast = lists.length(entry) === 1
  if (isLast) call.db.remove(entry)
  else {
    lists.removeEnd()
    lists.shrunk(entry)
  }
  tellPopped(call, key, first, 1, isLast)
}

function pop(call: Call, first: boolean): void {
  if (call.argc > 3) return call.reply.error(wrongArity(first ? 'lpop' : 'rpop'))
  const isCounted = call.argc > 2
  const count = isCounted ? atLeast(call, 2, 0, NOT_POSITIVE) : 1
  if (count === undefined) return
  const entry = call.writeKey(1, Type.LIST)
  if (entry === REFUSED) return
  if (!isCounted) {
    if (entry === NONE) call.reply.nullBulk()
    else popElement(call, 1, entry, first)
  } else if (entry === NONE) call.reply.nullArray()
  else if (count === 0) call.reply.array(0)
  else popElements(call, 1, entry, first, count)
}

function llen(call: Call): void {
  const entry = call.readKey(1, Type.LIST)
  if (entry === REFUSED) return
  call.reply.integer(entry === NONE ? 0 : call.keyspace.lists.length(entry))
}

export const listCommands = group('list', {
  LLEN: {
    summary: 'Gives the length of a list.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO')],
    run: llen,
  },
  LPOP: {
    summary: 'Takes elements from the front of a list.',
    since: '1.0.0',
    complexity: 'O(N), N elements returned',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete'), optional(integer('count', { since: '6.2.0' }))],
    history: [['6.2.0', 'The count.']],
    run: (call) => pop(call, true),
  },
  LPUSH: {
    summary: 'Puts elements at the front of a list, creating it if there is none.',
    since: '1.0.0',
    complexity: 'O(1) an element',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW insert'), many(string('element'))],
    history: [['2.4.0', 'Several `element` arguments.']],
    run: (call) => push(call, true, false),
  },
  LPUSHX: {
    summary: 'Puts elements at the front of a list that exists.',
    since: '2.2.0',
    complexity: 'O(1) an element',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW insert'), many(string('element'))],
    history: [['4.0.0', 'Several `element` arguments.']],
    run: (call) => push(call, true, true),
  },
  RPOP: {
    summary: 'Takes elements from the end of a list.',
    since: '1.0.0',
    complexity: 'O(N), N elements returned',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete'), optional(integer('count', { since: '6.2.0' }))],
    history: [['6.2.0', 'The count.']],
    run: (call) => pop(call, false),
  },
  RPUSH: {
    summary: 'Puts elements at the end of a list, creating it if there is none.',
    since: '1.0.0',
    complexity: 'O(1) an element',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW insert'), many(string('element'))],
    history: [['2.4.0', 'Several `element` arguments.']],
    run: (call) => push(call, false, false),
  },
  RPUSHX: {
    summary: 'Puts elements at the end of a list that exists.',
    since: '2.2.0',
    complexity: 'O(1) an element',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW insert'), many(string('element'))],
    history: [['4.0.0', 'Several `element` arguments.']],
    run: (call) => push(call, false, true),
  },
} satisfies CommandGroup)
