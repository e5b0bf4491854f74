/* What bytes from a client say, read as plainly as the protocol can be put: the whole text at once, from left to right.
 *
 * It follows processMultibulkBuffer and processInlineBuffer (Redis 7.2, networking.c): a line ends at its first CR (LF
 * for an inline request) and must show that within 64 KB, and a NUL byte hides what is behind it. */
import { splitArgs } from '../../src/lib/quoting.ts'

/** A request as its arguments, or the text of the error that ends the stream. Bytes are latin1. */
export type Event = readonly string[] | { readonly error: string }

export type Outcome = {
  readonly events: readonly Event[]
  /** Bytes at the end that make no whole request; 0 after an error. */
  readonly unread: number
}

export type Rules = { readonly bulkLenMax: number; readonly restricted: boolean }
export const RULES: Rules = { bulkLenMax: 512 * 1024 * 1024, restricted: false }

const LINE_MAX = 64 * 1024

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** What the whole text says. */
export function reference(text: string, rules: Rules = RULES): Outcome {
  const events: Event[] = []
  let at = 0
  while (at < text.length) {
    const read = text[at] === '*' ? readArray(text, at, rules) : readInline(text, at)
    if (typeof read === 'string') return { events: [...events, { error: read }], unread: 0 }
    if (read === undefined) return { events, unread: text.length - at }
    if (read.args.length > 0) events.push(read.args)
    at = read.next
  }
  return { events, unread: 0 }
}

/** undefined: more must come; a text: the protocol error. */
type Read = { readonly args: readonly string[]; readonly next: number } | string | undefined

const HIDDEN = /\0.*/s

/** The line from `start` up to `mark`; undefined if that may still come, null if it is too late for that. */
function lineAt(text: string, start: number, mark: string): string | undefined | null {
  const visible = text.slice(start, start + LINE_MAX + 1).replace(HIDDEN, '')
  const len = visible.indexOf(mark)
  if (len >= 0) return visible.slice(0, len)
  return text.length - start > LINE_MAX ? null : undefined
}

function readInline(text: string, start: number): Read {
  const line = lineAt(text, start, '\n')
  if (line === null) return 'too big inline request'
  if (line === undefined) return undefined
  const bytes = bytesOf(line.replace(/\r$/, ''))
  const args = splitArgs(bytes, 0, bytes.length)?.map(textOf)
  return args === undefined ? 'unbalanced quotes in request' : { args, next: start + line.length + 1 }
}

function readArray(text: string, start: number, { bulkLenMax, restricted }: Rules): Read {
  const header = lineAt(text, start, '\r')
  if (header === null) return 'too big mbulk count string'
  if (header === undefined || text.length < start + header.length + 2) return undefined
  const count = toInteger(header.slice(1))
  if (count === undefined || count > 0x7fffffff) return 'invalid multibulk length'
  if (restricted && count > 10) return 'unauthenticated multibulk length'
  const args: string[] = []
  let at = start + header.length + 2
  while (args.length < count) {
    const line = lineAt(text, at, '\r')
    if (line === null) return 'too big bulk count string'
    if (line === undefined || text.length < at + line.length + 2) return undefined
    if (text[at] !== '$') return `expected '$', got '${text[at]}'`
    const len = toInteger(line.slice(1))
    if (len === undefined || len < 0 || len > bulkLenMax) return 'invalid bulk length'
    if (restricted && len > 16384) return 'unauthenticated bulk length'
    at += line.length + 2
    if (text.length < at + len + 2) return undefined
    args.push(text.slice(at, at + len))
    at += len + 2
  }
  return { args, next: at }
}

/** As Redis's string2ll. */
function toInteger(text: string): number | undefined {
  if (!/^(0|-?[1-9]\d*)$/.test(text)) return undefined
  const value = BigInt(text)
  return BigInt.asIntN(64, value) === value ? Number(value) : undefined
}
