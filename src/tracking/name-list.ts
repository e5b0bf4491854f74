/* Name list: byte strings one behind the other, some of which mean "everything".
 *
 *   | length | bytes | length | bytes | -1 | length | …       the length as four bytes, the lowest first
 */
import { copyBytes } from '../lib/bytes.ts'

const SIZE_MIN = 1024
/** What is kept for the next time. */
const KEPT_MAX = 64 * 1024
const LENGTH_SIZE = 4
/** Stands for all names. */
export const ALL = -1

export class NameList {
  bytes = new Uint8Array(0)
  private size = 0
  // What `next` has come to.
  private at = 0
  pos = 0
  len = 0

  get isEmpty(): boolean {
    return this.size === 0
  }

  add(bytes: Uint8Array, pos: number, len: number): void {
    this.addLength(len, len)
    copyBytes(bytes, pos, this.bytes, this.size, len)
    this.size += len
  }

  addAll(): void {
    this.addLength(ALL, 0)
  }

  private addLength(len: number, room: number): void {
    const needed = this.size + LENGTH_SIZE + room
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(SIZE_MIN, this.bytes.length * 2, needed))
      larger.set(this.bytes)
      this.bytes = larger
    }
    for (let index = 0; index < LENGTH_SIZE; index++) this.bytes[this.size++] = len >>> (index * 8)
  }

  /** Goes to the next name, which is bytes[pos … pos + len), or all if `len` is ALL; false after the last. */
  next(): boolean {
    if (this.at === this.size) return false
    const { bytes, at } = this
    this.len = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    this.pos = at + LENGTH_SIZE
    this.at = this.pos + Math.max(0, this.len)
    return true
  }

  clear(): void {
    this.size = 0
    this.at = 0
    if (this.bytes.length > KEPT_MAX) this.bytes = new Uint8Array(0)
  }
}
