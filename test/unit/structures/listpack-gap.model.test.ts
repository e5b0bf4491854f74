/* Listpacks with a gap in front against plain arrays: after each operation all that is there can be read in both
 * directions and by rank, and when the gap is closed the bytes are those of the format. */
import { expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { Random } from '../../../src/lib/random.ts'
import { Memory, posOf, type Ref } from '../../../src/memory/memory.ts'
import { Listpacks, NO_ELEMENT } from '../../../src/structures/listpack.ts'
import { encodeListpack, INTEGERS } from './listpack-model.ts'

const OPERATIONS = [
  ...Array<'pushFront'>(8).fill('pushFront'),
  ...Array<'dropFront'>(6).fill('dropFront'),
  ...Array<'append'>(3).fill('append'),
  ...(['deleteAny', 'closeGap', 'count'] as const),
] as const

class Pair {
  readonly memory = new Memory()
  readonly listpacks = new Listpacks(this.memory)
  readonly model: string[] = []
  ref: Ref = this.listpacks.create()
  /** The longest gap met. */
  widest = 0
  private readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  private draw(): string {
    const kind = this.random.below(10)
    if (kind < 3) return String(this.random.below(200))
    if (kind < 4) return INTEGERS[this.random.below(INTEGERS.length)]!
    return 'x'.repeat(this.random.below(kind < 9 ? 8 : 300))
  }

  step(): void {
    const operation = OPERATIONS[this.random.below(OPERATIONS.length)]!
    if (this.model.length < 2 && operation !== 'append') this.pushFront()
    else this[operation]()
  }

  pushFront(): void {
    const text = this.draw()
    this.ref = this.listpacks.pushFront(this.ref, fromLatin1(text), 0, text.length)
    this.model.unshift(text)
  }

  dropFront(): void {
    for (let left = this.random.below(4); left > 0 && this.model.length > 1; left--) {
      this.ref = this.listpacks.dropFront(this.ref)
      this.model.shift()
    }
  }

  append(): void {
    const text = this.draw()
    this.ref = this.listpacks.pushBack(this.ref, fromLatin1(text), 0, text.length)
    this.model.push(text)
  }

  deleteAny(): void {
    const rank = this.random.below(this.model.length)
    this.ref = this.listpacks.delete(this.ref, this.listpacks.seek(this.ref, rank))
    this.model.splice(rank, 1)
  }

  closeGap(): void {
    const { listpacks, memory, ref } = this
    listpacks.closeGap(ref)
    const bytes = memory.bytesOf(ref).slice(posOf(ref), posOf(ref) + listpacks.size(ref))
    expect(Buffer.from(bytes)).toEqual(encodeListpack(this.model))
    const copy = listpacks.copy(ref)
    listpacks.free(ref)
    this.ref = copy
  }

  count(): void {
    expect(this.listpacks.count(this.ref)).toBe(this.model.length)
  }

  private read(off: number): string {
    this.listpacks.locate(this.ref, off)
    return latin1(this.listpacks.bytes, this.listpacks.pos, this.listpacks.len)
  }

  check(): void {
    const { listpacks, ref, model } = this
    listpacks.verify(ref)
    this.widest = Math.max(this.widest, listpacks.gap(ref))
    expect(listpacks.packedSize(ref)).toBe(encodeListpack(model).length)
    const forward: string[] = []
    for (let off = listpacks.first(ref); off !== NO_ELEMENT; off = listpacks.next(ref, off))
      forward.push(this.read(off))
    const backward: string[] = []
    for (let off = listpacks.last(ref); off !== NO_ELEMENT; off = listpacks.prev(ref, off))
      backward.push(this.read(off))
    expect(forward).toEqual(model)
    expect(backward).toEqual(model.toReversed())
    const rank = this.random.below(model.length)
    expect(this.read(listpacks.seek(ref, rank))).toBe(model[rank])
    expect(this.read(listpacks.seek(ref, rank - model.length))).toBe(model[rank])
  }
}

test.each([1, 2, 3, 4, 5, 6])('a listpack is what the array is, with a gap and without (seed %i)', (seed) => {
  const pair = new Pair(new Random(seed))
  for (let step = 0; step < 700; step++) {
    pair.step()
    pair.check()
  }
  expect(pair.widest).toBeGreaterThan(20)
  pair.closeGap()
  pair.memory.free(pair.ref)
  pair.memory.verify()
})

test('elements put in front of many move none of them as long as the block has room', () => {
  const memory = new Memory()
  const listpacks = new Listpacks(memory)
  let ref = listpacks.create()
  let moves = 0
  for (let number = 0; number < 1600; number++) {
    const end = listpacks.end(ref)
    const before = ref
    ref = listpacks.pushFront(ref, fromLatin1('xxx'), 0, 3)
    if (ref !== before || listpacks.end(ref) !== end) moves++
  }
  expect(moves).toBeLessThan(80)
  for (let number = 0; number < 700; number++) {
    const end = listpacks.end(ref)
    ref = listpacks.dropFront(ref)
    expect(listpacks.end(ref)).toBe(end)
  }
})

test('what takes half of its block moves to a smaller one', () => {
  const memory = new Memory()
  const listpacks = new Listpacks(memory)
  let ref = listpacks.create()
  for (let number = 0; number < 1600; number++) ref = listpacks.pushFront(ref, fromLatin1('xxx'), 0, 3)
  for (let number = 0; number < 1590; number++) ref = listpacks.dropFront(ref)
  expect(memory.capacity(ref)).toBeLessThan(128)
  listpacks.verify(ref)
})
