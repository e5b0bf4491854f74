/* Authentication: who may use the server. There is one user, `default`, whose password is requirepass.
 *
 * As in Redis, a client is judged when it connects: one that came while there was no password stays when one is set,
 * and one that came later must authenticate for as long as there is one. Passwords are compared by their digests, so
 * that the time it takes tells nothing about them. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Gate, type Session } from '../commands/session.ts'
import type { Config } from './config/config.ts'
import type { Connection } from './connection.ts'

export const DEFAULT_USER = 'default'

const digestOf = (bytes: string): Buffer => createHash('sha256').update(bytes, 'latin1').digest()

export class Authentication {
  /** AUTH and HELLO AUTH refused so far. */
  failures = 0
  private digest: Buffer | undefined

  constructor(config: Config, connections: ReadonlyMap<number, Connection>) {
    config.onChange('requirepass', () => {
      const password = config.bytes('requirepass') ?? ''
      this.digest = password === '' ? undefined : digestOf(password)
      for (const { session } of connections.values()) this.judge(session)
    })
  }

  /** Whether everybody may use the server. */
  get isOpen(): boolean {
    return this.digest === undefined
  }

  isUser(name: string): boolean {
    return name === DEFAULT_USER
  }

  /** Begins a session, or (RESET) begins it again. */
  begin(session: Session): void {
    session.user = DEFAULT_USER
    session.authenticated = this.isOpen
    this.judge(session)
  }

  private judge(session: Session): void {
    if (this.isOpen || session.authenticated) session.gates &= ~Gate.UNAUTHENTICATED
    else session.gates |= Gate.UNAUTHENTICATED
  }

  /** Name and password are byte strings. False: refused, and everything is as it was. */
  authenticate(session: Session, user: string, password: string): boolean {
    const known = user === DEFAULT_USER
    if (!known || (this.digest !== undefined && !timingSafeEqual(digestOf(password), this.digest))) {
      this.failures++
      return false
    }
    session.user = user
    session.authenticated = true
    this.judge(session)
    return true
  }
}
