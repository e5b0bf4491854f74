/* Several connections to one server, and what each of them receives, byte for byte and command by command.
 *
 *   'A SET k v'      A and B speak RESP2, C and D RESP3
 *   'A: CLIENT …'    a colon: the command is not answered (CLIENT REPLY), or blocks
 *   'A <'            it is answered now
 *
 * After every command each connection is asked for a sign of life, so that what a command makes others receive is told
 * as part of it, whenever it arrives. A connection between MULTI and EXEC is asked for an error that changes nothing.
 * `<B>` is the id of client B. */
import type { RawClient } from '../helpers/raw-client.ts'
import type { TestServer } from '../helpers/servers.ts'

const NAMES = ['A', 'B', 'C', 'D'] as const
type Name = (typeof NAMES)[number]

const MARK = 'sign-of-life'
/** Commands whose replies, in RESP3, look like pushes. */
const PUSH_REPLIES = /^P?(UN)?SUBSCRIBE$/

class Actor {
  readonly client: RawClient
  readonly id: string
  inMulti = false
  silent = false

  constructor(client: RawClient, id: string) {
    this.client = client
    this.id = id
  }

  /** Receives until a reply has come; all that came. */
  async receive(): Promise<string[]> {
    const received: string[] = []
    for (;;) {
      const text = (await this.client.reply()).toString('latin1')
      received.push(text)
      if (!isPush(text)) return received
    }
  }

  /** What has come without having been asked for, up to a sign of life. */
  async settle(): Promise<string[]> {
    if (this.silent) return []
    if (this.inMulti) this.client.send('MULTI\r\n')
    else this.client.send(`PING ${MARK}\r\n`)
    const received = await this.receive()
    const sign = received.pop()!
    if (!sign.includes(this.inMulti ? 'MULTI calls can not be nested' : MARK)) received.push(`unexpected: ${sign}`)
    return received
  }
}

/** A message that nobody asked for just now. */
function isPush(text: string): boolean {
  return text.startsWith('>') || /^\*[34]\r\n\$\d+\r\n(p?message)\r\n/.test(text)
}

export class Stage {
  private readonly actors: ReadonlyMap<Name, Actor>

  private constructor(actors: ReadonlyMap<Name, Actor>) {
    this.actors = actors
  }

  static async open(server: TestServer): Promise<Stage> {
    const actors = new Map<Name, Actor>()
    for (const name of NAMES) {
      const client = await server.connect()
      if (name >= 'C') await client.command('HELLO', '3')
      const id = (await client.command('CLIENT', 'ID')).toString().slice(1, -2)
      actors.set(name, new Actor(client, id))
    }
    return new Stage(actors)
  }

  /** What each connection received for each step. */
  async play(steps: readonly string[]): Promise<string[]> {
    const told: string[] = []
    for (const step of steps) told.push(await this.step(step))
    return told
  }

  private async step(step: string): Promise<string> {
    const actor = this.actors.get(step[0] as Name)!
    const isAnswered = step[1] !== ':'
    const words = step.slice(2).trim().split(' ')
    if (words[0] !== '<') actor.client.send(`${this.withIds(words).join(' ')}\r\n`)
    const received = new Map<Name, string[]>(NAMES.map((name) => [name, []]))
    const own = received.get(step[0] as Name)!
    const isPushed = PUSH_REPLIES.test(words[0]!) && step[0]! >= 'C'
    if (isAnswered && !isPushed) own.push(...(await actor.receive()))
    this.follow(actor, words, own.at(-1) ?? '', isAnswered)
    for (const [name, each] of this.actors) received.get(name)!.push(...(await each.settle()))
    const parts = [...received].filter(([, texts]) => texts.length > 0)
    return this.withoutIds(`${step} -> ${parts.map(([name, texts]) => `${name} ${texts.join('')}`).join(' | ')}`)
  }

  /** Keeps track of what a connection can be asked for next. */
  private follow(actor: Actor, words: readonly string[], reply: string, isAnswered: boolean): void {
    const command = words[0]!.toUpperCase()
    if (command === 'MULTI' && reply === '+OK\r\n') actor.inMulti = true
    if (command === 'EXEC' || command === 'DISCARD' || command === 'RESET') actor.inMulti = false
    actor.silent = !isAnswered
    const killed = /^<(\w)>$/.exec(words[3] ?? '')
    if (command === 'CLIENT' && words[1] === 'KILL') this.actors.get(killed?.[1] as Name)!.silent = true
  }

  private withIds(words: readonly string[]): string[] {
    return words.map((word) => this.actors.get(/^<(\w)>$/.exec(word)?.[1] as Name)?.id ?? word)
  }

  private withoutIds(text: string): string {
    let rest = text
    if (/\r\nproto\r\n/.test(text)) rest = text.replace(/(\r\nid\r\n):\d+|(\r\nversion\r\n)\$\d+\r\n[\d.]+/g, '$1$2')
    if (!/redir/i.test(text)) return rest
    for (const [name, { id }] of this.actors) rest = rest.replaceAll(`:${id}\r\n`, `:<${name}>\r\n`)
    return rest
  }

  async close(): Promise<void> {
    for (const { client } of this.actors.values()) await client.close()
  }
}
