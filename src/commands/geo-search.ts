/* The geo commands about what is near a place: GEOSEARCH and the older GEORADIUS, both of which can store what they
 * find.
 *
 *   +----+----+----+
 *   | NW | N  | NE |      The place is in the middle cell, and nine cells cover the circle or box. The members of each
 *   +----+----+----+      are one range of scores; those in the shape are noted in columns, by their places in the
 *   | W  | ×  | E  |      sorted set, which does not change meanwhile.
 *   +----+----+----+
 *   | SW | S  | SE |
 *   +----+----+----+
 */
import { Type, ZsetEncoding } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { ZaddFlag } from '../keyspace/zsets.ts'
import { NineCells } from '../lib/geo-cells.ts'
import { GeoShape } from '../lib/geo-shape.ts'
import { decode, latitude, longitude } from '../lib/geohash.ts'
import { compareInt64, fromNumber, toNumber } from '../lib/int64.ts'
import { sortFirst } from '../lib/sort-indexes.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  GEO_ANY,
  GEO_COUNT,
  geoCentre,
  geoShape,
  geoStoreOptions,
  NO_GEO_MEMBER,
  NOT_INTEGER,
  SYNTAX,
} from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import {
  block,
  type CommandGroup,
  double,
  Flag,
  group,
  integer,
  key,
  oneOf,
  optional,
  string,
  token,
} from './definition.ts'
import { given, readBox, readPlace, readRadius, replyDistance, replyPlace } from './geo-arguments.ts'
import { georadiusKeys } from './introspection/key-extractors.ts'
import { replyWalked } from './zsets.ts'
import { storeZset } from './zsets-ranges.ts'

/** Which of the commands it is, as far as they differ. */
const Way = {
  /** Around a place, or a member, that stands where the arguments begin. */
  PLACE: 1 << 0,
  MEMBER: 1 << 1,
  /** GEORADIUS's options that store. */
  STORES: 1 << 2,
  /** Options say around what, and how far. */
  SEARCH: 1 << 3,
  SEARCHSTORE: 1 << 4,
} as const

const Order = { NONE: 0, ASC: 1, DESC: 2 } as const

// The options at hand.
let withDistance = false
let withHash = false
let withPlace = false
let any = false
let limit = 0
let order: number = Order.NONE
/** The argument with the key to store at; 0: none. */
let storeAt = 0
let storesDistances = false
let hasMember = false
let hasPlace = false
let hasRadius = false
let hasBox = false
const shape = new GeoShape()
const cells = new NineCells()

// What has been found: `found` members, by columns.
const FOUND_KEPT = 1024
let found = 0
let marks = new Int32Array(FOUND_KEPT)
let scores = new Float64Array(FOUND_KEPT)
let distances = new Float64Array(FOUND_KEPT)
let ranking = new Int32Array(FOUND_KEPT)

const nearerFirst = (a: number, b: number): number => distances[a]! - distances[b]! || a - b
const fartherFirst = (a: number, b: number): number => distances[b]! - distances[a]! || a - b

function run(call: Call, keyIndex: number, way: number): void {
  const { reply } = call
  const entry = call.readKey(keyIndex, Type.ZSET)
  if (entry === REFUSED) return
  const first = parseBeginning(call, entry, way)
  if (first === 0 || !parseOptions(call, first, entry, way) || !isComplete(call, way)) return
  if (entry === NONE) {
    if (storeAt > 0) storeZset(call, NONE, Event.GEOSEARCHSTORE, storeAt)
    else reply.array(0)
    return
  }
  // Of some members those are wanted that are nearest, unless any will do.
  if (limit > 0 && order === Order.NONE && !any) order = Order.ASC
  search(call, entry)
  const count = limit === 0 ? found : Math.min(found, limit)
  rank(count)
  if (storeAt > 0) store(call, count, way)
  else tell(call, count)
  if (marks.length > FOUND_KEPT) makeRoom(FOUND_KEPT)
}

/** Reads what stands before the options; answers the first of these, or 0 after an error. */
function parseBeginning(call: Call, entry: Ref, way: number): number {
  hasMember = false
  hasPlace = false
  hasRadius = false
  hasBox = false
  storeAt = (way & Way.SEARCHSTORE) !== 0 ? 1 : 0
  storesDistances = false
  if ((way & Way.SEARCH) !== 0) return storeAt + 2
  if ((way & Way.PLACE) !== 0) return readPlace(call, 2) && setCentre() && setRadius(call, 4) ? 6 : 0
  if (entry === NONE) return 5
  return findMember(call, entry, 2) && setRadius(call, 3) ? 5 : 0
}

function setCentre(): boolean {
  shape.longitude = given.longitude
  shape.latitude = given.latitude
  return true
}

function setRadius(call: Call, index: number): boolean {
  if (!readRadius(call, index)) return false
  shape.setCircle(given.width, given.metres)
  return true
}

function setBox(call: Call, index: number): boolean {
  if (!readBox(call, index)) return false
  shape.setBox(given.width, given.height, given.metres)
  return true
}

/** Takes a member's place for the centre; false after replying that there is none. */
function findMember(call: Call, entry: Ref, index: number): boolean {
  const { zsets } = call.keyspace
  if (!zsets.find(entry, call.bytes, call.posOf(index), call.lenOf(index))) {
    call.reply.error(NO_GEO_MEMBER)
    return false
  }
  decode(zsets.score)
  shape.longitude = longitude
  shape.latitude = latitude
  return true
}

/** Reads the options from `first` on; false after replying what is wrong. */
function parseOptions(call: Call, first: number, entry: Ref, way: number): boolean {
  withDistance = false
  withHash = false
  withPlace = false
  any = false
  limit = 0
  order = Order.NONE
  for (let index = first; index < call.argc; ) {
    const taken = parseFlag(call, index, way) || parseOption(call, index, entry, way)
    if (taken < 0) return false
    if (taken === 0) {
      call.reply.error(SYNTAX)
      return false
    }
    index += taken
  }
  return true
}

/** Reads an option of one word; answers 1, or 0 if it is none. */
function parseFlag(call: Call, index: number, way: number): number {
  if (call.is(index, 'WITHDIST')) withDistance = true
  else if (call.is(index, 'WITHHASH')) withHash = true
  else if (call.is(index, 'WITHCOORD')) withPlace = true
  else if (call.is(index, 'ANY')) any = true
  else if (call.is(index, 'ASC')) order = Order.ASC
  else if (call.is(index, 'DESC')) order = Order.DESC
  else if ((way & Way.SEARCHSTORE) !== 0 && call.is(index, 'STOREDIST')) storesDistances = true
  else return 0
  return 1
}

/** Reads an option with values; answers how many arguments it takes up, 0 if it is none, or -1 after an error. */
function parseOption(call: Call, index: number, entry: Ref, way: number): number {
  const left = call.argc - index - 1
  if (left >= 1 && call.is(index, 'COUNT')) return parseCount(call, index + 1) ? 2 : -1
  if ((way & Way.STORES) !== 0 && left >= 1) {
    const byDistance = call.is(index, 'STOREDIST')
    if (!byDistance && !call.is(index, 'STORE')) return 0
    storeAt = index + 1
    storesDistances = byDistance
    return 2
  }
  if ((way & Way.SEARCH) === 0) return 0
  if (left >= 1 && !hasPlace && call.is(index, 'FROMMEMBER')) {
    hasMember = true
    return entry === NONE || findMember(call, entry, index + 1) ? 2 : -1
  }
  if (left >= 2 && !hasMember && call.is(index, 'FROMLONLAT')) {
    hasPlace = true
    return readPlace(call, index + 1) && setCentre() ? 3 : -1
  }
  if (left >= 2 && !hasBox && call.is(index, 'BYRADIUS')) {
    hasRadius = true
    return setRadius(call, index + 1) ? 3 : -1
  }
  if (left >= 3 && !hasRadius && call.is(index, 'BYBOX')) {
    hasBox = true
    return setBox(call, index + 1) ? 4 : -1
  }
  return 0
}

function parseCount(call: Call, index: number): boolean {
  const value = call.integer(index)
  if (value === undefined) call.reply.error(NOT_INTEGER)
  else if (compareInt64(value, 0) <= 0) call.reply.error(GEO_COUNT)
  else {
    limit = toNumber(value)
    return true
  }
  return false
}

/** Whether the options go together, and none is missing; replies what is wrong if not. */
function isComplete(call: Call, way: number): boolean {
  const { reply } = call
  const searches = (way & Way.SEARCH) !== 0
  if (storeAt > 0 && (withDistance || withHash || withPlace)) {
    reply.error(geoStoreOptions(searches ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS'))
  } else if (searches && !hasMember && !hasPlace) reply.error(geoCentre(call.string(0)))
  else if (searches && !hasRadius && !hasBox) reply.error(geoShape(call.string(0)))
  else if (any && limit === 0) reply.error(GEO_ANY)
  else return true
  return false
}

// Searching.

function search(call: Call, entry: Ref): void {
  const enough = any ? limit : Number.POSITIVE_INFINITY
  found = 0
  shape.begin(order !== Order.NONE)
  cells.cover(shape)
  for (let slot = 0; slot < cells.count && found < enough; slot++) {
    searchRange(call, entry, cells.least[slot]!, cells.most[slot]!, enough)
  }
}

/** Notes the members in the shape whose scores are in a range. */
function searchRange(call: Call, entry: Ref, least: number, most: number, enough: number): void {
  const { walk } = call.keyspace.zsets
  walk.startAtScore(entry, least)
  while (walk.next()) {
    const { score } = walk
    if (score >= most) return
    decode(score)
    const distance = shape.distanceInside(longitude, latitude)
    if (distance < 0) continue
    if (found === marks.length) makeRoom(found * 2)
    marks[found] = walk.mark
    scores[found] = score
    distances[found] = distance
    found++
    if (found >= enough) return
  }
}

function makeRoom(size: number): void {
  const kept = Math.min(size, found)
  const oldMarks = marks
  const oldScores = scores
  const oldDistances = distances
  marks = new Int32Array(size)
  scores = new Float64Array(size)
  distances = new Float64Array(size)
  ranking = new Int32Array(size)
  for (let slot = 0; slot < kept; slot++) {
    marks[slot] = oldMarks[slot]!
    scores[slot] = oldScores[slot]!
    distances[slot] = oldDistances[slot]!
  }
}

/** Puts the slots of the first `count` members into `ranking`. */
function rank(count: number): void {
  for (let slot = 0; slot < found; slot++) ranking[slot] = slot
  if (order !== Order.NONE) sortFirst(ranking, found, count, order === Order.ASC ? nearerFirst : fartherFirst)
}

function tell(call: Call, count: number): void {
  const { reply } = call
  const { walk } = call.keyspace.zsets
  const extra = (withDistance ? 1 : 0) + (withHash ? 1 : 0) + (withPlace ? 1 : 0)
  reply.array(count)
  for (let index = 0; index < count && !reply.overflowed; index++) {
    const slot = ranking[index]!
    if (extra > 0) reply.array(extra + 1)
    walk.recall(marks[slot]!)
    replyWalked(call, walk)
    if (withDistance || withPlace) decode(scores[slot]!)
    if (withDistance) replyDistance(call, shape.distanceTo(longitude, latitude) / shape.metres)
    if (withHash) reply.integer(fromNumber(Math.trunc(scores[slot]!)) ?? 0)
    if (withPlace) replyPlace(call, longitude, latitude)
  }
}

/** In units, of the place that a score says. */
function exactDistance(score: number): number {
  decode(score)
  return shape.distanceTo(longitude, latitude) / shape.metres
}

function store(call: Call, count: number, way: number): void {
  const event = (way & Way.SEARCH) !== 0 ? Event.GEOSEARCHSTORE : Event.GEORADIUSSTORE
  if (count === 0) return storeZset(call, NONE, event, storeAt)
  const { keyspace } = call
  const { zsets } = keyspace
  const { walk } = zsets
  const result = zsets.create(ZsetEncoding.TABLE, call.bytes, call.posOf(storeAt), call.lenOf(storeAt), count)
  for (let index = 0; index < count; index++) {
    const slot = ranking[index]!
    walk.recall(marks[slot]!)
    walk.locate()
    const score = storesDistances ? exactDistance(scores[slot]!) : scores[slot]!
    zsets.update(result, score, ZaddFlag.NX, walk.bytes, walk.pos, walk.len)
  }
  zsets.compact(result)
  keyspace.dirty += count - 1
  storeZset(call, result, event, storeAt)
}

function georadius(call: Call): void {
  run(call, 1, Way.PLACE | Way.STORES)
}
function georadiusRo(call: Call): void {
  run(call, 1, Way.PLACE)
}
function georadiusbymember(call: Call): void {
  run(call, 1, Way.MEMBER | Way.STORES)
}
function georadiusbymemberRo(call: Call): void {
  run(call, 1, Way.MEMBER)
}
function geosearch(call: Call): void {
  run(call, 1, Way.SEARCH)
}
function geosearchstore(call: Call): void {
  run(call, 2, Way.SEARCH | Way.SEARCHSTORE)
}

// What their definitions have in common.
const UNIT = oneOf('unit', 'M', 'KM', 'FT', 'MI')
const AROUND = oneOf(
  'from',
  string('FROMMEMBER member'),
  block('FROMLONLAT fromlonlat', double('longitude'), double('latitude')),
)
const WITHIN = oneOf(
  'by',
  block('circle', double('BYRADIUS radius'), UNIT),
  block('box', double('BYBOX width'), double('height'), UNIT),
)
const SOME = optional(block('count-block', integer('COUNT count'), optional('ANY')))
const ORDERED = optional(oneOf('order', 'ASC', 'DESC'))

export const geoSearchCommands = group('geo', {
  GEORADIUS: {
    summary: 'Finds the members near a place, and can store them.',
    since: '3.2.0',
    complexity: 'O(N+log(M)), N members in the box around the circle, M in the index',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('RO access'),
      double('longitude'),
      double('latitude'),
      double('radius'),
      UNIT,
      optional('WITHCOORD'),
      optional('WITHDIST'),
      optional('WITHHASH'),
      optional(block('count-block', integer('COUNT count'), optional(token('ANY', { since: '6.2.0' })))),
      ORDERED,
      optional(
        oneOf(
          'store',
          key('OW update', 'STORE storekey', { display: 'key' }),
          key('OW update', 'STOREDIST storedistkey', { display: 'key' }),
        ),
      ),
    ],
    keysOf: georadiusKeys,
    history: [
      ['6.2.0', '`ANY`, after `COUNT`.'],
      ['7.0.0', 'Units may be written in upper case.'],
    ],
    deprecated: { since: '6.2.0', use: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument' },
    run: georadius,
  },
  GEORADIUS_RO: {
    summary: 'Finds the members near a place.',
    since: '3.2.10',
    complexity: 'O(N+log(M)), N members in the box around the circle, M in the index',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      double('longitude'),
      double('latitude'),
      double('radius'),
      UNIT,
      optional('WITHCOORD'),
      optional('WITHDIST'),
      optional('WITHHASH'),
      optional(block('count-block', integer('COUNT count'), optional(token('ANY', { since: '6.2.0' })))),
      ORDERED,
    ],
    history: [['6.2.0', '`ANY`, after `COUNT`.']],
    deprecated: { since: '6.2.0', use: '`GEOSEARCH` with the `BYRADIUS` argument' },
    run: georadiusRo,
  },
  GEORADIUSBYMEMBER: {
    summary: 'Finds the members near another member, and can store them.',
    since: '3.2.0',
    complexity: 'O(N+log(M)), N members in the box around the circle, M in the index',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('RO access'),
      string('member'),
      double('radius'),
      UNIT,
      optional('WITHCOORD'),
      optional('WITHDIST'),
      optional('WITHHASH'),
      SOME,
      ORDERED,
      optional(
        oneOf(
          'store',
          key('OW update', 'STORE storekey', { display: 'key' }),
          key('OW update', 'STOREDIST storedistkey', { display: 'key' }),
        ),
      ),
    ],
    keysOf: georadiusKeys,
    history: [['7.0.0', 'Units may be written in upper case.']],
    deprecated: {
      since: '6.2.0',
      use: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments',
    },
    run: georadiusbymember,
  },
  GEORADIUSBYMEMBER_RO: {
    summary: 'Finds the members near another member.',
    since: '3.2.10',
    complexity: 'O(N+log(M)), N members in the box around the circle, M in the index',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      string('member'),
      double('radius'),
      UNIT,
      optional('WITHCOORD'),
      optional('WITHDIST'),
      optional('WITHHASH'),
      SOME,
      ORDERED,
    ],
    deprecated: { since: '6.2.0', use: '`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments' },
    run: georadiusbymemberRo,
  },
  GEOSEARCH: {
    summary: 'Finds the members inside a circle or a box.',
    since: '6.2.0',
    complexity: 'O(N+log(M)), N members in the box around the shape, M in the shape',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      AROUND,
      WITHIN,
      ORDERED,
      SOME,
      optional('WITHCOORD'),
      optional('WITHDIST'),
      optional('WITHHASH'),
    ],
    history: [['7.0.0', 'Units may be written in upper case.']],
    run: geosearch,
  },
  GEOSEARCHSTORE: {
    summary: 'Stores the members inside a circle or a box.',
    since: '6.2.0',
    complexity: 'O(N+log(M)), N members in the box around the shape, M in the shape',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('OW update', 'destination'),
      key('RO access', 'source'),
      AROUND,
      WITHIN,
      ORDERED,
      SOME,
      optional('STOREDIST'),
    ],
    history: [['7.0.0', 'Units may be written in upper case.']],
    run: geosearchstore,
  },
} satisfies CommandGroup)
