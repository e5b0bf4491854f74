/* Redaction: the arguments that are nobody else's business: passwords, mostly. MONITOR and SLOWLOG show `(redacted)` in
 * their place. */
import type { Call } from '../commands/call.ts'
import type { Command } from '../commands/definition.ts'
import type { Config } from './config/config.ts'

export const REDACTED = '(redacted)'

/** Arguments from here on are not looked at, but not shown either. (Millions of them would not fit a Set.) */
const LOOKED_AT_MAX = 1024

export interface Secrets {
  /** Whether the argument must not be shown. */
  has(index: number): boolean
}

const NONE: Secrets = new Set<number>()

function between(first: number, after: number): ReadonlySet<number> {
  const slots = new Set<number>()
  for (let slot = first; slot < after; slot++) slots.add(slot)
  return slots
}

/** What follows the words AUTH (`counts[0]` arguments) and AUTH2 (`counts[1]`), which stand at `first` or later. */
function afterAuth(
  call: Call,
  first: number,
  argc: number,
  counts: readonly [auth: number, auth2: number],
): ReadonlySet<number> {
  const slots = new Set<number>()
  for (let at = first; at < argc; at++) {
    const count = call.is(at, 'AUTH') ? counts[0] : call.is(at, 'AUTH2') ? counts[1] : 0
    if (at + count >= call.argc) continue
    for (let left = count; left > 0; left--) slots.add(++at)
  }
  return slots
}

function sensitiveValues(call: Call, argc: number, config: Config): ReadonlySet<number> {
  const slots = new Set<number>()
  for (let at = 2; at + 1 < argc; at += 2) if (config.isSensitive(call.string(at))) slots.add(at + 1)
  return slots
}

/** The places of a call's secrets among its first `argc` arguments. */
type Find = (call: Call, argc: number, config: Config) => ReadonlySet<number>

const BY_COMMAND: ReadonlyMap<string, Find> = new Map<string, Find>([
  ['auth', (_call, argc) => between(1, argc)],
  ['hello', (call, argc) => afterAuth(call, 2, argc, [2, 0])],
  ['config|set', sensitiveValues],
  ['acl|setuser', (_call, argc) => between(2, argc)],
  ['migrate', (call, argc) => afterAuth(call, 6, argc, [1, 2])],
])

export function secretsOf(call: Call, command: Command, config: Config): Secrets {
  const find = BY_COMMAND.get(command.fullName)
  if (find === undefined) return NONE
  const slots = find(call, Math.min(call.argc, LOOKED_AT_MAX), config)
  if (call.argc <= LOOKED_AT_MAX) return slots
  return { has: (index) => index >= LOOKED_AT_MAX || slots.has(index) }
}
