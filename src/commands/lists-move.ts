/* List commands that move an element from one list to another, or take from the first of several that has any. */

import { Type } from '../keyspace/entry.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { SYNTAX, WRONG_TYPE } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, many, oneOf, optional } from './definition.ts'
import { afterRemoval, popElement, popElements, pushEvent, tellPopped } from './lists.ts'
import { type Popper, popSeveral } from './popping.ts'

/** Which end an argument names: whether the first. Undefined after replying that it names none. */
export function endOf(call: Call, index: number): boolean | undefined {
  if (call.is(index, 'LEFT')) return true
  if (call.is(index, 'RIGHT')) return false
  call.reply.error(SYNTAX)
  return undefined
}

/** Moves an element from an end of the list at argument 1, which is `source`, to one of the list at argument 2. */
export function moveElement(call: Call, source: Ref, fromFirst: boolean, toFirst: boolean): void {
  const { keyspace, db, bytes, pos, len, reply } = call
  const { lists } = keyspace
  const found = db.lookupWrite(bytes, pos[2]!, len[2]!)
  if (found !== NONE && keyspace.entries.type(found) !== Type.LIST) return reply.error(WRONG_TYPE)
  lists.locateEnd(source, fromFirst)
  const keptLen = lists.keep()
  lists.removeEnd()
  // The key last looked up is argument 2's: where the list is to be made, if there is none.
  const target = found === NONE ? lists.add(db, bytes, pos[2]!, len[2]!) : found
  lists.expect(target, 1, keptLen)
  lists.push(target, toFirst, lists.kept, 0, keptLen)
  reply.bulk(lists.kept, 0, keptLen)
  const isEmpty = lists.length(source) === 0
  afterRemoval(call, 1, source, false)
  call.tell(2, pushEvent(toFirst))
  tellPopped(call, 1, fromFirst, 1, isEmpty)
}

function lmove(call: Call): void {
  const fromFirst = endOf(call, 3)
  const toFirst = fromFirst === undefined ? undefined : endOf(call, 4)
  if (fromFirst !== undefined && toFirst !== undefined) move(call, fromFirst, toFirst)
}

function move(call: Call, fromFirst: boolean, toFirst: boolean): void {
  const source = call.writeKey(1, Type.LIST)
  if (source === REFUSED) return
  if (source === NONE) call.reply.nullBulk()
  else moveElement(call, source, fromFirst, toFirst)
}

export const listPopper: Popper = {
  type: Type.LIST,
  ends: ['LEFT', 'RIGHT'],
  words: ['LPOP', 'RPOP'],
  size: (call, entry) => call.keyspace.lists.length(entry),
  popOne(call, index, entry, last) {
    call.reply.array(2)
    call.reply.bulk(call.bytes, call.posOf(index), call.lenOf(index))
    popElement(call, index, entry, !last)
  },
  popMany: (call, index, entry, last, count) => popElements(call, index, entry, !last, count),
}

export const listMoveCommands = group('list', {
  LMOVE: {
    summary: 'Moves an element from one end of a list to an end of another.',
    since: '6.2.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('RW access delete', 'source'),
      key('RW insert', 'destination'),
      oneOf('wherefrom', 'LEFT', 'RIGHT'),
      oneOf('whereto', 'LEFT', 'RIGHT'),
    ],
    run: lmove,
  },
  LMPOP: {
    summary: 'Takes elements from the first list that has any.',
    since: '7.0.0',
    complexity: 'O(N+M), N keys, M elements returned',
    flags: Flag.WRITE,
    args: [
      integer('numkeys'),
      many(key('RW access delete')),
      oneOf('where', 'LEFT', 'RIGHT'),
      optional(integer('COUNT count')),
    ],
    run: (call) => popSeveral(call, listPopper),
  },
  RPOPLPUSH: {
    summary: 'Moves the last element of a list to the front of another.',
    since: '1.2.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('RW access delete', 'source'), key('RW insert', 'destination')],
    deprecated: { since: '6.2.0', use: '`LMOVE` with the `RIGHT` and `LEFT` arguments' },
    run: (call) => move(call, false, true),
  },
} satisfies CommandGroup)
