/* What the integration tests share: one server for a file of tests, and short ways to talk to it. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type Argument, encode, type RawClient } from '../helpers/raw-client.ts'
import { type StartOptions, sleep, startCinnabar, type TestServer } from '../helpers/servers.ts'

/** Starts a server before the tests of the file (or group) and stops it after them. */
export function useServer(options: StartOptions = {}): () => TestServer {
  let server: TestServer
  beforeAll(async () => {
    server = await startCinnabar(options)
  })
  afterAll(() => server.stop())
  return () => server
}

/** A client that goes when the test is done. */
export async function connect(server: TestServer): Promise<RawClient> {
  const client = await server.connect()
  onTestFinished(() => client.close())
  return client
}

/** Sends a command; the reply as text, a character a byte. */
export async function ask(client: RawClient, ...args: readonly Argument[]): Promise<string> {
  return (await client.command(...args)).toString('latin1')
}

/** The content of a bulk or verbatim string. */
export function body(reply: string): string {
  return reply.slice(reply.indexOf('\r\n') + 2, -2).replace(/^txt:/, '')
}

/** The fields of the line that CLIENT INFO, or CLIENT LIST for one client, answers. */
export function fieldsOf(line: string): Record<string, string> {
  const pairs = line.trim().split(' ')
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
}

export async function describeClient(client: RawClient): Promise<Record<string, string>> {
  return fieldsOf(body(await ask(client, 'CLIENT', 'INFO')))
}

const PATIENCE_MS = 30_000

/** Waits until `check` holds; fails the test if it does not within 30 s. For what stays once it has come: a state that
 *  passes may be over before the first look. */
export async function eventually(check: () => Promise<boolean> | boolean, what = 'the condition'): Promise<void> {
  const until = Date.now() + PATIENCE_MS
  while (!(await check())) {
    if (Date.now() > until) throw new Error(`${what} did not come about within ${PATIENCE_MS} ms`)
    await sleep(10)
  }
}

/** Has the server sleep, from before this returns; `awake` settles when it has ended. */
export async function putToSleep(
  server: TestServer,
  client: RawClient,
  seconds: string,
): Promise<{ awake: Promise<Buffer[]> }> {
  const commands = [['MULTI'], ['DEBUG', 'LOG', 'asleep'], ['DEBUG', 'SLEEP', seconds], ['EXEC']]
  client.send(Buffer.concat(commands.map((words) => encode(...words))))
  const awake = client.replies(commands.length)
  await server.waitForLog(/DEBUG LOG: asleep/)
  return { awake }
}

/** The lines of CLIENT LIST. */
export async function listClients(client: RawClient): Promise<Record<string, string>[]> {
  const text = body(await ask(client, 'CLIENT', 'LIST'))
  return text.trim().split('\n').map(fieldsOf)
}

/** How many files a process may have open, connections among them. */
export const openFilesAllowed = (): number =>
  Number(/^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1])

export const OK = '+OK\r\n'
