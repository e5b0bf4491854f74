/* MIGRATE: what it is asked for. How the keys get there is migration/'s matter. */
import type { Call } from '../../commands/call.ts'
import {
  block,
  Category,
  type Command,
  type CommandGroup,
  Flag,
  group,
  integer,
  key,
  many,
  oneOf,
  optional,
  since,
  string,
  token,
} from '../../commands/definition.ts'
import { migrateKeys } from '../../commands/introspection/key-extractors.ts'
import { afterKeyword, atWord, keySpec, ONE, range } from '../../commands/introspection/key-specs.ts'
import { toNumber } from '../../lib/int64.ts'
import { MIGRATE_KEYS, NOT_INTEGER, SYNTAX } from '../../protocol/errors.ts'
import type { Server } from '../server.ts'
import { leadingInteger } from './debug/subcommand.ts'

const KEY = 3
const OPTIONS_FROM = 6
const TIMEOUT_MS = 1000
const TIMEOUT_MS_MAX = 2 ** 31 - 1

interface Options {
  copy: boolean
  replace: boolean
  credentials: Uint8Array[]
  first: number
  count: number
}

/** The options; undefined after replying what is wrong with them. */
function readOptions(call: Call): Options | undefined {
  const options: Options = { copy: false, replace: false, credentials: [], first: KEY, count: 1 }
  for (let index = OPTIONS_FROM; index < call.argc; index++) {
    const more = call.argc - 1 - index
    if (call.is(index, 'COPY')) options.copy = true
    else if (call.is(index, 'REPLACE')) options.replace = true
    else if (call.is(index, 'AUTH') && more >= 1) options.credentials = [call.copy(++index)]
    else if (call.is(index, 'AUTH2') && more >= 2) {
      options.credentials = [call.copy(index + 1), call.copy(index + 2)]
      index += 2
    } else if (call.is(index, 'KEYS')) {
      if (call.lenOf(KEY) === 0) return { ...options, first: index + 1, count: more }
      call.reply.error(MIGRATE_KEYS)
      return undefined
    } else {
      call.reply.error(SYNTAX)
      return undefined
    }
  }
  return options
}

function migrate(call: Call, { migration }: Server): void {
  const options = readOptions(call)
  if (options === undefined) return
  const timeout = call.integer(5)
  const dbIndex = call.integer(4)
  if (timeout === undefined || dbIndex === undefined) return call.reply.error(NOT_INTEGER)
  const timeoutMs = Math.min(toNumber(timeout), TIMEOUT_MS_MAX)
  const target = {
    host: call.string(1),
    port: leadingInteger(call.string(2)) & 0xffff,
    dbIndex: toNumber(dbIndex),
    timeoutMs: timeoutMs <= 0 ? TIMEOUT_MS : timeoutMs,
    copy: options.copy,
    replace: options.replace,
    credentials: options.credentials,
  }
  migration.begin(call, target, options.first, options.count)
}

export function migrateCommands(server: Server): readonly Command[] {
  return group('generic', {
    MIGRATE: {
      summary: 'Moves keys to another server.',
      since: '2.6.0',
      complexity: 'That of DUMP and DEL here and RESTORE there, and O(N) for sending N bytes',
      flags: Flag.WRITE,
      categories: Category.KEYSPACE | Category.DANGEROUS,
      args: [
        string('host'),
        integer('port'),
        oneOf('key-selector', key('RW access delete'), token('', { name: 'empty-string' })),
        integer('destination-db'),
        integer('timeout'),
        optional(token('COPY', { since: '3.0.0' })),
        optional(token('REPLACE', { since: '3.0.0' })),
        optional(
          oneOf(
            'authentication',
            string('AUTH auth', { display: 'password', since: '4.0.7' }),
            since('6.0.0', block('AUTH2 auth2', string('username'), string('password'))),
          ),
        ),
        optional(many(key('RW access delete incomplete', 'KEYS keys', { display: 'key', since: '3.0.6' }))),
      ],
      keySpecs: [
        keySpec('RW access delete', atWord(3), ONE),
        keySpec('RW access delete incomplete', afterKeyword('KEYS', -2), range(-1, 1, 0)),
      ],
      keysOf: migrateKeys,
      history: [
        ['3.0.0', '`COPY` and `REPLACE`.'],
        ['3.0.6', '`KEYS`, for several keys.'],
        ['4.0.7', '`AUTH`.'],
        ['6.0.0', '`AUTH2`.'],
      ],
      tips: ['nondeterministic_output'],
      run: (call) => migrate(call, server),
    },
  } satisfies CommandGroup)
}
