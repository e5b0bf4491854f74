/* The hash commands that get or set fields and something else with it: HGETDEL, HGETEX, HSETEX. */
import { HashEncoding, Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { compareInt64 } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  FIELD_CONDITIONS,
  FIELD_EXPIRATIONS,
  FIELDS_COUNT,
  FIELDS_NOT_POSITIVE,
  NO_EXPIRE_TIME,
  unknownArgument,
  wrongArity,
} from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import {
  block,
  type CommandGroup,
  Flag,
  group,
  integer,
  key,
  many,
  oneOf,
  optional,
  string,
  unixTime,
} from './definition.ts'
import type { ExpiryUnit } from './expiry-options.ts'
import { replyValue, takeMet } from './hashes.ts'
import { changes, expireField, fieldDue, fields, hasFields, setDue } from './hashes-expiry.ts'

/** The expiry option that an argument names, '' if it is none. */
function unitAt(call: Call, index: number): ExpiryUnit {
  if (call.is(index, 'EX')) return 'EX'
  if (call.is(index, 'PX')) return 'PX'
  if (call.is(index, 'EXAT')) return 'EXAT'
  return call.is(index, 'PXAT') ? 'PXAT' : ''
}

// HGETDEL.

function hgetdel(call: Call): void {
  const { keyspace, reply, bytes, pos, len, argc, effects } = call
  const { hashes } = keyspace
  const entry = call.writeKey(1, Type.HASH)
  if (entry === REFUSED || !hasFields(call, 2, FIELDS_NOT_POSITIVE)) return
  reply.array(argc - 4)
  changes.begin()
  for (let index = 4; index < argc; index++) {
    if (!replyValue(call, entry, index)) {
      if (entry !== NONE && takeMet(call, entry, index)) changes.expired++
    } else if (hashes.delete(entry, bytes, pos[index]!, len[index]!)) changes.deleted++
  }
  if (changes.deleted + changes.expired === 0) return
  if (changes.deleted > 0 && effects.listening) {
    effects
      .begin(call, argc - 2)
      .word('HDEL')
      .argument(call, 1)
    for (let index = 4; index < argc; index++) effects.argument(call, index)
  }
  changes.settle(call, entry, Event.HDEL)
}

// HGETEX.

function hgetex(call: Call): void {
  const { reply, argc } = call
  const entry = call.writeKey(1, Type.HASH)
  if (entry === REFUSED) return
  const unit = unitAt(call, 2)
  const persists = unit === '' && call.is(2, 'PERSIST')
  const due = unit === '' ? 0 : fieldDue(call, 3, unit)
  if (due === undefined) return
  const at = unit !== '' ? 4 : persists ? 3 : 2
  if (!hasFields(call, at, FIELDS_NOT_POSITIVE)) return
  const first = at + 2
  reply.array(argc - first)
  changes.begin()
  if (entry !== NONE && (unit !== '' || persists)) call.keyspace.hashes.letExpire(entry)
  for (let index = first; index < argc; index++) {
    if (!replyValue(call, entry, index)) {
      if (entry !== NONE && takeMet(call, entry, index)) changes.expired++
    } else if (unit !== '') expireField(call, entry, index, due, 0)
    else if (persists) persistMet(call, entry, index)
  }
  if (changes.expired + changes.updated + changes.deleted === 0) return
  if (changes.updated > 0 && call.effects.listening) tellGotten(call, first, due)
  changes.settle(call, entry, persists ? Event.HPERSIST : Event.HEXPIRE)
}

/** Removes the expiry of the field of argument `index` that was just found. */
function persistMet(call: Call, entry: Ref, index: number): void {
  const { expiring } = call.keyspace.hashes
  if (expiring.due === 0) return
  expiring.setDue(entry, call.bytes, call.posOf(index), call.lenOf(index), 0)
  changes.updated++
}

/** As what it did to the expiries: HPEXPIREAT, or, without a moment, HPERSIST. */
function tellGotten(call: Call, first: number, due: number): void {
  const { effects, argc } = call
  if (due === 0)
    effects
      .begin(call, 4 + argc - first)
      .word('HPERSIST')
      .argument(call, 1)
  else
    effects
      .begin(call, 5 + argc - first)
      .word('HPEXPIREAT')
      .argument(call, 1)
      .integer(due)
  for (let index = first - 2; index < argc; index++) effects.argument(call, index)
}

// HSETEX.

/** What a call of HSETEX asks for. */
const request = {
  /** Only if all of the fields are there, or none is. */
  onlyIfAll: false,
  onlyIfNone: false,
  keeps: false,
  unit: '' as ExpiryUnit,
  /** Argument with the number of the expiry option. */
  dueAt: 0,
  due: 0,
  /** The first field. */
  first: 0,
}

/** Reads the options; false after replying what is wrong with them. */
function parseRequest(call: Call): boolean {
  request.onlyIfAll = false
  request.onlyIfNone = false
  request.keeps = false
  request.unit = ''
  for (let index = 2; index < call.argc; index++) {
    if (call.is(index, 'FIELDS')) return parseFields(call, index)
    const isAll = call.is(index, 'FXX')
    const unit = unitAt(call, index)
    if (isAll || call.is(index, 'FNX')) {
      if (request.onlyIfAll || request.onlyIfNone) return refuse(call, FIELD_CONDITIONS)
      request.onlyIfAll = isAll
      request.onlyIfNone = !isAll
    } else if (unit !== '' || call.is(index, 'KEEPTTL')) {
      if (request.unit !== '' || request.keeps) return refuse(call, FIELD_EXPIRATIONS)
      request.keeps = unit === ''
      if (unit === '') continue
      if (index === call.argc - 1) return refuse(call, NO_EXPIRE_TIME)
      const due = fieldDue(call, ++index, unit)
      if (due === undefined) return false
      request.unit = unit
      request.dueAt = index
      request.due = due
    } else return refuse(call, unknownArgument(call.string(index)))
  }
  return refuse(call, wrongArity(call.command!.fullName))
}

function parseFields(call: Call, index: number): boolean {
  const left = call.argc - index - 2
  if (left < 2) return refuse(call, wrongArity(call.command!.fullName))
  const count = call.integer(index + 1)
  if (count === undefined || compareInt64(count, 1) < 0 || compareInt64(count, 2 ** 31 - 1) > 0) {
    return refuse(call, FIELDS_COUNT)
  }
  if (left % 2 !== 0 || compareInt64(count, left / 2) !== 0) return refuse(call, wrongArity(call.command!.fullName))
  request.first = index + 2
  return true
}

function refuse(call: Call, error: Parameters<Call['reply']['error']>[0]): false {
  call.reply.error(error)
  return false
}

function hsetex(call: Call): void {
  const { keyspace, db, reply, bytes, pos, len, argc } = call
  const { hashes } = keyspace
  if (!parseRequest(call)) return
  let entry = call.writeKey(1, Type.HASH)
  if (entry === REFUSED) return
  if (entry === NONE && request.onlyIfAll) return reply.integer(0)
  changes.begin()
  if (entry !== NONE && !isAllowed(call, entry)) {
    if (changes.expired > 0) changes.settle(call, entry, Event.HSET)
    return reply.integer(0)
  }
  if (entry === NONE) {
    entry = hashes.create(HashEncoding.LISTPACK, bytes, pos[1]!, len[1]!)
    db.insert(entry)
  }
  hashes.expect(entry, len, request.first, argc)
  if (request.unit !== '') hashes.letExpire(entry)
  for (let index = request.first; index < argc; index += 2) setField(call, entry, index)
  keyspace.dirty += (argc - request.first) / 2 - 1
  if (call.effects.listening && changes.deleted === 0 && request.unit !== '') tellSet(call)
  changes.settle(call, entry, Event.HEXPIRE, Event.HSET)
  reply.integer(1)
}

/** Whether the condition allows the fields to be set. Those past their time that it meets go. */
function isAllowed(call: Call, entry: Ref): boolean {
  const { onlyIfAll, onlyIfNone } = request
  if (!onlyIfAll && !onlyIfNone) return true
  const { hashes } = call.keyspace
  for (let index = request.first; index < call.argc; index += 2) {
    const exists = hashes.has(entry, call.bytes, call.posOf(index), call.lenOf(index))
    if (!exists && takeMet(call, entry, index)) changes.expired++
    if (exists !== onlyIfAll) return false
  }
  return true
}

function setField(call: Call, entry: Ref, index: number): void {
  const { keyspace, bytes, pos, len } = call
  const { hashes } = keyspace
  const { keeps, unit, due } = request
  // An expiry that is over is not kept.
  if (keeps && !hashes.has(entry, bytes, pos[index]!, len[index]!) && takeMet(call, entry, index)) changes.expired++
  const value = index + 1
  hashes.set(entry, bytes, pos[index]!, len[index]!, bytes, pos[value]!, len[value]!, keeps)
  if (unit === '') return
  hashes.expiring.seek(entry, bytes, pos[index]!, len[index]!)
  setDue(call, entry, index, due)
}

/** As it came, but for the moment. */
function tellSet(call: Call): void {
  const { effects, argc } = call
  effects.begin(call, argc).word('HSETEX')
  for (let index = 1; index < argc; index++) {
    if (index === request.dueAt - 1) effects.word('PXAT')
    else if (index === request.dueAt) effects.integer(request.due)
    else effects.argument(call, index)
  }
}

const expirations = [
  integer('EX seconds'),
  integer('PX milliseconds'),
  unixTime('EXAT unix-time-seconds'),
  unixTime('PXAT unix-time-milliseconds'),
] as const
const pairs = block('FIELDS fields', integer('numfields'), many(block('data', string('field'), string('value'))))

export const hashGetexCommands = group('hash', {
  HGETDEL: {
    summary: 'Gives the values of fields and deletes the fields.',
    since: '8.0.0',
    complexity: 'O(N), N fields given',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete'), fields],
    run: hgetdel,
  },
  HGETEX: {
    summary: 'Gives the values of fields and sets or removes their expiry.',
    since: '8.0.0',
    complexity: 'O(N), N fields given',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access update'), optional(oneOf('expiration', ...expirations, 'PERSIST')), fields],
    run: hgetex,
  },
  HSETEX: {
    summary: 'Sets fields of a hash and, if asked, when they expire.',
    since: '8.0.0',
    complexity: 'O(N), N fields given',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [
      key('RW update'),
      optional(oneOf('condition', 'FNX', 'FXX')),
      optional(oneOf('expiration', ...expirations, 'KEEPTTL')),
      pairs,
    ],
    run: hsetex,
  },
} satisfies CommandGroup)
