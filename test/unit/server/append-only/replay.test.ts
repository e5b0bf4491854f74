/* Replays of files that are read in pieces: wherever a piece ends, the same is done. */
import { expect, test } from 'vitest'
import { Session } from '../../../../src/commands/session.ts'
import { AofReader } from '../../../../src/persistence/aof/reader.ts'
import { Replay, ReplayEnd } from '../../../../src/server/append-only/replay.ts'
import { encode } from '../../../helpers/raw-client.ts'
import { newServer, run } from '../support.ts'

const FILE = new Uint8Array(
  Buffer.concat([
    encode('SELECT', '0'),
    Buffer.from('#TS:1700000000\r\n'),
    ...Array.from({ length: 12 }, (_, at) =>
      Buffer.concat([
        encode('APPEND', 'log', `${at},`),
        encode('MULTI'),
        encode('INCR', 'first'),
        encode('INCR', 'second'),
        encode('EXEC'),
        Buffer.from('#TS:1700000001\r\n'),
      ]),
    ),
    encode('APPEND', 'log', 'x'.repeat(300)),
  ]),
)

test.each([64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79])('in pieces of %i bytes', (size) => {
  const server = newServer()
  const readAt = (target: Uint8Array, pos: number, len: number, offset: number): number => {
    const piece = FILE.subarray(offset, offset + len)
    target.set(piece, pos)
    return piece.length
  }
  const replay = new Replay(server, new AofReader(readAt, 0, FILE.length, size))
  while (replay.step());
  expect(replay.end).toBe(ReplayEnd.WHOLE)
  expect(replay.validTo).toBe(FILE.length)
  const session = new Session(1)
  expect(run(server, session, 'MGET', 'first', 'second')).toBe('*2\r\n$2\r\n12\r\n$2\r\n12\r\n')
  expect(run(server, session, 'STRLEN', 'log')).toBe(':326\r\n')
})
