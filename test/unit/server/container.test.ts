import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { memoryLimit, warnOfLimit } from '../../../src/server/container.ts'
import { newServer } from './support.ts'

const MB = 1024 * 1024

/** A system of just these files. */
function systemWith(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'cinnabar-cgroup-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

test('a limit of version 2 is the least on the way to the root', () => {
  const files = {
    'proc/self/cgroup': '0::/a/b\n',
    'sys/fs/cgroup/a/b/memory.max': 'max\n',
    'sys/fs/cgroup/a/memory.max': `${512 * MB}\n`,
  }
  expect(memoryLimit(systemWith(files))).toBe(512 * MB)
  expect(memoryLimit(systemWith({ ...files, 'sys/fs/cgroup/a/b/memory.max': `${256 * MB}\n` }))).toBe(256 * MB)
})

test('a limit of version 1 counts, also when the path is that of the host', () => {
  const group = '11:cpu,cpuacct:/docker/1\n9:memory:/docker/1\n'
  const file = 'sys/fs/cgroup/memory/memory.limit_in_bytes'
  expect(memoryLimit(systemWith({ 'proc/self/cgroup': group, [file]: `${100 * MB}\n` }))).toBe(100 * MB)
  expect(memoryLimit(systemWith({ 'proc/self/cgroup': group, [file]: '9223372036854771712\n' }))).toBe(
    Number.POSITIVE_INFINITY,
  )
})

test('there is no limit where nothing says so', () => {
  expect(memoryLimit(systemWith({}))).toBe(Number.POSITIVE_INFINITY)
})

test('the log warns when maxmemory is not set, or does not fit', () => {
  const server = newServer()
  const warnings: string[] = []
  const { config } = server
  const told = { config, log: { ...server.log, warn: (text: string) => void warnings.push(text) } }
  warnOfLimit(told, Number.POSITIVE_INFINITY)
  expect(warnings).toEqual([])
  warnOfLimit(told, 512 * MB)
  expect(warnings[0]).toMatch(
    /may use 512.00M of memory, and maxmemory is not set: .* Set maxmemory to 371.20M or less/,
  )
  config.assign('maxmemory', 500 * MB)
  warnOfLimit(told, 512 * MB)
  expect(warnings[1]).toMatch(/maxmemory is 500.00M/)
  config.assign('maxmemory', 256 * MB)
  warnOfLimit(told, 512 * MB)
  expect(warnings.length).toBe(2)
})
