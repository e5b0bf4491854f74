/* What values that are tables (large sets, hashes, sorted sets) have in common: freeing and measuring them. */
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import type { SortedIndex } from '../structures/sorted-index.ts'
import { SCAN_END, type Table } from '../structures/table.ts'

/** A large value's way out: a step frees a part, and answers whether something is left. */
export type Doom = (step: () => boolean) => void

/** A value of up to so many elements is freed at once. */
const FREED_AT_ONCE = 64
/** Elements of a large table that are looked at to estimate what all take. */
const SAMPLE = 64

/** Frees a table and its entries: a small one at once, a large one a segment a step. */
export function freeTable(table: Table, root: Ref, freeEntry: (entry: Ref) => void, doom: Doom): void {
  let position = 0
  const step = (): boolean => {
    position = table.dismantle(root, position)
    for (let index = 0; index < table.foundCount; index++) freeEntry(table.found[index]! as Ref)
    return position !== SCAN_END
  }
  if (table.count(root) > FREED_AT_ONCE) doom(step)
  else while (step()) {}
}

/** As `freeTable`, and then the index over the entries. */
export function freeIndexedTable(
  table: Table,
  root: Ref,
  freeEntry: (entry: Ref) => void,
  index: SortedIndex,
  order: Ref,
  doom: Doom,
): void {
  let isDoomed = false
  freeTable(table, root, freeEntry, (step) => {
    isDoomed = true
    let hasEntries = true
    doom(() => {
      if (!hasEntries) return index.dismantle(order)
      hasEntries = step()
      return true
    })
  })
  if (!isDoomed) while (index.dismantle(order)) {}
}

/** Bytes of a table with its entries, each of which owns one more block or NONE; of a large one an estimate. */
export function tableBytes(memory: Memory, table: Table, root: Ref, ownedBy: (entry: Ref) => Ref): number {
  const count = table.count(root)
  let met = 0
  let bytes = 0
  for (let position = 0; position !== SCAN_END && met < SAMPLE; ) {
    position = table.scan(root, position)
    met += table.foundCount
    for (let index = 0; index < table.foundCount; index++) {
      const entry = table.found[index]! as Ref
      const owned = ownedBy(entry)
      bytes += memory.capacity(entry) + (owned === NONE ? 0 : memory.capacity(owned))
    }
  }
  return table.bytes(root) + (met === 0 ? 0 : Math.round((bytes / met) * count))
}
