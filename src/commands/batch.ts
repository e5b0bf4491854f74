/* Batch: the requests of one read, decoded before the first of them is executed.
 *
 *   requests     0        1        2      …      count
 *   firsts     | 0      | 3      | 6    | …          argument ranges in the decoder's tables
 *   ends       | 41     | 82     | 119  | …          where the next request begins in the bytes
 *   hashes     | key's  | key's  | …                 of each request's first key
 *
 * Pipelined commands on random keys spend most of their time waiting for memory: the bucket, then the entry, one after
 * the other. Here both are read ahead for all requests of the batch in two tight loops, whose reads the processor
 * overlaps (Valkey 8 prefetches for the same reason). The hashes are kept for the lookups, so little is done twice. */
import { hashBytes } from '../lib/siphash.ts'
import type { Decoder } from '../protocol/decoder.ts'
import type { Call } from './call.ts'
import type { CommandTable } from './command-table.ts'
import type { Command } from './definition.ts'

/** Requests to a batch: enough to keep the memory busy, few enough for their lines to stay in the first cache. */
export const BATCH_MAX = 64
/** Further requests are not decoded ahead once the batch has so many arguments. */
const ARGUMENTS_MAX = 1024

export class Batch {
  count = 0
  isCut = false
  private readonly firsts = new Int32Array(BATCH_MAX)
  private readonly argcs = new Int32Array(BATCH_MAX)
  private readonly ends = new Int32Array(BATCH_MAX)
  private readonly hashes = new Int32Array(BATCH_MAX)
  private readonly hinted = new Uint8Array(BATCH_MAX)
  private readonly commands: (Command | undefined)[] = new Array<Command | undefined>(BATCH_MAX).fill(undefined)
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
    this.hinted[index] = 0
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
    for (let index = 0; index < this.count; index++) {
      const first = firsts[index]!
      const command = this.table.lookup(bytes, pos[first]!, len[first]!)
      commands[index] = command
      if (command === undefined || command.firstKey === 0 || argcs[index]! <= command.firstKey) continue
      const key = first + command.firstKey
      const hash = hashBytes(bytes, pos[key]!, len[key]!)
      hashes[index] = hash
      hinted[index] = 1
      sink ^= table.prefetchBucket(root, hash)
    }
    for (let index = 0; index < this.count; index++) {
      if (hinted[index] === 1) sink ^= table.prefetchEntry(root, hashes[index]!)
    }
    this.sink = sink ^ memory.words.length
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
    if (this.hinted[index] === 1) {
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
