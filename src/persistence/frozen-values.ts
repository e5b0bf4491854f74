/* The frozen values of a snapshot: which there are, in the order in which they were frozen, and who changes what in
 * them. The first is shown in slices, and the others wait; what changes in them meanwhile is shown early. */
import { Type } from '../keyspace/entry.ts'
import type { Keyspace } from '../keyspace/keyspace.ts'
import type { ListWatcher } from '../keyspace/quicklist.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import type { GroupsWatcher } from '../structures/stream-groups.ts'
import type { LogWatcher } from '../structures/stream-log.ts'
import { Table, type TableWatcher } from '../structures/table.ts'
import {
  cloneOf,
  type Frozen,
  FrozenList,
  FrozenStream,
  FrozenString,
  FrozenTable,
  type LargeLimits,
  type LargeSink,
} from './frozen.ts'

export class FrozenValues implements TableWatcher {
  private readonly keyspace: Keyspace
  private readonly queue: Frozen[] = []
  /** By the root of their table. */
  private readonly tables = new Map<Ref, FrozenTable>()
  private readonly lists: FrozenList[] = []
  private readonly streams: FrozenStream[] = []
  /** By the value that they share with a living entry; of strings the entry knows. */
  private readonly values = new Map<Ref, Frozen>()
  private readonly strings: FrozenString[] = []
  private readonly listWatcher: ListWatcher
  private readonly logWatcher: LogWatcher
  private readonly groupsWatcher: GroupsWatcher
  private readonly table: Table
  private readonly limits: LargeLimits

  constructor(keyspace: Keyspace, limits: LargeLimits) {
    this.keyspace = keyspace
    this.limits = limits
    this.table = new Table(keyspace.memory)
    this.listWatcher = {
      changes: (payload) => {
        for (const list of this.lists) list.changes(payload)
      },
      settles: (root) => this.settleList(root),
    }
    this.logWatcher = {
      changes: (node) => {
        for (const stream of this.streams) stream.changes(node)
      },
    }
    this.groupsWatcher = {
      added: (group, id) => {
        for (const { groups } of this.streams) groups.added(group, id)
      },
      changes: (group, id) => {
        for (const { groups } of this.streams) groups.changes(group, id)
      },
      keeps: (group) => this.streams.some(({ groups }) => groups.keeps(group)),
    }
  }

  get count(): number {
    return this.queue.length
  }

  /** Bytes that were copied because they were about to change, of the values that are still to be shown. */
  get copiedBytes(): number {
    return this.queue.reduce((sum, frozen) => sum + frozen.heldBytes, 0)
  }

  /** Freezes the value of an entry, which is about to change if `changes`. Allocates. */
  freeze(entry: Ref, changes: boolean, open: (clone: Ref) => LargeSink): void {
    const { keyspace, queue } = this
    const clone = cloneOf(keyspace, entry)
    const type = keyspace.entries.type(entry)
    const sink = open(clone)
    if (type === Type.STRING) {
      const frozen = new FrozenString(keyspace, clone, sink, entry)
      if (changes) frozen.part()
      this.strings.push(frozen)
      queue.push(frozen)
    } else if (type === Type.LIST) {
      const frozen = new FrozenList(keyspace, clone, sink)
      this.lists.push(frozen)
      this.values.set(frozen.value, frozen)
      queue.push(frozen)
    } else if (type === Type.STREAM) {
      const frozen = new FrozenStream(keyspace, clone, sink, this.limits)
      this.streams.push(frozen)
      this.values.set(frozen.value, frozen)
      queue.push(frozen)
    } else {
      const frozen = new FrozenTable(keyspace, clone, sink, this.table)
      this.tables.set(frozen.root, frozen)
      this.values.set(frozen.value, frozen)
      queue.push(frozen)
    }
    this.watch()
  }

  private watch(): void {
    const { sets, hashes, zsets, lists, streams } = this.keyspace
    const watcher = this.tables.size > 0 ? this : null
    sets.table.watcher = watcher
    hashes.table.watcher = watcher
    zsets.table.watcher = watcher
    lists.quicklist.watcher = this.lists.length > 0 ? this.listWatcher : null
    streams.log.watcher = this.streams.length > 0 ? this.logWatcher : null
    streams.groups.watcher = this.streams.length > 0 ? this.groupsWatcher : null
  }

  /** Shows a little more of the first one; false when there is none. */
  step(): boolean {
    const first = this.queue[0]
    if (first === undefined) return false
    if (!first.step()) this.finish(first)
    return true
  }

  private finish(frozen: Frozen): void {
    frozen.sink.end()
    this.drop(frozen)
  }

  private drop(frozen: Frozen): void {
    this.queue.splice(this.queue.indexOf(frozen), 1)
    if (this.values.get(frozen.value) === frozen) this.values.delete(frozen.value)
    if (frozen instanceof FrozenTable) this.tables.delete(frozen.root)
    else if (frozen instanceof FrozenList) remove(this.lists, frozen)
    else if (frozen instanceof FrozenStream) remove(this.streams, frozen)
    else if (frozen instanceof FrozenString) remove(this.strings, frozen)
    this.watch()
    frozen.free()
  }

  /** Nobody wants to see the rest. */
  abandon(): void {
    while (this.queue.length > 0) this.drop(this.queue[0]!)
  }

  /** An entry is about to change: whether its value is a frozen string, which is parted from it then. */
  partString(entry: Ref): boolean {
    for (const string of this.strings) {
      if (string.entry !== entry) continue
      string.part()
      return true
    }
    return false
  }

  /** Whether the entry's value is frozen; it becomes the snapshot's then. */
  keep(entry: Ref): boolean {
    if (this.queue.length === 0) return false
    const { entries } = this.keyspace
    const type = entries.type(entry)
    if (type === Type.STRING) return this.keepString(entry)
    const frozen = this.values.get(entries.value(entry) as Ref)
    // The number may be something else's: a length, or the ref of a value of another form.
    if (frozen === undefined || entries.type(frozen.clone) !== type) return false
    if (entries.encoding(frozen.clone) !== entries.encoding(entry)) return false
    frozen.owned = true
    return true
  }

  /** A string that is about to change has been parted from its entry; this one goes with the table it lay in. */
  private keepString(entry: Ref): boolean {
    const string = this.strings.find((each) => each.entry === entry)
    if (string === undefined) return false
    string.owned = true
    string.entry = NONE
    return true
  }

  added(root: Ref, element: Ref, hash: number): void {
    this.tables.get(root)?.added(element, hash)
  }

  changes(root: Ref, element: Ref): void {
    this.tables.get(root)?.changes(element)
  }

  /** A hash's fields may expire from now on. */
  becomes(root: Ref, value: Ref, encoding: number): void {
    const frozen = this.tables.get(root)
    if (frozen === undefined) return
    const { entries } = this.keyspace
    this.values.delete(frozen.value)
    entries.setValue(frozen.clone, value)
    entries.setEncoding(frozen.clone, encoding)
    this.values.set(value, frozen)
  }

  /** A list of one node becomes that node's listpack. */
  private settleList(root: Ref): void {
    const frozen = this.lists.find((list) => list.value === root)
    if (frozen === undefined) return
    const { sequence } = this.keyspace.lists.quicklist
    frozen.changes(sequence.payload(sequence.head(root)))
    // All that is still to be shown are copies: nobody else's root may be taken for this one.
    this.values.delete(root)
    this.keyspace.entries.setValue(frozen.clone, NONE)
  }
}

function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1)
}
