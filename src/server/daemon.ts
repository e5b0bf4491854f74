/* The background: `daemonize yes`.
 *
 * Redis forks, and its parent exits. A Node process cannot fork: the program starts itself once more, in a session of
 * its own and with /dev/null for a terminal, and ends as soon as the new process listens, so that whoever started it
 * can connect. The new process inherits arguments and environment, begins where this one began, is given what was read
 * from standard input, and says that it listens on a pipe; it knows that it is the new one by a variable. */
import { spawn } from 'node:child_process'
import { closeSync, writeSync } from 'node:fs'

const VARIABLE = 'CINNABAR_IN_BACKGROUND'
/** The file descriptor of the pipe. */
const PIPE = 3

/** Whether this is the process in the background. Asked once: its own children are not to take it over. */
export function takeBackground(environment: NodeJS.ProcessEnv): boolean {
  const found = environment[VARIABLE] !== undefined
  delete environment[VARIABLE]
  return found
}

/** Starts the program in the background, where this one was started, for its arguments and its configuration are read
 *  once more; false if it ended before it could listen. */
export function startInBackground(directory: string, stdin: Uint8Array | undefined): Promise<boolean> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    cwd: directory,
    env: { ...process.env, [VARIABLE]: '1' },
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'ignore', 'ignore', 'pipe'],
  })
  // If it ends before it has read all, that is told below.
  child.stdin?.on('error', () => {}).end(stdin)
  return new Promise((resolve) => {
    child.stdio[PIPE]?.once('data', () => resolve(true))
    child.once('error', () => resolve(false))
    child.once('exit', () => resolve(false))
  })
}

/** Lets the process that started this one end. */
export function tellListening(): void {
  try {
    writeSync(PIPE, '1')
  } catch {
    // It has been killed meanwhile: nobody waits.
  }
  closeSync(PIPE)
}
