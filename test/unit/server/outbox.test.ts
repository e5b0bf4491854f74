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
