import type { MemberStatus } from '../protocol/coordinator.js'
import { ask, stamped } from './asking.js'
import type { Handler } from './call.js'

/** Options whose name in v2 is more than their words in capitals, by their name at start-up. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['api-addr', 'APIAddr'],
  ['tls', 'TLS'],
  ['client-ca-file', 'ClientCAFile'],
  ['disable-access-log', 'DisableAccessLog'],
  ['use-standalone-etcd', 'UseStandaloneEtcd'],
  ['wal-dir', 'WALDir'],
  ['cpu-profile-file', 'CPUProfileFile'],
])

/** Options that v2 has in a group of their own, under the names of either dialect. */
const CLUSTER: ReadonlyMap<string, string> = new Map([
  ['cluster-listen-client-urls', 'ListenClientURLs'],
  ['listen-client-urls', 'ListenClientURLs'],
  ['cluster-listen-peer-urls', 'ListenPeerURLs'],
  ['listen-peer-urls', 'ListenPeerURLs'],
  ['cluster-advertise-client-urls', 'AdvertiseClientURLs'],
  ['advertise-client-urls', 'AdvertiseClientURLs'],
  ['cluster-initial-advertise-peer-urls', 'InitialAdvertisePeerURLs'],
  ['initial-advertise-peer-urls', 'InitialAdvertisePeerURLs'],
  ['cluster-join-urls', 'JoinURLs'],
  ['initial-cluster', 'InitialCluster'],
  ['state-flag', 'StateFlag'],
  ['primary-listen-peer-urls', 'PrimaryListenPeerURLs'],
  ['max-call-send-msg-size', 'MaxCallSendMsgSize'],
])

const ROLES: Readonly<Record<string, string>> = { writer: 'primary', reader: 'secondary' }

export const listMembersV2: Handler = async (call) => {
  call.query.expectOnly()
  const result = await ask(call, { type: 'list-members' })
  const members = [...result.value].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  return stamped(result, { type: 'value', value: members.map(shown) })
}

const nameOf = ({ options }: MemberStatus): string => String(options['name'])

/** Whatever a member tells of itself beside what v1 knows is shown as it is. */
function shown({ options, ...state }: MemberStatus): unknown {
  const own: Record<string, unknown> = {}
  const cluster: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const inCluster = CLUSTER.get(name)
    if (name === 'cluster') Object.assign(cluster, renamed(value))
    else if (inCluster !== undefined) cluster[inCluster] = value
    else own[NAMES.get(name) ?? camelCase(name)] = value
  }
  const role = own['ClusterRole']
  if (typeof role === 'string') own['ClusterRole'] = ROLES[role] ?? role
  return { options: { ...own, Cluster: cluster }, ...state }
}

/** The members of `cluster` in a config file of v2. */
function renamed(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return {}
  const entries = Object.entries(value).map(([name, each]) => [CLUSTER.get(name) ?? name, each])
  return Object.fromEntries(entries)
}

/** `home-dir` → `HomeDir`. */
function camelCase(name: string): string {
  return name.replace(/(?:^|-)(\w)/g, (_match, letter: string) => letter.toUpperCase())
}
