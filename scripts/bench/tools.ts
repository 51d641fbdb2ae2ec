import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'

/** Where Debian keeps servers that are not in a user's path. */
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** The full path of a program, or null. */
export function findProgram(name: string): string | null {
  if (isAbsolute(name)) return isExecutable(name) ? name : null
  const folders = (process.env['PATH'] ?? '').split(delimiter).concat(MORE_FOLDERS)
  for (const folder of folders) {
    if (folder === '') continue
    const path = join(folder, name)
    if (isExecutable(path)) return path
  }
  return null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The first line that a program prints about itself, or ''. */
export function versionOf(program: string, flag: string): string {
  const done = spawnSync(program, [flag], { encoding: 'utf8' })
  return `${done.stdout}${done.stderr}`.trim().split('\n', 1)[0]?.trim() ?? ''
}

/** Which cores the server that is measured runs on, and which the load and the back end. */
export interface Cores {
  /** As `taskset -c` takes them; null leaves the choice to the system. */
  readonly server: string | null
  readonly load: string | null
}

export const ANY_CORES: Cores = { server: null, load: null }

/**
 * One core for the server and the others for whoever asks and answers, so that neither is
 * measured waiting for the other: every peer gets the same core. {@link ANY_CORES} on a machine of
 * one core, without `taskset`, or where cores are forbidden to us.
 */
export function splitCores(cores = availableParallelism()): Cores {
  const taskset = findProgram('taskset')
  if (taskset === null || cores < 2) return ANY_CORES
  const load = cores === 2 ? '1' : `1-${cores - 1}`
  const allowed = spawnSync(taskset, ['-c', `0,${load}`, 'true']).status === 0
  return allowed ? { server: '0', load } : ANY_CORES
}

/** A command that runs `program` on `cores` alone. `taskset` replaces itself: the pid stays. */
export function onCores(
  cores: string | null,
  program: string,
  args: readonly string[],
): [program: string, args: string[]] {
  if (cores === null) return [program, [...args]]
  return [findProgram('taskset') ?? 'taskset', ['-c', cores, program, ...args]]
}

/** Open files that a process started by us may have at most. */
export function openFilesMax(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '0'
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
}
