import { describe, expect, test } from 'vitest'
import { Flag } from '../../../../src/server/config/directive.ts'
import { type AnyDirective, DIRECTIVES, FILE_DIRECTIVES } from '../../../../src/server/config/directives.ts'
import { LOCAL, newConfig, shown } from './support.ts'

const directives: readonly AnyDirective[] = DIRECTIVES

describe('the table of directives', () => {
  test('has no name twice, aliases included', () => {
    const names = directives.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]))
    names.push(...FILE_DIRECTIVES.map(({ name }) => name))
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })

  test('has as many names as CONFIG GET * of Redis 7.2.4 shows', () => {
    expect(newConfig().get(['*']).length).toBe(195)
    expect(directives.filter(({ flags }) => flags & Flag.HIDDEN).length).toBe(8)
  })

  test('has defaults that each directive takes when they are said', () => {
    for (const { name, flags } of directives) {
      const config = newConfig()
      const value = shown(config, name) ?? ''
      const args = flags & Flag.MULTI_ARG && value !== '' ? value.split(' ') : [value]
      if (name === 'replicaof') args.splice(0, 1, 'no', 'one')
      expect(config.configure(name, args), name).toBeUndefined()
      expect(shown(config, name), name).toBe(value)
    }
  })

  test('gives a reason for everything that is not acted on', () => {
    for (const { name, effect } of [...directives, ...FILE_DIRECTIVES]) {
      if (effect.kind !== 'acted') expect(effect.reason, name).toMatch(/^[a-zA-Z].+[^.]$/)
    }
  })

  test('refuses only what has a default to go back to', () => {
    for (const { name, effect, flags } of directives) {
      if (effect.kind !== 'refused' || flags & Flag.IMMUTABLE) continue
      const config = newConfig()
      expect(config.set([name, shown(config, name) ?? ''], LOCAL), name).toBeUndefined()
    }
  })
})
