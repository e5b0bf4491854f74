/* DEBUG: what the server's developers, and Redis's own test suite, need to look into it and to make it do odd things.
 * What crashes Redis on purpose (SEGFAULT, PANIC, OOM …) is not offered. */
import type { Call } from '../../commands/call.ts'
import { type Command, type CommandGroup, Flag, group } from '../../commands/definition.ts'
import { compareInt64, toNumber } from '../../lib/int64.ts'
import { memtoull } from '../../lib/units.ts'
import {
  DEBUG_NOT_ALLOWED,
  errorReply,
  LOAD_AOF_FAILED,
  NOT_INTEGER,
  PACKED_THRESHOLD,
  RELOAD_FAILED,
  RELOAD_OPTIONS,
  SAVE_FAILED,
  wrongSubcommand,
} from '../../protocol/errors.ts'
import { Restored } from '../persistence.ts'
import { randomId } from '../random-id.ts'
import type { Server } from '../server.ts'
import { rewriteConfig } from './config.ts'
import { protocolSample } from './debug/protocol.ts'
import { type DebugSubcommand, FIRST, isOn, MANY } from './debug/subcommand.ts'
import {
  describeListpack,
  describeObject,
  describeQuicklist,
  describeString,
  digestAll,
  digestKeys,
  populate,
  tableStatistics,
  valueTableStatistics,
} from './debug/values.ts'

/** The largest quicklist-packed-threshold. */
const THRESHOLD_MAX = 2 ** 32 - 2 ** 20

const accepted = (call: Call): void => call.reply.ok()

/** Keeps the only thread there is from everything else. */
function sleep(call: Call): void {
  const ms = Number.parseFloat(call.string(FIRST)) * 1000
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  call.reply.ok()
}

/** Sends the text as an error that nobody counts. */
function error(call: Call): void {
  call.reply.raw(errorReply(call.string(FIRST)).bytes)
}

function log(call: Call, server: Server): void {
  server.log.warn(`DEBUG LOG: ${call.string(FIRST)}`)
  call.reply.ok()
}

function setActiveExpire(call: Call, { cron, background }: Server): void {
  cron.activeExpire = isOn(call)
  background.wake()
  call.reply.ok()
}

function setSkipChecksum(call: Call, { payloads }: Server): void {
  payloads.skipChecksum = isOn(call)
  call.reply.ok()
}

function pauseCron(call: Call, { cron }: Server): void {
  cron.paused = isOn(call)
  call.reply.ok()
}

function changeReplicationId(call: Call, server: Server): void {
  server.log.info('Changing replication IDs after receiving DEBUG change-repl-id')
  server.replicationId = randomId()
  call.reply.ok()
}

/** Elements of this size and above get list nodes of their own. */
function packedThreshold(call: Call): void {
  const size = memtoull(call.bytes, call.posOf(FIRST), call.lenOf(FIRST))
  if (size === undefined || compareInt64(size, THRESHOLD_MAX) > 0) call.reply.error(PACKED_THRESHOLD)
  else {
    call.keyspace.lists.quicklist.setPackedThreshold(toNumber(size))
    call.reply.ok()
  }
}

/** Replies are written into one buffer for all clients: there is nothing to resize. */
function replyBuffer(call: Call): void {
  const isTime = call.is(FIRST, 'PEAK-RESET-TIME')
  const isNumber = call.integer(FIRST + 1) !== undefined
  if (!isTime && !call.is(FIRST, 'RESIZING')) return call.reply.error(wrongSubcommand(call.string(1), 'DEBUG'))
  if (isTime && !isNumber && !call.is(FIRST + 1, 'NEVER') && !call.is(FIRST + 1, 'RESET')) {
    return call.reply.error(NOT_INTEGER)
  }
  call.reply.ok()
}

function reload(call: Call, { persistence, keyspace, log, exit, scripting, loading }: Server): void {
  const given = new Set<string>()
  for (let index = FIRST; index < call.argc; index++) {
    const option = ['MERGE', 'NOFLUSH', 'NOSAVE'].find((each) => call.is(index, each))
    if (option === undefined) return call.reply.error(RELOAD_OPTIONS)
    given.add(option)
  }
  if (!given.has('NOSAVE')) {
    persistence.background.kill() // its older picture must not take the place of the file between saving and loading
    if (!persistence.save()) return call.reply.error(SAVE_FAILED)
  }
  const { dirty } = keyspace
  if (!given.has('NOFLUSH')) {
    keyspace.flush()
    persistence.functions?.clear()
  }
  const restored = loading.during(() => persistence.load(given.has('MERGE')))
  keyspace.dirty = dirty
  // Libraries come before the keys: if one was refused, the data is what it was.
  if (scripting.takeRefusal()) return call.reply.error(RELOAD_FAILED)
  if (restored === Restored.FAILED) return exit(1) // what is in memory now is not the data: it must not be saved
  if (restored === Restored.ABSENT) return call.reply.error(RELOAD_FAILED)
  log.info('DB reloaded by DEBUG RELOAD')
  call.reply.ok()
}

function loadAppendOnly(call: Call, { appendOnly, loading }: Server): void {
  if (loading.during(() => appendOnly.reload())) call.reply.ok()
  else call.reply.error(LOAD_AOF_FAILED)
}

function delayFlushes(call: Call, { appendOnly }: Server): void {
  appendOnly.writer.delayMs = Number.parseFloat(call.string(FIRST)) / 1000 || 0
  call.reply.ok()
}

function verify(call: Call): void {
  call.keyspace.verify()
  call.reply.ok()
}

const SUBCOMMANDS: Readonly<Record<string, DebugSubcommand>> = {
  'AOF-FLUSH-SLEEP': {
    args: '<microseconds>',
    count: 1,
    summary: 'Waits before each write to the append-only file.',
    run: delayFlushes,
  },
  'CHANGE-REPL-ID': { count: 0, summary: 'Changes the replication ID.', run: changeReplicationId },
  'CONFIG-REWRITE-FORCE-ALL': {
    count: 0,
    summary: 'Writes the configuration to its file, defaults as well.',
    run: (call, server) => rewriteConfig(server, call, true),
  },
  'DICT-RESIZING': { args: '<0|1>', count: 1, summary: 'Accepted: tables need no resizing.', run: accepted },
  DIGEST: { count: 0, summary: 'Gives a checksum of all data.', run: digestAll },
  'DIGEST-VALUE': {
    args: '<key> [<key> ...]',
    count: [0, MANY],
    summary: 'Gives checksums of values.',
    run: digestKeys,
  },
  ERROR: { args: '<text>', count: 1, summary: 'Replies an error with this text.', run: error },
  HTSTATS: {
    args: '<dbid> [full]',
    count: [1, MANY],
    summary: 'Gives statistics of a key table of a database.',
    run: tableStatistics,
  },
  'HTSTATS-KEY': {
    args: '<key> [full]',
    count: [1, MANY],
    summary: 'Gives statistics of the table at a key.',
    run: valueTableStatistics,
  },
  LISTPACK: { args: '<key>', count: 1, summary: 'Writes to the log how a listpack lies.', run: describeListpack },
  LOADAOF: {
    count: [0, MANY],
    summary: 'Reads the append-only files again.',
    run: loadAppendOnly,
  },
  LOG: { args: '<message>', count: 1, summary: 'Writes to the log.', run: log },
  OBJECT: { args: '<key>', count: 1, summary: 'Tells how a value is stored.', run: describeObject },
  'PAUSE-CRON': { args: '<0|1>', count: 1, summary: 'Stops what the server does without being asked.', run: pauseCron },
  POPULATE: {
    args: '<count> [<prefix>] [<size>]',
    count: [1, 3],
    summary: 'Makes keys <prefix>:<number>, "key" if there is no prefix.',
    run: populate,
  },
  PROTOCOL: { args: '<type>', count: 1, summary: 'Replies a value of this type.', run: protocolSample },
  QUICKLIST: {
    args: '<key> [<0|1>]',
    count: [1, 2],
    summary: 'Writes to the log how a long list lies.',
    run: describeQuicklist,
  },
  'QUICKLIST-PACKED-THRESHOLD': {
    args: '<size>',
    count: 1,
    summary: 'Sets the size from which on an element of a list has a node of its own.',
    run: packedThreshold,
  },
  RELOAD: { args: '[option ...]', count: [0, MANY], summary: 'Saves the data and loads it again.', run: reload },
  REPLICATE: { args: '<argument> ...', count: [1, MANY], summary: 'Sends a command to the replicas.', run: accepted },
  REPLYBUFFER: {
    args: '<PEAK-RESET-TIME|RESIZING> <value>',
    count: 2,
    summary: 'Accepted: replies share one buffer.',
    run: replyBuffer,
  },
  SDSLEN: { args: '<key>', count: 1, summary: 'Tells the room that a key and its string have.', run: describeString },
  'SET-ACTIVE-EXPIRE': {
    args: '<0|1>',
    count: 1,
    summary: 'Whether keys past their time are looked for. Otherwise they go when they are met.',
    run: setActiveExpire,
  },
  'SET-DISABLE-DENY-SCRIPTS': {
    args: '<0|1>',
    count: 1,
    summary: 'Whether scripts may run the commands that are not for scripts.',
    run: (call, { scripting }) => {
      scripting.allowsAll = isOn(call)
      call.reply.ok()
    },
  },
  'SET-SKIP-CHECKSUM-VALIDATION': {
    args: '<0|1>',
    count: 1,
    summary: 'Whether checksums of files and of RESTORE are left unread.',
    run: setSkipChecksum,
  },
  SLEEP: { args: '<seconds>', count: 1, summary: 'Stops the server for a while.', run: sleep },
  VERIFY: { count: 0, summary: 'Checks every structure in memory; ends the server if one is broken.', run: verify },
}

function isAllowed(call: Call, { config, connections }: Server): boolean {
  const allowed = config.choice('enable-debug-command')
  if (allowed !== 'local') return allowed === 'yes'
  return connections.get(call.session.id)?.isLocal === true
}

function debug(call: Call, server: Server): void {
  if (!isAllowed(call, server)) return call.reply.error(DEBUG_NOT_ALLOWED)
  const name = call.string(1).toUpperCase()
  if (name === 'HELP' && call.argc === FIRST) return help(call)
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name]! : undefined
  if (subcommand === undefined || !takes(subcommand, call.argc - FIRST)) {
    return call.reply.error(wrongSubcommand(call.string(1), 'DEBUG'))
  }
  subcommand.run(call, server)
}

function takes({ count }: DebugSubcommand, given: number): boolean {
  return typeof count === 'number' ? given === count : given >= count[0] && given <= count[1]
}

function help({ reply }: Call): void {
  const lines = ['DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:']
  for (const [name, { args, summary }] of Object.entries(SUBCOMMANDS)) {
    lines.push(args === undefined ? name : `${name} ${args}`, `    ${summary}`)
  }
  lines.push('HELP', '    Tells what the subcommands do.')
  reply.array(lines.length)
  for (const line of lines) reply.simple(line)
}

export function debugCommands(server: Server): readonly Command[] {
  return group('server', {
    DEBUG: {
      summary: 'Looks into the server, for its developers.',
      since: '1.0.0',
      complexity: 'Depends on the subcommand',
      flags: Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE | Flag.PROTECTED,
      arity: -2,
      internal: true,
      run: (call) => debug(call, server),
    },
  } satisfies CommandGroup)
}
