/* SORT and SORT_RO: the elements of a list, set or sorted set, in an order and with what is found under their names.
 *
 *   parse ─► load the elements ─► load what they are sorted by ─► sort indexes ─► reply, or store as a list
 *
 * Elements and what they are sorted by are columns of typed arrays (sort-texts.ts): no element makes an object.
 * Without an order asked for (BY a pattern without `*`) a list or sorted set is read from its beginning or end on, and
 * only what LIMIT asks for. Elements that are equal by what they are sorted by keep their order if ALPHA; if not, they
 * are ordered by their bytes. */

import { mayReadAll } from '../acl/permissions.ts'
import { Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { ListEncoding } from '../keyspace/lists.ts'
import { copyBytes } from '../lib/bytes.ts'
import { parseDouble } from '../lib/double.ts'
import { compareInt64, type Int64, toNumber } from '../lib/int64.ts'
import { type Compare, sortIndexes } from '../lib/sort-indexes.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  NOT_INTEGER,
  SCORES_NOT_FLOATS,
  SORT_BY_DENIED,
  SORT_GET_DENIED,
  SYNTAX,
  WRONG_TYPE,
} from '../protocol/errors.ts'
import type { Call } from './call.ts'
import { CallArguments } from './call-arguments.ts'
import {
  block,
  Category,
  type CommandGroup,
  Flag,
  group,
  integer,
  key,
  manyTokens,
  oneOf,
  optional,
  pattern,
  token,
} from './definition.ts'
import { sortKeys, sortReadOnlyKeys } from './introspection/key-extractors.ts'
import { atWord, keySpec, ONE, UNKNOWN } from './introspection/key-specs.ts'
import { SessionFlag } from './session.ts'
import { hasStar, SortLookup } from './sort-lookup.ts'
import { SortTexts } from './sort-texts.ts'

const lookup = new SortLookup()

/** What a call asks for. Arguments are meant by their index; 0 for none. */
class SortRequest {
  descends = false
  alpha = false
  /** The pattern to sort by. */
  by = 0
  /** No order is asked for. */
  isUnsorted = false
  offset: Int64 = 0
  count: Int64 = -1
  destination = 0
  /** Whether there is a GET: then they are looked for again for each element. */
  gets = 0

  // What there is to sort, and which elements of it are wanted: [start, end).
  entry: Ref = NONE
  size = 0
  start = 0
  end = 0

  /** Reads the options; false after replying what is wrong with them. */
  parse(call: Call, mayStore: boolean): boolean {
    for (let index = 2; index < call.argc; index++) {
      const left = call.argc - index - 1
      if (call.is(index, 'ASC')) this.descends = false
      else if (call.is(index, 'DESC')) this.descends = true
      else if (call.is(index, 'ALPHA')) this.alpha = true
      else if (left >= 2 && call.is(index, 'LIMIT')) {
        if (!this.limit(call, index)) return false
        index += 2
      } else if (mayStore && left >= 1 && call.is(index, 'STORE')) this.destination = ++index
      else if (left >= 1 && call.is(index, 'BY')) {
        this.by = ++index
        if (!hasStar(call, index)) this.isUnsorted = true
        else if (!mayReadOthers(call)) {
          call.reply.error(SORT_BY_DENIED)
          return false
        }
      } else if (left >= 1 && call.is(index, 'GET')) {
        if (!mayReadOthers(call)) {
          call.reply.error(SORT_GET_DENIED)
          return false
        }
        this.gets++
        index++
      } else {
        call.reply.error(SYNTAX)
        return false
      }
    }
    return true
  }

  private limit(call: Call, index: number): boolean {
    const offset = call.integer(index + 1)
    const count = call.integer(index + 2)
    if (offset === undefined || count === undefined) {
      call.reply.error(NOT_INTEGER)
      return false
    }
    this.offset = offset
    this.count = count
    return true
  }

  /** Works out which of the elements are wanted. */
  settle(size: number): void {
    this.size = size
    this.start = clamp(this.offset, 0, size)
    const count = clamp(this.count, -1, size)
    this.end = count < 0 ? size : Math.min(this.start + count, size)
    if (this.start === size) this.end = size
  }
}

/** Whether the user may read whatever keys BY and GET lead to. */
function mayReadOthers(call: Call): boolean {
  const { account } = call.session
  if (account === null || account.isUnlimited) return true
  return mayReadAll(account, call.command!, new CallArguments(call, call.command!))
}

function clamp(value: Int64, least: number, most: number): number {
  if (compareInt64(value, least) < 0) return least
  return compareInt64(value, most) > 0 ? most : toNumber(value)
}

/** The index of the GET's pattern after that of argument `index`, or the first one behind 1. */
function nextGet(call: Call, index: number): number {
  for (let at = index + 1; ; at++) {
    if (call.is(at, 'GET')) return at + 1
    if (call.is(at, 'LIMIT')) at += 2
    else if (call.is(at, 'BY') || call.is(at, 'STORE')) at++
  }
}

function sort(call: Call, mayStore: boolean): void {
  const request = new SortRequest()
  if (!request.parse(call, mayStore)) return
  const { db, keyspace, reply } = call
  const entry = db.lookupRead(call.bytes, call.posOf(1), call.lenOf(1))
  const type = entry === NONE ? Type.LIST : keyspace.entries.type(entry)
  if (type !== Type.LIST && type !== Type.SET && type !== Type.ZSET) return reply.error(WRONG_TYPE)
  request.entry = entry
  const isTold = request.destination !== 0 || (call.session.flags & SessionFlag.SCRIPT) !== 0
  if (request.isUnsorted && type === Type.SET && isTold) {
    // What is stored must not depend on the order in which a table happens to be walked.
    request.isUnsorted = false
    request.alpha = true
    request.by = 0
  }
  request.settle(entry === NONE ? 0 : keyspace.kindOf(entry).length(entry))
  const texts = load(call, request)
  const order = orderOf(call, request, texts)
  if (order === null) return reply.error(SCORES_NOT_FLOATS)
  if (request.destination === 0) replyWith(call, request, texts, order)
  else store(call, request, texts, order)
}

// Loading.

/** The elements: those that are wanted if no order is asked for, and `start` and `end` are theirs then; else all. */
function load(call: Call, request: SortRequest): SortTexts {
  const { entry, size } = request
  if (entry === NONE) return new SortTexts(0)
  const type = call.keyspace.entries.type(entry)
  if (!request.isUnsorted || type === Type.SET) {
    const texts = new SortTexts(size)
    if (type === Type.SET) loadSet(call, entry, texts)
    else if (type === Type.LIST) loadList(call, entry, texts, 0, size, false)
    else loadZset(call, entry, texts, 0, size, false)
    return texts
  }
  const { start, descends } = request
  const count = request.end - start
  const texts = new SortTexts(count)
  const first = descends ? size - 1 - start : start
  if (count > 0 && type === Type.LIST) loadList(call, entry, texts, first, count, descends)
  else if (count > 0) loadZset(call, entry, texts, first, count, descends)
  request.start = 0
  request.end = count
  return texts
}

function loadSet(call: Call, entry: Ref, texts: SortTexts): void {
  const { walk } = call.keyspace.sets
  for (walk.begin(entry); walk.next(); ) {
    walk.locate()
    texts.add(walk.bytes, walk.pos, walk.len, walk.isInteger)
  }
}

function loadList(call: Call, entry: Ref, texts: SortTexts, first: number, count: number, back: boolean): void {
  const { lists } = call.keyspace
  const { listpacks } = lists
  lists.start(entry, first, back)
  for (let left = count; left > 0; left--) {
    lists.locate()
    texts.add(listpacks.bytes, listpacks.pos, listpacks.len, listpacks.isInteger)
    if (left > 1) lists.advance()
  }
}

function loadZset(call: Call, entry: Ref, texts: SortTexts, first: number, count: number, back: boolean): void {
  const { walk } = call.keyspace.zsets
  walk.start(entry, first, back)
  for (let left = count; left > 0 && walk.next(); left--) {
    walk.locate()
    texts.add(walk.bytes, walk.pos, walk.len, walk.isInteger)
  }
}

// Sorting.

/** The indexes of the elements in order; null if what they are to be sorted by is no number. */
function orderOf(call: Call, request: SortRequest, texts: SortTexts): Int32Array | null {
  const { count } = texts
  const order = new Int32Array(count)
  for (let index = 0; index < count; index++) order[index] = index
  if (request.isUnsorted) return order
  let compare: Compare
  if (request.alpha) compare = byText(call, request, texts)
  else {
    const scores = scoresOf(call, request, texts)
    if (scores === null) return null
    compare = byScore(scores, texts)
  }
  sortIndexes(order, count, request.descends ? (a, b) => -compare(a, b) : compare)
  return order
}

function byScore(scores: Float64Array, texts: SortTexts): Compare {
  return (a, b) => {
    const first = scores[a]!
    const second = scores[b]!
    if (first > second) return 1
    return first < second ? -1 : texts.compare(a, b)
  }
}

/** As Redis: what is stored is compared by bytes, what is replied as text. */
function byText(call: Call, request: SortRequest, texts: SortTexts): Compare {
  const isStored = request.destination !== 0
  const keys = request.by === 0 ? texts : textsBy(call, request.by, texts)
  if (request.by === 0) return isStored ? (a, b) => texts.compare(a, b) : (a, b) => texts.collate(a, b)
  return (a, b) => {
    if (keys.isNone(a) || keys.isNone(b)) return Number(keys.isNone(b)) - Number(keys.isNone(a))
    return isStored ? keys.compare(a, b) : keys.collate(a, b)
  }
}

function textsBy(call: Call, by: number, texts: SortTexts): SortTexts {
  const keys = new SortTexts(texts.count)
  for (let index = 0; index < texts.count; index++) {
    if (!lookup.find(call, by, texts.bytesOf(index), texts.posOf(index), texts.lenOf(index))) keys.addNone()
    else keys.add(lookup.bytes, lookup.pos, lookup.len, lookup.isPassing)
  }
  return keys
}

/** A number for each element, 0 where there is none; null if there is something that is none. */
function scoresOf(call: Call, request: SortRequest, texts: SortTexts): Float64Array | null {
  const scores = new Float64Array(texts.count)
  let areNumbers = true
  for (let index = 0; index < texts.count; index++) {
    const bytes = texts.bytesOf(index)
    const pos = texts.posOf(index)
    const len = texts.lenOf(index)
    let score: number | undefined = 0
    if (request.by === 0) score = scoreOf(bytes, pos, len)
    else if (lookup.find(call, request.by, bytes, pos, len)) score = scoreOf(lookup.bytes, lookup.pos, lookup.len)
    // The rest is looked up all the same: that counts as hits and misses.
    if (score === undefined) areNumbers = false
    else scores[index] = score
  }
  return areNumbers ? scores : null
}

const SPACE = 32

/** The number that C's strtod reads, of all there is up to a zero byte: with leading spaces, and 0 of nothing. */
function scoreOf(bytes: Uint8Array, pos: number, len: number): number | undefined {
  const score = parseDouble(bytes, pos, len)
  if (score !== undefined) return score
  let at = pos
  let end = pos
  while (end < pos + len && bytes[end] !== 0) end++
  if (end === pos) return 0
  while (at < end && (bytes[at] === SPACE || (bytes[at]! >= 9 && bytes[at]! <= 13))) at++
  return at === pos && end === pos + len ? undefined : parseDouble(bytes, at, end - at)
}

// What comes of it.

function replyWith(call: Call, request: SortRequest, texts: SortTexts, order: Int32Array): void {
  const { reply } = call
  const { start, end, gets } = request
  reply.array((end - start) * Math.max(gets, 1))
  for (let at = start; at < end && !reply.overflowed; at++) {
    const index = order[at]!
    const bytes = texts.bytesOf(index)
    const pos = texts.posOf(index)
    const len = texts.lenOf(index)
    if (gets === 0) reply.bulk(bytes, pos, len)
    for (let left = gets, get = 1; left > 0; left--) {
      get = nextGet(call, get)
      if (lookup.find(call, get, bytes, pos, len)) reply.bulk(lookup.bytes, lookup.pos, lookup.len)
      else reply.nullBulk()
    }
  }
}

function store(call: Call, request: SortRequest, texts: SortTexts, order: Int32Array): void {
  const { db, keyspace, bytes } = call
  const { start, end, gets, destination } = request
  const pos = call.posOf(destination)
  const len = call.lenOf(destination)
  const size = (end - start) * Math.max(gets, 1)
  if (size === 0) {
    const found = db.lookupWrite(bytes, pos, len)
    if (found !== NONE) {
      db.remove(found)
      call.changed(destination, Event.DEL)
    }
    return call.reply.integer(0)
  }
  const result = keyspace.lists.adopt(ListEncoding.LISTPACK, keyspace.listpacks.create(), bytes, pos, len)
  for (let at = start; at < end; at++) {
    const index = order[at]!
    const text = texts.bytesOf(index)
    if (gets === 0) append(call, result, text, texts.posOf(index), texts.lenOf(index))
    for (let left = gets, get = 1; left > 0; left--) {
      get = nextGet(call, get)
      if (!lookup.find(call, get, text, texts.posOf(index), texts.lenOf(index))) append(call, result, text, 0, 0)
      else append(call, result, lookup.bytes, lookup.pos, lookup.len)
    }
  }
  keyspace.lists.settle(result)
  db.put(db.lookupWrite(bytes, pos, len), result)
  keyspace.dirty += size - 1
  call.changed(destination, Event.SORTSTORE)
  call.reply.integer(size)
}

const KEPT_MIN = 1024
/** Room that is kept for the next element. */
const KEPT_MAX = 64 * 1024
let kept = new Uint8Array(KEPT_MIN)

/** Appends an element, which may lie in the arena: what is stored must not. */
function append(call: Call, list: Ref, bytes: Uint8Array, pos: number, len: number): void {
  const { lists } = call.keyspace
  if (len > kept.length || kept.length > KEPT_MAX) kept = new Uint8Array(Math.max(len, KEPT_MIN))
  copyBytes(bytes, pos, kept, 0, len)
  lists.expect(list, 1, len)
  lists.push(list, false, kept, 0, len)
}

const CATEGORIES = Category.SET | Category.SORTEDSET | Category.LIST | Category.DANGEROUS
const COMPLEXITY = 'O(N+M*log(M)), N elements sorted, M returned; O(N) when no order is asked for'
const READ_ARGS = [
  key('RO access'),
  optional(pattern('BY by-pattern', { display: 'pattern', keySpec: 1 })),
  optional(block('LIMIT limit', integer('offset'), integer('count'))),
  optional(manyTokens(pattern('GET get-pattern', { display: 'pattern', keySpec: 1 }))),
  optional(oneOf('order', 'ASC', 'DESC')),
  optional(token('ALPHA', { name: 'sorting' })),
]
const READ_SPECS = [
  keySpec('RO access', atWord(1), ONE),
  keySpec('RO access', UNKNOWN, UNKNOWN, 'the keys that BY and GET lead to'),
]

export const sortCommands = group('generic', {
  SORT: {
    summary: 'Sorts a list, set or sorted set, and can store the outcome.',
    since: '1.0.0',
    complexity: COMPLEXITY,
    flags: Flag.WRITE | Flag.DENYOOM,
    categories: CATEGORIES,
    args: [...READ_ARGS, optional(key('OW update', 'STORE destination', { keySpec: 2 }))],
    keySpecs: [...READ_SPECS, keySpec('OW update', UNKNOWN, UNKNOWN, 'the key after STORE')],
    keysOf: sortKeys,
    run: (call) => sort(call, true),
  },
  SORT_RO: {
    summary: 'Sorts a list, set or sorted set.',
    since: '7.0.0',
    complexity: COMPLEXITY,
    flags: Flag.READONLY,
    categories: CATEGORIES,
    args: READ_ARGS,
    keySpecs: READ_SPECS,
    keysOf: sortReadOnlyKeys,
    run: (call) => sort(call, false),
  },
} satisfies CommandGroup)
