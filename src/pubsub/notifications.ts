/* Keyspace notifications: what happens to keys, as messages.
 *
 *   SET k v in database 0   ->   __keyspace@0__:k   "set"       class K
 *                           ->   __keyevent@0__:set  "k"        class E
 *
 * Hung on the keyspace as a listener only while notify-keyspace-events asks for something, and a message is made only
 * if somebody subscribes to anything. Which classes are wanted is a table by their letters (keyspace/events.ts). */
import type { Database } from '../keyspace/database.ts'
import type { KeyEvent } from '../keyspace/events.ts'
import type { ChangeListener, Keyspace } from '../keyspace/keyspace.ts'
import { copyBytes, fromLatin1 } from '../lib/bytes.ts'
import type { PubSub } from './pubsub.ts'

const SCRATCH_SIZE = 1024
/** A larger one, made for a long key, is not kept. */
const SCRATCH_KEPT_MAX = 64 * 1024

const LETTERS = 128

export class Notifications implements ChangeListener {
  private readonly keyspace: Keyspace
  private readonly pubsub: PubSub
  private isListening = false
  private byKey = false
  private byEvent = false
  /** By the character code of a class: 1 if it is wanted. */
  private readonly wanted = new Uint8Array(LETTERS)
  /** What the channels of keys begin with, by database. */
  private readonly prefixes: Uint8Array[] = []
  /** The channels of an event, by database. */
  private readonly channels = new Map<KeyEvent, Uint8Array[]>()
  private readonly names = new Map<KeyEvent, Uint8Array>()
  private scratch = new Uint8Array(SCRATCH_SIZE)

  constructor(keyspace: Keyspace, pubsub: PubSub) {
    this.keyspace = keyspace
    this.pubsub = pubsub
  }

  /** Tells of the classes with these letters from now on, to the channels K, E or both. */
  configure(letters: string): void {
    this.wanted.fill(0)
    for (const letter of letters) this.wanted[letter.charCodeAt(0)] = 1
    this.byKey = letters.includes('K')
    this.byEvent = letters.includes('E')
    const isWanted = (this.byKey || this.byEvent) && /[^KE]/.test(letters)
    if (isWanted && !this.isListening) this.keyspace.listen(this)
    else if (!isWanted && this.isListening) this.keyspace.unlisten(this)
    this.isListening = isWanted
  }

  keyChanged(db: Database, bytes: Uint8Array, pos: number, len: number, event: KeyEvent): void {
    if (this.wanted[event.kind.charCodeAt(0)] === 0 || !this.pubsub.isHeard) return
    if (this.byKey) this.tellByKey(db.id, bytes, pos, len, event)
    if (!this.byEvent) return
    const channel = this.channelOf(event, db.id)
    this.pubsub.publish(channel, 0, channel.length, bytes, pos, len)
  }

  private tellByKey(dbId: number, bytes: Uint8Array, pos: number, len: number, event: KeyEvent): void {
    const prefix = (this.prefixes[dbId] ??= fromLatin1(`__keyspace@${dbId}__:`))
    const size = prefix.length + len
    if (size > this.scratch.length) this.scratch = new Uint8Array(size)
    const { scratch } = this
    copyBytes(prefix, 0, scratch, 0, prefix.length)
    copyBytes(bytes, pos, scratch, prefix.length, len)
    const name = this.nameOf(event)
    this.pubsub.publish(scratch, 0, size, name, 0, name.length)
    if (scratch.length > SCRATCH_KEPT_MAX) this.scratch = new Uint8Array(SCRATCH_SIZE)
  }

  private nameOf(event: KeyEvent): Uint8Array {
    let name = this.names.get(event)
    if (name === undefined) {
      name = fromLatin1(event.name)
      this.names.set(event, name)
    }
    return name
  }

  private channelOf(event: KeyEvent, dbId: number): Uint8Array {
    let channels = this.channels.get(event)
    if (channels === undefined) {
      channels = []
      this.channels.set(event, channels)
    }
    return (channels[dbId] ??= fromLatin1(`__keyevent@${dbId}__:${event.name}`))
  }

  flushed(): void {
    // Redis does not tell of it.
  }

  swapped(): void {
    // Nor of this.
  }
}
