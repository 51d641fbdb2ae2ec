import {
  choice,
  choiceWithNames,
  duration,
  flag,
  hostPort,
  integer,
  memberMap,
  type OptionType,
  secret,
  secretMap,
  text,
  textMap,
  urlList,
} from './types.js'

export const GROUPS = [
  'Node',
  'Cluster',
  'Admin API',
  'Traffic',
  'Directories',
  'Logs',
  'Profiles',
  'Start',
] as const
type Group = (typeof GROUPS)[number]

/** One start-up option. The order of rows is the order of `--print-config`. */
export interface OptionRow<T> {
  /** Name as a flag and as a key of the config file. */
  readonly name: string
  /** Another name that is accepted everywhere. */
  readonly alias: string | null
  readonly short: string | null
  readonly group: Group
  readonly type: OptionType<T>
  /** In the form of the config file. */
  readonly default: unknown
  /** How `--help` writes the default when the value itself says too little. */
  readonly defaultDoc: string | null
  readonly doc: string
  /** False: too secret for a command line or an environment; the config file alone has it. */
  readonly onCommandLine: boolean
  /** False: about this start only, so the config file must not have it. */
  readonly inFile: boolean
  /** Part of what Easegress v1.0.0 shows of a member. */
  readonly isV1: boolean
}

type Fields<T> = Pick<OptionRow<T>, 'name' | 'group' | 'type' | 'default' | 'doc'> &
  Partial<OptionRow<T>>

function row<T>(fields: Fields<T>): OptionRow<T> {
  return {
    alias: null,
    short: null,
    defaultDoc: null,
    onCommandLine: true,
    inFile: true,
    isV1: false,
    ...fields,
  }
}

const v1 = <T>(fields: Fields<T>): OptionRow<T> => row({ isV1: true, ...fields })

const DAY_MS = 86_400_000

/**
 * Every start-up option, under the name by which the program knows it. First those of Easegress
 * v1.0.0, in its order; then those of v2 and ours.
 */
export const OPTIONS = {
  name: v1({
    name: 'name',
    group: 'Node',
    type: text('NAME'),
    default: 'eg-default-name',
    doc: 'Name of this member, unique in its cluster. Empty: made from host name and api-addr.',
  }),
  labels: v1({
    name: 'labels',
    group: 'Node',
    type: textMap,
    default: {},
    doc: 'Labels of this member.',
  }),
  clusterName: v1({
    name: 'cluster-name',
    group: 'Cluster',
    type: text('NAME'),
    default: 'eg-cluster-default-name',
    doc: 'Name of the cluster; all its members have the same.',
  }),
  clusterRole: v1({
    name: 'cluster-role',
    group: 'Cluster',
    type: choiceWithNames({
      writer: 'writer',
      reader: 'reader',
      primary: 'writer',
      secondary: 'reader',
    }),
    default: 'writer',
    doc: 'A writer stores the configuration, a reader follows it; v2 says primary and secondary.',
  }),
  clusterRequestTimeoutMs: v1({
    name: 'cluster-request-timeout',
    group: 'Cluster',
    type: duration(100, DAY_MS),
    default: '10s',
    doc: 'Longest wait for an answer of the cluster.',
  }),
  clusterListenClientUrls: v1({
    name: 'cluster-listen-client-urls',
    alias: 'listen-client-urls',
    group: 'Cluster',
    type: urlList,
    default: ['http://127.0.0.1:2379'],
    doc: 'Where this member listens for readers.',
  }),
  clusterListenPeerUrls: v1({
    name: 'cluster-listen-peer-urls',
    alias: 'listen-peer-urls',
    group: 'Cluster',
    type: urlList,
    default: ['http://127.0.0.1:2380'],
    doc: 'Where this member listens for other members.',
  }),
  clusterAdvertiseClientUrls: v1({
    name: 'cluster-advertise-client-urls',
    alias: 'advertise-client-urls',
    group: 'Cluster',
    type: urlList,
    default: ['http://127.0.0.1:2379'],
    doc: 'How readers reach this member.',
  }),
  clusterInitialAdvertisePeerUrls: v1({
    name: 'cluster-initial-advertise-peer-urls',
    alias: 'initial-advertise-peer-urls',
    group: 'Cluster',
    type: urlList,
    default: ['http://127.0.0.1:2380'],
    doc: 'How other members reach this member.',
  }),
  clusterJoinUrls: v1({
    name: 'cluster-join-urls',
    alias: 'primary-listen-peer-urls',
    group: 'Cluster',
    type: urlList,
    default: [],
    doc: 'Peer URLs of a running cluster to join. When the first is our own, this is that cluster.',
  }),
  apiAddr: v1({
    name: 'api-addr',
    group: 'Admin API',
    type: hostPort,
    default: 'localhost:2381',
    doc: 'Where the admin API listens.',
  }),
  debug: v1({
    name: 'debug',
    group: 'Logs',
    type: flag,
    default: false,
    doc: 'Log from level DEBUG up instead of INFO.',
  }),
  homeDir: v1({
    name: 'home-dir',
    group: 'Directories',
    type: text('DIR'),
    default: './',
    doc: 'Base of the other directories where they are relative.',
  }),
  dataDir: v1({
    name: 'data-dir',
    group: 'Directories',
    type: text('DIR'),
    default: 'data',
    doc: 'Where the configuration is stored.',
  }),
  walDir: v1({
    name: 'wal-dir',
    group: 'Directories',
    type: text('DIR'),
    default: '',
    defaultDoc: 'inside data-dir',
    doc: 'Accepted when empty: the log lies in data-dir.',
  }),
  logDir: v1({
    name: 'log-dir',
    group: 'Directories',
    type: text('DIR'),
    default: 'log',
    doc: 'Where log files are written.',
  }),
  memberDir: v1({
    name: 'member-dir',
    group: 'Directories',
    type: text('DIR'),
    default: 'member',
    doc: 'Accepted for old files: the member list is kept in data-dir.',
  }),
  cpuProfileFile: v1({
    name: 'cpu-profile-file',
    group: 'Profiles',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    doc: 'Write a CPU profile of the whole run to this file; those of workers beside it.',
  }),
  memoryProfileFile: v1({
    name: 'memory-profile-file',
    group: 'Profiles',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    doc: 'Write a heap profile to this file at exit; those of workers beside it.',
  }),

  initialCluster: row({
    name: 'initial-cluster',
    group: 'Cluster',
    type: memberMap,
    default: {},
    doc: 'All members of a new cluster with their peer URLs, the same on each of them.',
  }),
  clusterSecret: row({
    name: 'cluster-secret',
    group: 'Cluster',
    type: secret,
    default: '',
    defaultDoc: 'none',
    onCommandLine: false,
    doc: 'Proves that a peer belongs to the cluster, the same on all; in the config file only.',
  }),
  peerCertFile: row({
    name: 'peer-cert-file',
    group: 'Cluster',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    doc: 'Certificate of this member for https:// peer URLs, PEM; it holds the name of the member.',
  }),
  peerKeyFile: row({
    name: 'peer-key-file',
    group: 'Cluster',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    doc: 'Private key of peer-cert-file, PEM.',
  }),
  peerCaFile: row({
    name: 'peer-ca-file',
    group: 'Cluster',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    doc: 'Who signs the members of this cluster and nobody else, PEM.',
  }),
  allowInsecurePeers: row({
    name: 'allow-insecure-peers',
    group: 'Cluster',
    type: flag,
    default: false,
    doc: 'Let anyone who reaches the peer port be a member: no secret, no TLS, beyond this machine.',
  }),
  tls: row({
    name: 'tls',
    group: 'Admin API',
    type: flag,
    default: false,
    doc: 'Serve the admin API over HTTPS; needs cert-file and key-file.',
  }),
  certFile: row({
    name: 'cert-file',
    group: 'Admin API',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    doc: 'Certificate chain of the admin API, PEM.',
  }),
  keyFile: row({
    name: 'key-file',
    group: 'Admin API',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    doc: 'Private key of the admin API, PEM.',
  }),
  clientCaFile: row({
    name: 'client-ca-file',
    group: 'Admin API',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    doc: 'Demand client certificates signed by these authorities, PEM; needs tls.',
  }),
  basicAuth: row({
    name: 'basic-auth',
    group: 'Admin API',
    type: secretMap,
    default: {},
    onCommandLine: false,
    doc: 'Users of the admin API with their passwords; in the config file only.',
  }),
  allowInsecureAdmin: row({
    name: 'allow-insecure-admin',
    group: 'Admin API',
    type: flag,
    default: false,
    doc: 'Let the admin API listen beyond this machine without any authentication.',
  }),
  workers: row({
    name: 'workers',
    group: 'Traffic',
    type: integer(0, 1024),
    default: 0,
    defaultDoc: '0: one for each core',
    doc: 'Number of threads that carry traffic.',
  }),
  trafficHost: row({
    name: 'traffic-host',
    group: 'Traffic',
    type: text('ADDRESS'),
    default: '',
    defaultDoc: 'all addresses, IPv6 and IPv4',
    doc: 'Address on which traffic ports listen.',
  }),
  drainTimeMs: row({
    name: 'drain-time',
    group: 'Traffic',
    type: duration(0, DAY_MS),
    default: '15s',
    doc: 'How long a stopping server waits for requests under way.',
  }),
  unknownFields: row({
    name: 'unknown-fields',
    group: 'Admin API',
    type: choice(['refuse', 'warn']),
    default: 'refuse',
    doc: 'What to do with an object that has fields its kind does not know.',
  }),
  logFormat: row({
    name: 'log-format',
    group: 'Logs',
    type: choice(['text', 'json']),
    default: 'text',
    doc: 'Form of log lines.',
  }),
  disableAccessLog: row({
    name: 'disable-access-log',
    alias: 'disable-access',
    group: 'Logs',
    type: flag,
    default: false,
    doc: 'Write no access log of traffic and of the admin API.',
  }),

  configFile: row({
    name: 'config-file',
    short: 'f',
    group: 'Start',
    type: text('FILE'),
    default: '',
    defaultDoc: 'none',
    inFile: false,
    doc: 'Read options from this YAML file.',
  }),
  forceNewCluster: row({
    name: 'force-new-cluster',
    group: 'Start',
    type: flag,
    default: false,
    inFile: false,
    doc: 'Make a cluster of this one member from the data it has.',
  }),
  printConfig: row({
    name: 'print-config',
    short: 'c',
    group: 'Start',
    type: flag,
    default: false,
    inFile: false,
    doc: 'Print the effective options as YAML, then go on.',
  }),
  version: row({
    name: 'version',
    short: 'v',
    group: 'Start',
    type: flag,
    default: false,
    inFile: false,
    doc: 'Print the version and exit.',
  }),
  help: row({
    name: 'help',
    short: 'h',
    group: 'Start',
    type: flag,
    default: false,
    inFile: false,
    doc: 'Print this and exit.',
  }),
} satisfies Readonly<Record<string, OptionRow<unknown>>>

export type OptionKey = keyof typeof OPTIONS

type ValueOf<R> = R extends OptionRow<infer T> ? T : never

/** Effective start-up options: durations in milliseconds, paths as written, all frozen. */
export type ServerOptions = { readonly [K in OptionKey]: ValueOf<(typeof OPTIONS)[K]> }

/** Keys of {@link OPTIONS} with their rows, in order. */
export const ROWS = Object.freeze(
  Object.entries(OPTIONS) as readonly [OptionKey, OptionRow<unknown>][],
)

/**
 * Options of other versions of Easegress. Harmless values (nothing, false, empty) are accepted
 * with a notice, anything else is refused with this sentence rather than ignored.
 */
export const FOREIGN: Readonly<Record<string, string>> = Object.freeze({
  'std-log-level': 'it never had a meaning; remove it',
  'use-standalone-etcd': 'an external etcd is not supported yet',
  'initial-object-config-files': 'initial objects are not supported yet; use egctl object apply',
  'objects-dump-interval': 'objects are durable when acknowledged; there is nothing to dump',
  'status-update-max-batch-size': 'statuses are not written in batches here',
  'state-flag': 'whether the cluster exists is found out by asking its members',
  'max-call-send-msg-size': 'the size of messages between members is fixed',
  'signal-upgrade': 'upgrade in place is not supported yet',
})
