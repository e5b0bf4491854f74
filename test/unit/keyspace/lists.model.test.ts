/* The list type against a plain array of strings: a list goes through both forms, with limits so low that every
 * conversion, split and merge happens, with integers, text and elements that get a node of their own. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { ListEncoding } from '../../../src/keyspace/lists.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'

const KEY = fromLatin1('the list')

class Pair {
  readonly keyspace = new Keyspace(1)
  readonly db = this.keyspace.databases[0]!
  readonly lists = this.keyspace.lists
  model: string[] = []

  constructor(fill: number, packedThreshold: number) {
    this.lists.quicklist.setFill(fill)
    this.lists.quicklist.setPackedThreshold(packedThreshold)
  }

  private found(): Ref {
    return this.db.lookupWrite(KEY, 0, KEY.length)
  }

  /** Takes an emptied list away, as commands do. */
  private removed(entry: Ref): void {
    if (this.lists.length(entry) > 0) return this.lists.shrunk(entry)
    this.found()
    this.db.remove(entry)
  }

  push(first: boolean, elements: readonly string[]): void {
    const found = this.found()
    const entry = found === NONE ? this.lists.add(this.db, KEY, 0, KEY.length) : found
    const size = elements.reduce((sum, element) => sum + element.length, 0)
    this.lists.expect(entry, elements.length, size)
    for (const element of elements) this.lists.push(entry, first, fromLatin1(element), 0, element.length)
    if (first) this.model.unshift(...elements.toReversed())
    else this.model.push(...elements)
  }

  pop(first: boolean): void {
    const entry = this.found()
    if (entry === NONE) return
    const { lists } = this
    lists.locateEnd(entry, first)
    expect(this.located()).toBe(first ? this.model.shift() : this.model.pop())
    lists.removeEnd()
    this.removed(entry)
  }

  rotate(first: boolean): void {
    const entry = this.found()
    if (entry === NONE) return
    const { lists } = this
    lists.locateEnd(entry, first)
    const len = lists.keep()
    lists.removeEnd()
    lists.expect(entry, 1, len)
    lists.push(entry, !first, lists.kept, 0, len)
    if (first) this.model.push(this.model.shift()!)
    else this.model.unshift(this.model.pop()!)
    this.removed(entry)
  }

  deleteRange(place: number, count: number): void {
    const entry = this.found()
    if (entry === NONE) return
    const index = place % this.model.length
    const deleted = Math.min(count, this.model.length - index)
    this.lists.deleteRange(entry, index, deleted)
    this.model.splice(index, deleted)
    this.removed(entry)
  }

  /** Leaves only some elements, of a copy. */
  part(place: number, count: number): void {
    const { keyspace, lists } = this
    const entry = this.found()
    if (entry === NONE || keyspace.entries.encoding(entry) !== ListEncoding.QUICKLIST) return
    const index = place % this.model.length
    const kept = Math.min(count + 1, this.model.length - index)
    keyspace.freeEntry(lists.part(entry, index, kept))
    while (keyspace.reclaim()) {}
    this.model = this.model.slice(index, index + kept)
    this.removed(entry)
  }

  insert(place: number, after: boolean, element: string): void {
    const entry = this.found()
    if (entry === NONE) return
    const index = place % this.model.length
    this.lists.expect(entry, 1, element.length)
    this.lists.start(entry, index, false)
    this.lists.insertHere(after, fromLatin1(element), 0, element.length)
    this.model.splice(after ? index + 1 : index, 0, element)
  }

  replace(place: number, element: string): void {
    const entry = this.found()
    if (entry === NONE) return
    const index = place % this.model.length
    this.lists.expect(entry, 1, element.length)
    this.lists.replace(entry, index, fromLatin1(element), 0, element.length)
    this.lists.shrunk(entry)
    this.model[index] = element
  }

  /** Removes up to `count` elements that equal `element`, walking from `place` in one direction. */
  removeEqual(place: number, backwards: boolean, element: string, count: number): void {
    const entry = this.found()
    if (entry === NONE) return
    const { lists, model } = this
    let index = place % model.length
    lists.start(entry, index, backwards)
    let left = count
    for (let isMore = true; isMore && left > 0; ) {
      const equal = model[index] === element
      expect(lists.equals(fromLatin1(element), 0, element.length)).toBe(equal)
      if (equal) {
        model.splice(index, 1)
        left--
        isMore = lists.removeHere()
        if (backwards) index--
      } else {
        isMore = lists.advance()
        index += backwards ? -1 : 1
      }
      expect(isMore).toBe(index >= 0 && index < model.length)
    }
    this.removed(entry)
  }

  copy(): void {
    const entry = this.found()
    if (entry === NONE) return
    const name = fromLatin1('copy')
    this.db.lookupWrite(name, 0, name.length)
    this.db.insertCopy(entry, name, 0, name.length)
    const copy = this.db.lookupWrite(name, 0, name.length)
    expect(this.elementsOf(copy, false)).toEqual(this.model)
    this.db.lookupWrite(name, 0, name.length)
    this.db.remove(copy)
  }

  private located(): string {
    const { bytes, pos, len } = this.lists.listpacks
    return latin1(bytes, pos, len)
  }

  private elementsOf(entry: Ref, backwards: boolean): string[] {
    const { lists } = this
    const elements: string[] = []
    lists.start(entry, backwards ? lists.length(entry) - 1 : 0, backwards)
    do {
      lists.locate()
      elements.push(this.located())
    } while (lists.advance())
    return elements
  }

  check(): void {
    const entry = this.found()
    expect(entry === NONE).toBe(this.model.length === 0)
    if (entry === NONE) return
    expect(this.lists.length(entry)).toBe(this.model.length)
    expect(this.elementsOf(entry, false)).toEqual(this.model)
    expect(this.elementsOf(entry, true)).toEqual(this.model.toReversed())
    this.lists.verify(entry)
  }

  end(): void {
    this.check()
    while (this.keyspace.reclaim()) {}
    this.keyspace.verify()
    const entry = this.found()
    if (entry !== NONE) this.db.remove(entry)
    while (this.keyspace.reclaim()) {}
    this.keyspace.verify()
  }
}

const element = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -3, max: 3 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('9223372036854775807', '-4097', '8388608', '007', '', '-0') },
  { weight: 2, arbitrary: fc.constantFrom('a', 'b', 'c'.repeat(9)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 130 }).map((len) => 'x'.repeat(len)) },
)
const place = fc.nat({ max: 1000 })

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('push' as const), fc.boolean(), fc.array(element, { minLength: 1 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('pop' as const), fc.boolean()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('rotate' as const), fc.boolean()) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('deleteRange' as const), place, fc.nat({ max: 12 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('part' as const), place, fc.nat({ max: 30 })) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('insert' as const), place, fc.boolean(), element) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('replace' as const), place, element) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('removeEqual' as const), place, fc.boolean(), element, fc.nat(5)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('copy' as const)) },
)

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

function apply(pair: Pair, [name, ...args]: Operation): void {
  const method = pair[name] as (...rest: unknown[]) => void
  method.apply(pair, args)
}

describe('a list is an array of strings', () => {
  test.each([
    [1, 0],
    [2, 60],
    [3, 5],
    [8, 100],
    [-1, 20],
    [-1, 100],
    [-2, 0],
  ])('with list-max-listpack-size %i and elements of %i bytes on their own', (fill, packedThreshold) => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const pair = new Pair(fill, packedThreshold)
        if (fill < 0) pair.lists.quicklist.sizeLimit = 100
        for (const each of operations) {
          apply(pair, each)
          pair.check()
        }
        pair.end()
      }),
      { numRuns: 150 },
    )
  })
})

/** Draws operations at the ends mostly, so that the first node has a gap when the others come. */
const endOperation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constant('push' as const), fc.constant(true), fc.array(element, { minLength: 9 })),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constant('push' as const), fc.constant(false), fc.array(element, { minLength: 1 })),
  },
  { weight: 8, arbitrary: fc.tuple(fc.constant('pop' as const), fc.constant(true)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('pop' as const), fc.constant(false)) },
  { weight: 4, arbitrary: operation },
)

describe('a list whose first node has a gap', () => {
  test.each([300, 1000])('is an array of strings, with nodes of up to %i bytes', (sizeLimit) => {
    fc.assert(
      fc.property(fc.array(endOperation, { minLength: 40, maxLength: 120 }), (operations) => {
        const pair = new Pair(-1, 0)
        pair.lists.quicklist.sizeLimit = sizeLimit
        for (const each of operations) {
          apply(pair, each)
          pair.check()
        }
        pair.end()
      }),
      { numRuns: 25 },
    )
  })
})

describe('a list that is large', () => {
  test('is freed little by little', () => {
    const pair = new Pair(1, 0)
    pair.push(
      false,
      Array.from({ length: 2000 }, (_, number) => `element ${number}`),
    )
    const used = pair.keyspace.memory.usedBytes
    pair.db.remove(pair.db.lookupWrite(KEY, 0, KEY.length))
    expect(pair.keyspace.pendingFrees).toBe(1)
    expect(pair.keyspace.memory.usedBytes).toBeGreaterThan(used / 2)
    let steps = 0
    while (pair.keyspace.reclaim()) steps++
    expect(steps).toBeGreaterThan(50)
    expect(pair.keyspace.pendingFrees).toBe(0)
    pair.model = []
    pair.end()
  })

  test('that waits to be freed is dropped by a flush', () => {
    const pair = new Pair(1, 0)
    pair.push(
      false,
      Array.from({ length: 2000 }, (_, number) => `element ${number}`),
    )
    pair.db.remove(pair.db.lookupWrite(KEY, 0, KEY.length))
    pair.keyspace.flush()
    expect(pair.keyspace.pendingFrees).toBe(0)
    pair.model = []
    pair.end()
  })
})
