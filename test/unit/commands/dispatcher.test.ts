import { performance } from 'node:perf_hooks'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Batch } from '../../../src/commands/batch.ts'
import { Call } from '../../../src/commands/call.ts'
import { Session } from '../../../src/commands/session.ts'
import { COMPLETE, Decoder } from '../../../src/protocol/decoder.ts'
import { Reply } from '../../../src/protocol/reply.ts'
import type { Server } from '../../../src/server/server.ts'
import { encode } from '../../helpers/raw-client.ts'
import { newServer } from '../server/support.ts'

/** A clock that stands still but when told to go on. */
function stopClock(): (ms: number) => void {
  let now = performance.now()
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => spy.mockRestore())
  return (ms) => {
    now += ms
  }
}

/** Runs requests as those of one read, `between` after each. */
function pipeline(server: Server, requests: readonly (readonly string[])[], between: () => void): void {
  const { dispatcher, keyspace, table } = server
  const bytes = new Uint8Array(Buffer.concat(requests.map((request) => encode(...request))))
  const call = new Call(keyspace, new Session(1), new Reply())
  const batch = new Batch(table)
  const decoder = new Decoder()
  while (decoder.at < bytes.length) {
    expect(decoder.decode(bytes, bytes.length)).toBe(COMPLETE)
    batch.add(decoder)
  }
  dispatcher.begin()
  batch.prefetch(decoder, call)
  dispatcher.setPipelined(call, true)
  for (let index = 0; index < batch.count; index++) {
    batch.load(index, decoder, call)
    dispatcher.dispatch(call)
    between()
  }
  dispatcher.setPipelined(call, false)
}

const logged = (server: Server): string[] =>
  server.slow.log.latest(10).map(({ args }) => args.map((arg) => Buffer.from(arg).toString()).join(' '))

test('a command is not shown as the slow one because those before it were', () => {
  const server = newServer()
  const pass = stopClock()
  const slowFirst = () => pass(server.dispatcher.statistics.totalCalls === 0 ? 20 : 0)
  pipeline(
    server,
    [
      ['GET', 'k'],
      ['CONFIG', 'SET', 'requirepass', 'sesame'],
    ],
    slowFirst,
  )
  expect(logged(server)).toEqual([])
  expect(server.dispatcher.statistics.totalCalls).toBe(2)
})

test('the last of several quick commands is shown for them all', () => {
  const server = newServer()
  const pass = stopClock()
  pipeline(
    server,
    [
      ['GET', 'a'],
      ['GET', 'b'],
    ],
    () => pass(6),
  )
  expect(logged(server)).toEqual(['GET b'])
})
