/* Eviction: keeps what is used below maxmemory.
 *
 *   maxmemory   | arena: blocks in use ............ tripwire | buffers, tables of the arena |
 *
 * The arena tells when its blocks pass what is left for them (`Memory.tripwire`); that sets a gate of the dispatcher,
 * and the next command, before it runs, has as much freed as is too much. So nobody looks at the limit below it, and it
 * is never passed by more than one command's worth. What the last command of a turn took too much is freed when the
 * replies have been sent, so that requests one by one need not wait for it.
 *
 * What was flushed or evicted in one piece but is freed in slices counts as used until it is; so that is what is freed
 * first, just as much as is needed, before another key has to go. What would take longer than the tenacity allows (the
 * limit was lowered) goes on in the background, and commands run meanwhile, as in Redis. */
import type { Call } from '../commands/call.ts'
import { type Command, Flag } from '../commands/definition.ts'
import { Admission, ServerGate } from '../commands/dispatcher.ts'
import { Gate, SessionFlag } from '../commands/session.ts'
import { Evictor } from '../keyspace/evictor.ts'
import { OUT_OF_MEMORY } from '../protocol/errors.ts'
import type { Server } from './server.ts'

/** Keys between looks at the clock. Freeing a step of a large value counts as so many. */
const STEPS = 16

const State = { OK: 0, RUNNING: 1, FAILED: 2 } as const
type State = (typeof State)[keyof typeof State]

/** Commands that may run in a transaction though no more may be queued. */
const ENDS_MULTI = new Set(['exec', 'discard', 'quit', 'reset'])

export class Eviction {
  /** Whether memory was used up, and none could be freed, when the outermost command began: what a script may do then
   *  is for it to ask. */
  exhausted = false
  private readonly server: Server
  private readonly evictor: Evictor
  private maxBytes = 0
  private limitUs = 500
  /** Since when the limit has been exceeded, and for how long it was before; milliseconds. */
  private exceededSince = 0
  private exceededBefore = 0

  constructor(server: Server) {
    this.server = server
    const { config, keyspace, dispatcher } = server
    this.evictor = new Evictor(keyspace)
    keyspace.memory.onTripped = () => (dispatcher.gates |= ServerGate.OUT_OF_MEMORY)
    dispatcher.addAdmission((call, command) => this.admit(call, command))
    config.onChange('maxmemory', () => this.setLimit(config.number('maxmemory')))
    config.onChange('maxmemory-policy', () => this.evictor.setPolicy(config.choice('maxmemory-policy')))
    config.onChange('maxmemory-samples', () => (this.evictor.samples = config.number('maxmemory-samples')))
    config.onChange('maxmemory-eviction-tenacity', () => {
      this.limitUs = timeLimitUs(config.number('maxmemory-eviction-tenacity'))
    })
    server.outbox.afterReplies = () => this.turnEnded()
    server.background.add(() => this.goOn())
    server.cron.every(() => this.arm())
  }

  private setLimit(bytes: number): void {
    const { server } = this
    this.maxBytes = bytes
    server.dispatcher.onEnd = bytes === 0 ? null : () => this.runEnded()
    this.arm()
    const used = server.vitals.usedBytes - server.vitals.uncountedBytes
    if (bytes === 0 || used <= bytes) return
    server.log.warn(
      `WARNING: the new maxmemory value set via CONFIG SET (${bytes}) is smaller than the current memory usage ` +
        `(${used}). This will result in key eviction and/or the inability to accept new write commands depending on ` +
        'the maxmemory-policy.',
    )
    server.background.wake()
  }

  /** Bytes that blocks may take up. */
  private get blockBytesMax(): number {
    if (this.maxBytes === 0) return Number.POSITIVE_INFINITY
    return this.blockBytesLeft(this.server.vitals.usedBytes)
  }

  private blockBytesLeft(used: number): number {
    return this.maxBytes - (used - this.server.vitals.uncountedBytes - this.server.keyspace.memory.usedBytes)
  }

  /** Sets the tripwire anew, as `arm`; what that has to know is the peak, too. */
  private runEnded(): void {
    const { vitals, dispatcher, keyspace } = this.server
    // (When what is too much has been freed it is set anew; the peak of the blocks is kept by the dispatcher, too.)
    if ((dispatcher.gates & ServerGate.OUT_OF_MEMORY) !== 0) return
    keyspace.memory.tripwire = this.blockBytesLeft(vitals.notePeak())
  }

  /** The clients have come to take more or less. */
  clientsChanged(): void {
    if (this.maxBytes > 0) this.arm()
  }

  /** Sets the tripwire anew: what is not of the arena has changed, or the limit. */
  arm(): void {
    const { memory } = this.server.keyspace
    const { dispatcher } = this.server
    if (this.maxBytes === 0) this.clear()
    if ((dispatcher.gates & ServerGate.OUT_OF_MEMORY) === 0) memory.tripwire = this.blockBytesMax
  }

  private clear(): void {
    this.server.dispatcher.gates &= ~ServerGate.OUT_OF_MEMORY
    this.exhausted = false
    if (this.exceededSince === 0) return
    this.exceededBefore = this.exceededMs
    this.exceededSince = 0
  }

  /** Milliseconds for which the limit has been exceeded for good, all in all and at present; for INFO. */
  get exceededMs(): number {
    return this.exceededBefore + this.exceedingMs
  }
  get exceedingMs(): number {
    return this.exceededSince === 0 ? 0 : performance.now() - this.exceededSince
  }
  resetStatistics(): void {
    this.exceededBefore = 0
    if (this.exceededSince > 0) this.exceededSince = performance.now()
    this.server.clientMemory.evicted = 0
  }

  private admit(call: Call, command: Command): Admission {
    const { dispatcher } = this.server
    if ((dispatcher.gates & ServerGate.OUT_OF_MEMORY) === 0) return Admission.RUN
    // As in Redis, clients must go before keys.
    this.server.clientMemory.enforce()
    if ((call.session.flags & SessionFlag.CLOSE_NOW) !== 0) return Admission.ANSWERED
    this.exhausted = this.hold() === State.FAILED
    if (!this.exhausted || !wantsMemory(call, command)) return Admission.RUN
    dispatcher.reject(call, command, OUT_OF_MEMORY)
    return Admission.ANSWERED
  }

  /** Frees now what the next command would have to: if keys may go, and no client must go before them. */
  private turnEnded(): void {
    const { dispatcher, clientMemory } = this.server
    if ((dispatcher.gates & ServerGate.OUT_OF_MEMORY) === 0) return
    if (!this.evictor.canEvict || clientMemory.bytes >= clientMemory.limit) return
    this.hold()
  }

  /** Frees as much as is too much. */
  private hold(): State {
    const { keyspace, dispatcher } = this.server
    const { memory } = keyspace
    // Not now: the data stands still, or is not there yet.
    if (keyspace.expiryPaused || (dispatcher.gates & ServerGate.LOADING) !== 0) return State.OK
    const max = this.blockBytesMax
    let start = 0
    let steps = 0
    while (memory.usedBytes > max) {
      if (keyspace.canReclaim) {
        keyspace.reclaim()
        steps |= STEPS - 1
      } else if (!this.evictor.evictNext()) return this.exceed(State.FAILED)
      if ((++steps & (STEPS - 1)) !== 0) continue
      const now = performance.now()
      if (start === 0) start = now
      if ((now - start) * 1000 <= this.limitUs) continue
      this.server.slow.latency.note('eviction-cycle', now - start)
      this.server.background.wake()
      return this.exceed(State.RUNNING)
    }
    this.clear()
    memory.tripwire = max
    return State.OK
  }

  private exceed(state: State): State {
    if (this.exceededSince === 0) this.exceededSince = performance.now()
    return state
  }

  /** Evicts a little in the background; false when the limit is kept, or cannot be. */
  private goOn(): boolean {
    const { keyspace, dispatcher } = this.server
    if ((dispatcher.gates & ServerGate.OUT_OF_MEMORY) === 0) return false
    if (keyspace.expiryPaused || (dispatcher.gates & ServerGate.LOADING) !== 0) return false
    if (keyspace.memory.usedBytes <= this.blockBytesMax) {
      this.clear()
      this.arm()
      return false
    }
    return keyspace.canReclaim ? keyspace.reclaim() : this.evictor.evictNext()
  }
}

/** Whether the command is one that is refused when memory is used up. */
function wantsMemory(call: Call, command: Command): boolean {
  if ((command.flagsFor(call) & Flag.DENYOOM) !== 0) return true
  return (call.session.gates & Gate.MULTI) !== 0 && !ENDS_MULTI.has(command.name)
}

/** How long one command may wait for memory to be freed, by maxmemory-eviction-tenacity. */
function timeLimitUs(tenacity: number): number {
  if (tenacity <= 10) return 50 * tenacity
  return tenacity < 100 ? 500 * 1.15 ** (tenacity - 10) : Number.POSITIVE_INFINITY
}
