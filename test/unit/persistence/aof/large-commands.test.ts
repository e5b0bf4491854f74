import { expect, test } from 'vitest'
import { Session } from '../../../../src/commands/session.ts'
import { CommandImage } from '../../../../src/persistence/aof/image.ts'
import { Snapshot } from '../../../../src/persistence/snapshot.ts'
import type { Server } from '../../../../src/server/server.ts'
import { newServer, run } from '../../server/support.ts'
import { bytesOf, Collector, load } from '../rdb/support.ts'

const DUE = '4000000000000'
const TINY = { elements: 3, nodes: 0, bytes: 1000 }

/** Commands by their words; words longer than a few characters by their length and first character. */
function commandsOf(file: Collector): string[] {
  const lines = Buffer.from(file.all).toString('latin1').split('\r\n')
  const commands: string[] = []
  for (let at = 0; at < lines.length - 1; ) {
    const argc = Number(lines[at++]!.slice(1))
    const words = Array.from({ length: argc }, (_, index) => lines[at + index * 2 + 1]!)
    at += argc * 2
    commands.push(words.map((word) => (word.length < 20 ? word : `${word[0]}×${word.length}`)).join(' '))
  }
  return commands
}

function imageOf(server: Server, between: (step: number) => void = () => {}): string[] {
  const file = new Collector()
  const image = new CommandImage(server.keyspace, file, { second: 0, functions: null })
  const snapshot = new Snapshot(server.keyspace, image, TINY)
  for (let step = 0; snapshot.step(); step++) between(step)
  return commandsOf(file).slice(1)
}

function serverWith(...commands: string[][]): Server {
  const server = newServer()
  for (const words of commands) expect(run(server, new Session(1), ...words)).not.toMatch(/^-/)
  return server
}

test('a long string is a SET and an APPEND for each further piece, and its expiry comes last', () => {
  const server = serverWith(['SET', 's', 'x'.repeat(70_000)], ['PEXPIREAT', 's', DUE])
  expect(imageOf(server)).toEqual(['SET s x×32768', 'APPEND s x×32768', 'APPEND s x×4464', `PEXPIREAT s ${DUE}`])
})

test('an element beyond the gathering buffer is a command by itself, told of its expiry right behind', () => {
  const long = 'v'.repeat(100_000)
  const short = ['1', '2', '3', '4'].flatMap((field) => [field, field])
  const server = serverWith(['HSET', 'h', 'long', long, ...short], ['HPEXPIREAT', 'h', DUE, 'FIELDS', '2', 'long', '3'])
  const commands = imageOf(server)
  expect(commands).toContain('HMSET h long v×100000')
  const at = commands.indexOf('HMSET h long v×100000')
  expect(commands[at + 1]).toBe(`HPEXPIREAT h ${DUE} FIELDS 1 long`)
  const fields = commands.filter((each) => each.startsWith('HMSET h ')).flatMap((each) => each.split(' ').slice(2))
  expect(fields.filter((_, index) => index % 2 === 0).sort()).toEqual(['1', '2', '3', '4', 'long'])
  expect(commands.indexOf(`HPEXPIREAT h ${DUE} FIELDS 1 3`)).toBeGreaterThan(-1)
})

test('elements of a list keep their order, 64 to a command, with others in between', () => {
  const items = Array.from({ length: 3000 }, (_, index) => `item:${index}`)
  const server = serverWith(['RPUSH', 'l', ...items], ['SET', 'other', 'as it was'])
  const session = new Session(2)
  const commands = imageOf(server, (step) => {
    if (step === 2) run(server, session, 'SET', 'other', 'new')
    run(server, session, 'LSET', 'l', String(step), 'changed')
    run(server, session, 'RPUSH', 'l', 'later')
  })
  const words = commands.filter((each) => each.startsWith('RPUSH l ')).map((each) => each.split(' ').slice(2))
  expect(words.flat()).toEqual(items)
  expect(Math.max(...words.map((each) => each.length))).toBe(64)
  expect(commands).toContain('SET other as it was')
})

test('a hash whose fields begin to expire while it is written is written as it was', () => {
  const fields = Array.from({ length: 2000 }, (_, index) => `f${index}`)
  const server = serverWith(['HSET', 'h', ...fields.flatMap((field) => [field, 'as it was'])])
  const session = new Session(2)
  const commands = imageOf(server, (step) => {
    const field = fields[(step * 37) % fields.length]!
    run(server, session, 'HPEXPIREAT', 'h', DUE, 'FIELDS', '1', field)
    run(server, session, 'HSET', 'h', fields[(step * 11) % fields.length]!, 'new', `new${step}`, 'new')
    if (step === 50) run(server, session, 'DEL', 'h')
  })
  expect(commands.filter((each) => each.startsWith('HPEXPIREAT'))).toEqual([])
  const pairs = commands.map((each) => each.replace('HMSET h ', '').replaceAll('as it was', '=')).join(' ')
  const shown = pairs.split(' = ').map((each) => each.replace(' =', ''))
  expect(shown.sort()).toEqual([...fields].sort())
  server.keyspace.verify()
})

test.each(['rdb', 'commands'])(
  'fields are written with the expiry that they had, whatever becomes of it (%s)',
  (format) => {
    const later = '4100000000000'
    const fields = Array.from({ length: 2000 }, (_, index) => `f${index}`)
    const pairs = fields.flatMap((field) => [field, 'v'])
    const server = serverWith(['HSET', 'h', ...pairs], ['HPEXPIREAT', 'h', DUE, 'FIELDS', '2000', ...fields])
    const session = new Session(2)
    const file = new Collector()
    const { keyspace } = server
    const image =
      format === 'rdb'
        ? server.persistence.imageFor(file).image
        : new CommandImage(keyspace, file, { second: 0, functions: null })
    const snapshot = new Snapshot(keyspace, image, TINY)
    for (let step = 0; snapshot.step(); step++) {
      const field = () => fields[(step++ * 997) % fields.length]!
      run(server, session, 'HPEXPIREAT', 'h', later, 'FIELDS', '1', field())
      run(server, session, 'HPERSIST', 'h', 'FIELDS', '1', field())
      run(server, session, 'HSET', 'h', field(), 'w')
      run(server, session, 'HDEL', 'h', field())
      run(server, session, 'HSETEX', 'h', 'KEEPTTL', 'FIELDS', '1', field(), 'w')
      if (step > 300) run(server, session, 'UNLINK', 'h')
    }
    keyspace.verify()
    if (format === 'commands') {
      const told = commandsOf(file).filter((each) => each.startsWith('HPEXPIREAT'))
      expect(told.sort()).toEqual(fields.map((field) => `HPEXPIREAT h ${DUE} FIELDS 1 ${field}`).sort())
      return
    }
    const copy = load(file.all)
    const { hashes } = copy
    const db = copy.databases[0]!
    const entry = db.lookupRead(bytesOf('h'), 0, 1)
    let count = 0
    for (const walk = hashes.walkLive(entry); walk.next(); count++) {
      walk.locate()
      expect([walk.due, walk.valueLen, walk.valueBytes[walk.valuePos]]).toEqual([Number(DUE), 1, 118])
    }
    expect(count).toBe(fields.length)
  },
)
