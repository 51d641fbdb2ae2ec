import type { BoardReading } from '../board.js'

/** A promise of the board was broken. */
export class BoardViolation extends Error {
  override readonly name = 'BoardViolation'
}

interface Change {
  readonly atMs: number
  readonly key: string
  /** Null: withdrawn. */
  readonly value: string | null
  readonly ttlMs: number
}

/** What one life of a member says, change by change. */
export class Voice {
  readonly name: string
  readonly incarnation: string
  readonly life: number
  readonly changes: Change[] = []
  /** When its process ended. */
  endedMs = Number.POSITIVE_INFINITY
  readonly #now = new Map<string, Change>()

  constructor(name: string, incarnation: string, life: number) {
    this.name = name
    this.incarnation = incarnation
    this.life = life
  }

  /** What the next change would say: nobody else ever says the same. */
  nextValue(padding: string): string {
    return `${this.incarnation} ${this.life} ${this.changes.length} ${padding}`
  }

  says(atMs: number, key: string, value: string | null, ttlMs: number): void {
    const change: Change = { atMs, key, value, ttlMs }
    this.changes.push(change)
    if (value === null) this.#now.delete(key)
    else this.#now.set(key, change)
  }

  /** `key=value` of all that it says now, by key. */
  linesNow(prefix: string): string[] {
    const lines = [...this.#now.values()].map(({ key, value }) => `${key}=${value}`)
    return lines.filter((line) => line.startsWith(prefix)).sort()
  }

  ttlOf(key: string): number {
    return this.#now.get(key)?.ttlMs ?? 0
  }

  /** The number of the change after `at` that is about the same key. */
  until(at: number): number {
    const { key } = this.changes[at] as Change
    const next = this.changes.findIndex((change, place) => place > at && change.key === key)
    return next < 0 ? this.changes.length : next
  }
}

/** When and where a reading was asked for, and what may be asked of it. */
export interface Asked {
  readonly reader: Voice
  readonly prefix: string
  readonly startMs: number
  readonly endMs: number
  /** What the network, its delays and the beat may add to the age that a reading names. */
  readonly slackMs: number
  /** Everything that a member says goes in one message. */
  readonly isWhole: boolean
  /** A node was stopped, and went on, after that time: it heard then what was said before. */
  wasStoppedAfter(ms: number): boolean
}

/** All that is said anywhere, held against what is read. */
export class Voices {
  readonly #all = new Map<string, Voice>()

  begin(name: string, incarnation: string, life: number): Voice {
    const voice = new Voice(name, incarnation, life)
    this.#all.set(`${incarnation} ${life}`, voice)
    return voice
  }

  /** Of any reading, however bad the times are. Throws what cannot be. */
  judge(reading: BoardReading, asked: Asked): void {
    const byMember = new Map<string, { voice: Voice; ageMs: number; places: number[] }>()
    for (const { key, value, member, ageMs } of reading.entries) {
      const text = Buffer.from(value).toString('utf8')
      const [incarnation, life, place] = text.split(' ')
      const voice = this.#all.get(`${incarnation} ${life}`)
      const change = voice?.changes[Number(place)]
      if (voice === undefined || change?.value !== text || change.key !== key) {
        throw new BoardViolation(`nobody ever said ${key}=${text}`)
      }
      if (member.incarnation !== incarnation || member.name !== voice.name) {
        throw new BoardViolation(`${key} of ${voice.name} is shown as of ${member.name}`)
      }
      if (!key.startsWith(asked.prefix)) {
        throw new BoardViolation(`${key} was read under ${asked.prefix}`)
      }
      if (ageMs > change.ttlMs + 1) {
        throw new BoardViolation(
          `${key} of ${member.name} outlived its ${change.ttlMs} ms, it is ${ageMs} ms old`,
        )
      }
      const known = byMember.get(member.incarnation)
      if (known === undefined) {
        byMember.set(member.incarnation, { voice, ageMs, places: [Number(place)] })
      } else {
        if (known.voice !== voice && asked.isWhole) {
          throw new BoardViolation(
            `${member.name} is shown in its lives ${known.voice.life} and ${life}`,
          )
        }
        if (known.voice === voice) known.places.push(Number(place))
      }
    }
    for (const said of byMember.values()) this.#judgeMember(said, asked)
    if (reading.source === 'local') this.#judgeOwn(reading, asked)
  }

  #judgeMember(
    { voice, ageMs, places }: { voice: Voice; ageMs: number; places: readonly number[] },
    asked: Asked,
  ): void {
    const { startMs, slackMs } = asked
    const from = Math.max(...places)
    const until = Math.min(...places.map((place) => voice.until(place)))
    if (asked.isWhole && from >= until) {
      throw new BoardViolation(`${voice.name} never said all of that at once`)
    }
    // What was read was so until then, at the latest.
    const soUntilMs = voice.changes[until]?.atMs ?? Number.POSITIVE_INFINITY
    const staleMs = startMs - soUntilMs - ageMs - slackMs
    if (staleMs > 0 && !asked.wasStoppedAfter(soUntilMs)) {
      throw new BoardViolation(
        `${voice.name} is shown as ${Math.round(ageMs)} ms old, it was so ${Math.round(startMs - soUntilMs)} ms ago`,
      )
    }
    const silentMs = startMs - voice.endedMs - ageMs - slackMs
    if (silentMs > 0 && !asked.wasStoppedAfter(voice.endedMs)) {
      throw new BoardViolation(
        `${voice.name} ended ${Math.round(startMs - voice.endedMs)} ms ago, its age is shown as ${Math.round(ageMs)} ms`,
      )
    }
  }

  /** Without a leader a node knows what it says itself, as it says it now. */
  #judgeOwn(reading: BoardReading, { reader, prefix }: Asked): void {
    const found = linesOf(reading, reader.incarnation)
    const expected = reader.linesNow(prefix)
    if (found.join('\n') !== expected.join('\n')) {
      throw new BoardViolation(`${reader.name} reads of itself ${found.join()}, not ${expected}`)
    }
  }
}

/** `key=value` of what that member says, by key. */
export function linesOf(reading: BoardReading, incarnation: string): string[] {
  return reading.entries
    .filter(({ member }) => member.incarnation === incarnation)
    .map(({ key, value }) => `${key}=${Buffer.from(value).toString('utf8')}`)
    .sort()
}
