/* The client line: what CLIENT LIST, CLIENT INFO and the log tell of a client, in Redis 7.2's fields and 7.4's `watch`.
 *
 * Some fields describe buffers that Redis gives each client and we do not: requests land in one read buffer and
 * replies are written in buffers that all clients share. So rbs and rbp (a client's own reply buffer) and obl (what is
 * in it) are 0, and qbuf is not 0 only while the client's request runs, is cut, or waits. */
import type { Call } from '../commands/call.ts'
import { Gate, type Session, SessionFlag } from '../commands/session.ts'
import { ClientType, clientTypeOf } from './client-type.ts'
import type { Connection } from './connection.ts'
import type { Server } from './server.ts'

function flagsOf(session: Session): string {
  const { flags, gates } = session
  let letters = (gates & Gate.MONITOR) !== 0 ? 'O' : ''
  if (clientTypeOf(session) === ClientType.PUBSUB) letters += 'P'
  if (session.queuedCount >= 0) letters += 'x'
  if (session.blocked) letters += 'b'
  const { tracking } = session
  if (tracking?.isOn === true) letters += 't'
  if (tracking?.isBroken === true) letters += 'R'
  if (tracking?.bcast === true) letters += 'B'
  if (session.watcher?.changed === true) letters += 'd'
  if ((flags & SessionFlag.CLOSE_AFTER_REPLY) !== 0) letters += 'c'
  if ((flags & SessionFlag.CLOSE_NOW) !== 0) letters += 'A'
  if ((flags & SessionFlag.UNIX_SOCKET) !== 0) letters += 'U'
  if ((flags & SessionFlag.NO_EVICT) !== 0) letters += 'e'
  if ((flags & SessionFlag.NO_TOUCH) !== 0) letters += 'T'
  return letters === '' ? 'N' : letters
}

const seconds = (ms: number): number => Math.floor(ms / 1000)

/** As Redis prints a name: up to a NUL byte. */
function shown(name: string): string {
  const nul = name.indexOf('\0')
  return nul < 0 ? name : name.slice(0, nul)
}

/** Bytes of a call's arguments. */
function argumentsSize(call: Call): number {
  let size = 0
  for (let index = 0; index < call.argc; index++) size += call.lenOf(index)
  return size
}

/** The client that is told of changed keys instead, 0 for none; -1 if nobody is told. */
export function redirectOf({ tracking }: Session): number {
  return tracking?.isOn === true ? tracking.redirect : -1
}

/** The line, without its end. */
export function clientLine(server: Server, connection: Connection): string {
  const { session } = connection
  const { call } = server.wire
  const now = seconds(server.keyspace.now)
  const isRunning = call.session === session && server.wire.end > 0
  const command = isRunning && call.command !== null ? call.command : session.lastCommand
  const output = connection.pendingOutput
  const own = connection.inputLength
  const input = isRunning && own === 0 ? server.wire.end : own
  const age = now - seconds(connection.createdAt)
  const idle = now - seconds(connection.lastInteraction)
  const args = isRunning ? argumentsSize(call) : server.blocking.requestBytes(session)
  connection.measure()
  const queued = session.queue?.memoryBytes ?? 0
  return [
    `id=${session.id} addr=${connection.peer} laddr=${connection.local} fd=${connection.fd}`,
    `name=${shown(session.name)} age=${age} idle=${idle}`,
    `flags=${flagsOf(session)} db=${session.dbIndex} sub=${session.channelCount} psub=${session.patternCount}`,
    `ssub=${session.shardChannelCount} multi=${session.queuedCount}`,
    `qbuf=${input} qbuf-free=${connection.inputCapacity - own} argv-mem=${args}`,
    `multi-mem=${queued} rbs=0 rbp=0 obl=0 oll=${connection.pendingPieces} omem=${output}`,
    `tot-mem=${connection.memory + args}`,
    `events=${output > 0 ? 'rw' : 'r'} cmd=${command?.fullName ?? 'NULL'} user=${session.user}`,
    `redir=${redirectOf(session)} resp=${session.version} lib-name=${shown(session.libName)}`,
    // 7.4 has the last one behind `multi`; there it would break what takes the order for granted.
    `lib-ver=${shown(session.libVersion)} watch=${session.watcher?.count ?? 0}`,
  ].join(' ')
}
