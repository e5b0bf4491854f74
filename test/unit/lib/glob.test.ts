import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { matches } from '../../../src/lib/glob.ts'

/** Both ranges lie inside larger arrays, amid bytes that would change the answer if they were read. */
function match(pattern: string, text: string, nocase = false): boolean {
  const patternBytes = fromLatin1(`*${pattern}]*`)
  return matches(patternBytes, 1, pattern.length, fromLatin1(`a${text}a`), 1, text.length, nocase)
}

const yes: readonly (readonly [string, string])[] = [
  ['', ''],
  ['a', 'a'],
  ['*', 'a'],
  ['**', 'a'],
  ['a*', 'a'],
  ['a**', 'a'],
  ['*a', 'a'],
  ['h?llo', 'hello'],
  ['h*llo', 'hllo'],
  ['h*llo', 'heeeello'],
  ['h[ae]llo', 'hallo'],
  ['h[^e]llo', 'hbllo'],
  ['h[a-c]llo', 'hbllo'],
  ['h[c-a]llo', 'hbllo'],
  ['\\*', '*'],
  ['a\\', 'a\\'],
  ['\\a', 'a'],
  ['[\\]]', ']'],
  ['[\\^a]', '^'],
  ['[a-]', '`'],
  ['[abc', 'b'],
  ['[^]', 'x'],
  ['[^', 'x'],
  ['*ab*ab*', 'xabxxabx'],
  ['*aab', 'aaaab'],
  ['?', '\xff'],
  ['[a-\xff]', 'A'],
]
const no: readonly (readonly [string, string])[] = [
  ['*', ''],
  ['**', ''],
  ['?', ''],
  ['', 'a'],
  ['a', ''],
  ['a', 'b'],
  ['a', 'ab'],
  ['ab', 'a'],
  ['h?llo', 'hllo'],
  ['h[^e]llo', 'hello'],
  ['h[a-c]llo', 'hdllo'],
  ['[]', ']'],
  ['[', 'x'],
  ['a[', 'a['],
  ['[]', 'x'],
  ['[a-]', '-'],
  ['\\*', 'a'],
  ['[a-\xff]', 'b'],
  ['*ab*ab*', 'xabx'],
  ['a*b', 'ac'],
  ['a?', 'a'],
]

describe('matches', () => {
  test('follows Redis on its documented forms and on its corners', () => {
    for (const [pattern, text] of yes) expect(match(pattern, text), `${pattern} ${text}`).toBe(true)
    for (const [pattern, text] of no) expect(match(pattern, text), `${pattern} ${text}`).toBe(false)
  })

  test('ignores case only when asked', () => {
    expect(match('KEY:[A-C]?', 'key:bx')).toBe(false)
    expect(match('KEY:[A-C]?', 'key:bx', true)).toBe(true)
    expect(match('\\K', 'k', true)).toBe(true)
    expect(match('[\\K]', 'k', true)).toBe(false) // an escape in a class is exact
    expect(match('[\xff-b]', 'A', true)).toBe(true)
    expect(match('[Z-\x80]', 'b', true)).toBe(false) // the ends change places before they are folded
  })

  test('agrees with a backtracking model on arbitrary patterns', () => {
    const pattern = fc.string({ unit: fc.constantFrom(...'ab*?[]^-\\'), maxLength: 10 })
    const text = fc.string({ unit: fc.constantFrom(...'ab]-\\'), minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(pattern, text, (p, t) => match(p, t) === model(p, t)),
      { numRuns: 5000 },
    )
  })

  test('more than a thousand stars match nothing', () => {
    const matchesTimes = (stars: number, end: string): boolean => match('*a'.repeat(stars) + end, 'a'.repeat(2000))
    expect(matchesTimes(1000, '')).toBe(true)
    expect(matchesTimes(1000, '*')).toBe(true)
    expect(matchesTimes(1001, '')).toBe(false)
    expect(matchesTimes(1001, '*')).toBe(false)
  })

  test('many stars take no exponential time', () => {
    const text = 'a'.repeat(20000)
    const start = performance.now()
    expect(match('*a'.repeat(60) + '*b', text)).toBe(false)
    expect(match('a*'.repeat(1000), text)).toBe(true)
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

/** The definition, in strings and by trying everything: a list of tokens, each a star or a set of characters. */
function model(pattern: string, text: string): boolean {
  const tokens: ('*' | ((char: string) => boolean))[] = []
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!
    if (char === '*') tokens.push('*')
    else if (char === '?') tokens.push(() => true)
    else if (char === '[') {
      const negated = pattern[at + 1] === '^'
      if (negated) at++
      const set: [string, string][] = []
      for (at++; at < pattern.length && pattern[at] !== ']'; at++) {
        if (pattern[at] === '\\' && at + 1 < pattern.length) set.push([pattern[++at]!, pattern[at]!])
        else if (pattern[at + 1] === '-' && at + 2 < pattern.length) {
          set.push([pattern[at]!, pattern[at + 2]!])
          at += 2
        } else set.push([pattern[at]!, pattern[at]!])
      }
      tokens.push((c) => set.some(([a, b]) => (a <= c && c <= b) || (b <= c && c <= a)) !== negated)
    } else {
      const literal = char === '\\' && at + 1 < pattern.length ? pattern[++at]! : char
      tokens.push((c) => c === literal)
    }
  }
  const from = (token: number, at: number): boolean => {
    if (token === tokens.length) return at === text.length
    const test = tokens[token]!
    if (test === '*') return from(token + 1, at) || (at < text.length && from(token, at + 1))
    return at < text.length && test(text[at]!) && from(token + 1, at + 1)
  }
  return from(0, 0)
}
