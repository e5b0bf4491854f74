/* The parts of DEBUG that look at keys and values: OBJECT, SDSLEN, LISTPACK, QUICKLIST, DIGEST, HTSTATS, POPULATE. They
 * see a key that is past its time as long as it is there, and leave what is known of its use alone. */
import type { Call } from '../../../commands/call.ts'
import type { Database } from '../../../keyspace/database.ts'
import { EntryFlag, Type } from '../../../keyspace/entry.ts'
import { Event } from '../../../keyspace/events.ts'
import { fromLatin1 } from '../../../lib/bytes.ts'
import { Digest } from '../../../lib/digest.ts'
import { compareInt64, toNumber } from '../../../lib/int64.ts'
import { hashBytes } from '../../../lib/siphash.ts'
import { NONE, type Ref } from '../../../memory/memory.ts'
import {
  DB_OUT_OF_RANGE_DEBUG,
  type ErrorReply,
  NO_SUCH_KEY,
  NOT_HASH_TABLE,
  NOT_INTEGER,
  NOT_POSITIVE,
  NOT_SDS,
} from '../../../protocol/errors.ts'
import { SCAN_END } from '../../../structures/table.ts'
import type { Server } from '../../server.ts'
import { serializedLength } from './serialized-length.ts'
import { FIRST } from './subcommand.ts'

const LRU_CLOCK_MASK = 0xffffff
const EXPIRES = fromLatin1('!!expire!!')

function find({ bytes, pos, len, keyspace, db }: Call, index: number): Ref {
  const hash = hashBytes(bytes, pos[index]!, len[index]!)
  return keyspace.table.find(db.root, bytes, pos[index]!, len[index]!, hash)
}

export function describeObject(call: Call, server: Server): void {
  const entry = find(call, FIRST)
  if (entry === NONE) return call.reply.error(NO_SUCH_KEY)
  const { entries, strings, clock, now } = call.keyspace
  const kind = call.keyspace.kindOf(entry)
  const access = entries.access(entry)
  const idle = clock.lfu ? 0 : Math.floor(clock.idleMs(access) / 1000)
  const lru = clock.lfu ? access & LRU_CLOCK_MASK : (Math.floor(now / 1000) - idle) & LRU_CLOCK_MASK
  let size = kind.valueBytes(entry)
  if (kind.type === Type.STRING) {
    strings.locate(entry)
    size = serializedLength(strings.bytes, strings.pos, strings.len, server.config.bool('rdbcompression'))
  }
  call.reply.simple(
    `Value at:0x${(entry >>> 0).toString(16)} refcount:1 encoding:${kind.encodingName(entry)} ` +
      `serializedlength:${size} lru:${lru} lru_seconds_idle:${idle}`,
  )
}

/** Room and size as Redis tells them of the two strings; here an entry's block may hold both. */
export function describeString(call: Call): void {
  const entry = find(call, FIRST)
  if (entry === NONE) return call.reply.error(NO_SUCH_KEY)
  const { entries, strings, memory } = call.keyspace
  const kind = call.keyspace.kindOf(entry)
  if (kind.type !== Type.STRING || kind.encodingName(entry) === 'int') return call.reply.error(NOT_SDS)
  const len = strings.length(entry)
  const own = (entries.flags(entry) & EntryFlag.OWN) !== 0
  const room = own ? kind.valueBytes(entry) : entries.inlineRoom(entry)
  call.reply.simple(
    `key_sds_len:${call.lenOf(FIRST)}, key_sds_avail:0, key_zmalloc: ${memory.capacity(entry)}, ` +
      `val_sds_len:${len}, val_sds_avail:${room - len}, val_zmalloc: ${kind.valueBytes(entry)}`,
  )
}

/** Refuses a key, existing ones with `error`. */
export function refuseValue(error: ErrorReply): (call: Call) => void {
  return (call) => call.reply.error(find(call, FIRST) === NONE ? NO_SUCH_KEY : error)
}

/** Adds what is stored at a key, and whether it expires. */
function digestValue(db: Database, entry: Ref, into: Digest): void {
  const kind = db.keyspace.kindOf(entry)
  into.mix(bigEndian(kind.type), 0, 4)
  kind.digest(entry, into)
  if (db.keyspace.entries.expires(entry)) into.xor(EXPIRES, 0, EXPIRES.length)
}

const bigEndian = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)

/** One number for all data: equal for equal data, however it is stored. */
export function digestAll(call: Call): void {
  const { databases, table, entries, memory } = call.keyspace
  const total = new Digest()
  const each = new Digest()
  for (const db of databases) {
    if (db.size === 0) continue
    total.mix(bigEndian(db.id), 0, 4)
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(db.root, position)
      for (let slot = 0; slot < table.foundCount; slot++) {
        const entry = table.found[slot]! as Ref
        each.reset()
        each.mix(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
        digestValue(db, entry, each)
        total.xorDigest(each)
      }
    }
  }
  call.reply.simple(total.hex)
}

export function digestKeys(call: Call): void {
  call.reply.array(call.argc - FIRST)
  for (let index = FIRST; index < call.argc; index++) {
    const digest = new Digest()
    const entry = find(call, index)
    if (entry !== NONE) digestValue(call.db, entry, digest)
    call.reply.simple(digest.hex)
  }
}

export function tableStatistics(call: Call): void {
  const { reply, keyspace } = call
  const id = call.integer(FIRST)
  if (id === undefined) return reply.error(NOT_INTEGER)
  const db = keyspace.databases[toNumber(id)]
  if (db === undefined) return reply.error(DB_OUT_OF_RANGE_DEBUG)
  const full = call.argc > FIRST + 1 && call.is(FIRST + 1, 'FULL')
  const expires = `Index of expiries: ${db.expiring} keys, ${db.expiryBytes} bytes\n`
  reply.verbatim('txt', `[Dictionary HT]\n${describeTable(db, full)}[Expires HT]\n${expires}`)
}

function describeTable(db: Database, full: boolean): string {
  const { table } = db.keyspace
  const buckets = table.bucketCount(db.root)
  let text = 'Hash table 0 stats (main hash table):\n'
  if (db.size === 0) return `${text}No stats available for empty dictionaries\n`
  text += ` table size: ${buckets}\n number of elements: ${db.size}\n`
  if (!full) return text
  const lengths = table.chainLengths(db.root)
  const used = buckets - lengths[0]!
  text += ` different slots: ${used}\n max chain length: ${lengths.length - 1}\n`
  text += ` avg chain length (counted): ${(db.size / used).toFixed(2)}\n`
  text += ` avg chain length (computed): ${(db.size / used).toFixed(2)}\n Chain length distribution:\n`
  lengths.forEach((count, length) => {
    if (count > 0) text += `   ${length}: ${count} (${((count / buckets) * 100).toFixed(2)}%)\n`
  })
  return text
}

export const valueTableStatistics = refuseValue(NOT_HASH_TABLE)

/** Makes keys `prefix:0` … that are not there, with the value `value:<number>`, cut or filled up to a size. */
export function populate(call: Call): void {
  const { reply, db, keyspace } = call
  const count = call.integer(FIRST)
  const size = call.argc > FIRST + 2 ? call.integer(FIRST + 2) : 0
  if (count === undefined || compareInt64(count, 0) < 0) return reply.error(NOT_POSITIVE)
  if (size === undefined || compareInt64(size, 0) < 0) return reply.error(NOT_POSITIVE)
  const prefix = call.argc > FIRST + 1 ? call.string(FIRST + 1) : 'key'
  const wanted = toNumber(size)
  for (let number = 0; number < toNumber(count); number++) {
    const key = fromLatin1(`${prefix}:${number}`)
    if (db.lookupWrite(key, 0, key.length) !== NONE) continue
    const text = fromLatin1(`value:${number}`)
    const value = wanted === 0 ? text : new Uint8Array(wanted)
    if (wanted > 0) value.set(text.subarray(0, wanted))
    keyspace.strings.store(db, NONE, key, 0, key.length, value, 0, value.length, undefined)
    if (keyspace.hasListeners) keyspace.tell(db, key, 0, key.length, Event.SET)
  }
  reply.ok()
}
