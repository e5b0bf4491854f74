import { describe, expect, test } from 'vitest'
import { CommandStatistics } from '../../../src/commands/statistics.ts'

const ID = 1

function record(statistics: CommandStatistics, us: number): void {
  statistics.lapUs[0] = us
  statistics.record(ID)
}

function statisticsOf(...durationsUs: readonly number[]): CommandStatistics {
  const statistics = new CommandStatistics(2)
  for (const us of durationsUs) record(statistics, us)
  return statistics
}

describe('the histogram of a command', () => {
  test('counts up, row by row, at the microseconds of redis-server', () => {
    const rows = statisticsOf(0.5, 1, 3, 3, 10, 20, 40, 80, 200, 400, 700, 1500, 3000, 1e6).cumulative(ID)
    // The first numbers are those that LATENCY HISTOGRAM of redis-server 7.2 shows for such durations.
    expect(rows).toEqual([
      [1, 2],
      [4, 4],
      [16, 5],
      [33, 6],
      [66, 7],
      [132, 8],
      [264, 9],
      [528, 10],
      [1056, 11],
      [2113, 12],
      [4227, 13],
      [1082130, 14],
    ])
  })

  test('is empty before the first call, and again after a reset', () => {
    const statistics = statisticsOf()
    expect(statistics.hasHistogram(ID)).toBe(false)
    expect(statistics.cumulative(ID)).toEqual([])
    record(statistics, 5)
    expect(statistics.cumulative(ID)).toEqual([[8, 1]])
    statistics.reset()
    expect(statistics.cumulative(ID)).toEqual([])
  })

  test('counts what took longest as well', () => {
    const rows = statisticsOf(1, 60_000_000).cumulative(ID)
    expect(rows.at(-1)![1]).toBe(2)
  })

  test('gives percentiles within 6 %', () => {
    const statistics = statisticsOf(...Array.from({ length: 1000 }, (_, at) => at + 1))
    for (const percentile of [0, 1, 50, 99, 99.9, 100]) {
      const expected = Math.max(1, (percentile / 100) * 1000)
      const found = statistics.percentile(ID, percentile)
      expect(found).toBeGreaterThanOrEqual(expected)
      expect(found).toBeLessThanOrEqual(expected * 1.07)
    }
  })
})
