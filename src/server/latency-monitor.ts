/* The latency monitor: when which kind of work took latency-monitor-threshold or longer.
 *
 *   event → | time, ms | time, ms | … 160 |     the worst of each second; a ring, the oldest is written over
 *
 * Events have Redis's names: command and fast-command (those with the flag), expire-cycle, eviction-cycle … */

const SAMPLES = 160

export interface LatencySample {
  /** Unix time in seconds. */
  readonly time: number
  readonly ms: number
}

/** What there is to say about an event's samples. */
export interface LatencySummary {
  readonly count: number
  readonly least: number
  readonly most: number
  readonly mean: number
  /** Mean distance from the mean. */
  readonly deviation: number
  /** Seconds since the oldest sample, at least 1. */
  readonly span: number
}

export class LatencySeries {
  /** The worst of all time. */
  worst = 0
  private readonly ring: LatencySample[] = []
  private oldest = 0

  add(time: number, ms: number): void {
    this.worst = Math.max(this.worst, ms)
    const latest = this.latest
    if (latest?.time === time) {
      if (ms > latest.ms) this.ring[this.latestSlot] = { time, ms }
    } else if (this.ring.length < SAMPLES) this.ring.push({ time, ms })
    else {
      this.ring[this.oldest] = { time, ms }
      this.oldest = (this.oldest + 1) % SAMPLES
    }
  }

  private get latestSlot(): number {
    return (this.oldest + this.ring.length - 1) % Math.max(1, this.ring.length)
  }

  get latest(): LatencySample | undefined {
    return this.ring[this.latestSlot]
  }

  /** The oldest first. */
  get samples(): readonly LatencySample[] {
    return [...this.ring.slice(this.oldest), ...this.ring.slice(0, this.oldest)]
  }

  summary(now: number): LatencySummary {
    const values = this.ring.map((sample) => sample.ms)
    const count = values.length
    const mean = Math.trunc(values.reduce((sum, value) => sum + value, 0) / count)
    const distance = values.reduce((sum, value) => sum + Math.abs(mean - value), 0)
    return {
      count,
      least: Math.min(...values),
      most: Math.max(...values),
      mean,
      deviation: Math.trunc(distance / count),
      span: Math.max(1, now - this.samples[0]!.time),
    }
  }
}

export class LatencyMonitor {
  /** Milliseconds; 0: nothing is watched. */
  threshold = 0
  readonly events = new Map<string, LatencySeries>()

  /** Work of this kind took so long; noted if that is long enough. */
  note(event: string, durationMs: number): void {
    const ms = Math.trunc(durationMs)
    if (this.threshold === 0 || ms < this.threshold) return
    let series = this.events.get(event)
    if (series === undefined) {
      series = new LatencySeries()
      this.events.set(event, series)
    }
    series.add(Math.floor(Date.now() / 1000), ms)
  }

  /** Forgets an event, its name in any case, or without a name all of them; how many there were. */
  reset(name?: string): number {
    let count = 0
    for (const event of [...this.events.keys()]) {
      if (name !== undefined && event !== name.toLowerCase()) continue
      this.events.delete(event)
      count++
    }
    return count
  }
}
