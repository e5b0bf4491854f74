/* Our request decoder against redis-parser, the parser of the Node clients, on the same bytes.
 *
 * They do not do the same work, and that is the point: redis-parser makes an array and a string or a Buffer for each
 * argument, ours notes where each argument lies. So ours is timed a second time with a string made of every argument:
 * what is left then is the difference of the parsing alone. Each sample decodes whole pipelines of one kind of request;
 * all variants take turns within a round, and everything read is summed up and printed, so that no work is dead. */
import { createRequire } from 'node:module'
import { encode, keyOf, type ReplyParser } from './load.ts'
import { type Spread, seededRandom, spread } from './statistics.ts'
import { atLeast, type Chart, left, right, type Suite, type Table } from './suite.ts'

interface ParserOptions {
  returnBuffers: boolean
  returnReply(reply: unknown): void
  returnError(error: Error): void
}
const Parser = createRequire(import.meta.url)('redis-parser') as new (options: ParserOptions) => ReplyParser

const REQUESTS = 500 // In each chunk: what a busy server finds in its read buffer.
const SAMPLES = 15
const SAMPLES_QUICK = 5
const SAMPLE_MS = 50
const SEED = 20_240_601

interface Variant {
  name: string
  /** Decodes the chunk; the answer depends on every argument. */
  decode(chunk: Buffer): number
}

interface DecoderFigures {
  requests: string
  bytesPerRequest: number
  variants: { name: string; nsPerRequest: Spread }[]
}

export const decoderSuite: Suite = {
  name: 'decoder',
  summary: 'our request decoder against redis-parser on the same bytes',
  async run(options) {
    const variants = [await ours(false), await ours(true), redisParser(true), redisParser(false)]
    const figures: DecoderFigures[] = []
    let sink = 0
    for (const [requests, chunk] of chunks()) {
      options.progress(`decoder: ${requests}`)
      const expected = variants.map((variant) => variant.decode(chunk))
      if (new Set(expected).size !== 1) throw new Error(`the parsers disagree on ${requests}: ${expected.join(' ')}`)
      const samples = variants.map((): number[] => [])
      for (let round = -1; round < (options.quick ? SAMPLES_QUICK : SAMPLES); round++) {
        for (const [index, variant] of variants.entries()) {
          const { ns, sum } = sample(variant, chunk)
          sink = (sink + sum) | 0
          if (round >= 0) samples[index]!.push(ns) // The first round warms up.
        }
      }
      const timed = variants.map((variant, index) => ({ name: variant.name, nsPerRequest: spread(samples[index]!) }))
      figures.push({ requests, bytesPerRequest: chunk.length / REQUESTS, variants: timed })
    }
    const fastest = Math.min(...figures.map((figure) => speedup(figure, 2)))
    const bars = [atLeast('decoder, least speed-up over redis-parser with Buffers', fastest, 1)]
    return { tables: [tableOf(figures, sink)], bars, chart: chartOf(figures), data: figures }
  },
}

function chunks(): [string, Buffer][] {
  const random = seededRandom(SEED)
  const key = (): string => keyOf(Math.floor(random() * 1e6))
  const chunk = (command: () => (string | number)[]): Buffer => {
    let text = ''
    for (let i = 0; i < REQUESTS; i++) text += encode(command())
    return Buffer.from(text, 'latin1')
  }
  return [
    ['PING', chunk(() => ['PING'])],
    ['GET', chunk(() => ['GET', key()])],
    ['SET, 3-byte value', chunk(() => ['SET', key(), 'xxx'])],
    ['SET, 1 KB value', chunk(() => ['SET', key(), 'x'.repeat(1024)])],
    ['MSET, 10 keys', chunk(() => ['MSET', ...Array.from({ length: 10 }, () => [key(), 'xxx']).flat()])],
  ]
}

/** Imported when asked for: the other suites do not need the sources to be whole. */
async function ours(strings: boolean): Promise<Variant> {
  const { COMPLETE, Decoder } = await import('../src/protocol/decoder.ts')
  const decoder = new Decoder()
  return {
    name: strings ? 'ours, a string per argument' : 'ours, ranges',
    decode(chunk) {
      let sum = 0
      decoder.reset(0)
      while (decoder.at < chunk.length) {
        if (decoder.decode(chunk, chunk.length) !== COMPLETE) throw new Error(`not a whole request at ${decoder.at}`)
        const { argc, pos, len } = decoder
        for (let i = 0; i < argc; i++) {
          const first = pos[i]!
          const length = strings ? chunk.toString('latin1', first, first + len[i]!).length : len[i]!
          sum += length * chunk[first]!
        }
      }
      return sum
    },
  }
}

function redisParser(returnBuffers: boolean): Variant {
  let sum = 0
  const parser = new Parser({
    returnBuffers,
    returnReply(reply) {
      for (const argument of reply as (string | Buffer)[]) {
        sum += argument.length * (typeof argument === 'string' ? argument.charCodeAt(0) : argument[0]!)
      }
    },
    returnError(error) {
      throw error
    },
  })
  return {
    name: returnBuffers ? 'redis-parser, Buffers' : 'redis-parser, strings',
    decode(chunk) {
      sum = 0
      parser.execute(chunk)
      return sum
    },
  }
}

/** Decodes the chunk over and over for SAMPLE_MS. */
function sample(variant: Variant, chunk: Buffer): { ns: number; sum: number } {
  let sum = 0
  let passes = 0
  let elapsedMs = 0
  const beganMs = performance.now()
  while (elapsedMs < SAMPLE_MS) {
    sum = (sum + variant.decode(chunk)) | 0
    passes++
    elapsedMs = performance.now() - beganMs
  }
  return { ns: (elapsedMs * 1e6) / (passes * REQUESTS), sum }
}

/** By the fastest sample of each: noise only ever adds. */
function speedup(figures: DecoderFigures, variant: number): number {
  return figures.variants[variant]!.nsPerRequest.min / figures.variants[0]!.nsPerRequest.min
}

function tableOf(figures: readonly DecoderFigures[], sink: number): Table {
  const names = figures[0]!.variants.map((variant) => variant.name)
  const cell = ({ min, max }: Spread): string => `${min.toFixed(0)} (-${max.toFixed(0)})`
  return {
    title: 'Decoding a request, ns: fastest sample (and slowest)',
    columns: [left('requests'), right('bytes'), ...names.map(right), right('Buffers/ours')],
    rows: figures.map((figure) => [
      figure.requests,
      figure.bytesPerRequest.toFixed(0),
      ...figure.variants.map((variant) => cell(variant.nsPerRequest)),
      speedup(figure, 2).toFixed(1),
    ]),
    notes: [`checksum ${sink}`],
  }
}

function chartOf(figures: readonly DecoderFigures[]): Chart {
  return {
    title: 'Time redis-parser takes to decode a request, relative to our decoder',
    subtitle: 'our decoder = 1; the same bytes',
    series: ['redis-parser, Buffers', 'redis-parser, strings'],
    groups: figures.map((figure) => ({ label: figure.requests, values: [speedup(figure, 2), speedup(figure, 3)] })),
    lines: [{ value: 1, label: '1' }],
  }
}
