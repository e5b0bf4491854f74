/* Batch: the requests of one read, decoded before the first of them is executed.
 *
 *   record    | first | argc | end | command | hint | … |     8 words a request
 *
 *   first     index of its first argument range in the decoder's tables
 *   end       where the next request begins in the bytes
 *   command   id, or UNKNOWN
 *   hint      what is known of its first key
 *
 * Beside the records stand the hash of each request's first key, and that of its first member, with the tables that
 * these are looked up in: `keys` and `members`.
 *
 * Pipelined commands on random keys spend most of their time waiting for memory: the bucket, then the entry, one after
 * the other. Here both are read ahead for all requests of the batch (structures/table-ahead.ts; Valkey 8 prefetches for
 * the same reason). Then the same for the members of large sets, hashes and sorted sets, and for what commands will
 * take out of them. The hashes are kept for the lookups, so little is done twice; and where request after request names
 * one key, the entry that the first of them finds is kept for the others (Database.findHinted). */
import { type Keyspace, NOT_KEPT } from '../keyspace/keyspace.ts'
import { knowMemberHash, knowNoMemberHash } from '../keyspace/member-hash.ts'
import { equalBytes } from '../lib/bytes.ts'
import { hashBytes } from '../lib/siphash.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import type { Decoder } from '../protocol/decoder.ts'
import { TableAhead } from '../structures/table-ahead.ts'
import type { Call } from './call.ts'
import type { CommandTable } from './command-table.ts'
import { type Command, Taking } from './definition.ts'

/** Requests to a batch: enough to keep the memory busy, few enough for their lines to stay in the first cache. */
const BATCH_MAX = 64
/** Further requests are not decoded ahead once the batch has so many arguments. */
const ARGUMENTS_MAX = 1024

/** What is known of a request's key: nothing; its hash; its hash, which is that of the key before it. */
const Hint = { NONE: 0, READ_AHEAD: 1, REPEATED: 2 } as const

// Words of a record.
const FIRST = 0
const ARGC = 1
const END = 2
const COMMAND = 3
const HINT = 4
/** log2 of a record's words. */
const RECORD_SHIFT = 3

const UNKNOWN = -1

/** Whether two byte strings are the same. The keys of one application mostly differ in their last bytes. */
function isSame(bytes: Uint8Array, pos: number, otherPos: number, len: number): boolean {
  if (len === 0) return true
  return bytes[pos + len - 1] === bytes[otherPos + len - 1] && equalBytes(bytes, pos, bytes, otherPos, len)
}

export class Batch {
  count = 0
  isCut = false
  private readonly records = new Int32Array(BATCH_MAX << RECORD_SHIFT)
  private readonly keys: TableAhead
  private readonly members: TableAhead
  private hasMembers = false
  private hasTakers = false
  private readonly table: CommandTable

  constructor(table: CommandTable, memory: Memory) {
    this.table = table
    this.keys = new TableAhead(memory, BATCH_MAX)
    this.members = new TableAhead(memory, BATCH_MAX)
  }

  /** Adds the request that the decoder has just completed; whether there may be another one. */
  add(decoder: Decoder): boolean {
    const { records } = this
    const record = this.count << RECORD_SHIFT
    records[record + FIRST] = decoder.first
    records[record + ARGC] = decoder.argc
    records[record + END] = decoder.at
    records[record + COMMAND] = UNKNOWN
    records[record + HINT] = Hint.NONE
    this.keys.roots[this.count] = NONE
    this.members.roots[this.count] = NONE
    decoder.first += decoder.argc
    return ++this.count < BATCH_MAX && decoder.first < ARGUMENTS_MAX
  }

  /** Leaves out what has not been executed yet: it must be decoded anew. */
  cut(): void {
    this.count = 0
    this.isCut = true
  }

  /** Where the request after `index` begins. */
  endOf(index: number): number {
    return this.records[(index << RECORD_SHIFT) + END]!
  }

  /** Looks the commands up, hashes their keys and reads ahead what the lookups will want. */
  prefetch(decoder: Decoder, call: Call): void {
    const { root } = call.db
    const { bytes, pos, len } = decoder
    const { records, keys, count } = this
    let keyPos = 0
    let keyLen = -1
    let hash = 0
    let namePos = 0
    let nameLen = -1
    let command: Command | undefined
    let readAhead = 0
    this.hasMembers = false
    this.hasTakers = false
    for (let index = 0; index < count; index++) {
      const record = index << RECORD_SHIFT
      const first = records[record + FIRST]!
      // Most pipelines repeat one command, written in one way.
      if (len[first] !== nameLen || !isSame(bytes, pos[first]!, namePos, nameLen)) {
        namePos = pos[first]!
        nameLen = len[first]!
        command = this.table.lookup(bytes, namePos, nameLen)
      }
      if (command === undefined) continue
      records[record + COMMAND] = command.id
      const { firstKey } = command
      if (firstKey === 0 || records[record + ARGC]! <= firstKey) continue
      const key = first + firstKey
      if (len[key] === keyLen && isSame(bytes, pos[key]!, keyPos, keyLen)) records[record + HINT] = Hint.REPEATED
      else {
        keyPos = pos[key]!
        keyLen = len[key]!
        hash = hashBytes(bytes, keyPos, keyLen)
        records[record + HINT] = Hint.READ_AHEAD
        keys.roots[index] = root
        readAhead = index + 1
      }
      keys.hashes[index] = hash
      if (command.memberAt > 0) this.hasMembers = true
      if (command.takes !== Taking.NOTHING) this.hasTakers = true
    }
    keys.touchBuckets(readAhead)
    keys.touchEntries(readAhead)
    if (this.hasMembers) this.prefetchMembers(decoder, call.keyspace)
    if (this.hasTakers) this.prefetchTaken(call.keyspace)
  }

  /** Hashes the first member of each command and reads ahead what its lookup will want. The entries are there. */
  private prefetchMembers(decoder: Decoder, keyspace: Keyspace): void {
    const { entries, kinds } = keyspace
    const { bytes, pos, len } = decoder
    const { records, keys, members, count } = this
    let root: Ref = NONE
    for (let index = 0; index < count; index++) {
      const record = index << RECORD_SHIFT
      const hint = records[record + HINT]!
      if (hint === Hint.NONE) continue
      if (hint === Hint.READ_AHEAD) {
        const entry = keys.entries[index]! as Ref
        root = entry === NONE ? NONE : kinds[entries.type(entry)]!.memberTable(entry)
      }
      const { memberAt } = this.table.all[records[record + COMMAND]!]!
      if (root === NONE || memberAt === 0 || records[record + ARGC]! <= memberAt) continue
      const member = records[record + FIRST]! + memberAt
      members.roots[index] = root
      members.hashes[index] = hashBytes(bytes, pos[member]!, len[member]!)
    }
    members.touchBuckets(count)
    members.touchEntries(count)
  }

  /** Has read ahead what runs of commands will take out of one key. */
  private prefetchTaken(keyspace: Keyspace): void {
    const { entries, kinds } = keyspace
    const { keys, count } = this
    let entry: Ref = NONE
    for (let index = 0; index < count; ) {
      const first = index++
      const hint = this.hintOf(first)
      if (hint === Hint.NONE) continue
      if (hint === Hint.READ_AHEAD) entry = keys.entries[first]! as Ref
      const takes = this.takesOf(first)
      if (entry === NONE || takes === Taking.NOTHING) continue
      while (index < count && this.hintOf(index) === Hint.REPEATED && this.takesOf(index) === takes) index++
      if (index - first === 1) continue
      kinds[entries.type(entry)]!.takesAhead?.(entry, index - first, takes === Taking.LAST)
    }
  }

  private hintOf(index: number): number {
    return this.records[(index << RECORD_SHIFT) + HINT]!
  }

  /** What a request with a key takes out of it. */
  private takesOf(index: number): Taking {
    const record = index << RECORD_SHIFT
    if (this.records[record + ARGC] !== 2) return Taking.NOTHING
    return this.table.all[this.records[record + COMMAND]!]!.takes
  }

  /** Makes the call the one of request `index`. */
  load(index: number, decoder: Decoder, call: Call): void {
    const { records } = this
    const record = index << RECORD_SHIFT
    const first = records[record + FIRST]!
    const argc = records[record + ARGC]!
    const { bytes } = decoder
    call.bytes = bytes
    call.argc = argc
    if (argc > call.pos.length) call.makeRoom(argc)
    const { pos, len } = call
    for (let argument = 0; argument < argc; argument++) {
      pos[argument] = decoder.pos[first + argument]!
      len[argument] = decoder.len[first + argument]!
    }
    const { keyspace } = call
    const id = records[record + COMMAND]!
    const command = id === UNKNOWN ? null : this.table.all[id]!
    call.command = command
    keyspace.hintPos = -1
    const hint = records[record + HINT]!
    if (command === null || hint === Hint.NONE) return knowNoMemberHash()
    keyspace.hintPos = pos[command.firstKey]!
    keyspace.hintBytes = bytes
    keyspace.hintHash = this.keys.hashes[index]!
    if (hint !== Hint.REPEATED || keyspace.hintEntry === NOT_KEPT) {
      const isFollowed = index + 1 < this.count && this.hintOf(index + 1) === Hint.REPEATED
      keyspace.hintEntry = isFollowed ? NONE : NOT_KEPT
    }
    if (this.members.roots[index] === NONE) knowNoMemberHash()
    else knowMemberHash(bytes, pos[command.memberAt]!, this.members.hashes[index]!)
  }
}
