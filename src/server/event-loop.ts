/* The event loop's own figures: how often it went round, how long it worked, and the longest time it kept all clients
 * waiting.
 *
 * Turns and working time are counted by libuv at no cost of ours. The longest stall is the greatest of what runs
 * without a break: the commands that one read brought (Dispatcher.end), a tick of the cron, a slice of background
 * work, and a pause of the garbage collector, which may fall between those.
 *
 * That is by the clock, as clients see it. How much of it was the server's own is told beside it: of everything that
 * takes long, what the thread has waited for a processor since the last tick (or the last long stall) is taken off. */
import { PerformanceObserver, performance } from 'node:perf_hooks'
import { LONG_MS } from '../commands/dispatcher.ts'
import { ProcessorWait } from './processor-wait.ts'
import type { Server } from './server.ts'

export class EventLoop {
  private readonly server: Server
  private collectionMaxMs = 0
  private readonly waiting = new ProcessorWait()
  /** Of what took long the longest without the waiting. */
  private ownMaxMs = 0
  // What the counters said at the last reset.
  private cyclesBase = 0
  private activeBase = 0
  private readonly observer: PerformanceObserver

  constructor(server: Server) {
    this.server = server
    this.observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        this.collectionMaxMs = Math.max(this.collectionMaxMs, duration)
        if (duration >= LONG_MS) this.noteLong(duration)
      }
    })
    this.observer.observe({ entryTypes: ['gc'] })
    server.cron.every(() => this.waiting.sample())
    const note = (ms: number): void => this.noteLong(ms)
    server.dispatcher.onLongRun = note
    server.cron.onLongTick = note
    server.background.onLongSlice = note
  }

  /** Turns of the loop. */
  get cycles(): number {
    return performance.nodeTiming.uvMetricsInfo.loopCount - this.cyclesBase
  }

  /** Microseconds during which the loop worked, as opposed to waiting for something to do. */
  get activeUs(): number {
    return Math.trunc((activeMs() - this.activeBase) * 1000)
  }

  /** Microseconds of that which the cron and its background work took. */
  get cronUs(): number {
    return Math.trunc((this.server.cron.spentMs + this.server.background.spentMs) * 1000)
  }

  /** Longest time for which the loop could not turn to anybody else. */
  get stallMaxUs(): number {
    const { dispatcher, cron, background } = this.server
    return Math.ceil(Math.max(dispatcher.runMaxMs, cron.longestMs, background.longestMs, this.collectionMaxMs) * 1000)
  }

  /** The same without the time that the thread waited for a processor, as far as it is more than `LONG_MS`. */
  get stallOwnMaxUs(): number {
    const ownMs = Math.max(this.ownMaxMs, LONG_MS)
    return Math.min(this.stallMaxUs, Math.ceil(ownMs * 1000))
  }

  private noteLong(ms: number): void {
    this.ownMaxMs = Math.max(this.ownMaxMs, ms - this.waiting.sample())
  }

  reset(): void {
    const { cron, background } = this.server
    this.cyclesBase += this.cycles
    this.activeBase = activeMs()
    this.collectionMaxMs = 0
    this.ownMaxMs = 0
    cron.spentMs = 0
    cron.longestMs = 0
    background.spentMs = 0
    background.longestMs = 0
  }

  /** Stops watching. */
  close(): void {
    this.waiting.close()
    this.observer.disconnect()
  }
}

function activeMs(): number {
  const { loopStart, idleTime } = performance.nodeTiming
  return loopStart < 0 ? 0 : performance.now() - loopStart - idleTime
}
