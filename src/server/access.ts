/* Access: who a session is, and what it may do. Passwords and rules are src/acl/'s; here they meet the connections.
 *
 * As in Redis, a client is judged when it connects: one that came while the default user needed no password stays when
 * one is set, and one that came later must authenticate for as long as one is needed. A session of a user who may do
 * everything has no gate, so that nothing is asked of its commands; any other's has Gate.LIMITED. */
import { readFileSync } from 'node:fs'
import { AclLog, type Context, OBJECT_LEN_MAX, Reason } from '../acl/log.ts'
import { type Denial, denialOf, denialText } from '../acl/permissions.ts'
import type { Commands } from '../acl/selector.ts'
import type { User } from '../acl/user.ts'
import { Users } from '../acl/users.ts'
import type { Call } from '../commands/call.ts'
import { CallArguments } from '../commands/call-arguments.ts'
import { type Command, Flag } from '../commands/definition.ts'
import { Admission } from '../commands/dispatcher.ts'
import { categoryOf } from '../commands/introspection/lookup.ts'
import { Gate, type Session, SessionFlag } from '../commands/session.ts'
import { latin1 } from '../lib/bytes.ts'
import { errorReply } from '../protocol/errors.ts'
import { clientLine } from './client-line.ts'
import { ownConnection } from './commands/client-list.ts'
import { replaceFile } from './config/rewrite.ts'
import { errorText, toText } from './config/text.ts'
import { resolveBytes } from './config/working-directory.ts'
import type { Server } from './server.ts'

function commandsOf(all: readonly Command[]): Commands {
  const byName = new Map(all.map((command) => [command.fullName, command]))
  return { all, find: (name) => byName.get(name.toLowerCase()), category: categoryOf }
}

export class Access {
  readonly users: Users
  readonly log = new AclLog()
  private readonly server: Server

  constructor(server: Server) {
    this.server = server
    this.users = new Users(commandsOf(server.table.all))
    const { config } = server
    config.onChange('acllog-max-len', () => this.log.setCapacity(config.number('acllog-max-len')))
    config.onChange('acl-pubsub-default', () => {
      this.users.setting.allChannels = config.choice('acl-pubsub-default') === 'allchannels'
    })
    config.onChange('requirepass', () => {
      const password = config.bytes('requirepass') ?? ''
      if (password === '' && this.users.default.noPassword) return
      this.users.default.set('resetpass')
      this.users.default.set(password === '' ? 'nopass' : `>${password}`)
      this.judgeAll()
    })
  }

  /** Whether the default user needs no password. */
  get isOpen(): boolean {
    return this.users.default.noPassword
  }

  isUser(name: string): boolean {
    return this.users.get(name) !== undefined
  }

  /** Begins a session, or (RESET) begins it again. */
  begin(session: Session): void {
    const user = this.users.default
    this.become(session, user, user.noPassword && user.enabled)
  }

  private become(session: Session, user: User, authenticated: boolean): void {
    session.account = user
    session.user = user.name
    session.authenticated = authenticated
    this.judge(session)
  }

  private judge(session: Session): void {
    const { default: user } = this.users
    const isOpen = user.noPassword && user.enabled
    session.gates &= ~(Gate.UNAUTHENTICATED | Gate.LIMITED)
    if (!isOpen && !session.authenticated) session.gates |= Gate.UNAUTHENTICATED
    if (session.account?.isUnlimited === false) session.gates |= Gate.LIMITED
  }

  /** Users have changed: what their sessions may do has too. */
  judgeAll(): void {
    for (const { session } of this.server.connections.values()) this.judge(session)
  }

  /** Name and password are byte strings. False: refused, and everything is as it was. */
  authenticate(call: Call, name: string, password: string): boolean {
    const user = this.users.get(name)
    if (user?.accepts(password) === true) {
      this.become(call.session, user, true)
      return true
    }
    this.note(call, Reason.AUTH, contextOf(call), call.string(0, OBJECT_LEN_MAX), name)
    return false
  }

  private note(call: Call, reason: Reason, context: Context, object: string, user: string): void {
    const connection = ownConnection(this.server, this.server.wire.call) ?? ownConnection(this.server, call)
    const client = connection === undefined ? '' : clientLine(this.server, connection)
    this.log.add(reason, context, object, user, client, this.server.keyspace.now)
  }

  /** What a call lacks that a session is about to run; undefined if it may. */
  private check(call: Call, command: Command): Denial | undefined {
    const { account } = call.session
    if (account === null || account.isUnlimited) return undefined
    return denialOf(account, command, new CallArguments(call, command), (command.flags & Flag.NO_AUTH) !== 0)
  }

  /** Lets commands of users through who may not do everything. */
  readonly admit = (call: Call, command: Command): Admission => {
    if ((call.session.gates & Gate.LIMITED) === 0) return Admission.RUN
    const denial = this.check(call, command)
    if (denial === undefined) return Admission.RUN
    this.noteDenial(call, command, denial, contextOf(call))
    const text = denialText(call.session.account!, command, denial.reason)
    this.server.dispatcher.reject(call, command, errorReply(`NOPERM ${text}`))
    return Admission.ANSWERED
  }

  private noteDenial(call: Call, command: Command, denial: Denial, context: Context): void {
    const isCommand = denial.reason === Reason.COMMAND
    const object = isCommand ? command.fullName : call.string(denial.index, OBJECT_LEN_MAX)
    this.note(call, denial.reason, context, object, call.session.user)
  }

  /** Why a command of a script may not run; null if it may. */
  scriptProblem(call: Call, command: Command): string | null {
    const denial = this.check(call, command)
    if (denial === undefined) return null
    this.noteDenial(call, command, denial, 'lua')
    return `ACL failure in script: ${denialText(call.session.account!, command, denial.reason)}`
  }

  /** Whether a script could run a command; nothing is noted. */
  mayRun(call: Call, command: Command): boolean {
    return this.check(call, command) === undefined
  }

  /** Why a command that was queued may not run any more; null if it may. */
  queuedProblem(call: Call, command: Command): string | null {
    if ((call.session.gates & Gate.LIMITED) === 0) return null
    const denial = this.check(call, command)
    if (denial === undefined) return null
    this.noteDenial(call, command, denial, 'multi')
    if (denial.reason === Reason.COMMAND) return 'no permission to execute the command or subcommand'
    if (denial.reason === Reason.KEY) return 'no permission to touch the specified keys'
    return 'no permission to access one of the channels used as arguments'
  }

  /** What a user would be told for the command that begins at an argument of a call; undefined if it may. */
  dryRun(call: Call, first: number, user: User, command: Command): string | undefined {
    const args = new CallArguments(call, command, first)
    const denial = denialOf(user, command, args, (command.flags & Flag.NO_AUTH) !== 0)
    return denial && denialText(user, command, denial.reason, args.text(denial.index))
  }

  // Files.

  get hasFile(): boolean {
    return this.path !== ''
  }
  private get path(): string {
    return this.server.config.bytes('aclfile') ?? ''
  }

  /** Reads the ACL file; answers what is wrong with it. */
  loadFile(): string | undefined {
    const { directory } = this.server.config
    try {
      const text = readFileSync(resolveBytes(directory, this.path)).toString('latin1')
      return this.users.loadText(text, this.path)
    } catch (error) {
      return `Error loading ACLs, opening file '${toText(this.path)}': ${errorText(error)}`
    }
  }

  /** Writes the ACL file: it is replaced as a whole, once that is on the disk. False: the log says why not. */
  saveFile(): boolean {
    const resolved = resolveBytes(this.server.config.directory, this.path)
    try {
      replaceFile(latin1(resolved, 0, resolved.length), this.fileText)
      return true
    } catch (error) {
      this.server.log.warn(`Writing ACL file for ACL SAVE: ${errorText(error)}`)
      return false
    }
  }

  private get fileText(): string {
    return this.users.lines.map((line) => `user ${line}\n`).join('')
  }

  /** Makes the users of the configuration, or of the ACL file, before anybody comes; answers what is wrong. */
  loadAtStart(): string | undefined {
    if (this.hasFile && this.users.hasConfigured) {
      return (
        'Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. ' +
        'This setup is very likely to lead to configuration errors and security holes, please define either an ACL ' +
        'file or declare users directly in your redis.conf, but not both.'
      )
    }
    const problem = this.users.loadConfigured((text) => this.server.log.info(text))
    if (problem !== undefined || !this.hasFile) return problem
    const fileProblem = this.loadFile()
    return fileProblem && `Aborting Redis startup because of ACL errors: ${fileProblem}`
  }

  /** Closes the connections of a user that is no more. */
  expel(call: Call | null, isExpelled: (user: User) => boolean): void {
    for (const connection of [...this.server.connections.values()]) {
      const { session } = connection
      if (session.account === null || !isExpelled(session.account)) continue
      this.become(session, this.users.default, false)
      if (session === call?.session) session.flags |= SessionFlag.CLOSE_AFTER_REPLY
      else connection.close()
    }
  }
}

function contextOf(call: Call): Context {
  return (call.session.gates & Gate.MULTI) !== 0 ? 'multi' : 'toplevel'
}
