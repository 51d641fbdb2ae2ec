/** Readings of two clocks that follow each other closely enough to be taken for simultaneous. */
const GAP_MS = 0.005
const TRIES_MAX = 100

/**
 * Monotonic milliseconds that mean the same in every thread of the process, unlike
 * `performance.now()`, which counts from an origin of the thread: what is written into shared
 * memory is dated by it. Threads agree to within a few microseconds. The origin means nothing.
 */
export const nodeMs = (): number => performance.now() + ORIGIN_MS

/** Both clocks are the system's monotonic one, so what lies between them never changes. */
const ORIGIN_MS = findOrigin()

function findOrigin(): number {
  let bestGapMs = Number.POSITIVE_INFINITY
  let originMs = 0
  for (let tries = 0; tries < TRIES_MAX && bestGapMs > GAP_MS; tries++) {
    const beforeMs = systemMs()
    const nowMs = performance.now()
    const gapMs = systemMs() - beforeMs
    if (gapMs >= bestGapMs) continue
    bestGapMs = gapMs
    originMs = beforeMs + gapMs / 2 - nowMs
  }
  return originMs
}

function systemMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1e6
}
