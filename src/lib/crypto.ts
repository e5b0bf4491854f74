/* Node's cryptography, loaded when it is first wanted: twenty modules of node's own and 0.8 MB of memory, which a
 * server without passwords and scripts does without. Random bytes, which every server wants, come from the system
 * itself. */
import { closeSync, openSync, readSync } from 'node:fs'

type Crypto = typeof import('node:crypto')
let loaded: Crypto | null = null

export function crypto(): Crypto {
  loaded ??= process.getBuiltinModule('node:crypto')
  return loaded
}

const SOURCE = '/dev/urandom'

/** As many bytes as nobody can guess. */
export function randomBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count)
  return readSource(bytes) ? bytes : crypto().randomBytes(count)
}

/** False where there is no such file, or it cannot be read. */
function readSource(bytes: Buffer): boolean {
  if (process.platform === 'win32') return false
  let file = -1
  try {
    file = openSync(SOURCE, 'r')
    return readSync(file, bytes, 0, bytes.length, null) === bytes.length
  } catch {
    return false
  } finally {
    if (file >= 0) closeSync(file)
  }
}
