/* The sorted set commands that wait for a member when there is none: each does what its namesake does, or waits. */
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
import { popFirst, popMembers, popping, popWord, readPopping } from './zsets.ts'

function blockingPop(call: Call, blocker: Blocker, max: boolean): void {
  const keyCount = call.argc - 2
  const timeoutMs = timeoutOf(call, call.argc - 1)
  if (timeoutMs === undefined) return
  for (let index = 1; index <= keyCount; index++) {
    const entry = call.writeKey(index, Type.ZSET)
    if (entry === REFUSED) return
    if (entry === NONE) continue
    call.reply.array(3)
    call.reply.bulk(call.bytes, call.posOf(index), call.lenOf(index))
    popMembers(call, index, entry, max, 1, false)
    if (call.effects.listening) call.effects.begin(call, 2).word(popWord(max)).argument(call, index)
    return
  }
  if (!blocker.block(call, Type.ZSET, 1, keyCount, timeoutMs)) call.reply.nullArray()
}

function bzmpop(call: Call, blocker: Blocker): void {
  if (!readPopping(call, 2)) return
  const timeoutMs = timeoutOf(call, 1)
  if (timeoutMs === undefined || popFirst(call)) return
  if (!blocker.block(call, Type.ZSET, popping.firstKey, popping.keyCount, timeoutMs)) call.reply.nullArray()
}

export const blockingZsetCommands = (blocker: Blocker): readonly Command[] =>
  group('sorted-set', {
    BZMPOP: {
      summary: 'Takes members from the first sorted set that has any, waiting for one if none has.',
      since: '7.0.0',
      complexity: 'O(K) + O(M*log(N)), K keys, N members, M of them popped',
      flags: Flag.WRITE | Flag.BLOCKING,
      args: [
        double('timeout'),
        integer('numkeys'),
        many(key('RW access delete')),
        oneOf('where', 'MIN', 'MAX'),
        optional(integer('COUNT count')),
      ],
      run: (call) => bzmpop(call, blocker),
    },
    BZPOPMAX: {
      summary: 'Takes the member with the highest score, waiting for one if there is none.',
      since: '5.0.0',
      complexity: 'O(log(N)), N members',
      flags: Flag.WRITE | Flag.BLOCKING | Flag.FAST,
      args: [many(key('RW access delete')), double('timeout')],
      history: [['6.0.0', 'The timeout may have a fraction.']],
      run: (call) => blockingPop(call, blocker, true),
    },
    BZPOPMIN: {
      summary: 'Takes the member with the lowest score, waiting for one if there is none.',
      since: '5.0.0',
      complexity: 'O(log(N)), N members',
      flags: Flag.WRITE | Flag.BLOCKING | Flag.FAST,
      args: [many(key('RW access delete')), double('timeout')],
      history: [['6.0.0', 'The timeout may have a fraction.']],
      run: (call) => blockingPop(call, blocker, false),
    },
  } satisfies CommandGroup)
