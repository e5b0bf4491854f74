import { describe, expect, test } from 'vitest'
import { Call } from '../../../src/commands/call.ts'
import type { Command } from '../../../src/commands/definition.ts'
import { Session } from '../../../src/commands/session.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import { Reply } from '../../../src/protocol/reply.ts'
import { secretsOf } from '../../../src/server/redaction.ts'
import { newConfig } from './config/support.ts'

/** A command line with X for every argument that must not be shown. */
function redacted(fullName: string, line: string): string {
  const args = line.split(' ')
  const call = new Call(new Keyspace(1), new Session(1), new Reply())
  call.makeRoom(args.length)
  call.bytes = fromLatin1(args.join(''))
  call.argc = args.length
  let pos = 0
  for (const [index, arg] of args.entries()) {
    call.pos[index] = pos
    call.len[index] = arg.length
    pos += arg.length
  }
  const secrets = secretsOf(call, { fullName } as Command, newConfig())
  return args.map((arg, index) => (secrets.has(index) ? 'X' : arg)).join(' ')
}

describe('what must not be shown', () => {
  test.each([
    ['auth', 'AUTH pass', 'AUTH X'],
    ['auth', 'AUTH user pass', 'AUTH X X'],
    ['hello', 'HELLO', 'HELLO'],
    ['hello', 'HELLO 3 auth user pass SETNAME AUTH', 'HELLO 3 auth X X SETNAME AUTH'],
    ['hello', 'HELLO 3 SETNAME x AUTH user pass', 'HELLO 3 SETNAME x AUTH X X'],
    ['hello', 'HELLO 3 AUTH user', 'HELLO 3 AUTH user'],
    [
      'config|set',
      'CONFIG SET maxmemory 1 RequirePass pass masterauth pass',
      'CONFIG SET maxmemory 1 RequirePass X masterauth X',
    ],
    ['config|set', 'CONFIG SET requirepass', 'CONFIG SET requirepass'],
    ['acl|setuser', 'ACL SETUSER bob on >pass', 'ACL SETUSER X X X'],
    ['migrate', 'MIGRATE host 1 auth 0 100 AUTH pass', 'MIGRATE host 1 auth 0 100 AUTH X'],
    [
      'migrate',
      'MIGRATE host 1 key 0 100 COPY auth2 user pass KEYS a',
      'MIGRATE host 1 key 0 100 COPY auth2 X X KEYS a',
    ],
    ['get', 'GET auth', 'GET auth'],
  ])('in %s: %s', (fullName, line, shown) => {
    expect(redacted(fullName, line)).toBe(shown)
  })

  test('among a great many arguments: none that is not looked at', () => {
    const many = 'x '.repeat(3000).trim()
    expect(redacted('auth', `AUTH ${many}`)).toBe(`AUTH ${many.toUpperCase()}`)
    expect(redacted('hello', `HELLO 3 AUTH a b ${many}`)).toMatch(/^HELLO 3 AUTH X X( x){1000,}( X){1000,}$/)
    expect(redacted('get', `GET ${many}`)).toBe(`GET ${many}`)
  })
})
