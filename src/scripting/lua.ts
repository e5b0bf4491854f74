/* Lua: the interpreter in its own memory, and the few ways in and out of it that the rest of scripting needs.
 *
 *   memory of the module, up to 1 GB
 *   | constants | heap: Lua's objects, our scratch, names                 … grows |
 *                  ^ the stack of its C code, 1 MB, is a block of the heap too (the module's own has 64 KB)
 *
 *   stack of a lua_State: values of 16 bytes     | payload (8) | type (4) | - |
 *   a Lua string: header of 16 bytes, bytes      | next tag … hash | len @12 | bytes @16 …
 *
 * Values are read where they lie: `topOf`, `typeAt`, `stringPos` are loads from a typed array; what makes or calls
 * something goes through Lua's C API. Strings go in through `scratch`. A position of a string holds as long as the
 * string is on the stack; Lua's collector moves nothing.
 *
 * Errors of Lua are longjmps, here exceptions, which only `invoke` (below) catches. Whatever else comes out of the
 * module, a trap or a stack overflow, leaves it in a state that nobody knows: `broken`, and it is to be thrown away. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { FunctionTable, instantiate, type LuaExports, MEMORY_MAX, PAGE_SIZE } from './wasm-module.ts'

/** Types of values. */
export const LuaType = { NIL: 0, BOOLEAN: 1, LIGHT: 2, NUMBER: 3, STRING: 4, TABLE: 5, FUNCTION: 6 } as const

export const REGISTRY = -10000
export const GLOBALS = -10002

/** Bytes of a value on the stack. */
export const VALUE_SIZE = 16
const TYPE_AT = 8
const STRING_LEN_AT = 12
/** Of a function in C: its place in the module's table. */
const C_FUNCTION_AT = 16
const STRING_HEADER = 16

// Fields of a lua_State and of the global_State behind it.
const STATE_TOP = 8
const STATE_BASE = 12
const STATE_GLOBAL = 16
const STATE_HOOK_MASK = 56
const STATE_HOOK_COUNT_BASE = 60
const STATE_HOOK_COUNT = 64
const STATE_HOOK = 68
const GLOBAL_BYTES = 68

// Fields of a Table.
const TABLE_NODE = 24
/** The node of every table that has no hash part. */
const DUMMY_NODE_SYMBOL = 0

export const HookMask = { NONE: 0, LINE: 4, COUNT: 8 } as const

/** Where the module keeps the lua_State that `init` made. */
const MODULE_STATE = 28472
const C_STACK_SIZE = 1024 * 1024
const GROWTH = 16 * 1024 * 1024
const SCRATCH_MIN = 64 * 1024

/** What a longjmp is made of. */
const LONGJMP = { name: 'a longjmp' }

const NO_MEMORY = 'not enough memory'

const NOT_HERE = -1
const refuse = (): number => NOT_HERE

export class Lua {
  readonly api: LuaExports
  readonly functions: FunctionTable
  bytes: Uint8Array
  words: Int32Array
  doubles: Float64Array
  /** A block for bytes on their way in. */
  scratch = 0
  scratchSize = 0
  private readonly names = new Map<string, number>()
  private invoked: (...args: number[]) => number = refuse
  private invokedIndex = -1
  private emptyNode = DUMMY_NODE_SYMBOL

  constructor() {
    const env = {
      // Of what the package's own redis.* functions ask their host nothing is used.
      host_redis_props: (result: number) => this.words.fill(0, result >> 2, (result >> 2) + 2),
      host_redis_log: refuse,
      host_sha1hex: refuse,
      host_redis_setresp: refuse,
      host_redis_call: refuse,
      host_redis_pcall: refuse,
      invoke_vii: (index: number, first: number, second: number) => this.invoke(index, first, second),
      _emscripten_throw_longjmp: () => {
        throw LONGJMP
      },
      emscripten_resize_heap: (size: number) => this.grow(size),
      exit: () => assert(false, 'the interpreter does not exit'),
      _abort_js: () => assert(false, 'the interpreter does not abort'),
      __assert_fail: () => assert(false, 'the interpreter finds what it expects'),
      // No files.
      __syscall_openat: refuse,
      __syscall_fcntl64: refuse,
      __syscall_ioctl: refuse,
      __syscall_dup3: refuse,
    }
    const wasi = { clock_time_get: refuse, fd_write: refuse, fd_read: refuse, fd_close: refuse, fd_seek: refuse }
    this.api = instantiate({ env, wasi_snapshot_preview1: wasi })
    this.functions = new FunctionTable(this.api.__indirect_function_table)
    const { buffer } = this.api.memory
    this.bytes = new Uint8Array(buffer)
    this.words = new Int32Array(buffer)
    this.doubles = new Float64Array(buffer)
    this.api.__wasm_call_ctors()
    this.api._emscripten_stack_restore(((this.allocate(C_STACK_SIZE) + C_STACK_SIZE) & ~15) >>> 0)
    this.api.set_compat(0)
    this.reserve(SCRATCH_MIN)
    this.name(NO_MEMORY)
  }

  private invoke(index: number, first: number, second: number): void {
    const { api } = this
    const stack = api.emscripten_stack_get_current()
    // It is nearly always the same function, and asking the table takes 30 ns (Node 20).
    if (index !== this.invokedIndex) {
      this.invoked = api.__indirect_function_table.get(index)!
      this.invokedIndex = index
    }
    try {
      this.invoked(first, second)
    } catch (error) {
      api._emscripten_stack_restore(stack)
      if (error !== LONGJMP) throw error
      api.setThrew(1, 0)
    }
  }

  /** The module wants so many bytes in all. */
  private grow(size: number): number {
    const { memory } = this.api
    const wanted = size >>> 0
    const now = memory.buffer.byteLength
    const target = Math.min(MEMORY_MAX, Math.max(wanted, now + GROWTH))
    if (wanted > target) return 0
    try {
      memory.grow(Math.ceil((target - now) / PAGE_SIZE))
    } catch {
      return 0 // the system has none: Lua says "not enough memory"
    }
    this.bytes = new Uint8Array(memory.buffer)
    this.words = new Int32Array(memory.buffer)
    this.doubles = new Float64Array(memory.buffer)
    return 1
  }

  /** A block of the module's heap; 0 if there is no room. */
  tryAllocate(size: number): number {
    return this.api.alloc(size) >>> 0
  }

  private allocate(size: number): number {
    const pos = this.tryAllocate(size)
    assert(pos !== 0, 'a new interpreter has memory')
    return pos
  }

  /** Makes `scratch` hold so many bytes; false if there is no room. What it held is lost. */
  reserve(size: number): boolean {
    if (size <= this.scratchSize) return true
    const wanted = Math.max(size, this.scratchSize * 2)
    if (this.scratch !== 0) this.api.free_mem(this.scratch)
    this.scratch = this.tryAllocate(wanted)
    this.scratchSize = this.scratch === 0 ? 0 : wanted
    return this.scratch !== 0
  }

  /** Gives back a scratch that something large has left behind. */
  trim(): void {
    if (this.scratchSize <= SCRATCH_MIN * 16) return
    this.api.free_mem(this.scratch)
    this.scratch = 0
    this.scratchSize = 0
    this.reserve(SCRATCH_MIN)
  }

  /** A new state with the libraries of the package; the module forgets it. */
  newState(): number {
    this.words[MODULE_STATE >> 2] = 0
    assert(this.api.init() === 0, 'a new interpreter makes a state')
    const state = this.words[MODULE_STATE >> 2]!
    this.words[MODULE_STATE >> 2] = 0
    this.api.lua_createtable(state, 0, 0)
    this.emptyNode = this.words[(this.words[this.topOf(state) >> 2]! + TABLE_NODE) >> 2]!
    this.pop(state, 1)
    return state
  }

  /** A text as C wants it, kept for good: names of fields, of functions. */
  name(text: string): number {
    let pos = this.names.get(text)
    if (pos === undefined) {
      pos = this.allocate(text.length + 1)
      for (let at = 0; at < text.length; at++) this.bytes[pos + at] = text.charCodeAt(at)
      this.bytes[pos + text.length] = 0
      this.names.set(text, pos)
    }
    return pos
  }

  /** The position of the value on top. */
  topOf(state: number): number {
    return this.words[(state + STATE_TOP) >> 2]! - VALUE_SIZE
  }
  /** The position of the running function's first argument. */
  baseOf(state: number): number {
    return this.words[(state + STATE_BASE) >> 2]!
  }
  /** How many values the running function has. */
  countOf(state: number): number {
    return (this.words[(state + STATE_TOP) >> 2]! - this.words[(state + STATE_BASE) >> 2]!) / VALUE_SIZE
  }

  typeAt(pos: number): number {
    return this.words[(pos + TYPE_AT) >> 2]!
  }
  numberAt(pos: number): number {
    return this.doubles[pos >> 3]!
  }
  booleanAt(pos: number): boolean {
    return this.typeAt(pos) !== LuaType.NIL && (this.typeAt(pos) !== LuaType.BOOLEAN || this.words[pos >> 2] !== 0)
  }
  stringPos(pos: number): number {
    return this.words[pos >> 2]! + STRING_HEADER
  }
  stringLen(pos: number): number {
    return this.words[(this.words[pos >> 2]! + STRING_LEN_AT) >> 2]!
  }
  /** The C function at a position, callable as Lua calls it: with a state on whose stack are its arguments. */
  cFunctionAt(pos: number): (state: number) => number {
    const run = this.api.__indirect_function_table.get(this.words[(this.words[pos >> 2]! + C_FUNCTION_AT) >> 2]!)
    assert(run !== null, 'a function in C stands in the table')
    return run
  }
  /** The string as latin1. Not for hot paths. */
  textAt(pos: number): string {
    const from = this.stringPos(pos)
    return Buffer.from(this.bytes.buffer, from, this.stringLen(pos)).toString('latin1')
  }
  /** The text of a C string. */
  cText(pos: number): string {
    return Buffer.from(this.bytes.buffer, pos, this.bytes.indexOf(0, pos) - pos).toString('latin1')
  }
  /** Whether the table at a position has keys that are not in its array part. */
  hasHashPart(pos: number): boolean {
    return this.words[(this.words[pos >> 2]! + TABLE_NODE) >> 2] !== this.emptyNode
  }

  pop(state: number, count: number): void {
    this.words[(state + STATE_TOP) >> 2]! -= count * VALUE_SIZE
  }

  /** Pushes bytes from outside as a string; false, with nothing pushed, if there is no room on the way. */
  pushBytes(state: number, source: Uint8Array, pos: number, len: number): boolean {
    if (len > this.scratchSize && !this.reserve(len)) return false
    copyBytes(source, pos, this.bytes, this.scratch, len)
    this.api.lua_pushlstring(state, this.scratch, len)
    return true
  }

  /** Pushes a message of ours. Not for hot paths. */
  pushText(state: number, text: string): void {
    const bytes = new Uint8Array(Buffer.from(text, 'latin1'))
    if (!this.pushBytes(state, bytes, 0, bytes.length)) {
      this.api.lua_pushlstring(state, this.name(NO_MEMORY), NO_MEMORY.length)
    }
  }

  /** Pushes a field of the table at an index without asking its metatable, whose functions may raise errors. */
  pushRawField(state: number, table: number, name: string): void {
    this.pushText(state, name)
    this.api.lua_rawget(state, table < 0 ? table - 1 : table)
  }

  /** Has a function called every so many instructions, or for each line; with `HookMask.NONE`, no more. */
  setHook(state: number, hook: number, mask: number, count: number): void {
    this.words[(state + STATE_HOOK) >> 2] = hook
    this.words[(state + STATE_HOOK_COUNT_BASE) >> 2] = count
    this.words[(state + STATE_HOOK_COUNT) >> 2] = count
    this.bytes[state + STATE_HOOK_MASK] = mask
  }

  /** Bytes that the objects of a state take. */
  bytesOf(state: number): number {
    return this.words[(this.words[(state + STATE_GLOBAL) >> 2]! + GLOBAL_BYTES) >> 2]! >>> 0
  }

  /** Bytes of the module's memory, used or not. */
  get memorySize(): number {
    return this.bytes.length
  }
}
