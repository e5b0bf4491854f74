/* Busy: what can be done for other clients while a script runs too long.
 *
 *   script … hook (every 100,000 instructions) … over busy-reply-threshold -> poll -> script goes on, or ends
 *
 * The loop stands still: the script is called from it. So what clients have sent is read here straight from their
 * sockets, without waiting, and answered: with BUSY, or if it is one of the few commands that are allowed then (SCRIPT
 * KILL, SHUTDOWN …) by running it in a call of its own. A blocked client's bytes are kept for later. New connections
 * are accepted by a thread, for they cannot be accepted without a loop, and served here. */
import { readSync } from 'node:fs'
import { Call } from '../commands/call.ts'
import { type Command, Flag } from '../commands/definition.ts'
import { Admission } from '../commands/dispatcher.ts'
import { Gate, type Session } from '../commands/session.ts'
import type { Decoder } from '../protocol/decoder.ts'
import { BUSY_FUNCTION, BUSY_SCRIPT, LOADING, NO_AUTH } from '../protocol/errors.ts'
import { Reply } from '../protocol/reply.ts'
import { AcceptingThread } from './accepting-thread.ts'
import { errorCode } from './config/text.ts'
import type { Connection } from './connection.ts'
import { handleFor } from './native-handles.ts'
import type { Server } from './server.ts'

const READ_SIZE = 64 * 1024
/** Milliseconds between two looks at the sockets, at least; and so many times what one takes. */
const POLL_MS = 10
const POLL_SHARE = 4

export class Busy {
  private readonly server: Server
  private readonly bytes = new Uint8Array(READ_SIZE)
  private call: Call | null = null
  private nextPoll = 0
  private thread: AcceptingThread | null = null
  private isAccepting = false
  private cannotAccept = false

  constructor(server: Server) {
    this.server = server
  }

  /** Looks at the other clients' sockets if it is time to. */
  poll(caller: Session, isFunction: boolean): void {
    const start = performance.now()
    if (start < this.nextPoll) return
    const { outbox } = this.server
    outbox.flush() // the turn that the script runs in may have begun with others' requests
    if (this.isAccepting) this.thread?.take()
    else this.beginAccepting()
    for (const connection of this.server.connections.values()) {
      if (connection.session !== caller) this.read(connection, isFunction)
    }
    outbox.flush()
    const end = performance.now()
    this.nextPoll = end + Math.max(POLL_MS, (end - start) * POLL_SHARE)
  }

  /** The script has ended. */
  end(): void {
    this.isAccepting = false
    this.thread?.rest()
  }

  private beginAccepting(): void {
    this.isAccepting = true
    const { server } = this
    const { sockets } = server.listener
    if (this.thread?.isAt(sockets) === true) return this.thread.resume()
    this.thread = null
    if (sockets.length === 0 || this.cannotAccept) return
    const accept = (fd: number, unix: boolean): void => {
      const handle = handleFor(fd, unix)
      if (server.listener.isClosed)
        handle?.close() // the server has ended meanwhile
      else if (handle !== undefined) server.accept(handle, unix)
    }
    const failed = (error: unknown): void => {
      server.log.warn(
        `No connections are accepted while a script runs: ${error instanceof Error ? error.message : error}`,
      )
      this.thread = null
      this.cannotAccept = true
    }
    try {
      this.thread = new AcceptingThread(sockets, server.config.number('tcp-backlog'), accept, failed)
    } catch (error) {
      failed(error)
    }
  }

  private read(connection: Connection, isFunction: boolean): void {
    const { fd } = connection
    if (fd < 0 || connection.awaitsDirectRead) return
    let len = 0
    try {
      len = readSync(fd, this.bytes)
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') connection.lost()
      return
    }
    if (len === 0)
      connection.endedWhileBusy() // or who comes and goes would take all places
    else connection.receiveWhileBusy(this.bytes, len, (decoder) => this.execute(connection, decoder, isFunction))
  }

  /** Answers the request that has been decoded. */
  private execute(connection: Connection, decoder: Decoder, isFunction: boolean): void {
    const { session } = connection
    const { dispatcher, keyspace } = this.server
    this.call ??= new Call(keyspace, session, new Reply())
    const { call } = this
    call.session = session
    call.db = keyspace.databases[session.dbIndex]!
    call.reply.version = session.version
    call.bytes = decoder.bytes
    call.argc = decoder.argc
    call.command = null
    if (decoder.argc > call.pos.length) call.makeRoom(decoder.argc)
    for (let index = 0; index < decoder.argc; index++) {
      call.pos[index] = decoder.pos[index]!
      call.len[index] = decoder.len[index]!
    }
    const command = dispatcher.resolve(call)
    if (command !== null) this.run(call, command, isFunction)
    session.lastCommand = call.command
    session.commandCount++
    if ((session.gates & Gate.REPLY) !== 0 && connection.isSilenced) call.reply.drop()
    else connection.flush(call.reply)
  }

  private run(call: Call, command: Command, isFunction: boolean): void {
    const { dispatcher } = this.server
    const { gates } = call.session
    if ((gates & Gate.UNAUTHENTICATED) !== 0 && (command.flags & Flag.NO_AUTH) === 0) {
      dispatcher.reject(call, command, NO_AUTH)
    } else if (this.server.access.admit(call, command) !== Admission.RUN) {
      // It has been answered.
    } else if (this.server.loading.refuses(call, command)) {
      dispatcher.reject(call, command, LOADING)
    } else if ((command.flags & Flag.ALLOW_BUSY) === 0) {
      dispatcher.reject(call, command, isFunction ? BUSY_FUNCTION : BUSY_SCRIPT)
    } else if ((gates & Gate.MULTI) !== 0 && (command.flags & Flag.NEVER_QUEUED) === 0) {
      dispatcher.transactions?.queue(call, command)
    } else dispatcher.runNested(call, command)
  }
}
