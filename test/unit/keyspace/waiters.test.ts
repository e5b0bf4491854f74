/* Waiters: who is told of what, in which order. */
import { describe, expect, test } from 'vitest'
import type { Database } from '../../../src/keyspace/database.ts'
import { Type } from '../../../src/keyspace/entry.ts'
import { Event } from '../../../src/keyspace/events.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { type Waiter, Waiters } from '../../../src/keyspace/waiters.ts'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { NONE } from '../../../src/memory/memory.ts'

interface Named extends Waiter {
  readonly name: string
}

class Scene {
  readonly keyspace = new Keyspace(2)
  readonly db = this.keyspace.databases[0]!
  readonly other = this.keyspace.databases[1]!
  readonly told: number[] = []
  readonly waiters = new Waiters<Named>(this.keyspace, () => this.told.push(this.told.length))

  wait(name: string, keys: readonly string[], whenGone = false, db: Database = this.db): Named {
    const waiter = { name, db, type: Type.LIST, whenGone, keys }
    this.waiters.add(waiter)
    return waiter
  }

  push(key: string, db: Database = this.db): void {
    const bytes = fromLatin1(key)
    const found = db.lookupWrite(bytes, 0, bytes.length)
    const { lists } = this.keyspace
    const entry = found === NONE ? lists.add(db, bytes, 0, bytes.length) : found
    lists.push(entry, true, bytes, 0, bytes.length)
    this.keyspace.changed(db, bytes, 0, bytes.length, Event.LPUSH)
  }

  store(key: string): void {
    const bytes = fromLatin1(key)
    const found = this.db.lookupWrite(bytes, 0, bytes.length)
    this.keyspace.strings.store(this.db, found, bytes, 0, bytes.length, bytes, 0, bytes.length, undefined)
    this.keyspace.changed(this.db, bytes, 0, bytes.length, Event.SET)
  }

  remove(key: string): void {
    const bytes = fromLatin1(key)
    this.db.remove(this.db.lookupWrite(bytes, 0, bytes.length))
    this.keyspace.changed(this.db, bytes, 0, bytes.length, Event.DEL)
  }

  /** Keys that are ready, each with those who would be served. */
  served(): string[] {
    const lines: string[] = []
    for (const queue of this.waiters.takeReady()) {
      this.waiters.begin(queue)
      const names = [...queue.waiters].filter((waiter) => this.waiters.isServed(queue, waiter)).map(({ name }) => name)
      lines.push([queue.name, ...names].join(' '))
    }
    return lines
  }
}

describe('waiters', () => {
  test('a key is ready once, in the order of the first events, for those who wait for it in their order', () => {
    const scene = new Scene()
    scene.wait('first', ['b', 'a'])
    scene.wait('second', ['a'])
    scene.push('a')
    scene.push('b')
    scene.push('a')
    scene.push('c')
    expect(scene.told.length).toBe(1)
    expect(scene.served()).toEqual(['a first second', 'b first'])
    expect(scene.served()).toEqual([])
    scene.push('a')
    expect(scene.served()).toEqual(['a first second'])
  })

  test('a key that holds something else, or is gone again, serves nobody', () => {
    const scene = new Scene()
    scene.wait('one', ['a', 'b'])
    scene.store('a')
    scene.push('b')
    scene.remove('b')
    expect(scene.served()).toEqual(['a', 'b'])
  })

  test('who waits for a key to go is served when it is removed, replaced, flushed', () => {
    const scene = new Scene()
    scene.push('a')
    scene.wait('patient', ['a'])
    scene.wait('worried', ['a'], true)
    expect(scene.waiters.whenGoneKeyCount).toBe(1)
    scene.remove('a')
    expect(scene.served()).toEqual(['a worried'])
    scene.store('a')
    expect(scene.served()).toEqual(['a worried'])
    scene.keyspace.flush()
    expect(scene.served()).toEqual(['a worried'])
  })

  test('databases are apart, and change places', () => {
    const scene = new Scene()
    scene.wait('here', ['a'])
    scene.push('a', scene.other)
    expect(scene.served()).toEqual([])
    scene.keyspace.swap(scene.db, scene.other)
    expect(scene.served()).toEqual(['a here'])
  })

  test('the keyspace is listened to only while somebody waits', () => {
    const scene = new Scene()
    expect(scene.keyspace.hasListeners).toBe(false)
    const waiter = scene.wait('one', ['a', 'b', ''])
    expect(scene.keyspace.hasListeners).toBe(true)
    expect(scene.waiters.keyCount).toBe(3)
    scene.waiters.remove(waiter)
    expect(scene.waiters.keyCount).toBe(0)
    expect(scene.keyspace.hasListeners).toBe(false)
    scene.push('a')
    expect(scene.served()).toEqual([])
  })

  test('keys of any bytes, and many that nobody waits for', () => {
    const scene = new Scene()
    scene.wait('one', ['\xff\0\xfe', 'key:77'])
    for (let number = 0; number < 5000; number++) if (number !== 77) scene.push(`key:${number}`)
    expect(scene.served()).toEqual([])
    scene.push('key:77')
    scene.push('\xff\0\xfe')
    expect(scene.served()).toEqual(['key:77 one', '\xff\0\xfe one'])
  })
})
