/* A circle or a box around a place, and whether other places are in it.
 *
 *          north                    Of a box the edges to the north and south are parallels, those to the east and
 *       +---------+                 west bend: on each parallel it is as wide as it is in the middle.
 *   west |    ×    | east
 *       +---------+                 Most places that are asked about are outside, and most of these by their latitude
 *          south                    alone: that takes no trigonometry.
 */
import { cosineOf, degreesOf, distance, EARTH_RADIUS, latitudeDistance, radiansOf } from './geohash.ts'

/** What is further away than the edge by this factor is outside, and what is as much nearer inside, whatever has been
 *  rounded on the way. */
const SAFE = 1 + 1e-9
const HALF_TURN = Math.PI / 2
/** The haversine of places that are so nearly opposite that errors grow. */
const OPPOSITE_MIN = 0.99

export class GeoShape {
  longitude = 0
  latitude = 0
  /** Metres to the unit that was given. */
  metres = 1
  // The bounds, in degrees.
  west = 0
  south = 0
  east = 0
  north = 0
  private isBox = false
  /** In units; of a circle both are the radius. */
  private width = 0
  private height = 0
  /** In metres: how far a place in it may be to the north or south, and to the east or west, or in all. */
  private reach = 0
  private reachAside = 0
  /** A latitude that differs by more is outside; of a circle, a longitude too. */
  private degreesMax = 0
  private degreesAsideMax = 0
  /** Whether distances are wanted; else it is enough to know what is inside. */
  private tells = true
  // Of a circle: the cosine of the latitude, and between which values the haversine must be looked at closely.
  private cosine = 1
  private haversineMin = 0
  private haversineMax = 0

  setCircle(radius: number, metres: number): void {
    this.isBox = false
    this.width = radius
    this.height = radius
    this.metres = metres
  }

  setBox(width: number, height: number, metres: number): void {
    this.isBox = true
    this.width = width
    this.height = height
    this.metres = metres
  }

  /** The distance from the middle to the corner of a box, or to the edge of a circle, in metres. */
  get radius(): number {
    const { width, height, isBox, metres } = this
    if (!isBox) return width * metres
    return Math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2)) * metres
  }

  /** Works out the bounds. Distances are told only if `tells`. */
  begin(tells: boolean): void {
    this.tells = tells
    const { longitude, latitude, width, height, isBox, metres } = this
    const boundHeight = metres * (isBox ? height / 2 : height)
    const boundWidth = metres * (isBox ? width / 2 : width)
    const up = degreesOf(boundHeight / EARTH_RADIUS)
    // On the side of the pole, where a degree is shorter.
    const edge = latitude < 0 ? latitude - up : latitude + up
    const aside = degreesOf(boundWidth / EARTH_RADIUS / cosineOf(edge))
    this.west = longitude - aside
    this.east = longitude + aside
    this.south = latitude - up
    this.north = latitude + up
    this.reach = isBox ? (height * metres) / 2 : height * metres
    this.reachAside = isBox ? (width * metres) / 2 : width * metres
    this.degreesMax = degreesOf(this.reach / EARTH_RADIUS) * SAFE
    // (Over a pole all longitudes are near.)
    this.degreesAsideMax = Math.abs(edge) < 90 ? aside * SAFE : Number.POSITIVE_INFINITY
    const angle = this.reach / EARTH_RADIUS / 2
    const sine = Math.sin(angle)
    this.cosine = Math.cos(radiansOf(latitude))
    this.haversineMax = angle < HALF_TURN ? sine * sine * SAFE : Number.POSITIVE_INFINITY
    this.haversineMin = angle < HALF_TURN ? (sine * sine) / SAFE : 0
  }

  /** The distance of a place from the middle, in metres, or anything from 0 on if distances are not wanted; -1 if it is
   *  outside. It is good enough to sort by: the last bits are `distanceTo`'s to tell. */
  distanceInside(longitude: number, latitude: number): number {
    const up = latitude - this.latitude
    if (up > this.degreesMax || up < -this.degreesMax) return -1
    if (this.isBox) {
      if (latitudeDistance(latitude, this.latitude) > this.reach) return -1
      if (distance(longitude, latitude, this.longitude, latitude) > this.reachAside) return -1
      return this.tells ? this.distanceTo(longitude, latitude) : 0
    }
    const aside = Math.abs(longitude - this.longitude)
    if (aside > this.degreesAsideMax && 360 - aside > this.degreesAsideMax) return -1
    const v = Math.sin(radiansOf(aside) / 2)
    const u = Math.sin(radiansOf(up) / 2)
    const haversine = u * u + this.cosine * Math.cos(radiansOf(latitude)) * v * v
    if (haversine > this.haversineMax) return -1
    if (haversine < this.haversineMin && haversine < OPPOSITE_MIN) {
      return this.tells ? 2 * EARTH_RADIUS * Math.asin(Math.sqrt(haversine)) : 0
    }
    const metres = this.distanceTo(longitude, latitude)
    return metres > this.reach ? -1 : metres
  }

  /** The distance of a place from the middle as Redis works it out, in metres. */
  distanceTo(longitude: number, latitude: number): number {
    return distance(this.longitude, this.latitude, longitude, latitude)
  }
}
