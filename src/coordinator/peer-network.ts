import { randomBytes, randomInt, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Time } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import { NodeTransport, type PeerTls } from '../peer/node-transport.js'
import {
  type DialFailedEvent,
  type GuestDial,
  type Introduction,
  Links,
  type MemberAddress,
  type Membership,
  type Peer,
  type RefusedEvent,
  Rpc,
} from '../peer/peer.js'
import type { ClusterSetup } from '../root/threads.js'
import type { ConsensusStatus, Replica, Roster } from '../store/cluster.js'
import type { Logger } from '../telemetry/log.js'
import { PeerPorts } from './peer-ports.js'

/** What the records and entries written here need at least, and what this binary can do. */
const LEVEL = 1

export interface NetworkOptions {
  readonly time: Time
  readonly log: Logger
  readonly setup: ClusterSetup
  readonly self: { readonly name: string; readonly incarnation: string; readonly bootId: string }
  /** A first life of the process refuses to start without the ports that were asked for. */
  readonly isFirstLife: boolean
  /** Somebody can be asked: a member, or one who belongs to no cluster yet. */
  onMeeting(peer: Peer): void
  onDialFailed(event: DialFailedEvent): void
  onRefused(event: RefusedEvent): void
  /** A port that was asked for cannot be had. */
  onPortFailed(error: GatewayError): void
}

/**
 * This node's way to its peers: ports, connections and requests, with what it says of itself and
 * what it knows of others taken from the replica, once there is one.
 */
export class PeerNetwork {
  readonly links: Links
  readonly rpc: Rpc
  readonly #options: NetworkOptions
  readonly #transport: NodeTransport
  readonly #ports: PeerPorts
  #replica: Replica | null = null
  #membership: Membership | null = null

  /** Throws REQUEST_INVALID when the certificates cannot be used. */
  constructor(options: NetworkOptions) {
    this.#options = options
    const { time, log, setup, isFirstLife } = options
    this.#transport = new NodeTransport({ tls: readTls(setup) })
    this.links = new Links({
      time,
      random: (below) => randomInt(below),
      nonce: () => randomBytes(32),
      transport: this.#transport,
      log: log.child('peer'),
      local: () => this.#membershipNow().self,
      membership: () => this.#membershipNow(),
      secret: setup.secret === '' ? null : Buffer.from(setup.secret, 'utf8'),
      allowInsecure: setup.allowInsecure,
      handler: {
        onPeerUp: (peer) => this.#replica?.inbound.onPeerUp(peer),
        onPeerDown: (peer) => this.#replica?.inbound.onPeerDown(peer),
        onRaft: (message, peer) => this.#replica?.inbound.onRaft(message, peer),
        onUnreachable: (nodeId) => this.#replica?.inbound.onUnreachable(nodeId),
        onChunk: (header, bytes, peer) => this.#replica?.inbound.onChunk(header, bytes, peer),
        onChunkReply: (reply, peer) => this.#replica?.inbound.onChunkReply(reply, peer),
        onChunkRoom: (peer) => this.#replica?.inbound.onChunkRoom(peer),
        onForward: (traffic, peer) => this.rpc.receive(traffic, peer),
        onForwardUp: (peer) => options.onMeeting(peer),
        onForwardDown: (peer) => this.rpc.peerDown(peer),
        onRefused: (event) => options.onRefused(event),
        onDialFailed: (event) => options.onDialFailed(event),
      },
    })
    this.rpc = new Rpc({ time, links: this.links })
    this.#ports = new PeerPorts({
      time,
      log,
      setup,
      isFirstLife,
      transport: this.#transport,
      links: this.links,
      onFailed: options.onPortFailed,
    })
  }

  /** What this node says of itself is known: others may come. */
  open(replica: Replica): void {
    if (this.#replica !== null) return
    this.#replica = replica
    this.#ports.open()
  }

  dialGuest(address: string, name: string | null): GuestDial {
    return this.links.dialGuest(address, name)
  }

  /** Every other member can be reached once this returns. */
  onMembers(roster: Roster): void {
    this.#membership = null
    const { incarnation } = this.#options.self
    const others = roster.members.filter((member) => member.incarnation !== incarnation)
    this.links.setMembers(
      others.map(
        ({ name, incarnation: of, nodeId, peerUrl }): MemberAddress => ({
          name,
          incarnation: of,
          nodeId,
          address: peerUrl,
        }),
      ),
    )
  }

  /** What this node says of itself has changed. */
  refresh(): void {
    this.#membership = null
    this.links.refresh()
  }

  /** New connections use the certificates as they are on the disk now. */
  reloadCertificates(): void {
    const tls = readTls(this.#options.setup)
    if (tls !== null) this.#transport.reload(tls)
  }

  close(): void {
    this.#ports.close()
    this.links.close()
  }

  #membershipNow(): Membership {
    const replica = this.#replica
    if (replica === null) return outsider(this.#introduction(null))
    const consensus = replica.consensus()
    const self = this.#introduction(consensus)
    const known = this.#membership
    if (known !== null && known.knownUpTo === consensus.appliedIndex) return { ...known, self }
    this.#membership = membershipOf(self, replica.roster(), consensus.appliedIndex)
    return this.#membership
  }

  #introduction(consensus: ConsensusStatus | null): Introduction {
    const { name, incarnation, bootId } = this.#options.self
    const clusterId = consensus === null || consensus.clusterId === '' ? null : consensus.clusterId
    return {
      name,
      incarnation,
      bootId,
      nodeId: clusterId === null ? 0 : (consensus?.nodeId ?? 0),
      clusterName: this.#options.setup.clusterName,
      clusterId,
      admittedAt: clusterId === null ? 0 : (consensus?.admittedAt ?? 0),
      level: LEVEL,
      levelMin: LEVEL,
      clusterLevel: clusterId === null ? 0 : LEVEL,
      logEnd: consensus?.logEnd ?? { index: 0, term: 0 },
    }
  }
}

function outsider(self: Introduction): Membership {
  return {
    self,
    knownUpTo: 0,
    member: () => null,
    nameOf: () => null,
    isPurged: () => false,
    liveBoot: () => null,
  }
}

function membershipOf(self: Introduction, roster: Roster, knownUpTo: number): Membership {
  const byName = new Map(roster.members.map((member) => [member.name, member]))
  const nameOf = new Map(roster.members.map(({ nodeId, name }) => [nodeId, name]))
  const purged = new Set(roster.removed.map(({ incarnation }) => incarnation))
  for (const { incarnation } of roster.members) purged.delete(incarnation)
  return {
    self,
    knownUpTo,
    member: (name) => byName.get(name) ?? null,
    nameOf: (nodeId) => nameOf.get(nodeId) ?? null,
    isPurged: (incarnation) => purged.has(incarnation),
    liveBoot: () => null,
  }
}

/** Throws REQUEST_INVALID: in OpenSSL's words, but with the options and files that they are about. */
function readTls({ tls }: ClusterSetup): PeerTls | null {
  if (tls === null) return null
  const cert = readPem('peer-cert-file', tls.cert)
  const key = readPem('peer-key-file', tls.key)
  const ca = readPem('peer-ca-file', tls.ca)
  attempt(`peer-ca-file: ${tls.ca} holds no certificate`, () => new X509Certificate(ca))
  attempt(`peer-cert-file: ${tls.cert} holds no certificate`, () => new X509Certificate(cert))
  attempt(
    `peer-key-file: ${tls.key} is no key for the certificate in ${tls.cert} (peer-cert-file)`,
    () => createSecureContext({ cert, key, ca }),
  )
  return { cert, key, ca }
}

function readPem(option: string, path: string): string {
  return attempt(`${option}: cannot be read`, () => readFileSync(path, 'utf8'))
}

function attempt<T>(what: string, act: () => T): T {
  try {
    return act()
  } catch (thrown) {
    const message = `${what}: ${(thrown as Error).message}`
    throw new GatewayError('REQUEST_INVALID', message, {}, { cause: thrown })
  }
}
