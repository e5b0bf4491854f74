import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Flag } from '../../../../src/server/config/directive.ts'
import { DIRECTIVES, FILE_DIRECTIVES } from '../../../../src/server/config/directives.ts'
import type { Effect } from '../../../../src/server/config/effects.ts'
import { loadText } from '../../../../src/server/config/load.ts'
import { newConfig } from './support.ts'

const path = new URL('../../../../redis.conf.example', import.meta.url)
const content = readFileSync(path, 'utf8')

/** The paragraphs, each with the directives that it holds, commented out or not. */
const paragraphs = content.split(/\n\n+/).map((text) => ({
  text,
  live: [...text.matchAll(/^([a-z][a-z0-9_-]*) /gm)].map((match) => match[1]),
  commented: [...text.matchAll(/^# ([a-z-]+) /gm)].map((match) => match[1]),
}))

const MARKERS = { partial: 'in part', accepted: 'no effect', refused: 'refused' } as const

function marker(effect: Effect): string | undefined {
  if (effect.kind === 'acted') return undefined
  return `# [${MARKERS[effect.kind]}: ${effect.reason}]`
}

describe('redis.conf.example', () => {
  test('yields exactly the defaults', () => {
    const config = newConfig()
    const defaults = newConfig().get(['*'])
    expect(loadText(config, content, 'redis.conf.example')).toBeUndefined()
    expect(config.get(['*'])).toEqual(defaults)
  })

  test('holds every directive, each in one place, and no alias', () => {
    const listed = new Set(paragraphs.flatMap(({ live }) => live))
    expect([...listed].sort()).toEqual(DIRECTIVES.map(({ name }) => name).sort())
    for (const { name } of DIRECTIVES) {
      expect(paragraphs.filter(({ live }) => live.includes(name)).length, name).toBe(1)
    }
  })

  test('shows every directive that only a file can hold', () => {
    for (const { name } of FILE_DIRECTIVES) {
      expect(paragraphs.filter(({ commented }) => commented.includes(name)).length, name).toBe(1)
    }
  })

  test('marks what has no effect or is refused, with the reason, and nothing else', () => {
    for (const { name, effect } of [...DIRECTIVES, ...FILE_DIRECTIVES]) {
      const paragraph = paragraphs.find(({ live, commented }) => live.includes(name) || commented.includes(name))
      const markers = paragraph?.text.match(/^# \[(no effect|in part|refused): .*\]$/gm) ?? []
      expect(markers, name).toEqual([marker(effect)].filter((text) => text !== undefined))
    }
  })

  test('says which directives are for the start only', () => {
    for (const { name, flags } of DIRECTIVES) {
      if (!(flags & Flag.IMMUTABLE)) continue
      const paragraph = paragraphs.find(({ live }) => live.includes(name))
      expect(paragraph?.text.replace(/\n# /g, ' '), name).toMatch(/at the start only/i)
    }
  })

  test('explains every directive before it stands', () => {
    for (const { text, live } of paragraphs) if (live.length > 0) expect(text).toMatch(/^# [A-Z(`]/)
  })
})
