/* Scripting: runs scripts and functions for clients, and the commands that they call.
 *
 *   EVAL -> script (compiled once) -> redis.call -> the checks Redis makes for scripts -> dispatcher, nested
 *
 * A script's commands run in a session of their own, which begins in its caller's database with RESP2 and waits for
 * nothing. What they change is told like what any command changes (commands/effects.ts); EVAL itself is not. */
import { Call } from '../commands/call.ts'
import { type Command, Flag } from '../commands/definition.ts'
import { ServerGate } from '../commands/dispatcher.ts'
import { Gate, Session, SessionFlag } from '../commands/session.ts'
import { latin1 } from '../lib/bytes.ts'
import type { FunctionStore } from '../persistence/rdb/functions.ts'
import {
  BUSY_FUNCTION,
  BUSY_SCRIPT,
  type ErrorReply,
  NO_REPLICAS,
  NOT_BUSY,
  OUT_OF_MEMORY,
  OUT_OF_MEMORY_SCRIPT,
  READ_ONLY_SCRIPT,
  UNKILLABLE,
} from '../protocol/errors.ts'
import { Reply } from '../protocol/reply.ts'
import { ScriptEngine, ScriptFlag } from '../scripting/engine.ts'
import { Propagate, type ScriptHost } from '../scripting/host.ts'
import { Libraries } from '../scripting/libraries.ts'
import { ScriptCache } from '../scripting/script-cache.ts'
import { Busy } from './busy.ts'
import type { Server } from './server.ts'

/** A script or function that is running. */
export interface RunningScript {
  readonly name: string
  readonly isFunction: boolean
  readonly call: Call
  /** By performance.now(), when the engine first looked at the clock: at most some 100,000 instructions late. */
  startedAt: number
  /** Whether it has run a command that may have changed something. */
  wrote: boolean
  killed: boolean
  /** Whether it has run for so long that other clients are told so. */
  isBusy: boolean
}

/** Commands with none of these flags may be run by any script. */
const CHECKED = Flag.NOSCRIPT | Flag.WRITE | Flag.DENYOOM | Flag.MAY_REPLICATE

/** An error as a script finds it. */
const textOf = ({ bytes }: ErrorReply): string => latin1(bytes, 0, bytes.length - 2)

export class Scripting implements ScriptHost, FunctionStore {
  readonly call: Call
  readonly engine: ScriptEngine
  readonly scripts: ScriptCache
  readonly libraries: Libraries
  running: RunningScript | null = null
  /** DEBUG SET-DISABLE-DENY-SCRIPTS. */
  allowsAll = false
  private readonly server: Server
  private readonly session: Session
  private readOnly = false
  private allowsOom = false
  private refused = false
  /** The script runs inside EXEC, whose own series of commands goes on. */
  private inSeries = false
  private thresholdMs = 0
  private level = 2
  /** Bits of Propagate. */
  private propagation: number = Propagate.ALL
  private readonly busy: Busy

  constructor(server: Server) {
    this.server = server
    this.busy = new Busy(server)
    this.session = new Session(0)
    this.session.flags |= SessionFlag.DENY_BLOCKING | SessionFlag.SCRIPT
    this.call = new Call(server.keyspace, this.session, new Reply())
    this.engine = new ScriptEngine(this)
    this.scripts = new ScriptCache(this.engine)
    this.libraries = new Libraries(this.engine)
    const { config } = server
    config.onChange('busy-reply-threshold', () => (this.thresholdMs = config.number('busy-reply-threshold')))
    config.onChange('loglevel', () => {
      this.level = LEVELS.indexOf(config.choice('loglevel'))
      if (this.level < 0) this.level = LEVELS.length
    })
  }

  /** All bytes that scripts and libraries take. */
  get usedBytes(): number {
    const { engine } = this
    return engine.scriptBytes + engine.functionBytes + this.cacheBytes
  }

  /** Bytes of scripts and libraries outside of Lua. */
  get cacheBytes(): number {
    return this.scripts.memoryBytes + this.libraries.memoryBytes
  }

  /** Runs a script or function with a client's arguments. `readOnly`: the client has asked for no writes. */
  run(
    call: Call,
    reference: number,
    isFunction: boolean,
    name: string,
    flags: number,
    keyCount: number,
    readOnly: boolean,
  ): void {
    if (!this.mayStart(call, flags, readOnly)) return
    const { session, engine } = this
    const { dispatcher } = this.server
    const declared = (flags & ScriptFlag.UNDECLARED) === 0
    this.readOnly = readOnly || (declared && (flags & ScriptFlag.NO_WRITES) !== 0)
    this.allowsOom = declared && (flags & ScriptFlag.ALLOW_OOM) !== 0
    session.dbIndex = call.session.dbIndex
    session.version = 2
    this.propagation = Propagate.ALL
    session.user = call.session.user
    session.account = call.session.account
    session.gates = call.session.gates & Gate.LIMITED
    this.call.db = call.db
    this.call.reply.version = 2
    this.running = { name, isFunction, call, startedAt: 0, wrote: false, killed: false, isBusy: false }
    this.inSeries = dispatcher.depth === 0
    if (this.inSeries) dispatcher.beginSeries()
    engine.run(reference, isFunction, name, call, keyCount, this.version)
    if (this.running.isBusy) this.busy.end()
    if (this.inSeries) dispatcher.endSeries(this.call)
    this.running = null
  }

  private readonly version = (): number => this.session.version

  /** Whether a script may begin; replies why not. */
  private mayStart(call: Call, flags: number, readOnly: boolean): boolean {
    if ((flags & ScriptFlag.UNDECLARED) !== 0) return true
    const writes = (flags & ScriptFlag.NO_WRITES) === 0
    const { refusal } = this.server.persistence.background
    if (writes && refusal !== null) call.reply.error(refusal)
    else if (writes && readOnly) call.reply.error(READ_ONLY_SCRIPT)
    else if (writes && this.server.replicas.refusesWrites) call.reply.error(NO_REPLICAS)
    else if (writes && (flags & ScriptFlag.ALLOW_OOM) === 0 && this.server.eviction.exhausted) {
      call.reply.error((call.session.gates & Gate.MULTI) === 0 ? OUT_OF_MEMORY : OUT_OF_MEMORY_SCRIPT)
    } else return true
    return false
  }

  /** The command that the call names; null if there is none. */
  private lookup(): Command | null {
    const { call } = this
    const { table } = this.server
    const { bytes, pos, len, argc } = call
    const command = table.lookup(bytes, pos[0]!, len[0]!)
    if (command === undefined) return null
    if (command.subcommands.length === 0 || argc === 1) return command
    return table.subcommand(command, bytes, pos[1]!, len[1]!) ?? null
  }

  runCommand(): string | null {
    const { call } = this
    const { dispatcher } = this.server
    const command = this.lookup()
    if (command === null) return this.refuse(null, 'Unknown Redis command called from script')
    if (call.argc < command.leastArgc || call.argc > command.mostArgc) {
      return this.refuse(command, 'Wrong number of args calling Redis command from script')
    }
    if ((command.flags & CHECKED) !== 0 || this.session.gates !== 0) {
      const problem = this.check(command)
      if (problem !== null) return this.refuse(command, problem)
    }
    if ((this.propagation & Propagate.AOF) === 0) this.runUntold(command)
    else if (this.inSeries) dispatcher.runInSeries(call, command)
    else dispatcher.runNested(call, command)
    return null
  }

  /** Runs a command whose effects the script wants told to nobody (redis.set_repl). */
  private runUntold(command: Command): void {
    const { dispatcher } = this.server
    const { effects } = dispatcher
    const { listening } = effects
    const told = dispatcher.gates & ServerGate.PROPAGATED
    effects.listening = false
    dispatcher.gates &= ~ServerGate.PROPAGATED
    dispatcher.runNested(this.call, command)
    dispatcher.gates |= told
    effects.listening = listening
    if (listening) effects.suppress() // EVAL itself is not told either
  }

  private check(command: Command): string | null {
    const { flags } = command
    const running = this.running!
    if ((flags & Flag.NOSCRIPT) !== 0 && !this.allowsAll) return 'This Redis command is not allowed from script'
    if ((this.session.gates & Gate.LIMITED) !== 0) {
      const problem = this.server.access.scriptProblem(this.call, command)
      if (problem !== null) return problem
    }
    if (this.readOnly && (flags & (Flag.WRITE | Flag.MAY_REPLICATE)) !== 0) {
      return 'Write commands are not allowed from read-only scripts.'
    }
    const mayGrow = (flags & Flag.DENYOOM) !== 0 && !this.allowsOom && !running.wrote
    if ((flags & Flag.WRITE) !== 0 && !running.wrote) {
      const { refusal } = this.server.persistence.background
      if (refusal !== null) return textOf(refusal)
      if (this.server.replicas.refusesWrites) return textOf(NO_REPLICAS)
    }
    if (mayGrow && this.server.eviction.exhausted) return textOf(OUT_OF_MEMORY)
    if ((flags & Flag.WRITE) !== 0) running.wrote = true
    return null
  }

  private refuse(command: Command | null, problem: string): string {
    const { statistics } = this.server.dispatcher
    const space = problem.startsWith('-') ? problem.indexOf(' ') : 0
    statistics.recordError(space === 0 ? 'ERR' : problem.slice(1, space))
    if (command !== null) statistics.rejected[command.id]!++
    return problem
  }

  countFailure(): void {
    const { command } = this.running!.call
    this.server.dispatcher.statistics.failed[command!.id]!++
  }

  mayRun(): boolean | undefined {
    const command = this.lookup()
    return command === null ? undefined : this.server.access.mayRun(this.call, command)
  }

  setVersion(version: number): void {
    this.session.version = version
    this.call.reply.version = version
  }

  setPropagation(flags: number): void {
    this.propagation = flags
  }

  get givesDeprecated(): boolean {
    return this.server.config.bool('lua-enable-deprecated-api')
  }

  get logLevel(): number {
    return this.level
  }

  log(level: number, text: string): void {
    const { log } = this.server
    if (level === 0) log.trace(text)
    else if (level === 1) log.debug(text)
    else if (level === 2) log.info(text)
    else log.warn(text)
  }

  isKilled(): boolean {
    const { running } = this
    if (running === null || this.thresholdMs <= 0) return false
    if (running.startedAt === 0) running.startedAt = performance.now()
    if (!running.isBusy) {
      const elapsed = performance.now() - running.startedAt
      if (elapsed < this.thresholdMs) return false
      running.isBusy = true
      this.server.log.warn(
        `Slow script detected: still in execution after ${Math.floor(elapsed)} milliseconds. You can try killing the ` +
          `script using the ${running.isFunction ? 'FUNCTION' : 'SCRIPT'} KILL command. ` +
          `Script name is: ${running.name}.`,
      )
    }
    this.busy.poll(running.call.session, running.isFunction)
    if (running.killed) this.server.log.info('Lua script killed by user with SCRIPT KILL.')
    return running.killed
  }

  /** SCRIPT KILL and FUNCTION KILL. */
  kill(call: Call, isFunction: boolean): void {
    const { running } = this
    if (running === null) return call.reply.error(NOT_BUSY)
    if (running.wrote) return call.reply.error(UNKILLABLE)
    if (running.isFunction !== isFunction) return call.reply.error(running.isFunction ? BUSY_FUNCTION : BUSY_SCRIPT)
    running.killed = true
    call.reply.ok()
  }

  // The libraries, for files.
  *codes(): Iterable<Uint8Array> {
    for (const { code } of this.libraries.all()) yield code
  }
  load(code: Uint8Array, replace: boolean): string | undefined {
    const loaded = this.libraries.load(code, replace, false)
    if (typeof loaded !== 'string') return undefined
    this.refused = true
    return loaded
  }
  /** Whether a library of a file has been refused since the last call. */
  takeRefusal(): boolean {
    const { refused } = this
    this.refused = false
    return refused
  }
  clear(): void {
    this.libraries.clear()
  }
}

/** Directive loglevel, by the levels of redis.log. */
const LEVELS = ['debug', 'verbose', 'notice', 'warning']
