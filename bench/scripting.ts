/* The scripting suite: scripts as applications send them, and what happens inside one: many commands, or none.
 *
 * A test inside one script takes milliseconds a request, so it is sent one at a time; its rate is that of whole
 * scripts. */

import { runCommands } from './load.ts'
import type { Server } from './servers.ts'
import { atLeast, type Suite } from './suite.ts'
import { measure, type ThroughputTest } from './throughput.ts'
import { present } from './throughput-report.ts'

const LIMITER = `local key, now = KEYS[1], tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', key, 0, now - 100)
local count = redis.call('ZCARD', key)
if count < 5 then redis.call('ZADD', key, now, ARGV[2]) end
redis.call('EXPIRE', key, 60)
return {count, redis.call('TTL', key)}`

const KEY = 'key:000000000042'
const ONE = [1]

const inside = (name: string, script: string, weight: number): ThroughputTest => ({
  name,
  test: ['EVAL', script, '1', KEY],
  pipelines: ONE,
  weight,
})

const TESTS: readonly ThroughputTest[] = [
  { name: 'EVAL of one GET', test: ['EVAL', "return redis.call('GET',KEYS[1])", '1', 'key:__rand_int__'], weight: 3 },
  {
    name: 'EVAL of a rate limiter (5 calls)',
    test: ['EVAL', LIMITER, '1', 'limit:__rand_int__', '1000', '__rand_int__'],
    keyspace: 100_000,
    weight: 8,
  },
  inside('5,000 calls in a script', "for i = 1, 5000 do redis.call('GET', KEYS[1]) end", 1500),
  inside('a loop of 100,000 additions', 'local sum = 0 for i = 1, 100000 do sum = sum + i * 2 end return sum', 1000),
  inside(
    'recursion',
    'local function f(n) if n < 2 then return n end return f(n - 1) + f(n - 2) end return f(16)',
    500,
  ),
  inside(
    'strings and tables',
    "local t = {} for i = 1, 1000 do t[#t + 1] = tostring(i) .. 'x' end return #table.concat(t)",
    1000,
  ),
  inside(
    'cjson',
    `local n = 0 for i = 1, 100 do n = n + #cjson.encode(cjson.decode('{"a":[1,2,3],"b":"xyz"}')) end return n`,
    400,
  ),
]

const prepare = (server: Server): Promise<void> => runCommands(server.address, [['SET', KEY, 'value']])

export const scriptingSuite: Suite = {
  name: 'scripting',
  summary: 'EVAL of one GET and of a rate limiter, and loops inside one script',
  async run(options) {
    const result = present('scripting', await measure(options, TESTS, [1, 16], prepare), options)
    const figures = (result.data as { figures: Awaited<ReturnType<typeof measure>> }).figures
    const bars = figures.flatMap(({ comparisons, test, pipeline }) => {
      const redis = comparisons[0] ?? null
      return redis === null || (pipeline === 1 && test.startsWith('EVAL'))
        ? []
        : [atLeast(`${test}, P=${pipeline}: ratio`, redis.ratio.median, 0.7)]
    })
    return { ...result, bars }
  },
}
