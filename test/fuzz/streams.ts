/* Streams of requests, good and bad, as a client might send them over one connection. The same seed and index always
 * make the same stream, so that one that fails can be sent again. */
import { Random } from '../../src/lib/random.ts'
import { type Event, RULES, reference } from '../helpers/protocol-reference.ts'
import { type Argument, type Command, type Grammar, LONG_REPLIES } from './grammar.ts'

export type Stream = {
  /** A character a byte. */
  readonly text: string
  /** Requests, and attempts at one, in it. */
  readonly cases: number
  /** Replies that it must get. */
  readonly replies: number
  /** Whether the server must then close the connection. */
  readonly closes: boolean
  /** Where it is to be cut while it is sent. */
  readonly cuts: readonly number[]
}

const BULK_LEN_MAX = 1024 * 1024
/** What the fuzzed server is started with. The limit keeps SETRANGE and its like from making the test one of memory. */
export const FUZZED_SERVER = ['--proto-max-bulk-len', String(BULK_LEN_MAX), '--enable-debug-command', 'yes']

const INTEGERS = [
  ...['0', '1', '-1', '2', '3', '10', '100', '1000', '16', '20000', '100000', '1048576', '1048577'],
  ...['2147483647', '2147483648', '-2147483649', '4294967296', '9007199254740993', '1700000000', '32503680000000'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809', '9'.repeat(30)],
  ...['', '+1', ' 1', '1 ', '01', '-0', '1.0', '1e3', '0x10', 'one', '1\0', '\0'],
]
const DOUBLES = [
  ...[
    '0',
    '-0',
    '1.5',
    '-3.25',
    '.5',
    '5.',
    '1e5',
    '1e308',
    '1e309',
    '-1e309',
    '5e-324',
    '1e-400',
    '3.0000000000000004',
  ],
  ...['inf', '+inf', '-inf', 'infinity', 'nan', '0x1p3', '1e', 'e1', '1_0', '', '17 ', '0.1\0', '9'.repeat(400)],
]
const PATTERNS = [
  '*',
  '?',
  'k*',
  '[a-z]*',
  '[^a]',
  '[',
  '[a',
  '\\',
  '\\*',
  '*'.repeat(40),
  '*a*a*a*a*a*b',
  '',
  '[z-a]?',
]
const LENGTHS = [
  ...['', '-', '0', '-1', '+1', '00', '-0', '1a', '\0', '1\0', ' 2', '1048576', '1048577', '536870912', '536870913'],
  ...['2147483647', '2147483648', '4294967297', '9223372036854775807', '9223372036854775808', '9'.repeat(25)],
]
const LINE_ENDS = ['\n', '\r', '', '\r\r\n', '\n\r', '\0\r\n', 'x\r\n', '\r\n\r\n']

const encoded = (args: readonly string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`

class Writer {
  private readonly random: Random
  private readonly grammar: Grammar

  constructor(random: Random, grammar: Grammar) {
    this.random = random
    this.grammar = grammar
  }

  chance(percent: number): boolean {
    return this.random.below(100) < percent
  }

  below(count: number): number {
    return this.random.below(count)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)]!
  }

  private noise(lenMax: number): string {
    const len = this.below(lenMax + 1)
    let text = ''
    for (let at = 0; at < len; at++) text += this.chance(50) ? this.pick([...'*$+-:\r\n\0 "\'019ax']) : this.byte()
    return text
  }

  private byte(): string {
    return String.fromCharCode(this.below(256))
  }

  private key(): string {
    if (this.chance(90)) return `k${this.below(24)}`
    return this.pick(['', '\0', 'k\r\n', '{t}a', 'x'.repeat(300), this.noise(8)])
  }

  private text(): string {
    const kind = this.below(20)
    if (kind === 0) return 'v'.repeat(this.below(20_000))
    if (kind < 4) return this.noise(30)
    if (kind < 6) return this.pick(INTEGERS)
    return this.pick(['', 'a', 'value', 'ohmytext', 'mynewtext', 'x'.repeat(44), 'x'.repeat(45), '12', '3.5', '\0\r\n'])
  }

  private valueOf(arg: Argument): string[] {
    switch (arg.type) {
      case 'key':
        return [this.key()]
      case 'integer':
      case 'unix-time':
        return [this.chance(40) ? String(this.below(2000) - 500) : this.pick(INTEGERS)]
      case 'double':
        return [this.pick(DOUBLES)]
      case 'pattern':
        return [this.pick(PATTERNS)]
      case 'pure-token':
        return []
      case 'oneof':
        return arg.parts.length === 0 ? [] : this.write(this.pick(arg.parts))
      case 'block':
        return arg.parts.flatMap((part) => this.write(part))
      default:
        return [this.text()]
    }
  }

  private write(arg: Argument): string[] {
    if (arg.optional && this.chance(60)) return []
    const token = arg.token === undefined ? [] : [arg.token === '' ? '""' : arg.token]
    const words = [...token, ...this.valueOf(arg)]
    if (arg.multiple) for (let more = this.below(4); more > 0; more--) words.push(...this.valueOf(arg))
    return words
  }

  private command(): Command {
    for (;;) {
      const command = this.pick(this.grammar.commands)
      if (!LONG_REPLIES.has(command.words.join(' ')) || this.chance(3)) return command
    }
  }

  /** The arguments of a request that may well succeed. */
  private request(): string[] {
    const { words, args } = this.command()
    return [...words, ...args.flatMap((arg) => this.write(arg))]
  }

  /** The arguments of a request, with something wrong about them most of the time. */
  arguments(): string[] {
    const args = this.request()
    while (this.chance(35)) this.spoil(args)
    return args.length === 0 ? ['PING'] : args
  }

  private spoil(args: string[]): void {
    const at = this.below(args.length + 1)
    const kind = this.below(7)
    if (kind === 0) args.splice(at, 1)
    else if (kind === 1) args.splice(at, 0, this.text())
    else if (kind === 2) args.splice(at, 0, this.pick(this.grammar.tokens))
    else if (kind === 3) args.splice(at, 1, this.pick(INTEGERS))
    else if (kind === 4) args.splice(at, 1, this.noise(20))
    else if (kind === 5) args.push(...args.slice(1))
    else if (args.length > 0)
      args[0] = this.pick(['', 'nosuch', args[0]!.toUpperCase(), args[0]!.slice(0, -1), '\0', 'x'.repeat(200)])
  }

  inline(args: readonly string[]): string {
    const quoted = (arg: string): string => {
      if (/^[\w*:.{}-]+$/.test(arg)) return arg
      const escaped = [...arg].map((char) =>
        /[\x20-\x7e]/.test(char) && !'"\\'.includes(char)
          ? char
          : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
      )
      return `"${escaped.join('')}"`
    }
    return args.map(quoted).join(this.pick([' ', '  ', '\t'])) + this.pick(['\r\n', '\n'])
  }

  /** Something that is no request any more, or almost. */
  broken(): string {
    const good = Array.from({ length: 1 + this.below(3) }, () => encoded(this.arguments())).join('')
    switch (this.below(9)) {
      case 0:
        return good.slice(0, this.below(good.length))
      case 1:
        return this.noise(200)
      case 2:
        return this.replaceLength(good)
      case 3:
        return good.replace('\r\n', this.pick(LINE_ENDS))
      case 4:
        return `*${this.pick(LENGTHS)}\r\n${good}`
      case 5:
        return `*2\r\n$4\r\nECHO\r\n$${this.pick(LENGTHS)}\r\n${good}`
      case 6:
        return this.inline([this.noise(20)]).replace(/["\\]/g, (char) => (this.chance(50) ? '' : char)) + good
      case 7:
        return (
          this.pick(['', '*', '*1\r\n', '*1\r\n$', 'x', '*2\r\n$1\r\nx\r\n$']) + '1'.repeat(65_520 + this.below(40))
        )
      default:
        return this.changeBytes(good)
    }
  }

  private replaceLength(text: string): string {
    const lengths = [...text.matchAll(/[*$]\d+\r\n/g)]
    const { index, 0: found } = this.pick(lengths)
    return text.slice(0, index + 1) + this.pick(LENGTHS) + text.slice(index + found.length - 2)
  }

  private changeBytes(good: string): string {
    let text = good
    for (let changes = 1 + this.below(4); changes > 0; changes--) {
      const at = this.below(text.length + 1)
      const [head, tail] = [text.slice(0, at), text.slice(at)]
      const kind = this.below(4)
      if (kind === 0) text = head + this.byte() + tail.slice(1)
      else if (kind === 1) text = head + tail.slice(1 + this.below(4))
      else if (kind === 2) text = head + this.byte() + tail
      else text = head + tail.slice(0, this.below(40)) + tail
    }
    return text
  }
}

/** How many replies the requests get, and whether the connection is then closed: QUIT does so, and what speaks HTTP is
 *  not even answered. */
function outcomeOf(events: readonly Event[]): { replies: number; closes: boolean } {
  let replies = 0
  for (const event of events) {
    if (!isRequest(event)) return { replies: replies + 1, closes: true }
    const name = event[0]!.toLowerCase()
    if (name === 'post' || name === 'host:') return { replies, closes: true }
    replies++
    if (name === 'quit') return { replies, closes: true }
  }
  return { replies, closes: false }
}

const isRequest = (event: Event): event is readonly string[] => Array.isArray(event)

/** The stream of this seed and index. */
export function streamOf(seed: number, index: number, grammar: Grammar): Stream {
  const writer = new Writer(new Random(Math.imul(seed, 0x9e3779b1) ^ index), grammar)
  for (;;) {
    const parts: string[] = []
    for (let count = writer.below(8); count > 0; count--) {
      const args = writer.arguments()
      parts.push(writer.chance(10) ? writer.inline(args) : encoded(args))
    }
    parts.push(writer.chance(80) ? writer.broken() : encoded(['PING']))
    const text = parts.join('')
    const { events } = reference(text, { ...RULES, bulkLenMax: BULK_LEN_MAX })
    if (events.some((event) => isRequest(event) && grammar.isForbidden(event))) continue
    const cuts = Array.from({ length: writer.chance(50) ? writer.below(6) : 0 }, () => writer.below(text.length + 1))
    return { text, cases: parts.length, ...outcomeOf(events), cuts: cuts.sort((left, right) => left - right) }
  }
}
