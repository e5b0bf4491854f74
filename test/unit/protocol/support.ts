/* What the decoder's tests share: a way to feed it as connections do, and a reference to compare it with.
 *
 * The reference reads the whole text at once, as plainly as the protocol can be said; it follows processMultibulkBuffer
 * and processInlineBuffer (Redis 7.2, networking.c), where a line ends at its first CR (LF for an inline request), must
 * show that within 64 KB, and a NUL byte hides what is behind it. */
import { splitArgs } from '../../../src/lib/quoting.ts'
import { COMPLETE, Decoder, EMPTY, FAILED } from '../../../src/protocol/decoder.ts'
import { Input } from '../../../src/server/input.ts'

/** A request as its arguments, or the text of the error that ends the stream. Bytes are latin1. */
export type Event = readonly string[] | { readonly error: string }

export type Outcome = {
  readonly events: readonly Event[]
  /** Bytes at the end that make no whole request; 0 after an error. */
  readonly unread: number
}

export type Rules = { readonly bulkLenMax: number; readonly restricted: boolean }
export const RULES: Rules = { bulkLenMax: 512 * 1024 * 1024, restricted: false }

const READ_SIZE = 64 * 1024
const LINE_MAX = 64 * 1024

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** Feeds a decoder as Connection does: reads land in one shared buffer, what is cut moves to an Input. */
export class Receiver {
  readonly events: Event[] = []
  private readonly shared = new Uint8Array(READ_SIZE)
  private readonly decoder = new Decoder()
  private readonly rules: Rules
  /** Requests decoded before the first of them is executed. */
  private readonly batchMax: number
  input: Input | null = null
  failed = false

  constructor(rules: Rules = RULES, batchMax = 1) {
    this.rules = rules
    this.batchMax = batchMax
  }

  get outcome(): Outcome {
    return { events: this.events, unread: this.failed || this.input === null ? 0 : this.input.len }
  }

  receive(bytes: Uint8Array): void {
    for (let pos = 0; pos < bytes.length && !this.failed; pos += READ_SIZE) {
      this.read(bytes.subarray(pos, pos + READ_SIZE))
    }
  }

  private read(chunk: Uint8Array): void {
    if (this.input !== null) {
      this.input.append(chunk, 0, chunk.length)
      const start = this.serve(this.input.decoder, this.input.bytes, this.input.len)
      this.input.consume(start)
      this.input.decoder.rebase(start)
      if (this.input.len === 0 && this.input.bytes.length === 0) this.input = null
      return
    }
    this.shared.set(chunk)
    this.decoder.reset(0)
    const start = this.serve(this.decoder, this.shared, chunk.length)
    if (start === chunk.length || this.failed) return
    const own = new Decoder()
    own.adopt(this.decoder, start)
    this.input = new Input(own)
    this.input.append(this.shared, start, chunk.length - start)
  }

  private serve(decoder: Decoder, bytes: Uint8Array, end: number): number {
    decoder.bulkLenMax = this.rules.bulkLenMax
    decoder.restricted = this.rules.restricted
    let start = decoder.requestStart
    while (decoder.at < end) {
      decoder.first = 0
      for (let count = 0; count < this.batchMax && decoder.at < end; count++) {
        const state = decoder.decode(bytes, end)
        if (state === FAILED) {
          this.failed = true
          this.events.push({ error: decoder.error })
          return end
        }
        if (state !== COMPLETE && state !== EMPTY) return start
        if (state === COMPLETE) this.take(decoder)
        start = decoder.at
        if (state === EMPTY || decoder.bytes !== bytes) break
      }
    }
    return start
  }

  private take(decoder: Decoder): void {
    const { bytes, first, argc, pos, len } = decoder
    const args: string[] = []
    for (let index = first; index < first + argc; index++) {
      args.push(textOf(bytes.subarray(pos[index]!, pos[index]! + len[index]!)))
    }
    this.events.push(args)
    decoder.first += argc // the next request of the batch
  }
}

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
