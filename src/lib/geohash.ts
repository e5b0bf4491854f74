/* Geohashes, as Redis scores members by: 26 bits of latitude and 26 of longitude, interleaved.
 *
 *   bit of the score   51    50    …   3     2     1     0
 *                      lon   lat       lon   lat   lon   lat
 *
 * A cell of 2^-step of each range is named here by its numbers along both axes, its column and row, since neighbours
 * are one column or row away; to interleave them gives the first bits of the scores of all that lies in it. Both may
 * be 2^26 (the very end of a range), so that scores have up to 54 bits, rounded to doubles as Redis does.
 *
 * Distances are along a great circle of a sphere of Redis's radius, worked out in Redis's order of operations. */
import { arcsine, cosine, sine } from './trigonometry.ts'

export const STEP_MAX = 26
export const LONGITUDE_MAX = 180
export const LATITUDE_MAX = 85.05112878
export const EARTH_RADIUS = 6372797.560856
const DEGREE = Math.PI / 180
const TWO_26 = 2 ** 26
const TWO_32 = 2 ** 32
const LETTERS = '0123456789bcdefghjkmnpqrstuvwxyz'
const HASH_LETTERS = 11

export const radiansOf = (degrees: number): number => degrees * DEGREE
export const degreesOf = (radians: number): number => radians / DEGREE

/** Puts a 0 before each of 16 bits. */
function spread(value: number): number {
  let bits = value
  bits = (bits | (bits << 8)) & 0x00ff00ff
  bits = (bits | (bits << 4)) & 0x0f0f0f0f
  bits = (bits | (bits << 2)) & 0x33333333
  return (bits | (bits << 1)) & 0x55555555
}

/** Takes every other one of 32 bits, the lowest among them. */
function gather(value: number): number {
  let bits = value & 0x55555555
  bits = (bits | (bits >>> 1)) & 0x33333333
  bits = (bits | (bits >>> 2)) & 0x0f0f0f0f
  bits = (bits | (bits >>> 4)) & 0x00ff00ff
  return (bits | (bits >>> 8)) & 0x0000ffff
}

/** The bits of a column and a row, each up to 2^26. */
export function interleave(column: number, row: number): number {
  const low = spread(row & 0x1fff) | (spread(column & 0x1fff) << 1)
  const high = spread(row >>> 13) | (spread(column >>> 13) << 1)
  return high * TWO_26 + low
}

/** The cell along an axis. */
export function cellOf(coordinate: number, max: number, step: number): number {
  return Math.floor(((coordinate + max) / (max + max)) * 2 ** step)
}

/** The score of a place, which must be within the ranges. */
export function scoreOf(longitude: number, latitude: number): number {
  return interleave(cellOf(longitude, LONGITUDE_MAX, STEP_MAX), cellOf(latitude, LATITUDE_MAX, STEP_MAX))
}

/** Where a cell begins along an axis; its end is where the next one begins. */
export function edgeOf(cell: number, max: number, step: number): number {
  return -max + (cell / 2 ** step) * (max + max)
}

/** The place that `decode` found last: the middle of its cell. */
export let longitude = 0
export let latitude = 0

/** Finds the place that a score says. One that was not made of a place is read as C reads it as 64 bits. */
export function decode(score: number): void {
  const whole = Math.trunc(score)
  const isWord = whole >= -(2 ** 63) && whole < 2 ** 64
  const high = isWord ? Math.floor(whole / TWO_32) | 0 : whole < 0 ? 1 << 31 : 0
  const low = isWord ? whole | 0 : 0
  const row = (gather(low) | (gather(high) << 16)) >>> 0
  const column = (gather(low >>> 1) | (gather(high >>> 1) << 16)) >>> 0
  longitude = middleOf(column, LONGITUDE_MAX)
  latitude = middleOf(row, LATITUDE_MAX)
}

function middleOf(cell: number, max: number): number {
  const next = cell + 1 === TWO_32 ? 0 : cell + 1
  const middle = (edgeOf(cell, max, STEP_MAX) + edgeOf(next, max, STEP_MAX)) / 2
  return middle > max ? max : middle < -max ? -max : middle
}

/** The geohash in letters, as everybody else has it: of latitudes from -90 to 90. The last of eleven is always 0, as
 *  there are bits for ten. Writes ASCII. */
export function writeGeohash(longitude: number, latitude: number, bytes: Uint8Array, pos: number): number {
  const bits = interleave(cellOf(longitude, LONGITUDE_MAX, STEP_MAX), cellOf(latitude, 90, STEP_MAX))
  for (let letter = 0; letter < HASH_LETTERS - 1; letter++) {
    const index = Math.floor(bits / 2 ** (47 - 5 * letter)) % 32
    bytes[pos + letter] = LETTERS.charCodeAt(index)
  }
  bytes[pos + HASH_LETTERS - 1] = LETTERS.charCodeAt(0)
  return pos + HASH_LETTERS
}

// Distances, in metres.

export const cosineOf = (degrees: number): number => cosine(radiansOf(degrees))

/** Between two latitudes. */
export function latitudeDistance(first: number, second: number): number {
  return EARTH_RADIUS * Math.abs(radiansOf(second) - radiansOf(first))
}

/** Between two places, by the haversine formula. */
export function distance(longitude1: number, latitude1: number, longitude2: number, latitude2: number): number {
  const v = sine((radiansOf(longitude2) - radiansOf(longitude1)) / 2)
  if (v === 0) return latitudeDistance(latitude1, latitude2)
  const first = radiansOf(latitude1)
  const second = radiansOf(latitude2)
  const u = sine((second - first) / 2)
  const a = u * u + cosine(first) * cosine(second) * v * v
  return 2 * EARTH_RADIUS * arcsine(Math.sqrt(a))
}
