/* The geo commands about single members: GEOADD, GEOPOS, GEODIST, GEOHASH. A geo index is a sorted set whose scores are
 * geohashes (lib/geohash.ts). What is near a place is sought in geo-search.ts. */
import { Type } from '../keyspace/entry.ts'
import { ZaddFlag } from '../keyspace/zsets.ts'
import { decode, distance, latitude, longitude, scoreOf, writeGeohash } from '../lib/geohash.ts'
import { fromNumber } from '../lib/int64.ts'
import { NONE } from '../memory/memory.ts'
import { SYNTAX } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import {
  block,
  type CommandGroup,
  double,
  Flag,
  group,
  key,
  many,
  oneOf,
  optional,
  since,
  string,
  token,
} from './definition.ts'
import { given, readPlace, readUnit, replyDistance, replyPlace } from './geo-arguments.ts'
import { addMembers, CHANGES, roomForScores } from './zsets.ts'

const LETTER_A = 0x41
const hash = new Uint8Array(16)

function geoadd(call: Call): void {
  const { argc, keyspace } = call
  let flags = 0
  let first = 2
  for (; first < argc; first++) {
    const flag = call.bytes[call.posOf(first)]! < LETTER_A ? 0 : optionOf(call, first)
    if (flag === 0) break
    flags |= flag
  }
  const count = (argc - first) / 3
  const both = (flags & (ZaddFlag.NX | ZaddFlag.XX)) === (ZaddFlag.NX | ZaddFlag.XX)
  if (count === 0 || !Number.isInteger(count) || both) return call.reply.error(SYNTAX)
  const scores = roomForScores(count)
  for (let slot = 0; slot < count; slot++) {
    if (!readPlace(call, first + slot * 3)) return
    scores[slot] = scoreOf(given.longitude, given.latitude)
  }
  const { dirty } = keyspace
  addMembers(call, flags, first + 2, 3, count)
  if (call.effects.listening && keyspace.dirty > dirty) tell(call, scores, first, count)
}

function optionOf(call: Call, index: number): number {
  if (call.is(index, 'NX')) return ZaddFlag.NX
  if (call.is(index, 'XX')) return ZaddFlag.XX
  return call.is(index, 'CH') ? CHANGES : 0
}

/** A GEOADD is told as what it is, a ZADD. */
function tell(call: Call, scores: Float64Array, first: number, count: number): void {
  const { effects } = call
  effects.begin(call, first + count * 2).word('zadd')
  for (let index = 1; index < first; index++) effects.argument(call, index)
  for (let slot = 0; slot < count; slot++)
    effects.integer(fromNumber(scores[slot]!)!).argument(call, first + slot * 3 + 2)
}

function geopos(call: Call): void {
  const { reply } = call
  const { zsets } = call.keyspace
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  reply.array(call.argc - 2)
  for (let index = 2; index < call.argc; index++) {
    if (entry === NONE || !zsets.find(entry, call.bytes, call.posOf(index), call.lenOf(index))) reply.nullArray()
    else {
      decode(zsets.score)
      replyPlace(call, longitude, latitude)
    }
  }
}

function geohash(call: Call): void {
  const { reply } = call
  const { zsets } = call.keyspace
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  reply.array(call.argc - 2)
  for (let index = 2; index < call.argc; index++) {
    if (entry === NONE || !zsets.find(entry, call.bytes, call.posOf(index), call.lenOf(index))) reply.nullBulk()
    else {
      decode(zsets.score)
      reply.bulk(hash, 0, writeGeohash(longitude, latitude, hash, 0))
    }
  }
}

function geodist(call: Call): void {
  const { reply, argc, bytes } = call
  const { zsets } = call.keyspace
  if (argc === 5 && !readUnit(call, 4)) return
  if (argc > 5) return reply.error(SYNTAX)
  const metres = argc === 5 ? given.metres : 1
  const entry = call.readKey(1, Type.ZSET)
  if (entry === REFUSED) return
  if (entry === NONE || !zsets.find(entry, bytes, call.posOf(2), call.lenOf(2))) return reply.nullBulk()
  const { score } = zsets
  if (!zsets.find(entry, bytes, call.posOf(3), call.lenOf(3))) return reply.nullBulk()
  decode(score)
  const fromLongitude = longitude
  const fromLatitude = latitude
  decode(zsets.score)
  replyDistance(call, distance(fromLongitude, fromLatitude, longitude, latitude) / metres)
}

export const geoCommands = group('geo', {
  GEOADD: {
    summary: 'Adds places to an index, or moves them.',
    since: '3.2.0',
    complexity: 'O(log(N)) a member, N members in the index',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('RW update'),
      optional(since('6.2.0', oneOf('condition', 'NX', 'XX'))),
      optional(token('CH', { name: 'change', since: '6.2.0' })),
      many(block('data', double('longitude'), double('latitude'), string('member'))),
    ],
    history: [['6.2.0', 'The options `CH`, `NX` and `XX`.']],
    run: geoadd,
  },
  GEODIST: {
    summary: 'Gives the distance between two members.',
    since: '3.2.0',
    complexity: 'O(1)',
    flags: Flag.READONLY,
    args: [key('RO access'), string('member1'), string('member2'), optional(oneOf('unit', 'M', 'KM', 'FT', 'MI'))],
    run: geodist,
  },
  GEOHASH: {
    summary: 'Gives the geohash strings of members.',
    since: '3.2.0',
    complexity: 'O(1) a member',
    flags: Flag.READONLY,
    args: [key('RO access'), optional(many(string('member')))],
    run: geohash,
  },
  GEOPOS: {
    summary: 'Gives the longitude and latitude of members.',
    since: '3.2.0',
    complexity: 'O(1) a member',
    flags: Flag.READONLY,
    args: [key('RO access'), optional(many(string('member')))],
    run: geopos,
  },
} satisfies CommandGroup)
