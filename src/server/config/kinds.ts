/* How each kind of directive is read, shown by CONFIG GET, and written by CONFIG REWRITE: one record per kind.
 *
 * `parse` gets the arguments after the directive's name (CONFIG SET's value as one, or split at spaces for a MULTI_ARG
 * directive) and answers the new value or the reason, in Redis's words. `lines` are what CONFIG REWRITE writes: `force`
 * says that they are written even where the file had none, so that a value other than the default gets in. */
import type { Directive, Kind, KindValues, OutputLimits } from './directive.ts'
import { formatEvents, parseEvents } from './events.ts'
import { formatNumber, formatNumberLine, formatSize, looseInteger, memorySize, parseNumber } from './numbers.ts'
import { lower, quoted } from './text.ts'
import type { WorkingDirectory } from './working-directory.ts'

export type Parsed<T> = { readonly value: T } | { readonly error: string }

export interface Line {
  readonly text: string
  readonly force: boolean
}

/** What parsing may need besides the arguments. */
export interface Context {
  readonly directory: WorkingDirectory
  /** A further `save` line of one configuration: it adds to `current`. */
  readonly appending: boolean
  warn(message: string): void
}

export interface KindType<K extends Kind> {
  parse(
    args: readonly string[],
    directive: Directive<string, K>,
    current: KindValues[K],
    context: Context,
  ): Parsed<KindValues[K]>
  format(value: KindValues[K], directive: Directive<string, K>): string
  /** undefined: the directive is absent, and its lines are removed. */
  lines(value: KindValues[K], directive: Directive<string, K>): readonly Line[] | undefined
}

export const OUTPUT_CLASSES = ['normal', 'replica', 'pubsub'] as const

const OUTPUT_CLASS_NAMES: ReadonlyMap<string, number> = new Map([
  ['normal', 0],
  ['slave', 1],
  ['replica', 1],
  ['pubsub', 2],
])

const BIND_MAX = 16
const OOM_MAX = 2000
const WRONG_COUNT = { error: 'wrong number of arguments' } as const

const one = (text: string, force: boolean): readonly Line[] => [{ text, force }]

/** A kind whose line is its name and its shown value, written when it is not the default. */
function plain<K extends Kind>(parts: Pick<KindType<K>, 'parse' | 'format'>): KindType<K> {
  return {
    ...parts,
    lines: (value, directive) => {
      const shown = parts.format(value, directive)
      return one(`${directive.name} ${shown}`, shown !== parts.format(directive.initial, directive))
    },
  }
}

const isEmpty = (args: readonly string[]): boolean => args.length === 0 || (args.length === 1 && args[0] === '')

const badChoice = (choices: readonly string[]): { error: string } => ({
  error: `argument(s) must be one of the following: ${choices.join(', ')}`,
})

const bool: KindType<'bool'> = plain({
  parse: ([arg = '']) => {
    const word = lower(arg)
    return word === 'yes' || word === 'no' ? { value: word === 'yes' } : { error: "argument must be 'yes' or 'no'" }
  },
  format: (value) => (value ? 'yes' : 'no'),
})

const text: KindType<'text'> = {
  parse: ([arg = ''], directive) => {
    const value = directive.shape.binary ? arg : (arg.split('\0', 1)[0] ?? '')
    return { value: value === '' && directive.initial === null ? null : value }
  },
  format: (value) => value ?? '',
  lines: (value, { name, initial }) =>
    value === null ? undefined : one(`${name} ${quoted(value)}`, value !== initial),
}

const choice: KindType<'choice'> = plain({
  parse: (args, { shape }) => {
    const word = args.length === 1 ? lower(args[0] ?? '') : ''
    const known = shape.choices.includes(word) ? word : shape.synonyms?.[word]
    // The listing shows a synonym after the choice it stands for, as Redis's does.
    const listed = shape.choices.flatMap((name) => [name, ...synonymsOf(name, shape.synonyms ?? {})])
    return known === undefined ? badChoice(listed) : { value: known }
  },
  format: (value) => value,
})

function synonymsOf(name: string, synonyms: Readonly<Record<string, string>>): string[] {
  return Object.keys(synonyms).filter((synonym) => synonyms[synonym] === name)
}

const choices: KindType<'choices'> = plain({
  parse: (args, { shape }) => {
    const words = args.map(lower)
    if (words.length === 0 || !words.every((word) => shape.choices.includes(word))) return badChoice(shape.choices)
    return { value: shape.choices.filter((name, i) => i > 0 && words.includes(name)) }
  },
  format: (value, { shape }) => (value.length === 0 ? (shape.choices[0] ?? '') : value.join(' ')),
})

const number: KindType<'number'> = {
  parse: ([arg = ''], { shape }) => parseNumber(arg, shape),
  format: (value, { shape }) => formatNumber(value, shape),
  lines: (value, { name, shape, initial }) => one(`${name} ${formatNumberLine(value, shape)}`, value !== initial),
}

const save: KindType<'save'> = {
  parse: (args, _directive, current, context) => {
    if (args.length === 1 && args[0] === '') return { value: [] }
    const numbers = args.map(looseInteger)
    const good = numbers.every((value, i) => value !== undefined && value >= (i % 2 === 0 ? 1 : 0))
    if (args.length % 2 !== 0 || !good) return { error: 'Invalid save parameters' }
    const value = context.appending ? [...current] : []
    for (let i = 0; i < numbers.length; i += 2) {
      value.push({ seconds: numbers[i] ?? 0, changes: (numbers[i + 1] ?? 0) | 0 })
    }
    return { value }
  },
  format: (points) => points.map(({ seconds, changes }) => `${seconds} ${changes}`).join(' '),
  lines: (points, { name }) => {
    if (points.length === 0) return one(`${name} ""`, true)
    return points.map(({ seconds, changes }) => ({ text: `${name} ${seconds} ${changes}`, force: true }))
  },
}

const outputLimits: KindType<'outputLimits'> = {
  parse: (args, _directive, current) => {
    if (args.length % 4 !== 0) return { error: 'Wrong number of arguments in buffer limit configuration.' }
    const limits = [...current] as [...OutputLimits]
    for (let i = 0; i < args.length; i += 4) {
      const slot = OUTPUT_CLASS_NAMES.get(lower(args[i] ?? ''))
      if (slot === undefined) return { error: 'Invalid client class specified in buffer limit configuration.' }
      const hard = memorySize(args[i + 1] ?? '')
      const soft = memorySize(args[i + 2] ?? '')
      const seconds = looseInteger(args[i + 3] ?? '')
      if (hard === undefined || soft === undefined || seconds === undefined || (seconds | 0) < 0) {
        return { error: 'Error in hard, soft or soft_seconds setting in buffer limit configuration.' }
      }
      limits[slot] = { hard, soft, softSeconds: seconds | 0 }
    }
    return { value: limits }
  },
  format: (limits) =>
    limits
      .map(({ hard, soft, softSeconds }, slot) => {
        const shown = slot === 1 ? 'slave' : OUTPUT_CLASSES[slot]
        return `${shown} ${hard} ${soft} ${softSeconds}`
      })
      .join(' '),
  lines: (limits, { name, initial }) =>
    limits.map((limit, slot) => {
      const usual = initial[slot]
      const same = limit.hard === usual?.hard && limit.soft === usual.soft && limit.softSeconds === usual.softSeconds
      const sizes = `${formatSize(limit.hard)} ${formatSize(limit.soft)} ${limit.softSeconds}`
      return { text: `${name} ${OUTPUT_CLASSES[slot]} ${sizes}`, force: !same }
    }),
}

const oomScores: KindType<'oomScores'> = plain({
  parse: (args, _directive, _current, context) => {
    if (args.length !== 3) return WRONG_COUNT
    const [master, replica, child] = args.map(looseInteger)
    if (!inOomRange(master) || !inOomRange(replica) || !inOomRange(child)) {
      return { error: 'Invalid oom-score-adj-values, elements must be between -2000 and 2000.' }
    }
    if (replica < master || child < replica) {
      context.warn('The oom-score-adj-values configuration may not work for non-privileged processes!')
    }
    return { value: [master, replica, child] }
  },
  format: (scores) => scores.join(' '),
})

function inOomRange(score: number | undefined): score is number {
  return score !== undefined && score >= -OOM_MAX && score <= OOM_MAX
}

const events: KindType<'events'> = {
  parse: ([arg = '']) => {
    const value = parseEvents(arg)
    return value === undefined ? { error: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." } : { value }
  },
  format: formatEvents,
  lines: (value, { name }) => one(`${name} ${quoted(formatEvents(value))}`, value !== 0),
}

const addresses: KindType<'addresses'> = {
  parse: (args) => {
    if (args.length > BIND_MAX) return { error: 'Too many bind addresses specified.' }
    return { value: isEmpty(args) ? [] : args }
  },
  format: (list) => list.join(' '),
  lines: (list, { name, initial }) => {
    if (list.join(' ') === initial.join(' ')) return undefined
    return one(list.length === 0 ? `${name} ""` : `${name} ${list.join(' ')}`, true)
  },
}

const replicaOf: KindType<'replicaOf'> = {
  parse: (args) => {
    const [host, port] = args
    if (args.length !== 2 || host === undefined || port === undefined) return WRONG_COUNT
    if (lower(host) === 'no' && lower(port) === 'one') return { value: null }
    const number = looseInteger(port)
    if (number === undefined || number < 0 || number > 65535) return { error: 'Invalid master port' }
    return { value: { host, port: number } }
  },
  format: (value) => (value ? `${value.host} ${value.port}` : ''),
  lines: (value, { name }) => (value ? one(`${name} ${value.host} ${value.port}`, true) : undefined),
}

const PERCENTILE = /^[+-]?(?:[0-9]+\.?[0-9]*(?:e[+-]?[0-9]+)?|\.[0-9]+(?:e[+-]?[0-9]+)?|inf(?:inity)?)$/i
const HEX = /^([+-]?)(0x[0-9a-f]+)$/i

/** As strtod reads a whole argument; of its hexadecimal forms, integers only. */
function percentile(arg: string): number | undefined {
  const hex = HEX.exec(arg)
  if (hex) return hex[1] === '-' ? -Number(hex[2]) : Number(hex[2])
  if (!PERCENTILE.test(arg)) return undefined
  return Number(arg.replace(/inf(inity)?$/i, 'Infinity'))
}

const percentiles: KindType<'percentiles'> = {
  parse: (args) => {
    const value: number[] = []
    for (const arg of isEmpty(args) ? [] : args) {
      const point = percentile(arg)
      if (point === undefined) return { error: 'Invalid latency-tracking-info-percentiles parameters' }
      if (point < 0 || point > 100) {
        return { error: 'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]' }
      }
      value.push(point)
    }
    return { value }
  },
  format: (points) => points.map((point) => String(Number(point.toFixed(6)))).join(' '),
  lines: (points, directive) => {
    const shown = percentiles.format(points, directive)
    return one(`${directive.name} ${shown === '' ? '""' : shown}`, true)
  },
}

const directory: KindType<'directory'> = {
  parse: ([arg = ''], _directive, _current, context) => {
    const error = context.directory.change(arg)
    return error === undefined ? { value: context.directory.path() } : { error }
  },
  format: (path) => path,
  lines: (path, { name }) => one(`${name} ${quoted(path)}`, true),
}

export const KIND_TYPES: { readonly [K in Kind]: KindType<K> } = {
  bool,
  text,
  choice,
  choices,
  number,
  save,
  outputLimits,
  oomScores,
  events,
  addresses,
  replicaOf,
  percentiles,
  directory,
}
