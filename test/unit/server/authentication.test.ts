import { describe, expect, test } from 'vitest'
import { Gate, Session } from '../../../src/commands/session.ts'
import { Authentication } from '../../../src/server/authentication.ts'
import type { Config } from '../../../src/server/config/config.ts'
import type { Connection } from '../../../src/server/connection.ts'
import { LOCAL, newConfig } from './config/support.ts'

function setUp(): { config: Config; authentication: Authentication; join: () => Session } {
  const config = newConfig()
  const connections = new Map<number, Connection>()
  const authentication = new Authentication(config, connections)
  const join = () => {
    const session = new Session(connections.size + 1)
    authentication.begin(session)
    connections.set(session.id, { session } as Connection)
    return session
  }
  return { config, authentication, join }
}

const isStopped = (session: Session): boolean => (session.gates & Gate.UNAUTHENTICATED) !== 0

describe('authentication', () => {
  test('stops nobody while there is no password', () => {
    const { authentication, join } = setUp()
    expect(authentication.isOpen).toBe(true)
    expect(isStopped(join())).toBe(false)
    expect(authentication.authenticate(new Session(9), 'default', 'anything')).toBe(true)
    expect(authentication.authenticate(new Session(9), 'bob', 'anything')).toBe(false)
  })

  test('judges a client by the password there is when it connects', () => {
    const { config, authentication, join } = setUp()
    const early = join()
    config.set(['requirepass', 'secret'], LOCAL)
    const late = join()
    expect([isStopped(early), isStopped(late)]).toEqual([false, true])
    config.set(['requirepass', ''], LOCAL)
    expect(isStopped(late)).toBe(false)
    config.set(['requirepass', 'other'], LOCAL)
    expect([isStopped(early), isStopped(late)]).toEqual([false, true])
    expect(authentication.authenticate(late, 'default', 'secret')).toBe(false)
    expect(authentication.authenticate(late, 'default', 'other')).toBe(true)
    expect(isStopped(late)).toBe(false)
  })

  test('counts what it refuses, and leaves the session alone', () => {
    const { config, authentication, join } = setUp()
    config.set(['requirepass', 'secret'], LOCAL)
    const session = join()
    for (const [user, password] of [
      ['default', ''],
      ['default', 'secret\0'],
      ['bob', 'secret'],
    ] as const) {
      expect(authentication.authenticate(session, user, password)).toBe(false)
    }
    expect(authentication.failures).toBe(3)
    expect(session).toMatchObject({ authenticated: false, user: 'default' })
  })
})
