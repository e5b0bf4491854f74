/* ACL: the users and what they may do. Rules are src/acl/'s, their effect on connections access.ts's. */

import type { AclLogEntry } from '../../acl/log.ts'
import { losesChannels, mayStillHear } from '../../acl/permissions.ts'
import type { Selector } from '../../acl/selector.ts'
import type { User } from '../../acl/user.ts'
import { DEFAULT_USER, hasSpaces } from '../../acl/users.ts'
import type { Call } from '../../commands/call.ts'
import {
  Category,
  type Command,
  type CommandGroup,
  Flag,
  group,
  integer,
  many,
  oneOf,
  optional,
  string,
} from '../../commands/definition.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { categoryOf, listNames } from '../../commands/introspection/lookup.ts'
import { SessionFlag } from '../../commands/session.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import { randomBytes } from '../../lib/crypto.ts'
import { compareInt64, toNumber } from '../../lib/int64.ts'
import {
  ACL_DEFAULT_USER,
  ACL_GENPASS_BITS,
  ACL_NO_FILE,
  ACL_NOT_SAVED,
  ACL_USER_NAME,
  errorReply,
  NOT_INTEGER,
  unknownAclCategory,
  unknownDryRunCommand,
  unknownDryRunUser,
  wrongArity,
  wrongSubcommand,
} from '../../protocol/errors.ts'
import { ClientType, clientTypeOf } from '../client-type.ts'
import type { Connection } from '../connection.ts'
import type { Server } from '../server.ts'

const GENPASS_BITS_MAX = 4096
const GENPASS_BITS = 256
const LOG_COUNT = 10
const ANY_TIME = Flag.NOSCRIPT | Flag.LOADING | Flag.STALE

/** Replies with a byte string. */
function replyText(call: Call, text: string): void {
  const bytes = fromLatin1(text)
  call.reply.bulk(bytes, 0, bytes.length)
}

function replyTexts(call: Call, texts: readonly string[]): void {
  call.reply.array(texts.length)
  for (const text of texts) replyText(call, text)
}

function argumentsFrom(call: Call, first: number): string[] {
  const args: string[] = []
  for (let index = first; index < call.argc; index++) args.push(call.string(index))
  return args
}

function setuser(server: Server, call: Call): void {
  const { users } = server.access
  const name = call.string(2)
  if (hasSpaces(name)) return call.reply.error(ACL_USER_NAME)
  const planned = users.plan(name, argumentsFrom(call, 3))
  if (typeof planned === 'string') return call.reply.error(errorReply(`ERR ${planned}`))
  const known = users.get(name)
  if (known !== undefined && losesChannels(known, planned)) closeSubscribers(server, call, known, planned)
  users.apply(planned)
  server.access.judgeAll()
  call.reply.ok()
}

/** Closes the connections of a user that listen to what it may not hear any more. */
function closeSubscribers(server: Server, call: Call, user: User, planned: User): void {
  for (const connection of [...server.connections.values()]) {
    const { session } = connection
    if (session.account !== user || clientTypeOf(session) !== ClientType.PUBSUB) continue
    if (mayListenOn(server, connection, planned)) continue
    if (session === call.session) session.flags |= SessionFlag.CLOSE_AFTER_REPLY
    else connection.close()
  }
}

function mayListenOn({ pubsub }: Server, connection: Connection, user: User): boolean {
  const may = (names: readonly string[], arePatterns: boolean): boolean =>
    names.every((name) => mayStillHear(user, arePatterns, fromLatin1(name)))
  return (
    may(pubsub.patternsOf(connection), true) &&
    may(pubsub.channelsOf(connection, false), false) &&
    may(pubsub.channelsOf(connection, true), false)
  )
}

function deluser(server: Server, call: Call): void {
  const names = argumentsFrom(call, 2)
  if (names.includes(DEFAULT_USER)) return call.reply.error(ACL_DEFAULT_USER)
  let count = 0
  for (const name of names) {
    const user = server.access.users.remove(name)
    if (user === undefined) continue
    server.access.expel(call, (each) => each === user)
    count++
  }
  call.reply.integer(count)
}

function getuser(server: Server, call: Call): void {
  const { reply } = call
  const user = server.access.users.get(call.string(2))
  if (user === undefined) return reply.nullBulk()
  reply.map(6)
  reply.bulkString('flags')
  reply.set(user.flags.length)
  for (const flag of user.flags) reply.bulkString(flag)
  reply.bulkString('passwords')
  replyTexts(call, user.passwords)
  replySelector(call, user.root)
  reply.bulkString('selectors')
  const others = user.selectors.slice(1)
  reply.array(others.length)
  for (const selector of others) {
    reply.map(3)
    replySelector(call, selector)
  }
}

/** Replies with three pairs. */
function replySelector(call: Call, selector: Selector): void {
  call.reply.bulkString('commands')
  replyText(call, selector.describeCommands())
  call.reply.bulkString('keys')
  replyText(call, selector.describeKeys())
  call.reply.bulkString('channels')
  replyText(call, selector.describeChannels())
}

function cat(server: Server, call: Call): void {
  if (call.argc > 3) return call.reply.error(wrongSubcommand(call.string(1), 'acl'))
  if (call.argc === 2) {
    return replyTexts(
      call,
      Object.keys(Category).map((name) => name.toLowerCase()),
    )
  }
  const bit = categoryOf(call.string(2))
  if (bit === 0) return call.reply.error(unknownAclCategory(call.string(2)))
  replyTexts(
    call,
    listNames(server.table.commands, (command) => (command.categories & bit) !== 0),
  )
}

function genpass(call: Call): void {
  if (call.argc > 3) return call.reply.error(wrongSubcommand(call.string(1), 'acl'))
  const given = call.argc === 3 ? call.integer(2) : GENPASS_BITS
  if (given === undefined) return call.reply.error(NOT_INTEGER)
  if (compareInt64(given, 1) < 0 || compareInt64(given, GENPASS_BITS_MAX) > 0) {
    return call.reply.error(ACL_GENPASS_BITS)
  }
  const length = Math.ceil(toNumber(given) / 4)
  replyText(
    call,
    randomBytes(Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length),
  )
}

function log(server: Server, call: Call): void {
  const { reply, argc } = call
  const aclLog = server.access.log
  if (argc > 3) return reply.error(wrongSubcommand(call.string(1), 'acl'))
  if (argc === 3 && call.is(2, 'RESET')) {
    aclLog.clear()
    return reply.ok()
  }
  const count = argc === 3 ? call.integer(2) : LOG_COUNT
  if (count === undefined) return reply.error(NOT_INTEGER)
  const entries = aclLog.latest(Math.max(toNumber(count), 0))
  reply.array(entries.length)
  for (const entry of entries) replyEntry(call, entry, server.keyspace.now)
}

function replyEntry(call: Call, entry: AclLogEntry, now: number): void {
  const { reply } = call
  const pair = (name: string, text: string): void => {
    reply.bulkString(name)
    replyText(call, text)
  }
  reply.map(10)
  reply.bulkString('count')
  reply.integer(entry.count)
  pair('reason', entry.reason)
  pair('context', entry.context)
  pair('object', entry.object)
  pair('username', entry.user)
  reply.bulkString('age-seconds')
  reply.double((now - entry.updatedMs) / 1000)
  pair('client-info', entry.client)
  reply.bulkString('entry-id')
  reply.integer(entry.id)
  reply.bulkString('timestamp-created')
  reply.integer(entry.createdMs)
  reply.bulkString('timestamp-last-updated')
  reply.integer(entry.updatedMs)
}

function dryrun(server: Server, call: Call): void {
  const { table, access } = server
  const user = access.users.get(call.string(2))
  if (user === undefined) return call.reply.error(unknownDryRunUser(call.string(2)))
  const { bytes, pos, len, argc } = call
  let command: Command | undefined = table.lookup(bytes, pos[3]!, len[3]!)
  if (command !== undefined && command.subcommands.length > 0 && argc > 4) {
    command = table.subcommand(command, bytes, pos[4]!, len[4]!)
  }
  if (command === undefined) return call.reply.error(unknownDryRunCommand(call.string(3)))
  const given = argc - 3
  if (given < command.leastArgc || given > command.mostArgc) return call.reply.error(wrongArity(command.fullName))
  const denial = access.dryRun(call, 3, user, command)
  if (denial === undefined) call.reply.ok()
  else replyText(call, denial)
}

function load(server: Server, call: Call): void {
  if (!server.access.hasFile) return call.reply.error(ACL_NO_FILE)
  const problem = server.access.loadFile()
  if (problem !== undefined) return call.reply.error(errorReply(`ERR ${problem}`))
  // Those who came as somebody else may be somebody else now.
  server.access.expel(call, (user) => user !== server.access.users.default)
  server.access.judgeAll()
  call.reply.ok()
}

function save(server: Server, call: Call): void {
  if (!server.access.hasFile) call.reply.error(ACL_NO_FILE)
  else if (server.access.saveFile()) call.reply.ok()
  else call.reply.error(ACL_NOT_SAVED)
}

const usersCommands = (server: Server): CommandGroup => ({
  CAT: {
    summary: 'Lists the command categories, or the commands in one.',
    since: '6.0.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    args: [optional(string('category'))],
    run: (call) => cat(server, call),
  },
  DELUSER: {
    summary: 'Deletes users and closes their connections.',
    since: '6.0.0',
    complexity: 'O(1) amortised',
    flags: Flag.ADMIN | ANY_TIME,
    args: [many(string('username'))],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: (call) => deluser(server, call),
  },
  DRYRUN: {
    summary: 'Tells whether a user may run a command, without running it.',
    since: '7.0.0',
    complexity: 'O(1)',
    flags: Flag.ADMIN | ANY_TIME,
    args: [string('username'), string('command'), optional(many(string('arg')))],
    run: (call) => dryrun(server, call),
  },
  GENPASS: {
    summary: 'Makes up a password that cannot be guessed.',
    since: '6.0.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    args: [optional(integer('bits'))],
    run: genpass,
  },
  GETUSER: {
    summary: 'Describes a user.',
    since: '6.0.0',
    complexity: 'O(N), N rules of the user',
    flags: Flag.ADMIN | ANY_TIME,
    args: [string('username')],
    history: [
      ['6.2.0', 'Channel patterns.'],
      ['7.0.0', 'Selectors; key and channel patterns are given as rules.'],
    ],
    run: (call) => getuser(server, call),
  },
  HELP: helpCommand('6.0.0'),
})

const otherCommands = (server: Server): CommandGroup => ({
  LIST: {
    summary: 'Gives the rules of all users, as an ACL file has them.',
    since: '6.0.0',
    complexity: 'O(N), N users',
    flags: Flag.ADMIN | ANY_TIME,
    run: (call) =>
      replyTexts(
        call,
        server.access.users.lines.map((line) => `user ${line}`),
      ),
  },
  LOAD: {
    summary: 'Reads the ACL file again.',
    since: '6.0.0',
    complexity: 'O(N), N users',
    flags: Flag.ADMIN | ANY_TIME,
    run: (call) => load(server, call),
  },
  LOG: {
    summary: 'Lists what was refused lately.',
    since: '6.0.0',
    complexity: 'O(N), N entries shown',
    flags: Flag.ADMIN | ANY_TIME,
    args: [optional(oneOf('operation', integer('count'), 'RESET'))],
    history: [['7.2.0', 'The fields for id, creation and last update.']],
    run: (call) => log(server, call),
  },
  SAVE: {
    summary: 'Writes the rules to the ACL file.',
    since: '6.0.0',
    complexity: 'O(N), N users',
    flags: Flag.ADMIN | ANY_TIME,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: (call) => save(server, call),
  },
  SETUSER: {
    summary: 'Creates a user or changes its rules.',
    since: '6.0.0',
    complexity: 'O(N), N rules given',
    flags: Flag.ADMIN | ANY_TIME,
    args: [string('username'), optional(many(string('rule')))],
    history: [
      ['6.2.0', 'Channel patterns.'],
      ['7.0.0', 'Selectors, and key permissions for reading and writing apart.'],
    ],
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: (call) => setuser(server, call),
  },
  USERS: {
    summary: 'Lists the users.',
    since: '6.0.0',
    complexity: 'O(N), N users',
    flags: Flag.ADMIN | ANY_TIME,
    run: (call) =>
      replyTexts(
        call,
        server.access.users.sorted.map(({ name }) => name),
      ),
  },
  WHOAMI: {
    summary: 'Names the user of this connection.',
    since: '6.0.0',
    complexity: 'O(1)',
    flags: ANY_TIME,
    run: (call) => replyText(call, call.session.user),
  },
})

export function aclCommands(server: Server): readonly Command[] {
  return group('server', {
    ACL: {
      summary: 'Looks after users and what they may do.',
      since: '6.0.0',
      subcommands: { ...usersCommands(server), ...otherCommands(server) },
    },
  })
}
