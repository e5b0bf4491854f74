import { expect, test } from 'vitest'
import type { Connection } from '../../../src/server/connection.ts'
import { Outbox } from '../../../src/server/outbox.ts'

test('what is queued while everything is sent is sent too, however much it is', () => {
  const outbox = new Outbox()
  const sent: number[] = []
  const client = (id: number, andThen = () => {}) =>
    ({
      flushOutput: () => {
        sent.push(id)
        andThen()
      },
    }) as Connection
  const late = Array.from({ length: 300 }, (_, index) => 1000 + index)
  const flood = () => {
    for (const id of late) outbox.add(client(id))
  }
  const ids = Array.from({ length: 128 }, (_, index) => index)
  for (const id of ids) outbox.add(client(id, id === 5 ? flood : undefined))
  outbox.flush()
  expect(sent).toEqual([...ids, ...late])
})

/** An outbox, and connections that write down whom it sends something to. */
function witnessed() {
  const outbox = new Outbox()
  const sent: (number | string)[] = []
  const client = (id: number) =>
    ({ flushOutput: () => sent.push(`reply ${id}`), flushPushed: () => sent.push(id) }) as unknown as Connection
  /** Whom it sent something to until the next turn ended. */
  const turn = async () => {
    await new Promise(setImmediate)
    return sent.splice(0)
  }
  return { outbox, client, turn }
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index)

test('messages to many leave behind the replies, some a turn, and who comes anew waits for all before', async () => {
  const { outbox, client, turn } = witnessed()
  for (const id of numbers(0, 100)) outbox.addPushed(client(id))
  outbox.add(client(7))
  expect(await turn()).toEqual(['reply 7', ...numbers(0, 32)])
  for (const id of numbers(0, 5)) outbox.addPushed(client(id))
  expect(await turn()).toEqual(numbers(32, 64))
  outbox.add(client(8))
  expect(await turn()).toEqual(['reply 8', ...numbers(64, 96)])
  expect(await turn()).toEqual([...numbers(96, 100), ...numbers(0, 5)])
  expect(await turn()).toEqual([])
})

test('a turn writes to the more, the more messages it brought; and to all if too much gathers', async () => {
  const { outbox, client, turn } = witnessed()
  for (const id of numbers(0, 1000)) outbox.addPushed(client(id))
  outbox.pushes = 1600
  expect(await turn()).toEqual(numbers(0, 100))
  expect(await turn()).toEqual(numbers(100, 132))
  outbox.pressing = true
  expect(await turn()).toEqual(numbers(132, 1000))
  for (const id of numbers(0, 64)) outbox.addPushed(client(id))
  expect(await turn()).toEqual(numbers(0, 32))
  outbox.flushAllPushes()
  expect(await turn()).toEqual(numbers(32, 64))
})

test('messages to many wait while what is to be on disk first is not', async () => {
  const { outbox, client, turn } = witnessed()
  outbox.beforeFlush = () => false
  for (const id of numbers(0, 3)) outbox.addPushed(client(id))
  outbox.add(client(7))
  expect(await turn()).toEqual([])
  outbox.beforeFlush = () => true
  outbox.schedule()
  expect(await turn()).toEqual(['reply 7', ...numbers(0, 3)])
})
