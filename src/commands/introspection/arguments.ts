/* Arguments: the small language in which a command's definition says what it takes.
 *
 * A definition reads like the line in a manual:
 *
 *   args: [key('RW update'), optional(oneOf('condition', 'NX', 'XX')), many(double('score'), string('member'))]
 *
 * A name may carry the keyword that goes before it: `integer('EX seconds')` is an integer called "seconds", written
 * after the word EX. Everything else about an argument that COMMAND DOCS tells (its type, whether it may be left out or
 * repeated, its history) is here too, so that arity (below) and key positions (key-specs.ts) can be derived.
 *
 * All of it runs once, when the process starts. */

export type ArgType =
  | 'string'
  | 'integer'
  | 'double'
  | 'key'
  | 'pattern'
  | 'unix-time'
  | 'pure-token'
  | 'oneof'
  | 'block'

/** How often an argument may stand: once, several times in a row, or several times with its keyword before each. */
export type Repeats = 'once' | 'many' | 'many-tokens'

export interface Arg {
  readonly type: ArgType
  readonly name: string
  readonly token: string | null
  /** The text a usage line shows; null where the name does. */
  readonly display: string | null
  readonly since: string | null
  readonly deprecatedSince: string | null
  readonly optional: boolean
  readonly repeats: Repeats
  /** The alternatives of a 'oneof', the members of a 'block'; empty for all others. */
  readonly of: readonly Arg[]
  /** A KeyUse; empty for what is no key. */
  readonly keyUse: string
  readonly keyNotes: string | null
  /** The key spec an argument belongs to, where the derived one would be wrong. */
  readonly keySpec: number | null
}

export interface ArgOptions {
  readonly name?: string
  readonly display?: string
  readonly since?: string
  readonly deprecatedSince?: string
  readonly keySpec?: number
}

type Access = 'access' | 'update' | 'insert' | 'delete'
type Mode = 'RO' | 'RW' | 'OW' | 'RM'
/** What a command does with a key's value, then with the user's data in it: 'RW update', 'RO', 'RW access delete'.
 *  The last word may be 'variable_flags' (depends on the other arguments) or 'incomplete' (not all keys are found). */
export type KeyUse =
  | Mode
  | `${Mode} ${Access}`
  | `${Mode} ${Access} ${Access}`
  | `${Mode} ${Access} ${Access} variable_flags`
  | `${Mode} ${Access} ${Access} incomplete`

interface KeyOptions extends ArgOptions {
  readonly notes?: string
}

function make(type: ArgType, spec: string, options: ArgOptions, of: readonly Arg[] = [], keyUse = ''): Arg {
  const space = spec.lastIndexOf(' ')
  return {
    type,
    name: options.name ?? spec.slice(space + 1),
    token: space < 0 ? null : spec.slice(0, space),
    display: options.display ?? null,
    since: options.since ?? null,
    deprecatedSince: options.deprecatedSince ?? null,
    optional: false,
    repeats: 'once',
    of,
    keyUse,
    keyNotes: null,
    keySpec: options.keySpec ?? null,
  }
}

/* The leaves. Each takes 'name' or 'TOKEN name'. */

export const string = (spec: string, options: ArgOptions = {}): Arg => make('string', spec, options)
export const integer = (spec: string, options: ArgOptions = {}): Arg => make('integer', spec, options)
export const double = (spec: string, options: ArgOptions = {}): Arg => make('double', spec, options)
export const pattern = (spec: string, options: ArgOptions = {}): Arg => make('pattern', spec, options)
export const unixTime = (spec: string, options: ArgOptions = {}): Arg => make('unix-time', spec, options)

export function key(use: KeyUse, spec = 'key', options: KeyOptions = {}): Arg {
  return { ...make('key', spec, options, [], use), keyNotes: options.notes ?? null }
}

/** A keyword that stands alone, as NX does; called by its lower-case self. */
export function token(text: string, options: ArgOptions = {}): Arg {
  return { ...make('pure-token', '', options), name: options.name ?? text.toLowerCase(), token: text }
}

/* The branches. A plain string among their members is a keyword. */

const member = (arg: Arg | string): Arg => (typeof arg === 'string' ? token(arg) : arg)

/** Exactly one of its members. */
export function oneOf(spec: string, ...of: readonly (Arg | string)[]): Arg {
  return make('oneof', spec, {}, of.map(member))
}

/** All of its members, in order; they are optional, or repeated, together. */
export function block(spec: string, ...of: readonly (Arg | string)[]): Arg {
  return make('block', spec, {}, of.map(member))
}

/* What changes an argument. */

export const optional = (arg: Arg | string): Arg => ({ ...member(arg), optional: true })
export const many = (arg: Arg): Arg => ({ ...arg, repeats: 'many' })
/** Repeated with its keyword each time: GET a GET b. */
export const manyTokens = (arg: Arg): Arg => ({ ...arg, repeats: 'many-tokens' })
/** For the branches, which take no options: since which version they exist. */
export const since = (version: string, arg: Arg | string): Arg => ({ ...member(arg), since: version })

/* Arity, in Redis's way of saying it: how many words a call has, its name's included; negative for "at least". */

const sum = (args: readonly Arg[], measure: (arg: Arg) => number): number =>
  args.reduce((total, arg) => total + measure(arg), 0)

/** The fewest words that an argument takes up, when it is there. */
function leastWordsPresent(arg: Arg): number {
  if (arg.type === 'pure-token') return 1
  const keyword = arg.token === null ? 0 : 1
  if (arg.type === 'oneof') return keyword + Math.min(...arg.of.map(leastWords))
  return keyword + (arg.type === 'block' ? sum(arg.of, leastWords) : 1)
}

const leastWords = (arg: Arg): number => (arg.optional ? 0 : leastWordsPresent(arg))

/** Whether every call writes this argument with the same number of words. */
function isFixed(arg: Arg): boolean {
  if (arg.optional || arg.repeats !== 'once') return false
  if (arg.type === 'oneof' && new Set(arg.of.map(leastWords)).size > 1) return false
  return arg.of.every(isFixed)
}

export const leastWordsOf = (args: readonly Arg[]): number => sum(args, leastWords)
export const areFixed = (args: readonly Arg[]): boolean => args.every(isFixed)

/** The arity of a command whose own name is `nameWords` long: 1, or 2 for a subcommand. */
export function arityOf(args: readonly Arg[], nameWords: number): number {
  const words = nameWords + leastWordsOf(args)
  return areFixed(args) ? words : -words
}
