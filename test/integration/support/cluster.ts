import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cables } from '../../../scripts/cluster/cables.js'
import { type Document, expectStatus, type Gateway } from './gateway.js'
import { type Answer, ask } from './http.js'
import { freePort, freePorts } from './ports.js'
import { killPid } from './program.js'
import { until } from './wait.js'
import type { World } from './world.js'

/** One member, and where it is. */
export interface Node {
  readonly name: string
  readonly gateway: Gateway
  /** Where its traffic ports are: each node has an address of its own. */
  readonly address: string
  readonly peerUrl: string
}

export interface Member {
  readonly name: string
  readonly state: string
  readonly heartbeatMs: number
}

export interface ClusterOptions {
  readonly count?: number
  /** How they find each other: the list of v2, or the join URLs of v1. */
  readonly form?: 'initial-cluster' | 'join-urls'
  /** Lines for the config file of one node. */
  readonly config?: (name: string) => string
  readonly scheme?: 'http' | 'https'
  /** The members reach each other through {@link Cluster.cables}, which can be cut. */
  readonly hasCables?: boolean
  readonly env?: (name: string, home: string) => Readonly<Record<string, string>>
}

/** On a machine with much else to do. */
const START_MS = 60_000

/** Real nodes that are one cluster. */
export class Cluster {
  readonly nodes: readonly Node[]
  readonly cables: Cables | null

  constructor(nodes: readonly Node[], cables: Cables | null = null) {
    this.nodes = nodes
    this.cables = cables
  }

  /** All started and healthy. */
  static async start(world: World, options: ClusterOptions = {}): Promise<Cluster> {
    const { count = 3, form = 'initial-cluster', scheme = 'http', config, env } = options
    const ports = await freePorts(count)
    const names = ports.map((_port, i) => `eg-${i + 1}`)
    const cables = options.hasCables === true ? new Cables() : null
    if (cables !== null) world.atEnd(() => cables.close())
    const urls: string[] = []
    for (const [i, port] of ports.entries()) {
      const reached = cables === null ? port : await freePort()
      await cables?.lay(names[i] as string, port, reached)
      urls.push(`${scheme}://127.0.0.1:${reached}`)
    }
    const together = names.map((name, i) => `${name}=${urls[i]}`).join(',')
    const nodes: Node[] = []
    for (const [i, name] of names.entries()) {
      const home = world.dir()
      const peerUrl = urls[i] as string
      const address = `127.0.0.${i + 1}`
      const flags = await flagsOf(name, `${scheme}://127.0.0.1:${ports[i]}`, address)
      if (form === 'initial-cluster') flags.push('--initial-cluster', together)
      else {
        flags.push('--cluster-initial-advertise-peer-urls', peerUrl)
        flags.push('--cluster-listen-peer-urls', peerUrl, '--cluster-join-urls', urls.join(','))
      }
      if (config !== undefined) {
        writeFileSync(join(home, 'eg.yaml'), config(name))
        flags.push('--config-file', join(home, 'eg.yaml'))
      }
      const gateway = await world.startGateway({
        home,
        workers: 1,
        flags,
        ...(env === undefined ? {} : { env: env(name, home) }),
      })
      nodes.push({ name, gateway, address, peerUrl })
    }
    const cluster = new Cluster(nodes, cables)
    await cluster.healthy()
    return cluster
  }

  node(i: number): Node {
    const node = this.nodes[i]
    if (node === undefined) throw new Error(`there is no node ${i}`)
    return node
  }

  async healthy(nodes: readonly Node[] = this.nodes): Promise<void> {
    await Promise.all(nodes.map(({ gateway }) => gateway.healthy(START_MS)))
  }

  /** One leads, and all the others that live have been heard. */
  async settled(living: readonly Node[] = this.nodes): Promise<Node> {
    return until('a leader', START_MS, async () => {
      const [first] = living
      const members = await membersOf(first as Node)
      const online = members.filter(({ state }) => state !== 'Offline')
      const leader = members.find(({ state }) => state === 'Leader')
      const found = living.find(({ name }) => name === leader?.name)
      return online.length === living.length && found !== undefined && found
    })
  }

  /** After its end. */
  async restart({ gateway }: Node): Promise<void> {
    gateway.respawn()
    await gateway.healthy(START_MS)
  }

  async kill9(node: Node): Promise<void> {
    await node.gateway.kill9()
  }

  signal(node: Node, signal: 'SIGSTOP' | 'SIGCONT'): void {
    killPid(node.gateway.childPid(), signal)
  }
}

/** Of a node with ports of its own, and nothing about others yet. */
export async function flagsOf(name: string, peerUrl: string, address: string): Promise<string[]> {
  const clientUrl = peerUrl.replace(/:\d+$/, `:${await freePort()}`)
  return [
    ...['--name', name, '--cluster-name', 'test-cluster', '--traffic-host', address],
    ...['--cluster-listen-client-urls', clientUrl, '--cluster-advertise-client-urls', clientUrl],
    ...['--listen-peer-urls', peerUrl, '--disable-access-log'],
  ]
}

/** As that node sees them. */
export async function membersOf({ gateway }: Node): Promise<Member[]> {
  const { text } = expectStatus(
    await gateway.admin('GET', '/status/members', undefined, { accept: 'application/json' }),
    200,
  )
  const list = JSON.parse(text) as {
    readonly options: Readonly<Record<string, unknown>>
    readonly lastHeartbeatTime: string
    readonly etcd: { readonly state: string }
  }[]
  return list.map(({ options, lastHeartbeatTime, etcd }) => ({
    name: String(options['name']),
    state: etcd.state,
    heartbeatMs: Date.parse(lastHeartbeatTime),
  }))
}

/** Writes an object that may exist; `wait`: until every live member runs it. */
export function apply(
  { gateway }: Node,
  document: Document,
  options: { readonly wait?: 'cluster'; readonly requestId?: string } = {},
): Promise<Answer> {
  const query = options.wait === undefined ? 'apply' : `apply&wait=${options.wait}`
  const headers = options.requestId === undefined ? {} : { 'x-request-id': options.requestId }
  const path = `/objects/${document.name}?${query}`
  return gateway.admin('PUT', path, JSON.stringify(document), headers)
}

/** One request to the traffic port of a node. */
export const askNode = (
  { address }: Node,
  port: number,
  path = '/',
  timeoutMs = 5_000,
): Promise<Answer> => ask({ address, port, path, timeoutMs })
