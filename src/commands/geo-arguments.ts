/* What the geo commands have in common: reading places, units and distances, and writing them. */

import { parseDouble } from '../lib/double.ts'
import { FIXED_LEN_MAX, writeDistance, writePlace } from '../lib/fixed.ts'
import { LATITUDE_MAX, LONGITUDE_MAX } from '../lib/geohash.ts'
import { formatLongDouble, fromDouble } from '../lib/long-double.ts'
import {
  BOX_NEGATIVE,
  badPosition,
  DISTANCE_UNIT,
  type ErrorReply,
  HEIGHT_NOT_NUMERIC,
  NOT_FLOAT,
  RADIUS_NEGATIVE,
  RADIUS_NOT_NUMERIC,
  WIDTH_NOT_NUMERIC,
} from '../protocol/errors.ts'
import type { Call } from './call.ts'

/** Up to here toFixed writes all digits. */
const FIXED_MAX = 1e21
const METRES_TO_A_KILOMETRE = 1000
const METRES_TO_A_FOOT = 0.3048
const METRES_TO_A_MILE = 1609.34

/** What the functions below have read last: in degrees, in units, and metres to a unit. */
export const given = { longitude: 0, latitude: 0, width: 0, height: 0, metres: 1 }

function read(call: Call, index: number, error: ErrorReply): number | undefined {
  const value = parseDouble(call.bytes, call.posOf(index), call.lenOf(index))
  if (value === undefined) call.reply.error(error)
  return value
}

/** Reads a longitude and a latitude; false after replying what is wrong. */
export function readPlace(call: Call, index: number): boolean {
  const longitude = read(call, index, NOT_FLOAT)
  const latitude = longitude === undefined ? undefined : read(call, index + 1, NOT_FLOAT)
  if (longitude === undefined || latitude === undefined) return false
  given.longitude = longitude
  given.latitude = latitude
  if (Math.abs(longitude) <= LONGITUDE_MAX && Math.abs(latitude) <= LATITUDE_MAX) return true
  call.reply.error(badPosition(sixDecimals(longitude), sixDecimals(latitude)))
  return false
}

/** As C's %f. */
function sixDecimals(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Object.is(value, -0)) return '-0.000000'
  return Math.abs(value) < FIXED_MAX ? value.toFixed(6) : `${formatLongDouble(fromDouble(value)!)}.000000`
}

/** Reads a unit; false after replying that it is none. */
export function readUnit(call: Call, index: number): boolean {
  if (call.is(index, 'M')) given.metres = 1
  else if (call.is(index, 'KM')) given.metres = METRES_TO_A_KILOMETRE
  else if (call.is(index, 'FT')) given.metres = METRES_TO_A_FOOT
  else if (call.is(index, 'MI')) given.metres = METRES_TO_A_MILE
  else {
    call.reply.error(DISTANCE_UNIT)
    return false
  }
  return true
}

/** Reads a radius and its unit, as `width` and `height` both; false after replying what is wrong. */
export function readRadius(call: Call, index: number): boolean {
  const radius = read(call, index, RADIUS_NOT_NUMERIC)
  if (radius === undefined) return false
  if (radius < 0) {
    call.reply.error(RADIUS_NEGATIVE)
    return false
  }
  given.width = radius
  given.height = radius
  return readUnit(call, index + 1)
}

/** Reads a width, a height and their unit; false after replying what is wrong. */
export function readBox(call: Call, index: number): boolean {
  const width = read(call, index, WIDTH_NOT_NUMERIC)
  const height = width === undefined ? undefined : read(call, index + 1, HEIGHT_NOT_NUMERIC)
  if (width === undefined || height === undefined) return false
  if (width < 0 || height < 0) {
    call.reply.error(BOX_NEGATIVE)
    return false
  }
  given.width = width
  given.height = height
  return readUnit(call, index + 2)
}

const text = new Uint8Array(FIXED_LEN_MAX)

export function replyPlace(call: Call, longitude: number, latitude: number): void {
  call.reply.array(2)
  call.reply.decimals(text, 0, writePlace(longitude, text, 0))
  call.reply.decimals(text, 0, writePlace(latitude, text, 0))
}

/** Replies with a distance in units. */
export function replyDistance(call: Call, distance: number): void {
  call.reply.bulk(text, 0, writeDistance(distance, text, 0))
}
