/* The sorted set commands that wait for a member when there is none: each does what its namesake does, or waits. */
import type { Blocker } from './blocking.ts'
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
import { blockingPop, blockingPopSeveral } from './popping.ts'
import { zsetPopper } from './zsets.ts'

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
      run: (call) => blockingPopSeveral(call, blocker, zsetPopper),
    },
    BZPOPMAX: {
      summary: 'Takes the member with the highest score, waiting for one if there is none.',
      since: '5.0.0',
      complexity: 'O(log(N)), N members',
      flags: Flag.WRITE | Flag.BLOCKING | Flag.FAST,
      args: [many(key('RW access delete')), double('timeout')],
      history: [['6.0.0', 'The timeout may have a fraction.']],
      run: (call) => blockingPop(call, blocker, zsetPopper, true),
    },
    BZPOPMIN: {
      summary: 'Takes the member with the lowest score, waiting for one if there is none.',
      since: '5.0.0',
      complexity: 'O(log(N)), N members',
      flags: Flag.WRITE | Flag.BLOCKING | Flag.FAST,
      args: [many(key('RW access delete')), double('timeout')],
      history: [['6.0.0', 'The timeout may have a fraction.']],
      run: (call) => blockingPop(call, blocker, zsetPopper, false),
    },
  } satisfies CommandGroup)
