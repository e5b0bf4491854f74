/* Every process the benchmark starts, so that none outlives it.
 *
 * Servers, redis-benchmark and the latency probe are started through here and remembered until they end. However this
 * process ends (normally, by an uncaught error, by SIGINT, SIGTERM or SIGHUP), what is still running is killed by its
 * own pid, and the temporary directories the servers ran in are removed. Only SIGKILL to this process escapes that. */
import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

const children = new Set<ChildProcess>()
const directories = new Set<string>()

function remember(child: ChildProcess): ChildProcess {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

export function start(argv: readonly string[], options: SpawnOptions): ChildProcess {
  return remember(spawn(argv[0]!, argv.slice(1), options))
}

/** Starts a TypeScript module of this folder as a process of its own, with an IPC channel. */
export function startModule(path: string, args: readonly string[]): ChildProcess {
  return remember(fork(path, [...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
}

export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'cinnabar-bench-'))
  directories.add(path)
  return path
}

export function removeDirectory(path: string): void {
  directories.delete(path)
  rmSync(path, { recursive: true, force: true })
}

/** Asks a process to end, and insists after `patienceMs`. Resolves when it is gone. */
export function stop(child: ChildProcess, patienceMs = 5000): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resolve()
    const insist = setTimeout(() => child.kill('SIGKILL'), patienceMs)
    child.once('exit', () => {
      clearTimeout(insist)
      resolve()
    })
    child.kill('SIGTERM')
  })
}

function leaveNothingBehind(): void {
  for (const child of children) child.kill('SIGKILL')
  for (const path of directories) rmSync(path, { recursive: true, force: true })
}

process.once('exit', leaveNothingBehind)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]))
}
