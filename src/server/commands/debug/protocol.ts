/* DEBUG PROTOCOL: a reply of each type, for those who write clients. */
import type { Call } from '../../../commands/call.ts'
import { NEEDS_RESP3, WRONG_PROTOCOL_TYPE } from '../../../protocol/errors.ts'
import type { Reply } from '../../../protocol/reply.ts'
import { FIRST } from './subcommand.ts'

function zeroToTwo(reply: Reply): void {
  for (let value = 0; value < 3; value++) reply.integer(value)
}

const SAMPLES: Readonly<Record<string, (reply: Reply) => void>> = {
  string: (reply) => reply.bulkString('Hello World'),
  integer: (reply) => reply.integer(12345),
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: Redis's sample, not pi
  double: (reply) => reply.double(3.141),
  bignum: (reply) => reply.bigNumber('1234567999999999999999999999999999999'),
  null: (reply) => reply.nullBulk(),
  array: (reply) => {
    reply.array(3)
    zeroToTwo(reply)
  },
  set: (reply) => {
    reply.set(3)
    zeroToTwo(reply)
  },
  map: (reply) => {
    reply.map(3)
    for (let key = 0; key < 3; key++) {
      reply.integer(key)
      reply.boolean(key === 1)
    }
  },
  attrib: (reply) => {
    if (reply.version >= 3) {
      reply.attribute(1)
      reply.bulkString('key-popularity')
      reply.array(2)
      reply.bulkString('key:123')
      reply.integer(90)
    }
    // Attributes only describe a reply: there must be one.
    reply.bulkString('Some real reply following the attribute')
  },
  push: (reply) => {
    if (reply.version < 3) return reply.error(NEEDS_RESP3)
    // What a command pushes leaves after its reply: so it is since 7.2, whatever the text says.
    reply.bulkString('Some real reply following the push reply')
    reply.push(2)
    reply.bulkString('server-cpu-usage')
    reply.integer(42)
  },
  true: (reply) => reply.boolean(true),
  false: (reply) => reply.boolean(false),
  verbatim: (reply) => reply.verbatim('txt', 'This is a verbatim\nstring'),
}

export function protocolSample(call: Call): void {
  const name = call.string(FIRST).toLowerCase()
  if (Object.hasOwn(SAMPLES, name)) SAMPLES[name]!(call.reply)
  else call.reply.error(WRONG_PROTOCOL_TYPE)
}
