/* Where configuration text comes from: files, files that a pattern names, standard input, the command line.
 *
 * Every line remembers its source, so that an error can name it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { globMatches, trim } from './text.ts'
import { resolveBytes, type WorkingDirectory } from './working-directory.ts'

export interface SourceLine {
  readonly text: string
  /** For people: "/etc/redis.conf, line 3". */
  readonly place: string
}

/** `numbered`: the source has lines that somebody can look up. */
export function linesOf(text: string, source: string, numbered: boolean): SourceLine[] {
  return text
    .split('\n')
    .map((line, i) => ({ text: trim(line), place: numbered ? `${source}, line ${i + 1}` : source }))
}

/** One text after another. What follows the last line end of the first is no line yet. */
export function concat(first: readonly SourceLine[], second: readonly SourceLine[]): readonly SourceLine[] {
  return first.at(-1)?.text === '' ? [...first.slice(0, -1), ...second] : [...first, ...second]
}

export function readFile(directory: WorkingDirectory, path: string): string {
  return readFileSync(resolveBytes(directory, path)).toString('latin1')
}

export const hasWildcard = (path: string): boolean => /[*?[]/.test(path)

/** The existing paths that match, in alphabetical order; a wildcard matches neither "/" nor a leading ".". */
export function expandPath(directory: WorkingDirectory, pattern: string): string[] {
  let paths = [pattern.startsWith('/') ? '/' : '']
  for (const part of pattern.split('/').filter((name) => name !== '')) {
    paths = paths.flatMap((base) => expandPart(directory, base, part))
  }
  return paths
}

function expandPart(directory: WorkingDirectory, base: string, part: string): string[] {
  const join = (name: string): string => (base === '' || base.endsWith('/') ? base + name : `${base}/${name}`)
  if (!hasWildcard(part)) return existsSync(resolveBytes(directory, join(part))) ? [join(part)] : []
  const pattern = part.replaceAll('[!', '[^')
  return namesIn(resolveBytes(directory, base === '' ? '.' : base))
    .filter((name) => (!name.startsWith('.') || part.startsWith('.')) && globMatches(pattern, name, false))
    .sort()
    .map(join)
}

/** None where there is no directory to read: then nothing matches, as with the shell. */
function namesIn(path: Buffer): string[] {
  try {
    return readdirSync(path, 'latin1')
  } catch {
    return []
  }
}
