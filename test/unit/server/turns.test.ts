import { expect, test, vi } from 'vitest'
import type { Link } from '../../../src/server/native-handles.ts'
import { RawClient } from '../../helpers/raw-client.ts'
import { newServer } from './support.ts'

const PING = Buffer.from('*1\r\n$4\r\nPING\r\n')

test.each([
  ['when what it sent has taken long, though each read did not', 1.5, [false, true]],
  ['not as long as others wait for it but shortly', 0.5, [false, false, false, false, true]],
])('a client that sends without end lets others have their turn, %s', async (_name, readMs, expected) => {
  const server = newServer()
  expect(server.start({ anyPort: true, load: false })).toBe(true)
  const client = await RawClient.connect(server.listener.port)
  await client.command('PING')
  const connection = [...server.connections.values()][0]!
  const { link } = connection as unknown as { link: Link }
  const pause = vi.spyOn(link, 'pause')
  vi.spyOn(server.dispatcher, 'elapsedMs', 'get').mockReturnValue(readMs)
  const { bytes } = server.wire
  const { received } = connection as unknown as { received(len: number): boolean }
  /** As when a read fills the buffer. */
  const readFull = (): boolean => {
    bytes.fill(0x0a) // empty requests
    for (let at = 0; at + PING.length <= bytes.length; at += PING.length) bytes.set(PING, at)
    received.call(connection, bytes.length)
    return pause.mock.calls.length > 0
  }
  expect(expected.map(readFull)).toEqual(expected)
  await client.close()
})
