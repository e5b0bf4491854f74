/* A server without sockets, and calls of sessions that need no connection. */
import { onTestFinished } from 'vitest'
import { Call } from '../../../src/commands/call.ts'
import type { Session } from '../../../src/commands/session.ts'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { Reply } from '../../../src/protocol/reply.ts'
import { giveBuffer } from '../../../src/protocol/reply-buffer.ts'
import { silentLog } from '../../../src/server/log.ts'
import { Server } from '../../../src/server/server.ts'
import { LOCAL, newConfig } from './config/support.ts'

/** A server that writes no RDB file by itself, as FLUSHALL would, and is closed when the test is done. */
export function newServer(): Server {
  const config = newConfig()
  config.set(['save', ''], LOCAL)
  const server = new Server({ config, log: silentLog(), exit: () => {} })
  onTestFinished(() => server.close())
  return server
}

const reply = new Reply()

/** Dispatches a command; the reply, '' if the command must wait. */
export function run(server: Server, session: Session, ...args: readonly string[]): string {
  reply.version = session.version
  const call = new Call(server.keyspace, session, reply)
  call.bytes = fromLatin1(args.join(''))
  call.argc = args.length
  if (args.length > call.pos.length) call.makeRoom(args.length)
  let pos = 0
  for (const [index, arg] of args.entries()) {
    call.pos[index] = pos
    call.len[index] = arg.length
    pos += arg.length
  }
  server.dispatcher.begin()
  server.dispatcher.dispatch(call)
  const pieces = reply.isSpilled ? reply.takeChunks() : [reply.takeBuffer()]
  const text = pieces.map((piece) => piece.view().toString('latin1')).join('')
  for (const piece of pieces) giveBuffer(piece)
  return text
}
