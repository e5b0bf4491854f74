/* Fields that expire, as commands see them: what is replied, which events are told, and in which words it is told to
 * those who repeat it. Time stands where the test puts it. */
import { describe, expect, test } from 'vitest'
import { Call } from '../../../src/commands/call.ts'
import { CommandTable } from '../../../src/commands/command-table.ts'
import { Effects } from '../../../src/commands/effects.ts'
import { hashCommands } from '../../../src/commands/hashes.ts'
import { hashExpiryCommands } from '../../../src/commands/hashes-expiry.ts'
import { hashGetexCommands } from '../../../src/commands/hashes-getex.ts'
import { hashWalkCommands } from '../../../src/commands/hashes-walks.ts'
import { keyCommands } from '../../../src/commands/keys.ts'
import { keyMoveCommands } from '../../../src/commands/keys-move.ts'
import { Session } from '../../../src/commands/session.ts'
import { stringCommands } from '../../../src/commands/strings.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { Reply } from '../../../src/protocol/reply.ts'

const FAMILIES = [
  hashCommands,
  hashExpiryCommands,
  hashGetexCommands,
  hashWalkCommands,
  keyCommands,
  keyMoveCommands,
  stringCommands,
]
const NOW = 1_700_000_000_000

class Engine {
  readonly keyspace = new Keyspace(1)
  readonly events: string[] = []
  readonly effects = new Effects()
  readonly told: string[] = []
  now = NOW
  private readonly table = new CommandTable()

  constructor() {
    for (const commands of FAMILIES) this.table.register(commands)
    this.keyspace.removals = this.effects
    this.effects.listen({
      take: (_db, bytes, pos, len) => {
        const words = Buffer.from(bytes.slice(pos, pos + len))
          .toString()
          .split('\r\n')
          .slice(1)
        this.told.push(words.filter((_, index) => index % 2 === 1).join(' '))
      },
      begin() {},
      end() {},
    })
    this.keyspace.listen({
      keyChanged: (_db, _bytes, _pos, _len, event) => this.events.push(event.name),
      flushed() {},
      swapped() {},
    })
  }

  /** The reply to a command, its lines joined by blanks. */
  run(line: string, version = 2): string {
    const words = line.split(' ')
    const reply = new Reply()
    reply.version = version
    const call = new Call(this.keyspace, new Session(1), reply)
    call.bytes = new Uint8Array(Buffer.from(words.join(''), 'latin1'))
    call.argc = words.length
    let pos = 0
    for (const [index, word] of words.entries()) {
      call.pos[index] = pos
      call.len[index] = word.length
      pos += word.length
    }
    this.keyspace.setTime(this.now)
    call.command = this.table.lookup(call.bytes, 0, words[0]!.length)!
    expect(call.argc).toBeGreaterThanOrEqual(call.command.leastArgc)
    this.effects.perform(call, call.command)
    this.effects.settle()
    return reply.takeBuffer().view().toString('latin1').trimEnd().replaceAll('\r\n', ' ')
  }

  encoding(key: string): string {
    const entry = this.keyspace.databases[0]!.lookup(Buffer.from(key), 0, key.length)
    return this.keyspace.kindOf(entry).encodingName(entry)
  }

  /** What has been told since the last call. */
  takeTold(): string[] {
    return this.told.splice(0)
  }
  takeEvents(): string[] {
    return this.events.splice(0)
  }
}

/** The forms that a hash may have. */
describe.each([
  ['listpackex', 512],
  ['hashtable', 0],
])('in a %s', (encoding, countMax) => {
  function engine(...lines: readonly string[]): Engine {
    const made = new Engine()
    made.keyspace.hashes.listpackCountMax = countMax
    for (const line of lines) made.run(line)
    made.takeTold()
    made.takeEvents()
    return made
  }

  test('a field is there up to its moment, and no command sees it after that', () => {
    const server = engine('hset h a 1 b 2 c 3', 'hpexpire h 100 FIELDS 2 a b')
    expect(server.encoding('h')).toBe(encoding)
    server.now += 100
    expect(server.run('hmget h a b c')).toBe('*3 $1 1 $1 2 $1 3')
    server.now += 1
    expect(server.run('hlen h')).toBe(':3')
    for (const read of ['hgetall h', 'hscan h 0']) {
      expect(server.run(read)).toContain('$1 c $1 3')
      expect(server.run(read)).not.toContain('$1 a')
    }
    expect(server.run('hkeys h')).toBe('*1 $1 c')
    expect(server.run('hvals h')).toBe('*1 $1 3')
    expect(server.run('httl h FIELDS 3 a b c')).toBe('*3 :-2 :-2 :-1')
    expect(server.run('hget h a')).toBe('$-1')
    expect(server.run('hlen h')).toBe(':2')
    expect(server.run('hrandfield h 5')).toBe('*1 $1 c')
    expect(server.run('hlen h')).toBe(':1')
    server.keyspace.verify()
  })

  test.each([
    ['hget h a', '$-1'],
    ['hmget h a a', '*2 $-1 $-1'],
    ['hexists h a', ':0'],
    ['hstrlen h a', ':0'],
    ['hrandfield h', '$-1'],
    ['hrandfield h 3', '*0'],
    ['hgetdel h FIELDS 1 a', '*1 $-1'],
    ['hgetex h FIELDS 1 a', '*1 $-1'],
    ['hgetex h EX 5 FIELDS 1 a', '*1 $-1'],
    ['hexpire h 5 FIELDS 1 a', '*1 :-2'],
    ['hsetex h FXX FIELDS 1 a x', ':0'],
  ])('the last field goes with its hash when %s meets it', (line, reply) => {
    const server = engine('hset h a 1', 'hpexpire h 100 FIELDS 1 a')
    server.now += 101
    expect(server.run(line)).toBe(reply)
    expect(server.takeEvents()).toEqual(['hexpired', 'del'])
    expect(server.takeTold()[0]).toBe('HDEL h a')
    expect(server.run('exists h')).toBe(':0')
    expect(server.keyspace.stats.expiredFields).toBe(1)
    server.keyspace.verify()
  })

  test.each([
    ['hsetnx h a 9', ':1', '$1 9'],
    ['hincrby h a 9', ':9', '$1 9'],
    ['hincrbyfloat h a 1.5', '$3 1.5', '$3 1.5'],
    ['hsetex h FNX FIELDS 1 a 9', ':1', '$1 9'],
    ['hsetex h KEEPTTL FIELDS 1 a 9', ':1', '$1 9'],
  ])('%s begins anew where the last field is past its time', (line, reply, value) => {
    const server = engine('hset h a 5', 'hpexpire h 100 FIELDS 1 a')
    server.now += 101
    expect(server.run(line)).toBe(reply)
    expect(server.run('hget h a')).toBe(value)
    expect(server.run('httl h FIELDS 1 a')).toBe('*1 :-1')
    server.keyspace.verify()
  })

  test('nothing goes while expiry is paused, and nothing past its time is seen', () => {
    const server = engine('hset h a 1 b 2', 'hpexpire h 100 FIELDS 1 a')
    server.now += 101
    server.keyspace.expiryPaused = true
    expect(server.run('hget h a')).toBe('$-1')
    expect(server.run('hlen h')).toBe(':2')
    expect(server.takeEvents()).toEqual([])
    server.keyspace.expiryPaused = false
    expect(server.run('hget h a')).toBe('$-1')
    expect(server.run('hlen h')).toBe(':1')
  })

  test('what is replayed finds fields that were there, whatever the time is now', () => {
    const server = engine('hset h a 1 b 2')
    server.keyspace.keepExpired(true)
    expect(server.run(`hpexpireat h ${NOW - 5} FIELDS 2 a b`)).toBe('*2 :1 :1')
    expect(server.run('hpersist h FIELDS 1 a')).toBe('*1 :1')
    expect(server.run('hincrby h b 1')).toBe(':3')
    server.keyspace.keepExpired(false)
    expect(server.run('hgetall h')).toBe('*2 $1 a $1 1')
    server.keyspace.verify()
  })

  test('setting a field takes its expiry away; adding to it does not', () => {
    const server = engine('hset h a 1 b 1 c 1', 'hexpire h 100 FIELDS 3 a b c')
    server.run('hset h a 2')
    server.run('hincrby h b 1')
    server.run('hincrbyfloat h c 1')
    expect(server.run('httl h FIELDS 3 a b c')).toBe('*3 :-1 :100 :100')
    expect(server.run('hmget h a b c')).toBe('*3 $1 2 $1 2 $1 2')
    expect(server.takeTold()).toContain('HSETEX h KEEPTTL FIELDS 1 c 2')
  })

  test('conditions compare with the expiry that there is', () => {
    const server = engine('hset h a 1 b 1', 'hexpire h 100 FIELDS 1 a')
    expect(server.run('hexpire h 50 NX FIELDS 3 a b none')).toBe('*3 :0 :1 :-2')
    server.run('hpersist h FIELDS 1 b')
    expect(server.run('hexpire h 50 XX FIELDS 2 a b')).toBe('*2 :1 :0')
    expect(server.run('hexpire h 60 GT FIELDS 2 a b')).toBe('*2 :1 :0')
    expect(server.run('hexpire h 60 GT FIELDS 1 a')).toBe('*1 :0')
    expect(server.run('hexpire h 60 LT FIELDS 1 a')).toBe('*1 :0')
    expect(server.run('hexpire h 30 LT FIELDS 2 a b')).toBe('*2 :1 :1')
    expect(server.run('hexpiretime h FIELDS 1 a')).toBe(`*1 :${(NOW + 30_000) / 1000}`)
    expect(server.run('hpexpiretime h FIELDS 1 b')).toBe(`*1 :${NOW + 30_000}`)
  })

  test('is told as moments, without the fields that nothing happened to', () => {
    const server = engine('hset h a 1 b 2 c 3 d 4', 'hexpire h 9 FIELDS 1 b')
    server.run('hexpire h 10 NX FIELDS 4 a b none c')
    expect(server.takeTold()).toEqual([`HPEXPIREAT h ${NOW + 10_000} NX FIELDS 2 a c`])
    expect(server.takeEvents()).toEqual(['hexpire'])
    server.run('hexpireat h 1 FIELDS 2 a c')
    expect(server.takeTold()).toEqual(['HDEL h a', 'HDEL h c'])
    expect(server.takeEvents()).toEqual(['hdel'])
    server.run('hexpire h 10 XX FIELDS 1 d')
    expect(server.takeTold()).toEqual([])
    expect(server.takeEvents()).toEqual([])
    server.run('hpersist h FIELDS 2 b d')
    expect(server.takeTold()).toEqual(['hpersist h FIELDS 2 b d'])
    expect(server.takeEvents()).toEqual(['hpersist'])
    server.run('hpexpire h 0 FIELDS 2 b d')
    expect(server.takeEvents()).toEqual(['hdel', 'del'])
    expect(server.run('exists h')).toBe(':0')
  })

  test('HSETEX sets all fields or none', () => {
    const server = engine('hset h a 1')
    expect(server.run('hsetex h FNX EX 10 FIELDS 2 b 2 a 3')).toBe(':0')
    expect(server.run('hsetex h FXX EX 10 FIELDS 2 a 3 b 2')).toBe(':0')
    expect(server.run('hgetall h')).toBe('*2 $1 a $1 1')
    expect(server.takeTold()).toEqual([])
    expect(server.run('hsetex h FXX EX 10 FIELDS 1 a 3')).toBe(':1')
    expect(server.takeTold()).toEqual([`HSETEX h FXX PXAT ${NOW + 10_000} FIELDS 1 a 3`])
    expect(server.takeEvents()).toEqual(['hset', 'hexpire'])
    expect(server.run('hsetex h KEEPTTL FIELDS 2 a 4 b 5')).toBe(':1')
    expect(server.run('httl h FIELDS 2 a b')).toBe('*2 :10 :-1')
    expect(server.run('hsetex h FIELDS 1 a 4')).toBe(':1')
    expect(server.run('httl h FIELDS 1 a')).toBe('*1 :-1')
    server.takeTold()
    expect(server.run('hsetex h PXAT 1 FIELDS 2 a 4 b 5')).toBe(':1')
    expect(server.takeTold()).toEqual(['HDEL h a', 'HDEL h b'])
    expect(server.run('exists h')).toBe(':0')
    server.run('set other x')
    expect(server.run('hsetex new PXAT 1 FIELDS 1 a 1')).toBe(':1')
    expect(server.run('exists new other')).toBe(':1')
    expect(server.run('hsetex new FXX FIELDS 1 a 1')).toBe(':0')
    expect(server.run('hsetex new FNX FIELDS 1 a 1')).toBe(':1')
    server.keyspace.verify()
  })

  test('HGETEX and HGETDEL give what there is and do the rest', () => {
    const server = engine('hset h a 1 b 22 c 3')
    expect(server.run('hgetex h FIELDS 2 a none')).toBe('*2 $1 1 $-1')
    expect(server.takeEvents()).toEqual([])
    expect(server.run('hgetex h EX 10 FIELDS 2 a none', 3)).toBe('*2 $1 1 _')
    expect(server.takeTold()).toEqual([`HPEXPIREAT h ${NOW + 10_000} FIELDS 2 a none`])
    expect(server.takeEvents()).toEqual(['hexpire'])
    expect(server.run('hgetex h PERSIST FIELDS 2 a b')).toBe('*2 $1 1 $2 22')
    expect(server.takeTold()).toEqual(['HPERSIST h FIELDS 2 a b'])
    expect(server.takeEvents()).toEqual(['hpersist'])
    expect(server.run('httl h FIELDS 1 a')).toBe('*1 :-1')
    expect(server.run('hgetex h PXAT 1 FIELDS 1 c')).toBe('*1 $1 3')
    expect(server.takeEvents()).toEqual(['hdel'])
    expect(server.takeTold()).toEqual(['HDEL h c'])
    expect(server.run('hgetdel h FIELDS 3 a none b')).toBe('*3 $1 1 $-1 $2 22')
    expect(server.takeTold()).toEqual(['HDEL h a none b'])
    expect(server.takeEvents()).toEqual(['hdel', 'del'])
    expect(server.run('hgetdel h FIELDS 1 a')).toBe('*1 $-1')
    expect(server.run('hgetex h EX 5 FIELDS 1 a')).toBe('*1 $-1')
  })

  test('overwriting or deleting the key ends it all', () => {
    const server = engine('hset h a 1', 'hexpire h 10 FIELDS 1 a')
    expect(server.keyspace.databases[0]!.expiringHashes).toBe(1)
    server.run('set h string')
    expect(server.keyspace.databases[0]!.expiringHashes).toBe(0)
    server.keyspace.verify()
  })
})

/** The corner where a hash without expiries could be taken for one with: what they write down lies elsewhere. */
test.each([512, 0])('HSETEX and HGETDEL leave whole a hash whose fields do not expire (listpacks up to %i)', (most) => {
  const server = new Engine()
  server.keyspace.hashes.listpackCountMax = most
  const fields = Array.from({ length: 400 }, (_, index) => index)
  for (const index of fields) server.run(`hset h f${index} ${index}`)
  for (const index of fields.slice(0, 100)) {
    server.run(`hsetex h KEEPTTL FIELDS 1 f${index} x`)
    server.run(`hsetex h FIELDS 1 new${index} x`)
    expect(server.run(`hgetdel h FIELDS 1 f${index + 100}`)).toBe(`*1 $3 ${index + 100}`)
    expect(server.run('hlen h')).toBe(':400')
  }
  server.keyspace.verify()
  for (const index of fields.slice(200)) expect(server.run(`hget h f${index}`)).toBe(`$3 ${index}`)
  expect(server.encoding('h')).toBe(most === 0 ? 'hashtable' : 'listpack')
})

test.each([
  ['hexpire h x FIELDS 1 a', 'ERR value is not an integer or out of range'],
  ['hexpire h -1 FIELDS 1 a', 'ERR invalid expire time, must be >= 0'],
  ['hexpire h 70368744178 FIELDS 1 a', "ERR invalid expire time in 'hexpire' command"],
  ['hpexpireat h 70368744177664 FIELDS 1 a', "ERR invalid expire time in 'hpexpireat' command"],
  ['hexpire h 1 FOO FIELDS 1 a', 'ERR Mandatory argument FIELDS is missing or not at the right position'],
  ['hexpire h 1 FIELDS 0 a', 'ERR Parameter `numFields` should be greater than 0'],
  ['hexpire h 1 FIELDS 2 a', 'ERR The `numfields` parameter must match the number of arguments'],
  ['httl h FIELDS 0 a', 'ERR Number of fields must be a positive integer'],
  ['httl h 1 a b', 'ERR Mandatory argument FIELDS is missing or not at the right position'],
  ['hpersist h FIELDS 2 a', 'ERR The `numfields` parameter must match the number of arguments'],
  ['hgetdel h FIELDS x a', 'ERR Number of fields must be a positive integer'],
  ['hgetex h EX 5 FIELDS', "ERR wrong number of arguments for 'hgetex' command"],
  ['hgetex h EX -5 FIELDS 1 a', 'ERR invalid expire time, must be >= 0'],
  ['hgetex h FOO FIELDS 1 a', 'ERR Mandatory argument FIELDS is missing or not at the right position'],
  ['hsetex h FIELDS 2 a 1', "ERR wrong number of arguments for 'hsetex' command"],
  ['hsetex h FIELDS 0 a 1', 'ERR invalid number of fields'],
  ['hsetex h FNX FXX FIELDS 1 a 1', 'ERR Only one of FXX or FNX arguments can be specified'],
  ['hsetex h EX 1 KEEPTTL FIELDS 1 a', 'ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified'],
  ['hsetex h foo FIELDS 1 a 1', 'ERR unknown argument: foo'],
  ['hsetex h FNX FNX a 1', 'ERR Only one of FXX or FNX arguments can be specified'],
  ['hsetex h FNX KEEPTTL a EX', 'ERR unknown argument: a'],
  ['hsetex h FNX a 1 EX', 'ERR unknown argument: a'],
  ['hsetex h FNX EX 1 PXAT', 'ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified'],
])('%s is refused', (line, error) => {
  const server = new Engine()
  expect(server.run(line)).toBe(`-${error}`)
  server.run('set h string')
  expect(server.run(line)).toMatch(line.startsWith('hsetex') ? `-${error}` : /^-WRONGTYPE/)
})

test('a copy of a large hash has its fields, their values, and when each expires', () => {
  const server = new Engine()
  const names = Array.from({ length: 2000 }, (_, index) => `f${(index * 7919) % 2000}`)
  for (const name of names) server.run(`HSET h ${name} v${name}`)
  // Many at the same moment, many at moments of their own, and some never.
  for (const [index, name] of names.entries()) {
    const due = index % 3 === 0 ? NOW + 5000 : NOW + 1000 + ((index * 31) % 8000)
    if (index % 5 !== 0) server.run(`HPEXPIREAT h ${due} FIELDS 1 ${name}`)
  }
  const both = (line: string): [string, string] => [
    server.run(line.replace('*', 'h')),
    server.run(line.replace('*', 'c')),
  ]
  expect(server.run('COPY h c')).toBe(':1')
  for (const name of names) {
    for (const line of [`HGET * ${name}`, `HPEXPIRETIME * FIELDS 1 ${name}`]) {
      const [original, copy] = both(line)
      expect(copy).toBe(original)
    }
  }
  server.keyspace.verify()
  server.now = NOW + 5001
  expect(both('HGET * f0')[1]).toBe(both('HGET * f0')[0])
  expect(server.run('HPERSIST c FIELDS 1 f1')).toBe(server.run('HPERSIST h FIELDS 1 f1'))
  expect(server.run('DEL h')).toBe(':1')
  server.keyspace.verify()
})
