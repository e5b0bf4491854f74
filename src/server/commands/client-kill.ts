/* CLIENT KILL: closes the clients that match, in the old form (one address) or the new (filters). */
import type { Call } from '../../commands/call.ts'
import { SessionFlag } from '../../commands/session.ts'
import { compareInt64, type Int64 } from '../../lib/int64.ts'
import {
  CLIENT_ID_NOT_POSITIVE,
  type ErrorReply,
  MAX_AGE_NOT_POSITIVE,
  NO_SUCH_CLIENT,
  NOT_INTEGER,
  noSuchUser,
  SYNTAX,
  unknownClientType,
} from '../../protocol/errors.ts'
import { type ClientType, clientTypeNamed, clientTypeOf } from '../client-type.ts'
import type { Connection } from '../connection.ts'
import type { Server } from '../server.ts'

interface Filter {
  id?: Int64
  type?: ClientType
  user?: string
  peer?: string
  local?: string
  /** Seconds; not in Redis 7.2, but in 7.4. */
  ageMin?: Int64
  spareCaller: boolean
}

/** Reads one option and its value into the filter; the error if it makes no sense. */
function readOption(server: Server, call: Call, at: number, filter: Filter): ErrorReply | undefined {
  const value = call.string(at + 1)
  if (call.is(at, 'ID')) {
    const id = call.integer(at + 1)
    if (id === undefined || compareInt64(id, 1) < 0) return CLIENT_ID_NOT_POSITIVE
    filter.id = id
  } else if (call.is(at, 'TYPE')) {
    const type = clientTypeNamed(value)
    if (type === undefined) return unknownClientType(value)
    filter.type = type
  } else if (call.is(at, 'ADDR')) filter.peer = value
  else if (call.is(at, 'LADDR')) filter.local = value
  else if (call.is(at, 'USER')) {
    if (!server.access.isUser(value)) return noSuchUser(value)
    filter.user = value
  } else if (call.is(at, 'MAXAGE')) {
    const age = call.integer(at + 1)
    if (age === undefined) return NOT_INTEGER
    if (compareInt64(age, 1) < 0) return MAX_AGE_NOT_POSITIVE
    filter.ageMin = age
  } else if (call.is(at, 'SKIPME') && call.is(at + 1, 'YES')) filter.spareCaller = true
  else if (call.is(at, 'SKIPME') && call.is(at + 1, 'NO')) filter.spareCaller = false
  else return SYNTAX
  return undefined
}

/** undefined after replying an error. */
function readFilter(server: Server, call: Call): Filter | undefined {
  const filter: Filter = { spareCaller: true }
  for (let at = 2; at < call.argc; at += 2) {
    const error = at + 1 < call.argc ? readOption(server, call, at, filter) : SYNTAX
    if (error === undefined) continue
    call.reply.error(error)
    return undefined
  }
  return filter
}

function matches(filter: Filter, connection: Connection, nowMs: number): boolean {
  const { session } = connection
  if (filter.id !== undefined && filter.id !== session.id) return false
  if (filter.type !== undefined && filter.type !== clientTypeOf(session)) return false
  if (filter.user !== undefined && filter.user !== session.user) return false
  if (filter.peer !== undefined && filter.peer !== connection.peer) return false
  if (filter.local !== undefined && filter.local !== connection.local) return false
  if (filter.ageMin === undefined) return true
  const age = Math.floor(nowMs / 1000) - Math.floor(connection.createdAt / 1000)
  return compareInt64(age, filter.ageMin) >= 0
}

/** Closes who matches; the caller not before it has its reply. Returns how many. */
function killAll(server: Server, call: Call, filter: Filter): number {
  server.outbox.flushAllPushes() // messages sent before this are still for them
  let count = 0
  for (const connection of [...server.connections.values()]) {
    const isCaller = connection.session === call.session
    if ((isCaller && filter.spareCaller) || !matches(filter, connection, server.keyspace.now)) continue
    if (isCaller) call.session.flags |= SessionFlag.CLOSE_AFTER_REPLY
    else connection.close()
    count++
  }
  return count
}

export function kill(server: Server, call: Call): void {
  if (call.argc === 3) {
    const count = killAll(server, call, { peer: call.string(2), spareCaller: false })
    if (count === 0) call.reply.error(NO_SUCH_CLIENT)
    else call.reply.ok()
    return
  }
  const filter = readFilter(server, call)
  if (filter !== undefined) call.reply.integer(killAll(server, call, filter))
}
