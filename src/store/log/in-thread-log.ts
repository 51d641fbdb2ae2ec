import type { Timers } from '../../lib/clock.js'
import type { Disk } from '../../lib/disk.js'
import type { LogOptions } from './log.js'
import { LogService } from './log-service.js'
import type { LogReply, LogRequest, SpawnLog } from './messages.js'

/**
 * Runs a log on the calling thread, for tests and the simulator: requests and replies wait in the
 * queue of `timers` as they would between threads.
 */
export function inThreadLog(disk: Disk, timers: Timers, options: LogOptions): SpawnLog {
  return (receive) => {
    const reply = (message: LogReply): void => {
      timers.after(0, () => receive(message))
    }
    const service = new LogService({ ...options, disk, timers, reply })
    timers.after(0, () => service.open())
    return {
      tell(request: LogRequest): void {
        timers.after(0, () => service.handle(request))
      },
    }
  }
}
