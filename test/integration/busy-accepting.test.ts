/* New connections while a script runs too long: the loop stands still, and they are served all the same. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Address, encode, RawClient } from '../helpers/raw-client.ts'
import { freePort, startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, body, connect, OK } from './support.ts'

const ENDLESS = 'while true do end'

async function start(...args: string[]): Promise<TestServer> {
  const server = await startCinnabar({ args: ['--busy-reply-threshold', '20', ...args] })
  onTestFinished(async () => void (await server.stop()))
  return server
}

/** Somebody who comes when the script has begun: a connection made only then. */
async function come(address: Address): Promise<RawClient> {
  const client = await RawClient.connect(address)
  onTestFinished(() => client.close())
  return client
}

/** Calls `during` while a script runs that ends only when it is killed; what the script's client was answered. */
async function whileBusy(address: Address, during: () => Promise<void>): Promise<string> {
  const runner = await come(address)
  expect(await ask(runner, 'PING')).toBe('+PONG\r\n') // it is served: what it sends now comes before others do
  const ended = ask(runner, 'EVAL', ENDLESS, '0')
  await during()
  return ended
}

const KILLED = /^-ERR Script killed by user with SCRIPT KILL/
const BUSY = /^-BUSY Redis is busy running a script\./

test('somebody new is told BUSY, may end the script, and is served on', async () => {
  const server = await start()
  for (let round = 0; round < 3; round++) {
    const clients: RawClient[] = []
    const ended = await whileBusy(server.port, async () => {
      for (let count = 0; count < 20; count++) clients.push(await come(server.port))
      expect(await Promise.all(clients.map((client) => ask(client, 'PING')))).toEqual(
        clients.map(() => expect.stringMatching(BUSY)),
      )
      expect(await ask(clients[7]!, 'SCRIPT', 'KILL')).toBe(OK)
    })
    expect(ended).toMatch(KILLED)
    for (const [index, client] of clients.entries()) {
      expect(await ask(client, 'SET', `key:${index}`, 'x'.repeat(100_000))).toBe(OK)
      expect(body(await ask(client, 'GET', `key:${index}`))).toBe('x'.repeat(100_000))
      if (index % 2 === 0) client.close()
    }
  }
  // Descriptors of the closed ones have been used again, and all work that are left.
  const last = await connect(server)
  expect(await ask(last, 'PING')).toBe('+PONG\r\n')
  expect((await server.stop()).code).toBe(0)
})

test('so it is at a Unix socket, and where the server has moved to', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-busy-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'socket')
  const server = await start('--unixsocket', path)
  const killBy = (address: Address): Promise<string> =>
    whileBusy(address, async () => {
      const client = await come(address)
      expect(await ask(client, 'PING')).toMatch(BUSY)
      expect(await ask(client, 'SCRIPT', 'KILL')).toBe(OK)
    })
  expect(await killBy({ path })).toMatch(KILLED)
  const client = await come(server.port)
  const port = await freePort()
  expect(await ask(client, 'CONFIG', 'SET', 'port', String(port))).toBe(OK)
  expect(await killBy(port)).toMatch(KILLED)
  expect(await killBy({ path })).toMatch(KILLED)
})

test('so it is where it listens at the same descriptors as before, but anew', async () => {
  const server = await start('--bind', '127.0.0.1')
  const runner = await connect(server)
  for (let round = 0; round < 3; round++) {
    const ended = ask(runner, 'EVAL', ENDLESS, '0')
    expect(await ask(await come(server.port), 'SCRIPT', 'KILL')).toBe(OK)
    expect(await ended).toMatch(KILLED)
    for (const bind of ['127.0.0.1 127.0.0.2', '127.0.0.1'])
      expect(await ask(runner, 'CONFIG', 'SET', 'bind', bind)).toBe(OK)
  }
})

test('somebody new may end the server', async () => {
  const server = await start()
  const runner = await connect(server)
  runner.send(encode('EVAL', ENDLESS, '0'))
  const client = await come(server.port)
  client.send(encode('SHUTDOWN', 'NOSAVE'))
  expect((await server.exited).code).toBe(0)
})

test('where the system gives no thread, somebody new waits for the end, and the log says so', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-busy-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const preload = join(dir, 'no-threads.cjs')
  const message = 'Worker initialization failure: EAGAIN'
  const program = `require('node:worker_threads').Worker = class { constructor() { throw new Error('${message}') } }
    require('node:module').syncBuiltinESMExports()`
  writeFileSync(preload, program)
  const poor = await startCinnabar({
    args: ['--busy-reply-threshold', '20'],
    env: { NODE_OPTIONS: `--require ${preload}` },
  })
  onTestFinished(async () => void (await poor.stop()))
  const [runner, client] = [await connect(poor), await connect(poor)]
  expect(await ask(client, 'PING')).toBe('+PONG\r\n')
  const ended = ask(runner, 'EVAL', ENDLESS, '0')
  await poor.waitForLog(new RegExp(`No connections are accepted while a script runs: ${message}`))
  const late = await come(poor.port)
  const answer = ask(late, 'PING')
  expect(await ask(client, 'PING')).toMatch(BUSY)
  expect(await ask(client, 'SCRIPT', 'KILL')).toBe(OK)
  expect(await ended).toMatch(KILLED)
  expect(await answer).toBe('+PONG\r\n')
})

test('who must say a password first must do so then', async () => {
  const server = await start('--requirepass', 'secret')
  const runner = await come(server.port)
  expect(await ask(runner, 'AUTH', 'secret')).toBe(OK)
  const ended = ask(runner, 'EVAL', ENDLESS, '0')
  const client = await come(server.port)
  expect(await ask(client, 'SCRIPT', 'KILL')).toMatch(/^-NOAUTH /)
  expect(await ask(client, 'AUTH', 'secret')).toBe(OK)
  expect(await ask(client, 'SCRIPT', 'KILL')).toBe(OK)
  expect(await ended).toMatch(KILLED)
})

test('no more are let in than maxclients', async () => {
  const server = await start('--maxclients', '3')
  const ended = await whileBusy(server.port, async () => {
    const [first, second] = [await come(server.port), await come(server.port)]
    expect(await ask(first, 'PING')).toMatch(BUSY)
    expect(await ask(second, 'PING')).toMatch(BUSY)
    const third = await come(server.port)
    expect(String(await third.reply())).toMatch(/^-ERR max number of clients reached/)
    await third.closed
    expect(await ask(first, 'SCRIPT', 'KILL')).toBe(OK)
  })
  expect(ended).toMatch(KILLED)
})

test('who comes and goes takes no place of others', async () => {
  const server = await start('--maxclients', '4')
  const ended = await whileBusy(server.port, async () => {
    for (let count = 0; count < 20; count++) {
      const client = await come(server.port)
      expect(await ask(client, 'PING')).toMatch(BUSY)
      if (count % 2 === 0) client.socket.resetAndDestroy()
      else await client.close()
    }
    expect(await ask(await come(server.port), 'SCRIPT', 'KILL')).toBe(OK)
  })
  expect(ended).toMatch(KILLED)
})
