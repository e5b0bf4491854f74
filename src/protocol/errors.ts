/* Every error text that clients see, byte for byte Redis's, encoded once.
 *
 * An error is a value: a handler writes it with `reply.error(…)` and returns. Texts with a part that varies are functions
 * here. A text whose first character is not '-' gets the general code ERR, as Redis does. */

export class ErrorReply {
  /** `-CODE text\r\n` */
  readonly bytes: Uint8Array
  /** The first word, by which INFO errorstats counts. */
  readonly code: string
  readonly text: string

  constructor(text: string) {
    // Line ends would cut the reply in two: Redis turns them into spaces.
    this.text = text.replace(/[\r\n]+/g, (ends) => ' '.repeat(ends.length))
    this.bytes = new Uint8Array(Buffer.from(`-${this.text}\r\n`, 'latin1'))
    this.code = /^\S+/.exec(text)?.[0] ?? 'ERR'
  }
}

/** `text` begins with its code; parts that came from a client are latin1. */
export const errorReply = (text: string): ErrorReply => new ErrorReply(text)

export const SYNTAX = errorReply('ERR syntax error')
export const WRONG_TYPE = errorReply('WRONGTYPE Operation against a key holding the wrong kind of value')
export const NOT_INTEGER = errorReply('ERR value is not an integer or out of range')
export const NOT_FLOAT = errorReply('ERR value is not a valid float')
export const OUT_OF_RANGE = errorReply('ERR value is out of range')
export const NOT_POSITIVE = errorReply('ERR value is out of range, must be positive')
export const INDEX_OUT_OF_RANGE = errorReply('ERR index out of range')
export const OFFSET_OUT_OF_RANGE = errorReply('ERR offset is out of range')
export const STRING_TOO_LONG = errorReply('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
export const INCREMENT_OVERFLOW = errorReply('ERR increment or decrement would overflow')
export const DECREMENT_OVERFLOW = errorReply('ERR decrement would overflow')
export const INCREMENT_NAN = errorReply('ERR increment would produce NaN or Infinity')
export const NO_SUCH_KEY = errorReply('ERR no such key')
export const SAME_OBJECT = errorReply('ERR source and destination objects are the same')
export const DB_OUT_OF_RANGE = errorReply('ERR DB index is out of range')
export const INVALID_CURSOR = errorReply('ERR invalid cursor')
export const NO_AUTH = errorReply('NOAUTH Authentication required.')
export const WRONG_PASS = errorReply('WRONGPASS invalid username-password pair or user is disabled.')
export const NO_PROTO = errorReply('NOPROTO unsupported protocol version')
export const OUT_OF_MEMORY = errorReply("OOM command not allowed when used memory > 'maxmemory'.")
export const LOADING = errorReply('LOADING Redis is loading the dataset in memory')
export const MIN_MAX_NOT_FLOAT = errorReply('ERR min or max is not a float')

export const MAX_CLIENTS = errorReply('ERR max number of clients reached')
export const PROTECTED_MODE = errorReply(
  'DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default ' +
    'user. In this mode connections are only accepted from the loopback interface. If you want to connect from external ' +
    "computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command " +
    "'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is " +
    'running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make ' +
    'this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration ' +
    "file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server " +
    "manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication password " +
    'for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting ' +
    'connections from the outside.',
)

export const wrongArity = (command: string): ErrorReply =>
  errorReply(`ERR wrong number of arguments for '${command}' command`)
export const invalidExpire = (command: string): ErrorReply =>
  errorReply(`ERR invalid expire time in '${command}' command`)
export const protocolError = (text: string): ErrorReply => errorReply(`ERR Protocol error: ${text}`)
export const unknownSubcommand = (name: string, container: string): ErrorReply =>
  errorReply(`ERR unknown subcommand '${name.slice(0, 128)}'. Try ${container.toUpperCase()} HELP.`)

/** `name` and `args` as latin1; Redis shows at most 128 bytes of each part. */
export function unknownCommand(name: string, args: readonly string[]): ErrorReply {
  let shown = ''
  for (const arg of args) {
    if (shown.length >= 128) break
    shown += `'${arg.slice(0, 128 - shown.length)}' `
  }
  return errorReply(`ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${shown}`)
}
