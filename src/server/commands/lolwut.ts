/* LOLWUT: a picture for no reason at all, and the version.
 *
 * The picture is a crystal, as cinnabar is one: cells on a hexagonal grid, grown from a seed in rings (Packard's
 * automaton, 1984). A free cell freezes when the number of its frozen neighbours is among those that the rule, drawn
 * anew each time, has chosen; one is always chosen, or nothing would grow. It is drawn in Braille, two dots wide and
 * four high a letter. */
import type { Call } from '../../commands/call.ts'
import { type Command, type CommandGroup, Flag, group, integer, optional } from '../../commands/definition.ts'
import { compareInt64, toNumber } from '../../lib/int64.ts'
import { randomBelow } from '../../lib/random.ts'
import { NOT_INTEGER } from '../../protocol/errors.ts'
import { REDIS_VERSION } from '../config/load.ts'

/** Not a power of two of rings: those grow into full hexagons. */
const COLUMNS_DEFAULT = 56
const COLUMNS_MAX = 200

/** Axial coordinates of a cell's six neighbours. */
const NEIGHBOURS: readonly (readonly [q: number, r: number])[] = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
  [1, -1],
  [-1, 1],
]
/** Bit n: freeze beside n frozen cells. Always 1, else nothing grew; never 2 or 4, or hardly a cell stayed free. */
const RULES = [0, 1, 2, 3, 4, 5, 6, 7].map((each) => 0b10 | ((each & 1) << 3) | ((each & 6) << 4))
/** The bit of each dot in a Braille letter, by row and column. */
const DOTS = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80]
const BRAILLE = 0x2800
const DOT_WIDTH = 2
const DOT_HEIGHT = 4
const ROW_HEIGHT = Math.sqrt(3)

/** A hexagon of cells, `radius` of them from the middle to the rim. */
class Crystal {
  readonly radius: number
  private readonly width: number
  private readonly cells: Uint8Array

  constructor(radius: number) {
    this.radius = radius
    this.width = 2 * radius + 3 // with a margin that never freezes
    this.cells = new Uint8Array(this.width * this.width)
  }

  private at(q: number, r: number): number {
    return (r + this.radius + 1) * this.width + q + this.radius + 1
  }
  isFrozen(q: number, r: number): boolean {
    return this.cells[this.at(q, r)] === 1
  }

  grow(): void {
    const wanted = RULES[randomBelow(RULES.length)]!
    this.cells[this.at(0, 0)] = 1
    for (let ring = 0; ring < this.radius; ring++) {
      const next: number[] = []
      this.each((q, r) => {
        let count = 0
        for (const [dq, dr] of NEIGHBOURS) count += this.cells[this.at(q + dq, r + dr)]!
        if (((wanted >> count) & 1) !== 0) next.push(this.at(q, r))
      })
      for (const cell of next) this.cells[cell] = 1
    }
  }

  each(visit: (q: number, r: number) => void): void {
    for (let r = -this.radius; r <= this.radius; r++) {
      const first = Math.max(-this.radius, -this.radius - r)
      const last = Math.min(this.radius, this.radius - r)
      for (let q = first; q <= last; q++) visit(q, r)
    }
  }
}

function draw(crystal: Crystal, columns: number): string {
  const rows = Math.ceil(((2 * crystal.radius + 1) * ROW_HEIGHT + 1) / DOT_HEIGHT)
  const letters = new Uint8Array(columns * rows)
  const middleX = columns * (DOT_WIDTH / 2)
  const middleY = crystal.radius * ROW_HEIGHT
  crystal.each((q, r) => {
    if (!crystal.isFrozen(q, r)) return
    const x = middleX + 2 * q + r
    const y = Math.round(middleY + r * ROW_HEIGHT)
    const letter = Math.floor(y / DOT_HEIGHT) * columns + Math.floor(x / DOT_WIDTH)
    letters[letter]! |= DOTS[(y % DOT_HEIGHT) * DOT_WIDTH + (x % DOT_WIDTH)]!
  })
  let text = ''
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      text += String.fromCharCode(BRAILLE + letters[row * columns + column]!)
    }
    text += '\n'
  }
  return text
}

/** A picture of so many columns: one whose corners fit. */
function picture(columns: number): string {
  const crystal = new Crystal(Math.max(0, Math.floor((columns * DOT_WIDTH) / 4) - 1))
  crystal.grow()
  return draw(crystal, columns)
}

/** How many numbers may follow, by the VERSION asked for: those of Redis 5 and 6 took the size of their pictures. */
const SIZES: Readonly<Record<number, number>> = { 5: 3, 6: 2 }

function lolwut(call: Call): void {
  let columns = COLUMNS_DEFAULT
  if (call.argc >= 3 && call.is(1, 'VERSION')) {
    const version = call.integer(2)
    if (version === undefined) return call.reply.error(NOT_INTEGER)
    const sizes = SIZES[toNumber(version)] ?? 0
    for (let at = 3; at < Math.min(call.argc, 3 + sizes); at++) {
      const size = call.integer(at)
      if (size === undefined) return call.reply.error(NOT_INTEGER)
      if (at === 3) columns = compareInt64(size, COLUMNS_MAX) > 0 ? COLUMNS_MAX : Math.max(1, toNumber(size))
    }
  }
  call.reply.verbatim('txt', `${picture(columns)}\nRedis ver. ${REDIS_VERSION}\n`)
}

export const lolwutCommands: readonly Command[] = group('server', {
  LOLWUT: {
    summary: 'Draws a picture and tells the version.',
    since: '5.0.0',
    flags: Flag.READONLY | Flag.FAST,
    args: [optional(integer('VERSION version'))],
    run: lolwut,
  },
} satisfies CommandGroup)
