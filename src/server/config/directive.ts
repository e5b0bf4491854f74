/* What a configuration directive is: the record that stands for one, and the short builders that make it.
 *
 * The directives themselves are listed by topic in directives-*.ts; how a kind of value is read and printed is in
 * kinds.ts. A record says everything else: its names, default, limits, flags, and what it does here (effects.ts). The
 * builders keep the name as a literal type, so that `config.bool('appendonly')` is checked by the compiler.
 *
 * Texts in the configuration layer are byte strings: one character per byte (latin1), so that a password or a file name
 * of any bytes comes through unharmed. text.ts converts them for people. */
import type { Int64 } from '../../lib/int64.ts'
import type { Effect } from './effects.ts'

export const Flag = {
  /** Set at the start only. */
  IMMUTABLE: 1 << 0,
  /** A secret: never shown in logs, SLOWLOG or MONITOR. */
  SENSITIVE: 1 << 1,
  /** Takes several arguments; CONFIG SET splits its value at spaces. */
  MULTI_ARG: 1 << 2,
  /** Shown by CONFIG GET only when asked for by its full name. */
  HIDDEN: 1 << 3,
  /** CONFIG SET needs the permission of enable-protected-configs. */
  PROTECTED: 1 << 4,
  /** CONFIG SET answers LOADING while a dataset is loaded. */
  DENY_LOADING: 1 << 5,
  /** The value names something that may have changed itself (a file): setting it again always applies it again. */
  VOLATILE: 1 << 6,
} as const

export interface SavePoint {
  readonly seconds: number
  readonly changes: number
}

export interface OutputLimit {
  /** Bytes; 0 is no limit. */
  readonly hard: Int64
  /** Bytes; 0 is no limit. */
  readonly soft: Int64
  readonly softSeconds: number
}

/** In the order of OUTPUT_CLASSES. */
export type OutputLimits = readonly [normal: OutputLimit, replica: OutputLimit, pubsub: OutputLimit]

export interface ReplicaOf {
  readonly host: string
  readonly port: number
}

/** The value of each kind of directive. */
export interface KindValues {
  bool: boolean
  /** null: not set. */
  text: string | null
  /** The name as listed. */
  choice: string
  /** The names as listed, in listed order; none is the first choice. */
  choices: readonly string[]
  /** Where a percentage is allowed, it is stored negative. */
  number: Int64
  save: readonly SavePoint[]
  outputLimits: OutputLimits
  oomScores: readonly [master: number, replica: number, child: number]
  /** Bits of KeyspaceEvent. */
  events: number
  addresses: readonly string[]
  replicaOf: ReplicaOf | null
  percentiles: readonly number[]
  /** Absolute. */
  directory: string
}

export type Kind = keyof KindValues
export type Unit = 'integer' | 'memory' | 'memory or percent' | 'octal'

export interface NumberShape {
  readonly unit: Unit
  readonly min: Int64
  readonly max: Int64
  /** A value of 2^63 or more stays itself; otherwise it wraps to a negative one, as in C. */
  readonly unsigned: boolean
  /** What an accepted value is quietly moved into. */
  readonly clamp?: readonly [min: number, max: number]
}

export interface ChoiceShape {
  readonly choices: readonly string[]
  /** Other names: each is stored as the choice it stands for. */
  readonly synonyms?: Readonly<Record<string, string>>
}

/** What a kind needs to know besides the value: {} where nothing. */
export interface KindShapes {
  bool: object
  /** `binary`: may hold a NUL byte; other texts end before it. */
  text: { readonly binary: boolean }
  choice: ChoiceShape
  choices: ChoiceShape
  number: NumberShape
  save: object
  outputLimits: object
  oomScores: object
  events: object
  addresses: object
  replicaOf: object
  percentiles: object
  directory: object
}

/** The other settings that a check may have to look at. */
export interface Surroundings {
  /** As CONFIG GET would answer. */
  shown(name: string): string
  /** Reading files and arguments at the start, not CONFIG SET. */
  readonly atStart: boolean
}

export interface Directive<N extends string = string, K extends Kind = Kind> {
  readonly name: N
  readonly kind: K
  readonly shape: KindShapes[K]
  readonly initial: KindValues[K]
  readonly flags: number
  readonly effect: Effect
  readonly alias: string | undefined
  /** The reason why a well-formed value is refused, if it is. */
  check?(value: KindValues[K], around: Surroundings): string | undefined
}

/** The optional parts of a record. */
export interface Extra<K extends Kind> {
  readonly flags?: number
  readonly alias?: string
  check?(value: KindValues[K], around: Surroundings): string | undefined
}

function directive<const N extends string, K extends Kind>(
  name: N,
  kind: K,
  shape: KindShapes[K],
  initial: KindValues[K],
  effect: Effect,
  extra: Extra<K>,
): Directive<N, K> {
  const made: Directive<N, K> = { name, kind, shape, initial, effect, flags: extra.flags ?? 0, alias: extra.alias }
  return extra.check ? { ...made, check: extra.check } : made
}

export function bool<const N extends string>(name: N, initial: boolean, effect: Effect, extra: Extra<'bool'> = {}) {
  return directive(name, 'bool', {}, initial, effect, extra)
}

/** An initial value of null makes the empty text mean "not set". */
export function text<const N extends string>(
  name: N,
  initial: string | null,
  effect: Effect,
  extra: Extra<'text'> = {},
) {
  return directive(name, 'text', { binary: false }, initial, effect, extra)
}

export function secret<const N extends string>(name: N, effect: Effect) {
  return directive(name, 'text', { binary: true }, null, effect, { flags: Flag.SENSITIVE })
}

export function choice<const N extends string>(
  name: N,
  choices: readonly string[],
  initial: string,
  effect: Effect,
  extra: Extra<'choice'> & { readonly synonyms?: Readonly<Record<string, string>> } = {},
) {
  const shape = extra.synonyms ? { choices, synonyms: extra.synonyms } : { choices }
  return directive(name, 'choice', shape, initial, effect, extra)
}

/** Several of the choices at once; the first one stands for none of the others. */
export function choices<const N extends string>(
  name: N,
  list: readonly string[],
  effect: Effect,
  extra: Extra<'choices'>,
) {
  return directive(name, 'choices', { choices: list }, [], effect, { ...extra, flags: Flag.MULTI_ARG })
}

type NumberExtra = Extra<'number'> & { readonly unsigned?: boolean; readonly clamp?: readonly [number, number] }

function numeric<const N extends string>(
  name: N,
  unit: Unit,
  range: readonly [min: Int64, max: Int64],
  initial: Int64,
  effect: Effect,
  extra: NumberExtra,
) {
  const shape: NumberShape = { unit, min: range[0], max: range[1], unsigned: extra.unsigned ?? false }
  return directive(name, 'number', extra.clamp ? { ...shape, clamp: extra.clamp } : shape, initial, effect, extra)
}

export function integer<const N extends string>(
  name: N,
  range: readonly [min: Int64, max: Int64],
  initial: number,
  effect: Effect,
  extra: NumberExtra = {},
) {
  return numeric(name, 'integer', range, initial, effect, extra)
}

export function memory<const N extends string>(
  name: N,
  range: readonly [min: Int64, max: Int64],
  initial: number,
  effect: Effect,
  extra: NumberExtra = {},
) {
  return numeric(name, 'memory', range, initial, effect, extra)
}

/** Bytes, or a percentage (stored negative) of at most -`range[0]`. */
export function memoryOrPercent<const N extends string>(
  name: N,
  range: readonly [min: Int64, max: Int64],
  initial: number,
  effect: Effect,
) {
  return numeric(name, 'memory or percent', range, initial, effect, {})
}

export function octal<const N extends string>(
  name: N,
  range: readonly [min: Int64, max: Int64],
  initial: number,
  effect: Effect,
  extra: Extra<'number'>,
) {
  return numeric(name, 'octal', range, initial, effect, { ...extra, unsigned: true })
}

type SpecialKind = Exclude<Kind, 'bool' | 'text' | 'choice' | 'choices' | 'number'>

/** A directive whose kind has no other member. */
export function special<const N extends string, K extends SpecialKind>(
  name: N,
  kind: K,
  initial: KindValues[K],
  effect: Effect,
  extra: Extra<K> = {},
): Directive<N, K> {
  return directive(name, kind, {} as KindShapes[K], initial, effect, extra)
}
