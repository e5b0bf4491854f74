import { describe, expect, test } from 'vitest'
import { Config } from '../../../../src/server/config/config.ts'
import { ownDirectory } from '../../../../src/server/config/working-directory.ts'
import { LOCAL, newConfig, REMOTE, shown, temporaryDirectory } from './support.ts'

const failed = (name: string, reason: string) =>
  `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`

describe('CONFIG GET', () => {
  test('answers a plain name as it was asked for, in any case', () => {
    expect(newConfig().get(['MaxMemory'])).toEqual([['MaxMemory', '0']])
  })

  test('answers a pattern with the names themselves, in any case', () => {
    expect(newConfig().get(['MAXMEMORY-S*'])).toEqual([['maxmemory-samples', '5']])
    expect(newConfig().get(['m?xclient[a-z]'])).toEqual([['maxclients', '10000']])
  })

  test('answers each name once, however many patterns match it', () => {
    const names = newConfig()
      .get(['maxmemory', 'maxmemory*', 'bind', '*of', 'BIND'])
      .map(([name]) => name)
    expect(names.length).toBe(new Set(names).size)
    expect(names).toEqual(expect.arrayContaining(['maxmemory', 'maxmemory-clients', 'bind', 'slaveof', 'replicaof']))
  })

  test('answers aliases beside the names they stand for', () => {
    const config = newConfig()
    config.set(['hash-max-ziplist-entries', '7'], LOCAL)
    expect(config.get(['hash-max-*-entries'])).toEqual([
      ['hash-max-listpack-entries', '7'],
      ['hash-max-ziplist-entries', '7'],
    ])
  })

  test('shows hidden names only when they are spelled out', () => {
    expect(newConfig().get(['key-load-*'])).toEqual([])
    expect(newConfig().get(['key-load-delay'])).toEqual([['key-load-delay', '0']])
  })

  test('answers nothing for names that it does not know, a backslash being no wildcard', () => {
    expect(newConfig().get(['nosuch', 'max\\memory', 'user'])).toEqual([])
  })
})

describe('CONFIG SET', () => {
  test('sets several directives at once', () => {
    const config = newConfig()
    expect(config.set(['maxmemory', '100mb', 'save', '3000 5', 'LOGLEVEL', 'Debug'], LOCAL)).toBeUndefined()
    expect(config.number('maxmemory')).toBe(100 * 1024 * 1024)
    expect(config.value('save')).toEqual([{ seconds: 3000, changes: 5 }])
    expect(config.choice('loglevel')).toBe('debug')
  })

  test('takes what is outside of its range for its end (hz), or not at all', () => {
    const config = newConfig()
    const set = (name: 'hz' | 'maxclients', value: string) => [config.set([name, value], LOCAL), config.number(name)]
    expect(set('hz', '0')).toEqual([undefined, 1])
    expect(set('hz', '501')).toEqual([undefined, 500])
    expect(set('hz', '500')).toEqual([undefined, 500])
    expect(set('maxclients', '1')).toEqual([undefined, 1])
    const reason = 'argument must be between 1 and 4294967295 inclusive'
    expect(set('maxclients', '0')).toEqual([failed('maxclients', reason), 1])
  })

  test('sets all or nothing when a value is wrong', () => {
    const config = newConfig()
    config.set(['maxmemory', '10000002'], LOCAL)
    expect(config.set(['maxmemory', '1', 'maxmemory-clients', '200%', 'timeout', 'x'], LOCAL)).toBe(
      failed('maxmemory-clients', 'percentage argument must be less or equal to 100'),
    )
    expect(shown(config, 'maxmemory')).toBe('10000002')
    expect(shown(config, 'maxmemory-clients')).toBe('0')
  })

  test('takes a name and its alias together, the last one counting', () => {
    const config = newConfig()
    expect(config.set(['hash-max-listpack-entries', '5', 'hash-max-ziplist-entries', '6'], LOCAL)).toBeUndefined()
    expect(config.number('hash-max-listpack-entries')).toBe(6)
    expect(config.set(['hash-max-listpack-entries', '7', 'hash-max-ziplist-entries', 'x'], LOCAL)).toBeDefined()
    expect(config.number('hash-max-listpack-entries')).toBe(6)
  })

  test.each([
    [[], 'ERR syntax error'],
    [['maxmemory'], 'ERR syntax error'],
    [['nosuch', '1'], "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"],
    [['maxmemory', 'x', 'nosuch', '1'], "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"],
    [['user', 'x'], "ERR Unknown option or number of arguments for CONFIG SET - 'user'"],
    [['DAEMONIZE', 'yes'], failed('DAEMONIZE', "can't set immutable config")],
    [['dir', '/'], failed('dir', "can't set protected config")],
    [['maxmemory', '1', 'MaxMemory', '2'], failed('MaxMemory', 'duplicate parameter')],
    [['port', 'x'], failed('port', "argument couldn't be parsed into an integer")],
    [['port', '65536'], failed('port', 'argument must be between 0 and 65535 inclusive')],
    [['rdbcompression', '1'], failed('rdbcompression', "argument must be 'yes' or 'no'")],
    [['maxmemory', '-1'], failed('maxmemory', 'argument must be a memory value')],
    [
      ['oom-score-adj', 'maybe'],
      failed('oom-score-adj', 'argument(s) must be one of the following: no, yes, relative, absolute'),
    ],
    [['slave-priority', 'x'], failed('slave-priority', "argument couldn't be parsed into an integer")],
  ])('answers %j with %s', (args, reply) => {
    const config = newConfig()
    const before = config.get(['*'])
    expect(config.set(args, LOCAL)).toBe(reply)
    expect(config.get(['*'])).toEqual(before)
  })

  test('lets protected directives be set by those whom enable-protected-configs names', () => {
    for (const [allowed, local, remote] of [
      ['no', false, false],
      ['local', true, false],
      ['yes', true, true],
    ] as const) {
      const config = newConfig()
      config.configure('enable-protected-configs', [allowed])
      expect(config.set(['dbfilename', 'x'], LOCAL) === undefined, allowed).toBe(local)
      expect(config.set(['dbfilename', 'y'], REMOTE) === undefined, allowed).toBe(remote)
    }
  })

  test('puts some directives off while a dataset is loaded, and says so before anything else', () => {
    const config = newConfig()
    config.configure('enable-protected-configs', ['yes'])
    const loading = { local: true, loading: true }
    const reply = 'LOADING Redis is loading the dataset in memory'
    expect(config.set(['dir', '/'], loading)).toBe(reply)
    expect(config.set(['loglevel', 'debug', 'appendonly', 'yes', 'nosuch', '1'], loading)).toBe(reply)
    expect(config.set(['loglevel', 'debug'], loading)).toBeUndefined()
  })

  test('knows which values are secrets', () => {
    const secrets = ['requirepass', 'masterauth', 'masteruser', 'REQUIREPASS']
    expect(secrets.map((name) => newConfig().isSensitive(name))).toEqual([true, true, true, true])
    expect(['tls-key-file', 'nosuch'].map((name) => newConfig().isSensitive(name))).toEqual([false, false])
  })

  test('keeps bytes that are no text', () => {
    const config = newConfig()
    config.set(['requirepass', '\xff\0\x01'], LOCAL)
    expect(config.bytes('requirepass')).toBe('\xff\0\x01')
    config.set(['requirepass', ''], LOCAL)
    expect(config.bytes('requirepass')).toBeNull()
  })

  test('moves hz into its limits', () => {
    const config = newConfig()
    config.set(['hz', '1000'], LOCAL)
    expect(config.number('hz')).toBe(500)
    config.set(['hz', '0'], LOCAL)
    expect(config.number('hz')).toBe(1)
  })
})

describe('onApply', () => {
  /** A config whose port cannot be 1, with a record of what its listener was asked for. */
  function withPort(): { config: Config; asked: number[] } {
    const config = newConfig()
    const asked: number[] = []
    config.onApply('port', () => {
      asked.push(config.number('port'))
      return config.number('port') === 1 ? 'Unable to listen on this port. Check server logs.' : undefined
    })
    return { config, asked }
  }

  test('runs when the value has changed, not when it is the same', () => {
    const { config, asked } = withPort()
    config.set(['port', '7000'], LOCAL)
    config.set(['port', '7000'], LOCAL)
    config.configure('port', ['7001'])
    expect(asked).toEqual([7000])
  })

  test('puts everything back when it fails, applies that again, and tells nobody of a change', () => {
    const { config, asked } = withPort()
    const seen: string[] = []
    config.onChange('maxmemory', () => seen.push(`maxmemory ${config.number('maxmemory')}`))
    config.onChange('port', () => seen.push(`port ${config.number('port')}`))
    expect(config.set(['maxmemory', '5', 'port', '1', 'timeout', '9'], LOCAL)).toBe(
      failed('port', 'Unable to listen on this port. Check server logs.'),
    )
    expect(asked).toEqual([1, 6379])
    expect(config.get(['maxmemory', 'port', 'timeout']).map(([, value]) => value)).toEqual(['0', '6379', '0'])
    expect(seen).toEqual(['maxmemory 0', 'port 6379'])
  })

  test('sees the new values of all directives that are set together', () => {
    const config = newConfig()
    let seen = ''
    config.onApply('bind', () => {
      seen = `${config.shown('bind')} ${config.number('port')}`
      return undefined
    })
    config.set(['bind', '127.0.0.1', 'port', '7005'], LOCAL)
    expect(seen).toBe('127.0.0.1 7005')
  })

  test('runs a listener that stands for several directives once', () => {
    const config = newConfig()
    let runs = 0
    const listener = () => {
      runs++
      return undefined
    }
    config.onApply('oom-score-adj', listener)
    config.onApply('oom-score-adj-values', listener)
    config.set(['oom-score-adj', 'yes', 'oom-score-adj-values', '1 2 3'], LOCAL)
    expect(runs).toBe(1)
  })

  test('runs for a volatile directive even when its value is the same', () => {
    const config = newConfig()
    let runs = 0
    config.onApply('tls-cert-file', () => {
      runs++
      return undefined
    })
    config.set(['tls-cert-file', 'a.crt'], LOCAL)
    config.set(['tls-cert-file', 'a.crt'], LOCAL)
    expect(runs).toBe(2)
  })
})

describe('onChange', () => {
  test('tells at once, and then of every change, wherever it comes from', () => {
    const config = newConfig()
    const seen: number[] = []
    config.onChange('maxclients', () => seen.push(config.number('maxclients')))
    config.set(['maxclients', '20'], LOCAL)
    config.configure('maxclients', ['30'])
    config.assign('maxclients', 40)
    config.set(['maxclients', '40'], LOCAL)
    expect(seen).toEqual([10000, 20, 30, 40])
  })

  test('tells once when a name and its alias are set together', () => {
    const config = newConfig()
    const seen: string[] = []
    config.onChange('replica-priority', () => seen.push(shown(config, 'replica-priority') ?? ''))
    config.set(['replica-priority', '1', 'slave-priority', '2'], LOCAL)
    expect(seen).toEqual(['100', '2'])
  })
})

describe('dir', () => {
  function withOwnDirectory(): Config {
    const config = new Config({ directory: ownDirectory() })
    config.configure('enable-protected-configs', ['yes'])
    return config
  }

  test('changes the working directory, and shows it in full', () => {
    const config = withOwnDirectory()
    const path = temporaryDirectory()
    expect(config.set(['dir', path], LOCAL)).toBeUndefined()
    expect(config.set(['dir', '.'], LOCAL)).toBeUndefined()
    expect(shown(config, 'dir')).toBe(path)
    expect(config.directory.path()).toBe(path)
  })

  test('goes back when something else in the same CONFIG SET is wrong', () => {
    const config = withOwnDirectory()
    const before = config.directory.path()
    expect(config.set(['dir', temporaryDirectory(), 'port', 'x'], LOCAL)).toBeDefined()
    expect(config.directory.path()).toBe(before)
    expect(shown(config, 'dir')).toBe(before)
  })

  test.each([
    ['/nosuch', 'No such file or directory'],
    ['', 'No such file or directory'],
    ['/etc/passwd', 'Not a directory'],
  ])('refuses %j', (path, reason) => {
    expect(withOwnDirectory().set(['dir', path], LOCAL)).toBe(failed('dir', reason))
  })
})

describe('what has no effect', () => {
  test('is listed when it is not at its default', () => {
    const config = newConfig()
    expect(config.ineffective()).toEqual([])
    config.configure('io-threads', ['4'])
    config.configure('timeout', ['4'])
    expect(config.ineffective()).toEqual([{ name: 'io-threads', reason: 'commands and input/output share one thread' }])
  })

  test('is refused where going on would mislead', () => {
    const config = newConfig()
    expect(config.set(['tls-port', '7001'], LOCAL)).toBe(failed('tls-port', 'TLS is not built yet'))
    expect(config.set(['tls-port', '0'], LOCAL)).toBeUndefined()
  })
})
