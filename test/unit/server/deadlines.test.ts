/* Deadlines against a sorted list, and against the clock. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Deadlines, type Timed } from '../../../src/server/deadlines.ts'

interface Thing extends Timed {
  readonly name: number
}

describe('deadlines', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('things happen in the order of their times, whatever was added or removed between', () => {
    const operation = fc.record({ ms: fc.integer({ min: 0, max: 300 }), kind: fc.integer({ min: 0, max: 3 }) })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const due: number[] = []
        const deadlines = new Deadlines<Thing>((thing) => due.push(thing.name))
        let pending: Thing[] = []
        const expected: number[] = []
        const pass = (until: number) => {
          const passed = pending.filter((thing) => thing.deadline <= until)
          passed.sort((a, b) => a.deadline - b.deadline || a.name - b.name)
          expected.push(...passed.map((thing) => thing.name))
          pending = pending.filter((thing) => thing.deadline > until)
        }
        operations.forEach(({ ms, kind }, name) => {
          if (kind < 2) {
            // A thousandth of the number keeps them apart, for equal times have no order.
            const thing = { name, deadline: performance.now() + ms + name / 1000, place: -1 }
            pending.push(thing)
            deadlines.add(thing)
          } else if (kind === 2) {
            // What is just falling due may have happened already: it is left alone.
            const removable = pending.filter((thing) => thing.deadline > performance.now() + 2)
            const removed = removable[ms % removable.length]
            if (removed === undefined) return
            pending = pending.filter((thing) => thing !== removed)
            deadlines.remove(removed)
            deadlines.remove(removed) // once more does nothing
          } else {
            vi.advanceTimersByTime(ms)
          }
          pass(performance.now() - 2)
          expect(due.slice(0, expected.length)).toEqual(expected)
        })
        vi.advanceTimersByTime(1000)
        pass(Number.POSITIVE_INFINITY)
        expect(due).toEqual(expected)
        expect(deadlines.count).toBe(0)
        deadlines.close()
      }),
    )
  })

  test('nothing happens early, and only one timer is set', () => {
    const due: number[] = []
    const deadlines = new Deadlines<Thing>((thing) => due.push(thing.name))
    for (let name = 0; name < 1000; name++)
      deadlines.add({ name, deadline: performance.now() + 1000 - name, place: -1 })
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(0.5)
    expect(due).toEqual([])
    vi.advanceTimersByTime(2000)
    expect(due.length).toBe(1000)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a time further away than a timer can be is kept', () => {
    const due: number[] = []
    const deadlines = new Deadlines<Thing>((thing) => due.push(thing.name))
    deadlines.add({ name: 1, deadline: performance.now() + 3 * 2 ** 31, place: -1 })
    vi.advanceTimersByTime(2 * 2 ** 31)
    expect(due).toEqual([])
    vi.advanceTimersByTime(2 ** 31 + 10)
    expect(due).toEqual([1])
  })
})
