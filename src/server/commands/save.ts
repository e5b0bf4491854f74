/* SAVE, BGSAVE, LASTSAVE and BGREWRITEAOF. How the data gets to the disk is persistence.ts's and background-save.ts's
 * matter. */
import type { Call } from '../../commands/call.ts'
import { Category, type Command, type CommandGroup, Flag, group, optional, token } from '../../commands/definition.ts'
import { SessionFlag } from '../../commands/session.ts'
import {
  OTHER_CHILD,
  REWRITE_FAILED,
  REWRITE_IN_PROGRESS,
  SAVE_FAILED,
  SAVE_IN_PROGRESS,
  SYNTAX,
} from '../../protocol/errors.ts'
import type { Server } from '../server.ts'

function save({ reply }: Call, { persistence }: Server): void {
  if (persistence.background.inProgress) return reply.error(SAVE_IN_PROGRESS)
  persistence.saves++
  if (persistence.save()) reply.ok()
  else reply.error(SAVE_FAILED)
}

function bgsave(call: Call, { persistence, snapshots }: Server): void {
  const { background } = persistence
  const { reply, session } = call
  const schedules = call.argc === 2 && call.is(1, 'SCHEDULE')
  if (call.argc > 2 || (call.argc === 2 && !schedules)) return reply.error(SYNTAX)
  if (background.inProgress) return reply.error(SAVE_IN_PROGRESS)
  // In a transaction nothing is to be seen of it half way through.
  const inside = (session.flags & SessionFlag.DENY_BLOCKING) !== 0
  if (snapshots.busy || inside) {
    if (!schedules && !inside && !snapshots.isClearing) return reply.error(OTHER_CHILD)
    background.scheduled = true
    return reply.simple('Background saving scheduled')
  }
  if (background.begin()) reply.simple('Background saving started')
  else reply.error(SAVE_FAILED)
}

function bgrewriteaof({ reply, session }: Call, { appendOnly, snapshots }: Server): void {
  const { rewrite } = appendOnly
  if (rewrite.inProgress) return reply.error(REWRITE_IN_PROGRESS)
  const inside = (session.flags & SessionFlag.DENY_BLOCKING) !== 0
  if (snapshots.busy || inside) {
    rewrite.scheduled = true
    rewrite.failures = 0 // who asks for it need not wait for the next try
    return reply.simple('Background append only file rewriting scheduled')
  }
  if (rewrite.begin()) reply.simple('Background append only file rewriting started')
  else reply.error(REWRITE_FAILED)
}

export function saveCommands(server: Server): readonly Command[] {
  return group('server', {
    BGREWRITEAOF: {
      summary: 'Rewrites the append-only file in the background.',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: Flag.ADMIN | Flag.NOSCRIPT | Flag.NO_ASYNC_LOADING,
      run: (call) => bgrewriteaof(call, server),
    },
    BGSAVE: {
      summary: 'Saves the dataset in the background.',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: Flag.ADMIN | Flag.NOSCRIPT | Flag.NO_ASYNC_LOADING,
      args: [optional(token('SCHEDULE', { since: '3.2.2' }))],
      history: [['3.2.2', '`SCHEDULE`.']],
      run: (call) => bgsave(call, server),
    },
    LASTSAVE: {
      summary: 'Tells when the dataset was last saved, as a Unix time.',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: Flag.LOADING | Flag.STALE | Flag.FAST,
      categories: Category.ADMIN | Category.DANGEROUS,
      tips: ['nondeterministic_output'],
      run: (call) => call.reply.integer(server.persistence.lastSave),
    },
    SAVE: {
      summary: 'Saves the dataset, doing nothing else meanwhile.',
      since: '1.0.0',
      complexity: 'O(N), N keys in all databases',
      flags: Flag.ADMIN | Flag.NOSCRIPT | Flag.NO_ASYNC_LOADING | Flag.NO_MULTI,
      run: (call) => save(call, server),
    },
  } satisfies CommandGroup)
}
