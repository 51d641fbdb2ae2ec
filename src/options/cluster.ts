import { isSameUrl, normalUrl } from './check-cluster.js'
import type { OptionKey, ServerOptions } from './table.js'

/** How a member with an empty data directory begins; one that has data goes on from there. */
export type ClusterStart =
  /** Together with all these, itself among them; alone when it is the only one. */
  | { readonly type: 'found'; readonly members: readonly InitialMember[] }
  /** As the first writer of v1: alone, unless somebody at one of these URLs is a member already. */
  | { readonly type: 'found-first'; readonly others: readonly string[] }
  | { readonly type: 'join'; readonly urls: readonly string[] }

export interface InitialMember {
  readonly name: string
  readonly url: string
}

/** Ports for other members, and whether to insist on them. */
export interface PeerListen {
  readonly urls: readonly string[]
  /** Asked for, not the default: a member that cannot have them does not start. */
  readonly isAskedFor: boolean
}

/** The place of this member in its cluster, as the options have it. */
export interface ClusterSetup {
  readonly clusterName: string
  readonly start: ClusterStart
  /** How others reach it. */
  readonly peerUrl: string
  readonly peerListen: PeerListen
  readonly clientListen: PeerListen
  /** Empty: none. */
  readonly secret: string
  /** Paths as written; null without https:// peer URLs. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | null
  readonly allowInsecure: boolean
}

/** What follows from `initial-cluster` for options that were not set. */
export function urlsOfInitialCluster(
  o: ServerOptions,
  isSet: (key: OptionKey) => boolean,
): Partial<ServerOptions> {
  const own = o.initialCluster[o.name]
  if (own === undefined) return {}
  const advertised = isSet('clusterInitialAdvertisePeerUrls')
    ? o.clusterInitialAdvertisePeerUrls
    : Object.freeze([own])
  const isListening = isSet('clusterListenPeerUrls')
  return {
    clusterInitialAdvertisePeerUrls: advertised,
    ...(isListening ? {} : { clusterListenPeerUrls: advertised }),
  }
}

/** Sample clusters give every writer the same list; for the first of them it names itself. */
export function isSelfJoin(o: ServerOptions): boolean {
  const first = o.clusterJoinUrls[0]
  if (first === undefined || o.clusterRole !== 'writer') return false
  return o.clusterInitialAdvertisePeerUrls.some((url) => isSameUrl(url, first))
}

/** `joinUrls`: as they were given, before a writer that names itself first took them for its own. */
export function clusterSetup(
  o: ServerOptions,
  joinUrls: readonly string[],
  isSet: (key: OptionKey) => boolean,
): ClusterSetup {
  // A writer has one URL at least; see `checkCluster`.
  const peerUrl = normalUrl(o.clusterInitialAdvertisePeerUrls[0] as string)
  const isTls = /^https:/i.test(peerUrl)
  const { peerCertFile: cert, peerKeyFile: key, peerCaFile: ca } = o
  return {
    clusterName: o.clusterName,
    start: startOf(o, joinUrls, peerUrl),
    peerUrl,
    peerListen: {
      urls: o.clusterListenPeerUrls.map(normalUrl),
      isAskedFor: isSet('clusterListenPeerUrls') || isSet('initialCluster'),
    },
    clientListen: {
      urls: o.clusterListenClientUrls.map(normalUrl),
      isAskedFor: isSet('clusterListenClientUrls'),
    },
    secret: o.clusterSecret,
    tls: isTls ? { cert, key, ca } : null,
    allowInsecure: o.allowInsecurePeers,
  }
}

function startOf(o: ServerOptions, joinUrls: readonly string[], peerUrl: string): ClusterStart {
  const notOwn = (urls: readonly string[]): string[] =>
    urls.map(normalUrl).filter((url) => url !== peerUrl)
  if (o.clusterJoinUrls.length > 0) return { type: 'join', urls: notOwn(o.clusterJoinUrls) }
  const others = notOwn(joinUrls)
  if (others.length > 0) return { type: 'found-first', others }
  const listed = Object.entries(o.initialCluster).map(([name, url]) => ({
    name,
    url: normalUrl(url),
  }))
  return { type: 'found', members: listed.length > 0 ? listed : [{ name: o.name, url: peerUrl }] }
}
