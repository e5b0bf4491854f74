/* Every directive of Redis 7.2, by name.
 *
 * The order of the table is that of redis.conf.example; CONFIG GET and CONFIG REWRITE follow it (Redis's own order is
 * that of a hash table, and random). Directives that only a file or the command line can hold, and that have no value
 * to show, are listed apart. */
import type { Directive, Kind, KindValues } from './directive.ts'
import { COMMANDS, ENCODINGS, MEMORY } from './directives-data.ts'
import { APPEND_ONLY, CLUSTER_DIRECTIVES, REPLICATION_DIRECTIVES, SNAPSHOTS } from './directives-durability.ts'
import { CLIENTS, NETWORK, PROCESS, TLS_DIRECTIVES } from './directives-server.ts'
import { ACTED, type Effect, MODULES } from './effects.ts'

export const DIRECTIVES = [
  ...NETWORK,
  ...TLS_DIRECTIVES,
  ...PROCESS,
  ...CLIENTS,
  ...MEMORY,
  ...ENCODINGS,
  ...COMMANDS,
  ...SNAPSHOTS,
  ...APPEND_ONLY,
  ...REPLICATION_DIRECTIVES,
  ...CLUSTER_DIRECTIVES,
] as const

type Listed = (typeof DIRECTIVES)[number]

export type DirectiveName = Listed['name']
/** The names of the directives of one kind. */
export type NameOf<K extends Kind> = Extract<Listed, { readonly kind: K }>['name']
type KindOf<N extends DirectiveName> = Extract<Listed, { readonly name: N }>['kind']
export type ValueOf<N extends DirectiveName> = KindValues[KindOf<N>]

/** A directive of some kind. */
export type AnyDirective = { readonly [K in Kind]: Directive<string, K> }[Kind]

/** What only files and arguments hold: instructions rather than settings. */
export const FILE_DIRECTIVES: readonly { readonly name: string; readonly effect: Effect }[] = [
  { name: 'include', effect: ACTED },
  { name: 'rename-command', effect: ACTED },
  { name: 'user', effect: ACTED },
  { name: 'loadmodule', effect: MODULES },
]

/** Directives of earlier versions that Redis still lets stand in a file, without effect. They take one argument. */
export const FORGOTTEN_DIRECTIVES: ReadonlySet<string> = new Set([
  'list-max-ziplist-entries',
  'list-max-ziplist-value',
  'lua-replicate-commands',
])
