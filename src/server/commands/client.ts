/* CLIENT: what connections are told, asked and done to. The records stand here; what they do is in client-*.ts. */
import type { Call } from '../../commands/call.ts'
import {
  type Command,
  type CommandGroup,
  Flag,
  group,
  integer,
  many,
  manyTokens,
  oneOf,
  optional,
  since,
  string,
  token,
} from '../../commands/definition.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { SessionFlag } from '../../commands/session.ts'
import { addInt64, compareInt64, toNumber } from '../../lib/int64.ts'
import {
  BAD_PAUSE_MODE,
  BAD_UNBLOCK_REASON,
  NOT_INTEGER,
  TIMEOUT_NEGATIVE,
  TIMEOUT_NOT_INTEGER,
  TIMEOUT_OUT_OF_RANGE,
  wrongSubcommand,
} from '../../protocol/errors.ts'
import { PauseMode, PausePurpose } from '../pause.ts'
import type { Server } from '../server.ts'
import { kill } from './client-kill.ts'
import { info, list } from './client-list.ts'
import { getName, setFlag, setInfo, setName, setNoTouch, setReply } from './client-session.ts'
import { caching, getRedirect, tracking, trackingInfo } from './client-tracking.ts'

const ANY_TIME = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE
const ADMIN = Flag.ADMIN | ANY_TIME

/** Unix time in milliseconds at which a timeout ends, 0 for none; undefined after replying an error. */
function readTimeout(call: Call, at: number): number | undefined {
  const ms = call.integer(at)
  if (ms === undefined) call.reply.error(TIMEOUT_NOT_INTEGER)
  else if (compareInt64(ms, 0) < 0) call.reply.error(TIMEOUT_NEGATIVE)
  else {
    const end = ms === 0 ? 0 : addInt64(ms, call.keyspace.now)
    if (end !== undefined) return toNumber(end)
    call.reply.error(TIMEOUT_OUT_OF_RANGE)
  }
  return undefined
}

function pause(server: Server, call: Call): void {
  const onlyWrites = call.argc === 4 && call.is(3, 'WRITE')
  if (call.argc > 4) call.reply.error(wrongSubcommand(call.string(1), 'client'))
  else if (call.argc === 4 && !onlyWrites && !call.is(3, 'ALL')) call.reply.error(BAD_PAUSE_MODE)
  else {
    const endMs = readTimeout(call, 2)
    if (endMs === undefined) return
    // A pause in force gets no milder.
    const isAll = !onlyWrites || server.pause.modeOf(PausePurpose.CLIENT) === PauseMode.ALL
    server.pause.begin(PausePurpose.CLIENT, isAll ? PauseMode.ALL : PauseMode.WRITE, endMs)
    call.reply.ok()
  }
}

function unpause(server: Server, call: Call): void {
  server.pause.end(PausePurpose.CLIENT)
  call.reply.ok()
}

function unblock(server: Server, call: Call): void {
  const asError = call.argc === 4 && call.is(3, 'ERROR')
  if (call.argc > 4) {
    call.reply.error(wrongSubcommand(call.string(1), 'client'))
    return
  }
  if (call.argc === 4 && !asError && !call.is(3, 'TIMEOUT')) {
    call.reply.error(BAD_UNBLOCK_REASON)
    return
  }
  const id = call.integer(2)
  if (id === undefined) {
    call.reply.error(NOT_INTEGER)
    return
  }
  const connection = typeof id === 'number' ? server.connections.get(id) : undefined
  call.reply.integer(connection !== undefined && server.unblock?.(connection, asError) === true ? 1 : 0)
}

/** About what the caller keeps copies of. */
const cachingSubcommands = (server: Server): CommandGroup => ({
  CACHING: {
    summary: 'Says whether the keys of the next command are to be tracked.',
    since: '6.0.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    args: [oneOf('mode', 'YES', 'NO')],
    run: caching,
  },
  GETREDIR: {
    summary: 'Tells to which client the invalidations of this connection go.',
    since: '6.0.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    run: getRedirect,
  },
  TRACKING: {
    summary: 'Turns the tracking of keys that this client caches on or off.',
    since: '6.0.0',
    complexity: 'O(1), some options cost more',
    flags: ANY_TIME,
    args: [
      oneOf('status', 'ON', 'OFF'),
      optional(integer('REDIRECT client-id')),
      optional(manyTokens(string('PREFIX prefix'))),
      optional('BCAST'),
      optional('OPTIN'),
      optional('OPTOUT'),
      optional('NOLOOP'),
    ],
    run: (call) => tracking(server, call),
  },
  TRACKINGINFO: {
    summary: 'Describes the tracking that this connection asked for.',
    since: '6.2.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    run: trackingInfo,
  },
})

/** About the caller. */
const ownSubcommands = (server: Server): CommandGroup => ({
  GETNAME: {
    summary: 'Gives the name of this connection.',
    since: '2.6.9',
    complexity: 'O(1)',
    flags: ANY_TIME,
    run: getName,
  },
  ID: {
    summary: 'Gives the id of this connection.',
    since: '5.0.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    run: (call) => call.reply.integer(call.session.id),
  },
  INFO: {
    summary: 'Describes this connection.',
    since: '6.2.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    tips: ['nondeterministic_output'],
    run: (call) => info(server, call),
  },
  'NO-EVICT': {
    summary: 'Exempts this connection from being closed for want of memory, or no longer.',
    since: '7.0.0',
    complexity: 'O(1)',
    flags: ADMIN,
    args: [oneOf('enabled', 'ON', 'OFF')],
    run: (call) => setFlag(call, SessionFlag.NO_EVICT),
  },
  'NO-TOUCH': {
    summary: "Stops this connection's commands from counting as use of their keys, or no longer.",
    since: '7.2.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    args: [oneOf('enabled', 'ON', 'OFF')],
    run: (call) => setNoTouch(server, call),
  },
  REPLY: {
    summary: 'Turns replies to this connection off or on.',
    since: '3.2.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    args: [oneOf('action', 'ON', 'OFF', 'SKIP')],
    run: setReply,
  },
  SETINFO: {
    summary: "Records the name or version of the client's library.",
    since: '7.2.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    args: [oneOf('attr', string('LIB-NAME libname'), string('LIB-VER libver'))],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: setInfo,
  },
  SETNAME: {
    summary: 'Names this connection.',
    since: '2.6.9',
    complexity: 'O(1)',
    flags: ANY_TIME,
    args: [string('connection-name')],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: setName,
  },
})

const KILL_FILTERS = oneOf(
  'filter',
  string('old-format', { display: 'ip:port', deprecatedSince: '2.8.12' }),
  many(
    oneOf(
      'new-format',
      optional(integer('ID client-id', { since: '2.8.12' })),
      optional(
        since(
          '2.8.12',
          oneOf(
            'TYPE client-type',
            'NORMAL',
            token('MASTER', { since: '3.2.0' }),
            'SLAVE',
            token('REPLICA', { since: '5.0.0' }),
            'PUBSUB',
          ),
        ),
      ),
      optional(string('USER username')),
      optional(string('ADDR addr', { display: 'ip:port' })),
      optional(string('LADDR laddr', { display: 'ip:port', since: '6.2.0' })),
      optional(oneOf('SKIPME skipme', 'YES', 'NO')),
    ),
  ),
)

/** About all connections. */
const sharedSubcommands = (server: Server): CommandGroup => ({
  LIST: {
    summary: 'Describes the open connections.',
    since: '2.4.0',
    complexity: 'O(N), N connections',
    flags: ADMIN,
    args: [
      optional(since('5.0.0', oneOf('TYPE client-type', 'NORMAL', 'MASTER', 'REPLICA', 'PUBSUB'))),
      optional(many(integer('ID client-id', { since: '6.2.0' }))),
    ],
    history: [
      ['2.8.12', 'The field `id`.'],
      ['5.0.0', 'The filter `TYPE`.'],
      ['6.0.0', 'The field `user`.'],
      ['6.2.0', 'The fields `argv-mem`, `tot-mem`, `laddr` and `redir`, and the filter `ID`.'],
      ['7.0.0', 'The fields `resp`, `multi-mem`, `rbs` and `rbp`.'],
      ['7.0.3', 'The field `ssub`.'],
    ],
    tips: ['nondeterministic_output'],
    run: (call) => list(server, call),
  },
  PAUSE: {
    summary: 'Holds back the commands of all clients for a while.',
    since: '3.0.0',
    complexity: 'O(1)',
    flags: ADMIN,
    args: [integer('timeout'), optional(since('6.2.0', oneOf('mode', 'WRITE', 'ALL')))],
    history: [['6.2.0', 'The mode `WRITE`, which lets reads pass.']],
    run: (call) => pause(server, call),
  },
  UNBLOCK: {
    summary: 'Ends the waiting of a blocked client.',
    since: '5.0.0',
    complexity: 'O(log N), N connections',
    flags: ADMIN,
    args: [integer('client-id'), optional(oneOf('unblock-type', 'TIMEOUT', 'ERROR'))],
    run: (call) => unblock(server, call),
  },
  UNPAUSE: {
    summary: 'Ends a CLIENT PAUSE.',
    since: '6.2.0',
    complexity: 'O(N), N paused clients',
    flags: ADMIN,
    run: (call) => unpause(server, call),
  },
  KILL: {
    summary: 'Closes connections.',
    since: '2.4.0',
    complexity: 'O(N), N connections',
    flags: ADMIN,
    args: [KILL_FILTERS],
    arity: -3,
    history: [
      ['2.8.12', 'The form with filters.'],
      ['2.8.12', 'The filter `ID`.'],
      ['3.2.0', 'The type `master`.'],
      ['5.0.0', 'The type `replica`, formerly `slave`, which is still understood.'],
      ['6.2.0', 'The filter `LADDR`.'],
    ],
    run: (call) => kill(server, call),
  },
})

export function clientCommands(server: Server): readonly Command[] {
  return group('connection', {
    CLIENT: {
      summary: 'Looks after client connections.',
      since: '2.4.0',
      subcommands: {
        ...cachingSubcommands(server),
        ...ownSubcommands(server),
        ...sharedSubcommands(server),
        HELP: helpCommand('5.0.0'),
      },
    },
  } satisfies CommandGroup)
}
