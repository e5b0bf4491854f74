/* Commands for comparing with redis-server: the edges of every string and key command, and random ones. */
import { Random } from '../../src/lib/random.ts'
import type { Argument } from '../helpers/raw-client.ts'

/** Commands by what they are about, as inline commands with Redis's own quoting. */
export const EDGES: Readonly<Record<string, string>> = {
  SET: `
    set a | set a 1 foo | set a 1 nx xx | set a 1 xx nx | set a 1 ex | set a 1 ex abc | set a 1 ex 0 |
    set a 1 ex -1 | set a 1 px 0 | set a 1 exat 0 | set a 1 pxat -5 | set a 1 ex 9223372036854775807 |
    set a 1 ex 9223372036854775 | set a 1 px 9223372036854775807 | set a 1 exat 9223372036854776 | exists a |
    set a 1 px 10 ex 20 | set a 1 ex 10 exat 20 | set a 1 keepttl ex 20 | set a 1 ex 20 keepttl |
    set a 1 EX 10 ex 20 | ttl a | set a 2 KeepTtl | ttl a | set a 3 | ttl a | set a 4 xx get | set a 5 nx get |
    set b 6 nx get | set c 7 xx | set c 7 xx get | set c 8 nx | set c 9 nx | set c 9 nx nx | set c 9 get get |
    set a 1 pxat 9223372036854775807 | pexpiretime a | expiretime a | set a 1 exat 9223372036854775 | expiretime a |
    set a 1 pxat 1 | get a | exists a | set a 2 exat 1 get | get a | set a 1 persist | set a "" | get a | set "" x |
    get "" | set "a\\r\\n\\x00b" "\\xff\\x00" | get "a\\r\\n\\x00b" | setnx a 1 | setnx d 1 | setnx d | setex d 10 |
    setex d 0 x | setex d -1 x | setex d a x | setex d 9223372036854775807 x | setex d 100 x | ttl d | psetex d 0 x |
    psetex d 100000 y | ttl d | psetex d 1 y z | get d | get | get a b`,
  'GETSET, GETDEL, GETEX': `
    getset a | getset a 1 | getset a 2 | expire a 100 | getset a 3 | ttl a | getdel a | getdel a | getdel a b |
    getex a | getex a ex 0 | set a v | getex a | getex a ex 100 | ttl a | getex a | ttl a | getex a persist | ttl a |
    getex a persist | getex a ex 0 | getex a ex -1 | getex a px abc | getex a ex 10 persist | getex a persist ex 10 |
    getex a persist persist | getex a ex 10 ex 200 | ttl a | getex a ex 10 px 10 | getex a keepttl | getex a nx |
    getex a get | getex a ex | getex a ex 9223372036854775807 | getex a exat 1 | exists a | set a v |
    getex a pxat 1 | exists a | set a v | getex a pxat 9223372036854775807 | pttl none`,
  'several keys': `
    mset | mset a | mset a 1 b | mset a 1 b 2 a 3 | mget a b c | mget | msetnx | msetnx a | msetnx c 1 a 2 | get c |
    msetnx c 1 c 2 d | msetnx c 1 c 2 | get c | expire a 100 | mset a 1 b 2 | ttl a | exists a a b z | touch a z a |
    touch | exists | del | del a a z | unlink b c | unlink b | unlink | dbsize | dbsize x`,
  counters: `
    incr n | incr n | decr n | incrby n 10 | incrby n a | incrby n 1.5 | incrby n | incr n 1 | decrby n 3 |
    set n 9223372036854775807 | incr n | decr n | incrby n 2 | incrby n -9223372036854775808 | get n |
    set n -9223372036854775808 | decr n | decrby n 1 | decrby n -9223372036854775808 | decrby n 9223372036854775807 |
    set n 9007199254740991 | incr n | incr n | incrby n 9007199254740993 | decrby n 18014398509481984 | get n |
    set n " 1" | incr n | set n "1 " | incr n | set n 01 | incr n | set n -0 | incr n | set n +1 | incr n |
    set n "" | incr n | set n 99999999999999999999 | incr n | setrange m 0 12 | object encoding m | incr m |
    object encoding m | expire m 100 | incr m | ttl m | get m | incrby none 9223372036854775808 | exists none`,
  INCRBYFLOAT: `
    incrbyfloat f 3.14 | incrbyfloat f -3.14 | incrbyfloat f 5.0e3 | object encoding f | incrbyfloat f 0.1 |
    incrbyfloat f 0.2 | incrbyfloat f abc | incrbyfloat f | incrbyfloat f " 1" | incrbyfloat f 1e4932 |
    incrbyfloat f 1e4933 | incrbyfloat f inf | incrbyfloat f -inf | incrbyfloat f nan | get f | set f abc |
    incrbyfloat f 1 | set f 3 | incrbyfloat f 1.50 | expire f 100 | incrbyfloat f 0x10 | ttl f | set f 1e2 |
    incrbyfloat f 0 | set f 9007199254740993 | incrbyfloat f 0 | incrbyfloat f 1e-17 | incrbyfloat g -0 | get g |
    incrbyfloat h 17179869184 | incrbyfloat h 1.0000000000000000001 | strlen h | set f "" | incrbyfloat f 1`,
  'parts of strings': `
    append s | append s abc | append s "" | append s def | get s | object encoding s | append n 5 |
    object encoding n | append n "" | object encoding n | append e "" | exists e | strlen e | strlen none | strlen |
    getrange s 0 -1 | getrange s 1 2 | getrange s -2 -1 | getrange s 2 1 | getrange s -1 -2 | getrange s 6 9 |
    getrange s 5 9 | getrange s -100 2 | getrange s 0 -100 | getrange s -100 -100 | getrange e 0 -1 |
    getrange s 0 9223372036854775807 | getrange s -9223372036854775808 9223372036854775807 | getrange s a 1 |
    getrange s 0 9223372036854775808 | getrange none 0 -1 | getrange none a b | substr s 1 3 | substr s 1 |
    setrange s | setrange s 1 XY | setrange s 8 z | get s | setrange s 0 "" | setrange none 5 "" | exists none |
    setrange s -1 x | setrange s a x | setrange s -1 "" | setrange s 536870911 xx | setrange new 536870911 xx |
    setrange s 536870912 "" | setrange s 9223372036854775807 x | setrange s 4294967296 x | setrange new 3 x |
    get new | set i 123 | setrange i 0 "" | object encoding i | setrange i 1 9 | object encoding i | get i |
    expire i 100 | append i 0 | ttl i | setrange i 9 1 | ttl i | get i | type i`,
  LCS: `
    set x ohmytext | set y mynewtext | lcs x y | lcs x y len | lcs x y idx | lcs x y idx minmatchlen 4 |
    lcs x y idx minmatchlen 4 withmatchlen | lcs x y idx withmatchlen minmatchlen -1 | lcs x y len idx | lcs x |
    lcs x y minmatchlen | lcs x y minmatchlen a | lcs x y foo | lcs x none | lcs x none idx | lcs none none len |
    lcs x x | lcs x x idx withmatchlen | set x abcabcabba | set y cbabacabcb | lcs x y | lcs x y idx | set x 12345 |
    set y 23954 | lcs x y idx withmatchlen | lcs x y len minmatchlen 3 | lcs x y LEN | setrange x 20000 x |
    setrange y 20000 x | lcs x y`,
  names: `
    rename a b | rename a a | renamenx a a | rename a | set a 1 ex 100 | rename a a | renamenx a a | rename a b |
    exists a | ttl b | set c 2 | renamenx b c | rename b c | get c | ttl c | renamenx c d | get d | persist d |
    set e 5 ex 100 | rename d e | ttl e | type e | type none | type | randomkey x | keys | keys e | keys n*e`,
  'copies and moves': `
    copy a b | copy a a | copy a a db 1 | set a 1 ex 100 | copy a b | ttl b | copy a b | copy a b replace |
    copy a b replace replace | copy a a | copy a a db 0 | copy a a db 1 | copy a b db | copy a b db x |
    copy a b db 99 | copy a b db -1 | copy a b db 99999999999 | copy a b db 99999999999999999999 |
    copy a b db 1 db 2 | copy a b foo | copy a b replace db 1 | copy a | append b x | get a | get b | move a 1 |
    move a 0 | move a 99 | move a x | move a | move a -1 | move a 99999999999 | move none 5 | move a 5 | move a 5 |
    exists a | select 5 | ttl a | get a | select 0 | set copied 5 | copy copied copied2 | object encoding copied2 |
    object refcount copied2`,
  databases: `
    select 16 | select -1 | select x | select | select 99999999999 | select 1.0 | select 15 | set a 1 | dbsize |
    swapdb 15 0 | dbsize | select 0 | dbsize | swapdb 0 0 | swapdb 0 16 | swapdb 16 0 | swapdb x 0 | swapdb 0 y |
    swapdb x y | swapdb 99999999999 0 | swapdb 0 | swapdb 0 -1 | flushdb foo | flushdb sync async | flushdb async |
    dbsize | set a 1 | flushdb sync | dbsize | set a 1 | flushall foo | flushall SYNC | flushall async | dbsize |
    randomkey | scan 0 | keys * | set a 1 | flushdb | exists a`,
  expiry: `
    expire a 10 | ttl a | pttl a | expiretime a | pexpiretime a | persist a | set a 1 | ttl a | pttl a | persist a |
    expiretime a | pexpiretime a | expire a 100 | ttl a | expire a 200 nx | expire a 200 xx | ttl a |
    expire a 100 gt | expire a 300 gt | ttl a | expire a 400 lt | expire a 50 lt | ttl a | expire a 60 gt xx |
    expire a 70 lt xx | persist a | persist a | expire a 10 gt | expire a 10 xx | expire a 10 lt | ttl a |
    persist a | expire a 10 nx | expire a 10 nx xx | expire a 10 nx gt | expire a 10 nx lt | expire a 10 gt lt |
    expire a 10 lt gt xx | expire a 10 foo | expire a x foo | expire a x nx gt | expire a 20 gt gt | expire a x |
    expire a 1.5 | expire a | expire a 9223372036854775807 | expire a -9223372036854775808 |
    expire a 9223372036854775 | pexpire a 9223372036854775807 | expireat a 9223372036854775 | expiretime a |
    expireat a 9223372036854776 | pexpireat a 9223372036854775807 | pexpiretime a | expiretime a |
    pexpireat a 9223372036854775807 gt | pexpireat a 9223372036854775806 lt | pexpiretime a | expire a -1 gt |
    expire a -1 nx | exists a | expire a -1 lt | exists a | set a 1 | expire a 0 | exists a | set a 1 |
    pexpireat a 1 | exists a | set a 1 | expireat a 0 | dbsize | expire none x | expire none 10 foo | ttl |
    pexpire a 5 b`,
  OBJECT: `
    object | object help | object foo a | object encoding | object encoding a | object refcount a | object freq a |
    object idletime a | set a 1 | object encoding a | object refcount a | object idletime a | object freq a |
    set a 9999 | object refcount a | set a 10000 | object refcount a | set a -1 | object refcount a | set a xyz |
    object refcount a | object encoding a | object encoding a b |
    set a 12345678901234567890123456789012345678901234 | object encoding a |
    set a 123456789012345678901234567890123456789012345 | object encoding a | object ENCODING a | incr c |
    object refcount c | append d 7 | object refcount d | incrbyfloat f 7 | object refcount f | object help x`,
  SCAN: `
    scan | scan x | scan " 0" | scan 0x | scan 18446744073709551616 | scan 0 count | scan 0 count 0 |
    scan 0 count x | scan 0 count -1 | scan 0 match | scan 0 foo | scan 0 foo bar | scan 0 type | scan 0 | set a 1 |
    scan 0 | scan "" | scan +0 | scan 0 match a | scan 0 match b | scan 0 match * count 1000 | scan 0 type string |
    scan 0 type STRING | scan 0 type list | scan 0 type nosuch | scan 0 count 9223372036854775807 |
    scan 0 count 9223372036854775808 | set gone 1 pxat 1 | scan 0 count 100 | dbsize | set gone 1 pxat 1 |
    scan 0 type string match gone | dbsize | set gone 1 pxat 1 | keys * | dbsize | randomkey | del a | set "" 1 |
    keys * | scan 0 match * | scan 0 match ? | keys [ | keys \\\\ | keys [^] | keys "" | set k1 1 | set k2 2 |
    keys k[12] | keys k[^1] | keys k[2-1] | keys K?`,
}

/** The commands of a group. */
export const linesOf = (text: string): string[] =>
  text
    .split(/[|\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')

/** Makes random commands over a few keys, wrong ones too, that answer the same whenever they are run. */
export class Generator {
  readonly random: Random

  constructor(seed: number) {
    this.random = new Random(seed)
  }

  private one<T>(...choices: readonly T[]): T {
    return choices[this.random.below(choices.length)]!
  }

  private key(): string {
    return this.one('a', 'b', 'c', 'd', 'e', 'f', 'a key', '')
  }

  private integer(): Argument {
    const { random } = this
    const edge = this.one(
      '9223372036854775807',
      '-9223372036854775808',
      '9007199254740993',
      '99999999999999999999',
      'x',
      '',
    )
    return this.one<Argument>(random.below(10), -random.below(10), random.below(1_000_000), random.next(), edge)
  }

  private value(): Argument {
    const { random } = this
    const len = this.one(
      random.below(8),
      43,
      44,
      45,
      46,
      random.below(200),
      1000 + random.below(60),
      random.below(5000),
    )
    const text = this.one('x', 'ab', '\0\r\n', '\xe9').repeat(len).slice(0, len)
    return this.one<Argument>(
      this.integer(),
      text,
      this.one('1.5', '3.0e3', '-0.1', 'inf', '1e400'),
      Buffer.from(text, 'latin1'),
    )
  }

  /** A time to live that is refused, or has passed: none may pass while the test runs. */
  private badAmount(): Argument {
    return this.one<Argument>(0, -1, -1000, '9223372036854775807', '9223372036854775808', 'x', '')
  }

  /** An expiry option. Relative ones are hardly ever the same twice, so that a millisecond decides nothing. */
  private expiry(): Argument[] {
    const far = 100_000 + this.random.below(1_000_000_000)
    const [unit, amount] = this.one<[string, Argument]>(
      ['EX', far],
      ['px', far * 1000],
      ['EXAT', this.one(1, 4_000_000_000 + this.random.below(3))],
      ['PXAT', this.one(1, 4_000_000_000_000 + this.random.below(3))],
      [this.one('EX', 'PX'), this.badAmount()],
    )
    return this.one([unit, amount], [unit, amount], [unit])
  }

  private setOptions(): Argument[] {
    const options: Argument[] = []
    for (let count = this.random.below(3); count > 0; count--) {
      options.push(
        ...this.one<Argument[]>(['NX'], ['xx'], ['GET'], ['KEEPTTL'], this.expiry(), this.expiry(), ['bogus']),
      )
    }
    return options
  }

  private expire(): Argument[] {
    const far = 100_000 + this.random.below(1_000_000_000)
    const conditions = this.one<Argument[]>([], [], [this.one('NX', 'XX', 'GT', 'LT')], [this.one('nx', 'gt'), 'LT'])
    return this.one<Argument[]>(
      ['EXPIRE', this.key(), this.one<Argument>(far, far, this.badAmount()), ...conditions],
      ['PEXPIRE', this.key(), this.one<Argument>(far * 1000, -1), ...conditions],
      ['EXPIREAT', this.key(), this.one(1, 4_000_000_000 + this.random.below(3)), ...conditions],
      ['PEXPIREAT', this.key(), this.one(1, 4_000_000_000_000 + this.random.below(3)), ...conditions],
    )
  }

  private strings(): Argument[] {
    return this.one<Argument[]>(
      ['SET', this.key(), this.value()],
      ['SET', this.key(), this.value(), ...this.setOptions()],
      ['GET', this.key()],
      ['GETSET', this.key(), this.value()],
      ['GETDEL', this.key()],
      ['GETEX', this.key(), ...this.one<Argument[]>([], this.expiry(), ['PERSIST'])],
      ['SETNX', this.key(), this.value()],
      ['MSET', this.key(), this.value(), this.key(), this.value()],
      ['MSETNX', this.key(), this.value(), this.key(), this.value()],
      ['MGET', this.key(), this.key(), this.key()],
      ['APPEND', this.key(), this.value()],
      ['STRLEN', this.key()],
      [this.one('GETRANGE', 'SUBSTR'), this.key(), this.integer(), this.integer()],
      ['SETRANGE', this.key(), this.one<Argument>(this.random.below(3000), -1), this.value()],
      [
        'LCS',
        this.key(),
        this.key(),
        ...this.one<Argument[]>([], ['LEN'], ['IDX', 'WITHMATCHLEN'], ['IDX', 'MINMATCHLEN', 2]),
      ],
    )
  }

  private numbers(): Argument[] {
    return this.one<Argument[]>(
      [this.one('INCR', 'DECR'), this.key()],
      [this.one('INCRBY', 'DECRBY'), this.key(), this.integer()],
      ['INCRBYFLOAT', this.key(), this.value()],
      ['SET', this.key(), this.integer()],
    )
  }

  private keys(): Argument[] {
    const db = this.one<Argument>(0, 1, 2, 2, 16, 'x')
    return this.one<Argument[]>(
      [this.one('DEL', 'UNLINK', 'EXISTS', 'TOUCH'), this.key(), this.key()],
      ['TYPE', this.key()],
      [this.one('RENAME', 'RENAMENX'), this.key(), this.key()],
      ['COPY', this.key(), this.key(), ...this.one<Argument[]>([], ['REPLACE'], ['DB', db], ['replace', 'db', db])],
      ['MOVE', this.key(), db],
      ['PERSIST', this.key()],
      [this.one('TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME'), this.key()],
      ['OBJECT', 'ENCODING', this.key()],
      ['KEYS', this.one('*', '?', 'a*', '[a-c]', '')],
      ['SELECT', this.one(0, 1, 2)],
      ['DBSIZE'],
      this.one<Argument[]>(
        ['SWAPDB', this.one(0, 1, 2), this.one(0, 1, 2)],
        ['DBSIZE'],
        [this.one('FLUSHDB', 'DBSIZE')],
      ),
    )
  }

  next(): Argument[] {
    const pick = this.random.below(10)
    if (pick < 4) return this.strings()
    if (pick < 6) return this.numbers()
    return pick < 8 ? this.keys() : this.expire()
  }
}
