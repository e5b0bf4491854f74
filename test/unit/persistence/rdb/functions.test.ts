import { expect, test } from 'vitest'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { latin1 } from '../../../../src/lib/bytes.ts'
import type { FunctionStore } from '../../../../src/persistence/rdb/functions.ts'
import { RdbError } from '../../../../src/persistence/rdb/reader.ts'
import { allContent, bytesOf, load, save, set } from './support.ts'

/** Keeps codes, each once. */
class Codes implements FunctionStore {
  readonly held: Set<string>
  constructor(...held: string[]) {
    this.held = new Set(held)
  }
  codes(): Iterable<Uint8Array> {
    return [...this.held].map(bytesOf)
  }
  load(code: Uint8Array, replace: boolean): string | undefined {
    const text = latin1(code, 0, code.length)
    if (this.held.has(text) && !replace) return 'it is there'
    this.held.add(text)
    return undefined
  }
  clear(): void {
    this.held.clear()
  }
}

const LONG = `#!lua name=long\n${'-- \xff\0\n'.repeat(50_000)}`

test('libraries are saved before the keys, and loaded', () => {
  const keyspace = new Keyspace(2)
  set(keyspace, 1, 'key', 'value')
  const file = save(keyspace, { functions: new Codes('#!lua name=short', LONG) })
  const functions = new Codes()
  const loaded = load(file, { functions })
  expect([...functions.held]).toEqual(['#!lua name=short', LONG])
  expect(allContent(loaded).slice(0, 2)).toEqual(allContent(keyspace))
})

test('a library that cannot be taken, or that nobody takes, makes the file one that cannot be loaded', () => {
  const file = save(new Keyspace(1), { functions: new Codes('code') })
  expect(() => load(file, { functions: new Codes('code') })).toThrow(RdbError)
  expect(() => load(file, { functions: new Codes('code') })).toThrow('Failed loading library, it is there')
  expect(() => load(file)).toThrow('There is a library of functions')
  const functions = new Codes('code')
  load(file, { functions, replace: true })
  expect([...functions.held]).toEqual(['code'])
})
