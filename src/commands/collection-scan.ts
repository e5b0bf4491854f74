/* What SSCAN, HSCAN and ZSCAN have in common: their options, and which elements of a large collection a call meets.
 *
 * A cursor is a position in the hash order of the collection's table, as SCAN's in that of the keyspace. A small
 * collection is told whole, with cursor 0. */
import { matches } from '../lib/glob.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import type { Memory, Ref } from '../memory/memory.ts'
import { NOT_INTEGER, SYNTAX } from '../protocol/errors.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { SCAN_END, type Table } from '../structures/table.ts'
import type { Call } from './call.ts'

const STAR = 0x2a
const COUNT_DEFAULT = 10
/** Empty buckets are passed over without end, but for this many of them to each element asked for. */
const BUCKETS_PER_ELEMENT = 10
/** Refs that `met` holds for good; it grows for a call with a larger COUNT, and shrinks after it. */
const MET_SIZE = 4096
/** COMMAND KEY CURSOR … */
const FIRST_OPTION = 3

export class CollectionScan {
  /** NOVALUES was given. */
  noValues = false
  /** What `walk` met, and the cursor to go on with. */
  met = new Int32Array(MET_SIZE)
  metCount = 0
  cursor = 0
  /** Argument with the pattern; 0 for none. */
  private pattern = 0
  private wanted = COUNT_DEFAULT

  /** Reads the options; false after replying what is wrong with them. `novalues` tells whether that is one. */
  parse(call: Call, novalues: boolean): boolean {
    this.pattern = 0
    this.wanted = COUNT_DEFAULT
    this.noValues = false
    for (let index = FIRST_OPTION; index < call.argc; index += 2) {
      const hasNext = index + 1 < call.argc
      if (hasNext && call.is(index, 'COUNT')) {
        const count = call.integer(index + 1)
        if (count === undefined || compareInt64(count, 1) < 0) {
          call.reply.error(count === undefined ? NOT_INTEGER : SYNTAX)
          return false
        }
        this.wanted = toNumber(count)
      } else if (hasNext && call.is(index, 'MATCH')) {
        // `*` is no pattern: it would refuse the empty string.
        const all = call.lenOf(index + 1) === 1 && call.bytes[call.posOf(index + 1)] === STAR
        this.pattern = all ? 0 : index + 1
      } else if (novalues && call.is(index, 'NOVALUES')) {
        this.noValues = true
        index--
      } else {
        call.reply.error(SYNTAX)
        return false
      }
    }
    return true
  }

  matches(call: Call, bytes: Uint8Array, pos: number, len: number): boolean {
    const index = this.pattern
    return index === 0 || matches(call.bytes, call.posOf(index), call.lenOf(index), bytes, pos, len)
  }

  /** Collects in `met` the next elements of a table whose keys match. */
  walk(call: Call, memory: Memory, table: Table, root: Ref, cursor: number): void {
    let position = cursor
    let looked = 0
    let buckets = 0
    this.metCount = 0
    do {
      position = table.scan(root, position)
      looked += table.foundCount
      for (let index = 0; index < table.foundCount; index++) {
        const element = table.found[index]! as Ref
        const bytes = memory.bytesOf(element)
        if (!this.matches(call, bytes, keyPosOf(memory, element), keyLenOf(memory, element))) continue
        if (this.metCount === this.met.length) this.growMet()
        this.met[this.metCount++] = element
      }
      buckets++
    } while (position !== SCAN_END && looked < this.wanted && buckets <= this.wanted * BUCKETS_PER_ELEMENT)
    this.cursor = position === SCAN_END ? 0 : position
  }

  private growMet(): void {
    const larger = new Int32Array(this.met.length * 2)
    larger.set(this.met)
    this.met = larger
  }

  /** What `walk` met has been used. */
  end(): void {
    if (this.met.length > MET_SIZE) this.met = new Int32Array(MET_SIZE)
  }
}
