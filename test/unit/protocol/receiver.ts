/* Feeds a decoder as connections do, for the decoder's tests. */
import { ALONE, COMPLETE, Decoder, EMPTY, FAILED } from '../../../src/protocol/decoder.ts'
import { Input } from '../../../src/server/input.ts'
import { type Event, type Outcome, RULES, type Rules, textOf } from '../../helpers/protocol-reference.ts'

const READ_SIZE = 64 * 1024

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
        if (state === ALONE) break
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
