export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

/**
 * Looks again and again until `probe` gives something other than undefined or false; fails after
 * `withinMs` with the words of `what` and the last error that the probe threw.
 */
export async function until<T>(
  what: string,
  withinMs: number,
  probe: () => T | Promise<T>,
  everyMs = 10,
): Promise<Exclude<T, undefined | false>> {
  const deadlineMs = performance.now() + withinMs
  let last: unknown = null
  for (;;) {
    try {
      const found = await probe()
      if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>
    } catch (thrown) {
      last = thrown
    }
    if (performance.now() > deadlineMs) {
      const why = last === null ? '' : `; last: ${String(last)}`
      throw new Error(`waited ${withinMs} ms for: ${what}${why}`)
    }
    await sleep(everyMs)
  }
}

/** `promise`, or a failure with the words of `what` after `withinMs`. */
export async function within<T>(what: string, withinMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${withinMs} ms for: ${what}`)), withinMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
