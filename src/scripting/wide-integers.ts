/* Whole numbers of 64 bits in string.format and tonumber.
 *
 * The interpreter's C code was compiled for a machine of 32 bits, whose `long` has four bytes; Redis's has eight, and
 * scripts count on it: milliseconds since 1970 in '%d', hashes in tonumber(text, 16). So both functions are ours. What
 * fits in 31 bits, which is nearly everything, goes on to C's own function in the same frame, whose errors then name
 * the right function and argument. Of the rest
 *
 *   string.format('%5d|%s', 2^40, 'x')    becomes    string.format('%s|%s', '1099511627776', 'x')
 *
 * and tonumber with a base reads as strtoul does on 64 bits. */
import { fromUnsignedWords, fromWords, int64ToString } from '../lib/int64.ts'
import { type Lua, LuaType, VALUE_SIZE } from './lua.ts'
import { beforeNul } from './lua-to-reply.ts'
import type { RedisLibrary } from './redis-library.ts'

const TWO_32 = 2 ** 32
const TWO_63 = 2 ** 63
const SMALL_MAX = 2 ** 31 - 1
const DIGIT_9 = 57
/** What fits in 31 bits in any base, and reads alike everywhere. */
const SHORT = /^[0-9a-f]{1,5}$/i
const BASE_MAX = 36
/** One directive of string.format: flags, width, precision, conversion. */
const DIRECTIVE = /%(?:%|([-+ #0]{0,5})(?![-+ #0])(\d{0,2})(?:\.(\d{0,2}))?([a-zA-Z]))/y
const INTEGERS = 'diouxX'
/** What strtoul reads: spaces, a sign, digits of any base. */
const DIGITS = /^[ \t-\r]*([-+]?)([0-9a-z]+)[ \t-\r]*$/i

/** The upper and the lower half of a whole number, as C makes 64 bits of a double: what is no number or out of range
 *  is the lowest one. */
export function signedWords(value: number): readonly [high: number, low: number] {
  const whole = Math.trunc(value)
  if (!(whole >= -TWO_63 && whole < TWO_63)) return [TWO_63 / TWO_32, 0]
  return split(whole)
}

/** The same without a sign: numbers below 0 come round from above. */
export function unsignedWords(value: number): readonly [high: number, low: number] {
  if (!(value >= TWO_63)) return signedWords(value)
  return value < TWO_63 * 2 ? split(value) : [0, 0]
}

function split(whole: number): readonly [high: number, low: number] {
  const high = Math.floor(whole / TWO_32)
  return [high >>> 0, whole - high * TWO_32]
}

function octal(high: number, low: number): string {
  // 4 bits, 30 bits, 30 bits: whole digits of the lower two.
  const middle = ((high & 0xfffffff) << 2) | (low >>> 30)
  const parts = [high >>> 28, middle, low & 0x3fffffff].map((part) => part.toString(8).padStart(10, '0'))
  return parts.join('').replace(/^0+(?=.)/, '')
}

const hex = (high: number, low: number): string =>
  high === 0 ? low.toString(16) : high.toString(16) + low.toString(16).padStart(8, '0')

/** A number as C's printf writes it with a conversion for whole numbers. */
export function formatInteger(conversion: string, value: number, flags = '', width = 0, precision = -1): string {
  let digits = ''
  let prefix = ''
  if (conversion === 'd' || conversion === 'i') {
    const [high, low] = signedWords(value)
    digits = int64ToString(fromWords(high | 0, low | 0))
    if (digits.startsWith('-')) {
      prefix = '-'
      digits = digits.slice(1)
    } else if (flags.includes('+')) prefix = '+'
    else if (flags.includes(' ')) prefix = ' '
  } else {
    const [high, low] = unsignedWords(value)
    const isZero = high === 0 && low === 0
    if (conversion === 'u') digits = int64ToString(fromUnsignedWords(high | 0, low | 0))
    else if (conversion === 'o') digits = octal(high, low)
    else digits = hex(high, low)
    if (flags.includes('#') && !isZero) {
      if (conversion === 'o') digits = `0${digits}`
      else if (conversion !== 'u') prefix = '0x'
    }
  }
  if (precision === 0 && digits === '0') digits = conversion === 'o' && flags.includes('#') ? '0' : ''
  if (precision >= 0) digits = digits.padStart(precision, '0')
  else if (flags.includes('0') && !flags.includes('-')) digits = digits.padStart(width - prefix.length, '0')
  const text = flags.includes('-') ? (prefix + digits).padEnd(width) : (prefix + digits).padStart(width)
  return conversion === 'X' ? text.toUpperCase() : text
}

/** What strtoul reads in a text, and Lua after it; undefined if that is not the whole text. */
export function parseUnsigned(text: string, base: number): number | undefined {
  const match = DIGITS.exec(text)
  if (match === null) return undefined
  const [, sign, written] = match as unknown as readonly [string, string, string]
  const digits = base === 16 && /^0x./i.test(written) ? written.slice(2) : written
  let high = 0
  let low = 0
  let overflows = false
  for (const each of digits) {
    const digit = Number.parseInt(each, BASE_MAX)
    if (digit >= base) return undefined
    low = low * base + digit
    high = high * base + Math.floor(low / TWO_32)
    low %= TWO_32
    if (high >= TWO_32) overflows = true
    high %= TWO_32
  }
  if (overflows) return TWO_63 * 2
  if (sign === '-') {
    high = (~high + (low === 0 ? 1 : 0)) >>> 0
    low = -low >>> 0
  }
  return high * TWO_32 + low
}

export class WideIntegers {
  private readonly lua: Lua
  private readonly library: RedisLibrary
  private readonly format: number
  private readonly toNumber: number
  /** C's own functions. */
  private plainFormat: (state: number) => number = () => 0
  private plainToNumber: (state: number) => number = () => 0

  constructor(lua: Lua, library: RedisLibrary) {
    this.lua = lua
    this.library = library
    this.format = lua.functions.addFunction((state) => this.runFormat(state))
    this.toNumber = lua.functions.addFunction((state) => this.runToNumber(state))
  }

  /** Puts them in place of C's in a new state, whose tables can be written. */
  install(state: number): void {
    this.plainToNumber = this.library.replaceFunction(state, null, 'tonumber', this.toNumber)
    this.plainFormat = this.library.replaceFunction(state, 'string', 'format', this.format)
  }

  private runFormat(state: number): number {
    const { lua } = this
    const base = lua.baseOf(state)
    for (let pos = base + VALUE_SIZE, end = base + lua.countOf(state) * VALUE_SIZE; pos < end; pos += VALUE_SIZE) {
      if (!this.mayBeWide(pos)) continue
      this.narrow(state)
      break
    }
    return this.plainFormat(state)
  }

  /** Whether the value at a position may be a number that C's function would get wrong. */
  private mayBeWide(pos: number): boolean {
    const { lua } = this
    const type = lua.typeAt(pos)
    if (type === LuaType.NUMBER) {
      const value = lua.numberAt(pos)
      return !(value >= 0 && value <= SMALL_MAX)
    }
    return type === LuaType.STRING && lua.stringLen(pos) > 0 && lua.bytes[lua.stringPos(pos)]! <= DIGIT_9
  }

  /** Makes texts of the numbers on the stack that are written as whole ones and do not fit, and has the format take
   *  them as such. Stops at what is wrong in it: C's function will say so. */
  private narrow(state: number): void {
    const { lua, library } = this
    if (lua.typeAt(lua.baseOf(state)) !== LuaType.STRING) return
    const format = lua.textAt(lua.baseOf(state))
    const argc = lua.countOf(state)
    let written = ''
    let from = 0
    let index = 1
    for (let at = format.indexOf('%'); at >= 0; at = format.indexOf('%', DIRECTIVE.lastIndex)) {
      DIRECTIVE.lastIndex = at
      const match = DIRECTIVE.exec(format)
      if (match === null) break
      const [, flags, width, precision, conversion] = match
      if (conversion === undefined) continue
      if (++index > argc) break
      if (conversion !== 'c' && !INTEGERS.includes(conversion)) continue
      if (!this.mayBeWide(lua.baseOf(state) + (index - 1) * VALUE_SIZE)) continue
      const value = library.numberAt(state, index)
      if (value === undefined) break
      if (conversion === 'c') {
        // What an int cannot hold has a last byte of 0.
        if (!(Math.abs(value) <= SMALL_MAX)) this.replace(state, index, 0)
        continue
      }
      const digits = precision === undefined ? -1 : Number(precision)
      lua.pushText(state, formatInteger(conversion, value, flags, Number(width), digits))
      lua.api.lua_replace(state, index)
      written += `${format.slice(from, at)}%s`
      from = DIRECTIVE.lastIndex
    }
    if (from === 0) return
    lua.pushText(state, written + format.slice(from))
    lua.api.lua_replace(state, 1)
  }

  private replace(state: number, index: number, value: number): void {
    this.lua.api.lua_pushnumber(state, value)
    this.lua.api.lua_replace(state, index)
  }

  /** C's function takes a text of `0x` and nothing behind it for 0; glibc's does not. */
  private runPlainToNumber(state: number): number {
    const { lua } = this
    const isText = lua.countOf(state) === 1 && lua.typeAt(lua.baseOf(state)) === LuaType.STRING
    const count = this.plainToNumber(state)
    if (!isText || lua.typeAt(lua.topOf(state)) !== LuaType.NUMBER || lua.numberAt(lua.topOf(state)) !== 0) return count
    if (this.library.numberAt(state, 1) === undefined) lua.api.lua_pushnil(state)
    return count
  }

  private runToNumber(state: number): number {
    const { lua, library } = this
    if (lua.countOf(state) < 2) return this.runPlainToNumber(state)
    const base = Math.trunc(library.numberAt(state, 2) ?? 0)
    const text = base >= 2 && base <= BASE_MAX && base !== 10 ? library.stringArgument(state, 1) : undefined
    if (text === undefined || SHORT.test(text)) return this.plainToNumber(state)
    const value = parseUnsigned(beforeNul(text), base)
    if (value === undefined) lua.api.lua_pushnil(state)
    else lua.api.lua_pushnumber(state, value)
    return 1
  }
}
