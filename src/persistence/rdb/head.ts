/* The head of an RDB file: nine bytes that say what it is, and of which version. */
import { MAGIC, VERSION_LEN, VERSION_READ_MAX } from './format.ts'
import type { RdbReader } from './reader.ts'

/** Reads the head; answers the version. */
export function readHead(reader: RdbReader): number {
  let head = ''
  while (head.length < MAGIC.length + VERSION_LEN) head += String.fromCharCode(reader.byte())
  if (!head.startsWith(MAGIC)) reader.refuse('Wrong signature: this is no RDB file', head.length)
  const digits = head.substring(MAGIC.length)
  const version = /^\d+$/.test(digits) ? Number(digits) : 0
  if (version < 1 || version > VERSION_READ_MAX) {
    const known = `known are 1 to ${VERSION_READ_MAX}`
    reader.refuse(`Can't handle RDB format version ${version || digits}: ${known}`, VERSION_LEN)
  }
  return version
}
