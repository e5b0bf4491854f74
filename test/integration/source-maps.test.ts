/* The bundle's names are short: the source maps must tell where in the source its code is from. */
import { readdirSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const DIST = join(import.meta.dirname, '../../dist')
/** Text that is in the bundle as it is in the source. */
const TEXT = /"[A-Za-z][A-Za-z ,.]{14,}"/g

const files = readdirSync(DIST, { recursive: true }).map((name) => join(DIST, String(name)))

test('the source maps lead to the lines that the code is from', () => {
  const sources = new Map<string, string[]>()
  const linesOf = (path: string): string[] => {
    const lines = sources.get(path) ?? readFileSync(path, 'latin1').split('\n')
    sources.set(path, lines)
    return lines
  }
  let [found, looked] = [0, 0]
  for (const file of files.filter((name) => name.endsWith('.js'))) {
    const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')))
    for (const [line, code] of readFileSync(file, 'latin1').split('\n').entries()) {
      for (const { 0: text, index } of code.matchAll(TEXT)) {
        const entry = map.findEntry(line, index)
        if (!('originalSource' in entry)) continue
        const original = linesOf(resolve(dirname(file), entry.originalSource))[entry.originalLine]
        looked++
        if (original?.includes(text.slice(1, -1)) === true) found++
      }
    }
  }
  expect(looked).toBeGreaterThan(500)
  // (What the bundler puts together out of pieces is from several lines.)
  expect(found / looked).toBeGreaterThan(0.95)
})
