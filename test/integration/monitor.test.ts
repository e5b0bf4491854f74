import { describe, expect, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import type { TestServer } from '../helpers/servers.ts'
import { ask, connect, describeClient, eventually, listClients, OK, useServer } from './support.ts'

const LINE = /^\+\d{10}\.\d{6} \[(\d+) ([^\]]+)\] (.*)\r\n$/s

/** The next line that a monitor is shown: database, client and command. */
async function shown(monitor: RawClient): Promise<{ db: string; from: string; command: string }> {
  const line = (await monitor.reply()).toString('latin1')
  const [, db, from, command] = LINE.exec(line) ?? []
  if (db === undefined || from === undefined || command === undefined) throw new Error(`no line: ${line}`)
  return { db, from, command }
}

async function watch(server: TestServer): Promise<RawClient> {
  const monitor = await connect(server)
  expect(await ask(monitor, 'MONITOR')).toBe(OK)
  return monitor
}

describe('MONITOR', () => {
  const server = useServer()

  test('shows what every client does, every argument quoted', async () => {
    const [monitor, client] = [await watch(server()), await connect(server())]
    await ask(client, 'set', 'a "key"', Buffer.from([0, 10, 13, 92, 255]))
    await ask(client, 'SELECT', '7')
    await ask(client, 'GET', '')
    const { port } = client.socket.address() as { port: number }
    expect(await shown(monitor)).toEqual({
      db: '0',
      from: `127.0.0.1:${port}`,
      command: String.raw`"set" "a \"key\"" "\x00\n\r\\\xff"`,
    })
    expect(await shown(monitor)).toMatchObject({ db: '7', command: '"SELECT" "7"' })
    expect(await shown(monitor)).toMatchObject({ db: '7', command: '"GET" ""' })
  })

  test('shows commands that fail, but none that is refused or administrative', async () => {
    const [monitor, client] = [await watch(server()), await connect(server())]
    await ask(client, 'SET', 'text', 'x')
    for (const command of ['NOSUCH', 'GET', 'CONFIG GET x', 'CLIENT LIST', 'INCR text', 'CLIENT ID']) {
      await ask(client, ...command.split(' '))
    }
    const commands = [await shown(monitor), await shown(monitor), await shown(monitor)].map(({ command }) => command)
    expect(commands).toEqual(['"SET" "text" "x"', '"INCR" "text"', '"CLIENT" "ID"'])
  })

  test('shows no secrets', async () => {
    const [monitor, client] = [await watch(server()), await connect(server())]
    await ask(client, 'AUTH', 'secret')
    await ask(client, 'auth', 'user', 'secret')
    await ask(client, 'HELLO', '2', 'SETNAME', 'me', 'AUTH', 'user', 'secret')
    expect(await shown(monitor)).toMatchObject({ command: '"AUTH" "(redacted)"' })
    expect(await shown(monitor)).toMatchObject({ command: '"auth" "(redacted)" "(redacted)"' })
    expect(await shown(monitor)).toMatchObject({
      command: '"HELLO" "2" "SETNAME" "me" "AUTH" "(redacted)" "(redacted)"',
    })
  })

  test('shows a monitor its own commands behind their replies, and keeps it from the data', async () => {
    const [monitor, other] = [await watch(server()), await watch(server())]
    expect(await ask(monitor, 'PING')).toBe('+PONG\r\n')
    expect(await shown(monitor)).toMatchObject({ command: '"PING"' })
    expect(await shown(other)).toMatchObject({ command: '"PING"' })
    expect(await ask(monitor, 'GET', 'x')).toBe("-ERR Replica can't interact with the keyspace\r\n")
    expect(await describeClient(monitor)).toMatchObject({ flags: 'O' })
    expect(monitor.takeUnclaimed().map(String)).toEqual([expect.stringMatching(/"CLIENT" "INFO"\r\n$/)])
  })

  test('is not answered twice, and ends with RESET', async () => {
    const monitor = await watch(server())
    monitor.send(Buffer.concat([encode('MONITOR'), encode('RESET'), encode('PING')]))
    expect((await monitor.replies(2)).map(String)).toEqual(['+RESET\r\n', '+PONG\r\n'])
    expect(await describeClient(monitor)).toMatchObject({ flags: 'N' })
  })

  test('ends with the connection', async () => {
    const [monitor, client] = [await watch(server()), await connect(server())]
    await ask(client, 'PING')
    await monitor.close()
    await eventually(async () => (await listClients(client)).every((fields) => fields['flags'] !== 'O'))
    expect(await ask(client, 'GET', 'x')).toBe('$-1\r\n')
  })

  test('keeps up with a pipeline, and loses nothing', async () => {
    const [monitor, client] = [await watch(server()), await connect(server())]
    const count = 50_000
    client.send(Buffer.concat(Array.from({ length: count }, (_, index) => encode('ECHO', index))))
    await client.replies(count)
    for (let index = 0; index < count; index++) {
      const { command } = await shown(monitor)
      if (command !== `"ECHO" "${index}"`) expect(command).toBe(`"ECHO" "${index}"`)
    }
  })
})
