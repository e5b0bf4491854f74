import { describe, expect, test } from 'vitest'
import { AccessClock } from '../../../src/keyspace/access.ts'

const MINUTE_MS = 60_000

function clockAt(minutes: number, lfu: boolean): AccessClock {
  const clock = new AccessClock()
  clock.lfu = lfu
  clock.tick(minutes * MINUTE_MS)
  return clock
}

describe('LFU counters', () => {
  test('begin with 5', () => {
    const clock = clockAt(1000, true)
    expect(clock.frequency(clock.fresh())).toBe(5)
  })

  test('lose one for each lfu-decay-time minutes without use, down to nothing', () => {
    const clock = clockAt(1000, true)
    const access = clock.withFrequency(20)
    clock.lfuDecayMinutes = 3
    clock.tick(1002 * MINUTE_MS)
    expect(clock.frequency(access)).toBe(20)
    clock.tick(1003 * MINUTE_MS)
    expect(clock.frequency(access)).toBe(19)
    clock.tick(1030 * MINUTE_MS)
    expect(clock.frequency(access)).toBe(10)
    clock.tick(1100 * MINUTE_MS)
    expect(clock.frequency(access)).toBe(0)
  })

  test('keep what they have when lfu-decay-time is 0', () => {
    const clock = clockAt(1000, true)
    const access = clock.withFrequency(20)
    clock.lfuDecayMinutes = 0
    clock.tick(5000 * MINUTE_MS)
    expect(clock.frequency(access)).toBe(20)
  })

  test('decay across the turn of the 16-bit minute', () => {
    const clock = clockAt(65_534, true)
    const access = clock.withFrequency(20)
    clock.tick(65_540 * MINUTE_MS)
    expect(clock.frequency(access)).toBe(14)
  })

  test('always count up to 6 uses, ever fewer of more, and none beyond 255', () => {
    const clock = clockAt(1000, true)
    expect(clock.frequency(clock.used(clock.withFrequency(5)))).toBe(6)
    expect(clock.frequency(clock.used(clock.withFrequency(0)))).toBe(1)
    expect(clock.frequency(clock.used(clock.withFrequency(255)))).toBe(255)
    clock.lfuLogFactor = 0
    let access = clock.withFrequency(5)
    for (let use = 0; use < 100; use++) access = clock.used(access)
    expect(clock.frequency(access), 'each use counts with lfu-log-factor 0').toBe(105)
    clock.lfuLogFactor = 1e9
    for (let use = 0; use < 100; use++) access = clock.used(access)
    expect(clock.frequency(access), 'hardly any with a huge one').toBe(105)
  })
})

test('idle times are counted across the turn of the 32-bit clock, and do not jump with it', () => {
  const clock = new AccessClock()
  clock.tick(2 ** 32 - 500)
  const access = clock.fresh()
  clock.tick(2 ** 32 + 1500)
  expect(clock.idleMs(access)).toBe(2000)
  expect(clock.idleMs(clock.idleSince(70_000))).toBe(70_000)
  clock.jump(3_600_000)
  clock.tick(2 ** 32 + 1500 + 3_600_000)
  expect(clock.idleMs(access)).toBe(2000)
})
