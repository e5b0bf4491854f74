/* Monitors: the clients that watch every command (MONITOR).
 *
 *   +1700000000.123456 [0 127.0.0.1:54321] "set" "key" "value"
 *
 * A line is written once, when its command has run, into a buffer for all monitors, which they are sent at the end of
 * this turn of the loop. What a monitor runs itself it is shown behind its reply. The dispatcher tells of commands only
 * while MONITORED is set: nobody pays when nobody watches. */

import type { Call } from '../commands/call.ts'
import { type Command, Flag } from '../commands/definition.ts'
import { Admission, type Admit, ServerGate } from '../commands/dispatcher.ts'
import { Gate, ReplyMode, type Session, SessionFlag } from '../commands/session.ts'
import { writeLatin1 } from '../lib/bytes.ts'
import { quotedLengthMax, writeQuoted } from '../lib/quoting.ts'
import { REPLICA_READS_NOTHING } from '../protocol/errors.ts'
import type { Connection } from './connection.ts'
import { REDACTED, secretsOf } from './redaction.ts'
import type { Server } from './server.ts'

const SIZE_MIN = 16 * 1024
/** Lines are sent before the end of the turn when there are so many bytes of them. */
const SEND_AT = 1024 * 1024

/** Commands that are not shown; EXEC and scripts show themselves. */
const HIDDEN = Flag.SKIP_MONITOR | Flag.ADMIN
const CR_LF = '\r\n'
const DIGIT_0 = 48
/** `+seconds.micros`, with time to spare. */
const TIME_LEN_MAX = 32

export class Monitors {
  /** A line that might be longer is cut: a typed array has its limits (4 GB, Node 20). */
  lineSizeMax = 2 ** 30
  private readonly server: Server
  private readonly connections = new Set<Connection>()
  private bytes = new Uint8Array(0)
  private len = 0
  private scheduled = false
  // What the last line began with.
  private second = 0
  private secondText = ''
  private sourceSession: Session | null = null
  private sourceDb = 0
  private source = ''

  constructor(server: Server) {
    this.server = server
    server.dispatcher.addAdmission(this.admit)
    server.dispatcher.onMonitored = (call, command) => this.show(call, command)
  }

  get count(): number {
    return this.connections.size
  }

  add(connection: Connection): void {
    connection.session.gates |= Gate.MONITOR
    this.connections.add(connection)
    this.server.dispatcher.gates |= ServerGate.MONITORED
  }

  /** The client watches no more, or has gone. */
  forget(connection: Connection): void {
    if (!this.connections.delete(connection)) return
    connection.session.gates &= ~Gate.MONITOR
    if (this.connections.size > 0) return
    this.server.dispatcher.gates &= ~ServerGate.MONITORED
    this.sourceSession = null
    this.len = 0
    this.bytes = new Uint8Array(0)
  }

  /** Redis counts monitors among the replicas, which have no business with the data. */
  private readonly admit: Admit = (call, command) => {
    if ((call.session.gates & Gate.MONITOR) === 0) return Admission.RUN
    if ((command.flagsFor(call) & (Flag.READONLY | Flag.WRITE | Flag.MAY_REPLICATE)) === 0) return Admission.RUN
    this.server.dispatcher.reject(call, command, REPLICA_READS_NOTHING)
    return Admission.ANSWERED
  }

  /** Shows a command that has run. */
  show(call: Call, command: Command): void {
    if ((command.flags & HIDDEN) === 0) this.tell(call, command)
  }

  /** Shows a command that is about to run others, before it does. */
  announce(call: Call): void {
    if ((this.server.dispatcher.gates & ServerGate.MONITORED) !== 0) this.tell(call, call.command!)
  }

  private tell(call: Call, command: Command): void {
    if ((this.server.dispatcher.gates & ServerGate.LOADING) !== 0) return
    if ((call.session.gates & Gate.MONITOR) !== 0) {
      this.showOwn(call, command)
      return
    }
    this.write(call, command)
    if (this.len >= SEND_AT) this.send()
    if (this.len === 0 || this.scheduled) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      this.send()
    })
  }

  /** A monitor's own command: for itself, the line belongs behind the reply. */
  private showOwn(call: Call, command: Command): void {
    this.send()
    this.write(call, command)
    const line = this.take()
    for (const connection of this.connections) {
      if (connection.session !== call.session) deliver(connection, line)
    }
    if (call.session.replyMode === ReplyMode.ON) call.reply.raw(line)
  }

  private send(): void {
    if (this.len === 0) return
    const lines = this.take()
    for (const connection of this.connections) deliver(connection, lines)
  }

  private take(): Uint8Array {
    const taken = this.bytes.slice(0, this.len)
    this.len = 0
    if (this.bytes.length > SEND_AT) this.bytes = new Uint8Array(0)
    return taken
  }

  private write(call: Call, command: Command): void {
    const secrets = secretsOf(call, command, this.server.config)
    const source = this.sourceOf(call)
    let size = TIME_LEN_MAX + source.length + CR_LF.length
    for (let index = 0; index < call.argc; index++) size += 1 + quotedLengthMax(call.lenOf(index) + REDACTED.length)
    size = Math.min(size, this.lineSizeMax)
    this.ensure(size)
    const bytes = this.bytes
    const end = this.len + size - CR_LF.length
    let at = writeLatin1(source, bytes, this.writeTime(bytes, this.len))
    for (let index = 0; index < call.argc; index++) {
      const room = end - at - 1
      if (room < quotedLengthMax(REDACTED.length)) break
      const len = Math.min(call.lenOf(index), Math.floor((room - quotedLengthMax(0)) / 4))
      bytes[at++] = 0x20
      if (secrets.has(index)) at = writeLatin1(`"${REDACTED}"`, bytes, at)
      else at = writeQuoted(call.bytes, call.posOf(index), len, bytes, at)
    }
    this.len = writeLatin1(CR_LF, bytes, at)
  }

  private ensure(room: number): void {
    if (this.len + room <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(SIZE_MIN, this.bytes.length * 2, this.len + room))
    larger.set(this.bytes.subarray(0, this.len))
    this.bytes = larger
  }

  /** Writes the seconds since 1970 with six decimals; returns the position behind. */
  private writeTime(bytes: Uint8Array, pos: number): number {
    const us = this.server.dispatcher.nowUs
    const second = Math.floor(us / 1e6)
    if (second !== this.second) {
      this.second = second
      this.secondText = `+${second}.`
    }
    let at = writeLatin1(this.secondText, bytes, pos)
    const rest = us - second * 1e6
    for (let unit = 100_000; unit >= 1; unit /= 10) bytes[at++] = DIGIT_0 + (Math.floor(rest / unit) % 10)
    return at
  }

  /** Database and client that a command came from; kept, as the next one is often from the same. */
  private sourceOf(call: Call): string {
    const { session, db } = call
    if (session !== this.sourceSession || db.id !== this.sourceDb) {
      this.sourceSession = session
      this.sourceDb = db.id
      this.source = ` [${db.id} ${this.nameOf(session)}]`
    }
    return this.source
  }

  private nameOf(session: Session): string {
    const connection = this.server.connections.get(session.id)
    if (connection === undefined) return 'lua'
    const isUnix = (session.flags & SessionFlag.UNIX_SOCKET) !== 0
    return isUnix ? `unix:${this.server.listener.unixSocket}` : connection.peer
  }
}

function deliver(connection: Connection, lines: Uint8Array): void {
  if (connection.session.replyMode === ReplyMode.ON) connection.send(lines)
}
