import { expect, it } from 'vitest'
import type { Peer } from '../../peer/peer.js'
import { type ChunkHeader, type ChunkReply, configOf } from '../../raft/raft.js'
import type { ReplicaLinks } from '../cluster.js'
import type { LogLink, LogRequest } from '../log/messages.js'
import { SnapshotIn } from './snapshot-in.js'

const peerOf = (bootId: string): Peer => ({
  name: 'n1',
  incarnation: 'i1',
  bootId,
  nodeId: 1,
  clusterName: 'c',
  clusterId: 'c1',
  admittedAt: 1,
  level: 1,
  levelMin: 1,
  clusterLevel: 1,
  logEnd: { index: 9, term: 3 },
  guest: false,
})

const chunk = (transfer: number): ChunkHeader => ({
  transfer,
  message: {
    type: 'snapshot',
    from: 1,
    to: 2,
    term: 3,
    snapshot: { index: 9, term: 3, config: configOf([1, 2]) },
  },
  offset: 0,
  length: 4,
  totalBytes: 8,
})

it('takes a lower number from a peer that was started anew, and not from the same life of it', () => {
  const replies: ChunkReply[] = []
  const told: string[] = []
  const snapshots = new SnapshotIn({
    log: { tell: ({ type }: LogRequest) => told.push(type) } as unknown as LogLink,
    links: {
      sendChunkReply: (_to: number, reply: ChunkReply) => replies.push(reply),
    } as unknown as ReplicaLinks,
    whole: () => false,
  })
  const bytes = new Uint8Array(4)
  snapshots.onChunk(chunk(1000), bytes, peerOf('first'))
  snapshots.onChunk(chunk(900), bytes, peerOf('first'))
  expect(replies).toEqual([{ transfer: 900, offset: 0, refused: true }])
  // Its wall clock was set back while it was down, and nobody had noticed that it was.
  snapshots.onChunk(chunk(900), bytes, peerOf('second'))
  expect(replies).toHaveLength(1)
  expect(told).toEqual(['receive', 'receive'])
})
