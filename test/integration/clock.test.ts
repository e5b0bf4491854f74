/* The system's clock is set while the server runs, on and back: what has a time to die follows it, how long something
 * lasts does not. (The server's Date.now is another one: each SIGUSR2 makes the next jump.) */
import { describe, expect, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { ask, body, connect, eventually, OK, useServer } from './support.ts'

const HOUR = 3_600_000
const SHIM = `
  const { now } = Date
  let shift = 0
  const jumps = [${HOUR}, ${-2 * HOUR}]
  Date.now = () => now() + shift
  process.on('SIGUSR2', () => (shift += jumps.shift()))`

describe('a clock that is set', () => {
  const server = useServer({
    args: ['--appendonly', 'yes', '--timeout', '600', '--hz', '50'],
    env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(SHIM)}` },
  })

  test('an hour on, and two back: nothing lives too long, nothing waits too long, nobody is sent away', async () => {
    const client = await connect(server())
    const number = async (...words: string[]) => Number((await ask(client, ...words)).slice(1))
    const serverHour = async () => Math.floor(Number(/\n(\d+)/.exec(await ask(client, 'TIME'))?.[1]) / 3600)
    await ask(client, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    for (let index = 0; index < 100; index++) await ask(client, 'SET', `short:${index}`, 'value', 'PX', '100000')
    await ask(client, 'SET', 'long', 'value', 'EX', '7200')
    const idle = await connect(server())
    await ask(idle, 'CLIENT', 'SETNAME', 'idle')
    const [waiting, longer] = [await connect(server()), await connect(server())]
    longer.send(encode('BLPOP', 'list', '1000'))
    await eventually(async () => body(await ask(client, 'INFO', 'clients')).includes('blocked_clients:1'))
    waiting.send(encode('BLPOP', 'list', '2'))
    await ask(client, 'PING')

    const hour = await serverHour()
    server().process.kill('SIGUSR2')
    await eventually(async () => (await serverHour()) > hour)
    // Nobody asked for them: they are taken away all the same.
    await eventually(async () => (await ask(client, 'DBSIZE')) === ':1\r\n')
    expect(await number('TTL', 'long')).toBeLessThanOrEqual(3600)
    expect(await number('OBJECT', 'IDLETIME', 'long')).toBeLessThan(600)
    expect((await waiting.replies(1)).toString()).toBe('*-1\r\n')
    expect(body(await ask(client, 'INFO', 'clients'))).toContain('blocked_clients:1')

    await ask(client, 'CLIENT', 'PAUSE', '500', 'WRITE')
    server().process.kill('SIGUSR2')
    await eventually(async () => (await serverHour()) < hour)
    expect(await ask(client, 'SET', 'short', 'value', 'PX', '50')).toBe(OK)
    expect(await number('TTL', 'long')).toBeGreaterThan(10_000)
    expect(await number('OBJECT', 'IDLETIME', 'long')).toBeLessThan(600)
    await eventually(async () => (await ask(client, 'DBSIZE')) === ':1\r\n')
    expect(await ask(client, 'WAITAOF', '1', '0', '15000')).toBe('*2\r\n:1\r\n:0\r\n')
    const list = body(await ask(client, 'CLIENT', 'LIST'))
    const [, idleSeconds] = / name=idle age=-?\d+ idle=(-?\d+) /.exec(list) ?? []
    expect(Number(idleSeconds)).toBeGreaterThanOrEqual(0)
    expect(Number(idleSeconds)).toBeLessThan(600)
  })
})
