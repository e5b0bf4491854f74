/* Set and hash commands for comparing with redis-server: the edges of each, and random ones over a few keys that change
 * their encodings often. */
import { Random } from '../../src/lib/random.ts'
import type { Argument } from '../helpers/raw-client.ts'

/** Limits low enough to be crossed all the time. */
export const LIMITS = [
  'config set set-max-intset-entries 6',
  'config set hash-max-listpack-entries 6',
  'config set hash-max-listpack-value 12',
]

/** Commands by what they are about, as inline commands with Redis's own quoting. */
export const EDGES: Readonly<Record<string, string>> = {
  'a limit of hashes that is lowered': `
    hset a x 1 y 1 z 1 | copy a b | copy a c | copy a d | copy a e | copy a f | config set hash-max-listpack-entries 1 |
    hset a x 2 | object encoding a | hmset b x 2 | object encoding b | hincrby c x 1 | object encoding c |
    hincrbyfloat d x 1 | object encoding d | hsetnx e x 2 | object encoding e | hdel f x | object encoding f |
    hget a x | hlen a | config set hash-max-listpack-entries 6`,
  'members of sets': `
    sadd | sadd s | sadd s a | sadd s a b a c | scard s | scard none | scard | scard s s | sismember s a |
    sismember s z | sismember none a | sismember s | smismember s a z b | smismember none a b | smismember s |
    srem s z | srem s a z b | srem none a | srem s | smembers none | smembers s | srem s c d e | exists s |
    sadd "" "" | smembers "" | sismember "" "" | srem "" "" | exists "" | sadd b "\\x00\\xff\\r\\n" | smembers b |
    sadd i 1 2 3 | object encoding i | sadd i 01 | smismember i 1 01 +1 | sadd i 9223372036854775807 |
    sadd i -9223372036854775808 9223372036854775808 | sismember i -9223372036854775808 | scard i | set str x |
    sadd str a | srem str a | scard str | smembers str | sismember str a | smismember str a | smove str s a |
    smove s str a | expire i 100 | sadd i 5 | ttl i | sscan str 0 | spop str | srandmember str 1`,
  SMOVE: `
    sadd a 1 2 3 | sadd b 3 x | smove a b 1 | smove a b 1 | smove a b 3 | smove a b none | smove none b 1 |
    smove a c 2 | exists a | object encoding c | smove c c 2 | smove c c 9 | smove c d 2 | exists c | smove a |
    smove a b | smove a b c d | sadd e y | smove b e x | scard b | scard e | set str 1 | smove none str 1 |
    smove str none 1`,
  'sets of sets': `
    sadd a 1 2 3 4 | sadd b 2 4 6 x | sadd c 4 x | sinter a b | sinter a b c | sinter a none | sinter none |
    sinter a | sinter | sunion a b c | sunion none | sunion a none b | sunion | sdiff a b | sdiff a b c |
    sdiff a none | sdiff none a | sdiff a a | sdiff b c a | sdiff | sinterstore d a b | smembers d |
    object encoding d | sinterstore d a none | exists d | sunionstore d a b | smembers d | sunionstore d none |
    exists d | sdiffstore d b a | smembers d | object encoding d | sdiffstore d a a | exists d | set str x |
    sinter a str | sinter none str | sunion str a | sdiff a str | sunionstore str a b | type str | expire str 100 |
    sinterstore str a b | ttl str | sdiffstore str none | exists str | sinterstore | sinterstore a | sunionstore a |
    sdiffstore a | sunionstore a a b | smembers a | sintercard | sintercard 1 | sintercard 2 a | sintercard 1 a |
    sintercard 2 a b | sintercard 0 a | sintercard -1 a | sintercard x a | sintercard 2 a b limit |
    sintercard 2 a b limit 1 | sintercard 2 a b limit 0 | sintercard 2 a b limit -1 | sintercard 2 a b limit x |
    sintercard 2 a b foo 1 | sintercard 1 a b | sintercard 2 a none | sintercard 9223372036854775808 a |
    sintercard 2 a b limit 1 limit 2`,
  'random members': `
    spop none | spop none 3 | srandmember none | srandmember none 3 | srandmember none -3 | spop | srandmember |
    sadd s a | srandmember s | srandmember s 1 | srandmember s 10 | srandmember s -3 | srandmember s 0 |
    srandmember s x | srandmember s 1 2 | spop s x | spop s -1 | spop s 1 2 | spop s 0 | spop s | exists s |
    sadd s a b | spop s 2 | exists s | sadd s a b c | spop s 99 | exists s | srandmember s -9223372036854775808 |
    srandmember none -9223372036854775807 | spop none -9223372036854775808 | spop none 9223372036854775807 |
    spop none 9223372036854775808 | hrandfield none | hrandfield none 1 | hrandfield none 1 withvalues |
    hrandfield | hset h a 1 | hrandfield h | hrandfield h 5 | hrandfield h -3 | hrandfield h 5 withvalues |
    hrandfield h -2 withvalues | hrandfield h 0 | hrandfield h 1 foo | hrandfield h x |
    hrandfield h 1 withvalues x | hrandfield s | hrandfield h 2 x | hrandfield h -9223372036854775808 |
    hrandfield h 9223372036854775807 withvalues | hrandfield h -9223372036854775807 withvalues |
    hrandfield none 4611686018427387904 withvalues`,
  walks: `
    sscan | sscan s | sscan none 0 | sscan none x | sscan none 0 foo | sadd s 1 2 a | sscan s 0 match 1 |
    sscan s 0 count 0 | sscan s 0 count x | sscan s 0 match | sscan s 0 foo | sscan none 5 | sscan s x |
    sscan s " 0" | sscan s 0 match * count 10 | sscan s 0 type set | sscan s 99999999999999999999 | sadd t 3 1 2 |
    sscan t 0 | sscan t 0 match 2 match 3 | hscan | hscan h | hscan none 0 | hset h a 1 b 2 | hscan h 0 |
    hscan h 0 match a | hscan h 0 match 1 | hscan h 0 count 1 | hscan h 0 count | hscan h x | hscan s 0 |
    hscan h 0 novalue`,
  'fields of hashes': `
    hset | hset h | hset h a | hset h a 1 b | hset h a 1 | hset h a 2 b 3 | hget h a | hget h z | hget none a |
    hget h | hmset h c | hmset h c 5 d 6 | hmset h c 5 d | hmget h a z b | hmget none a b | hmget h | hsetnx h a 9 |
    hsetnx h e 9 | hsetnx h e | hlen h | hlen none | hlen | hstrlen h a | hstrlen h z | hstrlen none a |
    hset h i -12345 | hstrlen h i | hexists h a | hexists h z | hexists none a | hdel h a z b | hdel none a |
    hdel h | hkeys none | hvals none | hgetall none | del h | hset h x 1 | hkeys h | hvals h | hgetall h |
    hdel h x | exists h | hset "" "" "" | hgetall "" | hset h "\\x00\\xff\\r\\n" "\\r\\n" | hgetall h | set str x |
    hset str a 1 | hget str a | hdel str a | hgetall str | hmget str a | hlen str | hincrby str a 1 |
    hincrbyfloat str a 1 | hsetnx str a 1 | hmset str a 1 | hrandfield str | hset str | hset str a |
    object encoding h | hset h f 1 f 2 f 3 | hget h f | expire h 100 | hset h g 1 | ttl h`,
  counters: `
    hincrby h | hincrby h a | hincrby h a x | hincrby h a 1.5 | exists h | hincrby h a 5 | hincrby h a -7 |
    hincrby h a 9223372036854775807 | hincrby h a 9223372036854775807 | hincrby h a 3 | hget h a | hset h s foo |
    hincrby h s 1 | hset h s " 1" | hincrby h s 1 | hset h s 01 | hincrby h s 1 | hset h s "" | hincrby h s 1 |
    hset h m -9223372036854775808 | hincrby h m -1 | hincrby h m 1 | hincrby h m 9223372036854775808 |
    hincrby h a 1 2 | hincrbyfloat h f 3.14 | hincrbyfloat h f -3.14 | hincrbyfloat h f abc | hincrbyfloat h f |
    hincrbyfloat h f nan | hincrbyfloat h f inf | hincrbyfloat h f -inf | hincrbyfloat h a 0.5 | hset h s abc |
    hincrbyfloat h s 1 | hset h s " 1" | hincrbyfloat h s 1 | hset h s "1 " | hincrbyfloat h s 1 |
    hset h s 17179869184 | hincrbyfloat h s 1.0000000000000000001 | hset h s 1.7976931348623157e308 |
    hincrbyfloat h s 1e4932 | hincrbyfloat h s 1e4932 | hincrbyfloat h n 5e3 | hincrbyfloat h n 1e-17 | hget h n |
    hset h s 9007199254740993 | hincrbyfloat h s 0 | hset h s inf | hincrbyfloat h s 1`,
}

export const linesOf = (group: string): string[] =>
  group
    .split(/ \|\s+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')

const KEYS = ['k1', 'k2', 'k3', 'k4', 'str']

/** Random commands whose answers do not depend on chance. */
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
    if (kind < 6) return String(this.random.below(20))
    if (kind < 7) return this.oneOf(['-1', '70000', '5000000000', '-9223372036854775808', '007', ''])
    if (kind < 9) return `m${this.random.below(12)}`
    return 'long'.repeat(this.random.below(30))
  }

  private members(most: number): Argument[] {
    return Array.from({ length: 1 + this.random.below(most) }, () => this.member())
  }

  private pairs(most: number): Argument[] {
    return this.members(most).flatMap((field) => [field, this.member()])
  }

  private keys(): string[] {
    return Array.from({ length: 1 + this.random.below(3) }, () => this.key())
  }

  next(): Argument[] {
    const roll = this.random.below(100)
    if (roll < 4) return ['del', this.key()]
    if (roll < 6) return ['copy', this.key(), this.key(), 'replace']
    if (roll < 7) return ['rename', this.key(), this.key()]
    if (roll < 8) return ['set', 'str', 'x']
    if (roll < 9) return ['type', this.key()]
    return roll < 55 ? this.ofSets() : this.ofHashes()
  }

  private ofSets(): Argument[] {
    const key = this.key()
    switch (this.random.below(18)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return ['sadd', key, ...this.members(5)]
      case 4:
      case 5:
        return ['srem', key, ...this.members(4)]
      case 6:
        return ['smove', key, this.key(), this.member()]
      case 7:
        return ['sismember', key, this.member()]
      case 8:
        return ['smismember', key, ...this.members(4)]
      case 9:
        return ['smembers', key]
      case 10:
        return ['scard', key]
      case 11:
        return [this.oneOf(['sinter', 'sunion', 'sdiff']), ...this.keys()]
      case 12:
      case 13:
        return [this.oneOf(['sinterstore', 'sunionstore', 'sdiffstore']), key, ...this.keys()]
      case 14: {
        const keys = this.keys()
        return ['sintercard', String(keys.length), ...keys, 'limit', String(this.random.below(4))]
      }
      case 15:
        return ['srandmember', key, '1000']
      case 16:
        return ['sscan', key, '0', 'count', '1000', 'match', this.oneOf(['*', '*1*', 'm?'])]
      default:
        return this.random.below(4) === 0 ? ['spop', key, '1000'] : ['scard', key]
    }
  }

  private ofHashes(): Argument[] {
    const key = this.key()
    switch (this.random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return [this.oneOf(['hset', 'hmset']), key, ...this.pairs(4)]
      case 4:
        return ['hsetnx', key, this.member(), this.member()]
      case 5:
      case 6:
        return ['hdel', key, ...this.members(4)]
      case 7:
        return ['hincrby', key, this.member(), this.member()]
      case 8:
        return ['hincrbyfloat', key, this.member(), this.oneOf(['0.5', '-3', '1e2', 'x'])]
      case 9:
        return [this.oneOf(['hget', 'hexists', 'hstrlen']), key, this.member()]
      case 10:
        return ['hmget', key, ...this.members(4)]
      case 11:
        return [this.oneOf(['hkeys', 'hvals', 'hlen']), key]
      case 12:
        return ['hgetall', key]
      case 13:
        return ['hrandfield', key, '1000']
      case 14:
        return ['hrandfield', key, '1000', 'withvalues']
      default:
        return ['hscan', key, '0', 'count', '1000', 'match', this.oneOf(['*', '*1*', 'm?'])]
    }
  }
}
