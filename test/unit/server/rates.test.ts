import { describe, expect, test } from 'vitest'
import { Rates } from '../../../src/server/rates.ts'

/** Samples every 100 ms, `count` times: each second so many commands, bytes, turns of `turnUs`. */
function feed(rates: Rates, count: number, perSecond: number, turnUs = 50): void {
  for (let sample = 0; sample < count; sample++) {
    const seconds = (sample + 1) / 10
    rates.sample(1000 + sample * 100, {
      commands: perSecond * seconds,
      inputBytes: 10 * perSecond * seconds,
      outputBytes: 20 * perSecond * seconds,
      loopCycles: 2 * perSecond * seconds,
      loopActiveUs: 2 * perSecond * seconds * turnUs,
    })
  }
}

describe('rates', () => {
  test('are the mean of the last sixteen samples', () => {
    const rates = new Rates()
    feed(rates, 17, 500)
    expect(rates.commandsPerSecond).toBe(500)
    expect(rates.inputBytesPerSecond).toBe(5000)
    expect(rates.outputBytesPerSecond).toBe(10_000)
    expect(rates.loopCyclesPerSecond).toBe(1000)
    expect(rates.loopCycleUs).toBe(50)
  })

  test('count samples that were not taken yet as nothing, as Redis does', () => {
    const rates = new Rates()
    feed(rates, 5, 1600)
    expect(rates.commandsPerSecond).toBe(400)
  })

  test('come back to zero when nothing happens', () => {
    const rates = new Rates()
    feed(rates, 20, 500)
    const counters = { commands: 1, inputBytes: 1, outputBytes: 1, loopCycles: 1, loopActiveUs: 1 }
    for (let sample = 0; sample < 18; sample++) rates.sample(10_000 + sample * 100, counters)
    expect(rates.commandsPerSecond).toBe(0)
    expect(rates.loopCycleUs).toBe(0)
  })

  test('are sampled every 100 ms', () => {
    const rates = new Rates()
    expect(rates.isDue(1000)).toBe(true)
    feed(rates, 1, 1)
    expect(rates.isDue(1099)).toBe(false)
    expect(rates.isDue(1100)).toBe(true)
  })

  test('are never negative when the counters were set back', () => {
    const rates = new Rates()
    feed(rates, 10, 1000)
    const zero = { commands: 0, inputBytes: 0, outputBytes: 0, loopCycles: 0, loopActiveUs: 0 }
    rates.reset()
    rates.sample(5000, zero)
    rates.sample(5100, { ...zero, commands: 160 })
    expect(rates.commandsPerSecond).toBe(100)
  })
})
