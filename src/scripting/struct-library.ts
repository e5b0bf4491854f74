/* struct: Lua values to bytes and back, by a format.
 *
 *   > < !n         big or little endian, alignment                  b h i l   1, 2, 4 and 8 bytes, capitals unsigned
 *   in In          whole numbers of n bytes                         T f d     8 bytes, float, double
 *   cn s x         n bytes, a text with a 0 behind it, a 0          c0        as many bytes as the number before says
 *
 * The interpreter's own has four bytes for `l` and `T` and computes with 32 bits, as its C code was compiled for a
 * machine of 32 bits; what Redis's scripts have packed must come out the same here. It is ours for that alone, and says
 * what the other says of faults. */
import { type Lua, LuaType, VALUE_SIZE } from './lua.ts'
import { beforeNul } from './lua-to-reply.ts'
import type { RedisLibrary } from './redis-library.ts'
import { signedWords, unsignedWords } from './wide-integers.ts'

/** Whole numbers have at most so many bytes; beyond eight they are 0. */
const INTEGER_SIZE_MAX = 32
const ALIGNMENT_DEFAULT = 8
const INT_MAX = 2 ** 31 - 1
const TWO_32 = 2 ** 32

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, l: 8, t: 8, f: 4, d: 8, x: 1 }
const INTEGERS = 'bBhHlLTiI'

/** A fault in the format or in an argument. `argument` 0: in neither. */
class Fault extends Error {
  readonly argument: number
  constructor(argument: number, message: string) {
    super(message)
    this.argument = argument
  }
}

/** Goes through a format. */
class Format {
  private readonly text: string
  private at = 0
  private alignment = 1
  bigEndian = false
  option = ''
  size = 0

  constructor(text: string) {
    this.text = text
  }

  next(): boolean {
    if (this.at === this.text.length) return false
    const option = this.text[this.at++]!
    this.option = option
    if (option === 'c') this.size = this.number(1)
    else if (option === 'i' || option === 'I') {
      this.size = this.number(4)
      if (this.size > INTEGER_SIZE_MAX) {
        throw new Fault(0, `integral size ${this.size} is larger than limit of ${INTEGER_SIZE_MAX}`)
      }
    } else this.size = 'BbHhLlTfdx'.includes(option) ? SIZES[option.toLowerCase()]! : 0
    return true
  }

  /** Bytes that are left out before the item, at so many. */
  paddingAt(len: number): number {
    if (this.size === 0 || this.option === 'c') return 0
    const size = Math.min(this.size, this.alignment)
    return (size - (len & (size - 1))) & (size - 1)
  }

  /** Takes an option that stands for no value. */
  control(): void {
    const { option } = this
    if (option === '>' || option === '<') this.bigEndian = option === '>'
    else if (option === '!') {
      const alignment = this.number(ALIGNMENT_DEFAULT)
      if (alignment === 0 || (alignment & (alignment - 1)) !== 0) {
        throw new Fault(0, `alignment ${alignment} is not a power of 2`)
      }
      this.alignment = alignment
    } else if (option !== ' ') throw new Fault(1, `invalid format option '${option}'`)
  }

  private number(otherwise: number): number {
    let value = -1
    for (; this.at < this.text.length; this.at++) {
      const digit = this.text.charCodeAt(this.at) - 48
      if (digit < 0 || digit > 9) break
      value = Math.max(value, 0) * 10 + digit
      if (value > INT_MAX) throw new Fault(0, 'integral size overflow')
    }
    return value < 0 ? otherwise : value
  }
}

export class StructLibrary {
  private readonly lua: Lua
  private readonly library: RedisLibrary
  private readonly fields: readonly (readonly [name: string, index: number])[]
  /** What is being packed. */
  private packed = Buffer.alloc(256)
  private len = 0

  constructor(lua: Lua, library: RedisLibrary) {
    this.lua = lua
    this.library = library
    const runs = [
      ['pack', (state: number) => this.pack(state)],
      ['unpack', (state: number) => this.unpack(state)],
      ['size', (state: number) => this.measure(state)],
    ] as const
    this.fields = runs.map(([name, run]) => [
      name,
      lua.functions.addFunction((state) => this.checked(state, name, run)),
    ])
  }

  /** Puts them in place of C's in a new state, whose tables can be written. */
  install(state: number): void {
    for (const [name, index] of this.fields) this.library.replaceFunction(state, 'struct', name, index)
  }

  private checked(state: number, name: string, run: (state: number) => number): number {
    try {
      return run(state)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      const { argument, message } = error
      const text = argument === 0 ? message : `bad argument #${argument} to '${name}' (${message})`
      return this.library.raisePlain(state, text)
    }
  }

  private expected(state: number, index: number, type: string): Fault {
    return new Fault(index, `${type} expected, got ${this.library.typeName(state, index)}`)
  }

  private format(state: number): Format {
    const text = this.library.stringArgument(state, 1)
    if (text === undefined) throw this.expected(state, 1, 'string')
    return new Format(beforeNul(text))
  }

  private number(state: number, index: number): number {
    const value = this.library.numberAt(state, index)
    if (value === undefined) throw this.expected(state, index, 'number')
    return value
  }

  /** Where the string at an index lies. */
  private string(state: number, index: number): { pos: number; len: number } {
    const { lua } = this
    // (a number becomes one)
    if (!this.library.makeString(state, index)) throw this.expected(state, index, 'string')
    const pos = lua.baseOf(state) + (index - 1) * VALUE_SIZE
    return { pos: lua.stringPos(pos), len: lua.stringLen(pos) }
  }

  /** Makes room for so many bytes of 0 more; answers where. */
  private extend(count: number): number {
    const pos = this.len
    this.len += count
    if (this.len > this.packed.length) {
      const larger = Buffer.alloc(this.len * 2)
      this.packed.copy(larger)
      this.packed = larger
    }
    this.packed.fill(0, pos, this.len)
    return pos
  }

  private pack(state: number): number {
    const { lua } = this
    const format = this.format(state)
    let index = 2
    this.len = 0
    lua.api.lua_pushnil(state) // as an argument that is missing is called
    while (format.next()) {
      const { option, size } = format
      this.extend(format.paddingAt(this.len))
      if (INTEGERS.includes(option)) this.packInteger(this.number(state, index++), size, format.bigEndian)
      else if (option === 'f' || option === 'd') {
        const value = this.number(state, index++)
        const pos = this.extend(size)
        if (option === 'f') this.packed.writeFloatLE(value, pos)
        else this.packed.writeDoubleLE(value, pos)
        if (format.bigEndian) this.packed.subarray(pos, pos + size).reverse()
      } else if (option === 'x') this.extend(1)
      else if (option === 'c' || option === 's') {
        const string = this.string(state, index++)
        const count = size === 0 ? string.len : size
        if (string.len < count) throw new Fault(index, 'string too short')
        const pos = this.extend(option === 's' ? count + 1 : count)
        this.packed.set(lua.bytes.subarray(string.pos, string.pos + count), pos)
      } else format.control()
    }
    const fits = lua.pushBytes(state, this.packed, 0, this.len)
    if (this.packed.length > 65536) this.packed = Buffer.alloc(256)
    return fits ? 1 : this.library.raise(state, 'not enough memory')
  }

  private packInteger(value: number, size: number, bigEndian: boolean): void {
    let [high, low] = value < 0 ? signedWords(value) : unsignedWords(value)
    const pos = this.extend(size)
    for (let at = 0; at < size; at++) {
      this.packed[bigEndian ? pos + size - 1 - at : pos + at] = low
      low = ((low >>> 8) | (high << 24)) >>> 0
      high >>>= 8
    }
  }

  private unpack(state: number): number {
    const { lua } = this
    const format = this.format(state)
    const data = this.string(state, 2)
    let at = this.offset(state)
    let count = 0
    while (format.next()) {
      const { option } = format
      let { size } = format
      at += format.paddingAt(at)
      if (at < 0 || at + size > data.len) throw new Fault(2, 'data string too short')
      if (lua.api.lua_checkstack(state, 2) === 0) throw new Fault(0, 'stack overflow (too many results)')
      const from = data.pos + at
      if (INTEGERS.includes(option)) {
        const isSigned = option === option.toLowerCase()
        lua.api.lua_pushnumber(state, this.unpackInteger(from, size, format.bigEndian, isSigned))
        count++
      } else if (option === 'f' || option === 'd') {
        const bytes = Buffer.from(lua.bytes.subarray(from, from + size))
        if (format.bigEndian) bytes.reverse()
        lua.api.lua_pushnumber(state, option === 'f' ? bytes.readFloatLE(0) : bytes.readDoubleLE(0))
        count++
      } else if (option === 'c') {
        if (size === 0) {
          size = this.sizeBefore(state, count--)
          if (at + size > data.len) throw new Fault(2, 'data string too short')
        }
        lua.api.lua_pushlstring(state, from, size)
        count++
      } else if (option === 's') {
        const end = lua.bytes.indexOf(0, from)
        if (end < 0 || end >= data.pos + data.len) throw new Fault(0, 'unfinished string in data')
        size = end - from + 1
        lua.api.lua_pushlstring(state, from, size - 1)
        count++
      } else if (option !== 'x') format.control()
      at += size
    }
    lua.api.lua_pushnumber(state, at + 1)
    return count + 1
  }

  /** The third argument of unpack, from 0. */
  private offset(state: number): number {
    const { lua } = this
    if (lua.countOf(state) < 3 || lua.typeAt(lua.baseOf(state) + 2 * VALUE_SIZE) === LuaType.NIL) return 0
    const at = Math.trunc(this.number(state, 3))
    if (at === 0) throw new Fault(3, 'offset must be 1 or greater')
    return at - 1
  }

  /** Takes the number that was unpacked before back: it is a size. */
  private sizeBefore(state: number, count: number): number {
    const { lua } = this
    const size = count === 0 ? undefined : this.library.numberAt(state, lua.countOf(state))
    if (size === undefined) throw new Fault(0, "format 'c0' needs a previous size")
    lua.pop(state, 1)
    const [high, low] = unsignedWords(size)
    return high * TWO_32 + low
  }

  private unpackInteger(pos: number, size: number, bigEndian: boolean, isSigned: boolean): number {
    const { bytes } = this.lua
    let high = 0
    let low = 0
    for (let at = size - 1; at >= 0; at--) {
      high = ((high << 8) | (low >>> 24)) >>> 0
      low = ((low << 8) | bytes[bigEndian ? pos + size - 1 - at : pos + at]!) >>> 0
    }
    if (!isSigned) return high * TWO_32 + low
    // The bits from the sign on, as the machine shifts: by no more than 63.
    const shift = (size * 8 - 1) & 63
    const highMask = shift < 32 ? -1 : -1 << (shift - 32)
    const lowMask = shift < 32 ? -1 << shift : 0
    if ((high & highMask) !== 0 || (low & lowMask) !== 0) {
      high |= highMask
      low = (low | lowMask) >>> 0
    }
    return (high | 0) * TWO_32 + low
  }

  private measure(state: number): number {
    const format = this.format(state)
    let len = 0
    while (format.next()) {
      const { option, size } = format
      len += format.paddingAt(len)
      if (option === 's') throw new Fault(1, "option 's' has no fixed size")
      if (option === 'c' && size === 0) throw new Fault(1, "option 'c0' has no fixed size")
      if (!/[0-9a-z]/i.test(option)) format.control()
      len += size
    }
    this.lua.api.lua_pushnumber(state, len)
    return 1
  }
}
