/* Distinct: which of some 32-bit integers have been met, for drawing each but once. An open-addressed table of the
 * integers themselves, at most half full; 0 stands for an empty slot, so 0 itself cannot be met. */

const SIZE_MIN = 64
/** A larger table is not kept for the next use. */
const SIZE_KEPT_MAX = 64 * 1024

export class Distinct {
  private slots = new Int32Array(SIZE_MIN)
  private mask = SIZE_MIN - 1

  /** Forgets all; up to `count` integers will be met. */
  begin(count: number): void {
    let size = SIZE_MIN
    while (size < count * 2) size *= 2
    if (size > this.slots.length || this.slots.length > SIZE_KEPT_MAX) this.slots = new Int32Array(size)
    else this.slots.fill(0, 0, size)
    this.mask = size - 1
  }

  /** Whether the integer, which is not 0, is met for the first time. */
  meet(value: number): boolean {
    const { slots, mask } = this
    let slot = Math.imul(value, 0x9e3779b1) >>> 7
    for (;;) {
      slot &= mask
      const met = slots[slot]!
      if (met === value) return false
      if (met === 0) break
      slot++
    }
    slots[slot] = value
    return true
  }
}
