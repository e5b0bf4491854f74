/* Connection: a client's socket, and the way of its bytes through the server.
 *
 *   socket -> shared read buffer -> decoder -> dispatcher -> reply -> one write at the end of the turn
 *      |            `-> Input, when a request is cut or the client must wait
 *      `------------------^       the rest of a long argument
 *
 * What is accepted is a bare handle, and libuv reads into the shared buffer: no Buffer and no event per read, 1 µs
 * less per request than 'data' events (native-handles.ts). */
import type { Batch } from '../commands/batch.ts'
import type { Call } from '../commands/call.ts'
import { ServerGate } from '../commands/dispatcher.ts'
import { Gate, ReplyMode, type Session, SessionFlag } from '../commands/session.ts'
import { COMPLETE, Decoder, EMPTY, FAILED, INCOMPLETE } from '../protocol/decoder.ts'
import { protocolError } from '../protocol/errors.ts'
import type { Reply } from '../protocol/reply.ts'
import { BUFFER_SIZE, dropBuffer, ReplyBuffer } from '../protocol/reply-buffer.ts'
import { CONNECTION_SIZE, sessionSize } from './client-memory.ts'
import { Input, REQUEST_SIZE_MAX } from './input.ts'
import {
  type Handle,
  isLoopback,
  type Link,
  openLink,
  peerName,
  type Reader,
  Written,
  write,
} from './native-handles.ts'
import { Output, SharedRange } from './output.ts'
import type { Server } from './server.ts'

/** What all connections of a server read into and write from. */
export interface Wire {
  readonly bytes: Uint8Array
  readonly decoder: Decoder
  readonly reply: Reply
  readonly call: Call
  readonly batch: Batch
  /** Bytes of which the running client's requests are a part; 0 while none runs. */
  end: number
}

/** How long one client's requests may keep the others waiting, in milliseconds. */
const TURN_MS_MAX = 2

/** Sending more than this takes long enough to count for the longest run of commands. */
const LONG_REPLY = 64 * 1024

/** A reply of so many bytes does not wait for the end of the turn. */
const SENT_AT_ONCE_MIN = 32 * 1024

/** A client that has sent nothing for so long needs no buffer of its own. */
const IDLE_MS = 2000

/** Messages of so many bytes are not gathered any longer. */
const GATHERED_MAX = 8 * 1024

const CLOSING = SessionFlag.CLOSE_AFTER_REPLY | SessionFlag.CLOSE_NOW

export class Connection implements Reader {
  readonly session: Session
  createdAt: number
  lastInteraction: number
  bytesRead = 0
  private readonly server: Server
  private readonly handle: Handle
  private readonly link: Link
  private input: Input | null = null
  /** Where the next read lands, in the input's bytes; null: in the shared buffer. While it is set, nobody but
   *  `received` may touch the input: the handle knows the address only. */
  private direct: Uint8Array | null = null
  /** What is to be sent at the end of the turn. */
  private readonly output = new Output()
  private queued = false
  /** Whether the outbox has this connection among those with messages. */
  private pushedTo = false
  /** Waits for the next turn with part of what it sent. */
  private yielded = false
  /** Whether requests are being executed that lie in the input. */
  private servesInput = false
  /** Reads of this turn that filled the read buffer. */
  private fullReads = 0
  closed = false
  /** Writes that the kernel has not taken whole. */
  pendingWrites = 0
  /** What the replies of this client's requests are being written to; null while none is served. */
  writing: Reply | null = null
  /** Pushes that wait for the running command to end. */
  private held: Uint8Array[] | null = null
  private heldSize = 0
  /** `pendingOutput` when Limits last looked; since when, in seconds, it has been over the soft limit. */
  pendingSeen = 0
  softLimitSince = 0
  private peerText = ''
  private localText = ''

  constructor(server: Server, session: Session, handle: Handle) {
    this.server = server
    this.session = session
    this.handle = handle
    this.createdAt = server.keyspace.now
    this.lastInteraction = this.createdAt
    this.link = openLink(handle, server.wire.bytes, this)
  }

  /** Bytes waiting for the peer to read them. */
  get pendingOutput(): number {
    if (this.closed) return 0
    return this.pendingWrites === 0 ? this.output.size : this.handle.writeQueueSize + this.output.size
  }
  /** Pieces of memory that they lie in. */
  get pendingPieces(): number {
    return this.pendingWrites + this.output.count
  }
  /** Bytes received and not yet executed, and the room for them. */
  get inputLength(): number {
    return this.input === null ? 0 : this.input.pendingLength
  }
  get inputCapacity(): number {
    return this.input === null ? 0 : this.input.bytes.length
  }

  /** Bytes that this client took when it was last measured, and what of these lies in reply buffers and in the arena,
   *  which are counted for themselves. */
  memory = 0
  private buffered = 0
  /** Of the buffers of `pendingWrites`: bytes to be sent, and room that no reply filled. */
  private flying = 0
  private unfilled = 0

  /** Works out anew what this client takes. */
  measure(): void {
    const { clientMemory, eviction, pubsub } = this.server
    const { output } = this
    const sent = this.pendingOutput - output.size
    const fixed = CONNECTION_SIZE + this.inputCapacity + sessionSize(this.session) + pubsub.sizeOf(this)
    const bytes = this.closed ? 0 : fixed + sent + this.unfilled + output.held
    const lent = this.input !== null && this.input.block !== null ? this.inputCapacity : 0
    const buffered = this.closed ? 0 : Math.min(this.flying, sent) + this.unfilled + output.held - output.plain + lent
    clientMemory.bytes += bytes - this.memory
    clientMemory.buffered += buffered - this.buffered
    this.memory = bytes
    this.buffered = buffered
    eviction.clientsChanged()
  }

  /** The kernel has taken all that it was given. */
  private landed(): void {
    this.flying = 0
    this.unfilled = 0
    if (!this.closed) this.measure()
  }

  /** Whether there is, or was, more to measure than the connection itself. */
  private get isLarge(): boolean {
    const { watcher, queue, tracking, channelCount, patternCount, shardChannelCount } = this.session
    if (this.input !== null || this.memory !== CONNECTION_SIZE) return true
    if (watcher !== null || queue !== null || tracking !== null) return true
    return channelCount + patternCount + shardChannelCount > 0
  }

  /** `address:port` of the other end, or of ours. Asked of the system when it is first wanted. */
  get peer(): string {
    return (this.peerText ||= this.nameOf(false))
  }
  get local(): string {
    return (this.localText ||= this.nameOf(true))
  }

  private nameOf(own: boolean): string {
    const isUnix = (this.session.flags & SessionFlag.UNIX_SOCKET) !== 0
    return (isUnix ? `${this.server.listener.unixSocket}:0` : peerName(this.handle, own)) || '?:0'
  }

  /** Whether the client is on this machine. */
  get isLocal(): boolean {
    return (this.session.flags & SessionFlag.UNIX_SOCKET) !== 0 || isLoopback(this.peer)
  }

  /** The file descriptor. */
  get fd(): number {
    return this.closed ? -1 : (this.handle.fd ?? -1)
  }

  /** The first bytes of what was received and not executed. */
  inputSample(lenMax: number): Uint8Array {
    if (this.input === null) return new Uint8Array(0)
    const { bytes, len, decoder } = this.input
    return bytes.slice(decoder.requestStart, Math.min(len, decoder.requestStart + lenMax))
  }

  /** The client has authenticated: what else it has sent is held to the common limits. */
  unrestrict(): void {
    this.server.wire.decoder.restricted = false
    if (this.input !== null) this.input.decoder.restricted = false
  }

  /** The client must authenticate again: what else it has sent is held to the limits of strangers. */
  restrict(): void {
    this.server.wire.batch.cut()
  }

  /** So many bytes have been read; answers the buffer for the next ones if it is another one. */
  received(len: number): Uint8Array | undefined {
    if (this.closed || (this.session.flags & CLOSING) !== 0) return undefined
    const { wire, stats } = this.server
    const { direct } = this
    this.bytesRead += len
    stats.bytesRead += len
    stats.reads++
    this.direct = null
    if (direct !== null) {
      this.input!.filled(len)
      if (len === direct.length) this.serveInput()
    } else if ((this.input === null || this.input.len === 0) && !this.session.blocked) {
      const decoder = wire.decoder
      decoder.reset(0)
      decoder.restricted = (this.session.gates & Gate.UNAUTHENTICATED) !== 0
      const start = this.serve(decoder, wire.bytes, len)
      if (start < len && !this.closed) this.keep(decoder, wire.bytes, start, len)
    } else {
      this.input ??= this.makeInput()
      this.input.append(wire.bytes, 0, len)
      if (!this.session.blocked && !this.yielded) this.serveInput()
    }
    if (this.input !== null && this.isTooLong(this.input)) this.server.limits.refuseQueryBuffer(this)
    if (len === (direct ?? wire.bytes).length) this.countFullRead()
    else this.fullReads = 0
    if (this.isLarge) this.measure()
    this.server.clientMemory.enforce()
    if (this.closed || this.input === null || this.input.len === 0) return direct === null ? undefined : wire.bytes
    return this.chooseBuffer(direct !== null)
  }

  private chooseBuffer(wasDirect: boolean): Uint8Array | undefined {
    const isWaiting = this.session.blocked || this.yielded || (this.session.flags & CLOSING) !== 0
    this.direct = isWaiting ? null : this.input!.room()
    return this.direct ?? (wasDirect ? this.server.wire.bytes : undefined)
  }

  /** libuv goes on reading at once, up to 8 MB: only as long as what was read so far kept nobody waiting. (Bytes of
   *  large values take little time, and half of that if they are read without a break.) */
  private countFullRead(): void {
    const isShareUsed = ++this.fullReads * this.server.dispatcher.elapsedMs > TURN_MS_MAX
    if (isShareUsed && !this.yielded && !this.closed) this.yieldTurn()
  }

  /** Whether a request is too long to wait for its rest. As in Redis, arguments that have come whole do not count. */
  private isTooLong({ len, decoder }: Input): boolean {
    return len - decoder.at > this.server.queryBufferMax || len > REQUEST_SIZE_MAX
  }

  /** Keeps the beginning of a request until the rest comes. */
  private keep(decoder: Decoder, bytes: Uint8Array, start: number, end: number): void {
    this.input ??= this.makeInput()
    this.input.decoder.adopt(decoder, start)
    // Where clients have a limit, what is announced counts at once.
    this.input.begin(bytes.subarray(start, end), this.server.clientMemory.limit !== Number.POSITIVE_INFINITY)
  }

  private makeInput(): Input {
    // Where clients have a limit, what they send counts as theirs until it has been executed.
    const { clientMemory, keyspace } = this.server
    return new Input(new Decoder(), clientMemory.limit === Number.POSITIVE_INFINITY ? keyspace : null)
  }

  /** Goes on with what was kept: more has come, or the client need not wait any more. */
  serveInput(): void {
    const input = this.input
    if (input === null) return
    input.decoder.bulkLenMax = this.server.wire.decoder.bulkLenMax
    input.decoder.restricted = (this.session.gates & Gate.UNAUTHENTICATED) !== 0
    const { strings } = this.server.keyspace
    strings.offered = input.block
    this.servesInput = true
    const start = this.serve(input.decoder, input.bytes, input.len)
    this.servesInput = false
    strings.offered = null
    if (this.closed) return input.drop()
    // A long backlog takes many turns: were the rest of it moved in each, that would take quadratic time.
    if (this.yielded && !this.session.blocked && start < input.len - start) return
    input.consume(start)
    input.decoder.rebase(start)
    if (input.len === 0 && input.bytes.length === 0) this.input = null
  }

  /** Whether a read is under way that lands right in its place: nothing may be read past it. */
  get awaitsDirectRead(): boolean {
    return this.direct !== null
  }

  /** As `received`, while a script keeps the loop: `execute` is given what is whole, one request after the other. A
   *  client that waits for something else goes on waiting. */
  receiveWhileBusy(bytes: Uint8Array, len: number, execute: (decoder: Decoder) => void): void {
    const { session, server } = this
    if (this.closed || (session.flags & CLOSING) !== 0) return
    this.bytesRead += len
    server.stats.bytesRead += len
    server.stats.reads++
    this.input ??= this.makeInput()
    const { input } = this
    const { decoder } = input
    input.append(bytes, 0, len)
    if (session.blocked || this.yielded) return
    decoder.bulkLenMax = server.wire.decoder.bulkLenMax
    let start = decoder.requestStart
    while (decoder.at < input.len && !this.closed && (session.flags & CLOSING) === 0) {
      decoder.restricted = (session.gates & Gate.UNAUTHENTICATED) !== 0
      decoder.first = 0
      const state = decoder.decode(input.bytes, input.len)
      if (state === INCOMPLETE) break
      start = decoder.at
      if (state === COMPLETE) execute(decoder)
      else if (state === FAILED) {
        if (!this.isSilenced) this.send(protocolError(decoder.error).bytes)
        session.flags |= SessionFlag.CLOSE_AFTER_REPLY
      }
    }
    if (this.closed) return
    if ((session.flags & CLOSING) !== 0) return this.closeAfterReply()
    input.consume(start)
    decoder.rebase(start)
    if (this.isTooLong(input)) server.limits.refuseQueryBuffer(this)
  }

  /** Executes the requests in bytes[decoder.at … end) and sends the replies; returns where the first one begins that
   *  could not be executed: it is cut, or must wait. */
  private serve(decoder: Decoder, bytes: Uint8Array, end: number): number {
    const { wire, dispatcher, keyspace } = this.server
    const { call, reply } = wire
    const session = this.session
    call.session = session
    call.db = keyspace.databases[session.dbIndex]!
    reply.version = session.version
    keyspace.noTouch = (session.flags & SessionFlag.NO_TOUCH) !== 0
    wire.end = end
    this.writing = reply
    dispatcher.begin()
    this.lastInteraction = keyspace.now
    let start = decoder.requestStart
    while (decoder.at < end && !session.blocked && (session.flags & CLOSING) === 0) {
      const state = this.gather(decoder, bytes, end)
      start = this.executeBatch(decoder, start)
      if (wire.batch.isCut) {
        wire.batch.isCut = false
        decoder.reset(start)
        decoder.restricted = (session.gates & Gate.UNAUTHENTICATED) !== 0
        continue
      }
      if (session.blocked || (session.flags & CLOSING) !== 0 || state === INCOMPLETE) break
      if (state === EMPTY) {
        start = decoder.at
        if (session.replyMode === ReplyMode.SKIP) this.replyAgain()
      } else if (state === FAILED) {
        this.failProtocol(decoder.error, bytes, start, end)
        start = end
      }
      if (start < end && dispatcher.elapsedMs > TURN_MS_MAX) {
        this.yieldTurn()
        break
      }
    }
    if (session.blocked || this.yielded) decoder.reset(start)
    if ((dispatcher.gates & ServerGate.INVALIDATIONS_HELD) !== 0) dispatcher.onInvalidationsHeld?.()
    if (this.held !== null) this.releasePushes()
    const timed = reply.length > LONG_REPLY
    this.flush(reply)
    this.writing = null
    wire.end = 0
    dispatcher.end(timed)
    if (this.server.appendOnly.hasUnwritten) this.server.outbox.schedule()
    if ((session.flags & CLOSING) !== 0) this.closeAfterReply()
    return start
  }

  /** The client has had its share of this turn: the rest of what it sent waits for the next one, and nothing more is
   *  read from it meanwhile. */
  private yieldTurn(): void {
    this.yielded = true
    this.fullReads = 0
    this.link.pause()
    setImmediate(this.afterYield)
  }

  private readonly afterYield = (): void => {
    this.yielded = false
    if (this.closed) return
    if (!this.session.blocked) this.serveInput()
    if (!this.yielded && !this.closed) this.link.resume()
  }

  /** Decodes requests into the batch until it is full or something comes that must be looked at alone; returns the
   *  decoder's last answer. */
  private gather(decoder: Decoder, bytes: Uint8Array, end: number): number {
    const { batch } = this.server.wire
    batch.count = 0
    decoder.first = 0
    let state: number
    do {
      state = decoder.decode(bytes, end)
      if (state !== COMPLETE) break
      if (!batch.add(decoder) || decoder.at >= end) break
      // An inline request may have bytes of its own, and what comes before AUTH decides how what follows is read.
    } while (decoder.bytes === bytes && !decoder.restricted)
    return state
  }

  /** Executes the batch; returns where the first request begins that was not executed. */
  private executeBatch(decoder: Decoder, from: number): number {
    const { call, batch } = this.server.wire
    const { dispatcher, transactions } = this.server
    const session = this.session
    const count = batch.count
    if (count > 1) {
      batch.prefetch(decoder, call)
      dispatcher.setPipelined(call, true)
      // (A client's own input may be in a block that one of its commands takes over.)
      if (decoder === this.server.wire.decoder) transactions.lend(decoder.bytes)
    }
    let start = from
    for (let index = 0; index < batch.count; index++) {
      batch.load(index, decoder, call)
      if ((session.gates & Gate.REPLY) !== 0) {
        if (!this.dispatchSilenced(call)) break
      } else if (!dispatcher.dispatch(call)) break
      start = batch.endOf(index)
      session.commandCount++
      if (session.blocked || (session.flags & CLOSING) !== 0) break
    }
    if (count > 1) {
      dispatcher.setPipelined(call, false)
      transactions.endLoan(session)
    }
    if (count > 0) session.lastCommand = call.command
    return start
  }

  /** As dispatch, for a client that turned replies off. */
  private dispatchSilenced(call: Call): boolean {
    const { session, reply } = call
    const mark = reply.length
    const mode = session.replyMode
    if (!this.server.dispatcher.dispatch(call)) return false
    // The command that turns replies on again is itself answered.
    if (session.replyMode !== ReplyMode.ON) {
      reply.truncate(mark)
      if (this.held !== null) this.releasePushes()
    }
    if (mode === ReplyMode.SKIP && session.replyMode === ReplyMode.SKIP) this.replyAgain()
    else if (session.replyMode === ReplyMode.SKIP_NEXT) session.replyMode = ReplyMode.SKIP
    return true
  }

  /** What CLIENT REPLY SKIP was said for has passed: a request of no arguments counts, as in Redis. */
  private replyAgain(): void {
    this.session.replyMode = ReplyMode.ON
    this.session.gates &= ~Gate.REPLY
  }

  private failProtocol(text: string, bytes: Uint8Array, pos: number, end: number): void {
    const error = protocolError(text)
    if (this.session.replyMode === ReplyMode.ON) this.server.wire.reply.error(error)
    this.server.dispatcher.statistics.recordError(error.code)
    this.server.limits.protocolFailed(this, text, bytes, pos, end)
    this.session.flags |= SessionFlag.CLOSE_AFTER_REPLY
  }

  /** Sends what a reply holds. */
  flush(reply: Reply): void {
    const len = reply.length
    if (len === 0) return
    if (this.closed || (this.session.flags & SessionFlag.CLOSE_NOW) !== 0) return reply.drop()
    const { limits } = this.server
    if ((len > limits.replySizeMin || reply.overflowed) && !limits.replyGrew(this, reply)) return reply.drop()
    this.server.stats.bytesWritten += len
    if (reply.isSpilled) for (const chunk of reply.takeChunks()) this.output.addReply(chunk)
    else this.output.addReply(reply.takeBuffer())
    if (len > BUFFER_SIZE) this.measure()
    if (!this.queued) this.announce()
  }

  /** Sees to it that what is queued is sent at the end of the turn. A client that is alone need not wait for it, and a
   *  long reply should not: its buffer is free for the next one while it is still in the processor's cache. */
  private announce(): void {
    this.queued = true
    const { connections, outbox, appendOnly } = this.server
    const isLong = this.output.size >= SENT_AT_ONCE_MIN && !appendOnly.hasUnwritten
    if (isLong || connections.size === 1) this.flushOutput()
    else outbox.add(this)
  }

  /** Sends what is queued. While the kernel has not taken what it was given before, that waits: gathered here it takes
   *  less memory than as writes of its own. */
  flushOutput(): void {
    if (!this.server.appendOnly.beforeSending()) return
    this.queued = false
    if (this.pendingWrites > 0) {
      this.output.settle()
      this.measure()
      this.server.limits.outputGrew(this)
    } else this.sendOutput()
  }

  private sendOutput(): void {
    const { output } = this
    const { first, shared } = output
    output.size = 0
    output.plain = 0
    output.held = 0
    const more = output.takeMore()
    if (first !== null) {
      output.first = null
      this.writeBuffer(first, first.view())
    } else if (shared !== null) {
      const buffer = output.takeShared(shared)
      this.writeBuffer(buffer, output.view)
    }
    for (const piece of more) {
      if (piece instanceof ReplyBuffer) this.writeBuffer(piece, piece.view())
      else if (piece instanceof SharedRange) this.writeBuffer(piece.buffer, piece.view())
      else this.write(piece, null)
    }
  }

  /** Sends (a part of) a buffer, which is given back when the kernel has all of it. */
  private writeBuffer(buffer: ReplyBuffer, view: Uint8Array): void {
    if (this.write(view, buffer) !== Written.LATER) dropBuffer(buffer)
  }

  private readonly written = (error: string | undefined, buffer: ReplyBuffer | null): void => {
    this.pendingWrites--
    if (buffer !== null) dropBuffer(buffer)
    if (this.pendingWrites === 0) this.landed()
    if (error !== undefined) this.close()
    else if (this.pendingWrites === 0 && !this.queued && !this.pushedTo && !this.closed) this.sendOutput()
  }

  private write(bytes: Uint8Array, buffer: ReplyBuffer | null): Written {
    if (this.closed) return Written.FAILED
    this.server.stats.writes++
    const written = write(this.handle, bytes, buffer, this.written)
    if (written === Written.LATER) {
      this.pendingWrites++
      if (buffer !== null) this.flying += bytes.length
      if (buffer !== null && buffer.users === 0) this.unfilled += buffer.bytes.length - buffer.len
      this.measure()
      this.server.limits.outputGrew(this)
    } else if (written === Written.FAILED) this.close()
    return written
  }

  /** Sends bytes outside of the client's own turn: pushes, messages, the replies of a client that was blocked.
   *  They must not change afterwards. */
  send(bytes: Uint8Array): void {
    if (this.closed) return
    this.server.stats.bytesWritten += bytes.length
    this.output.addBytes(bytes)
    if (!this.queued) this.announce()
  }

  /** Sends a push (a message, an invalidation): never in the midst of a reply, and to a client that turned replies off
   *  all the same. What a client's own command causes comes behind its reply; EXEC and scripts are one command.
   *  `bytes` must not change afterwards. */
  push(bytes: Uint8Array): void {
    if (this.closed || (this.session.flags & CLOSING) !== 0) return
    if (this.writing === null) {
      this.send(bytes)
      this.server.limits.pushed(this)
      return
    }
    if (this.held === null) {
      this.held = []
      this.heldSize = 0
      this.server.pushes.hold(this)
    }
    this.held.push(bytes)
    this.heldSize += bytes.length
    if (this.heldSize > this.server.limits.replySizeMin) this.server.limits.heldGrew(this, this.heldSize)
  }

  /** As `push`, of bytes [from, to) of a buffer that others are sent as well. */
  pushShared(buffer: ReplyBuffer, from: number, to: number): void {
    if (this.closed || (this.session.flags & CLOSING) !== 0) return
    if (this.writing !== null) return this.push(buffer.bytes.slice(from, to))
    const { output, server } = this
    server.stats.bytesWritten += to - from
    output.addShared(buffer, from, to)
    const { outbox } = server
    outbox.pushes++
    if (this.pendingWrites > 0 || output.size > server.limits.replySizeMin) server.limits.pushed(this)
    else if (output.size > GATHERED_MAX) outbox.pressing = true
    // (While some part of a shared buffer is in use, all of it is.)
    if (2 * to > buffer.bytes.length) outbox.pressing = true
    if (this.queued || this.pushedTo || this.closed) return
    this.pushedTo = true
    outbox.addPushed(this)
  }

  /** Sends messages, unless something else has taken them along. */
  flushPushed(): void {
    this.pushedTo = false
    if (!this.queued && !this.output.isEmpty) this.flushOutput()
  }

  /** The running command has ended, and with it what its pushes waited for. */
  releasePushes(): void {
    const { held, writing } = this
    if (held === null) return
    this.held = null
    for (const bytes of held) {
      if (writing === null) this.send(bytes)
      else writing.raw(bytes)
    }
  }

  /** Whether what a command now replies will be thrown away. */
  get isSilenced(): boolean {
    return this.session.replyMode !== ReplyMode.ON
  }

  /** Lets a blocked client go on with what it has sent since: soon, for others' commands may be running. */
  resume(): void {
    this.server.resumption.add(this)
  }

  /** A client that waited for keys need not any more. */
  release(): void {
    const isRunning = this.server.wire.end > 0 && this.server.wire.call.session === this.session
    this.session.blocked = this.input !== null || isRunning
    if (this.session.blocked) this.resume()
  }

  /** Puts a request in front of what has been received: it is to be executed when the client goes on. */
  unread(request: Uint8Array): void {
    const input = new Input(new Decoder())
    input.append(request, 0, request.length)
    if (this.input !== null) {
      input.append(this.input.bytes, 0, this.input.len)
      this.input.drop()
    }
    this.input = input
  }

  /** Goes on, if nothing else runs. */
  goOn(): void {
    this.session.blocked = false
    this.serveInput()
  }

  /** Closes when what was written has been sent; what the client sends meanwhile is not read. */
  closeAfterReply(): void {
    if ((this.session.flags & SessionFlag.CLOSE_NOW) !== 0) {
      this.close()
      return
    }
    this.session.flags |= SessionFlag.CLOSE_AFTER_REPLY
    if (!this.server.appendOnly.beforeSending()) return this.close()
    this.sendOutput()
    const isSent = this.pendingOutput === 0
    this.link.closeWhenSent()
    if (isSent) this.forget()
  }

  /** Closes at once; what has not been sent is lost. */
  close(): void {
    this.link.close()
    this.forget()
  }

  /** The peer sends no more: it gets what is queued, and no more than the kernel takes at once. */
  ended(): void {
    if (this.server.appendOnly.beforeSending()) this.sendOutput()
    this.close()
  }

  /** As `ended`, while a script keeps the loop: what the client has sent that waits for the next turn comes first. */
  endedWhileBusy(): void {
    if (!this.yielded) this.ended()
  }

  /** Nothing can be sent or received any more. */
  lost(): void {
    this.close()
  }

  private forget(): void {
    if (this.closed) return
    this.closed = true
    this.session.flags |= SessionFlag.CLOSE_NOW // what else of a pipeline has come is not executed
    if (!this.servesInput) this.input?.drop() // else what runs still reads it, and drops it then
    this.input = null
    this.output.clear()
    this.measure()
    this.server.disconnected(this)
  }

  /** The system's clock has jumped: this client is no older for that, nor idle for longer. */
  clockJumped(jumpMs: number): void {
    this.createdAt += jumpMs
    this.lastInteraction += jumpMs
    if (this.softLimitSince > 0) this.softLimitSince += Math.round(jumpMs / 1000)
  }

  /** Gives back idle memory; called by the cron. */
  shrink(): void {
    if (this.input === null || this.direct !== null) return
    const isIdle = this.server.keyspace.now - this.lastInteraction > IDLE_MS
    if (isIdle && this.input.len === 0) {
      this.input.drop()
      this.input = null
    } else this.input.shrink()
    this.measure()
  }
}
