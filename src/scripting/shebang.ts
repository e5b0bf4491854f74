/* The first line of a script or library, where it says what it is: `#!lua flags=no-writes`, `#!lua name=lib`. */
import { fromLatin1, latin1 } from '../lib/bytes.ts'
import { splitArgs } from '../lib/quoting.ts'
import { SCRIPT_FLAGS, ScriptFlag } from './engine.ts'
import { beforeNul } from './lua-to-reply.ts'

const HASH = 35
const BANG = 33
const LF = 10

/** What a script declares, and how long its first line is; or what is wrong with that line. */
export type Shebang = { readonly flags: number; readonly len: number } | string

const hasShebang = (code: Uint8Array): boolean => code[0] === HASH && code[1] === BANG

/** The words of the first line, and its length; undefined if it has no end. */
function firstLine(code: Uint8Array): { words: readonly string[]; len: number } | undefined {
  const len = code.indexOf(LF)
  const nul = code.indexOf(0)
  if (len < 0 || (nul >= 0 && nul < len)) return undefined
  const parts = splitArgs(code, 0, len) ?? []
  return { words: parts.map((part) => beforeNul(latin1(part, 0, part.length))), len }
}

/** Of a script of EVAL. */
export function readShebang(code: Uint8Array): Shebang {
  if (!hasShebang(code)) return { flags: ScriptFlag.UNDECLARED, len: 0 }
  const line = firstLine(code)
  if (line === undefined) return 'Invalid script shebang'
  const [engine, ...options] = line.words
  if (engine === undefined) return 'Invalid engine in script shebang'
  if (engine !== '#!lua') return `Unexpected engine in script shebang: ${engine}`
  let flags = 0
  for (const option of options) {
    if (!option.startsWith('flags=')) return `Unknown lua shebang option: ${option}`
    const names = option.slice('flags='.length)
    for (const name of names === '' ? [] : names.split(',')) {
      const flag = SCRIPT_FLAGS.get(name)
      if (flag === undefined) return `Unexpected flag in script shebang: ${name}`
      flags |= flag
    }
  }
  return { flags, len: line.len }
}

const NAME = /^\w+$/
export const BAD_NAME =
  'Library names can only contain letters, numbers, or underscores(_) and must be at least one character long'

export const isName = (name: string): boolean => NAME.test(name)

/** Of a library: its name, and its code with a line end in place of the first line; or what is wrong. */
export function readLibraryHead(code: Uint8Array): { readonly name: string; readonly code: Uint8Array } | string {
  if (!hasShebang(code)) return 'Missing library metadata'
  const line = firstLine(code)
  if (line === undefined) return 'Invalid library metadata'
  const [engine, ...options] = line.words
  if (engine === undefined) return 'Invalid library metadata'
  let name: string | undefined
  for (const option of options) {
    if (!option.toLowerCase().startsWith('name=')) return `Invalid metadata value given: ${option}`
    if (name !== undefined) return 'Invalid metadata value, name argument was given multiple times'
    name = option.slice('name='.length)
  }
  if (name === undefined) return 'Library name was not given'
  if (!isName(name)) return BAD_NAME
  if (engine.toLowerCase() !== '#!lua') return `Engine '${engine.slice(2)}' not found`
  return { name, code: code.length > line.len ? code.subarray(line.len) : fromLatin1('') }
}
