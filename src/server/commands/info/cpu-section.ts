/* INFO cpu: processor time in seconds. The main thread's is what commands cost; the rest is the garbage collector's and
 * the compiler's threads. */
import { readFileSync } from 'node:fs'
import { type Fields, fields } from './fields.ts'

/** Ticks of /proc: 100 a second on every architecture that Node runs on. */
const TICK_US = 10_000
// Fields of /proc/<pid>/task/<tid>/stat, counted from behind the program's name.
const USER_FIELD = 11
const SYSTEM_FIELD = 12

const seconds = (us: number): string => (us / 1e6).toFixed(6)

/** Of the main thread, whose id is the process's. Empty where the system does not tell. */
function mainThread(): Fields {
  try {
    const line = readFileSync(`/proc/self/task/${process.pid}/stat`, 'latin1')
    const values = line.slice(line.lastIndexOf(')') + 2).split(' ')
    return {
      used_cpu_sys_main_thread: seconds(Number(values[SYSTEM_FIELD]) * TICK_US),
      used_cpu_user_main_thread: seconds(Number(values[USER_FIELD]) * TICK_US),
    }
  } catch {
    return {} // no /proc here: Redis leaves the fields out as well where it cannot know
  }
}

export function cpuSection(): string {
  const { userCPUTime, systemCPUTime } = process.resourceUsage()
  return fields({
    used_cpu_sys: seconds(systemCPUTime),
    used_cpu_user: seconds(userCPUTime),
    used_cpu_sys_children: seconds(0),
    used_cpu_user_children: seconds(0),
    ...mainThread(),
  })
}
