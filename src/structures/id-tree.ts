/* The id tree: records by the 128-bit ids of stream entries, in their order: a counted B+tree (counted-tree.ts).
 *
 *   leaf record   | msHigh | msLow | seqHigh | seqLow | own words … |        lib/stream-id.ts
 *
 * The nodes of a stream are such a tree, each record with the ref of a node; and the entries that a group, or one of
 * its consumers, has pending. What own words mean is the owner's matter.
 *
 * There is one place: `find` and `seek` put it on a record, `next` and `prev` move it. Whatever changes the tree makes
 * it stale, and so does looking into another one. A search costs what the sorted index's does; what comes in order of
 * time is added behind the last record without one.
 *
 * Always: ids ascend, and no two are equal; and what the counted tree says. */
import { assert } from '../lib/assert.ts'
import { ID_WORDS, StreamId } from '../lib/stream-id.ts'
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, type Ref } from '../memory/memory.ts'
import {
  CHILD,
  CHILD_KEY,
  COUNT,
  CountedTree,
  FIRST,
  HEIGHT,
  LAST,
  NEXT,
  PREV,
  RECORDS,
  recordsIn,
  TOP,
  TREE_WORDS,
  WEIGHT,
} from './counted-tree.ts'

const INNER_WORDS = CHILD_KEY + ID_WORDS
const LEAF_SIZE = 1024
const INNER_SIZE = 1024

export class IdTree {
  readonly memory: Memory
  private readonly tree: CountedTree
  /** Words of a record. */
  private readonly words: number
  /** The place: a leaf and a slot in it. NONE: there is no such record. */
  private leaf: Ref = NONE
  private slot = 0

  /** `ownWords`: words of a record behind its id. `leafMax`, `innerMax`: records of a block, for tests. */
  constructor(memory: Memory, ownWords: number, leafMax = 0, innerMax = 0) {
    this.memory = memory
    this.words = ID_WORDS + ownWords
    this.tree = new CountedTree(
      memory,
      ID_WORDS,
      leafMax === 0 ? recordsIn(LEAF_SIZE, this.words) : leafMax,
      innerMax === 0 ? recordsIn(INNER_SIZE, INNER_WORDS) : innerMax,
      ownWords,
    )
  }

  create(): Ref {
    const root = this.memory.alloc(TREE_WORDS << 2)
    this.tree.clear(root)
    return root
  }

  /** Writes the words of an empty tree into the first TREE_WORDS words of a root. */
  clear(root: Ref): void {
    this.tree.clear(root)
  }

  count(root: Ref): number {
    return this.memory.word(root, WEIGHT)
  }

  /** Bytes of the tree's blocks, the root's not counted. */
  bytes(root: Ref): number {
    return this.tree.bytes(root)
  }

  // Places.

  /** Whether the place is a record. */
  get isThere(): boolean {
    return this.leaf !== NONE
  }

  first(root: Ref): boolean {
    this.leaf = this.memory.word(root, FIRST) as Ref
    this.slot = 0
    return this.leaf !== NONE
  }

  last(root: Ref): boolean {
    this.leaf = this.memory.word(root, LAST) as Ref
    if (this.leaf === NONE) return false
    this.slot = this.memory.word(this.leaf, COUNT) - 1
    return true
  }

  /** Goes to the record of an id; false if there is none. */
  find(root: Ref, id: StreamId): boolean {
    this.descend(root, id)
    const leaf = this.tree.blocks[0]! as Ref
    const slot = this.tree.slots[0]! - 1
    this.leaf = NONE
    if (leaf === NONE || slot < 0 || id.compareAt(this.memory.wordsOf(leaf), this.wordAt(leaf, slot)) !== 0)
      return false
    this.tree.slots[0] = slot
    this.leaf = leaf
    this.slot = slot
    return true
  }

  /** Goes to the first record whose id is not below this one; false if there is none. */
  seek(root: Ref, id: StreamId): boolean {
    if (!this.seekBack(root, id)) return this.first(root)
    return id.compareAt(this.memory.wordsOf(this.leaf), this.wordAt(this.leaf, this.slot)) === 0 || this.next()
  }

  /** Goes to the last record whose id is not above this one; false if there is none. */
  seekBack(root: Ref, id: StreamId): boolean {
    this.descend(root, id)
    this.leaf = this.tree.blocks[0]! as Ref
    this.slot = this.tree.slots[0]! - 1
    // Only in the first leaf may all records be behind it.
    if (this.leaf !== NONE && this.slot < 0) this.leaf = NONE
    return this.leaf !== NONE
  }

  next(): boolean {
    if (++this.slot < this.memory.word(this.leaf, COUNT)) return true
    this.leaf = this.memory.word(this.leaf, NEXT) as Ref
    this.slot = 0
    return this.leaf !== NONE
  }

  prev(): boolean {
    if (--this.slot >= 0) return true
    this.leaf = this.memory.word(this.leaf, PREV) as Ref
    if (this.leaf === NONE) return false
    this.slot = this.memory.word(this.leaf, COUNT) - 1
    return true
  }

  newPlace(): IdPlace {
    return new IdPlace()
  }
  /** Remembers the place, for `restore` when another tree has been looked into. */
  save(into: IdPlace): void {
    into.leaf = this.leaf
    into.slot = this.slot
  }
  restore(place: IdPlace): void {
    this.leaf = place.leaf
    this.slot = place.slot
  }

  /** The id of the record at the place. */
  id(into: StreamId): StreamId {
    return into.read(this.memory.wordsOf(this.leaf), this.wordAt(this.leaf, this.slot))
  }

  /** An own word of the record at the place. */
  own(word: number): number {
    return this.memory.word(this.leaf, RECORDS + this.slot * this.words + ID_WORDS + word)
  }
  setOwn(word: number, value: number): void {
    this.memory.setWord(this.leaf, RECORDS + this.slot * this.words + ID_WORDS + word, value)
  }

  /** Index of a record's first word in its chunk. */
  private wordAt(leaf: Ref, slot: number): number {
    return ((leaf & CHUNK_MASK) << 2) + RECORDS + slot * this.words
  }

  /** Makes the path lead behind the last record whose id is not above this one. */
  private descend(root: Ref, id: StreamId): void {
    const memory = this.memory
    const { blocks, slots } = this.tree
    let block = memory.word(root, TOP) as Ref
    blocks[0] = block
    slots[0] = 0
    if (block === NONE) return
    for (let level = memory.word(root, HEIGHT); level > 0; level--) {
      // An id before all others belongs into the first block.
      const slot = Math.max(this.countUpTo(block, RECORDS + CHILD_KEY, INNER_WORDS, id) - 1, 0)
      blocks[level] = block
      slots[level] = slot
      block = memory.word(block, RECORDS + slot * INNER_WORDS + CHILD) as Ref
    }
    blocks[0] = block
    slots[0] = this.countUpTo(block, RECORDS, this.words, id)
  }

  /** How many records of a block have ids not above this one. `word` is that of the first id. */
  private countUpTo(block: Ref, word: number, stride: number, id: StreamId): number {
    const words = this.memory.words[block >>> CHUNK_SHIFT]!
    const head = (block & CHUNK_MASK) << 2
    const first = head + word
    let known = 0
    let after = words[head + COUNT]!
    while (known < after) {
      const middle = (known + after) >>> 1
      if (id.compareAt(words, first + middle * stride) >= 0) known = middle + 1
      else after = middle
    }
    return known
  }

  // Changing.

  /** Adds a record, with its own words from the list, and goes there; false, having changed nothing, if there is one of
   *  this id. Allocates. */
  insert(root: Ref, id: StreamId, own: Int32Array): boolean {
    const { memory, tree } = this
    const isLast = this.last(root) && id.compareAt(memory.wordsOf(this.leaf), this.wordAt(this.leaf, this.slot)) > 0
    if (isLast) tree.descendToEnd(root, true)
    else if (this.find(root, id)) return false
    tree.open(root, 1)
    const leaf = tree.blocks[0]! as Ref
    const words = memory.wordsOf(leaf)
    const at = this.wordAt(leaf, tree.slots[0]!)
    id.write(words, at)
    for (let word = ID_WORDS; word < this.words; word++) words[at + word] = own[word - ID_WORDS]!
    tree.settle(root)
    this.leaf = NONE
    return true
  }

  /** Takes out the record of an id; false if there is none. */
  remove(root: Ref, id: StreamId): boolean {
    if (!this.find(root, id)) return false
    this.tree.close(root, 1, 1)
    this.leaf = NONE
    return true
  }

  /** Takes the record out that `find` has gone to, and those behind it in its leaf that have the same value in an own
   *  word. Returns how many. */
  removeAlike(root: Ref, word: number, value: number): number {
    const { leaf, slot: first } = this
    const words = this.memory.wordsOf(leaf)
    // What stays goes to the leaf's end, and what goes is one range then.
    let target = this.leafCount
    for (let slot = target - 1; slot >= first; slot--) {
      const at = this.wordAt(leaf, slot)
      if (words[at + ID_WORDS + word] === value) continue
      target--
      if (target !== slot) words.copyWithin(this.wordAt(leaf, target), at, at + this.words)
    }
    this.tree.close(root, target - first, target - first)
    this.leaf = NONE
    return target - first
  }

  /** Takes out the first record. */
  removeFirst(root: Ref): void {
    this.tree.descendToEnd(root, false)
    this.tree.close(root, 1, 1)
    this.leaf = NONE
  }

  /** Makes the empty tree `target` a copy of `source`. Allocates. */
  copy(source: Ref, target: Ref): void {
    this.tree.copy(source, target)
    this.leaf = NONE
  }

  /** Of a tree that nobody will use again: goes to the first record of the leaf that `dismantle` frees next; false if
   *  there is none. */
  lastLeaf(root: Ref): boolean {
    const top = this.memory.word(root, TOP) as Ref
    this.leaf = NONE
    if (top === NONE) return false
    this.tree.descendToEnd(root, true)
    this.leaf = this.tree.blocks[0]! as Ref
    this.slot = 0
    return true
  }

  /** Records of the leaf at the place. */
  get leafCount(): number {
    return this.memory.word(this.leaf, COUNT)
  }
  /** Goes to a record of the leaf at the place. */
  toSlot(slot: number): void {
    this.slot = slot
  }

  /** Frees the last leaf, only of a tree that nobody will use again. False when there was nothing left to free. The
   *  root is the caller's. */
  dismantle(root: Ref): boolean {
    return this.tree.dismantle(root)
  }

  /** Goes to the record with so many before it, having moved the blocks above it that must be moved. Allocates. */
  compact(root: Ref, rank: number): void {
    this.tree.descend(root, rank)
    this.tree.compactPath(root)
    this.leaf = this.tree.blocks[0]! as Ref
    this.slot = this.tree.slots[0]!
  }

  /** The rank behind the last record of the leaf that `compact` went to. */
  rankAfterLeaf(rank: number): number {
    return rank - this.slot + this.leafCount
  }

  /** The essay's "Always". */
  verify(root: Ref): void {
    this.tree.verify(root)
    const prev = new StreamId()
    const id = new StreamId()
    let count = 0
    for (let more = this.first(root); more; more = this.next()) {
      this.id(id)
      assert(count === 0 || prev.compare(id) < 0, 'ids ascend')
      prev.copy(id)
      count++
    }
    assert(count === this.count(root), 'the leaves hold all records')
  }
}

/** A place that is kept. */
export class IdPlace {
  leaf: Ref = NONE
  slot = 0
}
