/* Replay: does again what an append-only file says, a batch of commands a step.
 *
 * The commands run as those of a client that waits for nothing and gets no replies. Nothing of what surrounds a
 * client's commands applies: no checks, no statistics, nobody watches. Keys past their time stay
 * (Keyspace.keepsExpired): what follows in the file was done while they were there, and it says itself when they went.
 * */
import { Batch } from '../../commands/batch.ts'
import { Call } from '../../commands/call.ts'
import type { Command } from '../../commands/definition.ts'
import { Session, SessionFlag } from '../../commands/session.ts'
import { equalsIgnoreCase } from '../../lib/bytes.ts'
import { type AofReader, Next } from '../../persistence/aof/reader.ts'
import { Reply } from '../../protocol/reply.ts'
import { toText } from '../config/text.ts'
import type { Server } from '../server.ts'

export const ReplayEnd = {
  /** The file has been read to its end. */
  WHOLE: 0,
  /** The file ends within a command. */
  CUT: 1,
  /** The file ends within a transaction, of which nothing has been done. */
  CUT_TRANSACTION: 2,
  /** There is something else than a command. */
  MALFORMED: 3,
  UNKNOWN_COMMAND: 4,
  /** A command answered with an error, and propagation-error-behavior is `panic`. */
  ERROR: 5,
} as const
export type ReplayEnd = (typeof ReplayEnd)[keyof typeof ReplayEnd]

/** Batches between looks at the clock. */
const CLOCK_BATCHES = 64
/** Replies that are errors are logged up to so many. */
const ERRORS_LOGGED_MAX = 10

export class Replay {
  end: ReplayEnd = ReplayEnd.WHOLE
  /** All before this offset has been done. */
  validTo: number
  /** What was not known. */
  unknown = ''
  private readonly server: Server
  private readonly reader: AofReader
  private readonly batch: Batch
  private readonly call: Call
  private batches = 0
  /** Where in the buffer the transaction under way ends; -1 outside of one. */
  private transactionEnd = -1
  private errorsLogged = 0

  constructor(server: Server, reader: AofReader) {
    this.server = server
    this.reader = reader
    this.validTo = reader.offset
    this.batch = new Batch(server.table, server.keyspace.memory)
    const session = new Session(0)
    session.flags |= SessionFlag.DENY_BLOCKING | SessionFlag.REPLAYS
    session.authenticated = true
    this.call = new Call(server.keyspace, session, new Reply())
  }

  /** Does the next commands; false when there are no more, or something is wrong: see `end`. */
  step(): boolean {
    const { reader, batch } = this
    const { decoder } = reader
    if (this.batches++ % CLOCK_BATCHES === 0) this.server.keyspace.setTime(Date.now())
    batch.count = 0
    decoder.first = 0
    for (;;) {
      const next = reader.next()
      if (next !== Next.REQUEST) return this.runBatch() && this.goOn(next)
      if (decoder.argc === 1 && this.isMark()) {
        // It is read again, when what stands before it has been done. (It may have come in two pieces.)
        decoder.at = decoder.requestStart
        if (batch.count > 0) return this.runBatch()
        return this.passMark()
      }
      if (!batch.add(decoder)) return this.runBatch()
    }
  }

  /** What there was has been done, and something else than a request follows. */
  private goOn(next: Next): boolean {
    if (next === Next.MALFORMED) return this.stop(ReplayEnd.MALFORMED)
    if (next === Next.END) return this.stop(ReplayEnd.WHOLE)
    const { atEnd } = this.reader
    return this.reader.refill() || !atEnd || this.stop(ReplayEnd.CUT)
  }

  private stop(end: ReplayEnd): false {
    this.end = end
    return false
  }

  private isWord(word: string): boolean {
    const { bytes, pos, len, first } = this.reader.decoder
    return equalsIgnoreCase(bytes, pos[first]!, len[first]!, word)
  }

  /** Whether the request just read is MULTI or EXEC. */
  private isMark(): boolean {
    return this.isWord('MULTI') || this.isWord('EXEC')
  }

  /** Goes past a MULTI, if its EXEC is in the file, or past an EXEC. */
  private passMark(): boolean {
    const { reader } = this
    const { decoder } = reader
    reader.next()
    if (!this.isWord('MULTI')) {
      if (decoder.at === this.transactionEnd) this.transactionEnd = -1
      this.noteValid()
      return true
    }
    const next = reader.seekExec(decoder.requestStart)
    if (next === Next.MALFORMED) return this.stop(ReplayEnd.MALFORMED)
    if (next === Next.END) return this.stop(ReplayEnd.CUT_TRANSACTION)
    this.transactionEnd = reader.execEnd
    return true
  }

  private noteValid(): void {
    if (this.transactionEnd < 0) this.validTo = this.reader.offset
  }

  /** Runs the requests of the batch; false if one is not known. */
  private runBatch(): boolean {
    const { batch, call, reader } = this
    const { decoder } = reader
    const { count } = batch
    if (count === 0) return true
    batch.prefetch(decoder, call)
    for (let index = 0; index < count; index++) {
      batch.load(index, decoder, call)
      const command = this.resolve()
      if (command === undefined) return this.stop(ReplayEnd.UNKNOWN_COMMAND)
      call.command = command
      command.run(call)
      if (call.reply.length > 0 && !this.dropReply(command)) return this.stop(ReplayEnd.ERROR)
      if (this.transactionEnd < 0) this.validTo = reader.offsetOf(batch.endOf(index))
    }
    return true
  }

  private resolve(): Command | undefined {
    const { call } = this
    const { table } = this.server
    const { bytes, pos, len, argc } = call
    let command = call.command ?? table.lookup(bytes, pos[0]!, len[0]!)
    if (command !== undefined && command.subcommands.length > 0 && argc > 1) {
      command = table.subcommand(command, bytes, pos[1]!, len[1]!)
    }
    if (command !== undefined && argc >= command.leastArgc && argc <= command.mostArgc) return command
    this.unknown = toText(call.string(0, 128))
    return undefined
  }

  /** Nobody gets the reply; but an error says that the file and the data do not fit together. False if that is the
   *  end. */
  private dropReply(command: Command): boolean {
    const { reply } = this.call
    const failed = reply.errors > 0
    if (failed && this.errorsLogged < ERRORS_LOGGED_MAX) {
      this.errorsLogged++
      const text = Buffer.from(reply.lastError!.bytes).toString('latin1').trim()
      this.server.log.warn(`Replaying '${command.fullName}' from the append-only file gave an error: ${toText(text)}`)
    }
    reply.errors = 0
    reply.drop()
    return !failed || this.server.config.choice('propagation-error-behavior') !== 'panic'
  }
}
