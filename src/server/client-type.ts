/* Client types: what a client is used for, by which it is listed, killed and limited. */
import type { Session } from '../commands/session.ts'

/** The first three are the classes of client-output-buffer-limit, in its order. */
export const ClientType = { NORMAL: 0, REPLICA: 1, PUBSUB: 2, MASTER: 3 } as const
export type ClientType = (typeof ClientType)[keyof typeof ClientType]

const NAMES: Readonly<Record<string, ClientType>> = {
  normal: ClientType.NORMAL,
  slave: ClientType.REPLICA,
  replica: ClientType.REPLICA,
  pubsub: ClientType.PUBSUB,
  master: ClientType.MASTER,
}

export function clientTypeOf(session: Session): ClientType {
  const subscriptions = session.channelCount + session.patternCount + session.shardChannelCount
  return subscriptions > 0 ? ClientType.PUBSUB : ClientType.NORMAL
}

/** The type so called, in any case. */
export function clientTypeNamed(name: string): ClientType | undefined {
  const lower = name.toLowerCase()
  return Object.hasOwn(NAMES, lower) ? NAMES[lower] : undefined
}
