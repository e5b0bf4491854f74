/* CLIENT LIST and INFO: clients as lines of text. */
import type { Call } from '../../commands/call.ts'
import { BAD_CLIENT_ID, SYNTAX, unknownClientType } from '../../protocol/errors.ts'
import { clientLine } from '../client-line.ts'
import { clientTypeNamed, clientTypeOf } from '../client-type.ts'
import type { Connection } from '../connection.ts'
import type { Server } from '../server.ts'

/** The client that called; a script's session has none. */
export function ownConnection(server: Server, call: Call): Connection | undefined {
  return server.connections.get(call.session.id)
}

export function info(server: Server, call: Call): void {
  const connection = ownConnection(server, call)
  call.reply.verbatim('txt', connection === undefined ? '' : `${clientLine(server, connection)}\n`)
}

/** The clients that were named by their ids; undefined after replying that one is no id. */
function namedById(server: Server, call: Call): Connection[] | undefined {
  const connections: Connection[] = []
  for (let at = 3; at < call.argc; at++) {
    const id = call.integer(at)
    if (id === undefined) {
      call.reply.error(BAD_CLIENT_ID)
      return undefined
    }
    const connection = typeof id === 'number' ? server.connections.get(id) : undefined
    if (connection !== undefined) connections.push(connection)
  }
  return connections
}

function selected(server: Server, call: Call): Connection[] | undefined {
  const all = [...server.connections.values()]
  if (call.argc === 2) return all
  if (call.argc === 4 && call.is(2, 'TYPE')) {
    const type = clientTypeNamed(call.string(3))
    if (type !== undefined) return all.filter(({ session }) => clientTypeOf(session) === type)
    call.reply.error(unknownClientType(call.string(3)))
    return undefined
  }
  if (call.argc > 3 && call.is(2, 'ID')) return namedById(server, call)
  call.reply.error(SYNTAX)
  return undefined
}

export function list(server: Server, call: Call): void {
  const connections = selected(server, call)
  if (connections === undefined) return
  call.reply.verbatim('txt', connections.map((connection) => `${clientLine(server, connection)}\n`).join(''))
}
