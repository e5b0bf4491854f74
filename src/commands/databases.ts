/* Whole databases: SELECT, SWAPDB, DBSIZE, FLUSHDB, FLUSHALL. */
import type { Database } from '../keyspace/database.ts'
import {
  DB_OUT_OF_RANGE,
  type ErrorReply,
  FIRST_DB_INDEX,
  NOT_INT32,
  NOT_INTEGER,
  SECOND_DB_INDEX,
  SYNTAX,
} from '../protocol/errors.ts'
import type { Call } from './call.ts'
import { Category, type CommandGroup, Flag, group, integer, oneOf, optional, token } from './definition.ts'

const INT32_MIN = -2147483648
const INT32_MAX = 2147483647

/** The database whose index is an argument; undefined after replying what is wrong with it. */
export function databaseAt(call: Call, index: number): Database | undefined {
  const number = indexAt(call, index)
  return number === undefined ? undefined : databaseOf(call, number)
}

function databaseOf(call: Call, number: number): Database | undefined {
  const db = call.keyspace.databases[number]
  if (db === undefined) call.reply.error(DB_OUT_OF_RANGE)
  return db
}

/** The argument as an int; undefined after replying that it is none, with `error` if one is given. */
function indexAt(call: Call, index: number, error?: ErrorReply): number | undefined {
  const value = call.integer(index)
  if (value === undefined) call.reply.error(error ?? NOT_INTEGER)
  else if (value < INT32_MIN || value > INT32_MAX) call.reply.error(error ?? NOT_INT32)
  else return value as number
  return undefined
}

function select(call: Call): void {
  const db = databaseAt(call, 1)
  if (db === undefined) return
  call.select(db.id)
  call.reply.ok()
}

function swapdb(call: Call): void {
  const one = indexAt(call, 1, FIRST_DB_INDEX)
  if (one === undefined) return
  const other = indexAt(call, 2, SECOND_DB_INDEX)
  if (other === undefined) return
  const first = databaseOf(call, one)
  if (first === undefined) return
  const second = databaseOf(call, other)
  if (second === undefined) return
  call.keyspace.swap(first, second)
  call.reply.ok()
}

function dbsize(call: Call): void {
  call.reply.integer(call.db.size)
}

/** FLUSHDB or, without a database, FLUSHALL. SYNC has the memory back before the reply; otherwise what cannot be
 *  dropped in one piece is freed in slices, whatever lazyfree-lazy-user-flush says: that is no slower, and nobody
 *  waits. */
function flush(call: Call, db: Database | undefined): void {
  const sync = call.argc === 2 && call.is(1, 'SYNC')
  if (call.argc > 2 || (call.argc === 2 && !sync && !call.is(1, 'ASYNC'))) return call.reply.error(SYNTAX)
  const keyspace = call.keyspace
  if (db === undefined && keyspace.onFlushAll !== null) keyspace.onFlushAll()
  else keyspace.flush(db)
  call.effects.force() // though there was nothing to delete
  if (sync) while (keyspace.reclaim()) {}
  call.reply.ok()
}

const flushType = optional(oneOf('flush-type', token('ASYNC', { since: '4.0.0' }), token('SYNC', { since: '6.2.0' })))

export const databaseCommands = group('server', {
  DBSIZE: {
    summary: 'Counts the keys of the database.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    categories: Category.KEYSPACE,
    tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
    run: dbsize,
  },
  FLUSHALL: {
    summary: 'Deletes all keys of all databases.',
    since: '1.0.0',
    complexity: 'O(N), N keys',
    flags: Flag.WRITE,
    categories: Category.KEYSPACE | Category.DANGEROUS,
    args: [flushType],
    history: [
      ['4.0.0', '`ASYNC`.'],
      ['6.2.0', '`SYNC`.'],
    ],
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    run: (call) => flush(call, undefined),
  },
  FLUSHDB: {
    summary: 'Deletes all keys of the database.',
    since: '1.0.0',
    complexity: 'O(N), N keys',
    flags: Flag.WRITE,
    categories: Category.KEYSPACE | Category.DANGEROUS,
    args: [flushType],
    history: [
      ['4.0.0', '`ASYNC`.'],
      ['6.2.0', '`SYNC`.'],
    ],
    tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
    run: (call) => flush(call, call.db),
  },
  SWAPDB: {
    summary: 'Exchanges two databases.',
    since: '4.0.0',
    complexity: 'O(N), N clients that watch or wait for their keys',
    flags: Flag.WRITE | Flag.FAST,
    categories: Category.KEYSPACE | Category.DANGEROUS,
    args: [integer('index1'), integer('index2')],
    run: swapdb,
  },
} satisfies CommandGroup)

export const selectCommands = group('connection', {
  SELECT: {
    summary: 'Changes to another database.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.LOADING | Flag.STALE | Flag.FAST,
    args: [integer('index')],
    run: select,
  },
} satisfies CommandGroup)
