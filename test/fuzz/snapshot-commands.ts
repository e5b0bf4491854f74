/* The commands that snapshots.ts makes up: of all types, on few keys, so that they meet. */
import type { Random } from '../../src/lib/random.ts'

export const DATABASES = 3

type Make = () => string[]

export class Commands {
  private readonly random: Random
  private readonly list: Make[]
  private readonly rare: Make[]
  private readonly streamList: Make[]
  /** Of six commands, so many are of streams. */
  private readonly streamShare: number
  private big = false
  private now = 0

  constructor(random: Random) {
    this.random = random
    this.streamShare = random.below(4) === 0 ? 5 : 1
    this.list = [...this.strings(), ...this.lists(), ...this.sets(), ...this.hashes(), ...this.fieldExpiries()]
    this.list.push(...this.zsets(), ...this.generic(), ...this.generic())
    this.streamList = this.streamCommands()
    this.rare = [
      () => ['SWAPDB', this.dbIndex(), this.dbIndex()],
      () => ['SWAPDB', this.dbIndex(), this.dbIndex()],
      () => ['SWAPDB', this.dbIndex(), this.dbIndex()],
      () => ['FLUSHDB'],
    ]
  }

  /** The next one; `big`: on values of thousands of elements. */
  next(now: number, big: boolean): string[] {
    const { random } = this
    this.now = now
    this.big = big
    const what = random.below(500)
    if (big && random.below(8) === 0) return this.shrink()
    if (what === 0 && random.below(20) === 0) return ['FLUSHALL']
    if (what < 6) return this.pick(this.rare)()
    if (what < 36) return ['SELECT', this.dbIndex()]
    if (random.below(6) < this.streamShare) return this.pick(this.streamList)()
    return this.pick(this.list)()
  }

  /** Makes some keys large. */
  fill(count: number): string[][] {
    const requests: string[][] = []
    for (let key = 0; key < 3; key++) {
      for (let first = 0; first < count; first += 50) {
        const fields = Array.from({ length: 50 }, (_, at) => `f${first + at}`)
        requests.push(
          ['SADD', `e${key}`, ...fields],
          ['HSET', `h${key}`, ...fields.flatMap((field) => [field, 'v'.repeat(this.random.below(100))])],
          ['ZADD', `z${key}`, ...fields.flatMap((field) => [String(this.random.below(1000) / 10), field])],
          ['RPUSH', `l${key}`, ...fields],
        )
      }
      requests.push(['SET', `s${key}`, 'a'.repeat(2000 + this.random.below(60_000))])
      const ids = Array.from({ length: Math.floor(count / 10) }, (_, at) => `${this.now + at}-1`)
      for (const id of ids) requests.push(['XADD', `x${key}`, id, 'field', this.value()])
      requests.push(['XGROUP', 'CREATE', `x${key}`, 'g0', '0'])
      requests.push(['XREADGROUP', 'GROUP', 'g0', 'c0', 'COUNT', '99', 'STREAMS', `x${key}`, '>'])
      requests.push(['COPY', `h${key}`, `h${key}`, 'DB', '1'], ['COPY', `z${key}`, `z${key + 3}`, 'DB', '2'])
    }
    return requests
  }

  /** Takes much away at once: tables shrink. */
  private shrink(): string[] {
    const first = this.random.below(3000)
    const most = 1 + this.random.below(1000)
    const fields = Array.from({ length: most }, (_, at) => `f${first + at}`)
    const what = this.random.below(5)
    if (what === 0) return ['SPOP', this.key('e'), String(most)]
    if (what === 1) return ['ZPOPMIN', this.key('z'), String(most)]
    if (what === 2) return ['ZREMRANGEBYRANK', this.key('z'), '0', String(most)]
    return [...(what === 3 ? ['SREM', this.key('e')] : ['HDEL', this.key('h')]), ...fields]
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)]!
  }
  private below(limit: number): string {
    return String(this.random.below(limit))
  }
  private dbIndex(): string {
    return this.below(DATABASES)
  }
  private key(type: string): string {
    return type + this.below(this.big ? 6 : 12)
  }
  private any(): string {
    return this.key(this.type())
  }
  private type(): string {
    return this.pick(['s', 'l', 'e', 'h', 'z', 'x'])
  }
  private field(): string {
    return `f${this.below(this.big ? 3000 : 40)}`
  }
  private number(): string {
    return String(this.random.below(1000) - 500)
  }
  private value(): string {
    const { random } = this
    const what = random.below(4)
    if (what < 2) return this.number()
    return what === 2 ? 'v'.repeat(random.below(90)) : 'x'.repeat(random.below(random.below(20) === 0 ? 3000 : 400))
  }
  private some(make: () => string | string[], most = this.big ? 30 : 6): string[] {
    return Array.from({ length: 1 + this.random.below(most) }, make).flat()
  }
  private score(): string {
    const { random } = this
    return this.pick([this.below(100), String(random.below(10000) / 100), String(-random.below(50))])
  }
  private ms(): string {
    return String(1 + this.random.below(2000))
  }
  private fields(count: number): string[] {
    return ['FIELDS', String(count), ...Array.from({ length: count }, () => this.field())]
  }
  private withValues(count: number): string[] {
    return ['FIELDS', String(count), ...Array.from({ length: count }, () => [this.field(), this.value()]).flat()]
  }

  private strings(): Make[] {
    const key = () => this.key('s')
    return [
      () => ['SET', key(), this.value()],
      () => ['SET', key(), this.value(), 'PX', this.ms()],
      () => ['SET', key(), this.value(), 'KEEPTTL'],
      () => ['SET', key(), this.value(), 'EX', '1000', 'GET'],
      () => ['SET', key(), this.value(), this.pick(['NX', 'XX'])],
      () => ['SETRANGE', key(), this.below(300), this.value()],
      () => ['APPEND', key(), this.value()],
      () => ['INCRBYFLOAT', key(), String(this.random.below(100) / 7)],
      () => ['INCR', key()],
      () => ['GET', key()],
      () => ['GETEX', key(), 'PX', this.ms()],
      () => ['GETEX', key(), 'PERSIST'],
      () => ['GETDEL', key()],
      () => ['MSET', ...this.some(() => [key(), this.value()], 3)],
      () => ['MSETNX', ...this.some(() => [key(), this.value()], 3)],
      () => ['SETBIT', key(), this.below(2000), this.below(2)],
      () => ['GETSET', key(), this.value()],
      () => ['SETNX', key(), this.value()],
      () => ['SET', key(), this.value(), 'PXAT', '1'],
    ]
  }

  private lists(): Make[] {
    const key = () => this.key('l')
    const side = () => this.pick(['LEFT', 'RIGHT'])
    return [
      () => ['RPUSH', key(), ...this.some(() => this.value())],
      () => ['LPUSH', key(), ...this.some(() => this.value())],
      () => ['LPUSHX', key(), ...this.some(() => this.value())],
      () => ['LPOP', key()],
      () => ['RPOP', key(), this.below(4)],
      () => ['LSET', key(), this.below(20), this.value()],
      () => ['LINSERT', key(), 'BEFORE', this.number(), this.value()],
      () => ['LREM', key(), String(this.random.below(3) - 1), this.number()],
      () => ['LTRIM', key(), this.below(3), String(-1 - this.random.below(3))],
      () => ['LMOVE', key(), key(), side(), side()],
      () => ['LMPOP', '2', key(), key(), side(), 'COUNT', String(1 + this.random.below(4))],
      () => ['RPOPLPUSH', key(), key()],
    ]
  }

  private sets(): Make[] {
    const key = () => this.key('e')
    return [
      () => ['SADD', key(), ...this.some(() => this.field())],
      () => ['SADD', key(), ...this.some(() => this.number())],
      () => ['SREM', key(), ...this.some(() => this.field())],
      () => ['SPOP', key()],
      () => ['SPOP', key(), this.below(this.big ? 40 : 8)],
      () => ['SMOVE', key(), key(), this.field()],
      () => ['SUNIONSTORE', key(), key(), key()],
      () => ['SINTERSTORE', key(), key(), key()],
      () => ['SDIFFSTORE', key(), key(), key()],
    ]
  }

  private hashes(): Make[] {
    const key = () => this.key('h')
    return [
      () => ['HSET', key(), ...this.some(() => [this.field(), this.value()])],
      () => ['HSET', key(), ...this.some(() => [this.field(), this.value()])],
      () => ['HDEL', key(), ...this.some(() => this.field())],
      () => ['HINCRBY', key(), this.field(), this.below(10)],
      () => ['HINCRBY', key(), this.field(), this.below(10)],
      () => ['HINCRBYFLOAT', key(), this.field(), String(this.random.below(100) / 7)],
      () => ['HSETNX', key(), this.field(), this.value()],
      () => ['HGET', key(), this.field()],
      () => ['HMGET', key(), ...this.some(() => this.field())],
      () => ['HSTRLEN', key(), this.field()],
      () => ['HEXISTS', key(), this.field()],
      () => ['HRANDFIELD', key(), this.below(5)],
      () => ['HGETALL', key()],
    ]
  }

  private fieldExpiries(): Make[] {
    const key = () => this.key('h')
    const condition = () => this.pick(['NX', 'XX', 'GT', 'LT'])
    return [
      () => ['HEXPIRE', key(), '1000', ...this.fields(2)],
      () => ['HEXPIRE', key(), String(1000 + this.random.below(9)), condition(), ...this.fields(3)],
      () => ['HPEXPIRE', key(), this.ms(), ...this.fields(1 + this.random.below(5))],
      () => ['HPEXPIRE', key(), this.ms(), condition(), ...this.fields(2)],
      () => ['HEXPIRE', key(), this.below(3), ...this.fields(2)],
      () => ['HPEXPIREAT', key(), '1', ...this.fields(1)],
      () => ['HPEXPIREAT', key(), String(this.now + this.random.below(500)), ...this.fields(3)],
      () => ['HPERSIST', key(), ...this.fields(2)],
      () => ['HSETEX', key(), 'FXX', 'EX', '1000', ...this.withValues(1)],
      () => ['HSETEX', key(), 'FNX', 'PX', this.ms(), ...this.withValues(2)],
      () => ['HSETEX', key(), 'PX', this.ms(), ...this.withValues(2)],
      () => ['HSETEX', key(), 'PXAT', this.pick(['1', String(this.now + 20)]), ...this.withValues(2)],
      () => ['HSETEX', key(), 'KEEPTTL', ...this.withValues(2)],
      () => ['HSETEX', key(), ...this.withValues(1)],
      () => ['HGETEX', key(), 'PX', this.ms(), ...this.fields(2)],
      () => ['HGETEX', key(), 'PXAT', '1', ...this.fields(2)],
      () => ['HGETEX', key(), 'PERSIST', ...this.fields(2)],
      () => ['HGETEX', key(), ...this.fields(2)],
      () => ['HGETDEL', key(), ...this.fields(2)],
      () => ['HPTTL', key(), ...this.fields(2)],
    ]
  }

  private zsets(): Make[] {
    const key = () => this.key('z')
    const pair = () => [this.score(), this.field()]
    return [
      () => ['ZADD', key(), ...this.some(pair)],
      () => ['ZADD', key(), this.pick(['NX', 'XX', 'GT', 'LT']), ...this.some(pair)],
      () => ['ZADD', key(), 'INCR', ...pair()],
      () => ['ZREM', key(), ...this.some(() => this.field())],
      () => ['ZINCRBY', key(), ...pair()],
      () => ['ZPOPMIN', key(), this.below(4)],
      () => ['ZPOPMAX', key()],
      () => ['ZMPOP', '2', key(), key(), 'MIN', 'COUNT', String(1 + this.random.below(4))],
      () => ['ZREMRANGEBYRANK', key(), this.below(5), this.below(7)],
      () => ['ZREMRANGEBYSCORE', key(), this.below(5), this.below(7)],
      () => ['ZRANGESTORE', key(), key(), '0', this.below(100)],
      () => ['ZUNIONSTORE', key(), '2', key(), key(), 'WEIGHTS', '2', String(1 + this.random.below(3))],
      () => ['ZINTERSTORE', key(), '2', key(), this.key('e')],
      () => ['ZDIFFSTORE', key(), '2', key(), key()],
    ]
  }

  /** Without what was read and not acknowledged being read again: that is counted, but not told, in Redis neither. */
  private streamCommands(): Make[] {
    const key = () => `x${this.below(4)}`
    const id = () => `${this.now - this.random.below(400)}-${this.below(3)}`
    const group = () => `g${this.below(2)}`
    const consumer = () => `c${this.below(9)}`
    const pairs = () => this.some(() => [this.field(), this.value()], 3)
    const trim = () => [
      this.pick([
        ['MAXLEN', '=', this.below(30)],
        ['MAXLEN', '~', this.below(30)],
        ['MINID', '=', id()],
        ['MINID', '~', id(), 'LIMIT', '10'],
      ]),
    ]
    const read = (...more: string[]) => ['XREADGROUP', 'GROUP', group(), consumer(), 'COUNT', this.below(9), ...more]
    return [
      () => ['XADD', key(), '*', ...pairs()],
      () => ['XADD', key(), '*', ...pairs()],
      () => ['XADD', key(), `${this.now}-*`, ...pairs()],
      () => ['XADD', key(), 'NOMKSTREAM', ...trim().flat(), '*', ...pairs()],
      () => ['XTRIM', key(), ...trim().flat()],
      () => ['XDEL', key(), id(), id()],
      () => ['XSETID', key(), `${this.now + 1}-0`],
      () => ['XGROUP', 'CREATE', key(), group(), this.pick(['$', '0', id()]), 'MKSTREAM'],
      () => ['XGROUP', 'CREATE', key(), group(), '0', 'ENTRIESREAD', this.below(9)],
      () => ['XGROUP', 'SETID', key(), group(), this.pick(['$', '0', id()])],
      () => ['XGROUP', 'DESTROY', key(), this.pick([group(), 'g9', 'g9'])],
      () => ['XGROUP', 'CREATECONSUMER', key(), group(), consumer()],
      () => ['XGROUP', 'DELCONSUMER', key(), group(), consumer()],
      () => read('STREAMS', key(), '>'),
      () => read('STREAMS', key(), key(), '>', '>'),
      () => read('NOACK', 'STREAMS', key(), '>'),
      () => ['XACK', key(), group(), id(), id()],
      () => ['XCLAIM', key(), group(), consumer(), this.below(50), id(), id(), 'FORCE'],
      () => ['XCLAIM', key(), group(), consumer(), '0', id(), 'IDLE', this.below(90), 'RETRYCOUNT', '7', 'FORCE'],
      () => ['XCLAIM', key(), group(), consumer(), '0', id(), 'JUSTID', 'LASTID', id()],
      () => ['XAUTOCLAIM', key(), group(), consumer(), this.below(60), '0', 'COUNT', this.below(9)],
    ]
  }

  private generic(): Make[] {
    const two = (): [string, string] => {
      const type = this.type()
      return [this.key(type), this.key(type)]
    }
    return [
      () => ['DEL', this.any()],
      () => ['UNLINK', this.any(), this.any()],
      () => ['EXPIRE', this.any(), this.below(3)],
      () => ['PEXPIRE', this.any(), this.ms()],
      () => ['PEXPIRE', this.any(), this.ms(), this.pick(['NX', 'XX', 'GT', 'LT'])],
      () => ['PEXPIREAT', this.any(), this.pick(['1', String(this.now + this.random.below(300))])],
      () => ['PERSIST', this.any()],
      () => ['EXPIRE', this.any(), '1000'],
      () => ['EXISTS', this.any()],
      () => ['RENAME', ...two()],
      () => ['RENAMENX', ...two()],
      () => ['COPY', ...two(), 'REPLACE'],
      () => ['COPY', ...two(), 'DB', this.dbIndex()],
      () => ['COPY', ...two(), 'DB', this.dbIndex(), 'REPLACE'],
      () => ['MOVE', this.any(), this.dbIndex()],
      () => ['SORT', this.key(this.pick(['l', 'e', 'z'])), 'ALPHA', 'STORE', this.key('l')],
      () => ['SORT', this.key(this.pick(['l', 'e'])), 'BY', 'nosort', 'GET', '#', 'STORE', this.key('l')],
      () => ['RANDOMKEY'],
      () => ['EVAL', SCRIPT, '3', this.key('s'), this.key('l'), this.key('e'), this.value()],
      () => ['EVAL', "return redis.pcall('PEXPIRE',KEYS[1],ARGV[1])", '1', this.any(), this.ms()],
      () => ['EVAL', RESTORE, '2', ...two(), this.pick(['0', '900'])],
    ]
  }
}

const SCRIPT =
  "redis.call('SET',KEYS[1],ARGV[1]) redis.call('RPUSH',KEYS[2],ARGV[1],ARGV[1]) redis.call('SPOP',KEYS[3],2) " +
  "redis.call('SELECT','1') redis.call('SET',KEYS[1],ARGV[1],'PX',900) return 1"
const RESTORE =
  "local d=redis.call('DUMP',KEYS[1]) if d then redis.call('RESTORE',KEYS[2],ARGV[1],d,'REPLACE') end return 0"
