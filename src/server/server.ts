/* The server: one keyspace, its configuration and connections, and what they share. Everything that a process (main.ts)
 * or a host program (index.ts) starts is made and wired here; what each part does is its own file's matter. */
import { Batch } from '../commands/batch.ts'
import { bitfieldCommands } from '../commands/bitfields.ts'
import { bitmapCommands } from '../commands/bitmaps.ts'
import { Call } from '../commands/call.ts'
import { commandCommands } from '../commands/command.ts'
import { CommandTable } from '../commands/command-table.ts'
import { databaseCommands, selectCommands } from '../commands/databases.ts'
import type { Command } from '../commands/definition.ts'
import { Dispatcher } from '../commands/dispatcher.ts'
import { geoCommands } from '../commands/geo.ts'
import { geoSearchCommands } from '../commands/geo-search.ts'
import { hashCommands } from '../commands/hashes.ts'
import { hashExpiryCommands } from '../commands/hashes-expiry.ts'
import { hashGetexCommands } from '../commands/hashes-getex.ts'
import { hashWalkCommands } from '../commands/hashes-walks.ts'
import { hyperloglogCommands } from '../commands/hyperloglog.ts'
import { keyCommands } from '../commands/keys.ts'
import { keyExpiryCommands } from '../commands/keys-expiry.ts'
import { keyMoveCommands } from '../commands/keys-move.ts'
import { objectCommands } from '../commands/keys-object.ts'
import { payloadCommands } from '../commands/keys-payload.ts'
import { keyScanCommands } from '../commands/keys-scan.ts'
import { lcsCommands } from '../commands/lcs.ts'
import { listCommands } from '../commands/lists.ts'
import { blockingListCommands } from '../commands/lists-blocking.ts'
import { listMoveCommands } from '../commands/lists-move.ts'
import { listPositionCommands } from '../commands/lists-positions.ts'
import { pubsubCommands, subscribedAdmission } from '../commands/pubsub.ts'
import { followSubscriptions, Session, SessionFlag } from '../commands/session.ts'
import { setCommands } from '../commands/sets.ts'
import { setAlgebraCommands } from '../commands/sets-algebra.ts'
import { setRandomCommands } from '../commands/sets-random.ts'
import { sortCommands } from '../commands/sort.ts'
import { streamCommands } from '../commands/streams.ts'
import { streamClaimCommands } from '../commands/streams-claims.ts'
import { streamGroupCommands } from '../commands/streams-groups.ts'
import { streamInfoCommands } from '../commands/streams-info.ts'
import { streamRangeCommands } from '../commands/streams-ranges.ts'
import { streamReadingCommands } from '../commands/streams-reading.ts'
import { stringCommands } from '../commands/strings.ts'
import { stringRangeCommands } from '../commands/strings-ranges.ts'
import { Transactions, transactionCommands } from '../commands/transactions.ts'
import { zsetCommands } from '../commands/zsets.ts'
import { zsetAlgebraCommands } from '../commands/zsets-algebra.ts'
import { blockingZsetCommands } from '../commands/zsets-blocking.ts'
import { zsetRangeCommands } from '../commands/zsets-ranges.ts'
import { zsetWalkCommands } from '../commands/zsets-walks.ts'
import { Keyspace } from '../keyspace/keyspace.ts'
import { STRING_LEN_MAX } from '../keyspace/strings.ts'
import { Payloads } from '../persistence/rdb/payload.ts'
import { ValueFormats } from '../persistence/rdb/values.ts'
import { Decoder } from '../protocol/decoder.ts'
import { MAX_CLIENTS, PROTECTED_MODE } from '../protocol/errors.ts'
import { Reply } from '../protocol/reply.ts'
import { Notifications } from '../pubsub/notifications.ts'
import { PubSub } from '../pubsub/pubsub.ts'
import { Access } from './access.ts'
import { AppendOnly } from './append-only/append-only.ts'
import type { AofFileSystem } from './append-only/directory.ts'
import { Background } from './background.ts'
import { Blocking } from './blocking.ts'
import { ClientMemory } from './client-memory.ts'
import { aclCommands } from './commands/acl.ts'
import { clientCommands } from './commands/client.ts'
import { clusterCommands } from './commands/cluster.ts'
import { configCommands } from './commands/config.ts'
import { connectionCommands } from './commands/connection.ts'
import { debugCommands } from './commands/debug.ts'
import { evalCommands } from './commands/eval.ts'
import { functionCommands } from './commands/function.ts'
import { infoCommands } from './commands/info.ts'
import { latencyCommands } from './commands/latency.ts'
import { lolwutCommands } from './commands/lolwut.ts'
import { memoryCommands } from './commands/memory.ts'
import { migrateCommands } from './commands/migrate.ts'
import { moduleCommands } from './commands/module.ts'
import { monitorCommands } from './commands/monitor.ts'
import { replicationCommands } from './commands/replication.ts'
import { saveCommands } from './commands/save.ts'
import { shutdownCommands } from './commands/shutdown.ts'
import { slowlogCommands } from './commands/slowlog.ts'
import { timeCommands } from './commands/time.ts'
import { Compaction } from './compaction.ts'
import type { Config } from './config/config.ts'
import { lettersOf } from './config/events.ts'
import { Connection, type Wire } from './connection.ts'
import { warnOfLimit } from './container.ts'
import { Cron } from './cron.ts'
import { guardAgainstHttp } from './cross-protocol.ts'
import { DirectoryLock } from './directory-lock.ts'
import { followEncodingLimits } from './encoding-limits.ts'
import { Eviction } from './eviction.ts'
import { FewReplicas } from './few-replicas.ts'
import { REQUEST_SIZE_MAX } from './input.ts'
import { Limits } from './limits.ts'
import { Listener } from './listener.ts'
import { Loading } from './loading.ts'
import type { Log } from './log.ts'
import { Migration } from './migration/migration.ts'
import { Monitors } from './monitors.ts'
import { type Handle, isLoopback, keepAlive, peerName } from './native-handles.ts'
import { OomScore } from './oom-score.ts'
import { Outbox } from './outbox.ts'
import { Pause } from './pause.ts'
import { Persistence } from './persistence.ts'
import { Pushes } from './pushes.ts'
import { randomId } from './random-id.ts'
import { Resumption } from './resumption.ts'
import { Scripting } from './scripting.ts'
import { Shutdown } from './shutdown.ts'
import { SlowCommands } from './slow-commands.ts'
import { Snapshots } from './snapshots.ts'
import { Tracking } from './tracking.ts'
import { Vitals } from './vitals.ts'
import { Waiting } from './waiting.ts'

const READ_SIZE = 256 * 1024

export interface ServerOptions {
  readonly config: Config
  readonly log: Log
  /** The file that CONFIG REWRITE rewrites, as a byte string. */
  readonly configFile?: string | undefined
  /** Ends the process, or whatever the server lives in. */
  readonly exit: (code: number) => void
  /** What the append-only file is written to, so that tests can make it fail. Default: the system's files. */
  readonly fileSystem?: AofFileSystem
}

/** What INFO tells of connections and traffic. */
export class ServerStats {
  connectionsReceived = 0
  rejectedConnections = 0
  bytesRead = 0
  bytesWritten = 0
  /** Times that something was read from, or written to, a connection. */
  reads = 0
  writes = 0
}

export class Server {
  readonly config: Config
  readonly configFile: string | undefined
  readonly log: Log
  readonly exit: (code: number) => void
  readonly keyspace: Keyspace
  readonly table = new CommandTable()
  readonly dispatcher: Dispatcher
  readonly wire: Wire
  readonly connections = new Map<number, Connection>()
  readonly outbox = new Outbox()
  readonly background = new Background()
  readonly cron: Cron
  readonly listener: Listener
  readonly stats = new ServerStats()
  readonly vitals: Vitals
  readonly clientMemory: ClientMemory
  readonly slow: SlowCommands
  readonly eviction: Eviction
  readonly compaction: Compaction
  readonly waiting: Waiting
  readonly transactions: Transactions
  readonly blocking: Blocking
  /** How values are written and read: in files, and on their own. */
  readonly formats: ValueFormats
  readonly payloads: Payloads
  readonly loading: Loading
  readonly directoryLock: DirectoryLock
  readonly snapshots: Snapshots
  readonly persistence: Persistence
  readonly appendOnly: AppendOnly
  readonly replicas: FewReplicas
  readonly scripting: Scripting
  readonly shutdown: Shutdown
  readonly access: Access
  readonly resumption = new Resumption(this.background)
  readonly pause: Pause
  readonly migration: Migration
  readonly monitors: Monitors
  readonly tracking: Tracking
  readonly limits: Limits
  readonly pushes: Pushes
  readonly pubsub = new PubSub()
  /** Ends the waiting of a client that is blocked on keys, as if its time had run out or with an error; false if it is
   *  not. Whoever lets clients block sets it. */
  unblock: ((connection: Connection, asError: boolean) => boolean) | null = null
  private readonly sessionEnders: ((connection: Connection) => void)[] = []
  readonly startedAt = Date.now()
  readonly runId = randomId()
  /** Names the history of the data. */
  replicationId = randomId()
  queryBufferMax = 0
  private nextClientId = 1
  // Copies of directives that every new connection needs.
  private maxClients = 0
  private protectedMode = true
  private keepAliveSeconds = 0

  constructor(options: ServerOptions) {
    this.config = options.config
    this.configFile = options.configFile
    this.log = options.log
    this.exit = options.exit
    this.keyspace = new Keyspace(this.config.number('databases'))
    this.formats = new ValueFormats(this.keyspace)
    this.payloads = new Payloads(this.keyspace, this.formats)
    this.payloads.onRefused = (reason, offset) =>
      this.log.warn(`Payload of RESTORE refused at offset ${offset}: ${reason}`)
    this.blocking = new Blocking(this)
    this.transactions = new Transactions(this.keyspace)
    for (const commands of this.families()) this.table.register(commands)
    this.dispatcher = new Dispatcher(this.table, this.keyspace)
    this.transactions.start(this.dispatcher)
    const reply = new Reply()
    const call = new Call(this.keyspace, new Session(0), reply)
    this.wire = {
      bytes: new Uint8Array(READ_SIZE),
      decoder: new Decoder(),
      reply,
      call,
      batch: new Batch(this.table, this.keyspace.memory),
      end: 0,
    }
    this.listener = new Listener(
      (handle, unix) => this.accept(handle, unix),
      (message) => this.log.warn(message),
    )
    // Who may not run a command causes nothing by it, no eviction either: this is asked first.
    this.access = new Access(this)
    this.dispatcher.addAdmission(this.access.admit)
    this.transactions.queuedProblem = (call, command) => this.access.queuedProblem(call, command)
    this.pushes = new Pushes(this)
    this.cron = new Cron(this)
    this.clientMemory = new ClientMemory(this)
    this.vitals = new Vitals(this)
    this.slow = new SlowCommands(this)
    this.eviction = new Eviction(this)
    this.compaction = new Compaction(this)
    this.waiting = new Waiting(this)
    this.blocking.start()
    this.transactions.onTooLong = (session) => {
      const connection = this.connections.get(session.id)
      if (connection === undefined) return
      session.flags |= SessionFlag.CLOSE_NOW // what else it has sent is not executed
      this.limits.refuseQueryBuffer(connection)
    }
    this.background.activity = () => this.dispatcher.statistics.totalCalls
    this.snapshots = new Snapshots(this)
    this.loading = new Loading(this)
    this.directoryLock = new DirectoryLock(this)
    this.persistence = new Persistence(this)
    this.appendOnly = new AppendOnly(this, options.fileSystem)
    this.replicas = new FewReplicas(this)
    this.scripting = new Scripting(this)
    this.persistence.functions = this.scripting
    this.shutdown = new Shutdown(this)
    this.dispatcher.addAdmission(subscribedAdmission(this.dispatcher))
    this.monitors = new Monitors(this)
    this.pause = new Pause(this)
    this.migration = new Migration(this)
    this.tracking = new Tracking(this)
    this.limits = new Limits(this)
    this.onSessionEnd((connection) => this.monitors.forget(connection))
    this.onSessionEnd((connection) => this.endSubscriptions(connection))
    this.onSessionEnd((connection) => this.transactions.forget(connection.session))
    guardAgainstHttp(this)
    this.followConfig()
  }

  private families(): (readonly Command[])[] {
    return [
      stringCommands,
      stringRangeCommands,
      lcsCommands,
      bitmapCommands,
      bitfieldCommands,
      hyperloglogCommands,
      setCommands,
      setAlgebraCommands,
      setRandomCommands,
      hashCommands,
      hashWalkCommands,
      hashExpiryCommands,
      hashGetexCommands,
      zsetCommands,
      zsetRangeCommands,
      zsetWalkCommands,
      sortCommands,
      zsetAlgebraCommands,
      geoCommands,
      geoSearchCommands,
      blockingZsetCommands(this.blocking),
      listCommands,
      listPositionCommands,
      listMoveCommands,
      blockingListCommands(this.blocking),
      streamCommands,
      streamRangeCommands,
      streamReadingCommands(this.blocking),
      streamGroupCommands,
      streamClaimCommands,
      streamInfoCommands,
      keyCommands,
      keyExpiryCommands,
      keyScanCommands,
      keyMoveCommands,
      payloadCommands(this.payloads),
      migrateCommands(this),
      objectCommands,
      databaseCommands,
      selectCommands,
      transactionCommands(this.transactions),
      pubsubCommands(this.pubsub, (session) => this.connections.get(session.id)),
      commandCommands(this.table),
      connectionCommands(this),
      clientCommands(this),
      configCommands(this),
      moduleCommands(this),
      monitorCommands(this),
      infoCommands(this),
      memoryCommands(this),
      slowlogCommands(this),
      latencyCommands(this),
      debugCommands(this),
      timeCommands(this),
      replicationCommands(this),
      saveCommands(this),
      shutdownCommands(this),
      aclCommands(this),
      evalCommands(this),
      functionCommands(this),
      clusterCommands,
      lolwutCommands,
    ]
  }

  private followConfig(): void {
    const { config, keyspace, wire, dispatcher } = this
    config.onChange('maxclients', () => (this.maxClients = config.number('maxclients')))
    config.onChange('protected-mode', () => (this.protectedMode = config.bool('protected-mode')))
    config.onChange('tcp-keepalive', () => (this.keepAliveSeconds = config.number('tcp-keepalive')))
    config.onChange('client-query-buffer-limit', () => {
      this.queryBufferMax = config.number('client-query-buffer-limit')
      this.transactions.sizeMax = Math.min(this.queryBufferMax, REQUEST_SIZE_MAX)
    })
    config.onChange('proto-max-bulk-len', () => {
      wire.decoder.bulkLenMax = Math.min(config.number('proto-max-bulk-len'), STRING_LEN_MAX)
      keyspace.stringLenMax = wire.decoder.bulkLenMax
    })
    const followPolicy = () => {
      const policy = config.choice('maxmemory-policy')
      keyspace.clock.lfu = policy.endsWith('lfu')
      keyspace.setTime(keyspace.now) // what a key added this millisecond starts with
      keyspace.sharesIntegers = config.number('maxmemory') === 0 || !/l[rf]u$/.test(policy)
    }
    config.onChange('maxmemory', followPolicy)
    config.onChange('maxmemory-policy', followPolicy)
    config.onChange('lfu-log-factor', () => (keyspace.clock.lfuLogFactor = config.number('lfu-log-factor')))
    config.onChange('lfu-decay-time', () => (keyspace.clock.lfuDecayMinutes = config.number('lfu-decay-time')))
    config.onChange('rdbcompression', () => (this.payloads.options.compression = config.bool('rdbcompression')))
    followEncodingLimits(config, keyspace)
    config.onChange('latency-tracking', () => (dispatcher.statistics.tracking = config.bool('latency-tracking')))
    config.onChange('hz', () => this.cron.setRate(config.number('hz')))
    const notifications = new Notifications(keyspace, this.pubsub)
    config.onChange('notify-keyspace-events', () => {
      notifications.configure(lettersOf(config.value('notify-keyspace-events')))
    })
    const rebind = () => (this.bindTcp() ? undefined : 'Unable to listen on this port. Check server logs.')
    new OomScore(config, this.log).follow()
    config.onApply('port', rebind)
    config.onApply('bind', () => (this.bindTcp() ? undefined : 'Failed to bind to specified addresses.'))
  }

  private bindTcp(): boolean {
    const { config } = this
    return this.listener.bind(config.value('bind'), config.number('port'), config.number('tcp-backlog'))
  }

  /** At a port that the system chooses; the configuration tells it afterwards. */
  private bindAnyPort(): boolean {
    const { config, listener } = this
    if (!listener.bindAny(config.value('bind'), config.number('tcp-backlog'))) return false
    config.assign('port', listener.port)
    return true
  }

  private bindUnix(path: string): string | undefined {
    const { config } = this
    return this.listener.bindUnix(path, config.number('unixsocketperm'), config.number('tcp-backlog'))
  }

  /** Begins to listen; false after logging why that could not be. Unless there is nothing to load, `restore` is to be
   *  called next. */
  start({ anyPort = false, load = true } = {}): boolean {
    const { config, log } = this
    this.limits.fitMaxClients()
    warnOfLimit(this)
    if (!(anyPort ? this.bindAnyPort() : this.bindTcp())) {
      log.warn(`Failed listening on port ${config.number('port')} (tcp), aborting.`)
      return false
    }
    const path = config.text('unixsocket')
    const reason = path === null ? undefined : this.bindUnix(path)
    if (reason !== undefined) {
      log.warn(`Failed opening Unix socket ${path}: bind: ${reason}`)
      return false
    }
    if (this.listener.port === 0 && path === null) {
      log.warn('Configured to not listen anywhere, exiting.')
      return false
    }
    if (!load) this.cron.start()
    return true
  }

  /** Loads the data, and starts the cron; false after logging why that could not be. Clients are told meanwhile that
   *  they must wait. */
  async restore(): Promise<boolean> {
    if (!(await this.directoryLock.begin())) return false
    if (!(await this.persistence.restore())) {
      this.directoryLock.release()
      return false
    }
    this.cron.start()
    return true
  }

  accept(handle: Handle, unix: boolean): void {
    if (this.connections.size >= this.maxClients) {
      this.stats.rejectedConnections++
      return this.turnAway(handle, MAX_CLIENTS.bytes)
    }
    if (this.protectedMode && this.access.isOpen && !unix && !isLoopback(peerName(handle, false))) {
      this.stats.rejectedConnections++
      return this.turnAway(handle, PROTECTED_MODE.bytes)
    }
    const session = new Session(this.nextClientId++)
    if (unix) session.flags |= SessionFlag.UNIX_SOCKET
    this.access.begin(session)
    const connection = new Connection(this, session, handle)
    if (!unix && this.keepAliveSeconds > 0) keepAlive(handle, this.keepAliveSeconds)
    this.connections.set(session.id, connection)
    connection.measure()
    this.stats.connectionsReceived++
  }

  /** Tells a client why it is not served, and closes. */
  private turnAway(handle: Handle, message: Uint8Array): void {
    const connection = new Connection(this, new Session(0), handle)
    connection.send(message)
    connection.closeAfterReply()
  }

  private endSubscriptions(connection: Connection): void {
    this.pubsub.forget(connection)
    followSubscriptions(connection.session)
  }

  /** Adds what is to be done when a session ends: its client has gone, or begins anew with RESET. */
  onSessionEnd(ender: (connection: Connection) => void): void {
    this.sessionEnders.push(ender)
  }

  endSession(connection: Connection): void {
    for (const ender of this.sessionEnders) ender(connection)
  }

  disconnected(connection: Connection): void {
    if (!this.connections.delete(connection.session.id)) return
    this.pause.forget(connection)
    this.endSession(connection)
  }

  /** Stops listening, and closes every connection. */
  close(): void {
    this.cron.stop()
    this.outbox.flushAllPushes()
    this.appendOnly.close()
    this.persistence.close()
    this.directoryLock.release()
    this.vitals.close()
    this.compaction.close()
    this.waiting.close()
    this.blocking.close()
    this.shutdown.close()
    this.pause.close()
    this.migration.close()
    this.listener.close()
    for (const connection of this.connections.values()) connection.close()
  }
}
