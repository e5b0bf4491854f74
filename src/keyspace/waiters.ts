/* Waiters: who waits for which keys, and which of those keys have changed.
 *
 *   database   key        queue, in the order in which they began to wait
 *      0      "jobs"  ->  waiter 7, waiter 9, waiter 12
 *      0      "mail"  ->  waiter 9                              a waiter stands in the queue of each of its keys
 *
 * Hung on the keyspace as a listener only while anybody waits. Any event of a key that is waited for makes it ready:
 * the ready keys, each once, in the order of their first events, are handed to whoever serves the waiters, who looks
 * what is there now. Most changes are of keys that nobody waits for: the filter tells so without a
 * string being made.
 *
 * Always: `filter` has the keys of the queues; no queue is empty. */
import { equalBytes, fromLatin1, latin1 } from '../lib/bytes.ts'
import { NONE } from '../memory/memory.ts'
import type { Database } from './database.ts'
import type { Type } from './entry.ts'
import { Event, type KeyEvent } from './events.ts'
import { KeyFilter } from './key-filter.ts'
import type { ChangeListener, Keyspace } from './keyspace.ts'

export interface Waiter {
  readonly db: Database
  /** The type of value that is waited for. */
  readonly type: Type
  /** It is also to be served when the key has gone, or holds something else. */
  readonly whenGone: boolean
  /** Names as latin1, each once. */
  readonly keys: readonly string[]
}

/** Those who wait for one key. */
export class WaiterQueue<W extends Waiter> {
  readonly db: Database
  readonly name: string
  readonly key: Uint8Array
  readonly waiters = new Set<W>()
  /** How many of them are to be served when the key has gone. */
  whenGone = 0
  ready = false

  constructor(db: Database, name: string) {
    this.db = db
    this.name = name
    this.key = fromLatin1(name)
  }
}

export class Waiters<W extends Waiter> implements ChangeListener {
  private readonly keyspace: Keyspace
  private readonly onReady: () => void
  /** Queues by key, by database. */
  private readonly queues = new Map<Database, Map<string, WaiterQueue<W>>>()
  private readonly filter = new KeyFilter()
  private ready: WaiterQueue<W>[] = []
  /** How many wait. */
  count = 0

  /** `onReady` is called when a key becomes ready and none was: in the midst of a command, to be served after it. */
  constructor(keyspace: Keyspace, onReady: () => void) {
    this.keyspace = keyspace
    this.onReady = onReady
  }

  /** Keys that are waited for; and those of them that are waited for to go. */
  get keyCount(): number {
    let count = 0
    for (const queues of this.queues.values()) count += queues.size
    return count
  }
  get whenGoneKeyCount(): number {
    let count = 0
    for (const queues of this.queues.values()) for (const queue of queues.values()) if (queue.whenGone > 0) count++
    return count
  }

  /** Puts a waiter at the end of the queues of all its keys. */
  add(waiter: W): void {
    if (this.count++ === 0) this.keyspace.listen(this)
    let queues = this.queues.get(waiter.db)
    if (queues === undefined) {
      queues = new Map()
      this.queues.set(waiter.db, queues)
    }
    for (const name of waiter.keys) {
      let queue = queues.get(name)
      if (queue === undefined) {
        queue = new WaiterQueue<W>(waiter.db, name)
        queues.set(name, queue)
        this.filter.add(waiter.db, queue.key, 0, queue.key.length)
      }
      queue.waiters.add(waiter)
      if (waiter.whenGone) queue.whenGone++
    }
  }

  /** Takes a waiter out of all its queues. */
  remove(waiter: W): void {
    const queues = this.queues.get(waiter.db)!
    for (const name of waiter.keys) {
      const queue = queues.get(name)!
      queue.waiters.delete(waiter)
      if (waiter.whenGone) queue.whenGone--
      if (queue.waiters.size > 0) continue
      queues.delete(name)
      this.filter.remove(waiter.db, queue.key, 0, queue.key.length)
    }
    if (--this.count === 0) this.keyspace.unlisten(this)
  }

  keyChanged(db: Database, bytes: Uint8Array, pos: number, len: number, event: KeyEvent): void {
    if (!this.filter.mayHave(db, bytes, pos, len) || event === Event.MISS || event.wakesNobody === true) return
    const queue = this.queues.get(db)?.get(latin1(bytes, pos, len))
    if (queue !== undefined && equalBytes(queue.key, 0, bytes, pos, len)) this.mark(queue)
  }

  flushed(db: Database | undefined): void {
    for (const [each, queues] of this.queues) {
      if (db !== undefined && each !== db) continue
      for (const queue of queues.values()) if (queue.whenGone > 0) this.mark(queue)
    }
  }

  swapped(first: Database, second: Database): void {
    for (const db of [first, second]) for (const queue of this.queues.get(db)?.values() ?? []) this.mark(queue)
  }

  private mark(queue: WaiterQueue<W>): void {
    if (queue.ready) return
    queue.ready = true
    this.ready.push(queue)
    if (this.ready.length === 1) this.onReady()
  }

  /** The queues of the keys that have become ready since the last call. `begin` is to be told of each. */
  takeReady(): readonly WaiterQueue<W>[] {
    if (this.ready.length === 0) return this.ready
    const taken = this.ready
    this.ready = []
    return taken
  }

  /** A queue is about to be served: what happens to its key from now on makes it ready anew. */
  begin(queue: WaiterQueue<W>): void {
    queue.ready = false
  }

  /** Whether a waiter is to be served as its key now stands. */
  isServed(queue: WaiterQueue<W>, waiter: W): boolean {
    if (waiter.whenGone) return true
    const entry = queue.db.lookup(queue.key, 0, queue.key.length)
    return entry !== NONE && this.keyspace.entries.type(entry) === waiter.type
  }

  /** Whether nobody in a queue can be served: the key is not there. */
  isVoid(queue: WaiterQueue<W>): boolean {
    return queue.whenGone === 0 && queue.db.lookup(queue.key, 0, queue.key.length) === NONE
  }
}
