import { checkCluster, isBeyondThisMachine } from './check-cluster.js'
import type { OptionKey, ServerOptions } from './table.js'

/** Names of members, clusters and objects in v1. */
const URL_NAME = /^[A-Za-z0-9\-_.~]{1,253}$/

/** Says where an option was set, for the message. */
type Where = (key: OptionKey) => string

/** Rules that hold between options; all that are broken, one sentence each. */
export function checkOptions(o: ServerOptions, where: Where): string[] {
  return [
    ...checkNames(o, where),
    ...checkCluster(o, where),
    ...checkAdmin(o, where),
    ...checkLater(o, where),
  ]
}

function checkNames(o: ServerOptions, where: Where): string[] {
  const problems: string[] = []
  const letters = 'expected 1 to 253 letters, digits or -_.~'
  for (const key of ['name', 'clusterName'] as const) {
    if (!URL_NAME.test(o[key])) {
      problems.push(`${where(key)}: ${letters}, got ${JSON.stringify(o[key])}`)
    }
  }
  for (const key of ['homeDir', 'dataDir', 'logDir', 'memberDir'] as const) {
    if (o[key] === '') problems.push(`${where(key)}: must not be empty`)
  }
  if (o.walDir !== '') {
    problems.push(`${where('walDir')}: the log lies in data-dir here; leave it out`)
  }
  return problems
}

function checkAdmin(o: ServerOptions, where: Where): string[] {
  const problems: string[] = []
  if (o.tls) {
    for (const key of ['certFile', 'keyFile'] as const) {
      if (o[key] === '') problems.push(`${where(key)}: needed with tls`)
    }
  } else {
    for (const key of ['certFile', 'keyFile', 'clientCaFile'] as const) {
      if (o[key] !== '') problems.push(`${where(key)}: has no effect without tls: true`)
    }
  }
  const { host, port } = o.apiAddr
  if (!isAuthenticated(o) && !o.allowInsecureAdmin && isBeyondThisMachine(host)) {
    problems.push(
      `${where('apiAddr')}: ${host === '' ? 'all addresses' : host}:${port} can be reached from other machines and anyone there could change the configuration; set basic-auth (or tls with client-ca-file), listen on localhost, or say allow-insecure-admin`,
    )
  }
  return problems
}

/** True when the admin API demands a password or a client certificate. */
function isAuthenticated(o: Pick<ServerOptions, 'basicAuth' | 'tls' | 'clientCaFile'>): boolean {
  return Object.keys(o.basicAuth).length > 0 || (o.tls && o.clientCaFile !== '')
}

/** What is known but not built yet must not be ignored in silence. */
function checkLater(o: ServerOptions, where: Where): string[] {
  const problems: string[] = []
  if (o.forceNewCluster) {
    problems.push(
      `${where('forceNewCluster')}: a cluster cannot be made of what is left of one yet; docs/cluster.md says how to save its objects`,
    )
  }
  return problems
}
