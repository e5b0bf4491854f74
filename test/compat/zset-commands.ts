/* Sorted set commands for comparing with redis-server: the edges of each, and random ones over a few keys that change
 * their encodings often. */
import { Random } from '../../src/lib/random.ts'
import type { Argument } from '../helpers/raw-client.ts'

/** Limits low enough to be crossed all the time. */
export const LIMITS = ['config set zset-max-listpack-entries 6', 'config set zset-max-listpack-value 12']

/** Commands by what they are about, as inline commands with Redis's own quoting. */
export const EDGES: Readonly<Record<string, string>> = {
  ZADD: `
    zadd | zadd z | zadd z 1 | zadd z 1 a | zadd z 1 a 2 | zadd z x a | zadd z nx | zadd z nx 1 | zadd z nx 5 a |
    zadd z xx 5 a | zadd z xx 5 b | zadd z nx xx 1 a | zadd z gt lt 1 a | zadd z nx gt 1 a | zadd z nx lt 1 a |
    zadd z xx gt 9 a | zadd z xx gt 3 a | zscore z a | zadd z lt 3 a | zadd z lt 4 a | zscore z a |
    zadd z ch 7 a 8 b |
    zadd z ch 7 a | zadd z incr 1 a | zadd z incr 1 a 2 b | zadd z incr x a | zadd z nx incr 1 a |
    zadd z xx incr 1 q |
    zadd z gt incr -1 a | zadd z gt incr 1 a | zadd z lt incr 1 a | zadd none xx 1 a | zadd none xx incr 1 a |
    exists none | zadd z inf i | zadd z -inf j | zadd z incr -inf i | zadd z nan a | zadd z ch gt | zadd z 1e400 a |
    zadd z " 1" a | zadd z "1 " a | zadd z "" a | zadd z 0x10 h | zscore z h | zadd z +inf k | zscore z k |
    zadd z infinity l | zscore z l | zadd z 1.5 m | zscore z m | zadd z 3 a 4 a 5 a | zscore z a | zadd z nx nx 1 nn |
    zadd z -0 zero | zscore z zero | zadd big 9007199254740993 b | zscore big b | zadd z 4 "" | zscore z "" |
    zadd z 4 "\\x00\\xff\\r\\n" | zrange z 0 -1 withscores | set str x | zadd str 1 a | zadd str x a | zadd str 1 |
    expire z 100 | zadd z 5 new | ttl z | type z | object encoding z | zincrby z | zincrby z 1 | zincrby z x a |
    zincrby z 2 a | zincrby new 2 a | zincrby z nan a | zincrby z inf i | zincrby z -inf i | zincrby str 1 a |
    zincrby z 1 a b | zincrby z 0.25 m`,
  members: `
    zadd z 1 a 2 b 3 c 3 d | zscore z a | zscore z q | zscore none a | zscore z | zmscore z a q c | zmscore none a b |
    zmscore z | zcard z | zcard none | zcard | zrank z a | zrank z d | zrank z q | zrank none a | zrevrank z a |
    zrevrank z d | zrevrank z q | zrank z a withscore | zrank z q withscore | zrank none q withscore | zrank z a foo |
    zrank z a withscore x | zrevrank z a withscore | zrevrank z a withscore x | zrank z | zrem z q | zrem z a q b |
    zrem none a | zrem z | zrem z c d e | exists z | set str x | zscore str a | zmscore str a | zcard str |
    zrank str a |
    zrem str a | zrevrank str a withscore`,
  ranges: `
    zadd z 1 a 2 b 3 c 4 d 5 e | zrange z 0 -1 | zrange z 1 2 | zrange z -2 -1 | zrange z 3 1 | zrange z 9 10 |
    zrange z -100 100 | zrange z 0 -1 withscores | zrange z 0 -1 rev | zrange z 0 1 rev withscores |
    zrange z x 1 | zrange z 0 | zrange z 0 -1 foo | zrange z 0 -1 limit 0 1 | zrange z 0 -1 limit 0 -1 |
    zrange z 1 3 byscore | zrange z (1 (3 byscore | zrange z 3 1 byscore rev | zrange z 3 1 byscore |
    zrange z -inf +inf byscore limit 1 2 | zrange z +inf -inf byscore rev limit 1 2 withscores |
    zrange z -inf inf byscore limit 1 -1 | zrange z -inf inf byscore limit -1 2 |
    zrange z -inf inf byscore limit 9 2 |
    zrange z -inf inf byscore limit 0 0 | zrange z a b byscore | zrange z (a 1 byscore | zrange z "" 2 byscore |
    zrange z ( 2 byscore | zrange z " 1" 2 byscore | zrange z nan 2 byscore | zrange z -1e999 1e999 byscore |
    zrange z "1\\x00x" 2 byscore | zrange z "\\x00x" 2 byscore | zrange z "1 \\x00" 2 byscore |
    zrange z 1 3 byscore limit 1 | zrange z 1 3 byscore limit x 1 | zrange z 1 3 byscore limit 1 x |
    zrange z - + bylex withscores | zrange z a + bylex | zrange z 0 1 bylex byscore | zrange z 0 1 rev rev |
    zrange none 0 -1 |
    zrange none - + bylex | zrangebyscore z 2 4 | zrangebyscore z 2 4 withscores limit 1 1 | zrangebyscore z 2 4 rev |
    zrangebyscore z 2 4 byscore | zrevrangebyscore z 4 2 | zrevrangebyscore z 4 (2 withscores |
    zrevrangebyscore z 2 4 |
    zrevrange z 0 -1 | zrevrange z 1 2 withscores | zrevrange z 0 -1 rev | zrevrange z 0 -1 limit 0 2 |
    zcount z 2 4 | zcount z (2 (4 | zcount z -inf +inf | zcount z 4 2 | zcount z a b | zcount none 1 2 | zcount z 1 |
    zrangestore d z 0 -1 | zrange d 0 -1 withscores | zrangestore d z 2 3 byscore | object encoding d |
    zrangestore d z 0 -1 rev limit 0 1 | zrangestore d z 4 2 byscore rev limit 0 2 | zrange d 0 -1 |
    zrangestore d z 0 -1 withscores | zrangestore d z 9 9 | exists d | zrangestore d none 0 -1 | zrangestore z z 0 1 |
    zrange z 0 -1 | set str x | zrange str 0 -1 | zrange str x y | zcount str 1 2 | zrangestore str z 0 -1 |
    type str |
    set str x | zrangestore d str 0 -1 | zrangestore str none 0 -1 | exists str`,
  'ranges of strings': `
    zadd z 0 a 0 b 0 c 0 d 0 aa 0 "" | zrangebylex z - + | zrangebylex z [b [c | zrangebylex z (b + |
    zrangebylex z - (c | zrangebylex z [a (aa | zrangebylex z + - | zrangebylex z b c | zrangebylex z [ [a |
    zrangebylex z ( + | zrangebylex z "" + | zrangebylex z -x + | zrangebylex z - + limit 1 2 |
    zrangebylex z - + withscores | zrevrangebylex z + - | zrevrangebylex z [c [b | zrevrangebylex z + - limit 1 2 |
    zrevrangebylex z [b [c | zrevrangebylex z (c - | zlexcount z - + | zlexcount z [b [c | zlexcount z (b (c |
    zlexcount z + - | zlexcount z b c | zlexcount none - + | zlexcount z - | zrange z (a [c bylex |
    zrange z [c (a bylex rev | zrange z + - bylex rev limit 0 2 | zremrangebylex z [a (b | zrange z 0 -1 |
    zremrangebylex z a b | zremrangebylex none - + | zremrangebylex z - + | exists z`,
  removing: `
    zadd z 1 a 2 b 3 c 4 d 5 e 6 f | zremrangebyrank z 1 1 | zremrangebyrank z 9 9 | zremrangebyrank z x 1 |
    zremrangebyrank z -1 -1 | zrange z 0 -1 | zremrangebyscore z (1 3 | zremrangebyscore z a b |
    zremrangebyscore z 7 9 |
    zremrangebyscore none 1 2 | zremrangebyrank none 0 1 | zrange z 0 -1 | zremrangebyrank z 0 -1 | exists z |
    zadd z 1 a | zremrangebyscore z -inf inf | exists z | set str x | zremrangebyrank str 0 1 |
    zremrangebylex str - + |
    zremrangebyscore str 0 1 | zremrangebyscore str a 1`,
  popping: `
    zadd z 1 a 2 b 3 c 4 d 5 e 6 f | zpopmin z | zpopmax z | zpopmin z 2 | zpopmax z 1 | zpopmin z 0 | zpopmin none |
    zpopmin none 2 | zpopmin z -1 | zpopmin z x | zpopmin z 1 2 | zpopmin | zpopmax z 99 | exists z | zadd z 1 a 2 b |
    zmpop | zmpop 1 z | zmpop 1 z foo | zmpop 0 z min | zmpop x z min | zmpop 2 z min | zmpop 1 z min |
    zmpop 1 z max |
    exists z | zmpop 1 z min | zadd z 1 a 2 b 3 c | zmpop 2 none z max count 2 | zmpop 2 none z min count 0 |
    zmpop 2 none z min count x | zmpop 2 none z min count | zmpop 2 none z min count 1 count 1 |
    zmpop 2 none z min count 9 | exists z | set str x | zpopmin str | zmpop 1 str min | zmpop 2 none str max |
    zmpop 9223372036854775807 z min | zpopmin str 0`,
  waiting: `
    bzpopmin | bzpopmin z | bzpopmin z x | bzpopmin z -1 | bzpopmin z 0.01 | bzmpop 0.01 1 z min | bzmpop x 1 z min |
    zadd z 1 a 2 b 3 c 4 d | bzpopmin z 0 | bzpopmax none z 0 | bzmpop 0 2 none z min count 9 | exists z |
    bzmpop 0 1 z foo | bzmpop 0 0 z min | bzmpop 0 1 z min count 0 | bzmpop 0 1 z min foo | bzmpop -1 1 z min |
    bzmpop 0 1 z min count 1 count 1 | set str x | bzpopmin str 0 | bzpopmin none str 0 | bzmpop 0 1 str max |
    zadd z 1 a | bzpopmax z str 0 | exists z | bzpopmin z z 0.01`,
  algebra: `
    zadd a 1 a 2 b 3 c | zadd b 10 b 20 c 30 d | sadd s a b x | zunion 2 a b | zunion 2 a b withscores |
    zunion 3 a b s withscores | zunion 2 a b weights 2 0.5 withscores | zunion 2 a b aggregate min withscores |
    zunion 2 a b aggregate max withscores | zunion 2 a b aggregate foo | zunion 2 a b weights 1 |
    zunion 2 a b weights 1 x |
    zunion 0 a | zunion -1 a | zunion x a | zunion 3 a b | zunion 1 none | zunion 2 a none withscores |
    zunion 2 a b foo |
    zunion 1 a weights inf withscores | zunion 2 a a withscores | zinter 2 a b | zinter 2 a b withscores |
    zinter 3 a b s withscores weights 1 2 3 | zinter 2 a b aggregate max withscores | zinter 2 a none | zinter 0 a |
    zinter 2 a a withscores aggregate sum weights 1 -1 | zdiff 2 a b | zdiff 2 a b withscores | zdiff 2 a s |
    zdiff 2 s a |
    zdiff 2 a a | zdiff 1 none | zdiff 2 a b weights 1 2 | zdiff 0 a | zdiff 2 none a | zunionstore d 2 a b |
    zrange d 0 -1 withscores | zunionstore d 2 a b withscores | zunionstore d 2 a b weights 2 3 aggregate max |
    zrange d 0 -1 withscores | zinterstore d 2 a b | zrange d 0 -1 withscores | zinterstore d 2 a none | exists d |
    zdiffstore d 2 a b | zrange d 0 -1 withscores | object encoding d | zdiffstore d 2 a a | exists d |
    zunionstore a 2 a b | zrange a 0 -1 withscores | zintercard 2 a b | zintercard 2 a b limit 1 |
    zintercard 2 a b limit 0 | zintercard 2 a b limit -1 | zintercard 2 a b limit x | zintercard 2 a b limit |
    zintercard 2 a b withscores | zintercard 0 a | zintercard 2 a none | set str x | zunion 1 str |
    zinter 2 none str |
    zdiff 2 a str | zunionstore str 1 a | type str | set str x | zinterstore str 1 none | exists str |
    zadd i inf m | zadd j -inf m | zunion 2 i j withscores | zinter 2 i j withscores |
    zunion 1 i weights 0 withscores |
    zinter 1 i weights 0 withscores | zadd t 0.1 m | zadd u 0.2 m | zunion 2 t u withscores | zunionstore d 2 t u |
    zunionstore d | zunionstore d 1 | zinter 1 s withscores | zunionstore d 1 s | zrange d 0 -1 withscores`,
  walks: `
    zscan | zscan z | zscan none 0 | zscan none x | zadd z 3 a 1 b 2.5 c | zscan z 0 | zscan z 0 match a |
    zscan z 0 count 100 | zscan z 0 count 0 | zscan z 0 match | zscan z 0 novalues | zscan z x | set str x |
    zscan str 0 |
    zrandmember | zrandmember none | zrandmember none 1 | zrandmember z 0 | zrandmember z 9 |
    zrandmember z 9 withscores |
    zrandmember z x | zrandmember z 1 foo | zrandmember z 1 withscores x | zrandmember str | zrandmember str 1 |
    zadd one 1 a | zrandmember one | zrandmember one 1 | zrandmember one 1 withscores | zrandmember one -3 |
    zrandmember one -2 withscores | zrandmember one -9223372036854775808 |
    zrandmember none 4611686018427387904 withscores |
    zrandmember none 4611686018427387903 withscores | zrandmember one 9223372036854775807`,
}

const KEYS = ['k1', 'k2', 'k3', 'k4', 'str']

/** Random commands whose answers do not depend on chance. Scores are such that all versions write alike. */
export class Generator {
  private readonly random: Random

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  private oneOf<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)]!
  }

  private key(): string {
    return this.oneOf(KEYS.slice(0, this.random.below(30) === 0 ? 5 : 4))
  }

  private member(): Argument {
    const kind = this.random.below(10)
    if (kind < 4) return String(this.random.below(12))
    if (kind < 5) return this.oneOf(['-1', '70000', '5000000000', '-9223372036854775808', '007', ''])
    if (kind < 9) return `m${this.random.below(12)}`
    return 'long'.repeat(this.random.below(this.random.below(4) === 0 ? 10 : 4))
  }

  private score(): string {
    const kind = this.random.below(8)
    if (kind < 4) return String(this.random.below(5))
    if (kind < 6) return String((this.random.below(100) - 50) / 4)
    return this.oneOf(['inf', '-inf', '1e3', '-7', '123456789', '0.5', '1e30', 'x'])
  }

  private pairs(most: number): Argument[] {
    return Array.from({ length: 1 + this.random.below(most) }, () => [this.score(), this.member()]).flat()
  }

  private members(most: number): Argument[] {
    return Array.from({ length: 1 + this.random.below(most) }, () => this.member())
  }

  private bound(): string {
    return (this.random.below(3) === 0 ? '(' : '') + this.oneOf(['-inf', 'inf', '0', '1', '2', '3', '-2.5', '10'])
  }

  private ranks(): string[] {
    return [String(this.random.below(14) - 6), String(this.random.below(14) - 6)]
  }

  private limit(): string[] {
    if (this.random.below(2) === 0) return []
    return ['limit', String(this.random.below(5) - 1), String(this.random.below(5) - 1)]
  }

  private scored(): string[] {
    return this.random.below(2) === 0 ? ['withscores'] : []
  }

  private sources(): string[] {
    const keys = Array.from({ length: 1 + this.random.below(3) }, () => this.oneOf(['k1', 'k2', 'k3', 'k4', 'set']))
    return [String(keys.length), ...keys]
  }

  private ways(): string[] {
    return this.oneOf([[], [], ['aggregate', 'min'], ['aggregate', 'max'], ['aggregate', 'sum']])
  }

  next(): Argument[] {
    const roll = this.random.below(100)
    const key = this.key()
    if (roll < 6) return ['del', key]
    if (roll < 8) return ['copy', key, this.key(), 'replace']
    if (roll < 9) return ['rename', key, this.key()]
    if (roll < 10) return ['set', 'str', 'x']
    if (roll < 12) return ['object', 'encoding', key]
    if (roll < 14) return ['sadd', 'set', this.member()]
    if (roll < 40) return this.adding(key)
    if (roll < 75) return this.reading(key)
    return this.removing(key)
  }

  private adding(key: string): Argument[] {
    const kind = this.random.below(6)
    if (kind < 3) return ['zadd', key, ...this.pairs(5)]
    if (kind < 4) return ['zincrby', key, this.score(), this.member()]
    const options = ['nx', 'xx', 'gt', 'lt', 'ch', 'incr'].filter(() => this.random.below(4) === 0)
    return ['zadd', key, ...options, ...this.pairs(options.includes('incr') ? 1 : 4)]
  }

  private reading(key: string): Argument[] {
    const [min, max] = [this.bound(), this.bound()]
    switch (this.random.below(17)) {
      case 0:
        return ['zscore', key, this.member()]
      case 1:
        return ['zmscore', key, ...this.members(4)]
      case 2:
        return [this.oneOf(['zrank', 'zrevrank']), key, this.member()]
      case 3:
        return ['zcard', key]
      case 4:
        return [this.oneOf(['zrange', 'zrevrange']), key, ...this.ranks(), ...this.scored()]
      case 5:
      case 6:
        return [this.oneOf(['zrangebyscore', 'zrevrangebyscore']), key, min, max, ...this.scored(), ...this.limit()]
      case 7:
        return ['zrange', key, min, max, 'byscore', ...this.oneOf([['rev'], []]), ...this.limit()]
      case 8:
        return ['zcount', key, min, max]
      case 9:
        return ['zrangestore', this.key(), key, min, max, 'byscore', ...this.limit()]
      case 10:
        return ['zrangestore', this.key(), key, ...this.ranks(), ...this.oneOf([['rev'], []])]
      case 11:
        return ['zscan', key, '0', 'count', '1000', 'match', this.oneOf(['*', '*1*', 'm?'])]
      case 12:
        return [this.oneOf(['zunion', 'zinter']), ...this.sources(), ...this.ways(), ...this.scored()]
      case 13:
        return [this.oneOf(['zunionstore', 'zinterstore']), this.key(), ...this.sources(), ...this.ways()]
      case 14:
        return this.oneOf([
          ['zdiff', ...this.sources(), ...this.scored()],
          ['zdiffstore', this.key(), ...this.sources()],
        ])
      case 15:
        return ['zintercard', ...this.sources(), 'limit', String(this.random.below(4))]
      default:
        return ['zrandmember', key, '1000', ...this.scored()]
    }
  }

  /** Ranges of scores and of strings, few and many members of two sorted sets of 700. */
  large(): Argument[] {
    const scores = () => (this.random.below(3) === 0 ? '(' : '') + this.oneOf(['-inf', 'inf', ...this.numbers()])
    const strings = () => this.oneOf(['-', '+', ...this.numbers().flatMap((number) => [`[m${number}`, `(m${number}`])])
    const limit = ['limit', ...this.oneOf([['0', '10'], ['1', '-1'], this.numbers(), this.numbers()])]
    const options = this.random.below(3) === 0 ? [] : limit
    const back = this.random.below(2) === 0
    if (this.random.below(2) === 0) {
      return [back ? 'zrevrangebyscore' : 'zrangebyscore', 'scored', scores(), scores(), ...this.scored(), ...options]
    }
    return [back ? 'zrevrangebylex' : 'zrangebylex', 'level', strings(), strings(), ...options]
  }

  private numbers(): [string, string] {
    return [String(this.random.below(300)), String(this.random.below(300))]
  }

  private removing(key: string): Argument[] {
    switch (this.random.below(7)) {
      case 0:
        return ['zremrangebyscore', key, this.bound(), this.bound()]
      case 1: {
        const from = this.random.below(8) - 4
        return ['zremrangebyrank', key, String(from), String(from + this.random.below(2))]
      }
      case 2:
        return [this.oneOf(['zpopmin', 'zpopmax']), key, ...this.oneOf([[], ['1'], ['3']])]
      case 3:
        return ['zmpop', '2', key, this.key(), this.oneOf(['min', 'max']), ...this.oneOf([[], ['count', '2']])]
      default:
        return ['zrem', key, ...this.members(4)]
    }
  }
}
