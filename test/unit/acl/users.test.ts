import { describe, expect, test } from 'vitest'
import { AclLog } from '../../../src/acl/log.ts'
import { losesChannels, mayStillHear } from '../../../src/acl/permissions.ts'
import type { Commands } from '../../../src/acl/selector.ts'
import { Access } from '../../../src/acl/selector.ts'
import { User } from '../../../src/acl/user.ts'
import { Users } from '../../../src/acl/users.ts'
import { Category, type Command, Flag, group, key } from '../../../src/commands/definition.ts'
import { fromLatin1 } from '../../../src/lib/bytes.ts'

const run = (): void => {}
const table: Command[] = []
function number(commands: readonly Command[]): void {
  for (const command of commands) {
    command.id = table.length
    table.push(command)
    number(command.subcommands)
  }
}
const read = { summary: '', since: '1.0.0', complexity: '', args: [key('RO access')], run } as const
number(
  group('string', {
    GET: { ...read, flags: Flag.READONLY | Flag.FAST },
    SET: { ...read, flags: Flag.WRITE },
    SELECT: { summary: '', since: '1.0.0', complexity: '', flags: Flag.FAST, run },
    CONFIG: {
      summary: '',
      since: '1.0.0',
      subcommands: {
        GET: { summary: '', since: '1.0.0', complexity: '', flags: Flag.ADMIN, run },
        SET: { summary: '', since: '1.0.0', complexity: '', flags: Flag.ADMIN, run },
      },
    },
  }),
)
const commands: Commands = {
  all: table,
  find: (name) => table.find((command) => command.fullName === name.toLowerCase()),
  category: (name) => Category[name.toUpperCase() as keyof typeof Category] ?? 0,
}
const command = (name: string): Command => commands.find(name)!

function userOf(...rules: string[]): User {
  const user = new User('bob', { commands, allChannels: false })
  for (const rule of rules) expect(user.set(rule), rule).toBe(undefined)
  return user
}

const use = (user: User, access: number, name: string): boolean =>
  user.root.mayUse(access, fromLatin1(name), 0, name.length)

describe('a user', () => {
  test('may do nothing at first, and nobody may log in as it', () => {
    const user = userOf()
    expect(user.describe()).toBe('off sanitize-payload resetchannels -@all')
    expect(user.accepts('')).toBe(false)
    expect(user.isUnlimited).toBe(false)
    expect(user.root.mayRun(command('get'), undefined)).toBe(false)
    expect(use(user, Access.READ, 'k')).toBe(false)
  })

  test('has passwords, each of which lets one in, until it is disabled', () => {
    const user = userOf('on', '>one', '>two', '>one')
    expect(user.passwords).toHaveLength(2)
    expect(['one', 'two', 'three', ''].map((word) => user.accepts(word))).toEqual([true, true, false, false])
    expect(user.set('<three')).toMatch(/does not exist/)
    user.set('<one')
    user.set(`!${user.passwords[0]}`)
    expect(user.accepts('two')).toBe(false)
    user.set('nopass')
    expect(user.accepts('anything')).toBe(true)
    user.set('off')
    expect(user.accepts('anything')).toBe(false)
    expect(user.set('#zz')).toMatch(/exactly 64 characters/)
  })

  test.each([
    [['+get'], '-@all +get'],
    [['+@all', '-get'], '+@all -get'],
    [['+@all', '-get', '+get'], '+@all +get'],
    [['+config|get', '+config'], '-@all +config'],
    [['+config', '-config|set'], '-@all +config -config|set'],
    [['+select|0', '+select|1'], '-@all +select|0 +select|1'],
    [['+@READ', '-@read', '+GET'], '-@all -@read +get'],
    [['+get', 'allcommands'], '+@all'],
    [['allcommands', 'nocommands'], '-@all'],
  ])('with the commands %j has the rules %s', (rules, expected) => {
    expect(userOf(...rules).root.describeCommands()).toBe(expected)
  })

  test('may run what the last rule about it says', () => {
    const user = userOf('+@admin', '-config|set', '+select|0')
    const may = (name: string, first?: string): boolean => user.root.mayRun(command(name), first)
    expect([may('config|get'), may('config|set'), may('get')]).toEqual([true, false, false])
    expect([may('select', '0'), may('select', '1'), may('select')]).toEqual([true, false, false])
    user.set('-select')
    expect(may('select', '0')).toBe(false)
    expect(userOf('+@all', '-get').isUnlimited).toBe(false)
    expect(userOf('allkeys', 'allchannels', '+@all').isUnlimited).toBe(true)
  })

  test.each(['+nothing', '-nothing', '+@nothing', '-select|0', '+config|nothing'])('refuses %s', (rule) => {
    expect(userOf().set(rule)).toBe('Unknown command or category name in ACL')
  })

  test.each(['nothing', '%', '%~a', '%X~a', '%RR~a', '%Rab', '~a b', '&a\0', '+select|'])(
    'does not understand %j',
    (rule) => {
      expect(userOf().set(rule)).toBe('Syntax error')
    },
  )

  test('may read keys, write them, or both', () => {
    const user = userOf('%R~r:*', '%W~w:*', '~b:*', '%R~x', '%W~x')
    expect(user.root.describeKeys()).toBe('%R~r:* %W~w:* ~b:* ~x')
    expect([use(user, Access.READ, 'r:1'), use(user, Access.WRITE, 'r:1')]).toEqual([true, false])
    expect([use(user, Access.READ, 'w:1'), use(user, Access.WRITE, 'w:1')]).toEqual([false, true])
    expect(use(user, Access.READ | Access.WRITE, 'b:1')).toBe(true)
    expect(use(user, Access.READ | Access.WRITE, 'r:1')).toBe(false)
    expect(user.root.mayUseAll(Access.READ)).toBe(false)
    user.set('allkeys')
    expect(user.set('~more')).toMatch(/Adding a pattern after the \* pattern/)
  })

  test('hears channels that match, and patterns that are the same', () => {
    const user = userOf('&news.*')
    const hears = (isPattern: boolean, name: string): boolean => mayStillHear(user, isPattern, fromLatin1(name))
    expect([hears(false, 'news.x'), hears(false, 'other'), hears(true, 'news.*'), hears(true, 'news.x')]).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(losesChannels(user, userOf('&news.*', '&more'))).toBe(false)
    expect(losesChannels(user, userOf('&more'))).toBe(true)
    expect(losesChannels(userOf('allchannels'), user)).toBe(true)
  })

  test('may have selectors beside its own, and loses them', () => {
    const user = userOf('on', '+get', '~a', '(+set ~b)', '(%R~c +@all)')
    expect(user.describe()).toBe(
      'on sanitize-payload ~a resetchannels -@all +get (~b resetchannels -@all +set) (%R~c resetchannels +@all)',
    )
    expect(user.set('(+nothing)')).toMatch(/Unknown command/)
    user.set('clearselectors')
    expect(user.selectors).toHaveLength(1)
    user.set('reset')
    expect(user.describe()).toBe('off sanitize-payload resetchannels -@all')
  })
})

describe('users', () => {
  test('are changed by all of the rules given, or none', () => {
    const users = new Users(commands)
    expect(users.plan('bob', ['on', '+nothing'])).toBe(
      "Error in ACL SETUSER modifier '+nothing': Unknown command or category name in ACL",
    )
    expect(users.plan('bob', ['on', '(+get', '~a'])).toBe("Unmatched parenthesis in acl selector starting at '(+get'.")
    users.apply(users.plan('bob', ['on', '(+get', '~a)']) as User)
    const bob = users.get('bob')!
    users.apply(users.plan('bob', ['+set']) as User)
    expect(users.get('bob')).toBe(bob)
    expect(users.lines).toEqual([
      'bob on sanitize-payload resetchannels -@all +set (~a resetchannels -@all +get)',
      'default on nopass sanitize-payload ~* &* +@all',
    ])
  })

  test('are read from a file as they were written', () => {
    const users = new Users(commands)
    users.apply(users.plan('bob', ['on', '>x', '~a', '(+get ~b)']) as User)
    users.apply(users.plan('default', ['-set', '>secret']) as User)
    const text = users.lines.map((line) => `user ${line}\n`).join('')
    const others = new Users(commands)
    const { default: own } = others
    expect(others.loadText(text, 'users.acl')).toBe(undefined)
    expect(others.lines).toEqual(users.lines)
    expect(others.default).toBe(own)
  })

  test.each([
    ['usr bob', 'users.acl:1 should start with user keyword followed by the username. '],
    ['user bob\nuser bob', "WARNING: Duplicate user 'bob' found on line 2. "],
    [
      'user bob +nothing',
      "users.acl:1: Error in applying operation '+nothing': Unknown command or category name in ACL. ",
    ],
    ['\nuser bob on nonsense more', 'users.acl:2: Syntax error. '],
    ['user bob (+get', 'users.acl:1: Unmatched parenthesis in selector definition.'],
  ])('of %j are refused as a whole', (text, problem) => {
    const users = new Users(commands)
    const before = users.lines
    expect(users.loadText(text, 'users.acl')).toBe(
      `${problem}WARNING: ACL errors detected, no change to the previously active ACL rules was performed`,
    )
    expect(users.lines).toEqual(before)
  })

  test('of the configuration are known once all commands are', () => {
    const users = new Users(commands)
    expect(users.configure(['bob', 'on', '+later'])).toBe(undefined)
    expect(users.configure(['bob', 'on'])).toMatch(/Duplicate user found/)
    expect(users.configure(['carol', 'nonsense'])).toBe("Error in user declaration 'nonsense': Syntax error")
    expect(users.loadConfigured(() => {})).toMatch(/Error loading ACL rule '\+later' for the user named 'bob'/)
    const others = new Users(commands)
    const warnings: string[] = []
    others.configure(['default', 'off'])
    expect(others.loadConfigured((text) => warnings.push(text))).toBe(undefined)
    expect(warnings[0]).toMatch(/The user 'default' is disabled/)
    expect(others.default.noPassword).toBe(false)
  })
})

test('the log counts up what happens again within a minute, and keeps the latest', () => {
  const log = new AclLog()
  log.setCapacity(2)
  log.add('key', 'toplevel', 'k', 'bob', 'a', 1000)
  log.add('command', 'toplevel', 'get', 'bob', 'b', 2000)
  log.add('key', 'toplevel', 'k', 'bob', 'c', 3000)
  expect(log.latest(10)).toMatchObject([
    { count: 2, object: 'k', client: 'c', id: 0, createdMs: 1000, updatedMs: 3000 },
    { count: 1, object: 'get' },
  ])
  log.add('key', 'toplevel', 'k', 'bob', 'd', 70_000)
  expect(log.latest(10)).toMatchObject([
    { count: 1, id: 2 },
    { count: 2, id: 0 },
  ])
  expect(log.counts).toEqual({ auth: 0, channel: 0, command: 1, key: 3 })
})
