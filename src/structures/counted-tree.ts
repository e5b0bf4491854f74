/* The counted tree: a B+tree whose records know how much lies below them, so that any place is found by its position
 * in O(log n). It is what the order of a sorted set (sorted-index.ts) and a large list (sequence.ts) are made of.
 *
 *   root    | weight | top | height | first | last | leaves | inners | words of the owner's … |
 *
 *   block   | count | next | prev | parent | record | record | … | room for one more |
 *
 *   record  in a leaf         | key | the owner's … |, weighing 1;  or, in a weighted tree, | child | weight |
 *           above the leaves  | block below | its weight | the first key below |
 *
 * `height` is the number of levels above the leaves; `first` and `last` are the outermost leaves, and leaves are linked
 * both ways. In a weighted tree whatever is a child has its block's ref in its word 3, `parent` (the owner's children
 * as well); the other kind of tree spares itself that, and has a gap there in its first leaf (`shift`).
 *
 * Every change follows a path: the block of each level and the slot in it, level 0 being the leaf. The owner puts it
 * there (or `descend` or `climb` do), `open`s a place for a record at its end, writes the record, and `settle`s the
 * tree; or it `close`s some places.
 *
 * A block that has got too full first evens out with a neighbour; where both are full, two become three, as in a
 * B*-tree: a tree filled in random order is full to 84 %. At its ends the last or first leaf is cut where the record
 * went in instead, so that what comes in order leaves full leaves. Blocks too empty are joined or evened out. A tree of
 * one leaf has a block that grows with it.
 *
 * A search takes the last block whose first key is not behind what is sought, or else the first block. So it needs no
 * key of the blocks on the way to the very first leaf, and these are not renewed with each change there. Nor are the
 * records of that leaf moved each time that the first one goes. ZPOPMIN has to do with nothing else there.
 *
 * Always: a weight is the sum of those below, and a key the first one below, but for those on the way to the very first
 * leaf; blocks have min … max records, the top two or more, but the first and last leaf may have fewer; there is a gap
 * between a `shift` and the next `closeGap` only; keys ascend (the owner's verify sees to that). */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import {
  blockSizeFor,
  CHUNK_MASK,
  CHUNK_SHIFT,
  type Memory,
  NONE,
  posOf,
  type Ref,
  wordPosOf,
} from '../memory/memory.ts'

// Words of the root.
export const WEIGHT = 0
export const TOP = 1
export const HEIGHT = 2
export const FIRST = 3
export const LAST = 4
const LEAVES = 5
const INNERS = 6
/** The first word of the root that is the owner's. */
export const TREE_WORDS = 7

// Words of a block.
export const COUNT = 0
export const NEXT = 1
export const PREV = 2
export const PARENT = 3
/** The same word of a first leaf, in a tree of keys: so many records at its beginning have been taken out. */
export const GAP = 3
/** The word of a block at which its first record begins. */
export const RECORDS = 4

// Words of a record above the leaves.
export const CHILD = 0
const CHILD_WEIGHT = 1
export const CHILD_KEY = 2

/** 2^31 records, and no inner block with fewer than two but the top: at most 31 levels. */
const LEVELS_MAX = 32
const INNER_MIN_LEAST = 2
const INNER_MAX_LEAST = 3
/** Records for which the block of a tree's only leaf has room at first. */
const ONLY_LEAF_LEAST = 4

/** How many records of `words` words a block of `size` bytes holds, the spare one aside. */
export const recordsIn = (size: number, words: number): number => Math.floor((size / 4 - RECORDS) / words) - 1

export class CountedTree {
  readonly memory: Memory
  /** The path: by level, blocks and the slots in them. Dead after `settle` and `close`. */
  readonly blocks: Int32Array = new Int32Array(LEVELS_MAX)
  readonly slots: Int32Array = new Int32Array(LEVELS_MAX)
  private readonly leafMax: number
  private readonly innerMax: number
  private readonly leafMin: number
  private readonly innerMin: number
  private readonly weighted: boolean
  private readonly keyWords: number
  /** Words of a leaf's record, and of one above. */
  private readonly leafWords: number
  private readonly innerWords: number
  private readonly leafSize: number
  private readonly innerSize: number

  /** `keyWords`: the words of a key, which a leaf's record begins with; 0: a weighted tree. `leafMax`, `innerMax`:
   *  records of a block. `ownWords`: the words of a leaf's record behind its key, which are the owner's. */
  constructor(memory: Memory, keyWords: number, leafMax: number, innerMax: number, ownWords = 0) {
    assert(leafMax >= 2 && innerMax >= INNER_MAX_LEAST, 'a block that is too full makes two that are not too empty')
    this.memory = memory
    this.weighted = keyWords === 0
    this.keyWords = keyWords
    this.leafWords = this.weighted ? CHILD_KEY : keyWords + ownWords
    this.innerWords = CHILD_KEY + keyWords
    this.leafMax = leafMax
    this.innerMax = innerMax
    this.leafMin = (leafMax + 1) >> 1
    this.innerMin = Math.max(INNER_MIN_LEAST, (innerMax + 1) >> 1)
    this.leafSize = this.sizeFor(leafMax, 0)
    this.innerSize = this.sizeFor(innerMax, 1)
  }

  /** Writes the words of an empty tree into a root. */
  clear(root: Ref): void {
    for (let word = 0; word < TREE_WORDS; word++) this.memory.setWord(root, word, 0)
  }

  /** Bytes of the tree's blocks. */
  bytes(root: Ref): number {
    const memory = this.memory
    const top = memory.word(root, TOP) as Ref
    if (top === NONE) return 0
    if (memory.word(root, HEIGHT) === 0) return memory.capacity(top)
    const leaves = memory.word(root, LEAVES) * blockSizeFor(this.leafSize)
    return leaves + memory.word(root, INNERS) * blockSizeFor(this.innerSize)
  }

  private words(level: number): number {
    return level === 0 ? this.leafWords : this.innerWords
  }
  private max(level: number): number {
    return level === 0 ? this.leafMax : this.innerMax
  }
  private min(level: number): number {
    return level === 0 ? this.leafMin : this.innerMin
  }
  private sizeFor(max: number, level: number): number {
    return (RECORDS + (max + 1) * this.words(level)) << 2
  }

  private count(block: Ref): number {
    return this.memory.word(block, COUNT)
  }
  private child(block: Ref, slot: number): Ref {
    return this.memory.word(block, RECORDS + slot * this.innerWords) as Ref
  }

  /** Makes the path lead to what is at `position`, 0 to weight - 1. Returns how far into the last record that is. */
  descend(root: Ref, position: number): number {
    const chunks = this.memory.words
    let total = this.memory.word(root, WEIGHT)
    let block = this.memory.word(root, TOP) as Ref
    for (let level = this.memory.word(root, HEIGHT); level >= 0; level--) {
      this.blocks[level] = block
      if (level === 0 && !this.weighted) break
      const words = chunks[block >>> CHUNK_SHIFT]!
      const stride = level === 0 ? this.leafWords : this.innerWords
      const head = (block & CHUNK_MASK) << 2
      const first = head + RECORDS
      let at = first
      // From the nearer end: the outermost places are those asked for most.
      if (position < total >>> 1) {
        while (position >= words[at + CHILD_WEIGHT]!) {
          position -= words[at + CHILD_WEIGHT]!
          at += stride
        }
      } else {
        at += (words[head]! - 1) * stride
        let before = total - words[at + CHILD_WEIGHT]!
        while (before > position) {
          at -= stride
          before -= words[at + CHILD_WEIGHT]!
        }
        position -= before
      }
      this.slots[level] = (at - first) / stride
      total = words[at + CHILD_WEIGHT]!
      block = words[at + CHILD]! as Ref
    }
    if (this.weighted) return position
    this.slots[0] = position
    return 0
  }

  /** Makes the path lead to the very first place, or behind the very last one. The tree must not be empty. */
  descendToEnd(root: Ref, last: boolean): void {
    let block = this.memory.word(root, TOP) as Ref
    for (let level = this.memory.word(root, HEIGHT); level >= 0; level--) {
      const slot = last ? this.count(block) - (level === 0 ? 0 : 1) : 0
      this.blocks[level] = block
      this.slots[level] = slot
      block = this.child(block, slot)
    }
  }

  /** Makes the path lead to a child of a weighted tree, from there upwards. */
  climb(root: Ref, child: Ref): void {
    const height = this.memory.word(root, HEIGHT)
    for (let level = 0; level <= height; level++) {
      const block = this.memory.word(child, PARENT) as Ref
      const words = this.memory.wordsOf(block)
      const first = ((block & CHUNK_MASK) << 2) + RECORDS
      let at = first
      while (words[at] !== child) {
        at += CHILD_KEY
        DEV: assert(at < first + words[first - RECORDS]! * CHILD_KEY, 'a child is in the block that it names')
      }
      this.blocks[level] = block
      this.slots[level] = (at - first) / CHILD_KEY
      child = block
    }
  }

  /** Moves the blocks of the path that must be moved (Memory.move). The path is good afterwards. Allocates. */
  compactPath(root: Ref): void {
    const memory = this.memory
    const height = memory.word(root, HEIGHT)
    for (let level = height; level >= 0; level--) {
      const block = this.blocks[level]! as Ref
      if (!memory.mustMove(block)) continue
      const moved = memory.move(block)
      this.blocks[level] = moved
      if (level === height) memory.setWord(root, TOP, moved)
      else
        memory.setWord(
          this.blocks[level + 1]! as Ref,
          RECORDS + this.slots[level + 1]! * this.innerWords + CHILD,
          moved,
        )
      if (level === 0) this.relinkLeaf(root, moved)
      this.adopt(moved, 0, this.count(moved), level)
    }
  }

  /** A leaf has moved: tells its neighbours. */
  private relinkLeaf(root: Ref, leaf: Ref): void {
    const memory = this.memory
    const next = memory.word(leaf, NEXT) as Ref
    const prev = memory.word(leaf, PREV) as Ref
    if (prev === NONE) memory.setWord(root, FIRST, leaf)
    else memory.setWord(prev, NEXT, leaf)
    if (next === NONE) memory.setWord(root, LAST, leaf)
    else memory.setWord(next, PREV, leaf)
  }

  /** The position of what the path leads to, in a tree of keys: the weight of all before it. */
  position(root: Ref): number {
    const chunks = this.memory.words
    const height = this.memory.word(root, HEIGHT)
    let position = this.slots[0]!
    for (let level = 1; level <= height; level++) {
      const block = this.blocks[level]!
      const words = chunks[block >>> CHUNK_SHIFT]!
      let at = ((block & CHUNK_MASK) << 2) + RECORDS + CHILD_WEIGHT
      for (const end = at + this.slots[level]! * this.innerWords; at < end; at += this.innerWords) {
        position += words[at]!
      }
    }
    return position
  }

  /** Adds to the weights along the path, from the level above its leaf on; the root's as well. */
  private weigh(root: Ref, change: number): void {
    const chunks = this.memory.words
    const height = this.memory.word(root, HEIGHT)
    for (let level = 1; level <= height; level++) {
      const block = this.blocks[level]!
      const record = ((block & CHUNK_MASK) << 2) + RECORDS + this.slots[level]! * this.innerWords
      chunks[block >>> CHUNK_SHIFT]![record + CHILD_WEIGHT]! += change
    }
    this.memory.setWord(root, WEIGHT, this.memory.word(root, WEIGHT) + change)
  }

  /** Changes the weight of the child that the path leads to, in a weighted tree. */
  reweigh(root: Ref, change: number): void {
    const leaf = this.blocks[0]! as Ref
    const word = RECORDS + this.slots[0]! * this.leafWords + CHILD_WEIGHT
    this.memory.setWord(leaf, word, this.memory.word(leaf, word) + change)
    this.weigh(root, change)
  }

  /** Makes room for a record where the path leads to, and counts its weight. The caller writes its words, from word
   *  `RECORDS + slots[0] * leafWords` of the leaf on, and calls `settle`. Allocates. */
  open(root: Ref, weight: number): void {
    if (this.memory.word(root, HEIGHT) === 0) this.makeOnlyLeaf(root)
    const leaf = this.blocks[0]! as Ref
    this.insertRecord(leaf, this.slots[0]!, this.leafWords)
    this.weigh(root, weight)
  }

  private insertRecord(block: Ref, slot: number, stride: number): void {
    const words = this.memory.wordsOf(block)
    const head = (block & CHUNK_MASK) << 2
    const count = words[head]!
    const at = head + RECORDS + slot * stride
    if (slot < count) words.copyWithin(at + stride, at, head + RECORDS + count * stride)
    words[head] = count + 1
  }

  private removeRecords(block: Ref, slot: number, removed: number, stride: number): void {
    const words = this.memory.wordsOf(block)
    const head = (block & CHUNK_MASK) << 2
    const count = words[head]!
    const at = head + RECORDS + slot * stride
    if (slot + removed < count) words.copyWithin(at, at + removed * stride, head + RECORDS + count * stride)
    words[head] = count - removed
  }

  /** Sees to it that a tree of one leaf, or of none, has a leaf with room, and that the path leads there. */
  private makeOnlyLeaf(root: Ref): void {
    const memory = this.memory
    const leaf = memory.word(root, TOP) as Ref
    const isNew = leaf === NONE
    const count = isNew ? 0 : this.count(leaf)
    if (!isNew && sizeOf(count + 1, this.leafWords) <= memory.capacity(leaf)) return
    const wanted = sizeOf(isNew ? ONLY_LEAF_LEAST : count * 2, this.leafWords)
    const size = Math.min(wanted, this.leafSize)
    const target = isNew ? this.newBlock(root, 0, size) : memory.resize(leaf, size, sizeOf(count, this.leafWords))
    if (isNew) this.slots[0] = 0
    memory.setWord(root, TOP, target)
    memory.setWord(root, FIRST, target)
    memory.setWord(root, LAST, target)
    this.blocks[0] = target
    this.adopt(target, 0, count, 0)
  }

  private newBlock(root: Ref, level: number, size: number): Ref {
    const memory = this.memory
    const block = memory.alloc(size)
    for (let word = 0; word < RECORDS; word++) memory.setWord(block, word, 0)
    const total = level > 0 ? INNERS : LEAVES
    memory.setWord(root, total, memory.word(root, total) + 1)
    return block
  }

  private freeBlock(root: Ref, block: Ref, level: number): void {
    const total = level > 0 ? INNERS : LEAVES
    this.memory.setWord(root, total, this.memory.word(root, total) - 1)
    this.memory.free(block)
  }

  /** To be called when a record was written where the path leads to. Allocates. */
  settle(root: Ref): void {
    const leaf = this.blocks[0]! as Ref
    const slot = this.slots[0]!
    if (this.weighted) this.adopt(leaf, slot, slot + 1, 0)
    else if (slot === 0 && leaf !== this.memory.word(root, FIRST)) this.renewKeys(root, 0)
    if (this.count(leaf) <= this.leafMax) return
    for (let level = 0; this.count(this.blocks[level]! as Ref) > this.max(level); level++) {
      if (level === this.memory.word(root, HEIGHT)) this.raise(root)
      this.relieve(root, level)
    }
  }

  /** Takes `removed` records of the path's leaf out, from its slot on; together they weigh `weight`. */
  close(root: Ref, removed: number, weight: number): void {
    const leaf = this.blocks[0]! as Ref
    this.removeRecords(leaf, this.slots[0]!, removed, this.leafWords)
    this.weigh(root, -weight)
    const count = this.count(leaf)
    if (this.slots[0] === 0 && count > 0 && leaf !== this.memory.word(root, FIRST)) this.renewKeys(root, 0)
    if (count < this.min(0)) this.mend(root)
  }

  /** Takes the very first record out of a tree of keys. Those behind it stay where they are, and the leaf notes how
   *  many are gone: until `closeGap` nothing may be done but this once more, or a look behind the gap. */
  shift(root: Ref): void {
    const memory = this.memory
    let block = memory.word(root, TOP) as Ref
    for (let level = memory.word(root, HEIGHT); level > 0; level--) {
      const words = memory.wordsOf(block)
      const record = wordPosOf(block) + RECORDS
      words[record + CHILD_WEIGHT]!--
      block = words[record + CHILD]! as Ref
    }
    memory.setWord(root, WEIGHT, memory.word(root, WEIGHT) - 1)
    const gap = memory.word(block, GAP) + 1
    memory.setWord(block, GAP, gap)
    if (gap === this.count(block)) this.closeGap(root)
  }

  /** The first leaf's records begin where they should again. */
  closeGap(root: Ref): void {
    const memory = this.memory
    const leaf = memory.word(root, FIRST) as Ref
    if (leaf === NONE || memory.word(leaf, GAP) === 0) return
    this.removeRecords(leaf, 0, memory.word(leaf, GAP), this.leafWords)
    memory.setWord(leaf, GAP, 0)
    if (this.count(leaf) > 0) return
    this.descendToEnd(root, false)
    this.mend(root)
  }

  /** The first record of the path's block at `level` is another one: its key goes into the records above. */
  private renewKeys(root: Ref, level: number): void {
    const height = this.memory.word(root, HEIGHT)
    while (level < height) {
      const block = this.blocks[level]! as Ref
      level++
      const slot = this.slots[level]!
      this.copyKey(block, level - 1, this.blocks[level]! as Ref, slot)
      if (slot > 0) return
    }
  }

  /** Writes the first key of a block into its record in the block above. */
  private copyKey(block: Ref, level: number, above: Ref, slot: number): void {
    const source = RECORDS + (level === 0 ? 0 : CHILD_KEY)
    const target = RECORDS + slot * this.innerWords + CHILD_KEY
    for (let word = 0; word < this.keyWords; word++) {
      this.memory.setWord(above, target + word, this.memory.word(block, source + word))
    }
  }

  /** Writes all but the ref of a record above the leaves anew, from the block that it stands for. */
  private renewRecord(above: Ref, slot: number, level: number): void {
    const block = this.child(above, slot)
    this.copyKey(block, level, above, slot)
    this.memory.setWord(above, RECORDS + slot * this.innerWords + CHILD_WEIGHT, this.weightOf(block, level))
  }

  private weightOf(block: Ref, level: number): number {
    const count = this.count(block)
    if (level === 0 && !this.weighted) return count
    const words = this.memory.wordsOf(block)
    let at = ((block & CHUNK_MASK) << 2) + RECORDS + CHILD_WEIGHT
    let weight = 0
    for (let slot = 0; slot < count; slot++, at += this.innerWords) weight += words[at]!
    return weight
  }

  /** Tells the children from slot `first` to before `after` which block they are in. */
  private adopt(block: Ref, first: number, after: number, level: number): void {
    if (!this.weighted) return
    for (let slot = first; slot < after; slot++) this.memory.setWord(this.child(block, slot), PARENT, block)
    DEV: assert(this.words(level) === CHILD_KEY, 'all records of a weighted tree are alike')
  }

  /** Puts a block without neighbours above the top. */
  private raise(root: Ref): void {
    const memory = this.memory
    const height = memory.word(root, HEIGHT)
    const top = memory.word(root, TOP) as Ref
    const above = this.newBlock(root, height + 1, this.innerSize)
    memory.setWord(above, COUNT, 1)
    memory.setWord(above, RECORDS + CHILD, top)
    this.renewRecord(above, 0, height)
    this.adopt(above, 0, 1, height + 1)
    memory.setWord(root, TOP, above)
    memory.setWord(root, HEIGHT, height + 1)
    this.blocks[height + 1] = above
    this.slots[height + 1] = 0
  }

  /** Makes the path's block at `level`, which has one record too many, give some away. */
  private relieve(root: Ref, level: number): void {
    const block = this.blocks[level]! as Ref
    const above = this.blocks[level + 1]! as Ref
    const slot = this.slots[level + 1]!
    const cut = level === 0 ? this.cutAtEnd(root, block) : 0
    if (cut > 0) return this.split(root, level, cut)
    const before = slot > 0 ? this.count(this.child(above, slot - 1)) : Infinity
    const after = slot + 1 < this.count(above) ? this.count(this.child(above, slot + 1)) : Infinity
    const first = before < after ? slot - 1 : slot
    const fewer = Math.min(before, after)
    // With a neighbour that is nearly full there would soon be another time.
    if (fewer < this.max(level) - (this.max(level) >> 3)) this.even(above, first, level)
    else if (fewer < Infinity) this.splitPair(root, level, first)
    else this.split(root, level, this.count(block) >> 1)
  }

  /** Where the first or last leaf is to be cut, if the record that filled it came near the tree's end; otherwise 0. */
  private cutAtEnd(root: Ref, leaf: Ref): number {
    const count = this.count(leaf)
    const slot = this.slots[0]!
    if (leaf === this.memory.word(root, LAST) && slot * 4 >= count * 3) return slot
    if (leaf === this.memory.word(root, FIRST) && slot * 4 < count) return slot + 1
    return 0
  }

  /** Moves the records from slot `cut` on into a new block. */
  private split(root: Ref, level: number, cut: number): void {
    const block = this.blocks[level]! as Ref
    const slot = this.slots[level + 1]!
    const fresh = this.addAfter(root, block, level, slot)
    this.moveRight(block, fresh, this.count(block) - cut, level)
    this.renewRecord(this.blocks[level + 1]! as Ref, slot, level)
    this.renewRecord(this.blocks[level + 1]! as Ref, slot + 1, level)
  }

  /** Makes three blocks of the two at slots `first` and after. */
  private splitPair(root: Ref, level: number, first: number): void {
    const above = this.blocks[level + 1]! as Ref
    const left = this.child(above, first)
    const right = this.child(above, first + 1)
    const fresh = this.addAfter(root, right, level, first + 1)
    const total = this.count(left) + this.count(right)
    const third = Math.floor(total / 3)
    this.moveRight(right, fresh, third, level)
    this.balance(left, right, total - third, level)
    for (let slot = first; slot < first + 3; slot++) this.renewRecord(above, slot, level)
  }

  /** Puts an empty block behind `block`, whose record in the block above has this slot; its own is not yet whole. */
  private addAfter(root: Ref, block: Ref, level: number, slot: number): Ref {
    const memory = this.memory
    const above = this.blocks[level + 1]! as Ref
    const fresh = this.newBlock(root, level, level > 0 ? this.innerSize : this.leafSize)
    this.insertRecord(above, slot + 1, this.innerWords)
    memory.setWord(above, RECORDS + (slot + 1) * this.innerWords + CHILD, fresh)
    this.adopt(above, slot + 1, slot + 2, level + 1)
    if (level > 0) return fresh
    const next = memory.word(block, NEXT) as Ref
    memory.setWord(fresh, NEXT, next)
    memory.setWord(fresh, PREV, block)
    memory.setWord(block, NEXT, fresh)
    if (next === NONE) memory.setWord(root, LAST, fresh)
    else memory.setWord(next, PREV, fresh)
    return fresh
  }

  /** Evens out the two blocks at slots `first` and after of the block above. */
  private even(above: Ref, first: number, level: number): void {
    const left = this.child(above, first)
    const right = this.child(above, first + 1)
    this.balance(left, right, this.count(left) + this.count(right), level)
    this.renewRecord(above, first, level)
    this.renewRecord(above, first + 1, level)
  }

  /** Moves records between two neighbours until the left one has half of `total`. */
  private balance(left: Ref, right: Ref, total: number, level: number): void {
    const surplus = this.count(left) - (total >> 1)
    if (surplus > 0) this.moveRight(left, right, surplus, level)
    else if (surplus < 0) this.moveLeft(left, right, -surplus, level)
  }

  /** Moves the last records of `left` to the front of `right`. */
  private moveRight(left: Ref, right: Ref, moved: number, level: number): void {
    const memory = this.memory
    const size = this.words(level) << 2
    const leftCount = this.count(left) - moved
    const rightCount = this.count(right)
    const leftPos = posOf(left) + (RECORDS << 2)
    const rightPos = posOf(right) + (RECORDS << 2)
    const source = memory.bytesOf(left)
    const target = memory.bytesOf(right)
    if (rightCount > 0) copyBytes(target, rightPos, target, rightPos + moved * size, rightCount * size)
    copyBytes(source, leftPos + leftCount * size, target, rightPos, moved * size)
    memory.setWord(left, COUNT, leftCount)
    memory.setWord(right, COUNT, rightCount + moved)
    this.adopt(right, 0, moved, level)
  }

  /** Moves the first records of `right` to the end of `left`. */
  private moveLeft(left: Ref, right: Ref, moved: number, level: number): void {
    const memory = this.memory
    const size = this.words(level) << 2
    const leftCount = this.count(left)
    const rightPos = posOf(right) + (RECORDS << 2)
    const source = memory.bytesOf(right)
    const targetPos = posOf(left) + (RECORDS << 2) + leftCount * size
    copyBytes(source, rightPos, memory.bytesOf(left), targetPos, moved * size)
    this.removeRecords(right, 0, moved, this.words(level))
    memory.setWord(left, COUNT, leftCount + moved)
    this.adopt(left, leftCount, leftCount + moved, level)
  }

  /** Joins blocks that have got too empty, from the path's leaf upwards. */
  private mend(root: Ref): void {
    for (let level = 0; level < this.memory.word(root, HEIGHT); level++) {
      const block = this.blocks[level]! as Ref
      const count = this.count(block)
      if (count === 0) {
        const slot = this.slots[level + 1]!
        this.drop(root, level, slot)
        if (slot === 0) this.renewKeys(root, level + 1)
        continue
      }
      if (count >= this.min(level)) return
      const isOutermost = block === this.memory.word(root, FIRST) || block === this.memory.word(root, LAST)
      if (level === 0 && isOutermost) return
      if (!this.join(root, level)) return
    }
    this.lower(root)
  }

  /** Takes an empty block away, whose record in the block above has this slot. */
  private drop(root: Ref, level: number, slot: number): void {
    const memory = this.memory
    const above = this.blocks[level + 1]! as Ref
    const block = this.child(above, slot)
    this.removeRecords(above, slot, 1, this.innerWords)
    if (level === 0) {
      const next = memory.word(block, NEXT) as Ref
      const prev = memory.word(block, PREV) as Ref
      if (prev === NONE) memory.setWord(root, FIRST, next)
      else memory.setWord(prev, NEXT, next)
      if (next === NONE) memory.setWord(root, LAST, prev)
      else memory.setWord(next, PREV, prev)
    }
    this.freeBlock(root, block, level)
  }

  /** Joins the path's block at `level` with a neighbour, or evens them out; true if there is a block less. */
  private join(root: Ref, level: number): boolean {
    const above = this.blocks[level + 1]! as Ref
    const slot = this.slots[level + 1]!
    const first = slot + 1 < this.count(above) ? slot : slot - 1
    const left = this.child(above, first)
    const right = this.child(above, first + 1)
    const moved = this.count(right)
    if (this.count(left) + moved >= 2 * this.min(level)) {
      this.even(above, first, level)
      return false
    }
    this.moveLeft(left, right, moved, level)
    this.drop(root, level, first + 1)
    this.renewRecord(above, first, level)
    return true
  }

  /** Takes the top away if it is empty, or has but one block below. */
  private lower(root: Ref): void {
    const memory = this.memory
    const height = memory.word(root, HEIGHT)
    const top = memory.word(root, TOP) as Ref
    const count = this.count(top)
    if (height > 0 && count === 1) {
      const below = this.child(top, 0)
      memory.setWord(root, TOP, below)
      memory.setWord(root, HEIGHT, height - 1)
      memory.setWord(below, PARENT, NONE)
      this.freeBlock(root, top, height)
    } else if (count === 0) {
      this.freeBlock(root, top, 0)
      memory.setWord(root, TOP, NONE)
      memory.setWord(root, FIRST, NONE)
      memory.setWord(root, LAST, NONE)
    }
  }

  /** Makes the empty tree `target` a copy of a tree of keys, block by block. Allocates. */
  copy(source: Ref, target: Ref): void {
    const { memory } = this
    for (let word = 0; word < TREE_WORDS; word++) memory.setWord(target, word, memory.word(source, word))
    const top = memory.word(source, TOP) as Ref
    if (top === NONE) return
    memory.setWord(target, LAST, NONE)
    memory.setWord(target, TOP, this.copyBlock(target, top, memory.word(source, HEIGHT)))
  }

  /** Copies a block and all below it; leaves are linked behind the last one copied. */
  private copyBlock(target: Ref, source: Ref, level: number): Ref {
    const { memory } = this
    const block = memory.duplicate(source)
    if (level === 0) {
      const prev = memory.word(target, LAST) as Ref
      memory.setWord(block, PREV, prev)
      if (prev === NONE) memory.setWord(target, FIRST, block)
      else memory.setWord(prev, NEXT, block)
      memory.setWord(target, LAST, block)
      return block
    }
    for (let slot = 0; slot < this.count(block); slot++) {
      const word = RECORDS + slot * this.innerWords + CHILD
      memory.setWord(block, word, this.copyBlock(target, memory.word(source, word) as Ref, level - 1))
    }
    return block
  }

  /** Frees the last leaf, and what above it is empty then; only for a tree that nobody will use again. False when there
   *  was nothing left to free. */
  dismantle(root: Ref): boolean {
    const memory = this.memory
    let block = memory.word(root, TOP) as Ref
    if (block === NONE) return false
    const height = memory.word(root, HEIGHT)
    for (let level = height; level > 0; level--) {
      this.blocks[level] = block
      block = this.child(block, this.count(block) - 1)
    }
    this.freeBlock(root, block, 0)
    for (let level = 1; level <= height; level++) {
      block = this.blocks[level]! as Ref
      const count = this.count(block) - 1
      memory.setWord(block, COUNT, count)
      if (count > 0) return true
      this.freeBlock(root, block, level)
    }
    memory.setWord(root, TOP, NONE)
    return true
  }

  /** The essay's "Always", but for the order of the keys. */
  verify(root: Ref): void {
    const memory = this.memory
    const top = memory.word(root, TOP) as Ref
    const tally: Tally = { leaves: 0, inners: 0, last: NONE }
    if (top === NONE) {
      for (let word = 0; word < TREE_WORDS; word++) assert(memory.word(root, word) === 0, 'an empty tree is all zero')
      return
    }
    const height = memory.word(root, HEIGHT)
    if (this.weighted) assert(memory.word(top, PARENT) === NONE, 'the top has no parent')
    assert(this.count(top) >= (height > 0 ? 2 : 1), 'the top is needed')
    assert(this.verifyBlock(root, top, height, tally) === memory.word(root, WEIGHT), 'the root knows the weight')
    assert(tally.leaves === memory.word(root, LEAVES), 'leaves are counted')
    assert(tally.inners === memory.word(root, INNERS), 'inner blocks are counted')
    assert(tally.last === memory.word(root, LAST), 'the last leaf is known')
    assert(memory.word(tally.last, NEXT) === NONE, 'the last leaf has no next')
  }

  /** Returns the block's weight. */
  private verifyBlock(root: Ref, block: Ref, level: number, tally: Tally): number {
    const memory = this.memory
    const count = this.count(block)
    const isTop = block === memory.word(root, TOP)
    const isOutermost = level === 0 && (block === memory.word(root, FIRST) || block === memory.word(root, LAST))
    assert(count > 0 && count <= this.max(level), 'a block is not too full')
    assert(isTop || isOutermost || count >= this.min(level), 'a block is not too empty')
    const size = blockSizeFor(this.sizeFor(this.max(level), level))
    assert((isTop && level === 0) || memory.capacity(block) === size, 'a block has its size')
    if (level === 0) {
      assert(memory.word(block, PREV) === tally.last, 'leaves are linked backwards')
      const linked = tally.last === NONE ? memory.word(root, FIRST) : memory.word(tally.last, NEXT)
      assert(linked === block, 'leaves are linked forwards')
      tally.last = block
      tally.leaves++
    } else {
      tally.inners++
      for (let slot = 0; slot < count; slot++) this.verifyRecord(root, block, slot, level, tally)
    }
    if (!this.weighted) assert(memory.word(block, GAP) === 0, 'there is no gap that has not been closed')
    else {
      for (let slot = 0; slot < count; slot++) {
        assert(memory.word(this.child(block, slot), PARENT) === block, 'a child knows its block')
      }
    }
    return this.weightOf(block, level)
  }

  private verifyRecord(root: Ref, block: Ref, slot: number, level: number, tally: Tally): void {
    const memory = this.memory
    const below = this.child(block, slot)
    const isFirst = tally.last === NONE
    const weight = this.verifyBlock(root, below, level - 1, tally)
    const record = RECORDS + slot * this.innerWords
    assert(weight === memory.word(block, record + CHILD_WEIGHT), 'a record knows the weight below')
    const first = RECORDS + (level === 1 ? 0 : CHILD_KEY)
    if (isFirst) return
    for (let word = 0; word < this.keyWords; word++) {
      const key = memory.word(block, record + CHILD_KEY + word)
      assert(key === memory.word(below, first + word), 'a record has the first key below')
    }
  }
}

/** What `verify` has met so far. */
interface Tally {
  leaves: number
  inners: number
  /** The last leaf. */
  last: Ref
}

function sizeOf(count: number, words: number): number {
  return (RECORDS + count * words) << 2
}
