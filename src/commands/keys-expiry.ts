/* When keys expire: EXPIRE and its kin, TTL and its kin, PERSIST. */

import { Event } from '../keyspace/events.ts'
import { addInt64, compareInt64, divInt64, type Int64, mulInt64, subInt64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { GT_WITH_LT, invalidExpire, NOT_INTEGER, NX_WITH_OTHERS, unsupportedOption } from '../protocol/errors.ts'
import type { Call } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, oneOf, optional, since, unixTime } from './definition.ts'
import { dueFrom, type ExpiryUnit } from './expiry-options.ts'

export const Condition = { NX: 1, XX: 2, GT: 4, LT: 8 } as const

/** The condition that an argument names; 0 if it is none. */
export function conditionAt(call: Call, index: number): number {
  if (call.is(index, 'NX')) return Condition.NX
  if (call.is(index, 'XX')) return Condition.XX
  if (call.is(index, 'GT')) return Condition.GT
  return call.is(index, 'LT') ? Condition.LT : 0
}

/** The conditions from argument 3 on, as bits; undefined after replying what is wrong with them. */
function conditionsOf(call: Call): number | undefined {
  let conditions = 0
  for (let index = 3; index < call.argc; index++) {
    const condition = conditionAt(call, index)
    if (condition === 0) {
      call.reply.error(unsupportedOption(call.string(index)))
      return undefined
    }
    conditions |= condition
  }
  if ((conditions & Condition.NX) !== 0 && conditions !== Condition.NX) call.reply.error(NX_WITH_OTHERS)
  else if ((conditions & Condition.GT) !== 0 && (conditions & Condition.LT) !== 0) call.reply.error(GT_WITH_LT)
  else return conditions
  return undefined
}

/** Whether the conditions let the entry be due at `due`. A key without an expiry counts as due never. */
function allows(call: Call, conditions: number, entry: Ref, due: Int64): boolean {
  const entries = call.keyspace.entries
  if (!entries.expires(entry)) return (conditions & (Condition.XX | Condition.GT)) === 0
  if ((conditions & Condition.NX) !== 0) return false
  const order = compareInt64(due, entries.expiry(entry))
  return ((conditions & Condition.GT) === 0 || order > 0) && ((conditions & Condition.LT) === 0 || order < 0)
}

function expireIn(call: Call, unit: ExpiryUnit): void {
  const conditions = call.argc > 3 ? conditionsOf(call) : 0
  if (conditions === undefined) return
  const amount = call.integer(2)
  if (amount === undefined) return call.reply.error(NOT_INTEGER)
  const due = dueFrom(amount, unit, call.keyspace.now)
  if (due === undefined) return call.reply.error(invalidExpire(call.command!.fullName))
  const entry = call.db.lookupWrite(call.bytes, call.posOf(1), call.lenOf(1))
  if (entry === NONE || (conditions !== 0 && !allows(call, conditions, entry, due))) return call.reply.integer(0)
  const { effects } = call
  if (compareInt64(due, call.keyspace.now) <= 0 && !call.keyspace.keepsExpired) {
    call.db.remove(entry)
    call.changed(1, Event.DEL)
    if (effects.listening) effects.begin(call, 2).word(effects.expiryWord).argument(call, 1)
  } else {
    call.db.setExpiry(entry, due)
    call.changed(1, Event.EXPIRE)
    if (effects.listening && call.command!.name !== 'pexpireat') tellExpiry(call, due)
  }
  call.reply.integer(1)
}

function tellExpiry(call: Call, due: Int64): void {
  call.effects.begin(call, call.argc).word('PEXPIREAT').argument(call, 1).integer(due)
  for (let index = 3; index < call.argc; index++) call.effects.argument(call, index)
}

const NO_KEY = -2
const NO_EXPIRY = -1

/** Replies when the key is due, as Unix time or from now on. */
function replyDue(call: Call, inMs: boolean, absolute: boolean): void {
  const { entries, now } = call.keyspace
  const entry = call.db.lookupAbout(call.bytes, call.posOf(1), call.lenOf(1))
  if (entry === NONE) return call.reply.integer(NO_KEY)
  if (!entries.expires(entry)) return call.reply.integer(NO_EXPIRY)
  const due = entries.expiry(entry)
  const ms = absolute ? due : subInt64(due, now)!
  call.reply.integer(inMs ? ms : roundedSeconds(ms))
}

function roundedSeconds(ms: Int64): Int64 {
  const seconds = divInt64(ms, 1000)!
  const rest = toNumber(subInt64(ms, mulInt64(seconds, 1000)!)!)
  return rest < 500 ? seconds : addInt64(seconds, 1)!
}

function persist(call: Call): void {
  const entry = call.db.lookupWrite(call.bytes, call.posOf(1), call.lenOf(1))
  if (entry === NONE || !call.keyspace.entries.expires(entry)) return call.reply.integer(0)
  call.db.dropExpiry(entry)
  call.changed(1, Event.PERSIST)
  call.reply.integer(1)
}

const condition = optional(since('7.0.0', oneOf('condition', 'NX', 'XX', 'GT', 'LT')))

export const keyExpiryCommands = group('generic', {
  EXPIRE: {
    summary: 'Makes a key expire after some seconds.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW update'), integer('seconds'), condition],
    history: [['7.0.0', 'The conditions `NX`, `XX`, `GT` and `LT`.']],
    run: (call) => expireIn(call, 'EX'),
  },
  EXPIREAT: {
    summary: 'Makes a key expire at a Unix time in seconds.',
    since: '1.2.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW update'), unixTime('unix-time-seconds'), condition],
    history: [['7.0.0', 'The conditions `NX`, `XX`, `GT` and `LT`.']],
    run: (call) => expireIn(call, 'EXAT'),
  },
  EXPIRETIME: {
    summary: 'Tells when a key expires, as a Unix time in seconds.',
    since: '7.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access')],
    run: (call) => replyDue(call, false, true),
  },
  PERSIST: {
    summary: 'Removes the expiry of a key.',
    since: '2.2.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW update')],
    run: persist,
  },
  PEXPIRE: {
    summary: 'Makes a key expire after some milliseconds.',
    since: '2.6.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW update'), integer('milliseconds'), condition],
    history: [['7.0.0', 'The conditions `NX`, `XX`, `GT` and `LT`.']],
    run: (call) => expireIn(call, 'PX'),
  },
  PEXPIREAT: {
    summary: 'Makes a key expire at a Unix time in milliseconds.',
    since: '2.6.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW update'), unixTime('unix-time-milliseconds'), condition],
    history: [['7.0.0', 'The conditions `NX`, `XX`, `GT` and `LT`.']],
    run: (call) => expireIn(call, 'PXAT'),
  },
  PEXPIRETIME: {
    summary: 'Tells when a key expires, as a Unix time in milliseconds.',
    since: '7.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access')],
    run: (call) => replyDue(call, true, true),
  },
  PTTL: {
    summary: 'Tells in how many milliseconds a key expires.',
    since: '2.6.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access')],
    history: [['2.8.0', '-2 for a key that does not exist.']],
    tips: ['nondeterministic_output'],
    run: (call) => replyDue(call, true, false),
  },
  TTL: {
    summary: 'Tells in how many seconds a key expires.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access')],
    history: [['2.8.0', '-2 for a key that does not exist.']],
    tips: ['nondeterministic_output'],
    run: (call) => replyDue(call, false, false),
  },
} satisfies CommandGroup)
