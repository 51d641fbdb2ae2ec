import type { Config } from './config.js'
import type { Message } from './message.js'

/**
 * Looks at what a transport decoded before it is stepped: a sentence saying what is wrong with it,
 * or null when it has the form of a {@link Message} (it is then safe to assert that type). The form
 * only: whether it makes sense at this point is for the core to find out. Bounds on sizes are the
 * transport's, which knows them before it decodes.
 */
export function messageProblem(value: unknown): string | null {
  if (!isRecord(value)) return 'expected an object'
  const { type } = value
  if (typeof type !== 'string' || !Object.hasOwn(FORMS, type)) return 'type: expected a known one'
  const form = FORMS[type as Message['type']]
  return check(value, ENVELOPE) ?? check(value, form) ?? chained(value)
}

/** Says what is wrong with one field, or null. */
type Test = (value: unknown) => string | null
type Form = Readonly<Record<string, Test>>

const whole: Test = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? null : 'expected a whole number from 0 on'
const id: Test = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 1 ? null : 'expected a node number'
const flag: Test = (value) => (typeof value === 'boolean' ? null : 'expected a boolean')
const bytes: Test = (value) => (value instanceof Uint8Array ? null : 'expected bytes')

const oneOf =
  (...words: readonly string[]): Test =>
  (value) =>
    words.includes(value as string) ? null : `expected one of ${words.join(', ')}`

const listOf =
  (test: Test): Test =>
  (value) => {
    if (!Array.isArray(value)) return 'expected a list'
    for (const item of value) {
      const problem = test(item)
      if (problem !== null) return problem
    }
    return null
  }

const object =
  (form: Form): Test =>
  (value) =>
    isRecord(value) ? check(value, form) : 'expected an object'

const position = object({ index: whole, term: whole })

const ids: Test = (value) => {
  const problem = listOf(id)(value)
  if (problem !== null) return problem
  const list = value as readonly number[]
  const rising = list.every((item, at) => at === 0 || item > list[at - 1]!)
  return rising ? null : 'expected rising numbers'
}

const change: Test = (value) =>
  value === null
    ? null
    : object({
        changes: listOf(object({ op: oneOf('add-voter', 'add-learner', 'remove'), id })),
        transition: oneOf('auto', 'joint-auto', 'joint-explicit'),
      })(value)

const configForm: Readonly<Record<keyof Config, Test>> = {
  voters: ids,
  outgoing: ids,
  learners: ids,
  learnersNext: ids,
  autoLeave: flag,
}

const ENVELOPE: Form = { from: id, to: id, term: whole }
const vote: Form = { lastIndex: whole, lastTerm: whole, transfer: flag, commit: position }
const voteReply: Form = { granted: flag, commit: position }
const entries = listOf(object({ index: whole, term: whole, data: bytes, change }))

const FORMS: Readonly<Record<Message['type'], Form>> = {
  vote,
  'pre-vote': vote,
  'vote-reply': voteReply,
  'pre-vote-reply': voteReply,
  append: { prevIndex: whole, prevTerm: whole, entries, commit: whole },
  'append-reply': {
    accepted: flag,
    index: whole,
    hintIndex: whole,
    hintTerm: whole,
    commit: whole,
  },
  heartbeat: { commit: whole, round: whole },
  'heartbeat-reply': { round: whole },
  snapshot: { snapshot: object({ index: id, term: id, config: object(configForm) }) },
  'timeout-now': {},
  'read-index': { boot: whole, seq: whole },
  'read-index-reply': { boot: whole, seq: whole, index: whole },
  propose: { data: bytes, change },
  transfer: { target: id },
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function check(value: Record<string, unknown>, form: Form): string | null {
  for (const key in form) {
    const problem = form[key]!(value[key])
    if (problem !== null) return `${key}: ${problem}`
  }
  return null
}

/** Entries must follow what they claim to follow, with terms that never fall nor lie ahead. */
function chained(value: Record<string, unknown>): string | null {
  if (value['type'] !== 'append') return null
  const message = value as unknown as Extract<Message, { type: 'append' }>
  let { prevIndex: index, prevTerm: term } = message
  for (const entry of message.entries) {
    index += 1
    if (entry.index !== index) return `entries: expected index ${index}, got ${entry.index}`
    if (entry.term < term || entry.term > message.term) {
      return `entries: expected a term in ${term}..${message.term}, got ${entry.term}`
    }
    term = entry.term
  }
  return null
}
