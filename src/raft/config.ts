import type { NodeId } from './message.js'

/**
 * Who takes part. All lists are sorted and free of repeats. Outside of a joint configuration
 * `outgoing` and `learnersNext` are empty.
 */
export interface Config {
  /** Voters; in a joint configuration those of the configuration that is being entered. */
  readonly voters: readonly NodeId[]
  /** Voters of the configuration that is being left (dissertation §4.3). */
  readonly outgoing: readonly NodeId[]
  /** Receive the log without a vote (dissertation §4.2.1). */
  readonly learners: readonly NodeId[]
  /** Still voters in `outgoing`; become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[]
  /** The leader leaves the joint configuration by itself, as soon as it is applied. */
  readonly autoLeave: boolean
}

export interface SingleChange {
  readonly op: 'add-voter' | 'add-learner' | 'remove'
  readonly id: NodeId
}

/**
 * A change of configuration. Without `changes` it leaves a joint configuration. `auto` takes one
 * step when at most one change is asked for (§4.2) and goes through a joint configuration
 * otherwise, leaving it by itself; `joint-auto` always goes through one; `joint-explicit` stays in
 * it until a change without `changes` is proposed.
 */
export interface ConfChange {
  readonly changes: readonly SingleChange[]
  readonly transition: 'auto' | 'joint-auto' | 'joint-explicit'
}

export const EMPTY_CONFIG: Config = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
}

/** The change that leaves a joint configuration. */
export const LEAVE_JOINT: ConfChange = { changes: [], transition: 'auto' }

/** A configuration of these voters and learners and nothing pending. */
export function configOf(voters: readonly NodeId[], learners: readonly NodeId[] = []): Config {
  return { ...EMPTY_CONFIG, voters: sorted(voters), learners: sorted(learners) }
}

export function isJoint(config: Config): boolean {
  return config.outgoing.length > 0
}

/** Everyone the log is sent to, sorted. `learnersNext` are among `outgoing`. */
export function members(config: Config): readonly NodeId[] {
  return sorted([...config.voters, ...config.outgoing, ...config.learners])
}

export function isVoter(config: Config, id: NodeId): boolean {
  return config.voters.includes(id) || config.outgoing.includes(id)
}

/**
 * The configuration after `change`, or a sentence saying why the change is not possible. Pure, so
 * a leader judges a proposal by the very function every node applies it with: what was accepted
 * cannot fail later.
 */
export function changeConfig(config: Config, change: ConfChange): Config | string {
  for (const { id } of change.changes) {
    if (!Number.isSafeInteger(id) || id < 1) return `${id} is not a node number`
  }
  if (change.changes.length === 0) return leaveJoint(config)
  if (isJoint(config)) return 'the joint configuration must be left first'
  const joint = change.transition !== 'auto' || change.changes.length > 1
  if (!joint) {
    const next = edit(config, change.changes)
    if (typeof next === 'string') return next
    return difference(config.voters, next.voters) > 1 ? 'more than one voter would change' : next
  }
  if (config.voters.length === 0) return 'a configuration without voters cannot be changed jointly'
  return edit(
    { ...config, outgoing: config.voters, autoLeave: change.transition !== 'joint-explicit' },
    change.changes,
  )
}

function leaveJoint(config: Config): Config | string {
  if (!isJoint(config)) return 'there is no joint configuration to leave'
  return configOf(config.voters, [...config.learners, ...config.learnersNext])
}

function edit(config: Config, changes: readonly SingleChange[]): Config | string {
  const voters = new Set(config.voters)
  const learners = new Set(config.learners)
  const learnersNext = new Set(config.learnersNext)
  for (const { op, id } of changes) {
    voters.delete(id)
    learners.delete(id)
    learnersNext.delete(id)
    if (op === 'add-voter') voters.add(id)
    // Nobody is voter and learner at once: who still votes in the outgoing half has to wait.
    else if (op === 'add-learner' && config.outgoing.includes(id)) learnersNext.add(id)
    else if (op === 'add-learner') learners.add(id)
  }
  if (voters.size === 0) return 'no voter would be left'
  return {
    voters: sorted(voters),
    outgoing: config.outgoing,
    learners: sorted(learners),
    learnersNext: sorted(learnersNext),
    autoLeave: config.autoLeave,
  }
}

function difference(a: readonly NodeId[], b: readonly NodeId[]): number {
  return a.filter((id) => !b.includes(id)).length + b.filter((id) => !a.includes(id)).length
}

function sorted(ids: Iterable<NodeId>): NodeId[] {
  return [...new Set(ids)].sort((a, b) => a - b)
}

/** As in `(1 2 3)&(1 2) learners=(4) auto-leave`; for logs and scripts. */
export function describeConfig(config: Config): string {
  let text = `(${config.voters.join(' ')})`
  if (isJoint(config)) text += `&(${config.outgoing.join(' ')})`
  if (config.learners.length > 0) text += ` learners=(${config.learners.join(' ')})`
  if (config.learnersNext.length > 0) text += ` learners-next=(${config.learnersNext.join(' ')})`
  if (config.autoLeave) text += ' auto-leave'
  return text
}
