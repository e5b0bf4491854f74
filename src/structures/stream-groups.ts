/* Stream groups: who reads a stream together, and what has been given to whom and not been acknowledged.
 *
 *   stream's root ─► groups by name: a sorted index (sorted-index.ts), all scores 0
 *
 *   group      | head | last id, 4 | entries read, 2 | pending | consumers | numbers | used | free | name |
 *   consumer   | head | seen, 2 | active, 2 | owned | number | name |
 *
 *   pending    id tree:   | id | delivered at, 2 | deliveries, 2 | consumer's number |        of the group
 *   owned      id tree:   | id |                                                             of a consumer
 *   consumers  a sorted index by name, as the groups'
 *   numbers    a block of words: by number, the ref of a consumer, or the next free number + 1
 *
 * Groups and consumers begin as entry-head.ts says: the name is the key. What is known of a pending entry stands in the
 * group's tree only; a number in place of the consumer's ref stays true when that one moves. Times are milliseconds.
 * Trees and indexes are made when they are needed: a ref of NONE is an empty one.
 *
 * A `watcher` is told of a pending entry that has come, and of one before it changes or goes.
 *
 * Always: an id is in the tree of just the consumer whose number is written beside it in the group's tree. */
import { assert } from '../lib/assert.ts'
import { copyBytes, equalBytes } from '../lib/bytes.ts'
import { fromWords, highWord, type Int64, lowWord } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import { CHUNK_MASK, type Memory, NONE, posOf, type Ref } from '../memory/memory.ts'
import { KEY_LEN_LONG, KEY_LEN_SHIFT, keyLenOf, keyPosOf } from './entry-head.ts'
import { IdTree } from './id-tree.ts'
import { IndexCursor, SortedIndex } from './sorted-index.ts'
import type { StreamLog } from './stream-log.ts'

// Words of a group.
const LAST_ID = 1
const ENTRIES_READ = 5
const PENDING = 7
const CONSUMERS = 8
const NUMBERS = 9
/** Numbers that were given at least once, and the first of those that are free again, + 1. */
const NUMBERS_USED = 10
const NUMBERS_FREE = 11
const GROUP_WORDS = 12

// Words of a consumer.
const SEEN = 1
const ACTIVE = 3
const OWNED = 5
const NUMBER = 6
const CONSUMER_WORDS = 7

// Own words of a pending entry.
const TIME = 0
const DELIVERIES = 2
const OWNER = 4
const PENDING_WORDS = 5

/** The number of no consumer: the file that is being read has not named it yet. */
export const NOBODY = -1
const NUMBERS_MIN = 4

export interface GroupsWatcher {
  added(group: Ref, id: StreamId): void
  /** The place in `pending` is that of the entry, and is to be left there. */
  changes(group: Ref, id: StreamId): void
  /** A group is nobody's any more. If it is kept, it is the watcher's to dismantle. */
  keeps(group: Ref): boolean
}

export class StreamGroups {
  watcher: GroupsWatcher | null = null
  readonly memory: Memory
  /** The place in it is that of the pending entry last found. */
  readonly pending: IdTree
  readonly owned: IdTree
  private readonly log: StreamLog
  private readonly names: SortedIndex
  private readonly cursor: IndexCursor
  private readonly record = new Int32Array(PENDING_WORDS)

  /** `leafMax`, `innerMax`: see IdTree. */
  constructor(log: StreamLog, leafMax = 0, innerMax = 0) {
    this.log = log
    this.memory = log.memory
    this.pending = new IdTree(log.memory, PENDING_WORDS, leafMax, innerMax)
    this.owned = new IdTree(log.memory, 0, leafMax, innerMax)
    this.names = new SortedIndex(log.memory)
    this.cursor = new IndexCursor(log.memory)
  }

  // Names.

  private create(words: number, bytes: Uint8Array, pos: number, len: number): Ref {
    const { memory } = this
    const long = len >= KEY_LEN_LONG
    const keyWord = long ? words + 1 : words
    const block = memory.alloc((keyWord << 2) + len)
    for (let word = 1; word < keyWord; word++) memory.setWord(block, word, 0)
    memory.setWord(block, 0, keyWord | ((long ? KEY_LEN_LONG : len) << KEY_LEN_SHIFT))
    if (long) memory.setWord(block, words, len)
    copyBytes(bytes, pos, memory.bytesOf(block), posOf(block) + (keyWord << 2), len)
    return block
  }

  /** Position of the name of a group or consumer in its chunk; and its length. */
  namePos(block: Ref): number {
    return keyPosOf(this.memory, block)
  }
  nameLen(block: Ref): number {
    return keyLenOf(this.memory, block)
  }

  private find(index: Ref, bytes: Uint8Array, pos: number, len: number): Ref {
    const { memory, cursor } = this
    if (index === NONE) return NONE
    this.names.seekLex(index, bytes, pos, len, false, cursor)
    const { member } = cursor
    if (member === NONE || this.nameLen(member) !== len) return NONE
    return equalBytes(memory.bytesOf(member), this.namePos(member), bytes, pos, len) ? member : NONE
  }

  private refAt(block: Ref, word: number): Ref {
    return this.memory.word(block, word) as Ref
  }
  private long(block: Ref, word: number): Int64 {
    return fromWords(this.memory.word(block, word + 1), this.memory.word(block, word))
  }
  private setLong(block: Ref, word: number, value: Int64): void {
    this.memory.setWord(block, word, lowWord(value))
    this.memory.setWord(block, word + 1, highWord(value))
  }

  // Groups.

  groupCount(root: Ref): number {
    const index = this.log.groups(root)
    return index === NONE ? 0 : this.names.count(index)
  }

  /** The group with so many before it, by name. */
  groupAt(root: Ref, rank: number): Ref {
    return this.names.at(this.log.groups(root), rank)
  }

  /** NONE if there is none of this name. */
  group(root: Ref, bytes: Uint8Array, pos: number, len: number): Ref {
    return this.find(this.log.groups(root), bytes, pos, len)
  }

  /** Adds a group; there must be none of this name. Allocates. */
  addGroup(root: Ref, bytes: Uint8Array, pos: number, len: number, lastId: StreamId, entriesRead: Int64): Ref {
    const group = this.create(GROUP_WORDS, bytes, pos, len)
    this.setLastId(group, lastId)
    this.setEntriesRead(group, entriesRead)
    this.enterGroup(root, group)
    return group
  }

  private enterGroup(root: Ref, group: Ref): void {
    let index = this.log.groups(root)
    if (index === NONE) {
      index = this.names.create()
      this.log.setGroups(root, index)
    }
    this.names.insert(index, 0, group)
  }

  /** Takes a group out; it is the caller's to `dismantleGroup` then. */
  detachGroup(root: Ref, group: Ref): void {
    this.names.remove(this.log.groups(root), 0, group)
  }

  lastId(group: Ref, into: StreamId): StreamId {
    return into.read(this.memory.wordsOf(group), ((group & CHUNK_MASK) << 2) + LAST_ID)
  }
  setLastId(group: Ref, id: StreamId): void {
    id.write(this.memory.wordsOf(group), ((group & CHUNK_MASK) << 2) + LAST_ID)
  }
  /** How many of the stream's entries the group has read so far; -1 if that is not known. */
  entriesRead(group: Ref): Int64 {
    return this.long(group, ENTRIES_READ)
  }
  setEntriesRead(group: Ref, count: Int64): void {
    this.setLong(group, ENTRIES_READ, count)
  }

  // Consumers.

  consumerCount(group: Ref): number {
    const index = this.refAt(group, CONSUMERS)
    return index === NONE ? 0 : this.names.count(index)
  }

  /** The consumer with so many before it, by name. */
  consumerAt(group: Ref, rank: number): Ref {
    return this.names.at(this.refAt(group, CONSUMERS), rank)
  }

  /** NONE if there is none of this name. */
  consumer(group: Ref, bytes: Uint8Array, pos: number, len: number): Ref {
    return this.find(this.refAt(group, CONSUMERS), bytes, pos, len)
  }

  /** Adds a consumer that was never active; there must be none of this name. Allocates. */
  addConsumer(group: Ref, bytes: Uint8Array, pos: number, len: number, seenMs: Int64): Ref {
    const consumer = this.create(CONSUMER_WORDS, bytes, pos, len)
    this.setSeen(consumer, seenMs)
    this.setActive(consumer, -1)
    this.memory.setWord(consumer, NUMBER, this.takeNumber(group, consumer))
    this.enterConsumer(group, consumer)
    return consumer
  }

  private enterConsumer(group: Ref, consumer: Ref): void {
    let index = this.refAt(group, CONSUMERS)
    if (index === NONE) {
      index = this.names.create()
      this.memory.setWord(group, CONSUMERS, index)
    }
    this.names.insert(index, 0, consumer)
  }

  private takeNumber(group: Ref, consumer: Ref): number {
    const { memory } = this
    let numbers = this.refAt(group, NUMBERS)
    const free = memory.word(group, NUMBERS_FREE) - 1
    if (free >= 0) {
      memory.setWord(group, NUMBERS_FREE, memory.word(numbers, free))
      memory.setWord(numbers, free, consumer)
      return free
    }
    const number = memory.word(group, NUMBERS_USED)
    if (numbers === NONE) numbers = memory.alloc(NUMBERS_MIN << 2)
    else if ((number + 1) << 2 > memory.capacity(numbers)) numbers = memory.resize(numbers, number << 3, number << 2)
    memory.setWord(group, NUMBERS, numbers)
    memory.setWord(group, NUMBERS_USED, number + 1)
    memory.setWord(numbers, number, consumer)
    return number
  }

  /** Takes a consumer out and frees it, with all that it has pending. */
  removeConsumer(group: Ref, consumer: Ref): void {
    const { memory, owned } = this
    const tree = this.refAt(consumer, OWNED)
    if (tree !== NONE) {
      this.removeOwned(group, consumer, tree)
      while (owned.dismantle(tree)) {}
      memory.free(tree)
    }
    const number = memory.word(consumer, NUMBER)
    memory.setWord(this.refAt(group, NUMBERS), number, memory.word(group, NUMBERS_FREE))
    memory.setWord(group, NUMBERS_FREE, number + 1)
    this.names.remove(this.refAt(group, CONSUMERS), 0, consumer)
    memory.free(consumer)
  }

  /** Takes what a consumer has pending out of the group's tree: all that is its own in a leaf at once. */
  private removeOwned(group: Ref, consumer: Ref, tree: Ref): void {
    const { owned, pending } = this
    const id = new StreamId()
    const number = this.memory.word(consumer, NUMBER)
    const groupTree = this.refAt(group, PENDING)
    for (let more = owned.first(tree); more; ) {
      pending.find(groupTree, owned.id(id))
      if (this.watcher !== null) this.tellAlike(group, number, this.watcher)
      const gone = pending.removeAlike(groupTree, OWNER, number)
      for (let left = gone; left > 0; left--) more = owned.next()
    }
  }

  /** Tells of what is a consumer's in a leaf, from the place on, that it is about to go. */
  private tellAlike(group: Ref, number: number, watcher: GroupsWatcher): void {
    const { pending } = this
    const id = new StreamId()
    const place = pending.newPlace()
    pending.save(place)
    for (let slot = place.slot; slot < pending.leafCount; slot++) {
      pending.toSlot(slot)
      if (pending.own(OWNER) === number) watcher.changes(group, pending.id(id))
    }
    pending.restore(place)
  }

  /** When it last asked for entries, and when it last got some (-1: never). */
  seen(consumer: Ref): Int64 {
    return this.long(consumer, SEEN)
  }
  setSeen(consumer: Ref, ms: Int64): void {
    this.setLong(consumer, SEEN, ms)
  }
  active(consumer: Ref): Int64 {
    return this.long(consumer, ACTIVE)
  }
  setActive(consumer: Ref, ms: Int64): void {
    this.setLong(consumer, ACTIVE, ms)
  }

  // Pending entries.

  /** The tree of what a group has pending; NONE: nothing. */
  pendingRoot(group: Ref): Ref {
    return this.refAt(group, PENDING)
  }
  ownedRoot(consumer: Ref): Ref {
    return this.refAt(consumer, OWNED)
  }
  pendingCount(group: Ref): number {
    const tree = this.refAt(group, PENDING)
    return tree === NONE ? 0 : this.pending.count(tree)
  }
  ownedCount(consumer: Ref): number {
    const tree = this.refAt(consumer, OWNED)
    return tree === NONE ? 0 : this.owned.count(tree)
  }

  /** Goes to a pending entry; false if there is none of this id. */
  findPending(group: Ref, id: StreamId): boolean {
    const tree = this.refAt(group, PENDING)
    return tree !== NONE && this.pending.find(tree, id)
  }

  // Of the pending entry that `pending`'s place is on:

  get deliveredAt(): Int64 {
    return fromWords(this.pending.own(TIME + 1), this.pending.own(TIME))
  }
  get deliveries(): Int64 {
    return fromWords(this.pending.own(DELIVERIES + 1), this.pending.own(DELIVERIES))
  }
  /** Of the group's entry of this id, at the place. */
  setDelivery(group: Ref, id: StreamId, ms: Int64, count: Int64): void {
    const { pending } = this
    this.watcher?.changes(group, id)
    pending.setOwn(TIME, lowWord(ms))
    pending.setOwn(TIME + 1, highWord(ms))
    pending.setOwn(DELIVERIES, lowWord(count))
    pending.setOwn(DELIVERIES + 1, highWord(count))
  }
  /** Whose it is; NONE if it is nobody's. */
  owner(group: Ref): Ref {
    const number = this.pending.own(OWNER)
    return number === NOBODY ? NONE : this.refAt(this.refAt(group, NUMBERS), number)
  }

  /** Adds a pending entry of a consumer, or of nobody (NONE); false, having changed nothing, if there is one of this
   *  id. Allocates. */
  addPending(group: Ref, id: StreamId, consumer: Ref, ms: Int64, deliveries: Int64): boolean {
    const { record, memory } = this
    const tree = this.pendingTree(group)
    record[TIME] = lowWord(ms)
    record[TIME + 1] = highWord(ms)
    record[DELIVERIES] = lowWord(deliveries)
    record[DELIVERIES + 1] = highWord(deliveries)
    record[OWNER] = consumer === NONE ? NOBODY : memory.word(consumer, NUMBER)
    if (!this.pending.insert(tree, id, record)) return false
    if (consumer !== NONE) this.addOwned(consumer, id)
    this.watcher?.added(group, id)
    return true
  }

  /** Adds a copy of the pending entry that the place of `source.pending` is on; false, having changed nothing, if there
   *  is one of this id. The group is a copy of that group (`copyGroup`). Allocates. */
  addCopy(group: Ref, id: StreamId, source: StreamGroups): boolean {
    const { record } = this
    for (let word = 0; word < PENDING_WORDS; word++) record[word] = source.pending.own(word)
    if (!this.pending.insert(this.pendingTree(group), id, record)) return false
    // Of one that is there already, and has changed since, it may be a number that the copy does not know.
    const number = record[OWNER]!
    if (number !== NOBODY) this.addOwned(this.refAt(this.refAt(group, NUMBERS), number), id)
    return true
  }

  /** The tree of what is pending, which is made if there is none. Allocates. */
  private pendingTree(group: Ref): Ref {
    let tree = this.refAt(group, PENDING)
    if (tree !== NONE) return tree
    tree = this.pending.create()
    this.memory.setWord(group, PENDING, tree)
    return tree
  }

  /** Enters an id into a consumer's tree; false if it is there. Allocates. */
  private addOwned(consumer: Ref, id: StreamId): boolean {
    let tree = this.refAt(consumer, OWNED)
    if (tree === NONE) {
      tree = this.owned.create()
      this.memory.setWord(consumer, OWNED, tree)
    }
    return this.owned.insert(tree, id, this.record)
  }

  /** Gives the pending entry at the place, which has this id, to a consumer. Allocates. */
  give(group: Ref, id: StreamId, consumer: Ref): void {
    const owner = this.owner(group)
    if (owner === consumer) return
    this.watcher?.changes(group, id)
    if (owner !== NONE) this.owned.remove(this.refAt(owner, OWNED), id)
    this.addOwned(consumer, id)
    this.pending.setOwn(OWNER, this.memory.word(consumer, NUMBER))
  }

  /** Takes a pending entry away, from the group and its consumer; false if there is none. */
  removePending(group: Ref, id: StreamId): boolean {
    if (!this.findPending(group, id)) return false
    const owner = this.owner(group)
    this.watcher?.changes(group, id)
    this.pending.remove(this.refAt(group, PENDING), id)
    if (owner !== NONE) this.owned.remove(this.refAt(owner, OWNED), id)
    return true
  }

  // Whole groups.

  /** Bytes of all groups of a log. */
  bytes(root: Ref): number {
    const { memory, names } = this
    const index = this.log.groups(root)
    if (index === NONE) return 0
    let bytes = names.bytes(index)
    for (let rank = names.count(index) - 1; rank >= 0; rank--) {
      const group = names.at(index, rank)
      bytes += memory.capacity(group) + this.treeBytes(this.pending, this.refAt(group, PENDING))
      const consumers = this.refAt(group, CONSUMERS)
      if (consumers === NONE) continue
      bytes += names.bytes(consumers) + memory.capacity(this.refAt(group, NUMBERS))
      for (let at = names.count(consumers) - 1; at >= 0; at--) {
        const consumer = names.at(consumers, at)
        bytes += memory.capacity(consumer) + this.treeBytes(this.owned, this.refAt(consumer, OWNED))
      }
    }
    return bytes
  }

  private treeBytes(tree: IdTree, root: Ref): number {
    return root === NONE ? 0 : this.memory.capacity(root) + tree.bytes(root)
  }

  /** Gives `target`, which has no groups, copies of those of `source`. Allocates. */
  copy(source: Ref, target: Ref): void {
    const count = this.groupCount(source)
    for (let rank = 0; rank < count; rank++) this.copyGroup(this.groupAt(source, rank), target, true)
  }

  /** Gives `target` a copy of a group; `withPending` or without what is pending. Returns it. Allocates. */
  copyGroup(group: Ref, target: Ref, withPending: boolean): Ref {
    const { memory } = this
    const copy = memory.duplicate(group)
    if (withPending) this.copyTree(this.pending, copy, PENDING)
    else memory.setWord(copy, PENDING, NONE)
    memory.setWord(copy, CONSUMERS, NONE)
    const numbers = this.refAt(copy, NUMBERS)
    if (numbers !== NONE) memory.setWord(copy, NUMBERS, memory.duplicate(numbers))
    this.enterGroup(target, copy)
    const consumers = this.consumerCount(group)
    for (let at = 0; at < consumers; at++) this.copyConsumer(this.consumerAt(group, at), copy, withPending)
    return copy
  }

  private copyConsumer(consumer: Ref, group: Ref, withPending: boolean): void {
    const { memory } = this
    const copy = memory.duplicate(consumer)
    if (withPending) this.copyTree(this.owned, copy, OWNED)
    else memory.setWord(copy, OWNED, NONE)
    memory.setWord(this.refAt(group, NUMBERS), memory.word(copy, NUMBER), copy)
    this.enterConsumer(group, copy)
  }

  /** Puts a copy of a tree in its place. */
  private copyTree(tree: IdTree, block: Ref, word: number): void {
    const source = this.refAt(block, word)
    if (source === NONE) return
    const target = tree.create()
    tree.copy(source, target)
    this.memory.setWord(block, word, target)
  }

  /** Frees a little of the groups of a log that nobody will use again; false when nothing is left. */
  dismantle(root: Ref): boolean {
    const index = this.log.groups(root)
    if (index === NONE) return false
    const count = this.names.count(index)
    if (count > 0) {
      const group = this.names.at(index, count - 1)
      if (this.dismantlePart(group)) return true
      this.names.removeRange(index, count - 1, 1)
      this.memory.free(group)
      return true
    }
    while (this.names.dismantle(index)) {}
    this.log.setGroups(root, NONE)
    return true
  }

  /** Frees a little of a group that nobody will use again; false when the group itself has been freed. */
  dismantleGroup(group: Ref): boolean {
    if (this.dismantlePart(group)) return true
    this.memory.free(group)
    return false
  }

  /** Frees a little of what hangs at a group; false when nothing is left. */
  private dismantlePart(group: Ref): boolean {
    const { memory, names } = this
    if (this.dismantleTree(this.pending, group, PENDING)) return true
    const index = this.refAt(group, CONSUMERS)
    if (index === NONE) return false
    const count = names.count(index)
    if (count > 0) {
      const consumer = names.at(index, count - 1)
      if (this.dismantleTree(this.owned, consumer, OWNED)) return true
      names.removeRange(index, count - 1, 1)
      memory.free(consumer)
      return true
    }
    while (names.dismantle(index)) {}
    memory.setWord(group, CONSUMERS, NONE)
    memory.free(this.refAt(group, NUMBERS))
    return false
  }

  private dismantleTree(tree: IdTree, block: Ref, word: number): boolean {
    const root = this.refAt(block, word)
    if (root === NONE) return false
    if (tree.dismantle(root)) return true
    this.memory.free(root)
    this.memory.setWord(block, word, NONE)
    return true
  }

  // Compaction.

  /** Moves the block of the group with so many before it, and those of its own, if they must be moved.
   *  Allocates. */
  compactGroup(root: Ref, rank: number): Ref {
    const { memory, names } = this
    const index = memory.move(this.log.groups(root))
    this.log.setGroups(root, index)
    names.compact(index, rank)
    const group = this.moved(index, names.at(index, rank))
    for (const word of [PENDING, CONSUMERS, NUMBERS]) this.moveAt(group, word)
    return group
  }

  /** Moves the consumer with so many before it, likewise. Allocates. */
  compactConsumer(group: Ref, rank: number): Ref {
    const { memory, names } = this
    const index = this.refAt(group, CONSUMERS)
    names.compact(index, rank)
    const consumer = this.moved(index, names.at(index, rank))
    memory.setWord(this.refAt(group, NUMBERS), memory.word(consumer, NUMBER), consumer)
    this.moveAt(consumer, OWNED)
    return consumer
  }

  private moved(index: Ref, member: Ref): Ref {
    const { memory, names } = this
    if (!memory.mustMove(member)) return member
    const target = memory.duplicate(member)
    names.replace(index, 0, member, target)
    memory.free(member)
    return target
  }

  private moveAt(block: Ref, word: number): void {
    const ref = this.refAt(block, word)
    if (ref !== NONE) this.memory.setWord(block, word, this.memory.move(ref))
  }

  /** The essay's "Always". */
  verify(root: Ref): void {
    const { memory, names } = this
    const index = this.log.groups(root)
    if (index === NONE) return
    names.verify(index, () => 0)
    for (let rank = 0; rank < names.count(index); rank++) {
      const group = names.at(index, rank)
      const tree = this.refAt(group, PENDING)
      if (tree !== NONE) this.pending.verify(tree)
      const consumers = this.refAt(group, CONSUMERS)
      if (consumers !== NONE) names.verify(consumers, () => 0)
      let owned = 0
      for (let at = 0; at < this.consumerCount(group); at++) {
        const consumer = names.at(consumers, at)
        const number = memory.word(consumer, NUMBER)
        assert(this.refAt(this.refAt(group, NUMBERS), number) === consumer, 'a number is that of its consumer')
        owned += this.verifyOwned(group, consumer)
      }
      assert(owned === this.pendingCount(group), 'each pending entry is in the tree of its consumer')
    }
  }

  private verifyOwned(group: Ref, consumer: Ref): number {
    const { owned } = this
    const tree = this.refAt(consumer, OWNED)
    if (tree === NONE) return 0
    owned.verify(tree)
    const id = new StreamId()
    for (let more = owned.first(tree); more; more = owned.next()) {
      assert(this.findPending(group, owned.id(id)), 'what a consumer has pending, its group has')
      assert(this.owner(group) === consumer, 'what a consumer has pending is its own')
    }
    return owned.count(tree)
  }
}
