/* The Lua interpreter's code: WebAssembly out of the package lua-redis-wasm, with more of its functions let out.
 *
 *   redis_lua.wasm   Lua 5.1.5 as Redis keeps it (read-only tables, no bytecode), cjson, cmsgpack, struct, bit
 *   its own exports  init, eval_with_args, alloc, free_mem …     copies every argument twice, compiles at each call
 *   let out here     lua_pcall, lua_pushlstring, luaL_loadbuffer …    Lua's C API, which is in there anyway
 *
 * A module's export section is a list of names and numbers of functions, so the interpreter's own API can be had by
 * adding names to it: the code stays byte for byte what the package ships. What number a function has depends on the
 * build; so the package is pinned, and a file that is not the known one (by its SHA-256) is refused. Two limits are
 * rewritten too: the table of functions gets room for ours, and memory may grow.
 *
 * The package's JavaScript, which wants Node 22, is not used. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { assert } from '../lib/assert.ts'
import { crypto } from '../lib/crypto.ts'

const PACKAGE = 'lua-redis-wasm'
const FILE = 'redis_lua.wasm'
const SHA256 = 'c95b450f963b03479fe34da98bfecff67f277708dff89893ce2e40f898a0b42a'

/** Numbers of the functions that are let out. Where the compiler has dropped a parameter that never varied, the
 *  comment says so. */
const FUNCTIONS = {
  lua_checkstack: 53,
  lua_settop: 57,
  lua_remove: 58,
  lua_insert: 59,
  lua_replace: 60,
  lua_pushvalue: 61,
  lua_tonumber: 67,
  lua_tolstring: 70,
  lua_pushnil: 74,
  lua_pushnumber: 75,
  lua_pushlstring: 77,
  lua_pushcclosure: 80,
  lua_pushboolean: 81,
  lua_getfield: 85,
  lua_rawget: 86,
  lua_rawgeti: 87,
  lua_createtable: 88,
  lua_getmetatable: 89,
  lua_setfield: 91,
  lua_rawset: 92,
  lua_rawseti: 93,
  /** (L, index): no result. */
  lua_setmetatable: 94,
  lua_call: 96,
  /** (L, arguments, index of the error handler): there are as many results as there are. */
  lua_pcall: 97,
  lua_gc: 100,
  lua_error: 101,
  lua_next: 102,
  lua_enablereadonlytable: 106,
  lua_getstack: 137,
  lua_getinfo: 138,
  luaL_loadbuffer: 264,
} as const

/** What the module exports by itself, as far as it is used. */
interface OwnExports {
  readonly memory: WasmMemory
  readonly __indirect_function_table: WasmTable
  __wasm_call_ctors(): void
  set_compat(flags: number): void
  init(): number
  alloc(size: number): number
  free_mem(pos: number): void
  setThrew(threw: number, value: number): void
  _emscripten_stack_restore(pos: number): void
  emscripten_stack_get_current(): number
}

export type LuaExports = OwnExports & { readonly [name in keyof typeof FUNCTIONS]: (...args: number[]) => number }

// TypeScript's own library has WebAssembly only among what browsers have; these few words are all that is needed.
export interface WasmMemory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}
export interface WasmTable {
  get(index: number): ((...args: number[]) => number) | null
  set(index: number, value: unknown): void
}
type Imports = Readonly<Record<string, Readonly<Record<string, (...args: never[]) => unknown>>>>
interface WasmInstance<Exports> {
  readonly exports: Exports
}
interface WasmNamespace {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new <Exports>(module: object, imports: Imports) => WasmInstance<Exports>
}
const { Module, Instance } = (globalThis as unknown as { WebAssembly: WasmNamespace }).WebAssembly

/** Bytes of a page of memory. */
export const PAGE_SIZE = 65536
const MEMORY_PAGES_MIN = 1024
/** Memory grows up to this: a script that wants more is told that there is none. */
export const MEMORY_MAX = 1024 * 1024 * 1024

/** Functions in the module's table, and how many there may be with ours. */
const TABLE_USED = 157
const TABLE_SIZE = 256

// Sections of a module, by number.
const TABLES = 4
const MEMORIES = 5
const EXPORTS = 7
const FUNCTION_KIND = 0
const FUNCTION_REFERENCE = 0x70
const HAS_MAXIMUM = 1
const I32 = 0x7f

const MAGIC = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
const HEADER_LEN = 8

/** An unsigned number of 7 bits a byte, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest & 127) | 128)
  }
}

function readVarint(bytes: Uint8Array, pos: number): { value: number; end: number } {
  let value = 0
  for (let at = pos, shift = 0; ; at++, shift += 7) {
    value |= (bytes[at]! & 127) << shift
    if (bytes[at]! < 128) return { value, end: at + 1 }
  }
}

const section = (id: number, content: readonly number[]): number[] => [id, ...varint(content.length), ...content]
const named = (name: string): number[] => [...varint(name.length), ...Buffer.from(name)]

/** The export section with our names at its end. */
function extendExports(bytes: Uint8Array, pos: number, end: number): number[] {
  const { value: count, end: first } = readVarint(bytes, pos)
  const added = Object.entries(FUNCTIONS)
  const content = [...varint(count + added.length), ...bytes.subarray(first, end)]
  for (const [name, index] of added) content.push(...named(name), FUNCTION_KIND, ...varint(index))
  return section(EXPORTS, content)
}

/** The module with more exports and room. */
function extend(bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [bytes.subarray(0, HEADER_LEN)]
  for (let pos = HEADER_LEN; pos < bytes.length; ) {
    const id = bytes[pos]!
    const { value: len, end: start } = readVarint(bytes, pos + 1)
    const end = start + len
    let content: number[] | null = null
    if (id === EXPORTS) content = extendExports(bytes, start, end)
    else if (id === TABLES) {
      const size = varint(TABLE_SIZE)
      content = section(id, [1, FUNCTION_REFERENCE, HAS_MAXIMUM, ...size, ...size])
    } else if (id === MEMORIES) {
      content = section(id, [1, HAS_MAXIMUM, ...varint(MEMORY_PAGES_MIN), ...varint(MEMORY_MAX / PAGE_SIZE)])
    }
    pieces.push(content === null ? bytes.subarray(pos, end) : Uint8Array.from(content))
    pos = end
  }
  return Buffer.concat(pieces)
}

let compiled: object | null = null

/** The module, compiled when it is first wanted (10 ms): a server that runs no script does without. */
function compile(): object {
  if (compiled !== null) return compiled
  const path = join(dirname(createRequire(import.meta.url).resolve(PACKAGE)), FILE)
  const bytes = readFileSync(path)
  const sum = crypto().createHash('sha256').update(bytes).digest('hex')
  assert(sum === SHA256, 'the Lua interpreter is the one that was pinned')
  compiled = new Module(extend(bytes))
  return compiled
}

export function instantiate(imports: Imports): LuaExports {
  return new Instance<LuaExports>(compile(), imports).exports
}

/** Makes functions of ours callable from Lua: each goes through a module of its own that does nothing but give it a
 *  type, since only functions of modules can stand in the table. */
export class FunctionTable {
  private readonly table: WasmTable
  private used = TABLE_USED

  constructor(table: WasmTable) {
    this.table = table
  }

  /** Of a lua_CFunction: takes a lua_State, returns how many results it has pushed. */
  addFunction(run: (state: number) => number): number {
    return this.add(run, [0x60, 1, I32, 1, I32])
  }

  /** Of a lua_Hook: takes a lua_State and a lua_Debug. */
  addHook(run: (state: number, debug: number) => void): number {
    return this.add(run, [0x60, 2, I32, I32, 0])
  }

  private add(run: (...args: number[]) => unknown, type: readonly number[]): number {
    assert(this.used < TABLE_SIZE, 'the table of functions has room')
    const bytes = [...MAGIC, ...section(1, [1, ...type]), ...section(2, [1, ...named('e'), ...named('f'), 0, 0])]
    bytes.push(...section(EXPORTS, [1, ...named('f'), 0, 0]))
    const { exports } = new Instance<{ f: unknown }>(new Module(Uint8Array.from(bytes)), { e: { f: run } })
    this.table.set(this.used, exports.f)
    return this.used++
  }
}
