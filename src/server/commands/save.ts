/* SAVE and LASTSAVE. How the data gets to the disk is persistence.ts's matter. */
import type { Call } from '../../commands/call.ts'
import { Category, type Command, type CommandGroup, Flag, group } from '../../commands/definition.ts'
import { SAVE_FAILED } from '../../protocol/errors.ts'
import type { Server } from '../server.ts'

function save({ reply }: Call, { persistence }: Server): void {
  persistence.saves++
  if (persistence.save()) reply.ok()
  else reply.error(SAVE_FAILED)
}

export function saveCommands(server: Server): readonly Command[] {
  return group('server', {
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
