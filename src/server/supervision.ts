/* Supervision: tells systemd that the server is ready (`Type=notify`), so that what depends on it starts after that.
 *
 * The message is a datagram to the Unix socket that $NOTIFY_SOCKET names, which Node has no way to send. systemd's own
 * `systemd-notify` sends it. It then comes from a child, so the unit must say `NotifyAccess=all`, unless it runs as
 * root, for whom systemd-notify may speak in its parent's name. */
import { execFile } from 'node:child_process'
import type { Config } from './config/config.ts'
import { errorText } from './config/text.ts'
import type { Log } from './log.ts'

const PROGRAM = 'systemd-notify'
const READY = ['--ready', '--status=Ready to accept connections']

/** Who supervises the server, in INFO's words. */
export function supervisor(config: Config, environment: NodeJS.ProcessEnv): 'systemd' | 'no' {
  const mode = config.choice('supervised')
  const asked = mode === 'systemd' || mode === 'auto'
  return asked && environment['NOTIFY_SOCKET'] !== undefined ? 'systemd' : 'no'
}

/** Sends the message, if somebody waits for it. That it cannot be sent is logged: the supervisor decides what then. */
export function tellReady(config: Config, environment: NodeJS.ProcessEnv, log: Log): void {
  if (supervisor(config, environment) === 'systemd') {
    execFile(PROGRAM, READY, { env: environment }, (error) => {
      if (error !== null) log.warn(`systemd supervision error: ${PROGRAM}: ${errorText(error)}`)
    })
  } else if (config.choice('supervised') === 'systemd') {
    log.warn('systemd supervision error: NOTIFY_SOCKET not found!')
  }
}
