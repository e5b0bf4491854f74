import { performance } from 'node:perf_hooks'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Batch } from '../../../src/commands/batch.ts'
import { Call } from '../../../src/commands/call.ts'
import { group } from '../../../src/commands/definition.ts'
import { ServerGate } from '../../../src/commands/dispatcher.ts'
import { Session, SessionFlag } from '../../../src/commands/session.ts'
import { COMPLETE, Decoder } from '../../../src/protocol/decoder.ts'
import { SYNTAX } from '../../../src/protocol/errors.ts'
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
  const batch = new Batch(table, keyspace.memory)
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

/** A command that runs others: those of `inner`, each in a call of its own, with replies to the outer command's. */
function runAround(
  server: Server,
  inner: readonly (readonly string[])[],
  last: (reply: Reply) => void = () => {},
): Call {
  const { dispatcher, table } = server
  const session = new Session(1)
  session.flags |= SessionFlag.DENY_BLOCKING
  const outer = callOf(server, session, new Reply(), ['OUTER'])
  const nested = (words: readonly string[]) => callOf(server, session, outer.reply, words)
  const run = () => {
    for (const words of inner) {
      const call = nested(words)
      dispatcher.runNested(call, dispatcher.resolve(call)!)
    }
    last(outer.reply)
  }
  const [command] = group('generic', { OUTER: { summary: 'Runs others.', since: '1.0.0', run } })
  command!.id = table.get('ping')!.id
  dispatcher.begin()
  dispatcher.run(outer, command!)
  expect(dispatcher.depth).toBe(0)
  return outer
}

function callOf({ keyspace }: Server, session: Session, reply: Reply, words: readonly string[]): Call {
  const call = new Call(keyspace, session, reply)
  const decoder = new Decoder()
  const bytes = new Uint8Array(encode(...words))
  expect(decoder.decode(bytes, bytes.length)).toBe(COMPLETE)
  call.bytes = decoder.bytes
  call.argc = decoder.argc
  call.pos.set(decoder.pos.subarray(0, decoder.argc))
  call.len.set(decoder.len.subarray(0, decoder.argc))
  return call
}

const booked = ({ table, dispatcher: { statistics } }: Server, name: string) => {
  const { id } = table.get(name)!
  return { calls: statistics.calls[id], failed: statistics.failed[id], us: Math.round(statistics.duration[id]!) }
}

test('a nested command is timed for itself, and the outer one includes it', () => {
  const server = newServer()
  const pass = stopClock()
  server.keyspace.listen({ keyChanged: () => pass(2), flushed: () => {}, swapped: () => {} })
  runAround(server, [['HSET', 'h', 'f', 'v']], () => pass(5))
  expect(booked(server, 'hset').us).toBeGreaterThanOrEqual(2000)
  expect(booked(server, 'ping').us - booked(server, 'hset').us).toBe(5000)
  expect(server.dispatcher.statistics.totalCalls).toBe(2)
  expect(Math.round(server.dispatcher.commandsUs)).toBe(booked(server, 'ping').us)
})

test('an error of a nested command is counted once, for the command that made it', () => {
  const server = newServer()
  const outer = runAround(server, [
    ['SET', 'k', 'text'],
    ['INCR', 'k'],
    ['INCR', 'n'],
  ])
  expect(booked(server, 'incr')).toMatchObject({ calls: 2, failed: 1 })
  expect(booked(server, 'ping')).toMatchObject({ calls: 1, failed: 0 })
  expect([...server.dispatcher.statistics.errors]).toEqual([['ERR', 1]])
  expect(outer.reply.length).toBeGreaterThan(0)
})

test("an error of the outer command's own is counted for it", () => {
  const server = newServer()
  runAround(server, [['GET', 'k']], (reply) => reply.error(SYNTAX))
  expect(booked(server, 'ping')).toMatchObject({ calls: 1, failed: 1 })
})

test('time stands still while nested commands run', () => {
  const server = newServer()
  const pass = stopClock()
  const times: number[] = []
  server.keyspace.listen({
    keyChanged: () => {
      times.push(server.keyspace.now)
      pass(50)
    },
    flushed: () => {},
    swapped: () => {},
  })
  runAround(server, [
    ['SADD', 'a', '1'],
    ['SADD', 'b', '1'],
  ])
  expect(new Set(times).size).toBe(1)
  expect(server.keyspace.now).toBeGreaterThan(times[0]!)
})

test('keys that became ready are served once, when the outermost command has ended', () => {
  const server = newServer()
  const { dispatcher } = server
  const depths: number[] = []
  dispatcher.onKeysReady = () => {
    depths.push(dispatcher.depth)
    dispatcher.gates &= ~ServerGate.KEYS_READY
  }
  server.keyspace.listen({
    keyChanged: () => {
      expect(depths).toEqual([])
      dispatcher.gates |= ServerGate.KEYS_READY
    },
    flushed: () => {},
    swapped: () => {},
  })
  runAround(server, [
    ['LPUSH', 'a', '1'],
    ['LPUSH', 'b', '1'],
  ])
  expect(depths).toEqual([0])
})
