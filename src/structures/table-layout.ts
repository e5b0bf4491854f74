/* The layout of a table (table.ts): where its words lie, and how slots are found by fingerprints.
 *
 *   root   | count | depth | directory | bits | deepest | segments | overflows |
 *
 *   directory   2^depth pairs, found by the hash's top `depth` bits; neighbours may share a segment
 *          | segment, its depth | segment, its depth | …
 *
 *   segment     a line of header, then 2^bits buckets of one cache line, found by the `bits` bits of the hash that
 *          | count | crowded (2) | …    follow the segment's own depth; crowded: a bit for each bucket, set if it
 *                                       may have an overflow bucket
 *          | bucket | bucket | …
 *
 *   bucket      word 0 … 2        3        4 … 15
 *          | 12 fingerprints |  next  |  12 refs  |    fingerprint: low byte of the hash; next: an overflow bucket
 *
 * A bucket's place is thus a prefix of the hash, whatever the segments' depths: the table is ordered by hash.
 *
 * Always: an entry is in the bucket chain its hash names; refs are dense from slot 0 of the chain on (only the last
 * bucket of a chain has room); a segment's count and the root's are true; bits < SEGMENT_BITS only while depth is 0;
 * `deepest` segments have the directory's depth; `overflows` overflow buckets are in use. */
import type { Memory, Ref } from '../memory/memory.ts'

// Words of the root.
export const COUNT = 0
export const DEPTH = 1
export const DIRECTORY = 2
export const BITS = 3
export const DEEPEST = 4
export const SEGMENTS = 5
export const OVERFLOWS = 6
export const ROOT_SIZE = 7 * 4

// Words of a segment's header, besides COUNT.
export const CROWDED = 1

// Words of a bucket.
export const LINE_WORDS = 16
export const LINE_SHIFT = 4
export const LINE_SIZE = LINE_WORDS * 4
export const NEXT = 3
export const SLOT_0 = 4
export const SLOTS = 12
/** A ref counts granules of so many words, of which a line is a few. */
export const REF_WORDS_SHIFT = 2
export const LINE_REF_SHIFT = LINE_SHIFT - REF_WORDS_SHIFT

export const SEGMENT_BITS = 6

export const HASH_SPAN = 2 ** 32

const ONES = 0x01010101
const HIGHS = 0x80808080 | 0
const HIGHEST = 0x80000000 | 0
const SLOTS_IN_WORD = 4

/** Index of the hash's pair in the directory, in words. */
export function pairOf(memory: Memory, root: Ref, hash: number): number {
  return ((hash >>> 1) >>> (31 - memory.word(root, DEPTH))) << 1
}

/** The slots of a bucket that have this fingerprint, for `slotOf` and `hitsAfter`; rarely another one, or one that is
 *  empty.
 *
 * The high bits of bytes that match (the classic test for a zero byte, which may err in the byte above one) come to lie
 * in bits 3, 2 and 1 of the four bytes of one word: the bit is the group of four, the byte the slot in it. */
export function hitsOf(words: Int32Array, bucket: number, fingerprint: number): number {
  const pattern = Math.imul(fingerprint, ONES)
  const a = words[bucket]! ^ pattern
  const b = words[bucket + 1]! ^ pattern
  const c = words[bucket + 2]! ^ pattern
  return (((a - ONES) & ~a & HIGHS) >>> 4) | (((b - ONES) & ~b & HIGHS) >>> 5) | (((c - ONES) & ~c & HIGHS) >>> 6)
}

/** The word in its bucket of one of the slots told by `hitsOf`; if there is none, NEXT. */
export function slotOf(hits: number): number {
  const zeros = Math.clz32(hits)
  return SLOT_0 + SLOTS_IN_WORD - 1 + ((zeros & 3) << 2) - (zeros >> 3)
}

/** The hits without that one. */
export function hitsAfter(hits: number): number {
  return hits ^ (HIGHEST >>> Math.clz32(hits))
}

export function fingerprintAt(words: Int32Array, bucket: number, slot: number): number {
  const index = slot - SLOT_0
  return (words[bucket + (index >> 2)]! >>> ((index & 3) << 3)) & 0xff
}

export function setFingerprint(words: Int32Array, bucket: number, slot: number, fingerprint: number): void {
  const index = slot - SLOT_0
  const shift = (index & 3) << 3
  const at = bucket + (index >> 2)
  words[at] = (words[at]! & ~(0xff << shift)) | (fingerprint << shift)
}
