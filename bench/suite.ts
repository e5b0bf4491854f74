/* What every suite takes and gives back. A suite measures, and describes what it found as tables, bars and perhaps a
 * chart; report.ts and chart.ts know how these look, and nothing of what they mean. */
import type { ServerSpec } from './servers.ts'

export interface Options {
  /** Ours first, then those it is compared with; bars are held against the first of these. */
  specs: readonly ServerSpec[]
  quick: boolean
  rounds: number
  /** How long one measured run should take. */
  seconds: number
  clients: number
  keyspace: number
  /** Keys for `memory` and `heap`; null: each suite's own number. */
  keys: number | null
  pipelines: readonly number[] | null
  /** Only tests whose name contains one of these; empty: all. */
  only: readonly string[]
  portBase: number
  progress(text: string): void
}

export interface Column {
  title: string
  align: 'left' | 'right'
}

export interface Table {
  title: string
  columns: readonly Column[]
  rows: readonly (readonly string[])[]
  notes: readonly string[]
}

/** A bar with its verdict; `met` is null where it could not be measured. */
export interface Bar {
  label: string
  limit: string
  value: string
  met: boolean | null
}

export interface Chart {
  title: string
  subtitle: string
  series: readonly string[]
  /** One group of bars per entry; a value is null where nothing was measured. */
  groups: readonly { label: string; values: readonly (number | null)[] }[]
  lines: readonly { value: number; label: string }[]
}

export interface SuiteResult {
  tables: readonly Table[]
  bars: readonly Bar[]
  chart: Chart | null
  /** The figures themselves, for the JSON file. */
  data: unknown
}

export interface Suite {
  name: string
  summary: string
  run(options: Options): Promise<SuiteResult>
}

export const left = (title: string): Column => ({ title, align: 'left' })
export const right = (title: string): Column => ({ title, align: 'right' })

export function atLeast(label: string, value: number, limit: number, complete = true): Bar {
  return bar(label, value, `>= ${limit}`, value >= limit, complete)
}

export function atMost(label: string, value: number, limit: number, complete = true): Bar {
  return bar(label, value, `<= ${limit}`, value <= limit, complete)
}

/** An incomplete measurement can miss a bar, but not meet it. */
function bar(label: string, value: number, limit: string, holds: boolean, complete: boolean): Bar {
  const met = Number.isNaN(value) ? null : holds ? (complete ? true : null) : false
  return { label, limit, value: Number.isNaN(value) ? 'not measured' : barValue(value), met }
}

/** A ratio needs its third digit where 1.00 could be either side of the bar. */
function barValue(value: number): string {
  return value < 10 ? value.toFixed(3) : significant(value)
}

/** A figure with three significant digits, four from 1000 up in whole numbers. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const magnitude = Math.abs(value)
  if (magnitude >= 100) return Math.round(value).toLocaleString('en-US')
  return magnitude >= 10
    ? value.toFixed(1)
    : magnitude >= 0.1 || magnitude === 0
      ? value.toFixed(2)
      : value.toPrecision(2)
}

/** Whether `--only` lets this test through. */
export function selected(options: Options, name: string): boolean {
  return options.only.length === 0 || options.only.some((part) => name.toLowerCase().includes(part.toLowerCase()))
}
