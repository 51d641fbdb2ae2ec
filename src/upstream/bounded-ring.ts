import { murmur64 } from './murmur3.js'

const PARTITIONS = 1024
const POINTS = 50
const LOAD = 1.25

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016), with the ring and
 * the partitions of Easegress (compat/traffic-v2.md §7.1.2): a key keeps its member while the list
 * of members is the same, and most keys keep theirs when one comes or goes.
 */
export class BoundedRing {
  /** By partition: index of its member. */
  readonly #owners = new Uint32Array(PARTITIONS)

  /** `members`: names, at least one. */
  constructor(members: readonly string[]) {
    const points = members
      .flatMap((name, member) =>
        Array.from({ length: POINTS }, (_, index) => ({
          hash: murmur64(Buffer.from(`${name}${index}`)),
          member,
        })),
      )
      .sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : a.member - b.member))
    const loadMax = Math.ceil((PARTITIONS / members.length) * LOAD)
    const loads = members.map(() => 0)
    const key = Buffer.alloc(8)
    for (let partition = 0; partition < PARTITIONS; partition++) {
      key.writeUInt32LE(partition)
      const hash = murmur64(key)
      let at = firstFrom(points, hash)
      while ((loads[(points[at] as Point).member] as number) >= loadMax) {
        at = (at + 1) % points.length
      }
      const { member } = points[at] as Point
      loads[member] = (loads[member] as number) + 1
      this.#owners[partition] = member
    }
  }

  /** Index of the member that `key` belongs to. */
  memberOf(key: Uint8Array): number {
    return this.#owners[Number(murmur64(key) % BigInt(PARTITIONS))] as number
  }
}

interface Point {
  readonly hash: bigint
  readonly member: number
}

/** Index of the first point at or behind `hash`, around the ring. */
function firstFrom(points: readonly Point[], hash: bigint): number {
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((points[middle] as Point).hash < hash) low = middle + 1
    else high = middle
  }
  return low === points.length ? 0 : low
}
