/* The parts of DEBUG that look at keys and values: OBJECT, SDSLEN, LISTPACK, QUICKLIST, DIGEST, HTSTATS, POPULATE. They
 * see a key that is past its time as long as it is there, and leave what is known of its use alone. */
import type { Call } from '../../../commands/call.ts'
import type { Database } from '../../../keyspace/database.ts'
import { EntryFlag, SetEncoding, Type, ZsetEncoding } from '../../../keyspace/entry.ts'
import { Event } from '../../../keyspace/events.ts'
import type { Keyspace } from '../../../keyspace/keyspace.ts'
import { ListEncoding } from '../../../keyspace/lists.ts'
import { NodeKind } from '../../../keyspace/quicklist.ts'
import { fromLatin1 } from '../../../lib/bytes.ts'
import { Digest } from '../../../lib/digest.ts'
import { compareInt64, toNumber } from '../../../lib/int64.ts'
import { quote } from '../../../lib/quoting.ts'
import { hashBytes } from '../../../lib/siphash.ts'
import { NONE, type Ref } from '../../../memory/memory.ts'
import {
  DB_OUT_OF_RANGE_DEBUG,
  NO_SUCH_KEY,
  NOT_HASH_TABLE,
  NOT_INTEGER,
  NOT_LISTPACK,
  NOT_POSITIVE,
  NOT_QUICKLIST,
  NOT_SDS,
} from '../../../protocol/errors.ts'
import { NO_ELEMENT } from '../../../structures/listpack.ts'
import { SCAN_END, type Table } from '../../../structures/table.ts'
import type { Server } from '../../server.ts'
import { savedLength } from './serialized-length.ts'
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
  const { entries, clock, now } = call.keyspace
  const kind = call.keyspace.kindOf(entry)
  const access = entries.access(entry)
  const idle = clock.lfu ? 0 : Math.floor(clock.idleMs(access) / 1000)
  const lru = clock.lfu ? access & LRU_CLOCK_MASK : (Math.floor(now / 1000) - idle) & LRU_CLOCK_MASK
  const format = server.formats.of(kind.type)
  const size = format === undefined ? 0 : savedLength(format, entry, server.config.bool('rdbcompression'))
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
  reply.verbatim('txt', `[Dictionary HT]\n${describeTable(keyspace.table, db.root, full)}[Expires HT]\n${expires}`)
}

function describeTable(table: Table, root: Ref, full: boolean): string {
  const size = table.count(root)
  const buckets = table.bucketCount(root)
  let text = 'Hash table 0 stats (main hash table):\n'
  if (size === 0) return `${text}No stats available for empty dictionaries\n`
  text += ` table size: ${buckets}\n number of elements: ${size}\n`
  if (!full) return text
  const lengths = table.chainLengths(root)
  const used = buckets - lengths[0]!
  text += ` different slots: ${used}\n max chain length: ${lengths.length - 1}\n`
  text += ` avg chain length (counted): ${(size / used).toFixed(2)}\n`
  text += ` avg chain length (computed): ${(size / used).toFixed(2)}\n Chain length distribution:\n`
  lengths.forEach((count, length) => {
    if (count > 0) text += `   ${length}: ${count} (${((count / buckets) * 100).toFixed(2)}%)\n`
  })
  return text
}

/** The table of a large set, hash or sorted set, and its root; undefined of anything else. */
function tableAt({ entries, sets, hashes, zsets }: Keyspace, entry: Ref): [Table, Ref] | undefined {
  const type = entries.type(entry)
  const encoding = entries.encoding(entry)
  if (type === Type.SET && encoding === SetEncoding.TABLE) return [sets.table, entries.value(entry) as Ref]
  if (type === Type.HASH && hashes.isTable(entry)) return [hashes.table, hashes.root(entry)]
  if (type === Type.ZSET && encoding === ZsetEncoding.TABLE) return [zsets.table, zsets.tableOf(entry)]
  return undefined
}

export function valueTableStatistics(call: Call): void {
  const entry = find(call, FIRST)
  if (entry === NONE) return call.reply.error(NO_SUCH_KEY)
  const found = tableAt(call.keyspace, entry)
  if (found === undefined) return call.reply.error(NOT_HASH_TABLE)
  const full = call.argc > FIRST + 1 && call.is(FIRST + 1, 'FULL')
  call.reply.verbatim('txt', describeTable(...found, full))
}

/** Elements of a listpack that are shown. */
const SHOWN_MAX = 100

/** The root of a value that is a listpack; NONE of any other. */
function listpackAt({ entries, hashes }: Keyspace, entry: Ref): Ref {
  const type = entries.type(entry)
  const encoding = entries.encoding(entry)
  const value = entries.value(entry) as Ref
  if (type === Type.LIST) return encoding === ListEncoding.LISTPACK ? value : NONE
  if (type === Type.SET) return encoding === SetEncoding.LISTPACK ? value : NONE
  if (type === Type.ZSET) return encoding === ZsetEncoding.LISTPACK ? value : NONE
  return type === Type.HASH && !hashes.isTable(entry) ? hashes.root(entry) : NONE
}

/** Writes to the log how a listpack lies. */
export function describeListpack(call: Call, { log }: Server): void {
  const { keyspace, reply } = call
  const entry = find(call, FIRST)
  if (entry === NONE) return reply.error(NO_SUCH_KEY)
  const root = listpackAt(keyspace, entry)
  if (root === NONE) return reply.error(NOT_LISTPACK)
  const { listpacks } = keyspace
  log.info(`Listpack: {total bytes ${listpacks.size(root)}} {num entries ${listpacks.count(root)}}`)
  let index = 0
  for (let off = listpacks.first(root); off !== NO_ELEMENT && index < SHOWN_MAX; index++) {
    const next = listpacks.locate(root, off)
    const shown = quote(listpacks.bytes, listpacks.pos, Math.min(listpacks.len, SHOWN_MAX))
    const kind = listpacks.isInteger ? 'integer' : 'string'
    log.info(`{offset ${off}} {entry bytes ${listpacks.elementSize(root, off)}} {${kind} of ${listpacks.len}} ${shown}`)
    off = next
  }
  reply.simple('Listpack structure printed on stdout')
}

/** Writes to the log how a quicklist lies. */
export function describeQuicklist(call: Call, { log }: Server): void {
  const { keyspace, reply } = call
  const { entries, lists } = keyspace
  const entry = find(call, FIRST)
  if (entry === NONE) return reply.error(NO_SUCH_KEY)
  const isQuicklist = entries.type(entry) === Type.LIST && entries.encoding(entry) === ListEncoding.QUICKLIST
  if (!isQuicklist) return reply.error(NOT_QUICKLIST)
  const { sequence } = lists.quicklist
  const root = entries.value(entry) as Ref
  log.info(`Quicklist: {count ${sequence.count(root)}} {nodes ${sequence.nodeCount(root)}}`)
  let index = 0
  for (let node = sequence.head(root); node !== NONE && index < SHOWN_MAX; index++, node = sequence.next(node)) {
    const kind = sequence.kind(node) === NodeKind.PLAIN ? 'plain' : 'packed'
    log.info(`{node ${index}} {${kind}} {size ${sequence.sizeOf(node)}} {count ${sequence.countIn(node)}}`)
  }
  reply.simple('Quicklist structure printed on stdout')
}

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
