/* Access control as clients meet it: who they are, what they may do, and what becomes of them when that changes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { RawClient } from '../helpers/raw-client.ts'
import { startCinnabar } from '../helpers/servers.ts'
import { ask, body, connect, OK, useServer } from './support.ts'

const denied = (name: string): string => `-NOPERM User bob has no permissions to run the '${name}' command\r\n`
const KEY_DENIED = '-NOPERM No permissions to access a key\r\n'

describe('a user who may not do everything', () => {
  const server = useServer()

  const asBob = async (...rules: string[]): Promise<[bob: RawClient, admin: RawClient]> => {
    const [bob, admin] = [await connect(server()), await connect(server())]
    expect(await ask(admin, 'ACL', 'SETUSER', 'bob', 'reset', 'on', '>x', ...rules)).toBe(OK)
    expect(await ask(bob, 'AUTH', 'bob', 'x')).toBe(OK)
    return [bob, admin]
  }

  test('is refused commands, subcommands, keys and channels', async () => {
    const [bob, admin] = await asBob('+@all', '-flushall', '-config|set', '~mine:*', '%R~shared:*', '&news')
    await ask(admin, 'ACL', 'LOG', 'RESET')
    expect(await ask(bob, 'SET', 'mine:1', 'v')).toBe(OK)
    expect(await ask(bob, 'GET', 'shared:1')).toBe('$-1\r\n')
    expect(await ask(bob, 'SET', 'shared:1', 'v')).toBe(KEY_DENIED)
    expect(await ask(bob, 'MGET', 'mine:1', 'other')).toBe(KEY_DENIED)
    expect(await ask(bob, 'RENAME', 'mine:1', 'other')).toBe(KEY_DENIED)
    expect(await ask(bob, 'FLUSHALL')).toBe(denied('flushall'))
    expect(await ask(bob, 'CONFIG', 'SET', 'maxclients', '10')).toBe(denied('config|set'))
    expect(await ask(bob, 'CONFIG', 'GET', 'maxclients')).toMatch(/^\*2/)
    expect(await ask(bob, 'PUBLISH', 'news', 'x')).toBe(':0\r\n')
    expect(await ask(bob, 'PUBLISH', 'other', 'x')).toBe('-NOPERM No permissions to access a channel\r\n')
    expect(await ask(bob, 'PSUBSCRIBE', 'new?')).toBe('-NOPERM No permissions to access a channel\r\n')
    expect(await ask(bob, 'ACL', 'WHOAMI')).toBe('$3\r\nbob\r\n')
    const log = await ask(admin, 'ACL', 'LOG')
    expect(log).toMatch(/^\*6\r\n/)
    expect(log).toMatch(/reason\r\n\$3\r\nkey\r\n.*object\r\n\$5\r\nother\r\n.*user=bob/s)
    expect(await ask(admin, 'INFO', 'stats')).toMatch(/acl_access_denied_cmd:2\r\nacl_access_denied_key:3\r\n/)
  })

  test('is refused in scripts, with SORT BY, and by functions, as outside', async () => {
    const [bob] = await asBob('+@all', '~mine:*')
    expect(await ask(bob, 'EVAL', "return redis.call('SET', 'other', 1)", '0')).toMatch(
      /^-ERR ACL failure in script: No permissions to access a key script: /,
    )
    expect(await ask(bob, 'EVAL', 'return 1', '1', 'other')).toBe(KEY_DENIED)
    const may = "return {redis.acl_check_cmd('GET', 'mine:1'), redis.acl_check_cmd('GET', 'other')}"
    expect(await ask(bob, 'EVAL', may, '0')).toBe('*2\r\n:1\r\n$-1\r\n')
    expect(await ask(bob, 'SORT', 'mine:l', 'BY', 'w:*')).toMatch(/^-ERR BY option of SORT denied/)
    expect(await ask(bob, 'SORT', 'mine:l', 'GET', 'w:*')).toMatch(/^-ERR GET option of SORT denied/)
    expect(await ask(bob, 'SORT', 'mine:l', 'BY', 'nosort')).toBe('*0\r\n')
  })

  test('is judged again at EXEC', async () => {
    const [bob, admin] = await asBob('+@all', 'allkeys')
    await ask(bob, 'MULTI')
    expect(await ask(bob, 'SET', 'a', '1')).toBe('+QUEUED\r\n')
    expect(await ask(bob, 'PING')).toBe('+QUEUED\r\n')
    await ask(admin, 'ACL', 'SETUSER', 'bob', '-set')
    expect(await ask(bob, 'GET', 'a')).toBe('+QUEUED\r\n')
    expect(await ask(bob, 'EXEC')).toMatch(/^\*3\r\n-NOPERM ACLs rules changed between .*\r\n\+PONG\r\n\$-1\r\n$/)
    await ask(bob, 'MULTI')
    expect(await ask(bob, 'SET', 'a', '1')).toBe(denied('set'))
    expect(await ask(bob, 'EXEC')).toMatch(/^-EXECABORT/)
  })

  test('may do all at once, without being asked any more', async () => {
    const [bob, admin] = await asBob()
    expect(await ask(bob, 'PING')).toBe(denied('ping'))
    await ask(admin, 'ACL', 'SETUSER', 'bob', 'allkeys', 'allchannels', '+@all')
    expect(await ask(bob, 'PING')).toBe('+PONG\r\n')
    expect(await ask(bob, 'RESET')).toBe('+RESET\r\n')
    expect(await ask(bob, 'ACL', 'WHOAMI')).toBe('$7\r\ndefault\r\n')
  })

  test('is closed when it is deleted, or may not listen any more', async () => {
    const [bob, admin] = await asBob('+@all', 'allchannels')
    const [listener] = await asBob('+@all', 'allchannels')
    await ask(listener, 'SUBSCRIBE', 'news')
    await ask(admin, 'ACL', 'SETUSER', 'bob', 'resetchannels', '&other')
    await listener.closed
    expect(await ask(bob, 'PING')).toBe('+PONG\r\n')
    expect(await ask(admin, 'ACL', 'DELUSER', 'bob', 'nobody')).toBe(':1\r\n')
    await bob.closed
    expect(await ask(admin, 'ACL', 'DELUSER', 'default')).toMatch(/^-ERR The 'default' user cannot be removed/)
  })
})

describe('the default user', () => {
  test('has the password that requirepass says; who came before it stays', async () => {
    const server = await startCinnabar()
    onTestFinished(async () => void (await server.stop()))
    const early = await connect(server)
    expect(await ask(early, 'CONFIG', 'SET', 'requirepass', 'secret')).toBe(OK)
    expect(await ask(early, 'PING')).toBe('+PONG\r\n')
    const late = await connect(server)
    expect(await ask(late, 'PING')).toMatch(/^-NOAUTH/)
    expect(await ask(late, 'AUTH', 'wrong')).toMatch(/^-WRONGPASS/)
    expect(await ask(late, 'AUTH', 'default', 'secret')).toBe(OK)
    expect(await ask(late, 'PING')).toBe('+PONG\r\n')
    const third = await connect(server)
    expect(await ask(early, 'CONFIG', 'SET', 'requirepass', '')).toBe(OK)
    expect(await ask(third, 'PING')).toBe('+PONG\r\n')
    expect(await ask(third, 'AUTH', 'x')).toMatch(/^-ERR AUTH <password> called without any password configured/)
  })
})

describe('files', () => {
  const directory = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'cinnabar-acl-'))
    onTestFinished(() => rmSync(path, { recursive: true }))
    return path
  }

  test('have users, which are read at the start and by ACL LOAD, and written by ACL SAVE', async () => {
    const path = join(directory(), 'users.acl')
    writeFileSync(path, 'user default on nopass ~* &* +@all\nuser bob on >x ~a +get\n')
    const server = await startCinnabar({ args: ['--aclfile', path] })
    onTestFinished(async () => void (await server.stop()))
    const [admin, bob] = [await connect(server), await connect(server)]
    expect(await ask(bob, 'AUTH', 'bob', 'x')).toBe(OK)
    expect(await ask(admin, 'ACL', 'SETUSER', 'carol', 'on', 'nopass')).toBe(OK)
    expect(await ask(admin, 'ACL', 'SAVE')).toBe(OK)
    const saved = readFileSync(path, 'latin1')
    expect(saved).toMatch(/^user bob on sanitize-payload #[0-9a-f]{64} ~a resetchannels -@all \+get\nuser carol on /)
    writeFileSync(path, 'user bob nonsense\n')
    expect(await ask(admin, 'ACL', 'LOAD')).toMatch(/^-ERR .*users.acl:1: Syntax error. WARNING: ACL errors detected/)
    expect(await ask(bob, 'GET', 'a')).toBe('$-1\r\n')
    writeFileSync(path, saved)
    expect(await ask(admin, 'ACL', 'LOAD')).toBe(OK)
    await bob.closed
    expect(body(await ask(admin, 'ACL', 'WHOAMI'))).toBe('default')
  })

  test('of the configuration have users too, which CONFIG REWRITE keeps', async () => {
    const server = await startCinnabar({ config: 'user bob on nopass ~a (+get ~b)\nuser carol off\n' })
    onTestFinished(async () => void (await server.stop()))
    const admin = await connect(server)
    const path = /config_file:(.*)\r\n/.exec(await ask(admin, 'INFO', 'server'))![1]!
    expect(await ask(admin, 'ACL', 'USERS')).toBe('*3\r\n$3\r\nbob\r\n$5\r\ncarol\r\n$7\r\ndefault\r\n')
    await ask(admin, 'ACL', 'SETUSER', 'carol', '+ping')
    expect(await ask(admin, 'CONFIG', 'REWRITE')).toBe(OK)
    const text = readFileSync(path, 'latin1')
    expect(text).toMatch(/^user bob on nopass .* ~a resetchannels -@all \(~b resetchannels -@all \+get\)$/m)
    expect(text).toMatch(/^user carol off .*\+ping$/m)
  })
})
