/* The head of an RDB file: nine bytes that say what it is, and of which version. */
import { isKnownVersion, MAGIC, VALKEY_MAGIC, VALKEY_VERSION_MIN, VERSION_LEN, VERSION_READ_MAX } from './format.ts'
import type { RdbReader } from './reader.ts'

const HEAD_LEN = MAGIC.length + VERSION_LEN

/** Whether bytes, as latin1, begin as an RDB file does. */
export function hasRdbMagic(text: string): boolean {
  return text.startsWith(MAGIC) || text.startsWith(VALKEY_MAGIC)
}

/** Reads the head; answers the version. */
export function readHead(reader: RdbReader): number {
  let head = ''
  while (head.length < HEAD_LEN) head += String.fromCharCode(reader.byte())
  if (!hasRdbMagic(head)) reader.refuse('Wrong signature: this is no RDB file', head.length)
  const isValkey = head.startsWith(VALKEY_MAGIC)
  const digits = head.substring(isValkey ? VALKEY_MAGIC.length : MAGIC.length)
  const version = /^\d+$/.test(digits) ? Number(digits) : 0
  if (!isKnownVersion(version) || isValkey !== version >= VALKEY_VERSION_MIN) {
    const known = `known are 1 to ${VERSION_READ_MAX}`
    reader.refuse(`Can't handle RDB format version ${version || digits}: ${known}`, digits.length)
  }
  return version
}
