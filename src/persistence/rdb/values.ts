/* Values: how each type of value is written and read. One record per type; saver and loader ask for no certain type.
 *
 * A type that is added to the keyspace adds its record here. Of the RDB types that have one meaning, it writes the one
 * that the oldest Redis of interest reads, and reads them all. */

import type { AccessClock } from '../../keyspace/access.ts'
import type { Type } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import type { Int64 } from '../../lib/int64.ts'
import type { Ref } from '../../memory/memory.ts'
import { hashValues } from './hash-values.ts'
import { listValues } from './list-values.ts'
import type { RdbReader } from './reader.ts'
import { setValues } from './set-values.ts'
import { streamValues } from './stream-values.ts'
import { stringValues } from './string-values.ts'
import type { RdbWriter } from './writer.ts'
import { zsetValues } from './zset-values.ts'

/** A key on its way into the keyspace: the range 0 … `len` of `bytes`. */
export interface LoadedKey {
  readonly bytes: Uint8Array
  readonly len: number
}

export interface ValueFormat {
  readonly type: Type
  /** The RDB types that it reads. */
  readonly rdbTypes: readonly number[]
  /** The RDB type that `save` writes this value as. */
  rdbType(entry: Ref): number
  save(entry: Ref, writer: RdbWriter): void
  /** Reads a value, and makes an entry of it that is in no database yet; NONE of one without elements. Allocates. */
  load(rdbType: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref
  /** Passes over a value. */
  skip(rdbType: number, reader: RdbReader): void
}

/** Seconds of idleness that the clock can tell. */
const IDLE_SECONDS_MAX = Math.floor(2 ** 32 / 1000)

/** The access word of a key of which is known how long it has been idle, or how often it was used (negative: that is
 *  not known); `fresh` if it is not what the policy goes by. */
export function hintedAccess(clock: AccessClock, idleSeconds: number, frequency: number, fresh: number): number {
  if (clock.lfu) return frequency >= 0 ? clock.withFrequency(frequency) : fresh
  return idleSeconds >= 0 ? clock.idleSince(Math.min(idleSeconds, IDLE_SECONDS_MAX) * 1000) : fresh
}

export class ValueFormats {
  private readonly byType: (ValueFormat | undefined)[] = []
  private readonly byRdbType: (ValueFormat | undefined)[] = []

  constructor(keyspace: Keyspace) {
    this.add(stringValues(keyspace))
    this.add(listValues(keyspace))
    this.add(setValues(keyspace))
    this.add(hashValues(keyspace))
    this.add(zsetValues(keyspace))
    this.add(streamValues(keyspace))
  }

  private add(format: ValueFormat): void {
    this.byType[format.type] = format
    for (const rdbType of format.rdbTypes) this.byRdbType[rdbType] = format
  }

  /** The format of a type of the keyspace; undefined if such values cannot be written. */
  of(type: Type): ValueFormat | undefined {
    return this.byType[type]
  }

  /** What reads an RDB type; undefined if nothing does. */
  reading(rdbType: number): ValueFormat | undefined {
    return this.byRdbType[rdbType]
  }
}
