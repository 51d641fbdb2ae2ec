import type { Entry } from '../../raft/raft.js'
import { contentOf, type Origin } from '../entries.js'
import type { RosterChange } from '../roster.js'
import type { CommittedEntry } from '../sequencer.js'

export interface Committed {
  /** For the machine; all of them, up to the first that is not known. */
  readonly entries: readonly CommittedEntry[]
  readonly rosterChanges: readonly (readonly [index: number, change: RosterChange])[]
  /** Why it goes no further, or null. */
  readonly problem: string | null
}

/** Reads what the core says is committed. `ticketOf` tells who waits here for an entry. */
export function readCommitted(
  entries: readonly Entry[],
  ticketOf: (index: number, term: number, origin: Origin | null) => number | null,
): Committed {
  const known: CommittedEntry[] = []
  const rosterChanges: [index: number, change: RosterChange][] = []
  for (const entry of entries) {
    const content = contentOf(entry)
    const { index, term } = entry
    if (content.type === 'alien') {
      const problem = `the log holds an entry of type ${content.entryType} at index ${index}, which this version does not know; start a newer one`
      return { entries: known, rosterChanges, problem }
    }
    if (content.type === 'roster') rosterChanges.push([index, content.change])
    const isCommand = content.type === 'command'
    const ticket = ticketOf(index, term, isCommand ? content.origin : null)
    known.push({ index, payload: isCommand ? content.command : null, ticket })
  }
  return { entries: known, rosterChanges, problem: null }
}
