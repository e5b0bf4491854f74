/* A crowd: several connections to one server, and all that each of them is sent, in order.
 *
 *     const crowd = await Crowd.gather(server, ['a', 'b'])
 *     await crowd.step('a: SUBSCRIBE news')          // { a: [...], b: [] }
 *     await crowd.step('b: MULTI | PUBLISH news x | EXEC')
 *
 * A step is what one connection sends in one write. Then every connection sends a PING of its own, the sender first:
 * what comes before its answer belongs to the step, so nothing depends on time. With `!` behind the name (where PING
 * would be queued) just one reply is awaited from the sender, and its PINGs are left out until its next step. */
import { encode, type RawClient } from '../helpers/raw-client.ts'
import type { TestServer } from '../helpers/servers.ts'

export type Received = Readonly<Record<string, readonly string[]>>

export class Crowd {
  private readonly clients: ReadonlyMap<string, RawClient>
  private readonly unasked = new Set<string>()
  private fences = 0

  private constructor(clients: ReadonlyMap<string, RawClient>) {
    this.clients = clients
  }

  static async gather(server: TestServer, names: readonly string[]): Promise<Crowd> {
    const clients = new Map<string, RawClient>()
    for (const name of names) clients.set(name, await server.connect())
    return new Crowd(clients)
  }

  /** What each connection receives because of a step. */
  async step(line: string): Promise<Received> {
    const [, name, mark, commands] = /^(\w+)(!?): (.*)$/s.exec(line)!
    const client = this.clients.get(name!)!
    const requests = commands!.split(' | ').map((command) => encode(...wordsOf(command)))
    client.send(Buffer.concat(requests))
    const received: Record<string, readonly string[]> = {}
    if (mark === '!') {
      this.unasked.add(name!)
      received[name!] = [text(await client.reply())]
    } else {
      this.unasked.delete(name!)
      received[name!] = await this.untilFence(client)
    }
    for (const [other, otherClient] of this.clients) {
      if (other !== name && !this.unasked.has(other)) received[other] = await this.untilFence(otherClient)
    }
    return received
  }

  private async untilFence(client: RawClient): Promise<readonly string[]> {
    const fence = `fence-${this.fences++}`
    client.send(encode('PING', fence))
    const replies: string[] = []
    for (;;) {
      const reply = text(await client.reply())
      if (reply.endsWith(`${fence}\r\n`)) return replies
      replies.push(reply)
    }
  }

  /** Ends all connections; the servers have forgotten them afterwards. */
  async dissolve(): Promise<void> {
    for (const client of this.clients.values()) {
      client.send(Buffer.concat([encode('RESET'), encode('QUIT')])) // who turned replies off would not be let go
      await client.closed
    }
  }
}

const text = (reply: Buffer): string => reply.toString('latin1')

/** Words between spaces; `''` is the empty one. */
function wordsOf(command: string): string[] {
  return command.split(' ').map((word) => (word === "''" ? '' : word))
}

/** Whether a redis-server is of 7.2 or later. */
export async function isRecent(server: TestServer): Promise<boolean> {
  const client = await server.connect()
  const [, major, minor] = /redis_version:(\d+)\.(\d+)/.exec(text(await client.command('INFO', 'server')))!
  await client.close()
  return Number(major) * 1000 + Number(minor) >= 7002
}
