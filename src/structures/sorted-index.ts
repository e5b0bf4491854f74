/* The sorted index: the order of a large sorted set, by score and then by member. A counted B+tree (counted-tree.ts),
 * so that rank and position are found in O(log n).
 *
 *   leaf record     | high | low | member |                            12 bytes to a member
 *   record above    | block | weight | high | low | member |
 *
 *   high, low   the order words of the score (lib/double-words.ts): two signed integers that sort as the scores do
 *   member      ref of an entry (zset-member.ts, or a field that expires), whose bytes decide between equal scores
 *
 * The scores stand beside the refs, so that a search touches no member unless scores are equal. The members belong to
 * the set's table: the index neither makes nor frees them, and needs one only as long as it holds its ref. Bytes
 * compare as unsigned, a prefix before what it begins. -0 and 0 are the same score here.
 *
 * The place of something is the number of members before it; what is sought is noted first (`note…`), and one search
 * serves all. A call removes members of one leaf only, or frees one leaf: a caller with many does it in slices.
 *
 * Always: members ascend by score and bytes, no two are equal, and each has the score that its record says.
 *
 * Cost with 1M members on Node 20, in ns (bench/structures-trees.ts; half of it are cache misses):
 *
 *   insert   random scores 390, ascending 120, descending 180, one score for all 2100
 *   rank     750 (2200), of a score 350; at 160, first or last 30; remove 400 (1750), the first 120, the last 80
 *   rescore  by one 860, to anywhere 1500; cursor: to a score 270, next 7, prev and score 18
 *   bytes    a member: 15.1 that came in random order, 12.7 in order; 16 to 21 after random changes
 *
 * The leaves' 1 KB was chosen among 400 to 1536 bytes: times hardly differ, larger ones leave fewer bytes unused. Three
 * arrays in place of records of three words make the search 5 % faster and the insertion 40 % slower. */
import { assert } from '../lib/assert.ts'
import { compareBytes } from '../lib/bytes.ts'
import { fromOrder, highOrder, lowOrder } from '../lib/double-words.ts'
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, type Ref } from '../memory/memory.ts'
import {
  CHILD,
  CHILD_KEY,
  COUNT,
  CountedTree,
  FIRST,
  GAP,
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
import { keyLenOf, keyPosOf } from './entry-head.ts'
import { scoreOf, verifyMember } from './zset-member.ts'

// Words of a key, which is a leaf's whole record.
const HIGH = 0
const LOW = 1
const MEMBER = 2
const KEY_WORDS = 3
const INNER_WORDS = CHILD_KEY + KEY_WORDS

const LEAF_SIZE = 1024
const INNER_SIZE = 1024

/** So many members of one score, at most, are looked at one by one. */
const ALIKE_MAX = 8

// Where something sought belongs among members of its score.
const BEFORE_EQUAL = 0
const AFTER_EQUAL = 1
const BY_BYTES = 2

export class SortedIndex {
  readonly memory: Memory
  /** The members that `removeRange` has taken out: valid until its next call. */
  readonly found: Int32Array
  private readonly tree: CountedTree
  // What is sought: a score's order words, how to decide between equal ones, and by which bytes.
  private high = 0
  private low = 0
  private ties = BEFORE_EQUAL
  private sought: Uint8Array
  private soughtPos = 0
  private soughtLen = 0
  /** So many of these bytes begin the nearest members known to lie before and after: see `goesBefore`. */
  private alikeBefore = 0
  private alikeAfter = 0
  /** Whether what is sought lies behind a member of the same score and bytes. */
  private afterSame = false

  /** `leafMax`, `innerMax`: members of a leaf, and blocks below a block; for tests. */
  constructor(
    memory: Memory,
    leafMax: number = recordsIn(LEAF_SIZE, KEY_WORDS),
    innerMax: number = recordsIn(INNER_SIZE, INNER_WORDS),
  ) {
    this.memory = memory
    this.tree = new CountedTree(memory, KEY_WORDS, leafMax, innerMax)
    this.found = new Int32Array(leafMax)
    this.sought = memory.bytes[0]!
  }

  create(): Ref {
    const root = this.memory.alloc(TREE_WORDS << 2)
    this.tree.clear(root)
    return root
  }

  count(root: Ref): number {
    return this.memory.word(root, WEIGHT)
  }

  /** Bytes of the index's own blocks; its members are the caller's. */
  bytes(root: Ref): number {
    return this.memory.capacity(root) + this.tree.bytes(root)
  }

  /** Adds a member that is not in the index. Allocates. */
  insert(root: Ref, score: number, member: Ref): void {
    this.tree.closeGap(root)
    this.noteMember(score, member)
    if (this.belongsLast(root)) this.tree.descendToEnd(root, true)
    else if (this.belongsFirst(root)) this.tree.descendToEnd(root, false)
    else this.descend(root)
    this.tree.open(root, 1)
    this.write(member)
    this.tree.settle(root)
  }

  /** Whether what is sought lies behind all that is there: so it is where members come in order of time. */
  private belongsLast(root: Ref): boolean {
    const leaf = this.memory.word(root, LAST) as Ref
    return leaf !== NONE && this.isBefore(leaf, this.memory.word(leaf, COUNT) - 1)
  }

  /** Whether what is sought lies before all that is there: so it is in RDB files, which have the greatest first. */
  private belongsFirst(root: Ref): boolean {
    const leaf = this.memory.word(root, FIRST) as Ref
    return leaf !== NONE && !this.isBefore(leaf, 0)
  }

  /** Whether the member in this slot of a leaf lies before what is sought. */
  private isBefore(leaf: Ref, slot: number): boolean {
    const words = this.memory.words[leaf >>> CHUNK_SHIFT]!
    const at = ((leaf & CHUNK_MASK) << 2) + RECORDS + slot * KEY_WORDS
    if (words[at + HIGH] !== this.high) return words[at + HIGH]! < this.high
    if (words[at + LOW] !== this.low) return words[at + LOW]! < this.low
    return this.goesBefore(words[at + MEMBER]! as Ref, false)
  }

  /** Writes what is sought, and the member, where the path leads to. */
  private write(member: Ref): void {
    const leaf = this.tree.blocks[0]!
    const words = this.memory.words[leaf >>> CHUNK_SHIFT]!
    const at = ((leaf & CHUNK_MASK) << 2) + RECORDS + this.tree.slots[0]! * KEY_WORDS
    words[at + HIGH] = this.high
    words[at + LOW] = this.low
    words[at + MEMBER] = member
  }

  /** Takes out a member that is in the index with this score. */
  remove(root: Ref, score: number, member: Ref): void {
    this.descendToMember(root, score, member)
    this.tree.close(root, 1, 1)
  }

  /** Moves a member from its score to another one. Allocates. */
  rescore(root: Ref, score: number, member: Ref, newScore: number): void {
    this.descendToMember(root, score, member)
    this.noteMember(newScore, member)
    if (this.moveInLeaf(root, member)) return
    this.tree.close(root, 1, 1)
    this.insert(root, newScore, member)
  }

  /** Moves the member at the path to where it is now sought, if that is in the same leaf, and not first there (which
   *  would change the keys above). */
  private moveInLeaf(root: Ref, member: Ref): boolean {
    const memory = this.memory
    const leaf = this.tree.blocks[0]! as Ref
    const words = memory.wordsOf(leaf)
    const first = ((leaf & CHUNK_MASK) << 2) + RECORDS
    const slot = this.tree.slots[0]!
    const target = this.countBefore(leaf, RECORDS, KEY_WORDS, 0, false)
    const isLast = leaf === memory.word(root, LAST)
    if (slot === 0 || target === 0 || (target === memory.word(leaf, COUNT) && !isLast)) return false
    const from = first + slot * KEY_WORDS
    const to = first + target * KEY_WORDS
    if (target > slot) {
      words.copyWithin(from, from + KEY_WORDS, to)
      this.tree.slots[0] = target - 1
    } else {
      words.copyWithin(to + KEY_WORDS, to, from)
      this.tree.slots[0] = target
    }
    this.write(member)
    return true
  }

  /** A member has got another ref (`member` has the old one's bytes, which are still there). */
  replace(root: Ref, score: number, old: Ref, member: Ref): void {
    const { memory, tree } = this
    this.noteMember(score, member)
    this.descend(root)
    DEV: assert(this.memberAtPath() === old, 'only what is in the index can be replaced')
    memory.setWord(tree.blocks[0]! as Ref, RECORDS + tree.slots[0]! * KEY_WORDS + MEMBER, member)
    for (let level = 1; level <= memory.word(root, HEIGHT); level++) {
      const word = RECORDS + tree.slots[level]! * INNER_WORDS + CHILD_KEY + MEMBER
      const block = tree.blocks[level]! as Ref
      if (memory.word(block, word) === old) memory.setWord(block, word, member)
    }
  }

  /** Moves the blocks above the member with so many before it, if they must be moved; returns the number of members up
   *  to the end of its leaf. The root stays where it is. Allocates. */
  compact(root: Ref, rank: number): number {
    this.tree.closeGap(root)
    this.tree.descend(root, rank)
    this.tree.compactPath(root)
    return rank - this.tree.slots[0]! + this.memory.word(this.tree.blocks[0]! as Ref, COUNT)
  }

  /** The number of members before this one. */
  rank(root: Ref, score: number, member: Ref): number {
    this.descendToMember(root, score, member)
    return this.tree.position(root)
  }

  /** The member with so many before it, 0 to count - 1. */
  at(root: Ref, rank: number): Ref {
    this.tree.closeGap(root)
    this.tree.descend(root, rank)
    return this.memberAtPath()
  }

  /** The number of members whose score is below `score`; or, if `inclusive`, not above it. */
  scoreRank(root: Ref, score: number, inclusive: boolean): number {
    this.descendToScore(root, score, inclusive)
    return this.tree.position(root)
  }

  /** Places the cursor on the first member whose score is not below `score`; or, if `inclusive`, above it. It may come
   *  to lie behind the last one. */
  seekScore(root: Ref, score: number, inclusive: boolean, cursor: IndexCursor): void {
    this.descendToScore(root, score, inclusive)
    cursor.place(this.tree.blocks[0]! as Ref, this.tree.slots[0]!)
  }

  private descendToScore(root: Ref, score: number, inclusive: boolean): void {
    this.high = highOrder(score)
    this.low = lowOrder(score)
    this.ties = inclusive ? AFTER_EQUAL : BEFORE_EQUAL
    this.descend(root)
  }

  /** The number of members before these bytes; or, if `inclusive`, not after them. All scores are taken to be equal. */
  lexRank(root: Ref, bytes: Uint8Array, pos: number, len: number, inclusive: boolean): number {
    this.descendToBytes(root, bytes, pos, len, inclusive)
    return this.tree.position(root)
  }

  /** Places the cursor on the first member not before these bytes; or, if `inclusive`, after them. It may come to lie
   *  behind the last one. All scores are taken to be equal. */
  seekLex(root: Ref, bytes: Uint8Array, pos: number, len: number, inclusive: boolean, cursor: IndexCursor): void {
    this.descendToBytes(root, bytes, pos, len, inclusive)
    cursor.place(this.tree.blocks[0]! as Ref, this.tree.slots[0]!)
  }

  private descendToBytes(root: Ref, bytes: Uint8Array, pos: number, len: number, inclusive: boolean): void {
    this.tree.closeGap(root)
    const first = this.memory.word(root, FIRST) as Ref
    if (first !== NONE) {
      this.high = this.memory.word(first, RECORDS + HIGH)
      this.low = this.memory.word(first, RECORDS + LOW)
    }
    this.noteBytes(bytes, pos, len, inclusive)
    this.descend(root)
  }

  /** Notes what is sought: the place of a member. */
  private noteMember(score: number, member: Ref): void {
    const memory = this.memory
    this.high = highOrder(score)
    this.low = lowOrder(score)
    this.noteBytes(memory.bytesOf(member), keyPosOf(memory, member), keyLenOf(memory, member), false)
  }

  /** Notes what is sought: the place of these bytes, or, if `afterSame`, behind them; the score is noted already. */
  private noteBytes(bytes: Uint8Array, pos: number, len: number, afterSame: boolean): void {
    this.ties = BY_BYTES
    this.sought = bytes
    this.soughtPos = pos
    this.soughtLen = len
    this.afterSame = afterSame
    this.alikeBefore = 0
    this.alikeAfter = 0
  }

  /** Makes the path lead to a member that is in the index with this score. */
  private descendToMember(root: Ref, score: number, member: Ref): void {
    this.noteMember(score, member)
    this.tree.slots[0] = this.slotOf(this.descendToLeaf(root), member)
    DEV: assert(this.memberAtPath() === member, 'a member that is sought is in the index')
  }

  /** Makes the path lead to where what is sought is, or belongs. */
  private descend(root: Ref): void {
    const leaf = this.descendToLeaf(root)
    this.tree.slots[0] = leaf === NONE ? 0 : this.countBefore(leaf, RECORDS, KEY_WORDS, 0, this.afterSame)
  }

  /** As `descend`, as far as the leaf, which it returns; NONE if there is none. */
  private descendToLeaf(root: Ref): Ref {
    const memory = this.memory
    this.tree.closeGap(root)
    const { blocks, slots } = this.tree
    let block = memory.word(root, TOP) as Ref
    blocks[0] = block
    if (block === NONE) return NONE
    for (let level = memory.word(root, HEIGHT); level > 0; level--) {
      // The last block whose first member is not behind it. A member found as such a first one is in that block.
      const slot = this.countBefore(block, RECORDS + CHILD_KEY, INNER_WORDS, 1, true) - 1
      blocks[level] = block
      slots[level] = slot
      block = memory.word(block, RECORDS + slot * INNER_WORDS + CHILD) as Ref
    }
    blocks[0] = block
    return block
  }

  /** The slot of a member, which is sought, in its leaf. A few of one score are told apart by their refs: their bytes
   *  lie anywhere. */
  private slotOf(leaf: Ref, member: Ref): number {
    const words = this.memory.words[leaf >>> CHUNK_SHIFT]!
    const head = (leaf & CHUNK_MASK) << 2
    const first = head + RECORDS
    const { high, low } = this
    let known = 0
    let after = words[head + COUNT]!
    while (known < after) {
      const middle = (known + after) >>> 1
      const at = first + middle * KEY_WORDS
      const otherHigh = words[at + HIGH]!
      if (otherHigh < high || (otherHigh === high && words[at + LOW]! < low)) known = middle + 1
      else after = middle
    }
    const end = Math.min(known + ALIKE_MAX, words[head + COUNT]!)
    for (let slot = known; slot < end; slot++) {
      if (words[first + slot * KEY_WORDS + MEMBER] === member) return slot
    }
    return this.countBefore(leaf, RECORDS, KEY_WORDS, known, false)
  }

  /** How many records of the block lie before what is sought; the first `known` do. `word` is that of the first key. */
  private countBefore(block: Ref, word: number, stride: number, known: number, afterSame: boolean): number {
    const words = this.memory.words[block >>> CHUNK_SHIFT]!
    const head = (block & CHUNK_MASK) << 2
    const first = head + word
    const { high, low } = this
    let after = words[head + COUNT]!
    while (known < after) {
      const middle = (known + after) >>> 1
      const at = first + middle * stride
      const otherHigh = words[at + HIGH]!
      const otherLow = words[at + LOW]!
      let isBefore = otherHigh < high
      if (otherHigh === high) {
        isBefore = otherLow < low
        if (otherLow === low) isBefore = this.goesBefore(words[at + MEMBER]! as Ref, afterSame)
      }
      if (isBefore) known = middle + 1
      else after = middle
    }
    return known
  }

  /** Whether a member of the score that is sought lies before what is sought.
   *
   *  Members between two others that begin alike begin so too. So each comparison starts where those with the nearest
   *  members known to lie before and after have found a difference, and no byte of a common prefix is read at every
   *  step: with all scores equal, a search takes 3/4 of the time. It must go on between those two, hence begin with
   *  `note…`. Members of other scores leave them as they are, since none lies between two of one score. */
  private goesBefore(member: Ref, afterSame: boolean): boolean {
    if (this.ties !== BY_BYTES) return this.ties === AFTER_EQUAL
    const { sought, soughtPos, soughtLen } = this
    const bytes = this.memory.bytes[member >>> CHUNK_SHIFT]!
    const pos = keyPosOf(this.memory, member)
    const len = keyLenOf(this.memory, member)
    const shorter = len < soughtLen ? len : soughtLen
    let alike = this.alikeBefore < this.alikeAfter ? this.alikeBefore : this.alikeAfter
    while (alike < shorter && bytes[pos + alike] === sought[soughtPos + alike]) alike++
    let isBefore = len < soughtLen || (len === soughtLen && afterSame)
    if (alike < shorter) isBefore = bytes[pos + alike]! < sought[soughtPos + alike]!
    if (isBefore) this.alikeBefore = alike
    else this.alikeAfter = alike
    return isBefore
  }

  private memberAtPath(): Ref {
    return this.memory.word(this.tree.blocks[0]! as Ref, RECORDS + this.tree.slots[0]! * KEY_WORDS + MEMBER) as Ref
  }

  /** Places the cursor on the member with so many before it, 0 to count - 1. */
  seek(root: Ref, rank: number, cursor: IndexCursor): void {
    this.tree.closeGap(root)
    this.tree.descend(root, rank)
    cursor.place(this.tree.blocks[0]! as Ref, this.tree.slots[0]!)
  }

  /** Places the cursor on the first member, or on the last; the index must not be empty. */
  seekEnd(root: Ref, last: boolean, cursor: IndexCursor): void {
    if (last) this.tree.closeGap(root)
    const leaf = this.memory.word(root, last ? LAST : FIRST) as Ref
    cursor.place(leaf, last ? this.memory.word(leaf, COUNT) - 1 : this.memory.word(leaf, GAP))
  }

  /** Takes out the first member, or the last; it stays the caller's. */
  removeEnd(root: Ref, last: boolean): void {
    const { tree } = this
    if (!last) return tree.shift(root)
    tree.closeGap(root)
    tree.descendToEnd(root, true)
    tree.slots[0]!--
    tree.close(root, 1, 1)
  }

  /** Takes out up to `count` members from `rank` on, as many as are in one leaf, and lists them in `found`; they stay
   *  the caller's. Returns how many. To be called until all are gone. */
  removeRange(root: Ref, rank: number, count: number): number {
    const memory = this.memory
    this.tree.closeGap(root)
    this.tree.descend(root, rank)
    const leaf = this.tree.blocks[0]! as Ref
    const slot = this.tree.slots[0]!
    const removed = Math.min(count, memory.word(leaf, COUNT) - slot)
    for (let index = 0; index < removed; index++) {
      this.found[index] = memory.word(leaf, RECORDS + (slot + index) * KEY_WORDS + MEMBER)
    }
    this.tree.close(root, removed, removed)
    return removed
  }

  /** Frees one leaf of an index that nobody will use again, or at last its root; false when all is freed. Members are
   *  not looked at. */
  dismantle(root: Ref): boolean {
    if (this.tree.dismantle(root)) return true
    this.memory.free(root)
    return false
  }

  /** The essay's "Always", and the tree's. `given` tells the score of a member that is none of zset-member.ts's. */
  verify(root: Ref, given?: (member: Ref) => number): void {
    const memory = this.memory
    const scoreBy = given ?? ((member: Ref) => scoreOf(memory, member))
    this.tree.closeGap(root)
    this.tree.verify(root)
    let prev: Ref = NONE
    let count = 0
    for (let leaf = memory.word(root, FIRST) as Ref; leaf !== NONE; leaf = memory.word(leaf, NEXT) as Ref) {
      for (let slot = 0; slot < memory.word(leaf, COUNT); slot++) {
        const record = RECORDS + slot * KEY_WORDS
        const member = memory.word(leaf, record + MEMBER) as Ref
        if (given === undefined) verifyMember(memory, member)
        const score = scoreBy(member)
        assert(memory.word(leaf, record + HIGH) === highOrder(score), 'a record has the score of its member')
        assert(memory.word(leaf, record + LOW) === lowOrder(score), 'a record has the score of its member')
        assert(prev === NONE || this.ascends(prev, member, scoreBy), 'members ascend by score and bytes')
        prev = member
        count++
      }
    }
    assert(count === this.count(root), 'the leaves hold all members')
  }

  private ascends(a: Ref, b: Ref, scoreBy: (member: Ref) => number): boolean {
    const memory = this.memory
    if (scoreBy(a) !== scoreBy(b)) return scoreBy(a) < scoreBy(b)
    const aPos = keyPosOf(memory, a)
    const bPos = keyPosOf(memory, b)
    const aLen = keyLenOf(memory, a)
    return compareBytes(memory.bytesOf(a), aPos, aLen, memory.bytesOf(b), bPos, keyLenOf(memory, b)) < 0
  }
}

/** A place in an index, from where to go on member by member, either way. Any change of the index makes it stale. */
export class IndexCursor {
  readonly memory: Memory
  /** The member here; NONE before the first and behind the last one, from where there is a way back. */
  member: Ref = NONE
  private leaf: Ref = NONE
  /** The leaf's chunk; in it the words of the record here, of the first record, and behind the last. */
  private words: Int32Array
  private at = 0
  private first = 0
  private end = 0

  constructor(memory: Memory) {
    this.memory = memory
    this.words = memory.words[0]!
  }

  /** For the index: places the cursor on a slot, or behind the last, of a leaf; of no leaf if the index is empty. */
  place(leaf: Ref, slot: number): void {
    const words = this.memory.wordsOf(leaf)
    const head = (leaf & CHUNK_MASK) << 2
    this.leaf = leaf
    this.words = words
    this.first = head + RECORDS
    this.end = this.first + (leaf === NONE ? 0 : words[head + COUNT]! * KEY_WORDS)
    this.at = this.first + slot * KEY_WORDS
    if (this.at < this.end) this.member = words[this.at + MEMBER]! as Ref
    else this.enterNext()
  }

  next(): void {
    this.at += KEY_WORDS
    if (this.at < this.end) this.member = this.words[this.at + MEMBER]! as Ref
    else this.enterNext()
  }

  prev(): void {
    this.at -= KEY_WORDS
    if (this.at >= this.first) this.member = this.words[this.at + MEMBER]! as Ref
    else this.enterPrev()
  }

  private enterNext(): void {
    const next = this.leaf === NONE ? NONE : (this.memory.word(this.leaf, NEXT) as Ref)
    if (next !== NONE) return this.place(next, 0)
    this.member = NONE
    this.at = this.end
  }

  private enterPrev(): void {
    const prev = this.leaf === NONE ? NONE : (this.memory.word(this.leaf, PREV) as Ref)
    if (prev !== NONE) return this.place(prev, this.memory.word(prev, COUNT) - 1)
    this.member = NONE
    this.at = this.first - KEY_WORDS
  }

  /** Whether the score of the member here lies behind the one of these order words; or, if `back`, before it; an equal
   *  one does if `exclusive`. */
  isPast(high: number, low: number, back: boolean, exclusive: boolean): boolean {
    const otherHigh = this.words[this.at + HIGH]!
    if (otherHigh !== high) return otherHigh > high !== back
    const otherLow = this.words[this.at + LOW]!
    return otherLow === low ? exclusive : otherLow > low !== back
  }

  /** The score of the member here: read beside it, but for 0, whose sign the member knows. */
  get score(): number {
    const score = fromOrder(this.words[this.at + HIGH]!, this.words[this.at + LOW]!)
    return score === 0 ? scoreOf(this.memory, this.member) : score
  }
}
