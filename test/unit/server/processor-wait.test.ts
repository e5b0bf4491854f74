import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcessorWait } from '../../../src/server/processor-wait.ts'

describe('the time spent waiting for a processor', () => {
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'cinnabar-test-'))
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('is what the kernel has counted since the last look', () => {
    const path = join(directory, 'schedstat')
    writeFileSync(path, '123456789 2000000 17\n')
    const waiting = new ProcessorWait(path)
    expect(waiting.sample()).toBe(0)
    writeFileSync(path, '223456789 7500000 18\n')
    expect(waiting.sample()).toBe(5.5)
    expect(waiting.sample()).toBe(0)
    waiting.close()
    expect(() => waiting.close()).not.toThrow()
  })

  test('is unknown, and 0, where nothing counts it', () => {
    const waiting = new ProcessorWait(join(directory, 'no such file'))
    expect(waiting.sample()).toBe(0)
    waiting.close()
  })
})
