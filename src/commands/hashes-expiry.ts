/* When the fields of a hash expire: HEXPIRE and its kin, HTTL and its kin, HPERSIST. Each takes several fields and
 * replies for each of them. What it shares with commands that set or remove fields as well (hashes-getex.ts) is here
 * too. */
import { Type } from '../keyspace/entry.ts'
import { Event, type KeyEvent } from '../keyspace/events.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  type ErrorReply,
  FIELD_EXPIRE_NEGATIVE,
  FIELDS_MISMATCH,
  FIELDS_MISSING,
  FIELDS_NOT_POSITIVE,
  invalidExpire,
  NOT_INTEGER,
  NUMFIELDS_NOT_POSITIVE,
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
import { takeMet } from './hashes.ts'
import { Condition, conditionAt } from './keys-expiry.ts'

/** The latest moment at which a field may expire: Redis keeps two bits of 48 for later. */
const DUE_MAX = 2 ** 46 - 1

/** What came of a field; what HEXPIRE replies. */
export const FieldOutcome = { ABSENT: -2, REFUSED: 0, SET: 1, DELETED: 2 } as const
const NO_EXPIRY = -1

/** The moment that the argument means; undefined after replying what is wrong with it. */
export function fieldDue(call: Call, index: number, unit: ExpiryUnit): number | undefined {
  const amount = call.integer(index)
  const inSeconds = unit === 'EX' || unit === 'EXAT'
  const base = unit === 'EX' || unit === 'PX' ? call.keyspace.now : 0
  if (amount === undefined) call.reply.error(NOT_INTEGER)
  else if (compareInt64(amount, 0) < 0) call.reply.error(FIELD_EXPIRE_NEGATIVE)
  else {
    const due = toNumber(amount) * (inSeconds ? 1000 : 1) + base
    if (due <= DUE_MAX) return due
    call.reply.error(invalidExpire(call.command!.fullName))
  }
  return undefined
}

/** Whether `FIELDS count field …` stands from argument `at` on, and nothing behind it; false after replying why not. */
export function hasFields(call: Call, at: number, notPositive: ErrorReply): boolean {
  const { reply, argc } = call
  if (at >= argc || !call.is(at, 'FIELDS')) reply.error(FIELDS_MISSING)
  else if (at + 1 >= argc) reply.error(wrongArity(call.command!.fullName))
  else {
    const count = call.integer(at + 1)
    if (count === undefined || compareInt64(count, 1) < 0) reply.error(notPositive)
    else if (compareInt64(count, argc - at - 2) !== 0) reply.error(FIELDS_MISMATCH)
    else return true
  }
  return false
}

/** What a command has done to the fields of a hash, for who must be told. One at a time. */
export class FieldChanges {
  /** Fields past their time that were met, fields with another expiry, fields deleted. */
  expired = 0
  updated = 0
  deleted = 0

  begin(): void {
    this.expired = 0
    this.updated = 0
    this.deleted = 0
  }

  /** Tells of what has been done to the hash last looked up, at argument 1: as `event`, unless the fields were deleted
   *  since their time is over. Takes the hash away if it is empty. `also` is told before these. */
  settle(call: Call, entry: Ref, event: KeyEvent, also?: KeyEvent): void {
    const { keyspace, db } = call
    const changed = this.updated + this.deleted
    const isEmpty = keyspace.hashes.size(entry) === 0
    if (isEmpty) {
      // One that was made by this very command has never been found.
      db.lookup(call.bytes, call.posOf(1), call.lenOf(1))
      db.remove(entry)
    } else db.noteFields(entry, db.hash)
    if (this.expired > 0) call.tell(1, Event.HEXPIRED)
    if (also !== undefined) call.changed(1, also)
    if (changed > 0) {
      keyspace.dirty += changed - 1
      call.changed(1, this.deleted > 0 ? Event.HDEL : event)
    }
    if (isEmpty) call.tell(1, Event.DEL)
  }
}
export const changes = new FieldChanges()

/** Gives the field of argument `index` an expiry, if the condition allows it; answers a FieldOutcome, which it counts.
 *  The hash must let its fields expire. One that is past its time is gone. Allocates. */
export function expireField(call: Call, entry: Ref, index: number, due: number, condition: number): number {
  const { bytes, pos, len } = call
  const { hashes } = call.keyspace
  if (!hashes.has(entry, bytes, pos[index]!, len[index]!)) {
    if (takeMet(call, entry, index)) changes.expired++
    return FieldOutcome.ABSENT
  }
  const old = hashes.expiring.due
  if (old === 0) {
    if ((condition & (Condition.XX | Condition.GT)) !== 0) return FieldOutcome.REFUSED
  } else {
    if (condition === Condition.NX) return FieldOutcome.REFUSED
    if (condition === Condition.GT && old >= due) return FieldOutcome.REFUSED
    if (condition === Condition.LT && old <= due) return FieldOutcome.REFUSED
  }
  return setDue(call, entry, index, due)
}

/** Gives the field of argument `index`, which was just looked up by `expiring`, an expiry; deletes it if that is over.
 *  Counts and answers that. Allocates. */
export function setDue(call: Call, entry: Ref, index: number, due: number): number {
  const { keyspace, effects, bytes, pos, len } = call
  const { expiring } = keyspace.hashes
  if (due > keyspace.now || keyspace.keepsExpired) {
    expiring.setDue(entry, bytes, pos[index]!, len[index]!, due)
    changes.updated++
    return FieldOutcome.SET
  }
  expiring.remove(entry)
  keyspace.stats.expiredFields++
  changes.deleted++
  if (effects.listening) effects.begin(call, 3).word('HDEL').argument(call, 1).argument(call, index)
  return FieldOutcome.DELETED
}

function expireIn(call: Call, unit: ExpiryUnit): void {
  const { reply, argc, effects } = call
  const entry = call.writeKey(1, Type.HASH)
  if (entry === REFUSED) return
  const due = fieldDue(call, 2, unit)
  if (due === undefined) return
  const condition = conditionAt(call, 3)
  const at = condition === 0 ? 3 : 4
  if (!hasFields(call, at, NUMFIELDS_NOT_POSITIVE)) return
  const first = at + 2
  reply.array(argc - first)
  if (entry === NONE) return replyAll(call, first, FieldOutcome.ABSENT)
  call.keyspace.hashes.letExpire(entry)
  changes.begin()
  const updated = effects.listening ? new Int32Array(argc - first) : null
  for (let index = first; index < argc; index++) {
    const outcome = expireField(call, entry, index, due, condition)
    if (updated !== null && outcome === FieldOutcome.SET) updated[changes.updated - 1] = index
    reply.integer(outcome)
  }
  if (updated !== null && changes.updated > 0) tellDue(call, due, at, updated)
  changes.settle(call, entry, Event.HEXPIRE)
}

/** The fields that were given an expiry are told of, with the condition, which stands before argument `at` if there is
 *  one; those that were not need not be. */
function tellDue(call: Call, due: number, at: number, updated: Int32Array): void {
  const { effects } = call
  const count = changes.updated
  effects
    .begin(call, at + 2 + count)
    .word('HPEXPIREAT')
    .argument(call, 1)
    .integer(due)
  if (at > 3) effects.argument(call, 3)
  effects.word('FIELDS').integer(count)
  for (let index = 0; index < count; index++) effects.argument(call, updated[index]!)
}

function replyAll(call: Call, first: number, value: number): void {
  for (let index = first; index < call.argc; index++) call.reply.integer(value)
}

/** Replies when the fields are due, as Unix time or from now on. */
function replyDue(call: Call, inMs: boolean, absolute: boolean): void {
  const { reply, keyspace, bytes, pos, len, argc } = call
  const { hashes, entries } = keyspace
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED || !hasFields(call, 2, FIELDS_NOT_POSITIVE)) return
  reply.array(argc - 4)
  if (entry === NONE) return replyAll(call, 4, FieldOutcome.ABSENT)
  const isExpiring = entries.hasExpiringFields(entry)
  const base = absolute ? 0 : keyspace.now
  for (let index = 4; index < argc; index++) {
    if (!hashes.has(entry, bytes, pos[index]!, len[index]!)) reply.integer(FieldOutcome.ABSENT)
    else if (!isExpiring || hashes.expiring.due === 0) reply.integer(NO_EXPIRY)
    else {
      const ms = hashes.expiring.due - base
      reply.integer(inMs ? ms : Math.ceil(ms / 1000))
    }
  }
}

function persist(call: Call): void {
  const { reply, keyspace, bytes, pos, len, argc } = call
  const { hashes, entries } = keyspace
  const entry = call.writeKey(1, Type.HASH)
  if (entry === REFUSED || !hasFields(call, 2, FIELDS_NOT_POSITIVE)) return
  reply.array(argc - 4)
  if (entry === NONE) return replyAll(call, 4, FieldOutcome.ABSENT)
  const isExpiring = entries.hasExpiringFields(entry)
  let persisted = 0
  for (let index = 4; index < argc; index++) {
    if (!hashes.has(entry, bytes, pos[index]!, len[index]!)) reply.integer(FieldOutcome.ABSENT)
    else if (!isExpiring || hashes.expiring.due === 0) reply.integer(NO_EXPIRY)
    else {
      hashes.expiring.setDue(entry, bytes, pos[index]!, len[index]!, 0)
      reply.integer(1)
      persisted++
    }
  }
  if (persisted > 0) call.changed(1, Event.HPERSIST)
}

const condition = optional(oneOf('condition', 'NX', 'XX', 'GT', 'LT'))
export const fields = block('FIELDS fields', integer('numfields'), many(string('field')))
const COMPLEXITY = 'O(N), N fields given'
const SETS = { since: '7.4.0', complexity: COMPLEXITY, flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST } as const
const TELLS = {
  since: '7.4.0',
  complexity: COMPLEXITY,
  flags: Flag.READONLY | Flag.FAST,
  args: [key('RO access'), fields],
} as const

export const hashExpiryCommands = group('hash', {
  HEXPIRE: {
    ...SETS,
    summary: 'Makes fields of a hash expire after some seconds.',
    args: [key('RW update'), integer('seconds'), condition, fields],
    run: (call) => expireIn(call, 'EX'),
  },
  HEXPIREAT: {
    ...SETS,
    summary: 'Makes fields of a hash expire at a Unix time in seconds.',
    args: [key('RW update'), unixTime('unix-time-seconds'), condition, fields],
    run: (call) => expireIn(call, 'EXAT'),
  },
  HEXPIRETIME: {
    ...TELLS,
    summary: 'Tells when fields of a hash expire, as Unix times in seconds.',
    run: (call) => replyDue(call, false, true),
  },
  HPERSIST: {
    summary: 'Removes the expiry of fields of a hash.',
    since: '7.4.0',
    complexity: COMPLEXITY,
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW update'), fields],
    run: persist,
  },
  HPEXPIRE: {
    ...SETS,
    summary: 'Makes fields of a hash expire after some milliseconds.',
    args: [key('RW update'), integer('milliseconds'), condition, fields],
    run: (call) => expireIn(call, 'PX'),
  },
  HPEXPIREAT: {
    ...SETS,
    summary: 'Makes fields of a hash expire at a Unix time in milliseconds.',
    args: [key('RW update'), unixTime('unix-time-milliseconds'), condition, fields],
    run: (call) => expireIn(call, 'PXAT'),
  },
  HPEXPIRETIME: {
    ...TELLS,
    summary: 'Tells when fields of a hash expire, as Unix times in milliseconds.',
    run: (call) => replyDue(call, true, true),
  },
  HPTTL: {
    ...TELLS,
    summary: 'Tells in how many milliseconds fields of a hash expire.',
    tips: ['nondeterministic_output'],
    run: (call) => replyDue(call, true, false),
  },
  HTTL: {
    ...TELLS,
    summary: 'Tells in how many seconds fields of a hash expire.',
    tips: ['nondeterministic_output'],
    run: (call) => replyDue(call, false, false),
  },
} satisfies CommandGroup)
