/* Consumer groups: XGROUP makes and removes them and their consumers, XACK says that entries have been dealt with. */

import { Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { UNKNOWN_READ } from '../keyspace/streams.ts'
import { compareInt64, type Int64 } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  BUSY_GROUP,
  NOT_INTEGER,
  noGroup,
  WRONG_TYPE,
  wrongSubcommand,
  XGROUP_NO_KEY,
  XGROUP_READ_NEGATIVE,
} from '../protocol/errors.ts'
import { LogId } from '../structures/stream-log.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, many, oneOf, optional, string, token } from './definition.ts'
import { helpCommand } from './introspection/help.ts'
import { anyId, exactId, isSign, LEAST_SEQ } from './streams-ids.ts'

const DOLLAR = 36
const KEY_AT = 2
const GROUP_AT = 3
const NAME_AT = 4

const id = new StreamId()

// Options of CREATE and SETID.
let makes = false
let entriesRead: Int64 = UNKNOWN_READ

/** Reads what follows the id; false after replying what is wrong. */
function readOptions(call: Call, creates: boolean): boolean {
  const { reply, argc } = call
  makes = false
  entriesRead = UNKNOWN_READ
  for (let index = 5; index < argc; ) {
    if (creates && call.is(index, 'MKSTREAM')) {
      makes = true
      index++
    } else if (index + 1 < argc && call.is(index, 'ENTRIESREAD')) {
      const value = call.integer(index + 1)
      if (value === undefined) reply.error(NOT_INTEGER)
      else if (compareInt64(value, UNKNOWN_READ) < 0) reply.error(XGROUP_READ_NEGATIVE)
      if (value === undefined || compareInt64(value, UNKNOWN_READ) < 0) return false
      entriesRead = value
      index += 2
    } else return refuse(call)
  }
  return true
}

/** Replies that this subcommand is not called so. */
function refuse(call: Call): false {
  call.reply.error(wrongSubcommand(call.string(1, 128), 'xgroup'))
  return false
}

/** The stream that an argument names, for changing it: REFUSED after replying that there is none. */
function streamOf(call: Call): Ref {
  const entry = call.writeKey(KEY_AT, Type.STREAM)
  if (entry !== NONE) return entry
  call.reply.error(XGROUP_NO_KEY)
  return REFUSED
}

function find(call: Call, entry: Ref): Ref {
  const { streams } = call.keyspace
  return streams.groups.group(streams.rootOf(entry), call.bytes, call.posOf(GROUP_AT), call.lenOf(GROUP_AT))
}

/** The group that arguments name; REFUSED after replying that there is none. */
function groupOf(call: Call): Ref {
  const entry = streamOf(call)
  if (entry === REFUSED) return REFUSED
  const found = find(call, entry)
  if (found !== NONE) return found
  call.reply.error(noGroup(call.string(GROUP_AT), call.string(KEY_AT)))
  return REFUSED
}

function create(call: Call): void {
  const { keyspace, reply, argc } = call
  const { streams } = keyspace
  if (!readOptions(call, true)) return
  let entry = call.writeKey(KEY_AT, Type.STREAM)
  if (entry === REFUSED) return
  if (entry === NONE && !makes) return reply.error(XGROUP_NO_KEY)
  if (argc > 8) return void refuse(call)
  if (!isSign(call, NAME_AT, DOLLAR)) {
    if (!exactId(call, NAME_AT, id)) return
  } else if (entry === NONE) id.toLeast()
  else streams.log.id(streams.rootOf(entry), LogId.LAST, id)
  if (entry === NONE) {
    entry = streams.add(call.db, call.bytes, call.posOf(KEY_AT), call.lenOf(KEY_AT))
    call.tell(KEY_AT, Event.UNTOLD)
  }
  if (find(call, entry) !== NONE) return reply.error(BUSY_GROUP)
  const root = streams.rootOf(entry)
  streams.groups.addGroup(root, call.bytes, call.posOf(GROUP_AT), call.lenOf(GROUP_AT), id, entriesRead)
  call.changed(KEY_AT, Event.XGROUP_CREATE)
  reply.ok()
}

function setId(call: Call): void {
  const { reply } = call
  if (!readOptions(call, false)) return
  const { log, groups } = call.keyspace.streams
  const entry = streamOf(call)
  if (entry === REFUSED) return
  const found = find(call, entry)
  if (found === NONE) return reply.error(noGroup(call.string(GROUP_AT), call.string(KEY_AT)))
  if (call.argc > 7) return void refuse(call)
  if (isSign(call, NAME_AT, DOLLAR)) log.id(call.keyspace.streams.rootOf(entry), LogId.LAST, id)
  else if (!anyId(call, NAME_AT, LEAST_SEQ, id)) return
  groups.setLastId(found, id)
  groups.setEntriesRead(found, entriesRead)
  call.changed(KEY_AT, Event.XGROUP_SETID)
  reply.ok()
}

function destroy(call: Call): void {
  const { streams } = call.keyspace
  const entry = streamOf(call)
  if (entry === REFUSED) return
  const found = find(call, entry)
  if (found !== NONE) {
    streams.groups.detachGroup(streams.rootOf(entry), found)
    streams.freeGroup(found)
    call.changed(KEY_AT, Event.XGROUP_DESTROY)
  }
  call.reply.integer(found === NONE ? 0 : 1)
}

function createConsumer(call: Call): void {
  const { groups } = call.keyspace.streams
  const found = groupOf(call)
  if (found === REFUSED) return
  const pos = call.posOf(NAME_AT)
  const len = call.lenOf(NAME_AT)
  const isNew = groups.consumer(found, call.bytes, pos, len) === NONE
  if (isNew) {
    groups.addConsumer(found, call.bytes, pos, len, call.keyspace.now)
    call.changed(KEY_AT, Event.XGROUP_CREATECONSUMER)
  }
  call.reply.integer(isNew ? 1 : 0)
}

function deleteConsumer(call: Call): void {
  const { groups } = call.keyspace.streams
  const found = groupOf(call)
  if (found === REFUSED) return
  const consumer = groups.consumer(found, call.bytes, call.posOf(NAME_AT), call.lenOf(NAME_AT))
  let pending = 0
  if (consumer !== NONE) {
    pending = groups.ownedCount(consumer)
    groups.removeConsumer(found, consumer)
    call.changed(KEY_AT, Event.XGROUP_DELCONSUMER)
  }
  call.reply.integer(pending)
}

function xack(call: Call): void {
  const { keyspace, reply, db } = call
  const { streams } = keyspace
  const entry = db.lookupRead(call.bytes, call.posOf(1), call.lenOf(1))
  if (entry !== NONE && keyspace.entries.type(entry) !== Type.STREAM) return reply.error(WRONG_TYPE)
  const found =
    entry === NONE ? NONE : streams.groups.group(streams.rootOf(entry), call.bytes, call.posOf(2), call.lenOf(2))
  if (found === NONE) return reply.integer(0)
  for (let index = 3; index < call.argc; index++) if (!exactId(call, index, id)) return
  db.willChange(entry)
  let acknowledged = 0
  for (let index = 3; index < call.argc; index++) {
    exactId(call, index, id)
    if (streams.groups.removePending(found, id)) acknowledged++
  }
  keyspace.dirty += acknowledged
  reply.integer(acknowledged)
}

export const streamGroupCommands = group('stream', {
  XACK: {
    summary: 'Marks entries as processed by a consumer group.',
    since: '5.0.0',
    complexity: 'O(1) an id',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW update'), string('group'), many(string('id'))],
    run: xack,
  },
  XGROUP: {
    summary: 'Looks after consumer groups.',
    since: '5.0.0',
    subcommands: {
      CREATE: {
        summary: 'Creates a consumer group.',
        since: '5.0.0',
        complexity: 'O(1)',
        flags: Flag.WRITE | Flag.DENYOOM,
        args: [
          key('RW insert'),
          string('group'),
          oneOf('id-selector', string('id'), token('$', { name: 'new-id' })),
          optional('MKSTREAM'),
          optional(integer('ENTRIESREAD entries-read')),
        ],
        history: [['7.0.0', '`ENTRIESREAD`.']],
        run: create,
      },
      CREATECONSUMER: {
        summary: 'Creates a consumer in a group.',
        since: '6.2.0',
        complexity: 'O(1)',
        flags: Flag.WRITE | Flag.DENYOOM,
        args: [key('RW insert'), string('group'), string('consumer')],
        run: createConsumer,
      },
      DELCONSUMER: {
        summary: 'Deletes a consumer from a group.',
        since: '5.0.0',
        complexity: 'O(1)',
        flags: Flag.WRITE,
        args: [key('RW delete'), string('group'), string('consumer')],
        run: deleteConsumer,
      },
      DESTROY: {
        summary: 'Deletes a consumer group.',
        since: '5.0.0',
        complexity: 'O(N), N entries pending in the group',
        flags: Flag.WRITE,
        args: [key('RW delete'), string('group')],
        run: destroy,
      },
      HELP: helpCommand('5.0.0'),
      SETID: {
        summary: 'Sets which entry a group takes as the last delivered.',
        since: '5.0.0',
        complexity: 'O(1)',
        flags: Flag.WRITE,
        args: [
          key('RW update'),
          string('group'),
          oneOf('id-selector', string('id'), token('$', { name: 'new-id' })),
          optional(integer('ENTRIESREAD entriesread', { display: 'entries-read' })),
        ],
        history: [['7.0.0', '`ENTRIESREAD`.']],
        run: setId,
      },
    },
  },
} satisfies CommandGroup)
