/* min-replicas-to-write: writes are refused while fewer replicas than that are connected and in time. There are none
 * yet, so as soon as one is asked for, every write is refused: whoever sets this wants no write in one place only. */
import type { Call } from '../commands/call.ts'
import type { Command } from '../commands/definition.ts'
import { Flag } from '../commands/definition.ts'
import { Admission, ServerGate } from '../commands/dispatcher.ts'
import { NO_REPLICAS } from '../protocol/errors.ts'
import type { Server } from './server.ts'

export class FewReplicas {
  private readonly server: Server

  constructor(server: Server) {
    this.server = server
    const { config, dispatcher } = server
    dispatcher.addAdmission((call, command) => this.admit(call, command))
    for (const name of ['min-replicas-to-write', 'min-replicas-max-lag'] as const)
      config.onChange(name, () => this.judge())
    this.judge()
  }

  /** Whether writes are refused. Either directive at 0 turns it off. */
  get refusesWrites(): boolean {
    return (this.server.dispatcher.gates & ServerGate.FEW_REPLICAS) !== 0
  }

  private judge(): void {
    const { config, dispatcher } = this.server
    const few = config.number('min-replicas-to-write') > 0 && config.number('min-replicas-max-lag') > 0
    if (few) dispatcher.gates |= ServerGate.FEW_REPLICAS
    else dispatcher.gates &= ~ServerGate.FEW_REPLICAS
  }

  private admit(call: Call, command: Command): Admission {
    if (!this.refusesWrites || (command.flagsFor(call) & Flag.WRITE) === 0) return Admission.RUN
    this.server.dispatcher.reject(call, command, NO_REPLICAS)
    return Admission.ANSWERED
  }
}
