/* Bits in byte ranges, counted as Redis does: bit 0 is the highest of the first byte.
 *
 *   byte      0          1
 *       +----------+----------+
 *       | 01234567 | 89…      |
 *       +----------+----------+
 *
 * Long ranges are taken a 32-bit word at a time through a view over them, which is worth its 100 ns from WORDS_MIN
 * bytes on. Which end of a word comes first does not matter to what is done with them here.
 *
 * Cost on Node 20, 10 MB: counting 1.8 ms (a table of bytes: 8), searching 0.4, combining two into a third 2.1. */

/** Ranges from this length on are taken by words. */
const WORDS_MIN = 256
/** Words that are compared with as many alike at once when a bit is sought. */
const BLOCK_WORDS = 4096
const ZEROS = new Uint8Array(4 * BLOCK_WORDS)
const ONES = new Uint8Array(4 * BLOCK_WORDS).fill(0xff)

/** How many bits each byte has set. */
const COUNT_OF = Uint8Array.from({ length: 256 }, (_, byte) => countWord(byte))

/** Bits set in a 32-bit word. */
function countWord(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** Bytes before the first one that lies at a multiple of four. */
function unaligned(bytes: Uint8Array, pos: number): number {
  return -(bytes.byteOffset + pos) & 3
}

function viewWords(bytes: Uint8Array, pos: number, len: number): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset + pos, len >>> 2)
}

/** Bits set in the range. */
export function countBits(bytes: Uint8Array, pos: number, len: number): number {
  if (len < WORDS_MIN) return countByBytes(bytes, pos, pos + len)
  const first = pos + unaligned(bytes, pos)
  const words = viewWords(bytes, first, pos + len - first)
  const after = first + words.length * 4
  return countByBytes(bytes, pos, first) + countWords(words) + countByBytes(bytes, after, pos + len)
}

function countByBytes(bytes: Uint8Array, pos: number, end: number): number {
  let count = 0
  for (let at = pos; at < end; at++) count += COUNT_OF[bytes[at]!]!
  return count
}

/** Adds up columns of bits before it counts any (Harley and Seal): of eight words, what is left of the carries is one
 *  word of eights. */
function countWords(words: Int32Array): number {
  const end = words.length & ~7
  let eights = 0
  let fours = 0
  let twos = 0
  let ones = 0
  for (let at = 0; at < end; at += 8) {
    const a = words[at]!
    const b = words[at + 1]!
    const ab = ones ^ a
    const twosA = (ones & a) | (ab & b)
    const abOnes = ab ^ b
    const c = words[at + 2]!
    const d = words[at + 3]!
    const cd = abOnes ^ c
    const twosB = (abOnes & c) | (cd & d)
    const cdOnes = cd ^ d
    const low = twos ^ twosA
    const foursA = (twos & twosA) | (low & twosB)
    const lowTwos = low ^ twosB
    const e = words[at + 4]!
    const f = words[at + 5]!
    const ef = cdOnes ^ e
    const twosC = (cdOnes & e) | (ef & f)
    const efOnes = ef ^ f
    const g = words[at + 6]!
    const h = words[at + 7]!
    const gh = efOnes ^ g
    const twosD = (efOnes & g) | (gh & h)
    ones = gh ^ h
    const high = lowTwos ^ twosC
    const foursB = (lowTwos & twosC) | (high & twosD)
    twos = high ^ twosD
    const sum = fours ^ foursA
    eights += countWord((fours & foursA) | (sum & foursB))
    fours = sum ^ foursB
  }
  let count = 8 * eights + 4 * countWord(fours) + 2 * countWord(twos) + countWord(ones)
  for (let at = end; at < words.length; at++) count += countWord(words[at]!)
  return count
}

/** The place of the first bit in the range that is `bit` (0 or 1), counted from its beginning; -1 if there is none. */
export function findBit(bytes: Uint8Array, pos: number, len: number, bit: number): number {
  const skipped = bit === 1 ? 0 : 0xff
  const end = pos + len
  let at = pos
  if (len >= WORDS_MIN) {
    const first = pos + unaligned(bytes, pos)
    while (at < first && bytes[at] === skipped) at++
    if (at === first) at += countAlike(viewWords(bytes, first, end - first), bit === 1 ? 0 : -1) * 4
  }
  while (at < end && bytes[at] === skipped) at++
  if (at === end) return -1
  return (at - pos) * 8 + Math.clz32((bytes[at]! ^ skipped) << 24)
}

/** How many words at the beginning are this one. */
function countAlike(words: Int32Array, word: number): number {
  const end = words.length & ~3
  let at = skipBlocks(words, word)
  while (at < end) {
    const unlike = (words[at]! ^ word) | (words[at + 1]! ^ word) | (words[at + 2]! ^ word) | (words[at + 3]! ^ word)
    if (unlike !== 0) break
    at += 4
  }
  while (at < words.length && words[at] === word) at++
  return at
}

/** Passes over whole blocks that are nothing but this word, which must be 0 or -1: comparing memory is three times as
 *  fast as looking at words. */
function skipBlocks(words: Int32Array, word: number): number {
  if (words.length < BLOCK_WORDS) return 0
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
  const like = word === 0 ? ZEROS : ONES
  let at = 0
  for (; at + BLOCK_WORDS <= words.length; at += BLOCK_WORDS) {
    if (bytes.compare(like, 0, like.length, at * 4, at * 4 + like.length) !== 0) break
  }
  return at
}

export const BitOp = { AND: 0, OR: 1, XOR: 2, NOT: 3 } as const
export type BitOp = (typeof BitOp)[keyof typeof BitOp]

/** Makes the target's bytes what they are AND, OR or XOR those of the source; NOT takes the source's alone. The ranges
 *  must not overlap. */
export function combineBits(
  op: BitOp,
  source: Uint8Array,
  sourcePos: number,
  target: Uint8Array,
  targetPos: number,
  len: number,
): void {
  const skipped = unaligned(target, targetPos)
  if (len < WORDS_MIN || unaligned(source, sourcePos) !== skipped) {
    return combineByBytes(op, source, sourcePos, target, targetPos, len)
  }
  combineByBytes(op, source, sourcePos, target, targetPos, skipped)
  const left = len - skipped
  combineWords(op, viewWords(source, sourcePos + skipped, left), viewWords(target, targetPos + skipped, left))
  const done = skipped + (left & ~3)
  combineByBytes(op, source, sourcePos + done, target, targetPos + done, len - done)
}

function combineByBytes(
  op: BitOp,
  source: Uint8Array,
  sourcePos: number,
  target: Uint8Array,
  targetPos: number,
  len: number,
): void {
  for (let off = 0; off < len; off++) {
    const byte = source[sourcePos + off]!
    if (op === BitOp.AND) target[targetPos + off]! &= byte
    else if (op === BitOp.OR) target[targetPos + off]! |= byte
    else if (op === BitOp.XOR) target[targetPos + off]! ^= byte
    else target[targetPos + off] = ~byte
  }
}

function combineWords(op: BitOp, source: Int32Array, target: Int32Array): void {
  const count = target.length
  if (op === BitOp.AND) for (let at = 0; at < count; at++) target[at]! &= source[at]!
  else if (op === BitOp.OR) for (let at = 0; at < count; at++) target[at]! |= source[at]!
  else if (op === BitOp.XOR) for (let at = 0; at < count; at++) target[at]! ^= source[at]!
  else for (let at = 0; at < count; at++) target[at] = ~source[at]!
}
