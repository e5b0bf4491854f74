/* Definitions: everything the server knows about a command, said once.
 *
 * A command family's file is a list of records, one per command, in the words defined here and in
 * introspection/arguments.ts. The rest is derived when the process starts: arity, key positions, ACL categories, the
 * replies of COMMAND INFO, DOCS, LIST and GETKEYS, HELP texts, the README's table.
 *
 *   export const stringCommands = group('string', {
 *     STRLEN: {
 *       summary: 'Gives the length of a string.', since: '2.2.0', complexity: 'O(1)',
 *       flags: Flag.READONLY | Flag.FAST, args: [key('RO')], run: strlen,
 *     },
 *   } satisfies CommandGroup)
 *
 * What a record leaves out has a default: no arguments, no tips, the group's own ACL category.
 *
 * `Command` is a record made ready for dispatch: numbers and names worked out, all fields there, in one order. */

import type { Call } from './call.ts'
import { type Arg, arityOf } from './introspection/arguments.ts'
import type { KeyExtractor } from './introspection/key-extractors.ts'
import { KeyFlag, type KeySpec, keySpecsOf, legacyRangeOf } from './introspection/key-specs.ts'

export * from './introspection/arguments.ts'

/** What a command does and where it may run. Replies list those up to ALLOW_BUSY, in this order; others are hidden. */
export const Flag = {
  WRITE: 1 << 0,
  READONLY: 1 << 1,
  /** Refused when memory is used up. */
  DENYOOM: 1 << 2,
  ADMIN: 1 << 3,
  PUBSUB: 1 << 4,
  NOSCRIPT: 1 << 5,
  BLOCKING: 1 << 6,
  /** Allowed while a dataset is loaded. */
  LOADING: 1 << 7,
  /** Allowed on a replica that has lost its master. */
  STALE: 1 << 8,
  SKIP_MONITOR: 1 << 9,
  SKIP_SLOWLOG: 1 << 10,
  ASKING: 1 << 11,
  FAST: 1 << 12,
  /** Allowed before AUTH. */
  NO_AUTH: 1 << 13,
  NO_MANDATORY_KEYS: 1 << 14,
  NO_ASYNC_LOADING: 1 << 15,
  /** Refused between MULTI and EXEC. */
  NO_MULTI: 1 << 16,
  /** The old key triple misses keys. Derived; no record states it. */
  MOVABLEKEYS: 1 << 17,
  /** Allowed while a script has overrun its time. */
  ALLOW_BUSY: 1 << 18,
  /** Not a write by name, but may be propagated as one. */
  MAY_REPLICATE: 1 << 19,
  /** Refused unless enabled: DEBUG, MODULE. */
  PROTECTED: 1 << 20,
  /** Reads keys that its arguments do not name. */
  TOUCHES_ARBITRARY_KEYS: 1 << 21,
  /** Takes constant time though Redis does not call it fast: may be timed together with others. */
  QUICK: 1 << 22,
  /** Runs at once between MULTI and EXEC. */
  NEVER_QUEUED: 1 << 23,
} as const

/** ACL categories, in the order in which they are listed. */
export const Category = {
  KEYSPACE: 1 << 0,
  READ: 1 << 1,
  WRITE: 1 << 2,
  SET: 1 << 3,
  SORTEDSET: 1 << 4,
  LIST: 1 << 5,
  HASH: 1 << 6,
  STRING: 1 << 7,
  BITMAP: 1 << 8,
  HYPERLOGLOG: 1 << 9,
  GEO: 1 << 10,
  STREAM: 1 << 11,
  PUBSUB: 1 << 12,
  ADMIN: 1 << 13,
  FAST: 1 << 14,
  SLOW: 1 << 15,
  BLOCKING: 1 << 16,
  DANGEROUS: 1 << 17,
  CONNECTION: 1 << 18,
  TRANSACTION: 1 << 19,
  SCRIPTING: 1 << 20,
} as const

/** The groups of COMMAND DOCS, each with the ACL category that its commands belong to unless their record says else. */
const GROUP_CATEGORY = {
  generic: Category.KEYSPACE,
  string: Category.STRING,
  list: Category.LIST,
  set: Category.SET,
  'sorted-set': Category.SORTEDSET,
  hash: Category.HASH,
  pubsub: 0, // follows from the flag
  transactions: Category.TRANSACTION,
  connection: Category.CONNECTION,
  server: 0,
  scripting: Category.SCRIPTING,
  hyperloglog: Category.HYPERLOGLOG,
  cluster: 0,
  geo: Category.GEO,
  stream: Category.STREAM,
  bitmap: Category.BITMAP,
} as const
export type GroupName = keyof typeof GROUP_CATEGORY

/** Hints for clients and proxies that spread commands over a cluster. */
export type Tip =
  | 'nondeterministic_output'
  | 'nondeterministic_output_order'
  | `request_policy:${'all_nodes' | 'all_shards' | 'multi_shard' | 'special'}`
  | `response_policy:${'one_succeeded' | 'all_succeeded' | 'agg_logical_and' | 'agg_sum' | 'agg_min' | 'special'}`

export type Run = (call: Call) => void
/** Of the command's own flags makes those of a call. */
export type FlagsOf = (call: Call, flags: number) => number

/** One command, as its family's file states it. */
export interface CommandDefinition {
  readonly summary: string
  readonly since: string
  readonly complexity?: string
  /** Flag bits. */
  readonly flags?: number
  /** Category bits instead of the group's; those that follow from the flags are added in any case. */
  readonly categories?: number
  readonly args?: readonly Arg[]
  /** What it does; only a command that is nothing but a container has none. */
  readonly run?: Run
  readonly subcommands?: CommandGroup
  /** What changed after `since`: [version, what]. */
  readonly history?: readonly (readonly [string, string])[]
  readonly deprecated?: { readonly since: string; readonly use: string }
  /** Between servers only; clients have no business with it. */
  readonly internal?: boolean
  readonly tips?: readonly Tip[]
  /** The argument that names the first member or field which is looked up, for reading ahead. */
  readonly memberAt?: number
  /** It takes an element of its own choice out of the key's value, for reading ahead. */
  readonly takes?: Taking
  /** For the few whose arity cannot be told from their arguments. */
  readonly arity?: number
  /** For the few whose keys cannot be told from their arguments. */
  readonly keySpecs?: readonly KeySpec[]
  /** Finds the keys of a call where the specs cannot. */
  readonly keysOf?: KeyExtractor
  /** The flags of one call, for the few where they depend on what is called: EXEC's on what was queued. */
  readonly flagsOf?: FlagsOf
}

/** What a command without further arguments takes out of a collection. */
export const Taking = { NOTHING: 0, FIRST: 1, LAST: 2, ANY: 3 } as const
export type Taking = (typeof Taking)[keyof typeof Taking]

export type CommandGroup = { readonly [name: string]: CommandDefinition }

const ONLY_SUBCOMMANDS: Run = () => {
  throw new Error('a command that only has subcommands was run')
}

const ANY_ARGC = 0x3fffffff

function categoriesOf(group: GroupName, definition: CommandDefinition, flags: number): number {
  let categories = definition.categories ?? (definition.run === undefined ? 0 : GROUP_CATEGORY[group])
  if ((flags & Flag.WRITE) !== 0) categories |= Category.WRITE
  // What a script reads is for its commands to say.
  if ((flags & Flag.READONLY) !== 0 && (categories & Category.SCRIPTING) === 0) categories |= Category.READ
  if ((flags & Flag.ADMIN) !== 0) categories |= Category.ADMIN | Category.DANGEROUS
  if ((flags & Flag.PUBSUB) !== 0) categories |= Category.PUBSUB
  if ((flags & Flag.BLOCKING) !== 0) categories |= Category.BLOCKING
  return categories | ((flags & Flag.FAST) !== 0 ? Category.FAST : Category.SLOW)
}

/** One command or subcommand, ready for dispatch. */
export class Command {
  /** Dense, counting subcommands; the command table assigns it. -1 until then. */
  id = -1
  readonly run: Run
  /** Flag bits, MOVABLEKEYS among them. */
  readonly flags: number
  /** Category bits. */
  readonly categories: number
  /** How many words a call must have, its names included. */
  readonly leastArgc: number
  readonly mostArgc: number
  /** Lower case: 'client', or of a subcommand 'id'. */
  readonly name: string
  /** What replies call it: 'client', 'client|id'. */
  readonly fullName: string
  /** Redis's way to say leastArgc and mostArgc: negative for "at least". */
  readonly arity: number
  readonly keySpecs: readonly KeySpec[]
  /** Where the keys stand if a range can say it, 0 if there are none. */
  readonly firstKey: number
  readonly lastKey: number
  readonly keyStep: number
  readonly keysOf: KeyExtractor | null
  private readonly flagsOf: FlagsOf | null
  /** 0 if it names none. */
  readonly memberAt: number
  readonly takes: Taking
  /** Empty for a plain command. */
  readonly subcommands: readonly Command[]
  readonly parent: Command | null
  readonly group: GroupName
  readonly definition: CommandDefinition

  constructor(group: GroupName, name: string, definition: CommandDefinition, parent: Command | null) {
    const args = definition.args ?? []
    const nameWords = parent === null ? 1 : 2
    const keySpecs = definition.keySpecs ?? keySpecsOf(args, nameWords)
    const legacy = legacyRangeOf(keySpecs)
    const flags = (definition.flags ?? 0) | (legacy.movable ? Flag.MOVABLEKEYS : 0)
    const isContainer = definition.run === undefined
    const hasSubcommands = definition.subcommands !== undefined
    const arity = definition.arity ?? (isContainer ? -2 : hasSubcommands ? -nameWords : arityOf(args, nameWords))
    this.run = definition.run ?? ONLY_SUBCOMMANDS
    this.flags = flags
    this.categories = categoriesOf(group, definition, flags)
    this.leastArgc = Math.abs(arity)
    this.mostArgc = arity < 0 ? ANY_ARGC : arity
    this.name = name.toLowerCase()
    this.fullName = parent === null ? this.name : `${parent.fullName}|${this.name}`
    this.arity = arity
    this.keySpecs = keySpecs
    this.firstKey = legacy.first
    this.lastKey = legacy.last
    this.keyStep = legacy.step
    this.keysOf = definition.keysOf ?? null
    this.flagsOf = definition.flagsOf ?? null
    this.memberAt = definition.memberAt ?? 0
    this.takes = definition.takes ?? Taking.NOTHING
    this.parent = parent
    this.group = group
    this.definition = definition
    this.subcommands = commandsOf(group, definition.subcommands ?? {}, this)
  }

  /** What may be asked about a call before it runs: the flags of what it will do. */
  flagsFor(call: Call): number {
    return this.flagsOf === null ? this.flags : this.flagsOf(call, this.flags)
  }

  /** Whether it does something itself; CONFIG, for one, does not. */
  get isRunnable(): boolean {
    return this.definition.run !== undefined
  }

  /** Whether a call may name keys (not just words that are routed as if they were keys). */
  get hasKeys(): boolean {
    return this.keysOf !== null || this.keySpecs.some((spec) => (spec.flags & KeyFlag.NOT_KEY) === 0)
  }
}

function commandsOf(group: GroupName, definitions: CommandGroup, parent: Command | null): readonly Command[] {
  return Object.entries(definitions).map(([name, definition]) => new Command(group, name, definition, parent))
}

/** The commands of one family. */
export function group(name: GroupName, definitions: CommandGroup): readonly Command[] {
  return commandsOf(name, definitions, null)
}
