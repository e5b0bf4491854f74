/* Call: one command on its way: its arguments as ranges of the bytes they came in, and all a handler may touch.
 *
 * There is one Call per depth of dispatch (a connection's command; inside it, EXEC's or a script's), used over and
 * over: a hot command makes no object. Ranges are dead when the handler returns. Argument 0 is the command's own name;
 * a subcommand's arguments begin at 2. */

import type { Database } from '../keyspace/database.ts'
import type { Type } from '../keyspace/entry.ts'
import { Event, type KeyEvent } from '../keyspace/events.ts'
import type { Keyspace } from '../keyspace/keyspace.ts'
import { equalsIgnoreCase, latin1 } from '../lib/bytes.ts'
import { compareInt64, type Int64, parseInt64 } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { type ErrorReply, NOT_INTEGER, OUT_OF_RANGE, WRONG_TYPE } from '../protocol/errors.ts'
import type { Reply } from '../protocol/reply.ts'
import type { Command } from './definition.ts'
import { type Effects, NO_EFFECTS } from './effects.ts'
import type { Session } from './session.ts'

/** Answer of `readKey` and `writeKey` when the error has been replied. */
export const REFUSED = -1 as Ref

const ARGUMENTS_MIN = 64
/** A JavaScript string holds no more than 512 MB (less 24 bytes), which an argument may exceed. */
const STRING_LEN_MAX = 64 * 1024 * 1024

export class Call {
  readonly keyspace: Keyspace
  bytes: Uint8Array = new Uint8Array(0)
  argc = 0
  pos = new Int32Array(ARGUMENTS_MIN)
  len = new Int32Array(ARGUMENTS_MIN)
  session: Session
  db: Database
  reply: Reply
  /** The command being run; before that, the one that argument 0 names if it has been looked up already. */
  command: Command | null = null
  /** Where a handler says how what it does is to be done again, if somebody wants to know. */
  effects: Effects = NO_EFFECTS

  constructor(keyspace: Keyspace, session: Session, reply: Reply) {
    this.keyspace = keyspace
    this.session = session
    this.db = keyspace.databases[session.dbIndex]!
    this.reply = reply
  }

  /** Makes the tables of ranges hold so many; what they held is lost. */
  makeRoom(argc: number): void {
    this.pos = new Int32Array(argc)
    this.len = new Int32Array(argc)
  }

  posOf(index: number): number {
    return this.pos[index]!
  }
  lenOf(index: number): number {
    return this.len[index]!
  }

  /** Whether the argument is this word, in any case; `upper` is in upper case. */
  is(index: number, upper: string): boolean {
    return equalsIgnoreCase(this.bytes, this.pos[index]!, this.len[index]!, upper)
  }

  /** The argument as latin1: a string with a character a byte, or the beginning of one that is longer than `lenMax`.
   *  Not for hot commands. */
  string(index: number, lenMax = STRING_LEN_MAX): string {
    return latin1(this.bytes, this.pos[index]!, Math.min(this.len[index]!, lenMax))
  }

  /** A copy of the argument's bytes. Not for hot commands. */
  copy(index: number): Uint8Array {
    return this.bytes.slice(this.pos[index]!, this.pos[index]! + this.len[index]!)
  }

  /** The argument as a 64-bit integer, or undefined. */
  integer(index: number): Int64 | undefined {
    return parseInt64(this.bytes, this.pos[index]!, this.len[index]!)
  }

  /** The argument as an integer from `least` to `most`; undefined after replying `error` (or that it is none). */
  integerWithin(index: number, least: number, most: number, error: ErrorReply = OUT_OF_RANGE): number | undefined {
    const value = this.integer(index)
    if (value === undefined) this.reply.error(error === OUT_OF_RANGE ? NOT_INTEGER : error)
    else if (compareInt64(value, least) < 0 || compareInt64(value, most) > 0) this.reply.error(error)
    else return value as number
    return undefined
  }

  /** The entry at a key, for reading: NONE if there is none; REFUSED after replying WRONGTYPE. */
  readKey(index: number, type: Type): Ref {
    const entry = this.db.lookupRead(this.bytes, this.pos[index]!, this.len[index]!)
    if (entry === NONE || this.keyspace.entries.type(entry) === type) return entry
    this.reply.error(WRONG_TYPE)
    return REFUSED
  }

  /** The entry at a key, for changing it: NONE if there is none; REFUSED after replying WRONGTYPE. */
  writeKey(index: number, type: Type): Ref {
    const entry = this.db.lookupWrite(this.bytes, this.pos[index]!, this.len[index]!)
    if (entry === NONE || this.keyspace.entries.type(entry) === type) return entry
    this.reply.error(WRONG_TYPE)
    return REFUSED
  }

  /** Says that the key named by an argument has changed. */
  changed(index: number, event: KeyEvent): void {
    this.keyspace.changed(this.db, this.bytes, this.pos[index]!, this.len[index]!, event)
  }

  /** Tells those who listen of one more event of a change that has been counted. */
  tell(index: number, event: KeyEvent): void {
    const keyspace = this.keyspace
    if (keyspace.hasListeners) keyspace.tell(this.db, this.bytes, this.pos[index]!, this.len[index]!, event)
  }

  /** Says that something was taken from the key named by an argument, `isLast`: and the key is gone with it. */
  taken(index: number, event: KeyEvent, isLast: boolean): void {
    if (!isLast) return this.changed(index, event)
    this.changed(index, event.last ?? event)
    this.tell(index, Event.REMOVED)
  }

  /** Changes the session's database. */
  select(dbIndex: number): void {
    this.session.dbIndex = dbIndex
    this.db = this.keyspace.databases[dbIndex]!
  }
}
