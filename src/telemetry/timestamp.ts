/**
 * RFC 3339 §5.6 with milliseconds and zone. `offsetMinutes` east of UTC; default: of this machine
 * at that time.
 */
export function rfc3339(
  wallMs: number,
  offsetMinutes: number = -new Date(wallMs).getTimezoneOffset(),
): string {
  const local = new Date(wallMs + offsetMinutes * 60_000).toISOString().slice(0, -1)
  if (offsetMinutes === 0) return `${local}Z`
  const minutes = Math.abs(offsetMinutes)
  const hh = String(Math.floor(minutes / 60)).padStart(2, '0')
  const mm = String(minutes % 60).padStart(2, '0')
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${hh}:${mm}`
}
