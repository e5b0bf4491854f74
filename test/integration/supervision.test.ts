/* How the program lives beside what starts it: in the background, under systemd, and with who reads its log. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { RawClient } from '../helpers/raw-client.ts'
import { freePort, startCinnabar } from '../helpers/servers.ts'
import { ask, body, connect, eventually } from './support.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/main.js')

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('in the background it can be reached as soon as what started it has ended, and goes on by itself', async () => {
  const starter = await startCinnabar({ args: ['--daemonize', 'yes', '--pidfile', 'server.pid'], wait: false })
  onTestFinished(() => void starter.stop())
  expect(await starter.exited).toEqual({ code: 0, signal: null })
  const pid = Number(readFileSync(join(starter.dir, 'server.pid'), 'latin1'))
  const client = await RawClient.connect(starter.port)
  expect(await ask(client, 'SET', 'item', 'value')).toBe('+OK\r\n')
  expect(pid).not.toBe(starter.pid)
  expect(body(await ask(client, 'INFO', 'server'))).toContain(`process_id:${pid}\r\n`)
  client.send('SHUTDOWN NOSAVE\r\n')
  await eventually(() => !isAlive(pid))
  client.close()
})

test('names that are relative mean the same in the background', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cinnabar-daemon-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  mkdirSync(join(directory, 'data'))
  const port = await freePort()
  const lines = ['daemonize yes', `port ${port}`, 'dir data', 'logfile log.txt', 'pidfile server.pid', 'save 900 1']
  writeFileSync(join(directory, 'redis.conf'), `${lines.join('\n')}\n`)
  const { status } = spawnSync(process.execPath, [PROGRAM, 'redis.conf'], { cwd: directory })
  expect(status).toBe(0)
  const data = (name: string): string => join(directory, 'data', name)
  const pid = Number(readFileSync(data('server.pid'), 'latin1'))
  const client = await RawClient.connect(port)
  expect(await ask(client, 'CONFIG', 'REWRITE')).toBe('+OK\r\n')
  client.send('SHUTDOWN SAVE\r\n')
  await eventually(() => !isAlive(pid))
  client.close()
  expect(readdirSync(directory).sort()).toEqual(['data', 'redis.conf'])
  expect(readdirSync(join(directory, 'data')).sort()).toEqual(['dump.rdb', 'log.txt'])
  expect(readFileSync(data('log.txt'), 'latin1')).toContain('Ready to accept connections')
})

test('in the background it does not pretend to have started when it could not', async () => {
  const server = await startCinnabar()
  const second = await startCinnabar({ args: ['--daemonize', 'yes'], port: server.port, wait: false })
  expect((await second.exited).code).toBe(1)
  expect(second.log()).toContain('did not start in the background')
  await Promise.all([server.stop(), second.stop()])
})

test('systemd is told when it is ready, and INFO by whom it is supervised', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cinnabar-notify-'))
  const [program, told] = [join(directory, 'systemd-notify'), join(directory, 'told')]
  writeFileSync(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" > '${told}'\n`)
  chmodSync(program, 0o755)
  const PATH = `${directory}:${process.env['PATH']}`
  const server = await startCinnabar({
    args: ['--supervised', 'auto', '--daemonize', 'yes'],
    env: { PATH, NOTIFY_SOCKET: '/run/some/notify' },
  })
  onTestFinished(async () => {
    await server.stop()
    rmSync(directory, { recursive: true })
  })
  await eventually(() => existsSync(told) && readFileSync(told, 'latin1').endsWith('\n'))
  expect(readFileSync(told, 'latin1')).toBe('/run/some/notify --ready --status=Ready to accept connections\n')
  const client = await connect(server)
  expect(body(await ask(client, 'INFO', 'server'))).toContain('process_supervised:systemd\r\n')
})

test('that systemd should be told and there is none is logged, and no more', async () => {
  const server = await startCinnabar({ args: ['--supervised', 'systemd'] })
  await server.waitForLog(/systemd supervision error: NOTIFY_SOCKET not found!/)
  await server.stop()
})

test("its log can have Redis's lines, for programs that wait for one of them", async () => {
  const server = await startCinnabar({ env: { CINNABAR_LOG_FORMAT: 'legacy' } })
  await server.waitForLog(/^\d+:M \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d\.\d{3} \* Ready to accept connections tcp/m)
  const { pid } = server
  await server.stop()
  expect(server.log()).toMatch(new RegExp(`^${pid}:M .* # Redis is now ready to exit, bye bye\\.\\.\\.$`, 'm'))
})
