/* Keys under other names and in other databases: RENAME, RENAMENX, MOVE, COPY. A value is never touched by the first
 * three: its entry is made anew under the other name, and takes with it what hangs at it. */

import type { Database } from '../keyspace/database.ts'
import { Event } from '../keyspace/events.ts'
import { equalBytes } from '../lib/bytes.ts'
import { NONE } from '../memory/memory.ts'
import { NO_SUCH_KEY, SAME_OBJECT, SYNTAX } from '../protocol/errors.ts'
import type { Call } from './call.ts'
import { databaseAt } from './databases.ts'
import { type CommandGroup, Flag, group, integer, key, optional } from './definition.ts'

/** Whether arguments 1 and 2 are the same key. */
function isSameKey(call: Call): boolean {
  const { bytes, pos, len } = call
  return len[1] === len[2] && equalBytes(bytes, pos[1]!, bytes, pos[2]!, len[1]!)
}

function rename(call: Call, onlyIfFree: boolean): void {
  const { db, bytes, pos, len } = call
  const source = db.lookupWrite(bytes, pos[1]!, len[1]!)
  if (source === NONE) return call.reply.error(NO_SUCH_KEY)
  const isSame = isSameKey(call)
  const taken = isSame ? source : db.lookupWrite(bytes, pos[2]!, len[2]!)
  if (taken !== NONE && onlyIfFree) return call.reply.integer(0)
  if (!isSame) {
    if (taken !== NONE) db.remove(taken)
    db.relocate(source, db, bytes, pos[2]!, len[2]!)
    call.changed(1, Event.RENAMED)
    call.tell(2, Event.RENAMED)
    call.tell(1, Event.RENAME_FROM)
    call.tell(2, Event.RENAME_TO)
  }
  if (onlyIfFree) call.reply.integer(1)
  else call.reply.ok()
}

function move(call: Call): void {
  const target = databaseAt(call, 2)
  if (target === undefined) return
  const { db, keyspace, bytes } = call
  if (target === db) return call.reply.error(SAME_OBJECT)
  const pos = call.posOf(1)
  const len = call.lenOf(1)
  const source = db.lookupWrite(bytes, pos, len)
  if (source === NONE || target.lookupWrite(bytes, pos, len) !== NONE) return call.reply.integer(0)
  db.relocate(source, target, bytes, pos, len)
  call.changed(1, Event.MOVE_FROM)
  if (keyspace.hasListeners) keyspace.tell(target, bytes, pos, len, Event.MOVE_TO)
  call.reply.integer(1)
}

function copy(call: Call): void {
  const { db, keyspace, bytes, pos, len } = call
  let target: Database = db
  let replaces = false
  for (let index = 3; index < call.argc; index++) {
    if (call.is(index, 'REPLACE')) replaces = true
    else if (call.is(index, 'DB') && index + 1 < call.argc) {
      const named = databaseAt(call, ++index)
      if (named === undefined) return
      target = named
    } else return call.reply.error(SYNTAX)
  }
  if (target === db && isSameKey(call)) return call.reply.error(SAME_OBJECT)
  const source = db.lookupRead(bytes, pos[1]!, len[1]!)
  if (source === NONE) return call.reply.integer(0)
  const taken = target.lookupWrite(bytes, pos[2]!, len[2]!)
  if (taken !== NONE && !replaces) return call.reply.integer(0)
  if (taken !== NONE) target.remove(taken)
  target.insertCopy(source, bytes, pos[2]!, len[2]!)
  keyspace.changed(target, bytes, pos[2]!, len[2]!, Event.COPY_TO)
  call.reply.integer(1)
}

export const keyMoveCommands = group('generic', {
  COPY: {
    summary: 'Copies a key, its expiry included.',
    since: '6.2.0',
    complexity: 'O(N), N elements of a collection; O(1) for a string',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('RO access', 'source'),
      key('OW update', 'destination'),
      optional(integer('DB destination-db')),
      optional('REPLACE'),
    ],
    run: copy,
  },
  MOVE: {
    summary: 'Moves a key to another database.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access update'), integer('db')],
    run: move,
  },
  RENAME: {
    summary: 'Gives a key a new name, replacing the key that had it.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE,
    args: [key('RW access delete'), key('OW update', 'newkey')],
    run: (call) => rename(call, false),
  },
  RENAMENX: {
    summary: 'Gives a key a new name, unless it is taken.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete'), key('OW insert', 'newkey')],
    history: [['3.2.0', 'No error when both names are the same.']],
    run: (call) => rename(call, true),
  },
} satisfies CommandGroup)
