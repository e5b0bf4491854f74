/* The expiry options that SET, GETEX and others share: EX seconds, PX milliseconds, EXAT and PXAT Unix times. */
import { addInt64, compareInt64, type Int64, mulInt64 } from '../lib/int64.ts'
import { invalidExpire, NOT_INTEGER } from '../protocol/errors.ts'
import type { Call } from './call.ts'

export type ExpiryUnit = '' | 'EX' | 'PX' | 'EXAT' | 'PXAT'

/** The option as parsed; `resolve` turns it into the moment the key is due. Made once and used over and over. */
export class Expiry {
  unit: ExpiryUnit = ''
  /** Index of the argument with the number. */
  argument = 0
  /** Unix time in milliseconds. */
  due: Int64 | undefined = undefined

  /** As if no option had been read. */
  clear(): void {
    this.unit = ''
    this.due = undefined
  }

  /** Works out `due`; false after replying what is wrong with the number. */
  resolve(call: Call): boolean {
    const amount = call.integer(this.argument)
    if (amount === undefined) {
      call.reply.error(NOT_INTEGER)
      return false
    }
    if (compareInt64(amount, 0) > 0) this.due = dueFrom(amount, this.unit, call.keyspace.now)
    if (this.due !== undefined) return true
    call.reply.error(invalidExpire(call.command!.fullName))
    return false
  }
}

/** Unix milliseconds from an amount in a unit; undefined beyond 64 bits. */
export function dueFrom(amount: Int64, unit: ExpiryUnit, nowMs: number): Int64 | undefined {
  const seconds = unit === 'EX' || unit === 'EXAT'
  const milliseconds = seconds ? mulInt64(amount, 1000) : amount
  if (milliseconds === undefined) return undefined
  return unit === 'EX' || unit === 'PX' ? addInt64(milliseconds, nowMs) : milliseconds
}

const UNITS = ['EX', 'PX', 'EXAT', 'PXAT'] as const

/** Whether argument `index` is an expiry option that may stand there: the first, or the same once more, which then
 *  prevails. Its number is argument `index` + 1. */
export function expiryOption(call: Call, index: number, expiry: Expiry): boolean {
  for (const unit of UNITS) {
    if (!call.is(index, unit)) continue
    if (expiry.unit !== '' && expiry.unit !== unit) return false
    expiry.unit = unit
    expiry.argument = index + 1
    return true
  }
  return false
}
