/* Large buffers: what requests are received in and replies are written into, if it is long.
 *
 *   malloc          | small | 300 KB, free | small | 1 MB, free | small | … free |     stays resident
 *   an arena's      | 300 KB | 1 MB | 68 KB | never written to … |                     goes back, chunk by chunk
 *
 * glibc has a mapping for a block of its own only if that is larger than the largest one ever given back, and gives
 * back what lies at the end of its heap only: after chunks of 16 MB have come and gone, buffers of up to as much lie in
 * the heap among small things, and 80 MB and more stay behind. Here they are blocks of an arena of their own, whose
 * chunks are the system's again when no buffer is left.
 *
 * Nobody collects these: who takes one gives it back. Shorter ones are common arrays, and so are those that no block of
 * an arena can hold. */
import { release } from '../lib/release.ts'
import { BLOCK_BYTES_MAX, Memory, NONE, posOf } from './memory.ts'

const SIZE_MIN = 32 * 1024
/** Calls of `trim` between those that give back the chunk in reserve. */
const PURGE_EVERY = 16

export class LargeBuffers {
  /** Made when the first buffer is wanted. */
  private memory: Memory | null = null
  /** Whether there was no buffer when `trim` was last called. */
  private wasUnused = false
  private trims = 0

  /** Bytes that the buffers lie in, used or not, as far as they take memory. */
  get residentBytes(): number {
    return this.memory === null ? 0 : this.memory.residentBytes
  }

  /** A buffer of just this size, its content undefined. */
  take(size: number): Uint8Array {
    if (size < SIZE_MIN || size > BLOCK_BYTES_MAX) return new Uint8Array(size)
    this.memory ??= newMemory()
    const ref = this.memory.alloc(size)
    const pos = posOf(ref)
    return this.memory.bytesOf(ref).subarray(pos, pos + size)
  }

  /** Nobody will look at this buffer any more, nor at any part of it. */
  give(bytes: Uint8Array): void {
    if (bytes.length < SIZE_MIN) return
    const ref = this.memory === null ? NONE : this.memory.refOf(bytes)
    if (this.memory === null || ref === NONE) release(bytes)
    else this.memory.free(ref)
  }

  /** Gives memory back that has not been wanted for a while: a chunk a call. To be called now and then. */
  trim(): void {
    const { memory } = this
    if (memory === null || memory.discard()) return
    const isUnused = memory.blockCount === 0
    if (isUnused && this.wasUnused && memory.residentBytes > 0) memory.reset(0)
    else if (++this.trims % PURGE_EVERY === 0) memory.purge()
    this.wasUnused = isUnused
  }

  /** No buffer overlaps another, and none is lost. */
  verify(): void {
    this.memory?.verify()
  }
}

function newMemory(): Memory {
  const memory = new Memory()
  memory.discardsLater = true
  return memory
}

/** The process's. */
export const largeBuffers = new LargeBuffers()
