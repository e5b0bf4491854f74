/* TIME, LASTSAVE, ROLE, REPLICAOF, WAIT, LOLWUT, SHUTDOWN. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { sleep, startCinnabar } from '../helpers/servers.ts'
import { ask, body, connect, describeClient, eventually, OK, useServer } from './support.ts'

describe('the clock', () => {
  const server = useServer()

  test('TIME is seconds and microseconds, and never goes back', async () => {
    const client = await connect(server())
    let before = 0
    for (let count = 0; count < 20; count++) {
      const [, seconds, us] = /^\*2\r\n\$\d+\r\n(\d+)\r\n\$\d+\r\n(\d{1,6})\r\n$/.exec(await ask(client, 'TIME'))!
      const time = Number(seconds) * 1e6 + Number(us)
      expect(time).toBeGreaterThan(before)
      before = time
    }
    expect(Math.abs(before / 1000 - Date.now())).toBeLessThan(60_000)
  })

  test('LASTSAVE is the time of the start', async () => {
    const client = await connect(server())
    const saved = Number((await ask(client, 'LASTSAVE')).slice(1))
    expect(Date.now() / 1000 - saved).toBeLessThan(600)
    expect(body(await ask(client, 'INFO', 'persistence'))).toContain(`rdb_last_save_time:${saved}\r\n`)
  })
})

describe('a server without replicas', () => {
  const server = useServer()

  test('is a master, and stays one', async () => {
    const client = await connect(server())
    expect(await ask(client, 'ROLE')).toBe('*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n')
    expect(await ask(client, 'REPLICAOF', 'no', 'ONE')).toBe(OK)
    expect(await ask(client, 'SLAVEOF', 'NO', 'one')).toBe(OK)
    expect(await ask(client, 'REPLICAOF', 'localhost', '6379')).toMatch(/^-ERR replication is not built yet/)
    expect(await ask(client, 'REPLICAOF', 'localhost', 'x')).toBe('-ERR Invalid master port\r\n')
  })

  test('answers WAIT for no replicas at once, and for some when the time is up', async () => {
    const client = await connect(server())
    expect(await ask(client, 'WAIT', '0', '0')).toBe(':0\r\n')
    expect(await ask(client, 'WAITAOF', '0', '0', '0')).toBe('*2\r\n:0\r\n:0\r\n')
    const began = Date.now()
    client.send('WAIT 1 150\r\nPING\r\n')
    expect(String(await client.reply())).toBe(':0\r\n')
    expect(Date.now() - began).toBeGreaterThanOrEqual(145)
    expect(String(await client.reply())).toBe('+PONG\r\n')
    expect(await ask(client, 'WAITAOF', '0', '1', '10')).toBe('*2\r\n:0\r\n:0\r\n')
  })

  test('keeps a client that waits for ever, until it is released', async () => {
    const [waiting, other] = [await connect(server()), await connect(server())]
    const { id } = await describeClient(waiting)
    waiting.send('WAIT 1 0\r\n')
    await sleep(50)
    expect(waiting.received).toBeLessThan(400) // CLIENT INFO's reply, no more
    await eventually(async () => (await ask(other, 'CLIENT', 'UNBLOCK', id!)) === ':1\r\n', 'a blocked client')
    expect(String(await waiting.reply())).toBe(':0\r\n')
    expect(await ask(other, 'CLIENT', 'UNBLOCK', id!)).toBe(':0\r\n')
    waiting.send('WAIT 1 0\r\n')
    await eventually(async () => (await ask(other, 'CLIENT', 'UNBLOCK', id!, 'ERROR')) === ':1\r\n', 'a blocked client')
    expect(String(await waiting.reply())).toBe('-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n')
    expect(await ask(waiting, 'PING')).toBe('+PONG\r\n')
  })
})

describe('LOLWUT', () => {
  const server = useServer()

  test.each([[[]], [['VERSION', '5', '40']], [['version', '6', '20', '10']], [['VERSION', '99']]])(
    'draws something and tells the version: %j',
    async (args) => {
      const client = await connect(server())
      const text = Buffer.from(body(await ask(client, 'LOLWUT', ...args)), 'latin1').toString()
      expect(text).toMatch(/^([\u2800-\u28ff]+\n)+\nRedis ver\. 7\.2\.4\n$/)
      expect(text).toMatch(/[\u2801-\u28ff]/)
    },
  )

  test('takes any size, within reason', async () => {
    const client = await connect(server())
    for (const columns of ['-5', '0', '1', '2', '3', '9', '1000000']) {
      const text = Buffer.from(body(await ask(client, 'LOLWUT', 'VERSION', '5', columns)), 'latin1').toString()
      expect(text.indexOf('\n')).toBe(Math.min(200, Math.max(1, Number(columns))))
    }
    expect(await ask(client, 'LOLWUT', 'VERSION', 'x')).toBe('-ERR value is not an integer or out of range\r\n')
  })
})

describe('SHUTDOWN', () => {
  test('refuses what makes no sense', async () => {
    const server = await startCinnabar()
    try {
      const client = await connect(server)
      for (const words of [['FOO'], ['SAVE', 'NOSAVE'], ['ABORT', 'NOW'], ['NOW', 'x']]) {
        expect(await ask(client, 'SHUTDOWN', ...words)).toBe('-ERR syntax error\r\n')
      }
      expect(await ask(client, 'SHUTDOWN', 'ABORT')).toBe('-ERR No shutdown in progress.\r\n')
    } finally {
      await server.stop()
    }
  })

  test.each([['NOSAVE'], ['nosave', 'NOW'], [], ['SAVE', 'FORCE']])('ends the process: %j', async (...words) => {
    const server = await startCinnabar({ args: ['--save', '900 1'] })
    const client = await connect(server)
    await ask(client, 'SET', 'k', 'v')
    client.send(`SHUTDOWN ${words.join(' ')}\r\n`)
    await client.closed
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(client.takeUnclaimed()).toEqual([])
    expect(server.log()).toContain('User requested shutdown...')
    expect(server.log()).toContain('ready to exit, bye bye...')
    await server.stop()
  })

  test('ABORT takes a signal back', async () => {
    const server = await startCinnabar({ args: ['--hz', '1'] })
    try {
      const client = await connect(server)
      server.process.kill('SIGTERM')
      await server.waitForLog(/Received SIGTERM scheduling shutdown/)
      expect(await ask(client, 'SHUTDOWN', 'ABORT')).toBe(OK)
      await server.waitForLog(/Shutdown manually aborted/)
      await sleep(1200)
      expect(await ask(client, 'PING')).toBe('+PONG\r\n')
    } finally {
      await server.stop()
    }
  })

  test('at the second SIGINT waits for nothing', async () => {
    const server = await startCinnabar({ args: ['--hz', '1'] })
    server.process.kill('SIGINT')
    await server.waitForLog(/Received SIGINT scheduling shutdown/)
    expect(await server.stop('SIGINT')).toEqual({ code: 1, signal: null })
  })

  test('comes by signal, too', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const server = await startCinnabar()
      expect(await server.stop(signal)).toEqual({ code: 0, signal: null })
      expect(server.log()).toContain(`Received ${signal} scheduling shutdown...`)
    }
  })
})

test.runIf(process.platform === 'linux')(
  'the system shows the process under the title of proc-title-template',
  async () => {
    const server = await startCinnabar({ args: ['--proc-title-template', 'CINNABAR {port} {listen-addr}'] })
    const shown = () => readFileSync(`/proc/${server.pid}/cmdline`, 'latin1').split('\0')[0]
    try {
      expect(shown()).toBe(`CINNABAR ${server.port} 127.0.0.1:${server.port}`)
      const client = await connect(server)
      expect(await ask(client, 'CONFIG', 'SET', 'proc-title-template', 'other {server-mode}')).toBe(OK)
      expect(shown()).toBe('other')
    } finally {
      await server.stop()
    }
  },
)
