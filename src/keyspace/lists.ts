/* Lists: the values of type list, in two forms.
 *
 *   LISTPACK     value: ref of one listpack             up to the limit of list-max-listpack-size
 *   QUICKLIST    value: root of a quicklist             beyond it
 *
 * A list becomes a quicklist when what is about to be added might exceed the limit, and a listpack again when it has
 * shrunk to half of it and to one node: when exactly, is Redis's rule, for OBJECT ENCODING shows it. Which of the two
 * it is shows only here: to others a list is a length, two ends, and a cursor.
 *
 * There is one cursor. It stands on an element and walks in one direction; whatever changes the list by other ways than
 * the cursor's own, or starts it anew, ends it. Elements are read through the listpacks' `bytes`, `pos` and `len`.
 *
 * The bytes of an element to be stored must not lie in the arena: `keep` copies what does. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import type { Int64 } from '../lib/int64.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { type Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import type { Database } from './database.ts'
import { type Entries, EntryFlag, Type } from './entry.ts'
import type { Kind } from './kinds.ts'
import { Quicklist } from './quicklist.ts'
import { compactList } from './value-compaction.ts'

export const ListEncoding = { LISTPACK: 0, QUICKLIST: 1 } as const
/** What the count of a list can say. */
export const LIST_COUNT_MAX = 2 ** 31 - 1
const ENCODING_NAMES = ['listpack', 'quicklist']

/** A list of up to so many nodes is freed at once. */
const NODES_AT_ONCE = 64
/** Of the elements that go, the share up to which those that stay are copied: a node is copied as fast as removed. */
const PARTED_SHARE = 0.5
const NODES_PER_STEP = 16
const KEPT_MIN = 1024
/** Room that is kept for the next element to be kept. */
const KEPT_MAX = 64 * 1024

/** Takes over what is to be freed little by little: Keyspace.doom. */
type Doom = (step: () => boolean) => void

export class Lists {
  readonly listpacks: Listpacks
  readonly quicklist: Quicklist
  /** A list of up to so many nodes is trimmed in place. */
  partedNodes = NODES_AT_ONCE
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly doom: Doom
  /** The element last kept; of what length, the caller knows. */
  kept = new Uint8Array(KEPT_MIN)

  // The cursor. `node` is NONE in a listpack; `block` is the listpack, or the bytes of a plain node.
  private entry: Ref = NONE
  private node: Ref = NONE
  private slot = 0
  private backwards = false
  block: Ref = NONE
  off = 0
  isPlain = false

  constructor(entries: Entries, listpacks: Listpacks, doom: Doom) {
    this.entries = entries
    this.memory = entries.memory
    this.listpacks = listpacks
    this.quicklist = new Quicklist(entries.memory, listpacks)
    this.doom = doom
  }

  private isPacked(entry: Ref): boolean {
    return this.entries.encoding(entry) === ListEncoding.LISTPACK
  }

  private valueOf(entry: Ref): Ref {
    return this.entries.value(entry) as Ref
  }

  /** Adds an empty list for the key last looked up, which must not be there; it must not stay empty. Allocates. */
  add(db: Database, keyBytes: Uint8Array, keyPos: number, keyLen: number): Ref {
    const entry = this.entries.create(Type.LIST, ListEncoding.LISTPACK, 0, keyBytes, keyPos, keyLen, 0)
    this.entries.setValue(entry, this.listpacks.create())
    db.insert(entry)
    return entry
  }

  /** Makes an entry of a root that there is already, for the caller to put somewhere: a listpack or a quicklist as a
   *  list's are. Allocates. */
  adopt(encoding: number, root: Ref, keyBytes: Uint8Array, keyPos: number, keyLen: number, expiry?: Int64): Ref {
    const { entries } = this
    const flags = expiry === undefined ? 0 : EntryFlag.EXPIRES
    const entry = entries.create(Type.LIST, encoding, flags, keyBytes, keyPos, keyLen, 0)
    entries.setValue(entry, root)
    if (expiry !== undefined) entries.setExpiry(entry, expiry)
    return entry
  }

  length(entry: Ref): number {
    const value = this.valueOf(entry)
    return this.isPacked(entry) ? this.listpacks.count(value) : this.quicklist.sequence.count(value)
  }

  // Encodings.

  /** Elements of so many bytes together are about to be added: makes a quicklist of a listpack that might get too
   *  large. Allocates. */
  expect(entry: Ref, count: number, bytes: number): void {
    if (!this.isPacked(entry)) return
    const { listpacks, quicklist, entries } = this
    const listpack = this.valueOf(entry)
    if (!quicklist.exceeds(listpacks.size(listpack) + bytes, listpacks.count(listpack) + count)) return
    const root = quicklist.create()
    if (listpacks.isEmpty(listpack)) listpacks.free(listpack)
    else quicklist.appendListpack(root, listpack)
    entries.setEncoding(entry, ListEncoding.QUICKLIST)
    entries.setValue(entry, root)
  }

  /** Elements have been removed: makes a listpack of a quicklist that has become small. */
  shrunk(entry: Ref): void {
    if (!this.isPacked(entry)) this.pack(entry, 2)
  }

  /** The list has been built: makes it what its size says. Allocates. */
  settle(entry: Ref): void {
    if (this.isPacked(entry)) this.expect(entry, 0, 0)
    else this.pack(entry, 1)
  }

  /** Makes a listpack of a quicklist of one packed node that is within this part of the limit. */
  private pack(entry: Ref, part: number): void {
    const { quicklist, entries } = this
    const { sequence, sizeLimit, countLimit } = quicklist
    const root = this.valueOf(entry)
    if (sequence.nodeCount(root) !== 1) return
    const node = sequence.head(root)
    if (quicklist.isPlain(node)) return
    if (sequence.sizeOf(node) > sizeLimit / part || sequence.countIn(node) > Math.floor(countLimit / part)) return
    quicklist.watcher?.settles(root)
    quicklist.closeGap(root)
    const listpack = sequence.dismantle(root)
    sequence.dismantle(root)
    entries.setEncoding(entry, ListEncoding.LISTPACK)
    entries.setValue(entry, listpack)
  }

  // Ends.

  /** Adds an element at an end; `expect` has been told. Allocates. */
  push(entry: Ref, first: boolean, bytes: Uint8Array, pos: number, len: number): void {
    const value = this.valueOf(entry)
    if (!this.isPacked(entry)) return this.quicklist.push(value, first, bytes, pos, len)
    const listpacks = this.listpacks
    const grown = first ? listpacks.prepend(value, bytes, pos, len) : listpacks.append(value, bytes, pos, len)
    if (grown !== value) this.entries.setValue(entry, grown)
  }

  /** Adds elements at an end, one after the other: the ranges [from, after) of these tables. Returns the list's length.
   *  Allocates. */
  pushAll(
    entry: Ref,
    first: boolean,
    bytes: Uint8Array,
    pos: Int32Array,
    len: Int32Array,
    from: number,
    after: number,
  ): number {
    if (this.isPacked(entry)) {
      let size = 0
      for (let index = from; index < after; index++) size += len[index]!
      this.expect(entry, after - from, size)
      if (this.isPacked(entry)) {
        for (let index = from; index < after; index++) this.push(entry, first, bytes, pos[index]!, len[index]!)
        return this.length(entry)
      }
    }
    const { quicklist } = this
    const root = this.valueOf(entry)
    for (let index = from; index < after; index++) quicklist.push(root, first, bytes, pos[index]!, len[index]!)
    return quicklist.sequence.count(root)
  }

  /** Points the listpacks at the element at an end, and the cursor, for `removeHere`. */
  locateEnd(entry: Ref, first: boolean): void {
    const value = this.valueOf(entry)
    const { listpacks, quicklist } = this
    this.entry = entry
    this.backwards = !first
    if (this.isPacked(entry)) {
      this.node = NONE
      this.block = value
      this.isPlain = false
    } else {
      const { sequence } = quicklist
      this.enter(first ? sequence.head(value) : sequence.tail(value))
    }
    this.off = this.isPlain ? 0 : first ? listpacks.first(this.block) : listpacks.last(this.block)
    this.locate()
  }

  /** Removes the element that `locateEnd` found. */
  removeEnd(): void {
    const { entry, node, off, listpacks, quicklist } = this
    if (node !== NONE) quicklist.removeEnd(this.valueOf(entry), !this.backwards, off)
    else this.entries.setValue(entry, listpacks.delete(this.block, off))
  }

  /** Copies the element that the listpacks point at to `kept`; returns its length. */
  keep(): number {
    const { bytes, pos, len } = this.listpacks
    if (len > this.kept.length || this.kept.length > KEPT_MAX) this.kept = new Uint8Array(Math.max(len, KEPT_MIN))
    copyBytes(bytes, pos, this.kept, 0, len)
    return len
  }

  // The cursor.

  /** Puts the cursor on the element at `index`, of which there is one. */
  start(entry: Ref, index: number, backwards: boolean): void {
    const value = this.valueOf(entry)
    this.entry = entry
    this.backwards = backwards
    if (this.isPacked(entry)) {
      this.node = NONE
      this.block = value
      this.isPlain = false
      this.slot = index
    } else {
      const { sequence } = this.quicklist
      this.enter(sequence.nodeAt(value, index))
      this.slot = sequence.offset
    }
    this.off = this.isPlain ? 0 : this.listpacks.seek(this.block, this.slot)
  }

  private enter(node: Ref): void {
    this.node = node
    this.block = this.quicklist.sequence.payload(node)
    this.isPlain = this.quicklist.isPlain(node)
  }

  /** Points the listpacks at the cursor's element. */
  locate(): void {
    if (this.node === NONE) this.listpacks.locate(this.block, this.off)
    else this.quicklist.locate(this.node, this.off)
  }

  equals(bytes: Uint8Array, pos: number, len: number): boolean {
    if (this.node === NONE) return this.listpacks.equals(this.block, this.off, bytes, pos, len)
    return this.quicklist.equals(this.node, this.off, bytes, pos, len)
  }

  /** Goes on to the next element; false if there is none. */
  advance(): boolean {
    const { listpacks, block, off, backwards } = this
    const next = this.isPlain ? NO_ELEMENT : backwards ? listpacks.prev(block, off) : listpacks.next(block, off)
    if (next === NO_ELEMENT) return this.advanceBlock()
    this.off = next
    this.slot += backwards ? -1 : 1
    return true
  }

  /** Goes on to the first element of the next block; false if there is none. */
  advanceBlock(): boolean {
    if (this.node === NONE) return false
    const { sequence } = this.quicklist
    return this.enterNext(this.backwards ? sequence.prev(this.node) : sequence.next(this.node))
  }

  private enterNext(node: Ref): boolean {
    if (node === NONE) return false
    const { listpacks } = this
    this.enter(node)
    this.slot = this.backwards ? this.quicklist.sequence.countIn(node) - 1 : 0
    this.off = this.isPlain ? 0 : this.backwards ? listpacks.last(this.block) : listpacks.first(this.block)
    return true
  }

  /** Removes the cursor's element and goes on to the next one; false if there is none. */
  removeHere(): boolean {
    const { quicklist, listpacks, node, backwards } = this
    const { sequence } = quicklist
    if (node === NONE) {
      this.block = listpacks.delete(this.block, this.off)
      this.entries.setValue(this.entry, this.block)
    } else {
      const next = backwards ? sequence.prev(node) : sequence.next(node)
      if (quicklist.delete(this.valueOf(this.entry), node, this.off)) return this.enterNext(next)
      this.block = sequence.payload(node)
    }
    const off = backwards ? listpacks.prev(this.block, this.off) : listpacks.elementAt(this.block, this.off)
    if (off === NO_ELEMENT) return this.advanceBlock()
    this.off = off
    if (backwards) this.slot--
    return true
  }

  /** Puts an element before or behind the cursor's; `expect` has been told. Ends the cursor. Allocates. */
  insertHere(after: boolean, bytes: Uint8Array, pos: number, len: number): void {
    const { listpacks, block, off } = this
    if (this.node !== NONE) {
      const root = this.valueOf(this.entry)
      return this.quicklist.insert(root, this.node, this.slot, after, bytes, pos, len)
    }
    const grown = after
      ? listpacks.insertAfter(block, off, bytes, pos, len)
      : listpacks.insertBefore(block, off, bytes, pos, len)
    this.entries.setValue(this.entry, grown)
  }

  // Positions.

  /** Replaces the element at `index`, of which there is one; `expect` has been told. Allocates. */
  replace(entry: Ref, index: number, bytes: Uint8Array, pos: number, len: number): void {
    this.start(entry, index, false)
    if (this.node !== NONE) {
      return this.quicklist.replace(this.valueOf(entry), this.node, this.slot, bytes, pos, len)
    }
    this.entries.setValue(entry, this.listpacks.replace(this.block, this.off, bytes, pos, len))
  }

  /** Removes `count` elements from `index` on; there are so many. */
  deleteRange(entry: Ref, index: number, count: number): void {
    if (count === 0) return
    const value = this.valueOf(entry)
    if (!this.isPacked(entry)) return this.quicklist.deleteRange(value, index, count)
    this.entries.setValue(entry, this.listpacks.deleteRange(value, index, count))
  }

  /** Whether it is cheaper to part with all but `count` elements than to delete the others one node after the other. */
  isWorthParting(entry: Ref, count: number): boolean {
    const others = this.length(entry) - count
    if (this.isPacked(entry) || count > others * PARTED_SHARE) return false
    return this.quicklist.sequence.nodeCount(this.valueOf(entry)) > this.partedNodes
  }

  /** Leaves the entry a copy of `count` elements from `index` on; returns one of no name that has the whole list as it
   *  was, to be freed. Allocates. */
  part(entry: Ref, index: number, count: number): Ref {
    const whole = this.valueOf(entry)
    const kept = this.quicklist.copyRange(whole, index, count)
    const parted = this.adopt(ListEncoding.QUICKLIST, whole, this.kept, 0, 0)
    this.entries.setValue(entry, kept)
    return parted
  }

  // Whole lists.

  freeValue(entry: Ref): void {
    const { quicklist } = this
    const value = this.valueOf(entry)
    if (this.isPacked(entry)) return this.listpacks.free(value)
    if (quicklist.sequence.nodeCount(value) <= NODES_AT_ONCE) while (quicklist.dismantle(value)) {}
    else this.doom(() => this.dismantleSome(value))
  }

  private dismantleSome(root: Ref): boolean {
    for (let node = 0; node < NODES_PER_STEP; node++) if (!this.quicklist.dismantle(root)) return false
    return true
  }

  valueBytes(entry: Ref): number {
    const value = this.valueOf(entry)
    return this.isPacked(entry) ? this.memory.capacity(value) : this.quicklist.bytes(value)
  }

  /** Gives `target`, of the same encoding, a copy of `source`'s value. Allocates. */
  copyValue(source: Ref, target: Ref): void {
    const value = this.valueOf(source)
    const copy = this.isPacked(source) ? this.listpacks.copy(value) : this.quicklist.copy(value)
    this.entries.setValue(target, copy)
  }

  verify(entry: Ref): void {
    const value = this.valueOf(entry)
    assert(this.length(entry) > 0, 'an empty list does not exist')
    if (this.isPacked(entry)) this.listpacks.verify(value)
    else this.quicklist.verify(value)
  }
}

export function listKind(lists: Lists, entries: Entries): Kind {
  return {
    type: Type.LIST,
    name: 'list',
    encodingName: (entry) => ENCODING_NAMES[entries.encoding(entry)]!,
    freeValue: (entry) => lists.freeValue(entry),
    valueBytes: (entry) => lists.valueBytes(entry),
    copyValue: (source, target) => lists.copyValue(source, target),
    length: (entry) => lists.length(entry),
    memberTable: () => NONE,
    digest: (entry, into) => {
      const { listpacks } = lists
      lists.start(entry, 0, false)
      do {
        lists.locate()
        into.mix(listpacks.bytes, listpacks.pos, listpacks.len)
      } while (lists.advance())
    },
    compact: (entry, cursor) => compactList(lists, entries, entry, cursor),
    verify: (entry) => lists.verify(entry),
  }
}
