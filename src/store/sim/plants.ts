/** Bugs of ours, one each, that the simulation must notice. */
import type { Disk } from '../../lib/disk.js'
import type { Faults } from '../../raft/faults.js'
import type { LogRequest, SpawnLog } from '../log/messages.js'
import type { Plant } from './sim-node.js'

/** `from`: a seed soon after which it shows. */
export interface NamedPlant {
  readonly name: string
  readonly plant: Plant
  readonly from: number
}

function wrap(disk: Disk, change: Partial<Disk>): Disk {
  const base: Disk = {
    root: disk.root,
    list: () => disk.list(),
    open: (name, mode) => disk.open(name, mode),
    size: (file) => disk.size(file),
    read: (file, offset, length) => disk.read(file, offset, length),
    write: (file, offset, bytes) => disk.write(file, offset, bytes),
    datasync: (file) => disk.datasync(file),
    close: (file) => disk.close(file),
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncDir: () => disk.syncDir(),
    free: () => disk.free(),
  }
  return { ...base, ...change }
}

/** Changes what the store asks of its log; null: it is not asked at all. */
function asking(change: (request: LogRequest) => LogRequest | null): Plant {
  return {
    spawn: (spawn) => (receive, exited) => {
      const link = spawn(receive, exited)
      return {
        tell: (request) => {
          const changed = change(request)
          if (changed !== null) link.tell(changed)
        },
      }
    },
  }
}

/** The state of a snapshot that comes from elsewhere lacks its last part. */
const forgetful: (spawn: SpawnLog) => SpawnLog = (spawn) => (receive, exited) => {
  let isInstalling = false
  let held: Parameters<typeof receive>[0] | null = null
  const link = spawn((reply) => {
    if (isInstalling && reply.type === 'restore-chunk') {
      if (held !== null) receive(held)
      held = reply
      return
    }
    if (reply.type === 'durable' && held !== null) held = null
    if (reply.type === 'durable') isInstalling = false
    receive(reply)
  }, exited)
  return {
    tell: (request) => {
      if (request.type === 'write' && request.install !== null) isInstalling = true
      link.tell(request)
    },
  }
}

const faults = (name: string, fault: Faults, from: number): NamedPlant => ({
  name,
  plant: { faults: fault },
  from,
})

export const PLANTS: readonly NamedPlant[] = [
  faults('a node votes twice in a term', { voteTwice: true }, 32),
  faults('a vote is given to a shorter log', { voteForStaleLog: true }, 3),
  faults('a heartbeat commits what the follower does not share', { commitUnmatched: true }, 8),
  faults('less than a majority is enough', { quorumOffByOne: true }, 28),
  faults('a follower acknowledges before its disk does', { replyBeforeDurable: true }, 5),
  faults('a leader counts itself before its disk does', { selfAckBeforeDurable: true }, 7),
  faults('entries that the leader does not have stay', { keepConflictingSuffix: true }, 2),
  faults('a leader answers reads without asking', { staleRead: true }, 9),
  faults('learners vote', { learnerVotes: true }, 7),
  {
    name: 'nothing is ever synced',
    plant: { disk: (disk) => wrap(disk, { datasync: () => {} }) },
    from: 1,
  },
  {
    name: 'a write is called durable before it is synced',
    plant: {
      spawn: (spawn, time) => (receive, exited) => {
        const link = spawn((reply) => {
          if (reply.type !== 'durable' || reply.seq === 0) receive(reply)
        }, exited)
        return {
          tell: (request) => {
            link.tell(request)
            if (request.type !== 'write' || request.install !== null) return
            const { seq } = request
            time.after(0, () => receive({ type: 'durable', seq }))
          },
        }
      },
    },
    from: 2,
  },
  {
    name: 'an installed snapshot lacks some of its entries',
    plant: { spawn: forgetful },
    from: 9,
  },
  {
    name: 'the term and vote of a write are forgotten',
    plant: asking((request) =>
      request.type === 'write' ? { ...request, hardState: null } : request,
    ),
    from: 1,
  },
  {
    name: 'the commit index is noted before it is so',
    plant: asking((request) =>
      request.type === 'note-commit' ? { ...request, index: request.index + 2 } : request,
    ),
    from: 2,
  },
  {
    name: 'leases end twice as fast',
    plant: { timeRate: 2 },
    from: 12,
  },
  {
    name: 'reads are answered from what the node has applied',
    plant: { readsAreLocal: true },
    from: 5,
  },
  {
    name: 'a request to the leader arrives twice',
    plant: { doublesForwards: true },
    from: 3,
  },
]
