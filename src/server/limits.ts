/* Limits: what one client may cost: bytes that it sent and that make no command yet, bytes that wait for it, time for
 * which it does nothing; and how many clients there may be.
 *
 * Replies that wait are looked at when they grow: a turn's replies before they are sent (`replyGrew`, if they are
 * many), and what the kernel did not take (`outputGrew`); as in Redis, replies of up to 16 KB a turn are free. The soft
 * limit and idleness need time to pass: the cron looks at every client once a second. */
import { readFileSync } from 'node:fs'
import { Gate, type Session, SessionFlag } from '../commands/session.ts'
import { toNumber } from '../lib/int64.ts'
import { quote } from '../lib/quoting.ts'
import type { Reply } from '../protocol/reply.ts'
import { clientLine } from './client-line.ts'
import { ClientType, clientTypeOf } from './client-type.ts'
import type { Connection } from './connection.ts'
import type { Server } from './server.ts'

/** What Redis's clients have room for before their replies count; more than that counts as a whole. */
const REPLY_BUFFER_SIZE = 16 * 1024
/** File descriptors that are not for clients, by Redis's count. */
const RESERVED_DESCRIPTORS = 32
/** Bytes of an overlong request that are logged. */
const SAMPLE_SIZE = 64
const PROTOCOL_SAMPLE_SIZE = 128

interface OutputLimit {
  hard: number
  soft: number
  softSeconds: number
}

export class Limits {
  /** Replies of one turn that exceed this must be looked at before they are sent. */
  replySizeMin = 0
  private readonly server: Server
  private output: readonly OutputLimit[] = []
  private idleSeconds = 0

  constructor(server: Server) {
    this.server = server
    const { config } = server
    config.onChange('client-output-buffer-limit', () => this.setOutput())
    config.onChange('timeout', () => (this.idleSeconds = config.number('timeout')))
    config.onApply('maxclients', () => this.refuseMaxClients())
    server.cron.everyClient((connection, nowMs) => this.look(connection, nowMs))
    server.wire.reply.mayGrow = (size) => this.mayGrow(size)
  }

  private setOutput(): void {
    this.output = this.server.config.value('client-output-buffer-limit').map(({ hard, soft, softSeconds }) => ({
      hard: toNumber(hard),
      soft: toNumber(soft),
      softSeconds,
    }))
    const sizes = this.output.flatMap(({ hard, soft }) => [hard, soft]).filter((size) => size > 0)
    this.replySizeMin = Math.max(REPLY_BUFFER_SIZE, Math.min(...sizes) - 1)
  }

  private limitOf(session: Session): OutputLimit {
    const type = clientTypeOf(session)
    return this.output[type === ClientType.MASTER ? ClientType.NORMAL : type]!
  }

  /** Whether so many bytes are too many for this client, or have been for too long. */
  private exceeds(connection: Connection, size: number): boolean {
    const { hard, soft, softSeconds } = this.limitOf(connection.session)
    if (hard > 0 && size >= hard) return true
    if (soft === 0 || size < soft) {
      connection.softLimitSince = 0
      return false
    }
    const now = Math.floor(this.server.keyspace.now / 1000)
    if (connection.softLimitSince === 0) connection.softLimitSince = now
    return now - connection.softLimitSince > softSeconds
  }

  /** A turn's replies, more than `replySizeMin` or not even all of them, are about to be sent; false if the client has
   *  been closed instead. */
  replyGrew(connection: Connection, reply: Reply): boolean {
    if (!reply.overflowed && !this.exceeds(connection, connection.pendingOutput + reply.length)) return true
    this.closeSoon(connection)
    return false
  }

  /** Replies are being written, so many bytes so far; false if it is no use to go on. */
  private mayGrow(size: number): boolean {
    const { session } = this.server.wire.call
    const connection = this.server.connections.get(session.id)
    if (connection === undefined) return true
    const { hard } = this.limitOf(session)
    return hard === 0 || connection.pendingOutput + size < hard
  }

  /** A client was sent something that it did not ask for. */
  pushed(connection: Connection): void {
    const size = connection.pendingOutput
    if (size > this.replySizeMin && this.exceeds(connection, size)) this.closeSoon(connection)
  }

  /** So many bytes of pushes wait for a client's own command to end. */
  heldGrew(connection: Connection, size: number): void {
    if (!this.exceeds(connection, connection.pendingOutput + size)) return
    connection.session.flags |= SessionFlag.CLOSE_NOW // what else it has sent is not executed
    this.closeSoon(connection)
  }

  /** The kernel did not take all that was sent to a client. */
  outputGrew(connection: Connection): void {
    if (this.exceeds(connection, connection.pendingOutput)) this.closeSoon(connection)
  }

  private closeSoon(connection: Connection): void {
    const line = clientLine(this.server, connection)
    connection.close()
    this.server.log.warn(`Client ${line} scheduled to be closed ASAP for overcoming of output buffer limits.`)
  }

  /** Once a second for every client. */
  private look(connection: Connection, nowMs: number): void {
    const output = connection.pendingOutput
    if (output !== connection.pendingSeen) {
      // It reads: as good as a request.
      connection.pendingSeen = output
      connection.lastInteraction = nowMs
    }
    if (output > 0 && this.exceeds(connection, output)) {
      const line = clientLine(this.server, connection)
      connection.close()
      this.server.log.warn(`Client ${line} closed for overcoming of output buffer limits.`)
    } else if (this.idleSeconds > 0 && this.isIdle(connection, nowMs)) {
      this.server.log.debug('Closing idle client')
      connection.close()
    }
  }

  private isIdle({ session, lastInteraction }: Connection, nowMs: number): boolean {
    if (session.blocked || (session.gates & Gate.MONITOR) !== 0) return false
    if (clientTypeOf(session) !== ClientType.NORMAL) return false
    return Math.floor(nowMs / 1000) - Math.floor(lastInteraction / 1000) > this.idleSeconds
  }

  /** A client has sent more than client-query-buffer-limit of one request. */
  refuseQueryBuffer(connection: Connection): void {
    const line = clientLine(this.server, connection)
    const sample = connection.inputSample(SAMPLE_SIZE)
    connection.close()
    const start = quote(sample, 0, sample.length)
    this.server.log.warn(`Closing client that reached max query buffer length: ${line} (qbuf initial bytes: ${start})`)
  }

  /** Tells of a protocol error in bytes[pos … end). */
  protocolFailed(connection: Connection, text: string, bytes: Uint8Array, pos: number, end: number): void {
    const { log } = this.server
    if (log.level !== 'debug' && log.level !== 'trace') return
    const line = clientLine(this.server, connection)
    const half = PROTOCOL_SAMPLE_SIZE / 2
    const more = end - pos - PROTOCOL_SAMPLE_SIZE
    const sample =
      more < 0
        ? `'${printable(bytes, pos, end)}'`
        : `'${printable(bytes, pos, pos + half)}' (... more ${more} bytes ...) '${printable(bytes, end - half, end)}'`
    log.debug(`Protocol error (${text}) from client: ${line}. Query buffer during protocol error: ${sample}`)
  }

  /** Makes maxclients what the system allows; for the start. */
  fitMaxClients(): void {
    const { config, log } = this.server
    const wanted = config.number('maxclients')
    const most = descriptorsMax() - RESERVED_DESCRIPTORS
    if (wanted <= most) return
    config.assign('maxclients', Math.max(1, most))
    log.warn(
      `You requested maxclients of ${wanted} requiring at least ${wanted + RESERVED_DESCRIPTORS} max file descriptors.`,
    )
    log.warn(
      `Current maximum open files is ${most + RESERVED_DESCRIPTORS}. maxclients has been reduced to ` +
        `${config.number('maxclients')} to compensate for low ulimit. ` +
        "If you need higher maxclients increase 'ulimit -n'.",
    )
  }

  private refuseMaxClients(): string | undefined {
    const most = descriptorsMax() - RESERVED_DESCRIPTORS
    if (this.server.config.number('maxclients') <= most) return undefined
    return `The operating system is not able to handle the specified number of clients, try with ${most}`
  }
}

function printable(bytes: Uint8Array, pos: number, end: number): string {
  let text = ''
  for (let at = pos; at < end; at++)
    text += bytes[at]! >= 0x20 && bytes[at]! < 0x7f ? String.fromCharCode(bytes[at]!) : '.'
  return text
}

/** How many files this process may have open; Node has raised the limit as far as it may. */
function descriptorsMax(): number {
  try {
    const text = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    return text === undefined ? Number.POSITIVE_INFINITY : Number(text)
  } catch {
    return Number.POSITIVE_INFINITY // no /proc: the system will say when there are too many
  }
}
