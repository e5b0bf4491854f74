/* What setting a directive does in this server.
 *
 * A directive is `acted` on; or `partial`: acted on, but not in all that Redis does by it; or `accepted`, so that a
 * configuration written for Redis starts the server unchanged, with the reason why it changes nothing; or `refused`
 * when it is set to anything but its default, because a server that went on without it would deceive its operator
 * (plain text where TLS was asked for, everybody let in where an ACL file was named). redis.conf.example repeats each
 * reason, and a test compares the two.
 *
 * The reasons that start with a feature's name are temporary: when the feature is built, its constant here becomes
 * ACTED and its markers leave the example. */

export type Effect =
  | { readonly kind: 'acted' }
  | { readonly kind: 'partial'; readonly reason: string }
  | { readonly kind: 'accepted'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }

const partial = (reason: string) => ({ kind: 'partial', reason }) as const
const accepted = (reason: string) => ({ kind: 'accepted', reason }) as const
const refused = (reason: string) => ({ kind: 'refused', reason }) as const

export const ACTED: Effect = { kind: 'acted' }

// Features to come.
export const CLUSTER = accepted('cluster mode is not built yet')
export const CLUSTER_MODE = refused('cluster mode is not built yet')
export const REPLICATION = accepted('replication is not built yet')
export const REPLICATION_LINK = refused('replication is not built yet')
export const RESTORE_EXAMINES = partial(
  'RESTORE examines values thoroughly in any case, the loading of files with `yes`',
)
export const TLS = accepted('TLS is not built yet')
export const TLS_LINK = refused('TLS is not built yet')

// What the design leaves nothing, or less, to do for.
export const COMPACTION = partial('more than 3 MB are compacted in any case')
export const COMPACTION_STEPS = accepted('large values are always compacted in small steps')
export const MODULES = refused('modules are native code for Redis itself and cannot be loaded')
export const NO_CRASH_LOG = accepted('a crash is reported by Node itself')
export const NO_FORK = accepted('no child process is forked')
export const NO_JEMALLOC = accepted('memory comes from the arena, not from jemalloc')
export const NO_LIST_COMPRESSION = accepted('the blocks of a list are never compressed')
export const NO_LOCALE = accepted('text is always compared byte by byte')
export const NO_LOGO = accepted('no logo is drawn')
export const NO_MODULES = accepted('modules cannot be loaded')
export const NO_REHASH = accepted('the key table grows in small steps and never rehashes')
export const NO_SYSCALL = accepted('Node offers no way to ask the system for it')
export const NO_SYSLOG = accepted('Node has no syslog socket; log to standard output or a file')
export const NO_WATCHDOG = accepted('Node cannot interrupt a running command to report it')
export const ONE_SUPERVISOR = partial('upstart is not told')
export const ONE_THREAD = accepted('commands and input/output share one thread')
export const SLICED = accepted('freeing is always cut into short slices')
export const SELF_PACED = accepted('background work paces itself')
