/* A pair: Cinnabar and redis-server side by side, for tests that send both the same bytes and compare what they
 * answer. */
import { afterAll, beforeAll } from 'vitest'
import type { Argument, RawClient } from '../helpers/raw-client.ts'
import { type StartOptions, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'

/** Something of ours, and the same of redis-server's. */
export type Two<T> = readonly [T, T]

export interface Pair {
  readonly servers: Two<TestServer>
  /** A connection to each. */
  readonly clients: Two<RawClient>
  /** Sends both the same; returns the next replies, each with redis-server's. */
  send(bytes: Uint8Array | string, count: number): Promise<[Buffer, Buffer][]>
  /** Has both run a command; what they reply, a character a byte. */
  both(...args: readonly Argument[]): Promise<[string, string]>
  /** Whether redis-server is older than the level that is matched. */
  readonly isOld: boolean
}

/** Starts both before the tests of the group and stops them after them. */
export function usePair(options: StartOptions = {}): () => Pair {
  let pair: Pair
  beforeAll(async () => {
    const servers: Two<TestServer> = [await startCinnabar(options), await startRedis(options)]
    const clients: Two<RawClient> = [await servers[0].connect(), await servers[1].connect()]
    const isOld = String(await clients[1].command('INFO', 'SERVER')).includes('redis_version:7.0')
    pair = {
      isOld,
      servers,
      clients,
      async send(bytes, count) {
        for (const client of clients) client.send(bytes)
        const [ours, redis] = [await clients[0].replies(count), await clients[1].replies(count)]
        return ours.map((reply, index) => [reply, redis[index]!])
      },
      async both(...args) {
        const [ours, redis] = [await clients[0].command(...args), await clients[1].command(...args)]
        return [ours.toString('latin1'), redis.toString('latin1')]
      },
    }
  })
  afterAll(async () => {
    for (const client of pair.clients) await client.close()
    for (const server of pair.servers) await server.stop()
  })
  return () => pair
}

/** A command, as it is named when the replies differ. */
export const shown = (args: readonly Argument[]): string =>
  args.map((arg) => JSON.stringify(String(arg).slice(0, 60))).join(' ')
