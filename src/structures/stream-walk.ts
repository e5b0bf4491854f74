/* A walk through the entries of a stream log, either way, between two ids.
 *
 *   node   | … | 0 | flags | ms | seq | value | … | elements | flags | …
 *                    ^ off              ^ valueOff             ^ the next one, of a walk forwards
 *
 * On an entry, its id, its flags and the number of its fields are known; `nextField` and `locateValue` then point the
 * listpacks at one field and its value after the other. Deleted entries are passed over unless `showsDeleted`.
 *
 * While it is on an entry the walk keeps the node and offsets, which stay true as long as the log does not change. It
 * stands on a place of the log's tree: who looks into that tree meanwhile must put it back. */

import { assert } from '../lib/assert.ts'
import { StreamId } from '../lib/stream-id.ts'
import { type Memory, NONE, posOf, type Ref } from '../memory/memory.ts'
import type { IdTree } from './id-tree.ts'
import type { Listpacks } from './listpack.ts'
import { backlenEndingAt, backlenSize, elementSizeAt, highWordAt, LISTPACK_END, lowWordAt } from './listpack-element.ts'
import { EntryFlag, type StreamNodes } from './stream-node.ts'

/** Heads below are integers of two bytes, head and all. */
const SMALL = 0x80
const TWO_32 = 4294967296

/** What a walk needs of a log. */
export interface WalkedLog {
  readonly memory: Memory
  readonly nodes: StreamNodes
  readonly tree: IdTree
}

export class StreamWalk {
  readonly id = new StreamId()
  showsDeleted = false
  /** The entry: its node, and its flags' offset. */
  node: Ref = NONE
  off = 0
  flags = 0
  fieldCount = 0
  /** Of the entry: where its first value is, or its first field if it has fields of its own. */
  valueOff = 0
  /** Where the node's own fields begin. */
  fieldsOff = 0
  private readonly memory: Memory
  private readonly nodes: StreamNodes
  private readonly listpacks: Listpacks
  private readonly tree: IdTree
  private readonly nodeId = new StreamId()
  private readonly from = new StreamId()
  private readonly to = new StreamId()
  private backwards = false
  private nodeFields = 0
  private bytes: Uint8Array
  private base = 0
  /** Forwards: position of the next entry. Backwards: of the element that ends the next one. */
  private at = 0
  private hasNode = false
  /** The node is no matter of the tree. */
  private isAlone = false
  /** The tree's place is on the next node; false: on the one being walked, or there is none. */
  private pending = false
  // Of the field that is next.
  private nextFieldOff = 0
  private nextValueOff = 0

  constructor(log: WalkedLog) {
    this.memory = log.memory
    this.nodes = log.nodes
    this.listpacks = log.nodes.listpacks
    this.tree = log.tree
    this.bytes = log.memory.bytes[0]!
  }

  /** Begins at `from`, up to `to`; `backwards`: the other way round. */
  start(root: Ref, from: StreamId, to: StreamId, backwards: boolean): void {
    const { tree } = this
    this.from.copy(from)
    this.to.copy(to)
    this.backwards = backwards
    this.isAlone = false
    this.hasNode = false
    this.pending = backwards ? tree.seekBack(root, to) : tree.seekBack(root, from) || tree.first(root)
  }

  /** Begins with the first entry, or with the last one backwards. */
  startAt(root: Ref, first: boolean): void {
    const { tree } = this
    this.from.toLeast()
    this.to.toGreatest()
    this.backwards = !first
    this.isAlone = false
    this.hasNode = false
    this.pending = first ? tree.first(root) : tree.last(root)
  }

  /** Goes through the entries of one node, of this id, and no further. */
  startIn(node: Ref, id: StreamId): void {
    this.from.toLeast()
    this.to.toGreatest()
    this.backwards = false
    this.isAlone = true
    this.hasNode = true
    this.pending = false
    this.open(node, id)
    this.toFirst()
  }

  get isDeleted(): boolean {
    return (this.flags & EntryFlag.DELETED) !== 0
  }

  /** Goes to the next entry; false if there is none. */
  next(): boolean {
    for (;;) {
      if (this.nextInNode()) return true
      if (!this.pending) return false
    }
  }

  /** Goes to the next entry of the same node, or of the first or next one; false if it has none. */
  nextInNode(): boolean {
    if (!this.hasNode && !this.enter()) return false
    while (this.backwards ? this.readBack() : this.read()) {
      if (this.isDeleted && !this.showsDeleted) continue
      const { id } = this
      if (!this.backwards) {
        if (id.compare(this.from) < 0) continue
        if (id.compare(this.to) > 0) return this.stop()
      } else {
        if (id.compare(this.to) > 0) continue
        if (id.compare(this.from) < 0) return this.stop()
      }
      return true
    }
    this.hasNode = false
    if (!this.isAlone) this.pending = this.backwards ? this.tree.prev() : this.tree.next()
    return false
  }

  private stop(): false {
    this.hasNode = false
    this.pending = false
    return false
  }

  private enter(): boolean {
    if (!this.pending) return false
    this.pending = false
    this.hasNode = true
    this.open(this.tree.own(0) as Ref, this.tree.id(this.nodeId))
    if (this.backwards) this.at = this.base + this.listpacks.last(this.node)
    else if (this.from.compare(this.nodeId) <= 0) this.toFirst()
    else this.toFrom()
    return true
  }

  /** Goes to the first entry of the node. */
  private toFirst(): void {
    let at = this.base + this.fieldsOff
    for (let left = this.nodeFields; left >= 0; left--) at += elementSizeAt(this.bytes, at)
    this.at = at
  }

  /** Goes to the first entry that is not below `from`, or to one before it: from the end, if it is nearer to that. Who
   *  reads what is new begins with one of the last. */
  private toFrom(): void {
    const { bytes } = this
    let end = this.base + this.listpacks.last(this.node)
    for (let isLast = true; ; isLast = false) {
      const elements = lowWordAt(bytes, end)
      if (elements === 0) return this.toFirst()
      let at = end
      for (let left = elements; left > 0; left--) at = previous(bytes, at)
      this.readHead(at)
      if (this.id.compare(this.from) < 0) {
        this.at = end + elementSizeAt(bytes, end)
        return
      }
      if (isLast && this.isNearFirst()) return this.toFirst()
      end = previous(bytes, at)
    }
  }

  /** Whether `from` is nearer to the node's first id than to `id`, its last: as far as milliseconds, or else sequence
   *  numbers, can tell. */
  private isNearFirst(): boolean {
    const { nodeId, from, id } = this
    if (!from.hasMsOf(nodeId) || !from.hasMsOf(id)) {
      const middle = (id.msHigh - nodeId.msHigh) * TWO_32 + (id.msLow >>> 0) - (nodeId.msLow >>> 0)
      return ((from.msHigh - nodeId.msHigh) * TWO_32 + (from.msLow >>> 0) - (nodeId.msLow >>> 0)) * 2 < middle
    }
    return ((from.seqLow - nodeId.seqLow) >>> 0) * 2 < (id.seqLow - nodeId.seqLow) >>> 0
  }

  private open(node: Ref, id: StreamId): void {
    const { nodes } = this
    this.node = node
    this.nodeId.copy(id)
    this.bytes = this.memory.bytesOf(node)
    this.base = posOf(node)
    this.fieldsOff = nodes.fieldsAt(this.bytes, this.base) - this.base
    this.nodeFields = nodes.fieldCount(this.bytes, this.base)
  }

  /** Reads the entry that begins here, and goes behind it. */
  private read(): boolean {
    const { bytes } = this
    if (bytes[this.at] === LISTPACK_END) return false
    let at = this.readHead(this.at)
    const elements = (this.flags & EntryFlag.SAME_FIELDS) !== 0 ? this.fieldCount : this.fieldCount * 2
    for (let left = elements; left >= 0; left--) at += elementSizeAt(bytes, at)
    this.at = at
    return true
  }

  /** Reads the entry that ends here, and goes to the end of the one before. */
  private readBack(): boolean {
    const { bytes } = this
    const elements = lowWordAt(bytes, this.at)
    if (elements === 0) return false
    let at = this.at
    for (let left = elements; left > 0; left--) at = previous(bytes, at)
    this.readHead(at)
    this.at = previous(bytes, at)
    return true
  }

  /** Reads what stands before the values; returns where they begin. */
  private readHead(pos: number): number {
    const { bytes } = this
    this.off = pos - this.base
    this.flags = bytes[pos]!
    let at = pos + 2
    let ms = bytes[at]!
    let msHigh = 0
    if (ms < SMALL) at += 2
    else {
      ms = lowWordAt(bytes, at)
      msHigh = highWordAt(bytes, at, ms)
      at += elementSizeAt(bytes, at)
    }
    let seq = bytes[at]!
    let seqHigh = 0
    if (seq < SMALL) at += 2
    else {
      seq = lowWordAt(bytes, at)
      seqHigh = highWordAt(bytes, at, seq)
      at += elementSizeAt(bytes, at)
    }
    this.id.copy(this.nodeId).add(msHigh, ms, seqHigh, seq)
    if ((this.flags & EntryFlag.SAME_FIELDS) !== 0) this.fieldCount = this.nodeFields
    else {
      this.fieldCount = lowWordAt(bytes, at)
      at += elementSizeAt(bytes, at)
    }
    this.valueOff = at - this.base
    this.nextValueOff = this.valueOff
    this.nextFieldOff = (this.flags & EntryFlag.SAME_FIELDS) !== 0 ? this.fieldsOff : this.valueOff
    return at
  }

  /** Points the listpacks at the next field of the entry, of which there is one. */
  locateField(): void {
    const next = this.listpacks.locate(this.node, this.nextFieldOff)
    if ((this.flags & EntryFlag.SAME_FIELDS) !== 0) this.nextFieldOff = next
    else this.nextValueOff = next
  }

  /** Points the listpacks at the value of the field last located. */
  locateValue(): void {
    const next = this.listpacks.locate(this.node, this.nextValueOff)
    if ((this.flags & EntryFlag.SAME_FIELDS) !== 0) this.nextValueOff = next
    else this.nextFieldOff = next
  }

  /** The id of a node's last entry, deleted or not: `id`. The walk is somewhere else afterwards. */
  lastIdOf(node: Ref, id: StreamId): StreamId {
    this.open(node, id)
    this.at = this.base + this.listpacks.last(node)
    this.readBack()
    this.hasNode = false
    this.pending = false
    return this.id
  }

  /** Where it stands. */
  verify(): void {
    assert(!this.hasNode || this.node !== NONE, 'a walk is in a node')
    assert(!this.hasNode || !this.pending, 'a walk is in one node')
  }
}

/** The position of the element before the one at `pos`. */
function previous(bytes: Uint8Array, pos: number): number {
  const encoded = backlenEndingAt(bytes, pos - 1)
  return pos - encoded - backlenSize(encoded)
}
