/* The sets of ids by name against a Map of Sets. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { hashBytes } from '../../../src/lib/siphash.ts'
import { Memory, NONE, type Ref } from '../../../src/memory/memory.ts'
import { NameSets } from '../../../src/structures/name-sets.ts'

type Operation = readonly ['add' | 'remove' | 'drop', number, number]

/** Short names, the empty one, and some whose length is written apart. */
const nameOf = (index: number): string => (index % 7 === 6 ? `${index}`.padEnd(70_000, '.') : 'k'.repeat(index))

class Pair {
  readonly sets = new NameSets(new Memory())
  readonly model = new Map<string, Set<number>>()
  readonly root = this.sets.create()

  find(name: string): Ref {
    const bytes = fromLatin1(name)
    return this.sets.find(this.root, bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length))
  }

  apply([kind, index, id]: Operation): void {
    const name = nameOf(index)
    const ids = this.model.get(name)
    const found = this.find(name)
    expect(found !== NONE).toBe(ids !== undefined)
    if (kind === 'add') this.add(name, id)
    else if (ids !== undefined && kind === 'drop') {
      this.sets.removeName(this.root, found)
      this.model.delete(name)
    } else if (ids?.has(id)) {
      ids.delete(id)
      expect(this.sets.remove(this.root, found, id)).toBe(ids.size === 0)
      if (ids.size === 0) this.model.delete(name)
    }
  }

  private add(name: string, id: number): void {
    const bytes = fromLatin1(name)
    const ids = this.model.get(name)
    const added = this.sets.add(this.root, bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length), id)
    expect(added !== NONE).toBe(ids?.has(id) !== true)
    expect(this.sets.madeName).toBe(ids === undefined)
    if (ids === undefined) this.model.set(name, new Set([id]))
    else ids.add(id)
  }

  check(): void {
    const { sets, model, root } = this
    sets.verify(root)
    sets.memory.verify()
    expect(sets.nameCount(root)).toBe(model.size)
    expect(sets.idCount).toBe([...model.values()].reduce((sum, ids) => sum + ids.size, 0))
    for (const [name, ids] of model) {
      const found = this.find(name)
      const pos = sets.posOf(found)
      expect(latin1(sets.bytesOf(found), pos, sets.lenOf(found))).toBe(name)
      const listed = Array.from({ length: sets.count(found) }, (_, slot) => sets.idAt(found, slot))
      expect(listed).toEqual([...ids].sort((a, b) => a - b))
    }
  }
}

const operation = fc.tuple(
  fc.constantFrom('add', 'add', 'remove', 'drop') as fc.Arbitrary<Operation[0]>,
  fc.nat(14),
  fc.oneof(fc.nat(9), fc.integer()),
)

test('names and their ids are those of the model, whatever is added and removed', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
      const pair = new Pair()
      for (const each of operations) pair.apply(each)
      pair.check()
    }),
    { numRuns: 60 },
  )
})

test('everything is freed when the last id has gone', () => {
  const sets = new NameSets(new Memory())
  const root = sets.create()
  const before = sets.memory.usedBytes
  for (let id = 0; id < 100; id++) {
    for (let index = 0; index < 20; index++) {
      const bytes = fromLatin1(nameOf(index))
      sets.add(root, bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length), id)
    }
  }
  for (let index = 0; index < 20; index++) {
    const bytes = fromLatin1(nameOf(index))
    const name = sets.find(root, bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length))
    for (let id = 99; id >= 0; id--) sets.remove(root, name, id)
  }
  expect(sets.idCount).toBe(0)
  expect(sets.memory.usedBytes).toBe(before)
})
