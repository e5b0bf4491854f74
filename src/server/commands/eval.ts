/* EVAL and its kin, and SCRIPT: what clients do with scripts. They are run by server/scripting.ts. */
import type { Call } from '../../commands/call.ts'
import {
  type Command,
  type CommandGroup,
  Flag,
  type FlagsOf,
  group,
  integer,
  key,
  many,
  oneOf,
  optional,
  since,
  string,
} from '../../commands/definition.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { compareInt64 } from '../../lib/int64.ts'
import {
  errorReply,
  KEYS_NEGATIVE,
  NO_SCRIPT,
  NO_SCRIPT_DEBUGGER,
  NOT_INTEGER,
  SCRIPT_DEBUG_OPTION,
  SCRIPT_FLUSH_OPTION,
  TOO_MANY_NUMKEYS,
} from '../../protocol/errors.ts'
import { ScriptFlag } from '../../scripting/engine.ts'
import { SHA_LEN } from '../../scripting/script-cache.ts'
import { readShebang } from '../../scripting/shebang.ts'
import type { Scripting } from '../scripting.ts'
import type { Server } from '../server.ts'

/** The number of keys, argument 2; undefined after replying that it is none. */
export function keyCountOf(call: Call, notInteger = NOT_INTEGER): number | undefined {
  const count = call.integer(2)
  if (count === undefined) call.reply.error(notInteger)
  else if (compareInt64(count, call.argc - 3) > 0) call.reply.error(TOO_MANY_NUMKEYS)
  else if (compareInt64(count, 0) < 0) call.reply.error(KEYS_NEGATIVE)
  else return count as number
  return undefined
}

function evaluate(call: Call, { scripting, monitors }: Server, readOnly: boolean): void {
  monitors.announce(call)
  const count = keyCountOf(call)
  if (count === undefined) return
  const script = scripting.scripts.add(call.bytes, call.posOf(1), call.lenOf(1), false)
  if (typeof script === 'string') return call.reply.error(errorReply(`ERR ${script}`))
  runScript(call, scripting, script, count, readOnly)
}

function evaluateSha(call: Call, { scripting, monitors }: Server, readOnly: boolean): void {
  monitors.announce(call)
  if (call.lenOf(1) !== SHA_LEN) return call.reply.error(NO_SCRIPT)
  const count = keyCountOf(call)
  if (count === undefined) return
  const script = scripting.scripts.find(call.bytes, call.posOf(1), call.lenOf(1))
  if (script === undefined) return call.reply.error(NO_SCRIPT)
  runScript(call, scripting, script, count, readOnly)
}

/** The flags of a command that runs a script with these declarations: they take the place of the command's own. */
export function flagsDeclared(flags: number, declared: number): number {
  if ((declared & ScriptFlag.UNDECLARED) !== 0) return flags
  let own = flags & ~(Flag.STALE | Flag.DENYOOM | Flag.WRITE | Flag.MAY_REPLICATE)
  if ((declared & (ScriptFlag.ALLOW_OOM | ScriptFlag.NO_WRITES)) === 0) own |= Flag.DENYOOM
  if ((declared & ScriptFlag.NO_WRITES) === 0) own |= Flag.WRITE
  if ((declared & ScriptFlag.ALLOW_STALE) !== 0) own |= Flag.STALE
  return own
}

const HASH = 35

/** Of EVAL: the script says itself what it declares. */
const flagsOfText: FlagsOf = (call, flags) => {
  if (call.bytes[call.posOf(1)] !== HASH) return flags
  const head = readShebang(call.copy(1))
  return typeof head === 'string' ? flags : flagsDeclared(flags, head.flags)
}

/** Of EVALSHA. */
const flagsOfSha =
  (server: Server): FlagsOf =>
  (call, flags) => {
    const script = server.scripting.scripts.find(call.bytes, call.posOf(1), call.lenOf(1))
    return script === undefined ? flags : flagsDeclared(flags, script.flags)
  }

type Script = NonNullable<ReturnType<Scripting['scripts']['find']>>

function runScript(call: Call, scripting: Scripting, script: Script, count: number, readOnly: boolean): void {
  const problem = scripting.scripts.prepare(script)
  if (problem !== null) return call.reply.error(errorReply(`ERR ${problem}`))
  scripting.run(call, script.reference, false, script.sha, script.flags, count, readOnly)
}

function load(call: Call, { scripting }: Server): void {
  const script = scripting.scripts.add(call.bytes, call.posOf(2), call.lenOf(2), true)
  if (typeof script === 'string') call.reply.error(errorReply(`ERR ${script}`))
  else call.reply.bulkString(script.sha)
}

function exists(call: Call, { scripting }: Server): void {
  call.reply.array(call.argc - 2)
  for (let index = 2; index < call.argc; index++) {
    const isThere = scripting.scripts.find(call.bytes, call.posOf(index), call.lenOf(index)) !== undefined
    call.reply.integer(isThere ? 1 : 0)
  }
}

function flush(call: Call, { scripting }: Server): void {
  if (call.argc > 3 || (call.argc === 3 && !call.is(2, 'SYNC') && !call.is(2, 'ASYNC'))) {
    return call.reply.error(SCRIPT_FLUSH_OPTION)
  }
  scripting.scripts.clear()
  call.reply.ok()
}

/** There is no debugger: NO is all that it can be told. */
function debug(call: Call): void {
  if (call.is(2, 'NO')) call.reply.ok()
  else if (call.is(2, 'YES') || call.is(2, 'SYNC')) call.reply.error(NO_SCRIPT_DEBUGGER)
  else call.reply.error(SCRIPT_DEBUG_OPTION)
}

/** What all commands that run scripts and functions have in common. */
export const RUNS = Flag.NOSCRIPT | Flag.STALE | Flag.SKIP_MONITOR | Flag.NO_MANDATORY_KEYS
const COMPLEXITY = 'Depends on the script'

/** The arguments of all of them: what is to be run, its keys, and others. `notes` says what becomes of the keys. */
export const runsArgs = (what: string, access: 'RW access update' | 'RO access', notes?: string) => [
  string(what),
  integer('numkeys'),
  optional(many(notes === undefined ? key(access) : key(access, 'key', { notes }))),
  optional(many(string('arg'))),
]

export function evalCommands(server: Server): readonly Command[] {
  return group('scripting', {
    EVAL: {
      summary: 'Runs a script.',
      since: '2.6.0',
      complexity: COMPLEXITY,
      flags: RUNS | Flag.MAY_REPLICATE,
      args: runsArgs('script', 'RW access update', 'the script may do anything with them'),
      flagsOf: flagsOfText,
      run: (call) => evaluate(call, server, false),
    },
    EVAL_RO: {
      summary: 'Runs a script that may only read.',
      since: '7.0.0',
      complexity: COMPLEXITY,
      flags: RUNS | Flag.READONLY,
      args: runsArgs('script', 'RO access', 'the script may read them'),
      flagsOf: flagsOfText,
      run: (call) => evaluate(call, server, true),
    },
    EVALSHA: {
      summary: 'Runs a cached script, named by its SHA1.',
      since: '2.6.0',
      complexity: COMPLEXITY,
      flags: RUNS | Flag.MAY_REPLICATE,
      args: runsArgs('sha1', 'RW access update'),
      flagsOf: flagsOfSha(server),
      run: (call) => evaluateSha(call, server, false),
    },
    EVALSHA_RO: {
      summary: 'Runs a cached script, named by its SHA1, that may only read.',
      since: '7.0.0',
      complexity: COMPLEXITY,
      flags: RUNS | Flag.READONLY,
      args: runsArgs('sha1', 'RO access'),
      flagsOf: flagsOfSha(server),
      run: (call) => evaluateSha(call, server, true),
    },
    SCRIPT: scriptContainer(server),
  } satisfies CommandGroup)
}

function scriptContainer(server: Server) {
  return {
    summary: 'Looks after cached scripts.',
    since: '2.6.0',
    subcommands: {
      DEBUG: {
        summary: 'Turns the debugging of scripts on or off.',
        since: '3.2.0',
        complexity: 'O(1)',
        flags: Flag.NOSCRIPT,
        args: [oneOf('mode', 'YES', 'SYNC', 'NO')],
        run: debug,
      },
      EXISTS: {
        summary: 'Tells which scripts are cached.',
        since: '2.6.0',
        complexity: 'O(N), N scripts asked for',
        flags: Flag.NOSCRIPT,
        args: [many(string('sha1'))],
        tips: ['request_policy:all_shards', 'response_policy:agg_logical_and'],
        run: (call) => exists(call, server),
      },
      FLUSH: {
        summary: 'Forgets all cached scripts.',
        since: '2.6.0',
        complexity: 'O(N), N scripts',
        flags: Flag.NOSCRIPT,
        args: [optional(since('6.2.0', oneOf('flush-type', 'ASYNC', 'SYNC')))],
        history: [['6.2.0', '`ASYNC` and `SYNC`.']],
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        run: (call) => flush(call, server),
      },
      HELP: helpCommand('5.0.0'),
      KILL: {
        summary: 'Ends the script that is running.',
        since: '2.6.0',
        complexity: 'O(1)',
        flags: Flag.NOSCRIPT | Flag.ALLOW_BUSY,
        tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
        run: (call) => server.scripting.kill(call, false),
      },
      LOAD: {
        summary: 'Caches a script without running it.',
        since: '2.6.0',
        complexity: 'O(N), N bytes of the script',
        flags: Flag.NOSCRIPT | Flag.STALE,
        args: [string('script')],
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        run: (call) => load(call, server),
      },
    },
  } satisfies CommandGroup[string]
}
