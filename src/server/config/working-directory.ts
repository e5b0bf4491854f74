/* The directory that relative names are resolved against: `dir` changes it, CONFIG GET dir shows it.
 *
 * The server changes the process's own directory, as Redis does. An embedded server must not move its host, so it gets
 * a directory of its own to resolve against. */
import { accessSync, constants, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { errorText, toByteString, toBytes, toText } from './text.ts'

export interface WorkingDirectory {
  /** Absolute, as a byte string. */
  path(): string
  /** The reason, if the directory cannot be entered. */
  change(path: string): string | undefined
}

export const processDirectory: WorkingDirectory = {
  path: () => toByteString(process.cwd()),
  change(path) {
    if (path === '') return 'No such file or directory'
    try {
      process.chdir(toText(path))
      return undefined
    } catch (error) {
      return errorText(error)
    }
  },
}

/** A directory that only the server sees; it starts where the process is. */
export function ownDirectory(): WorkingDirectory {
  let current = process.cwd()
  return {
    path: () => toByteString(current),
    change(path) {
      if (path === '') return 'No such file or directory'
      const target = resolve(current, toText(path))
      try {
        if (!statSync(target).isDirectory()) return 'Not a directory'
        accessSync(target, constants.X_OK)
      } catch (error) {
        return errorText(error)
      }
      current = target
      return undefined
    },
  }
}

/** A file name to open: relative ones start at the directory. */
export function resolveBytes(directory: WorkingDirectory, path: string): Buffer {
  return toBytes(path.startsWith('/') ? path : `${directory.path()}/${path}`)
}
