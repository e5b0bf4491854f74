/* Session: what commands know and change of the connection that sent them. The connection itself, its socket and its
 * buffers belong to the server; embedding and scripts have sessions without one. */
import type { User } from '../acl/user.ts'
import type { TrackedClient } from '../tracking/tracked-client.ts'
import type { Queue } from '../transactions/queue.ts'
import type { Watcher } from '../transactions/watched-keys.ts'
import type { Command } from './definition.ts'

/** Why a session cannot be served on the short path; any bit set sends its commands through `Dispatcher.admit`. */
export const Gate = {
  /** requirepass is set and the client has not authenticated. */
  UNAUTHENTICATED: 1 << 0,
  /** Between MULTI and EXEC. */
  MULTI: 1 << 1,
  /** RESP2 with subscriptions: few commands are allowed. */
  SUBSCRIBED: 1 << 2,
  /** Watches the stream of commands (MONITOR). */
  MONITOR: 1 << 3,
  /** CLIENT REPLY is OFF or SKIP. */
  REPLY: 1 << 4,
  /** CLIENT CACHING was said: it holds for the next command. */
  CACHING: 1 << 5,
  /** The user may not do everything. */
  LIMITED: 1 << 6,
} as const

/** What may be done to a client beyond serving it; shown by CLIENT LIST. */
export const SessionFlag = {
  NO_EVICT: 1 << 0,
  NO_TOUCH: 1 << 1,
  /** Close when the replies written so far are sent. */
  CLOSE_AFTER_REPLY: 1 << 2,
  CLOSE_NOW: 1 << 3,
  UNIX_SOCKET: 1 << 4,
  /** Runs commands that must not wait for anything: those of EXEC, of a script. */
  DENY_BLOCKING: 1 << 5,
  /** A command was refused since MULTI: EXEC will be. */
  SPOILED: 1 << 6,
  /** Runs the commands of a script. */
  SCRIPT: 1 << 7,
  /** What it says was done once already: it is told by a file. */
  REPLAYS: 1 << 8,
} as const

export const ReplyMode = { ON: 0, OFF: 1, SKIP_NEXT: 2, SKIP: 3 } as const

export class Session {
  readonly id: number
  /** Bits of Gate. */
  gates = 0
  /** Bits of SessionFlag. */
  flags = 0
  /** Index of the selected database. */
  dbIndex = 0
  /** RESP version: 2 or 3. */
  version = 2
  /** Not ready for its next command: blocked, paused. */
  blocked = false
  replyMode: number = ReplyMode.ON
  authenticated = false
  user = 'default'
  /** That user; null: nobody's session, which may do everything. */
  account: User | null = null
  name = ''
  libName = ''
  libVersion = ''
  /** The command last named, for CLIENT LIST; null if there is none so called. */
  lastCommand: Command | null = null
  /** Subscriptions. */
  channelCount = 0
  patternCount = 0
  shardChannelCount = 0
  /** Commands queued since MULTI, -1 outside of a transaction; all their flags; all flags that one of them lacks. */
  queuedCount = -1
  queuedFlags = 0
  queuedLacks = 0
  /** Those commands; null while there are none. */
  queue: Queue | null = null
  /** What WATCH watches; null if it was never used. */
  watcher: Watcher | null = null
  /** How keys are tracked for it; null if it never asked for it. */
  tracking: TrackedClient | null = null
  commandCount = 0

  constructor(id: number) {
    this.id = id
  }
}

/** Sets the gate of a client with subscriptions: in RESP2 messages could not be told from replies. */
export function followSubscriptions(session: Session): void {
  const count = session.channelCount + session.patternCount + session.shardChannelCount
  if (count > 0 && session.version === 2) session.gates |= Gate.SUBSCRIBED
  else session.gates &= ~Gate.SUBSCRIBED
}
