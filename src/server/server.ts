/* The server: the process's one keyspace, its connections, and what they share. */
import type { Server as NetServer } from 'node:net'
import { createServer } from 'node:net'
import { Call } from '../commands/call.ts'
import { CommandTable } from '../commands/command-table.ts'
import { commandCommands } from '../commands/command.ts'
import { Dispatcher } from '../commands/dispatcher.ts'
import { Session } from '../commands/session.ts'
import { stringCommands } from '../commands/strings.ts'
import { Keyspace } from '../keyspace/keyspace.ts'
import { Decoder } from '../protocol/decoder.ts'
import { Reply } from '../protocol/reply.ts'
import { Connection, type Handle, type Wire } from './connection.ts'

const READ_SIZE = 64 * 1024

export class Server {
  readonly keyspace: Keyspace
  readonly table = new CommandTable()
  readonly dispatcher: Dispatcher
  readonly wire: Wire
  readonly connections = new Map<number, Connection>()
  bytesRead = 0
  bytesWritten = 0
  queryBufferMax = 1024 * 1024 * 1024
  private nextId = 1
  private readonly listeners: NetServer[] = []

  constructor() {
    this.keyspace = new Keyspace(16)
    this.table.register(stringCommands)
    this.table.register(commandCommands(this.table))
    this.dispatcher = new Dispatcher(this.table, this.keyspace)
    const reply = new Reply(1024 * 1024)
    const session = new Session(0)
    this.wire = {
      bytes: new Uint8Array(READ_SIZE),
      decoder: new Decoder(),
      reply,
      call: new Call(this.keyspace, session, reply),
    }
  }

  listen(port: number): void {
    const listener = createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
      const handle = (accepted as unknown as { _handle: Handle | null })._handle!
      ;(accepted as unknown as { _handle: Handle | null })._handle = null
      const session = new Session(this.nextId++)
      const connection = new Connection(this, session, handle)
      this.connections.set(session.id, connection)
    })
    listener.listen(port, '127.0.0.1', 511, () => console.log('Ready to accept connections'))
    this.listeners.push(listener)
  }

  disconnected(connection: Connection): void {
    this.connections.delete(connection.session.id)
  }
  outputGrew(_connection: Connection): void {}
  refuseQueryBuffer(connection: Connection): void {
    connection.close()
  }
  protocolFailed(_connection: Connection, _text: string): void {}
}
