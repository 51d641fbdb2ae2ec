import type { Time } from '../../lib/clock.js'
import type { Disk } from '../../lib/disk.js'
import type { LogOptions } from '../log/log.js'
import { LogService } from '../log/log-service.js'
import type { LogRequest, SpawnLog } from '../log/messages.js'

/** Between two threads. */
const HOP_MS = 0.05

/**
 * The real log on a thread that takes its time: requests are handled one after the other, each
 * after as long as `serviceMs` says.
 */
export function simLog(
  disk: Disk,
  time: Time,
  options: LogOptions,
  serviceMs: (request: LogRequest) => number,
): SpawnLog {
  return (receive) => {
    const service = new LogService({
      ...options,
      disk,
      timers: time,
      reply: (message) => {
        time.after(HOP_MS, () => receive(message))
      },
    })
    time.after(HOP_MS, () => service.open())
    let freeMs = 0
    return {
      tell(request) {
        const nowMs = time.monotonicMs()
        freeMs = Math.max(freeMs, nowMs + HOP_MS) + serviceMs(request)
        time.after(freeMs - nowMs, () => service.handle(request))
      },
    }
  }
}
