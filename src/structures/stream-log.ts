/* The stream log: the entries of one stream, and what it remembers of those that have gone.
 *
 *   root   | the tree of nodes, TREE_WORDS | length | added, 2 | last id, 4 | first id, 4 | greatest deleted id, 4 |
 *          | bytes of the nodes, 2 | groups |
 *
 *   tree   | id | node |   | id | node |   …                 id-tree.ts; a node's id is that of its first entry
 *   node   entries, as stream-node.ts draws them
 *
 * New entries go into the last node until that has its size (`nodeBytesMax`, `nodeEntriesMax`); the oldest go with the
 * first one. What is deleted in between is marked, until nothing else is left in its node. `added` counts all entries
 * that there ever were; `last id` is the greatest id that was ever given. `groups` is the stream-groups' root, or NONE.
 *
 * Always: `length` entries in all that are not deleted (a node may have none, where the others lie between it and the
 * id that was trimmed to); ids ascend from node to node and are not above the last id.
 *
 * A `watcher` is told of a node before it changes, moves or goes. */
import { assert } from '../lib/assert.ts'
import { fromWords, highWord, type Int64, lowWord } from '../lib/int64.ts'
import { ID_WORDS, StreamId } from '../lib/stream-id.ts'
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, type Ref } from '../memory/memory.ts'
import { TREE_WORDS } from './counted-tree.ts'
import { IdTree } from './id-tree.ts'
import type { Listpacks } from './listpack.ts'
import { type Ranges, StreamNodes } from './stream-node.ts'
import { StreamWalk } from './stream-walk.ts'

const LENGTH = TREE_WORDS
const ADDED = LENGTH + 1
/** The words of three ids. */
export const LogId = {
  LAST: ADDED + 2,
  FIRST: ADDED + 2 + ID_WORDS,
  /** The greatest of those that were deleted. */
  DELETED: ADDED + 2 + ID_WORDS * 2,
} as const
export type LogId = (typeof LogId)[keyof typeof LogId]
const NODE_BYTES = ADDED + 2 + ID_WORDS * 3
const GROUPS = NODE_BYTES + 2
const ROOT_WORDS = GROUPS + 1

/** The largest node that Redis lets grow. */
const NODE_SIZE_MAX = 1 << 30
/** The block of a new node is made as large as the node before it was, up to this. */
const ROOM_MAX = 4096
const TWO_32 = 4294967296

export interface LogWatcher {
  changes(node: Ref): void
}

export class StreamLog {
  readonly memory: Memory
  readonly nodes: StreamNodes
  /** Nodes by id. The place in it is `walk`'s as well. */
  readonly tree: IdTree
  /** stream-node-max-bytes and stream-node-max-entries; 0: no limit. */
  nodeBytesMax = 4096
  nodeEntriesMax = 100
  watcher: LogWatcher | null = null
  private readonly walk: StreamWalk
  private readonly nodeId = new StreamId()
  private readonly difference = new StreamId()
  private readonly own = new Int32Array(1)

  /** `leafMax`, `innerMax`: see IdTree. */
  constructor(memory: Memory, listpacks: Listpacks, leafMax = 0, innerMax = 0) {
    this.memory = memory
    this.nodes = new StreamNodes(memory, listpacks)
    this.tree = new IdTree(memory, 1, leafMax, innerMax)
    this.walk = new StreamWalk(this)
  }

  /** Allocates. */
  create(): Ref {
    const root = this.memory.alloc(ROOT_WORDS << 2)
    for (let word = 0; word < ROOT_WORDS; word++) this.memory.setWord(root, word, 0)
    return root
  }

  // What the root knows.

  length(root: Ref): number {
    return this.memory.word(root, LENGTH) >>> 0
  }
  setLength(root: Ref, length: number): void {
    this.memory.setWord(root, LENGTH, length)
  }
  added(root: Ref): Int64 {
    return fromWords(this.memory.word(root, ADDED + 1), this.memory.word(root, ADDED))
  }
  setAdded(root: Ref, added: Int64): void {
    this.memory.setWord(root, ADDED, lowWord(added))
    this.memory.setWord(root, ADDED + 1, highWord(added))
  }
  id(root: Ref, which: LogId, into: StreamId): StreamId {
    return into.read(this.memory.wordsOf(root), ((root & CHUNK_MASK) << 2) + which)
  }
  setId(root: Ref, which: LogId, id: StreamId): void {
    id.write(this.memory.wordsOf(root), ((root & CHUNK_MASK) << 2) + which)
  }
  groups(root: Ref): Ref {
    return this.memory.word(root, GROUPS) as Ref
  }
  setGroups(root: Ref, groups: Ref): void {
    this.memory.setWord(root, GROUPS, groups)
  }
  nodeCount(root: Ref): number {
    return this.tree.count(root)
  }

  /** Bytes of the root, the tree and the nodes. */
  bytes(root: Ref): number {
    const { memory } = this
    const nodeBytes = memory.word(root, NODE_BYTES + 1) * TWO_32 + (memory.word(root, NODE_BYTES) >>> 0)
    return memory.capacity(root) + this.tree.bytes(root) + nodeBytes
  }

  private addNodeBytes(root: Ref, change: number): void {
    const { memory } = this
    const bytes = memory.word(root, NODE_BYTES + 1) * TWO_32 + (memory.word(root, NODE_BYTES) >>> 0) + change
    memory.setWord(root, NODE_BYTES, bytes % TWO_32)
    memory.setWord(root, NODE_BYTES + 1, Math.floor(bytes / TWO_32))
  }

  // Adding.

  /** Adds an entry with `pairs` fields and values, in ranges from `first` on. Its id is beyond the last one. Ranges lie
   *  outside of the arena. Allocates. */
  append(root: Ref, id: StreamId, ranges: Ranges, first: number, pairs: number): void {
    const { memory, tree, nodeId } = this
    let node: Ref = NONE
    let room = 0
    if (tree.last(root)) {
      node = tree.own(0) as Ref
      if (this.isFull(node, ranges, first, pairs)) {
        room = Math.min(memory.word(node, 0), ROOM_MAX)
        this.trim(root, node)
        node = NONE
      }
    }
    if (node === NONE) {
      node = this.nodes.create(ranges, first, pairs, room)
      this.insertNode(root, id, node)
      tree.last(root)
    } else this.watcher?.changes(node)
    const capacity = memory.capacity(node)
    this.difference.copy(id).subtract(tree.id(nodeId))
    const grown = this.nodes.append(node, this.difference, ranges, first, pairs)
    if (grown !== node) {
      tree.setOwn(0, grown)
      this.addNodeBytes(root, memory.capacity(grown) - capacity)
    }
    this.noteAdded(root, id)
  }

  private noteAdded(root: Ref, id: StreamId): void {
    const words = this.memory.words[root >>> CHUNK_SHIFT]!
    const at = (root & CHUNK_MASK) << 2
    const length = words[at + LENGTH]! + 1
    const added = (words[at + ADDED]! + 1) | 0
    words[at + LENGTH] = length
    words[at + ADDED] = added
    if (added === 0) words[at + ADDED + 1] = words[at + ADDED + 1]! + 1
    id.write(words, at + LogId.LAST)
    if (length === 1) id.write(words, at + LogId.FIRST)
  }

  /** Whether an entry goes into another node than the last one. */
  private isFull(node: Ref, ranges: Ranges, first: number, pairs: number): boolean {
    const { nodeBytesMax, nodeEntriesMax, nodes } = this
    let size = this.memory.word(node, 0)
    for (let index = first; index < first + pairs * 2; index++) size += ranges.len[index]!
    const sizeMax = nodeBytesMax === 0 || nodeBytesMax > NODE_SIZE_MAX ? NODE_SIZE_MAX : nodeBytesMax
    if (size >= sizeMax) return true
    return nodeEntriesMax > 0 && nodes.count(node) + nodes.deleted(node) >= nodeEntriesMax
  }

  /** Gives back the room of the node at the tree's place. */
  private trim(root: Ref, node: Ref): void {
    this.watcher?.changes(node)
    const capacity = this.memory.capacity(node)
    const trimmed = this.nodes.listpacks.trim(node)
    this.tree.setOwn(0, trimmed)
    this.addNodeBytes(root, this.memory.capacity(trimmed) - capacity)
  }

  /** Adds a node that is sound; false if there is one of this id. Allocates. */
  insertNode(root: Ref, id: StreamId, node: Ref): boolean {
    this.own[0] = node
    if (!this.tree.insert(root, id, this.own)) return false
    this.addNodeBytes(root, this.memory.capacity(node))
    return true
  }

  // Taking away.

  /** Takes the node at the tree's place out, and frees it. */
  private removeNode(root: Ref, node: Ref, id: StreamId): void {
    this.watcher?.changes(node)
    this.addNodeBytes(root, -this.memory.capacity(node))
    this.tree.remove(root, id)
    this.memory.free(node)
  }

  /** Marks the entry that the walk is on, or takes its node away. The walk is stale. */
  private removeEntry(root: Ref, walk: StreamWalk): void {
    const { node, off } = walk
    this.setLength(root, this.length(root) - 1)
    if (this.nodes.count(node) === 1) return this.removeNode(root, node, this.tree.id(this.nodeId))
    this.watcher?.changes(node)
    this.nodes.markDeleted(node, off)
    this.countDeleted(root, node, 1)
  }

  /** Counts what has been marked in the node at the tree's place. */
  private countDeleted(root: Ref, node: Ref, marked: number): void {
    const capacity = this.memory.capacity(node)
    const counted = this.nodes.countDeleted(node, marked)
    if (counted === node) return
    this.tree.setOwn(0, counted)
    this.addNodeBytes(root, this.memory.capacity(counted) - capacity)
  }

  /** Deletes an entry; false if there is none. The first id is left as it is: see `renewFirst`. */
  delete(root: Ref, id: StreamId): boolean {
    const { walk } = this
    walk.start(root, id, id, false)
    if (!walk.next()) return false
    this.removeEntry(root, walk)
    return true
  }

  has(root: Ref, id: StreamId): boolean {
    this.walk.start(root, id, id, false)
    return this.walk.next()
  }

  /** Finds out the first id anew. */
  renewFirst(root: Ref): void {
    const id = this.difference
    if (!this.edge(root, true, true, id)) id.toLeast()
    this.setId(root, LogId.FIRST, id)
  }

  /** The id of the first entry, or the last, deleted ones being passed over if `living`; false if there is none. */
  edge(root: Ref, first: boolean, living: boolean, into: StreamId): boolean {
    const { walk } = this
    walk.startAt(root, first)
    walk.showsDeleted = !living
    const found = walk.next()
    walk.showsDeleted = false
    if (found) into.copy(walk.id)
    return found
  }

  /** Takes the oldest entries away until `left` are left; if `approximate`, only whole nodes, as long as no more than
   *  `limit` entries go (0: no limit). Returns how many have gone. */
  trimToLength(root: Ref, left: number, approximate: boolean, limit: number): number {
    let gone = 0
    while (this.length(root) > left && this.tree.first(root)) {
      const node = this.tree.own(0) as Ref
      const count = this.nodes.count(node)
      if (limit > 0 && gone + count > limit) break
      if (this.length(root) - count >= left) {
        this.removeFirst(root, node, count)
        gone += count
        continue
      }
      if (!approximate) gone += this.markUntil(root, null, left)
      break
    }
    return this.trimmed(root, gone)
  }

  /** As trimToLength, but takes away what is below an id. */
  trimToId(root: Ref, id: StreamId, approximate: boolean, limit: number): number {
    const { walk } = this
    let gone = 0
    while (this.tree.first(root)) {
      const node = this.tree.own(0) as Ref
      const count = this.nodes.count(node)
      if (limit > 0 && gone + count > limit) break
      if (walk.lastIdOf(node, this.tree.id(this.nodeId)).compare(id) < 0) {
        this.removeFirst(root, node, count)
        gone += count
        continue
      }
      if (!approximate) gone += this.markUntil(root, id, 0)
      break
    }
    return this.trimmed(root, gone)
  }

  private removeFirst(root: Ref, node: Ref, count: number): void {
    this.watcher?.changes(node)
    this.addNodeBytes(root, -this.memory.capacity(node))
    this.tree.removeFirst(root)
    this.memory.free(node)
    this.setLength(root, this.length(root) - count)
  }

  private trimmed(root: Ref, gone: number): number {
    if (gone > 0 || this.length(root) === 0) this.renewFirst(root)
    return gone
  }

  /** Marks entries of the first node up to an id, or until `left` are left; returns how many. */
  private markUntil(root: Ref, id: StreamId | null, left: number): number {
    const { walk } = this
    let length = this.length(root)
    let marked = 0
    walk.startAt(root, true)
    walk.showsDeleted = true
    const node = this.tree.own(0) as Ref
    this.watcher?.changes(node)
    while (walk.nextInNode() && (id === null ? length > left : walk.id.compare(id) < 0)) {
      if (walk.isDeleted) continue
      this.nodes.markDeleted(node, walk.off)
      marked++
      length--
    }
    walk.showsDeleted = false
    this.tree.first(root)
    if (marked > 0) this.countDeleted(root, node, marked)
    this.setLength(root, length)
    return marked
  }

  // Whole logs.

  /** A copy of all but the groups. Allocates. */
  copy(source: Ref): Ref {
    const { tree } = this
    const target = this.copyRoot(source)
    tree.copy(source, target)
    for (let more = tree.first(target); more; more = tree.next()) {
      const node = this.nodes.listpacks.copy(tree.own(0) as Ref)
      tree.setOwn(0, node)
      this.addNodeBytes(target, this.memory.capacity(node))
    }
    return target
  }

  /** A copy of what the root knows, without entries or groups. Allocates. */
  copyRoot(source: Ref): Ref {
    const target = this.create()
    for (let word = LENGTH; word < NODE_BYTES; word++) {
      this.memory.setWord(target, word, this.memory.word(source, word))
    }
    return target
  }

  /** Frees some nodes of a log that nobody will use again; false when none is left. The root stays. */
  dismantle(root: Ref): boolean {
    const { memory, tree } = this
    if (!tree.lastLeaf(root)) return false
    for (let slot = tree.leafCount - 1; slot >= 0; slot--) {
      tree.toSlot(slot)
      memory.free(tree.own(0) as Ref)
    }
    return tree.dismantle(root)
  }

  /** Moves the nodes of the leaf with so many nodes before it, if they must be moved, and the tree's blocks above;
   *  returns the rank behind them. The root stays where it is. Allocates. */
  compact(root: Ref, rank: number): number {
    const { memory, tree } = this
    tree.compact(root, rank)
    const after = tree.rankAfterLeaf(rank)
    for (let slot = tree.leafCount - 1; slot >= 0; slot--) {
      tree.toSlot(slot)
      tree.setOwn(0, memory.move(tree.own(0) as Ref))
    }
    return after
  }

  /** The essay's "Always". */
  verify(root: Ref): void {
    const { memory, tree, nodes } = this
    tree.verify(root)
    const place = tree.newPlace()
    const id = new StreamId()
    const last = new StreamId()
    let length = 0
    let bytes = 0
    let isFirst = true
    for (let more = tree.first(root); more; more = tree.next()) {
      tree.save(place)
      const node = tree.own(0) as Ref
      tree.id(id)
      assert(isFirst || last.compare(id) < 0, 'ids ascend from node to node')
      isFirst = false
      nodes.verify(node, id, last)
      length += nodes.count(node)
      bytes += memory.capacity(node)
      tree.restore(place)
    }
    assert(length === this.length(root), 'entries are counted')
    assert(isFirst || last.compare(this.id(root, LogId.LAST, id)) <= 0, 'no id is above the last one')
    const known = memory.word(root, NODE_BYTES + 1) * TWO_32 + (memory.word(root, NODE_BYTES) >>> 0)
    assert(known === bytes, 'bytes of nodes are counted')
  }
}
