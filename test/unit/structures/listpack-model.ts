/* A plain encoder of listpacks, to compare ours with: written from the format's description, slow, and sharing nothing
 * with src/ but its random numbers. Elements are byte strings, one character a byte. */

import type { Random } from '../../../src/lib/random.ts'

const INT64_MIN = -(1n << 63n)
const INT64_MAX = (1n << 63n) - 1n

function littleEndian(value: bigint, size: number): number[] {
  return Array.from({ length: size }, (_, at) => Number((value >> BigInt(8 * at)) & 255n))
}

function encodeInteger(value: bigint): number[] {
  const fits = (bits: bigint): boolean => value >= -(1n << (bits - 1n)) && value < 1n << (bits - 1n)
  if (value >= 0n && value <= 127n) return [Number(value)]
  if (fits(13n)) return [0xc0 | Number((value >> 8n) & 31n), Number(value & 255n)]
  if (fits(16n)) return [0xf1, ...littleEndian(value, 2)]
  if (fits(24n)) return [0xf2, ...littleEndian(value, 3)]
  if (fits(32n)) return [0xf3, ...littleEndian(value, 4)]
  return [0xf4, ...littleEndian(value, 8)]
}

function stringHead(len: number): number[] {
  if (len < 64) return [0x80 | len]
  if (len < 4096) return [0xe0 | (len >> 8), len & 255]
  return [0xf0, ...littleEndian(BigInt(len), 4)]
}

/** The integer that the text is, strictly, or undefined. */
export function integerOf(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined
  const value = BigInt(text)
  return value >= INT64_MIN && value <= INT64_MAX ? value : undefined
}

function backlen(size: number): number[] {
  const septets = size <= 127 ? 1 : size < 16383 ? 2 : size < 2097151 ? 3 : size < 268435455 ? 4 : 5
  return Array.from({ length: septets }, (_, at) => {
    const septet = Math.floor(size / 128 ** (septets - 1 - at)) % 128
    return at === 0 ? septet : septet | 128
  })
}

const known = new Map<string, Buffer>()

/** An element's bytes. */
export function encodeElement(text: string): Buffer {
  const cached = known.get(text)
  if (cached !== undefined) return cached
  const value = integerOf(text)
  const body = value === undefined ? Buffer.from(text, 'latin1') : Buffer.alloc(0)
  const head = Buffer.from(value === undefined ? stringHead(text.length) : encodeInteger(value))
  const encoded = Buffer.concat([head, body, Buffer.from(backlen(head.length + body.length))])
  if (known.size < 10_000) known.set(text, encoded)
  return encoded
}

/** A listpack's bytes. `counted`: what the header says. */
export function encodeListpack(elements: readonly string[], counted = Math.min(elements.length, 65535)): Buffer {
  const body = elements.map(encodeElement)
  const size = 7 + body.reduce((sum, element) => sum + element.length, 0)
  const header = [...littleEndian(BigInt(size), 4), ...littleEndian(BigInt(counted), 2)]
  return Buffer.concat([Buffer.from(header), ...body, Buffer.of(255)])
}

/** Integers at and beside every power of two where an encoding ends, and texts that only look like integers. */
export const INTEGERS: readonly string[] = [
  ...[0n, 1n, 9n, 10n, 99n, 100n].flatMap((value) => [value, -value]),
  ...[6n, 7n, 8n, 12n, 13n, 15n, 16n, 23n, 24n, 31n, 32n, 47n, 53n, 62n, 63n].flatMap((bits) =>
    [-2n, -1n, 0n, 1n, 2n].flatMap((beside) => [(1n << bits) + beside, -(1n << bits) + beside]),
  ),
]
  .filter((value, at, all) => value >= INT64_MIN && value <= INT64_MAX && all.indexOf(value) === at)
  .map(String)

export const LOOKALIKES: readonly string[] = [
  ...['', '-', '+', '-0', '00', '007', '-01', '+1', ' 1', '1 ', '1.0', '1e3', '0x10', '12a', 'a12', '1\0', '٣'],
  ...['9223372036854775808', '-9223372036854775809', '18446744073709551615', '99999999999999999999'],
  ...['123456789012345678901', '-12345678901234567890'],
].map((text) => Buffer.from(text).toString('latin1'))

/** Lengths at which the form of a string or of its backlen changes. */
export const LENGTHS: readonly number[] = [
  ...[0, 1, 2, 3, 20, 21, 31, 32, 62, 63, 64, 65, 124, 125, 126, 127, 128, 4093, 4094, 4095, 4096, 4097],
  ...[16376, 16377, 16378, 16379, 65535, 70_000],
]

/** Heads, lengths and other bytes that mean something. */
const TELLING = [0, 1, 2, 0x7f, 0x80, 0xbf, 0xc0, 0xdf, 0xe0, 0xef, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xfe, 0xff]

/** A listpack of a few elements of any kind. */
export function anyListpack(random: Random): Buffer {
  const texts = Array.from({ length: random.below(6) }, () => {
    const kind = random.below(4)
    if (kind === 0) return INTEGERS[random.below(INTEGERS.length)]!
    if (kind === 1) return LOOKALIKES[random.below(LOOKALIKES.length)]!
    return 'v'.repeat(kind === 2 ? random.below(10) : LENGTHS[random.below(17)]!)
  })
  return encodeListpack(texts)
}

/** Changes some bytes, or the length, and at times mends the header. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let mutant = Buffer.from(bytes)
  const kind = random.below(6)
  if (kind === 0) mutant = mutant.subarray(0, random.below(mutant.length + 1))
  else if (kind === 1) mutant = Buffer.concat([mutant, Buffer.of(TELLING[random.below(TELLING.length)]!)])
  for (let changes = random.below(3); changes > 0 && mutant.length > 0; changes--) {
    // Most of a long listpack is text; its ends are where one can do harm.
    const near = random.below(Math.min(mutant.length, 40))
    const at = random.below(2) === 0 ? near : mutant.length - 1 - near
    mutant[at] = random.below(2) === 0 ? TELLING[random.below(TELLING.length)]! : random.below(256)
  }
  if (random.below(2) === 0 && mutant.length >= 4) mutant.writeUInt32LE(mutant.length)
  if (random.below(2) === 0 && mutant.length >= 6) mutant.writeUInt16LE(65535, 4)
  return mutant
}
