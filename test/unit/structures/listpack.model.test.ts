/* Listpacks against plain arrays of byte strings, under random operations: after each one the listpack must be, byte
 * for byte, what the model's own encoder makes of the array. Elements are drawn around every limit of the format. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { parseInt64 } from '../../../src/lib/int64.ts'
import { Random } from '../../../src/lib/random.ts'
import { Memory, posOf, type Ref } from '../../../src/memory/memory.ts'
import { Listpacks, NO_ELEMENT } from '../../../src/structures/listpack.ts'
import { encodeElement, encodeListpack, INTEGERS, integerOf, LENGTHS, LOOKALIKES } from './listpack-model.ts'

/** How often each operation is drawn, and its name. */
const OPERATIONS = [
  ...Array<'append'>(6).fill('append'),
  ...Array<'prepend'>(4).fill('prepend'),
  ...Array<'insertBefore'>(4).fill('insertBefore'),
  ...Array<'insertAfter'>(4).fill('insertAfter'),
  ...Array<'replace'>(5).fill('replace'),
  ...Array<'delete'>(6).fill('delete'),
  ...(['deleteFrom', 'deleteRange', 'deleteMany', 'splitAndMerge', 'mergeOther', 'copy', 'trim', 'reserve'] as const),
] as const

/** A listpack beside the array that it must agree with. */
class Pair {
  readonly memory: Memory
  readonly listpacks: Listpacks
  readonly random: Random
  readonly model: string[] = []
  ref: Ref

  constructor(memory: Memory, random: Random) {
    this.memory = memory
    this.listpacks = new Listpacks(memory)
    this.random = random
    this.ref = this.listpacks.create(random.below(3) === 0 ? random.below(500) : 0)
  }

  drawText(): string {
    const { random } = this
    const kind = random.below(20)
    if (kind < 6) return INTEGERS[random.below(INTEGERS.length)]!
    if (kind < 8) return LOOKALIKES[random.below(LOOKALIKES.length)]!
    if (kind < 11) return String(random.next() >> random.below(32))
    if (kind < 12) return 'x'.repeat(LENGTHS[random.below(LENGTHS.length)]!)
    const len = random.below(kind < 18 ? 12 : 200)
    return String.fromCharCode(...Array.from({ length: len }, () => random.below(256)))
  }

  /** Offset of an element by rank, from the front, whatever `seek` does. */
  offAt(rank: number): number {
    let off = this.listpacks.first(this.ref)
    for (let left = rank; left > 0; left--) off = this.listpacks.next(this.ref, off)
    return off
  }

  step(): void {
    const operation = OPERATIONS[this.random.below(OPERATIONS.length)]!
    const needsElement = ['insertBefore', 'insertAfter', 'replace', 'delete', 'deleteFrom', 'deleteMany']
    if (this.model.length === 0 && needsElement.includes(operation)) this.append()
    else this[operation]()
  }

  /** A text, as the bytes and the range that an operation is given, in the middle of others. */
  private argument(): [string, Uint8Array, number, number] {
    const text = this.drawText()
    return [text, fromLatin1(`9${text}9`), 1, text.length]
  }

  /** Half of the integers are given as such. */
  private asInteger(text: string): ReturnType<typeof parseInt64> {
    return this.random.below(2) === 0 ? undefined : parseInt64(fromLatin1(text), 0, text.length)
  }

  append(): void {
    const [text, bytes, pos, len] = this.argument()
    const integer = this.asInteger(text)
    const { listpacks, ref } = this
    this.ref = integer === undefined ? listpacks.append(ref, bytes, pos, len) : listpacks.appendInteger(ref, integer)
    this.model.push(text)
    expect(this.read(listpacks.last(this.ref))).toBe(text)
  }

  prepend(): void {
    const [text, bytes, pos, len] = this.argument()
    this.ref = this.listpacks.prepend(this.ref, bytes, pos, len)
    this.model.unshift(text)
  }

  insertBefore(): void {
    const [text, bytes, pos, len] = this.argument()
    const rank = this.random.below(this.model.length)
    const off = this.offAt(rank)
    this.ref = this.listpacks.insertBefore(this.ref, off, bytes, pos, len)
    this.model.splice(rank, 0, text)
    expect(this.read(off)).toBe(text)
  }

  insertAfter(): void {
    const [text, bytes, pos, len] = this.argument()
    const integer = this.asInteger(text)
    const rank = this.random.below(this.model.length)
    const off = this.offAt(rank)
    const { listpacks, ref } = this
    this.ref =
      integer === undefined
        ? listpacks.insertAfter(ref, off, bytes, pos, len)
        : listpacks.insertIntegerAfter(ref, off, integer)
    this.model.splice(rank + 1, 0, text)
    expect(this.read(listpacks.next(this.ref, off))).toBe(text)
  }

  replace(): void {
    const [text, bytes, pos, len] = this.argument()
    const integer = this.asInteger(text)
    const rank = this.random.below(this.model.length)
    const off = this.offAt(rank)
    const { listpacks, ref } = this
    this.ref =
      integer === undefined ? listpacks.replace(ref, off, bytes, pos, len) : listpacks.replaceInteger(ref, off, integer)
    this.model[rank] = text
    expect(this.read(off)).toBe(text)
  }

  delete(): void {
    const rank = this.random.below(this.model.length)
    const off = this.offAt(rank)
    this.ref = this.listpacks.delete(this.ref, off)
    this.model.splice(rank, 1)
    expect(this.listpacks.elementAt(this.ref, off)).toBe(rank < this.model.length ? off : NO_ELEMENT)
  }

  deleteFrom(): void {
    const rank = this.random.below(this.model.length)
    const count = this.random.below(4)
    this.ref = this.listpacks.deleteFrom(this.ref, this.offAt(rank), count)
    this.model.splice(rank, count)
  }

  deleteRange(): void {
    const { random, model } = this
    const count = random.below(8) === 0 ? 1000 : random.below(5)
    const index = random.below(2 * model.length + 4) - model.length - 2
    this.ref = this.listpacks.deleteRange(this.ref, index, count)
    const rank = index < 0 ? model.length + index : index
    if (rank >= 0) model.splice(rank, count)
  }

  deleteMany(): void {
    const wanted = this.model.map(() => this.random.below(4) === 0)
    const offs = Int32Array.from(
      wanted.flatMap((isWanted, rank) => (isWanted ? [rank] : [])),
      (rank) => this.offAt(rank),
    )
    this.ref = this.listpacks.deleteMany(this.ref, offs, offs.length)
    this.model.splice(0, this.model.length, ...this.model.filter((_, rank) => !wanted[rank]))
  }

  splitAndMerge(): void {
    const { listpacks, model, random } = this
    const rank = random.below(model.length + 1)
    const off = rank === model.length ? listpacks.end(this.ref) : this.offAt(rank)
    const tail = listpacks.split(this.ref, off)
    expect(this.bytesOf(this.ref).equals(encodeListpack(model.slice(0, rank)))).toBe(true)
    expect(this.bytesOf(tail).equals(encodeListpack(model.slice(rank)))).toBe(true)
    listpacks.verify(tail)
    listpacks.verify(this.ref)
    if (random.below(2) === 0) this.ref = listpacks.trim(this.ref)
    this.ref = listpacks.merge(this.ref, tail)
  }

  mergeOther(): void {
    const texts = Array.from({ length: this.random.below(4) }, () => this.drawText())
    const bytes = encodeListpack(texts)
    const other = this.listpacks.fromBytes(bytes, 0, bytes.length)
    const first = this.random.below(2) === 0
    this.ref = first ? this.listpacks.merge(other, this.ref) : this.listpacks.merge(this.ref, other)
    if (first) this.model.unshift(...texts)
    else this.model.push(...texts)
  }

  copy(): void {
    const copy = this.listpacks.copy(this.ref)
    this.listpacks.free(this.ref)
    this.ref = copy
  }

  trim(): void {
    this.ref = this.listpacks.trim(this.ref)
  }

  reserve(): void {
    this.ref = this.listpacks.reserve(this.ref, this.random.below(300))
  }

  bytesOf(ref: Ref): Buffer {
    const pos = posOf(ref)
    return Buffer.from(this.memory.bytesOf(ref).subarray(pos, pos + this.listpacks.size(ref)))
  }

  /** The element at `off`, as text. */
  read(off: number): string {
    this.listpacks.locate(this.ref, off)
    return latin1(this.listpacks.bytes, this.listpacks.pos, this.listpacks.len)
  }

  verify(): void {
    this.listpacks.verify(this.ref)
    expect(this.bytesOf(this.ref).equals(encodeListpack(this.model)), 'the bytes are those of the model').toBe(true)
    expect(this.listpacks.count(this.ref)).toBe(this.model.length)
    expect(this.listpacks.isEmpty(this.ref)).toBe(this.model.length === 0)
  }

  /** Walks in both directions, and reads, seeks and finds on the way. Comparisons are few, since they are slow. */
  verifyWalks(): void {
    const { listpacks, model, ref } = this
    const offs: number[] = []
    const sizes: number[] = []
    const values: (string | bigint)[] = []
    for (let off = listpacks.first(ref); off !== NO_ELEMENT; ) {
      const next = listpacks.get(ref, off)
      values.push(
        listpacks.isInteger ? BigInt(listpacks.integer) : latin1(listpacks.bytes, listpacks.pos, listpacks.len),
      )
      if (listpacks.isInteger && listpacks.number !== Number(listpacks.integer)) expect.fail('number is integer')
      if (listpacks.next(ref, off) !== next || listpacks.locate(ref, off) !== next) expect.fail('all know what is next')
      offs.push(off)
      sizes.push(listpacks.elementSize(ref, off))
      off = next
    }
    expect(values).toEqual(model.map((text) => integerOf(text) ?? text))
    expect(offs.map((off) => this.read(off))).toEqual(model)
    expect(sizes).toEqual(model.map((text) => encodeElement(text).length))
    const back: number[] = []
    for (let off = listpacks.last(ref); off !== NO_ELEMENT; off = listpacks.prev(ref, off)) back.push(off)
    expect(back.reverse()).toEqual(offs)
    const indexes = Array.from({ length: 2 * model.length + 4 }, (_, at) => at - model.length - 2)
    expect(indexes.map((index) => listpacks.seek(ref, index))).toEqual(
      indexes.map((index) => offs[index < 0 ? index + offs.length : index] ?? NO_ELEMENT),
    )
    for (let tries = 0; tries < 12; tries++) this.verifyFind(offs)
  }

  private verifyFind(offs: readonly number[]): void {
    const { listpacks, model, random } = this
    const some = random.below(model.length + 1) // at times none of them
    const text = model[some] ?? this.drawText()
    const bytes = fromLatin1(`-${text}7`)
    const from = random.below(model.length + 1)
    const skip = random.below(3)
    const rank = model.findIndex((element, at) => at >= from && (at - from) % (skip + 1) === 0 && element === text)
    const found = listpacks.find(this.ref, offs[from] ?? NO_ELEMENT, bytes, 1, text.length, skip)
    expect(found).toBe(offs[rank] ?? NO_ELEMENT)
    expect(offs.filter((off) => listpacks.equals(this.ref, off, bytes, 1, text.length))).toEqual(
      offs.filter((_, at) => model[at] === text),
    )
    expect(listpacks.sizeFor(bytes, 1, text.length)).toBe(encodeElement(text).length)
  }
}

test('random operations leave just the bytes that the model says', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 700 }), (seed, steps) => {
      const memory = new Memory()
      const pair = new Pair(memory, new Random(seed))
      for (let step = 0; step < steps; step++) {
        pair.step()
        pair.verify()
        if (step % 16 === 0) pair.verifyWalks()
        if (pair.model.length > 60) {
          pair.ref = pair.listpacks.deleteRange(pair.ref, 5, 50)
          pair.model.splice(5, 50)
        }
      }
      pair.verifyWalks()
      pair.listpacks.free(pair.ref)
      expect(memory.blockCount).toBe(0)
      memory.verify()
    }),
    { numRuns: 100 },
  )
})

test('several listpacks in one memory do not touch each other', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const memory = new Memory()
      const random = new Random(seed)
      const pairs = Array.from({ length: 12 }, () => new Pair(memory, random))
      for (let step = 0; step < 1200; step++) {
        const pair = pairs[random.below(pairs.length)]!
        pair.step()
        pair.verify()
        if (pair.model.length > 40) {
          pair.ref = pair.listpacks.deleteRange(pair.ref, -35, 1000)
          pair.model.splice(-35)
        }
      }
      for (const pair of pairs) {
        pair.verifyWalks()
        pair.listpacks.free(pair.ref)
      }
      expect(memory.blockCount).toBe(0)
      memory.verify()
    }),
    { numRuns: 6 },
  )
})
