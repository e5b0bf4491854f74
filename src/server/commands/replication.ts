/* ROLE, REPLICAOF, SLAVEOF, WAIT, WAITAOF: replication as a server without replicas sees it. */
import type { Call } from '../../commands/call.ts'
import {
  block,
  Category,
  type Command,
  type CommandGroup,
  Flag,
  group,
  integer,
  oneOf,
  string,
} from '../../commands/definition.ts'
import { Gate, SessionFlag } from '../../commands/session.ts'
import { addInt64, compareInt64, toNumber } from '../../lib/int64.ts'
import {
  type ErrorReply,
  INVALID_MASTER_PORT,
  NO_REPLICATION,
  NOT_INTEGER,
  NOT_POSITIVE,
  outOfRange,
  TIMEOUT_NEGATIVE,
  TIMEOUT_NOT_INTEGER,
  TIMEOUT_OUT_OF_RANGE,
  WAITAOF_NEEDS_AOF,
} from '../../protocol/errors.ts'
import type { Server } from '../server.ts'

const PORT_MAX = 65535
const NONE_ACKNOWLEDGED = new Uint8Array(Buffer.from(':0\r\n'))
const NONE_SYNCED = new Uint8Array(Buffer.from('*2\r\n:0\r\n:0\r\n'))
const LOCAL_SYNCED = new Uint8Array(Buffer.from('*2\r\n:1\r\n:0\r\n'))

function role({ reply }: Call): void {
  reply.array(3)
  reply.bulkString('master')
  reply.integer(0)
  reply.array(0)
}

function replicaof(call: Call): void {
  if (call.is(1, 'NO') && call.is(2, 'ONE')) return call.reply.ok() // which it is
  const port = call.integerWithin(2, 0, PORT_MAX, INVALID_MASTER_PORT)
  if (port !== undefined) call.reply.error(NO_REPLICATION)
}

/** The time at which a wait ends, 0 for never; undefined after replying what is wrong with it. */
function waitEnd(call: Call, index: number): number | undefined {
  const timeout = call.integer(index)
  let error: ErrorReply | undefined
  if (timeout === undefined) error = TIMEOUT_NOT_INTEGER
  else if (compareInt64(timeout, 0) < 0) error = TIMEOUT_NEGATIVE
  else {
    const end = addInt64(timeout, call.keyspace.now)
    if (end !== undefined) return compareInt64(timeout, 0) === 0 ? 0 : toNumber(end)
    error = TIMEOUT_OUT_OF_RANGE
  }
  call.reply.error(error)
  return undefined
}

/** Whether the caller must be answered at once: inside a transaction nobody waits. */
const mayNotBlock = (call: Call): boolean =>
  (call.session.gates & Gate.MULTI) !== 0 || (call.session.flags & SessionFlag.DENY_BLOCKING) !== 0

function wait(call: Call, server: Server): void {
  const replicas = call.integer(1)
  if (replicas === undefined) return call.reply.error(NOT_INTEGER)
  const end = waitEnd(call, 2)
  if (end === undefined) return
  if (compareInt64(replicas, 0) <= 0 || mayNotBlock(call)) call.reply.integer(0)
  else server.waiting.begin(call, end, () => NONE_ACKNOWLEDGED)
}

function waitaof(call: Call, server: Server): void {
  const { reply } = call
  const local = call.integer(1)
  if (local === undefined) return reply.error(NOT_INTEGER)
  if (compareInt64(local, 0) < 0 || compareInt64(local, 1) > 0) return reply.error(outOfRange(0, 1))
  const replicas = call.integer(2)
  if (replicas === undefined || compareInt64(replicas, 0) < 0) return reply.error(NOT_POSITIVE)
  const end = waitEnd(call, 3)
  if (end === undefined) return
  const { appendOnly, waiting } = server
  const wantsLocal = compareInt64(local, 0) > 0
  if (wantsLocal && !appendOnly.isOn) return reply.error(WAITAOF_NEEDS_AOF)
  const { position } = appendOnly
  const answer = () => (appendOnly.hasSynced(position) ? LOCAL_SYNCED : NONE_SYNCED)
  const wantsReplicas = compareInt64(replicas, 0) > 0 // of which there are none
  const isMet = () => !wantsReplicas && (!wantsLocal || appendOnly.hasSynced(position))
  if (isMet() || mayNotBlock(call)) return reply.raw(answer())
  waiting.begin(call, end, answer, () => (wantsLocal && !appendOnly.isOn ? WAITAOF_NEEDS_AOF : isMet()))
}

const becomeReplica = {
  summary: 'Makes the server a replica of another, or a master again.',
  complexity: 'O(1)',
  flags: Flag.ADMIN | Flag.NOSCRIPT | Flag.STALE | Flag.NO_ASYNC_LOADING,
  args: [oneOf('args', block('host-port', string('host'), integer('port')), block('no-one', 'NO', 'ONE'))],
  run: replicaof,
} as const

export function replicationCommands(server: Server): readonly Command[] {
  const ofServer = {
    REPLICAOF: { ...becomeReplica, since: '5.0.0' },
    ROLE: {
      summary: 'Tells whether the server is a master or a replica, and of whom.',
      since: '2.8.12',
      complexity: 'O(1)',
      flags: Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.FAST,
      categories: Category.ADMIN | Category.DANGEROUS,
      run: role,
    },
    SLAVEOF: { ...becomeReplica, since: '1.0.0', deprecated: { since: '5.0.0', use: '`REPLICAOF`' } },
  } satisfies CommandGroup
  const generic = {
    WAIT: {
      summary: "Waits until enough replicas have this connection's writes.",
      since: '3.0.0',
      complexity: 'O(1)',
      categories: Category.CONNECTION,
      args: [integer('numreplicas'), integer('timeout')],
      tips: ['request_policy:all_shards', 'response_policy:agg_min'],
      run: (call) => wait(call, server),
    },
    WAITAOF: {
      summary: "Waits until this connection's writes are in the append-only files, here or on replicas.",
      since: '7.2.0',
      complexity: 'O(1)',
      flags: Flag.NOSCRIPT,
      categories: Category.CONNECTION,
      args: [integer('numlocal'), integer('numreplicas'), integer('timeout')],
      tips: ['request_policy:all_shards', 'response_policy:agg_min'],
      run: (call) => waitaof(call, server),
    },
  } satisfies CommandGroup
  return [...group('server', ofServer), ...group('generic', generic)]
}
