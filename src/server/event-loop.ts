/* The event loop's own figures: how often it went round, how long it worked, and the longest time it kept all clients
 * waiting.
 *
 * Turns and working time are counted by libuv at no cost of ours. The longest stall is the greatest of what runs
 * without a break: the commands that one read brought (Dispatcher.end), a tick of the cron, a slice of background
 * work, and a pause of the garbage collector, which may fall between those. */
import { PerformanceObserver, performance } from 'node:perf_hooks'
import type { Server } from './server.ts'

export class EventLoop {
  private readonly server: Server
  private collectionMaxMs = 0
  // What the counters said at the last reset.
  private cyclesBase = 0
  private activeBase = 0
  private readonly observer: PerformanceObserver

  constructor(server: Server) {
    this.server = server
    this.observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.collectionMaxMs = Math.max(this.collectionMaxMs, entry.duration)
    })
    this.observer.observe({ entryTypes: ['gc'] })
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

  reset(): void {
    const { cron, background } = this.server
    this.cyclesBase += this.cycles
    this.activeBase = activeMs()
    this.collectionMaxMs = 0
    cron.spentMs = 0
    cron.longestMs = 0
    background.spentMs = 0
    background.longestMs = 0
  }

  /** Stops watching the garbage collector. */
  close(): void {
    this.observer.disconnect()
  }
}

function activeMs(): number {
  const { loopStart, idleTime } = performance.nodeTiming
  return loopStart < 0 ? 0 : performance.now() - loopStart - idleTime
}
