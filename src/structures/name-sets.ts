/* Name sets: byte strings (names of keys), each with a set of ids (of clients): who is interested in what.
 *
 *   name   word  0      1          2       [3]
 *              +------+----------+-------+----------+------------+
 *              | head | id or ids| count | long len | name bytes |    the long length from 65,535 bytes on
 *              +------+----------+-------+----------+------------+
 *                        |
 *                        `-> | id | id | id | room |    in ascending order, from the second id on
 *
 * Names stand in a table (table.ts), `head` is entry-head.ts's. An id is a 32-bit word: of a larger number its low
 * half. Most names have one id, which costs nothing more; a set of many is found by bisection, and grows twofold. A
 * name's ref stays the same as long as it has an id.
 *
 * Always: count > 0; ids ascend; one id stands in word 1, more in a block of their own. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { KEY_LEN_LONG, KEY_LEN_SHIFT, keyLenOf, keyPosOf } from './entry-head.ts'
import { SCAN_END, Table } from './table.ts'

const IDS = 1
const COUNT = 2
const LONG_LEN = 3
const FIXED_WORDS = 3

export class NameSets {
  readonly memory: Memory
  readonly table: Table
  /** Ids in all sets. */
  idCount = 0
  /** Whether the last `add` made a new name. */
  madeName = false

  constructor(memory: Memory) {
    this.memory = memory
    this.table = new Table(memory)
  }

  /** Makes an empty collection of names; `table` walks it. */
  create(): Ref {
    return this.table.create()
  }

  /** How many names there are. */
  nameCount(root: Ref): number {
    return this.table.count(root)
  }

  /** The name's ref, NONE if nobody is interested in it. */
  find(root: Ref, bytes: Uint8Array, pos: number, len: number, hash: number): Ref {
    return this.table.find(root, bytes, pos, len, hash)
  }

  /** Adds an id to a name's set; returns the name, or NONE if the set had it. Allocates. */
  add(root: Ref, bytes: Uint8Array, pos: number, len: number, hash: number, id: number): Ref {
    const found = this.table.find(root, bytes, pos, len, hash)
    this.madeName = found === NONE
    if (found !== NONE) return this.addId(found, id | 0) ? found : NONE
    const name = this.createName(bytes, pos, len, id | 0)
    this.table.insert(root, name, hash)
    this.idCount++
    return name
  }

  /** Makes a name's set this one id. Allocates. */
  put(root: Ref, bytes: Uint8Array, pos: number, len: number, hash: number, id: number): void {
    const { memory } = this
    const found = this.table.find(root, bytes, pos, len, hash)
    if (found === NONE) {
      this.add(root, bytes, pos, len, hash, id)
      return
    }
    const count = this.count(found)
    if (count > 1) memory.free(memory.word(found, IDS) as Ref)
    this.idCount -= count - 1
    memory.setWord(found, COUNT, 1)
    memory.setWord(found, IDS, id | 0)
  }

  /** Frees a collection with all its names. */
  free(root: Ref): void {
    const { table, memory } = this
    for (let position = 0; position !== SCAN_END; ) {
      position = table.dismantle(root, position)
      for (let index = 0; index < table.foundCount; index++) this.freeName(table.found[index]! as Ref)
    }
    memory.trim()
  }

  private freeName(name: Ref): void {
    const { memory } = this
    const count = this.count(name)
    this.idCount -= count
    if (count > 1) memory.free(memory.word(name, IDS) as Ref)
    memory.free(name)
  }

  /** Forgets everything at once: every root and name is dead. Chunks of memory are to be given back with `discard`. */
  reset(): void {
    this.memory.reset()
    this.idCount = 0
  }

  private createName(bytes: Uint8Array, pos: number, len: number, id: number): Ref {
    const { memory } = this
    const long = len >= KEY_LEN_LONG
    const keyWord = long ? FIXED_WORDS + 1 : FIXED_WORDS
    const name = memory.alloc((keyWord << 2) + len)
    memory.setWord(name, 0, keyWord | ((long ? KEY_LEN_LONG : len) << KEY_LEN_SHIFT))
    memory.setWord(name, IDS, id)
    memory.setWord(name, COUNT, 1)
    if (long) memory.setWord(name, LONG_LEN, len)
    copyBytes(bytes, pos, memory.bytesOf(name), keyPosOf(memory, name), len)
    return name
  }

  private addId(name: Ref, id: number): boolean {
    const { memory } = this
    const count = this.count(name)
    const rank = this.rankOf(name, id)
    if (rank >= 0) return false
    let ids: Ref
    if (count === 1) {
      const first = memory.word(name, IDS)
      ids = memory.alloc(16)
      memory.setWord(ids, 0, first)
    } else {
      ids = memory.word(name, IDS) as Ref
      if (memory.capacity(ids) < (count + 1) << 2) ids = memory.resize(ids, count << 3, count << 2)
    }
    for (let slot = count; slot > ~rank; slot--) memory.setWord(ids, slot, memory.word(ids, slot - 1))
    memory.setWord(ids, ~rank, id)
    memory.setWord(name, IDS, ids)
    memory.setWord(name, COUNT, count + 1)
    this.idCount++
    return true
  }

  /** The slot of an id in its set, or `~slot` of where it belongs. */
  private rankOf(name: Ref, id: number): number {
    let first = 0
    let after = this.count(name)
    while (first < after) {
      const middle = (first + after) >>> 1
      const other = this.idAt(name, middle)
      if (other === id) return middle
      if (other < id) first = middle + 1
      else after = middle
    }
    return ~first
  }

  count(name: Ref): number {
    return this.memory.word(name, COUNT)
  }

  /** The id in a slot, as a signed 32-bit number. */
  idAt(name: Ref, slot: number): number {
    const word = this.memory.word(name, IDS)
    return this.count(name) === 1 ? word : this.memory.word(word as Ref, slot)
  }

  /** Where the name's bytes are, and how many. */
  posOf(name: Ref): number {
    return keyPosOf(this.memory, name)
  }
  lenOf(name: Ref): number {
    return keyLenOf(this.memory, name)
  }
  bytesOf(name: Ref): Uint8Array {
    return this.memory.bytesOf(name)
  }

  /** Takes an id, which must be there, out of a name's set; the name goes with its last one (`true` then). */
  remove(root: Ref, name: Ref, id: number): boolean {
    const { memory } = this
    const count = this.count(name)
    if (count === 1) {
      this.removeName(root, name)
      return true
    }
    const ids = memory.word(name, IDS) as Ref
    for (let slot = this.rankOf(name, id | 0); slot + 1 < count; slot++) {
      memory.setWord(ids, slot, memory.word(ids, slot + 1))
    }
    memory.setWord(name, COUNT, count - 1)
    this.idCount--
    if (count === 2) {
      memory.setWord(name, IDS, memory.word(ids, 0))
      memory.free(ids)
    } else if (count << 4 < memory.capacity(ids)) {
      memory.setWord(name, IDS, memory.resize(ids, count << 3, (count - 1) << 2))
    }
    return false
  }

  /** Takes out a name and its whole set. */
  removeName(root: Ref, name: Ref): void {
    const { table } = this
    table.find(root, this.bytesOf(name), this.posOf(name), this.lenOf(name), table.hashOf(name))
    table.removeFound(root)
    this.freeName(name)
  }

  /** The essay's "Always". */
  verify(root: Ref): void {
    const { table, memory } = this
    table.verify(root)
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(root, position)
      for (let index = 0; index < table.foundCount; index++) {
        const name = table.found[index]! as Ref
        const count = this.count(name)
        assert(count > 0, 'a name has an id')
        if (count > 1) assert(memory.capacity(memory.word(name, IDS) as Ref) >= count << 2, 'the ids have room')
        for (let slot = 1; slot < count; slot++) {
          assert(this.idAt(name, slot - 1) < this.idAt(name, slot), 'ids ascend')
        }
      }
    }
  }
}
