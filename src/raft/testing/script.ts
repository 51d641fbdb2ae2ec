import { configOf, describeConfig } from '../config.js'
import {
  type AppendTask,
  type ConfChange,
  EMPTY_START,
  type Entry,
  type Message,
  NONE,
  type NodeId,
  Raft,
  type Ready,
  type SingleChange,
  type SnapshotMeta,
  type StartState,
  type TraceEvent,
} from '../raft.js'
import { SimDisk } from './sim-disk.js'

/** One step of a script: what is typed, and what must come out. */
export interface Block {
  readonly comments: readonly string[]
  readonly commands: readonly string[]
  readonly expected: readonly string[]
}

/**
 * A script is a sequence of blocks with an empty line between: `#` lines say why, then come
 * commands, a line `----`, and the output. {@link ScriptCluster} lists the commands.
 */
export function parseScript(text: string): Block[] {
  return text
    .split(/\n\n+/)
    .map((part) => part.split('\n').filter((line) => line !== ''))
    .filter((lines) => lines.length > 0)
    .map((lines) => {
      const rule = lines.indexOf('----')
      const above = rule < 0 ? lines : lines.slice(0, rule)
      return {
        comments: above.filter((line) => line.startsWith('#')),
        commands: above.filter((line) => !line.startsWith('#')),
        expected: rule < 0 ? [] : lines.slice(rule + 1),
      }
    })
}

export function formatScript(blocks: readonly Block[]): string {
  const texts = blocks.map(({ comments, commands, expected }) =>
    [...comments, ...commands, ...(commands.length > 0 ? ['----', ...expected] : [])].join('\n'),
  )
  return `${texts.join('\n\n')}\n`
}

interface ScriptNode {
  readonly id: NodeId
  readonly disk: SimDisk
  raft: Raft
  writes: AppendTask[]
  applies: (readonly Entry[])[]
}

const ELECTION_TICKS = 3
const NO_BYTES = new Uint8Array(0)

/**
 * Nodes that do only what a script says. Lists of nodes default to all of them.
 *
 * | command | does |
 * | --- | --- |
 * | `nodes 3 [voters=1,2] [learners=3] [index=10] [flags]` | adds so many nodes with that log end |
 * | flags | `pre-vote`, `check-quorum`, `forward`, `inflight=N`, `append-bytes=N`, `async` |
 * | `join 4` | adds a node with an empty disk |
 * | `campaign 1`, `tick 1 [n]`, `timeout 1 n` | an election; ticks; sets the election timeout |
 * | `propose 1 text`, `read 1 id` | |
 * | `change 1 [+2 ~3 -4] [joint-auto, joint-explicit]` | voter, learner, removal; nothing: leave |
 * | `transfer 1 2`, `resign 1`, `forget 1`, `unreachable 1 2`, `snapshot-ended 1 2 ok` | as named |
 * | `ready [1 2]` | treats what is ready there, once |
 * | `deliver [1 2 or 1->2] [only=type]`, `drop …` | messages to these nodes, or on that link |
 * | `settle [1 2]` | `ready` and `deliver` among these, until nothing is left |
 * | `write 1 [n]`, `apply 1 [n]` | async: the oldest of what is under way gets done |
 * | `compact 1 index`, `send-snapshot 1 2` | a snapshot of all applied, the log cut to `index` |
 * | `restart 1`, `lose 1 n` | begins anew with what its disk holds; its disk loses n entries |
 * | `roles`, `status 1`, `log 1`, `disk 1` | print |
 * | `quiet …` before a command | prints nothing |
 */
export class ScriptCluster {
  readonly #nodes = new Map<NodeId, ScriptNode>()
  #network: Message[] = []
  #out: string[] = []
  #options: Partial<ConstructorParameters<typeof Raft>[0]> = {}
  #async = false

  run(command: string): string[] {
    this.#out = []
    const quiet = command.startsWith('quiet ')
    const words = command
      .slice(quiet ? 6 : 0)
      .split(' ')
      .filter((word) => word !== '')
    this.#command(words[0] ?? '', words.slice(1))
    return quiet ? [] : this.#out
  }

  #print(line: string): void {
    this.#out.push(line)
  }

  #command(name: string, args: string[]): void {
    const first = Number(args[0])
    const second = Number(args[1])
    const raft = this.#nodes.get(first)?.raft
    switch (name) {
      case 'nodes':
        this.#addNodes(first, args.slice(1))
        break
      case 'join':
        this.#addNode(first, EMPTY_START)
        break
      case 'campaign':
        raft!.campaign()
        break
      case 'tick':
        for (let count = second || 1; count > 0; count--) raft!.tick()
        break
      case 'timeout':
        raft!.setElectionTimeoutForTest(second)
        break
      case 'propose':
        this.#proposed(raft!.propose(new TextEncoder().encode(args.slice(1).join(' '))))
        break
      case 'change':
        this.#proposed(raft!.proposeConfChange(parseChange(args.slice(1))))
        break
      case 'read':
        if (!raft!.readIndex(second)) this.#print('refused')
        break
      case 'transfer':
        if (!raft!.transferLeadership(second)) this.#print('refused')
        break
      case 'resign':
        raft!.resign()
        break
      case 'forget':
        raft!.forgetLeader()
        break
      case 'unreachable':
        raft!.reportUnreachable(second)
        break
      case 'snapshot-ended':
        raft!.reportSnapshot(second, args[2] === 'ok')
        break
      case 'ready':
        for (const node of this.#listed(args)) this.#ready(node)
        break
      case 'deliver':
      case 'drop':
        this.#deliver(args, name === 'drop')
        break
      case 'settle':
        this.#settle(this.#listed(args))
        break
      case 'write':
        for (let count = second || 1; count > 0; count--) this.#write(this.#nodes.get(first)!)
        break
      case 'apply':
        for (let count = second || 1; count > 0; count--) this.#apply(this.#nodes.get(first)!)
        break
      case 'compact':
        this.#compact(this.#nodes.get(first)!, second)
        break
      case 'send-snapshot': {
        const { term } = raft!.status()
        const snapshot = this.#snapshot(this.#nodes.get(first)!)
        this.#send({ type: 'snapshot', from: first, to: second, term, snapshot })
        break
      }
      case 'lose':
        this.#nodes.get(first)!.disk.lose(second)
        break
      case 'restart':
        this.#restart(this.#nodes.get(first)!)
        break
      case 'roles':
        for (const node of this.#nodes.values()) this.#print(describeRole(node.raft))
        break
      case 'status':
        for (const line of describeMembers(raft!)) this.#print(line)
        break
      case 'log': {
        const { firstIndex, lastIndex } = raft!.status()
        if (firstIndex > lastIndex) this.#print(`empty, ends at ${lastIndex}`)
        for (let index = firstIndex; index <= lastIndex; index++) {
          this.#print(describeEntry(raft!.entryForTest(index)!))
        }
        break
      }
      case 'disk':
        for (const entry of this.#nodes.get(first)!.disk.start().entries) {
          this.#print(describeEntry(entry))
        }
        break
      default:
        throw new Error(`no such command: ${name}`)
    }
  }

  #listed(args: readonly string[]): ScriptNode[] {
    const ids = args.map(Number)
    return [...this.#nodes.values()].filter(({ id }) => ids.length === 0 || ids.includes(id))
  }

  // ---------------------------------------------------------------- nodes

  #addNodes(count: number, args: readonly string[]): void {
    const value = (key: string) =>
      args.find((arg) => arg.startsWith(`${key}=`))?.slice(key.length + 1)
    const ids = (key: string) => value(key)?.split(',').map(Number)
    const begin = this.#nodes.size + 1
    const added = Array.from({ length: count }, (_, at) => begin + at)
    const index = Number(value('index') ?? 1)
    const config = configOf(ids('voters') ?? added, ids('learners') ?? [])
    this.#async = args.includes('async')
    this.#options = {
      preVote: args.includes('pre-vote'),
      checkQuorum: args.includes('check-quorum'),
      forwardProposals: args.includes('forward'),
      inflightCountMax: Number(value('inflight') ?? 256),
      appendBytesMax: Number(value('append-bytes') ?? 1_000_000),
    }
    for (const id of added) {
      this.#addNode(id, {
        ballot: { term: 1, vote: NONE },
        commit: index,
        snapshot: { index, term: 1, config },
        entries: [],
      })
    }
  }

  #addNode(id: NodeId, start: StartState): void {
    const disk = new SimDisk(start, NO_BYTES)
    this.#nodes.set(id, { id, disk, raft: this.#raft(id, start), writes: [], applies: [] })
  }

  #raft(id: NodeId, start: StartState): Raft {
    return new Raft({
      ...this.#options,
      id,
      start,
      random: () => 0,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 1,
      trace: (event) => this.#print(`  ${id} ${describeEvent(event)}`),
    })
  }

  #restart(node: ScriptNode): void {
    node.writes = []
    node.applies = []
    node.raft = this.#raft(node.id, node.disk.start())
  }

  #snapshot(node: ScriptNode): SnapshotMeta {
    const meta = node.raft.snapshotMeta()
    if (meta === null) throw new Error('no snapshot can be taken now')
    node.disk.storeSnapshot({ meta, bytes: NO_BYTES })
    node.raft.snapshotTaken(meta)
    return meta
  }

  #compact(node: ScriptNode, index: number): void {
    this.#snapshot(node)
    node.raft.compact(index)
  }

  #proposed(result: ReturnType<Raft['propose']>): void {
    if (!result.ok) {
      const { reason, detail } = result
      this.#print(detail === '' ? `refused: ${reason}` : `refused: ${reason}, ${detail}`)
    }
  }

  // ---------------------------------------------------------------- ready and messages

  #ready(node: ScriptNode): boolean {
    const ready = node.raft.ready()
    if (ready === null) return false
    this.#print(`${node.id}:`)
    this.#printReady(ready)
    for (const message of ready.messages) this.#send(message)
    for (const { message } of ready.transfers) this.#send(message)
    if (ready.append !== null) node.writes.push(ready.append)
    if (ready.committed.length > 0) node.applies.push(ready.committed)
    if (!this.#async) {
      while (node.writes.length > 0) this.#write(node)
      while (node.applies.length > 0) this.#apply(node)
    }
    return true
  }

  #printReady({ soft, messages, append, transfers, committed, reads }: Ready): void {
    if (soft !== null) {
      const leader = soft.leader === NONE ? 'nobody' : soft.leader
      this.#print(`  is ${soft.role}, term ${soft.term}, led by ${leader}`)
    }
    for (const message of messages) this.#print(`  ${describeMessage(message)}`)
    for (const { message } of transfers) this.#print(`  ${describeMessage(message)}`)
    if (append !== null) {
      this.#print(`  writes ${describeTask(append)}`)
      for (const message of append.messages) this.#print(`    then ${describeMessage(message)}`)
    }
    if (committed.length > 0) this.#print(`  applies ${committed.map(describeEntry).join(', ')}`)
    for (const { id, index } of reads) {
      this.#print(index === null ? `  read ${id}: ask again` : `  read ${id} at ${index}`)
    }
  }

  #write(node: ScriptNode): void {
    const task = node.writes.shift()
    if (task === undefined) return
    if (this.#async) this.#print(`${node.id} wrote ${describeTask(task)}`)
    node.disk.write(task, NO_BYTES)
    for (const message of task.messages) this.#send(message)
    node.raft.appended(task.seq)
  }

  #apply(node: ScriptNode): void {
    const entries = node.applies.shift()
    if (entries === undefined) return
    if (this.#async) this.#print(`${node.id} applied ${entries.map(describeEntry).join(', ')}`)
    node.raft.applied(entries.at(-1)!.index)
  }

  #send(message: Message): void {
    this.#network.push(message)
  }

  /** True when there was anything. */
  #deliver(args: readonly string[], drop: boolean): boolean {
    const only = args.find((arg) => arg.startsWith('only='))?.slice(5)
    const where = args.filter((arg) => !arg.startsWith('only='))
    const wanted = (message: Message) =>
      (only === undefined || message.type === only) &&
      (where.length === 0 ||
        where.some((arg) =>
          arg.includes('->')
            ? arg === `${message.from}->${message.to}`
            : Number(arg) === message.to,
        ))
    const taken = this.#network.filter(wanted)
    this.#network = this.#network.filter((message) => !wanted(message))
    // One receiver after the other reads better than the order of sending.
    taken.sort((a, b) => a.to - b.to)
    for (const message of taken) {
      this.#print(`${drop ? 'lost' : 'got'} ${describeMessage(message)}`)
      if (!drop) this.#nodes.get(message.to)?.raft.step(message)
    }
    return taken.length > 0
  }

  #settle(nodes: readonly ScriptNode[]): void {
    const ids = nodes.map(({ id }) => String(id))
    for (let round = 0; round < 100; round++) {
      let busy = false
      for (const node of nodes) {
        while (this.#ready(node)) busy = true
        if (!this.#async) continue
        busy ||= node.writes.length + node.applies.length > 0
        while (node.writes.length > 0) this.#write(node)
        while (node.applies.length > 0) this.#apply(node)
      }
      if (this.#deliver(ids, false)) busy = true
      if (!busy) return
    }
    throw new Error('it does not settle')
  }
}

function parseChange(args: readonly string[]): ConfChange {
  const ops: Record<string, SingleChange['op']> = {
    '+': 'add-voter',
    '~': 'add-learner',
    '-': 'remove',
  }
  const changes: SingleChange[] = []
  let transition: ConfChange['transition'] = 'auto'
  for (const arg of args) {
    const op = ops[arg.charAt(0)]
    if (op !== undefined) changes.push({ op, id: Number(arg.slice(1)) })
    else if (arg === 'joint-auto' || arg === 'joint-explicit') transition = arg
    else throw new Error(`no change: ${arg}`)
  }
  return { changes, transition }
}

function describeEntry(entry: Entry): string {
  const at = `${entry.index}@${entry.term}`
  if (entry.change === null) return `${at} "${new TextDecoder().decode(entry.data)}"`
  const { changes, transition } = entry.change
  if (changes.length === 0) return `${at} {leave}`
  const signs = { 'add-voter': '+', 'add-learner': '~', remove: '-' }
  const words = changes.map(({ op, id }) => `${signs[op]}${id}`)
  return `${at} {${words.join(' ')}${transition === 'auto' ? '' : ` ${transition}`}}`
}

function describeTask({ ballot, snapshot, entries, commit, sync }: AppendTask): string {
  const parts: string[] = []
  if (ballot !== null) parts.push(`term ${ballot.term} vote ${ballot.vote}`)
  if (snapshot !== null) parts.push(`snapshot ${snapshot.index}@${snapshot.term}`)
  parts.push(...entries.map(describeEntry))
  if (commit !== null) parts.push(`commit ${commit}`)
  if (parts.length === 0) parts.push('nothing')
  return `${parts.join(', ')}${sync ? '' : ' (no sync)'}`
}

function describeMessage(message: Message): string {
  const head = `${message.from}->${message.to} ${message.type}`
  const lead = `${head} t${message.term}`
  switch (message.type) {
    case 'vote':
    case 'pre-vote':
      return `${lead} last ${message.lastIndex}@${message.lastTerm}${message.transfer ? ' by transfer' : ''}`
    case 'vote-reply':
    case 'pre-vote-reply':
      return `${lead} ${message.granted ? 'yes' : 'no'}`
    case 'append': {
      const text = `${lead} after ${message.prevIndex}@${message.prevTerm} commit ${message.commit}`
      return message.entries.length === 0
        ? text
        : `${text}: ${message.entries.map(describeEntry).join(', ')}`
    }
    case 'append-reply':
      return message.accepted
        ? `${lead} has ${message.index}`
        : `${lead} refuses ${message.index}, try ${message.hintIndex}@${message.hintTerm}`
    case 'heartbeat': {
      const round = message.round > 0 ? ` round ${message.round}` : ''
      return `${lead} commit ${message.commit}${round}`
    }
    case 'heartbeat-reply':
      return `${lead}${message.round > 0 ? ` round ${message.round}` : ''}`
    case 'snapshot':
      return `${lead} at ${message.snapshot.index}@${message.snapshot.term} ${describeConfig(message.snapshot.config)}`
    case 'timeout-now':
      return lead
    case 'read-index':
      return `${head} #${message.seq}`
    case 'read-index-reply':
      return `${head} #${message.seq} at ${message.index}`
    case 'propose':
      return head
    case 'transfer':
      return `${head} to ${message.target}`
  }
}

function describeEvent(event: TraceEvent): string {
  switch (event.type) {
    case 'role':
      return `becomes ${event.role} in term ${event.term}`
    case 'config':
      return `switches to ${describeConfig(event.config)}`
    case 'vote-ignored':
      return `does not hear the ${event.pre ? 'pre-vote' : 'vote'} of ${event.from}, its leader lives`
    case 'vote-decided':
      return `${event.granted ? 'grants' : 'denies'} ${event.from} a ${event.pre ? 'pre-vote' : 'vote'}`
    case 'campaign-refused':
      return `cannot campaign: ${event.reason}`
    case 'quorum-lost':
      return 'hears of no majority any more'
    case 'snapshot-restored':
      return `takes the snapshot ${event.at.index}@${event.at.term}`
    case 'snapshot-ignored':
      return `needs no snapshot ${event.at.index}@${event.at.term}`
    case 'log-lost':
      return `lost its log from ${event.last} to ${event.acknowledged}, votes no more`
  }
}

function describeRole(raft: Raft): string {
  const { id, role, term, leader, config } = raft.status()
  const part = config.voters.includes(id) || config.outgoing.includes(id)
  const kind = part ? 'voter' : config.learners.includes(id) ? 'learner' : 'outsider'
  return `${id} ${role} (${kind}) term ${term}, led by ${leader === NONE ? 'nobody' : leader}`
}

function describeMembers(raft: Raft): string[] {
  return raft.status().members.map((member) => {
    const { id, state, match, next, paused, active, inflightCount, pendingSnapshot } = member
    let text = `${id} ${state} match ${match} next ${next}`
    if (inflightCount > 0) text += ` inflight ${inflightCount}`
    if (paused) text += ' paused'
    if (pendingSnapshot > 0) text += ` snapshot ${pendingSnapshot}`
    return active ? text : `${text} silent`
  })
}
