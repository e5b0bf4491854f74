import { expect, onTestFinished, test, vi } from 'vitest'
import { ServerGate } from '../../../src/commands/dispatcher.ts'
import { Gate, ReplyMode, Session, SessionFlag } from '../../../src/commands/session.ts'
import { errorReply } from '../../../src/protocol/errors.ts'
import type { Server } from '../../../src/server/server.ts'
import { newServer, run } from '../server/support.ts'

const OK = '+OK\r\n'
const QUEUED = '+QUEUED\r\n'
const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n'

/** Runs command lines; their replies. */
const all = (server: Server, session: Session, ...lines: readonly string[]): string[] =>
  lines.map((line) => run(server, session, ...line.split(' ')))

/** Sets the clock forward for the commands that follow. */
function later(ms: number): void {
  const now = performance.now()
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now + ms)
  onTestFinished(() => spy.mockRestore())
}

/** What EXEC answers after WATCH of key k and what others did meanwhile. */
function watchedWhile(server: Server, others: readonly string[], key = 'k'): string {
  const session = new Session(1)
  all(server, session, `WATCH ${key}`)
  all(server, new Session(2), ...others)
  return all(server, session, 'MULTI', 'PING', 'EXEC')[2]!
}

const RAN = '*1\r\n+PONG\r\n'
const CHANGED = '*-1\r\n'

test('what is queued runs at EXEC, each with its own reply', () => {
  const server = newServer()
  const session = new Session(1)
  expect(all(server, session, 'MULTI', 'SET k 5', 'INCR k', 'LPUSH k x', 'GET k', 'EXEC')).toEqual([
    OK,
    QUEUED,
    QUEUED,
    QUEUED,
    QUEUED,
    '*4\r\n+OK\r\n:6\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n$1\r\n6\r\n',
  ])
  expect(session.queuedCount).toBe(-1)
  expect(session.gates & Gate.MULTI).toBe(0)
  expect(session.queue).toBeNull()
})

test('an empty transaction answers an empty array', () => {
  expect(all(newServer(), new Session(1), 'MULTI', 'EXEC')).toEqual([OK, '*0\r\n'])
})

test('nothing runs after a command that was refused', () => {
  const server = newServer()
  const session = new Session(1)
  for (const refused of ['NONSENSE', 'GET', 'CONFIG NONSENSE', 'SAVE']) {
    const replies = all(server, session, 'MULTI', 'SET k 1', refused, 'SET k 2', 'EXEC', 'EXISTS k')
    expect(replies.slice(3)).toEqual([QUEUED, ABORTED, ':0\r\n'])
  }
  expect(server.dispatcher.statistics.errors.get('EXECABORT')).toBe(4)
})

test('an EXEC that is refused ends the transaction and says why', () => {
  const server = newServer()
  const session = new Session(1)
  expect(all(server, session, 'MULTI', 'SET k 1', 'EXEC now', 'EXEC')).toEqual([
    OK,
    QUEUED,
    "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n",
    '-ERR EXEC without MULTI\r\n',
  ])
  server.dispatcher.addAdmission((call, command) => {
    if ((command.flags & session.queuedFlags) === 0 && command.name !== 'exec') return 0
    server.dispatcher.reject(call, command, errorReply('OOM command not allowed'))
    return 1
  })
  server.dispatcher.gates |= ServerGate.PAUSED // any: admissions are asked
  expect(all(server, session, 'MULTI', 'EXEC')[1]).toBe(
    '-EXECABORT Transaction discarded because of: OOM command not allowed\r\n',
  )
  expect(session.gates).toBe(0)
})

test('MULTI does not nest, WATCH has no place in it, and neither spoils it', () => {
  const server = newServer()
  expect(all(server, new Session(1), 'MULTI', 'MULTI', 'WATCH k', 'SET k 1', 'EXEC')).toEqual([
    OK,
    '-ERR MULTI calls can not be nested\r\n',
    '-ERR WATCH inside MULTI is not allowed\r\n',
    QUEUED,
    '*1\r\n+OK\r\n',
  ])
  expect(all(server, new Session(2), 'EXEC', 'DISCARD', 'UNWATCH')).toEqual([
    '-ERR EXEC without MULTI\r\n',
    '-ERR DISCARD without MULTI\r\n',
    OK,
  ])
})

test('SELECT inside counts for what follows, inside and behind', () => {
  const server = newServer()
  const session = new Session(1)
  all(server, session, 'MULTI', 'SET k zero', 'SELECT 3', 'SET k three', 'EXEC')
  expect(session.dbIndex).toBe(3)
  expect(all(server, session, 'GET k', 'SELECT 0', 'GET k')).toEqual(['$5\r\nthree\r\n', OK, '$4\r\nzero\r\n'])
})

test('commands that would wait do not', () => {
  const server = newServer()
  const session = new Session(1)
  expect(all(server, session, 'MULTI', 'BLPOP k 0', 'BLMOVE k l LEFT LEFT 0', 'BZPOPMIN k 0', 'EXEC')[4]).toBe(
    '*3\r\n*-1\r\n$-1\r\n*-1\r\n',
  )
  expect(session.flags & SessionFlag.DENY_BLOCKING).toBe(0)
  expect(session.blocked).toBe(false)
})

test('replies are in the protocol of the client, which may change on the way', () => {
  const server = newServer()
  const session = new Session(1)
  session.version = 3
  all(server, session, 'HSET h f v', 'WATCH k')
  expect(all(server, session, 'MULTI', 'HGETALL h', 'GET none', 'EXEC')[3]).toBe(
    '*2\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\n_\r\n',
  )
  all(server, session, 'WATCH k', 'SET k 1')
  expect(all(server, session, 'MULTI', 'EXEC')[1]).toBe('_\r\n')
})

test('replies that are turned off on the way end with the command that did it', () => {
  const server = newServer()
  const session = new Session(1)
  const replies = all(server, session, 'MULTI', 'SET a 1', 'CLIENT REPLY OFF', 'SET b 1', 'EXEC')
  expect(replies[4]).toBe('*3\r\n+OK\r\n')
  expect(session.replyMode).toBe(ReplyMode.OFF)
})

test('a key that changes makes EXEC answer null, and only once', () => {
  const server = newServer()
  const session = new Session(1)
  all(server, session, 'WATCH k')
  all(server, new Session(2), 'SET k 1')
  expect(all(server, session, 'MULTI', 'SET k 2', 'EXEC', 'GET k')).toEqual([OK, QUEUED, CHANGED, '$1\r\n1\r\n'])
  expect(all(server, session, 'MULTI', 'SET k 2', 'EXEC')[2]).toBe('*1\r\n+OK\r\n')
  expect(server.transactions.watched.watcherCount).toBe(0)
  expect(server.keyspace.hasListeners).toBe(false)
})

test("one's own change counts, a key of the same name elsewhere does not", () => {
  const server = newServer()
  const session = new Session(1)
  expect(all(server, session, 'WATCH k', 'SET k 1', 'MULTI', 'PING', 'EXEC')[4]).toBe(CHANGED)
  expect(watchedWhile(server, ['SELECT 1', 'SET k 2'])).toBe(RAN)
  expect(watchedWhile(server, ['SET kk 2', 'SET other 1'])).toBe(RAN)
  expect(watchedWhile(server, ['GET k', 'APPEND other x'])).toBe(RAN)
})

test('UNWATCH and DISCARD forget what was watched, and that it changed', () => {
  const server = newServer()
  const session = new Session(1)
  for (const forget of [['UNWATCH'], ['MULTI', 'DISCARD']]) {
    all(server, session, 'WATCH a b')
    all(server, new Session(2), 'SET a 1')
    all(server, session, ...forget)
    all(server, new Session(2), 'SET b 1')
    expect(all(server, session, 'MULTI', 'PING', 'EXEC')[2]).toBe(RAN)
  }
})

test.each([
  ['a name that goes', ['RENAME k l'], CHANGED],
  ['a name that comes', ['RENAME other k'], CHANGED],
  ['a deletion', ['DEL k'], CHANGED],
  ['a change of the time to live', ['EXPIRE k 100'], CHANGED],
  ['FLUSHALL', ['FLUSHALL'], CHANGED],
  ['FLUSHDB', ['FLUSHDB'], CHANGED],
  ['FLUSHDB elsewhere', ['SELECT 2', 'FLUSHDB'], RAN],
  ['SWAPDB with an empty one', ['SWAPDB 0 5'], CHANGED],
  ['SWAPDB of others', ['SWAPDB 2 5'], RAN],
  ['MOVE', ['MOVE k 4'], CHANGED],
])('%s of a watched key', (_, others, answer) => {
  const server = newServer()
  all(server, new Session(3), 'SET k 1', 'SET other 2')
  expect(watchedWhile(server, others)).toBe(answer)
})

test('flushing and swapping are no change of a key that was not there and is not', () => {
  const server = newServer()
  all(server, new Session(3), 'SET other 1', 'SELECT 1', 'SET k 1')
  expect(watchedWhile(server, ['FLUSHDB'])).toBe(RAN)
  expect(watchedWhile(server, ['SWAPDB 0 2'])).toBe(RAN)
  expect(watchedWhile(server, ['SWAPDB 0 1'])).toBe(CHANGED)
})

test('a key whose time comes has changed, whether or not it is taken away', () => {
  const server = newServer()
  const session = new Session(1)
  all(server, session, 'SET k 1 PX 1000', 'WATCH k')
  later(2000)
  expect(all(server, session, 'MULTI', 'PING', 'EXEC')[2]).toBe(CHANGED)
})

test('a key past its time when it was watched may go, but not come back', () => {
  for (const [others, answer] of [
    [['GET k'], RAN],
    [['FLUSHDB'], RAN],
    [['GET k', 'SET k 1'], CHANGED],
    [['SET k 1'], CHANGED],
    [['FLUSHALL', 'SET k 1'], CHANGED],
  ] as const) {
    const server = newServer()
    all(server, new Session(3), 'SET k 1 PX 1000', 'SET other 1')
    later(2000)
    server.dispatcher.begin()
    expect(watchedWhile(server, others)).toBe(answer)
    vi.restoreAllMocks()
  }
})

test('a watcher of many keys, and many watchers of one, are all told', () => {
  const server = newServer()
  const names = Array.from({ length: 60 }, (_, index) => `key:${index}`)
  const sessions = Array.from({ length: 50 }, (_, index) => new Session(index + 10))
  for (const session of sessions) all(server, session, `WATCH ${names.join(' ')} k k`)
  server.transactions.watched.verify()
  expect(server.transactions.watched.watcherCount).toBe(50)
  all(server, sessions[7]!, 'UNWATCH')
  server.transactions.watched.verify()
  all(server, new Session(1), 'SET key:47 1')
  expect(sessions.map((session) => session.watcher!.changed)).toEqual(sessions.map((_, index) => index !== 7))
  expect(server.transactions.watched.watcherCount).toBe(0)
  server.transactions.watched.verify()
})

test('a key between MULTI and EXEC is watched still', () => {
  const server = newServer()
  const session = new Session(1)
  all(server, session, 'WATCH k', 'MULTI', 'PING')
  all(server, new Session(2), 'SET k 1')
  expect(all(server, session, 'PING', 'EXEC')).toEqual([QUEUED, CHANGED])
  expect(all(server, session, 'WATCH k', 'MULTI', 'SET k 3', 'EXEC')[3]).toBe('*1\r\n+OK\r\n')
})

test('that the last watcher is done with keeps nobody else from hearing of a change', () => {
  const server = newServer()
  const session = new Session(1)
  const heard: string[] = []
  all(server, session, 'WATCH k')
  server.keyspace.listen({
    keyChanged: (_db, _bytes, _pos, _len, event) => heard.push(event.name),
    flushed: () => {},
    swapped: () => {},
  })
  all(server, new Session(2), 'SET k 1', 'DEL k')
  expect(session.watcher!.changed).toBe(true)
  expect(heard).toEqual(['new', 'set', 'del'])
})

test('a session that ends leaves nothing behind', () => {
  const server = newServer()
  const session = new Session(1)
  all(server, session, 'WATCH k', 'MULTI', 'SET k 1')
  server.transactions.forget(session)
  expect(server.transactions.watched.watcherCount).toBe(0)
  expect(session).toMatchObject({ queue: null, watcher: null, queuedCount: -1 })
  expect(session.gates & Gate.MULTI).toBe(0)
})

test('what was queued is booked, and errors are those of the commands that made them', () => {
  const server = newServer()
  const { statistics } = server.dispatcher
  const session = new Session(1)
  all(server, session, 'SET k text', 'MULTI', 'INCR k', 'INCR n', 'PING', 'EXEC')
  const { id } = server.table.get('incr')!
  expect(statistics.calls[id]).toBe(2)
  expect(statistics.failed[id]).toBe(1)
  expect(statistics.failed[server.table.get('exec')!.id]).toBe(0)
  expect(statistics.totalCalls).toBe(6)
  expect(statistics.totalErrors).toBe(1)
})
