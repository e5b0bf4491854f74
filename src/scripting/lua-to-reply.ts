/* A Lua value as a reply: what a script returns.
 *
 *   string   bulk string          {err=…}     error             {map={…}}   map
 *   number   integer, cut off     {ok=…}      status            {set={…}}   set
 *   true     1 (RESP3: true)      {double=…}  double            {big_number=…}, {verbatim_string={format=…,string=…}}
 *   false    null (RESP3: false)  nil, functions   null         any other table: an array, up to its first nil
 *
 * `version` is the script's own (redis.setresp), which decides about booleans; the client's decides how the rest is
 * written. Values are read where they lie. */
import { fromLatin1 } from '../lib/bytes.ts'
import { fromNumber, INT64_MIN, type Int64 } from '../lib/int64.ts'
import { errorReply } from '../protocol/errors.ts'
import type { Reply } from '../protocol/reply.ts'
import { type Lua, LuaType } from './lua.ts'

/** Values that writing one value needs on the stack. */
const STACK_ROOM = 4
const FORMAT_LEN = 3
/** Tables inside one another, beyond which it is given up: each takes a piece of the machine's stack. */
const DEPTH_MAX = 1000

const STACK_LIMIT = errorReply('ERR reached lua stack limit')

/** As a C string, which ends at its first NUL. */
export function beforeNul(text: string): string {
  const nul = text.indexOf('\0')
  return nul < 0 ? text : text.slice(0, nul)
}

/** One line: line ends become spaces. */
const oneLine = (text: string): string => beforeNul(text).replaceAll(/[\r\n]/g, ' ')

/** As C casts a double to a 64-bit integer, on a machine that makes the least one of what does not fit. */
const toInteger = (value: number): Int64 => fromNumber(Math.trunc(value)) ?? INT64_MIN

export class ReplyWriter {
  private readonly lua: Lua
  private version = 2
  private failed = false
  private depth = 0

  constructor(lua: Lua) {
    this.lua = lua
  }

  /** Writes the value on top and pops it. Whether there is an error in it that was counted when its command failed. */
  write(state: number, reply: Reply, version: number): boolean {
    this.version = version
    this.failed = false
    this.depth = 0
    this.value(state, reply)
    return this.failed
  }

  private value(state: number, reply: Reply): void {
    const { lua } = this
    const pos = lua.topOf(state)
    switch (lua.typeAt(pos)) {
      case LuaType.STRING:
        reply.bulk(lua.bytes, lua.stringPos(pos), lua.stringLen(pos))
        break
      case LuaType.NUMBER: {
        const value = lua.numberAt(pos)
        reply.integer((value | 0) === value ? value | 0 : toInteger(value))
        break
      }
      case LuaType.BOOLEAN:
        this.boolean(lua.booleanAt(pos), reply)
        break
      case LuaType.TABLE:
        this.table(state, reply)
        break
      default:
        reply.nullBulk()
    }
    lua.pop(state, 1)
  }

  private boolean(value: boolean, reply: Reply): void {
    if (this.version === 3) reply.boolean(value)
    else if (value) reply.integer(1)
    else reply.nullBulk()
  }

  private table(state: number, reply: Reply): void {
    const { lua } = this
    if (this.depth === DEPTH_MAX || lua.api.lua_checkstack(state, STACK_ROOM) === 0) return reply.error(STACK_LIMIT)
    this.depth++
    if (!lua.hasHashPart(lua.topOf(state)) || !this.marked(state, reply)) this.array(state, reply)
    this.depth--
  }

  private array(state: number, reply: Reply): void {
    const { api } = this.lua
    const mark = reply.begin()
    let count = 0
    for (;;) {
      api.lua_rawgeti(state, -1, count + 1)
      if (this.lua.typeAt(this.lua.topOf(state)) === LuaType.NIL) break
      this.value(state, reply)
      count++
    }
    this.lua.pop(state, 1)
    reply.endArray(mark, count)
  }

  /** Pushes the field of the table on top if it is of this type; else nothing. */
  private pushField(state: number, name: string, type: number): boolean {
    const { lua } = this
    lua.pushText(state, name)
    lua.api.lua_rawget(state, -2)
    if (lua.typeAt(lua.topOf(state)) === type) return true
    lua.pop(state, 1)
    return false
  }

  /** Writes a table that stands for something else than an array; false if it does not. */
  private marked(state: number, reply: Reply): boolean {
    const { lua } = this
    if (this.pushField(state, 'err', LuaType.STRING)) this.error(state, reply)
    else if (this.pushField(state, 'ok', LuaType.STRING)) {
      reply.raw(fromLatin1(`+${oneLine(lua.textAt(lua.topOf(state)))}\r\n`))
    } else if (this.pushField(state, 'double', LuaType.NUMBER)) reply.double(lua.numberAt(lua.topOf(state)))
    else if (this.pushField(state, 'big_number', LuaType.STRING)) this.bigNumber(state, reply)
    else if (this.pushField(state, 'verbatim_string', LuaType.TABLE)) {
      if (!this.verbatim(state, reply)) {
        lua.pop(state, 1)
        return this.collection(state, reply)
      }
    } else return this.collection(state, reply)
    lua.pop(state, 1)
    return true
  }

  /** The message is on top. One that a command of the script made has been counted there. */
  private error(state: number, reply: Reply): void {
    const { lua } = this
    const error = errorReply(beforeNul(lua.textAt(lua.topOf(state))))
    lua.pushRawField(state, -2, 'ignore_error_stats_update')
    const counted = lua.booleanAt(lua.topOf(state))
    lua.pop(state, 1)
    if (!counted) return reply.error(error)
    reply.raw(error.bytes)
    this.failed = true
  }

  private bigNumber(state: number, reply: Reply): void {
    const { lua } = this
    const digits = lua.textAt(lua.topOf(state)).replaceAll(/[\r\n]/g, ' ')
    if (reply.version === 3) reply.raw(fromLatin1(`(${digits}\r\n`))
    else reply.bulk(fromLatin1(digits), 0, digits.length)
  }

  /** The table of both parts is on top. */
  private verbatim(state: number, reply: Reply): boolean {
    const { lua } = this
    if (!this.pushField(state, 'format', LuaType.STRING)) return false
    const format = beforeNul(lua.textAt(lua.topOf(state)))
    lua.pop(state, 1)
    if (!this.pushField(state, 'string', LuaType.STRING)) return false
    const pos = lua.topOf(state)
    const from = lua.stringPos(pos)
    const len = lua.stringLen(pos)
    if (reply.version === 3) {
      reply.raw(fromLatin1(`=${len + FORMAT_LEN + 1}\r\n${format.slice(0, FORMAT_LEN).padEnd(FORMAT_LEN)}:`))
      reply.raw(lua.bytes.subarray(from, from + len))
      reply.raw(fromLatin1('\r\n'))
    } else reply.bulk(lua.bytes, from, len)
    lua.pop(state, 1)
    return true
  }

  private collection(state: number, reply: Reply): boolean {
    const { lua } = this
    const isMap = this.pushField(state, 'map', LuaType.TABLE)
    if (!isMap && !this.pushField(state, 'set', LuaType.TABLE)) return false
    const mark = reply.begin()
    let count = 0
    lua.api.lua_pushnil(state)
    for (; lua.api.lua_next(state, -2) !== 0; count++) {
      // Stack: table, key, value. Writing consumes the key, which is needed to go on.
      if (!isMap) lua.pop(state, 1)
      lua.api.lua_pushvalue(state, isMap ? -2 : -1)
      this.value(state, reply)
      if (isMap) this.value(state, reply)
    }
    lua.pop(state, 1)
    if (isMap) reply.endMap(mark, count)
    else reply.endSet(mark, count)
    return true
  }
}
