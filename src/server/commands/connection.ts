/* The connection's own commands: greeting, logging in, starting over, leaving. */
import { DEFAULT_USER } from '../../acl/users.ts'
import type { Call } from '../../commands/call.ts'
import {
  block,
  type Command,
  type CommandGroup,
  Flag,
  group,
  integer,
  optional,
  string,
} from '../../commands/definition.ts'
import { followSubscriptions, Gate, ReplyMode, SessionFlag } from '../../commands/session.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import {
  BAD_CLIENT_NAME,
  badHelloOption,
  NO_AUTH_HELLO,
  NO_PASSWORD,
  NO_PROTO,
  PROTOCOL_VERSION_NOT_INTEGER,
  SYNTAX,
  WRONG_PASS,
  wrongArity,
} from '../../protocol/errors.ts'
import { REDIS_VERSION } from '../config/load.ts'
import type { Server } from '../server.ts'
import { ATTRIBUTE_LEN_MAX, isClientAttribute } from './client-session.ts'

const PONG = fromLatin1('+PONG\r\n')

function ping(call: Call): void {
  const { reply, argc } = call
  if (argc > 2) reply.error(wrongArity('ping'))
  else if ((call.session.gates & Gate.SUBSCRIBED) !== 0) {
    // Among messages, which are arrays, a reply must be one as well.
    reply.array(2)
    reply.bulkString('pong')
    if (argc === 1) reply.bulkString('')
    else reply.bulk(call.bytes, call.posOf(1), call.lenOf(1))
  } else if (argc === 1) reply.raw(PONG)
  else reply.bulk(call.bytes, call.posOf(1), call.lenOf(1))
}

function echo(call: Call): void {
  call.reply.bulk(call.bytes, call.posOf(1), call.lenOf(1))
}

function quit(call: Call): void {
  call.reply.ok()
  call.session.flags |= SessionFlag.CLOSE_AFTER_REPLY
}

/** Logs in; false after replying that it was refused. */
function logIn(server: Server, call: Call, user: string, password: string): boolean {
  if (!server.access.authenticate(call, user, password)) {
    call.reply.error(WRONG_PASS)
    return false
  }
  server.connections.get(call.session.id)?.unrestrict()
  return true
}

function auth(server: Server, call: Call): void {
  if (call.argc > 3) call.reply.error(SYNTAX)
  else if (call.argc === 2 && server.access.isOpen) call.reply.error(NO_PASSWORD)
  else {
    const user = call.argc === 2 ? DEFAULT_USER : call.string(1)
    if (logIn(server, call, user, call.string(call.argc - 1))) call.reply.ok()
  }
}

interface Greeting {
  /** The RESP version wanted; 0: as it is. */
  version: number
  /** Where the user's name stands, and behind it the password; 0: not given. */
  credentials: number
  /** Where the client's name stands; 0: not given. */
  name: number
}

/** What HELLO asks for; undefined after replying an error. */
function readGreeting(call: Call): Greeting | undefined {
  const greeting: Greeting = { version: 0, credentials: 0, name: 0 }
  if (call.argc >= 2) {
    const version = call.integer(1)
    if (version === undefined) return refuse(call, PROTOCOL_VERSION_NOT_INTEGER)
    if (version !== 2 && version !== 3) return refuse(call, NO_PROTO)
    greeting.version = version
  }
  for (let at = 2; at < call.argc; at++) {
    if (call.is(at, 'AUTH') && at + 2 < call.argc) {
      greeting.credentials = at + 1
      at += 2
    } else if (call.is(at, 'SETNAME') && at + 1 < call.argc) {
      greeting.name = ++at
      if (!isClientAttribute(call.string(at))) return refuse(call, BAD_CLIENT_NAME)
    } else return refuse(call, badHelloOption(call.string(at)))
  }
  return greeting
}

function refuse(call: Call, error: Parameters<Call['reply']['error']>[0]): undefined {
  call.reply.error(error)
  return undefined
}

function hello(server: Server, call: Call): void {
  const { session, reply } = call
  const greeting = readGreeting(call)
  if (greeting === undefined) return
  const { version, credentials, name } = greeting
  if (credentials > 0 && !logIn(server, call, call.string(credentials), call.string(credentials + 1))) return
  if ((session.gates & Gate.UNAUTHENTICATED) !== 0) {
    reply.error(NO_AUTH_HELLO)
    return
  }
  if (name > 0) session.name = call.string(name, ATTRIBUTE_LEN_MAX)
  if (version > 0) {
    session.version = version
    reply.version = version
    followSubscriptions(session)
  }
  reply.map(7)
  reply.bulkString('server')
  reply.bulkString('redis')
  reply.bulkString('version')
  reply.bulkString(REDIS_VERSION)
  reply.bulkString('proto')
  reply.integer(session.version)
  reply.bulkString('id')
  reply.integer(session.id)
  reply.bulkString('mode')
  reply.bulkString('standalone')
  reply.bulkString('role')
  reply.bulkString('master')
  reply.bulkString('modules')
  reply.array(0)
}

/** Everything as when the client connected, but for what its library said of itself. */
function reset(server: Server, call: Call): void {
  const { session, reply } = call
  const connection = server.connections.get(session.id)
  if (connection !== undefined) server.endSession(connection)
  server.access.begin(session)
  if ((session.gates & Gate.UNAUTHENTICATED) !== 0) connection?.restrict()
  call.select(0)
  session.version = 2
  reply.version = 2
  session.name = ''
  // (CLIENT REPLY SKIP still holds for this command, as in Redis.)
  if (session.replyMode !== ReplyMode.SKIP) {
    session.replyMode = ReplyMode.ON
    session.gates &= ~Gate.REPLY
  }
  session.flags &= ~(SessionFlag.NO_EVICT | SessionFlag.NO_TOUCH)
  server.keyspace.noTouch = false
  reply.simple('RESET')
}

const ANY_TIME = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.FAST | Flag.NO_AUTH | Flag.ALLOW_BUSY

export function connectionCommands(server: Server): readonly Command[] {
  return group('connection', {
    AUTH: {
      summary: 'Logs in.',
      since: '1.0.0',
      complexity: 'O(N), N passwords of the user',
      flags: ANY_TIME,
      args: [optional(string('username', { since: '6.0.0' })), string('password')],
      history: [['6.0.0', 'A user name before the password.']],
      run: (call) => auth(server, call),
    },
    ECHO: {
      summary: 'Gives its argument back.',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: Flag.LOADING | Flag.STALE | Flag.FAST,
      args: [string('message')],
      run: echo,
    },
    HELLO: {
      summary: 'Chooses the protocol version; can log in and name the connection too.',
      since: '6.0.0',
      complexity: 'O(1)',
      flags: ANY_TIME,
      args: [
        optional(
          block(
            'arguments',
            integer('protover'),
            optional(block('AUTH auth', string('username'), string('password'))),
            optional(string('SETNAME clientname')),
          ),
        ),
      ],
      history: [['6.2.0', 'The version may be left out, to be told about the connection only.']],
      run: (call) => hello(server, call),
    },
    PING: {
      summary: 'Answers PONG, or the message given.',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: Flag.FAST,
      args: [optional(string('message'))],
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      run: ping,
    },
    QUIT: {
      summary: 'Closes this connection.',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: ANY_TIME | Flag.NEVER_QUEUED,
      arity: -1,
      deprecated: { since: '7.2.0', use: 'just closing the connection' },
      run: quit,
    },
    RESET: {
      summary: 'Puts this connection back into its first state.',
      since: '6.2.0',
      complexity: 'O(1)',
      flags: ANY_TIME | Flag.NEVER_QUEUED,
      run: (call) => reset(server, call),
    },
  } satisfies CommandGroup)
}
