/* The list commands that wait for an element when there is none: each does what its namesake does, or waits. */

import { Type } from '../keyspace/entry.ts'
import { NONE } from '../memory/memory.ts'
import { type Blocker, timeoutOf } from './blocking.ts'
import { type Call, REFUSED } from './call.ts'
import {
  type Command,
  type CommandGroup,
  double,
  Flag,
  group,
  integer,
  key,
  many,
  oneOf,
  optional,
} from './definition.ts'
import { endOf, listPopper, moveElement } from './lists-move.ts'
import { blockingPop, blockingPopSeveral } from './popping.ts'

function blockingMove(call: Call, blocker: Blocker, fromFirst: boolean, toFirst: boolean): void {
  const timeoutMs = timeoutOf(call, call.argc - 1)
  if (timeoutMs === undefined) return
  const source = call.writeKey(1, Type.LIST)
  if (source === REFUSED) return
  if (source !== NONE) {
    const { errors } = call.reply
    moveElement(call, source, fromFirst, toFirst)
    if (call.effects.listening && call.reply.errors === errors) tellMoved(call)
  } else if (!blocker.block(call, Type.LIST, 1, 1, timeoutMs)) call.reply.nullBulk()
}

/** What waited, or might have, is told as what does not wait: the timeout, which is the last argument, is left out. */
function tellMoved(call: Call): void {
  const count = call.argc - 1
  call.effects.begin(call, count).word(count === 3 ? 'RPOPLPUSH' : 'LMOVE')
  for (let index = 1; index < count; index++) call.effects.argument(call, index)
}

function blmove(call: Call, blocker: Blocker): void {
  const fromFirst = endOf(call, 3)
  const toFirst = fromFirst === undefined ? undefined : endOf(call, 4)
  if (fromFirst !== undefined && toFirst !== undefined) blockingMove(call, blocker, fromFirst, toFirst)
}

export const blockingListCommands = (blocker: Blocker): readonly Command[] =>
  group('list', {
    BLMOVE: {
      summary: 'Moves an element from one list to another, waiting for one if there is none.',
      since: '6.2.0',
      complexity: 'O(1)',
      flags: Flag.WRITE | Flag.DENYOOM | Flag.BLOCKING,
      args: [
        key('RW access delete', 'source'),
        key('RW insert', 'destination'),
        oneOf('wherefrom', 'LEFT', 'RIGHT'),
        oneOf('whereto', 'LEFT', 'RIGHT'),
        double('timeout'),
      ],
      run: (call) => blmove(call, blocker),
    },
    BLMPOP: {
      summary: 'Takes elements from the first list that has any, waiting for one if none has.',
      since: '7.0.0',
      complexity: 'O(N+M), N keys, M elements returned',
      flags: Flag.WRITE | Flag.BLOCKING,
      args: [
        double('timeout'),
        integer('numkeys'),
        many(key('RW access delete')),
        oneOf('where', 'LEFT', 'RIGHT'),
        optional(integer('COUNT count')),
      ],
      run: (call) => blockingPopSeveral(call, blocker, listPopper),
    },
    BLPOP: {
      summary: 'Takes the first element of the first list that has any, waiting for one if none has.',
      since: '2.0.0',
      complexity: 'O(N), N keys',
      flags: Flag.WRITE | Flag.BLOCKING,
      args: [many(key('RW access delete')), double('timeout')],
      history: [['6.0.0', 'The timeout may have a fraction.']],
      run: (call) => blockingPop(call, blocker, listPopper, false),
    },
    BRPOP: {
      summary: 'Takes the last element of the first list that has any, waiting for one if none has.',
      since: '2.0.0',
      complexity: 'O(N), N keys',
      flags: Flag.WRITE | Flag.BLOCKING,
      args: [many(key('RW access delete')), double('timeout')],
      history: [['6.0.0', 'The timeout may have a fraction.']],
      run: (call) => blockingPop(call, blocker, listPopper, true),
    },
    BRPOPLPUSH: {
      summary: 'Moves the last element of a list to the front of another, waiting for one if there is none.',
      since: '2.2.0',
      complexity: 'O(1)',
      flags: Flag.WRITE | Flag.DENYOOM | Flag.BLOCKING,
      args: [key('RW access delete', 'source'), key('RW insert', 'destination'), double('timeout')],
      history: [['6.0.0', 'The timeout may have a fraction.']],
      deprecated: { since: '6.2.0', use: '`BLMOVE` with the `RIGHT` and `LEFT` arguments' },
      run: (call) => blockingMove(call, blocker, false, true),
    },
  } satisfies CommandGroup)
