import { expect, test } from 'vitest'
import { Session } from '../../../src/commands/session.ts'
import type { Connection } from '../../../src/server/connection.ts'
import { newServer, run } from './support.ts'

test.each([
  [false, ':0\r\n', 0],
  [true, '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n', 1],
])(
  'a command that waited is answered and counted when the wait ends (with an error: %s)',
  (asError, answer, failed) => {
    const server = newServer()
    const session = new Session(1)
    let sent = ''
    const send = (bytes: Uint8Array) => {
      sent += Buffer.from(bytes).toString()
    }
    const connection = { session, send, resume: () => {}, close: () => {} } as unknown as Connection
    server.connections.set(1, connection)
    expect(run(server, session, 'WAIT', '1', '0')).toBe('')
    const { calls, failed: failures } = server.dispatcher.statistics
    const { id } = server.table.get('wait')!
    expect([server.waiting.count, calls[id]]).toEqual([1, 0])
    expect(server.unblock?.(connection, asError)).toBe(true)
    expect([sent, calls[id], failures[id]]).toEqual([answer, 1, failed])
  },
)
