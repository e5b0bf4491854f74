import { expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { Broadcast, NOBODY } from '../../../src/tracking/broadcast.ts'
import { TrackedClient } from '../../../src/tracking/tracked-client.ts'

function clientOf(broadcast: Broadcast, id: number, prefixes: readonly string[], noLoop = false): TrackedClient {
  const client = new TrackedClient(id)
  client.isOn = true
  client.bcast = true
  client.noLoop = noLoop
  for (const prefix of prefixes) broadcast.add(client, prefix)
  return client
}

function note(broadcast: Broadcast, name: string, by: number): boolean {
  const bytes = fromLatin1(`(${name})`)
  return broadcast.note(bytes, 1, name.length, by)
}

/** What every client is told, by its id. */
function delivered(broadcast: Broadcast): [number, string[]][] {
  const told: [number, string[]][] = []
  broadcast.deliver((client, names) => {
    const text = Buffer.from(names).toString('latin1')
    told.push([client.id, [...text.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map((match) => match[1]!)])
  })
  return told
}

test('keys are told once a turn, by prefix, in the order of their bytes', () => {
  const broadcast = new Broadcast()
  clientOf(broadcast, 1, ['b', 'a'])
  clientOf(broadcast, 2, [''])
  expect(note(broadcast, 'b2', 9)).toBe(true)
  for (const name of ['a', 'b10', 'b1', 'a', 'b', 'c', 'b2']) expect(note(broadcast, name, 9)).toBe(false)
  expect(delivered(broadcast)).toEqual([
    [2, ['a', 'b', 'b1', 'b10', 'b2', 'c']],
    [1, ['a']],
    [1, ['b', 'b1', 'b10', 'b2']],
  ])
  expect(delivered(broadcast)).toEqual([])
  expect(note(broadcast, 'b', 9)).toBe(true)
})

test('who wants no echo is told of what others changed last', () => {
  const broadcast = new Broadcast()
  clientOf(broadcast, 7, [''], true)
  clientOf(broadcast, 8, [''], true)
  note(broadcast, 'own', 7)
  expect(delivered(broadcast)).toEqual([[8, ['own']]])
  note(broadcast, 'own', 7)
  note(broadcast, 'both', 7)
  note(broadcast, 'both', 8)
  note(broadcast, 'gone', 7)
  note(broadcast, 'gone', NOBODY)
  expect(delivered(broadcast)).toEqual([
    [7, ['both', 'gone']],
    [8, ['gone', 'own']],
  ])
})

test('names share one array among those who are told the same', () => {
  const broadcast = new Broadcast()
  for (const id of [1, 2, 3]) clientOf(broadcast, id, ['k'])
  note(broadcast, 'key', 1)
  const arrays = new Set<Uint8Array>()
  broadcast.deliver((_, names) => arrays.add(names))
  expect(arrays.size).toBe(1)
})

test('a prefix goes with its last client, and all memory with the turn', () => {
  const broadcast = new Broadcast()
  const [first, second] = [clientOf(broadcast, 1, ['x', 'y']), clientOf(broadcast, 2, ['x'])]
  expect(broadcast.prefixCount).toBe(2)
  for (let index = 0; index < 5000; index++) note(broadcast, `x${index}`, 1)
  const used = broadcast.usedBytes
  expect(used).toBeGreaterThan(50_000)
  broadcast.remove(first)
  expect(first.prefixes).toEqual([])
  expect(broadcast.prefixCount).toBe(1)
  broadcast.remove(second)
  expect(delivered(broadcast)).toEqual([])
  expect(broadcast.prefixCount).toBe(0)
  expect(broadcast.usedBytes).toBeLessThan(1000)
  expect(note(broadcast, 'x', 1)).toBe(false)
})
