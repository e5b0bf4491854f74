/* Glob patterns over bytes, as KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET and ACL rules understand them.
 *
 *   *       any bytes        [abc]  one of       \x  x itself, in a class too
 *   ?       any one byte     [a-z]  a range      [^…]  one that is not
 *
 * Everything but a star takes exactly one byte. So when a later star cannot be satisfied, giving an earlier one more
 * bytes cannot help, and only the latest star is ever retried: no recursion, and at most patternLen * len steps, where
 * naive backtracking is exponential.
 *
 * Redis's own corners are kept, since clients see them:
 * - nothing but the empty pattern matches the empty string, not even "*";
 * - a pattern with more than a thousand stars before its last token matches nothing (the patch releases since 7.2.6, as
 *   7.0.15 in the distributions, stop there);
 * - an unclosed class ends with the pattern; "[]" matches nothing, "[^]" anything; a trailing "\" is itself;
 * - a range compares signed bytes and takes its ends in either order; an escape in a class ignores `nocase`. */
import { asciiLower } from './bytes.ts'

const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const BACKSLASH = 0x5c
const CARET = 0x5e
const DASH = 0x2d
/** Stars followed by something else that a pattern may have. */
const STARS_MAX = 1000

/** Whether the bytes match the pattern; with `nocase`, ASCII letters of either case are equal. */
export function matches(
  pattern: Uint8Array,
  patternPos: number,
  patternLen: number,
  bytes: Uint8Array,
  pos: number,
  len: number,
  nocase = false,
): boolean {
  if (len === 0) return patternLen === 0
  const patternEnd = patternPos + patternLen
  const end = pos + len
  let token = patternPos
  let at = pos
  let retryToken = -1 // just after the latest star
  let retryAt = 0 // where that star's bytes end so far
  let stars = 0
  while (at < end) {
    if (token < patternEnd && pattern[token] === STAR) {
      while (token < patternEnd && pattern[token] === STAR) token++
      if (token === patternEnd) return true
      if (++stars > STARS_MAX) return false
      retryToken = token
      retryAt = at
      continue
    }
    const next = token < patternEnd ? matchOne(pattern, token, patternEnd, bytes[at]!, nocase) : -1
    if (next >= 0) {
      token = next
      at++
    } else {
      if (retryToken < 0) return false
      token = retryToken
      at = ++retryAt
    }
  }
  while (token < patternEnd && pattern[token] === STAR) token++
  return token === patternEnd
}

/** The position after the token at `token` if it takes `byte`, or below 0. The token is not a star. */
function matchOne(pattern: Uint8Array, token: number, patternEnd: number, byte: number, nocase: boolean): number {
  let literal = pattern[token]!
  let after = token + 1
  if (literal === QUESTION) return after
  if (literal === OPEN) return matchClass(pattern, after, patternEnd, byte, nocase)
  if (literal === BACKSLASH && after < patternEnd) literal = pattern[after++]!
  return literal === byte || (nocase && asciiLower(literal) === asciiLower(byte)) ? after : -1
}

/** The position after the class whose content starts at `start`, if it takes `byte`, or below 0. */
function matchClass(pattern: Uint8Array, start: number, patternEnd: number, byte: number, nocase: boolean): number {
  const negated = start < patternEnd && pattern[start] === CARET
  const folded = nocase ? asciiLower(byte) : byte
  let found = false
  let at = negated ? start + 1 : start
  for (; at < patternEnd && pattern[at] !== CLOSE; at++) {
    const left = patternEnd - at
    if (pattern[at] === BACKSLASH && left >= 2) {
      at++
      if (pattern[at] === byte) found = true
    } else if (left >= 3 && pattern[at + 1] === DASH) {
      if (inRange(pattern[at]!, pattern[at + 2]!, byte, nocase)) found = true
      at += 2
    } else if ((nocase ? asciiLower(pattern[at]!) : pattern[at]) === folded) {
      found = true
    }
  }
  if (found === negated) return -1
  return at < patternEnd ? at + 1 : patternEnd
}

/** Whether a byte lies in a range. The ends are put in order first, and folded then. */
function inRange(one: number, other: number, byte: number, nocase: boolean): boolean {
  const swapped = signed(one) > signed(other)
  const low = rangeValue(swapped ? other : one, nocase)
  const high = rangeValue(swapped ? one : other, nocase)
  const value = rangeValue(byte, nocase)
  return value >= low && value <= high
}

/** What a range compares: a C char, which gcc has signed on x86; with nocase, what glibc's tolower makes of it, which
 *  is a letter in lower case, but unsigned from 0x80 to 0xfe. */
function rangeValue(byte: number, nocase: boolean): number {
  return nocase && byte !== 0xff ? asciiLower(byte) : signed(byte)
}

function signed(byte: number): number {
  return (byte << 24) >> 24
}
