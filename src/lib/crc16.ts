/* CRC-16/XMODEM, and the hash slot that Redis Cluster derives from it.
 *
 * A key's slot is the checksum of what stands between its first '{' and the next '}', so that keys can be kept
 * together; of the whole key when there is no such pair or nothing between. */

const POLYNOMIAL = 0x1021
const SLOT_MASK = 16383
const OPEN = 0x7b
const CLOSE = 0x7d

const table = new Uint16Array(256)
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ POLYNOMIAL : crc << 1
  table[byte] = crc
}

export function crc16(bytes: Uint8Array, pos: number, len: number): number {
  const end = pos + len
  let crc = 0
  for (let at = pos; at < end; at++) crc = ((crc << 8) ^ table[(crc >>> 8) ^ bytes[at]!]!) & 0xffff
  return crc
}

/** From 0 to 16383. */
export function keySlot(bytes: Uint8Array, pos: number, len: number): number {
  const end = pos + len
  let open = pos
  while (open < end && bytes[open] !== OPEN) open++
  let close = open + 1
  while (close < end && bytes[close] !== CLOSE) close++
  if (close >= end || close === open + 1) return crc16(bytes, pos, len) & SLOT_MASK
  return crc16(bytes, open + 1, close - open - 1) & SLOT_MASK
}
