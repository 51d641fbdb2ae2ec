import { isIP } from 'node:net'
import { isLoopbackAddress } from '../lib/loopback.js'
import type { OptionKey, ServerOptions } from './table.js'

/** More voters make every write slower and the cluster no safer. */
const VOTERS_MAX = 7

const TLS_FILES = ['peerCertFile', 'peerKeyFile', 'peerCaFile'] as const
const URL_LISTS = [
  'clusterListenClientUrls',
  'clusterListenPeerUrls',
  'clusterAdvertiseClientUrls',
  'clusterInitialAdvertisePeerUrls',
] as const

type Where = (key: OptionKey) => string

/** Rules for the place of this member in its cluster; all that are broken, one sentence each. */
export function checkCluster(o: ServerOptions, where: Where): string[] {
  if (o.clusterRole === 'reader') {
    return [
      `${where('clusterRole')}: readers follow the writers of a cluster, which this version does not support yet; start a writer`,
    ]
  }
  return [
    ...checkUrls(o, where),
    ...checkInitialCluster(o, where),
    ...checkScheme(o, where),
    ...checkAuthentication(o, where),
  ]
}

function checkUrls(o: ServerOptions, where: Where): string[] {
  const problems: string[] = []
  for (const key of URL_LISTS) {
    if (o[key].length === 0) problems.push(`${where(key)}: a writer needs at least one URL`)
  }
  for (const key of [...URL_LISTS, 'clusterJoinUrls'] as const) {
    const bad = o[key].find((url) => !isPeerUrl(url))
    if (bad !== undefined) problems.push(`${where(key)}: ${notPeerUrl(bad)}`)
  }
  return problems
}

function checkInitialCluster(o: ServerOptions, where: Where): string[] {
  const members = Object.entries(o.initialCluster)
  if (members.length === 0) return []
  const at = where('initialCluster')
  const problems: string[] = []
  if (o.clusterJoinUrls.length > 0) {
    problems.push(
      `${at}: a member either founds a cluster with others (initial-cluster) or joins one (cluster-join-urls); leave one out`,
    )
  }
  const own = o.initialCluster[o.name]
  if (own === undefined) {
    const names = members.map(([name]) => name).join(', ')
    problems.push(`${at}: this member is "${o.name}", which is not among ${names}`)
  } else if (!o.clusterInitialAdvertisePeerUrls.some((url) => isSameUrl(url, own))) {
    problems.push(
      `${at}: says ${own} for this member, cluster-initial-advertise-peer-urls says ${o.clusterInitialAdvertisePeerUrls.join(', ')}`,
    )
  }
  const bad = members.find(([, url]) => !isPeerUrl(url))
  if (bad !== undefined) problems.push(`${at}: ${notPeerUrl(bad[1])}`)
  const urls = members.map(([, url]) => normalUrl(url))
  const twice = urls.find((url, i) => urls.indexOf(url) < i)
  if (twice !== undefined) problems.push(`${at}: two members have ${twice}`)
  if (members.length > VOTERS_MAX) {
    problems.push(`${at}: a cluster has at most ${VOTERS_MAX} writers, not ${members.length}`)
  }
  return problems
}

/** TLS is a matter of all peers together. */
function checkScheme(o: ServerOptions, where: Where): string[] {
  const urls = [
    ...o.clusterListenPeerUrls,
    ...o.clusterInitialAdvertisePeerUrls,
    ...o.clusterJoinUrls,
    ...Object.values(o.initialCluster),
  ]
  const secure = urls.filter((url) => /^https:/i.test(url))
  if (secure.length > 0 && secure.length < urls.length) {
    const clear = urls.find((url) => !/^https:/i.test(url))
    return [
      `${where('clusterListenPeerUrls')}: peers speak TLS to all or to none: there is ${secure[0]} and ${clear}`,
    ]
  }
  if (secure.length === 0) {
    return TLS_FILES.filter((key) => o[key] !== '').map(
      (key) => `${where(key)}: has no effect without https:// peer URLs`,
    )
  }
  return TLS_FILES.filter((key) => o[key] === '').map(
    (key) => `${where(key)}: needed for https:// peer URLs`,
  )
}

function checkAuthentication(o: ServerOptions, where: Where): string[] {
  const isTls = o.clusterListenPeerUrls.some((url) => /^https:/i.test(url))
  if (isTls || o.clusterSecret !== '' || o.allowInsecurePeers) return []
  const problems: string[] = []
  for (const key of ['clusterListenPeerUrls', 'clusterListenClientUrls'] as const) {
    const open = o[key].find((url) => isPeerUrl(url) && isBeyondThisMachine(hostOf(url)))
    if (open === undefined) continue
    problems.push(
      `${where(key)}: ${open} can be reached from other machines and anyone there could be a member; set cluster-secret, use https:// peer URLs with peer-cert-file, listen on 127.0.0.1, or say allow-insecure-peers`,
    )
  }
  return problems
}

/** Scheme, host and port, and nothing else. */
export function isPeerUrl(url: string): boolean {
  return /^https?:\/\/(?:\[[0-9a-f:.%]+\]|[^\s/:[\]@?#]+):([1-9]\d{0,4})\/?$/i.test(url)
}

const notPeerUrl = (url: string): string =>
  `expected scheme, host and port as in http://10.0.0.1:2380, got ${JSON.stringify(url)}`

/** One spelling of scheme and host, no slash at the end. */
export const normalUrl = (url: string): string => url.toLowerCase().replace(/\/$/, '')
export const isSameUrl = (a: string, b: string): boolean => normalUrl(a) === normalUrl(b)

function hostOf(url: string): string {
  const host = /^https?:\/\/(?:\[([^\]]+)\]|([^:/]+))/i.exec(url)
  return host?.[1] ?? host?.[2] ?? ''
}

/** Names are left to the moment of listening, when they have been resolved. */
export function isBeyondThisMachine(host: string): boolean {
  return host === '' || (isIP(host) !== 0 && !isLoopbackAddress(host))
}
