/* The RDB format: what every file begins with, the marks in it, and the tables that writer and reader share.
 *
 *   | REDIS0010 | aux … | database | database | … | EOF | CRC-64, 8 bytes |
 *
 *   aux        | AUX | name | value |                                     names and values are strings
 *   database   | SELECTDB | index | RESIZEDB | keys | keys with expiry | key | key | … |
 *   key        | EXPIRETIME_MS | time | IDLE | seconds | FREQ | counter | type | name | value |      the first three
 *                                                                                                   where they apply
 *   length     00LLLLLL                     6 bits
 *              01LLLLLL LLLLLLLL            14 bits
 *              10000000, 4 bytes            32 bits, big-endian
 *              10000001, 8 bytes            64 bits, big-endian
 *   string     | length | bytes |
 *              | 11000000 | 1 byte |        an integer's decimal digits; 11000001: 2 bytes; 11000010: 4; little-endian
 *              | 11000011 | length packed | length | LZF |
 *
 * The version that is written is the lowest that can say what is to be said: Redis 7.0 reads 10. */

import { quote } from '../../lib/quoting.ts'

export const MAGIC = 'REDIS'
/** Digits of the version behind the magic. */
export const VERSION_LEN = 4
export const VERSION_WRITTEN = 10
/** The version of Redis 7.4, in which fields of hashes can expire. */
export const VERSION_READ_MAX = 12
/** Valkey's files have a magic, versions and types of their own since its version 9. */
export const VALKEY_MAGIC = 'VALKEY'
export const VALKEY_VERSION_MIN = 80
const VALKEY_VERSION_MAX = 81
/** Files of this version on end with a checksum. */
export const VERSION_WITH_CHECKSUM = 5
export const CHECKSUM_LEN = 8

/** The bytes where a type could stand. */
export const Opcode = {
  SLOT_INFO: 244,
  FUNCTION: 245,
  FUNCTION_PRE_GA: 246,
  MODULE_AUX: 247,
  IDLE: 248,
  FREQ: 249,
  AUX: 250,
  RESIZEDB: 251,
  EXPIRETIME_MS: 252,
  EXPIRETIME: 253,
  SELECTDB: 254,
  EOF: 255,
} as const

/** The two upper bits of a length's first byte. */
export const LENGTH_6 = 0
export const LENGTH_14 = 1
/** … and the last of these four: no length, but a string in another form. */
export const LENGTH_FORM = 3
/** A length's whole first byte, where four or eight more follow. */
export const LENGTH_32 = 0x80
export const LENGTH_64 = 0x81

/** The lower six bits of a string's first byte, if the upper two are LENGTH_FORM. */
export const StringForm = { INT8: 0, INT16: 1, INT32: 2, LZF: 3 } as const

/** The longest string that is looked at for being an integer of 32 bits. */
export const INTEGER_LEN_MAX = 11
/** The shortest string that LZF could make shorter. */
export const COMPRESSED_LEN_MIN = 21
/** Compression must gain so many bytes. */
export const COMPRESSION_GAIN_MIN = 4
/** LZF's longest match says 264 bytes in 3: nothing shrinks to less. */
export const EXPANSION_MAX = 88

export const RDB_STRING = 0
export const RDB_LIST = 1
export const RDB_SET = 2
export const RDB_ZSET = 3
export const RDB_HASH = 4
export const RDB_ZSET_2 = 5
export const RDB_MODULE = 7
export const RDB_HASH_ZIPMAP = 9
export const RDB_LIST_ZIPLIST = 10
export const RDB_SET_INTSET = 11
export const RDB_ZSET_ZIPLIST = 12
export const RDB_HASH_ZIPLIST = 13
export const RDB_LIST_QUICKLIST = 14
export const RDB_STREAM = 15
export const RDB_HASH_LISTPACK = 16
export const RDB_ZSET_LISTPACK = 17
export const RDB_LIST_QUICKLIST_2 = 18
export const RDB_STREAM_2 = 19
export const RDB_SET_LISTPACK = 20
export const RDB_STREAM_3 = 21
/** Of release candidates of 7.4: without the moment at the beginning, and other moments not counted from it. */
export const RDB_HASH_EXPIRING_RC = 22
export const RDB_HASH_LISTPACK_EX_RC = 23
export const RDB_HASH_EXPIRING = 24
export const RDB_HASH_LISTPACK_EX = 25

/** The first type that Redis and Valkey do not have in common, and what is added to Valkey's so that they differ. */
const FOREIGN_TYPE_MIN = 22
const VALKEY_TYPES = 256
/** Valkey's hash with fields that expire. */
export const RDB_HASH_VALKEY = VALKEY_TYPES + 22

/** The type that a number stands for in a file, or payload, of this version. */
export function typeIn(version: number, rdbType: number): number {
  return version >= VALKEY_VERSION_MIN && rdbType >= FOREIGN_TYPE_MIN ? rdbType + VALKEY_TYPES : rdbType
}

export function isKnownVersion(version: number): boolean {
  const isRedis = version >= 1 && version <= VERSION_READ_MAX
  return isRedis || (version >= VALKEY_VERSION_MIN && version <= VALKEY_VERSION_MAX)
}

/** The lowest version that knows a type. */
export function versionOf(rdbType: number): number {
  return rdbType >= RDB_HASH_EXPIRING_RC ? VERSION_READ_MAX : VERSION_WRITTEN
}

/** The types of values, for the operator. */
const TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'string',
  1: 'list',
  2: 'set',
  3: 'sorted set',
  4: 'hash',
  5: 'sorted set',
  6: 'value of a module (before its format was final)',
  7: 'value of a module',
  9: 'hash (zipmap)',
  10: 'list (ziplist)',
  11: 'set (intset)',
  12: 'sorted set (ziplist)',
  13: 'hash (ziplist)',
  14: 'list (quicklist of ziplists)',
  15: 'stream',
  16: 'hash (listpack)',
  17: 'sorted set (listpack)',
  18: 'list (quicklist of listpacks)',
  19: 'stream',
  20: 'set (listpack)',
  21: 'stream',
  22: 'hash with expiring fields',
  23: 'hash with expiring fields (listpack)',
  24: 'hash with expiring fields',
  25: 'hash with expiring fields (listpack)',
  278: "hash with expiring fields (Valkey's)",
  279: "path hash (Valkey's)",
}

/** What a type is called; undefined if no version of Redis wrote it. */
export function typeName(rdbType: number): string | undefined {
  return TYPE_NAMES[rdbType]
}

const MODULE_NAME_LEN = 9
const MODULE_VERSION_BITS = 10
const MODULE_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The name in a module's 64-bit id, nine letters of six bits above the version's ten. */
export function moduleName(high: number, low: number): string {
  let name = ''
  for (let at = 0; at < MODULE_NAME_LEN; at++) {
    const shift = MODULE_VERSION_BITS + 6 * at
    const bits =
      shift >= 32 ? high >>> (shift - 32) : shift > 26 ? (low >>> shift) | (high << (32 - shift)) : low >>> shift
    name = MODULE_LETTERS[bits & 63]! + name
  }
  return name
}

/** Of a key, this much is shown. */
const SHOWN_LEN_MAX = 128

/** A key for people, without quotes. */
export function bareKey(bytes: Uint8Array, pos: number, len: number): string {
  return quote(bytes, pos, Math.min(len, SHOWN_LEN_MAX)).slice(1, -1) + (len > SHOWN_LEN_MAX ? '…' : '')
}

/** A key for people. */
export function shownKey(bytes: Uint8Array, pos: number, len: number): string {
  return quote(bytes, pos, Math.min(len, SHOWN_LEN_MAX)) + (len > SHOWN_LEN_MAX ? '…' : '')
}
