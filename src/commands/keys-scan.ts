/* Walking through the keys: KEYS at once, SCAN a few at a time.
 *
 * A cursor is a position in hash order, which means the same place however the table grows or shrinks in between: a key
 * that is there from the first call to the last is met. 0 begins; the end answers 0. */
import { matches } from '../lib/glob.ts'
import { compareInt64, lowWord, parseInt64, parseUint64, toNumber } from '../lib/int64.ts'
import type { Ref } from '../memory/memory.ts'
import { INVALID_CURSOR, NOT_INTEGER, SYNTAX } from '../protocol/errors.ts'
import { SCAN_END } from '../structures/table.ts'
import type { Call } from './call.ts'
import { Category, type CommandGroup, Flag, group, integer, optional, pattern, string } from './definition.ts'

const STAR = 0x2a
const COUNT_DEFAULT = 10
/** Empty buckets are passed over without end, but for this many of them to each key asked for. */
const BUCKETS_PER_KEY = 10
/** Refs that `met` holds for good; it grows for a call with a larger COUNT, and shrinks after it. */
const MET_SIZE = 4096

const ANY_TYPE = -1
const NO_TYPE = -2

/** What a walk is looking for. */
class Filter {
  /** Argument with the pattern; 0 for none. */
  pattern = 0
  /** The type's tag, ANY_TYPE or NO_TYPE. */
  type: number = ANY_TYPE

  clear(): void {
    this.pattern = 0
    this.type = ANY_TYPE
  }

  /** Sets the pattern; `*` is none: it would refuse the empty key. */
  setPattern(call: Call, index: number): void {
    const all = call.lenOf(index) === 1 && call.bytes[call.posOf(index)] === STAR
    this.pattern = all ? 0 : index
  }

  /** Sets the type from its name; one that nothing has lets no key pass. */
  setType(call: Call, index: number): void {
    this.type = NO_TYPE
    for (const kind of call.keyspace.kinds) {
      if (kind !== undefined && call.is(index, kind.name.toUpperCase())) this.type = kind.type
    }
  }

  matchesName(call: Call, entry: Ref): boolean {
    if (this.pattern === 0) return true
    const { memory, entries } = call.keyspace
    const { bytes, pos, len } = call
    const index = this.pattern
    const keyPos = entries.keyPos(entry)
    return matches(bytes, pos[index]!, len[index]!, memory.bytesOf(entry), keyPos, entries.keyLen(entry))
  }

  matchesType(call: Call, entry: Ref): boolean {
    return this.type === ANY_TYPE || this.type === call.keyspace.entries.type(entry)
  }
}

const filter = new Filter()
/** The keys that the SCAN at hand will reply with. */
let met = new Int32Array(MET_SIZE)
let metCount = 0

function keys(call: Call): void {
  const { db, reply } = call
  const { table, memory, entries } = call.keyspace
  filter.clear()
  filter.setPattern(call, 1)
  const mark = reply.begin()
  let count = 0
  for (let position = 0; position !== SCAN_END && !reply.overflowed; ) {
    position = table.scan(db.root, position)
    for (let index = 0; index < table.foundCount; index++) {
      const entry = table.found[index]! as Ref
      if (!filter.matchesName(call, entry) || db.isExpired(entry)) continue
      reply.bulk(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
      count++
    }
  }
  reply.endArray(mark, count)
}

/** The position that a cursor names, undefined if it is none. Whatever strtoul reads is one, a negative number or
 *  nothing at all too; those that SCAN never gave are cut to 32 bits. */
export function cursorOf(call: Call, index: number): number | undefined {
  const { bytes } = call
  const pos = call.posOf(index)
  const len = call.lenOf(index)
  const first = len === 0 ? 0 : bytes[pos]!
  if (first === 0) return 0
  if (first === 0x20 || (first >= 9 && first <= 13)) return undefined
  const cursor = parseInt64(bytes, pos, len) ?? parseUint64(bytes, pos, len)
  return cursor === undefined ? undefined : lowWord(cursor) >>> 0
}

function scan(call: Call): void {
  const cursor = cursorOf(call, 1)
  if (cursor === undefined) return call.reply.error(INVALID_CURSOR)
  let wanted = COUNT_DEFAULT
  filter.clear()
  for (let index = 2; index < call.argc; index += 2) {
    if (index + 1 === call.argc) return call.reply.error(SYNTAX)
    if (call.is(index, 'COUNT')) {
      const count = call.integer(index + 1)
      if (count === undefined) return call.reply.error(NOT_INTEGER)
      if (compareInt64(count, 1) < 0) return call.reply.error(SYNTAX)
      wanted = toNumber(count)
    } else if (call.is(index, 'MATCH')) filter.setPattern(call, index + 1)
    else if (call.is(index, 'TYPE')) filter.setType(call, index + 1)
    else return call.reply.error(SYNTAX)
  }
  const end = walk(call, cursor, wanted)
  replyMet(call, end === SCAN_END ? 0 : end)
}

/** Looks at `wanted` keys or a few more from the position on, and collects those that the filter lets pass; returns the
 *  position reached. */
function walk(call: Call, start: number, wanted: number): number {
  const { table } = call.keyspace
  let position = start
  let looked = 0
  let buckets = 0
  metCount = 0
  do {
    position = table.scan(call.db.root, position)
    looked += table.foundCount
    for (let index = 0; index < table.foundCount; index++) meet(call, table.found[index]! as Ref)
    buckets++
  } while (position !== SCAN_END && looked < wanted && buckets <= wanted * BUCKETS_PER_KEY)
  return position
}

/** Collects an entry that the filter lets pass, or takes it away if it is past its time. */
function meet(call: Call, entry: Ref): void {
  const { db, keyspace } = call
  if (!filter.matchesName(call, entry)) return
  const expired = db.isExpired(entry)
  if (expired && !keyspace.expiryPaused) db.expireEntry(entry, keyspace.table.hashOf(entry))
  if (filter.type !== ANY_TYPE) {
    // Redis looks such keys up, and so counts them.
    if (expired) keyspace.stats.misses++
    else keyspace.stats.hits++
  }
  if (expired || !filter.matchesType(call, entry)) return
  if (metCount === met.length) {
    const larger = new Int32Array(met.length * 2)
    larger.set(met)
    met = larger
  }
  met[metCount++] = entry
}

function replyMet(call: Call, cursor: number): void {
  const { reply } = call
  const { memory, entries } = call.keyspace
  reply.array(2)
  reply.bulkInteger(cursor)
  reply.array(metCount)
  for (let index = 0; index < metCount; index++) {
    const entry = met[index]! as Ref
    reply.bulk(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
  }
  if (met.length > MET_SIZE) met = new Int32Array(MET_SIZE)
}

export const keyScanCommands = group('generic', {
  KEYS: {
    summary: 'Lists the keys that match a pattern.',
    since: '1.0.0',
    complexity: 'O(N), N keys in the database',
    flags: Flag.READONLY,
    categories: Category.KEYSPACE | Category.DANGEROUS,
    args: [pattern('pattern')],
    tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
    run: keys,
  },
  SCAN: {
    summary: 'Walks through the keys of the database, a few at a time.',
    since: '2.8.0',
    complexity: 'O(1) a call, O(N) for a whole iteration, N elements',
    flags: Flag.READONLY | Flag.TOUCHES_ARBITRARY_KEYS,
    args: [
      integer('cursor'),
      optional(pattern('MATCH pattern')),
      optional(integer('COUNT count')),
      optional(string('TYPE type', { since: '6.0.0' })),
    ],
    history: [['6.0.0', 'The option `TYPE`.']],
    tips: ['nondeterministic_output', 'request_policy:special', 'response_policy:special'],
    run: scan,
  },
} satisfies CommandGroup)
