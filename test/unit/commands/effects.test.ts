/* What is told of commands, to whoever listens: in which words, in which order, and what belongs together. */
import { expect, test } from 'vitest'
import { Call } from '../../../src/commands/call.ts'
import { type Command, group } from '../../../src/commands/definition.ts'
import type { EffectListener } from '../../../src/commands/effects.ts'
import { Session, SessionFlag } from '../../../src/commands/session.ts'
import { COMPLETE, Decoder } from '../../../src/protocol/decoder.ts'
import { Reply } from '../../../src/protocol/reply.ts'
import type { Server } from '../../../src/server/server.ts'
import { encode } from '../../helpers/raw-client.ts'
import { newServer, run } from '../server/support.ts'

/** Notes what is told: `db: words` a command, and `(` and `)` around what belongs together. */
class Notes implements EffectListener {
  readonly lines: string[] = []
  /** How many commands each range had. */
  readonly counts: number[] = []

  take(dbIndex: number, bytes: Uint8Array, pos: number, len: number, count: number): void {
    const own = bytes.slice(pos, pos + len)
    const decoder = new Decoder()
    this.counts.push(count)
    for (let left = count; left > 0; left--) {
      expect(decoder.decode(own, len)).toBe(COMPLETE)
      const words: string[] = []
      for (let index = 0; index < decoder.argc; index++) {
        words.push(Buffer.from(own.slice(decoder.pos[index], decoder.pos[index]! + decoder.len[index]!)).toString())
      }
      this.lines.push(`${dbIndex}: ${words.join(' ')}`)
    }
    expect(decoder.at).toBe(len)
  }
  begin(): void {
    this.lines.push('(')
  }
  end(): void {
    this.lines.push(')')
  }
}

function listening(): { server: Server; notes: Notes; session: Session } {
  const server = newServer()
  const notes = new Notes()
  server.dispatcher.propagateTo(notes)
  return { server, notes, session: new Session(1) }
}

/** Dispatches what a client sent in one read. */
function read({ keyspace, dispatcher }: Server, session: Session, text: string): void {
  const bytes = new Uint8Array(Buffer.from(text))
  const decoder = new Decoder()
  const call = new Call(keyspace, session, new Reply())
  dispatcher.begin()
  while (decoder.at < bytes.length) {
    expect(decoder.decode(bytes, bytes.length)).toBe(COMPLETE)
    call.bytes = decoder.bytes
    call.argc = decoder.argc
    call.command = null
    call.pos.set(decoder.pos.subarray(0, decoder.argc))
    call.len.set(decoder.len.subarray(0, decoder.argc))
    dispatcher.dispatch(call)
  }
  dispatcher.end(false)
}

/** Runs a handler as a command around others. */
function runHandler(server: Server, handler: (call: Call) => void): void {
  const [command] = group('generic', { OUTER: { summary: 'Runs others.', since: '1.0.0', run: handler } })
  command!.id = server.table.get('ping')!.id
  const session = new Session(1)
  session.flags |= SessionFlag.DENY_BLOCKING
  const call = new Call(server.keyspace, session, new Reply())
  call.bytes = new Uint8Array(Buffer.from('OUTERabc'))
  call.argc = 4
  call.pos.set([0, 5, 6, 7])
  call.len.set([5, 1, 1, 1])
  server.dispatcher.begin()
  server.dispatcher.run(call, command as Command)
}

function nested(server: Server, ...words: string[]): void {
  const session = new Session(1)
  session.flags |= SessionFlag.DENY_BLOCKING
  const call = new Call(server.keyspace, session, new Reply())
  const decoder = new Decoder()
  const bytes = new Uint8Array(encode(...words))
  decoder.decode(bytes, bytes.length)
  call.bytes = decoder.bytes
  call.argc = decoder.argc
  call.pos.set(decoder.pos.subarray(0, decoder.argc))
  call.len.set(decoder.len.subarray(0, decoder.argc))
  server.dispatcher.runNested(call, server.dispatcher.resolve(call)!)
}

test('a command that changes something is told in its own words, one that does not is not', () => {
  const { server, notes, session } = listening()
  run(server, session, 'SET', 'k', 'v')
  run(server, session, 'GET', 'k')
  run(server, session, 'DEL', 'none')
  run(server, session, 'lpush', 'k', 'v')
  run(server, session, 'SELECT', '3')
  run(server, session, 'sadd', 'k', 'v')
  expect(notes.lines).toEqual(['0: SET k v', '3: sadd k v'])
})

test('what came in one read and need not be said otherwise is told as one range', () => {
  const { server, notes, session } = listening()
  const many = 'x'.repeat(120)
  read(server, session, `${encode('SET', 'a', '1')}${encode('SADD', 's', many)}${encode('DEL', 'a')}`)
  expect(notes.counts).toEqual([3])
  expect(notes.lines).toEqual(['0: SET a 1', `0: SADD s ${many}`, '0: DEL a'])
})

test('a read in which something changes nothing is told in several ranges', () => {
  const { server, notes, session } = listening()
  read(server, session, `${encode('SET', 'a', '1')}${encode('GET', 'a')}${encode('INCR', 'a')}${encode('INCR', 'a')}`)
  expect(notes.counts).toEqual([1, 2])
})

test('an inline request is told as if it had come as an array', () => {
  const { server, notes, session } = listening()
  read(server, session, `SET a         b\r\n${encode('SET', 'b', '1')}FLUSHALL\r\nset 'c' "d e"\r\n`)
  expect(notes.lines).toEqual(['0: SET a b', '0: SET b 1', '0: FLUSHALL', '0: set c d e'])
})

test('what only looks like a request that can be told as it came is told as it should be', () => {
  const { server, notes, session } = listening()
  read(server, session, `${encode('SET', 'a', 'v*bcdef')}FLUSHALL\r\n*3\rX$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1XX`)
  expect(notes.counts).toEqual([1, 1, 1])
  expect(notes.lines).toEqual(['0: SET a v*bcdef', '0: FLUSHALL', '0: SET b 1'])
})

test('several effects of one command belong together, and the command around others is not told', () => {
  const { server, notes } = listening()
  runHandler(server, () => {
    nested(server, 'SET', 'a', '1')
    nested(server, 'GET', 'a')
    nested(server, 'INCR', 'a')
  })
  runHandler(server, () => nested(server, 'SET', 'b', '1'))
  expect(notes.lines).toEqual(['(', '0: SET a 1', '0: INCR a', ')', '0: SET b 1'])
})

test('a handler says what is told instead', () => {
  const { server, notes } = listening()
  runHandler(server, (call) => {
    call.keyspace.dirty++
    call.effects.begin(call, 3).word('FIRST').argument(call, 2).integer(-12345678901)
    call.effects.begin(call, 1).word('SECOND')
  })
  runHandler(server, (call) => {
    call.keyspace.dirty++
    call.effects.suppress()
  })
  runHandler(server, (call) => call.effects.force())
  expect(notes.lines).toEqual(['(', '0: FIRST b -12345678901', '0: SECOND', ')', '0: OUTER a b c'])
})

test('a key that has run out of time is told as deleted before the command that met it', () => {
  const { server, notes, session } = listening()
  run(server, session, 'SET', 'k', 'v', 'PXAT', '1')
  run(server, session, 'SET', 'other', 'v', 'PXAT', '1')
  notes.lines.length = 0
  run(server, session, 'APPEND', 'k', 'v')
  run(server, session, 'GET', 'other')
  expect(notes.lines).toEqual(['(', '0: DEL k', '0: APPEND k v', ')', '0: DEL other'])
})

test('who listens no more is told nothing', () => {
  const { server, notes, session } = listening()
  server.dispatcher.propagateNoMoreTo(notes)
  run(server, session, 'SET', 'k', 'v', 'PXAT', '1')
  run(server, session, 'GET', 'k')
  expect(notes.lines).toEqual([])
  expect(server.keyspace.removals).toBe(null)
})
