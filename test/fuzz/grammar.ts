/* What the server's commands look like, as COMMAND DOCS tells it: what requests are made up from. */
import type { Redis } from 'ioredis'

/** An argument, as COMMAND DOCS describes it. */
export type Argument = {
  readonly type: string
  readonly token: string | undefined
  readonly optional: boolean
  readonly multiple: boolean
  readonly parts: readonly Argument[]
}

/** A command, or a subcommand with the name of its container. */
export type Command = { readonly words: readonly string[]; readonly args: readonly Argument[] }

/** Commands that a fuzzed server, or the fuzzer's count of replies, would not survive. Those that block, and those that
 *  send more or less than one reply, are known by their flags. */
const FORBIDDEN = new Set([
  ...['acl', 'cluster', 'debug', 'module', 'failover', 'migrate', 'monitor', 'psync', 'replconf', 'replicaof'],
  ...['shutdown', 'slaveof', 'sync', 'wait', 'waitaof', 'bgrewriteaof', 'bgsave', 'save'],
  ...['client kill', 'client pause', 'client reply', 'config set', 'config rewrite'],
])
const FORBIDDEN_FLAGS = new Set(['blocking', 'pubsub'])
/** Asked for a negative count, these reply with so many elements, however few there are; so does Redis, for hours. */
const REPEATING = new Set(['hrandfield', 'srandmember', 'zrandmember'])
const REPEATED_MAX = 100_000
/** Commands whose replies are so long that they would be all that is tested. */
export const LONG_REPLIES = new Set(['command', 'command docs', 'command info', 'command list'])

type Flat = readonly unknown[]

/** The fields of a map as RESP2 has it. */
function fieldsOf(flat: Flat): ReadonlyMap<string, unknown> {
  const fields = new Map<string, unknown>()
  for (let at = 0; at + 1 < flat.length; at += 2) fields.set(String(flat[at]), flat[at + 1])
  return fields
}

const listOf = (value: unknown): Flat => (Array.isArray(value) ? value : [])

function argumentOf(flat: Flat): Argument {
  const fields = fieldsOf(flat)
  const flags = listOf(fields.get('flags')).map(String)
  return {
    type: String(fields.get('type')),
    token: fields.has('token') ? String(fields.get('token')) : undefined,
    optional: flags.includes('optional'),
    multiple: flags.includes('multiple'),
    parts: listOf(fields.get('arguments')).map((part) => argumentOf(listOf(part))),
  }
}

export class Grammar {
  readonly commands: readonly Command[]
  /** Every keyword that some command knows. */
  readonly tokens: readonly string[]
  private readonly forbidden: ReadonlySet<string>

  constructor(docs: Flat, infos: Flat) {
    const forbidden = new Set(FORBIDDEN)
    for (const info of infos.map(listOf)) {
      if (listOf(info[2]).some((flag) => FORBIDDEN_FLAGS.has(String(flag)))) forbidden.add(String(info[0]))
    }
    this.forbidden = forbidden
    const commands: Command[] = []
    for (const [name, doc] of fieldsOf(docs)) {
      const fields = fieldsOf(listOf(doc))
      commands.push({ words: [name], args: listOf(fields.get('arguments')).map((arg) => argumentOf(listOf(arg))) })
      for (const [fullName, subDoc] of fieldsOf(listOf(fields.get('subcommands')))) {
        const args = listOf(fieldsOf(listOf(subDoc)).get('arguments')).map((arg) => argumentOf(listOf(arg)))
        commands.push({ words: fullName.split('|'), args })
      }
    }
    this.commands = commands.filter(({ words }) => !this.isForbidden(words))
    const tokens = new Set<string>()
    const collect = (arg: Argument): void => {
      if (arg.token !== undefined && arg.token !== '') tokens.add(arg.token)
      arg.parts.forEach(collect)
    }
    for (const { args } of this.commands) args.forEach(collect)
    this.tokens = [...tokens]
  }

  static async of(redis: Redis): Promise<Grammar> {
    return new Grammar(listOf(await redis.call('COMMAND', 'DOCS')), listOf(await redis.call('COMMAND')))
  }

  /** Whether a request must not be sent. */
  isForbidden(args: readonly string[]): boolean {
    const [name = '', subcommand = ''] = args.slice(0, 2).map((arg) => arg.toLowerCase())
    if (REPEATING.has(name) && Number(args[2]) < -REPEATED_MAX) return true
    return this.forbidden.has(name) || this.forbidden.has(`${name} ${subcommand}`)
  }
}
