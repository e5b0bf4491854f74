/* The sequence: a large list. A chain of nodes, each of which holds some elements in a block of the caller's (a
 * listpack, or one huge element by itself); a counted B+tree (counted-tree.ts) over all but the two nodes at the ends.
 *
 *   root    | tree … | count | nodes | head | tail |
 *
 *   node    | payload | count | size | parent | prev | next | kind |       32 bytes
 *
 *   head ⇄ node ⇄ node ⇄ node ⇄ node ⇄ node ⇄ node ⇄ tail
 *           ↑      ↑      ↑      ↑      ↑      ↑
 *          | leaf: child, weight | leaf … |                   weight: the node's count
 *          | block: child, weight …                |
 *
 * Lists are pushed and popped at their ends. A node at an end is in no leaf, hence its count changes without the tree's
 * knowing, and the tree is exact all the same: a push touches the node and the root. Only when another node takes its
 * place does it go into the tree, or the next one come out. A place by position is looked for in the head, in the tail,
 * and else in the tree.
 *
 * A node's ref is good until the node is removed. Payloads are the caller's: what they are is not known here (`kind`
 * tells the caller), `size` is for the caller to decide by, and whoever removes a node frees its payload.
 *
 * Always: count and nodes are the sums over the chain; nodes have one element or more; just the nodes between head and
 * tail are in the tree, in their order, their `parent` being their leaf and their weight there their count.
 *
 * Cost with 1M nodes on Node 20, in ns (bench/structures-trees.ts): a push or pop within an end node 20 beside what the
 * payload costs; a node added behind the tail 160, removed there 230, at the head 170, added anywhere 650; the node of
 * an element 170; another count in any node 330; next 6. 40.6 bytes a node. A list has fewer than 2^31 elements. */
import { assert } from '../lib/assert.ts'
import { blockSizeFor, type Memory, NONE, type Ref, wordPosOf } from '../memory/memory.ts'
import { CHILD, CountedTree, PARENT, RECORDS, recordsIn, TREE_WORDS, WEIGHT } from './counted-tree.ts'

// Words of the root, behind the tree's.
const COUNT = TREE_WORDS
const NODES = TREE_WORDS + 1
const HEAD = TREE_WORDS + 2
const TAIL = TREE_WORDS + 3
const ROOT_SIZE = (TREE_WORDS + 4) * 4

// Words of a node; PARENT, which is the tree's, is 3. Who pushes to a node at an end, or pops, writes some itself.
export const PAYLOAD = 0
export const NODE_COUNT = 1
export const NODE_SIZE = 2
const PREV = 4
const NEXT = 5
export const KIND = 6
const NODE_BYTES = 7 * 4
assert(PARENT === 3, 'the tree writes into a word of the node that is meant for it')

// Words of a leaf's record.
const RECORD_WORDS = 2
const CHILD_WEIGHT = 1
const BLOCK_SIZE = 512
const BLOCK_MAX = recordsIn(BLOCK_SIZE, RECORD_WORDS)

export class Sequence {
  readonly memory: Memory
  /** Where in the node that `nodeAt` returned the element is: elements before it there. */
  offset = 0
  private readonly tree: CountedTree

  /** `blockMax`: nodes or blocks below a block of the tree; for tests. */
  constructor(memory: Memory, blockMax: number = BLOCK_MAX) {
    this.memory = memory
    this.tree = new CountedTree(memory, 0, blockMax, blockMax)
  }

  create(): Ref {
    const memory = this.memory
    const root = memory.alloc(ROOT_SIZE)
    this.tree.clear(root)
    memory.setWord(root, COUNT, 0)
    memory.setWord(root, NODES, 0)
    memory.setWord(root, HEAD, NONE)
    memory.setWord(root, TAIL, NONE)
    return root
  }

  /** Elements. */
  count(root: Ref): number {
    return this.memory.word(root, COUNT)
  }
  nodeCount(root: Ref): number {
    return this.memory.word(root, NODES)
  }
  /** The first node; NONE in an empty sequence. */
  head(root: Ref): Ref {
    return this.memory.word(root, HEAD) as Ref
  }
  tail(root: Ref): Ref {
    return this.memory.word(root, TAIL) as Ref
  }
  /** Bytes of the root, the nodes and the tree; the payloads are the caller's. */
  bytes(root: Ref): number {
    return this.memory.capacity(root) + this.nodeCount(root) * blockSizeFor(NODE_BYTES) + this.tree.bytes(root)
  }

  payload(node: Ref): Ref {
    return this.memory.word(node, PAYLOAD) as Ref
  }
  /** Elements in the node. */
  countIn(node: Ref): number {
    return this.memory.word(node, NODE_COUNT)
  }
  /** Bytes in the node, as the caller gave them. */
  sizeOf(node: Ref): number {
    return this.memory.word(node, NODE_SIZE)
  }
  /** What the payload is, as the caller gave it. */
  kind(node: Ref): number {
    return this.memory.word(node, KIND)
  }
  setKind(node: Ref, kind: number): void {
    this.memory.setWord(node, KIND, kind)
  }
  /** The node behind; NONE behind the tail. */
  next(node: Ref): Ref {
    return this.memory.word(node, NEXT) as Ref
  }
  /** The node before; NONE before the head. */
  prev(node: Ref): Ref {
    return this.memory.word(node, PREV) as Ref
  }

  /** Gives a node another payload, or the same one with other contents. Its count stays above 0. */
  setNode(root: Ref, node: Ref, payload: Ref, count: number, size: number): void {
    const memory = this.memory
    DEV: assert(count > 0, 'a node without elements is removed')
    const words = memory.wordsOf(node)
    const start = wordPosOf(node)
    words[start + PAYLOAD] = payload
    words[start + NODE_SIZE] = size
    const change = count - words[start + NODE_COUNT]!
    if (change === 0) return
    words[start + NODE_COUNT] = count
    memory.setWord(root, COUNT, memory.word(root, COUNT) + change)
    if (words[start + PARENT] === NONE) return
    this.tree.climb(root, node)
    this.tree.reweigh(root, change)
  }

  /** A node at an end, which no leaf counts, has so many elements more (less, if negative): the caller has written that
   *  into its words. */
  countAtEnd(root: Ref, added: number): void {
    const memory = this.memory
    const words = memory.wordsOf(root)
    words[wordPosOf(root) + COUNT]! += added
  }

  /** The node that holds the element at `index`, 0 to count - 1; `offset` says where in it. */
  nodeAt(root: Ref, index: number): Ref {
    const memory = this.memory
    DEV: assert(index >= 0 && index < this.count(root), 'an index is that of an element')
    const head = this.head(root)
    const headCount = this.countIn(head)
    if (index < headCount) {
      this.offset = index
      return head
    }
    const behind = index - headCount - memory.word(root, WEIGHT)
    if (behind >= 0) {
      this.offset = behind
      return this.tail(root)
    }
    this.offset = this.tree.descend(root, index - headCount)
    return memory.word(this.tree.blocks[0]! as Ref, RECORDS + this.tree.slots[0]! * RECORD_WORDS + CHILD) as Ref
  }

  /** Adds a node behind all; returns it. Allocates. */
  insertLast(root: Ref, payload: Ref, count: number, size: number, kind: number): Ref {
    const node = this.createNode(root, payload, count, size, kind)
    this.link(root, this.tail(root), node, NONE)
    return node
  }

  /** Adds a node in front of `next`; returns it. Allocates. */
  insertBefore(root: Ref, next: Ref, payload: Ref, count: number, size: number, kind: number): Ref {
    const node = this.createNode(root, payload, count, size, kind)
    this.link(root, this.prev(next), node, next)
    return node
  }

  /** Adds a node behind `prev`; returns it. Allocates. */
  insertAfter(root: Ref, prev: Ref, payload: Ref, count: number, size: number, kind: number): Ref {
    const node = this.createNode(root, payload, count, size, kind)
    this.link(root, prev, node, this.next(prev))
    return node
  }

  private createNode(root: Ref, payload: Ref, count: number, size: number, kind: number): Ref {
    const memory = this.memory
    DEV: assert(count > 0, 'a node has elements')
    const node = memory.alloc(NODE_BYTES)
    memory.setWord(node, PAYLOAD, payload)
    memory.setWord(node, NODE_COUNT, count)
    memory.setWord(node, NODE_SIZE, size)
    memory.setWord(node, PARENT, NONE)
    memory.setWord(node, KIND, kind)
    memory.setWord(root, COUNT, memory.word(root, COUNT) + count)
    memory.setWord(root, NODES, memory.word(root, NODES) + 1)
    return node
  }

  /** Chains a node between two others, either of which may be NONE. A node that was at an end goes into the tree when
   *  it no longer is, unless it is at the other end. */
  private link(root: Ref, prev: Ref, node: Ref, next: Ref): void {
    const memory = this.memory
    const head = this.head(root)
    const tail = this.tail(root)
    memory.setWord(node, PREV, prev)
    memory.setWord(node, NEXT, next)
    if (prev !== NONE) memory.setWord(prev, NEXT, node)
    else memory.setWord(root, HEAD, node)
    if (next !== NONE) memory.setWord(next, PREV, node)
    else memory.setWord(root, TAIL, node)
    if (prev !== NONE && next !== NONE) this.enter(root, prev, node, next)
    else if (head !== tail) this.enterAtEnd(root, prev === NONE ? head : tail, prev !== NONE)
  }

  /** Puts a node between two others into the tree, of which one at least is there, unless the tree is empty. */
  private enter(root: Ref, prev: Ref, node: Ref, next: Ref): void {
    const { memory, tree } = this
    if (memory.word(prev, PARENT) !== NONE) {
      tree.climb(root, prev)
      tree.slots[0]!++
      this.write(root, node)
    } else if (memory.word(next, PARENT) !== NONE) {
      tree.climb(root, next)
      this.write(root, node)
    } else {
      this.write(root, node)
    }
  }

  private enterAtEnd(root: Ref, node: Ref, last: boolean): void {
    if (this.memory.word(root, WEIGHT) > 0) this.tree.descendToEnd(root, last)
    this.write(root, node)
  }

  /** Puts a node into the tree where its path leads to. */
  private write(root: Ref, node: Ref): void {
    const { memory, tree } = this
    const count = this.countIn(node)
    tree.open(root, count)
    const leaf = tree.blocks[0]! as Ref
    const record = RECORDS + tree.slots[0]! * RECORD_WORDS
    memory.setWord(leaf, record + CHILD, node)
    memory.setWord(leaf, record + CHILD_WEIGHT, count)
    tree.settle(root)
  }

  /** Takes a node out of the tree, if it is there. */
  private leave(root: Ref, node: Ref): void {
    if (this.memory.word(node, PARENT) === NONE) return
    this.tree.climb(root, node)
    this.tree.close(root, 1, this.countIn(node))
    this.memory.setWord(node, PARENT, NONE)
  }

  /** Removes a node; its payload stays the caller's. */
  removeNode(root: Ref, node: Ref): void {
    const memory = this.memory
    const prev = this.prev(node)
    const next = this.next(node)
    this.leave(root, node)
    if (prev !== NONE) memory.setWord(prev, NEXT, next)
    else memory.setWord(root, HEAD, next)
    if (next !== NONE) memory.setWord(next, PREV, prev)
    else memory.setWord(root, TAIL, prev)
    // Who is at an end now is no longer in the tree.
    if (prev === NONE && next !== NONE) this.leave(root, next)
    if (next === NONE && prev !== NONE) this.leave(root, prev)
    memory.setWord(root, COUNT, memory.word(root, COUNT) - this.countIn(node))
    memory.setWord(root, NODES, memory.word(root, NODES) - 1)
    memory.free(node)
  }

  /** Frees the first node of a sequence that nobody will use again, and with it a leaf of the tree; returns its payload
   *  for the caller to free. NONE when all is freed, the root as well. */
  dismantle(root: Ref): Ref {
    const memory = this.memory
    const node = this.head(root)
    // There is a leaf for each two nodes at most: the tree is gone before the last node.
    const hadLeaf = this.tree.dismantle(root)
    if (node === NONE) {
      DEV: assert(!hadLeaf, 'the tree is gone before the last node')
      memory.free(root)
      return NONE
    }
    const payload = this.payload(node)
    memory.setWord(root, HEAD, this.next(node))
    memory.free(node)
    return payload
  }

  /** Moves the node of the element at `index`, its payload and the tree's blocks above it, if they must be moved;
   *  returns the index behind the node's elements. The root stays where it is. Allocates. */
  compact(root: Ref, index: number): number {
    const memory = this.memory
    const node = this.nodeAt(root, index)
    const end = index - this.offset + this.countIn(node)
    memory.setWord(node, PAYLOAD, memory.move(this.payload(node)))
    const isInTree = memory.word(node, PARENT) !== NONE
    if (isInTree) this.tree.compactPath(root)
    if (!memory.mustMove(node)) return end
    const moved = memory.move(node)
    if (isInTree) {
      memory.setWord(this.tree.blocks[0]! as Ref, RECORDS + this.tree.slots[0]! * RECORD_WORDS + CHILD, moved)
    }
    const prev = this.prev(moved)
    const next = this.next(moved)
    if (prev === NONE) memory.setWord(root, HEAD, moved)
    else memory.setWord(prev, NEXT, moved)
    if (next === NONE) memory.setWord(root, TAIL, moved)
    else memory.setWord(next, PREV, moved)
    return end
  }

  /** The essay's "Always", and the tree's. */
  verify(root: Ref): void {
    const memory = this.memory
    this.tree.verify(root)
    const head = this.head(root)
    const tail = this.tail(root)
    let prev: Ref = NONE
    let count = 0
    let nodes = 0
    let weight = 0
    for (let node = head; node !== NONE; node = this.next(node)) {
      assert(this.prev(node) === prev, 'nodes are linked both ways')
      assert(this.countIn(node) > 0, 'a node has elements')
      const isAtEnd = node === head || node === tail
      assert((memory.word(node, PARENT) === NONE) === isAtEnd, 'just the nodes between the ends are in the tree')
      if (!isAtEnd) {
        this.verifyPlace(root, node, weight)
        weight += this.countIn(node)
      }
      count += this.countIn(node)
      nodes++
      prev = node
    }
    assert(prev === tail, 'the tail is the last node')
    assert(count === this.count(root), 'elements are counted')
    assert(nodes === this.nodeCount(root), 'nodes are counted')
    assert(weight === memory.word(root, WEIGHT), 'the tree has no other nodes')
  }

  private verifyPlace(root: Ref, node: Ref, position: number): void {
    const { memory, tree } = this
    assert(tree.descend(root, position) === 0, 'a node begins where those before it end')
    const leaf = tree.blocks[0]! as Ref
    const record = RECORDS + tree.slots[0]! * RECORD_WORDS
    assert(memory.word(leaf, record + CHILD) === node, 'the tree has the nodes in their order')
    assert(memory.word(leaf, record + CHILD_WEIGHT) === this.countIn(node), 'the tree knows what a node counts')
    assert(memory.word(node, PARENT) === leaf, 'a node knows its leaf')
  }
}
