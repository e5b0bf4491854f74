/* Statistics of commands: how often each ran, how long it took, how it ended. Kept by command id in typed arrays.
 *
 * A command's latency histogram counts nanoseconds in buckets of four leading bits (16 to a doubling, error below 6 %),
 * as an HDR histogram does; it is made when the command first runs. */

const BUCKETS = 512
const NS_MAX = 2 ** 31 - 1

function bucketOf(ns: number): number {
  if (ns < 16) return ns
  const exponent = 31 - Math.clz32(ns)
  return ((exponent - 3) << 4) + ((ns >>> (exponent - 4)) & 15)
}

/** The largest nanosecond count that falls into a bucket. */
function bucketTop(bucket: number): number {
  if (bucket < 16) return bucket
  const exponent = (bucket >>> 4) + 3
  const width = 2 ** (exponent - 4)
  return (16 + (bucket & 15)) * width + width - 1
}

export class CommandStatistics {
  calls = new Float64Array(0)
  /** Microseconds. */
  duration = new Float64Array(0)
  /** Refused before they ran (arity, authentication, memory …). */
  rejected = new Float64Array(0)
  /** Ended with an error reply. */
  failed = new Float64Array(0)
  private histograms: (Float64Array | null)[] = []
  /** Error replies by their code. */
  readonly errors = new Map<string, number>()
  totalCalls = 0
  totalErrors = 0
  /** latency-tracking: whether histograms are kept. */
  tracking = true

  constructor(commandCount: number) {
    this.reset(commandCount)
  }

  reset(commandCount = this.calls.length): void {
    this.calls = new Float64Array(commandCount)
    this.duration = new Float64Array(commandCount)
    this.rejected = new Float64Array(commandCount)
    this.failed = new Float64Array(commandCount)
    this.histograms = new Array<Float64Array | null>(commandCount).fill(null)
    this.errors.clear()
    this.totalCalls = 0
    this.totalErrors = 0
  }

  /** Duration of the command about to be recorded, in microseconds. Not a parameter: a double passed to a function that
   *  is not inlined costs a heap number per command. */
  readonly lapUs = new Float64Array(1)

  /** A command has run so often, for `lapUs` each time; hot. */
  record(id: number, count = 1): void {
    const durationUs = this.lapUs[0]!
    this.totalCalls += count
    this.calls[id]! += count
    this.duration[id]! += durationUs * count
    if (!this.tracking) return
    let histogram = this.histograms[id]
    if (histogram === null || histogram === undefined) histogram = this.addHistogram(id)
    const ns = durationUs * 1000
    histogram[bucketOf(ns < NS_MAX ? ns | 0 : NS_MAX)]! += count
  }

  private addHistogram(id: number): Float64Array {
    const histogram = new Float64Array(BUCKETS)
    this.histograms[id] = histogram
    return histogram
  }

  /** An error was replied. */
  recordError(code: string): void {
    this.totalErrors++
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }

  hasHistogram(id: number): boolean {
    return this.histograms[id] !== null
  }

  /** Microseconds below which `percentile` percent of the calls stayed. */
  percentile(id: number, percentile: number): number {
    const histogram = this.histograms[id]
    if (histogram === null || histogram === undefined) return 0
    const total = histogram.reduce((sum, count) => sum + count, 0)
    const wanted = Math.max(1, Math.ceil((percentile / 100) * total))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += histogram[bucket]!
      if (seen >= wanted) return bucketTop(bucket) / 1000
    }
    return 0
  }

  /** Cumulative counts at 1.024 µs and its doubles, as LATENCY HISTOGRAM shows them: [microseconds, calls that took no
   *  longer]. Each row stands for the top of a bucket of Redis's histogram, hence 33 and 66 after 16; rows that add
   *  nothing are left out. */
  cumulative(id: number): [number, number][] {
    const histogram = this.histograms[id]
    const rows: [number, number][] = []
    if (histogram === null || histogram === undefined) return rows
    const total = histogram.reduce((sum, count) => sum + count, 0)
    let seen = 0
    let shown = 0
    let bucket = 0
    for (let scale = 1; seen < total; scale *= 2) {
      for (; bucket < BUCKETS && bucketTop(bucket) < 1024 * scale; bucket++) seen += histogram[bucket]!
      if (bucket === BUCKETS) seen = total
      if (seen > shown) rows.push([Math.trunc((1032 * scale - 1) / 1000), seen])
      shown = seen
    }
    return rows
  }
}
