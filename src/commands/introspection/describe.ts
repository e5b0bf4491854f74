/* Descriptions: what COMMAND INFO and COMMAND DOCS say about a command, as plain data.
 *
 * A `Tree` is a reply before its protocol is known: RESP3 has maps, sets and flags, RESP2 writes them all as arrays.
 * command.ts writes it out; tests and the README's table read it as it is. */

import { Category, type Command, Flag } from '../definition.ts'
import type { Arg } from './arguments.ts'
import { type BeginSearch, type FindKeys, KeyFlag } from './key-specs.ts'

/** A string is a bulk string; a `simple` one a status, as flags are. */
export type Tree =
  | null
  | number
  | string
  | { readonly kind: 'simple'; readonly text: string }
  | { readonly kind: 'array' | 'set'; readonly items: readonly Tree[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [string, Tree])[] }

const simple = (text: string): Tree => ({ kind: 'simple', text })
const array = (items: readonly Tree[]): Tree => ({ kind: 'array', items })
const set = (items: readonly Tree[]): Tree => ({ kind: 'set', items })

/** A map of those entries that have a value. */
function map(...entries: readonly (readonly [string, Tree | undefined])[]): Tree {
  return { kind: 'map', entries: entries.filter((entry): entry is readonly [string, Tree] => entry[1] !== undefined) }
}

type Names = readonly (readonly [string, number])[]

/** The names of the bits that are set, in the order of `names`. */
const bitNames = (bits: number, names: Names): Tree =>
  set(names.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => simple(name)))

const COMMAND_FLAGS: Names = Object.entries(Flag)
  .filter(([, bit]) => bit <= Flag.ALLOW_BUSY)
  .map(([name, bit]) => [name.toLowerCase(), bit])

const CATEGORIES: Names = Object.entries(Category).map(([name, bit]) => [`@${name.toLowerCase()}`, bit])

/** RO, RW, OW and RM are told in capitals, the others not. */
const KEY_FLAGS: Names = Object.entries(KeyFlag).map(([name, bit]) => [
  bit <= KeyFlag.RM ? name : name.toLowerCase(),
  bit,
])

export const describeKeyFlags = (flags: number): Tree => bitNames(flags, KEY_FLAGS)

/* COMMAND INFO */

function describeBegin(begin: BeginSearch): Tree {
  if (begin.type === 'unknown') return map(['type', 'unknown'], ['spec', map()])
  if (begin.type === 'index') return map(['type', 'index'], ['spec', map(['index', begin.index])])
  return map(['type', 'keyword'], ['spec', map(['keyword', begin.keyword], ['startfrom', begin.from])])
}

function describeFind(find: FindKeys): Tree {
  if (find.type === 'unknown') return map(['type', 'unknown'], ['spec', map()])
  if (find.type === 'range') {
    const spec = map(['lastkey', find.last], ['keystep', find.step], ['limit', find.limit])
    return map(['type', 'range'], ['spec', spec])
  }
  const spec = map(['keynumidx', find.countAt], ['firstkey', find.first], ['keystep', find.step])
  return map(['type', 'keynum'], ['spec', spec])
}

function describeKeySpecs(command: Command): Tree {
  return set(
    command.keySpecs.map((spec) =>
      map(
        ['notes', spec.notes ?? undefined],
        ['flags', describeKeyFlags(spec.flags)],
        ['begin_search', describeBegin(spec.begin)],
        ['find_keys', describeFind(spec.find)],
      ),
    ),
  )
}

/** The ten fields of COMMAND INFO. */
export function describeInfo(command: Command): Tree {
  return array([
    command.fullName,
    command.arity,
    bitNames(command.flags, COMMAND_FLAGS),
    command.firstKey,
    command.lastKey,
    command.keyStep,
    bitNames(command.categories, CATEGORIES),
    set(command.definition.tips ?? []),
    describeKeySpecs(command),
    command.subcommands.length === 0 ? set([]) : array(command.subcommands.map(describeInfo)),
  ])
}

/* COMMAND DOCS */

/** Hands each key argument the number of its spec, in the order in which specs are derived. */
class SpecNumbers {
  private next = 0
  private readonly count: number

  constructor(count: number) {
    this.count = count
  }

  of(arg: Arg): number | undefined {
    if (arg.keySpec !== null) return arg.keySpec
    if (arg.type !== 'key') return undefined
    return Math.min(this.next++, this.count - 1)
  }
}

function describeArg(arg: Arg, specs: SpecNumbers): Tree {
  const isBranch = arg.type === 'oneof' || arg.type === 'block'
  const flags: Tree[] = []
  if (arg.optional) flags.push(simple('optional'))
  if (arg.repeats !== 'once') flags.push(simple('multiple'))
  if (arg.repeats === 'many-tokens') flags.push(simple('multiple_token'))
  return map(
    ['name', arg.name],
    ['type', arg.type],
    ['display_text', isBranch ? undefined : (arg.display ?? arg.name)],
    ['key_spec_index', specs.of(arg)],
    ['token', arg.token ?? undefined],
    ['since', arg.since ?? undefined],
    ['deprecated_since', arg.deprecatedSince ?? undefined],
    ['flags', flags.length === 0 ? undefined : set(flags)],
    ['arguments', isBranch ? array(arg.of.map((inner) => describeArg(inner, specs))) : undefined],
  )
}

function describeDocFlags(command: Command): Tree | undefined {
  const flags: Tree[] = []
  if (command.definition.deprecated !== undefined) flags.push(simple('deprecated'))
  if (command.definition.internal === true) flags.push(simple('syscmd'))
  return flags.length === 0 ? undefined : set(flags)
}

/** The map that COMMAND DOCS gives after a command's name. */
export function describeDocs(command: Command): Tree {
  const { summary, since, complexity, deprecated, history, args } = command.definition
  const specs = new SpecNumbers(command.keySpecs.length)
  const subcommands = command.subcommands.map((each): readonly [string, Tree] => [each.fullName, describeDocs(each)])
  return map(
    ['summary', summary],
    ['since', since],
    ['group', command.group],
    ['complexity', complexity ?? (command.isRunnable ? undefined : 'Depends on the subcommand')],
    ['doc_flags', describeDocFlags(command)],
    ['deprecated_since', deprecated?.since],
    ['replaced_by', deprecated?.use],
    ['history', history && set(history.map(([version, change]) => array([version, change])))],
    ['arguments', args && array(args.map((arg) => describeArg(arg, specs)))],
    ['subcommands', subcommands.length === 0 ? undefined : map(...subcommands)],
  )
}
