import { createHash } from 'node:crypto'
import { NONE, type NodeId } from '../raft/raft.js'

/**
 * The number in Raft of a data directory: 52 bits that follow from its incarnation, so that nobody
 * has to hand out numbers, and none is used twice.
 */
export function nodeIdOf(incarnation: string): NodeId {
  const digest = createHash('sha256').update(`node ${incarnation}`).digest()
  const id = (digest.readUInt32LE(0) & 0xf_ffff) * 0x1_0000_0000 + digest.readUInt32LE(4)
  return id === NONE ? 1 : id
}
