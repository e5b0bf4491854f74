import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { latencyGraph } from '../../../src/server/commands/latency-graph.ts'
import { LatencyMonitor, LatencySeries } from '../../../src/server/latency-monitor.ts'

describe('the latency monitor', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_700_000_000_000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('notes what takes as long as the threshold, in whole milliseconds', () => {
    const monitor = new LatencyMonitor()
    monitor.threshold = 100
    monitor.note('command', 99.9)
    expect(monitor.events.size).toBe(0)
    monitor.note('command', 100.9)
    expect(monitor.events.get('command')?.samples).toEqual([{ time: 1_700_000_000, ms: 100 }])
  })

  test('is off at threshold 0', () => {
    const monitor = new LatencyMonitor()
    monitor.note('command', 1e6)
    expect(monitor.events.size).toBe(0)
  })

  test('forgets one event, by its name in any case, or all', () => {
    const monitor = new LatencyMonitor()
    monitor.threshold = 1
    for (const event of ['command', 'fast-command', 'expire-cycle']) monitor.note(event, 5)
    expect(monitor.reset('Command')).toBe(1)
    expect(monitor.reset('command')).toBe(0)
    expect(monitor.reset()).toBe(2)
    expect(monitor.events.size).toBe(0)
  })
})

describe('a series of latencies', () => {
  test('keeps the worst of each second', () => {
    const series = new LatencySeries()
    for (const ms of [5, 9, 7]) series.add(100, ms)
    series.add(101, 3)
    expect(series.samples).toEqual([
      { time: 100, ms: 9 },
      { time: 101, ms: 3 },
    ])
    expect(series.latest).toEqual({ time: 101, ms: 3 })
    expect(series.worst).toBe(9)
  })

  test('keeps the latest 160, the oldest first', () => {
    const series = new LatencySeries()
    for (let time = 1; time <= 200; time++) series.add(time, time === 7 ? 999 : time)
    series.add(200, 500)
    const { samples } = series
    expect(samples.map(({ time }) => time)).toEqual(Array.from({ length: 160 }, (_, at) => at + 41))
    expect(samples.at(-1)?.ms).toBe(500)
    expect(series.worst).toBe(999)
  })

  test('sums up to whole numbers', () => {
    const series = new LatencySeries()
    for (const [time, ms] of [
      [100, 10],
      [102, 20],
      [105, 31],
    ] as const) {
      series.add(time, ms)
    }
    expect(series.summary(110)).toEqual({ count: 3, least: 10, most: 31, mean: 20, deviation: 7, span: 10 })
    expect(series.summary(100).span).toBe(1)
  })
})

describe('the latency graph', () => {
  test('draws a column a sample, with how long ago it was', () => {
    const series = new LatencySeries()
    for (const [time, ms] of [
      [0, 0],
      [90_000, 100],
      [93_500, 200],
      [99_990, 300],
      [99_991, 400],
    ] as const) {
      series.add(time, ms)
    }
    const lines = latencyGraph('command', series, 100_000).split('\n')
    expect(lines.slice(0, 2)).toEqual(['command - high 400 ms, low 0 ms (all time high 400 ms)', '-'.repeat(80)])
    expect(lines.slice(2)).toEqual(['   _#', '  _||', ' _|||', '_||||', '     ', '12119', 'dhh0s', '   s ', ''])
  })
})
