/* CLIENT TRACKING and its kin. Client-side caching is not built: what is asked about it gets the true answer (nobody
 * tracks), and turning it on an error, so that a client library falls back to working without. */
import type { Call } from '../../commands/call.ts'
import type { Int64 } from '../../lib/int64.ts'
import {
  BCAST_WITH_OPT,
  type ErrorReply,
  NO_REDIRECTION,
  NO_TRACKING,
  NOT_INTEGER,
  NOT_TRACKING,
  ONE_REDIRECTION,
  OPTIN_AND_OPTOUT,
  PREFIX_WITHOUT_BCAST,
  SYNTAX,
} from '../../protocol/errors.ts'
import type { Server } from '../server.ts'

const NO_REDIRECT = -1

interface Options {
  redirect: Int64
  bcast: boolean
  optIn: boolean
  optOut: boolean
  prefixes: number
}

/** What is wrong with a redirection, if anything. */
function readRedirect(server: Server, call: Call, at: number, options: Options): ErrorReply | undefined {
  if (options.redirect !== 0) return ONE_REDIRECTION
  const id = call.integer(at)
  if (id === undefined) return NOT_INTEGER
  options.redirect = id
  return typeof id === 'number' && server.connections.has(id) ? undefined : NO_REDIRECTION
}

function readOptions(server: Server, call: Call, options: Options): ErrorReply | undefined {
  for (let at = 3; at < call.argc; at++) {
    const more = at + 1 < call.argc
    if (call.is(at, 'REDIRECT') && more) {
      const error = readRedirect(server, call, ++at, options)
      if (error !== undefined) return error
    } else if (call.is(at, 'PREFIX') && more) {
      options.prefixes++
      at++
    } else if (call.is(at, 'BCAST')) options.bcast = true
    else if (call.is(at, 'OPTIN')) options.optIn = true
    else if (call.is(at, 'OPTOUT')) options.optOut = true
    else if (!call.is(at, 'NOLOOP')) return SYNTAX
  }
  return undefined
}

export function tracking(server: Server, call: Call): void {
  const options: Options = { redirect: 0, bcast: false, optIn: false, optOut: false, prefixes: 0 }
  const { reply } = call
  const error = readOptions(server, call, options)
  if (error !== undefined) reply.error(error)
  else if (call.is(2, 'OFF')) reply.ok()
  else if (!call.is(2, 'ON')) reply.error(SYNTAX)
  else if (!options.bcast && options.prefixes > 0) reply.error(PREFIX_WITHOUT_BCAST)
  else if (options.bcast && (options.optIn || options.optOut)) reply.error(BCAST_WITH_OPT)
  else if (options.optIn && options.optOut) reply.error(OPTIN_AND_OPTOUT)
  else reply.error(NO_TRACKING)
}

export function caching(call: Call): void {
  call.reply.error(NOT_TRACKING)
}

export function getRedirect(call: Call): void {
  call.reply.integer(NO_REDIRECT)
}

export function trackingInfo({ reply }: Call): void {
  reply.map(3)
  reply.bulkString('flags')
  reply.set(1)
  reply.bulkString('off')
  reply.bulkString('redirect')
  reply.integer(NO_REDIRECT)
  reply.bulkString('prefixes')
  reply.array(0)
}
