/* Key specs: where a command's keys stand, and what it does with them.
 *
 * A spec says where to begin (at a fixed word, or after a keyword) and how to go on (a range of words, or as many as a
 * number among the arguments says). ACLs, clusters, client tracking and COMMAND GETKEYS all ask here. Specs are derived
 * from the definition's `key` arguments; a command whose keys defy the scheme states its own, or brings a function that
 * finds them (key-extractors.ts).
 *
 * Words are counted from the command's name, which is word 0. */

import { type Arg, areFixed, leastWordsOf } from './arguments.ts'

/** In the order in which replies list them. */
export const KeyFlag = {
  RO: 1 << 0,
  RW: 1 << 1,
  OW: 1 << 2,
  RM: 1 << 3,
  ACCESS: 1 << 4,
  UPDATE: 1 << 5,
  INSERT: 1 << 6,
  DELETE: 1 << 7,
  NOT_KEY: 1 << 8,
  INCOMPLETE: 1 << 9,
  VARIABLE_FLAGS: 1 << 10,
} as const

/** Begin at word `index`; after the first `keyword` found from word `from` on (backwards, from the end, if negative);
 *  or who knows. */
export type BeginSearch =
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'keyword'; readonly keyword: string; readonly from: number }
  | { readonly type: 'unknown' }

/** `range`: to word begin + last, or, if `last` is negative, to the word that far from the end; where `limit` is set,
 *  only the first 1/limit of what remains. `count`: from begin + first, as many as the number at begin + countAt. */
export type FindKeys =
  | { readonly type: 'range'; readonly last: number; readonly step: number; readonly limit: number }
  | { readonly type: 'count'; readonly countAt: number; readonly first: number; readonly step: number }
  | { readonly type: 'unknown' }

export interface KeySpec {
  readonly flags: number
  readonly notes: string | null
  readonly begin: BeginSearch
  readonly find: FindKeys
}

/** The words 'RW access update' as bits. */
export function keyFlagsOf(use: string): number {
  let flags = 0
  for (const word of use.split(' ')) flags |= KeyFlag[word.toUpperCase() as keyof typeof KeyFlag]
  return flags
}

/* For the few definitions that state their own. */

export const atWord = (index: number): BeginSearch => ({ type: 'index', index })
export const afterKeyword = (keyword: string, from: number): BeginSearch => ({ type: 'keyword', keyword, from })
export const range = (last: number, step: number, limit: number): FindKeys => ({ type: 'range', last, step, limit })
export const ONE = range(0, 1, 0)
export const UNKNOWN = { type: 'unknown' } as const
/** `use` as in a `key` argument, or 'not_key' for a word that is only routed like one. */
export function keySpec(use: string, begin: BeginSearch, find: FindKeys, notes: string | null = null): KeySpec {
  return { flags: keyFlagsOf(use), notes, begin, find }
}

/* Deriving. The walk knows at which word it is for as long as everything before was fixed. */

class Walk {
  readonly specs: KeySpec[] = []
  /** The first word whose place is not fixed, or the one about to be read if all were. */
  word: number
  fixed = true

  constructor(firstWord: number) {
    this.word = firstWord
  }

  pass(arg: Arg): void {
    if (!this.fixed) return
    if (areFixed([arg])) this.word += leastWordsOf([arg])
    else this.fixed = false
  }

  /** Where the words of `arg` begin, its keyword left behind. */
  beginOf(arg: Arg, inOneOf: boolean): BeginSearch {
    if (arg.token !== null && (inOneOf || arg.optional || !this.fixed)) return afterKeyword(arg.token, this.word)
    if (!this.fixed) return UNKNOWN
    return atWord(this.word + (arg.token === null ? 0 : 1))
  }

  add(arg: Arg, begin: BeginSearch, find: FindKeys): void {
    this.specs.push({ flags: keyFlagsOf(arg.keyUse), notes: arg.keyNotes, begin, find })
  }
}

/** How keys go on that are followed by `after` and nothing else. */
function findOf(arg: Arg, after: readonly Arg[]): FindKeys {
  if (arg.repeats === 'once') return ONE
  if (areFixed(after)) return range(-1 - leastWordsOf(after), 1, 0)
  return UNKNOWN
}

/** Keys inside of a block: pairs (key value key value …), or halves (key key … id id …). */
function walkBlock(walk: Walk, arg: Arg, inOneOf: boolean): void {
  const begin = walk.beginOf(arg, inOneOf)
  const first = arg.of.find((inner) => inner.type === 'key')
  if (first === undefined) return
  const areHalves = arg.of.length === 2 && arg.of.every((inner) => inner.repeats === 'many')
  if (arg.repeats !== 'once') walk.add(first, begin, range(-1, leastWordsOf(arg.of), 0))
  else walk.add(first, begin, areHalves ? range(-1, 1, 2) : ONE)
}

function walkArgs(walk: Walk, args: readonly Arg[], inOneOf: boolean): void {
  for (const [slot, arg] of args.entries()) {
    const before = args[slot - 1]
    if (arg.type === 'key') {
      if (before?.name === 'numkeys' && arg.repeats === 'many') {
        const begin = walk.fixed ? atWord(walk.word) : UNKNOWN
        walk.add(arg, begin, { type: 'count', countAt: 0, first: 1, step: 1 })
      } else {
        walk.add(arg, walk.beginOf(arg, inOneOf), findOf(arg, args.slice(slot + 1)))
      }
    } else if (arg.type === 'block') {
      walkBlock(walk, arg, inOneOf)
    } else if (arg.type === 'oneof') {
      walkArgs(walk, arg.of, true)
    }
    // The count itself is not passed, so that a spec by count begins at it.
    if (!inOneOf && !(arg.name === 'numkeys' && args[slot + 1]?.type === 'key')) walk.pass(arg)
  }
}

/** The specs that the arguments imply; `nameWords` is 2 for a subcommand. */
export function keySpecsOf(args: readonly Arg[], nameWords: number): readonly KeySpec[] {
  const walk = new Walk(nameWords)
  walkArgs(walk, args, false)
  return walk.specs
}

/* The triple that COMMAND gave before there were specs. */

export interface LegacyRange {
  /** 0 when the command has no keys, or none that a range could name. */
  readonly first: number
  readonly last: number
  readonly step: number
  /** Whether the triple misses keys: the flag "movablekeys". */
  readonly movable: boolean
}

/** Joins the specs that are plain ranges and follow on each other. */
export function legacyRangeOf(specs: readonly KeySpec[]): LegacyRange {
  let first = 0
  let last = 0
  let movable = specs.some((spec) => (spec.flags & KeyFlag.INCOMPLETE) !== 0)
  for (const { begin, find } of specs) {
    if (begin.type !== 'index' || find.type !== 'range') {
      movable = true
      continue
    }
    const end = find.last < 0 ? find.last : begin.index + find.last
    if (specs.length === 1) return { first: begin.index, last: end, step: find.step, movable }
    if (find.step !== 1 || (last !== 0 && last !== begin.index - 1)) {
      movable = true
      continue
    }
    if (first === 0) first = begin.index
    // An end counted from the last word lies behind every other.
    last = last < 0 ? last : end < 0 ? end : Math.max(last, end)
  }
  return { first, last, step: first === 0 ? 0 : 1, movable }
}

/* Finding the keys of one call. */

/** A call's words, from its name on. */
export interface Words {
  readonly argc: number
  text(word: number): string
}

/** The keys found: which words they are, and the KeyFlag bits of each. Reusable. */
export class KeyWords {
  readonly words: number[] = []
  readonly flags: number[] = []

  get count(): number {
    return this.words.length
  }

  add(word: number, flags: number): void {
    this.words.push(word)
    this.flags.push(flags)
  }

  clear(): void {
    this.words.length = 0
    this.flags.length = 0
  }
}

const COUNT = /^(0|[1-9][0-9]{0,18})$/
const LEADING_DIGITS = /^\s*[+]?([0-9]{1,19})(?![0-9])/

/** As C's atoi: the digits a text begins with, as 32 bits; 0 of none. Where a count is negative there are no keys. */
function leadingNumber(text: string): number {
  let value = 0
  for (const digit of LEADING_DIGITS.exec(text)?.[1] ?? '') value = (Math.imul(value, 10) + Number(digit)) | 0
  return value
}

/** The word where the keys begin, 0 if the keyword is not there. */
function beginIn(begin: Exclude<BeginSearch, { type: 'unknown' }>, words: Words): number {
  if (begin.type === 'index') return begin.index
  const forwards = begin.from > 0
  const end = forwards ? words.argc - 1 : 1
  const keyword = begin.keyword.toUpperCase()
  let word = forwards ? begin.from : words.argc + begin.from
  const step = word <= end ? 1 : -1
  for (; word !== end && word >= 1 && word < words.argc; word += step) {
    if (words.text(word).toUpperCase() === keyword) return word + 1
  }
  return 0
}

/** Adds the keys of one spec; false if the call does not fit it. */
function findBySpec(spec: KeySpec, words: Words, keys: KeyWords): boolean {
  const { begin, find } = spec
  if (begin.type === 'unknown' || find.type === 'unknown') return false
  let first = beginIn(begin, words)
  if (first === 0) return true
  let last = 0
  if (find.type === 'range') {
    if (find.last >= 0) last = first + find.last
    else if (find.limit === 0) last = words.argc + find.last
    else last = first + Math.trunc((words.argc - first) / find.limit) + find.last
  } else {
    const countWord = first + find.countAt
    if (countWord >= words.argc || !COUNT.test(words.text(countWord))) return false
    first += find.first
    last = first + leadingNumber(words.text(countWord)) - 1
  }
  if (last >= words.argc || last < first || first >= words.argc) return false
  for (let word = first; word <= last; word += find.step) keys.add(word, spec.flags)
  return (spec.flags & KeyFlag.INCOMPLETE) === 0
}

/** Adds the keys of a call whose count of keys is not written as a number should be, or too high, as Redis finds them
 *  then: what atoi reads counts, nothing is said of their use, and a destination comes last. */
export function findKeysLoosely(specs: readonly KeySpec[], words: Words, keys: KeyWords): void {
  const counted = specs.find((spec) => spec.find.type === 'count')
  if (counted?.begin.type !== 'index' || counted.find.type !== 'count') return
  const first = counted.begin.index + counted.find.first
  const count = leadingNumber(words.text(counted.begin.index + counted.find.countAt))
  if (count < 1 || count > words.argc - first) return
  for (let word = first; word < first + count; word++) keys.add(word, 0)
  for (const { begin } of specs) {
    if (begin.type === 'index' && begin !== counted.begin) keys.add(begin.index, 0)
  }
}

/** Adds the keys that the specs lead to; none, and false, if the call does not fit them or they do not say it all. */
export function findKeys(specs: readonly KeySpec[], words: Words, keys: KeyWords): boolean {
  for (const spec of specs) {
    if ((spec.flags & KeyFlag.NOT_KEY) !== 0) continue
    if (findBySpec(spec, words, keys)) continue
    keys.clear()
    return false
  }
  return true
}
