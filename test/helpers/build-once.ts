/* Before the first test that starts a server: dist/ is built from the source at hand, no test meets an old server. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export function setup(): void {
  if (process.env['CINNABAR_SERVER'] !== undefined) return // another server is to be tested
  const { status, stderr } = spawnSync(process.execPath, ['build.mjs', '--js'], { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the server under test could not be built:\n${stderr}`)
}
