/* LooseBlock: a block of the arena that no entry refers to yet. A client's long value is received in it, and may stay
 * where it is when a command stores it, so that its bytes are moved by the kernel only.
 *
 *   block   | pad | * 3 … $ 3 SET … $ 1 key … $ 1048576 | value                    | CR LF |
 *                 bytes[0]                              bytes[valuePos], a granule's begin
 *
 * An entry that takes the value refers to its first granule: a large block may be named by any granule of its first
 * page (Memory.capacity). What lies before it is the entry's too from then on. */
import { CHUNK_BYTES, FIRST_PAGE_BYTES, NONE, posOf, type Ref } from '../memory/memory.ts'
import { GRANULE } from '../memory/size-classes.ts'
import type { Keyspace } from './keyspace.ts'

/** Shorter values are copied: what lies before them, and the rounding up to whole pages, would be too much beside. */
const VALUE_MIN = 256 * 1024
/** Longer ones are copied: what has only been announced should not claim much of the arena. */
const SIZE_MAX = CHUNK_BYTES / 2

export class LooseBlock {
  /** As many bytes as were asked for. */
  readonly bytes: Uint8Array
  private readonly keyspace: Keyspace
  private readonly ref: Ref
  private readonly pad: number
  private owned = true

  private constructor(keyspace: Keyspace, size: number, pad: number) {
    this.keyspace = keyspace
    this.pad = pad
    this.ref = keyspace.memory.alloc(size + pad)
    const pos = posOf(this.ref) + pad
    this.bytes = keyspace.memory.bytesOf(this.ref).subarray(pos, pos + size)
    keyspace.tenants++
  }

  /** A block for a request of `size` bytes whose long value begins at `valuePos`; null if a copy is as good. */
  static for(keyspace: Keyspace, size: number, valuePos: number): LooseBlock | null {
    const pad = -valuePos & (GRANULE - 1)
    if (size - valuePos < VALUE_MIN || size + pad > SIZE_MAX || valuePos + pad >= FIRST_PAGE_BYTES) return null
    return new LooseBlock(keyspace, size, pad)
  }

  /** Gives the block away to an entry whose value is `len` bytes at `pos` of `bytes`; returns what it refers to that
   *  by, or NONE if this is not the value that the block was made for. */
  take(bytes: Uint8Array, pos: number, len: number): Ref {
    const off = pos + this.pad
    if (!this.owned || bytes !== this.bytes || len < VALUE_MIN) return NONE
    if (off % GRANULE !== 0 || off >= FIRST_PAGE_BYTES) return NONE
    this.release()
    return (this.ref + off / GRANULE) as Ref
  }

  /** Frees the block, unless it has been taken. */
  free(): void {
    if (!this.owned) return
    this.release()
    this.keyspace.memory.free(this.ref)
  }

  private release(): void {
    this.owned = false
    this.keyspace.tenants--
  }
}
