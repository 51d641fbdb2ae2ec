const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

const TEXT_MAX = 40
const SIZE = /^(\d+(?:\.\d+)?) ?([kKMGT]i?B|B)$/

/**
 * Bytes of `64KiB`, `1.5 MB` or `10B`: decimal units count by 1000, those with an `i` by 1024. Null
 * for anything else; so also for `1k`, which means 1000 to some and 1024 to others, and for what is
 * not a whole number of bytes or too large to count exactly.
 */
export function parseByteSize(text: string): number | null {
  const match = text.length > TEXT_MAX ? null : SIZE.exec(text)
  const unitBytes = match === null ? undefined : UNIT_BYTES[match[2]!]
  if (match === null || unitBytes === undefined) return null
  const bytes = Number(match[1]) * unitBytes
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** The shortest exact form: `64KiB` for 65536, `1000` for 1000. `bytes` is a whole number. */
export function formatByteSize(bytes: number): string {
  const magnitude = Math.abs(bytes)
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const unitBytes = UNIT_BYTES[unit]!
    if (magnitude >= unitBytes && magnitude % unitBytes === 0) return `${bytes / unitBytes}${unit}`
  }
  return `${bytes}`
}
