import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode, RawClient } from '../helpers/raw-client.ts'
import { sleep, startCinnabar } from '../helpers/servers.ts'
import { ask, body, connect, describeClient, eventually, listClients, OK, useServer } from './support.ts'

const SYNTAX = '-ERR syntax error\r\n'

describe('CLIENT LIST and INFO', () => {
  const server = useServer()

  test("describe a client in Redis 7.2's fields", async () => {
    const client = await connect(server())
    const port = (client.socket.address() as { port: number }).port
    await ask(client, 'CLIENT', 'SETINFO', 'LIB-VER', '1.2')
    const line = body(await ask(client, 'CLIENT', 'INFO'))
    expect(line).toMatch(
      new RegExp(
        `^id=\\d+ addr=127\\.0\\.0\\.1:${port} laddr=127\\.0\\.0\\.1:${server().port} fd=\\d+ name= age=\\d+ ` +
          'idle=\\d+ flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=26 qbuf-free=\\d+ argv-mem=10 multi-mem=0 ' +
          'rbs=\\d+ rbp=\\d+ obl=0 oll=0 omem=0 tot-mem=\\d+ events=r cmd=client\\|info user=default redir=-1 ' +
          'resp=2 lib-name= lib-ver=1\\.2 watch=0\\n$',
      ),
    )
  })

  test('list all, or those of a type or an id', async () => {
    const [first, second] = [await connect(server()), await connect(server())]
    const id = (await describeClient(second))['id']!
    expect((await listClients(first)).map((fields) => fields['id'])).toContain(id)
    expect(body(await ask(first, 'CLIENT', 'LIST', 'ID', id, 999_999))).toMatch(new RegExp(`^id=${id} [^\\n]*\\n$`))
    expect(await ask(first, 'CLIENT', 'LIST', 'TYPE', 'pubsub')).toBe('$0\r\n\r\n')
    expect(body(await ask(first, 'CLIENT', 'LIST', 'TYPE', 'NORMAL'))).toContain(`id=${id} `)
    expect(await ask(first, 'CLIENT', 'LIST', 'TYPE', 'x')).toBe("-ERR Unknown client type 'x'\r\n")
    expect(await ask(first, 'CLIENT', 'LIST', 'ID', 'x')).toBe('-ERR Invalid client ID\r\n')
    expect(await ask(first, 'CLIENT', 'LIST', 'ID')).toBe(SYNTAX)
  })

  test('are verbatim text in RESP3', async () => {
    const client = await connect(server())
    await ask(client, 'HELLO', '3')
    expect(await ask(client, 'CLIENT', 'INFO')).toMatch(/^=\d+\r\ntxt:id=\d+ /)
  })

  test("tell the other clients' last command, cut requests and waiting output", async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    const { id } = await describeClient(other)
    const look = async () => (await listClients(client)).find((fields) => fields['id'] === id)!
    await ask(other, 'NOSUCH')
    expect(await look()).toMatchObject({ cmd: 'NULL', 'argv-mem': '0', qbuf: '0' })
    await ask(other, 'GET')
    expect(await look()).toMatchObject({ cmd: 'get' })
    other.send('*2\r\n$3\r\nGET\r\n$3\r\nb')
    await eventually(async () => (await look())['qbuf'] === '1')
    await ask(client, 'SET', 'big', Buffer.alloc(64 * 1024 * 1024))
    other.pause()
    other.send('ig\r\n')
    await eventually(async () => Number((await look())['omem']) > 1024 * 1024)
    expect(await look()).toMatchObject({ oll: '1', events: 'rw', cmd: 'get' })
    other.resume()
    await eventually(async () => (await look())['omem'] === '0')
    expect(await look()).toMatchObject({ oll: '0', events: 'r' })
  })

  test('tell who subscribes, queues, waits or watches, and what it did last', async () => {
    const states = {
      subscriber: [
        ['SUBSCRIBE', 'a', 'b'],
        ['PSUBSCRIBE', 'p*'],
        ['SSUBSCRIBE', 's'],
        ['GET', 'refused'],
      ],
      unsubscribed: [['SUBSCRIBE', 'a'], ['UNSUBSCRIBE']],
      reader: [
        ['HELLO', '3'],
        ['SUBSCRIBE', 'a'],
        ['GET', 'k'],
      ],
      queuing: [['SELECT', '3'], ['WATCH', 'k'], ['MULTI'], ['SET', 'k', 'hello'], ['SUBSCRIBE', 'q']],
      beginning: [['MULTI']],
      spoiled: [['MULTI'], ['SET', 'k']],
      waiter: [['BLPOP', 'none', 'none2', '0']],
      both: [
        ['HELLO', '3'],
        ['SUBSCRIBE', 'a'],
        ['BLMOVE', 'none', 'x', 'LEFT', 'RIGHT', '0'],
      ],
      notWaiting: [['MULTI'], ['BLPOP', 'none', '0'], ['EXEC']],
      monitor: [['MONITOR']],
      tracker: [
        ['HELLO', '3'],
        ['CLIENT', 'TRACKING', 'ON', 'BCAST'],
      ],
    }
    const admin = await connect(server())
    const names = new Map<string, string>()
    for (const [name, commands] of Object.entries(states)) {
      const client = await connect(server())
      names.set((await describeClient(client))['id']!, name)
      client.send(Buffer.concat(commands.map((words) => encode(...words))))
    }
    const seen = async () => {
      const lines = (await listClients(admin)).filter((fields) => names.has(fields['id']!))
      return Object.fromEntries(lines.map((fields) => [names.get(fields['id']!)!, fields]))
    }
    const isDone = ([name, commands]: [string, string[][]], lines: Awaited<ReturnType<typeof seen>>) =>
      lines[name]!['cmd']!.split('|')[0] === commands.at(-1)![0]!.toLowerCase()
    await eventually(async () => {
      const lines = await seen()
      return Object.entries(states).every((state) => isDone(state, lines))
    }, 'all states')
    const idle = { flags: 'N', sub: '0', psub: '0', ssub: '0', multi: '-1', watch: '0', 'argv-mem': '0', redir: '-1' }
    // As Redis 7.2.4 answers.
    expect(await seen()).toMatchObject({
      subscriber: { ...idle, flags: 'P', sub: '2', psub: '1', ssub: '1', cmd: 'get', resp: '2' },
      unsubscribed: { ...idle, cmd: 'unsubscribe' },
      reader: { ...idle, flags: 'P', sub: '1', cmd: 'get', resp: '3' },
      queuing: { ...idle, flags: 'x', db: '3', multi: '2', watch: '1', 'multi-mem': '59', cmd: 'subscribe' },
      beginning: { ...idle, flags: 'x', multi: '0', 'multi-mem': '0', cmd: 'multi' },
      spoiled: { ...idle, flags: 'x', multi: '0', cmd: 'set' },
      waiter: { ...idle, flags: 'b', 'argv-mem': '15', cmd: 'blpop' },
      both: { ...idle, flags: 'Pb', sub: '1', 'argv-mem': '21', cmd: 'blmove', resp: '3' },
      notWaiting: { ...idle, cmd: 'exec' },
      monitor: { ...idle, flags: 'O', cmd: 'monitor' },
      tracker: { ...idle, flags: 'tB', redir: '0', cmd: 'client|tracking' },
    })
  })

  test('name the path for clients of a Unix socket, whose file goes with the server', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cinnabar-client-'))
    onTestFinished(() => rmSync(dir, { recursive: true }))
    const path = join(dir, 'sock')
    const local = await startCinnabar({ args: ['--unixsocket', path] })
    const client = await RawClient.connect({ path })
    expect(await describeClient(client)).toMatchObject({ addr: `${path}:0`, laddr: `${path}:0`, flags: 'U' })
    expect(await ask(client, 'CLIENT', 'KILL', 'ADDR', `${path}:0`, 'SKIPME', 'no')).toBe(':1\r\n')
    await client.closed
    await local.stop()
    expect(existsSync(path)).toBe(false)
  })
})

describe('CLIENT KILL', () => {
  const server = useServer()

  test('closes one client by its address, and says when there is none', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    const { addr } = await describeClient(other)
    expect(await ask(client, 'CLIENT', 'KILL', addr!)).toBe(OK)
    await other.closed
    expect(await ask(client, 'CLIENT', 'KILL', addr!)).toBe('-ERR No such client\r\n')
  })

  test('closes who passes all filters', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    const { id, addr, laddr } = await describeClient(other)
    const kill = (...filters: (string | undefined)[]) => ask(client, 'CLIENT', 'KILL', ...filters.map(String))
    expect(await kill('ID', id, 'ADDR', '1.1.1.1:1')).toBe(':0\r\n')
    expect(await kill('ID', id, 'TYPE', 'pubsub')).toBe(':0\r\n')
    expect(await kill('ID', id, 'MAXAGE', '1000')).toBe(':0\r\n')
    expect(await kill('ID', '0')).toBe('-ERR client-id should be greater than 0\r\n')
    expect(await kill('ID', id, 'USER', 'bob')).toBe("-ERR No such user 'bob'\r\n")
    expect(await kill('ID', id, 'SKIPME')).toBe(SYNTAX)
    expect(await kill('ID', id, 'TYPE', 'normal', 'USER', 'default', 'ADDR', addr, 'LADDR', laddr)).toBe(':1\r\n')
    await other.closed
  })

  test('spares the caller unless told otherwise, and then answers first', async () => {
    const client = await connect(server())
    const others = await Promise.all([1, 2, 3].map(() => connect(server())))
    await Promise.all(others.map((other) => ask(other, 'PING')))
    expect(await ask(client, 'CLIENT', 'KILL', 'SKIPME', 'yes')).toBe(':3\r\n')
    await Promise.all(others.map((other) => other.closed))
    client.send(Buffer.concat([encode('CLIENT', 'KILL', 'SKIPME', 'no'), encode('SET', 'after-kill', '1')]))
    expect(String(await client.reply())).toBe(':1\r\n')
    await client.closed
    expect(await ask(await connect(server()), 'EXISTS', 'after-kill')).toBe(':0\r\n')
  })
})

describe('CLIENT REPLY', () => {
  const server = useServer()

  /** The replies to all commands, each one word or several. */
  async function replies(...commands: readonly string[]): Promise<string[]> {
    const client = await connect(server())
    client.send(Buffer.concat([...commands, 'ECHO end'].map((command) => encode(...command.split(' ')))))
    const got: string[] = []
    while (got.at(-1) !== '$3\r\nend\r\n') got.push(String(await client.reply()))
    return got.slice(0, -1)
  }

  test('OFF silences everything until ON, errors as well', async () => {
    const on = 'CLIENT REPLY ON'
    expect(await replies('CLIENT REPLY OFF', 'PING', 'NOSUCH', 'CLIENT REPLY SKIP', 'GET', on, 'PING')).toEqual([
      OK,
      '+PONG\r\n',
    ])
  })

  test('SKIP silences one command', async () => {
    expect(await replies('CLIENT REPLY SKIP', 'PING', 'PING')).toEqual(['+PONG\r\n'])
    expect(await replies('CLIENT REPLY SKIP', 'CLIENT REPLY SKIP', 'PING', 'PING')).toEqual(['+PONG\r\n'])
    const twice = ['MULTI', 'CLIENT REPLY SKIP', 'CLIENT REPLY SKIP', 'EXEC', 'PING', 'ECHO a', 'ECHO b']
    // (EXEC announces two replies, which do not come: ECHO's are taken for them.)
    const queued = '+QUEUED\r\n'
    expect(await replies(...twice)).toEqual([OK, queued, queued, '*2\r\n$1\r\na\r\n$1\r\nb\r\n'])
    expect(await replies('CLIENT REPLY SKIP', 'CLIENT REPLY ON', 'PING')).toEqual([OK, '+PONG\r\n'])
    expect(await replies('CLIENT REPLY x')).toEqual([SYNTAX])
    expect(await replies('CLIENT REPLY SKIP', 'RESET', 'PING')).toEqual(['+PONG\r\n'])
    expect(await replies('CLIENT REPLY OFF', 'RESET', 'PING')).toEqual(['+RESET\r\n', '+PONG\r\n'])
  })

  test('SKIP has passed with a request of no arguments', async () => {
    const client = await connect(server())
    for (const nothing of ['\r\n', '*0\r\n', '*-1\r\n', ' \r\n']) {
      client.send(`CLIENT REPLY SKIP\r\n${nothing}ECHO 1\r\nECHO 2\r\n`)
      expect((await client.replies(2)).map(String)).toEqual(['$1\r\n1\r\n', '$1\r\n2\r\n'])
    }
  })

  test('SKIP silences a command that must wait, too', async () => {
    expect(await replies('CLIENT REPLY SKIP', 'WAIT 1 50', 'PING')).toEqual(['+PONG\r\n'])
    await (await connect(server())).command('CLIENT', 'PAUSE', 100, 'WRITE')
    expect(await replies('CLIENT REPLY SKIP', 'SET k v', 'PING')).toEqual(['+PONG\r\n'])
  })

  test('OFF silences protocol errors', async () => {
    const client = await connect(server())
    client.send(`${encode('CLIENT', 'REPLY', 'OFF')}*1\r\n$x\r\n`)
    await client.closed
    expect(client.received).toBe(0)
  })
})

describe('CLIENT PAUSE', () => {
  const server = useServer()

  test('WRITE holds writes back, in order, and lets reads pass', async () => {
    const [admin, writer] = [await connect(server()), await connect(server())]
    await ask(admin, 'SET', 'counter', '1')
    expect(await ask(admin, 'CLIENT', 'PAUSE', '60000', 'WRITE')).toBe(OK)
    writer.send(Buffer.concat(['GET', 'INCR', 'INCR', 'GET'].map((command) => encode(command, 'counter'))))
    expect(String(await writer.reply())).toBe('$1\r\n1\r\n')
    writer.send(encode('PING'))
    const { id } = (await listClients(admin)).find((fields) => fields['flags'] === 'b')!
    expect(id).toBeDefined()
    expect(await ask(admin, 'GET', 'counter')).toBe('$1\r\n1\r\n')
    expect(await ask(admin, 'CLIENT', 'UNBLOCK', id!)).toBe(':0\r\n')
    expect(await ask(admin, 'CLIENT', 'UNPAUSE')).toBe(OK)
    expect((await writer.replies(4)).map(String)).toEqual([':2\r\n', ':3\r\n', '$1\r\n3\r\n', '+PONG\r\n'])
  })

  test('ALL holds everything back until its time has passed', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    const start = performance.now()
    expect(await ask(admin, 'CLIENT', 'PAUSE', '300')).toBe(OK)
    expect(await ask(client, 'PING')).toBe('+PONG\r\n')
    expect(performance.now() - start).toBeGreaterThan(290)
    expect(performance.now() - start).toBeLessThan(30_000)
  })

  test('gets no shorter by another one', async () => {
    const [admin, client] = [await connect(server()), await connect(server())]
    const start = performance.now()
    expect(await ask(admin, 'CLIENT', 'PAUSE', '300', 'WRITE')).toBe(OK)
    expect(await ask(admin, 'CLIENT', 'PAUSE', '10', 'WRITE')).toBe(OK)
    expect(await ask(client, 'DEL', 'x')).toBe(':0\r\n')
    expect(performance.now() - start).toBeGreaterThan(290)
  })

  test('lets errors of grammar through, and refuses nonsense', async () => {
    const admin = await connect(server())
    await ask(admin, 'CLIENT', 'PAUSE', '60000', 'WRITE')
    expect(await ask(admin, 'SET', 'x')).toBe("-ERR wrong number of arguments for 'set' command\r\n")
    expect(await ask(admin, 'CLIENT', 'PAUSE', '-1')).toBe('-ERR timeout is negative\r\n')
    expect(await ask(admin, 'CLIENT', 'PAUSE', '1', 'x')).toBe('-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n')
    expect(await ask(admin, 'CLIENT', 'UNPAUSE')).toBe(OK)
  })

  test('keeps what expires from going', async () => {
    const admin = await connect(server())
    // In one turn, or it might have gone before the pause.
    admin.send(Buffer.concat([encode('SET', 'short', 'x', 'PX', '50'), encode('CLIENT', 'PAUSE', '60000', 'WRITE')]))
    await admin.replies(2)
    await sleep(300)
    expect(await ask(admin, 'GET', 'short')).toBe('$-1\r\n')
    const size = await ask(admin, 'DBSIZE')
    await ask(admin, 'CLIENT', 'UNPAUSE')
    await eventually(async () => (await ask(admin, 'DBSIZE')) !== size, 'expiry')
  })

  test('forgets clients that leave while they wait', async () => {
    const [admin, leaver, stayer] = [await connect(server()), await connect(server()), await connect(server())]
    await ask(admin, 'CLIENT', 'PAUSE', '60000', 'WRITE')
    leaver.send(encode('SET', 'left', '1'))
    stayer.send(encode('SET', 'stayed', '1'))
    const waiting = async () => (await listClients(admin)).filter((fields) => fields['flags'] === 'b').length
    await eventually(async () => (await waiting()) === 2)
    await leaver.close()
    await eventually(async () => (await waiting()) === 1)
    await ask(admin, 'CLIENT', 'UNPAUSE')
    expect(String(await stayer.reply())).toBe(OK)
    expect(await ask(admin, 'EXISTS', 'left', 'stayed')).toBe(':1\r\n')
  })
})

describe('CLIENT and caching', () => {
  const server = useServer()

  test('tells of no tracking where there is none', async () => {
    const client = await connect(server())
    expect(await ask(client, 'CLIENT', 'GETREDIR')).toBe(':-1\r\n')
    expect(await ask(client, 'CLIENT', 'TRACKING', 'OFF')).toBe(OK)
    expect(await ask(client, 'CLIENT', 'TRACKINGINFO')).toBe(
      '*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n',
    )
  })
})
