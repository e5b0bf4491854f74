/* Promises of the definition language: what is derived from a record is what Redis 7.2 says of the same command.
 * Expected values are those of `COMMAND INFO` and `COMMAND DOCS` on a real server. */

import { describe, expect, test } from 'vitest'
import {
  type Arg,
  arityOf,
  block,
  Category,
  type Command,
  type CommandDefinition,
  type CommandGroup,
  Flag,
  group,
  integer,
  key,
  many,
  manyTokens,
  oneOf,
  optional,
  pattern,
  string,
  token,
} from '../../../src/commands/definition.ts'
import { describeDocs, describeInfo, type Tree } from '../../../src/commands/introspection/describe.ts'
import * as extractors from '../../../src/commands/introspection/key-extractors.ts'
import {
  atWord,
  KeyFlag,
  keyFlagsOf,
  keySpec,
  keySpecsOf,
  ONE,
  range,
  UNKNOWN,
} from '../../../src/commands/introspection/key-specs.ts'
import { categoryOf, keysOfCall, listNames } from '../../../src/commands/introspection/lookup.ts'
import { helpLines, syntaxOf } from '../../../src/commands/introspection/syntax.ts'

const run = () => {}
const facts = { summary: 'Does something.', since: '1.0.0', complexity: 'O(1)', run }

function commandWith(definition: Partial<CommandDefinition>, name = 'THING'): Command {
  return group('string', { [name]: { ...facts, ...definition } })[0]!
}

const wordsOf = (line: string) => {
  const words = line.split(' ')
  return { argc: words.length, text: (word: number) => words[word]! }
}

/** The tree as the plain value that a RESP2 client would see, maps as objects. */
function plain(tree: Tree): unknown {
  if (tree === null || typeof tree !== 'object') return tree
  if (tree.kind === 'simple') return tree.text
  if (tree.kind === 'map') return Object.fromEntries(tree.entries.map(([name, value]) => [name, plain(value)]))
  return tree.items.map(plain)
}

describe('arity', () => {
  const arity = (...args: readonly Arg[]) => arityOf(args, 1)

  test('counts the words of a call when all are fixed', () => {
    expect(arity()).toBe(1)
    expect(arity(key('RO'), integer('start'), integer('end'))).toBe(4)
  })

  test('is negative when an argument may be left out or repeated', () => {
    expect(arity(key('RW'), optional('NX'))).toBe(-2)
    expect(arity(many(key('RM delete')))).toBe(-2)
    expect(arity(many(block('pair', key('OW update'), string('value'))))).toBe(-3)
  })

  test('counts a keyword as a word of its own, and a repeated argument once', () => {
    expect(arity(key('RO'), integer('COUNT count'))).toBe(4)
    expect(arity(block('STREAMS streams', many(key('RO access')), many(string('id'))))).toBe(-4)
  })

  test('takes the shortest alternative, and is exact when all are equally long', () => {
    expect(arity(oneOf('where', 'LEFT', 'RIGHT'))).toBe(2)
    expect(arity(oneOf('by', string('BYLEX min'), 'RANK'))).toBe(-2)
  })

  test('counts a subcommand name', () => {
    expect(arityOf([key('RO')], 2)).toBe(3)
  })
})

describe('key specs', () => {
  const specs = (...args: readonly Arg[]) => keySpecsOf(args, 1).map(({ begin, find }) => [begin, find])

  test('a key at a fixed place', () => {
    expect(specs(string('operation'), key('OW update', 'destkey'))).toEqual([[atWord(2), ONE]])
  })

  test('keys up to the end, or up to what follows them', () => {
    expect(specs(many(key('RO')))).toEqual([[atWord(1), range(-1, 1, 0)]])
    expect(specs(many(key('RO')), string('timeout'))).toEqual([[atWord(1), range(-2, 1, 0)]])
  })

  test('every second word, for pairs', () => {
    expect(specs(many(block('data', key('OW update'), string('value'))))).toEqual([[atWord(1), range(-1, 2, 0)]])
  })

  test('the first half of the words, for keys and then ids', () => {
    const streams = block('STREAMS streams', many(key('RO access')), many(string('id')))
    const begin = { type: 'keyword', keyword: 'STREAMS', from: 1 }
    expect(specs(optional(integer('COUNT count')), streams)).toEqual([[begin, range(-1, 1, 2)]])
  })

  test('as many as a number says', () => {
    const find = { type: 'count', countAt: 0, first: 1, step: 1 }
    expect(specs(key('OW update', 'destination'), integer('numkeys'), many(key('RO access')))).toEqual([
      [atWord(1), ONE],
      [atWord(2), find],
    ])
  })

  test('after a keyword, searched for from the first word that is not fixed', () => {
    const store = optional(oneOf('store', key('OW update', 'STORE storekey'), key('OW update', 'STOREDIST other')))
    expect(specs(key('RO access'), integer('radius'), optional('ASC'), store)).toEqual([
      [atWord(1), ONE],
      [{ type: 'keyword', keyword: 'STORE', from: 3 }, ONE],
      [{ type: 'keyword', keyword: 'STOREDIST', from: 3 }, ONE],
    ])
  })

  test('the words of a use become bits', () => {
    expect(keyFlagsOf('RW access update variable_flags')).toBe(
      KeyFlag.RW | KeyFlag.ACCESS | KeyFlag.UPDATE | KeyFlag.VARIABLE_FLAGS,
    )
  })
})

describe('the legacy key range', () => {
  const triple = (definition: Partial<CommandDefinition>) => {
    const { firstKey, lastKey, keyStep, flags } = commandWith(definition)
    return [firstKey, lastKey, keyStep, (flags & Flag.MOVABLEKEYS) !== 0]
  }

  test('is zero without keys', () => {
    expect(triple({ args: [string('message')] })).toEqual([0, 0, 0, false])
  })

  test('keeps the step of a single spec', () => {
    expect(triple({ args: [many(block('data', key('OW update'), string('value')))] })).toEqual([1, -1, 2, false])
  })

  test('joins specs that follow on each other', () => {
    expect(triple({ args: [key('RW'), key('OW', 'newkey')] })).toEqual([1, 2, 1, false])
    expect(triple({ args: [string('op'), key('OW', 'dest'), many(key('RO'))] })).toEqual([2, -1, 1, false])
  })

  test('covers the part that it can, and says that keys move', () => {
    expect(triple({ args: [key('OW', 'dest'), integer('numkeys'), many(key('RO'))] })).toEqual([1, 1, 1, true])
    expect(triple({ args: [integer('numkeys'), many(key('RO'))] })).toEqual([0, 0, 0, true])
    expect(triple({ keySpecs: [keySpec('RO', atWord(1), ONE), keySpec('OW', UNKNOWN, UNKNOWN)] })).toEqual([
      1,
      1,
      1,
      true,
    ])
  })
})

describe('commands', () => {
  test('derive their ACL categories from flags and group', () => {
    const { WRITE, FAST, STRING, READ, SLOW, ADMIN, DANGEROUS } = Category
    expect(commandWith({ flags: Flag.WRITE | Flag.FAST }).categories).toBe(WRITE | FAST | STRING)
    expect(commandWith({ flags: Flag.READONLY }).categories).toBe(READ | SLOW | STRING)
    expect(commandWith({ flags: Flag.ADMIN, categories: 0 }).categories).toBe(ADMIN | DANGEROUS | SLOW)
  })

  test('of scripting are no reads, even if they only read', () => {
    const [evalRo] = group('scripting', { EVAL_RO: { ...facts, flags: Flag.READONLY } })
    expect(evalRo!.categories).toBe(Category.SCRIPTING | Category.SLOW)
  })

  test('know the argument counts that they take', () => {
    const fixed = commandWith({ args: [key('RO')] })
    expect([fixed.leastArgc, fixed.mostArgc]).toEqual([2, 2])
    const open = commandWith({ args: [many(key('RO'))] })
    expect([open.leastArgc, open.mostArgc]).toEqual([2, 0x3fffffff])
  })

  test('have fields in one order, so that dispatch sees one shape', () => {
    const shapes = [commandWith({}), commandWith({ args: [key('RO')], keysOf: extractors.setKeys }), ...containers]
    expect(new Set(shapes.map((command) => Object.keys(command).join())).size).toBe(1)
  })

  test('may have keys unless all their specs are for routing only', () => {
    expect(commandWith({ args: [key('RO')] }).hasKeys).toBe(true)
    expect(commandWith({ keySpecs: [keySpec('not_key', atWord(1), ONE)] }).hasKeys).toBe(false)
    expect(commandWith({}).hasKeys).toBe(false)
  })
})

const containers = group('connection', {
  CLIENT: {
    summary: 'Looks after connections.',
    since: '2.4.0',
    subcommands: {
      HELP: { ...facts, flags: Flag.LOADING },
      ID: { ...facts, flags: Flag.NOSCRIPT },
      'NO-EVICT': { ...facts, args: [oneOf('enabled', 'ON', 'OFF')] },
    },
  },
  COMMAND: { ...facts, subcommands: { COUNT: facts } },
  ECHO: { ...facts, args: [string('message')] },
} satisfies CommandGroup)

describe('containers', () => {
  const [client, command] = containers as [Command, Command]

  test('that do nothing themselves need a subcommand, and are in no category of their group', () => {
    expect([client.isRunnable, client.arity, client.categories]).toEqual([false, -2, Category.SLOW])
    expect(() => client.run(undefined as never)).toThrow()
  })

  test('that also run take any number of words', () => {
    expect([command.isRunnable, command.arity]).toEqual([true, -1])
  })

  test('name their subcommands in full, and count both names in the arity', () => {
    expect(client.subcommands.map((each) => each.fullName)).toEqual(['client|help', 'client|id', 'client|no-evict'])
    expect(client.subcommands.map((each) => each.arity)).toEqual([2, 2, 3])
    expect(client.subcommands[1]!.parent).toBe(client)
  })
})

describe('COMMAND INFO', () => {
  test('has the ten fields, flags in the order of Redis', () => {
    const set = commandWith(
      {
        flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST | Flag.MAY_REPLICATE,
        args: [key('RW access update variable_flags', 'key', { notes: 'why' }), string('value'), optional('GET')],
        tips: ['nondeterministic_output'],
      },
      'SET',
    )
    expect(plain(describeInfo(set))).toEqual([
      'set',
      -3,
      ['write', 'denyoom', 'fast'],
      1,
      1,
      1,
      ['@write', '@string', '@fast'],
      ['nondeterministic_output'],
      [
        {
          notes: 'why',
          flags: ['RW', 'access', 'update', 'variable_flags'],
          begin_search: { type: 'index', spec: { index: 1 } },
          find_keys: { type: 'range', spec: { lastkey: 0, keystep: 1, limit: 0 } },
        },
      ],
      [],
    ])
  })

  test('tells specs by keyword and by count', () => {
    const args = [integer('numkeys'), many(key('RO')), optional(key('OW', 'STORE destination'))]
    const [, , , , , , , , specs] = plain(describeInfo(commandWith({ args }))) as [...unknown[], unknown[], unknown]
    expect(specs).toEqual([
      {
        flags: ['RO'],
        begin_search: { type: 'index', spec: { index: 1 } },
        find_keys: { type: 'keynum', spec: { keynumidx: 0, firstkey: 1, keystep: 1 } },
      },
      {
        flags: ['OW'],
        begin_search: { type: 'keyword', spec: { keyword: 'STORE', startfrom: 1 } },
        find_keys: { type: 'range', spec: { lastkey: 0, keystep: 1, limit: 0 } },
      },
    ])
  })

  test('lists subcommands as an array, and their absence as a set', () => {
    const [client, , echo] = containers as [Command, Command, Command]
    const last = (command: Command) => (describeInfo(command) as Extract<Tree, { kind: 'array' | 'set' }>).items[9]
    expect(last(client)).toMatchObject({ kind: 'array', items: { length: 3 } })
    expect(last(echo)).toEqual({ kind: 'set', items: [] })
  })
})

describe('COMMAND DOCS', () => {
  test('documents arguments as they were declared', () => {
    const args = [
      key('RO access'),
      optional(manyTokens(pattern('GET get-pattern', { display: 'pattern', since: '2.0.0' }))),
      optional(block('LIMIT limit', integer('offset'), integer('count'))),
      token('CH', { name: 'change' }),
    ]
    expect((plain(describeDocs(commandWith({ args }))) as { arguments: unknown }).arguments).toEqual([
      { name: 'key', type: 'key', display_text: 'key', key_spec_index: 0 },
      {
        name: 'get-pattern',
        type: 'pattern',
        display_text: 'pattern',
        token: 'GET',
        since: '2.0.0',
        flags: ['optional', 'multiple', 'multiple_token'],
      },
      {
        name: 'limit',
        type: 'block',
        token: 'LIMIT',
        flags: ['optional'],
        arguments: [
          { name: 'offset', type: 'integer', display_text: 'offset' },
          { name: 'count', type: 'integer', display_text: 'count' },
        ],
      },
      { name: 'change', type: 'pure-token', display_text: 'change', token: 'CH' },
    ])
  })

  test('tells deprecation and history, and nothing that is not there', () => {
    const old = commandWith({ deprecated: { since: '6.2.0', use: '`NEW`' }, history: [['2.0.0', 'More.']] })
    expect(plain(describeDocs(old))).toEqual({
      summary: 'Does something.',
      since: '1.0.0',
      group: 'string',
      complexity: 'O(1)',
      doc_flags: ['deprecated'],
      deprecated_since: '6.2.0',
      replaced_by: '`NEW`',
      history: [['2.0.0', 'More.']],
    })
    expect(Object.keys(plain(describeDocs(commandWith({}))) as object)).toEqual([
      'summary',
      'since',
      'group',
      'complexity',
    ])
  })
})

describe('the keys of a call', () => {
  const keysIn = (definition: Partial<CommandDefinition>, line: string) => {
    const words = wordsOf(line)
    return keysOfCall(commandWith(definition), words).words.map((word) => words.text(word))
  }

  test('are found by range, by pair, by half', () => {
    expect(keysIn({ args: [many(key('RO')), string('timeout')] }, 'BLPOP a b 0')).toEqual(['a', 'b'])
    expect(keysIn({ args: [many(block('data', key('OW'), string('value')))] }, 'MSET a 1 b 2')).toEqual(['a', 'b'])
    const streams = block('STREAMS streams', many(key('RO access')), many(string('id')))
    expect(keysIn({ args: [optional(integer('COUNT count')), streams] }, 'XREAD COUNT 2 streams a b 0 0')).toEqual([
      'a',
      'b',
    ])
  })

  test('are found by count, and are none where the count is not one', () => {
    const args = [integer('numkeys'), many(key('RO')), optional('WITHSCORES')]
    expect(keysIn({ args }, 'ZUNION 2 a b WITHSCORES')).toEqual(['a', 'b'])
    for (const count of ['0', '-1', 'x', '4', '99999999999999999999']) {
      expect(keysIn({ args }, `ZUNION ${count} a b WITHSCORES`), count).toEqual([])
    }
    // What atoi reads counts.
    expect(keysIn({ args }, 'ZUNION 1.0 a b WITHSCORES')).toEqual(['a'])
    expect(keysIn({ args }, 'ZUNION +2 a b WITHSCORES')).toEqual(['a', 'b'])
  })

  test('are none where one of several specs does not fit', () => {
    expect(keysIn({ args: [key('OW', 'dest'), integer('numkeys'), many(key('RO'))] }, 'ZUNIONSTORE d 9 a')).toEqual([])
  })

  test('leave out what is only routed like a key', () => {
    expect(keysIn({ keySpecs: [keySpec('not_key', atWord(1), ONE)] }, 'SPUBLISH c m')).toEqual([])
  })
})

describe('key extractors', () => {
  const { setKeys, bitfieldKeys, sortKeys, migrateKeys, georadiusKeys } = extractors
  const variable = [key('RW access update variable_flags')]
  const migrate = [
    keySpec('RW access delete', atWord(3), ONE),
    keySpec('RW access delete incomplete', { type: 'keyword', keyword: 'KEYS', from: -2 }, range(-1, 1, 0)),
  ]
  const found = (definition: Partial<CommandDefinition>, line: string) => {
    const words = wordsOf(line)
    const keys = keysOfCall(commandWith(definition), words)
    return keys.words.map((word, slot) => [words.text(word), keys.flags[slot]])
  }
  const read = keyFlagsOf('RO access')
  const write = keyFlagsOf('OW update')
  const both = keyFlagsOf('RW access update')
  const move = keyFlagsOf('RW access delete')

  test.each([
    ['SET k v', write],
    ['SET k v NX get', both],
  ])('SET reads only when asked to: %s', (line, flags) => {
    expect(found({ args: variable, keysOf: setKeys }, line)).toEqual([['k', flags]])
  })

  test.each([
    ['BITFIELD k GET u8 0 OVERFLOW SAT', read],
    ['BITFIELD k GET u8 0 SET u8 0 1', both],
    ['BITFIELD k GET u8', both],
  ])('BITFIELD with nothing but GETs reads: %s', (line, flags) => {
    expect(found({ args: variable, keysOf: bitfieldKeys }, line)).toEqual([['k', flags]])
  })

  test("SORT stores to the last STORE that is not another option's argument", () => {
    const definition = { keySpecs: [keySpec('RO', UNKNOWN, UNKNOWN)], keysOf: sortKeys }
    expect(found(definition, 'SORT k BY store LIMIT 0 store STORE a store b')).toEqual([
      ['k', read],
      ['b', write],
    ])
    expect(found(definition, 'SORT k STORE')).toEqual([['k', read]])
  })

  test('MIGRATE takes one key, or those after KEYS when it is empty', () => {
    const definition = { keySpecs: migrate, keysOf: migrateKeys }
    expect(found(definition, 'MIGRATE host 6379 k 0 5000')).toEqual([['k', move]])
    expect(found(definition, 'MIGRATE host 6379  0 5000 AUTH keys KEYS a b')).toEqual([
      ['a', move],
      ['b', move],
    ])
    expect(found(definition, 'MIGRATE host 6379 k 0 5000 KEYS a b')).toEqual([])
  })

  test('GEORADIUS stores to the last destination given', () => {
    const definition = { keySpecs: [keySpec('RO', UNKNOWN, UNKNOWN)], keysOf: georadiusKeys }
    expect(found(definition, 'GEORADIUS k 1 2 3 m STORE a STOREDIST b')).toEqual([
      ['k', read],
      ['b', write],
    ])
  })
})

describe('looking commands up', () => {
  test('by a condition, subcommands included', () => {
    expect(listNames(containers, (command) => (command.flags & Flag.NOSCRIPT) !== 0)).toEqual(['client|id'])
    expect(listNames(containers, () => true)).toHaveLength(7)
  })

  test('categories by name', () => {
    expect(categoryOf('Hash')).toBe(Category.HASH)
    expect(categoryOf('nothing')).toBe(0)
    expect(categoryOf('toString')).toBe(0)
  })
})

describe('syntax lines', () => {
  test.each<[string, Partial<CommandDefinition>]>([
    ['THING', {}],
    [
      'THING key [NX | XX] [COUNT count]',
      { args: [key('RO'), optional(oneOf('condition', 'NX', 'XX')), optional(integer('COUNT count'))] },
    ],
    ['THING key [key ...]', { args: [many(key('RO'))] }],
    ['THING <LEFT | RIGHT>', { args: [oneOf('where', 'LEFT', 'RIGHT')] }],
    ['THING [GET pattern [GET pattern ...]]', { args: [optional(manyTokens(pattern('GET pattern')))] }],
    ['THING [KEYS key [key ...]]', { args: [optional(many(key('RO', 'KEYS keys', { display: 'key' })))] }],
    ['THING <key | "">', { args: [oneOf('selector', key('RO'), token('', { name: 'empty' }))] }],
  ])('%s', (line, definition) => {
    expect(syntaxOf(commandWith(definition))).toBe(line)
  })

  test('HELP lists the subcommands, itself last', () => {
    expect(helpLines(containers[0]!)).toEqual([
      'CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
      'ID',
      '    Does something.',
      'NO-EVICT <ON | OFF>',
      '    Does something.',
      'HELP',
      '    Does something.',
    ])
  })
})
