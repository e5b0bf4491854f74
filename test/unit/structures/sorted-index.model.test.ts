/* The sorted index against a sorted array, under random operations, with blocks so small that a few hundred members
 * make many levels. `verify` checks the tree after each operation, and the memory at the end. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { Random } from '../../../src/lib/random.ts'
import { Memory, NONE, type Ref } from '../../../src/memory/memory.ts'
import { keyLenOf, keyPosOf } from '../../../src/structures/entry-head.ts'
import { IndexCursor, SortedIndex } from '../../../src/structures/sorted-index.ts'
import { createMember, setScore } from '../../../src/structures/zset-member.ts'

interface Item {
  readonly text: string
  score: number
  readonly ref: Ref
}

/** By score, then by bytes: each character is one byte, so that text compares as bytes do. */
function compare(a: { score: number; text: string }, b: { score: number; text: string }): number {
  if (a.score !== b.score) return a.score < b.score ? -1 : 1
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1
}

const SCORES = [0, -0, 1, 2, 2, 3, -1, 0.5, Infinity, -Infinity, 5e-324, -5e-324, 2 ** 53, 1 + 2 ** -52, 1e300]
const LETTERS = ['\x00', '\xff', 'a', 'b', '\x7f', '\x80']

/** An index beside the sorted array that it must agree with. */
class Pair {
  readonly memory = new Memory()
  readonly index: SortedIndex
  readonly root: Ref
  readonly cursor = new IndexCursor(this.memory)
  readonly random: Random
  readonly model: Item[] = []
  private readonly texts = new Set<string>()
  private readonly scores: readonly number[]

  constructor(seed: number, leafMax: number, innerMax: number, scores: readonly number[] = SCORES) {
    this.index = new SortedIndex(this.memory, leafMax, innerMax)
    this.root = this.index.create()
    this.random = new Random(seed)
    this.scores = scores
  }

  get count(): number {
    return this.model.length
  }

  anyScore(): number {
    const { random, scores } = this
    return scores.length > 1 && random.below(3) === 0 ? random.fraction() * 8 - 4 : scores[random.below(scores.length)]!
  }

  /** Of a few letters, so that prefixes abound; every now and then a long one with a common beginning. */
  anyText(): string {
    const { random } = this
    let text = random.below(20) === 0 ? 'p'.repeat(96 + random.below(3)) : ''
    for (let length = random.below(7); length > 0; length--) text += LETTERS[random.below(LETTERS.length)]!
    return text
  }

  /** Where an item is in the model, or would be. */
  placeOf(item: { score: number; text: string }): number {
    let low = 0
    let high = this.model.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compare(this.model[middle]!, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  insert(score: number, text: string): void {
    if (this.texts.has(text)) return
    const ref = createMember(this.memory, score, fromLatin1(text), 0, text.length)
    this.index.insert(this.root, score, ref)
    const item = { score, text, ref }
    this.model.splice(this.placeOf(item), 0, item)
    this.texts.add(text)
  }

  private forget(item: Item): void {
    this.memory.free(item.ref)
    this.texts.delete(item.text)
  }

  remove(place: number): void {
    const [item] = this.model.splice(place, 1)
    this.index.remove(this.root, item!.score, item!.ref)
    this.forget(item!)
  }

  rescore(place: number, score: number): void {
    const [item] = this.model.splice(place, 1)
    this.index.rescore(this.root, item!.score, item!.ref, score)
    setScore(this.memory, item!.ref, score)
    item!.score = score
    this.model.splice(this.placeOf(item!), 0, item!)
  }

  removeRange(first: number, count: number): void {
    for (let left = count; left > 0; ) {
      const removed = this.index.removeRange(this.root, first, left)
      expect(removed).toBeGreaterThan(0)
      expect(removed).toBeLessThanOrEqual(left)
      const items = this.model.splice(first, removed)
      expect([...this.index.found.subarray(0, removed)]).toEqual(items.map((item) => item.ref))
      for (const item of items) this.forget(item)
      left -= removed
    }
  }

  /** Takes out the first member, or the last, as those are who pop. */
  removeEnd(last: boolean): void {
    const item = last ? this.model.pop()! : this.model.shift()!
    this.index.seekEnd(this.root, last, this.cursor)
    expect(this.cursor.member).toBe(item.ref)
    expect(this.cursor.score).toBe(item.score)
    if (!last && this.count > 0) {
      this.cursor.next()
      expect(this.cursor.member).toBe(this.model[0]!.ref)
    }
    this.index.removeEnd(this.root, last)
    this.forget(item)
    expect(this.index.count(this.root)).toBe(this.count)
  }

  textOf(member: Ref): string {
    return latin1(this.memory.bytesOf(member), keyPosOf(this.memory, member), keyLenOf(this.memory, member))
  }

  verify(): void {
    this.index.verify(this.root)
    expect(this.index.count(this.root)).toBe(this.count)
  }

  /** Asks for one member, one score and one text. */
  verifyRanks(): void {
    const { index, root, model, random } = this
    const score = this.anyScore()
    expect(index.scoreRank(root, score, false)).toBe(model.filter((item) => item.score < score).length)
    expect(index.scoreRank(root, score, true)).toBe(model.filter((item) => item.score <= score).length)
    this.verifySeek(
      random.below(2) === 0,
      () => index.scoreRank(root, score, true),
      (cursor) => {
        index.seekScore(root, score, true, cursor)
      },
    )
    this.verifySeek(
      random.below(2) === 0,
      () => index.scoreRank(root, score, false),
      (cursor) => {
        index.seekScore(root, score, false, cursor)
      },
    )
    if (model.length === 0) return
    const rank = random.below(model.length)
    const item = model[rank]!
    expect(index.rank(root, item.score, item.ref)).toBe(rank)
    expect(index.at(root, rank)).toBe(item.ref)
  }

  /** A cursor that was placed lies where the rank says, and goes on from there either way, also from behind the end. */
  verifySeek(forward: boolean, rankOf: () => number, seek: (cursor: IndexCursor) => void): void {
    const rank = rankOf()
    seek(this.cursor)
    expect(this.cursor.member).toBe(this.model[rank]?.ref ?? NONE)
    if (forward) this.cursor.next()
    else this.cursor.prev()
    const after = forward ? Math.min(rank + 1, this.count) : rank - 1
    expect(this.cursor.member).toBe(this.model[after]?.ref ?? NONE)
    if (forward) this.cursor.prev()
    else this.cursor.next()
    expect(this.cursor.member).toBe(this.model[forward ? after - 1 : rank]?.ref ?? NONE)
  }

  verifyLex(text: string): void {
    const { index, root, model } = this
    const bytes = fromLatin1(`##${text}##`)
    const before = model.filter((item) => item.text < text).length
    expect(index.lexRank(root, bytes, 2, text.length, false)).toBe(before)
    expect(index.lexRank(root, bytes, 2, text.length, true)).toBe(before + (this.texts.has(text) ? 1 : 0))
    const inclusive = this.random.below(2) === 0
    this.verifySeek(
      inclusive,
      () => index.lexRank(root, bytes, 2, text.length, inclusive),
      (cursor) => {
        index.seekLex(root, bytes, 2, text.length, inclusive, cursor)
      },
    )
  }

  /** Walks some steps from a random rank, either way. */
  verifyWalk(steps: number): void {
    const { index, root, cursor, model } = this
    if (model.length === 0) return
    const rank = this.random.below(model.length)
    for (const step of [1, -1]) {
      index.seek(root, rank, cursor)
      for (let at = rank, left = steps; left > 0; at += step, left--) {
        expect(cursor.member).toBe(model[at]?.ref ?? NONE)
        if (model[at] === undefined) break
        expect(Object.is(cursor.score, model[at]!.score)).toBe(true)
        if (step > 0) cursor.next()
        else cursor.prev()
      }
    }
  }

  verifyWhole(): void {
    this.verify()
    this.verifyWalk(this.count + 1)
    this.model.forEach((item, rank) => {
      expect(this.index.at(this.root, rank)).toBe(item.ref)
      expect(this.index.rank(this.root, item.score, item.ref)).toBe(rank)
    })
    let members = 0
    for (const item of this.model) members += this.memory.capacity(item.ref)
    expect(this.memory.usedBytes).toBe(members + this.index.bytes(this.root))
  }

  dismantle(): void {
    for (let calls = 0; this.index.dismantle(this.root); calls++) expect(calls).toBeLessThan(this.count)
    for (const item of this.model) this.memory.free(item.ref)
    expect(this.memory.blockCount).toBe(0)
    this.memory.verify()
  }
}

/** One random operation: `growth` of 10 make the index larger. */
function change(pair: Pair, growth: number): void {
  const { random } = pair
  const choice = random.below(10)
  if (choice < growth || pair.count === 0) return pair.insert(pair.anyScore(), pair.anyText())
  const place = random.below(pair.count)
  if (random.below(4) === 0) pair.rescore(place, pair.anyScore())
  else if (random.below(12) > 0) pair.remove(place)
  else pair.removeRange(place, Math.min(random.below(20), pair.count - place))
}

const FAN_OUTS = [
  [2, 3],
  [3, 3],
  [4, 4],
  [5, 3],
  [3, 6],
  [16, 5],
  [17, 16],
] as const

describe('random operations agree with a sorted array', () => {
  test.each(FAN_OUTS)('with %i members to a leaf and %i blocks to a block', (leafMax, innerMax) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const pair = new Pair(seed, leafMax, innerMax)
        for (let step = 0; step < 1500; step++) {
          change(pair, Math.floor(step / 300) % 2 === 0 ? 8 : 3)
          pair.verify()
          pair.verifyRanks()
          if (step % 10 === 0) pair.verifyWalk(8)
        }
        pair.verifyWhole()
        pair.dismantle()
      }),
      { numRuns: 4 },
    )
  })

  test.each(FAN_OUTS)('with equal scores, in order of bytes (%i, %i)', (leafMax, innerMax) => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(0, -1.5, Infinity), (seed, score) => {
        const pair = new Pair(seed, leafMax, innerMax, [score])
        for (let step = 0; step < 600; step++) {
          change(pair, step < 350 ? 8 : 3)
          pair.verify()
          pair.verifyLex(pair.anyText())
          if (pair.count > 0) pair.verifyLex(pair.model[pair.random.below(pair.count)]!.text)
        }
        pair.verifyLex('')
        pair.verifyWhole()
        pair.dismantle()
      }),
      { numRuns: 4 },
    )
  })

  test.each(FAN_OUTS)('when members come and go in order (%i, %i)', (leafMax, innerMax) => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.nat(7), { minLength: 6, maxLength: 6 }), (seed, phases) => {
        const pair = new Pair(seed, leafMax, innerMax)
        let low = 0
        let high = 0
        for (const phase of phases) {
          for (let step = 0; step < 120; step++) {
            if (phase === 0) pair.insert(++high, `${high}`)
            else if (phase === 1) pair.insert(--low, `${low}`)
            else if (phase === 2) pair.insert(high++ - pair.random.below(4), `${high}`)
            else if (phase === 3) pair.insert(low-- + pair.random.below(4), `${low}`)
            else if (phase === 4 && pair.count > 0) pair.remove(0)
            else if (phase === 5 && pair.count > 0) pair.remove(pair.count - 1)
            else if (phase === 6 && pair.count > 0) pair.removeRange(pair.count >> 1, 1)
            else if (phase === 7 && pair.count > 0) pair.rescore(0, ++high)
            pair.verify()
          }
        }
        pair.verifyWhole()
        pair.removeRange(0, pair.count)
        pair.verify()
        pair.dismantle()
      }),
      { numRuns: 6 },
    )
  })

  // What was taken from the front leaves a gap: whoever comes next must not fall into it.
  test.each(FAN_OUTS)(
    'when members are taken from the ends, and then anything is done (%i, %i)',
    (leafMax, innerMax) => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const pair = new Pair(seed, leafMax, innerMax)
          const { random, index, root } = pair
          const after = [
            () => pair.insert(pair.anyScore(), pair.anyText()),
            () => pair.insert(-9, pair.anyText()),
            () => pair.remove(random.below(pair.count)),
            () => pair.rescore(random.below(pair.count), pair.anyScore()),
            () => pair.removeRange(0, 1 + random.below(pair.count)),
            () => pair.removeEnd(true),
            () => expect(index.at(root, 0)).toBe(pair.model[0]!.ref),
            () => index.compact(root, 0),
            () => pair.verifyRanks(),
            () => pair.verifyWalk(8),
            () => pair.verifyWhole(),
          ]
          for (let round = 0; round < 300; round++) {
            while (pair.count < 60) pair.insert(pair.anyScore(), `${pair.anyText()}${random.below(1e9)}`)
            for (let left = random.below(12); left > 0; left--) pair.removeEnd(false)
            after[random.below(after.length)]!()
            if (round % 4 === 0) pair.verify()
          }
          while (pair.count > 0) pair.removeEnd(false)
          pair.verify()
          pair.insert(1, 'again')
          pair.removeEnd(random.below(2) === 0)
          pair.dismantle()
        }),
        { numRuns: 3 },
      )
    },
  )

  test('with blocks of the real size, thousands of members, and small steps of scores', () => {
    const pair = new Pair(1, 83, 49)
    for (let number = 0; number < 12_000; number++) pair.insert(pair.random.below(3000), `m${number}`)
    pair.verifyWhole()
    for (let step = 0; step < 12_000; step++) {
      const place = pair.random.below(pair.count)
      pair.rescore(place, pair.model[place]!.score + pair.random.below(5) - 2)
      if (step % 500 === 0) pair.verify()
    }
    pair.verifyWhole()
    for (let step = 0; step < 9000; step++) {
      pair.remove(pair.random.below(pair.count))
      if (step % 500 === 0) pair.verify()
    }
    pair.verifyWhole()
    pair.dismantle()
  })
})

describe('the space taken', () => {
  const bytesPerMember = (pair: Pair): number => pair.index.bytes(pair.root) / pair.count

  test('is at most 15.5 bytes a member that came in random order, 13 for those that came in order', () => {
    for (const order of ['random', 'ascending', 'descending']) {
      const memory = new Memory()
      const index = new SortedIndex(memory)
      const root = index.create()
      const random = new Random(5)
      for (let number = 0; number < 60_000; number++) {
        const score = order === 'random' ? random.fraction() : order === 'ascending' ? number : -number
        index.insert(root, score, createMember(memory, score, fromLatin1(`${number}`), 0, 5))
      }
      expect(index.bytes(root) / 60_000).toBeLessThan(order === 'random' ? 15.5 : 13)
    }
  })

  test('is at most 25.5 bytes a member, also after most were removed', () => {
    const pair = new Pair(3, 83, 49)
    for (let number = 0; number < 20_000; number++) pair.insert(pair.random.fraction(), `${number}`)
    while (pair.count > 4000) {
      pair.remove(pair.random.below(pair.count))
      if (pair.count % 1000 === 0) expect(bytesPerMember(pair)).toBeLessThan(25.5)
    }
    pair.verifyWhole()
  })

  test('of few members is little', () => {
    const pair = new Pair(4, 83, 49)
    const sizes = [1, 3, 10].map((count) => {
      while (pair.count < count) pair.insert(1, `${pair.count}`)
      return pair.index.bytes(pair.root)
    })
    expect(sizes[0]).toBeLessThanOrEqual(96)
    expect(sizes[1]).toBeLessThanOrEqual(96)
    expect(sizes[2]).toBeLessThanOrEqual(256)
  })
})

test('an empty index has no ranks, and can be filled again', () => {
  const pair = new Pair(1, 2, 3)
  expect(pair.index.scoreRank(pair.root, 1, true)).toBe(0)
  expect(pair.index.lexRank(pair.root, fromLatin1('a'), 0, 1, true)).toBe(0)
  pair.index.seekScore(pair.root, 1, false, pair.cursor)
  for (const step of ['next', 'prev', 'prev', 'next'] as const) {
    expect(pair.cursor.member).toBe(NONE)
    pair.cursor[step]()
  }
  for (let round = 0; round < 3; round++) {
    for (let number = 0; number < 50; number++) pair.insert(number % 7, `${number}`)
    pair.verifyWhole()
    pair.removeRange(0, 50)
    pair.verify()
    expect(pair.index.scoreRank(pair.root, 1, true)).toBe(0)
  }
  pair.dismantle()
})

test('a cursor that was moved too far, and further, comes back with one step', () => {
  const pair = new Pair(1, 2, 3)
  for (let number = 0; number < 7; number++) pair.insert(number, `${number}`)
  const { cursor, model } = pair
  pair.index.seek(pair.root, 5, cursor)
  for (let step = 0; step < 4; step++) cursor.next()
  expect(cursor.member).toBe(NONE)
  cursor.prev()
  expect(cursor.member).toBe(model[6]!.ref)
  pair.index.seek(pair.root, 1, cursor)
  for (let step = 0; step < 4; step++) cursor.prev()
  expect(cursor.member).toBe(NONE)
  cursor.next()
  expect(cursor.member).toBe(model[0]!.ref)
})

test('two indexes share one instance, and an iteration of one bears changes of the other', () => {
  const memory = new Memory()
  const index = new SortedIndex(memory, 3, 3)
  const [source, target] = [index.create(), index.create()]
  const members: Ref[] = []
  for (let number = 0; number < 200; number++) {
    members.push(createMember(memory, number, fromLatin1(`${number}`), 0, `${number}`.length))
    index.insert(source, number, members[number]!)
  }
  const cursor = new IndexCursor(memory)
  let met = 0
  for (index.seek(source, 0, cursor); cursor.member !== NONE; cursor.next()) {
    expect(cursor.member).toBe(members[met++])
    index.insert(target, cursor.score, cursor.member)
  }
  expect(met).toBe(200)
  index.verify(source)
  index.verify(target)
})

describe('verify notices', () => {
  test('a score changed behind the back of the index', () => {
    const pair = new Pair(1, 4, 4)
    for (let number = 0; number < 40; number++) pair.insert(number, `${number}`)
    setScore(pair.memory, pair.model[7]!.ref, 3)
    expect(() => pair.verify()).toThrow('a record has the score of its member')
  })

  test('members in the wrong order', () => {
    const pair = new Pair(1, 4, 4)
    for (const text of ['a', 'b', 'c', 'd']) pair.insert(1, text)
    const { memory } = pair
    memory.bytesOf(pair.model[1]!.ref)[keyPosOf(memory, pair.model[1]!.ref)] = 0x7a
    expect(() => pair.verify()).toThrow('members ascend by score and bytes')
  })
})
