import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

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
    for (const task of entriesOf(`/proc/${member}/task`)) {
      const children = read(`/proc/${member}/task/${task}/children`).trim()
      if (children !== '') family.push(...children.split(' ').map(Number))
    }
  }
  return family
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
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

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
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
    for (const task of entriesOf(`/proc/${member}/task`)) {
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

/** Of `pid` and its descendants, in bytes; what processes share is counted for each. */
export function residentBytesOf(pid: number): number {
  const sizes = familyOf(pid).map((member) => {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${member}/status`))?.[1]
    return Number(kilobytes ?? 0) * 1024
  })
  const sum = sizes.reduce((total, size) => total + size, 0)
  if (sum === 0) throw new Error(`process ${pid} is gone`)
  return sum
}

const ESTABLISHED = '01'

/** Inodes of the connections to a local port, out of the text of /proc/net/tcp. */
export function connectionInodes(table: string, port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const found = new Set<string>()
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
    if (local?.endsWith(suffix) && state === ESTABLISHED && inode) found.add(inode)
  }
  return found
}

/**
 * Connections to `port` that each event loop of a process holds: workers of one process share its
 * descriptors, but each waits on an epoll instance of its own (proc(5), fdinfo). Loops without any
 * are left out.
 */
export function connectionsByLoop(pid: number, port: number): number[] {
  const wanted = connectionInodes(read(`/proc/${pid}/net/tcp`), port)
  const ours = new Set<string>()
  const loops: string[] = []
  for (const fd of entriesOf(`/proc/${pid}/fd`)) {
    const target = linkOf(`/proc/${pid}/fd/${fd}`)
    if (target === 'anon_inode:[eventpoll]') loops.push(fd)
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined && wanted.has(inode)) ours.add(fd)
  }
  return loops
    .map((loop) => {
      const watched = read(`/proc/${pid}/fdinfo/${loop}`).matchAll(/^tfd:\s+(\d+)/gm)
      return [...watched].filter(([, fd]) => ours.has(fd as string)).length
    })
    .filter((count) => count > 0)
}
