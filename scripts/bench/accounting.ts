import { readdirSync, readFileSync } from 'node:fs'

/** CPU time that processes have used so far, in seconds. */
export interface CpuTime {
  readonly total: number
  /** Share of `total` spent in user mode; the kernel's own estimate. */
  readonly user: number
}

/** `pid` and all that descend from it and live. */
function familyOf(pid: number): number[] {
  const family = [pid]
  for (const member of family) {
    for (const task of tasksOf(member)) {
      const children = read(`/proc/${member}/task/${task}/children`).trim()
      if (children !== '') family.push(...children.split(' ').map(Number))
    }
  }
  return family
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** '' for what is gone meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/**
 * What `pid` and its descendants have used: nanoseconds of the scheduler's account, summed over
 * the threads that live (proc(5), schedstat).
 */
export function cpuTimeOf(pid: number): CpuTime {
  let nanos = 0
  let userTicks = 0
  let systemTicks = 0
  for (const member of familyOf(pid)) {
    for (const task of tasksOf(member)) {
      nanos += Number(read(`/proc/${member}/task/${task}/schedstat`).split(' ')[0])
    }
    // After the command, which may hold spaces and parentheses: fields 14 and 15.
    const stat = read(`/proc/${member}/stat`)
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    userTicks += Number(fields[11] ?? 0)
    systemTicks += Number(fields[12] ?? 0)
  }
  const ticks = userTicks + systemTicks
  const total = nanos / 1e9
  return { total, user: ticks === 0 ? 0 : (total * userTicks) / ticks }
}

/** Of one process, in bytes. */
export function residentBytesOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]
  if (kilobytes === undefined) throw new Error(`process ${pid} is gone`)
  return Number(kilobytes) * 1024
}
