import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLog } from '../../../src/server/log.ts'
import { OomScore } from '../../../src/server/oom-score.ts'
import { LOCAL, newConfig, temporaryDirectory } from './config/support.ts'

function following(file: string) {
  const config = newConfig()
  const warnings: string[] = []
  const log = Object.assign(silentLog(), { warn: (message: string) => void warnings.push(message) })
  new OomScore(config, log, file).follow()
  return { config, warnings, set: (...args: string[]) => config.set(args, LOCAL) }
}

test('a score that the system does not take is refused, and the configuration stays what it was', () => {
  const { config, warnings, set } = following(join(temporaryDirectory(), 'nowhere', 'oom_score_adj'))
  expect(set('oom-score-adj-values', '1 2 3'), 'of no effect so far').toBeUndefined()
  expect(set('oom-score-adj', 'yes')).toBe(
    "ERR CONFIG SET failed (possibly related to argument 'oom-score-adj') - " +
      'Failed to set current oom_score_adj. Check server logs.',
  )
  expect(config.choice('oom-score-adj')).toBe('no')
  expect(warnings).toContainEqual(expect.stringMatching(/^Unable to set oom_score_adj: /))
})

test('what the score was before is what is added to, and what is put back, however often it is changed', () => {
  const file = join(temporaryDirectory(), 'oom_score_adj')
  const score = () => readFileSync(file, 'latin1')
  writeFileSync(file, '-300\n')
  const { set } = following(file)
  expect(score()).toBe('-300\n')
  set('oom-score-adj', 'yes', 'oom-score-adj-values', '-900 0 0')
  expect(score()).toBe('-1000\n')
  set('oom-score-adj-values', '100 0 0')
  expect(score()).toBe('-200\n')
  set('oom-score-adj', 'no')
  expect(score()).toBe('-300\n')
  writeFileSync(file, '50\n') // by somebody else
  set('oom-score-adj', 'yes')
  expect(score()).toBe('150\n')
})
