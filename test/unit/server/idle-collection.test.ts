import { expect, test, vi } from 'vitest'
import { collectWhenIdle } from '../../../src/server/idle-collection.ts'
import { newServer } from './support.ts'

test.each([1, 10, 500])('the heap is collected when many commands have been followed by few, at hz %d', (hz) => {
  const server = newServer()
  const collect = vi.fn(() => (heap = 10_000_000))
  let heap = 14_000_000
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  /** Ticks of the cron for so long, while clients ask for so much a second; how often there was a collection. */
  const pass = (seconds: number, commandsPerSecond: number, bytesPerSecond = 0): number => {
    collect.mockClear()
    for (let tick = 0; tick < seconds * hz; tick++) {
      now += 1000 / hz
      server.dispatcher.statistics.totalCalls += commandsPerSecond / hz
      server.stats.bytesRead += bytesPerSecond / hz / 2
      server.stats.bytesWritten += bytesPerSecond / hz / 2
      server.cron.tick()
    }
    return collect.mock.calls.length
  }
  try {
    collectWhenIdle(server, collect, () => heap)
    expect(pass(1, 5), 'not at once').toBe(0)
    expect(pass(3, 5), 'what starting took').toBe(1)
    expect(pass(6, 5), 'and what only later can be given back').toBe(2)
    expect(pass(10, 5), 'nothing has been done').toBe(0)
    expect(pass(5, 100_000), 'still busy').toBe(0)
    expect(pass(10, 5), 'nothing to gain').toBe(0)
    heap = 13_000_000
    expect(pass(1, 100_000), 'busy again').toBe(0)
    expect(pass(4, 5), 'little to gain').toBe(0)
    expect(pass(6, 5), 'the young generation can be made small').toBe(2)
    heap = 15_000_000
    expect(pass(5, 100_000), 'still busy').toBe(0)
    expect(pass(10, 5)).toBe(1)
    heap = 15_000_000
    expect(pass(10, 5), 'nothing since').toBe(0)
    expect(pass(1, 100_000)).toBe(0)
    server.dispatcher.statistics.totalCalls = 0 // CONFIG RESETSTAT
    expect(pass(10, 0)).toBe(1)
    heap = 15_000_000
    expect(pass(10, 5, 1e9), 'long values').toBe(0)
    expect(pass(10, 5, 1000), 'and no more of them').toBe(1)
    expect(pass(10, 5, 1000), 'nothing since').toBe(0)
    const size = vi.spyOn(server.connections, 'size', 'get').mockReturnValue(2000)
    expect(pass(10, 0), 'many have come').toBe(0)
    size.mockReturnValue(500)
    expect(pass(10, 0), 'and gone').toBe(1)
    expect(pass(10, 0), 'nothing since').toBe(0)
  } finally {
    vi.restoreAllMocks()
  }
})
