/* Where the results go: tables and bars to stdout, everything to results/<suite>.json, the chart to
 * results/<suite>.svg. A file is written beside its place and renamed, so that a run cut short leaves the old one.
 * Figures mean nothing without the machine they come from, so the JSON file says what that was. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { drawChart } from './chart.ts'
import { redisBenchmarkVersion } from './redis-benchmark.ts'
import { joinWords } from './servers.ts'
import type { Bar, Options, SuiteResult, Table } from './suite.ts'

export interface Environment {
  date: string
  commit: string
  cpu: string
  cores: number
  memoryGb: number
  system: string
  loadBefore: number
  node: string
  redis: string
  redisBenchmark: string
}

export function environment(root: string): Environment {
  return {
    date: new Date().toISOString(),
    commit: commitOf(root),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${arch()}`,
    loadBefore: loadavg()[0]!,
    node: process.version,
    redis: outputOf('redis-server', ['--version'], root) ?? 'not installed',
    redisBenchmark: redisBenchmarkVersion() ?? 'not installed',
  }
}

function commitOf(root: string): string {
  const commit = outputOf('git', ['rev-parse', '--short=12', 'HEAD'], root)
  if (commit === null) return 'unknown'
  return outputOf('git', ['status', '--porcelain'], root) === '' ? commit : `${commit} with changes`
}

/** What a command prints, or null where it is missing or fails: none of these facts is worth stopping for. */
function outputOf(command: string, args: readonly string[], cwd: string): string | null {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null
  }
}

export function renderTable(table: Table): string {
  const lines = [table.columns.map((column) => column.title), ...table.rows]
  const widths = table.columns.map((_, index) => Math.max(...lines.map((line) => line[index]!.length)))
  const render = (line: readonly string[]): string =>
    line
      .map((cell, i) => (table.columns[i]!.align === 'left' ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  const body = [render(lines[0]!), rule, ...lines.slice(1).map(render), ...table.notes.map((note) => `  ! ${note}`)]
  return `${table.title}\n\n${body.join('\n')}\n`
}

export function renderBars(bars: readonly Bar[]): string {
  const column = { align: 'left', title: '' } as const
  return renderTable({
    title: 'Bars',
    columns: ['', 'bar', 'limit', 'measured'].map((title) => ({ ...column, title })),
    rows: bars.map((bar) => [verdict(bar), bar.label, bar.limit, bar.value]),
    notes: [],
  })
}

function verdict(bar: Bar): string {
  return bar.met === null ? '? open' : bar.met ? '✓ met' : '✗ missed'
}

/** Prints the result and writes its files; answers their paths. */
export function report(
  suite: string,
  result: SuiteResult,
  options: Options,
  facts: Environment,
  directory: string,
): string[] {
  const parts = [...result.tables.map(renderTable), ...(result.bars.length === 0 ? [] : [renderBars(result.bars)])]
  process.stdout.write(`${parts.join('\n')}\n`)
  mkdirSync(directory, { recursive: true })
  const { specs, progress: _, ...settings } = options
  const servers = specs.map((spec) => ({
    name: spec.name,
    // As somebody would type it here: the results say nothing of where they were measured.
    started: spec.command === null ? null : joinWords(spec.command).replaceAll(`${process.cwd()}/`, ''),
    address: spec.address === null ? null : `${spec.address.host}:${spec.address.port}`,
  }))
  const { bars, data } = result
  const json = JSON.stringify({ suite, environment: facts, settings, servers, bars, data }, shorten, 2)
  const paths = [replaceFile(join(directory, `${suite}.json`), `${json}\n`)]
  if (result.chart !== null) paths.push(replaceFile(join(directory, `${suite}.svg`), drawChart(result.chart)))
  return paths
}

/** Six digits are more than any of these figures is good for. */
function shorten(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
}

function replaceFile(path: string, text: string): string {
  writeFileSync(`${path}.tmp`, text)
  renameSync(`${path}.tmp`, path)
  return path
}
