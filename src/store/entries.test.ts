import { expect, it } from 'vitest'
import { type ConfChange, type Entry, foundingStart, LEAVE_JOINT } from '../raft/raft.js'
import {
  contentOf,
  encodeForwarded,
  encodeRosterEntry,
  fromLogEntry,
  MARK,
  toLogEntry,
} from './entries.js'
import { ENTRY } from './log/format.js'
import { nodeIdOf } from './node-id.js'
import {
  changeRoster,
  decodeHead,
  encodeHead,
  encodeRosterChange,
  foundingConfig,
  foundingOf,
  foundingRoster,
  type RosterChange,
} from './roster.js'

const identity = (name: string) => ({
  name,
  incarnation: `inc-${name}`,
  peerUrl: `http://${name}:1`,
})
const plain = (entry: Entry) => ({ ...entry, data: [...entry.data] })

const change: ConfChange = { changes: [{ op: 'add-learner', id: 7 }], transition: 'auto' }
const added: RosterChange = { do: 'add-learner', member: { ...identity('ä'), peerUrl: null } }
const origin = { nodeId: 2 ** 52 - 1, boot: 2 ** 32 - 1, ticket: 12_345 }

it.each<[name: string, entry: Omit<Entry, 'index' | 'term'>, type: number]>([
  ['the first of a term', { data: new Uint8Array(0), change: null }, ENTRY.noop],
  ['a command', { data: Uint8Array.of(1, 2, 3), change: null }, ENTRY.command],
  [
    'a forwarded one',
    { data: encodeForwarded(origin, Uint8Array.of(1, 2)), change: null },
    ENTRY.forwarded,
  ],
  ['a change of the members', { data: encodeRosterChange(added), change }, ENTRY.membership],
  ['a step of one', { data: new Uint8Array(0), change: LEAVE_JOINT }, ENTRY.membership],
  [
    'a change of an address',
    { data: encodeRosterEntry({ do: 'move', nodeId: 7, peerUrl: null }), change: null },
    ENTRY.membership,
  ],
])('an entry is in the log what it was before: %s', (_name, content, type) => {
  const entry: Entry = { index: 2 ** 40, term: 9, ...content }
  const logged = toLogEntry(entry)
  expect(logged).toMatchObject({ index: 2 ** 40, term: 9, type })
  expect(plain(fromLogEntry(logged))).toEqual(plain(entry))
})

it('an entry of a type that is not known is kept as it is, and said to be one', () => {
  const logged = { index: 5, term: 2, type: 99, payload: Uint8Array.of(8, 7, 6) }
  const entry = fromLogEntry(logged)
  expect(contentOf(entry)).toEqual({ type: 'alien', entryType: 99 })
  expect(toLogEntry(entry)).toEqual({ ...logged, payload: Buffer.of(8, 7, 6) })
})

it('what an entry holds', () => {
  const base = { index: 1, term: 1 }
  const of = (data: Uint8Array, by: ConfChange | null = null) =>
    contentOf({ ...base, data, change: by })
  expect(of(new Uint8Array(0))).toEqual({ type: 'nothing' })
  expect(of(new Uint8Array(0), LEAVE_JOINT)).toEqual({ type: 'nothing' })
  expect(of(Uint8Array.of(1, 9))).toMatchObject({ type: 'command', origin: null })
  const forwarded = of(encodeForwarded(origin, Uint8Array.of(1, 9)))
  expect(forwarded).toEqual({ type: 'command', command: Buffer.of(1, 9), origin })
  expect(of(encodeRosterChange(added), change)).toEqual({ type: 'roster', change: added })
  expect(of(Uint8Array.of(MARK.alien, 3))).toEqual({ type: 'alien', entryType: 3 })
})

it('first members agree on everything, in whatever order they know each other', () => {
  const members = ['c', 'a', 'b'].map(identity)
  const one = foundingOf(members)
  const other = foundingOf([...members].reverse())
  expect(other.clusterId).toBe(one.clusterId)
  expect(foundingRoster(other)).toEqual(foundingRoster(one))
  expect(foundingConfig(other)).toEqual(foundingConfig(one))
  expect(foundingOf(members.slice(1)).clusterId).not.toBe(one.clusterId)
  expect(foundingRoster(one).members.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
})

it('a roster follows the entries that change it', () => {
  let roster = foundingRoster(foundingOf([identity('a'), identity('c')]))
  roster = changeRoster(roster, 5, { do: 'add-learner', member: identity('b') })
  const nodeId = nodeIdOf('inc-b')
  expect(roster.members[1]).toEqual({
    ...identity('b'),
    nodeId,
    suffrage: 'learner',
    admittedAt: 5,
  })
  roster = changeRoster(roster, 6, { do: 'promote', nodeId })
  roster = changeRoster(roster, 7, { do: 'move', nodeId, peerUrl: null })
  expect(roster.members[1]).toMatchObject({ suffrage: 'voter', peerUrl: null, admittedAt: 5 })
  roster = changeRoster(roster, 8, { do: 'remove', nodeId })
  expect(roster.members.map(({ name }) => name)).toEqual(['a', 'c'])
  expect(roster.removed).toEqual([{ name: 'b', incarnation: 'inc-b', nodeId, removedAt: 8 }])
  // Nobody is removed twice.
  expect(changeRoster(roster, 9, { do: 'remove', nodeId }).removed).toHaveLength(1)
})

it('the head of a snapshot gives back configuration and roster', () => {
  const founding = foundingOf([identity('a'), identity('b')])
  const { config } = foundingStart([1, 2]).snapshot
  const roster = foundingRoster(founding)
  expect(decodeHead(encodeHead(config, roster))).toEqual({ config, roster })
})

it('a head of a newer format is not read', () => {
  const head = Buffer.from(JSON.stringify({ format: 2 }))
  expect(() => decodeHead(head)).toThrow('start a newer version')
})

it('numbers of members are different, and the same every time', () => {
  const ids = Array.from({ length: 2000 }, (_, at) => nodeIdOf(`inc-${at}`))
  expect(new Set(ids).size).toBe(2000)
  for (const id of ids) expect(Number.isSafeInteger(id) && id > 0).toBe(true)
  expect(nodeIdOf('inc-a')).toBe(1196199505216163)
})
