/* The sequence against a plain array of nodes, under random operations, with blocks so small that a few hundred nodes
 * make many levels. `verify` checks chain and tree after each operation, and the memory at the end. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { Memory, NONE, type Ref } from '../../../src/memory/memory.ts'
import { Sequence } from '../../../src/structures/sequence.ts'

interface Item {
  readonly node: Ref
  payload: Ref
  count: number
  size: number
  kind: number
}

/** A sequence beside the array that it must agree with. */
class Pair {
  readonly memory = new Memory()
  readonly sequence: Sequence
  readonly root: Ref
  readonly random: Random
  readonly model: Item[] = []

  constructor(seed: number, blockMax?: number) {
    this.sequence = new Sequence(this.memory, blockMax)
    this.root = this.sequence.create()
    this.random = new Random(seed)
  }

  get nodes(): number {
    return this.model.length
  }
  get elements(): number {
    return this.model.reduce((sum, item) => sum + item.count, 0)
  }

  /** Adds a node at `place`, in one of the ways that there are. */
  insert(place: number): void {
    const { sequence, root, random, model } = this
    const payload = this.memory.alloc(1 + random.below(100))
    const [count, size, kind] = [1 + random.below(random.below(3) === 0 ? 200 : 3), random.below(9000), random.below(3)]
    const byNext = place < model.length && (place === 0 || random.below(2) === 0)
    let node: Ref
    if (place === model.length && (place === 0 || random.below(2) === 0)) {
      node = sequence.insertLast(root, payload, count, size, kind)
    } else if (byNext) {
      node = sequence.insertBefore(root, model[place]!.node, payload, count, size, kind)
    } else {
      node = sequence.insertAfter(root, model[place - 1]!.node, payload, count, size, kind)
    }
    model.splice(place, 0, { node, payload, count, size, kind })
  }

  remove(place: number): void {
    const [item] = this.model.splice(place, 1)
    this.sequence.removeNode(this.root, item!.node)
    this.memory.free(item!.payload)
  }

  set(place: number): void {
    const { random, memory } = this
    const item = this.model[place]!
    if (random.below(3) === 0) {
      memory.free(item.payload)
      item.payload = memory.alloc(1 + random.below(100))
    }
    if (random.below(3) > 0) item.count = 1 + random.below(100)
    item.size = random.below(9000)
    this.sequence.setNode(this.root, item.node, item.payload, item.count, item.size)
    if (random.below(4) > 0) return
    item.kind = random.below(5)
    this.sequence.setKind(item.node, item.kind)
  }

  verify(): void {
    const { sequence, root, model } = this
    sequence.verify(root)
    expect(sequence.count(root)).toBe(this.elements)
    expect(sequence.nodeCount(root)).toBe(this.nodes)
    expect(sequence.head(root)).toBe(model[0]?.node ?? NONE)
    expect(sequence.tail(root)).toBe(model.at(-1)?.node ?? NONE)
  }

  /** Asks for the node of one element. */
  verifyIndex(index: number): void {
    let place = 0
    let offset = index
    while (offset >= this.model[place]!.count) offset -= this.model[place++]!.count
    expect(this.sequence.nodeAt(this.root, index)).toBe(this.model[place]!.node)
    expect(this.sequence.offset).toBe(offset)
  }

  verifyWhole(): void {
    this.verify()
    const { sequence, memory } = this
    this.model.forEach((item, place) => {
      expect(sequence.payload(item.node)).toBe(item.payload)
      expect(sequence.countIn(item.node)).toBe(item.count)
      expect(sequence.sizeOf(item.node)).toBe(item.size)
      expect(sequence.kind(item.node)).toBe(item.kind)
      expect(sequence.next(item.node)).toBe(this.model[place + 1]?.node ?? NONE)
      expect(sequence.prev(item.node)).toBe(this.model[place - 1]?.node ?? NONE)
    })
    const elements = this.elements
    for (let index = 0; index < elements; index += 1 + this.random.below(5 + (this.nodes >> 5))) this.verifyIndex(index)
    let payloads = 0
    for (const item of this.model) payloads += memory.capacity(item.payload)
    expect(memory.usedBytes).toBe(payloads + sequence.bytes(this.root))
  }

  dismantle(): void {
    for (const item of this.model) {
      expect(this.sequence.dismantle(this.root)).toBe(item.payload)
      this.memory.free(item.payload)
    }
    expect(this.sequence.dismantle(this.root)).toBe(NONE)
    expect(this.memory.blockCount).toBe(0)
    this.memory.verify()
  }
}

/** One random operation: `growth` of 10 make the sequence larger. Half of them happen at an end. */
function change(pair: Pair, growth: number): void {
  const { random, nodes } = pair
  const choice = random.below(10)
  const isAtEnd = random.below(2) === 0
  if (choice < growth || nodes === 0) return pair.insert(isAtEnd ? nodes * random.below(2) : random.below(nodes + 1))
  const place = isAtEnd ? (nodes - 1) * random.below(2) : random.below(nodes)
  if (random.below(3) === 0) pair.set(place)
  else pair.remove(place)
}

describe('random operations agree with an array', () => {
  test.each([3, 4, 5, 8, 16])('with %i nodes to a leaf and as many blocks to a block', (blockMax) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const pair = new Pair(seed, blockMax)
        for (let step = 0; step < 1500; step++) {
          change(pair, Math.floor(step / 350) % 2 === 0 ? 8 : 3)
          pair.verify()
          if (pair.nodes > 0) pair.verifyIndex(pair.random.below(pair.elements))
        }
        pair.verifyWhole()
        pair.dismantle()
      }),
      { numRuns: 5 },
    )
  })

  test.each([3, 4, 7])('when it is used as a queue, a stack, and emptied from either end (%i)', (blockMax) => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.nat(6), { minLength: 8, maxLength: 8 }), (seed, phases) => {
        const pair = new Pair(seed, blockMax)
        for (const phase of phases) {
          for (let step = 0; step < 80; step++) {
            if (phase === 0) pair.insert(0)
            else if (phase === 1) pair.insert(pair.nodes)
            else if (phase === 2) pair.insert(pair.nodes >> 1)
            else if (pair.nodes === 0) break
            else if (phase === 3) pair.remove(0)
            else if (phase === 4) pair.remove(pair.nodes - 1)
            else if (phase === 5) pair.remove(pair.nodes >> 1)
            else {
              pair.insert(0)
              pair.remove(pair.nodes - 1)
            }
            pair.verify()
          }
        }
        pair.verifyWhole()
        while (pair.nodes > 0) pair.remove(pair.random.below(2) * (pair.nodes - 1))
        pair.verify()
        pair.dismantle()
      }),
      { numRuns: 8 },
    )
  })

  test('with blocks of the real size and thousands of nodes', () => {
    const pair = new Pair(1)
    for (let number = 0; number < 9000; number++) pair.insert(pair.random.below(pair.nodes + 1))
    pair.verifyWhole()
    for (let number = 0; number < 7000; number++) pair.remove(pair.random.below(pair.nodes))
    pair.verifyWhole()
    pair.dismantle()
  })
})

test('pushing and popping at the ends does not touch the tree', () => {
  const pair = new Pair(1, 4)
  for (let number = 0; number < 50; number++) pair.insert(number)
  const { sequence, root } = pair
  const node = sequence.nodeAt(root, sequence.count(root) >> 1)
  const leaf = pair.memory.word(node, 3) as Ref
  pair.memory.setWord(leaf, 0, -1) // whoever reads the leaf's count now goes astray
  for (const place of [0, 49]) {
    const item = pair.model[place]!
    sequence.setNode(root, item.node, item.payload, ++item.count, item.size)
  }
  expect(sequence.count(root)).toBe(pair.elements)
})

describe('the space taken', () => {
  test('by a list of two nodes is that of root and nodes', () => {
    const pair = new Pair(1)
    expect(pair.sequence.bytes(pair.root)).toBe(48)
    pair.insert(0)
    pair.insert(1)
    expect(pair.sequence.bytes(pair.root)).toBe(48 + 2 * 32)
    pair.insert(1)
    expect(pair.sequence.bytes(pair.root)).toBeLessThanOrEqual(48 + 3 * 32 + 64)
  })

  test('is at most 42 bytes a node that was pushed', () => {
    const pair = new Pair(1)
    for (let number = 0; number < 10_000; number++) pair.insert(pair.nodes)
    expect(pair.sequence.bytes(pair.root) / 10_000).toBeLessThan(42)
  })
})

describe('verify notices', () => {
  test('a count changed behind the back of the tree', () => {
    const pair = new Pair(1, 4)
    for (let number = 0; number < 50; number++) pair.insert(number)
    pair.memory.setWord(pair.model[25]!.node, 1, pair.model[25]!.count + 1)
    expect(() => pair.verify()).toThrow()
  })

  test('a broken chain', () => {
    const pair = new Pair(1, 4)
    for (let number = 0; number < 50; number++) pair.insert(number)
    pair.memory.setWord(pair.model[25]!.node, 4, pair.model[20]!.node)
    expect(() => pair.verify()).toThrow('nodes are linked both ways')
  })
})
