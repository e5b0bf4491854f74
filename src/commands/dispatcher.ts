/* The dispatcher: takes a call through lookup, checks, handler and statistics.
 *
 *   lookup by bytes -> subcommand -> arity -> gates (almost always none) -> handler -> statistics
 *
 * `gates` and the session's own gates are bits for whatever is unusual at the moment: authentication wanted, MULTI,
 * a pause, memory used up, loading. While none is set a command goes straight to its handler; with any set, the
 * admissions registered for them decide. So nobody pays for a check that cannot fail. */
import { performance } from 'node:perf_hooks'
import type { Keyspace } from '../keyspace/keyspace.ts'
import {
  type ErrorReply,
  NO_AUTH,
  NOT_IN_MULTI,
  SHOWN_LEN_MAX,
  unknownCommand,
  unknownSubcommand,
  wrongArity,
} from '../protocol/errors.ts'
import type { Call } from './call.ts'
import type { CommandTable } from './command-table.ts'
import { type Command, Flag } from './definition.ts'
import { type EffectListener, Effects } from './effects.ts'
import { Gate } from './session.ts'
import { CommandStatistics } from './statistics.ts'

/** Bits of `Dispatcher.gates`: what holds for every session. */
export const ServerGate = {
  PAUSED: 1 << 0,
  MONITORED: 1 << 1,
  OUT_OF_MEMORY: 1 << 2,
  LOADING: 1 << 3,
  /** Keys that clients wait for have become ready. */
  KEYS_READY: 1 << 4,
  /** A client was sent pushes while its own command ran, which go behind that command's reply. */
  PUSHES_HELD: 1 << 5,
  /** Somebody wants to know what commands do (effects.ts). */
  PROPAGATED: 1 << 6,
  /** The data cannot be written to the disk, and no more of it is to be taken. */
  MISCONF: 1 << 7,
  /** Some client wants to know when keys change that it has read. */
  TRACKED: 1 << 8,
  /** A client's own command has changed keys that it has read: it is told behind the reply. */
  INVALIDATIONS_HELD: 1 << 9,
  /** More keys are tracked than may be: some are given up before the next command. */
  TRACKING_FULL: 1 << 10,
  /** Fewer replicas are there than must have a write. */
  FEW_REPLICAS: 1 << 11,
} as const

/** Gates that are looked at when a command has run. */
const AFTERWARDS = ServerGate.KEYS_READY | ServerGate.PUSHES_HELD | ServerGate.INVALIDATIONS_HELD
/** Gates that somebody wants to be told for of every command that has run. */
const TOLD = ServerGate.MONITORED | ServerGate.TRACKED
/** Gates that commands must be let through. */
const ADMITTED = ~(TOLD | ServerGate.PROPAGATED | AFTERWARDS)

/** What an admission decides. */
export const Admission = {
  RUN: 0,
  /** Answered otherwise (an error, QUEUED): do not run it. */
  ANSWERED: 1,
  /** Not now: the session is blocked and the same request is to be dispatched again later. */
  POSTPONED: 2,
} as const
export type Admission = (typeof Admission)[keyof typeof Admission]

/** Looks at a call that some gate stopped; replies itself when it refuses. */
export type Admit = (call: Call, command: Command) => Admission

/** Keeps commands for EXEC. */
export interface TransactionQueue {
  /** Takes a command that is to wait for EXEC, and replies. */
  queue(call: Call, command: Command): void
  /** A command was refused between MULTI and EXEC, perhaps EXEC itself; answers what the client is to be told. */
  spoil(call: Call, command: Command | null, error: ErrorReply): ErrorReply
}

/** Told of commands that were slow, and of each one while somebody watches. */
export interface DispatchObserver {
  /** A command took at least `slowUs`. `call` is null if its arguments cannot be told any more. */
  slow(call: Call | null, command: Command, durationUs: number): void
}

/** What keeps the loop from everybody else for so many milliseconds is told to who looks for stalls. */
export const LONG_MS = 2

const MARK = 0
const START = 1
const SERIES = 2
const NESTED = 3

const GROUPED_FLAGS = Flag.FAST | Flag.QUICK
/** Commands that are timed together, at most. */
const GROUP_MAX = 16
/** A command that took in its last argument, or replied, more than this, is the last of its group. */
const GROUPED_BYTES_MAX = 1024
/** Whoever wants to hear of commands quicker than this wants each one timed. */
const GROUPED_SLOW_US_MIN = 1000

export class Dispatcher {
  readonly table: CommandTable
  readonly keyspace: Keyspace
  readonly statistics: CommandStatistics
  readonly effects = new Effects()
  gates = 0
  /** Commands from this duration on are told to the observer (slowlog, latency monitor); microseconds. */
  slowUs = Number.POSITIVE_INFINITY
  observer: DispatchObserver | null = null
  transactions: TransactionQueue | null = null
  /** MARK: when the last command of this turn ended; START: when the run of commands began; SERIES: when the last one
   *  of a series ended; milliseconds of `performance.now()`. NESTED: microseconds that nested commands took in all.
   *  In a typed array: as fields they would cost a new heap number each time they are set. */
  private readonly times = new Float64Array(4)
  private grouping = false
  /** Ids of the commands that have run since the last lap. */
  private readonly group = new Int32Array(GROUP_MAX)
  private groupCount = 0
  /** Where in the bytes of the read the last of them is named. */
  private groupPos = 0
  /** How many commands there had been when the run began. */
  private runFirst = 0
  /** The longest run so far, in milliseconds and in commands. */
  runMaxMs = 0
  runMaxCommands = 0
  /** Told of runs that took `LONG_MS` and more. */
  onLongRun: ((ms: number) => void) | null = null
  /** The most memory that blocks took up after a run. */
  memoryPeakBytes = 0
  /** A command is being looked at, and does not run yet: what happens now (an eviction) is not its doing. */
  admitting = false
  /** How many commands are running around the current one (`runNested`). */
  depth = 0
  /** Unix time of `performance.now()` = 0, for which the cron follows the system's clock. */
  private epoch = performance.timeOrigin
  private readonly admissions: Admit[] = []

  constructor(table: CommandTable, keyspace: Keyspace) {
    this.table = table
    this.keyspace = keyspace
    this.statistics = new CommandStatistics(table.all.length)
  }

  /** Adds a check; those registered first are asked first. */
  addAdmission(admit: Admit): void {
    this.admissions.push(admit)
  }

  /** Tells somebody from now on what commands do. */
  propagateTo(listener: EffectListener): void {
    this.effects.listen(listener)
    this.gates |= ServerGate.PROPAGATED
    this.keyspace.removals = this.effects
  }

  propagateNoMoreTo(listener: EffectListener): void {
    this.effects.unlisten(listener)
    if (this.effects.listening) return
    this.gates &= ~ServerGate.PROPAGATED
    this.keyspace.removals = null
  }

  /** Follows the system's clock, which may have been set. It tells whole milliseconds: its time is up to one later. */
  syncClock(): void {
    const least = Date.now() - performance.now()
    this.epoch = Math.min(Math.max(this.epoch, least), least + 1)
  }

  /** Begins a run of commands: time stands at now. */
  begin(): void {
    const now = performance.now()
    this.times[MARK] = now
    this.times[START] = now
    this.runFirst = this.statistics.totalCalls
    this.setTime()
  }

  /** Says whether what follows are several requests of one read; they end with another call. */
  setPipelined(call: Call, pipelined: boolean): void {
    if (this.groupCount > 0) this.endGroup(call)
    this.grouping = pipelined && this.slowUs >= GROUPED_SLOW_US_MIN
  }

  /** Milliseconds that the run has taken so far. */
  get elapsedMs(): number {
    return this.times[MARK]! - this.times[START]!
  }

  /** Ends the run; `timed` if what followed the last command took long enough to look at the clock again. */
  end(timed: boolean): void {
    this.effects.settle()
    if (timed) this.times[MARK] = performance.now()
    const duration = this.elapsedMs
    if (duration > this.runMaxMs) this.runMaxMs = duration
    if (duration >= LONG_MS) this.onLongRun?.(duration)
    const commands = this.statistics.totalCalls - this.runFirst
    if (commands > this.runMaxCommands) this.runMaxCommands = commands
    const used = this.keyspace.memory.usedBytes
    if (used > this.memoryPeakBytes) this.memoryPeakBytes = used
    this.onEnd?.()
  }

  /** Sets the figures of commands and runs back. The run under way counts from now on. */
  resetStatistics(): void {
    this.statistics.reset()
    this.times[START] = this.times[MARK]!
    this.times[NESTED] = 0
    this.runFirst = 0
    this.runMaxMs = 0
    this.runMaxCommands = 0
  }

  /** When the last command ended, in microseconds since 1970. */
  get nowUs(): number {
    return Math.floor((this.epoch + this.times[MARK]!) * 1000)
  }

  private setTime(): void {
    const now = Math.floor(this.epoch + this.times[MARK]!)
    if (now !== this.keyspace.now) this.keyspace.setTime(now)
  }

  /** Runs one command; false if it was postponed and must be dispatched again. `begin` must have been called. */
  dispatch(call: Call): boolean {
    const command = this.resolve(call)
    if (command === null) return true
    const { gates } = call.session
    if (((this.gates & ADMITTED) | gates) !== 0) {
      const isPlainMulti = gates === Gate.MULTI && (this.gates & ADMITTED) === 0
      const admission = isPlainMulti ? this.admitToMulti(call, command) : this.admit(call, command)
      if (admission !== Admission.RUN) return admission !== Admission.POSTPONED
    }
    this.run(call, command)
    return true
  }

  /** Runs a command inside another one (EXEC's, a script's) and books it; whoever calls has resolved and admitted it,
   *  into a Call of its own. It is timed for itself, and the outer command's time includes it. Time stands still, and
   *  clients that wait for keys are served when the outermost command has ended. Errors that it replies are its own,
   *  not the outer command's. The session must have DENY_BLOCKING. */
  runNested(call: Call, command: Command): void {
    const errors = call.reply.errors
    const start = performance.now()
    this.depth++
    this.perform(call, command)
    this.depth--
    this.bookNested(call, command, (performance.now() - start) * 1000)
    call.reply.errors = errors
  }

  /** Begins a series of nested commands, one right after the other, with which the outer command begins (EXEC's). As
   *  requests of one read, quick ones are timed in groups. */
  beginSeries(): void {
    this.times[SERIES] = this.times[MARK]!
    this.depth++
    this.grouping = this.slowUs >= GROUPED_SLOW_US_MIN
  }

  /** As `runNested`, for one of a series. */
  runInSeries(call: Call, command: Command): void {
    const errors = call.reply.errors
    const written = call.reply.length
    if (!this.grouping || (command.flags & GROUPED_FLAGS) === 0) {
      if (this.groupCount > 0) this.bookNestedGroup(call)
      const { grouping } = this
      this.grouping = false // what the command runs itself is timed for itself
      this.perform(call, command)
      this.grouping = grouping
      this.bookNested(call, command, this.lap(SERIES))
    } else {
      this.perform(call, command)
      if (this.joinGroup(call, command, written)) this.bookNestedGroup(call)
    }
    call.reply.errors = errors
  }

  endSeries(call: Call): void {
    if (this.groupCount > 0) this.bookNestedGroup(call)
    this.grouping = false
    this.depth--
  }

  /** Runs an admitted command and books it. */
  run(call: Call, command: Command): void {
    if (this.grouping && (command.flags & GROUPED_FLAGS) !== 0) return this.runGrouped(call, command)
    const grouping = this.grouping
    if (this.groupCount > 0) this.endGroup(call)
    this.grouping = false // what the command runs itself is timed for itself
    this.perform(call, command)
    this.grouping = grouping
    const durationUs = this.lap(MARK)
    if (!call.session.blocked) this.book(call, command, durationUs)
    this.setTime()
    if ((this.gates & AFTERWARDS) !== 0) this.afterwards(call)
  }

  private afterwards(call: Call): void {
    if ((this.gates & ServerGate.INVALIDATIONS_HELD) !== 0) this.onInvalidationsHeld?.()
    if ((this.gates & ServerGate.PUSHES_HELD) !== 0) this.onPushesHeld?.()
    if ((this.gates & ServerGate.KEYS_READY) !== 0) this.onKeysReady?.(call)
  }

  private bookNested(call: Call, command: Command, durationUs: number): void {
    this.times[NESTED]! += durationUs
    this.book(call, command, durationUs)
  }

  private bookNestedGroup(call: Call): void {
    const totalUs = this.lap(SERIES)
    this.times[NESTED]! += totalUs
    this.bookGroup(call, totalUs)
  }

  /** Microseconds that commands took, each counted once, nested ones as part of the command around them. */
  get commandsUs(): number {
    return this.statistics.duration.reduce((sum, us) => sum + us, 0) - this.times[NESTED]!
  }

  private book(call: Call, command: Command, durationUs: number): void {
    this.statistics.lapUs[0] = durationUs
    this.statistics.record(command.id)
    if (durationUs >= this.slowUs) this.observer?.slow(call, command, durationUs)
  }

  private perform(call: Call, command: Command): void {
    const errors = call.reply.errors
    call.command = command
    if ((this.gates & ServerGate.PROPAGATED) === 0) command.run(call)
    else this.effects.perform(call, command)
    if (call.reply.errors !== errors) this.bookFailure(call, command)
    if ((this.gates & TOLD) !== 0) this.tell(call, command)
  }

  private tell(call: Call, command: Command): void {
    if ((this.gates & ServerGate.MONITORED) !== 0) this.onMonitored?.(call, command)
    if ((this.gates & ServerGate.TRACKED) !== 0) this.onTracked?.(call, command)
  }

  /** Microseconds since the last lap: of the run (MARK), or of the series of nested commands (SERIES). */
  private lap(mark: number): number {
    const end = performance.now()
    const durationUs = (end - this.times[mark]!) * 1000
    this.times[mark] = end
    return durationUs
  }

  /** Fast commands of one read are timed in groups, and each is booked the mean: the clock takes 33 ns and leaves a
   *  heap number behind, a twentieth of what a pipelined GET takes. The first one that moves many bytes ends its group,
   *  so that what took long is known. */
  private runGrouped(call: Call, command: Command): void {
    const written = call.reply.length
    this.perform(call, command)
    const isFollowed = (this.gates & AFTERWARDS) !== 0
    if (this.joinGroup(call, command, written) || isFollowed) this.endGroup(call)
    if (isFollowed) this.afterGrouped(call)
  }

  /** Counts a command that has run to its group; true if it is to be the last one. */
  private joinGroup(call: Call, command: Command, written: number): boolean {
    this.group[this.groupCount] = command.id
    this.groupPos = call.pos[0]!
    if (!call.session.blocked) this.groupCount++ // who waits is booked when the wait has ended
    const moved = call.reply.length - written + call.len[call.argc - 1]!
    return this.groupCount === GROUP_MAX || moved > GROUPED_BYTES_MAX
  }

  private afterGrouped(call: Call): void {
    this.grouping = false
    this.afterwards(call)
    this.grouping = true
  }

  private endGroup(call: Call): void {
    if (this.groupCount === 0) return
    this.bookGroup(call, this.lap(MARK))
    this.setTime()
  }

  private bookGroup(call: Call, totalUs: number): void {
    const { group, statistics } = this
    const count = this.groupCount
    statistics.lapUs[0] = totalUs / count
    for (let index = 0; index < count; ) {
      const first = index++
      while (index < count && group[index] === group[first]) index++
      statistics.record(group[first]!, index - first)
    }
    this.groupCount = 0
    if (totalUs >= this.slowUs) {
      // The call may be that of the next request by now: its arguments are not to be shown as those of this one.
      const isLast = call.pos[0] === this.groupPos
      this.observer?.slow(isLast ? call : null, this.table.all[group[count - 1]!]!, totalUs)
    }
  }

  private bookFailure(call: Call, command: Command): void {
    this.statistics.failed[command.id]!++
    this.statistics.recordError(call.reply.lastError!.code)
  }

  /** Replies an error for a command that does not get to run. */
  reject(call: Call, command: Command | null, error: ErrorReply): void {
    // (EXEC answers that the transaction is given up even if there was none.)
    const isSpoiling = (call.session.gates & Gate.MULTI) !== 0 || command?.name === 'exec'
    const told = isSpoiling && this.transactions !== null ? this.transactions.spoil(call, command, error) : error
    call.reply.error(told)
    this.statistics.recordError(told.code)
    if (command !== null) this.statistics.rejected[command.id]!++
  }

  /** The command that a call names, or null after replying that there is none. */
  resolve(call: Call): Command | null {
    const { bytes, pos, len, argc } = call
    let command = call.command ?? this.table.lookup(bytes, pos[0]!, len[0]!)
    if (command === undefined) return this.refuseUnknown(call)
    if (command.subcommands.length > 0 && argc > 1) {
      const subcommand = this.table.subcommand(command, bytes, pos[1]!, len[1]!)
      if (subcommand === undefined) {
        return this.refuse(call, null, unknownSubcommand(call.string(1, SHOWN_LEN_MAX), command.name))
      }
      command = subcommand
    }
    call.command = command
    if (argc < command.leastArgc || argc > command.mostArgc) {
      return this.refuse(call, command, wrongArity(command.fullName))
    }
    return command
  }

  private refuse(call: Call, command: Command | null, error: ErrorReply): null {
    this.reject(call, command, error)
    return null
  }

  /** Told of the end of every run. */
  onEnd: (() => void) | null = null

  /** Told of requests that come from an HTTP client, which are not answered. */
  onForeignProtocol: ((call: Call) => void) | null = null

  /** Told of every command that has ended while KEYS_READY is set. */
  onKeysReady: ((call: Call) => void) | null = null

  /** Told when a command has ended and PUSHES_HELD is set; not of nested ones. */
  onPushesHeld: (() => void) | null = null

  /** Told when a command has ended and INVALIDATIONS_HELD is set; not of nested ones. Before the pushes. */
  onInvalidationsHeld: (() => void) | null = null

  /** Told of every command that has run while TRACKED is set. */
  onTracked: ((call: Call, command: Command) => void) | null = null

  /** Told of every command that has run while MONITORED is set. */
  onMonitored: ((call: Call, command: Command) => void) | null = null

  private refuseUnknown(call: Call): null {
    call.command = null
    if (call.is(0, 'POST') || call.is(0, 'HOST:')) {
      this.onForeignProtocol?.(call)
      return null
    }
    const args: string[] = []
    for (let index = 1; index < call.argc && index < 44; index++) args.push(call.string(index, SHOWN_LEN_MAX))
    return this.refuse(call, null, unknownCommand(call.string(0, SHOWN_LEN_MAX), args))
  }

  private admit(call: Call, command: Command): Admission {
    if ((call.session.gates & Gate.UNAUTHENTICATED) !== 0 && (command.flags & Flag.NO_AUTH) === 0) {
      this.reject(call, command, NO_AUTH)
      return Admission.ANSWERED
    }
    const isMulti = (call.session.gates & Gate.MULTI) !== 0
    if (isMulti && (command.flags & Flag.NO_MULTI) !== 0) return this.admitToMulti(call, command)
    this.admitting = true
    let admission: Admission = Admission.RUN
    for (const admit of this.admissions) {
      admission = admit(call, command)
      if (admission !== Admission.RUN) break
    }
    this.admitting = false
    return isMulti && admission === Admission.RUN ? this.admitToMulti(call, command) : admission
  }

  /** Queues a command, between MULTI and EXEC, for which nothing else need be asked. */
  private admitToMulti(call: Call, command: Command): Admission {
    if ((command.flags & Flag.NEVER_QUEUED) !== 0 || this.transactions === null) return Admission.RUN
    if ((command.flags & Flag.NO_MULTI) !== 0) this.reject(call, command, NOT_IN_MULTI)
    else this.transactions.queue(call, command)
    return Admission.ANSWERED
  }
}
