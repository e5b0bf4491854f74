/* FUNCTION, FCALL, FCALL_RO: libraries of functions, kept with the data, and their functions called. */
import type { Call } from '../../commands/call.ts'
import {
  type Command,
  type CommandGroup,
  Flag,
  type FlagsOf,
  group,
  oneOf,
  optional,
  string,
} from '../../commands/definition.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import { matches } from '../../lib/glob.ts'
import {
  BAD_FUNCTION_PAYLOAD,
  BAD_KEY_COUNT,
  BAD_RESTORE_POLICY,
  BUSY_SCRIPT,
  errorReply,
  FUNCTION_CODE_MISSING,
  FUNCTION_FLUSH_OPTION,
  FUNCTION_NOT_FOUND,
  LIBRARY_NAME_MISSING,
  LIBRARY_NOT_FOUND,
  NO_PAYLOAD,
  wrongSubcommand,
} from '../../protocol/errors.ts'
import { SCRIPT_FLAGS } from '../../scripting/engine.ts'
import type { Library, LibraryFunction } from '../../scripting/libraries.ts'
import type { Server } from '../server.ts'
import { flagsDeclared, keyCountOf, RUNS, runsArgs } from './eval.ts'

function callFunction(call: Call, server: Server, readOnly: boolean): void {
  server.monitors.announce(call)
  const found = server.scripting.libraries.find(call.string(1))
  if (found === undefined) return call.reply.error(FUNCTION_NOT_FOUND)
  const count = keyCountOf(call, BAD_KEY_COUNT)
  if (count === undefined) return
  server.scripting.run(call, found.callback, true, found.name, found.flags, count, readOnly)
}

/** The function says what it declares. */
const flagsOfFunction =
  (server: Server): FlagsOf =>
  (call, flags) => {
    const found = server.scripting.libraries.find(call.string(1))
    return found === undefined ? flags : flagsDeclared(flags, found.flags)
  }

/** Counts as a change of the data: it is to be saved, and done again. */
function changed(call: Call): void {
  call.keyspace.dirty++
  call.reply.ok()
}

function load(call: Call, { scripting }: Server): void {
  let replace = false
  for (let index = 2; index < call.argc - 1; index++) {
    if (!call.is(index, 'REPLACE')) {
      return call.reply.error(errorReply(`ERR Unknown option given: ${call.string(index)}`))
    }
    replace = true
  }
  if (call.argc < 3) return call.reply.error(FUNCTION_CODE_MISSING)
  const loaded = scripting.libraries.load(call.copy(call.argc - 1), replace)
  if (typeof loaded === 'string') return call.reply.error(errorReply(`ERR ${loaded}`))
  call.keyspace.dirty++
  call.reply.bulkString(loaded.name)
}

function remove(call: Call, { scripting }: Server): void {
  if (scripting.libraries.delete(call.string(2))) changed(call)
  else call.reply.error(LIBRARY_NOT_FOUND)
}

function flush(call: Call, { scripting }: Server): void {
  if (call.argc > 3) return call.reply.error(wrongSubcommand(call.string(1), 'FUNCTION'))
  if (call.argc === 3 && !call.is(2, 'SYNC') && !call.is(2, 'ASYNC')) {
    return call.reply.error(FUNCTION_FLUSH_OPTION)
  }
  scripting.libraries.clear()
  changed(call)
}

function dump(call: Call, { scripting, payloads }: Server): void {
  payloads.dumpFunctions(scripting.codes())
  call.reply.bulk(payloads.bytes, 0, payloads.len)
}

function restore(call: Call, { scripting, payloads }: Server): void {
  if (call.argc > 4) return call.reply.error(wrongSubcommand(call.string(1), 'FUNCTION'))
  const policy = call.argc === 4 ? call.string(3).toLowerCase() : 'append'
  if (!['append', 'replace', 'flush'].includes(policy)) return call.reply.error(BAD_RESTORE_POLICY)
  const [pos, len] = [call.posOf(2), call.lenOf(2)]
  if (!payloads.isSound(call.bytes, pos, len)) return call.reply.error(NO_PAYLOAD)
  const codes = payloads.functionsIn(call.bytes, pos, len)
  if (codes === undefined) return call.reply.error(BAD_FUNCTION_PAYLOAD)
  const problem = scripting.libraries.restore(codes, { flush: policy === 'flush', replace: policy === 'replace' })
  if (problem === null) changed(call)
  else call.reply.error(errorReply(`ERR ${problem}`))
}

function list(call: Call, { scripting }: Server): void {
  let withCode = false
  let pattern: Uint8Array | null = null
  for (let index = 2; index < call.argc; index++) {
    if (!withCode && call.is(index, 'WITHCODE')) withCode = true
    else if (pattern === null && call.is(index, 'LIBRARYNAME')) {
      if (index + 1 >= call.argc) return call.reply.error(LIBRARY_NAME_MISSING)
      pattern = call.copy(++index)
    } else return call.reply.error(errorReply(`ERR Unknown argument ${call.string(index)}`))
  }
  const shown: Library[] = []
  for (const library of scripting.libraries.all()) {
    const name = fromLatin1(library.name)
    if (pattern === null || matches(pattern, 0, pattern.length, name, 0, name.length, true)) shown.push(library)
  }
  call.reply.array(shown.length)
  for (const library of shown) writeLibrary(call, library, withCode)
}

function writeLibrary({ reply }: Call, { name, code, functions }: Library, withCode: boolean): void {
  reply.map(withCode ? 4 : 3)
  reply.bulkString('library_name')
  reply.bulkString(name)
  reply.bulkString('engine')
  reply.bulkString('LUA')
  reply.bulkString('functions')
  reply.array(functions.size)
  for (const each of functions.values()) {
    reply.map(3)
    reply.bulkString('name')
    reply.bulkString(each.name)
    reply.bulkString('description')
    if (each.description === null) reply.nullBulk()
    else {
      const description = fromLatin1(each.description)
      reply.bulk(description, 0, description.length)
    }
    reply.bulkString('flags')
    const flags = flagsOf(each)
    reply.set(flags.length)
    for (const flag of flags) reply.simple(flag)
  }
  if (!withCode) return
  reply.bulkString('library_code')
  reply.bulk(code, 0, code.length)
}

const flagsOf = ({ flags }: LibraryFunction): string[] =>
  [...SCRIPT_FLAGS].filter(([, flag]) => (flags & flag) !== 0).map(([name]) => name)

function stats(call: Call, { scripting }: Server): void {
  const { reply } = call
  const { running, libraries } = scripting
  if (running !== null && !running.isFunction) return reply.error(BUSY_SCRIPT)
  reply.map(2)
  reply.bulkString('running_script')
  if (running === null) reply.nullBulk()
  else {
    reply.map(3)
    reply.bulkString('name')
    reply.bulkString(running.name)
    reply.bulkString('command')
    const { argc, bytes, pos, len } = running.call
    reply.array(argc)
    for (let index = 0; index < argc; index++) reply.bulk(bytes, pos[index]!, len[index]!)
    reply.bulkString('duration_ms')
    reply.integer(Math.floor(performance.now() - running.startedAt))
  }
  reply.bulkString('engines')
  reply.map(1)
  reply.bulkString('LUA')
  reply.map(2)
  reply.bulkString('libraries_count')
  reply.integer(libraries.libraryCount)
  reply.bulkString('functions_count')
  reply.integer(libraries.functionCount)
}

const COMPLEXITY = 'Depends on the function'

export function functionCommands(server: Server): readonly Command[] {
  return group('scripting', {
    FCALL: {
      summary: 'Calls a function.',
      since: '7.0.0',
      complexity: COMPLEXITY,
      flags: RUNS | Flag.MAY_REPLICATE,
      args: runsArgs('function', 'RW access update', 'the function may do anything with them'),
      flagsOf: flagsOfFunction(server),
      run: (call) => callFunction(call, server, false),
    },
    FCALL_RO: {
      summary: 'Calls a function that may only read.',
      since: '7.0.0',
      complexity: COMPLEXITY,
      flags: RUNS | Flag.READONLY,
      args: runsArgs('function', 'RO access', 'the function may read them'),
      flagsOf: flagsOfFunction(server),
      run: (call) => callFunction(call, server, true),
    },
    FUNCTION: {
      summary: 'Looks after function libraries.',
      since: '7.0.0',
      subcommands: { ...changingSubcommands(server), ...otherSubcommands(server) },
    },
  } satisfies CommandGroup)
}

function changingSubcommands(server: Server) {
  return {
    DELETE: {
      summary: 'Deletes a library.',
      since: '7.0.0',
      complexity: 'O(1)',
      flags: Flag.WRITE | Flag.NOSCRIPT,
      args: [string('library-name')],
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      run: (call) => remove(call, server),
    },
    FLUSH: {
      summary: 'Deletes all libraries.',
      since: '7.0.0',
      complexity: 'O(N), N functions',
      flags: Flag.WRITE | Flag.NOSCRIPT,
      args: [optional(oneOf('flush-type', 'ASYNC', 'SYNC'))],
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      run: (call) => flush(call, server),
    },
    LOAD: {
      summary: 'Loads a library.',
      since: '7.0.0',
      complexity: 'O(1), compilation aside',
      flags: Flag.WRITE | Flag.DENYOOM | Flag.NOSCRIPT,
      args: [optional('REPLACE'), string('function-code')],
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      run: (call) => load(call, server),
    },
    RESTORE: {
      summary: 'Loads libraries from the output of FUNCTION DUMP.',
      since: '7.0.0',
      complexity: 'O(N), N functions restored',
      flags: Flag.WRITE | Flag.DENYOOM | Flag.NOSCRIPT,
      args: [string('serialized-value'), optional(oneOf('policy', 'FLUSH', 'APPEND', 'REPLACE'))],
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      run: (call) => restore(call, server),
    },
  } satisfies CommandGroup
}

function otherSubcommands(server: Server) {
  return {
    DUMP: {
      summary: 'Gives all libraries in the form that FUNCTION RESTORE reads.',
      since: '7.0.0',
      complexity: 'O(N), N functions',
      flags: Flag.NOSCRIPT,
      run: (call) => dump(call, server),
    },
    HELP: helpCommand('7.0.0'),
    KILL: {
      summary: 'Ends the function that is running.',
      since: '7.0.0',
      complexity: 'O(1)',
      flags: Flag.NOSCRIPT | Flag.ALLOW_BUSY,
      tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
      run: (call) => server.scripting.kill(call, true),
    },
    LIST: {
      summary: 'Describes the libraries.',
      since: '7.0.0',
      complexity: 'O(N), N functions',
      flags: Flag.NOSCRIPT,
      args: [optional(string('LIBRARYNAME library-name-pattern')), optional('WITHCODE')],
      tips: ['nondeterministic_output_order'],
      run: (call) => list(call, server),
    },
    STATS: {
      summary: 'Describes the function that is running, and the engines.',
      since: '7.0.0',
      complexity: 'O(1)',
      flags: Flag.NOSCRIPT | Flag.ALLOW_BUSY,
      tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
      run: (call) => stats(call, server),
    },
  } satisfies CommandGroup
}
