/* What goes wrong around a server: clients that stall, vanish, flood or do not read; a machine that lacks what the
 * configuration asks for; signals. */
import { existsSync, readFileSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { type StartOptions, sleep, startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, body, connect, eventually, listClients, OK, openFilesAllowed, useServer } from './support.ts'

const MB = 1024 * 1024
const REFUSAL = '-ERR max number of clients reached\r\n'

const figure = async (client: RawClient, section: string, field: string): Promise<number> =>
  Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(body(await ask(client, 'INFO', section)))?.[1])

const connectedClients = (client: RawClient): Promise<number> => figure(client, 'clients', 'connected_clients')

/** A socket that nobody reads from until somebody does. */
async function open(server: TestServer): Promise<Socket> {
  const socket = connectSocket({ port: server.port, host: '127.0.0.1' })
  socket.on('error', () => {}) // told by 'close'
  onTestFinished(() => void socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

describe('a client', () => {
  const server = useServer()

  test('that stalls in the middle of a request keeps nobody waiting, and is served when it goes on', async () => {
    const [stalled, other] = [await connect(server()), await connect(server())]
    const request = encode('SET', 'stalled', 'x'.repeat(100_000))
    stalled.send(request.subarray(0, 60_000))
    for (let count = 0; count < 100; count++) expect(await ask(other, 'PING')).toBe('+PONG\r\n')
    expect(await ask(other, 'EXISTS', 'stalled')).toBe(':0\r\n')
    stalled.send(request.subarray(60_000))
    expect(String(await stalled.reply())).toBe(OK)
  })

  test('that ends its side in the middle of a request is gone, and what it began is not done', async () => {
    const [half, admin] = [await open(server()), await connect(server())]
    half.end(encode('SET', 'half', 'x'.repeat(1000)).subarray(0, 500))
    await eventually(async () => (await connectedClients(admin)) === 1)
    expect(await ask(admin, 'EXISTS', 'half')).toBe(':0\r\n')
  })

  test.each(['before a request', 'in the middle of one', 'while its replies are on their way'])(
    'that resets its connection %s is gone',
    async (when) => {
      const admin = await connect(server())
      await ask(admin, 'SET', 'item', Buffer.alloc(MB))
      for (let round = 0; round < 50; round++) {
        const socket = await open(server())
        if (when === 'in the middle of one') socket.write(encode('SET', 'reset', 'x'.repeat(1000)).subarray(0, 500))
        if (when.startsWith('while')) for (let count = 0; count < 20; count++) socket.write(encode('GET', 'item'))
        if (round % 2 === 0) await sleep(2)
        socket.resetAndDestroy()
      }
      await eventually(async () => (await connectedClients(admin)) === 1)
      expect(await ask(admin, 'EXISTS', 'reset')).toBe(':0\r\n')
      await eventually(async () => (await figure(admin, 'memory', 'mem_clients_normal')) < MB)
    },
  )

  test('that never reads is closed at the limit of its output buffer, and its memory is given back', async () => {
    const admin = await connect(server())
    await ask(admin, 'SET', 'item', Buffer.alloc(MB))
    await ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', 'normal 32mb 0 0')
    for (let round = 0; round < 3; round++) {
      const socket = await open(server())
      socket.pause()
      for (let count = 0; count < 200; count++) socket.write(encode('GET', 'item'))
      const closings = (): number =>
        server()
          .log()
          .match(/closed ASAP for overcoming of output buffer/g)?.length ?? 0
      await eventually(() => closings() > round)
    }
    await eventually(async () => (await connectedClients(admin)) === 1)
    await eventually(async () => (await figure(admin, 'memory', 'mem_clients_normal')) < MB)
    await eventually(() => residentSize(server()) < 250 * MB, 'the end of the replies that nobody read')
    await ask(admin, 'CONFIG', 'SET', 'client-output-buffer-limit', 'normal 0 0 0')
  })

  test('that sends and never reads, without a limit, does not stop the others', async () => {
    const [admin, silent] = [await connect(server()), await open(server())]
    silent.pause()
    for (let count = 0; count < 100; count++) silent.write(encode('GET', 'item'))
    for (let count = 0; count < 20; count++) expect(await ask(admin, 'PING')).toBe('+PONG\r\n')
    await eventually(async () => (await listClients(admin)).some((fields) => Number(fields['omem']) > 50 * MB))
    silent.destroy()
    await eventually(async () => (await connectedClients(admin)) === 1)
  })

  test('that is killed while it reads a long reply is gone', async () => {
    const [admin, reader] = [await connect(server()), await open(server())]
    reader.pause()
    for (let count = 0; count < 50; count++) reader.write(encode('GET', 'item'))
    await eventually(async () => (await listClients(admin)).some((fields) => Number(fields['omem']) > 10 * MB))
    expect(await ask(admin, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')).toBe(':1\r\n')
    expect(await connectedClients(admin)).toBe(1)
  })
})

const residentSize = (server: TestServer): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))?.[1]) * 1024

/** What a socket receives until it is closed. */
async function receiveAll(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => {
    text += String(chunk)
  })
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return text
}

describe('a flood of connections', () => {
  test('past maxclients is turned away, and the server is none the worse', async () => {
    const server = await startCinnabar({ args: ['--maxclients', '50'] })
    onTestFinished(async () => void (await server.stop()))
    const admin = await connect(server)
    const allowed = await Promise.all(Array.from({ length: 49 }, () => connect(server)))
    for (const client of allowed) expect(await ask(client, 'PING')).toBe('+PONG\r\n')
    const refused = await Promise.all(Array.from({ length: 1000 }, () => open(server)))
    const texts = await Promise.all(refused.map(receiveAll))
    expect(new Set(texts)).toEqual(new Set([REFUSAL]))
    expect(await connectedClients(admin)).toBe(50)
    expect(await figure(admin, 'stats', 'rejected_connections')).toBe(1000)
    for (const client of allowed) expect(await ask(client, 'PING')).toBe('+PONG\r\n')
    await Promise.all(allowed.map((client) => client.close()))
    await eventually(async () => (await connectedClients(admin)) === 1)
    expect(await ask(await connect(server), 'PING')).toBe('+PONG\r\n')
  })

  test('past the file descriptors that the system allows is turned away, too', async () => {
    const server = await startCinnabar({ shell: 'ulimit -n 128' })
    onTestFinished(async () => void (await server.stop()))
    await server.waitForLog(/maxclients has been reduced to 96 to compensate for low ulimit/)
    const admin = await connect(server)
    const sockets = await Promise.all(Array.from({ length: 300 }, () => open(server)))
    const closed = sockets.slice(150).map(receiveAll)
    for (const text of await Promise.all(closed)) expect(['', REFUSAL]).toContain(text)
    expect(await ask(admin, 'PING')).toBe('+PONG\r\n')
    for (const socket of sockets) socket.destroy()
    await eventually(async () => (await connectedClients(admin)) === 1)
  })

  test('of ten thousand, all at once, is served', async () => {
    const wanted = 10_000
    const allowed = openFilesAllowed()
    const count = Math.min(wanted, allowed - 200)
    if (count < wanted) console.warn(`ONLY ${count} CONNECTIONS AT ONCE ARE TESTED: ulimit -n is ${allowed}`)
    const server = await startCinnabar({ args: ['--maxclients', String(count + 1), '--tcp-backlog', '4096'] })
    onTestFinished(async () => void (await server.stop()))
    const admin = await connect(server)
    const empty = residentSize(server)
    const sockets = await Promise.all(Array.from({ length: count }, () => open(server)))
    const replies = sockets.map(
      (socket) => new Promise((resolve) => socket.once('data', (chunk) => resolve(String(chunk)))),
    )
    for (const socket of sockets) socket.write(encode('PING'))
    expect(new Set(await Promise.all(replies))).toEqual(new Set(['+PONG\r\n']))
    expect(await connectedClients(admin)).toBe(count + 1)
    const perConnection = (residentSize(server) - empty) / count
    console.log(`${count} connections take ${(perConnection / 1024).toFixed(1)} KB each`)
    expect(perConnection).toBeLessThan(16 * 1024)
    for (const socket of sockets) socket.destroy()
    await eventually(async () => (await connectedClients(admin)) === 1)
  })
})

describe('the start fails, with a clear message and a status that is not 0,', () => {
  async function outcome(options: StartOptions): Promise<{ code: number | null; output: string }> {
    const server = await startCinnabar({ ...options, wait: false })
    const { code } = await server.exited
    await server.stop()
    return { code, output: server.log() }
  }

  test('when the port is taken', async () => {
    const first = await startCinnabar()
    onTestFinished(async () => void (await first.stop()))
    const { code, output } = await outcome({ port: first.port })
    expect(code).toBe(1)
    expect(output).toContain(
      `Could not create server TCP listening socket 127.0.0.1:${first.port}: bind: Address already in use`,
    )
    expect(output).toContain(`Failed listening on port ${first.port} (tcp), aborting.`)
    expect(await ask(await connect(first), 'PING')).toBe('+PONG\r\n')
  })

  test.each<[string, readonly string[], string]>([
    ['the address is not ours', ['--bind', '192.0.2.1'], 'bind: Cannot assign requested address'],
    ['dir does not exist', ['--dir', '/nonexistent'], `>>> 'dir "/nonexistent"'\nNo such file or directory\n`],
    ['the log file cannot be', ['--logfile', '/nonexistent/log'], "Can't open the log file: No such file or directory"],
    ['the Unix socket cannot be', ['--unixsocket', '/nonexistent/s'], 'Unix socket /nonexistent/s: bind: No such file'],
    ['its name is too long', ['--unixsocket', `/tmp/${'x'.repeat(108)}`], 'bind: File name too long'],
    ['a directive is unknown', ['--colour', 'red'], `>>> 'colour "red"'\nBad directive or wrong number of arguments\n`],
    ['a value is wrong', ['--port', 'x'], `>>> 'port "x"'\nargument couldn't be parsed into an integer\n`],
    ['a value is missing', ['--maxmemory'], `>>> 'maxmemory'\nwrong number of arguments\n`],
    ['there is nowhere to listen', ['--port', '0'], 'Configured to not listen anywhere, exiting.'],
  ])('when %s', async (_, args, message) => {
    const { code, output } = await outcome({ args })
    expect(code).toBe(1)
    expect(output).toContain(message)
  })

  test('when a line of the configuration file is bad: it says which', async () => {
    const { code, output } = await outcome({ config: 'timeout 3\n\nmaxmemory "1gb\n' })
    expect(code).toBe(1)
    expect(output).toMatch(
      /at line 3\n>>> 'maxmemory "1gb'\nUnbalanced quotes in configuration line\n\(.*redis\.conf, line 3\)\n/,
    )
  })

  test('when an included file cannot be read, or is none', async () => {
    for (const [path, reason] of [
      ['/nonexistent/x.conf', 'No such file or directory'],
      ['/', 'Is a directory'],
    ]) {
      const { code, output } = await outcome({ config: `include ${path}\n` })
      expect(code).toBe(1)
      expect(output).toContain(`Fatal error, can't open config file '${path}': ${reason}`)
    }
  })
})

describe('the end', () => {
  test('comes with SIGTERM: status 0, and the log says so', async () => {
    const server = await startCinnabar()
    const client = await connect(server)
    expect(await ask(client, 'SET', 'k', 'v')).toBe(OK)
    expect(await server.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    await client.closed
    const lines = ['Received SIGTERM scheduling shutdown...', 'User requested shutdown...', 'bye bye...']
    const places = lines.map((line) => server.log().indexOf(line))
    expect(places).not.toContain(-1)
    expect(places).toEqual(places.toSorted((left, right) => left - right))
  })

  test('does not come with SIGHUP', async () => {
    const server = await startCinnabar()
    server.process.kill('SIGHUP')
    await sleep(200)
    expect(await server.stop('SIGTERM')).toEqual({ code: 0, signal: null })
  })

  test('comes with SIGINT, and at once with a second one', async () => {
    const polite = await startCinnabar()
    expect(await polite.stop('SIGINT')).toEqual({ code: 0, signal: null })
    expect(polite.log()).toContain('Received SIGINT scheduling shutdown...')

    const insisted = await startCinnabar({ args: ['--hz', '1'] })
    insisted.process.kill('SIGINT')
    await insisted.waitForLog(/Received SIGINT/)
    expect(await insisted.stop('SIGINT')).toEqual({ code: 1, signal: null })
    expect(insisted.log()).toContain('You insist... exiting now.')
  })

  test.each([
    ['nobody reads the log any more', ['--loglevel', 'debug']],
    ['the log cannot be written', ['--loglevel', 'debug', '--logfile', '/dev/full']],
  ])('does not come when %s', async (_, args) => {
    const server = await startCinnabar({ args })
    onTestFinished(async () => void (await server.stop()))
    server.process.stdout!.destroy()
    for (let round = 0; round < 20; round++) {
      const client = await connect(server)
      client.send('*x\r\n')
      await client.closed
    }
    expect(await ask(await connect(server), 'PING')).toBe('+PONG\r\n')
  })
})

test('CONFIG SET loglevel decides what is logged from then on', async () => {
  const server = await startCinnabar()
  onTestFinished(async () => void (await server.stop()))
  const misspeak = async (bytes: string): Promise<void> => {
    const client = await connect(server)
    client.send(bytes)
    await client.closed
  }
  await misspeak('*quiet\r\n')
  const admin = await connect(server)
  expect(await ask(admin, 'CONFIG', 'SET', 'loglevel', 'verbose')).toBe(OK)
  await misspeak('*loud\r\n')
  await server.waitForLog(/Protocol error .*loud/)
  expect(server.log()).not.toContain('quiet')
})

test('the pid file is there while the server is', async () => {
  const server = await startCinnabar({ args: ['--pidfile', 'server.pid'] })
  const file = join(server.dir, 'server.pid')
  expect(readFileSync(file, 'utf8')).toBe(`${server.pid}\n`)
  server.process.kill('SIGTERM')
  await server.exited
  expect(existsSync(file)).toBe(false)
  await server.stop()
})

test('a pid file that cannot be written keeps nobody from starting', async () => {
  const server = await startCinnabar({ args: ['--logfile', 'log.txt', '--pidfile', '/nonexistent/pid'] })
  onTestFinished(async () => void (await server.stop()))
  expect(await ask(await connect(server), 'PING')).toBe('+PONG\r\n')
  expect(readFileSync(join(server.dir, 'log.txt'), 'utf8')).toContain('Ready to accept connections')
})
