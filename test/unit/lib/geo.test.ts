import { describe, expect, test } from 'vitest'
import { latin1 } from '../../../src/lib/bytes.ts'
import { FIXED_LEN_MAX, writeDistance, writePlace } from '../../../src/lib/fixed.ts'
import { NineCells } from '../../../src/lib/geo-cells.ts'
import { GeoShape } from '../../../src/lib/geo-shape.ts'
import { decode, distance, latitude, longitude, scoreOf } from '../../../src/lib/geohash.ts'
import { Random } from '../../../src/lib/random.ts'
import { sortFirst } from '../../../src/lib/sort-indexes.ts'
import { arcsine, cosine, sine } from '../../../src/lib/trigonometry.ts'
import { testSeed } from '../../helpers/seed.ts'

const text = new Uint8Array(FIXED_LEN_MAX)
const written = (write: (value: number, bytes: Uint8Array, pos: number) => number, value: number): string =>
  latin1(text, 0, write(value, text, 0))

describe('places', () => {
  const seed = testSeed()
  const random = new Random(seed)
  const anywhere = (): [number, number] => [(random.fraction() - 0.5) * 360, (random.fraction() - 0.5) * 170]

  test('come back from their scores to less than a metre', () => {
    for (let step = 0; step < 2000; step++) {
      const [east, north] = anywhere()
      decode(scoreOf(east, north))
      expect(distance(east, north, longitude, latitude), `seed ${seed}`).toBeLessThan(0.7)
    }
  })

  test.each([false, true])('inside of a shape are in its cells, and no others are inside (a box: %s)', (isBox) => {
    const cells = new NineCells()
    const shape = new GeoShape()
    for (let step = 0; step < 150; step++) {
      const [east, north] = anywhere()
      const size = 10 ** (random.fraction() * 6.5)
      shape.longitude = east
      shape.latitude = north
      if (isBox) shape.setBox(size, size * random.fraction(), 1)
      else shape.setCircle(size, 1)
      shape.begin(true)
      cells.cover(shape)
      for (let place = 0; place < 40; place++) {
        const score = scoreOf(
          Math.min(Math.max(east + ((random.fraction() - 0.5) * size) / 30000, -180), 180),
          Math.min(Math.max(north + ((random.fraction() - 0.5) * size) / 60000, -85), 85),
        )
        decode(score)
        const apart = distance(east, north, longitude, latitude)
        const told = shape.distanceInside(longitude, latitude)
        if (told >= 0) expect(Math.abs(told - apart)).toBeLessThan(1e-6)
        expect(shape.distanceTo(longitude, latitude)).toBe(apart)
        if (!isBox) expect(told >= 0, `seed ${seed}`).toBe(apart <= size)
        if (told < 0 || size > 2e6) continue
        const isCovered = Array.from({ length: cells.count }, (_, slot) => slot).some(
          (slot) => score >= cells.least[slot]! && score < cells.most[slot]!,
        )
        // (Across the date line Redis looks on one side only, as far as its bounds go.)
        if (Math.abs(east) + size / 50000 < 180 && Math.abs(north) < 60) expect(isCovered, `seed ${seed}`).toBe(true)
      }
    }
  })

  test('are inside or not, whether distances are wanted or not', () => {
    const shape = new GeoShape()
    for (let step = 0; step < 2000; step++) {
      const [east, north] = anywhere()
      shape.longitude = east
      shape.latitude = north
      shape.setCircle(random.fraction() * 21000, 1000)
      const [otherEast, otherNorth] = anywhere()
      shape.begin(true)
      const exact = shape.distanceInside(otherEast, otherNorth) >= 0
      shape.begin(false)
      expect(shape.distanceInside(otherEast, otherNorth) >= 0, `seed ${seed}`).toBe(exact)
    }
  })

  test.each([
    [13.361389338970184, '13.36138933897018433'],
    [-0, '0'],
    [-1e-20, '0'],
    [180, '180'],
    [-122.5, '-122.5'],
    [2 ** -18, '0.00000381469726562'],
    [3 * 2 ** -18, '0.00001144409179688'],
    [0.1, '0.10000000000000001'],
  ])('are written with up to 17 decimals: %d', (value, expected) => {
    expect(written(writePlace, value)).toBe(expected)
  })

  test.each([
    [0, '0.0000'],
    [0.00005, '0.0000'],
    [0.00025, '0.0002'],
    [166274.1516, '166274.1516'],
    [6.0642951598391699e-5, '0.0001'],
    [20015086.79602057, '20015086.7960'],
    [9.99996, '10.0000'],
  ])('%d metres are written with four decimals', (value, expected) => {
    expect(written(writeDistance, value)).toBe(expected)
  })
})

describe('trigonometry', () => {
  test('differs from the engine by a last place at most', () => {
    const random = new Random(testSeed())
    const close = (ours: number, theirs: number): boolean =>
      Math.abs(ours - theirs) <= 2.3e-16 * Math.max(Math.abs(theirs), 1e-3)
    for (let step = 0; step < 20000; step++) {
      const angle = (random.fraction() - 0.5) * 6.28
      expect(close(sine(angle), Math.sin(angle))).toBe(true)
      expect(close(cosine(angle), Math.cos(angle))).toBe(true)
      expect(close(arcsine(Math.abs(angle) / 3.15), Math.asin(Math.abs(angle) / 3.15))).toBe(true)
    }
  })

  /** Worked out with forty digits. */
  test.each([
    [sine, 1, 0.8414709848078965],
    [sine, 3.14, 0.0015926529164868282],
    [sine, -0.5, -0.479425538604203],
    [cosine, 1.4844, 0.08628888518727393],
    [arcsine, 0.10748869617430593, 0.10769676396115292],
    [arcsine, 0.5, 0.5235987755982989],
    [arcsine, 1, Math.PI / 2],
    [arcsine, 0, 0],
    [sine, 0, 0],
    [cosine, 0, 1],
  ])('%o of %d', (compute, angle, expected) => {
    expect(compute(angle)).toBe(expected)
  })
})

test('the first of many are those that a full sort puts first, in its order', () => {
  const seed = testSeed()
  const random = new Random(seed)
  for (let step = 0; step < 200; step++) {
    const count = random.below(100)
    const values = Array.from({ length: count }, () => random.below(30))
    const compare = (a: number, b: number): number => values[a]! - values[b]! || a - b
    const indexes = Int32Array.from(values, (_, index) => index)
    const wanted = random.below(count + 5)
    const sorted = [...indexes].sort(compare)
    sortFirst(indexes, count, wanted, compare)
    expect([...indexes.subarray(0, wanted)], `seed ${seed}`).toEqual(sorted.slice(0, wanted))
  }
})
