/* Style, as a test: what a reader could object to and a machine can see. Each ban names what to write instead.
 *
 * Files are parsed, not searched: words in comments and strings do not count where only code matters. In the hot
 * folders what is labelled DEV (dropped from the release) and what stands in a `verify` (as slow as it likes) is free.
 *
 * Where a rule is wrong, EXCEPTIONS says so: how often, and why. One that nothing needs any more fails the test. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseAst } from 'vitest/node'

const RULES = [
  'line width',
  'function length',
  'file length',
  'layers',
  'enum',
  'any',
  'ts-ignore',
  'unfinished',
  'bigint',
  'drawing',
  'verify',
  'subarray',
  'slice',
  'DataView',
  'throw',
] as const
type RuleName = (typeof RULES)[number]

type Exception = { readonly rule: RuleName; readonly file: string; readonly count: number; readonly reason: string }

const EXCEPTIONS: readonly Exception[] = [
  {
    rule: 'DataView',
    file: 'src/memory/memory.ts',
    count: 3,
    reason: 'one for each chunk of 16 MB, made with it: short strings are copied by words wherever they lie',
  },
  {
    rule: 'DataView',
    file: 'src/protocol/reply-buffer.ts',
    count: 1,
    reason: 'the other side of those copies: one for each buffer, made with it and used again with it',
  },
  {
    rule: 'subarray',
    file: 'src/protocol/reply-buffer.ts',
    count: 3,
    reason: 'what leaves for the socket: a view per write, and those of usual lengths are kept',
  },
  {
    rule: 'subarray',
    file: 'src/keyspace/loose-block.ts',
    count: 1,
    reason: 'where the socket reads a value of 256 KB or more: one view for it',
  },
  {
    rule: 'subarray',
    file: 'src/memory/large-buffers.ts',
    count: 1,
    reason: 'the buffer is the view: one for 32 KB and more',
  },
  {
    rule: 'verify',
    file: 'src/structures/entry-head.ts',
    count: 1,
    reason: 'the layout of one record; who keeps such records verifies them',
  },
  {
    rule: 'verify',
    file: 'src/structures/table-compaction.ts',
    count: 1,
    reason: 'what it moves is a table, which table.ts verifies',
  },
  {
    rule: 'verify',
    file: 'src/structures/table-ahead.ts',
    count: 1,
    reason: 'it only reads, and nothing depends on what it finds',
  },
  {
    rule: 'verify',
    file: 'src/structures/table-layout.ts',
    count: 1,
    reason: 'where things lie; table.ts verifies that they do',
  },
  {
    rule: 'verify',
    file: 'src/structures/table-segments.ts',
    count: 1,
    reason: 'a part of the table, which table.ts verifies',
  },
  {
    rule: 'verify',
    file: 'src/structures/table-filter.ts',
    count: 1,
    reason: 'it only reads tables, which table.ts verifies',
  },
]

/** From the bottom up: folders, and files that stand in src/ itself. Each imports only from those before it.
 *  What stands in one entry stands beside each other: it does not import from one another. */
const LAYERS: readonly (readonly string[])[] = [
  ['lib', 'version.ts'],
  ['protocol'],
  ['memory'],
  ['structures'],
  ['keyspace'],
  ['persistence'],
  ['pubsub', 'transactions', 'tracking', 'scripting', 'acl'],
  ['commands'],
  ['server'],
  ['index.ts'],
  ['main.ts'],
]

/** Files of interfaces that any layer may name, by `import type` only: nothing of them is there at run time. */
const NAMED_FROM_BELOW: Readonly<Record<string, string>> = {
  'src/commands/call.ts': 'handlers beside the commands take a Call as well',
  'src/commands/definition.ts': 'handlers beside the commands are defined in the same way',
}

/** Files that may mention BigInt. For all others a 64-bit integer is an opaque Int64. */
const KNOWS_BIGINT: Readonly<Record<string, string>> = {
  'src/lib/int64.ts': 'defines Int64',
  'src/lib/long-double.ts': 'mantissas of 64 bits, and the digits of their products',
}

const WIDTH_MAX = 120
const FUNCTION_LINES_MAX = 70
const FILE_LINES_MAX = 800

const HOT = /^src\/(memory|structures|keyspace|protocol)\//
const STRUCTURE = /^src\/structures\/[^/]+\.ts$/
const SOURCE = /^src\//

type Finding = { readonly rule: RuleName; readonly file: string; readonly line: number; readonly advice: string }

/** A node of the parsed file, as far as this test looks at it. */
type Node = { readonly type: string; readonly start: number; readonly end: number; readonly [field: string]: unknown }

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'

const childrenOf = (node: Node): Node[] => Object.values(node).flat().filter(isNode)

const nameOf = (value: unknown): string => (isNode(value) ? String(value['name'] ?? '') : '')

/** One file, read once, with what has been found in it. */
class Examination {
  readonly file: string
  readonly text: string
  readonly lines: readonly string[]
  readonly findings: Finding[] = []
  private readonly lineStarts: readonly number[]

  constructor(file: string, text: string) {
    this.file = file
    this.text = text
    this.lines = text.split('\n')
    let pos = 0
    this.lineStarts = this.lines.map((line) => (pos += line.length + 1) - line.length - 1)
  }

  /** Notes what was found, once for a line. */
  add(rule: RuleName, line: number, advice: string): void {
    if (this.findings.some((found) => found.rule === rule && found.line === line)) return
    this.findings.push({ rule, file: this.file, line, advice })
  }

  /** The 1-based line of a position in the text. */
  lineAt(pos: number): number {
    let low = 0
    let high = this.lineStarts.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (this.lineStarts[middle]! <= pos) low = middle
      else high = middle
    }
    return low + 1
  }
}

function examine(file: string, text: string): readonly Finding[] {
  const exam = new Examination(file, text)
  examineLines(exam)
  const program = parseAst(text, { lang: 'ts' }) as unknown as Node
  examineTree(exam, program, { cold: false, named: '' })
  if (SOURCE.test(file)) for (const node of childrenOf(program)) examineImport(exam, node)
  if (STRUCTURE.test(file)) examineStructure(exam, program)
  return exam.findings
}

function examineLines(exam: Examination): void {
  const unfinished = new RegExp(`\\b(${['FIX', 'TO'].map((half, at) => half + ['ME', 'DO'][at]).join('|')})\\b`)
  const ignored = new RegExp(`@ts-(${['ignore', 'nocheck'].join('|')})\\b`)
  if (exam.lines.length - 1 > FILE_LINES_MAX) {
    exam.add(
      'file length',
      exam.lines.length - 1,
      `over ${FILE_LINES_MAX} lines: it holds two things, give each a file`,
    )
  }
  exam.lines.forEach((line, at) => {
    if ([...line].length > WIDTH_MAX) exam.add('line width', at + 1, `over ${WIDTH_MAX} columns: break it, or say less`)
    if (unfinished.test(line)) exam.add('unfinished', at + 1, 'finish it now, or say in prose what is not done and why')
    if (ignored.test(line)) exam.add('ts-ignore', at + 1, 'mend the type; for a wrong call in a test, @ts-expect-error')
  })
}

type Surroundings = { readonly cold: boolean; readonly named: string }

function examineTree(exam: Examination, node: Node, around: Surroundings): void {
  if (isFunction(node)) examineLength(exam, node, around.named)
  examineTypes(exam, node)
  if (!around.cold && HOT.test(exam.file)) examineHot(exam, node)
  const inside = { cold: around.cold || isCold(node), named: nameGivenBy(node) }
  for (const child of childrenOf(node)) examineTree(exam, child, inside)
}

const isFunction = (node: Node): boolean =>
  node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'

const isCold = (node: Node): boolean =>
  (node.type === 'LabeledStatement' && nameOf(node['label']) === 'DEV') ||
  (node.type === 'MethodDefinition' && /^verify/.test(nameOf(node['key']))) ||
  (node.type === 'FunctionDeclaration' && /^verify/.test(nameOf(node['id'])))

/** What a function right inside this node is called, or the function that it is handed to. */
function nameGivenBy(node: Node): string {
  if (node.type === 'CallExpression') return calleeName(node['callee'])
  return nameOf(node['key'] ?? node['id'])
}

/** `describe` of describe(…), describe.skipIf(…)(…) and describe.each(…)(…). */
function calleeName(callee: unknown): string {
  if (!isNode(callee)) return ''
  return nameOf(callee) || calleeName(callee['object'] ?? callee['callee'] ?? callee['tag'])
}

function examineLength(exam: Examination, node: Node, named: string): void {
  if (named === 'describe') return // a list of tests, not a function that one has to understand
  const first = exam.lineAt(node.start)
  const count = exam.lineAt(node.end) - first + 1
  const advice = `${count} lines: branches stay, move the loops and steps into functions with names`
  if (count > FUNCTION_LINES_MAX) exam.add('function length', first, advice)
}

function examineTypes(exam: Examination, node: Node): void {
  const line = (): number => exam.lineAt(node.start)
  if (node.type === 'TSEnumDeclaration') exam.add('enum', line(), 'write plain constants, or an object `as const`')
  if (node.type === 'TSAnyKeyword') exam.add('any', line(), 'write `unknown` and narrow it, or the real type')
  if (!SOURCE.test(exam.file) || exam.file in KNOWS_BIGINT) return
  const bigint =
    node.type === 'TSBigIntKeyword' ||
    (node.type === 'Identifier' && /^Big(Int|Uint)/.test(nameOf(node))) ||
    (node.type === 'Literal' && 'bigint' in node)
  if (bigint) exam.add('bigint', line(), 'a 64-bit integer is an Int64, whose functions are in src/lib/int64.ts')
}

function examineHot(exam: Examination, node: Node): void {
  const line = (): number => exam.lineAt(node.start)
  const callee = node.type === 'CallExpression' && isNode(node['callee']) ? nameOf(node['callee']['property']) : ''
  if (callee === 'subarray') exam.add('subarray', line(), 'pass (bytes, pos, len): a view costs 25 ns and is garbage')
  if (callee === 'slice')
    exam.add('slice', line(), 'pass (bytes, pos, len), or copyWithin where the bytes must move; of a string, substring')
  const made = node.type === 'NewExpression' ? nameOf(node['callee']) : ''
  if (made === 'DataView') exam.add('DataView', line(), 'read words through Memory, or bytes and shifts')
  const throws = node.type === 'ThrowStatement' && isNode(node['argument']) && node['argument'].type === 'NewExpression'
  if (throws) exam.add('throw', line(), 'return a result with a written rule; assert what only a bug can break')
}

/** What LAYERS calls a file of src/: its folder there, or itself. */
const partOf = (file: string): string => file.split('/')[1]!
const layerOf = (file: string): number => LAYERS.findIndex((layer) => layer.includes(partOf(file)))

function examineImport(exam: Examination, node: Node): void {
  const source = isNode(node['source']) ? String(node['source']['value']) : ''
  if (!source.startsWith('.')) return
  const target = join(dirname(exam.file), source)
  const [from, to] = [layerOf(exam.file), layerOf(target)]
  const line = exam.lineAt(node.start)
  if (from === -1 || to === -1) {
    exam.add('layers', line, `${from === -1 ? exam.file : target} is in no layer: give it a place in LAYERS`)
    return
  }
  if (to < from || partOf(exam.file) === partOf(target)) return
  const typesOnly = node['importKind'] === 'type' || node['exportKind'] === 'type'
  if (typesOnly && target in NAMED_FROM_BELOW) return
  const advice = `imports ${target}, which is not below it: move what is shared down, or have it passed in`
  exam.add('layers', line, advice)
}

function examineStructure(exam: Examination, program: Node): void {
  const code = childrenOf(program)[0]?.start ?? 0
  const essay = exam.text.slice(0, code)
  const drawn = /^ ?\*.*([+├┌└]-{2,}|[+├┌└]─{2,}|\|.*\|)/m.test(essay)
  if (!drawn) exam.add('drawing', 1, 'open with a comment that draws the memory, field by field')
  const verified = /^\s*(export (async )?function |static )?verify\w*(<[^>]*>)?\(/m.test(exam.text)
  if (!verified) exam.add('verify', 1, 'write verify(ref): what the opening comment says always holds, as code')
}

const root = fileURLToPath(new URL('..', import.meta.url))

function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((file) => /\.(ts|mjs)$/.test(file) && !/\/(fixtures|results)\//.test(file))
}

function allFindings(): readonly Finding[] {
  const top = readdirSync(root).filter((file) => /\.(ts|mjs)$/.test(file))
  const files = [...top, ...['src', 'test', 'bench'].flatMap(filesOf)]
  return files.flatMap((file) => examine(file, readFileSync(join(root, file), 'utf8')))
}

describe('the source is tidy', () => {
  const findings = allFindings()
  const exceptionFor = (rule: RuleName, file: string): number =>
    EXCEPTIONS.find((exception) => exception.rule === rule && exception.file === file)?.count ?? 0
  const countOf = (rule: RuleName, file: string): number =>
    findings.filter((finding) => finding.rule === rule && finding.file === file).length

  test.each(RULES)('%s', (rule) => {
    const found = findings.filter(
      (finding) => finding.rule === rule && countOf(rule, finding.file) > exceptionFor(rule, finding.file),
    )
    expect(found.map(({ file, line, advice }) => `${file}:${line}  ${advice}`)).toEqual([])
  })

  test('every exception has a reason, and is needed as often as it says', () => {
    const idle = EXCEPTIONS.filter(({ rule, file, count, reason }) => reason === '' || countOf(rule, file) < count)
    expect(idle).toEqual([])
  })
})

describe('the tidy test itself', () => {
  const rulesBrokenBy = (file: string, text: string): string[] => examine(file, text).map((finding) => finding.rule)
  const body = (count: number): string => 'call()\n'.repeat(count)

  test.each<[RuleName, string, string]>([
    ['line width', 'src/lib/x.ts', `// ${'x'.repeat(118)}`],
    ['function length', 'src/lib/x.ts', `function f() {\n${body(69)}}`],
    ['function length', 'test/x.test.ts', `test('a', () => {\n${body(69)}})`],
    ['file length', 'src/lib/x.ts', body(801)],
    ['layers', 'src/lib/x.ts', `import { table } from '../structures/table.ts'`],
    ['layers', 'src/acl/x.ts', `import { subscribe } from '../pubsub/subscribe.ts'`],
    ['layers', 'src/acl/x.ts', `import { Call } from '../commands/call.ts'`],
    ['layers', 'src/acl/x.ts', `import type { Server } from '../server/server.ts'`],
    ['layers', 'src/keyspace/x.ts', `export * from '../main.ts'`],
    ['layers', 'src/commands/x.ts', `import { x } from '../unheard-of/x.ts'`],
    ['enum', 'test/x.ts', 'enum Color { RED }'],
    ['any', 'bench/x.ts', 'const x = y as any'],
    ['ts-ignore', 'src/lib/x.ts', ['// @ts', 'ignore'].join('-')],
    ['unfinished', 'src/lib/x.ts', ['// TO', 'DO: later'].join('')],
    ['bigint', 'src/keyspace/x.ts', 'const x = 1n'],
    ['bigint', 'src/keyspace/x.ts', 'const x = BigInt(1)'],
    ['bigint', 'src/keyspace/x.ts', 'let x: bigint'],
    ['subarray', 'src/keyspace/x.ts', 'bytes.subarray(1)'],
    ['slice', 'src/protocol/x.ts', 'call.bytes.slice(1)'],
    ['DataView', 'src/memory/x.ts', 'new DataView(buffer)'],
    ['throw', 'src/memory/x.ts', 'function f() { throw new Error(text) }'],
  ])('finds a broken rule: %s in %s (case %#)', (rule, file, text) => {
    expect(rulesBrokenBy(file, text)).toEqual([rule])
  })

  test('wants a drawing and a verify of every structure', () => {
    expect(rulesBrokenBy('src/structures/x.ts', '/* Plain. */\nconst x = 1')).toEqual(['drawing', 'verify'])
    const good = '/* Blocks.\n *   +---+---+\n *   | a | b |\n */\nexport class X {\n  verify(ref: Ref): void {}\n}\n'
    expect(rulesBrokenBy('src/structures/x.ts', good)).toEqual([])
  })

  test.each([
    ['src/commands/x.ts', `import { find } from '../structures/table.ts'\nimport net from 'node:net'`],
    ['src/acl/x.ts', `import type { Call } from '../commands/call.ts'`],
    ['src/main.ts', `import { createServer } from './index.ts'`],
    ['src/lib/int64.ts', 'export const int = (text: string): bigint => BigInt(text)'],
    ['src/lib/x.ts', `throw new Error('enum, any, BigInt')`],
    ['src/memory/x.ts', 'DEV: { if (bytes.subarray(1)) throw new Error(text) }'],
    ['src/memory/x.ts', 'class X { verify() { throw new Error(text) } }'],
    ['test/x.test.ts', `describe.skipIf(!redis)('x', () => {\n${body(90)}})`],
    ['src/lib/x.ts', `function f() {\n${body(68)}}`],
  ])('lets pass what is allowed in %s (case %#)', (file, text) => {
    expect(rulesBrokenBy(file, text)).toEqual([])
  })
})
