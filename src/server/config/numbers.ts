/* Numbers as configuration writes them: integers, memory sizes, percentages and octal permissions, with the limits of
 * their directive and Redis's wording of what is wrong. */
import {
  compareInt64,
  divInt64,
  fromWords,
  highWord,
  INT64_MAX,
  type Int64,
  int64ToString,
  lowWord,
  mulInt64,
  negInt64,
  parseInt64,
} from '../../lib/int64.ts'
import { memtoull } from '../../lib/units.ts'
import type { NumberShape } from './directive.ts'
import { toBytes } from './text.ts'

const KB = 1024
const UNITS: readonly (readonly [suffix: string, size: number])[] = [
  ['gb', KB * KB * KB],
  ['mb', KB * KB],
  ['kb', KB],
]

/** Strictly decimal, as string2ll. */
function strictInteger(text: string): Int64 | undefined {
  const bytes = toBytes(text)
  return parseInt64(bytes, 0, bytes.length)
}

/** The whole text as strtoll with base 10 reads it: blanks and a sign before the digits, nothing after; "" is 0. */
export function looseInteger(text: string): number | undefined {
  return text === '' || /^[ \t-\r]*[+-]?[0-9]+$/.test(text) ? Number(text) : undefined
}

/** Bytes, with an optional unit; unsigned 64 bits, wrapping as C does. */
export function memorySize(text: string): Int64 | undefined {
  const bytes = toBytes(text)
  return memtoull(bytes, 0, bytes.length)
}

function octalNumber(text: string): number | undefined {
  const match = /^(?:[ \t-\r]*([+-]?)([0-7]+))?$/.exec(text)
  if (!match) return undefined
  const size = Number.parseInt(match[2] ?? '0', 8)
  return match[1] === '-' ? -size : size
}

const UNREADABLE = {
  integer: "argument couldn't be parsed into an integer",
  memory: 'argument must be a memory value',
  'memory or percent': 'argument must be a memory or percent value',
  octal: "argument couldn't be parsed as an octal number",
} as const

function readNumber(text: string, shape: NumberShape): Int64 | undefined {
  if (shape.unit === 'integer') return strictInteger(text)
  if (shape.unit === 'octal') return octalNumber(text)
  const size = memorySize(text)
  if (size !== undefined) return shape.unsigned ? size : fromWords(highWord(size), lowWord(size))
  if (shape.unit === 'memory' || !text.endsWith('%')) return undefined
  const percent = strictInteger(text.slice(0, -1))
  return percent === undefined || compareInt64(percent, 0) < 0 ? undefined : negInt64(percent)
}

/** The value, or the reason why it is none. */
export function parseNumber(text: string, shape: NumberShape): { value: Int64 } | { error: string } {
  const value = readNumber(text, shape)
  if (value === undefined) return { error: UNREADABLE[shape.unit] }
  const below = compareInt64(value, shape.min) < 0
  if (shape.unit === 'memory or percent' && compareInt64(value, 0) < 0) {
    const most = int64ToString(negInt64(shape.min) ?? INT64_MAX)
    return below ? { error: `percentage argument must be less or equal to ${most}` } : { value }
  }
  if (below || compareInt64(value, shape.max) > 0) {
    const radix = shape.unit === 'octal' ? 8 : 10
    const range = `${shape.min.toString(radix)} and ${shape.max.toString(radix)}`
    return { error: `argument must be between ${range} inclusive` }
  }
  return { value: clamped(value, shape) }
}

function clamped(value: Int64, shape: NumberShape): Int64 {
  if (!shape.clamp) return value
  if (compareInt64(value, shape.clamp[0]) < 0) return shape.clamp[0]
  return compareInt64(value, shape.clamp[1]) > 0 ? shape.clamp[1] : value
}

export function formatNumber(value: Int64, shape: NumberShape): string {
  if (shape.unit === 'octal') return value.toString(8)
  const percent = shape.unit === 'memory or percent' && compareInt64(value, 0) < 0 ? negInt64(value) : undefined
  return percent === undefined ? int64ToString(value) : `${int64ToString(percent)}%`
}

/** As CONFIG REWRITE writes it: a memory size in its largest unit that divides it. */
export function formatNumberLine(value: Int64, shape: NumberShape): string {
  const size = shape.unit === 'memory' || (shape.unit === 'memory or percent' && compareInt64(value, 0) >= 0)
  return size ? formatSize(value) : formatNumber(value, shape)
}

export function formatSize(value: Int64): string {
  for (const [suffix, size] of UNITS) {
    const count = divInt64(value, size)
    if (value !== 0 && count !== undefined && mulInt64(count, size) === value) return int64ToString(count) + suffix
  }
  return int64ToString(value)
}
