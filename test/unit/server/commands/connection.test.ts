import { describe, expect, test } from 'vitest'
import { Gate, Session } from '../../../../src/commands/session.ts'
import { newServer, run } from '../support.ts'

describe('PING', () => {
  test('answers PONG, or what it was given', () => {
    const [server, session] = [newServer(), new Session(1)]
    expect(run(server, session, 'PING')).toBe('+PONG\r\n')
    expect(run(server, session, 'ping', 'x')).toBe('$1\r\nx\r\n')
  })

  test('answers a subscriber in RESP2 with an array, as messages are', () => {
    const [server, session] = [newServer(), new Session(1)]
    session.gates |= Gate.SUBSCRIBED
    expect(run(server, session, 'PING')).toBe('*2\r\n$4\r\npong\r\n$0\r\n\r\n')
    expect(run(server, session, 'PING', 'x')).toBe('*2\r\n$4\r\npong\r\n$1\r\nx\r\n')
  })
})

describe('a session without a connection', () => {
  test('can greet and start over', () => {
    const [server, session] = [newServer(), new Session(1)]
    expect(run(server, session, 'HELLO', '3', 'SETNAME', 'x')).toMatch(/^%7\r\n/)
    expect(session).toMatchObject({ version: 3, name: 'x' })
    expect(run(server, session, 'RESET')).toBe('+RESET\r\n')
    expect(session).toMatchObject({ version: 2, name: '' })
  })

  test('keeps of a very long name what can be shown', () => {
    const [server, session] = [newServer(), new Session(1)]
    const long = 'x'.repeat(100_000)
    expect(run(server, session, 'CLIENT', 'SETNAME', long)).toBe('+OK\r\n')
    expect(run(server, session, 'CLIENT', 'SETINFO', 'LIB-NAME', long)).toBe('+OK\r\n')
    expect(session).toMatchObject({ name: 'x'.repeat(4096), libName: 'x'.repeat(4096) })
    expect(run(server, session, 'HELLO', '2', 'SETNAME', long)).toMatch(/^\*14/)
    expect(session.name).toHaveLength(4096)
  })

  test('has no line, and cannot watch', () => {
    const [server, session] = [newServer(), new Session(1)]
    expect(run(server, session, 'CLIENT', 'INFO')).toBe('$0\r\n\r\n')
    expect(run(server, session, 'MONITOR')).toBe("-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n")
  })
})
