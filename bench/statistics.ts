/* The few statistics a benchmark reports. A ratio is always taken within one round, between runs that stood next to
 * each other in time, and the median over rounds is what counts; the spread (least to greatest) says how far to
 * believe it. Means over tests are geometric, as means of ratios must be. */

export interface Spread {
  median: number
  min: number
  max: number
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

export function geometricMean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : Math.exp(sum(values.map(Math.log)) / values.length)
}

/** The value below which a share (0 to 1) of the sorted values lies. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

/** A small seeded generator (mulberry32): the load must be the same in every run. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
