/* The append-only files as a system administrator sees them: their names, who may write them, and who may mend them. */
import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { redisAvailable, startCinnabar, startRedis } from '../helpers/servers.ts'
import { ask, connect, eventually, OK } from './support.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/main.js')
const ARGS = ['--appendonly', 'yes', '--save', '', '--enable-debug-command', 'yes']

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-aof-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

for (const name of ["it's.aof", 'two words.aof', '"quoted".aof', "'"]) {
  test(`files called ${name} are read again, by redis-server too`, async () => {
    const dir = directory()
    const args = [...ARGS, '--appendfilename', name]
    const first = await startCinnabar({ dir, args })
    expect(await ask(await connect(first), 'SET', 'key', 'value')).toBe(OK)
    await first.stop()
    const starts = redisAvailable() ? [startCinnabar, startRedis] : [startCinnabar]
    for (const start of starts) {
      const server = await start({ dir, args })
      expect(await ask(await connect(server), 'GET', 'key')).toBe('$5\r\nvalue\r\n')
      await server.stop()
    }
  })
}

test('whatever the umask, only the owner may write the log, its manifest and the lock', async () => {
  const dir = directory()
  const script = 'umask 0; exec "$0" "$@"'
  const listen = ['--port', '0', '--unixsocket', join(dir, 'socket')]
  const args = ['-c', script, process.execPath, PROGRAM, ...listen, '--dir', dir, ...ARGS]
  const child = spawn('sh', args, { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  const manifest = join(dir, 'appendonlydir', 'appendonly.aof.manifest')
  await eventually(() => existsSync(manifest) && readFileSync(manifest, 'latin1').includes(' type i'))
  const modeOf = (...path: string[]) => (statSync(join(dir, ...path)).mode & 0o777).toString(8)
  expect(modeOf('.appendonlydir.appendonly.aof.lock')).toBe('644')
  expect(modeOf('appendonlydir')).toBe('755')
  expect(modeOf('appendonlydir', 'appendonly.aof.1.incr.aof')).toBe('644')
  expect(modeOf('appendonlydir', 'appendonly.aof.manifest')).toBe('644')
})

test('the log of a running server is checked, but not cut', async () => {
  const dir = directory()
  const server = await startCinnabar({ dir, args: ARGS })
  await ask(await connect(server), 'SET', 'key', 'value')
  const log = join(dir, 'appendonlydir', 'appendonly.aof.1.incr.aof')
  await eventually(() => statSync(log).size > 0)
  appendFileSync(log, '*2\r\n$3\r\nDEL')
  const before = readFileSync(log, 'latin1')
  const check = (...args: string[]) =>
    spawnSync(process.execPath, [PROGRAM, 'check', ...args], { input: 'y\n', encoding: 'latin1' })
  expect(check(dir).stdout).toContain('is not valid')
  for (const path of [dir, log, join(dir, 'appendonlydir', 'appendonly.aof.manifest')]) {
    for (const option of [['--fix'], ['--truncate-to-timestamp', '1']]) {
      const refused = check(...option, path)
      expect(refused.stdout).toMatch(new RegExp(`belongs to a running server \\(PID ${server.pid} on `))
      expect(refused.status).toBe(1)
      expect(readFileSync(log, 'latin1')).toBe(before)
    }
  }
  await server.stop('SIGKILL')
  expect(check('--fix', dir).status).toBe(0)
  expect(readFileSync(log, 'latin1').endsWith('value\r\n')).toBe(true)
})
