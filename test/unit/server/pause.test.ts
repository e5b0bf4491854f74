import { describe, expect, test } from 'vitest'
import { Flag } from '../../../src/commands/definition.ts'
import { Session } from '../../../src/commands/session.ts'
import type { Connection } from '../../../src/server/connection.ts'
import { PauseMode, PausePurpose } from '../../../src/server/pause.ts'
import type { Server } from '../../../src/server/server.ts'
import { newServer, run } from './support.ts'

const FOR_EVER = Number.POSITIVE_INFINITY

/** A client of which the server knows nothing but its session and that it can go on. */
function join(server: Server, id: number, resumed: number[] = []): Session {
  const session = new Session(id)
  const connection = {
    session,
    closed: false,
    resume: () => resumed.push(id),
    close: () => server.disconnected(connection),
  } as unknown as Connection
  server.connections.set(id, connection)
  return session
}

describe('a pause', () => {
  test('holds back writes, or everything', () => {
    const server = newServer()
    const session = join(server, 1)
    server.pause.begin(PausePurpose.CLIENT, PauseMode.WRITE, FOR_EVER)
    expect(run(server, session, 'GET', 'a')).toBe('$-1\r\n')
    expect(run(server, session, 'SET', 'a', 'b')).toBe('')
    expect(session.blocked).toBe(true)
    server.pause.begin(PausePurpose.CLIENT, PauseMode.ALL, FOR_EVER)
    expect(run(server, join(server, 2), 'GET', 'a')).toBe('')
    expect(server.pause.waitingCount).toBe(2)
  })

  test('holds back EXEC if a command that was queued writes', () => {
    const server = newServer()
    const exec = [...server.table.commands].find((command) => command.name === 'exec')
    if (exec === undefined) return // not built yet
    const session = join(server, 1)
    server.pause.begin(PausePurpose.CLIENT, PauseMode.WRITE, FOR_EVER)
    session.queuedFlags = Flag.WRITE
    expect(run(server, session, 'EXEC')).toBe('')
  })

  test('does not hold back who has no connection: scripts, the program itself', () => {
    const server = newServer()
    server.pause.begin(PausePurpose.CLIENT, PauseMode.ALL, FOR_EVER)
    expect(run(server, new Session(0), 'SET', 'a', 'b')).toBe('+OK\r\n')
  })

  test('gets neither milder nor shorter by another CLIENT PAUSE', () => {
    const server = newServer()
    const session = new Session(0)
    run(server, session, 'CLIENT', 'PAUSE', '60000')
    run(server, session, 'CLIENT', 'PAUSE', '1', 'WRITE')
    expect(server.pause.mode).toBe(PauseMode.ALL)
    server.pause.end(PausePurpose.CLIENT)
    expect(server.pause.mode).toBe(PauseMode.NONE)
  })

  test('is as strict as the strictest of its purposes, and lets those who wait try again when it gets milder', () => {
    const server = newServer()
    const resumed: number[] = []
    server.pause.begin(PausePurpose.SHUTDOWN, PauseMode.WRITE, FOR_EVER)
    server.pause.begin(PausePurpose.CLIENT, PauseMode.ALL, FOR_EVER)
    for (const id of [3, 1, 2]) run(server, join(server, id, resumed), 'GET', 'a')
    expect(resumed).toEqual([])
    server.pause.end(PausePurpose.CLIENT)
    expect(server.pause.mode).toBe(PauseMode.WRITE)
    expect(resumed).toEqual([3, 1, 2])
    expect(server.pause.waitingCount).toBe(0)
  })

  test('forgets who has gone', () => {
    const server = newServer()
    server.pause.begin(PausePurpose.CLIENT, PauseMode.ALL, FOR_EVER)
    run(server, join(server, 1), 'PING')
    server.connections.get(1)!.close()
    expect(server.pause.waitingCount).toBe(0)
  })

  test('keeps keys past their time while it lasts', () => {
    const server = newServer()
    server.pause.begin(PausePurpose.CLIENT, PauseMode.WRITE, FOR_EVER)
    expect(server.keyspace.expiryPaused).toBe(true)
    server.pause.end(PausePurpose.CLIENT)
    expect(server.keyspace.expiryPaused).toBe(false)
  })
})
