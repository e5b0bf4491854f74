import * as fs from 'node:fs'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type AsyncFileSystem, BackgroundFile } from '../../../src/persistence/background-file.ts'
import type { FileFailure } from '../../../src/persistence/rdb/files.ts'
import { CHUNK_SIZE } from '../../../src/persistence/rdb/writer.ts'

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'cinnabar-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

type Call = (...args: unknown[]) => void

/** A file system of which one call fails, the first time it is made. */
function failing(step: keyof AsyncFileSystem): AsyncFileSystem {
  const working: AsyncFileSystem = { ...fs }
  let left = 1
  const fail: Call = (...args) => {
    if (left-- !== 1) return (working[step] as unknown as Call)(...args)
    const error = Object.assign(new Error('EIO: made to fail'), { code: 'EIO', syscall: 'test' })
    setImmediate(() => (args.at(-1) as (error: Error) => void)(error))
  }
  return { ...fs, [step]: fail }
}

/** Writes three chunks in the place of an old file. */
function replace(dir: string, system: AsyncFileSystem = fs): Promise<FileFailure | undefined> {
  writeFileSync(join(dir, 'dump.rdb'), 'old')
  return new Promise((resolve) => {
    const target = {
      path: Buffer.from(join(dir, 'dump.rdb')),
      temporary: Buffer.from(join(dir, 'temp-1.rdb')),
      directory: Buffer.from(dir),
      incrementalSync: true,
    }
    const file = new BackgroundFile(target, resolve, system)
    let chunk: Uint8Array = Buffer.alloc(CHUNK_SIZE, 'a')
    chunk = file.take(chunk, CHUNK_SIZE)
    chunk.fill(98)
    chunk = file.take(chunk, CHUNK_SIZE)
    chunk.fill(99)
    file.take(chunk, 5)
    file.finish()
  })
}

test('a file is written as it was given, and takes the place of the old one', async () => {
  const dir = directory()
  expect(await replace(dir)).toBeUndefined()
  expect(readdirSync(dir)).toEqual(['dump.rdb'])
  const content = readFileSync(join(dir, 'dump.rdb'), 'latin1')
  expect(content).toBe('a'.repeat(CHUNK_SIZE) + 'b'.repeat(CHUNK_SIZE) + 'ccccc')
})

test.each([
  ['write', 'write'],
  ['fsync', 'fsync'],
  ['close', 'close'],
  ['rename', 'rename'],
] as const)('when %s fails, the old file stays and the new one goes', async (call, step) => {
  const dir = directory()
  expect(await replace(dir, failing(call))).toMatchObject({ step, error: { code: 'EIO' } })
  expect(readdirSync(dir)).toEqual(['dump.rdb'])
  expect(readFileSync(join(dir, 'dump.rdb'), 'latin1')).toBe('old')
})

test('when the directory cannot be synced, that is told, though the new file is there', async () => {
  const dir = directory()
  expect(await replace(dir, failing('open'))).toMatchObject({ step: 'fsync directory' })
  expect(readFileSync(join(dir, 'dump.rdb')).length).toBe(2 * CHUNK_SIZE + 5)
})

test('a file that is given up is gone at once, and nobody is told', async () => {
  const dir = directory()
  const target = {
    path: Buffer.from(join(dir, 'dump.rdb')),
    temporary: Buffer.from(join(dir, 'temp-1.rdb')),
    directory: Buffer.from(dir),
    incrementalSync: false,
  }
  let told = false
  const file = new BackgroundFile(target, () => (told = true))
  for (let count = 0; count < 20; count++) file.take(Buffer.alloc(CHUNK_SIZE), CHUNK_SIZE)
  expect(file.isFull).toBe(true)
  file.finish()
  file.giveUp()
  expect(readdirSync(dir)).toEqual([])
  file.take(Buffer.alloc(10), 10)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(readdirSync(dir)).toEqual([])
  expect(told).toBe(false)
})
