import { describe, expect, test } from 'vitest'
import type { Environment } from '../../../../src/server/config/environment.ts'
import { refusal, shown, start, started, temporaryFile } from './support.ts'

function configured(environment: Environment, args: readonly string[] = []) {
  return started(args, { environment })
}

function notes(environment: Environment): readonly string[] {
  const loaded = start([], { environment })
  return loaded.action === 'start' ? loaded.notes : [loaded.stderr]
}

describe('environment variables', () => {
  test('set directives, dashes being underscores', () => {
    const config = configured({
      REDIS_MAXMEMORY: '64mb',
      REDIS_MAXMEMORY_POLICY: 'allkeys-lru',
      REDIS_SAVE: '900 1 300 10',
      REDIS_SERVER_CPULIST: '1',
      REDIS_SLAVE_PRIORITY: '7',
    })
    expect(
      config.get(['maxmemory', 'maxmemory-policy', 'save', 'server_cpulist', 'replica-priority']).map(([, v]) => v),
    ).toEqual(['67108864', 'allkeys-lru', '900 1 300 10', '1', '7'])
  })

  test('say the password, with anything in it', () => {
    expect(configured({ REDIS_PASSWORD: 'a "b" é' }).text('requirepass')).toBe('a "b" é')
    expect(configured({ REDIS_REQUIREPASS: 'x' }).text('requirepass')).toBe('x')
  })

  test('name files with secrets, of which one line end is no part', () => {
    const file = (text: string) => ({ REDIS_PASSWORD_FILE: temporaryFile(text) })
    expect(configured(file('secret\n')).bytes('requirepass')).toBe('secret')
    expect(configured(file('secret\r\n')).bytes('requirepass')).toBe('secret')
    expect(configured(file('\xffsecret\n\n')).bytes('requirepass')).toBe('\xffsecret\n')
    expect(configured({ REDIS_MASTERAUTH_FILE: temporaryFile('m') }).bytes('masterauth')).toBe('m')
  })

  test('mean the directive first where its own name ends in _FILE', () => {
    expect(configured({ REDIS_TLS_CERT_FILE: 'a.crt' }).bytes('tls-cert-file')).toBe('a.crt')
  })

  test('give way to files and arguments, whose save points do not add to theirs', () => {
    const environment = { REDIS_TIMEOUT: '1', REDIS_HZ: '1', REDIS_SAVE: '1 1' }
    const config = configured(environment, [temporaryFile('timeout 2\nsave 2 2'), '--save', '3 3'])
    expect(config.get(['timeout', 'hz', 'save']).map(([, value]) => value)).toEqual(['2', '1', '2 2 3 3'])
  })

  test('do nothing when they are empty', () => {
    const config = configured({ REDIS_SAVE: '', REDIS_PORT: '', REDIS_BIND: '', REDIS_PASSWORD_FILE: '' })
    expect(config.get(['save', 'port', 'bind'])).toEqual(started([]).get(['save', 'port', 'bind']))
    expect(shown(configured({ REDIS_SAVE: '""' }), 'save')).toBe('')
  })

  test('of container links are survived, and noted', () => {
    const environment = { REDIS_PORT: 'tcp://10.0.0.1:6379', REDIS_PORT_6379_TCP: 'tcp://10.0.0.1:6379' }
    expect(configured(environment).number('port')).toBe(6379)
    expect(notes(environment)).toEqual([
      'Environment variables of container links ignored: REDIS_PORT',
      'Environment variables that name no directive ignored: REDIS_PORT_6379_TCP',
    ])
  })

  test('of others are passed over, and noted by name only', () => {
    expect(notes({ REDIS_URL: 'redis://:pw@h', REDIS_USERNAME: 'u', REDIS_USER: 'u', PATH: '/bin' })).toEqual([
      'Environment variables that name no directive ignored: REDIS_URL, REDIS_USERNAME, REDIS_USER',
    ])
    expect(notes({ PATH: '/bin', REDISCLI_AUTH: 'x', redis_port: '1' })).toEqual([])
  })

  test('with malformed values stop the start, named, and without their value', () => {
    expect(refusal([], { environment: { REDIS_TIMEOUT: '0.5' } })).toBe(
      '\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\n' +
        "Reading the environment variable REDIS_TIMEOUT\nargument couldn't be parsed into an integer\n",
    )
    expect(refusal([], { environment: { REDIS_SAVE: '"900 1' } })).toContain('REDIS_SAVE\nunbalanced quotes')
    expect(refusal([], { environment: { REDIS_SAVE: '900' } })).toContain('REDIS_SAVE\nInvalid save parameters')
  })

  test('that contradict each other stop the start', () => {
    expect(refusal([], { environment: { REDIS_PASSWORD: 'a', REDIS_PASSWORD_FILE: temporaryFile('a') } })).toContain(
      'REDIS_PASSWORD_FILE\nREDIS_PASSWORD sets requirepass already',
    )
  })

  test('that name a secret nobody can read, or an empty one, stop the start', () => {
    expect(refusal([], { environment: { REDIS_PASSWORD_FILE: '/nosuch' } })).toContain(
      "REDIS_PASSWORD_FILE\ncan't read '/nosuch': No such file or directory",
    )
    expect(refusal([], { environment: { REDIS_PASSWORD_FILE: temporaryFile('\n') } })).toContain('is empty')
  })
})
