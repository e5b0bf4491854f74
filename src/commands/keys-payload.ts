/* DUMP and RESTORE: a key's value as bytes that can be kept, or given to another server, and made a value of again.
 * What these bytes are is for persistence/rdb/payload.ts to know. */
import { Event } from '../keyspace/events.ts'
import { addInt64, compareInt64, type Int64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import type { Payloads } from '../persistence/rdb/payload.ts'
import {
  BAD_PAYLOAD,
  BUSY_KEY,
  type ErrorReply,
  INVALID_FREQUENCY,
  INVALID_IDLE_TIME,
  INVALID_TTL,
  NO_PAYLOAD,
  NOT_DUMPABLE,
  NOT_INTEGER,
  SYNTAX,
} from '../protocol/errors.ts'
import type { Call } from './call.ts'
import {
  Category,
  type Command,
  type CommandDefinition,
  type CommandGroup,
  Flag,
  group,
  integer,
  key,
  optional,
  string,
  token,
} from './definition.ts'

function dump(call: Call, payloads: Payloads): void {
  const { reply } = call
  const entry = call.db.lookupRead(call.bytes, call.posOf(1), call.lenOf(1))
  if (entry === NONE) return reply.nullBulk()
  if (!payloads.dump(entry)) return reply.error(NOT_DUMPABLE)
  reply.bulk(payloads.bytes, 0, payloads.len)
}

const OPTIONS_FROM = 4
const FREQUENCY_MAX = 255

/** What RESTORE was told beside key, time and payload. One object for all calls: it is read before the next one. */
const options = { replace: false, absolute: false, idleSeconds: -1, frequency: -1 }

/** Reads the options of RESTORE; false after replying what is wrong with them. */
function readOptions(call: Call): boolean {
  options.replace = false
  options.absolute = false
  options.idleSeconds = -1
  options.frequency = -1
  for (let index = OPTIONS_FROM; index < call.argc; index++) {
    const hasMore = index + 1 < call.argc
    if (call.is(index, 'REPLACE')) options.replace = true
    else if (call.is(index, 'ABSTTL')) options.absolute = true
    else if (call.is(index, 'IDLETIME') && hasMore && options.frequency < 0) {
      options.idleSeconds = readHint(call, ++index, Number.POSITIVE_INFINITY, INVALID_IDLE_TIME)
      if (options.idleSeconds < 0) return false
    } else if (call.is(index, 'FREQ') && hasMore && options.idleSeconds < 0) {
      options.frequency = readHint(call, ++index, FREQUENCY_MAX, INVALID_FREQUENCY)
      if (options.frequency < 0) return false
    } else {
      call.reply.error(SYNTAX)
      return false
    }
  }
  return true
}

/** A number from 0 to `most`; negative after replying that it is none, or `error`. */
function readHint(call: Call, index: number, most: number, error: ErrorReply): number {
  const value = call.integer(index)
  if (value === undefined) call.reply.error(NOT_INTEGER)
  else if (compareInt64(value, 0) < 0 || toNumber(value) > most) call.reply.error(error)
  else return toNumber(value)
  return -1
}

/** When the key is due: 0 if never; undefined after replying what is wrong with the time. */
function readDue(call: Call): Int64 | undefined {
  const ttl = call.integer(2)
  if (ttl === undefined) call.reply.error(NOT_INTEGER)
  else if (compareInt64(ttl, 0) < 0) call.reply.error(INVALID_TTL)
  else if (options.absolute || ttl === 0) return ttl
  // What cannot be told as a time is past, as it is for Redis, where the sum goes round.
  else return addInt64(ttl, call.keyspace.now) ?? -1
  return undefined
}

function restore(call: Call, payloads: Payloads): void {
  const { db, bytes, reply } = call
  const keyPos = call.posOf(1)
  const keyLen = call.lenOf(1)
  if (!readOptions(call)) return
  if (!options.replace && db.lookupWrite(bytes, keyPos, keyLen) !== NONE) return reply.error(BUSY_KEY)
  const due = readDue(call)
  if (due === undefined) return
  const pos = call.posOf(3)
  const len = call.lenOf(3)
  if (!payloads.isSound(bytes, pos, len)) return reply.error(NO_PAYLOAD)
  const { idleSeconds, frequency } = options
  const expiry = due === 0 ? undefined : due
  const entry = payloads.restore(bytes, pos, len, bytes, keyPos, keyLen, expiry, idleSeconds, frequency)
  if (entry === NONE) return reply.error(BAD_PAYLOAD)
  const taken = db.lookupWrite(bytes, keyPos, keyLen)
  if (taken !== NONE) db.remove(taken)
  const isPast = due !== 0 && compareInt64(due, call.keyspace.now) <= 0 && !call.keyspace.keepsExpired
  if (isPast) passOver(call, entry, taken !== NONE)
  else {
    db.insert(entry)
    call.changed(1, Event.RESTORE)
    if (due !== 0 && !options.absolute && call.effects.listening) tellAbsolute(call, due)
  }
  reply.ok()
}

/** The value is past its time already: all that happened is that the key's old one, if there was any, has gone. */
function passOver(call: Call, entry: Ref, wasTaken: boolean): void {
  call.keyspace.freeEntry(entry)
  if (!wasTaken) return
  call.changed(1, Event.DEL)
  const { effects } = call
  if (effects.listening)
    effects
      .begin(call, 2)
      .word(effects.lazyDelete ? 'UNLINK' : 'DEL')
      .argument(call, 1)
}

function tellAbsolute(call: Call, due: Int64): void {
  const { effects, argc } = call
  effects
    .begin(call, argc + 1)
    .argument(call, 0)
    .argument(call, 1)
    .integer(due)
  for (let index = 3; index < argc; index++) effects.argument(call, index)
  effects.word('ABSTTL')
}

const RESTORE_ARGS: Pick<CommandDefinition, 'complexity' | 'categories' | 'args' | 'history'> = {
  complexity: 'O(N*M), N parts of the value, M their mean size; O(N*M*log(N)) for sorted sets; O(1) for a small string',
  categories: Category.KEYSPACE | Category.DANGEROUS,
  args: [
    key('OW update'),
    integer('ttl'),
    string('serialized-value'),
    optional(token('REPLACE', { since: '3.0.0' })),
    optional(token('ABSTTL', { since: '5.0.0' })),
    optional(integer('IDLETIME seconds', { since: '5.0.0' })),
    optional(integer('FREQ frequency', { since: '5.0.0' })),
  ],
  history: [
    ['3.0.0', '`REPLACE`.'],
    ['5.0.0', '`ABSTTL`.'],
    ['5.0.0', '`IDLETIME` and `FREQ`.'],
  ],
}

function genericCommands(payloads: Payloads): readonly Command[] {
  return group('generic', {
    DUMP: {
      summary: "Gives a key's value in the form that RESTORE reads.",
      since: '2.6.0',
      complexity: 'O(N*M), N parts of the value, M their mean size; O(1) for a small string',
      flags: Flag.READONLY,
      args: [key('RO access')],
      tips: ['nondeterministic_output'],
      run: (call) => dump(call, payloads),
    },
    RESTORE: {
      summary: 'Creates a key from the output of DUMP.',
      since: '2.6.0',
      flags: Flag.WRITE | Flag.DENYOOM,
      ...RESTORE_ARGS,
      run: (call) => restore(call, payloads),
    },
  } satisfies CommandGroup)
}

export function payloadCommands(payloads: Payloads): readonly Command[] {
  const serverCommands = group('server', {
    'RESTORE-ASKING': {
      summary: 'Creates a key from the output of DUMP while its slot is being moved.',
      since: '3.0.0',
      flags: Flag.WRITE | Flag.DENYOOM | Flag.ASKING,
      ...RESTORE_ARGS,
      internal: true,
      run: (call) => restore(call, payloads),
    },
  } satisfies CommandGroup)
  return [...genericCommands(payloads), ...serverCommands]
}
