import * as fs from 'node:fs'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FileSource, type FileSystem, type Replacement, replaceFile } from '../../../../src/persistence/rdb/files.ts'
import type { Sink } from '../../../../src/persistence/rdb/writer.ts'

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'cinnabar-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const targetIn = (dir: string, incrementalSync = false): Replacement => ({
  path: Buffer.from(join(dir, 'dump.rdb')),
  temporary: Buffer.from(join(dir, 'temp-1.rdb')),
  directory: Buffer.from(dir),
  incrementalSync,
})

const writing = (text: string) => (sink: Sink) => {
  sink.take(Buffer.from(text), text.length)
}

/** An error as the system answers it. */
function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: made to fail`), { code, syscall: 'test' })
}

describe('a replacement', () => {
  test('writes the file, and leaves nothing else behind', () => {
    const dir = directory()
    const failure = replaceFile(targetIn(dir), (sink) => {
      const chunk = Buffer.from('one')
      expect(sink.take(chunk, 3)).toBe(chunk)
      sink.take(Buffer.from('two and more'), 3)
    })
    expect(failure).toBeUndefined()
    expect(readdirSync(dir)).toEqual(['dump.rdb'])
    expect(readFileSync(join(dir, 'dump.rdb'), 'utf8')).toBe('onetwo')
  })

  test('takes the place of the old file, of what a link points to not', () => {
    const dir = directory()
    writeFileSync(join(dir, 'elsewhere'), 'old')
    symlinkSync('elsewhere', join(dir, 'dump.rdb'))
    expect(replaceFile(targetIn(dir), writing('new'))).toBeUndefined()
    expect(readFileSync(join(dir, 'elsewhere'), 'utf8')).toBe('old')
    expect(readFileSync(join(dir, 'dump.rdb'), 'utf8')).toBe('new')
  })

  test('has the mode that the umask leaves', () => {
    const before = process.umask()
    const dir = directory()
    replaceFile(targetIn(dir), writing('new'))
    expect(statSync(join(dir, 'dump.rdb')).mode & 0o777).toBe(0o666 & ~before)
  })

  test('that the kernel takes in parts is whole', () => {
    const dir = directory()
    const slow: FileSystem = {
      ...fs,
      writeSync: ((fd: number, bytes: Uint8Array, pos: number, len: number) =>
        fs.writeSync(fd, bytes, pos, Math.min(len, 3))) as typeof fs.writeSync,
    }
    expect(replaceFile(targetIn(dir), writing('hello, disk'), slow)).toBeUndefined()
    expect(readFileSync(join(dir, 'dump.rdb'), 'utf8')).toBe('hello, disk')
  })

  test('is synced before it is renamed, and the directory after', () => {
    const dir = directory()
    const calls: string[] = []
    const all: FileSystem = { ...fs }
    const noting = <T extends keyof FileSystem>(name: T) => {
      const original = all[name] as (...args: unknown[]) => unknown
      return ((...args: unknown[]) => {
        calls.push(name)
        return original(...args)
      }) as unknown as FileSystem[T]
    }
    const watched: FileSystem = {
      ...fs,
      openSync: noting('openSync'),
      writeSync: noting('writeSync'),
      fsyncSync: noting('fsyncSync'),
      fdatasyncSync: noting('fdatasyncSync'),
      closeSync: noting('closeSync'),
      renameSync: noting('renameSync'),
    }
    const megabyte = new Uint8Array(1 << 20)
    const write = (sink: Sink) => {
      for (let count = 0; count < 33; count++) sink.take(megabyte, megabyte.length)
    }
    replaceFile(targetIn(dir, true), write, watched)
    const end = ['fsyncSync', 'closeSync', 'renameSync', 'openSync', 'fsyncSync', 'closeSync']
    expect(calls.filter((name) => name !== 'writeSync')).toEqual(['openSync', 'fdatasyncSync', ...end])
    expect(calls.indexOf('fdatasyncSync')).toBe(33) // after 32 MB
    calls.length = 0
    replaceFile(targetIn(dir, false), write, watched)
    expect(calls).not.toContain('fdatasyncSync')
  })
})

describe('a replacement that fails', () => {
  const failing: [string, string, Partial<FileSystem>][] = [
    ['open', 'EACCES', { openSync: fail('EACCES') }],
    ['write', 'ENOSPC', { writeSync: fail('ENOSPC') }],
    ['fsync', 'EIO', { fsyncSync: fail('EIO') }],
    ['close', 'ENOSPC', { closeSync: fail('ENOSPC') }],
    ['rename', 'EROFS', { renameSync: fail('EROFS') }],
  ]

  function fail(code: string): () => never {
    return () => {
      throw systemError(code)
    }
  }

  test.each(failing)('to %s (%s) says so and leaves the old file as it was', (step, code, broken) => {
    const dir = directory()
    writeFileSync(join(dir, 'dump.rdb'), 'old')
    const failure = replaceFile(targetIn(dir), writing('new'), { ...fs, ...broken })
    expect(failure).toMatchObject({ step, error: { code } })
    expect(readdirSync(dir)).toEqual(['dump.rdb'])
    expect(readFileSync(join(dir, 'dump.rdb'), 'utf8')).toBe('old')
  })

  test('in the middle of writing closes the file', () => {
    const dir = directory()
    const open = new Set<number>()
    let writes = 0
    const broken: FileSystem = {
      ...fs,
      openSync: ((...args: Parameters<typeof fs.openSync>) => {
        const fd = fs.openSync(...args)
        open.add(fd)
        return fd
      }) as typeof fs.openSync,
      closeSync: (fd) => {
        open.delete(fd)
        fs.closeSync(fd)
      },
      writeSync: ((fd: number, bytes: Uint8Array, pos: number, len: number) => {
        if (++writes === 3) throw systemError('ENOSPC')
        return fs.writeSync(fd, bytes, pos, len)
      }) as typeof fs.writeSync,
    }
    const chunk = new Uint8Array(1000)
    const failure = replaceFile(
      targetIn(dir),
      (sink) => {
        for (let count = 0; count < 9; count++) sink.take(chunk, chunk.length)
      },
      broken,
    )
    expect(failure?.step).toBe('write')
    expect(open.size).toBe(0)
    expect(readdirSync(dir)).toEqual([])
  })

  test('to sync the directory says so, with the new file in place', () => {
    const dir = directory()
    let syncs = 0
    const broken: FileSystem = {
      ...fs,
      fsyncSync: (fd) => {
        if (++syncs === 2) throw systemError('EIO')
        fs.fsyncSync(fd)
      },
    }
    expect(replaceFile(targetIn(dir), writing('new'), broken)?.step).toBe('fsync directory')
    expect(readFileSync(join(dir, 'dump.rdb'), 'utf8')).toBe('new')
  })

  test("because of the program's own fault throws", () => {
    const dir = directory()
    const write = () => {
      throw new TypeError('a bug')
    }
    expect(() => replaceFile(targetIn(dir), write)).toThrow('a bug')
    expect(readdirSync(dir)).toEqual([])
  })
})

describe('a source', () => {
  test('knows its size, and reads to the end', () => {
    const path = join(directory(), 'file')
    writeFileSync(path, 'hello')
    const source = new FileSource(Buffer.from(path))
    const target = new Uint8Array(10)
    expect(source.size).toBe(5)
    expect(source.read(target, 1, 3)).toBe(3)
    expect(source.read(target, 4, 6)).toBe(2)
    expect(source.read(target, 0, 10)).toBe(0)
    expect(Buffer.from(target).toString('latin1')).toBe('\0hello\0\0\0\0')
    source.close()
  })

  test('that is not there throws what the system says', () => {
    expect(() => new FileSource(Buffer.from('/nonexistent/file'))).toThrow(/ENOENT/)
  })
})
