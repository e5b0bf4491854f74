/* The picture that LATENCY GRAPH draws: a column for each sample, twelve steps high in four rows, and under it, written
 * downwards, how long ago that was.
 *
 *   command - high 500 ms, low 100 ms (all time high 500 ms)
 *   --------------------------------------------------------------------------------
 *      #
 *     _|
 *    o||
 *   _|||
 *
 *   3210
 *   ssss
 */
import type { LatencySample, LatencySeries } from '../latency-monitor.ts'

const COLUMNS = 80
const ROWS = 4
/** The top of a column, by how far it reaches into its row; below it the column is a line. */
const TOPS = '_o#'

export function latencyGraph(event: string, series: LatencySeries, now: number): string {
  const { samples } = series
  const { least, most } = series.summary(now)
  let text = `${event} - high ${most} ms, low ${least} ms (all time high ${series.worst} ms)\n`
  text += `${'-'.repeat(COLUMNS)}\n`
  for (let first = 0; first < samples.length; first += COLUMNS) {
    if (first > 0) text += '\n'
    const shown = samples.slice(first, first + COLUMNS)
    text += bars(shown, least, most) + labels(shown, now)
  }
  return text
}

function bars(samples: readonly LatencySample[], least: number, most: number): string {
  const steps = ROWS * TOPS.length
  const span = Math.max(1, most - least)
  const heights = samples.map(({ ms }) => Math.min(steps - 1, Math.floor(((ms - least) * steps) / span)))
  let text = ''
  for (let row = ROWS - 1; row >= 0; row--) {
    text += `${heights.map((height) => barAt(height - row * TOPS.length)).join('')}\n`
  }
  return text
}

function barAt(reach: number): string {
  if (reach < 0) return ' '
  return reach < TOPS.length ? TOPS[reach]! : '|'
}

function labels(samples: readonly LatencySample[], now: number): string {
  const words = samples.map(({ time }) => age(now - time))
  const height = Math.max(...words.map((word) => word.length))
  let text = `${' '.repeat(samples.length)}\n`
  for (let at = 0; at < height; at++) text += `${words.map((word) => word[at] ?? ' ').join('')}\n`
  return text
}

const UNITS: readonly (readonly [letter: string, seconds: number])[] = [
  ['d', 86400],
  ['h', 3600],
  ['m', 60],
]

function age(seconds: number): string {
  for (const [letter, size] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)}${letter}`
  return `${seconds}s`
}
