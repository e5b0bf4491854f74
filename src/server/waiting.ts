/* Waiting: clients that asked to wait for something other than a key (WAIT, WAITAOF), each until it comes or its
 * time is up. What they sent meanwhile stays in their input buffers. */
import type { Call } from '../commands/call.ts'
import type { Command } from '../commands/definition.ts'
import { ReplyMode } from '../commands/session.ts'
import { type ErrorReply, UNBLOCKED } from '../protocol/errors.ts'
import type { Connection } from './connection.ts'
import { TIMER_MAX_MS } from './deadlines.ts'
import type { Server } from './server.ts'

interface Wait {
  readonly connection: Connection
  readonly command: Command
  /** What the client is answered when its time is up, or what it waits for has come. */
  readonly answer: () => Uint8Array
  /** Whether that has come, or why it cannot come any more; null: it never does. */
  readonly judge: (() => boolean | ErrorReply) | null
  /** Unix time in milliseconds; 0: it waits for ever. */
  readonly end: number
  /** CLIENT REPLY was not ON: it gets no answer. */
  readonly silent: boolean
  timer: NodeJS.Timeout | undefined
}

export class Waiting {
  private readonly server: Server
  /** By client id. */
  private readonly waits = new Map<number, Wait>()

  constructor(server: Server) {
    this.server = server
    const others = server.unblock
    server.unblock = (connection, asError) =>
      this.unblock(connection, asError ? UNBLOCKED : undefined) || others?.(connection, asError) === true
    server.onSessionEnd((connection) => this.forget(connection))
  }

  /** Clients that wait. */
  get count(): number {
    return this.waits.size
  }
  /** Those whose wait has an end. */
  get timedCount(): number {
    let count = 0
    for (const wait of this.waits.values()) if (wait.end > 0) count++
    return count
  }

  /** Makes the caller wait until `end` (Unix time in milliseconds, 0 for ever), or until `judge`, which is asked by
   *  `check`, says so; and then answers. */
  begin(call: Call, end: number, answer: () => Uint8Array, judge: Wait['judge'] = null): void {
    const connection = this.server.connections.get(call.session.id)
    const { command } = call
    // Nobody to wait: a script, a program.
    if (connection === undefined || command === null) return call.reply.raw(answer())
    const silent = call.session.replyMode !== ReplyMode.ON
    const wait: Wait = { connection, command, answer, judge, end, silent, timer: undefined }
    call.session.blocked = true
    this.waits.set(call.session.id, wait)
    if (end > 0) this.watch(wait)
  }

  private watch(wait: Wait): void {
    const left = wait.end - Date.now()
    const next = () => (left > TIMER_MAX_MS ? this.watch(wait) : void this.unblock(wait.connection))
    wait.timer = setTimeout(next, Math.max(0, Math.min(left, TIMER_MAX_MS)))
  }

  /** Ends a client's wait as if its time were up, or with an error; false if it does not wait here. */
  unblock(connection: Connection, error?: ErrorReply): boolean {
    const wait = this.waits.get(connection.session.id)
    if (wait === undefined) return false
    this.forget(connection)
    this.book(wait, error)
    if (!wait.silent) connection.send(error?.bytes ?? wait.answer())
    connection.resume()
    return true
  }

  /** Ends the waits for what has come, or cannot come any more. */
  check(): void {
    for (const { connection, judge } of this.waits.values()) {
      const verdict = judge?.()
      if (verdict === true) this.unblock(connection)
      else if (verdict !== undefined && verdict !== false) this.unblock(connection, verdict)
    }
  }

  /** Counts the command, which the dispatcher did not when it began to wait. Waiting is no work. */
  private book({ command }: Wait, error: ErrorReply | undefined): void {
    const { statistics } = this.server.dispatcher
    statistics.lapUs[0] = 0
    statistics.record(command.id)
    if (error === undefined) return
    statistics.recordError(error.code)
    statistics.failed[command.id]!++
  }

  /** The client waits no more, or has gone. */
  forget(connection: Connection): void {
    const wait = this.waits.get(connection.session.id)
    if (wait === undefined) return
    clearTimeout(wait.timer)
    this.waits.delete(connection.session.id)
  }

  close(): void {
    for (const { timer } of this.waits.values()) clearTimeout(timer)
    this.waits.clear()
  }
}
