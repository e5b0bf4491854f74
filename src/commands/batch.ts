/* Batch: the requests of one read, decoded before the first of them is executed.
 *
 *   record    | first | argc | end | command | hash | hint | member root | member hash |     8 words a request
 *
 *   first        index of its first argument range in the decoder's tables
 *   end          where the next request begins in the bytes
 *   command      id, or UNKNOWN
 *   hash, hint   of its first key, and what else is known of that
 *   member root  of the table in which its first member is looked up (NONE: of none), and that member's hash
 *
 * Pipelined commands on random keys spend most of their time waiting for memory: the bucket, then the entry, one after
 * the other. Here both are read ahead for all requests of the batch in two tight loops, whose reads the processor
 * overlaps (Valkey 8 prefetches for the same reason). Then the same for the members of large sets, hashes and sorted
 * sets. The hashes are kept for the lookups, so little is done twice. */
import type { Keyspace } from '../keyspace/keyspace.ts'
import { knowMemberHash, knowNoMemberHash } from '../keyspace/member-hash.ts'
import { hashBytes } from '../lib/siphash.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import type { Decoder } from '../protocol/decoder.ts'
import type { Call } from './call.ts'
import type { CommandTable } from './command-table.ts'
import type { Command } from './definition.ts'

/** Requests to a batch: enough to keep the memory busy, few enough for their lines to stay in the first cache. */
export const BATCH_MAX = 64
/** Further requests are not decoded ahead once the batch has so many arguments. */
const ARGUMENTS_MAX = 1024

/** What is known of a request's key: nothing; its hash; its hash, which is that of the key before it. */
const Hint = { NONE: 0, READ_AHEAD: 1, REPEATED: 2 } as const

// Words of a record.
const FIRST = 0
const ARGC = 1
const END = 2
const COMMAND = 3
const HASH = 4
const HINT = 5
const MEMBER_ROOT = 6
const MEMBER_HASH = 7
/** log2 of a record's words. */
const RECORD_SHIFT = 3

const UNKNOWN = -1

/** Whether two byte strings are the same. The keys of one application mostly differ in their last bytes. */
function isSame(bytes: Uint8Array, pos: number, otherPos: number, len: number): boolean {
  let off = len - 1
  while (off >= 0 && bytes[pos + off] === bytes[otherPos + off]) off--
  return off < 0
}

export class Batch {
  count = 0
  isCut = false
  private readonly records = new Int32Array(BATCH_MAX << RECORD_SHIFT)
  private hasMembers = false
  private readonly table: CommandTable
  /** Takes what the prefetching reads return, so that they are not optimised away. */
  sink = 0

  constructor(table: CommandTable) {
    this.table = table
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
    records[record + MEMBER_ROOT] = NONE
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
    const { table, memory } = call.keyspace
    const root = call.db.root
    const { bytes, pos, len } = decoder
    const { records } = this
    const end = this.count << RECORD_SHIFT
    let sink = 0
    let keyPos = 0
    let keyLen = -1
    let hash = 0
    let namePos = 0
    let nameLen = -1
    let command: Command | undefined
    this.hasMembers = false
    for (let record = 0; record < end; record += 1 << RECORD_SHIFT) {
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
        sink ^= table.prefetchBucket(root, hash)
      }
      records[record + HASH] = hash
      if (command.memberAt > 0) this.hasMembers = true
    }
    for (let record = 0; record < end; record += 1 << RECORD_SHIFT) {
      if (records[record + HINT] === Hint.READ_AHEAD) sink ^= table.prefetchEntry(root, records[record + HASH]!)
    }
    if (this.hasMembers) sink ^= this.prefetchMembers(decoder, call.keyspace, root)
    this.sink = sink ^ memory.words.length
  }

  /** Hashes the first member of each command and reads ahead what its lookup will want. The entries are there. */
  private prefetchMembers(decoder: Decoder, keyspace: Keyspace, root: Ref): number {
    const { table, entries, kinds } = keyspace
    const { bytes, pos, len } = decoder
    const { records } = this
    const end = this.count << RECORD_SHIFT
    let sink = 0
    let members: Ref = NONE
    for (let record = 0; record < end; record += 1 << RECORD_SHIFT) {
      const hint = records[record + HINT]!
      if (hint === Hint.NONE) continue
      if (hint === Hint.READ_AHEAD) {
        const entry = table.likely(root, records[record + HASH]!)
        members = entry === NONE ? NONE : kinds[entries.type(entry)]!.memberTable(entry)
      }
      const { memberAt } = this.table.all[records[record + COMMAND]!]!
      if (members === NONE || memberAt === 0 || records[record + ARGC]! <= memberAt) continue
      const member = records[record + FIRST]! + memberAt
      const hash = hashBytes(bytes, pos[member]!, len[member]!)
      records[record + MEMBER_ROOT] = members
      records[record + MEMBER_HASH] = hash
      sink ^= table.prefetchPlace(members, hash)
    }
    for (let record = 0; record < end; record += 1 << RECORD_SHIFT) {
      const memberRoot = records[record + MEMBER_ROOT]! as Ref
      if (memberRoot !== NONE) sink ^= table.prefetchEntry(memberRoot, records[record + MEMBER_HASH]!)
    }
    return sink
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
    if (command === null || records[record + HINT] === Hint.NONE) return knowNoMemberHash()
    keyspace.hintPos = pos[command.firstKey]!
    keyspace.hintBytes = bytes
    keyspace.hintHash = records[record + HASH]!
    if (records[record + MEMBER_ROOT] === NONE) knowNoMemberHash()
    else knowMemberHash(bytes, pos[command.memberAt]!, records[record + MEMBER_HASH]!)
  }
}
