/**
 * One node of a replicated store without anything around it, for `store-writes.ts`: takes puts of
 * guests over the peer port, as a remote store would. Says `leader` or `follower` on stdout.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { systemTime } from '../../src/lib/clock.js'
import { wakePromptly } from '../../src/lib/thread-priority.js'
import { NodeTransport, parsePeerUrl } from '../../src/peer/node-transport.js'
import { type Introduction, Links, type Peer, Rpc } from '../../src/peer/peer.js'
import type { MemberIdentity, Replica } from '../../src/store/cluster.js'
import { openReplica } from '../../src/store/open-replica.js'
import { foundingOf } from '../../src/store/roster.js'
import { spawnLogThread } from '../../src/store/spawn-log-thread.js'
import type { Logger } from '../../src/telemetry/log.js'

export const PUT_SERVICE = 'bench-put'
export const CLUSTER_NAME = 'bench'

export const silent: Logger = {
  debugOn: false,
  error: (message, fields) => void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

export const introductionOf = (
  name: string,
  incarnation: string,
  replica: Replica | null,
): Introduction => {
  const consensus = replica?.consensus() ?? null
  const isMember = consensus !== null && consensus.clusterId !== ''
  return {
    name,
    incarnation,
    bootId: incarnation,
    nodeId: isMember ? consensus.nodeId : 0,
    clusterName: CLUSTER_NAME,
    clusterId: isMember ? consensus.clusterId : null,
    admittedAt: isMember ? consensus.admittedAt : 0,
    level: 1,
    levelMin: 1,
    clusterLevel: isMember ? 1 : 0,
    logEnd: consensus?.logEnd ?? { index: 0, term: 0 },
  }
}

export const incarnationOf = (name: string): string => `incarnation-of-${name}`

function run(name: string, dataDir: string, members: readonly MemberIdentity[]): void {
  // As the coordinator's thread does.
  wakePromptly()
  mkdirSync(dataDir, { recursive: true })
  const incarnation = incarnationOf(name)
  const transport = new NodeTransport({ tls: null })
  let made: Replica | null = null
  const self = (): Introduction => introductionOf(name, incarnation, made)
  const links: Links = new Links({
    time: systemTime,
    random: (below) => randomInt(below),
    nonce: () => randomBytes(32),
    transport,
    log: silent,
    local: self,
    membership: () => ({
      self: self(),
      knownUpTo: made?.consensus().appliedIndex ?? 0,
      member: (of) => made?.roster().members.find((each) => each.name === of) ?? null,
      nameOf: (id) => made?.roster().members.find(({ nodeId }) => nodeId === id)?.name ?? null,
      isPurged: () => false,
      liveBoot: () => null,
    }),
    secret: null,
    allowInsecure: false,
    handler: {
      onPeerUp: (peer) => made?.inbound.onPeerUp(peer),
      onPeerDown: (peer) => made?.inbound.onPeerDown(peer),
      onRaft: (message, peer) => made?.inbound.onRaft(message, peer),
      onUnreachable: (nodeId) => made?.inbound.onUnreachable(nodeId),
      onChunk: (header, bytes, peer) => made?.inbound.onChunk(header, bytes, peer),
      onChunkReply: (reply, peer) => made?.inbound.onChunkReply(reply, peer),
      onChunkRoom: (peer) => made?.inbound.onChunkRoom(peer),
      onForward: (traffic, peer: Peer) => rpc.receive(traffic, peer),
      onForwardUp: () => {},
      onForwardDown: (peer) => rpc.peerDown(peer),
      onRefused: () => {},
      onDialFailed: () => {},
    },
  })
  const rpc = new Rpc({ time: systemTime, links })
  const own = members.find((member) => member.name === name) as MemberIdentity
  const replica = openReplica({
    time: systemTime,
    log: silent,
    random: (below) => randomInt(below),
    defer: (task) => void setImmediate(task),
    self: own,
    spawnLog: spawnLogThread(dataDir),
    links,
    rpc,
    listener: {
      onBlank: () => void setImmediate(() => replica.found(foundingOf(members))),
      onConsensus: ({ role, hasQuorum }) => {
        links.refresh()
        process.stdout.write(`${role === 'leader' && hasQuorum ? 'leader' : 'follower'}\n`)
      },
      onMembers: (roster) =>
        links.setMembers(
          roster.members
            .filter((member) => member.name !== name)
            .map(({ name: of, incarnation: it, nodeId, peerUrl }) => ({
              name: of,
              incarnation: it,
              nodeId,
              address: peerUrl,
            })),
        ),
      onReady: () => {},
      onFailed: (error) => {
        throw error
      },
      onStopped: () => process.exit(0),
    },
  })
  made = replica
  rpc.serve(PUT_SERVICE, {
    guests: true,
    onRequest: (body, _peer, answer) => {
      const key = Buffer.from(body.buffer, body.byteOffset, 16).toString('latin1')
      const value = new Uint8Array(body.subarray(16))
      replica.store.txn([], [{ type: 'put', key, value }], [], (outcome) =>
        answer(outcome.ok ? { ok: true, body: new Uint8Array(0) } : outcome),
      )
    },
  })
  const target = parsePeerUrl(own.peerUrl ?? '')
  if (target === null) throw new Error(`${own.peerUrl} is no peer URL`)
  transport.listen({
    host: target.host,
    port: target.port,
    accept: (connection) => links.accept(connection),
    onStranger: () => {},
    onListening: () => {},
    onFailed: (error) => {
      throw error
    },
  })
}

const [name, dataDir, members] = process.argv.slice(2)
if (members !== undefined) run(name as string, dataDir as string, JSON.parse(members))
