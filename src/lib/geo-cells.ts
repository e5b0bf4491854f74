/* The cells of geohashes that cover a shape: the one with its middle, and those around it that it reaches into, in
 * Redis's order, as ranges of scores. */

import type { GeoShape } from './geo-shape.ts'
import { cellOf, edgeOf, interleave, LATITUDE_MAX, LONGITUDE_MAX, STEP_MAX } from './geohash.ts'

const MERCATOR_MAX = 20037726.37
const CELLS = 9
/** By column and row, from the middle. */
const EASTWARD = [0, 0, 0, 1, -1, 1, -1, 1, -1]
const NORTHWARD = [0, 1, -1, 0, 0, 1, 1, -1, -1]

export class NineCells {
  count = 0
  /** The scores of the members in each: from the first on, and less than the second. */
  readonly least = new Float64Array(CELLS)
  readonly most = new Float64Array(CELLS)
  private step = 0
  private column = 0
  private row = 0

  /** Works out the cells for a shape whose bounds are known. */
  cover(shape: GeoShape): void {
    this.place(shape, stepFor(shape.radius, shape.latitude))
    if (this.step > 1 && this.fallsShort(shape)) this.place(shape, this.step - 1)
    const { step, column, row } = this
    const all = step < 2
    // (Bounds of an infinite shape are no numbers: every comparison is false, and no cell is left out.)
    const north = all || !(edgeOf(row + 1, LATITUDE_MAX, step) > shape.north)
    const south = all || !(edgeOf(row, LATITUDE_MAX, step) < shape.south)
    const east = all || !(edgeOf(column + 1, LONGITUDE_MAX, step) > shape.east)
    const west = all || !(edgeOf(column, LONGITUDE_MAX, step) < shape.west)
    this.count = 0
    let lastColumn = -1
    let lastRow = -1
    for (let index = 0; index < CELLS; index++) {
      const eastward = EASTWARD[index]!
      const northward = NORTHWARD[index]!
      if ((northward > 0 && !north) || (northward < 0 && !south)) continue
      if ((eastward > 0 && !east) || (eastward < 0 && !west)) continue
      const atColumn = this.beside(column, eastward)
      const atRow = this.beside(row, northward)
      // Where there are so few cells that they surround each other, the next one may be the same again.
      if (atColumn === lastColumn && atRow === lastRow) continue
      this.add(atColumn, atRow)
      // (Redis does not compare with the middle.)
      if (index === 0) continue
      lastColumn = atColumn
      lastRow = atRow
    }
  }

  private place(shape: GeoShape, step: number): void {
    this.step = step
    this.column = cellOf(shape.longitude, LONGITUDE_MAX, step)
    this.row = cellOf(shape.latitude, LATITUDE_MAX, step)
  }

  /** The column or row beside one: behind the last comes the first. */
  private beside(cell: number, steps: number): number {
    return steps === 0 ? cell : (cell + steps) & (2 ** this.step - 1)
  }

  /** Whether the cells around the middle one do not reach as far as the shape. */
  private fallsShort(shape: GeoShape): boolean {
    const { step, column, row } = this
    return (
      edgeOf(this.beside(row, 1) + 1, LATITUDE_MAX, step) < shape.north ||
      edgeOf(this.beside(row, -1), LATITUDE_MAX, step) > shape.south ||
      edgeOf(this.beside(column, 1) + 1, LONGITUDE_MAX, step) < shape.east ||
      edgeOf(this.beside(column, -1), LONGITUDE_MAX, step) > shape.west
    )
  }

  private add(column: number, row: number): void {
    const bits = interleave(column, row)
    const scale = 2 ** (2 * (STEP_MAX - this.step))
    this.least[this.count] = bits * scale
    this.most[this.count] = (bits + 1) * scale
    this.count++
  }
}

/** The step whose cells are so large that what is less than so many metres away lies in nine of them. */
function stepFor(radius: number, latitude: number): number {
  if (radius === 0) return STEP_MAX
  let step = 1
  for (let range = radius; range < MERCATOR_MAX; range *= 2) step++
  step -= 2
  // Towards the poles cells become narrow.
  if (latitude > 66 || latitude < -66) {
    step--
    if (latitude > 80 || latitude < -80) step--
  }
  return Math.min(Math.max(step, 1), STEP_MAX)
}
