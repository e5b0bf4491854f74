import { expect, onTestFinished, test, vi } from 'vitest'
import { Input } from '../../../src/server/input.ts'
import { encode, RawClient } from '../../helpers/raw-client.ts'
import { newServer } from './support.ts'

test('a long backlog is worked through in order, and not moved in each of the many turns that it takes', async () => {
  const server = newServer()
  expect(server.start({ anyPort: true, load: false })).toBe(true)
  const [admin, client] = [await RawClient.connect(server.listener.port), await RawClient.connect(server.listener.port)]
  await admin.command('CLIENT', 'PAUSE', 100_000, 'WRITE')
  const requests = Array.from({ length: 60_000 }, (_, index) => encode('APPEND', 'k', String(index % 10)))
  const backlog = Buffer.concat(requests)
  client.send(backlog)
  await vi.waitUntil(() => server.stats.bytesRead > backlog.length, 10_000)
  let moved = 0
  const { consume } = Input.prototype
  const spy = vi.spyOn(Input.prototype, 'consume').mockImplementation(function (this: Input, pos) {
    if (pos > 0) moved += this.len - pos
    consume.call(this, pos)
  })
  onTestFinished(() => spy.mockRestore())
  await admin.command('CLIENT', 'UNPAUSE')
  const replies = await client.replies(requests.length)
  expect(replies.every((reply, index) => String(reply) === `:${index + 1}\r\n`)).toBe(true)
  expect(moved).toBeLessThan(2 * backlog.length)
  await Promise.all([admin.close(), client.close()])
})
