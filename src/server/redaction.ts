/* Redaction: the arguments that are nobody else's business: passwords, mostly. MONITOR and SLOWLOG show `(redacted)` in
 * their place. */
import type { Call } from '../commands/call.ts'
import type { Command } from '../commands/definition.ts'
import type { Config } from './config/config.ts'

export const REDACTED = '(redacted)'

const NONE: ReadonlySet<number> = new Set()

function between(first: number, after: number): ReadonlySet<number> {
  const slots = new Set<number>()
  for (let slot = first; slot < after; slot++) slots.add(slot)
  return slots
}

/** What follows the words AUTH (`counts[0]` arguments) and AUTH2 (`counts[1]`), which stand at `first` or later. */
function afterAuth(call: Call, first: number, counts: readonly [auth: number, auth2: number]): ReadonlySet<number> {
  const slots = new Set<number>()
  for (let at = first; at < call.argc; at++) {
    const count = call.is(at, 'AUTH') ? counts[0] : call.is(at, 'AUTH2') ? counts[1] : 0
    if (at + count >= call.argc) continue
    for (let left = count; left > 0; left--) slots.add(++at)
  }
  return slots
}

function sensitiveValues(call: Call, config: Config): ReadonlySet<number> {
  const slots = new Set<number>()
  for (let at = 2; at + 1 < call.argc; at += 2) if (config.isSensitive(call.string(at))) slots.add(at + 1)
  return slots
}

const BY_COMMAND: ReadonlyMap<string, (call: Call, config: Config) => ReadonlySet<number>> = new Map([
  ['auth', (call: Call) => between(1, call.argc)],
  ['hello', (call: Call) => afterAuth(call, 2, [2, 0])],
  ['config|set', sensitiveValues],
  ['acl|setuser', (call: Call) => between(2, call.argc)],
  ['migrate', (call: Call) => afterAuth(call, 6, [1, 2])],
])

/** The places of a call's arguments that must not be shown. */
export function secretsOf(call: Call, command: Command, config: Config): ReadonlySet<number> {
  return BY_COMMAND.get(command.fullName)?.(call, config) ?? NONE
}
