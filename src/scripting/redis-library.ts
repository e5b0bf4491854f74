/* The functions that Lua finds under `redis`, and what else Redis gives its scripts or takes away.
 *
 * Each is a lua_CFunction: its arguments are on the stack of the state that it is called with (a coroutine has one of
 * its own), it pushes results and returns their number. Errors are tables {err='CODE text'}: `raise` throws one. */
import { crypto } from '../lib/crypto.ts'
import { writeDouble } from '../lib/double.ts'
import { REDIS_VERSION, REDIS_VERSION_NUM } from '../version.ts'
import { LogLevel, Propagate, type ScriptHost } from './host.ts'
import { LRAND48_MAX, Lrand48 } from './lrand48.ts'
import { GLOBALS, type Lua, LuaType, VALUE_SIZE } from './lua.ts'
import { beforeNul } from './lua-to-reply.ts'
import { ReplyReader } from './reply-to-lua.ts'
import { StructLibrary } from './struct-library.ts'
import { WideIntegers } from './wide-integers.ts'

/** Room for a number as an argument. */
const NUMBER_LEN_MAX = 32
/** C calls inside one another, beyond which it is looked whether the machine's stack has room for a command. */
const DEEP_CALLS = 40
const STATE_C_CALLS = 52
/** Levels of a plain function that a command may need; about 200 KB. */
const PROBE_DEPTH = 2000

/** What a text begins with that means 0, and is not merely taken for it. */
const ZERO = /^\s*[-+]?(0(?!x\s*$)|\.0)/i
/** What Lua calls the types of values, by number. */
const TYPE_NAMES = [
  'nil',
  'boolean',
  'userdata',
  'number',
  'string',
  'table',
  'function',
  'userdata',
  'thread',
] as const

/** Debug information of a function on the stack (lua_Debug), and its fields. */
const DEBUG_SIZE = 128
const DEBUG_WHAT = 12
const DEBUG_SOURCE = 16
const DEBUG_LINE = 20
const DEBUG_SHORT_SOURCE = 36

/** Functions of the base library, by their places in the module's table. */
const NEWPROXY = 30
const GETFENV = 44
const SETFENV = 55

/** An error in the words of a script: with the code that it begins with behind a '-', or else ERR. */
export function errorText(message: string): string {
  if (!message.startsWith('-')) return `ERR ${message.replace(/^[\r\n]+|[\r\n]+$/g, '')}`
  const space = message.indexOf(' ')
  const code = space < 0 ? 'ERR' : message.slice(1, space)
  const text = message.slice(space < 0 ? 1 : space + 1).replace(/^[\r\n]+|[\r\n]+$/g, '')
  return `${code} ${text}`
}

function probeStack(depth: number): number {
  return depth === 0 ? 0 : 1 + probeStack(depth - 1)
}

export class RedisLibrary {
  private readonly lua: Lua
  private readonly host: ScriptHost
  private readonly reader: ReplyReader
  private readonly random = new Lrand48()
  private readonly debug: number
  /** Texts of arguments that are numbers. */
  private numbers = 0
  private numbersSize = 0
  /** Whether a command runs: an exception that comes now is not the interpreter's. */
  running = false
  /** Numbers of the functions in the interpreter's table. */
  readonly errorHandler: number
  readonly missingGlobal: number
  private readonly fields: readonly (readonly [name: string, run: (state: number) => number])[]
  private readonly indexes: readonly number[]

  constructor(lua: Lua, host: ScriptHost) {
    this.lua = lua
    this.host = host
    this.reader = new ReplyReader(lua)
    this.debug = lua.tryAllocate(DEBUG_SIZE)
    this.fields = [
      ['call', (state) => this.command(state, true)],
      ['pcall', (state) => this.command(state, false)],
      ['log', (state) => this.log(state)],
      ['sha1hex', (state) => this.sha1hex(state)],
      ['error_reply', (state) => this.errorReply(state)],
      ['status_reply', (state) => this.statusReply(state)],
      ['setresp', (state) => this.setVersion(state)],
      ['set_repl', (state) => this.setPropagation(state)],
      ['acl_check_cmd', (state) => this.mayRun(state)],
      // Only for the scripts of EVAL.
      ['replicate_commands', (state) => this.boolean(state, true)],
      ['breakpoint', (state) => this.boolean(state, false)],
      ['debug', () => 0],
    ]
    this.indexes = this.fields.map(([, run]) => lua.functions.addFunction(run))
    this.errorHandler = lua.functions.addFunction((state) => this.describeError(state))
    this.missingGlobal = lua.functions.addFunction((state) => this.refuseGlobal(state))
    this.globalFunctions = [
      lua.functions.addFunction((state) => this.protectedCall(state)),
      lua.functions.addFunction((state) => this.randomNumber(state)),
      lua.functions.addFunction((state) => this.randomSeed(state)),
    ]
    this.integers = new WideIntegers(lua, this)
    this.struct = new StructLibrary(lua, this)
  }

  private readonly globalFunctions: readonly number[]
  private readonly integers: WideIntegers
  private readonly struct: StructLibrary

  /** Gives a new state what a script may use; `full`: all that EVAL's scripts may. */
  install(state: number, full: boolean): void {
    const { lua } = this
    const { api } = lua
    const [pcall, random, randomSeed] = this.globalFunctions
    api.lua_enablereadonlytable(state, GLOBALS, 0)
    api.lua_createtable(state, 0, 24)
    const fields = this.fields.length - (full ? 0 : 3)
    for (let at = 0; at < fields; at++) this.setFunction(state, this.fields[at]![0], this.indexes[at]!)
    this.setConstants(state)
    for (const [name, value] of Object.entries(Propagate)) {
      this.setNumber(state, `REPL_${name === 'REPLICAS' ? 'REPLICA' : name}`, value)
    }
    this.setNumber(state, 'REPL_SLAVE', Propagate.REPLICAS)
    api.lua_enablereadonlytable(state, -1, 1)
    api.lua_setfield(state, GLOBALS, lua.name('redis'))
    this.setFunctionIn(state, GLOBALS, 'pcall', pcall!)
    this.integers.install(state)
    this.struct.install(state)
    if (this.host.givesDeprecated) this.installDeprecated(state)
    api.lua_getfield(state, GLOBALS, lua.name('math'))
    api.lua_enablereadonlytable(state, -1, 0)
    this.setFunction(state, 'random', random!)
    this.setFunction(state, 'randomseed', randomSeed!)
    api.lua_enablereadonlytable(state, -1, 1)
    lua.pop(state, 1)
    api.lua_getmetatable(state, GLOBALS)
    api.lua_enablereadonlytable(state, -1, 0)
    this.setFunction(state, '__index', this.missingGlobal)
    api.lua_enablereadonlytable(state, -1, 1)
    lua.pop(state, 1)
    api.lua_enablereadonlytable(state, GLOBALS, 1)
  }

  /** What the package takes away. newproxy keeps the metatables it has made in a weak table of its own. */
  private installDeprecated(state: number): void {
    const { lua } = this
    const { api } = lua
    this.setFunctionIn(state, GLOBALS, 'getfenv', GETFENV)
    this.setFunctionIn(state, GLOBALS, 'setfenv', SETFENV)
    api.lua_createtable(state, 0, 1)
    api.lua_pushvalue(state, -1)
    api.lua_setmetatable(state, -2)
    lua.pushText(state, 'kv')
    api.lua_setfield(state, -2, lua.name('__mode'))
    api.lua_pushcclosure(state, NEWPROXY, 1)
    api.lua_setfield(state, GLOBALS, lua.name('newproxy'))
  }

  /** What both kinds of `redis` have: the log, and the version. The table is on top. */
  setConstants(state: number): void {
    for (const [name, level] of Object.entries(LogLevel)) this.setNumber(state, `LOG_${name}`, level)
    this.setNumber(state, 'REDIS_VERSION_NUM', REDIS_VERSION_NUM)
    this.lua.pushText(state, REDIS_VERSION)
    this.lua.api.lua_setfield(state, -2, this.lua.name('REDIS_VERSION'))
  }

  /** Sets `log` in the table on top. */
  setLog(state: number): void {
    this.setFunction(state, 'log', this.indexes[2]!)
  }

  /** Sets a function of the interpreter's table in the Lua table on top. */
  setFunction(state: number, name: string, index: number): void {
    this.setFunctionIn(state, -2, name, index)
  }

  private setFunctionIn(state: number, table: number, name: string, index: number): void {
    this.lua.api.lua_pushcclosure(state, index, 0)
    this.lua.api.lua_setfield(state, table, this.lua.name(name))
  }

  /** Puts a function of the interpreter's table in place of a C function in one of the libraries, or in the globals;
   *  answers the C function. */
  replaceFunction(state: number, library: string | null, name: string, index: number): (state: number) => number {
    const { lua } = this
    const { api } = lua
    if (library === null) api.lua_pushvalue(state, GLOBALS)
    else api.lua_getfield(state, GLOBALS, lua.name(library))
    api.lua_enablereadonlytable(state, -1, 0)
    api.lua_getfield(state, -1, lua.name(name))
    const old = lua.cFunctionAt(lua.topOf(state))
    lua.pop(state, 1)
    this.setFunction(state, name, index)
    if (library !== null) api.lua_enablereadonlytable(state, -1, 1)
    lua.pop(state, 1)
    return old
  }

  private setNumber(state: number, name: string, value: number): void {
    this.lua.api.lua_pushnumber(state, value)
    this.lua.api.lua_setfield(state, -2, this.lua.name(name))
  }

  /** Pushes an error. `counted`: the command that made it has been booked as failed. */
  pushError(state: number, message: string, counted = false): void {
    const { lua } = this
    lua.api.lua_createtable(state, 0, 2)
    lua.pushText(state, beforeNul(errorText(message)))
    lua.api.lua_setfield(state, -2, lua.name('err'))
    if (!counted) return
    lua.api.lua_pushboolean(state, 1)
    lua.api.lua_setfield(state, -2, lua.name('ignore_error_stats_update'))
  }

  raise(state: number, message: string): number {
    this.pushError(state, message)
    return this.lua.api.lua_error(state)
  }

  /** Raises a plain string that says where in the script it happened, as the libraries of Lua do. */
  raisePlain(state: number, message: string): number {
    this.lua.pushText(state, this.where(state) + message)
    return this.lua.api.lua_error(state)
  }

  /** `user_script:3: `, of whoever called the running function. */
  private where(state: number): string {
    const { lua, debug } = this
    if (lua.api.lua_getstack(state, 1, debug) === 0) return ''
    lua.api.lua_getinfo(state, lua.name('Sl'), debug)
    const line = lua.words[(debug + DEBUG_LINE) >> 2]!
    return line > 0 ? `${lua.cText(debug + DEBUG_SHORT_SOURCE)}:${line}: ` : ''
  }

  private boolean(state: number, value: boolean): number {
    this.lua.api.lua_pushboolean(state, value ? 1 : 0)
    return 1
  }

  /** redis.call and redis.pcall. */
  private command(state: number, raises: boolean): number {
    const { lua, host, reader } = this
    let problem = this.takeArguments(state)
    if (problem === null && lua.words[(state + STATE_C_CALLS) >> 2]! % 65536 > DEEP_CALLS) problem = this.findRoom()
    if (problem !== null) {
      this.pushError(state, problem)
      return raises ? lua.api.lua_error(state) : 1
    }
    this.running = true
    const refusal = host.runCommand()
    this.running = false
    if (refusal !== null) {
      this.pushError(state, refusal, true)
      return raises ? lua.api.lua_error(state) : 1
    }
    const isError = reader.push(state, host.call.reply)
    if (isError === undefined) return this.raise(state, 'not enough memory')
    return isError && raises ? lua.api.lua_error(state) : 1
  }

  /** A command that ran out of stack half done would spoil the data. */
  private findRoom(): string | null {
    try {
      probeStack(PROBE_DEPTH)
      return null
    } catch {
      return 'stack overflow'
    }
  }

  /** Points the call's arguments at the strings on the stack; says what is wrong with them. */
  private takeArguments(state: number): string | null {
    const { lua } = this
    const { call } = this.host
    const argc = lua.countOf(state)
    if (argc === 0) return 'Please specify at least one argument for this redis lib call'
    if (argc > call.pos.length) call.makeRoom(argc)
    const base = lua.baseOf(state)
    for (let index = 0; index < argc; index++) {
      const pos = base + index * VALUE_SIZE
      const type = lua.typeAt(pos)
      if (type === LuaType.STRING) {
        call.pos[index] = lua.stringPos(pos)
        call.len[index] = lua.stringLen(pos)
      } else if (type === LuaType.NUMBER) {
        if (!this.numberArgument(lua.numberAt(pos), index, argc)) return 'not enough memory'
      } else return 'Lua redis lib command arguments must be strings or integers'
    }
    call.bytes = lua.bytes // it may have moved while room was made
    call.argc = argc
    call.command = null
    return null
  }

  private numberArgument(value: number, index: number, argc: number): boolean {
    const { lua } = this
    const { call } = this.host
    if (argc * NUMBER_LEN_MAX > this.numbersSize) {
      const size = argc * 2 * NUMBER_LEN_MAX
      const numbers = lua.tryAllocate(size)
      if (numbers === 0) return false
      // What stands in the old block belongs to the arguments before this one, which move.
      lua.bytes.copyWithin(numbers, this.numbers, this.numbers + this.numbersSize)
      for (let at = 0; at < index; at++) {
        const from = call.pos[at]! - this.numbers
        if (from >= 0 && from < this.numbersSize) call.pos[at] = numbers + from
      }
      if (this.numbers !== 0) lua.api.free_mem(this.numbers)
      this.numbers = numbers
      this.numbersSize = size
    }
    const pos = this.numbers + index * NUMBER_LEN_MAX
    call.pos[index] = pos
    call.len[index] = writeDouble(value, lua.bytes, pos) - pos
    return true
  }

  private mayRun(state: number): number {
    const problem = this.takeArguments(state)
    if (problem !== null) return this.raise(state, problem)
    const allowed = this.host.mayRun()
    if (allowed === undefined) return this.raise(state, 'Invalid command passed to redis.acl_check_cmd()')
    return this.boolean(state, allowed)
  }

  /** The argument at an index as a string (a number becomes one); undefined if it is none. */
  stringArgument(state: number, index: number): string | undefined {
    if (!this.makeString(state, index)) return undefined
    return this.lua.textAt(this.lua.baseOf(state) + (index - 1) * VALUE_SIZE)
  }

  /** Makes a string of the argument at an index; false if it is neither string nor number. */
  makeString(state: number, index: number): boolean {
    const { lua } = this
    if (lua.countOf(state) < index) return false
    const type = lua.typeAt(lua.baseOf(state) + (index - 1) * VALUE_SIZE)
    if (type === LuaType.NUMBER) lua.api.lua_tolstring(state, index, 0)
    return type === LuaType.NUMBER || type === LuaType.STRING
  }

  /** The argument at an index as a number; undefined if it is none, and no text of one. */
  numberAt(state: number, index: number): number | undefined {
    const { lua } = this
    if (lua.countOf(state) < index) return undefined
    const pos = lua.baseOf(state) + (index - 1) * VALUE_SIZE
    if (lua.typeAt(pos) === LuaType.NUMBER) return lua.numberAt(pos)
    if (lua.typeAt(pos) !== LuaType.STRING) return undefined
    const value = lua.api.lua_tonumber(state, index)
    return value === 0 && !ZERO.test(lua.textAt(pos)) ? undefined : value
  }

  private isString(state: number, index: number): boolean {
    return this.lua.typeAt(this.lua.baseOf(state) + (index - 1) * VALUE_SIZE) === LuaType.STRING
  }

  private log(state: number): number {
    const { lua, host } = this
    const argc = lua.countOf(state)
    if (argc < 2) return this.raise(state, 'redis.log() requires two arguments or more.')
    const first = this.stringArgument(state, 1)
    const level = first === undefined ? Number.NaN : Math.trunc(lua.api.lua_tonumber(state, 1))
    if (first === undefined || (level === 0 && !ZERO.test(first))) {
      return this.raise(state, 'First argument must be a number (log level).')
    }
    if (level < LogLevel.DEBUG || level > LogLevel.WARNING) return this.raise(state, 'Invalid debug level.')
    if (level < host.logLevel) return 0
    const parts: string[] = []
    for (let index = 2; index <= argc; index++) {
      const part = this.stringArgument(state, index)
      if (part !== undefined) parts.push(part)
    }
    host.log(level, parts.join(' '))
    return 0
  }

  private sha1hex(state: number): number {
    const { lua } = this
    if (lua.countOf(state) !== 1) return this.raise(state, 'wrong number of arguments')
    const type = lua.typeAt(lua.baseOf(state))
    const isText = type === LuaType.STRING || type === LuaType.NUMBER
    if (type === LuaType.NUMBER) lua.api.lua_tolstring(state, 1, 0)
    const pos = lua.baseOf(state)
    const from = isText ? lua.stringPos(pos) : 0
    const len = isText ? lua.stringLen(pos) : 0
    lua.pushText(state, crypto().hash('sha1', lua.bytes.subarray(from, from + len), 'hex'))
    return 1
  }

  private errorReply(state: number): number {
    const { lua } = this
    if (lua.countOf(state) !== 1 || !this.isString(state, 1)) {
      this.pushError(state, 'wrong number or type of arguments')
      return 1
    }
    const text = lua.textAt(lua.baseOf(state))
    this.pushError(state, text.startsWith('-') ? text : `-${text}`)
    return 1
  }

  private statusReply(state: number): number {
    const { lua } = this
    if (lua.countOf(state) !== 1 || !this.isString(state, 1)) {
      this.pushError(state, 'wrong number or type of arguments')
      return 1
    }
    lua.api.lua_createtable(state, 0, 1)
    lua.api.lua_pushvalue(state, 1)
    lua.api.lua_setfield(state, -2, lua.name('ok'))
    return 1
  }

  private setVersion(state: number): number {
    const { lua } = this
    if (lua.countOf(state) !== 1) return this.raise(state, 'redis.setresp() requires one argument.')
    const version = Math.trunc(lua.api.lua_tonumber(state, 1))
    if (version !== 2 && version !== 3) return this.raise(state, 'RESP version must be 2 or 3.')
    this.host.setVersion(version)
    return 0
  }

  private setPropagation(state: number): number {
    const { lua } = this
    if (lua.countOf(state) !== 1) return this.raise(state, 'redis.set_repl() requires one argument.')
    const flags = Math.trunc(lua.api.lua_tonumber(state, 1))
    if ((flags & ~Propagate.ALL) !== 0) {
      return this.raise(state, 'Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
    }
    this.host.setPropagation(flags)
    return 0
  }

  /** Lua's pcall, but of an error that is a table with a message the message is given, as before Redis 7. */
  private protectedCall(state: number): number {
    const { lua } = this
    const { api } = lua
    const argc = lua.countOf(state)
    if (argc === 0) return this.raisePlain(state, "bad argument #1 to 'pcall' (value expected)")
    api.lua_pushboolean(state, 1)
    api.lua_insert(state, 1)
    if (api.lua_pcall(state, argc - 1, 0) !== 0) {
      api.lua_remove(state, 1)
      if (lua.typeAt(lua.topOf(state)) === LuaType.TABLE) {
        api.lua_getfield(state, -1, lua.name('err'))
        const type = lua.typeAt(lua.topOf(state))
        if (type === LuaType.STRING || type === LuaType.NUMBER) api.lua_replace(state, -2)
      }
      api.lua_pushboolean(state, 0)
      api.lua_insert(state, 1)
    }
    return lua.countOf(state)
  }

  /** An argument of math.random as C's int; undefined if it is no number. */
  private intArgument(state: number, index: number): number | undefined {
    const value = this.numberAt(state, index)
    return value === undefined ? undefined : value | 0
  }

  /** What Lua calls the type of the argument at an index. */
  typeName(state: number, index: number): string {
    const { lua } = this
    if (lua.countOf(state) < index) return 'no value'
    return TYPE_NAMES[lua.typeAt(lua.baseOf(state) + (index - 1) * VALUE_SIZE)]!
  }

  private raiseNoNumber(state: number, index: number, name: string): number {
    const type = this.typeName(state, index)
    return this.raisePlain(state, `bad argument #${index} to '${name}' (number expected, got ${type})`)
  }

  private randomNumber(state: number): number {
    const { lua } = this
    const fraction = (this.random.next() % LRAND48_MAX) / LRAND48_MAX
    const argc = lua.countOf(state)
    if (argc > 2) return this.raisePlain(state, 'wrong number of arguments')
    let value = fraction
    if (argc > 0) {
      const bounds: number[] = argc === 1 ? [1] : []
      for (let index = 1; index <= argc; index++) {
        const bound = this.intArgument(state, index)
        if (bound === undefined) return this.raiseNoNumber(state, index, 'random')
        bounds.push(bound)
      }
      const [least, most] = bounds as [number, number]
      if (least > most) return this.raisePlain(state, `bad argument #${argc} to 'random' (interval is empty)`)
      value = Math.floor(fraction * (most - least + 1)) + least
    }
    lua.api.lua_pushnumber(state, value)
    return 1
  }

  private randomSeed(state: number): number {
    const seed = this.intArgument(state, 1)
    if (seed === undefined) return this.raiseNoNumber(state, 1, 'randomseed')
    this.random.seed(seed)
    return 0
  }

  /** Of a global that is not there. */
  private refuseGlobal(state: number): number {
    const name = this.stringArgument(state, 2)
    if (this.lua.countOf(state) !== 2) {
      return this.raisePlain(state, 'Wrong number of arguments to luaProtectedTableError')
    }
    if (name === undefined) {
      return this.raisePlain(state, 'Second argument to luaProtectedTableError must be a string or number')
    }
    return this.raisePlain(state, `Script attempted to access nonexistent global variable '${beforeNul(name)}'`)
  }

  /** Makes a table of any error, and notes where in the script it happened: of what C functions raise, in the function
   *  that called them. */
  private describeError(state: number): number {
    const { lua, debug } = this
    const { api } = lua
    let found = api.lua_getstack(state, 1, debug) !== 0
    if (found) {
      api.lua_getinfo(state, lua.name('nSl'), debug)
      if (lua.cText(lua.words[(debug + DEBUG_WHAT) >> 2]!) === 'C') {
        found = api.lua_getstack(state, 2, debug) !== 0
        if (found) api.lua_getinfo(state, lua.name('nSl'), debug)
      }
    }
    const source = found ? lua.cText(lua.words[(debug + DEBUG_SOURCE) >> 2]!) : ''
    const line = found ? lua.words[(debug + DEBUG_LINE) >> 2]! : 0
    if (lua.typeAt(lua.baseOf(state)) !== LuaType.TABLE) {
      api.lua_getfield(state, GLOBALS, lua.name('tostring'))
      api.lua_pushvalue(state, 1)
      api.lua_call(state, 1, 1)
      const text = lua.typeAt(lua.topOf(state)) === LuaType.STRING ? lua.textAt(lua.topOf(state)) : ''
      api.lua_settop(state, 0)
      api.lua_createtable(state, 0, 3)
      lua.pushText(state, `ERR ${text}`)
      api.lua_setfield(state, -2, lua.name('err'))
    }
    if (!found) return 1
    lua.pushText(state, source)
    api.lua_setfield(state, 1, lua.name('source'))
    api.lua_pushnumber(state, line)
    api.lua_setfield(state, 1, lua.name('line'))
    return 1
  }
}
