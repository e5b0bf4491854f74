/* Rates: what INFO calls instantaneous, means over the last 1.6 seconds.
 *
 * The cron calls `sample` as often as it runs; every 100 ms that takes one more of the 16 samples that each rate is the
 * mean of, as Redis does. Until there are 16 the missing ones count as 0. */

const SAMPLES = 16
const PERIOD_MS = 100

/** How fast one number grows beside another. */
class Rate {
  private readonly samples = new Float64Array(SAMPLES)
  private slot = 0
  private value = 0
  private base = 0

  /** Notes the growth of `value` for each unit that `base` grew, times `factor`; the first call only begins. */
  add(value: number, base: number, factor: number): void {
    if (this.base > 0) {
      const passed = base - this.base
      this.samples[this.slot] = passed > 0 ? (Math.max(0, value - this.value) * factor) / passed : 0
      this.slot = (this.slot + 1) % SAMPLES
    }
    this.value = value
    this.base = base
  }

  get mean(): number {
    let sum = 0
    for (const sample of this.samples) sum += sample
    return sum / SAMPLES
  }

  reset(): void {
    this.samples.fill(0)
    this.value = 0
    this.base = 0
  }
}

/** The counters that rates are made of. */
export interface Counters {
  readonly commands: number
  readonly inputBytes: number
  readonly outputBytes: number
  readonly loopCycles: number
  readonly loopActiveUs: number
}

export class Rates {
  private sampledMs = 0
  private readonly commands = new Rate()
  private readonly input = new Rate()
  private readonly output = new Rate()
  private readonly cycles = new Rate()
  private readonly cycleUs = new Rate()

  /** Whether the next sample is due. `nowMs` is of a clock that is never set. */
  isDue(nowMs: number): boolean {
    return nowMs - this.sampledMs >= PERIOD_MS
  }

  sample(nowMs: number, counters: Counters): void {
    this.sampledMs = nowMs
    this.commands.add(counters.commands, nowMs, 1000)
    this.input.add(counters.inputBytes, nowMs, 1000)
    this.output.add(counters.outputBytes, nowMs, 1000)
    this.cycles.add(counters.loopCycles, nowMs, 1000)
    this.cycleUs.add(counters.loopActiveUs, counters.loopCycles, 1)
  }

  get commandsPerSecond(): number {
    return Math.trunc(this.commands.mean)
  }
  get inputBytesPerSecond(): number {
    return Math.trunc(this.input.mean)
  }
  get outputBytesPerSecond(): number {
    return Math.trunc(this.output.mean)
  }
  get loopCyclesPerSecond(): number {
    return Math.trunc(this.cycles.mean)
  }
  /** Microseconds that a turn of the loop takes. */
  get loopCycleUs(): number {
    return Math.trunc(this.cycleUs.mean)
  }

  /** Begins anew: the counters have been set back. */
  reset(): void {
    for (const rate of [this.commands, this.input, this.output, this.cycles, this.cycleUs]) rate.reset()
    this.sampledMs = 0
  }
}
