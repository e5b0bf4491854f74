/* The sum of many moments, exact: of which the mean is told (INFO's avg_ttl), and which must be 0 again when all have
 * left it. A double is exact to 2^53 only, which ten million keys that live for a month exceed in milliseconds. So each
 * moment is split in two, and so is the sum; each half stays exact for 2^31 moments. */

const LOW = 2 ** 20
/** 139 years: later moments count as this. */
const MOMENT_MAX = 2 ** 42
/** Moments are counted from here on: the process's start. */
const EPOCH_MS = Date.now()

export class DueSum {
  /** Of milliseconds: multiples of LOW, and what is below that. */
  private high = 0
  private low = 0

  add(unixMs: number): void {
    const moment = momentOf(unixMs)
    const high = Math.floor(moment / LOW)
    this.high += high
    this.low += moment - high * LOW
  }

  subtract(unixMs: number): void {
    const moment = momentOf(unixMs)
    const high = Math.floor(moment / LOW)
    this.high -= high
    this.low -= moment - high * LOW
  }

  /** The mean of `count` moments, Unix time in milliseconds. */
  mean(count: number): number {
    return (this.high / count) * LOW + this.low / count + EPOCH_MS
  }

  equals(other: DueSum): boolean {
    return this.high === other.high && this.low === other.low
  }
}

function momentOf(unixMs: number): number {
  return Math.max(-MOMENT_MAX, Math.min(MOMENT_MAX, Math.trunc(unixMs) - EPOCH_MS))
}
