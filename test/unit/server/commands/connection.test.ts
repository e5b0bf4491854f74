import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Call } from '../../../../src/commands/call.ts'
import { Gate, Session } from '../../../../src/commands/session.ts'
import { fromLatin1 } from '../../../../src/lib/bytes.ts'
import { Reply } from '../../../../src/protocol/reply.ts'
import { silentLog } from '../../../../src/server/log.ts'
import { Server } from '../../../../src/server/server.ts'
import { newConfig } from '../config/support.ts'

let server: Server
let session: Session

beforeEach(() => {
  server = new Server({ config: newConfig(), log: silentLog(), exit: () => {} })
  session = new Session(1)
})
afterEach(() => server.close())

/** Dispatches a command of a session that has no connection; the reply. */
function run(...args: readonly string[]): string {
  const reply = new Reply()
  reply.version = session.version
  const call = new Call(server.keyspace, session, reply)
  call.bytes = fromLatin1(args.join(''))
  call.argc = args.length
  let pos = 0
  for (const [index, arg] of args.entries()) {
    call.pos[index] = pos
    call.len[index] = arg.length
    pos += arg.length
  }
  server.dispatcher.dispatch(call)
  const { length } = reply
  return reply.takeBuffer().view(length).toString('latin1')
}

describe('PING', () => {
  test('answers PONG, or what it was given', () => {
    expect(run('PING')).toBe('+PONG\r\n')
    expect(run('ping', 'x')).toBe('$1\r\nx\r\n')
  })

  test('answers a subscriber in RESP2 with an array, as messages are', () => {
    session.gates |= Gate.SUBSCRIBED
    expect(run('PING')).toBe('*2\r\n$4\r\npong\r\n$0\r\n\r\n')
    expect(run('PING', 'x')).toBe('*2\r\n$4\r\npong\r\n$1\r\nx\r\n')
  })
})

describe('a session without a connection', () => {
  test('can greet and start over', () => {
    expect(run('HELLO', '3', 'SETNAME', 'x')).toMatch(/^%7\r\n/)
    expect(session).toMatchObject({ version: 3, name: 'x' })
    expect(run('RESET')).toBe('+RESET\r\n')
    expect(session).toMatchObject({ version: 2, name: '' })
  })

  test('has no line, and cannot watch', () => {
    expect(run('CLIENT', 'INFO')).toBe('$0\r\n\r\n')
    expect(run('MONITOR')).toBe("-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n")
  })

  test('is not held up by a pause', () => {
    run('CLIENT', 'PAUSE', '60000')
    expect(run('SET', 'a', 'b')).toBe('+OK\r\n')
    expect(server.keyspace.expiryPaused).toBe(true)
    run('CLIENT', 'UNPAUSE')
    expect(server.keyspace.expiryPaused).toBe(false)
  })
})
