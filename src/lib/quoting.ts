/* Quoting: how a line of text is cut into arguments, and how bytes are shown so that they could be.
 *
 * `splitArgs` cuts inline commands and configuration lines; `writeQuoted` makes MONITOR's lines, `quote` those of logs
 * and what CONFIG REWRITE saves. Inside "double quotes" \n \r \t \b \a \xHH and \<any> are escapes, inside 'single
 * quotes' only \'. A closing quote must end its argument. A NUL byte ends the line, as it does for Redis, which works
 * on C strings here. All of it is cold, but for MONITOR's. */
import { latin1 } from './bytes.ts'

const NUL = 0
const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27
const BACKSLASH = 0x5c
const LETTER_X = 0x78

/** What follows the backslash, and what is meant. */
const ESCAPES: readonly (readonly [letter: string, byte: number])[] = [
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
  ['b', 0x08],
  ['a', 0x07],
]

/** As C's isspace. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

/** As C's isprint. */
function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1
}

/** The arguments of a line, or undefined when its quotes are unbalanced. */
export function splitArgs(bytes: Uint8Array, pos: number, len: number): Uint8Array[] | undefined {
  const line = new Uint8Array(len + 1) // ends in NUL, so that looking ahead needs no bounds
  line.set(bytes.subarray(pos, pos + len))
  const args: Uint8Array[] = []
  const scratch = new Uint8Array(len)
  let at = 0
  for (;;) {
    while (isSpace(line[at]!)) at++
    if (line[at] === NUL) return args
    const cursor = { at, count: 0 }
    if (!readArg(line, cursor, scratch)) return undefined
    args.push(scratch.slice(0, cursor.count))
    at = cursor.at
  }
}

/** Reads one argument into `target`; the cursor moves behind it and counts its bytes. False: unbalanced quotes. */
function readArg(line: Uint8Array, cursor: { at: number; count: number }, target: Uint8Array): boolean {
  for (;;) {
    const byte = line[cursor.at]!
    if (byte === NUL) return true
    cursor.at++
    if (byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d) return true
    if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) return readQuoted(line, cursor, target, byte)
    target[cursor.count++] = byte // \v and \f separate arguments, yet belong to one that has begun
  }
}

function readQuoted(
  line: Uint8Array,
  cursor: { at: number; count: number },
  target: Uint8Array,
  quoteByte: number,
): boolean {
  for (;;) {
    let byte = line[cursor.at++]!
    if (byte === NUL) return false
    if (byte === quoteByte) {
      const next = line[cursor.at]!
      if (next !== NUL && !isSpace(next)) return false
      if (next !== NUL) cursor.at++
      return true
    }
    const escaped = line[cursor.at]!
    if (byte === BACKSLASH && quoteByte === SINGLE_QUOTE && escaped === SINGLE_QUOTE) {
      byte = SINGLE_QUOTE
      cursor.at++
    } else if (byte === BACKSLASH && quoteByte === DOUBLE_QUOTE && escaped !== NUL) {
      const high = escaped === LETTER_X ? hexDigit(line[cursor.at + 1]!) : -1
      const low = high >= 0 ? hexDigit(line[cursor.at + 2]!) : -1
      byte = low >= 0 ? high * 16 + low : unescaped(escaped)
      cursor.at += low >= 0 ? 3 : 1
    }
    target[cursor.count++] = byte
  }
}

function unescaped(letter: number): number {
  for (const [name, byte] of ESCAPES) if (name.charCodeAt(0) === letter) return byte
  return letter
}

/** The bytes in double quotes, everything unprintable escaped. */
export function quote(bytes: Uint8Array, pos: number, len: number): string {
  const target = new Uint8Array(quotedLengthMax(len))
  return latin1(target, 0, writeQuoted(bytes, pos, len, target, 0))
}

/** Whether the bytes must be quoted to be read back as one argument (an empty string is not asked about). */
export function needsRepr(bytes: Uint8Array, pos: number, len: number): boolean {
  for (let at = pos; at < pos + len; at++) {
    const byte = bytes[at]!
    if (byte === BACKSLASH || byte === DOUBLE_QUOTE || byte === 0x20 || !isPrintable(byte)) return true
  }
  return false
}

/** How each byte is shown: 0 as it is, LETTER_X in hex, any other letter behind a backslash. */
const SHOWN = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === BACKSLASH || byte === DOUBLE_QUOTE) return byte
  const letter = ESCAPES.find(([, meant]) => meant === byte)?.[0]
  if (letter !== undefined) return letter.charCodeAt(0)
  return isPrintable(byte) ? 0 : LETTER_X
})
const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))

/** At most so many bytes are written for `len` bytes. */
export const quotedLengthMax = (len: number): number => 4 * len + 2

/** As `quote`, into `target` from `targetPos` on; returns the position behind it. For MONITOR, which quotes
 *  everything. */
export function writeQuoted(
  bytes: Uint8Array,
  pos: number,
  len: number,
  target: Uint8Array,
  targetPos: number,
): number {
  let at = targetPos
  target[at++] = DOUBLE_QUOTE
  for (let index = pos; index < pos + len; index++) {
    const byte = bytes[index]!
    const shown = SHOWN[byte]!
    if (shown === 0) {
      target[at++] = byte
      continue
    }
    target[at++] = BACKSLASH
    target[at++] = shown
    if (shown === LETTER_X) {
      target[at++] = HEX[byte >>> 4]!
      target[at++] = HEX[byte & 15]!
    }
  }
  target[at++] = DOUBLE_QUOTE
  return at
}
