/* What the tests of the configuration share: a Config that leaves the process's directory alone, and a place for
 * files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Config, type SetCaller } from '../../../../src/server/config/config.ts'
import { type Loaded, type LoadRequest, load } from '../../../../src/server/config/load.ts'
import { ownDirectory } from '../../../../src/server/config/working-directory.ts'

export const LOCAL: SetCaller = { local: true, loading: false }
export const REMOTE: SetCaller = { local: false, loading: false }

export function newConfig(): Config {
  return new Config({ directory: ownDirectory() })
}

/** A directory that goes when the test is done. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'cinnabar-config-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Writes a file into a fresh directory; answers its path. */
export function temporaryFile(content: string, name = 'test.conf'): string {
  const path = join(temporaryDirectory(), name)
  writeFileSync(path, content, 'latin1')
  return path
}

export function start(args: readonly string[], request: Partial<LoadRequest> = {}): Loaded {
  return load({
    program: 'redis-server',
    version: '0.0.0',
    args,
    environment: {},
    readStdin: () => new Uint8Array(),
    directory: ownDirectory(),
    ...request,
  })
}

/** The configuration that a start leads to; fails the test if it does not start. */
export function started(args: readonly string[], request: Partial<LoadRequest> = {}): Config {
  const loaded = start(args, request)
  if (loaded.action !== 'start') throw new Error(`did not start: ${loaded.stderr}`)
  return loaded.config
}

/** What a start says on stderr before it exits. */
export function refusal(args: readonly string[], request: Partial<LoadRequest> = {}): string {
  const loaded = start(args, request)
  if (loaded.action !== 'exit') throw new Error('started')
  return loaded.stderr
}

/** CONFIG GET of one name. */
export function shown(config: Config, name: string): string | undefined {
  return config.get([name])[0]?.[1]
}
