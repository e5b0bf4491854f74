/* What a client says about itself, and how it wants to be treated: the CLIENT subcommands that concern the caller. */
import type { Call } from '../../commands/call.ts'
import { Gate, ReplyMode, SessionFlag } from '../../commands/session.ts'
import { fromLatin1 } from '../../lib/bytes.ts'
import { BAD_CLIENT_NAME, badClientAttribute, SYNTAX, unknownClientAttribute } from '../../protocol/errors.ts'
import type { Server } from '../server.ts'

/** What is kept of a client's attribute. Redis keeps all; but a JavaScript string, as CLIENT LIST is of all clients,
 *  ends at half a gigabyte. */
export const ATTRIBUTE_LEN_MAX = 4096

/** Whether a name would leave CLIENT LIST readable. Redis looks at it as a C string. */
export function isClientAttribute(text: string): boolean {
  return /^[!-~]*(\0|$)/.test(text) && !text.endsWith('\n')
}

export function setName(call: Call): void {
  if (!isClientAttribute(call.string(2))) {
    call.reply.error(BAD_CLIENT_NAME)
    return
  }
  call.session.name = call.string(2, ATTRIBUTE_LEN_MAX)
  call.reply.ok()
}

export function getName(call: Call): void {
  const name = fromLatin1(call.session.name)
  if (name.length === 0) call.reply.nullBulk()
  else call.reply.bulk(name, 0, name.length)
}

export function setInfo(call: Call): void {
  const isName = call.is(2, 'LIB-NAME')
  if (!isName && !call.is(2, 'LIB-VER')) call.reply.error(unknownClientAttribute(call.string(2)))
  else if (!isClientAttribute(call.string(3))) call.reply.error(badClientAttribute(call.string(2)))
  else {
    const value = call.string(3, ATTRIBUTE_LEN_MAX)
    if (isName) call.session.libName = value
    else call.session.libVersion = value
    call.reply.ok()
  }
}

function setReplyMode(call: Call, mode: number): void {
  call.session.replyMode = mode
  if (mode === ReplyMode.ON) call.session.gates &= ~Gate.REPLY
  else call.session.gates |= Gate.REPLY
}

/** CLIENT REPLY ON is answered; whoever runs commands keeps back what else must not be (Connection). */
export function setReply(call: Call): void {
  const { session, reply } = call
  if (call.is(2, 'ON')) {
    setReplyMode(call, ReplyMode.ON)
    reply.ok()
  } else if (call.is(2, 'OFF')) setReplyMode(call, ReplyMode.OFF)
  else if (!call.is(2, 'SKIP')) reply.error(SYNTAX)
  else if (session.replyMode === ReplyMode.SKIP) setReplyMode(call, ReplyMode.SKIP_NEXT)
  else if (session.replyMode === ReplyMode.ON) setReplyMode(call, ReplyMode.SKIP)
}

/** ON or OFF for one of the session's flags. */
export function setFlag(call: Call, flag: number): boolean {
  const on = call.is(2, 'ON')
  if (!on && !call.is(2, 'OFF')) {
    call.reply.error(SYNTAX)
    return false
  }
  if (on) call.session.flags |= flag
  else call.session.flags &= ~flag
  call.reply.ok()
  return true
}

export function setNoTouch(server: Server, call: Call): void {
  if (!setFlag(call, SessionFlag.NO_TOUCH)) return
  server.keyspace.noTouch = (call.session.flags & SessionFlag.NO_TOUCH) !== 0
}
