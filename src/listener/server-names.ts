import type { CertificatePair } from './contract.js'

/** A name, or a pattern with `*` as its first label, and the certificate it leads to. */
export interface NamedPair {
  readonly name: string
  readonly pair: CertificatePair
}

/** Labels of a name; uWebSockets.js knows no names with more. */
const LABELS_MAX = 10

/**
 * Which name leads to which certificate. Of several for one name the first counts, also where one of
 * them is a wildcard, as Go's `crypto/tls` chooses; the most exact one, as uWebSockets.js would
 * choose, is not asked for.
 */
export function namedPairs(pairs: readonly CertificatePair[]): NamedPair[] {
  const found = new Map<string, NamedPair>()
  for (const pair of pairs) {
    for (const name of pair.names) {
      if (name.split('.').length > LABELS_MAX) continue
      if (!found.has(name) && !found.has(wildcardOf(name))) found.set(name, { name, pair })
    }
  }
  return [...found.values()]
}

/** The pattern that covers `name`: `*` stands for exactly one label (RFC 6125 §6.4.3). */
export function wildcardOf(name: string): string {
  const dot = name.indexOf('.')
  return dot < 0 ? '*' : `*${name.slice(dot)}`
}

/** A name as certificates have it: lower case, without the dot of the root. */
export const plainName = (name: string): string => name.toLowerCase().replace(/\.+$/, '')
