/* MODULE: modules are native code, which is not loaded here. So there are none, and that is what is told. */
import type { Call } from '../../commands/call.ts'
import {
  block,
  type Command,
  type CommandGroup,
  Flag,
  group,
  many,
  manyTokens,
  optional,
  string,
} from '../../commands/definition.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { type ErrorReply, MODULE_NOT_ALLOWED, MODULE_NOT_LOADED, MODULE_UNKNOWN } from '../../protocol/errors.ts'
import type { Server } from '../server.ts'

const FLAGS = Flag.ADMIN | Flag.NOSCRIPT
const CHANGING = FLAGS | Flag.NO_ASYNC_LOADING | Flag.PROTECTED

/** Refuses as Redis does where modules are not allowed; where they are, with `error`. */
function refuse(call: Call, { config, connections }: Server, error: ErrorReply): void {
  const allowed = config.choice('enable-module-command')
  const isAllowed = allowed === 'local' ? connections.get(call.session.id)?.isLocal === true : allowed === 'yes'
  call.reply.error(isAllowed ? error : MODULE_NOT_ALLOWED)
}

function load(call: Call, server: Server): void {
  server.log.warn('Modules are native code, which is not loaded here')
  refuse(call, server, MODULE_NOT_LOADED)
}

export function moduleCommands(server: Server): readonly Command[] {
  return group('server', {
    MODULE: {
      summary: 'Looks after modules.',
      since: '4.0.0',
      subcommands: {
        HELP: helpCommand('5.0.0'),
        LIST: {
          summary: 'Lists the modules loaded.',
          since: '4.0.0',
          complexity: 'O(N), N modules',
          flags: FLAGS,
          tips: ['nondeterministic_output_order'],
          run: (call) => call.reply.array(0),
        },
        LOAD: {
          summary: 'Loads a module.',
          since: '4.0.0',
          complexity: 'O(1)',
          flags: CHANGING,
          args: [string('path'), optional(many(string('arg')))],
          run: (call) => load(call, server),
        },
        LOADEX: {
          summary: 'Loads a module with settings of its own.',
          since: '7.0.0',
          complexity: 'O(1)',
          flags: CHANGING,
          args: [
            string('path'),
            optional(manyTokens(block('CONFIG configs', string('name'), string('value')))),
            optional(many(string('ARGS args'))),
          ],
          run: (call) => load(call, server),
        },
        UNLOAD: {
          summary: 'Unloads a module.',
          since: '4.0.0',
          complexity: 'O(1)',
          flags: CHANGING,
          args: [string('name')],
          run: (call) => refuse(call, server, MODULE_UNKNOWN),
        },
      },
    },
  } satisfies CommandGroup)
}
