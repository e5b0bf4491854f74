import { expect, test } from 'vitest'
import { Session } from '../../../src/commands/session.ts'
import type { Connection } from '../../../src/server/connection.ts'
import { newServer, run } from './support.ts'

/** What a monitor is shown of a command, from its first argument on. */
async function shown(lineSizeMax: number, ...args: readonly string[]): Promise<string> {
  const server = newServer()
  let text = ''
  const send = (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString('latin1')
  }
  server.monitors.add({ session: new Session(2), send } as unknown as Connection)
  server.monitors.lineSizeMax = lineSizeMax
  run(server, new Session(1), ...args)
  await new Promise((resolve) => setImmediate(resolve))
  return text.slice(text.indexOf('"'))
}

test('a line that would be too long is cut', async () => {
  expect(await shown(1000, 'SET', 'k', 'v'.repeat(100))).toBe(`"SET" "k" "${'v'.repeat(100)}"\r\n`)
  expect(await shown(300, 'SET', 'k', 'v'.repeat(100))).toMatch(/^"SET" "k" "v{40,70}"\r\n$/)
  expect(await shown(300, 'SET', 'k', '\0'.repeat(100))).toMatch(/^"SET" "k" "(\\x00){40,70}"\r\n$/)
  const many = Array.from({ length: 60 }, () => 'kk')
  expect(await shown(300, 'DEL', ...many)).toMatch(/^"DEL"( "kk"){20,60}\r\n$/)
})
