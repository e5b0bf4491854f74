/* Commands on bitmaps, HyperLogLogs and geo indexes for comparing with redis-server: the edges of each, and random ones
 * over a few keys. */
import { Random } from '../../src/lib/random.ts'
import type { Argument } from '../helpers/raw-client.ts'

/** Commands by what they are about, as inline commands with Redis's own quoting. */
export const EDGES: Readonly<Record<string, string>> = {
  'single bits': `
    setbit | setbit b 1 | setbit b 1 1 | setbit b 1 1 | setbit b 1 0 | setbit b 8 1 | get b | setbit b 1 2 |
    setbit b 1 x | setbit b x 1 | setbit b -1 1 | setbit b 4294967296 1 | setbit b 9223372036854775807 1 |
    setbit b 1 -1 | setbit n 100 0 | strlen n | object encoding n | setbit n 100 0 | set i 123 |
    object encoding i | getbit i 2 | setbit i 0 0 | object encoding i | get i | setbit i 23 0 | get i |
    set s short | object encoding s | setbit s 3 0 | object encoding s | getbit s 1 | getbit s 1000 |
    getbit none 5 | getbit s -1 | getbit s x | getbit s 4294967296 | getbit s 4294967295 | rpush l a |
    setbit l 1 1 | getbit l 1 | setbit l -1 1 | expire s 100 | setbit s 80 1 | ttl s | getbit s`,
  'counting and searching': `
    bitcount none | bitcount none x y | bitcount none 0 | set s foobar | bitcount s | bitcount s 0 0 |
    bitcount s 1 1 | bitcount s 0 -5 byte | bitcount s 5 30 bit | bitcount s 0 | bitcount s 0 1 2 |
    bitcount s x 1 | bitcount s 0 x | bitcount s -1 -3 foo | bitcount s -3 -1 foo | bitcount s -100 100 |
    bitcount s 3 1 | bitcount s 0 0 bit | bitcount s -8 -1 bit |
    bitcount s -9223372036854775808 9223372036854775807 bit | bitcount s 0 1 bit bit | set i 12345 |
    bitcount i | bitcount i 1 2 | rpush l a | bitcount l | bitcount l x | set e "" | bitcount e |
    bitcount e 0 -1 | bitcount e 0 -1 bit | bitpos | bitpos none 1 | bitpos none 0 | bitpos none 2 |
    bitpos none x | bitpos none 1 x | set s "\\xff\\xf0\\x00" | bitpos s 0 | bitpos s 1 | bitpos s 1 2 |
    bitpos s 1 3 | bitpos s 0 0 0 | bitpos s 0 0 1 | bitpos s 1 0 -1 bit | bitpos s 1 12 bit |
    bitpos s 0 3 9 bit | bitpos s 0 9 30 bit | bitpos s 1 12 15 bit | bitpos s 1 12 40 bit foo |
    bitpos s 1 1 2 foo | bitpos s x | bitpos s 1 x | bitpos s 1 0 x | bitpos s 1 0 x bit | bitpos s 1 x 0 foo |
    bitpos s 1 -1 | bitpos s 0 -1 | bitpos s 1 -2 -1 | bitpos s 1 5 2 | set s "\\xff\\xff" | bitpos s 0 |
    bitpos s 0 1 | bitpos s 0 0 -1 | bitpos s 0 0 100 | bitpos s 0 0 15 bit | bitpos s 0 2 | bitpos s 1 2 |
    bitpos e 0 | bitpos e 1 | bitpos e 0 0 | bitpos e 1 0 | bitpos e 0 0 -1 | bitpos l 1 | bitpos i 1 |
    bitpos i 0 1`,
  combining: `
    bitop | bitop and d | bitop foo d a | bitop not d a b | bitop and d none | exists d | set d x |
    bitop or d none none | exists d | set a abc | set b "zz" | set i 1 | bitop and d a b | get d |
    bitop or d a b none | get d | bitop xor d a b | get d | bitop not d a | get d | bitop not d i | get d |
    bitop or i i | get i | object encoding i | bitop not a a | get a | rpush l a | bitop and d a l |
    bitop and l a b | type l | bitop or d l | expire d 100 | bitop or d a | ttl d | bitop AND d a a a |
    setbit long 5000 1 | bitop or d long a b | strlen d | bitcount d | bitop and d long a | bitcount d |
    bitop xor d long long | bitcount d | setrange odd 1 xyz | bitop or d odd | get d | bitop not e none |
    exists e`,
  fields: `
    bitfield | bitfield f | exists f | bitfield f get u8 0 |
    bitfield f set u8 0 255 get u8 0 get i8 0 get u4 4 | get f | bitfield f incrby u8 0 1 |
    bitfield f overflow sat incrby u8 0 300 | bitfield f overflow fail incrby u8 0 1 |
    bitfield f overflow wrap incrby u8 0 1 overflow sat incrby u8 0 -9 | bitfield f overflow foo get u8 0 |
    bitfield f overflow | bitfield f overflow sat | bitfield f get u64 0 | bitfield f get i64 0 |
    bitfield f get i65 0 | bitfield f get u0 0 | bitfield f get x8 0 | bitfield f get u 0 |
    bitfield f get "" 0 | bitfield f get U8 0 | bitfield f get u08 0 | bitfield f get "u8\\x00z" 0 |
    bitfield f get u8 #1 | bitfield f set u8 #1 7 | get f | bitfield f get u8 -1 | bitfield f get u8 x |
    bitfield f get u8 # | bitfield f get u8 #-1 | bitfield f get u8 4294967295 | bitfield f get u8 4294967296 |
    bitfield f get u8 #4294967296 | bitfield f set u8 0 x | bitfield f set u8 0 | bitfield f foo |
    bitfield f set i64 0 9223372036854775807 incrby i64 0 1 |
    bitfield f overflow sat incrby i64 0 -1 incrby i64 0 -2 | bitfield f set i64 0 -9223372036854775808 |
    bitfield f overflow sat incrby i64 0 -1 | bitfield f set u63 1 -1 | bitfield f get u63 1 |
    bitfield f overflow sat set u63 1 -1 | bitfield f overflow sat set i8 0 -9223372036854775808 |
    bitfield f overflow sat set i8 0 -9223372036854775000 set i8 0 1000 |
    bitfield f set i33 3 -5 get i33 3 get u33 3 |
    bitfield f set u53 7 9007199254740991 get u53 7 get i53 7 get u54 7 |
    bitfield f overflow sat incrby u53 7 5 | bitfield n overflow fail incrby u2 100 9 | strlen n |
    bitfield n get u8 0 set u8 0 0 | bitfield_ro f get u8 0 | bitfield_ro f set u8 0 1 |
    bitfield_ro none get u8 0 | bitfield_ro f | bitfield_ro f overflow sat | set i 12 |
    bitfield i get u8 0 get u8 8 get u16 8 | object encoding i | bitfield i set u8 8 65 | get i |
    object encoding i | rpush l a | bitfield l get u8 0 | bitfield l set u8 0 1 | bitfield_ro l get u8 0 |
    bitfield l set u8 0 x`,
  counters: `
    pfadd | pfadd h | get h | pfadd h | pfadd h a | pfadd h a | pfadd h a b c d | get h | pfcount h | get h |
    pfcount h | object encoding h | pfcount none | pfcount h none | pfadd g c d e "" | pfcount h g |
    pfmerge m | get m | pfmerge m h g | get m | pfcount m | pfmerge h h | get h | pfdebug encoding h |
    pfdebug decode h | pfdebug todense h | pfdebug todense h | pfdebug decode h | pfdebug encoding h | get h |
    pfcount h | pfdebug getreg g | pfdebug encoding g | pfdebug foo h | pfdebug encoding none |
    pfdebug encoding h x | pfdebug foo h x | pfmerge n h | pfdebug encoding n | get n | set s x | pfadd s a |
    pfcount s | pfcount h s | pfmerge s h | pfmerge h s | set i 5 | pfadd i a | pfcount i | rpush l a |
    pfadd l a | pfcount l | pfcount h l | pfmerge l h | pfmerge h l | pfdebug encoding l | expire g 100 |
    pfadd g zz | ttl g | set c "HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80" | pfcount c |
    pfadd c a | pfmerge c h | pfmerge h c |
    set c "HYLL\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80" | pfcount c | set c "HYLL\\x00" |
    pfcount c | set c "HYLL\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80" | pfcount c |
    set c "HYLL\\x01\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\xff" | pfcount c |
    object encoding c | set c "HYLL\\x01\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff" |
    pfcount c | pfadd c a b | get c |
    set c "HYLL\\x01\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff\\x80" | pfcount c |
    pfmerge c c | set c "HYLL\\x01\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f" | pfcount c`,
  places: `
    geoadd | geoadd g 13.361389 38.115556 | geoadd g 13.361389 38.115556 p 15.087269 37.502669 c |
    geoadd g 1 2 p | geoadd g 1 x p | geoadd g x 1 p | geoadd g 181 1 p | geoadd g 1 86 p | geoadd g -0 86 p |
    geoadd g -181.5 1e30 p | geoadd g inf 1 p | geoadd g nx xx 1 1 p | geoadd g nx 1 1 p 2 2 q |
    geoadd g xx 3 3 p 4 4 r | geoadd g xx ch 5 5 p | geoadd g ch 5 5 p 6 6 q | geoadd g ch nx 7 7 t |
    geoadd g nx ch | geoadd g ch ch ch | geoadd g 1 1 a 2 2 | geoadd none xx 1 1 a | exists none |
    geopos g p c none | geopos none a | geopos g | geohash g p c none | geohash none a | geohash g |
    geodist g p c | geodist g p c km | geodist g p c MI | geodist g p c ft | geodist g p c x |
    geodist g p c km x | geodist g p none | geodist none a b | geodist g p p | geodist g p | zscore g p |
    zscore g c | set s x | geoadd s 1 1 a | geoadd s 1 x a | geopos s a | geohash s a | geodist s a b |
    geosearch s fromlonlat 1 1 byradius 1 m |
    geoadd e -180 -85.05112878 sw 180 85.05112878 ne 0 0 zero -180 85.05112878 nw 180 0 east |
    geopos e sw ne zero nw east | geohash e sw ne zero nw east | zrange e 0 -1 withscores | geodist e sw ne |
    geodist e zero east | zadd z -1 a 1e300 b 0.5 c inf d -inf f 5e15 h | geopos z a b c d f h |
    geohash z a b c h | geodist z a h`,
  'what is near': `
    geoadd g 13.361389 38.115556 p 15.087269 37.502669 c 12.758489 38.788135 e1 17.241510 38.788135 e2 -122 37 sf |
    geosearch g fromlonlat 15 37 byradius 200 km |
    geosearch g fromlonlat 15 37 byradius 200 km desc withdist withcoord withhash |
    geosearch g fromlonlat 15 37 bybox 400 400 km asc withdist |
    geosearch g frommember p byradius 250000 m asc | geosearch g frommember none byradius 1 m |
    geosearch none frommember x byradius 1 m | geosearch none frommember x | geosearch g fromlonlat 15 37 |
    geosearch g byradius 1 km | geosearch g fromlonlat 15 37 frommember p byradius 1 km |
    geosearch g frommember p fromlonlat 15 37 byradius 1 km |
    geosearch g frommember p byradius 1 km bybox 1 1 km | geosearch g frommember p bybox 1 1 km byradius 1 km |
    geosearch g frommember p byradius -1 km | geosearch g frommember p byradius x km |
    geosearch g frommember p byradius 1 parsec | geosearch g frommember p bybox x 1 m |
    geosearch g frommember p bybox 1 x m | geosearch g frommember p bybox -1 1 m |
    geosearch g frommember p bybox 1 1 foo | geosearch g frommember p byradius 1000 km count 2 |
    geosearch g frommember p byradius 1000 km count 2 any | geosearch g frommember p byradius 1000 km any |
    geosearch g frommember p byradius 1000 km count 0 | geosearch g frommember p byradius 1000 km count -1 |
    geosearch g frommember p byradius 1000 km count x | geosearch g frommember p byradius 1000 km count |
    geosearch g frommember p byradius 1000 km foo | geosearch g frommember p byradius 1000 km store d |
    geosearch g frommember p byradius 1000 km storedist |
    geosearch g frommember p byradius 1000 km count 2 desc withdist |
    geosearch g fromlonlat 200 0 byradius 1 m | geosearch g frommember p byradius 0 m |
    geosearch g frommember p byradius 30000 km | geosearch g frommember p byradius inf km |
    geosearch g frommember p bybox 50000 50000 km asc | geosearch g fromlonlat 179.9 85 byradius 5000 km |
    geosearchstore d g fromlonlat 15 37 byradius 200 km | zrange d 0 -1 withscores |
    geosearchstore d g frommember p byradius 300 km storedist | zrange d 0 -1 withscores | object encoding d |
    geosearchstore d g frommember p byradius 1 m withdist | geosearchstore d g fromlonlat 100 10 byradius 1 m |
    exists d | set d x | geosearchstore d none frommember p byradius 1 m | exists d |
    geosearchstore d none frommember p |
    geosearchstore d g frommember p byradius 500 km desc count 2 storedist | zrange d 0 -1 withscores |
    geosearchstore g g frommember p byradius 200 km | zrange g 0 -1`,
  radius: `
    geoadd g 13.361389 38.115556 p 15.087269 37.502669 c 12.758489 38.788135 e1 | georadius g 15 37 200 km |
    georadius g 15 37 200 | georadius g 15 37 200 km withdist asc |
    georadius g 15 37 200 km withcoord withhash withdist desc count 1 | georadius g x 37 200 km |
    georadius g 15 37 x km | georadius g 15 37 200 foo | georadius g 15 37 -200 km |
    georadius none 15 37 200 km | georadius none x 37 200 km | georadius none 15 37 200 km store d |
    georadius g 15 37 200 km store d | zrange d 0 -1 withscores | georadius g 15 37 200 km storedist d |
    zrange d 0 -1 withscores | georadius g 15 37 200 km store | georadius g 15 37 200 km store d withdist |
    georadius g 15 37 200 km store d storedist q count 1 | exists q | georadius_ro g 15 37 200 km |
    georadius_ro g 15 37 200 km store d | georadiusbymember g p 200 km | georadiusbymember g q 200 km |
    georadiusbymember g p 200 km asc withdist | georadiusbymember none p x y |
    georadiusbymember none p 1 km foo | georadiusbymember none p x y store d | exists d |
    georadiusbymember g p 300 km store d | zrange d 0 -1 | georadiusbymember_ro g p 300 km |
    georadiusbymember_ro g p 300 km storedist d | georadiusbymember g p 300 km bybox 1 1 m |
    georadiusbymember g p x km | georadiusbymember g p 300 km count 1 any | set s x |
    georadius s 15 37 200 km | georadiusbymember s p 1 km | georadius g 15 37 200 km store s | type s`,
}

const KEYS = ['k1', 'k2', 'k3', 'k4']

class Dice {
  protected readonly random: Random

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  protected below(count: number): number {
    return this.random.below(count)
  }

  protected oneOf<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  protected key(): string {
    return this.oneOf(KEYS)
  }

  protected some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: 1 + this.below(most) }, make)
  }
}

/** Random commands on bits. Strings are up to some kilobytes long, so that all forms of strings come up. */
export class BitGenerator extends Dice {
  private offset(): string {
    return String(this.below(this.oneOf([16, 200, 9000, 40000])))
  }

  private range(): string[] {
    const end = (): string => String(this.below(800) - 400)
    const unit = this.oneOf([[], ['byte'], ['bit'], ['bit']])
    return this.oneOf([[], [end(), end(), ...unit]])
  }

  private field(): string[] {
    const width = 1 + this.below(this.oneOf([8, 33, 63]))
    const type = this.oneOf([`u${width}`, `i${width}`, `i${width + 1}`])
    const offset = this.oneOf([this.offset(), `#${this.below(20)}`])
    const value = this.oneOf([
      String(this.below(100) - 50),
      String(2 ** this.below(53) - 1),
      String(-(2 ** this.below(53))),
      '9223372036854775807',
      '-9223372036854775808',
      '-9223372036854775700',
      '4611686018427387904',
    ])
    return this.oneOf([
      ['get', type, offset],
      ['set', type, offset, value],
      ['incrby', type, offset, value],
      ['overflow', this.oneOf(['wrap', 'sat', 'fail'])],
    ])
  }

  next(): Argument[] {
    const key = this.key()
    switch (this.below(14)) {
      case 0:
        return this.below(4) === 0 ? ['del', key] : ['get', key]
      case 1:
        return ['set', key, this.oneOf(['123', '-5', 'x', 'some text', '', 'x'.repeat(this.below(2000))])]
      case 2:
        return ['setrange', key, String(this.below(1500)), 'ÿÿÿ'.repeat(this.below(300))]
      case 3:
        return ['append', key, this.oneOf(['ÿ', 'abc'])]
      case 4:
      case 5:
      case 6:
        return ['setbit', key, this.offset(), this.oneOf(['0', '1', '1'])]
      case 7:
        return ['getbit', key, this.offset()]
      case 8:
        return ['bitcount', key, ...this.range()]
      case 9:
        return ['bitpos', key, this.oneOf(['0', '1']), ...this.oneOf([this.range(), [String(this.below(500) - 250)]])]
      case 10:
        return ['bitop', this.oneOf(['and', 'or', 'xor']), key, ...this.some(4, () => this.oneOf([...KEYS, 'none']))]
      case 11:
        return ['bitop', 'not', key, this.key()]
      default:
        return ['bitfield', key, ...this.some(5, () => this.field()).flat()]
    }
  }
}

/** Random commands on HyperLogLogs, whose strings are read all the time. */
export class CounterGenerator extends Dice {
  private element(): Argument {
    const bytes = Buffer.alloc(this.below(this.oneOf([3, 9, 17, 40])))
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.random.next()
    return bytes
  }

  next(): Argument[] {
    const key = this.key()
    switch (this.below(16)) {
      case 0:
        return this.below(6) === 0 ? ['del', key] : ['pfcount', key]
      case 1:
      case 2:
        return ['get', key]
      case 3:
        return ['pfcount', ...this.some(3, () => this.key())]
      case 4:
        return ['pfmerge', key, ...this.some(3, () => this.key())]
      case 5:
        return ['pfdebug', this.oneOf(['encoding', 'decode']), key]
      case 6:
        return ['config', 'set', 'hll-sparse-max-bytes', this.oneOf(['100', '500', '3000', '3000'])]
      case 7:
        return ['object', 'encoding', key]
      default:
        return ['pfadd', key, ...this.some(this.oneOf([3, 30, 300]), () => this.element())]
    }
  }
}

/** Random commands on places. */
export class PlaceGenerator extends Dice {
  private member(): string {
    return `m${this.below(150)}`
  }

  /** No two members are at one place: which of them is nearer would be left to chance. */
  private place(): string[] {
    const [longitude, latitude] = this.oneOf([
      [(this.random.fraction() - 0.5) * 360, (this.random.fraction() - 0.5) * 170],
      [2 + this.random.fraction(), 48 + this.random.fraction()],
      [179 + this.random.fraction(), 84 + this.random.fraction()],
      [-180 + this.random.fraction(), -1 + 2 * this.random.fraction()],
    ]) as [number, number]
    return [longitude.toFixed(5 + this.below(8)), latitude.toFixed(5 + this.below(8))]
  }

  private unit(): string {
    return this.oneOf(['m', 'km', 'ft', 'mi'])
  }

  private size(): string {
    return String(this.oneOf([0, 10, 500, 3000, 80000]) * this.random.fraction())
  }

  private options(stores: boolean): string[] {
    const count = ['count', String(1 + this.below(20))]
    return [
      ...(stores ? [] : ['withdist', 'withhash', 'withcoord'].filter(() => this.below(3) === 0)),
      ...this.oneOf([[], count, [...count, 'any']]),
      ...this.oneOf([[], ['asc'], ['desc']]),
    ]
  }

  private search(stores: boolean): string[] {
    return [
      ...this.oneOf([
        ['frommember', this.member()],
        ['fromlonlat', ...this.place()],
      ]),
      ...this.oneOf([
        ['byradius', this.size(), this.unit()],
        ['bybox', this.size(), this.size(), this.unit()],
      ]),
      ...this.options(stores),
      ...(stores && this.below(2) === 0 ? ['storedist'] : []),
    ]
  }

  next(): Argument[] {
    const key = this.key()
    switch (this.below(16)) {
      case 0:
        return ['geopos', key, ...this.some(4, () => this.member())]
      case 1:
        return ['geohash', key, ...this.some(4, () => this.member())]
      case 2:
        return ['geodist', key, this.member(), this.member(), this.unit()]
      case 3:
        return ['geosearchstore', this.key(), this.key(), ...this.search(true)]
      case 4:
        return ['georadius', key, ...this.place(), this.size(), this.unit(), ...this.options(false)]
      case 5: {
        const stored = this.oneOf([[], ['store', this.key()], ['storedist', this.key()]])
        const options = this.options(stored.length > 0)
        return ['georadiusbymember', key, this.member(), this.size(), this.unit(), ...options, ...stored]
      }
      case 6:
        return ['zrange', key, '0', '-1', 'withscores']
      case 7:
        return this.below(5) === 0 ? ['del', key] : ['zrem', key, this.member()]
      case 8:
      case 9:
      case 10:
      case 11:
        return ['geosearch', key, ...this.search(false)]
      default:
        return [
          'geoadd',
          key,
          ...this.oneOf([[], [], ['nx'], ['xx', 'ch'], ['ch']]),
          ...this.some(12, () => [...this.place(), this.member()]).flat(),
        ]
    }
  }
}
