/* Slow commands: what the dispatcher reports goes to the slow log and to the latency monitor, each by its own
 * threshold. The dispatcher compares with the lower of the two; while both are off that is infinity. */
import type { Call } from '../commands/call.ts'
import { type Command, Flag } from '../commands/definition.ts'
import type { DispatchObserver } from '../commands/dispatcher.ts'
import { LatencyMonitor } from './latency-monitor.ts'
import { secretsOf } from './redaction.ts'
import type { Server } from './server.ts'
import { SlowLog } from './slow-log.ts'

/** What Redis says of clients that have no connection: those that scripts run their commands in. */
const NO_PEER = '?:0'

export class SlowCommands implements DispatchObserver {
  readonly log = new SlowLog()
  readonly latency = new LatencyMonitor()
  private logFromUs = Number.POSITIVE_INFINITY
  private readonly server: Server

  constructor(server: Server) {
    this.server = server
    const { config, dispatcher } = server
    dispatcher.observer = this
    config.onChange('slowlog-log-slower-than', () => {
      const us = config.number('slowlog-log-slower-than')
      this.logFromUs = us < 0 ? Number.POSITIVE_INFINITY : us
      this.update()
    })
    config.onChange('latency-monitor-threshold', () => {
      this.latency.threshold = config.number('latency-monitor-threshold')
      this.update()
    })
    config.onChange('slowlog-max-len', () => this.log.setCapacity(config.number('slowlog-max-len')))
  }

  private update(): void {
    const watchedFromUs = this.latency.threshold === 0 ? Number.POSITIVE_INFINITY : this.latency.threshold * 1000
    this.server.dispatcher.slowUs = Math.min(this.logFromUs, watchedFromUs)
  }

  slow(call: Call | null, command: Command, durationUs: number): void {
    this.latency.note((command.flags & Flag.FAST) === 0 ? 'command' : 'fast-command', durationUs / 1000)
    if (call === null || durationUs < this.logFromUs || (command.flags & Flag.SKIP_SLOWLOG) !== 0) return
    const peer = this.server.connections.get(call.session.id)?.peer ?? NO_PEER
    this.log.add(call, secretsOf(call, command, this.server.config), durationUs, peer)
  }
}
