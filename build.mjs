/* The build: `node build.mjs` bundles src/main.ts and src/index.ts to dist/ and writes index.d.ts beside them.
 *
 * Statements labelled DEV (asserts, mostly) are dropped, and constants are inlined across files: what production runs
 * is smaller and quicker than the source. V8 keeps a program's text in memory, so names are shortened; the source maps
 * know them. pino is bundled, too: loaded as a package it takes 0.7 MB and 15 ms more.
 *
 *   --js       without types, for the moments when only the server is wanted (`npm start`, the tests)
 *   --names    with the names of the source, for profiles
 *
 * Each file is written beside its place and renamed, and only then are those of an earlier build deleted: a server that
 * starts meanwhile finds either build whole. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(fileURLToPath(import.meta.url))
const DIST = join(ROOT, 'dist')
const ENTRIES = ['src/main.ts', 'src/index.ts']
const LICENSES = 'LICENSES.txt'
const SHEBANG = '#!/usr/bin/env node\n'
/** What pino, which is not written as modules, loads those of node by. */
const REQUIRE = "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);"

const log = (text) => process.stderr.write(`build: ${text}\n`)

/** esbuild, or undefined where development dependencies were left out on purpose (`npm install --omit=dev`). */
async function loadEsbuild() {
  try {
    return await import('esbuild')
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return undefined
  }
}

async function bundle(esbuild) {
  const result = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outdir: DIST,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['pino-pretty'],
    banner: { js: REQUIRE },
    dropLabels: ['DEV'],
    minifySyntax: true,
    minifyWhitespace: true,
    minifyIdentifiers: !process.argv.includes('--names'),
    metafile: true,
    lineLimit: 160,
    legalComments: 'none',
    sourcemap: true,
    write: false,
    logLevel: 'warning', // prints each error with its place in the source
  })
  const files = new Map(result.outputFiles.map((file) => [file.path, Buffer.from(file.contents)]))
  files.set(join(DIST, LICENSES), Buffer.from(licensesOf(Object.keys(result.metafile.inputs))))
  return files
}

/** The licenses of the packages that these files belong to. */
function licensesOf(inputs) {
  const packages = new Set(inputs.flatMap((path) => path.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0] ?? []))
  const texts = [...packages].sort().map((path) => {
    const { name, version } = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8'))
    const file = readdirSync(join(ROOT, path)).find((each) => /^licen[cs]e/i.test(each))
    if (file === undefined) fail(`${name} is bundled, and has no license to go with it`)
    return `${name} ${version}\n\n${readFileSync(join(ROOT, path, file), 'utf8').trim()}\n`
  })
  return `dist/ holds code of these packages.\n\n${texts.join('\n\n')}`
}

/** esbuild makes every top-level declaration a `var`, which V8 must load anew wherever it is used; of a `const` it
 *  knows the value (8 to 40 % of the CPU of the tightest loops, Node 20). What is never assigned again becomes one. */
async function restoreConstants(files) {
  const { parseAst } = await import('vitest/node')
  for (const [path, contents] of files) {
    if (!path.endsWith('.js')) continue
    const code = contents.toString()
    const program = parseAst(code)
    const assigned = new Set()
    walk(program, ({ type, left, argument }) => {
      const target = ASSIGNMENTS.has(type) ? left : type === 'UpdateExpression' ? argument : null
      if (target !== null) for (const name of namesOf(target)) assigned.add(name)
    })
    let result = ''
    let end = 0
    const moves = [[0, 0]]
    for (const statement of program.body) {
      if (statement.type !== 'VariableDeclaration' || statement.kind !== 'var') continue
      result += code.slice(end, statement.start)
      for (const { id, init, start, end: next } of statement.declarations) {
        const isConstant = init !== null && namesOf(id).every((name) => !assigned.has(name))
        result += isConstant ? 'const ' : 'var '
        moves.push([start, result.length])
        result += `${code.slice(start, next)};`
      }
      end = statement.end
      moves.push([end, result.length])
    }
    result += code.slice(end)
    files.set(path, Buffer.from(result))
    const map = JSON.parse(files.get(`${path}.map`).toString())
    files.set(
      `${path}.map`,
      Buffer.from(JSON.stringify({ ...map, mappings: moved(map.mappings, code, result, moves) })),
    )
  }
}

/** The mappings of a text that has been changed: from each place of `moves` on (the old one and the new, in order) the
 *  text is as it was. A mapping begins with its column, less that of the one before in its line. */
function moved(mappings, code, result, moves) {
  const [oldStarts, newStarts] = [code, result].map(lineStarts)
  let [text, line, column, move] = ['', 0, 0, 0]
  for (const [oldLine, segments] of mappings.split(';').entries()) {
    let oldColumn = 0
    for (const segment of segments.split(',').filter((each) => each !== '')) {
      const { value, len } = numberAt(segment)
      oldColumn += value
      const pos = oldStarts[oldLine] + oldColumn
      while (move + 1 < moves.length && moves[move + 1][0] <= pos) move++
      const newPos = pos - moves[move][0] + moves[move][1]
      const lineBefore = line
      while (line + 1 < newStarts.length && newStarts[line + 1] <= newPos) line++
      if (line > lineBefore) column = 0
      text += line > lineBefore ? ';'.repeat(line - lineBefore) : text === '' ? '' : ','
      text += numberText(newPos - newStarts[line] - column) + segment.slice(len)
      column = newPos - newStarts[line]
    }
  }
  return text
}

const lineStarts = (text) => [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]

/** Numbers in source maps: six bits a digit, the lowest first, of which one says that more follow; the sign is the
 *  lowest bit of all. */
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

function numberAt(text) {
  let [bits, len, digit] = [0, 0, 32]
  for (; digit >= 32; len++) {
    digit = DIGITS.indexOf(text[len])
    bits += (digit & 31) << (5 * len)
  }
  return { value: bits & 1 ? -(bits >> 1) : bits >> 1, len }
}

function numberText(value) {
  let text = ''
  let bits = value < 0 ? (-value << 1) | 1 : value << 1
  for (; bits >= 32; bits >>= 5) text += DIGITS[(bits & 31) | 32]
  return text + DIGITS[bits]
}

const ASSIGNMENTS = new Set(['AssignmentExpression', 'ForInStatement', 'ForOfStatement'])
const SKIP = Symbol('skip')

function walk(node, visit) {
  if (Array.isArray(node)) for (const each of node) walk(each, visit)
  else if (node !== null && typeof node === 'object') {
    if (typeof node.type === 'string' && visit(node) === SKIP) return
    for (const value of Object.values(node)) walk(value, visit)
  }
}

/** The names that an assignment to this target, or a declaration of this pattern, gives a value. A property is none. */
function namesOf(pattern) {
  const names = []
  walk(pattern, (node) => {
    if (node.type === 'MemberExpression') return SKIP
    if (node.type === 'Identifier') names.push(node.name)
    return undefined
  })
  return names
}

/** Makes dist/main.js a program. A line added on top is an empty line (';') for its source map. */
function addShebang(files) {
  const main = join(DIST, 'main.js')
  const code = files.get(main)
  if (code.toString('latin1', 0, 2) === '#!') return
  files.set(main, Buffer.concat([Buffer.from(SHEBANG), code]))
  const map = JSON.parse(files.get(`${main}.map`).toString())
  files.set(`${main}.map`, Buffer.from(JSON.stringify({ ...map, mappings: `;${map.mappings}` })))
}

async function writeAll(files) {
  for (const [path, contents] of files) {
    await mkdir(dirname(path), { recursive: true })
    const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`)
    await writeFile(temporary, contents)
    if (path === join(DIST, 'main.js')) await chmod(temporary, 0o755)
    await rename(temporary, path)
  }
}

/** Deletes what an earlier build left and this one did not write. Temporary names belong to a build that still runs. */
async function deleteStale(files, extensions) {
  for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const ours = entry.isFile() && extensions.test(entry.name) && !entry.name.startsWith('.')
    if (ours && !files.has(path)) await rm(path, { force: true })
  }
}

/** Declarations of the embedding API: one file that stands alone, out of those that are written for every module. Only
 *  options that matter here are stated: tsconfig.json is for checking. */
async function declare() {
  const temporary = join(DIST, `.types.${process.pid}`)
  const require = createRequire(import.meta.url)
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  const options = {
    target: 'es2023',
    module: 'nodenext',
    types: 'node',
    strict: true,
    exactOptionalPropertyTypes: true,
    allowUnusedLabels: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: 'src',
    outDir: temporary,
  }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const { status } = spawnSync(process.execPath, [tsc, '--ignoreConfig', ...flags, 'src/index.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const types = status === 0 ? await readFile(join(temporary, 'index.d.ts'), 'utf8') : ''
  if (status === 0) await rename(join(temporary, 'index.d.ts'), join(DIST, 'index.d.ts'))
  await rm(temporary, { recursive: true, force: true })
  if (status !== 0) fail('the types of src/index.ts could not be written (see above)')
  if (/from ['"]\./.test(types)) fail('the types of src/index.ts name those of other files, which are not published')
}

function fail(reason) {
  log(reason)
  process.exit(1)
}

const started = performance.now()
const esbuild = await loadEsbuild()
if (esbuild === undefined) {
  if (!existsSync(join(DIST, 'main.js'))) {
    fail('esbuild is not installed, and there is no dist/ yet: run `npm ci` with development dependencies first')
  }
  log('esbuild is not installed; dist/ stays as it is')
  process.exit(0)
}
for (const entry of ENTRIES) if (!existsSync(join(ROOT, entry))) fail(`${entry} is missing`)

const files = await bundle(esbuild).catch((error) => fail(error.errors === undefined ? error.message : 'failed'))
await restoreConstants(files)
addShebang(files)
await writeAll(files)
await deleteStale(files, /\.js(\.map)?$/)
if (!process.argv.includes('--js')) {
  await deleteStale(files, /\.d\.ts$/)
  await declare()
}
const kilobytes = [...files].reduce((sum, [path, code]) => sum + (path.endsWith('.js') ? code.length : 0), 0) / 1024
log(`dist/ written in ${Math.round(performance.now() - started)} ms, ${kilobytes.toFixed(0)} KB of JavaScript`)
