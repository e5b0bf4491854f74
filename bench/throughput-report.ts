/* Turns the figures of a throughput suite into tables (one for each pipeline depth and rival), bars and a chart.
 * Bars are held against the first rival, which is redis-server where it is installed. */
import { geometricMean, type Spread } from './statistics.ts'
import {
  atLeast,
  atMost,
  type Bar,
  type Chart,
  left,
  type Options,
  right,
  type SuiteResult,
  significant,
  type Table,
} from './suite.ts'
import type { ServerFigures, TestFigures } from './throughput.ts'

/** From here on other work on the machine is likely to have bent the figures. */
const WAIT_SHARE_NOISY = 0.1

type Depth = { pipeline: number; tests: TestFigures[] }

export function present(suite: string, figures: readonly TestFigures[], options: Options): SuiteResult {
  const names = options.specs.map((spec) => spec.name)
  const depths = byDepth(figures)
  const tables: Table[] = []
  for (const depth of depths) {
    if (names.length === 1) tables.push(soloTable(depth, names[0]!))
    for (let rival = 1; rival < names.length; rival++) tables.push(table(depth, names, rival))
  }
  const bars = names.length === 1 ? [] : suite === 'values' ? valueBars(figures) : depths.flatMap(depthBars)
  const means = depths.map((depth) => ({ pipeline: depth.pipeline, ...meansOf(depth) }))
  return { tables, bars, chart: names.length === 1 ? null : chart(suite, names, depths), data: { figures, means } }
}

function byDepth(figures: readonly TestFigures[]): Depth[] {
  const pipelines = [...new Set(figures.map((figure) => figure.pipeline))]
  return pipelines.map((pipeline) => ({ pipeline, tests: figures.filter((figure) => figure.pipeline === pipeline) }))
}

function table(depth: Depth, names: readonly string[], rival: number): Table {
  const rows = depth.tests.map((figures) => row(figures, rival))
  const compared = depth.tests.flatMap((figures) => figures.comparisons[rival - 1] ?? [])
  const mean = geometricMean(compared.map((comparison) => comparison.ratio.median))
  const cpuMean = geometricMean(compared.map((comparison) => comparison.cpuRatio))
  rows.push(['geometric mean', '', '', mean.toFixed(2), '', '', '', '', '', cpuMean.toFixed(2), '', ''])
  return {
    title: `P=${depth.pipeline}: ${names[0]} against ${names[rival]}`,
    columns: [
      left('test'),
      right(`${names[0]}/s`),
      right(`${names[rival]}/s`),
      right('ratio'),
      right('spread'),
      right('p50 ms'),
      right('p99 ms'),
      right('p99.9 ms'),
      right('CPU us/request'),
      right('CPU ratio'),
      right('busy %'),
      left(''),
    ],
    rows,
    notes: notesOf(depth),
  }
}

function row(figures: TestFigures, rival: number): string[] {
  const ours = figures.servers[0] ?? null
  const theirs = figures.servers[rival] ?? null
  const comparison = figures.comparisons[rival - 1] ?? null
  const pair = (show: (server: ServerFigures) => string): string =>
    `${ours === null ? '-' : show(ours)} / ${theirs === null ? '-' : show(theirs)}`
  return [
    figures.test,
    ours === null ? '-' : significant(ours.requestsPerSecond.median),
    theirs === null ? '-' : significant(theirs.requestsPerSecond.median),
    comparison === null ? '-' : comparison.ratio.median.toFixed(2),
    comparison === null ? '-' : range(comparison.ratio),
    pair((server) => server.p50Ms.toFixed(2)),
    pair((server) => server.p99Ms.toFixed(2)),
    pair((server) => server.p999Ms.toFixed(2)),
    pair((server) => server.cpuUsPerRequest.toFixed(2)),
    comparison === null ? '-' : comparison.cpuRatio.toFixed(2),
    pair((server) => busyPercent(server).toFixed(0)),
    comparison === null ? 'not measured' : mark(comparison.ratio),
  ]
}

/** How much of one processor the server used. Where it is far from 100, the client sets the pace, not the server. */
function busyPercent(server: ServerFigures): number {
  return (server.cpuUsPerRequest * server.requestsPerSecond.median) / 1e4
}

/** Below 1, it is slower if no round says otherwise; else the difference is within the noise. */
function mark(ratio: Spread): string {
  if (ratio.median >= 1) return ''
  return ratio.max < 1 ? 'slower' : 'level'
}

function soloTable(depth: Depth, name: string): Table {
  const rows = depth.tests.map((figures) => {
    const ours = figures.servers[0] ?? null
    if (ours === null) return [figures.test, '-', '-', '-', '-', '-', '-']
    const { requestsPerSecond, p50Ms, p99Ms, p999Ms, cpuUsPerRequest } = ours
    const { min, max } = requestsPerSecond
    const times = [p50Ms, p99Ms, p999Ms, cpuUsPerRequest].map((value) => value.toFixed(2))
    return [figures.test, significant(requestsPerSecond.median), `${significant(min)}-${significant(max)}`, ...times]
  })
  const titles = [`${name}/s`, 'spread', 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU us/request']
  return { title: `P=${depth.pipeline}`, columns: [left('test'), ...titles.map(right)], rows, notes: notesOf(depth) }
}

function notesOf(depth: Depth): string[] {
  const notes: string[] = []
  for (const figures of depth.tests) {
    for (const [server, error] of Object.entries(figures.errors)) notes.push(`${figures.test} on ${server}: ${error}`)
    for (const server of figures.servers) {
      if (server === null || server.waitShare < WAIT_SHARE_NOISY) continue
      const share = Math.round(server.waitShare * 100)
      notes.push(`${figures.test} on ${server.server}: noisy, ${share}% of the time it waited for a processor`)
    }
  }
  return notes
}

interface Means {
  ratio: number
  ratioMin: number
  cpuRatio: number
  complete: boolean
}

/** Over commands: one that is measured in two forms, PING_INLINE and PING_MBULK, counts once, with their mean. */
function meansOf(depth: Depth): Means {
  const ratios = new Map<string, number[]>()
  const cpuRatios = new Map<string, number[]>()
  let complete = true
  for (const { test, comparisons } of depth.tests) {
    const comparison = comparisons[0] ?? null
    const command = test.startsWith('PING_') ? 'PING' : test
    if (comparison === null) complete = false
    else {
      ratios.set(command, [...(ratios.get(command) ?? []), comparison.ratio.median])
      cpuRatios.set(command, [...(cpuRatios.get(command) ?? []), comparison.cpuRatio])
    }
  }
  const means = [...ratios.values()].map(geometricMean)
  return {
    ratio: geometricMean(means),
    ratioMin: means.length === 0 ? Number.NaN : Math.min(...means),
    cpuRatio: geometricMean([...cpuRatios.values()].map(geometricMean)),
    complete,
  }
}

function depthBars(depth: Depth): Bar[] {
  const { ratio, ratioMin, cpuRatio, complete } = meansOf(depth)
  const mean = `P=${depth.pipeline} geometric mean of ratios`
  if (depth.pipeline === 1) {
    const cpu = atMost('P=1 geometric mean of CPU per request, ratio', cpuRatio, 1, complete)
    return [atLeast(mean, ratio, 1, complete), cpu]
  }
  if (depth.pipeline === 16) {
    return [atLeast(mean, ratio, 1.25, complete), atLeast('P=16 lowest ratio', ratioMin, 1, complete)]
  }
  return depth.pipeline === 100 ? [atLeast(mean, ratio, 1.5, complete)] : []
}

function valueBars(figures: readonly TestFigures[]): Bar[] {
  return figures.map((figure) => {
    const ratio = figure.comparisons[0]?.ratio.median ?? Number.NaN
    return atLeast(`${figure.test} P=${figure.pipeline} ratio`, ratio, 1)
  })
}

function chart(suite: string, names: readonly string[], depths: readonly Depth[]): Chart {
  const tests = [...new Set(depths.flatMap((depth) => depth.tests.map((figures) => figures.test)))]
  const groups = tests.map((label) => ({
    label,
    values: depths.map((depth) => {
      const figures = depth.tests.find((candidate) => candidate.test === label)
      return figures?.comparisons[0]?.ratio.median ?? null
    }),
  }))
  return {
    title: `Throughput of ${names[0]} relative to ${names[1]} (${suite})`,
    subtitle: `${names[1]} = 1; redis-benchmark, higher is better`,
    series: depths.map((depth) => `P=${depth.pipeline}`),
    groups,
    lines: [
      { value: 1, label: '1.0' },
      { value: 1.25, label: '1.25' },
    ],
  }
}

function range(values: Spread): string {
  return `${values.min.toFixed(2)}-${values.max.toFixed(2)}`
}
