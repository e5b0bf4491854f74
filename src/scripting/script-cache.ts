/* The script cache: what EVAL and SCRIPT LOAD have brought, by the SHA-1 of its text.
 *
 *   EVAL text  -> recent: a few slots by a quick hash of the text, its bytes compared (no SHA-1 for what comes often)
 *              -> scripts: by the sum, 40 lower-case digits
 *
 * A client that builds its values into its scripts makes a new one each time. So of those that only EVAL has brought,
 * the latest 500 are kept, as in Redis 7.4; what SCRIPT LOAD was asked for stays until SCRIPT FLUSH. */

import { equalBytes, fromLatin1, latin1 } from '../lib/bytes.ts'
import { crypto } from '../lib/crypto.ts'
import type { ScriptEngine } from './engine.ts'
import { readShebang } from './shebang.ts'

export const SHA_LEN = 40
const EVALUATED_MAX = 500
const RECENT_SLOTS = 256
/** What a script takes besides its text: its sum, the record, its place in the cache. */
const RECORD_SIZE = 320

export interface Script {
  readonly sha: string
  readonly shaBytes: Uint8Array
  readonly body: Uint8Array
  readonly flags: number
  /** Bytes of the first line, which Lua does not see. */
  readonly headLen: number
  reference: number
  generation: number
  /** Asked for by SCRIPT LOAD: never dropped to make room. */
  isLoaded: boolean
}

export class ScriptCache {
  private readonly engine: ScriptEngine
  private readonly scripts = new Map<string, Script>()
  /** Those that only EVAL has brought, the oldest first. */
  private readonly evaluated = new Set<Script>()
  private readonly recent: (Script | null)[] = new Array<Script | null>(RECENT_SLOTS).fill(null)
  /** As `recent`, by the sum. */
  private readonly named: (Script | null)[] = new Array<Script | null>(RECENT_SLOTS).fill(null)
  private bytes = 0

  constructor(engine: ScriptEngine) {
    this.engine = engine
  }

  get count(): number {
    return this.scripts.size
  }
  /** Bytes of the texts and of what is kept about them. */
  get memoryBytes(): number {
    return this.bytes + this.scripts.size * RECORD_SIZE
  }

  /** The script of this sum, in any case of its letters. */
  find(bytes: Uint8Array, pos: number, len: number): Script | undefined {
    if (len !== SHA_LEN) return undefined
    const slot = slotOf(bytes, pos, len)
    const recent = this.named[slot]!
    if (recent !== null && equalBytes(recent.shaBytes, 0, bytes, pos, len)) return recent
    const sha = latin1(bytes, pos, len)
    const script = this.scripts.get(sha.toLowerCase())
    if (script?.sha === sha) this.named[slot] = script
    return script
  }

  /** The script of this text, if it is there. */
  findText(bytes: Uint8Array, pos: number, len: number): Script | undefined {
    const slot = slotOf(bytes, pos, len)
    const recent = this.recent[slot]!
    if (recent !== null && recent.body.length === len && equalBytes(recent.body, 0, bytes, pos, len)) return recent
    const script = this.scripts.get(crypto().hash('sha1', bytes.subarray(pos, pos + len), 'hex'))
    if (script !== undefined) this.recent[slot] = script
    return script
  }

  /** Compiles and keeps the script of this text; or says what is wrong with it. */
  add(bytes: Uint8Array, pos: number, len: number, isLoaded: boolean): Script | string {
    let script = this.findText(bytes, pos, len)
    if (script === undefined) {
      const body = new Uint8Array(Buffer.from(bytes.buffer, bytes.byteOffset + pos, len))
      const shebang = readShebang(body)
      if (typeof shebang === 'string') return shebang
      const { flags, len: headLen } = shebang
      const sha = crypto().hash('sha1', body, 'hex')
      script = { sha, shaBytes: fromLatin1(sha), body, flags, headLen, reference: 0, generation: -1, isLoaded: false }
      const problem = this.prepare(script)
      if (problem !== null) return problem
      this.keep(script)
    }
    if (isLoaded && !script.isLoaded) {
      script.isLoaded = true
      this.evaluated.delete(script)
    }
    return script
  }

  private keep(script: Script): void {
    this.scripts.set(script.sha, script)
    this.bytes += script.body.length
    this.recent[slotOf(script.body, 0, script.body.length)] = script
    this.evaluated.add(script)
    if (this.evaluated.size <= EVALUATED_MAX) return
    const [oldest] = this.evaluated
    if (oldest !== undefined) this.drop(oldest)
  }

  private drop(script: Script): void {
    this.evaluated.delete(script)
    this.scripts.delete(script.sha)
    this.bytes -= script.body.length
    const slot = slotOf(script.body, 0, script.body.length)
    if (this.recent[slot] === script) this.recent[slot] = null
    const nameSlot = slotOf(script.shaBytes, 0, SHA_LEN)
    if (this.named[nameSlot] === script) this.named[nameSlot] = null
    this.engine.release(script.reference, script.generation, false)
  }

  /** Sees to it that a script is compiled (the interpreter may be a new one); answers why it cannot be. */
  prepare(script: Script): string | null {
    if (script.generation === this.engine.generation) return null
    const reference = this.engine.compile(script.headLen === 0 ? script.body : script.body.subarray(script.headLen))
    if (typeof reference === 'string') return `Error compiling script (new function): ${reference}`
    script.reference = reference
    script.generation = this.engine.generation
    return null
  }

  clear(): void {
    for (const script of this.scripts.values()) this.engine.release(script.reference, script.generation, false)
    this.scripts.clear()
    this.evaluated.clear()
    this.recent.fill(null)
    this.named.fill(null)
    this.bytes = 0
    this.engine.collect()
  }
}

/** A quick hash of a text or sum: of its length, and some of its bytes. */
function slotOf(bytes: Uint8Array, pos: number, len: number): number {
  let sum = len
  const step = len < 64 ? 1 : (len >>> 5) | 1
  for (let at = 0; at < len; at += step) sum = (Math.imul(sum, 31) + bytes[pos + at]!) | 0
  return (sum ^ (sum >>> 8) ^ (sum >>> 16)) & (RECENT_SLOTS - 1)
}
