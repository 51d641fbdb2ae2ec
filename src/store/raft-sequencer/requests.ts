/** What a member asks of its leader, over `Rpc`. Part of the wire format: append only. */
import { decodeBody, encodeBody } from '../../peer/peer.js'
import type { MembershipChange, Roster } from '../cluster.js'

export type LeaderRequest =
  /** Commands to put into the log, with the mark of the asker; answered by {@link Verdict}s. */
  | {
      readonly ask: 'propose'
      readonly boot: number
      readonly items: readonly (readonly [ticket: number, command: Uint8Array])[]
    }
  | { readonly ask: 'keep-alive'; readonly lease: string }
  | { readonly ask: 'change'; readonly change: MembershipChange }
  | { readonly ask: 'transfer'; readonly to: number | null }

/** What became of a command: it is in the log, or it is not and will not be. */
export type Verdict = 'accepted' | 'full' | 'later'

export const encodeRequest = (request: LeaderRequest): Uint8Array => encodeBody(request)

/** Null: it is none. */
export function decodeRequest(body: Uint8Array): LeaderRequest | null {
  const value = fieldsOf(body)
  switch (value['ask']) {
    case 'propose':
      return isWhole(value['boot']) && isListOf(value['items'], isItem)
        ? { ask: 'propose', boot: value['boot'], items: value['items'] }
        : null
    case 'keep-alive':
      return isText(value['lease']) ? { ask: 'keep-alive', lease: value['lease'] } : null
    case 'change':
      return isChange(value['change']) ? { ask: 'change', change: value['change'] } : null
    case 'transfer':
      return value['to'] === null || isWhole(value['to'])
        ? { ask: 'transfer', to: value['to'] }
        : null
    default:
      return null
  }
}

export const encodeVerdicts = (verdicts: readonly Verdict[]): Uint8Array => encodeBody({ verdicts })

/** Null: they are none, or not so many. */
export function decodeVerdicts(body: Uint8Array, count: number): readonly Verdict[] | null {
  const { verdicts } = fieldsOf(body)
  return isListOf(verdicts, isVerdict) && verdicts.length === count ? verdicts : null
}

export const encodeTtl = (ttlMs: number): Uint8Array => encodeBody({ ttlMs })

export function decodeTtl(body: Uint8Array): number | null {
  const { ttlMs } = fieldsOf(body)
  return isWhole(ttlMs) ? ttlMs : null
}

export const encodeRoster = (roster: Roster): Uint8Array => encodeBody({ roster })

export function decodeRoster(body: Uint8Array): Roster | null {
  const { roster } = fieldsOf(body)
  return isRoster(roster) ? roster : null
}

export const encodeLeader = (leader: number): Uint8Array => encodeBody({ leader })

export function decodeLeader(body: Uint8Array): number | null {
  const { leader } = fieldsOf(body)
  return isWhole(leader) ? leader : null
}

function fieldsOf(body: Uint8Array): Record<string, unknown> {
  const decoded = decodeBody(body)
  return decoded.ok && isRecord(decoded.value) ? decoded.value : {}
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isWhole = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 255
const isListOf = <T>(value: unknown, is: (item: unknown) => item is T): value is T[] =>
  Array.isArray(value) && value.every(is)
const isVerdict = (value: unknown): value is Verdict =>
  value === 'accepted' || value === 'full' || value === 'later'
const isUrl = (value: unknown): value is string | null => value === null || isText(value)

function isItem(value: unknown): value is readonly [number, Uint8Array] {
  if (!Array.isArray(value)) return false
  const [ticket, command] = value as unknown[]
  if (!isWhole(ticket) || !(command instanceof Uint8Array)) return false
  // The bytes from 64 on mark what is no command.
  return command.byteLength > 0 && (command[0] as number) < 64
}

function isIdentity(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { name, incarnation, peerUrl } = value
  return isText(name) && name !== '' && isText(incarnation) && incarnation !== '' && isUrl(peerUrl)
}

function isChange(value: unknown): value is MembershipChange {
  if (!isRecord(value)) return false
  const { type, member, incarnation, peerUrl } = value
  if (type === 'add-learner') return isIdentity(member)
  if (type === 'move') return isText(incarnation) && isUrl(peerUrl)
  return (type === 'promote' || type === 'remove') && isText(incarnation)
}

function isRoster(value: unknown): value is Roster {
  if (!isRecord(value)) return false
  const { clusterId, members, removed, isChanging } = value
  if (!isText(clusterId) || typeof isChanging !== 'boolean') return false
  const isMember = (item: unknown): item is Record<string, unknown> =>
    isRecord(item) &&
    isIdentity(item) &&
    isWhole(item['nodeId']) &&
    isWhole(item['admittedAt']) &&
    (item['suffrage'] === 'voter' || item['suffrage'] === 'learner')
  const isRemoved = (item: unknown): item is Record<string, unknown> =>
    isRecord(item) &&
    isText(item['name']) &&
    isText(item['incarnation']) &&
    isWhole(item['nodeId']) &&
    isWhole(item['removedAt'])
  return isListOf(members, isMember) && isListOf(removed, isRemoved)
}
