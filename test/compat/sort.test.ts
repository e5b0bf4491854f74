/* SORT, sent to Cinnabar and to redis-server: the replies must be the same bytes. First the edges that somebody thought
 * of, then random commands over lists, sets of integers and sorted sets with their weights.
 *
 * Left out: the order of members of a large set without an order asked for; of those that are equal by an ALPHA pattern
 * when LIMIT cuts them (Redis's partial quicksort is not stable); and numbers beyond a double, after which Redis takes
 * no other one either (it never clears errno). */
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { type Argument, encode } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable } from '../helpers/servers.ts'
import { usePair } from './pair.ts'

const EDGES: readonly string[] = [
  'sort none|sort none desc alpha limit 0 1|sort none store d|exists d|sort|sort_ro|sort_ro none|sort_ro none store d',
  'set s x|sort s|sort_ro s|hset h a 1|sort h|rpush l 3 1 2 10 1|sort l|sort l desc|sort l alpha|sort l asc desc asc',
  'sort l limit 1 2|sort l limit -3 2|sort l limit 1 -1|sort l limit 1 -9|sort l limit 9 1|sort l limit 0 0',
  'sort l limit 9223372036854775807 9223372036854775807|sort l limit 1|sort l limit a 1|sort l limit 1 a|sort l foo',
  'sort l by|sort l get|sort l store',
  'sort l limit 1 2 foo|sort l by nosort|sort l by nosort desc|sort l by nosort get #',
  'sort l by nosort limit 1 2|sort l by nosort desc limit 1 2|sort l by nosort limit 4 9|sort l by nosort limit 5 1',
  'mset w1 5 w2 3 w3 x o1 one o3 three|sort l by w*|sort l by w* alpha|sort l by w* alpha desc|sort l by v*',
  'sort l by v* desc|sort l by v* alpha|sort l get o*|sort l get o* get # get o*|sort l by w* alpha get #',
  'sort l by nosort get nothing|sort l get #x|sort l get ##|sort l get *|sort l by * alpha|set 10 ten|sort l get *',
  'hset h1 f 7 g ""|hset h2 f 6 -> 1|hset h10 f 1|sort l by h*->f|sort l by h*->f get h*->f get h*->g|sort l by h*->',
  'sort l get h*->|sort l get h*->no|sort l get o*->f|sort l get s->f|sort l get h*->-> alpha|sort l get h->*',
  'set w*->f 1|sort l by *->f|sort l get *->|set 1-> x|sort l get *->|sort l by w*->f',
  'rpush n 1 1.5 -inf inf 1e3 0x10 "" " 7" -0 0|sort n|sort n desc|rpush m 1 nan|sort m|sort m alpha|sort m limit 0 1',
  'rpush p 1 "2 "|sort p|rpush q " "|sort q|rpush t "1\\x00x" 0|sort t|rpush u "1 \\x00"|sort u',
  'rpush z "b\\x00b" "b\\x00a" b a "b\\x00" ab|sort z alpha|sort z alpha desc|sort z alpha store d|lrange d 0 -1',
  'sort l store d|lrange d 0 -1|type d|object encoding d',
  'expire d 100|sort l store d|ttl d|sort l store l|lrange l 0 -1',
  'sort none store d|exists d|sort l get o* get # store d|lrange d 0 -1|sort l limit 9 1 store d|exists d|set d x',
  'sort l store d|type d|sort m store d|type d|sadd set 5 3 9|sort set|sort set desc store d|lrange d 0 -1',
  'sort set by nosort store d|lrange d 0 -1|sadd abc c a b 7 66|sort abc by nosort store d desc|lrange d 0 -1',
  'sort abc alpha|sort abc|sort abc by nosort store d limit 1 2|lrange d 0 -1|zadd zs 3 1 2 2 1 3 1 4|sort zs',
  'sort zs by nosort|sort zs by nosort desc|sort zs by nosort limit 1 2|sort zs by nosort desc limit 1 2|sort zs desc',
  'sort zs by nosort get # get w*|sort zs by nosort limit 2 9 store d|lrange d 0 -1|sort zs by nosort limit 4 1',
  'object encoding d|config set list-max-listpack-size 2|sort l store d|object encoding d|sort l limit 0 2 store d',
]

describe.skipIf(!redisAvailable())('SORT answers as redis-server does', () => {
  const pair = usePair()
  const send = async (bytes: Uint8Array | string, count: number): Promise<[string, string][]> => {
    const replies = await pair().send(bytes, count)
    return replies.map(([ours, redis]) => [ours.toString('latin1'), redis.toString('latin1')])
  }

  test.each([2, 3])('at the edges, in RESP%i', async (version) => {
    await send(`HELLO ${version}\r\nFLUSHALL\r\n`, 2)
    const unlike: string[] = []
    for (const line of EDGES.flatMap((lines) => lines.split('|'))) {
      const [[ours, redis]] = (await send(`${line}\r\n`, 1)) as [[string, string]]
      if (ours !== redis && !line.startsWith('object')) unlike.push(`${line}\n  ours  ${ours}\n  redis ${redis}`)
    }
    expect(unlike).toEqual([])
  })

  test.each([1, 2, 3])('random commands (%i)', async (round) => {
    const seed = testSeed(round)
    const random = new Random(seed)
    const oneOf = <T>(values: readonly T[]): T => values[random.below(values.length)]!
    const number = () => String(random.below(40) - 20)
    await send('HELLO 2\r\nFLUSHALL\r\n', 2)
    const setUp: Argument[][] = []
    for (let index = -20; index < 20; index++) {
      if (random.below(4) > 0) setUp.push(['set', `w${index}`, oneOf([number(), '1.5', '-2e3', '7'])])
      if (random.below(4) > 0) setUp.push(['hset', `h${index}`, 'f', number(), 'text', `t${number()}`])
    }
    for (let index = 0; index < 60; index++) {
      setUp.push(['rpush', 'list', number()], ['sadd', 'set', number()], ['zadd', 'zset', number(), number()])
    }
    await send(Buffer.concat(setUp.map((args) => encode(...args))), setUp.length)
    const commands = Array.from({ length: 600 }, (): Argument[] => {
      const args: Argument[] = [oneOf(['sort', 'sort_ro']), oneOf(['list', 'set', 'zset', 'stored'])]
      const by = oneOf(['', '', 'w*', 'h*->f', 'nosort', 'none*', 'h*->text'])
      if (by !== '') args.push('by', by)
      const isText = by === 'h*->text' || random.below(3) === 0
      const isUnstable = isText && by !== '' && by !== 'nosort'
      if (isUnstable) args[1] = 'list'
      if (isText) args.push('alpha')
      if (random.below(2) === 0) args.push(oneOf(['asc', 'desc']))
      if (random.below(3) === 0 && !isUnstable) args.push('limit', String(random.below(70) - 5), number())
      for (let left = random.below(3); left > 0; left--) args.push('get', oneOf(['#', 'w*', 'h*->f', 'h*->text', 'x']))
      if (args[0] === 'sort' && random.below(3) === 0) args.push('store', 'stored')
      return args
    })
    const pairs = await send(Buffer.concat(commands.map((args) => encode(...args))), commands.length)
    pairs.forEach(([ours, redis], index) => {
      expect(ours, `seed ${seed}, ${commands[index]!.join(' ')}`).toBe(redis)
    })
  })
})
