/** Names longer than this are only compared as a whole: the table below is quadratic. */
const LENGTH_MAX = 64

/**
 * The candidate that `name` was most likely meant to be, or null. Near means few insertions,
 * deletions, replacements and swaps of neighbours (optimal string alignment distance): at most one
 * for every three characters of the longer one, at least one, never all of them, ignoring case.
 */
export function suggest(name: string, candidates: Iterable<string>): string | null {
  const wanted = name.toLowerCase()
  let nearest: string | null = null
  let nearestDistance = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const lower = candidate.toLowerCase()
    const length = Math.max(lower.length, wanted.length)
    const allowed = Math.min(Math.max(1, Math.floor(length / 3)), length - 1)
    const distance = lower === wanted ? 0 : distanceOf(wanted, lower, allowed)
    if (distance <= allowed && distance < nearestDistance) {
      nearest = candidate
      nearestDistance = distance
    }
  }
  return nearest
}

/** Infinity when it is certainly above `limit`. */
function distanceOf(a: string, b: string, limit: number): number {
  if (a.length > LENGTH_MAX || b.length > LENGTH_MAX) return Number.POSITIVE_INFINITY
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(last[j - 1]! + (same ? 0 : 1), last[j]! + 1, row[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, beforeLast[j - 2]! + 1)
      }
      row.push(best)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
