import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { matches } from '../../../src/lib/glob.ts'
import { Patterns } from '../../../src/pubsub/patterns.ts'
import { Topics } from '../../../src/pubsub/topics.ts'

test('topics are found under the names that were added and not taken out', () => {
  const name = fc.string({ unit: 'binary-ascii', maxLength: 3 })
  const steps = fc.array(fc.tuple(fc.boolean(), name), { maxLength: 400 })
  fc.assert(
    fc.property(steps, (list) => {
      const topics = new Topics()
      const model = new Set<string>()
      for (const [isAdded, text] of list) {
        const bytes = fromLatin1(`.${text}`)
        if (!isAdded) topics.delete(bytes, 1, text.length)
        else if (!model.has(text)) topics.add(bytes, 1, text.length, text)
        if (isAdded) model.add(text)
        else model.delete(text)
        expect(topics.find(bytes, 1, text.length)?.name).toBe(model.has(text) ? text : undefined)
      }
      expect([...topics.all()].map((topic) => topic.name).sort()).toEqual([...model].sort())
      expect(topics.count).toBe(model.size)
      for (const text of model) expect(topics.find(fromLatin1(text), 0, text.length)?.name).toBe(text)
    }),
  )
})

test('the patterns found are those that match, however they are filed', () => {
  const text = (letters: string, maxLength: number) =>
    fc.array(fc.constantFrom(...letters), { maxLength }).map((list) => list.join(''))
  const pattern = fc.tuple(text('ab', 36), text('ab*?[]^\\-', 6)).map((parts) => parts.join(''))
  const channel = fc.tuple(text('ab', 36), text('ab*[', 4)).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { maxLength: 30 }), fc.array(channel, { maxLength: 10 }), (names, channels) => {
      const patterns = new Patterns()
      for (const name of names) patterns.add(name)
      for (const name of names.filter((_, index) => index % 3 === 0)) patterns.delete(patterns.find(name)!)
      const left = names.filter((_, index) => index % 3 !== 0)
      expect(patterns.count).toBe(left.length)
      // (What begins as a pattern does is most likely to match it.)
      for (const each of [...channels, ...left.map((name) => name.replaceAll(/[*?[\\].*/g, 'ab'))]) {
        const bytes = fromLatin1(each)
        patterns.match(bytes, 0, bytes.length)
        const found = patterns.found.slice(0, patterns.foundCount).map(({ name }) => name)
        const expected = left.filter((name) => matches(fromLatin1(name), 0, name.length, bytes, 0, bytes.length))
        expect(found.sort()).toEqual(expected.sort())
      }
    }),
  )
})
