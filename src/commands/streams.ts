/* The stream commands that carry the load: adding and removing entries. Reading them is in streams-ranges.ts and
 * streams-reading.ts, consumer groups in streams-groups.ts and streams-claims.ts, XINFO in streams-info.ts. */

import { Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { compareInt64, type Int64 } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  NO_SUCH_KEY,
  NOT_INTEGER,
  SYNTAX,
  wrongArity,
  XADD_EXHAUSTED,
  XADD_ID_SMALL,
  XADD_ID_ZERO,
  XADD_TOO_LARGE,
  XSETID_ADDED_NEGATIVE,
  XSETID_ADDED_SMALL,
  XSETID_BELOW_DELETED,
  XSETID_BELOW_GIVEN,
  XSETID_BELOW_TOP,
} from '../protocol/errors.ts'
import { LogId } from '../structures/stream-log.ts'
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
  token,
} from './definition.ts'
import { exactId, Given, replyId } from './streams-ids.ts'
import { Strategy, TrimOptions } from './streams-trim.ts'

/** Bytes of fields and values that one entry may have. */
const ENTRY_SIZE_MAX = 1 << 30

const options = new TrimOptions()
const id = new StreamId()
const other = new StreamId()

/** Works out the new entry's id; false after replying that there is none. */
function resolveId(call: Call, root: Ref): boolean {
  const { log } = call.keyspace.streams
  const last = log.id(root, LogId.LAST, other)
  if (last.isGreatest) {
    call.reply.error(XADD_EXHAUSTED)
    return false
  }
  if (options.given === Given.WHOLE) id.copy(options.id)
  else {
    id.copy(options.id)
    if (options.given === -1) id.toStartOf(call.keyspace.now)
    const isBehind = options.given === -1 ? id.compare(last) <= 0 : id.hasMsOf(last)
    if (isBehind && (options.given === -1 || !last.isLastOfMs)) id.copy(last).increment()
  }
  if (id.compare(last) > 0) return true
  call.reply.error(XADD_ID_SMALL)
  return false
}

function xadd(call: Call): void {
  const { reply, keyspace, argc, len } = call
  if (!options.read(call, true)) return
  const first = options.idAt + 1
  if (options.idAt === 0 || argc - first < 2 || (argc - first) % 2 === 1) return reply.error(wrongArity('xadd'))
  if (options.given === Given.WHOLE && options.id.isZero) return reply.error(XADD_ID_ZERO)
  const found = call.writeKey(1, Type.STREAM)
  if (found === REFUSED) return
  if (found === NONE && !options.makes) return reply.nullBulk()
  let size = 0
  for (let index = first; index < argc; index++) size += len[index]!
  if (size > ENTRY_SIZE_MAX) return reply.error(XADD_TOO_LARGE)
  const { streams } = keyspace
  const entry = found === NONE ? streams.add(call.db, call.bytes, call.posOf(1), call.lenOf(1)) : found
  const root = streams.rootOf(entry)
  if (!resolveId(call, root)) return
  streams.log.append(root, id, call, first, (argc - first) >> 1)
  replyId(call, id)
  call.changed(1, Event.XADD)
  if (options.strategy !== Strategy.NONE && options.trim(call, root) > 0) call.tell(1, Event.XTRIM)
  if (call.effects.listening && (options.given !== Given.WHOLE || options.approximate)) options.tell(call, root, id)
}

function xtrim(call: Call): void {
  if (!options.read(call, false)) return
  const entry = call.writeKey(1, Type.STREAM)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  const root = call.keyspace.streams.rootOf(entry)
  const gone = options.trim(call, root)
  if (gone > 0) {
    call.changed(1, Event.XTRIM)
    call.keyspace.dirty += gone - 1
    if (call.effects.listening && options.approximate) options.tell(call, root, null)
  }
  call.reply.integer(gone)
}

function xlen(call: Call): void {
  const entry = call.readKey(1, Type.STREAM)
  if (entry === REFUSED) return
  const { streams } = call.keyspace
  call.reply.integer(entry === NONE ? 0 : streams.log.length(streams.rootOf(entry)))
}

function xdel(call: Call): void {
  const entry = call.writeKey(1, Type.STREAM)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  for (let index = 2; index < call.argc; index++) if (!exactId(call, index, id)) return
  const { log } = call.keyspace.streams
  const root = call.keyspace.streams.rootOf(entry)
  let gone = 0
  let firstGone = false
  for (let index = 2; index < call.argc; index++) {
    exactId(call, index, id)
    if (!log.delete(root, id)) continue
    gone++
    if (id.compare(log.id(root, LogId.FIRST, other)) === 0) firstGone = true
    if (id.compare(log.id(root, LogId.DELETED, other)) > 0) log.setId(root, LogId.DELETED, id)
  }
  if (gone > 0) {
    if (firstGone || log.length(root) === 0) log.renewFirst(root)
    call.changed(1, Event.XDEL)
    call.keyspace.dirty += gone - 1
  }
  call.reply.integer(gone)
}

const deletedId = new StreamId()

function xsetid(call: Call): void {
  const { reply } = call
  if (!exactId(call, 2, id)) return
  let added: Int64 = -1
  deletedId.toLeast()
  for (let index = 3; index < call.argc; index += 2) {
    const more = index + 1 < call.argc
    if (more && call.is(index, 'ENTRIESADDED')) {
      const value = call.integer(index + 1)
      if (value === undefined) return reply.error(NOT_INTEGER)
      if (compareInt64(value, 0) < 0) return reply.error(XSETID_ADDED_NEGATIVE)
      added = value
    } else if (more && call.is(index, 'MAXDELETEDID')) {
      if (!exactId(call, index + 1, deletedId)) return
      if (id.compare(deletedId) < 0) return reply.error(XSETID_BELOW_GIVEN)
    } else return reply.error(SYNTAX)
  }
  const entry = call.writeKey(1, Type.STREAM)
  if (entry === REFUSED) return
  if (entry === NONE) return reply.error(NO_SUCH_KEY)
  setIds(call, call.keyspace.streams.rootOf(entry), added)
}

/** Sets the last id, and what else was given, unless the entries that there are speak against it. */
function setIds(call: Call, root: Ref, added: Int64): void {
  const { reply } = call
  const { log } = call.keyspace.streams
  if (id.compare(log.id(root, LogId.DELETED, other)) < 0) return reply.error(XSETID_BELOW_DELETED)
  if (log.length(root) > 0) {
    if (log.edge(root, false, true, other) && id.compare(other) < 0) return reply.error(XSETID_BELOW_TOP)
    if (added !== -1 && compareInt64(added, log.length(root)) < 0) return reply.error(XSETID_ADDED_SMALL)
  }
  log.setId(root, LogId.LAST, id)
  if (added !== -1) log.setAdded(root, added)
  if (!deletedId.isZero) log.setId(root, LogId.DELETED, deletedId)
  reply.ok()
  call.changed(1, Event.XSETID)
}

const trimArgs = [
  oneOf('strategy', 'MAXLEN', token('MINID', { since: '6.2.0' })),
  optional(oneOf('operator', token('=', { name: 'equal' }), token('~', { name: 'approximately' }))),
  string('threshold'),
  optional(integer('LIMIT count', { since: '6.2.0' })),
]

export const streamCommands = group('stream', {
  XADD: {
    summary: 'Appends an entry to a stream, creating it if there is none.',
    since: '5.0.0',
    complexity: 'O(1), or O(N) when N entries are trimmed',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [
      key('RW update', 'key', { notes: 'may trim the stream' }),
      optional(token('NOMKSTREAM', { since: '6.2.0' })),
      optional(block('trim', ...trimArgs)),
      oneOf('id-selector', token('*', { name: 'auto-id' }), string('id')),
      many(block('data', string('field'), string('value'))),
    ],
    history: [
      ['6.2.0', 'The options `NOMKSTREAM`, `MINID` and `LIMIT`.'],
      ['7.0.0', 'Ids of the form `<ms>-*`.'],
    ],
    tips: ['nondeterministic_output'],
    run: xadd,
  },
  XDEL: {
    summary: 'Deletes entries of a stream.',
    since: '5.0.0',
    complexity: 'O(1) an entry',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW delete'), many(string('id'))],
    run: xdel,
  },
  XLEN: {
    summary: 'Counts the entries of a stream.',
    since: '5.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO')],
    run: xlen,
  },
  XSETID: {
    summary: 'Sets the last id of a stream, for replication.',
    since: '5.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [
      key('RW update'),
      string('last-id'),
      optional(integer('ENTRIESADDED entries-added', { since: '7.0.0' })),
      optional(string('MAXDELETEDID max-deleted-id', { since: '7.0.0' })),
    ],
    history: [['7.0.0', 'The entries added and the highest deleted id.']],
    run: xsetid,
  },
  XTRIM: {
    summary: 'Removes the oldest entries of a stream.',
    since: '5.0.0',
    complexity: 'O(N), N entries removed',
    flags: Flag.WRITE,
    args: [key('RW delete'), block('trim', ...trimArgs)],
    history: [['6.2.0', '`MINID` and `LIMIT`.']],
    tips: ['nondeterministic_output'],
    run: xtrim,
  },
} satisfies CommandGroup)
