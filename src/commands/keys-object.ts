/* OBJECT: how a value is kept, and how a key has been used. Asking is no use of the key. */

import { StringEncoding, Type } from '../keyspace/entry.ts'
import { compareInt64 } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { LFU_NOT_SELECTED, LFU_SELECTED } from '../protocol/errors.ts'
import type { Call } from './call.ts'
import { type CommandGroup, Flag, group, key } from './definition.ts'
import { helpCommand } from './introspection/help.ts'

/** Redis keeps one object for each integer below this, and says so with the largest reference count there is. */
const SHARED_INTEGERS = 10000
const SHARED_COUNT = 2147483647

/** The entry asked about: a hit or a miss, of which nobody is told; NONE after replying null. */
function look(call: Call): Ref {
  const { stats } = call.keyspace
  const entry = call.db.lookup(call.bytes, call.posOf(2), call.lenOf(2))
  if (entry !== NONE) stats.hits++
  else {
    stats.misses++
    call.reply.nullBulk()
  }
  return entry
}

function objectEncoding(call: Call): void {
  const entry = look(call)
  if (entry !== NONE) call.reply.bulkString(call.keyspace.kindOf(entry).encodingName(entry))
}

function objectRefcount(call: Call): void {
  const entry = look(call)
  if (entry !== NONE) call.reply.integer(isShared(call, entry) ? SHARED_COUNT : 1)
}

/** Whether Redis would share the value; it does not while entries must remember their own use for eviction. */
function isShared(call: Call, entry: Ref): boolean {
  const { entries, sharesIntegers } = call.keyspace
  if (!sharesIntegers || entries.type(entry) !== Type.STRING) return false
  if (entries.encoding(entry) !== StringEncoding.INT) return false
  const value = entries.integer(entry)
  return compareInt64(value, 0) >= 0 && compareInt64(value, SHARED_INTEGERS) < 0
}

function objectIdletime(call: Call): void {
  const entry = look(call)
  if (entry === NONE) return
  const { clock, entries } = call.keyspace
  if (clock.lfu) call.reply.error(LFU_SELECTED)
  else call.reply.integer(Math.floor(clock.idleMs(entries.access(entry)) / 1000))
}

function objectFreq(call: Call): void {
  const entry = look(call)
  if (entry === NONE) return
  const { clock, entries } = call.keyspace
  if (clock.lfu) call.reply.integer(clock.frequency(entries.access(entry)))
  else call.reply.error(LFU_NOT_SELECTED)
}

export const objectCommands = group('generic', {
  OBJECT: {
    summary: 'Looks at how a value is kept.',
    since: '2.2.3',
    subcommands: {
      ENCODING: {
        summary: 'Names the encoding of a value.',
        since: '2.2.3',
        complexity: 'O(1)',
        flags: Flag.READONLY,
        args: [key('RO')],
        tips: ['nondeterministic_output'],
        run: objectEncoding,
      },
      FREQ: {
        summary: 'Gives the logarithmic counter of how often a key is used.',
        since: '4.0.0',
        complexity: 'O(1)',
        flags: Flag.READONLY,
        args: [key('RO')],
        tips: ['nondeterministic_output'],
        run: objectFreq,
      },
      HELP: helpCommand('6.2.0'),
      IDLETIME: {
        summary: 'Tells for how many seconds a key has not been used.',
        since: '2.2.3',
        complexity: 'O(1)',
        flags: Flag.READONLY,
        args: [key('RO')],
        tips: ['nondeterministic_output'],
        run: objectIdletime,
      },
      REFCOUNT: {
        summary: 'Gives the reference count of a value.',
        since: '2.2.3',
        complexity: 'O(1)',
        flags: Flag.READONLY,
        args: [key('RO')],
        tips: ['nondeterministic_output'],
        run: objectRefcount,
      },
    },
  },
} satisfies CommandGroup)
