/* Every error text that clients see, byte for byte Redis's, encoded once.
 *
 * An error is a value: a handler writes it with `reply.error(…)` and returns. Texts with a part that varies are
 * functions here. */

import { latin1 } from '../lib/bytes.ts'

const CR = 13
const LF = 10
const SPACE = 32

export class ErrorReply {
  /** `-CODE text\r\n` */
  readonly bytes: Uint8Array
  /** The first word, by which INFO errorstats counts. */
  readonly code: string

  constructor(text: string) {
    const bytes = new Uint8Array(Buffer.from(`-${text}\r\n`, 'latin1'))
    // Line ends would cut the reply in two: Redis turns them into spaces. (Byte by byte: of a text that a client made
    // of nothing else, `replace` would make an array too large for V8, which ends the process.)
    for (let at = bytes.length - 3; at > 0; at--) if (bytes[at] === CR || bytes[at] === LF) bytes[at] = SPACE
    this.bytes = bytes
    this.code = /^\S+/.exec(text)?.[0] ?? 'ERR'
  }
}

/** `text` begins with its code; parts that came from a client are latin1. */
export const errorReply = (text: string): ErrorReply => new ErrorReply(text)

/** Of a command line that makes no sense, each part is shown up to so many bytes. */
export const SHOWN_LEN_MAX = 128

/** As Redis's printf shows what a client sent: a C string ends at its first NUL. */
function shown(part: string, lenMax = part.length): string {
  const nul = part.indexOf('\0')
  return part.substring(0, nul < 0 ? lenMax : Math.min(nul, lenMax))
}

export const SYNTAX = errorReply('ERR syntax error')
export const WRONG_TYPE = errorReply('WRONGTYPE Operation against a key holding the wrong kind of value')
export const NESTED_MULTI = errorReply('ERR MULTI calls can not be nested')
export const DISCARD_WITHOUT_MULTI = errorReply('ERR DISCARD without MULTI')
export const EXEC_WITHOUT_MULTI = errorReply('ERR EXEC without MULTI')
export const EXEC_ABORTED = errorReply('EXECABORT Transaction discarded because of previous errors.')
export const WATCH_INSIDE_MULTI = errorReply('ERR WATCH inside MULTI is not allowed')
export const NOT_IN_MULTI = errorReply('ERR Command not allowed inside a transaction')
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
export const BUSY_KEY = errorReply('BUSYKEY Target key name already exists.')
export const INVALID_IDLE_TIME = errorReply('ERR Invalid IDLETIME value, must be >= 0')
export const INVALID_FREQUENCY = errorReply('ERR Invalid FREQ value, must be >= 0 and <= 255')
export const INVALID_TTL = errorReply('ERR Invalid TTL value, must be >= 0')
export const NO_PAYLOAD = errorReply('ERR DUMP payload version or checksum are wrong')
export const NOT_DUMPABLE = errorReply('ERR values of this type cannot be dumped yet')
export const MIGRATE_KEYS = errorReply(
  'ERR When using MIGRATE KEYS option, the key argument must be set to the empty string',
)
export const MIGRATE_CONNECT = errorReply('IOERR error or timeout connecting to the client')
export const MIGRATE_WRITE = errorReply('IOERR error or timeout writing to target instance')
export const MIGRATE_READ = errorReply('IOERR error or timeout reading to target instance')
export const MIGRATE_NESTED = errorReply('ERR MIGRATE is not possible in transactions and scripts')
export const MIGRATE_NOT_DUMPABLE = errorReply('ERR a value of this type cannot be dumped yet')
export const migrateTarget = (text: string): ErrorReply => errorReply(`ERR Target instance replied with error: ${text}`)
export const BAD_PAYLOAD = errorReply('ERR Bad data format')
export const SAME_OBJECT = errorReply('ERR source and destination objects are the same')
export const BIT_NOT_INTEGER = errorReply('ERR bit is not an integer or out of range')
export const BIT_OFFSET = errorReply('ERR bit offset is not an integer or out of range')
export const BIT_NOT_BINARY = errorReply('ERR The bit argument must be 1 or 0.')
export const BITOP_NOT_KEYS = errorReply('ERR BITOP NOT must be called with a single source key.')
export const BITFIELD_TYPE = errorReply(
  'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
)
export const BITFIELD_OVERFLOW = errorReply('ERR Invalid OVERFLOW type specified')
export const BITFIELD_READ_ONLY = errorReply('ERR BITFIELD_RO only supports the GET subcommand')
export const NOT_HLL = errorReply('WRONGTYPE Key is not a valid HyperLogLog string value.')
export const CORRUPT_HLL = errorReply('INVALIDOBJ Corrupted HLL object detected')
export const HLL_NOT_SPARSE = errorReply('ERR HLL encoding is not sparse')
export const NO_SPECIFIED_KEY = errorReply('ERR The specified key does not exist')
export const HLL_TEST_FAILED = errorReply('ERR TESTFAILED the counters do not hold what was put into them')
export const unknownPfdebug = (name: string): ErrorReply =>
  errorReply(`ERR Unknown PFDEBUG subcommand '${shown(name)}'`)
export const pfdebugArity = (name: string): ErrorReply =>
  errorReply(`ERR Wrong number of arguments for the '${shown(name)}' subcommand`)
export const RADIUS_NOT_NUMERIC = errorReply('ERR need numeric radius')
export const RADIUS_NEGATIVE = errorReply('ERR radius cannot be negative')
export const WIDTH_NOT_NUMERIC = errorReply('ERR need numeric width')
export const HEIGHT_NOT_NUMERIC = errorReply('ERR need numeric height')
export const BOX_NEGATIVE = errorReply('ERR height or width cannot be negative')
export const DISTANCE_UNIT = errorReply('ERR unsupported unit provided. please use M, KM, FT, MI')
export const NO_GEO_MEMBER = errorReply('ERR could not decode requested zset member')
export const GEO_COUNT = errorReply('ERR COUNT must be > 0')
export const GEO_ANY = errorReply('ERR the ANY argument requires COUNT argument')
export const badPosition = (longitude: string, latitude: string): ErrorReply =>
  errorReply(`ERR invalid longitude,latitude pair ${longitude},${latitude}`)
/** `store` is what stores: a command, or an option of one. */
export const geoStoreOptions = (store: string): ErrorReply =>
  errorReply(`ERR ${store} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`)
export const geoCentre = (command: string): ErrorReply =>
  errorReply(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${shown(command)}`)
export const geoShape = (command: string): ErrorReply =>
  errorReply(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${shown(command)}`)
export const ACL_USER_NAME = errorReply("ERR Usernames can't contain spaces or null characters")
export const ACL_DEFAULT_USER = errorReply("ERR The 'default' user cannot be removed")
export const ACL_GENPASS_BITS = errorReply(
  'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096',
)
export const ACL_NO_FILE = errorReply(
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER ' +
    'command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store ' +
    'users in the Redis configuration.',
)
export const ACL_NOT_SAVED = errorReply(
  'ERR There was an error trying to save the ACLs. Please check the server logs for more information',
)
export const SORT_BY_DENIED = errorReply('ERR BY option of SORT denied due to insufficient ACL permissions.')
export const SORT_GET_DENIED = errorReply('ERR GET option of SORT denied due to insufficient ACL permissions.')
export const unknownAclCategory = (name: string): ErrorReply =>
  errorReply(`ERR Unknown category '${shown(name, SHOWN_LEN_MAX)}'`)
export const unknownDryRunUser = (name: string): ErrorReply => errorReply(`ERR User '${shown(name)}' not found`)
export const unknownDryRunCommand = (name: string): ErrorReply => errorReply(`ERR Command '${shown(name)}' not found`)
/** EXEC met a command that its user may not run any more. */
export const noLongerAllowed = (reason: string): ErrorReply =>
  errorReply(
    'NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. ' +
      `This command is no longer allowed for the following reason: ${reason}`,
  )
export const DB_OUT_OF_RANGE = errorReply('ERR DB index is out of range')
export const INVALID_CURSOR = errorReply('ERR invalid cursor')
export const NO_AUTH = errorReply('NOAUTH Authentication required.')
export const WRONG_PASS = errorReply('WRONGPASS invalid username-password pair or user is disabled.')
export const NO_PROTO = errorReply('NOPROTO unsupported protocol version')
export const OUT_OF_MEMORY = errorReply("OOM command not allowed when used memory > 'maxmemory'.")
export const OUT_OF_MEMORY_SCRIPT = errorReply(
  "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
)
export const NO_SCRIPT = errorReply('NOSCRIPT No matching script. Please use EVAL.')
export const BUSY_SCRIPT = errorReply(
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
)
export const BUSY_FUNCTION = errorReply(
  'BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.',
)
export const NOT_BUSY = errorReply('NOTBUSY No scripts in execution right now.')
export const UNKILLABLE = errorReply(
  'UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script ' +
    'termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.',
)
export const READ_ONLY_SCRIPT = errorReply('ERR Can not execute a script with write flag using *_ro command.')
export const KEYS_NEGATIVE = errorReply("ERR Number of keys can't be negative")
export const BAD_KEY_COUNT = errorReply('ERR Bad number of keys provided')
export const SCRIPT_FLUSH_OPTION = errorReply('ERR SCRIPT FLUSH only support SYNC|ASYNC option')
export const SCRIPT_DEBUG_OPTION = errorReply('ERR Use SCRIPT DEBUG YES/SYNC/NO')
export const NO_SCRIPT_DEBUGGER = errorReply('ERR this server has no debugger for scripts')
export const FUNCTION_FLUSH_OPTION = errorReply('ERR FUNCTION FLUSH only supports SYNC|ASYNC option')
export const FUNCTION_NOT_FOUND = errorReply('ERR Function not found')
export const FUNCTION_CODE_MISSING = errorReply('ERR Function code is missing')
export const LIBRARY_NOT_FOUND = errorReply('ERR Library not found')
export const LIBRARY_NAME_MISSING = errorReply('ERR library name argument was not given')
export const BAD_RESTORE_POLICY = errorReply(
  'ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.',
)
export const BAD_FUNCTION_PAYLOAD = errorReply('ERR given type is not a function')
export const LOADING = errorReply('LOADING Redis is loading the dataset in memory')
export const MIN_MAX_NOT_FLOAT = errorReply('ERR min or max is not a float')
export const NOT_INT32 = errorReply('ERR value is out of range, value must between -2147483648 and 2147483647')
export const FIRST_DB_INDEX = errorReply('ERR invalid first DB index')
export const SECOND_DB_INDEX = errorReply('ERR invalid second DB index')
export const NX_WITH_OTHERS = errorReply('ERR NX and XX, GT or LT options at the same time are not compatible')
export const GT_WITH_LT = errorReply('ERR GT and LT options at the same time are not compatible')
export const LCS_NOT_STRINGS = errorReply('ERR The specified keys must contain string values')
export const LCS_LEN_AND_IDX = errorReply('ERR If you want both the length and indexes, please just use IDX.')
export const LCS_TOO_LARGE = errorReply('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len')
export const LFU_SELECTED = errorReply(
  'ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between ' +
    'policies at runtime LRU and LFU data will take some time to adjust.',
)
export const LFU_NOT_SELECTED = errorReply(
  'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching ' +
    'between policies at runtime LRU and LFU data will take some time to adjust.',
)

export const MAX_CLIENTS = errorReply('ERR max number of clients reached')
export const PROTECTED_MODE = errorReply(
  'DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the ' +
    'default user. In this mode connections are only accepted from the loopback interface. If you want to ' +
    'connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable ' +
    "protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting " +
    'to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from ' +
    'internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just ' +
    'disable the protected mode by editing the Redis configuration file, and setting the protected mode option ' +
    "to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it " +
    "with the '--protected-mode no' option. 4) Set up an authentication password for the default user. NOTE: You " +
    'only need to do one of the above things in order for the server to start accepting connections from the ' +
    'outside.',
)

export const NO_PASSWORD = errorReply(
  'ERR AUTH <password> called without any password configured for the default user. ' +
    'Are you sure your configuration is correct?',
)
export const NO_AUTH_HELLO = errorReply(
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> ' +
    'option can be used to authenticate the client and select the RESP protocol version at the same time',
)
export const PROTOCOL_VERSION_NOT_INTEGER = errorReply('ERR Protocol version is not an integer or out of range')
export const BAD_CLIENT_NAME = errorReply('ERR Client names cannot contain spaces, newlines or special characters.')
export const BAD_CLIENT_ID = errorReply('ERR Invalid client ID')
export const CLIENT_ID_NOT_POSITIVE = errorReply('ERR client-id should be greater than 0')
export const MAX_AGE_NOT_POSITIVE = errorReply('ERR maxage should be greater than 0')
export const NO_SUCH_CLIENT = errorReply('ERR No such client')
export const BAD_UNBLOCK_REASON = errorReply('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
export const BAD_PAUSE_MODE = errorReply('ERR CLIENT PAUSE mode must be WRITE or ALL')
export const NOT_TRACKING = errorReply(
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
)
export const PREFIX_WITHOUT_BCAST = errorReply('ERR PREFIX option requires BCAST mode to be enabled')
export const BCAST_WITH_OPT = errorReply('ERR OPTIN and OPTOUT are not compatible with BCAST')
export const OPTIN_AND_OPTOUT = errorReply("ERR You can't specify both OPTIN mode and OPTOUT mode")
export const ONE_REDIRECTION = errorReply('ERR A client can only redirect to a single other client')
export const NO_REDIRECTION = errorReply('ERR The client ID you want redirect to does not exist')
export const NO_TRACKING = errorReply('ERR only a client with a connection can track keys')
export const TOO_MANY_PREFIXES = errorReply('ERR too many prefixes')
export const BCAST_SWITCH = errorReply(
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a " +
    'different mode.',
)
export const OPT_SWITCH = errorReply(
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a " +
    'different mode.',
)
export const CACHING_YES_WITHOUT_OPTIN = errorReply(
  'ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.',
)
export const CACHING_NO_WITHOUT_OPTOUT = errorReply(
  'ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.',
)
/** `other` is `an existing` or `another provided`. */
export function overlappingPrefix(prefix: string, other: string, overlapped: string): ErrorReply {
  return errorReply(
    `ERR Prefix '${shown(prefix)}' overlaps with ${other} prefix '${shown(overlapped)}'. ` +
      'Prefixes for a single client must not overlap.',
  )
}
export const MONITOR_DENIED = errorReply("ERR MONITOR isn't allowed for DENY BLOCKING client")
export const subscribeDenied = (command: string): ErrorReply =>
  errorReply(`ERR ${command} isn't allowed for a DENY BLOCKING client`)
/** `command` is its full name: of a subcommand with its container's. */
export const notWhileSubscribed = (command: string): ErrorReply =>
  errorReply(
    `ERR Can't execute '${command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in ` +
      'this context',
  )
export const TOO_MANY_SUBSCRIPTIONS = errorReply('ERR no memory is left for more subscriptions')
export const REPLICA_READS_NOTHING = errorReply("ERR Replica can't interact with the keyspace")
export const unknownClientType = (name: string): ErrorReply => errorReply(`ERR Unknown client type '${shown(name)}'`)
export const noSuchUser = (name: string): ErrorReply => errorReply(`ERR No such user '${shown(name)}'`)
export const badClientAttribute = (name: string): ErrorReply =>
  errorReply(`ERR ${name} cannot contain spaces, newlines or special characters.`)
export const unknownClientAttribute = (name: string): ErrorReply =>
  errorReply(`ERR Unrecognized option '${shown(name)}'`)
export const badHelloOption = (option: string): ErrorReply =>
  errorReply(`ERR Syntax error in HELLO option '${shown(option)}'`)

export const RANK_ZERO = errorReply(
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
    'or use negative to start from the end of the list',
)
export const RANK_OUT_OF_RANGE = errorReply(
  'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
)
export const COUNT_NEGATIVE = errorReply("ERR COUNT can't be negative")
export const MAXLEN_NEGATIVE = errorReply("ERR MAXLEN can't be negative")
export const NUMKEYS_NOT_POSITIVE = errorReply('ERR numkeys should be greater than 0')
export const COUNT_NOT_POSITIVE = errorReply('ERR count should be greater than 0')
export const SLOWLOG_COUNT = errorReply('ERR count should be greater than or equal to -1')
export const DEBUG_NOT_ALLOWED = errorReply(
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local ' +
    'connection, otherwise you need to set this option in the configuration file, and then restart the server.',
)
export const MODULE_NOT_ALLOWED = errorReply(
  'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a ' +
    'local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
)
export const MODULE_NOT_LOADED = errorReply('ERR Error loading the extension. Please check the server logs.')
export const MODULE_UNKNOWN = errorReply('ERR Error unloading module: no such module with that name')
export const DB_OUT_OF_RANGE_DEBUG = errorReply('ERR Out of range database')
export const NOT_SDS = errorReply('ERR Not an sds encoded string.')
export const NOT_LISTPACK = errorReply('ERR Not a listpack encoded object.')
export const NOT_QUICKLIST = errorReply('ERR Not a quicklist encoded object.')
export const NOT_HASH_TABLE = errorReply(
  'ERR The value stored at the specified key is not represented using an hash table',
)
export const WRONG_PROTOCOL_TYPE = errorReply(
  'ERR Wrong protocol type name. Please use one of the following: ' +
    'string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false',
)
export const NEEDS_RESP3 = errorReply('ERR RESP2 is not supported by this command')
export const PACKED_THRESHOLD = errorReply('ERR argument must be a memory value bigger than 1 and smaller than 4gb')
export const RELOAD_OPTIONS = errorReply('ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.')
export const LOAD_AOF_FAILED = errorReply('ERR Error trying to load the AOF files, check server logs.')
export const RELOAD_FAILED = errorReply('ERR Error trying to load the RDB dump, check server logs.')
export const SAVE_IN_PROGRESS = errorReply('ERR Background save already in progress')
export const OTHER_CHILD = errorReply(
  "ERR Another child process is active (AOF?): can't BGSAVE right now. " +
    'Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.',
)
export const MISCONF = errorReply(
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. " +
    'Commands that may modify the data set are disabled, because this instance is configured to report errors ' +
    'during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). ' +
    'Please check the Redis logs for details about the RDB error.',
)
export const NO_REPLICAS = errorReply('NOREPLICAS Not enough good replicas to write.')
/** The log says more. */
export const REWRITE_IN_PROGRESS = errorReply('ERR Background append only file rewriting already in progress')
export const REWRITE_FAILED = errorReply(
  "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
)
export const SAVE_FAILED = errorReply('ERR')
export const CLUSTER_DISABLED = errorReply('ERR This instance has cluster support disabled')
export const NO_REPLICATION = errorReply('ERR replication is not built yet: this server cannot be a replica')
export const INVALID_MASTER_PORT = errorReply('ERR Invalid master port')
export const NO_SHUTDOWN = errorReply('ERR No shutdown in progress.')
export const SHUTDOWN_FAILED = errorReply('ERR Errors trying to SHUTDOWN. Check logs.')
export const UNBLOCKED = errorReply('UNBLOCKED client unblocked via CLIENT UNBLOCK')
export const TIMEOUT_NOT_INTEGER = errorReply('ERR timeout is not an integer or out of range')
export const TIMEOUT_NOT_FLOAT = errorReply('ERR timeout is not a float or out of range')
export const TIMEOUT_NEGATIVE = errorReply('ERR timeout is negative')
export const TIMEOUT_OUT_OF_RANGE = errorReply('ERR timeout is out of range')
export const WAITAOF_NEEDS_AOF = errorReply(
  'ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.',
)
/** The limits are those of a C long, which a number cannot hold. */
export const COUNT_OUT_OF_RANGE = errorReply(
  'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
)
export const TOO_MANY_NUMKEYS = errorReply("ERR Number of keys can't be greater than number of args")
export const LIMIT_NEGATIVE = errorReply("ERR LIMIT can't be negative")
export const ZADD_NX_XX = errorReply('ERR XX and NX options at the same time are not compatible')
export const ZADD_CONDITIONS = errorReply('ERR GT, LT, and/or NX options at the same time are not compatible')
export const ZADD_INCR_PAIRS = errorReply('ERR INCR option supports a single increment-element pair')
export const SCORE_NAN = errorReply('ERR resulting score is not a number (NaN)')
export const WEIGHT_NOT_FLOAT = errorReply('ERR weight value is not a float')
export const LEX_RANGE = errorReply('ERR min or max not valid string range item')
export const LIMIT_WITH_RANKS = errorReply(
  'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
)
export const WITHSCORES_BY_LEX = errorReply('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
export const HASH_NOT_INTEGER = errorReply('ERR hash value is not an integer')
export const HASH_NOT_FLOAT = errorReply('ERR hash value is not a float')
export const SCORES_NOT_FLOATS = errorReply("ERR One or more scores can't be converted into double")
export const FIELD_EXPIRE_NEGATIVE = errorReply('ERR invalid expire time, must be >= 0')
export const FIELDS_MISSING = errorReply('ERR Mandatory argument FIELDS is missing or not at the right position')
export const FIELDS_NOT_POSITIVE = errorReply('ERR Number of fields must be a positive integer')
export const NUMFIELDS_NOT_POSITIVE = errorReply('ERR Parameter `numFields` should be greater than 0')
export const FIELDS_MISMATCH = errorReply('ERR The `numfields` parameter must match the number of arguments')
export const FIELDS_COUNT = errorReply('ERR invalid number of fields')
export const FIELD_CONDITIONS = errorReply('ERR Only one of FXX or FNX arguments can be specified')
export const FIELD_EXPIRATIONS = errorReply('ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified')
export const NO_EXPIRE_TIME = errorReply('ERR missing expire time')
export const unknownArgument = (argument: string): ErrorReply =>
  errorReply(`ERR unknown argument: ${shown(argument, SHOWN_LEN_MAX)}`)
export const NAN_OR_INFINITY = errorReply('ERR value is NaN or Infinity')
export const noLatencySamples = (event: string): ErrorReply =>
  errorReply(`ERR No samples available for event '${shown(event)}'`)
export const outOfRange = (least: number, most: number): ErrorReply =>
  errorReply(`ERR value is out of range, value must between ${least} and ${most}`)

export const noInputKey = (command: string): ErrorReply =>
  errorReply(`ERR at least 1 input key is needed for '${command}' command`)
export const wrongArity = (command: string): ErrorReply =>
  errorReply(`ERR wrong number of arguments for '${command}' command`)
export const invalidExpire = (command: string): ErrorReply =>
  errorReply(`ERR invalid expire time in '${command}' command`)
export const unsupportedOption = (option: string): ErrorReply => errorReply(`ERR Unsupported option ${shown(option)}`)
export const protocolError = (text: string): ErrorReply => errorReply(`ERR Protocol error: ${text}`)
export const unknownSubcommand = (name: string, container: string): ErrorReply =>
  errorReply(`ERR unknown subcommand '${shown(name, SHOWN_LEN_MAX)}'. Try ${container.toUpperCase()} HELP.`)

/** Of containers that look at the number of arguments themselves. */
export const wrongSubcommand = (name: string, container: string): ErrorReply =>
  errorReply(
    `ERR unknown subcommand or wrong number of arguments for '${shown(name, SHOWN_LEN_MAX)}'. ` +
      `Try ${container.toUpperCase()} HELP.`,
  )

/** `name` and `args` as latin1. */
export function unknownCommand(name: string, args: readonly string[]): ErrorReply {
  let list = ''
  for (const arg of args) {
    if (list.length >= SHOWN_LEN_MAX) break
    list += `'${shown(arg, SHOWN_LEN_MAX - list.length)}' `
  }
  return errorReply(`ERR unknown command '${shown(name, SHOWN_LEN_MAX)}', with args beginning with: ${list}`)
}

/** EXEC itself was refused, with this error. */
export function execAbortedBecause(error: ErrorReply): ErrorReply {
  const text = latin1(error.bytes, 1, error.bytes.length - 3).replace(/^ERR /, '')
  return errorReply(`EXECABORT Transaction discarded because of: ${text}`)
}

// Streams.
export const BAD_STREAM_ID = errorReply('ERR Invalid stream ID specified as stream command argument')
export const BAD_RANGE_START = errorReply('ERR invalid start ID for the interval')
export const BAD_RANGE_END = errorReply('ERR invalid end ID for the interval')
export const XADD_ID_ZERO = errorReply('ERR The ID specified in XADD must be greater than 0-0')
export const XADD_ID_SMALL = errorReply(
  'ERR The ID specified in XADD is equal or smaller than the target stream top item',
)
export const XADD_EXHAUSTED = errorReply('ERR The stream has exhausted the last possible ID, unable to add more items')
export const XADD_TOO_LARGE = errorReply('ERR Elements are too large to be stored')
export const TRIM_TWICE = errorReply('ERR syntax error, MAXLEN and MINID options at the same time are not compatible')
export const TRIM_MAXLEN_NEGATIVE = errorReply('ERR The MAXLEN argument must be >= 0.')
export const TRIM_LIMIT_NEGATIVE = errorReply('ERR The LIMIT argument must be >= 0.')
export const TRIM_LIMIT_ALONE = errorReply(
  'ERR syntax error, LIMIT cannot be used without specifying a trimming strategy',
)
export const TRIM_LIMIT_EXACT = errorReply('ERR syntax error, LIMIT cannot be used without the special ~ option')
export const XTRIM_NO_STRATEGY = errorReply('ERR syntax error, XTRIM must be called with a trimming strategy')
export const XSETID_ADDED_NEGATIVE = errorReply('ERR entries_added must be positive')
export const XSETID_BELOW_GIVEN = errorReply(
  'ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id',
)
export const XSETID_BELOW_DELETED = errorReply(
  'ERR The ID specified in XSETID is smaller than current max_deleted_entry_id',
)
export const XSETID_BELOW_TOP = errorReply('ERR The ID specified in XSETID is smaller than the target stream top item')
export const XSETID_ADDED_SMALL = errorReply(
  'ERR The entries_added specified in XSETID is smaller than the target stream length',
)
export const XGROUP_NO_KEY = errorReply(
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM ' +
    'option to create an empty stream automatically.',
)
export const XGROUP_READ_NEGATIVE = errorReply('ERR value for ENTRIESREAD must be positive or -1')
export const BUSY_GROUP = errorReply('BUSYGROUP Consumer Group name already exists')
export const XREAD_GROUP_OPTION = errorReply(
  'ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.',
)
export const XREAD_NOACK_OPTION = errorReply(
  'ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.',
)
export const XREADGROUP_NO_GROUP = errorReply('ERR Missing GROUP option for XREADGROUP')
export const XREADGROUP_LAST = errorReply(
  'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by ' +
    'specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
)
export const XREADGROUP_FINAL = errorReply(
  'ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by ' +
    'specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.',
)
export const XREAD_NEW = errorReply(
  'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
)
export const BAD_CLAIM_IDLE = errorReply('ERR Invalid min-idle-time argument for XCLAIM')
export const BAD_CLAIM_IDLE_OPTION = errorReply('ERR Invalid IDLE option argument for XCLAIM')
export const BAD_CLAIM_TIME_OPTION = errorReply('ERR Invalid TIME option argument for XCLAIM')
export const BAD_CLAIM_RETRYCOUNT = errorReply('ERR Invalid RETRYCOUNT option argument for XCLAIM')
export const BAD_AUTOCLAIM_IDLE = errorReply('ERR Invalid min-idle-time argument for XAUTOCLAIM')
export const AUTOCLAIM_COUNT = errorReply('ERR COUNT must be > 0')
export const unknownClaimOption = (option: string): ErrorReply =>
  errorReply(`ERR Unrecognized XCLAIM option '${shown(option)}'`)
export const unbalancedStreams = (command: string, symbol: string): ErrorReply =>
  errorReply(`ERR Unbalanced '${command}' list of streams: for each stream key an ID or '${symbol}' must be specified.`)
export const blockInScript = (command: string): ErrorReply =>
  errorReply(`ERR ${shown(command)} command is not allowed with BLOCK option from scripts`)
export const noKeyOrGroup = (key: string, group: string, where = ''): ErrorReply =>
  errorReply(`NOGROUP No such key '${shown(key)}' or consumer group '${shown(group)}'${where}`)
export const noGroup = (group: string, key: string): ErrorReply =>
  errorReply(`NOGROUP No such consumer group '${shown(group)}' for key name '${shown(key)}'`)
