/* Topics by name: a hash table from the bytes of a name to its topic, so that a message finds its channel without a
 * string being made of it.
 *
 *   slot       0     1      2      3           open addressing: the next free slot after the one that the hash names;
 *   hashes   |     | h(a) | h(b) | h(c) |      what is taken out is filled from behind, so there are no tombstones
 *   topics   |null | a    | b    | c    |
 *
 * Always: at most half of the slots are taken. */
import { hashBytes } from '../lib/siphash.ts'
import { Topic } from './topic.ts'

const SLOTS_MIN = 16

export class Topics {
  count = 0
  private hashes = new Int32Array(SLOTS_MIN)
  private topics: (Topic | null)[] = new Array<Topic | null>(SLOTS_MIN).fill(null)

  private get mask(): number {
    return this.hashes.length - 1
  }

  find(bytes: Uint8Array, pos: number, len: number): Topic | null {
    if (this.count === 0) return null
    return this.topics[this.slotOf(bytes, pos, len, hashBytes(bytes, pos, len))]!
  }

  /** The slot that holds the name, or the one where it belongs. */
  private slotOf(bytes: Uint8Array, pos: number, len: number, hash: number): number {
    const { hashes, topics, mask } = this
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const topic = topics[slot]!
      if (topic === null || (hashes[slot] === hash && isNamed(topic.name, bytes, pos, len))) return slot
    }
  }

  /** Adds a topic of a name that is not there. */
  add(bytes: Uint8Array, pos: number, len: number, name: string): Topic {
    if (2 * (this.count + 1) > this.hashes.length) this.resize(2 * this.hashes.length)
    const hash = hashBytes(bytes, pos, len)
    const slot = this.slotOf(bytes, pos, len, hash)
    const topic = new Topic(name)
    this.hashes[slot] = hash
    this.topics[slot] = topic
    this.count++
    return topic
  }

  delete(bytes: Uint8Array, pos: number, len: number): void {
    if (this.count === 0) return
    let gap = this.slotOf(bytes, pos, len, hashBytes(bytes, pos, len))
    const { hashes, topics, mask } = this
    if (topics[gap] === null) return
    for (let slot = (gap + 1) & mask; topics[slot] !== null; slot = (slot + 1) & mask) {
      // It may move up to the gap unless its own place lies between.
      const home = hashes[slot]! & mask
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue
      hashes[gap] = hashes[slot]!
      topics[gap] = topics[slot]!
      gap = slot
    }
    topics[gap] = null
    this.count--
    if (this.hashes.length > SLOTS_MIN && 8 * this.count < this.hashes.length) this.resize(this.hashes.length / 2)
  }

  private resize(slots: number): void {
    const { hashes, topics } = this
    this.hashes = new Int32Array(slots)
    this.topics = new Array<Topic | null>(slots).fill(null)
    for (let old = 0; old < hashes.length; old++) {
      const topic = topics[old]!
      if (topic === null) continue
      let slot = hashes[old]! & this.mask
      while (this.topics[slot] !== null) slot = (slot + 1) & this.mask
      this.hashes[slot] = hashes[old]!
      this.topics[slot] = topic
    }
  }

  /** The topics, in no particular order. */
  *all(): Generator<Topic> {
    for (const topic of this.topics) if (topic !== null) yield topic
  }
}

function isNamed(name: string, bytes: Uint8Array, pos: number, len: number): boolean {
  if (name.length !== len) return false
  for (let index = 0; index < len; index++) if (name.charCodeAt(index) !== bytes[pos + index]) return false
  return true
}
