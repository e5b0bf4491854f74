/* Migration: keys on their way to another server (MIGRATE).
 *
 *   DUMP here  ->  RESTORE there  ->  +OK  ->  DEL here
 *
 * Redis stands still meanwhile. Here the client alone waits, and whoever wants to write: reads go on, but no key
 * changes or expires between its DUMP and its DEL, so that nothing is lost (pause.ts). A key is deleted when the other
 * server has said that it has it. If the connection breaks before anything was answered, as a kept one may, it is tried
 * once more over a new one. */
import type { Call } from '../../commands/call.ts'
import type { Command } from '../../commands/definition.ts'
import { ReplyMode, SessionFlag } from '../../commands/session.ts'
import type { Database } from '../../keyspace/database.ts'
import { Event } from '../../keyspace/events.ts'
import { toNumber } from '../../lib/int64.ts'
import { NONE, type Ref } from '../../memory/memory.ts'
import {
  type ErrorReply,
  MIGRATE_CONNECT,
  MIGRATE_NESTED,
  MIGRATE_NOT_DUMPABLE,
  MIGRATE_READ,
  MIGRATE_WRITE,
  migrateTarget,
} from '../../protocol/errors.ts'
import { RequestWriter } from '../../protocol/request-writer.ts'
import type { Connection } from '../connection.ts'
import { PauseMode, PausePurpose } from '../pause.ts'
import type { Server } from '../server.ts'
import { TargetError, Targets } from './target.ts'

const OK = new Uint8Array(Buffer.from('+OK\r\n'))

export interface MigrationOptions {
  readonly host: string
  readonly port: number
  readonly dbIndex: number
  readonly timeoutMs: number
  readonly copy: boolean
  readonly replace: boolean
  /** User name, if there is one, and password. */
  readonly credentials: readonly Uint8Array[]
}

interface Job extends MigrationOptions {
  readonly connection: Connection
  readonly command: Command
  readonly silent: boolean
  readonly db: Database
  /** The names of the keys that are on their way. */
  readonly keys: readonly Uint8Array[]
  /** RESTORE for each of them. */
  readonly request: Uint8Array
}

export class Migration {
  private readonly server: Server
  private readonly targets = new Targets()
  /** MIGRATEs under way. Each begins when the one before has ended, for it is a write as well. */
  private running = 0

  constructor(server: Server) {
    this.server = server
    server.cron.every((nowMs) => this.targets.tidy(nowMs))
  }

  /** Connections that are kept. */
  get kept(): number {
    return this.targets.count
  }

  /** Sends the keys of arguments `first` to `first + count - 1`; the caller is answered when that is done. */
  begin(call: Call, options: MigrationOptions, first: number, count: number): void {
    const found: Ref[] = []
    const keys: Uint8Array[] = []
    for (let index = first; index < first + count; index++) {
      const entry = call.db.lookupRead(call.bytes, call.posOf(index), call.lenOf(index))
      if (entry === NONE) continue
      found.push(entry)
      keys.push(call.copy(index))
    }
    if (found.length === 0) return call.reply.simple('NOKEY')
    const connection = this.server.connections.get(call.session.id)
    if (connection === undefined || (call.session.flags & SessionFlag.DENY_BLOCKING) !== 0) {
      return call.reply.error(MIGRATE_NESTED)
    }
    const request = this.requestFor(call, found, keys, options.replace)
    if (request === undefined) return call.reply.error(MIGRATE_NOT_DUMPABLE)
    const silent = call.session.replyMode !== ReplyMode.ON
    call.session.blocked = true
    if (this.running++ === 0) this.server.pause.begin(PausePurpose.MIGRATION, PauseMode.WRITE, Number.MAX_SAFE_INTEGER)
    void this.run({ ...options, connection, command: call.command!, silent, db: call.db, keys, request })
  }

  /** RESTORE for each of the entries; undefined if one cannot be dumped. */
  private requestFor(
    { keyspace }: Call,
    found: readonly Ref[],
    keys: readonly Uint8Array[],
    replace: boolean,
  ): Uint8Array | undefined {
    const { payloads } = this.server
    const { entries, now } = keyspace
    const writer = new RequestWriter()
    for (const [index, entry] of found.entries()) {
      const ttl = entries.expires(entry) ? Math.max(1, toNumber(entries.expiry(entry)) - now) : 0
      if (!payloads.dump(entry)) return undefined
      writer.head(replace ? 5 : 4)
      writer.word('RESTORE')
      writer.bulk(keys[index]!, 0, keys[index]!.length)
      writer.integer(ttl)
      writer.bulk(payloads.bytes, 0, payloads.len)
      if (replace) writer.word('REPLACE')
    }
    return writer.bytes.slice(0, writer.length)
  }

  private async run(job: Job): Promise<void> {
    let error = await this.attempt(job, true)
    if (error === 'again') error = await this.attempt(job, false)
    this.finish(job, error === 'again' ? MIGRATE_READ : error)
  }

  /** Sends the keys, and deletes those that have arrived; answers what went wrong, or that a new connection may
   *  help. */
  private async attempt(job: Job, mayRetry: boolean): Promise<ErrorReply | 'again' | undefined> {
    const { timeoutMs } = job
    const target = this.targets.get(job.host, job.port, Date.now())
    let stage = MIGRATE_CONNECT
    let arrived = 0
    try {
      await target.connected(timeoutMs)
      stage = MIGRATE_WRITE
      const selects = target.dbIndex !== job.dbIndex
      await target.write(preamble(job, selects), timeoutMs)
      await target.write(job.request, timeoutMs)
      stage = MIGRATE_READ
      let refusal = job.credentials.length > 0 ? refusalIn(await target.line(timeoutMs)) : undefined
      const selected = selects ? refusalIn(await target.line(timeoutMs)) : undefined
      refusal ??= selected
      const isRefused = refusal !== undefined
      for (const key of job.keys) {
        const restored = refusalIn(await target.line(timeoutMs))
        arrived++
        if (!isRefused && restored === undefined && !job.copy) this.delete(job.db, key)
        refusal ??= restored
      }
      target.dbIndex = refusal === undefined ? job.dbIndex : -1
      return refusal === undefined ? undefined : migrateTarget(refusal)
    } catch (error) {
      if (!(error instanceof TargetError)) throw error
      this.targets.drop(target)
      const isFutile = error.isTimeout || arrived > 0 || stage === MIGRATE_CONNECT
      return mayRetry && !isFutile ? 'again' : stage
    }
  }

  /** A key has arrived: it is not here any more. */
  private delete(db: Database, key: Uint8Array): void {
    const { dispatcher, keyspace } = this.server
    dispatcher.begin()
    const entry = db.lookupWrite(key, 0, key.length)
    if (entry === NONE) return
    db.remove(entry)
    keyspace.changed(db, key, 0, key.length, Event.DEL)
    if (dispatcher.effects.listening) dispatcher.effects.deleted(db, key, 0, key.length)
  }

  private finish(job: Job, error: ErrorReply | undefined): void {
    const { dispatcher, pause } = this.server
    const { connection, command } = job
    const { statistics } = dispatcher
    dispatcher.begin()
    statistics.lapUs[0] = 0 // waiting is no work
    statistics.record(command.id)
    if (error !== undefined) {
      statistics.recordError(error.code)
      statistics.failed[command.id]!++
    }
    if (!connection.closed) {
      if (!job.silent) connection.send(error?.bytes ?? OK)
      connection.resume()
    }
    if (--this.running === 0) pause.end(PausePurpose.MIGRATION)
  }

  close(): void {
    this.targets.close()
  }
}

/** What must be said before the keys are. */
function preamble({ credentials, dbIndex }: Job, selects: boolean): Uint8Array {
  const writer = new RequestWriter()
  if (credentials.length > 0) {
    writer.head(1 + credentials.length)
    writer.word('AUTH')
    for (const word of credentials) writer.bulk(word, 0, word.length)
  }
  if (selects) {
    writer.head(2)
    writer.word('SELECT')
    writer.integer(dbIndex)
  }
  return writer.bytes.slice(0, writer.length)
}

/** The text of an error; undefined if the line is none. */
function refusalIn(line: string): string | undefined {
  return line.startsWith('-') ? line.slice(1) : undefined
}
