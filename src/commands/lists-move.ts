/* List commands that move an element from one list to another, or take from the first of several that has any. */

import { Type } from '../keyspace/entry.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { COUNT_NOT_POSITIVE, NUMKEYS_NOT_POSITIVE, SYNTAX, WRONG_TYPE } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, many, oneOf, optional } from './definition.ts'
import { afterRemoval, atLeast, popElements, pushEvent, tellPopped } from './lists.ts'

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

/** What LMPOP and BLMPOP are told: their keys, the end, how many elements. */
export const popping = { firstKey: 0, keyCount: 0, first: true, count: 1 }

/** Reads it from the argument that counts the keys on; false after replying what is wrong. */
export function readPopping(call: Call, index: number): boolean {
  const keyCount = atLeast(call, index, 1, NUMKEYS_NOT_POSITIVE)
  if (keyCount === undefined) return false
  const where = index + keyCount + 1
  if (where >= call.argc) {
    call.reply.error(SYNTAX)
    return false
  }
  const first = endOf(call, where)
  if (first === undefined) return false
  popping.firstKey = index + 1
  popping.keyCount = keyCount
  popping.first = first
  popping.count = 1
  if (where + 1 === call.argc) return true
  if (where + 3 > call.argc || !call.is(where + 1, 'COUNT')) {
    call.reply.error(SYNTAX)
    return false
  }
  const count = atLeast(call, where + 2, 1, COUNT_NOT_POSITIVE)
  if (count === undefined) return false
  popping.count = count
  if (where + 3 === call.argc) return true
  call.reply.error(SYNTAX)
  return false
}

/** Takes elements from the first of the lists that has any; false if none has: then nothing has been replied. */
export function popFirst(call: Call): boolean {
  const { firstKey, keyCount, first, count } = popping
  for (let index = firstKey; index < firstKey + keyCount; index++) {
    const entry = call.writeKey(index, Type.LIST)
    if (entry === REFUSED) return true
    if (entry === NONE) continue
    call.reply.array(2)
    call.reply.bulk(call.bytes, call.posOf(index), call.lenOf(index))
    const taken = Math.min(count, call.keyspace.lists.length(entry))
    popElements(call, index, entry, first, count)
    const { effects } = call
    if (effects.listening)
      effects
        .begin(call, 3)
        .word(first ? 'LPOP' : 'RPOP')
        .argument(call, index)
        .integer(taken)
    return true
  }
  return false
}

function lmpop(call: Call): void {
  if (readPopping(call, 1) && !popFirst(call)) call.reply.nullArray()
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
    run: lmpop,
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
