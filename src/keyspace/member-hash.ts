/* Member hash: hashes of members and fields, which pipelined commands have worked out ahead.
 *
 * Reading ahead (commands/batch.ts) hashes the first member that each command of a batch names, to have the member's
 * bucket read before it is wanted. Before a command runs, the batch leaves the hash here, and the value's table finds
 * it when it asks for the hash of just those bytes. One thread, one command at a time: one hash is enough. */
import { hashBytes } from '../lib/siphash.ts'

let aheadBytes: Uint8Array | null = null
let aheadPos = -1
let aheadHash = 0

/** The member that begins here has this hash. It is good until its bytes change: then say so. */
export function knowMemberHash(bytes: Uint8Array, pos: number, hash: number): void {
  aheadBytes = bytes
  aheadPos = pos
  aheadHash = hash
}

export function knowNoMemberHash(): void {
  aheadPos = -1
}

export function hashMember(bytes: Uint8Array, pos: number, len: number): number {
  return pos === aheadPos && bytes === aheadBytes ? aheadHash : hashBytes(bytes, pos, len)
}
