import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { ask, body, connect, eventually, OK, useServer } from '../integration/support.ts'
import { fuzz } from './fuzzer.ts'
import { FUZZED_SERVER } from './streams.ts'

const MB = 1024 * 1024
const CASES = 100_000
/** Until then the server grows to the size at which it works. */
const WARM_UP_CASES = 10_000
/** FUZZ_SEED=… repeats a run. */
const SEED = Math.abs(testSeed())

const server = useServer({ args: FUZZED_SERVER })

const residentSize = (): number => {
  const status = readFileSync(`/proc/${server().pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

test(`${CASES} requests, good, bad and broken, are each answered as they should be (seed ${SEED})`, async () => {
  console.log(`seed ${SEED}`)
  const admin = await connect(server())
  const pulse = await connect(server())
  const figure = async (section: string, field: string): Promise<number> =>
    Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(body(await ask(admin, 'INFO', section)))?.[1])
  const { port } = server()
  const beat = setInterval(() => pulse.send(encode('PING')), 500)

  await ask(admin, 'FLUSHALL')
  const emptyMemory = await figure('memory', 'used_memory_dataset')
  await fuzz({ port, seed: SEED + 1, cases: WARM_UP_CASES })
  const before = residentSize()
  const report = await fuzz({ port, seed: SEED, cases: CASES })
  clearInterval(beat)
  expect(await ask(pulse, 'ECHO', 'still there')).toMatch(/PONG|still there/)
  await pulse.close()

  expect(report.cases).toBeGreaterThanOrEqual(CASES)
  expect(report.closed).toBeGreaterThan(report.connections / 10)
  expect(report.cutShort).toBeLessThan(report.connections / 20)
  await eventually(async () => (await figure('clients', 'connected_clients')) === 1, 'the end of all connections')
  expect(await ask(admin, 'DEBUG', 'VERIFY')).toBe(OK)
  expect(await ask(admin, 'FLUSHALL')).toBe(OK)
  await eventually(async () => (await figure('memory', 'used_memory_dataset')) < emptyMemory + MB, 'an empty server')
  expect(residentSize()).toBeLessThan(before + 128 * MB)
  expect(server().log()).not.toMatch(/Error|"level":[56]0/)
}, 180_000)
