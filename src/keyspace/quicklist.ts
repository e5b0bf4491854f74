/* Quicklist: a large list: a sequence of nodes, each a listpack, or one huge element by itself (plain).
 *
 *   sequence    node ⇄ node ⇄ node ⇄ …            structures/sequence.ts
 *                 ↓      ↓      ↓
 *   PACKED    listpack   |   listpack             `size`: the listpack's
 *   PLAIN              bytes                      `size`: the element's
 *
 * When a node is full, where an insertion splits one, and which neighbours are merged then, is decided just as Redis
 * decides it (quicklist.c), because it shows: a list of one packed node becomes a listpack again (lists.ts).
 *
 * The first node's listpack may have a gap in front (structures/listpack-gap.ts), so that LPUSH and LPOP need not move
 * what it holds: an LPUSH moves 40 bytes in the mean, not 4 KB. It is closed before anything else happens to the node,
 * but for reading, appending and deleting single elements.
 *
 * Always: a packed node's count is its listpack's, its size too (without the gap); a plain node has one element; only
 * the first node has a gap.
 *
 * The bytes of an element to be stored must not lie in the list itself. */
import { assert } from '../lib/assert.ts'
import { copyBytes, equalBytes } from '../lib/bytes.ts'
import { type Memory, NONE, posOf, type Ref, wordPosOf } from '../memory/memory.ts'
import type { Listpacks } from '../structures/listpack.ts'
import { KIND, NODE_COUNT, NODE_SIZE, PAYLOAD, Sequence } from '../structures/sequence.ts'

/** What a node is, numbered as in RDB files. */
export const NodeKind = { PLAIN: 1, PACKED: 2 } as const

/** list-max-listpack-size -1 … -5, in bytes; what is below -5 is as -5. */
const SIZE_LIMITS = [4096, 8192, 16384, 32768, 65536]
/** Nodes limited by their count hold no more bytes than this. */
const COUNTED_SIZE_MAX = 8192
/** What a new element is reckoned to take besides its bytes. */
const ELEMENT_OVERHEAD = 8
/** A listpack without an element. */
const EMPTY_SIZE = 7
const PACKED_THRESHOLD = 1 << 30

/** Told of changes to lists, while somebody goes through one in slices and wants to show what was there when he
 *  began. */
export interface ListWatcher {
  /** What a node holds is about to change, or to be freed. */
  changes(payload: Ref): void
  /** The list is about to become something else. */
  settles(root: Ref): void
}

export class Quicklist {
  readonly memory: Memory
  watcher: ListWatcher | null = null
  readonly listpacks: Listpacks
  readonly sequence: Sequence
  /** Bytes, elements that a node may have; Infinity where the other one counts. */
  sizeLimit = 0
  countLimit = 0
  /** Elements of so many bytes get a node of their own (DEBUG QUICKLIST-PACKED-THRESHOLD). */
  packedThreshold = PACKED_THRESHOLD

  constructor(memory: Memory, listpacks: Listpacks) {
    this.memory = memory
    this.listpacks = listpacks
    this.sequence = new Sequence(memory)
    this.setFill(-2)
  }

  /** list-max-listpack-size: elements, or if negative a level of bytes. */
  setFill(fill: number): void {
    this.countLimit = fill >= 0 ? Math.max(fill, 1) : Number.POSITIVE_INFINITY
    this.sizeLimit = fill >= 0 ? Number.POSITIVE_INFINITY : SIZE_LIMITS[Math.min(-fill, SIZE_LIMITS.length) - 1]!
  }

  /** DEBUG QUICKLIST-PACKED-THRESHOLD; 0 sets it back. */
  setPackedThreshold(size: number): void {
    this.packedThreshold = size === 0 ? PACKED_THRESHOLD : size
  }

  /** Whether a node (or a listpack) would be too large with so many bytes and elements. */
  exceeds(size: number, count: number): boolean {
    if (this.sizeLimit !== Number.POSITIVE_INFINITY) return size > this.sizeLimit
    return size > COUNTED_SIZE_MAX || count > this.countLimit
  }

  private allows(node: Ref, len: number): boolean {
    if (node === NONE || len >= this.packedThreshold) return false
    const sequence = this.sequence
    if (sequence.kind(node) === NodeKind.PLAIN) return false
    return !this.exceeds(sequence.sizeOf(node) + len + ELEMENT_OVERHEAD, sequence.countIn(node) + 1)
  }

  private allowsMerge(first: Ref, second: Ref): boolean {
    if (first === NONE || second === NONE) return false
    const sequence = this.sequence
    if (sequence.kind(first) === NodeKind.PLAIN || sequence.kind(second) === NodeKind.PLAIN) return false
    const size = sequence.sizeOf(first) + sequence.sizeOf(second) - EMPTY_SIZE
    return !this.exceeds(size, sequence.countIn(first) + sequence.countIn(second))
  }

  isPlain(node: Ref): boolean {
    return this.sequence.kind(node) === NodeKind.PLAIN
  }

  // Whole lists.

  create(): Ref {
    return this.sequence.create()
  }

  /** Adds a listpack, which is the list's from now on, behind all. Allocates. */
  appendListpack(root: Ref, listpack: Ref): void {
    const { listpacks, sequence } = this
    sequence.insertLast(root, listpack, listpacks.count(listpack), listpacks.size(listpack), NodeKind.PACKED)
  }

  /** Adds a huge element behind all, in a node of its own. Allocates. */
  appendPlain(root: Ref, bytes: Uint8Array, pos: number, len: number): void {
    this.sequence.insertLast(root, this.plain(bytes, pos, len), 1, len, NodeKind.PLAIN)
  }

  /** As `appendPlain`, but the caller writes the element into the block returned. Allocates. */
  appendRoom(root: Ref, len: number): Ref {
    const block = this.memory.alloc(Math.max(len, 1))
    this.sequence.insertLast(root, block, 1, len, NodeKind.PLAIN)
    return block
  }

  /** A copy of the whole list. Allocates. */
  copy(root: Ref): Ref {
    const { sequence, listpacks, memory } = this
    this.closeGap(root)
    const target = sequence.create()
    for (let node = sequence.head(root); node !== NONE; node = sequence.next(node)) {
      const payload = sequence.payload(node)
      if (this.isPlain(node)) this.appendPlain(target, memory.bytesOf(payload), posOf(payload), sequence.sizeOf(node))
      else this.appendListpack(target, listpacks.copy(payload))
    }
    return target
  }

  /** A new list of `count` elements of this one from `index` on, in nodes that are copies of its nodes or of parts of
   *  them. Allocates. */
  copyRange(root: Ref, index: number, count: number): Ref {
    const { sequence, listpacks, memory } = this
    this.closeGap(root)
    const target = sequence.create()
    let node = sequence.nodeAt(root, index)
    let slot = sequence.offset
    for (let left = count; left > 0; slot = 0) {
      const payload = sequence.payload(node)
      const held = sequence.countIn(node)
      const taken = Math.min(left, held - slot)
      if (this.isPlain(node)) this.appendPlain(target, memory.bytesOf(payload), posOf(payload), sequence.sizeOf(node))
      else {
        let part = listpacks.copy(payload)
        if (slot + taken < held) part = listpacks.deleteRange(part, slot + taken, held - slot - taken)
        if (slot > 0) part = listpacks.deleteRange(part, 0, slot)
        this.appendListpack(target, part)
      }
      left -= taken
      node = sequence.next(node)
    }
    return target
  }

  /** Bytes of all blocks. */
  bytes(root: Ref): number {
    const { sequence, memory } = this
    let total = sequence.bytes(root)
    for (let node = sequence.head(root); node !== NONE; node = sequence.next(node)) {
      total += memory.capacity(sequence.payload(node))
    }
    return total
  }

  /** Frees the next node of a list that nobody will use again; false when all is freed. */
  dismantle(root: Ref): boolean {
    const payload = this.sequence.dismantle(root)
    if (payload === NONE) return false
    this.memory.free(payload)
    return true
  }

  /** What a node holds, which is about to change; without a gap. */
  private opened(node: Ref): Ref {
    const payload = this.touched(node)
    if (!this.isPlain(node)) this.listpacks.closeGap(payload)
    return payload
  }

  /** What a node holds, which is about to change; the gap stays. */
  private touched(node: Ref): Ref {
    const payload = this.sequence.payload(node)
    if (this.watcher !== null) this.watcher.changes(payload)
    return payload
  }

  /** Makes the nodes' listpacks what Redis would have. (Nobody watches a node that has a gap: whoever begins to, closes
   *  it, and it opens again by a change only.) */
  closeGap(root: Ref): void {
    const node = this.sequence.head(root)
    if (node !== NONE && !this.isPlain(node)) this.listpacks.closeGap(this.sequence.payload(node))
  }

  private plain(bytes: Uint8Array, pos: number, len: number): Ref {
    const block = this.memory.alloc(Math.max(len, 1))
    copyBytes(bytes, pos, this.memory.bytesOf(block), posOf(block), len)
    return block
  }

  private single(bytes: Uint8Array, pos: number, len: number): Ref {
    return this.listpacks.append(this.listpacks.create(), bytes, pos, len)
  }

  // Ends.

  /** Allocates. The node's words are looked up once: through `sequence`, one by one, a push takes 30 ns more. */
  push(root: Ref, first: boolean, bytes: Uint8Array, pos: number, len: number): void {
    const { sequence, listpacks } = this
    const node = first ? sequence.head(root) : sequence.tail(root)
    const words = this.memory.wordsOf(node)
    const at = wordPosOf(node)
    if (node === NONE || len >= this.packedThreshold || words[at + KIND] === NodeKind.PLAIN) {
      this.addNode(root, node, !first, bytes, pos, len)
      return
    }
    const size = words[at + NODE_SIZE]!
    const count = words[at + NODE_COUNT]!
    if (this.exceeds(size + len + ELEMENT_OVERHEAD, count + 1)) {
      this.addNode(root, node, !first, bytes, pos, len)
      return
    }
    const payload = words[at + PAYLOAD]! as Ref
    if (this.watcher !== null) this.watcher.changes(payload)
    const grown = first ? listpacks.pushFront(payload, bytes, pos, len) : listpacks.pushBack(payload, bytes, pos, len)
    if (grown !== payload) words[at + PAYLOAD] = grown
    words[at + NODE_SIZE] = size + listpacks.pushedSize
    words[at + NODE_COUNT] = count + 1
    sequence.countAtEnd(root, 1)
  }

  /** Removes the first element, or the last one, which is at `off` in its node. */
  removeEnd(root: Ref, first: boolean, off: number): void {
    const { sequence, listpacks } = this
    const node = first ? sequence.head(root) : sequence.tail(root)
    const words = this.memory.wordsOf(node)
    const at = wordPosOf(node)
    const count = words[at + NODE_COUNT]!
    if (count === 1) return this.removeNode(root, node)
    const payload = words[at + PAYLOAD]! as Ref
    if (this.watcher !== null) this.watcher.changes(payload)
    const rest = first ? listpacks.dropFront(payload) : listpacks.dropBack(payload, off)
    if (rest !== payload) words[at + PAYLOAD] = rest
    words[at + NODE_SIZE]! -= listpacks.droppedSize
    words[at + NODE_COUNT] = count - 1
    sequence.countAtEnd(root, -1)
  }

  /** Adds a node with one element beside another one. Allocates. */
  private addNode(root: Ref, node: Ref, after: boolean, bytes: Uint8Array, pos: number, len: number): Ref {
    const isPlain = len >= this.packedThreshold
    const payload = isPlain ? this.plain(bytes, pos, len) : this.single(bytes, pos, len)
    const size = isPlain ? len : this.listpacks.size(payload)
    return this.linkNode(root, node, after, payload, 1, size, isPlain ? NodeKind.PLAIN : NodeKind.PACKED)
  }

  private linkNode(root: Ref, node: Ref, after: boolean, payload: Ref, count: number, size: number, kind: number): Ref {
    const sequence = this.sequence
    if (node === NONE) return sequence.insertLast(root, payload, count, size, kind)
    if (after) return sequence.insertAfter(root, node, payload, count, size, kind)
    if (node === sequence.head(root)) this.closeGap(root)
    return sequence.insertBefore(root, node, payload, count, size, kind)
  }

  // Places: a node, the element's number `slot` in it, and its offset `off` in a packed node's listpack.

  /** The offset of a node's element. */
  offsetOf(node: Ref, slot: number): number {
    return this.isPlain(node) ? 0 : this.listpacks.seek(this.sequence.payload(node), slot)
  }

  /** Whether an element is these bytes. */
  equals(node: Ref, off: number, bytes: Uint8Array, pos: number, len: number): boolean {
    const { sequence, memory } = this
    const payload = sequence.payload(node)
    if (!this.isPlain(node)) return this.listpacks.equals(payload, off, bytes, pos, len)
    return sequence.sizeOf(node) === len && equalBytes(memory.bytesOf(payload), posOf(payload), bytes, pos, len)
  }

  /** Points the listpacks' `bytes`, `pos`, `len` at an element. */
  locate(node: Ref, off: number): void {
    const { sequence, listpacks } = this
    const payload = sequence.payload(node)
    if (!this.isPlain(node)) {
      listpacks.locate(payload, off)
      return
    }
    listpacks.isInteger = false
    listpacks.bytes = this.memory.bytesOf(payload)
    listpacks.pos = posOf(payload)
    listpacks.len = sequence.sizeOf(node)
  }

  /** Removes an element; whether its node went with it. What is behind it is at `off` afterwards. */
  delete(root: Ref, node: Ref, off: number): boolean {
    const { sequence, listpacks } = this
    if (sequence.countIn(node) === 1) {
      this.removeNode(root, node)
      return true
    }
    const rest = listpacks.delete(this.touched(node), off)
    sequence.setNode(root, node, rest, sequence.countIn(node) - 1, listpacks.packedSize(rest))
    return false
  }

  private removeNode(root: Ref, node: Ref): void {
    this.memory.free(this.opened(node))
    this.sequence.removeNode(root, node)
  }

  /** Removes `count` elements from `index` on; there are so many. */
  deleteRange(root: Ref, index: number, count: number): void {
    if (count <= 0) return
    const { sequence, listpacks } = this
    let node = sequence.nodeAt(root, index)
    let slot = sequence.offset
    for (let left = count; left > 0; slot = 0) {
      const next = sequence.next(node)
      const held = sequence.countIn(node)
      const deleted = Math.min(left, held - slot)
      if (deleted === held) this.removeNode(root, node)
      else {
        const rest = listpacks.deleteRange(this.opened(node), slot, deleted)
        sequence.setNode(root, node, rest, held - deleted, listpacks.size(rest))
      }
      left -= deleted
      node = next
    }
  }

  /** Puts an element before or behind the one at a place. Allocates. */
  insert(root: Ref, node: Ref, slot: number, after: boolean, bytes: Uint8Array, pos: number, len: number): void {
    const { sequence, listpacks } = this
    if (this.allows(node, len)) {
      const payload = this.opened(node)
      const off = listpacks.seek(payload, slot)
      const grown = after
        ? listpacks.insertAfter(payload, off, bytes, pos, len)
        : listpacks.insertBefore(payload, off, bytes, pos, len)
      return sequence.setNode(root, node, grown, sequence.countIn(node) + 1, listpacks.size(grown))
    }
    if (slot !== (after ? sequence.countIn(node) - 1 : 0)) {
      return this.insertInside(root, node, slot, after, bytes, pos, len)
    }
    const neighbour = after ? sequence.next(node) : sequence.prev(node)
    if (!this.allows(neighbour, len)) {
      this.addNode(root, node, after, bytes, pos, len)
      return
    }
    this.extend(root, neighbour, after, bytes, pos, len)
  }

  /** Puts an element in front of, or behind, all of a packed node's. */
  private extend(root: Ref, node: Ref, first: boolean, bytes: Uint8Array, pos: number, len: number): void {
    const { sequence, listpacks } = this
    const payload = this.opened(node)
    const grown = first ? listpacks.prepend(payload, bytes, pos, len) : listpacks.append(payload, bytes, pos, len)
    sequence.setNode(root, node, grown, sequence.countIn(node) + 1, listpacks.size(grown))
  }

  /** Splits a packed node that has no room at an element that is at neither of its ends there. */
  private insertInside(
    root: Ref,
    node: Ref,
    slot: number,
    after: boolean,
    bytes: Uint8Array,
    pos: number,
    len: number,
  ): void {
    const split = this.split(root, node, slot, after)
    if (len >= this.packedThreshold) {
      this.addNode(root, node, after, bytes, pos, len)
      return
    }
    this.extend(root, split, after, bytes, pos, len)
    this.mergeAround(root, node)
  }

  /** Cuts a packed node behind or before an element. The node keeps the element; returns the new node beside it. */
  private split(root: Ref, node: Ref, slot: number, after: boolean): Ref {
    const { sequence, listpacks } = this
    const kept = after ? slot + 1 : slot
    const count = sequence.countIn(node)
    const head = this.opened(node)
    const tail = listpacks.split(head, listpacks.seek(head, kept))
    const headSize = listpacks.size(head)
    const tailSize = listpacks.size(tail)
    if (after) {
      sequence.setNode(root, node, listpacks.trim(head), kept, headSize)
      return sequence.insertAfter(root, node, tail, count - kept, tailSize, NodeKind.PACKED)
    }
    sequence.setNode(root, node, tail, count - kept, tailSize)
    return sequence.insertBefore(root, node, listpacks.trim(head), kept, headSize, NodeKind.PACKED)
  }

  /** Merges the neighbours of a node, and the node with them, where they fit, in the order that Redis tries it. */
  private mergeAround(root: Ref, center: Ref): void {
    const sequence = this.sequence
    const prev = sequence.prev(center)
    const next = sequence.next(center)
    const beforePrev = prev === NONE ? NONE : sequence.prev(prev)
    const afterNext = next === NONE ? NONE : sequence.next(next)
    if (this.allowsMerge(beforePrev, prev)) this.merge(root, beforePrev, prev)
    if (this.allowsMerge(next, afterNext)) this.merge(root, next, afterNext)
    let target = center
    const before = sequence.prev(center)
    if (this.allowsMerge(before, center)) {
      this.merge(root, before, center)
      target = before
    }
    const behind = sequence.next(target)
    if (this.allowsMerge(target, behind)) this.merge(root, target, behind)
  }

  /** `first` takes in the elements of `second`, which follows it. */
  private merge(root: Ref, first: Ref, second: Ref): void {
    const { sequence, listpacks } = this
    const count = sequence.countIn(second)
    const merged = listpacks.merge(this.opened(first), this.opened(second))
    sequence.removeNode(root, second)
    sequence.setNode(root, first, merged, sequence.countIn(first) + count, listpacks.size(merged))
  }

  /** Replaces the element at a place. Allocates. */
  replace(root: Ref, node: Ref, slot: number, bytes: Uint8Array, pos: number, len: number): void {
    const { sequence, listpacks } = this
    const isLarge = len >= this.packedThreshold
    if (this.isPlain(node)) {
      if (isLarge) {
        const block = this.plain(bytes, pos, len)
        this.memory.free(this.opened(node))
        return sequence.setNode(root, node, block, 1, len)
      }
      this.insert(root, node, 0, true, bytes, pos, len)
      return this.removeNode(root, node)
    }
    if (!isLarge) {
      const payload = this.opened(node)
      const replaced = listpacks.replace(payload, listpacks.seek(payload, slot), bytes, pos, len)
      return sequence.setNode(root, node, replaced, sequence.countIn(node), listpacks.size(replaced))
    }
    this.insert(root, node, slot, true, bytes, pos, len)
    this.delete(root, node, sequence.countIn(node) === 1 ? 0 : listpacks.last(sequence.payload(node)))
  }

  /** The essay's "Always", and the sequence's. */
  verify(root: Ref): void {
    const { sequence, listpacks } = this
    sequence.verify(root)
    assert(sequence.count(root) > 0, 'an empty list does not exist')
    for (let node = sequence.head(root); node !== NONE; node = sequence.next(node)) {
      const payload = sequence.payload(node)
      if (this.isPlain(node)) {
        assert(sequence.countIn(node) === 1, 'a plain node has one element')
        assert(this.memory.capacity(payload) >= sequence.sizeOf(node), 'a plain node has room for its element')
        continue
      }
      listpacks.verify(payload)
      assert(listpacks.count(payload) === sequence.countIn(node), 'a node counts its elements')
      assert(listpacks.packedSize(payload) === sequence.sizeOf(node), 'a node knows its size')
      assert(node === sequence.head(root) || listpacks.gap(payload) === 0, 'only the first node has a gap')
    }
  }
}
