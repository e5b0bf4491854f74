/* A command's reply as a Lua value: what redis.call returns.
 *
 *   RESP2   :1 number   $ string   * table   + {ok=…}   - {err=…}   $-1 *-1 false
 *   RESP3   also   _ nil   # boolean   , {double=…}   % {map={…}}   ~ {set={…}}   ( {big_number=…}
 *                  = {verbatim_string={format=…,string=…}}   | is left out
 *
 * The reply is moved into the interpreter's memory once; strings are made from where they lie there. */
import { parseDouble } from '../lib/double.ts'
import { parseInt64, toNumber } from '../lib/int64.ts'
import type { Reply } from '../protocol/reply.ts'
import type { Lua } from './lua.ts'

const CR = 13
const MINUS = 45
const SPACE = 32
const DIGIT_0 = 48
const TRUE = 116
const SIMPLE = 43
const ERROR = 45
const INTEGER = 58
const BULK = 36
const ARRAY = 42
const PUSH = 62
const MAP = 37
const SET = 126
const NULL = 95
const BOOLEAN = 35
const DOUBLE = 44
const VERBATIM = 61
const BIG_NUMBER = 40
const ATTRIBUTE = 124

/** Letters of a verbatim string's format, and the colon behind them. */
const FORMAT_LEN = 3
/** Digits that fit a number without care. */
const SHORT_DIGITS = 15

export class ReplyReader {
  private readonly lua: Lua
  private pos = 0
  private readonly ok: number
  private readonly err: number
  private readonly ignored: number

  constructor(lua: Lua) {
    this.lua = lua
    this.ok = lua.name('ok')
    this.err = lua.name('err')
    this.ignored = lua.name('ignore_error_stats_update')
  }

  /** Takes what the reply holds and pushes it; answers whether it is an error, or undefined if memory is short. */
  push(state: number, reply: Reply): boolean | undefined {
    const { lua } = this
    const len = reply.length
    if (!lua.reserve(len)) {
      reply.drop()
      return undefined
    }
    reply.moveTo(lua.bytes, lua.scratch)
    this.pos = lua.scratch
    const isError = lua.bytes[this.pos] === ERROR
    this.value(state)
    return isError
  }

  /** The number behind a type's sign; moves behind the line. */
  private header(): number {
    const { bytes } = this.lua
    let pos = this.pos + 1
    const start = pos
    const negative = bytes[pos] === MINUS
    if (negative) pos++
    let value = 0
    for (; bytes[pos] !== CR; pos++) value = value * 10 + bytes[pos]! - DIGIT_0
    this.pos = pos + 2
    if (pos - start > SHORT_DIGITS) return toNumber(parseInt64(bytes, start, pos - start)!)
    return negative ? -value : value
  }

  /** The length of the line behind a type's sign; moves to its beginning. */
  private line(): number {
    const { bytes } = this.lua
    const start = ++this.pos
    let end = start
    while (bytes[end] !== CR) end++
    return end - start
  }

  private value(state: number): void {
    const { api, bytes } = this.lua
    switch (bytes[this.pos]) {
      case BULK: {
        const len = this.header()
        if (len < 0) return void api.lua_pushboolean(state, 0)
        const from = this.pos
        this.pos = from + len + 2
        return void api.lua_pushlstring(state, from, len)
      }
      case INTEGER:
        return void api.lua_pushnumber(state, this.header())
      case ARRAY:
      case PUSH: // what only tests let scripts run
        return this.array(state)
      case SIMPLE:
        return this.field(state, this.ok)
      case ERROR:
        return this.error(state)
      default:
        return this.resp3(state)
    }
  }

  private array(state: number): void {
    const { api } = this.lua
    const count = this.header()
    if (count < 0) return void api.lua_pushboolean(state, 0)
    api.lua_checkstack(state, 4)
    api.lua_createtable(state, count, 0)
    for (let index = 1; index <= count; index++) {
      this.value(state)
      api.lua_rawseti(state, -2, index)
    }
  }

  /** A table whose one field is the rest of the line. */
  private field(state: number, name: number): void {
    const { api } = this.lua
    const len = this.line()
    api.lua_checkstack(state, 4)
    api.lua_createtable(state, 0, 1)
    api.lua_pushlstring(state, this.pos, len)
    api.lua_setfield(state, -2, name)
    this.pos += len + 2
  }

  /** An error, which has been counted when the command failed. Without a word of its own before it, it gets one. */
  private error(state: number): void {
    const { api, bytes } = this.lua
    const len = this.line()
    api.lua_checkstack(state, 4)
    api.lua_createtable(state, 0, 2)
    const hasCode = bytes.subarray(this.pos, this.pos + len).includes(SPACE)
    if (hasCode) api.lua_pushlstring(state, this.pos, len)
    else this.lua.pushText(state, `ERR ${Buffer.from(bytes.subarray(this.pos, this.pos + len)).toString('latin1')}`)
    api.lua_setfield(state, -2, this.err)
    api.lua_pushboolean(state, 1)
    api.lua_setfield(state, -2, this.ignored)
    this.pos += len + 2
  }

  private resp3(state: number): void {
    const { api, bytes } = this.lua
    api.lua_checkstack(state, 5)
    switch (bytes[this.pos]) {
      case NULL:
        this.pos += 3
        return void api.lua_pushnil(state)
      case BOOLEAN:
        api.lua_pushboolean(state, bytes[this.pos + 1] === TRUE ? 1 : 0)
        this.pos += 4
        return
      case DOUBLE: {
        const len = this.line()
        api.lua_createtable(state, 0, 1)
        api.lua_pushnumber(state, parseDouble(bytes, this.pos, len) ?? Number.NaN)
        api.lua_setfield(state, -2, this.lua.name('double'))
        this.pos += len + 2
        return
      }
      case BIG_NUMBER:
        return this.field(state, this.lua.name('big_number'))
      case VERBATIM:
        return this.verbatim(state)
      case MAP:
      case SET:
        return this.collection(state)
      case ATTRIBUTE:
        this.skipAttributes(state)
        return this.value(state)
      default:
        throw new Error('a reply of our own is well formed')
    }
  }

  private verbatim(state: number): void {
    const { lua } = this
    const { api } = lua
    const len = this.header()
    api.lua_createtable(state, 0, 1)
    api.lua_createtable(state, 0, 2)
    api.lua_pushlstring(state, this.pos + FORMAT_LEN + 1, len - FORMAT_LEN - 1)
    api.lua_setfield(state, -2, lua.name('string'))
    api.lua_pushlstring(state, this.pos, FORMAT_LEN)
    api.lua_setfield(state, -2, lua.name('format'))
    api.lua_setfield(state, -2, lua.name('verbatim_string'))
    this.pos += len + 2
  }

  private collection(state: number): void {
    const { lua } = this
    const { api } = lua
    const isMap = lua.bytes[this.pos] === MAP
    const count = this.header()
    api.lua_createtable(state, 0, 1)
    // Not made in its size: grown as in Redis, it is walked by pairs() in the same order.
    api.lua_createtable(state, 0, 0)
    for (let index = 0; index < count; index++) {
      this.value(state)
      if (isMap) this.value(state)
      else api.lua_pushboolean(state, 1)
      api.lua_rawset(state, -3)
    }
    api.lua_setfield(state, -2, lua.name(isMap ? 'map' : 'set'))
  }

  private skipAttributes(state: number): void {
    for (let left = this.header() * 2; left > 0; left--) {
      this.value(state)
      this.lua.pop(state, 1)
    }
  }
}
