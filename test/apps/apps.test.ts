/* Applications that many people run on Redis. What each is made to do, and what it checks, stands in its script, which
 * can be run by hand against any server: `python3 test/apps/celery_app.py PORT` must succeed with redis-server too, so
 * that a failure here is ours. */
import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { ask, connect, useServer } from '../integration/support.ts'

const run = promisify(execFile)
const PYTHON = '/usr/bin/python3' // the distribution's, whose packages another python does not see

/** Whether Python has a package. Tests without it are skipped, and say so. */
function has(...packages: readonly string[]): boolean {
  try {
    execFileSync(PYTHON, ['-c', `import ${packages.join(', ')}`], { stdio: 'ignore' })
    return true
  } catch {
    console.warn(`${packages.join(' OR ')} IS MISSING: THE TESTS OF IT ARE SKIPPED`)
    return false
  }
}

async function output(script: string, port: number): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  return (await run(PYTHON, ['-B', path, String(port)], { timeout: 100_000, killSignal: 'SIGKILL' })).stdout
}

describe.skipIf(!has('celery', 'redis'))('Celery', () => {
  const server = useServer()

  test('has 200 tasks, retries, tasks for later, groups and chords done', async () => {
    expect(await output('celery_app.py', server().port)).toMatch(/^celery: \d+ checks$/m)
    const admin = await connect(server())
    const used = await ask(admin, 'INFO', 'commandstats')
    for (const command of ['multi', 'exec', 'watch', 'evalsha', 'brpop', 'publish', 'psubscribe', 'zrevrangebyscore'])
      expect(used).toContain(`cmdstat_${command}:`)
  })
})

describe.skipIf(!has('django', 'django_redis'))('Django', () => {
  const server = useServer()

  test('caches, keeps sessions and deletes patterns by django-redis', async () => {
    expect(await output('django_redis_app.py', server().port)).toMatch(/^django-redis: \d+ checks$/m)
  })
})
