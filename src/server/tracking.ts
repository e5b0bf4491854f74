/* Tracking: client-side caching. Which clients have read which keys, and what they are told when one changes.
 *
 *   GET k   (client 7)   ->  k: 7             in off-heap memory of its own (structures/name-sets.ts)
 *   SET k v (client 9)   ->  7 is told "invalidate k", and k is forgotten until it is read again
 *
 * Key names count whatever their database. A client that has gone, or is no longer tracked for, is found out when its
 * key changes. What a client changes itself it is told behind the reply of its command (EXEC and a script are one);
 * others are told at once; BCAST's messages (tracking/broadcast.ts) come at the end of the turn of the loop.
 *
 * The table holds tracking-table-max-keys names: beyond that, random ones are given up as if they had changed. While
 * nobody tracks and the table is empty nothing of this is in anybody's way. */
import type { Call } from '../commands/call.ts'
import { type Command, Flag } from '../commands/definition.ts'
import { Admission, type Admit, ServerGate } from '../commands/dispatcher.ts'
import { keysOfCall } from '../commands/introspection/lookup.ts'
import { Gate, type Session } from '../commands/session.ts'
import type { Database } from '../keyspace/database.ts'
import { Event, type KeyEvent } from '../keyspace/events.ts'
import type { ChangeListener } from '../keyspace/keyspace.ts'
import { hashBytes } from '../lib/siphash.ts'
import { Memory, NONE, type Ref } from '../memory/memory.ts'
import { NameSets } from '../structures/name-sets.ts'
import { Broadcast, NOBODY } from '../tracking/broadcast.ts'
import {
  brokenRedirect,
  CHANNEL_HEAD,
  messageOf,
  messageOfOne,
  NULL_RESP2,
  NULL_RESP3,
  PUSH_HEAD,
} from '../tracking/messages.ts'
import { ALL, NameList } from '../tracking/name-list.ts'
import { TrackedClient } from '../tracking/tracked-client.ts'
import { ClientType, clientTypeOf } from './client-type.ts'
import type { Connection } from './connection.ts'
import type { Server } from './server.ts'

/** Names given up in one go when there are too many, at first. */
const EFFORT = 100

export interface TrackingOptions {
  readonly redirect: number
  readonly bcast: boolean
  readonly optIn: boolean
  readonly optOut: boolean
  readonly noLoop: boolean
  readonly prefixes: readonly string[]
}

export class Tracking implements ChangeListener {
  private readonly server: Server
  /** By the low half of the client's id: the clients that are tracked for. */
  private readonly connections = new Map<number, Connection>()
  private names: NameSets | null = null
  private root: Ref = NONE
  private readonly broadcast = new Broadcast()
  private listening = false
  private namesMax = 0
  private effort = EFFORT
  /** What the running command has changed of what its own client has read. */
  private readonly held = new NameList()
  private heldFor: Connection | null = null
  /** What is being told: a name in bytes, or names as an array. And as it is sent, either way: encoded once. */
  private bytes: Uint8Array = NULL_RESP2
  private pos = 0
  private len = 0
  private array: Uint8Array | null = null
  private pushMessage: Uint8Array | null = null
  private channelMessage: Uint8Array | null = null

  constructor(server: Server) {
    this.server = server
    const { dispatcher, config } = server
    dispatcher.addAdmission(this.admit)
    dispatcher.onTracked = (call, command) => this.remember(call, command)
    dispatcher.onInvalidationsHeld = () => this.tellHeld()
    config.onChange('tracking-table-max-keys', () => {
      this.namesMax = config.number('tracking-table-max-keys')
      this.watchLimit()
    })
    server.cron.every(() => this.tick())
    server.onSessionEnd((connection) => this.turnOff(connection))
  }

  /** Clients tracked for; names of keys, and clients to them; prefixes of BCAST. */
  get clientCount(): number {
    return this.connections.size
  }
  get nameCount(): number {
    return this.names === null ? 0 : this.names.nameCount(this.root)
  }
  get itemCount(): number {
    return this.names === null ? 0 : this.names.idCount
  }
  get prefixCount(): number {
    return this.broadcast.prefixCount
  }

  /** Bytes of memory outside of the keyspace's. */
  get usedBytes(): number {
    return (this.names === null ? 0 : this.names.memory.usedBytes) + this.broadcast.usedBytes
  }

  turnOn(connection: Connection, options: TrackingOptions): void {
    const { session } = connection
    session.tracking ??= new TrackedClient(session.id)
    const client = session.tracking
    client.isOn = true
    client.isBroken = false
    client.redirect = options.redirect
    client.bcast = options.bcast
    client.optIn = options.optIn
    client.optOut = options.optOut
    client.noLoop = options.noLoop
    this.connections.set(session.id | 0, connection)
    if (options.bcast) {
      const prefixes = options.prefixes.length === 0 ? [''] : options.prefixes
      for (const prefix of prefixes) this.broadcast.add(client, prefix)
    }
    this.update()
  }

  turnOff({ session }: Connection): void {
    const client = session.tracking
    if (client === null || !client.isOn) return
    this.broadcast.remove(client)
    client.turnOff()
    session.gates &= ~Gate.CACHING
    this.connections.delete(session.id | 0)
    this.update()
  }

  /** Listens and looks at commands as long as that is of any use. */
  private update(): void {
    const { dispatcher, keyspace } = this.server
    if (this.connections.size > 0) dispatcher.gates |= ServerGate.TRACKED
    else dispatcher.gates &= ~(ServerGate.TRACKED | ServerGate.TRACKING_FULL)
    this.watchLimit()
    const isNeeded = this.connections.size > 0 || this.nameCount > 0
    if (isNeeded === this.listening) return
    this.listening = isNeeded
    if (isNeeded)
      keyspace.listen(this, true) // invalidations come before keyspace notifications
    else keyspace.unlisten(this)
  }

  /** The client whose command is running, or is about to. */
  private get current(): Session | null {
    const { blocking, wire } = this.server
    return blocking.servedSession ?? (wire.end > 0 ? wire.call.session : null)
  }

  /** Names are given up before a command if there are too many.
   *  CLIENT CACHING holds for the next command, or the transaction that it begins; other CLIENT commands between do not
   *  count. */
  private readonly admit: Admit = ({ session }, command) => {
    if ((this.server.dispatcher.gates & ServerGate.TRACKING_FULL) !== 0) this.keepLimit()
    const client = session.tracking
    if ((session.gates & Gate.CACHING) === 0 || client === null) return Admission.RUN
    if (client.isCachingSpent) {
      client.isCachingSpent = false
      client.isCachingSaid = false
      session.gates &= ~Gate.CACHING
    } else if (command.parent?.name !== 'client' && command.name !== 'multi') {
      const isInMulti = (session.gates & Gate.MULTI) !== 0
      const endsMulti = (command.flags & Flag.NEVER_QUEUED) !== 0 && command.name !== 'watch'
      client.isCachingSpent = !isInMulti || endsMulti
    }
    return Admission.RUN
  }

  /** A command has run: its client has read these keys. */
  private remember(call: Call, command: Command): void {
    if ((command.flags & Flag.READONLY) === 0 || (command.flags & Flag.PUBSUB) !== 0) return
    if (command.group === 'scripting') return // the commands that it ran were looked at
    const client = this.current?.tracking
    if (client === undefined || client === null || !client.remembers) return
    if ((command.flags & Flag.MOVABLEKEYS) === 0) {
      if (command.firstKey === 0) return
      const last = command.lastKey < 0 ? call.argc + command.lastKey : command.lastKey
      for (let index = command.firstKey; index <= last; index += command.keyStep) this.add(client, call, index)
    } else {
      const words = { argc: call.argc, text: (word: number) => call.string(word) }
      for (const index of keysOfCall(command, words).words) this.add(client, call, index)
    }
    this.watchLimit()
  }

  private watchLimit(): void {
    const isFull = this.connections.size > 0 && this.namesMax > 0 && this.nameCount > this.namesMax
    if (isFull) this.server.dispatcher.gates |= ServerGate.TRACKING_FULL
  }

  private add(client: TrackedClient, call: Call, index: number): void {
    if (index >= call.argc) return
    if (this.names === null) {
      this.names = new NameSets(new Memory())
      this.root = this.names.create()
    }
    const { bytes } = call
    const pos = call.posOf(index)
    const len = call.lenOf(index)
    this.names.add(this.root, bytes, pos, len, hashBytes(bytes, pos, len), client.id)
  }

  keyChanged(_db: Database, bytes: Uint8Array, pos: number, len: number, event: KeyEvent): void {
    if (event === Event.MISS || event === Event.NEW || event.isAside === true) return
    if (this.broadcast.prefixCount > 0) {
      const changer = this.changerOf(event)
      if (this.broadcast.note(bytes, pos, len, changer)) setImmediate(() => this.tellBroadcast())
    }
    const { names } = this
    if (names === null || names.nameCount(this.root) === 0) return
    const name = names.find(this.root, bytes, pos, len, hashBytes(bytes, pos, len))
    if (name !== NONE) this.invalidate(name, bytes, pos, len)
  }

  /** The client whose own doing a change is. As in Redis, what its script does is not. */
  private changerOf(event: KeyEvent): number {
    const isOfItself = event === Event.EXPIRED || event === Event.EVICTED || event === Event.HEXPIRED
    return isOfItself || this.server.scripting.running !== null ? NOBODY : (this.current?.id ?? NOBODY)
  }

  /** Tells the clients that have read a key, and forgets it. The bytes may be the name's own. */
  private invalidate(name: Ref, bytes: Uint8Array, pos: number, len: number): void {
    const names = this.names!
    const { current } = this
    this.prepare(bytes, pos, len)
    for (let slot = 0; slot < names.count(name); slot++) {
      const connection = this.connections.get(names.idAt(name, slot))
      if (connection === undefined) continue
      const client = connection.session.tracking!
      const isCurrent = connection.session === current
      if (client.bcast || (client.noLoop && isCurrent)) continue
      if (isCurrent && !this.server.dispatcher.admitting) {
        this.hold(connection).add(bytes, pos, len)
        continue
      }
      this.tell(connection, client)
      if (isCurrent) connection.releasePushes() // no reply of this command is under way yet
    }
    this.bytes = NULL_RESP2 // nobody's memory is held on to
    names.removeName(this.root, name)
    if (this.connections.size === 0) this.update()
  }

  /** Every key may have changed. */
  flushed(): void {
    const { current } = this
    const connections = [...this.connections.values()].sort((a, b) => a.session.id - b.session.id)
    for (const connection of connections) {
      if (connection.session === current) {
        this.hold(connection).addAll()
      } else this.tellAll(connection)
    }
    if (this.names === null) return
    this.names.reset()
    this.root = this.names.create()
    this.update()
  }

  /** What is to be told to the client of the running command, when that has ended. */
  private hold(connection: Connection): NameList {
    if (this.heldFor !== connection) this.tellHeld()
    this.heldFor = connection
    this.server.dispatcher.gates |= ServerGate.INVALIDATIONS_HELD
    return this.held
  }

  /** Redis tells nobody. */
  swapped(): void {}

  private tellAll(connection: Connection): void {
    const { session } = connection
    if (session.tracking === null) return
    this.prepareArray(session.version === 3 ? NULL_RESP3 : NULL_RESP2)
    this.tell(connection, session.tracking)
  }

  /** The command has ended: its client is told what it changed itself. */
  private tellHeld(): void {
    const { held, heldFor: connection } = this
    this.server.dispatcher.gates &= ~ServerGate.INVALIDATIONS_HELD
    this.heldFor = null
    const client = connection?.session.tracking ?? null
    while (connection !== null && client !== null && held.next()) {
      if (held.len === ALL) this.tellAll(connection)
      else {
        this.prepare(held.bytes, held.pos, held.len)
        this.tell(connection, client)
      }
    }
    held.clear()
  }

  private tellBroadcast(): void {
    this.broadcast.deliver((client, array) => {
      if (array !== this.array) this.prepareArray(array)
      const connection = this.connections.get(client.id | 0)
      if (connection !== undefined) this.tell(connection, client)
    })
    this.array = null
  }

  /** What is told from now on. */
  private prepare(bytes: Uint8Array, pos: number, len: number): void {
    this.bytes = bytes
    this.pos = pos
    this.len = len
    this.array = null
    this.pushMessage = null
    this.channelMessage = null
  }

  private prepareArray(array: Uint8Array): void {
    this.array = array
    this.pushMessage = null
    this.channelMessage = null
  }

  private encode(head: Uint8Array): Uint8Array {
    return this.array === null ? messageOfOne(head, this.bytes, this.pos, this.len) : messageOf(head, this.array)
  }

  /** Sends what was prepared to a client, or to the one that is told for it. A RESP2 client can be told nothing but as
   *  a subscriber for another one. */
  private tell(connection: Connection, client: TrackedClient): void {
    let target = connection
    if (client.redirect !== 0) {
      const redirected = this.server.connections.get(client.redirect)
      if (redirected === undefined) {
        client.isBroken = true
        if (connection.session.version === 3) connection.push(brokenRedirect(client.redirect))
        return
      }
      target = redirected
    }
    if (target.session.version === 3) {
      this.pushMessage ??= this.encode(PUSH_HEAD)
      target.push(this.pushMessage)
    } else if (client.redirect !== 0 && clientTypeOf(target.session) === ClientType.PUBSUB) {
      this.channelMessage ??= this.encode(CHANNEL_HEAD)
      target.push(this.channelMessage)
    }
  }

  /** Gives back what a flush left, a chunk at a time; and looks at the limit, which may have been lowered. */
  private tick(): void {
    if (this.names?.memory.discard() !== true) this.keepLimit()
  }

  /** Gives up names while there are too many; more at once the longer that lasts. */
  private keepLimit(): void {
    const { names } = this
    if (names === null || this.connections.size === 0) return
    for (let left = this.effort; left > 0; left--) {
      if (this.namesMax === 0 || names.nameCount(this.root) <= this.namesMax) {
        this.effort = EFFORT
        this.server.dispatcher.gates &= ~ServerGate.TRACKING_FULL
        return
      }
      const name = names.table.random(this.root)
      this.invalidate(name, names.bytesOf(name), names.posOf(name), names.lenOf(name))
    }
    this.effort += EFFORT
  }
}
