/* `cinnabar check` as a program, over what a server leaves behind; and in what words RESTORE and MIGRATE are there. */
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { payloadOf } from '../fuzz/payloads.ts'
import { startCinnabar } from '../helpers/servers.ts'
import { bytesOf, short } from '../unit/persistence/rdb/support.ts'

const PROGRAM = join(import.meta.dirname, '../../dist/main.js')

function run(program: string, args: readonly string[], input = ''): { status: number | null; stdout: string } {
  return spawnSync(process.execPath, [program, ...args], { input, encoding: 'latin1' })
}

test('what a server has written is sound; an end that is not is cut off when that is confirmed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-check-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const server = await startCinnabar({ dir, args: ['--appendonly', 'yes', '--save', ''] })
  const target = await startCinnabar()
  const client = await server.connect()
  const payload = payloadOf(bytesOf(`\x00${short('value')}`))
  await client.command('RESTORE', 'never', 0, payload)
  await client.command('RESTORE', 'later', 1000_000, payload)
  await client.command('RESTORE', 'never', 1, payload, 'ABSTTL', 'REPLACE')
  expect(String(await client.command('MIGRATE', '127.0.0.1', target.port, 'later', 0, 20_000))).toBe('+OK\r\n')
  await client.command('SAVE')
  await client.close()
  await server.stop()
  await target.stop()

  const log = join(dir, 'appendonlydir', 'appendonly.aof.1.incr.aof')
  const written = readFileSync(log, 'latin1')
  expect(written).toMatch(/RESTORE\r\n\$5\r\nnever\r\n\$1\r\n0\r\n/)
  expect(written).toMatch(/RESTORE\r\n\$5\r\nlater\r\n\$13\r\n\d{13}\r\n[\s\S]*\$6\r\nABSTTL\r\n/)
  expect(written).toMatch(/\*2\r\n\$3\r\nDEL\r\n\$5\r\nnever\r\n\*2\r\n\$3\r\nDEL\r\n\$5\r\nlater\r\n$/)

  const sound = run(PROGRAM, ['check', dir])
  expect(sound.stdout).toContain('RDB looks OK')
  expect(sound.stdout).toContain('All AOF files and manifest are valid')
  expect(sound.status).toBe(0)

  appendFileSync(log, '*2\r\n$3\r\nDEL')
  const tool = join(dir, 'redis-check-aof')
  symlinkSync(PROGRAM, tool)
  const manifest = join(dir, 'appendonlydir', 'appendonly.aof.manifest')
  expect(run(tool, [manifest]).status).toBe(1)
  expect(run(tool, ['--fix', manifest], 'n\n').status).toBe(1)
  const fixed = run(tool, ['--fix', manifest], 'y\n')
  expect(fixed.stdout).toContain('Continue? [y/N]: ')
  expect(fixed.status).toBe(0)
  expect(readFileSync(log, 'latin1')).toBe(written)
})
