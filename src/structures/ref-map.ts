/* RefMap: numbers by ref, outside the JavaScript heap: open addressing in two typed arrays.
 *
 *   slot   0      1      2      3                    a ref lies in the slot that its mixed bits name, or in the
 *        +------+------+------+------+               first free one behind that
 *   keys | ref  | NONE | ref  | NONE | …
 *        +------+------+------+------+
 *   values as many
 *
 * Nothing is ever taken out: who uses it forgets the whole. At most half of the slots are taken. */
import { assert } from '../lib/assert.ts'
import { NONE, type Ref } from '../memory/memory.ts'

const SIZE_MIN = 64

export class RefMap {
  count = 0
  private keys = new Int32Array(SIZE_MIN)
  private values = new Int32Array(SIZE_MIN)

  constructor(expected = 0) {
    let size = SIZE_MIN
    while (size < expected * 2) size *= 2
    this.resize(size)
  }

  /** Bytes of the map itself. */
  get bytes(): number {
    return this.keys.byteLength * 2
  }

  private resize(size: number): void {
    const { keys, values } = this
    this.keys = new Int32Array(size)
    this.values = new Int32Array(size)
    for (let slot = 0; slot < keys.length; slot++) {
      if (keys[slot] === NONE) continue
      const target = this.slotOf(keys[slot]! as Ref)
      this.keys[target] = keys[slot]!
      this.values[target] = values[slot]!
    }
  }

  private slotOf(ref: Ref): number {
    const { keys } = this
    const mask = keys.length - 1
    let slot = (Math.imul(ref, 0x9e3779b1) >>> 7) & mask
    while (keys[slot] !== NONE && keys[slot] !== ref) slot = (slot + 1) & mask
    return slot
  }

  set(ref: Ref, value: number): void {
    if ((this.count + 1) * 2 > this.keys.length) this.resize(this.keys.length * 2)
    const slot = this.slotOf(ref)
    if (this.keys[slot] === NONE) this.count++
    this.keys[slot] = ref
    this.values[slot] = value
  }

  has(ref: Ref): boolean {
    return this.keys[this.slotOf(ref)] === ref
  }

  /** The ref's number, or -1. */
  get(ref: Ref): number {
    const slot = this.slotOf(ref)
    return this.keys[slot] === ref ? this.values[slot]! : -1
  }

  /** The essay's "At most". */
  verify(): void {
    let taken = 0
    for (const key of this.keys) if (key !== NONE) taken++
    assert(taken === this.count && taken * 2 <= this.keys.length, 'at most half of the slots are taken')
  }
}
