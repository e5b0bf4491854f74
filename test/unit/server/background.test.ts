import { expect, test, vi } from 'vitest'
import { Session } from '../../../src/commands/session.ts'
import { Background } from '../../../src/server/background.ts'
import { newServer, run } from './support.ts'

/** A clock that goes on by a hundredth of a millisecond with each look. */
function slowClock(): void {
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 0.01))
}

test('in each slice a job gets the time that it asked for, and no other waits for it', () => {
  const background = new Background()
  const steps = [0, 0, 0]
  const cut = [false, false, false]
  for (const [index, ms] of [0.5, 1, 2].entries()) {
    background.add(
      () => ++steps[index]! > 0,
      (_, wasCut) => (cut[index] = wasCut),
      () => ms,
    )
  }
  slowClock()
  background.run()
  vi.restoreAllMocks()
  expect(steps[0]).toBeLessThan(steps[1]!)
  expect(steps[1]).toBeLessThan(steps[2]!)
  expect(cut).toEqual([true, true, true])
})

/** How many steps the shared job gets in the slices after the first, while clients ask for something all the time and
 *  its work is done elsewhere for so many milliseconds between two slices. */
function sharedSteps(elsewhereMs: number): number {
  const background = new Background()
  let asked = 0
  background.activity = () => ++asked
  let steps = 0
  let turn = () => {}
  vi.spyOn(globalThis, 'setImmediate').mockImplementation((next: () => void) => {
    turn = next
    return {} as NodeJS.Immediate
  })
  slowClock()
  background.share(
    () => ++steps > 0,
    () => elsewhereMs,
  )
  for (let slice = 0; slice < 20; slice++) {
    for (let look = 0; look < 100; look++) performance.now() // what else takes time
    turn()
  }
  vi.restoreAllMocks()
  return steps
}

test('what is done of the shared job elsewhere counts towards its share of the time, but it always goes on', () => {
  const [alone, helped, overtaken] = [sharedSteps(0), sharedSteps(0.15), sharedSteps(10)]
  expect(helped).toBeLessThan(alone * 0.8)
  expect(overtaken).toBeLessThan(helped)
  expect(overtaken).toBeGreaterThanOrEqual(20)
})

/** How many keys past their time one slice takes away. */
function expiredAtOnce(effort: number): number {
  const server = newServer()
  server.config.assign('active-expire-effort', effort)
  const session = new Session(1)
  for (let index = 0; index < 5000; index++) run(server, session, 'SET', `key:${index}`, 'value', 'PX', '1')
  server.keyspace.setTime(server.keyspace.now + 10_000)
  slowClock()
  server.background.run()
  vi.restoreAllMocks()
  return server.keyspace.stats.expired
}

test('active-expire-effort says how much of each turn expiry may take', () => {
  const [least, medium, most] = [expiredAtOnce(1), expiredAtOnce(5), expiredAtOnce(10)]
  expect(least).toBeGreaterThan(0)
  expect(medium).toBeGreaterThan(least * 1.5)
  expect(most).toBeGreaterThan(medium * 1.3)
})

test('the share of stale keys is told: all of them, some, none', () => {
  const server = newServer()
  const session = new Session(1)
  const share = () => server.keyspace.databases[0]!.staleShare()
  expect(share()).toBe(0)
  for (let index = 0; index < 4000; index++) {
    run(server, session, 'SET', `key:${index}`, 'value', 'PX', index % 4 === 0 ? '100000' : '10000000')
    run(server, session, 'SET', `lasting:${index}`, 'value')
  }
  expect(share()).toBe(0)
  server.keyspace.setTime(server.keyspace.now + 200_000)
  expect(share()).toBeGreaterThan(0.15)
  expect(share()).toBeLessThan(0.35)
  server.keyspace.setTime(server.keyspace.now + 20_000_000)
  expect(share()).toBe(1)
})

test('what cannot be cut has every other slice for itself', () => {
  const background = new Background()
  const done: string[] = []
  let left = 3
  const turns: (() => void)[] = []
  vi.spyOn(globalThis, 'setImmediate').mockImplementation((next: () => void) => {
    turns.push(next)
    return {} as NodeJS.Immediate
  })
  background.add(() => done.push('cut') < 0)
  background.addUncut(() => left > 0 && left-- > 0 && done.push('uncut') > 0)
  background.wake()
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    turn()
    if (done.at(-1) === 'cut' && left > 0) background.wake()
  }
  vi.restoreAllMocks()
  expect(done).toEqual(['uncut', 'cut', 'uncut', 'cut', 'uncut', 'cut'])
})
