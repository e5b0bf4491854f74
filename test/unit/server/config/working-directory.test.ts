import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ownDirectory, processDirectory, resolveBytes } from '../../../../src/server/config/working-directory.ts'
import { temporaryDirectory } from './support.ts'

const home = process.cwd()
afterEach(() => process.chdir(home))

describe.each([
  ['the process’s', () => processDirectory],
  ['a server’s own', ownDirectory],
])('%s working directory', (_name, make) => {
  test('starts where the process is, and moves by absolute and relative paths', () => {
    const directory = make()
    const path = temporaryDirectory()
    expect(directory.path()).toBe(home)
    expect(directory.change(path)).toBeUndefined()
    expect(directory.change('.')).toBeUndefined()
    expect(directory.path()).toBe(path)
    expect(resolveBytes(directory, 'x').toString()).toBe(join(path, 'x'))
    expect(resolveBytes(directory, '/x').toString()).toBe('/x')
  })

  test('stays where it is when it cannot move', () => {
    const directory = make()
    expect(directory.change('/nosuch')).toBe('No such file or directory')
    expect(directory.change('')).toBe('No such file or directory')
    expect(directory.change('/etc/passwd')).toBe('Not a directory')
    expect(directory.path()).toBe(home)
  })
})

test('a server’s own directory leaves the process where it is', () => {
  ownDirectory().change('/')
  expect(process.cwd()).toBe(home)
})
