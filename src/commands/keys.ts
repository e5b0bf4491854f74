/* The commands about keys whatever they hold: deleting, asking, listing, picking. Expiry is in keys-expiry.ts, walking
 * in keys-scan.ts, what gives a key another name or place in keys-move.ts, OBJECT in keys-object.ts. */

import { Event } from '../keyspace/events.ts'
import { NONE } from '../memory/memory.ts'
import type { Call } from './call.ts'
import { type CommandGroup, Flag, group, key, many } from './definition.ts'
import { endKeysAhead, keyAhead } from './keys-ahead.ts'

/** DEL and UNLINK. A string is freed in one step; what has many parts is the reclaimer's in either case. */
function del(call: Call): void {
  const { db, bytes, pos, len } = call
  let count = 0
  for (let index = 1; index < call.argc; index++) {
    keyAhead(call, index, 1)
    const entry = db.lookup(bytes, pos[index]!, len[index]!)
    if (entry === NONE) continue
    db.remove(entry)
    call.changed(index, Event.DEL)
    count++
  }
  endKeysAhead(call)
  call.reply.integer(count)
}

function exists(call: Call): void {
  const { db, bytes, pos, len } = call
  let count = 0
  for (let index = 1; index < call.argc; index++) {
    keyAhead(call, index, 1)
    if (db.lookupAbout(bytes, pos[index]!, len[index]!) !== NONE) count++
  }
  endKeysAhead(call)
  call.reply.integer(count)
}

/** A use of the keys even by a client whose reads are none (CLIENT NO-TOUCH). */
function touch(call: Call): void {
  const { db, bytes, pos, len } = call
  let count = 0
  for (let index = 1; index < call.argc; index++) {
    keyAhead(call, index, 1)
    const entry = db.lookupAbout(bytes, pos[index]!, len[index]!)
    if (entry === NONE) continue
    db.touch(entry)
    count++
  }
  endKeysAhead(call)
  call.reply.integer(count)
}

function type(call: Call): void {
  const entry = call.db.lookupAbout(call.bytes, call.posOf(1), call.lenOf(1))
  call.reply.simple(entry === NONE ? 'none' : call.keyspace.kindOf(entry).name)
}

function randomkey(call: Call): void {
  const entry = call.db.random()
  if (entry === NONE) return call.reply.nullBulk()
  const { memory, entries } = call.keyspace
  call.reply.bulk(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
}

export const keyCommands = group('generic', {
  DEL: {
    summary: 'Deletes keys.',
    since: '1.0.0',
    complexity: 'O(N), N keys; a collection costs O(M), M its elements',
    flags: Flag.WRITE,
    args: [many(key('RM delete'))],
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    run: del,
  },
  EXISTS: {
    summary: 'Counts how many of the given keys exist.',
    since: '1.0.0',
    complexity: 'O(N), N keys',
    flags: Flag.READONLY | Flag.FAST,
    args: [many(key('RO'))],
    history: [['3.0.3', 'Several keys in one call.']],
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    run: exists,
  },
  RANDOMKEY: {
    summary: 'Gives some key of the database, picked at random.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.TOUCHES_ARBITRARY_KEYS,
    tips: ['request_policy:all_shards', 'response_policy:special', 'nondeterministic_output'],
    run: randomkey,
  },
  TOUCH: {
    summary: 'Marks keys as just used, and counts those that exist.',
    since: '3.2.1',
    complexity: 'O(N), N keys',
    flags: Flag.READONLY | Flag.FAST,
    args: [many(key('RO'))],
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    run: touch,
  },
  TYPE: {
    summary: "Names the type of a key's value.",
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO')],
    run: type,
  },
  UNLINK: {
    summary: 'Deletes keys now and frees their memory later.',
    since: '4.0.0',
    complexity: 'O(1) a key, then O(N) in the background, N allocations',
    flags: Flag.WRITE | Flag.FAST,
    args: [many(key('RM delete'))],
    tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
    run: del,
  },
} satisfies CommandGroup)
