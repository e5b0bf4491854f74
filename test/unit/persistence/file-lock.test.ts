/* Who gets a lock: one, however many want it in the same moment, and whatever those before have left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { FileLock, LockState } from '../../../src/persistence/file-lock.ts'

/** LOCK_ROUNDS asks for more. */
const ROUNDS = Number(process.env['LOCK_ROUNDS'] ?? 25)
const CONTENDERS = 20

/** A process that takes the lock at a given moment of each round, says what came of it, and gives it back when told. */
const SOURCE = fileURLToPath(new URL('../../../src/persistence/file-lock.ts', import.meta.url))
const CONTENDER = `
import { FileLock } from ${JSON.stringify(SOURCE)}
process.on('message', ({ path, at }) => {
  if (path === undefined) return process.exit(0)
  const lock = new FileLock(path)
  while (performance.timeOrigin + performance.now() < at) {}
  process.send(lock.take())
})
`

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-lock-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

let script = ''
beforeAll(() => {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-lock-'))
  script = join(dir, 'contender.mjs')
  const stdin = { contents: CONTENDER, loader: 'ts' as const, resolveDir: dir }
  buildSync({ stdin, bundle: true, platform: 'node', format: 'esm', outfile: script, dropLabels: ['DEV'] })
  return () => rmSync(dir, { recursive: true, force: true })
})

function contenders(): ChildProcess[] {
  const children = Array.from({ length: CONTENDERS }, () =>
    spawn(process.execPath, [script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  )
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  return children
}

const answer = (child: ChildProcess): Promise<LockState> => new Promise((resolve) => child.once('message', resolve))

/** What is left by one who was killed. */
function leave(path: string, id: string, pid = 2 ** 22 + 1): void {
  const lock = new FileLock(path)
  lock.take()
  const own = JSON.parse(readFileSync(path, 'utf8'))
  lock.release()
  writeFileSync(path, JSON.stringify({ ...own, id, pid }))
}

test(`${CONTENDERS} who want a lock at once: one gets it, ${ROUNDS} times`, async () => {
  const children = contenders()
  const dir = directory()
  for (let round = 0; round < ROUNDS; round++) {
    const path = join(dir, `lock-${round}`)
    const kind = round % 4
    if (kind === 1) leave(path, 'gone')
    if (kind === 2) writeFileSync(path, '{"pid": 4')
    if (kind === 3) {
      // Its successor is gone as well.
      leave(`${path}.after-gone`, 'too')
      leave(path, 'gone')
    }
    const answers = children.map(answer)
    for (const child of children) child.send({ path, at: Date.now() + 25 })
    const states = await Promise.all(answers)
    const winners = states.filter((state) => state === LockState.OURS)
    expect(winners.length, `round ${round}: ${states.join(' ')}`).toBe(1)
    expect(states.filter((state) => state === LockState.TAKEN).length).toBe(CONTENDERS - 1)
    const holder = JSON.parse(readFileSync(path, 'utf8')) as { pid: number }
    expect(holder.pid).toBe(children[states.indexOf(LockState.OURS)]!.pid)
    expect(readdirSync(dir).filter((name) => name.startsWith(`lock-${round}.`))).toEqual([])
  }
}, 60_000)

test('who is taken for gone and comes back takes nothing away from his successor', () => {
  const path = join(directory(), 'lock')
  const slow = new FileLock(path)
  expect(slow.take()).toBe(LockState.OURS)
  const next = new FileLock(path) // a lock of this very process counts as one that its number was given to before
  expect(next.take()).toBe(LockState.OURS)
  expect(slow.touch()).toBe(false)
  slow.release()
  expect(next.touch()).toBe(true)
  next.release()
  expect(new FileLock(path).look()).toBe(LockState.FREE)
})
