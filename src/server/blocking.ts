/* Blocking: clients that wait for keys (BLPOP and its kin), until one of their keys has something for them, their time
 * is up, or somebody unblocks them.
 *
 *   BLPOP finds nothing -> it is copied, its client waits … RPUSH -> key ready -> BLPOP is run again -> reply sent
 *
 * A client that waits is served after the command that made its key ready (after EXEC or the script, if it was in one),
 * in the order in which clients began to wait for that key; keys in the order in which they became ready. Serving one
 * may make further keys ready (BLMOVE pushes): it goes on until none is. What is run again has a call and a reply of
 * its own, since those of the command that was running are still in use. If it has to wait again, its time stays what
 * it was.
 *
 * While nobody waits nothing of this is in anybody's way; who waits costs memory, and changes of the same keys. */
import type { Blocker } from '../commands/blocking.ts'
import { Call } from '../commands/call.ts'
import type { Command } from '../commands/definition.ts'
import { ServerGate } from '../commands/dispatcher.ts'
import { ReplyMode, Session, SessionFlag } from '../commands/session.ts'
import type { Type } from '../keyspace/entry.ts'
import { type Waiter, type WaiterQueue, Waiters } from '../keyspace/waiters.ts'
import { copyBytes, latin1 } from '../lib/bytes.ts'
import { UNBLOCKED } from '../protocol/errors.ts'
import { Reply } from '../protocol/reply.ts'
import type { Connection } from './connection.ts'
import { Deadlines, type Timed } from './deadlines.ts'
import type { Server } from './server.ts'

/** A client that waits, and what it asked for. */
interface BlockedClient extends Waiter, Timed {
  readonly connection: Connection
  readonly command: Command
  readonly request: Request
  /** CLIENT REPLY was not ON: it gets no reply. */
  readonly silent: boolean
}

/** A request's arguments, one behind the other. */
interface Request {
  readonly bytes: Uint8Array
  readonly argc: number
  readonly pos: Int32Array<ArrayBuffer>
  readonly len: Int32Array<ArrayBuffer>
}

/** Nobody waits for more keys than this: the time of such a client is up at once. A Set ends at 16.7M entries. */
const KEYS_MAX = 1_000_000

export class Blocking implements Blocker {
  private readonly server: Server
  private readonly waiters: Waiters<BlockedClient>
  private readonly deadlines = new Deadlines<BlockedClient>((client) => this.timeOut(client))
  /** By client id. */
  private readonly clients = new Map<number, BlockedClient>()
  private readonly call: Call
  private readonly reply = new Reply()
  private serving = false
  /** Whose command is being run again. */
  private rerun: BlockedClient | null = null

  constructor(server: Server) {
    this.server = server
    const { keyspace } = server
    this.waiters = new Waiters<BlockedClient>(keyspace, () => this.keysReady())
    this.call = new Call(keyspace, new Session(0), this.reply)
  }

  /** Connects with the parts of the server that are made later. */
  start(): void {
    const { server } = this
    server.dispatcher.onKeysReady = (call) => this.commandEnded(call)
    server.onSessionEnd((connection) => this.forget(connection))
    const others = server.unblock
    server.unblock = (connection, asError) =>
      this.unblock(connection, asError) || others?.(connection, asError) === true
  }

  /** The client that has been served and whose command is being run again; null if none is. */
  get servedSession(): Session | null {
    return this.rerun === null ? null : this.rerun.connection.session
  }

  /** Clients that wait; those of them whose wait has an end; keys that are waited for. */
  get count(): number {
    return this.clients.size
  }
  get timedCount(): number {
    return this.deadlines.count
  }
  get keyCount(): number {
    return this.waiters.keyCount
  }
  get whenGoneKeyCount(): number {
    return this.waiters.whenGoneKeyCount
  }

  /** Bytes of the arguments of the command with which a client waits; 0 if it does not. */
  requestBytes({ id }: Session): number {
    return this.clients.get(id)?.request.bytes.length ?? 0
  }

  block(
    call: Call,
    type: Type,
    first: number,
    count: number,
    timeoutMs: number,
    whenGone = false,
    replaced?: ReadonlyMap<number, Uint8Array>,
  ): boolean {
    const { session } = call
    if ((session.flags & SessionFlag.DENY_BLOCKING) !== 0 || count > KEYS_MAX) return false
    const connection = this.server.connections.get(session.id)
    if (connection === undefined || call.command === null) return false
    const again = this.rerun?.connection === connection ? this.rerun : null
    const forEver = timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs
    const client: BlockedClient = {
      connection,
      command: call.command,
      request: again?.request ?? copyRequest(call, replaced),
      silent: again?.silent ?? session.replyMode !== ReplyMode.ON,
      db: call.db,
      type,
      whenGone,
      keys: keysOf(call, first, count),
      deadline: again?.deadline ?? forEver,
      place: -1,
    }
    session.blocked = true
    this.clients.set(session.id, client)
    this.waiters.add(client)
    if (client.deadline !== Number.POSITIVE_INFINITY) this.deadlines.add(client)
    return true
  }

  /** A key is ready: those who wait for it are served when the command that runs now has ended. */
  private keysReady(): void {
    const { dispatcher, wire } = this.server
    dispatcher.gates |= ServerGate.KEYS_READY
    // A key may go without any command, when it runs out of time.
    if (wire.end === 0 && !this.serving) setImmediate(() => this.serveSoon())
  }

  private serveSoon(): void {
    this.server.dispatcher.begin()
    this.serve()
  }

  /** A command has ended while keys are ready. Those of a transaction or a script are not yet the end. */
  private commandEnded(call: Call): void {
    if ((call.session.flags & SessionFlag.DENY_BLOCKING) === 0) this.serve()
  }

  private serve(): void {
    if (this.serving) return
    this.serving = true
    const { dispatcher, keyspace } = this.server
    const { noTouch } = keyspace
    const monitored = dispatcher.gates & ServerGate.MONITORED
    dispatcher.gates &= ~ServerGate.MONITORED // monitors have seen the commands when they came
    for (let ready = this.waiters.takeReady(); ready.length > 0; ready = this.waiters.takeReady()) {
      for (const queue of ready) this.serveKey(queue)
    }
    dispatcher.gates &= ~ServerGate.KEYS_READY
    dispatcher.gates |= monitored
    keyspace.noTouch = noTouch
    this.serving = false
  }

  private serveKey(queue: WaiterQueue<BlockedClient>): void {
    this.waiters.begin(queue)
    // Who has to wait again stands at the end of the queue, and must not be served over and over.
    let left = queue.waiters.size
    for (const client of queue.waiters) {
      if (left-- === 0 || this.waiters.isVoid(queue)) return
      if (this.waiters.isServed(queue, client)) this.runAgain(client)
    }
  }

  private runAgain(client: BlockedClient): void {
    const { connection, request } = client
    const { session } = connection
    const { call, reply, server } = this
    const { dispatcher, keyspace } = server
    this.release(client)
    session.blocked = false
    call.session = session
    call.db = keyspace.databases[session.dbIndex]!
    call.bytes = request.bytes
    call.argc = request.argc
    call.pos = request.pos
    call.len = request.len
    call.command = null
    reply.version = session.version
    keyspace.noTouch = (session.flags & SessionFlag.NO_TOUCH) !== 0
    this.rerun = client
    connection.writing = reply
    const done = dispatcher.dispatch(call)
    connection.writing = null
    this.rerun = null
    // Held back by a pause: it is run when that ends, before what the client has sent since.
    if (!done) return connection.unread(encodeRequest(request))
    if (!session.blocked) return this.finish(client)
    connection.flush(reply) // no reply yet; but the command may have caused pushes
    connection.releasePushes()
  }

  /** The client waits no more. */
  private release(client: BlockedClient): void {
    this.waiters.remove(client)
    this.deadlines.remove(client)
    this.clients.delete(client.connection.session.id)
  }

  /** Sends what has been replied to a client, and lets it go on. */
  private finish({ connection, silent }: BlockedClient): void {
    if (silent) this.reply.drop()
    else connection.flush(this.reply)
    connection.releasePushes()
    connection.release()
  }

  private timeOut(client: BlockedClient): void {
    this.server.dispatcher.begin()
    this.release(client)
    this.reply.version = client.connection.session.version
    this.reply.nullArray()
    this.book(client)
    this.finish(client)
  }

  /** Ends a client's wait as if its time were up, or with an error; false if it does not wait here. */
  private unblock(connection: Connection, asError: boolean): boolean {
    const client = this.clients.get(connection.session.id)
    if (client === undefined) return false
    this.release(client)
    const { statistics } = this.server.dispatcher
    this.reply.version = connection.session.version
    if (asError) {
      this.reply.error(UNBLOCKED)
      statistics.recordError(UNBLOCKED.code)
      statistics.failed[client.command.id]!++
    } else this.reply.nullArray()
    this.book(client)
    this.finish(client)
    return true
  }

  /** Counts a command that ended without being run again. */
  private book(client: BlockedClient): void {
    const { statistics } = this.server.dispatcher
    statistics.lapUs[0] = 0
    statistics.record(client.command.id)
  }

  private forget(connection: Connection): void {
    const client = this.clients.get(connection.session.id)
    if (client !== undefined) this.release(client)
  }

  close(): void {
    this.deadlines.close()
  }
}

function keysOf(call: Call, first: number, count: number): string[] {
  const keys = new Set<string>()
  for (let index = first; index < first + count; index++)
    keys.add(latin1(call.bytes, call.posOf(index), call.lenOf(index)))
  return [...keys]
}

/** A copy of the arguments, some of which may be `replaced`. */
function copyRequest(call: Call, replaced?: ReadonlyMap<number, Uint8Array>): Request {
  const { argc } = call
  const pos = new Int32Array(argc)
  const len = call.len.slice(0, argc)
  for (const [index, argument] of replaced ?? []) len[index] = argument.length
  let size = 0
  for (let index = 0; index < argc; index++) {
    pos[index] = size
    size += len[index]!
  }
  const bytes = new Uint8Array(size)
  for (let index = 0; index < argc; index++) {
    const argument = replaced?.get(index)
    if (argument === undefined) copyBytes(call.bytes, call.posOf(index), bytes, pos[index]!, len[index]!)
    else copyBytes(argument, 0, bytes, pos[index]!, argument.length)
  }
  return { bytes, argc, pos, len }
}

/** The request as it would be sent. */
function encodeRequest({ bytes, argc, pos, len }: Request): Uint8Array {
  const parts = [Buffer.from(`*${argc}\r\n`)]
  for (let index = 0; index < argc; index++) {
    const start = pos[index]!
    parts.push(Buffer.from(`$${len[index]!}\r\n`), Buffer.from(bytes.slice(start, start + len[index]!)), CRLF)
  }
  return new Uint8Array(Buffer.concat(parts))
}

const CRLF = Buffer.from('\r\n')
