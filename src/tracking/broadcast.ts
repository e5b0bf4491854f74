/* Broadcast: clients that are told of every changed key with a certain prefix, and the keys of this turn of the loop.
 *
 *   prefix "user:"   clients 7, 9     keys "user:1" (changed last by 7), "user:2" (by 12)
 *   prefix ""        client 12        keys …
 *
 * Keys stand in off-heap memory, each once, until the turn ends; then every prefix's are told in one message, in the
 * order of their bytes, and forgotten. Who does not want to hear of its own changes is told of the others'. */
import { compareBytes, fromLatin1 } from '../lib/bytes.ts'
import { hashBytes } from '../lib/siphash.ts'
import { Memory, NONE, type Ref } from '../memory/memory.ts'
import { NameSets } from '../structures/name-sets.ts'
import { SCAN_END } from '../structures/table.ts'
import { NamesWriter } from './messages.ts'
import type { TrackedClient } from './tracked-client.ts'

/** A client may have so many prefixes. */
export const PREFIXES_MAX = 4096
/** Changed by nobody: it ran out of time, or was evicted. */
export const NOBODY = 0

class Prefix {
  readonly name: string
  readonly bytes: Uint8Array
  readonly clients = new Set<TrackedClient>()
  /** The keys changed in this turn; NONE: there are none. */
  root: Ref = NONE

  constructor(name: string) {
    this.name = name
    this.bytes = fromLatin1(name)
  }

  begins(bytes: Uint8Array, pos: number, len: number): boolean {
    const prefix = this.bytes
    if (prefix.length > len) return false
    for (let index = 0; index < prefix.length; index++) if (prefix[index] !== bytes[pos + index]) return false
    return true
  }
}

export class Broadcast {
  private sets: NameSets | null = null
  /** In the order of their bytes. */
  private prefixes: Prefix[] = []
  private hasKeys = false

  get prefixCount(): number {
    return this.prefixes.length
  }

  /** Bytes of memory outside of the keyspace's. */
  get usedBytes(): number {
    return this.sets === null ? 0 : this.sets.memory.usedBytes
  }

  /** Tells a client from now on of the keys with this prefix too. */
  add(client: TrackedClient, name: string): void {
    let prefix = this.prefixes.find((each) => each.name === name)
    if (prefix === undefined) {
      prefix = new Prefix(name)
      // latin1: the order of characters is that of bytes.
      this.prefixes = [...this.prefixes, prefix].sort((a, b) => (a.name < b.name ? -1 : 1))
    }
    if (prefix.clients.has(client)) return
    prefix.clients.add(client)
    client.prefixes = [...client.prefixes, name].sort()
  }

  /** A client is told no more. */
  remove(client: TrackedClient): void {
    for (const name of client.prefixes) this.prefixes.find((each) => each.name === name)?.clients.delete(client)
    this.prefixes = this.prefixes.filter((prefix) => prefix.clients.size > 0 || prefix.root !== NONE)
    client.prefixes = []
  }

  /** A key was changed by this client; true if it is the first of the turn that anybody is to be told of. */
  note(bytes: Uint8Array, pos: number, len: number, clientId: number): boolean {
    const hadKeys = this.hasKeys
    for (const prefix of this.prefixes) {
      if (!prefix.begins(bytes, pos, len)) continue
      this.sets ??= new NameSets(new Memory())
      if (prefix.root === NONE) prefix.root = this.sets.create()
      this.sets.put(prefix.root, bytes, pos, len, hashBytes(bytes, pos, len), clientId)
      this.hasKeys = true
    }
    return this.hasKeys && !hadKeys
  }

  /** Hands over the names of the turn's keys, for all clients and all prefixes, and forgets them. Names that several
   *  clients are told are one array. */
  deliver(tell: (client: TrackedClient, names: Uint8Array) => void): void {
    this.hasKeys = false
    for (const prefix of this.prefixes) {
      if (prefix.root === NONE) continue
      const keys = this.sorted(prefix.root)
      const names = this.write(keys, keys.length)
      for (const client of prefix.clients) {
        if (!client.noLoop) tell(client, names)
        else this.tellOthers(client, keys, tell)
      }
      this.sets!.free(prefix.root)
      prefix.root = NONE
    }
    this.prefixes = this.prefixes.filter((prefix) => prefix.clients.size > 0)
  }

  /** The keys that others have changed. */
  private tellOthers(client: TrackedClient, keys: Int32Array, tell: (c: TrackedClient, n: Uint8Array) => void): void {
    const sets = this.sets!
    const own = client.id | 0
    const others = keys.filter((key) => sets.idAt(key as Ref, 0) !== own)
    if (others.length > 0) tell(client, this.write(others, others.length))
  }

  private sorted(root: Ref): Int32Array {
    const sets = this.sets!
    const { table } = sets
    const keys = new Int32Array(sets.nameCount(root))
    let count = 0
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(root, position)
      for (let index = 0; index < table.foundCount; index++) keys[count++] = table.found[index]!
    }
    return keys.sort((a, b) => this.compare(a as Ref, b as Ref))
  }

  private compare(a: Ref, b: Ref): number {
    const sets = this.sets!
    return compareBytes(sets.bytesOf(a), sets.posOf(a), sets.lenOf(a), sets.bytesOf(b), sets.posOf(b), sets.lenOf(b))
  }

  private write(keys: Int32Array, count: number): Uint8Array {
    const sets = this.sets!
    let size = 0
    for (const key of keys) size += NamesWriter.sizeOf(sets.lenOf(key as Ref))
    const writer = new NamesWriter(count, size)
    for (const key of keys) writer.add(sets.bytesOf(key as Ref), sets.posOf(key as Ref), sets.lenOf(key as Ref))
    return writer.take()
  }
}
