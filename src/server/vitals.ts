/* Vitals: how the server is: its memory as a whole, its rates, its event loop, its clients' buffers.
 *
 * Counters that cost nothing are kept where things happen (Dispatcher, Connection, Keyspace, ServerStats); here is what
 * must be sampled (`sample`, a task of the cron), and the one place that sets all of it back (`reset`: CONFIG
 * RESETSTAT). */
import { KeyspaceStats } from '../keyspace/keyspace.ts'
import { largeBuffers } from '../memory/large-buffers.ts'
import { bufferBytes, setBufferSource, trimBuffers } from '../protocol/reply-buffer.ts'
import type { AppendOnly } from './append-only/append-only.ts'
import { ClientBuffers } from './client-buffers.ts'
import { EventLoop } from './event-loop.ts'
import { Rates } from './rates.ts'
import type { Scripting } from './scripting.ts'
import { type Server, ServerStats } from './server.ts'

export class Vitals {
  readonly rates = new Rates()
  readonly loop: EventLoop
  readonly clientBuffers = new ClientBuffers()
  /** Bytes used before there was any data. */
  readonly startupBytes: number
  private sampledPeakBytes = 0
  private readonly server: Server

  constructor(server: Server) {
    this.server = server
    this.loop = new EventLoop(server)
    this.startupBytes = this.usedBytes
    setBufferSource(largeBuffers)
    server.cron.every(() => this.sample())
  }

  /** Bytes that the server holds for data and for traffic: used_memory. The JavaScript heap is not in it: its size says
   *  little about either. */
  get usedBytes(): number {
    const { usedBytes, overheadBytes } = this.server.keyspace.memory
    const others = this.trafficBytes + this.watchedBytes + this.scriptingBytes + this.uncountedBytes
    return usedBytes + overheadBytes + others
  }

  /** Of these, bytes that do not count for maxmemory, as in Redis: what waits for the append-only file grows while keys
   *  are evicted, and evicting more would make it grow more. */
  get uncountedBytes(): number {
    // It is made after this.
    const appendOnly: AppendOnly | undefined = this.server.appendOnly
    return appendOnly === undefined ? 0 : appendOnly.bufferBytes
  }

  /** Bytes of Lua's objects, and of the texts of scripts and libraries. */
  get scriptingBytes(): number {
    // It is made after this.
    const scripting: Scripting | undefined = this.server.scripting
    return scripting === undefined ? 0 : scripting.usedBytes
  }

  /** Bytes of the tables of keys that clients watch, or have copies of, and of channels that they listen to. */
  get watchedBytes(): number {
    const { transactions, tracking, pubsub } = this.server
    return transactions.watched.usedBytes + (tracking?.usedBytes ?? 0) + pubsub.topicBytes
  }

  /** Bytes of the buffers that requests come in through and replies leave by, and of the clients. */
  get trafficBytes(): number {
    const { wire, clientMemory } = this.server
    return wire.bytes.length + bufferBytes() + clientMemory.bytes - clientMemory.buffered
  }

  /** The most that `usedBytes` has been: after every run of commands, and whenever sampled. (What the blocks took at
   *  most since it was last looked at did not come together with what everything else takes now; but nearly.) */
  get peakBytes(): number {
    const { dispatcher, keyspace } = this.server
    const used = this.usedBytes
    const peakOfRuns = dispatcher.memoryPeakBytes + used - keyspace.memory.usedBytes
    this.sampledPeakBytes = Math.max(this.sampledPeakBytes, used, peakOfRuns)
    dispatcher.memoryPeakBytes = 0
    return this.sampledPeakBytes
  }

  /** Takes note of what is used now; answers that. */
  notePeak(): number {
    const used = this.usedBytes
    if (used > this.sampledPeakBytes) this.sampledPeakBytes = used
    this.server.dispatcher.memoryPeakBytes = 0
    return used
  }

  private sample(): void {
    const nowMs = performance.now()
    if (!this.rates.isDue(nowMs)) return
    const { dispatcher, stats, connections } = this.server
    this.rates.sample(nowMs, {
      commands: dispatcher.statistics.totalCalls,
      inputBytes: stats.bytesRead,
      outputBytes: stats.bytesWritten,
      loopCycles: this.loop.cycles,
      loopActiveUs: this.loop.activeUs,
    })
    this.clientBuffers.sample(connections)
    trimBuffers()
    largeBuffers.trim()
    this.sampledPeakBytes = this.peakBytes
  }

  /** Sets the statistics back to zero. The memory's peak stays, as in Redis. */
  reset(): void {
    const { server } = this
    server.dispatcher.resetStatistics()
    server.keyspace.stats = new KeyspaceStats()
    server.eviction.resetStatistics()
    server.access.log.resetCounts()
    Object.assign(server.stats, new ServerStats())
    this.loop.reset()
    this.rates.reset()
  }

  /** Stops watching. */
  close(): void {
    this.loop.close()
  }
}
