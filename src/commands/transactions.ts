/* Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
 *
 *   MULTI -> OK    SET k v -> QUEUED    INCR n -> QUEUED    EXEC -> the replies, in an array
 *
 * Between MULTI and EXEC the session's gate sends every command to `queue`, which copies its bytes (transactions/
 * queue.ts). One that is refused meanwhile spoils the transaction: EXEC answers EXECABORT. A watched key that has
 * changed (transactions/watched-keys.ts) makes it answer null. Errors of commands that run are theirs alone.
 *
 * What is queued runs in one go, in a call of its own: nobody else is served, time stands still, nothing waits. */
import type { Keyspace } from '../keyspace/keyspace.ts'
import {
  DISCARD_WITHOUT_MULTI,
  type ErrorReply,
  EXEC_ABORTED,
  EXEC_WITHOUT_MULTI,
  execAbortedBecause,
  NESTED_MULTI,
  noLongerAllowed,
  WATCH_INSIDE_MULTI,
} from '../protocol/errors.ts'
import { Reply } from '../protocol/reply.ts'
import { type Queue, QueuePool } from '../transactions/queue.ts'
import { WatchedKeys, Watcher } from '../transactions/watched-keys.ts'
import { Call } from './call.ts'
import { type Command, type CommandGroup, Flag, group, key, many } from './definition.ts'
import { type Dispatcher, ServerGate, type TransactionQueue } from './dispatcher.ts'
import { Gate, ReplyMode, Session, SessionFlag } from './session.ts'

export class Transactions implements TransactionQueue {
  readonly watched: WatchedKeys
  /** Told of a client whose queue has grown beyond what it may hold. */
  onTooLong: ((session: Session) => void) | null = null
  /** Bytes that a queue may hold. */
  sizeMax = Number.POSITIVE_INFINITY
  private readonly keyspace: Keyspace
  private readonly pool = new QueuePool()
  /** What queued commands run in. */
  private readonly nested: Call
  /** The queue whose commands are running: nobody else may have it yet, even if its client goes meanwhile. */
  private executing: Queue | null = null
  private dispatcher: Dispatcher | null = null
  /** Bytes that stay as they are until `endLoan`. */
  private lent: Uint8Array | null = null

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace
    this.watched = new WatchedKeys(keyspace)
    this.nested = new Call(keyspace, new Session(0), new Reply())
  }

  /** Connects with the dispatcher, which is made later. */
  start(dispatcher: Dispatcher): void {
    this.dispatcher = dispatcher
    dispatcher.transactions = this
  }

  /** Takes a command that is to wait for EXEC. One of a transaction that has failed already need not be kept. */
  queue(call: Call, command: Command): void {
    const { session } = call
    const { keyspace } = this
    call.reply.queued()
    if ((session.flags & SessionFlag.SPOILED) !== 0 || session.watcher?.changed === true) return
    session.queue ??= this.pool.take()
    const { queue } = session
    const isHinted = keyspace.hintBytes === call.bytes && keyspace.hintPos === call.pos[command.firstKey]
    const { bytes } = call
    queue.add(command.id, bytes, call.pos, call.len, call.argc, isHinted, keyspace.hintHash, bytes === this.lent)
    session.queuedCount++
    const flags = command.flagsFor(call)
    session.queuedFlags |= flags
    session.queuedLacks |= ~flags
    if (queue.memoryBytes > this.sizeMax) this.onTooLong?.(session)
  }

  /** Commands in these bytes need not be copied as yet. */
  lend(bytes: Uint8Array): void {
    this.lent = bytes
  }

  /** The bytes are about to change; whatever they brought was this session's. */
  endLoan(session: Session): void {
    this.lent = null
    session.queue?.settle()
  }

  /** A command has been refused: EXEC will be too. EXEC itself ends the transaction. */
  spoil(call: Call, command: Command | null, error: ErrorReply): ErrorReply {
    const { session } = call
    session.flags |= SessionFlag.SPOILED
    if (command === null || command.name !== 'exec') return error
    this.discard(session)
    const dispatcher = this.dispatcher!
    if ((dispatcher.gates & ServerGate.MONITORED) !== 0) dispatcher.onMonitored?.(call, command)
    return execAbortedBecause(error)
  }

  /** Ends a transaction without running it; watches nothing any more. */
  discard(session: Session): void {
    const { queue, watcher } = session
    if (queue !== null) {
      session.queue = null
      if (queue !== this.executing) this.pool.give(queue)
    }
    session.queuedCount = -1
    session.queuedFlags = 0
    session.queuedLacks = 0
    session.gates &= ~Gate.MULTI
    session.flags &= ~SessionFlag.SPOILED
    if (watcher === null) return
    this.watched.unwatch(watcher)
    watcher.changed = false
  }

  /** The client has gone, or begins anew. */
  forget(session: Session): void {
    this.discard(session)
    session.watcher = null
  }

  /** Why a queued command may not run any more, though it could be queued; null: it may. */
  queuedProblem: ((call: Call, command: Command) => string | null) | null = null

  readonly multi = ({ session, reply }: Call): void => {
    if ((session.gates & Gate.MULTI) !== 0) return reply.error(NESTED_MULTI)
    session.gates |= Gate.MULTI
    session.queuedCount = 0
    reply.ok()
  }

  readonly discardCommand = ({ session, reply }: Call): void => {
    if ((session.gates & Gate.MULTI) === 0) return reply.error(DISCARD_WITHOUT_MULTI)
    this.discard(session)
    reply.ok()
  }

  readonly watch = (call: Call): void => {
    const { session, reply } = call
    if ((session.gates & Gate.MULTI) !== 0) return reply.error(WATCH_INSIDE_MULTI)
    session.watcher ??= new Watcher(session.id)
    const { watcher } = session
    if (!watcher.changed) {
      for (let index = 1; index < call.argc; index++) {
        this.watched.watch(watcher, call.db, call.bytes, call.posOf(index), call.lenOf(index))
      }
    }
    reply.ok()
  }

  readonly unwatch = ({ session: { watcher }, reply }: Call): void => {
    if (watcher !== null) {
      this.watched.unwatch(watcher)
      watcher.changed = false
    }
    reply.ok()
  }

  readonly exec = (call: Call): void => {
    const { session, reply } = call
    if ((session.gates & Gate.MULTI) === 0) return reply.error(EXEC_WITHOUT_MULTI)
    const { queue, watcher } = session
    const isChanged = watcher !== null && (watcher.changed || this.watched.isAnyPastDue(watcher))
    if ((session.flags & SessionFlag.SPOILED) !== 0) reply.error(EXEC_ABORTED)
    else if (isChanged) reply.nullArray()
    else {
      if (watcher !== null) this.watched.unwatch(watcher)
      const mayBlock = (session.flags & SessionFlag.DENY_BLOCKING) === 0
      session.flags |= SessionFlag.DENY_BLOCKING
      this.runAll(call, queue)
      if (mayBlock) session.flags &= ~SessionFlag.DENY_BLOCKING
      call.db = this.keyspace.databases[session.dbIndex]!
    }
    this.discard(session)
  }

  private runAll(call: Call, queue: Queue | null): void {
    const { session, reply } = call
    const { nested } = this
    const dispatcher = this.dispatcher!
    const count = queue === null ? 0 : queue.count
    const wasSilent = (session.gates & Gate.REPLY) !== 0
    let isSilent = wasSilent
    if (!isSilent) reply.array(count)
    if (queue === null) return
    nested.session = session
    nested.reply = reply
    queue.rewind()
    this.executing = queue
    dispatcher.beginSeries()
    for (let index = 0; index < count; index++) {
      const command = this.load(nested, queue, dispatcher)
      const mark = reply.length
      const problem = (session.gates & Gate.LIMITED) === 0 ? null : (this.queuedProblem?.(nested, command) ?? null)
      if (problem === null) dispatcher.runInSeries(nested, command)
      else reply.error(noLongerAllowed(problem))
      if ((session.gates & Gate.REPLY) === 0) isSilent = false
      else if (isSilent) reply.truncate(mark)
      else isSilent = session.replyMode === ReplyMode.OFF
    }
    dispatcher.endSeries(nested)
    this.executing = null
    // What CLIENT REPLY SKIP is said for twice in here is what follows EXEC, once.
    if (!wasSilent && session.replyMode === ReplyMode.SKIP_NEXT) session.replyMode = ReplyMode.SKIP
    if (session.queue !== queue) this.pool.give(queue)
  }

  /** Makes the nested call the next of the queue. */
  private load(nested: Call, queue: Queue, dispatcher: Dispatcher): Command {
    const { keyspace } = this
    queue.next()
    const { argc } = queue
    if (argc > nested.pos.length) nested.makeRoom(argc)
    queue.ranges(nested.pos, nested.len)
    const command = dispatcher.table.all[queue.commandId]!
    nested.bytes = queue.bytes
    nested.argc = argc
    nested.db = keyspace.databases[nested.session.dbIndex]!
    keyspace.hint(queue.bytes, queue.isHinted ? nested.pos[command.firstKey]! : -1, queue.hash)
    return command
  }
}

/** Flags of which EXEC has none that one of its commands lacks. */
const ALLOWED = Flag.LOADING | Flag.STALE

const ANY_TIME = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE
const AT_ONCE = ANY_TIME | Flag.FAST | Flag.ALLOW_BUSY

export function transactionCommands(transactions: Transactions): readonly Command[] {
  return group('transactions', {
    DISCARD: {
      summary: 'Gives up the transaction.',
      since: '2.0.0',
      complexity: 'O(N), N commands queued',
      flags: AT_ONCE | Flag.NEVER_QUEUED,
      run: transactions.discardCommand,
    },
    EXEC: {
      summary: 'Runs the commands of the transaction.',
      since: '1.2.0',
      complexity: 'Depends on the commands queued',
      flags: ANY_TIME | Flag.SKIP_SLOWLOG | Flag.NEVER_QUEUED,
      flagsOf: ({ session }, flags) => (flags | session.queuedFlags) & ~(session.queuedLacks & ALLOWED),
      run: transactions.exec,
    },
    MULTI: {
      summary: 'Begins a transaction: what follows is queued.',
      since: '1.2.0',
      complexity: 'O(1)',
      flags: AT_ONCE | Flag.NEVER_QUEUED,
      run: transactions.multi,
    },
    UNWATCH: {
      summary: 'Forgets the keys being watched.',
      since: '2.2.0',
      complexity: 'O(1)',
      flags: AT_ONCE,
      run: transactions.unwatch,
    },
    WATCH: {
      summary: 'Makes the next EXEC fail if one of these keys changes before it.',
      since: '2.2.0',
      complexity: 'O(1) a key',
      flags: AT_ONCE | Flag.NEVER_QUEUED,
      args: [many(key('RO'))],
      run: transactions.watch,
    },
  } satisfies CommandGroup)
}
