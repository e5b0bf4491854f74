/* CLIENT TRACKING and its kin: what a client asks about the tracking of the keys that it has copies of. What tracking
 * does is in ../tracking.ts. */
import type { Call } from '../../commands/call.ts'
import { Gate } from '../../commands/session.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import {
  BCAST_SWITCH,
  BCAST_WITH_OPT,
  CACHING_NO_WITHOUT_OPTOUT,
  CACHING_YES_WITHOUT_OPTIN,
  type ErrorReply,
  NO_REDIRECTION,
  NO_TRACKING,
  NOT_INTEGER,
  NOT_TRACKING,
  ONE_REDIRECTION,
  OPT_SWITCH,
  OPTIN_AND_OPTOUT,
  overlappingPrefix,
  PREFIX_WITHOUT_BCAST,
  SYNTAX,
  TOO_MANY_PREFIXES,
} from '../../protocol/errors.ts'
import { PREFIXES_MAX } from '../../tracking/broadcast.ts'
import type { TrackedClient } from '../../tracking/tracked-client.ts'
import { redirectOf } from '../client-line.ts'
import type { Server } from '../server.ts'
import { ownConnection } from './client-list.ts'

interface Options {
  redirect: number
  bcast: boolean
  optIn: boolean
  optOut: boolean
  noLoop: boolean
  prefixes: string[]
}

/** What is wrong with a redirection, if anything. */
function readRedirect(server: Server, call: Call, at: number, options: Options): ErrorReply | undefined {
  if (options.redirect !== 0) return ONE_REDIRECTION
  const id = call.integer(at)
  if (id === undefined) return NOT_INTEGER
  if (typeof id !== 'number' || !server.connections.has(id)) return NO_REDIRECTION
  options.redirect = id
  return undefined
}

function readOptions(server: Server, call: Call, options: Options): ErrorReply | undefined {
  for (let at = 3; at < call.argc; at++) {
    const more = at + 1 < call.argc
    if (call.is(at, 'REDIRECT') && more) {
      const error = readRedirect(server, call, ++at, options)
      if (error !== undefined) return error
    } else if (call.is(at, 'PREFIX') && more) {
      if (options.prefixes.length === PREFIXES_MAX) return TOO_MANY_PREFIXES
      options.prefixes.push(call.string(++at))
    } else if (call.is(at, 'BCAST')) options.bcast = true
    else if (call.is(at, 'OPTIN')) options.optIn = true
    else if (call.is(at, 'OPTOUT')) options.optOut = true
    else if (call.is(at, 'NOLOOP')) options.noLoop = true
    else return SYNTAX
  }
  return undefined
}

const overlap = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a)

/** What is wrong with the prefixes: a key must not be told of twice. */
function checkPrefixes(prefixes: readonly string[], existing: readonly string[]): ErrorReply | undefined {
  for (const [index, prefix] of prefixes.entries()) {
    const before = existing.find((other) => overlap(prefix, other))
    if (before !== undefined) return overlappingPrefix(prefix, 'an existing', before)
    const behind = prefixes.slice(index + 1).find((other) => overlap(prefix, other))
    if (behind !== undefined) return overlappingPrefix(prefix, 'another provided', behind)
  }
  return prefixes.length + existing.length > PREFIXES_MAX ? TOO_MANY_PREFIXES : undefined
}

/** What is wrong with the options together, and with what was asked for before. */
function checkOptions(options: Options, client: TrackedClient | null): ErrorReply | undefined {
  const { bcast, optIn, optOut, prefixes } = options
  if (!bcast && prefixes.length > 0) return PREFIX_WITHOUT_BCAST
  if (client?.isOn === true && client.bcast !== bcast) return BCAST_SWITCH
  if (bcast && (optIn || optOut)) return BCAST_WITH_OPT
  if (optIn && optOut) return OPTIN_AND_OPTOUT
  if ((optIn && client?.optOut === true) || (optOut && client?.optIn === true)) return OPT_SWITCH
  return bcast ? checkPrefixes(prefixes, client?.prefixes ?? []) : undefined
}

export function tracking(server: Server, call: Call): void {
  const options: Options = { redirect: 0, bcast: false, optIn: false, optOut: false, noLoop: false, prefixes: [] }
  const { reply, session } = call
  const connection = ownConnection(server, call)
  const isOn = call.is(2, 'ON')
  let error = readOptions(server, call, options)
  if (error === undefined && !isOn && !call.is(2, 'OFF')) error = SYNTAX
  if (error === undefined && isOn) error = checkOptions(options, session.tracking)
  if (error === undefined && connection === undefined) error = NO_TRACKING
  if (error !== undefined) return reply.error(error)
  if (isOn) server.tracking.turnOn(connection!, options)
  else server.tracking.turnOff(connection!)
  reply.ok()
}

/** What is wrong with a CLIENT CACHING, if anything. */
function checkCaching(call: Call, client: TrackedClient | null): ErrorReply | undefined {
  if (client === null || !client.isOn) return NOT_TRACKING
  if (call.is(2, 'YES')) return client.optIn ? undefined : CACHING_YES_WITHOUT_OPTIN
  if (call.is(2, 'NO')) return client.optOut ? undefined : CACHING_NO_WITHOUT_OPTOUT
  return SYNTAX
}

export function caching(call: Call): void {
  const { session, reply } = call
  const client = session.tracking
  const error = checkCaching(call, client)
  if (error !== undefined) return reply.error(error)
  client!.isCachingSaid = true
  client!.isCachingSpent = false
  session.gates |= Gate.CACHING
  reply.ok()
}

export function getRedirect(call: Call): void {
  call.reply.integer(redirectOf(call.session))
}

function flagsOf(client: TrackedClient | null): string[] {
  if (client === null || !client.isOn) return ['off']
  const flags = ['on']
  if (client.bcast) flags.push('bcast')
  if (client.optIn) flags.push('optin')
  if (client.optIn && client.isCachingSaid) flags.push('caching-yes')
  if (client.optOut) flags.push('optout')
  if (client.optOut && client.isCachingSaid) flags.push('caching-no')
  if (client.noLoop) flags.push('noloop')
  if (client.isBroken) flags.push('broken_redirect')
  return flags
}

export function trackingInfo({ session, reply }: Call): void {
  const flags = flagsOf(session.tracking)
  const prefixes = session.tracking?.prefixes ?? []
  reply.map(3)
  reply.bulkString('flags')
  reply.set(flags.length)
  for (const flag of flags) reply.bulkString(flag)
  reply.bulkString('redirect')
  reply.integer(redirectOf(session))
  reply.bulkString('prefixes')
  reply.array(prefixes.length)
  for (const prefix of prefixes) reply.bulk(fromLatin1(prefix), 0, prefix.length)
}
