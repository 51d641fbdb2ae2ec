/** Bugs of ours, one each, that the simulation must notice. */
import type { Disk } from '../../lib/disk.js'
import { GatewayError } from '../../lib/errors.js'
import type { Faults } from '../../raft/faults.js'
import type { LogRequest, SpawnLog } from '../log/messages.js'
import type { Sequencer, SequencerSink } from '../sequencer.js'
import type { Plot } from './adversary.js'
import type { Plant } from './sim-node.js'

export interface NamedPlant {
  readonly name: string
  readonly plant: Plant
  /** A seed soon after which it shows. */
  readonly from: number
  /** That brings it out; default: what the seed draws. */
  readonly plot?: Plot
  /** What is said of it. */
  readonly shows: RegExp
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

/** Stands between the store and its order. */
function between(
  order: Sequencer,
  change: Partial<Sequencer>,
  sink: (sink: SequencerSink) => SequencerSink = (same) => same,
): Sequencer {
  const base: Sequencer = {
    start: (given) => order.start(sink(given)),
    propose: (ticket, payload, here) => order.propose(ticket, payload, here),
    readIndex: (ticket) => order.readIndex(ticket),
    keepAlive: (lease, done) => order.keepAlive(lease, done),
    saveSnapshot: (index, chunks) => order.saveSnapshot(index, chunks),
    abdicate: () => order.abdicate(),
    stop: () => order.stop(),
  }
  return { ...base, ...change }
}

/** The store is told once that it leads, and never that it does no longer. */
const leadsForEver = (order: Sequencer): Sequencer => {
  let isTold = false
  return between(order, {}, (sink) => ({
    ...sink,
    onLeading: (leading) => {
      if (leading && !isTold) sink.onLeading(true)
      isTold ||= leading
    },
  }))
}

/** A keep-alive is answered without asking whether somebody else leads. */
const keepsAliveAlone = (order: Sequencer): Sequencer => {
  let given: SequencerSink | null = null
  let isAlone = false
  return between(
    order,
    {
      readIndex: (ticket) => {
        if (isAlone) given?.onReadable(ticket, 0)
        else order.readIndex(ticket)
      },
    },
    (sink) => {
      given = {
        ...sink,
        onKeepAlive: (lease, done) => {
          isAlone = true
          sink.onKeepAlive(lease, done)
          isAlone = false
        },
      }
      return given
    },
  )
}

/** What a leader may have taken is offered again, as if it surely had not. */
const againAnyway: NonNullable<Plant['ask']> = (ask) => (to, service, body, timeoutMs, done) => {
  ask(to, service, body, timeoutMs, (answer) => {
    if (answer.ok || answer.error.detail['outcome'] !== 'unknown') {
      done(answer)
      return
    }
    const { code, message, detail } = answer.error
    const error = new GatewayError(code, message, { ...detail, outcome: 'none' })
    done({ ok: false, error })
  })
}

const fault = (
  name: string,
  faults: Faults,
  from: number,
  shows: RegExp,
  plot?: Plot,
): NamedPlant => ({
  name,
  plant: { faults },
  from,
  shows,
  ...(plot === undefined ? {} : { plot }),
})

const ANY = /./
const SAFETY = /leader completeness|state machine safety|log matching|lost/

export const PLANTS: readonly NamedPlant[] = [
  fault(
    'a vote alone is forgotten',
    { voteNotPersisted: true },
    1,
    /forgotten its vote/,
    'second-vote',
  ),
  {
    name: 'a vote alone is forgotten, and nobody asks for it',
    plant: { faults: { voteNotPersisted: true }, promisesCount: false },
    from: 3,
    plot: 'second-vote',
    shows: /election safety/,
  },
  fault('a node votes twice in a term', { voteTwice: true }, 1, /promise: \d+ votes for/),
  fault('a vote is given to a shorter log', { voteForStaleLog: true }, 2, SAFETY),
  fault(
    'an entry of an older term is committed',
    { commitOldTerm: true },
    1,
    /leader completeness/,
    'figure-eight',
  ),
  fault('a heartbeat commits what the follower does not share', { commitUnmatched: true }, 1, ANY),
  fault('less than a majority is enough', { quorumOffByOne: true }, 10, SAFETY),
  fault('a follower acknowledges before its disk does', { replyBeforeDurable: true }, 1, /promise/),
  fault('a leader counts itself before its disk does', { selfAckBeforeDurable: true }, 27, SAFETY),
  fault('entries that the leader does not have stay', { keepConflictingSuffix: true }, 2, SAFETY),
  fault(
    'an old snapshot replaces a newer log',
    { snapshotOverNewerLog: true },
    13,
    /takes back its commit/,
    'late-snapshot',
  ),
  fault('a leader answers reads without asking', { staleRead: true }, 10, /real time/, 'sleeper'),
  fault(
    'a new leader reads before it knows what is committed',
    { readBeforeOwnCommit: true },
    6,
    /real time/,
    'last-word',
  ),
  fault('what an old leader says is heard', { oldTermObeyed: true }, 2, ANY),
  fault('learners vote', { learnerVotes: true }, 4, ANY),
  fault(
    'two changes of the membership overlap',
    { confChangeOverlap: true },
    2,
    SAFETY,
    'two-changes',
  ),
  {
    name: 'nothing is ever synced',
    plant: { disk: (disk) => wrap(disk, { datasync: () => {} }) },
    from: 1,
    shows: /damaged|missing|promise/,
  },
  {
    name: 'names of files are never synced',
    plant: { disk: (disk) => wrap(disk, { syncDir: () => {} }) },
    from: 1,
    shows: /missing|promise/,
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
    from: 1,
    shows: /promise/,
  },
  {
    name: 'an installed snapshot lacks some of its entries',
    plant: { spawn: forgetful },
    from: 1,
    shows: /state machine safety/,
  },
  {
    name: 'the term and vote of a write are forgotten',
    plant: asking((request) =>
      request.type === 'write' ? { ...request, hardState: null } : request,
    ),
    from: 1,
    shows: ANY,
  },
  {
    name: 'the commit index is noted before it is so',
    plant: asking((request) =>
      request.type === 'note-commit' ? { ...request, index: request.index + 2 } : request,
    ),
    from: 11,
    shows: SAFETY,
  },
  { name: 'leases end twice as fast', plant: { timeRate: 2 }, from: 1, shows: /too early/ },
  {
    name: 'leases go on counting while somebody else leads',
    plant: { order: leadsForEver },
    from: 3,
    shows: /too early/,
  },
  {
    name: 'the end of a lease is passed on to the next leader',
    plant: {
      order: (order) =>
        between(order, { propose: (ticket, payload) => order.propose(ticket, payload, false) }),
    },
    from: 22,
    plot: 'sleeper',
    shows: /too early/,
  },
  {
    name: 'a lease is kept alive by who may lead no longer',
    plant: { order: keepsAliveAlone },
    from: 51,
    plot: 'sleeper',
    shows: /too early/,
  },
  {
    name: 'reads are answered from what the node has applied',
    plant: { readsAreLocal: true },
    from: 1,
    shows: /real time/,
  },
  {
    name: 'a request to the leader arrives twice',
    plant: { doublesForwards: true },
    from: 1,
    shows: /was written at revision/,
  },
  {
    name: 'what may have happened is asked for again',
    plant: { ask: againAnyway },
    from: 15,
    shows: ANY,
  },
]
