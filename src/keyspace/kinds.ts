/* Kinds: what the keyspace must know of a type to hold it: its name, the names of its encodings, how to free and
 * measure it. One record per type, by its tag; shared code never asks for a certain type. */
import type { Digest } from '../lib/digest.ts'
import type { Ref } from '../memory/memory.ts'
import type { Type } from './entry.ts'

export interface Kind {
  readonly type: Type
  /** As TYPE answers it. */
  readonly name: string
  /** As OBJECT ENCODING answers it. */
  encodingName(entry: Ref): string
  /** Frees what hangs at the entry, not the entry itself. */
  freeValue(entry: Ref): void
  /** Bytes of the blocks that hang at the entry. */
  valueBytes(entry: Ref): number
  /** Gives `target`, an entry of the same type and encoding made without a value, a copy of `source`'s. Allocates. */
  copyValue(source: Ref, target: Ref): void
  /** Elements: characters of a string, members, fields, nodes. The work that freeing takes. */
  length(entry: Ref): number
  /** Adds the value to a digest, as DEBUG DIGEST does for this type: equal values give equal digests in any
   *  encoding. */
  digest(entry: Ref, into: Digest): void
  /** The root of the table of the value's members or fields; NONE if it has none. */
  memberTable(entry: Ref): Ref
  /** So many elements are about to be taken out, the first ones, the last, or any: reads ahead what that will want. */
  takesAhead?(entry: Ref, count: number, last: boolean): void
  /** Moves what must be moved of the value (Memory.move), from a cursor on, 0 at first; returns the next cursor, or
   *  COMPACTED (value-compaction.ts). A kind without it stays where it is. Allocates. */
  compact?(entry: Ref, cursor: number): number
  verify(entry: Ref): void
}
