/* Batch: the requests of one read, decoded before the first of them is executed.
 *
 *   requests     0        1        2      …      count
 *   firsts     | 0      | 3      | 6    | …          argument ranges in the decoder's tables
 *   ends       | 41     | 82     | 119  | …          where the next request begins in the bytes
 *   hashes     | key's  | key's  | …                 of each request's first key
 *   members    | its first member's | …              roots of the tables that these are looked up in, and their hashes
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

/** Whether two keys are the same. Those of one application mostly differ in their last bytes. */
function isSame(bytes: Uint8Array, pos: number, otherPos: number, len: number): boolean {
  let off = len - 1
  while (off >= 0 && bytes[pos + off] === bytes[otherPos + off]) off--
  return off < 0
}

export class Batch {
  count = 0
  isCut = false
  private readonly firsts = new Int32Array(BATCH_MAX)
  private readonly argcs = new Int32Array(BATCH_MAX)
  private readonly ends = new Int32Array(BATCH_MAX)
  private readonly hashes = new Int32Array(BATCH_MAX)
  private readonly hinted = new Uint8Array(BATCH_MAX)
  private readonly commands: (Command | undefined)[] = new Array<Command | undefined>(BATCH_MAX).fill(undefined)
  /** Root of the table in which the request's first member is looked up; NONE: of none. */
  private readonly memberRoots = new Int32Array(BATCH_MAX)
  private readonly memberHashes = new Int32Array(BATCH_MAX)
  private hasMembers = false
  private readonly table: CommandTable
  /** Takes what the prefetching reads return, so that they are not optimised away. */
  sink = 0

  constructor(table: CommandTable) {
    this.table = table
  }

  /** Adds the request that the decoder has just completed; whether there may be another one. */
  add(decoder: Decoder): boolean {
    const index = this.count++
    this.firsts[index] = decoder.first
    this.argcs[index] = decoder.argc
    this.ends[index] = decoder.at
    this.hinted[index] = Hint.NONE
    this.memberRoots[index] = NONE
    decoder.first += decoder.argc
    return this.count < BATCH_MAX && decoder.first < ARGUMENTS_MAX
  }

  /** Leaves out what has not been executed yet: it must be decoded anew. */
  cut(): void {
    this.count = 0
    this.isCut = true
  }

  /** Where the request after `index` begins. */
  endOf(index: number): number {
    return this.ends[index]!
  }

  /** Looks the commands up, hashes their keys and reads ahead what the lookups will want. */
  prefetch(decoder: Decoder, call: Call): void {
    const { table, memory } = call.keyspace
    const root = call.db.root
    const { bytes, pos, len } = decoder
    const { firsts, argcs, hashes, hinted, commands } = this
    let sink = 0
    let keyPos = 0
    let keyLen = -1
    let hash = 0
    this.hasMembers = false
    for (let index = 0; index < this.count; index++) {
      const first = firsts[index]!
      const command = this.table.lookup(bytes, pos[first]!, len[first]!)
      commands[index] = command
      if (command === undefined || command.firstKey === 0 || argcs[index]! <= command.firstKey) continue
      const key = first + command.firstKey
      if (len[key] === keyLen && isSame(bytes, pos[key]!, keyPos, keyLen)) hinted[index] = Hint.REPEATED
      else {
        keyPos = pos[key]!
        keyLen = len[key]!
        hash = hashBytes(bytes, keyPos, keyLen)
        hinted[index] = Hint.READ_AHEAD
        sink ^= table.prefetchBucket(root, hash)
      }
      hashes[index] = hash
      if (command.memberAt > 0) this.hasMembers = true
    }
    for (let index = 0; index < this.count; index++) {
      if (hinted[index] === Hint.READ_AHEAD) sink ^= table.prefetchEntry(root, hashes[index]!)
    }
    if (this.hasMembers) sink ^= this.prefetchMembers(decoder, call.keyspace, root)
    this.sink = sink ^ memory.words.length
  }

  /** Hashes the first member of each command and reads ahead what its lookup will want. The entries are there. */
  private prefetchMembers(decoder: Decoder, keyspace: Keyspace, root: Ref): number {
    const { table, entries, kinds } = keyspace
    const { bytes, pos, len } = decoder
    const { firsts, argcs, hashes, hinted, commands, memberRoots, memberHashes } = this
    let sink = 0
    let members: Ref = NONE
    for (let index = 0; index < this.count; index++) {
      if (hinted[index] === Hint.NONE) continue
      if (hinted[index] === Hint.READ_AHEAD) {
        const entry = table.likely(root, hashes[index]!)
        members = entry === NONE ? NONE : kinds[entries.type(entry)]!.memberTable(entry)
      }
      const { memberAt } = commands[index]!
      if (members === NONE || memberAt === 0 || argcs[index]! <= memberAt) continue
      const member = firsts[index]! + memberAt
      const hash = hashBytes(bytes, pos[member]!, len[member]!)
      memberRoots[index] = members
      memberHashes[index] = hash
      sink ^= table.prefetchPlace(members, hash)
    }
    for (let index = 0; index < this.count; index++) {
      if (memberRoots[index] !== NONE) sink ^= table.prefetchEntry(memberRoots[index]! as Ref, memberHashes[index]!)
    }
    return sink
  }

  /** Makes the call the one of request `index`. */
  load(index: number, decoder: Decoder, call: Call): void {
    const first = this.firsts[index]!
    const argc = this.argcs[index]!
    call.bytes = decoder.bytes
    call.argc = argc
    if (argc > call.pos.length) call.makeRoom(argc)
    const { pos, len } = call
    for (let argument = 0; argument < argc; argument++) {
      pos[argument] = decoder.pos[first + argument]!
      len[argument] = decoder.len[first + argument]!
    }
    const keyspace = call.keyspace
    if (this.memberRoots[index] === NONE) knowNoMemberHash()
    else knowMemberHash(decoder.bytes, pos[this.commands[index]!.memberAt]!, this.memberHashes[index]!)
    if (this.hinted[index] !== Hint.NONE) {
      const command = this.commands[index]!
      call.command = command
      keyspace.hintPos = pos[command.firstKey]!
      keyspace.hintBytes = decoder.bytes
      keyspace.hintHash = this.hashes[index]!
    } else {
      call.command = null
      keyspace.hintPos = -1
    }
  }
}
