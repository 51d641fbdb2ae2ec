import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { libc } from './libc.js'

/**
 * Milliseconds from a start until threads give way: by then all workers serve, also on a slow machine.
 * Requests come first, but not before there are workers.
 */
export const START_UP_MS = 5_000

/** Below those that others wait for; a core that both want is theirs for nine tenths. */
const NICE = 10
/** The shortest there is. */
const SLICE_NS = 100_000

/**
 * The calling thread, and those it starts from now on, give way to the others of the process. For
 * work that can wait a few milliseconds where requests cannot: with ten changes a second on a core
 * that the worker had to share, p99 of its requests went from 4.4 to 8.2 ms, and did not with this.
 * Priorities of single threads are Linux's; elsewhere this does nothing.
 */
export function giveWay(): void {
  if (process.platform !== 'linux') return
  try {
    // 0 names the calling thread (setpriority(2), "C library/kernel differences").
    if (getPriority(0) < NICE) setPriority(0, NICE)
  } catch {
    // Forbidden here: all threads stay equal.
  }
}

/**
 * Below the workers, but above {@link NICE}: a worker that collects garbage waits until a helper that
 * marks or compiles for it has come to a safe point, and a helper without a core never does. With 10
 * for these and 5 for the coordinator, a worker's loop stood still for more than 10 ms in three of
 * eight times that 10,000 objects arrived at once, up to 16; the other way round once, for 12.
 */
const HELPER_NICE = 5
/** Of V8 in Node.js: one that keeps time, and four that work (`--v8-pool-size`). */
const HELPERS = 5

/**
 * The threads that V8 compiles and collects garbage with, for all others of this process, give way to
 * those that serve. Ten changes a second made them work for 4 ms each, and requests wait for it: p99
 * at 30,000 requests a second on two cores 5.7 ms without this and 3.2 to 3.6 ms with it, 1.9 without
 * changes. Elsewhere than on Linux this does nothing.
 */
export function helpersGiveWay(): void {
  if (process.platform !== 'linux') return
  try {
    for (const thread of helperThreads(process.pid, readdirSync('/proc/self/task').map(Number))) {
      if (getPriority(thread) < HELPER_NICE) setPriority(thread, HELPER_NICE)
    }
  } catch {
    // Forbidden here, or hidden: all threads stay equal.
  }
}

/** Node.js starts them first of all. Those of libuv come later: workers wait for them. */
export function helperThreads(pid: number, threads: readonly number[]): number[] {
  const others = threads.filter((thread) => thread > pid)
  return others.sort((a, b) => a - b).slice(0, HELPERS)
}

/**
 * The calling thread, and those it starts from now on, are woken at once on a core that is busy, but
 * run for a shorter time in one go: for a thread that does little and that others wait for. It gets
 * no larger share than before; without this, who has the core keeps it for up to some milliseconds.
 * A write of three members crosses six threads: with all cores busy its p90 went from 2.8 to 1.6 ms.
 * Needs Linux 6.12 (EEVDF) and koffi; elsewhere this does nothing. Takes some 30 ms the first time.
 */
export function wakePromptly(): void {
  try {
    libc()?.setSlice(SLICE_NS, getPriority(0))
  } catch {
    // Forbidden here: it waits like the others.
  }
}

/**
 * The calling thread, and those it starts from now on, take the core from nobody when they are woken.
 * For workers that are more than there are cores: they interrupt each other otherwise, and each then
 * finds less to do at a time. Four on two cores: 1.14 [1.10 … 1.19] times what one costs a request
 * without, 1.09 [1.04 … 1.13] with it. Needs koffi; elsewhere this does nothing.
 */
export function waitForTurn(): void {
  try {
    libc()?.setBatch(getPriority(0))
  } catch {
    // Forbidden here: it interrupts others as before.
  }
}
