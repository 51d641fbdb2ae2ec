import type { Peer } from '../site.js'
import { caddy } from './caddy.js'
import { easegress } from './easegress.js'
import { envoy } from './envoy.js'
import { haproxy } from './haproxy.js'
import { nginx } from './nginx.js'

export interface PeerChoice {
  /** Names; empty for all. */
  readonly peers: readonly string[]
  readonly easegress: readonly string[]
  readonly envoy: string | null
}

const DEBIAN = { nginx, haproxy, caddy } as const
const NAMES = [...Object.keys(DEBIAN), 'envoy', 'easegress']

/** The peers that are there and wanted. Throws for a name that there is not. */
export function installedPeers(choice: PeerChoice, say: (text: string) => void): Peer[] {
  const unknown = choice.peers.filter((name) => !NAMES.includes(name))
  if (unknown.length > 0) {
    throw new Error(`--peer: there is no ${unknown.join(', ')}; there are ${NAMES.join(', ')}`)
  }
  const isWanted = (name: string): boolean =>
    choice.peers.length === 0 || choice.peers.includes(name)
  const found: Peer[] = []
  for (const [name, find] of Object.entries(DEBIAN)) {
    if (!isWanted(name)) continue
    const peer = find()
    if (peer === null) say(`${name} is not installed (Debian: apt-get install -y ${name})`)
    else found.push(peer)
  }
  if (choice.envoy !== null && isWanted('envoy')) found.push(envoy(choice.envoy))
  if (isWanted('easegress')) found.push(...choice.easegress.map(easegress))
  return found
}
