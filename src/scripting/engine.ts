/* The engine: compiles scripts, runs them, and turns what they return into replies.
 *
 *   run     KEYS and ARGV out of the caller's arguments -> pcall with the error handler -> value or error as a reply
 *
 * It has two states, as Redis has: one for EVAL's scripts, one for libraries of functions, whose globals are an empty
 * table in front of the real ones. Both live in one interpreter (lua.ts), which is made when the first script comes.
 * If it breaks (a trap, no stack left), it is dropped with all that was compiled, `generation` moves on, and the next
 * script gets a new one. */

import type { Call } from '../commands/call.ts'
import { assert } from '../lib/assert.ts'
import { errorReply } from '../protocol/errors.ts'
import type { ScriptHost } from './host.ts'
import { GLOBALS, HookMask, Lua, LuaType, REGISTRY, VALUE_SIZE } from './lua.ts'
import { beforeNul, ReplyWriter } from './lua-to-reply.ts'
import { errorText, RedisLibrary } from './redis-library.ts'

/** What a library's code has told of one function. `callback` is a reference. */
export interface FunctionRecord {
  readonly name: string
  readonly description: string | null
  readonly flags: number
  readonly callback: number
}

/** Takes the functions of a library that is being loaded; answers why not, if so. */
export type Register = (record: FunctionRecord) => string | null

/** The arguments of EVAL and FCALL: command, script or function, number of keys, keys, others. */
const FIRST_KEY = 3
/** Instructions between two looks at the clock. */
const HOOK_COUNT = 100_000
/** Runs between two steps of Lua's garbage collector, and how large such a step is. */
const COLLECT_PERIOD = 50
const COLLECT_ALL = 2
const COLLECT_STEP = 5
/** Memory that is kept though nothing may be in it. */
const MEMORY_KEPT_MAX = 128 * 1024 * 1024
/** A library's code may run so long, in milliseconds. */
const LOAD_MS_MAX = 500
/** Of an error that no handler has seen, so much is shown. */
const PLAIN_ERROR_MAX = 100

const LIBRARY_API = '__LIBRARY_API__'
const GLOBALS_API = '__GLOBALS_API__'
const KILLED = 'Script killed by user with SCRIPT KILL...'

/** An interpreter with its states. */
class Interpreter {
  readonly lua = new Lua()
  readonly library: RedisLibrary
  readonly writer: ReplyWriter
  readonly scripts: number
  readonly functions: number
  readonly hook: number
  readonly keysName: number
  readonly argvName: number

  constructor(host: ScriptHost, onHook: (state: number) => void, registerFunction: (state: number) => number) {
    const { lua } = this
    this.library = new RedisLibrary(lua, host)
    this.writer = new ReplyWriter(lua)
    this.keysName = lua.name('KEYS')
    this.argvName = lua.name('ARGV')
    this.hook = lua.functions.addHook(onHook)
    this.scripts = lua.newState()
    this.library.install(this.scripts, true)
    this.functions = lua.newState()
    this.library.install(this.functions, false)
    this.prepareFunctions(lua.functions.addFunction(registerFunction))
  }

  /** Puts an empty table in front of the globals: what is behind it can be exchanged while a library is loaded. */
  private prepareFunctions(register: number): void {
    const { lua, library, functions: state } = this
    const { api } = lua
    // What a library sees while it is loaded: nothing but `redis`, and not all of that.
    api.lua_createtable(state, 0, 1)
    api.lua_createtable(state, 0, 8)
    library.setFunction(state, 'register_function', register)
    library.setLog(state)
    library.setConstants(state)
    this.protect(state)
    api.lua_setfield(state, -2, lua.name('redis'))
    this.protect(state)
    api.lua_setfield(state, REGISTRY, lua.name(LIBRARY_API))
    api.lua_pushvalue(state, GLOBALS)
    api.lua_setfield(state, REGISTRY, lua.name(GLOBALS_API))
    api.lua_createtable(state, 0, 0)
    api.lua_createtable(state, 0, 1)
    api.lua_pushvalue(state, GLOBALS)
    api.lua_setfield(state, -2, lua.name('__index'))
    api.lua_enablereadonlytable(state, -1, 1)
    api.lua_setmetatable(state, -2)
    api.lua_enablereadonlytable(state, -1, 1)
    api.lua_replace(state, GLOBALS)
  }

  /** Makes the table on top read-only, and reading what is not in it an error. */
  private protect(state: number): void {
    const { api } = this.lua
    api.lua_createtable(state, 0, 1)
    this.library.setFunction(state, '__index', this.library.missingGlobal)
    api.lua_enablereadonlytable(state, -1, 1)
    api.lua_setmetatable(state, -2)
    api.lua_enablereadonlytable(state, -1, 1)
  }

  /** Chooses what stands behind the globals of functions. */
  exposeGlobals(name: string): void {
    const { lua, functions: state } = this
    const { api } = lua
    api.lua_getmetatable(state, GLOBALS)
    api.lua_enablereadonlytable(state, -1, 0)
    api.lua_getfield(state, REGISTRY, lua.name(name))
    api.lua_setfield(state, -2, lua.name('__index'))
    api.lua_enablereadonlytable(state, -1, 1)
    lua.pop(state, 1)
  }
}

export class ScriptEngine {
  private readonly host: ScriptHost
  private interpreter: Interpreter | null = null
  /** Counts interpreters: what was compiled in an earlier one is gone. */
  generation = 0
  private readonly freeReferences: number[] = []
  private nextReference = 1
  private runs = 0
  private register: Register | null = null
  private loadDeadline = 0
  /** Memory of this size is not given up. */
  private acceptedSize = MEMORY_KEPT_MAX

  constructor(host: ScriptHost) {
    this.host = host
  }

  private get current(): Interpreter {
    this.interpreter ??= new Interpreter(this.host, this.onHook, this.registerFunction)
    return this.interpreter
  }

  /** Bytes that the objects of scripts, and of functions, take in Lua. */
  get scriptBytes(): number {
    return this.interpreter === null ? 0 : this.interpreter.lua.bytesOf(this.interpreter.scripts)
  }
  get functionBytes(): number {
    return this.interpreter === null ? 0 : this.interpreter.lua.bytesOf(this.interpreter.functions)
  }

  private takeReference(): number {
    return this.freeReferences.pop() ?? this.nextReference++
  }

  /** Drops an interpreter that nobody can trust any more. */
  private discard(): void {
    this.interpreter = null
    this.generation++
    this.freeReferences.length = 0
    this.nextReference = 1
    this.acceptedSize = MEMORY_KEPT_MAX
  }

  /** Runs what may break the interpreter; answers why it did, if so. Exceptions of a command are not its own. */
  private guard(run: () => void): string | null {
    let library: RedisLibrary
    try {
      library = this.current.library
    } catch (error) {
      // No memory for a new one; or the package is not there.
      return `the Lua interpreter cannot be started (${error instanceof Error ? error.message : String(error)})`
    }
    try {
      run()
      return null
    } catch (error) {
      if (library.running) throw error
      this.discard()
      return error instanceof RangeError ? 'stack overflow' : 'the interpreter has failed'
    }
  }

  /** Compiles a script of EVAL: a reference, or what the compiler says. */
  compile(body: Uint8Array): number | string {
    let result: number | string = ''
    const failure = this.guard(() => {
      const { lua, scripts: state } = this.current
      const problem = this.load(state, body, '@user_script')
      if (problem !== null) result = problem
      else {
        result = this.takeReference()
        lua.api.lua_rawseti(state, REGISTRY, result)
      }
    })
    return failure ?? result
  }

  /** Pushes the function that some code compiles to; or says what is wrong with it, with nothing pushed. */
  private load(state: number, code: Uint8Array, name: string): string | null {
    const { lua } = this.current
    if (!lua.reserve(code.length + 1)) return 'not enough memory'
    lua.bytes.set(code, lua.scratch)
    const failed = lua.api.luaL_loadbuffer(state, lua.scratch, code.length, lua.name(name))
    lua.trim()
    if (failed === 0) return null
    const text = beforeNul(lua.textAt(lua.topOf(state)))
    lua.pop(state, 1)
    return text
  }

  /** Forgets what was compiled. */
  release(reference: number, generation: number, isFunction: boolean): void {
    if (generation !== this.generation || this.interpreter === null) return
    const { lua, scripts, functions } = this.interpreter
    const state = isFunction ? functions : scripts
    lua.api.lua_pushnil(state)
    lua.api.lua_rawseti(state, REGISTRY, reference)
    this.freeReferences.push(reference)
  }

  /** Has Lua collect all its garbage. */
  collect(): void {
    if (this.interpreter === null) return
    const { lua, scripts, functions } = this.interpreter
    lua.api.lua_gc(scripts, COLLECT_ALL, 0)
    lua.api.lua_gc(functions, COLLECT_ALL, 0)
  }

  /** A memory that has grown never shrinks: one that some script has blown up is given up with its interpreter. */
  private shed(): void {
    const { interpreter } = this
    if (interpreter === null || interpreter.lua.memorySize <= this.acceptedSize) return
    this.collect()
    if (this.scriptBytes + this.functionBytes < MEMORY_KEPT_MAX / 2) this.discard()
    else this.acceptedSize = interpreter.lua.memorySize // it is needed: not to be looked at again until it grows
  }

  /** Runs a script or function with the keys and arguments of a call, and replies what it returns. `name` is what
   *  errors call it. `version` tells the script's own RESP version when it has ended. */
  run(reference: number, isFunction: boolean, name: string, call: Call, keyCount: number, version: () => number): void {
    const mark = call.reply.length
    const failure = this.guard(() => {
      const { lua, scripts, functions } = this.current
      const state = isFunction ? functions : scripts
      this.execute(state, reference, isFunction, name, call, keyCount, version)
      lua.api.lua_settop(state, 0)
      lua.trim()
    })
    if (failure === null) return this.shed()
    call.reply.truncate(mark)
    call.reply.error(errorReply(`ERR Error running script ${name}, ${failure}`))
  }

  private execute(
    state: number,
    reference: number,
    isFunction: boolean,
    name: string,
    call: Call,
    keyCount: number,
    version: () => number,
  ): void {
    const { lua, library, writer, hook, keysName, argvName } = this.current
    const { api } = lua
    api.lua_pushcclosure(state, library.errorHandler, 0)
    api.lua_rawgeti(state, REGISTRY, reference)
    DEV: assert(lua.typeAt(lua.topOf(state)) === LuaType.FUNCTION, 'a reference is to a function')
    const fits =
      this.pushArguments(state, call, FIRST_KEY, keyCount) &&
      (isFunction || this.setGlobal(state, keysName)) &&
      this.pushArguments(state, call, FIRST_KEY + keyCount, call.argc - FIRST_KEY - keyCount) &&
      (isFunction || this.setGlobal(state, argvName))
    if (!fits) {
      call.reply.error(errorReply(`ERR Error running script ${name}, not enough memory`))
      return
    }
    lua.setHook(state, hook, HookMask.COUNT, HOOK_COUNT)
    const failed = isFunction ? api.lua_pcall(state, 2, -4) : api.lua_pcall(state, 0, -2)
    lua.setHook(state, 0, HookMask.NONE, 0)
    if (++this.runs % COLLECT_PERIOD === 0) api.lua_gc(state, COLLECT_STEP, COLLECT_PERIOD)
    // A script returns as many values as it likes: the first one counts, and none is nil.
    if (failed !== 0) this.replyError(state, name, call)
    else {
      api.lua_settop(state, 2)
      if (writer.write(state, call.reply, version())) this.host.countFailure()
    }
  }

  private pushArguments(state: number, call: Call, first: number, count: number): boolean {
    const { lua } = this.current
    const { bytes, pos, len } = call
    lua.api.lua_createtable(state, count, 0)
    for (let index = 0; index < count; index++) {
      if (!lua.pushBytes(state, bytes, pos[first + index]!, len[first + index]!)) return false
      lua.api.lua_rawseti(state, -2, index + 1)
    }
    return true
  }

  private setGlobal(state: number, name: number): boolean {
    const { api } = this.current.lua
    api.lua_enablereadonlytable(state, GLOBALS, 0)
    api.lua_setfield(state, GLOBALS, name)
    api.lua_enablereadonlytable(state, GLOBALS, 1)
    return true
  }

  /** The field of the table on top as text; undefined if it is neither string nor number. */
  private field(state: number, name: string): string | undefined {
    const { lua } = this.current
    lua.pushRawField(state, -1, name)
    const type = lua.typeAt(lua.topOf(state))
    const isText = type === LuaType.STRING || type === LuaType.NUMBER
    if (isText) lua.api.lua_tolstring(state, -1, 0)
    const text = isText ? beforeNul(lua.textAt(lua.topOf(state))) : undefined
    lua.pop(state, 1)
    return text
  }

  private replyError(state: number, name: string, call: Call): void {
    const { lua } = this.current
    const pos = lua.topOf(state)
    if (lua.typeAt(pos) !== LuaType.TABLE) {
      const text = lua.typeAt(pos) === LuaType.STRING ? beforeNul(lua.textAt(pos)) : 'execution failure'
      return call.reply.error(errorReply(`ERR Error running script ${name}, ${text.slice(0, PLAIN_ERROR_MAX)}`))
    }
    const source = this.field(state, 'source')
    const line = this.field(state, 'line')
    const where = source !== undefined && line !== undefined ? ` script: ${name}, on ${source}:${line}.` : ''
    const error = errorReply(`${this.field(state, 'err') ?? 'ERR unknown error'}${where}`)
    lua.pushRawField(state, -1, 'ignore_error_stats_update')
    const counted = lua.booleanAt(lua.topOf(state))
    if (!counted) return call.reply.error(error)
    call.reply.raw(error.bytes)
    this.host.countFailure()
  }

  /** Called every so many instructions; once the script is to end, before each line, so that it cannot catch the error
   *  and go on. */
  private readonly onHook = (state: number): void => {
    const { lua, library, hook } = this.current
    if (this.register !== null) {
      if (performance.now() <= this.loadDeadline) return
      lua.setHook(state, hook, HookMask.LINE, 0)
      library.raise(state, 'FUNCTION LOAD timeout')
    } else if (this.host.isKilled()) {
      lua.setHook(state, hook, HookMask.LINE, 0)
      library.raise(state, KILLED)
    }
  }

  /** Runs a library's code, which registers its functions, for a limited time if `timed`; answers why it could not, if
   *  so. */
  loadLibrary(code: Uint8Array, register: Register, timed: boolean): string | null {
    let problem: string | null = null
    const failure = this.guard(() => {
      const interpreter = this.current
      const { lua, functions: state, hook } = interpreter
      interpreter.exposeGlobals(LIBRARY_API)
      const compiled = this.load(state, code, '@user_function')
      if (compiled !== null) problem = `Error compiling function: ${compiled}`
      else {
        this.register = register
        this.loadDeadline = timed ? performance.now() + LOAD_MS_MAX : Number.POSITIVE_INFINITY
        lua.setHook(state, hook, HookMask.COUNT, HOOK_COUNT)
        const failed = lua.api.lua_pcall(state, 0, 0)
        lua.setHook(state, 0, HookMask.NONE, 0)
        if (failed !== 0) problem = `Error registering functions: ${this.loadError(state)}`
      }
      lua.api.lua_settop(state, 0)
      interpreter.exposeGlobals(GLOBALS_API)
    })
    this.register = null
    return failure === null ? problem : `Error registering functions: ${failure}`
  }

  private loadError(state: number): string {
    const { lua } = this.current
    const pos = lua.topOf(state)
    const type = lua.typeAt(pos)
    if (type === LuaType.STRING) return errorText(beforeNul(lua.textAt(pos)))
    return (type === LuaType.TABLE ? this.field(state, 'err') : undefined) ?? '(null)'
  }

  /** redis.register_function: by name and callback, or by a table of both and more. */
  private readonly registerFunction = (state: number): number => {
    const { lua, library } = this.current
    const { register } = this
    if (register === null) {
      return library.raise(state, 'redis.register_function can only be called on FUNCTION LOAD command')
    }
    const argc = lua.countOf(state)
    if (argc < 1 || argc > 2) {
      return library.raise(state, 'wrong number of arguments to redis.register_function')
    }
    const problem = argc === 1 ? this.registerNamed(state, register) : this.registerPair(state, register)
    return problem === null ? 0 : library.raise(state, problem)
  }

  /** Pops the function on top and gives it a reference. */
  private keepCallback(state: number): number {
    const reference = this.takeReference()
    this.current.lua.api.lua_rawseti(state, REGISTRY, reference)
    return reference
  }

  private settle(record: FunctionRecord, register: Register): string | null {
    const problem = register(record)
    if (problem !== null) this.release(record.callback, this.generation, true)
    return problem
  }

  private registerPair(state: number, register: Register): string | null {
    const { lua, library } = this.current
    const name = library.stringArgument(state, 1)
    if (name === undefined) return 'first argument to redis.register_function must be a string'
    if (lua.typeAt(lua.topOf(state)) !== LuaType.FUNCTION) {
      return 'second argument to redis.register_function must be a function'
    }
    return this.settle({ name, description: null, flags: 0, callback: this.keepCallback(state) }, register)
  }

  private registerNamed(state: number, register: Register): string | null {
    const { lua } = this.current
    if (lua.typeAt(lua.baseOf(state)) !== LuaType.TABLE) {
      return (
        'calling redis.register_function with a single argument is only applicable to Lua table ' +
        '(representing named arguments).'
      )
    }
    const given: { name?: string; description?: string; flags?: number; callback?: number } = {}
    let problem: string | null = null
    lua.api.lua_pushnil(state)
    while (problem === null && lua.api.lua_next(state, 1) !== 0) {
      problem = this.readNamed(state, given)
      lua.api.lua_settop(state, 2) // table and key
    }
    if (problem === null && given.name === undefined) {
      problem = 'redis.register_function must get a function name argument'
    }
    if (problem === null && given.callback === undefined) {
      problem = 'redis.register_function must get a callback argument'
    }
    if (problem !== null) {
      if (given.callback !== undefined) this.release(given.callback, this.generation, true)
      return problem
    }
    const { name = '', description = null, flags = 0, callback = 0 } = given
    return this.settle({ name, description, flags, callback }, register)
  }

  /** Reads one named argument: the key is below the value on top. */
  private readNamed(
    state: number,
    given: { name?: string; description?: string; flags?: number; callback?: number },
  ): string | null {
    const { lua, library } = this.current
    const keyType = lua.typeAt(lua.baseOf(state) + VALUE_SIZE)
    if (keyType === LuaType.NUMBER) return 'unknown argument given to redis.register_function'
    if (keyType !== LuaType.STRING) return 'named argument key given to redis.register_function is not a string'
    const key = beforeNul(library.stringArgument(state, 2)!).toLowerCase()
    const type = lua.typeAt(lua.topOf(state))
    if (key === 'function_name' || key === 'description') {
      const text = library.stringArgument(state, 3)
      if (text === undefined) return `${key} argument given to redis.register_function must be a string`
      if (key === 'description') given.description = text
      else given.name = text
    } else if (key === 'callback') {
      if (type !== LuaType.FUNCTION) return 'callback argument given to redis.register_function must be a function'
      if (given.callback !== undefined) this.release(given.callback, this.generation, true)
      given.callback = this.keepCallback(state)
    } else if (key === 'flags') {
      if (type !== LuaType.TABLE) {
        return 'flags argument to redis.register_function must be a table representing function flags'
      }
      const flags = this.readFlags(state)
      if (flags === undefined) return 'unknown flag given'
      given.flags = flags
    } else return 'unknown argument given to redis.register_function'
    return null
  }

  private readFlags(state: number): number | undefined {
    const { lua, library } = this.current
    let flags = 0
    for (let index = 1; ; index++) {
      lua.api.lua_rawgeti(state, 3, index)
      if (lua.typeAt(lua.topOf(state)) === LuaType.NIL) return flags
      const name = library.stringArgument(state, 4)
      const flag = name === undefined ? undefined : SCRIPT_FLAGS.get(name.toLowerCase())
      if (flag === undefined) return undefined
      flags |= flag
      lua.pop(state, 1)
    }
  }
}

/** What a script or function declares of itself. */
export const ScriptFlag = {
  NO_WRITES: 1 << 0,
  ALLOW_OOM: 1 << 1,
  ALLOW_STALE: 1 << 2,
  NO_CLUSTER: 1 << 3,
  /** A script of EVAL without declarations, which is held to older rules. */
  UNDECLARED: 1 << 4,
  ALLOW_CROSS_SLOT_KEYS: 1 << 5,
} as const

/** By name, in the order in which they are listed. */
export const SCRIPT_FLAGS: ReadonlyMap<string, number> = new Map([
  ['no-writes', ScriptFlag.NO_WRITES],
  ['allow-oom', ScriptFlag.ALLOW_OOM],
  ['allow-stale', ScriptFlag.ALLOW_STALE],
  ['no-cluster', ScriptFlag.NO_CLUSTER],
  ['allow-cross-slot-keys', ScriptFlag.ALLOW_CROSS_SLOT_KEYS],
])
