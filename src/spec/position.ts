import { EVENT_ID, type Event, getScalarValue, SCALAR_STYLE } from 'js-yaml'
import type { Path } from './node.js'

/** Both count from 1; columns in UTF-16 code units, as editors do. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** Turns offsets into positions; reads the text when first asked. */
export class Lines {
  readonly #text: string
  #starts: number[] | null = null

  constructor(text: string) {
    this.#text = text
  }

  at(offset: number): Position {
    this.#starts ??= startsOfLines(this.#text)
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - this.#starts[low]! + 1 }
  }
}

function startsOfLines(text: string): number[] {
  const starts = [0]
  for (const match of text.matchAll(/\r\n|\r|\n/g)) starts.push(match.index + match[0].length)
  return starts
}

/** A path that somebody asks for, or a part of one. */
class Wanted {
  readonly children = new Map<string, Wanted>()
  /** Offsets; -1 as long as nothing was found. */
  value = -1
  key = -1

  child(step: string | number): Wanted {
    const name = String(step)
    const existing = this.children.get(name)
    if (existing !== undefined) return existing
    const child = new Wanted()
    this.children.set(name, child)
    return child
  }
}

interface Frame {
  readonly isMapping: boolean
  /** What is wanted inside this collection. */
  readonly wanted: Wanted | null
  /** In a mapping: the next node is a value. */
  hasKey: boolean
  /** What is wanted of that value. */
  next: Wanted | null
  index: number
}

/** See `YamlDocument.locate`; `document` counts the documents of the stream from 0. */
export function locate(
  text: string,
  lines: Lines,
  events: readonly Event[],
  document: number,
  paths: readonly { readonly path: Path; readonly isKey: boolean }[],
): readonly Position[] {
  const root = new Wanted()
  for (const { path } of paths) {
    let wanted = root
    for (const step of path) wanted = wanted.child(step)
  }
  search(text, events, document, root)
  return paths.map(({ path, isKey }) => lines.at(nearestOffset(root, path, isKey)))
}

function nearestOffset(root: Wanted, path: Path, isKey: boolean): number {
  let nearest = Math.max(0, root.value)
  let wanted = root
  for (const [depth, step] of path.entries()) {
    wanted = wanted.child(step)
    const prefersKey = isKey && depth === path.length - 1 && wanted.key >= 0
    // An empty value has no place of its own: its key does.
    const offset = prefersKey || wanted.value < 0 ? wanted.key : wanted.value
    if (offset < 0) break
    nearest = offset
  }
  return nearest
}

function search(text: string, events: readonly Event[], document: number, root: Wanted): void {
  const frames: Frame[] = []
  let current = -1
  for (const event of events) {
    if (event.type === EVENT_ID.DOCUMENT) current += 1
    if (current > document) return
    if (current < document || event.type === EVENT_ID.DOCUMENT) continue
    if (event.type === EVENT_ID.POP) {
      frames.pop() // nothing is left to pop when the document itself ends
      continue
    }
    const frame = frames[frames.length - 1]
    const isKey = frame?.isMapping === true && !frame.hasKey
    const wanted = isKey ? null : wantedHere(frame, root)
    if (isKey) takeKey(text, frame, event)
    else if (wanted !== null) wanted.value = offsetOf(text, event)
    if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) {
      const isMapping = event.type === EVENT_ID.MAPPING
      frames.push({ isMapping, wanted, hasKey: false, next: null, index: 0 })
    }
  }
}

/** What is wanted of a node that is no key; moves `frame` on to the next one. */
function wantedHere(frame: Frame | undefined, root: Wanted): Wanted | null {
  if (frame === undefined) return root
  if (frame.isMapping) {
    frame.hasKey = false
    return frame.next
  }
  const wanted = frame.wanted?.children.get(String(frame.index)) ?? null
  frame.index += 1
  return wanted
}

function takeKey(text: string, frame: Frame, event: Event): void {
  frame.hasKey = true
  frame.next = null
  if (frame.wanted === null || frame.wanted.children.size === 0) return
  if (event.type !== EVENT_ID.SCALAR) return
  frame.next = frame.wanted.children.get(getScalarValue(text, event)) ?? null
  if (frame.next !== null) frame.next.key = offsetOf(text, event)
}

/** Of the first character that is the node's own; -1 for an empty scalar. */
function offsetOf(text: string, event: Event): number {
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart - 1
  if (event.type !== EVENT_ID.SCALAR) return 'start' in event ? event.start : -1
  const { style, valueStart } = event
  if (style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED) {
    return valueStart - 1
  }
  const isBlock = style === SCALAR_STYLE.LITERAL_BLOCK || style === SCALAR_STYLE.FOLDED_BLOCK
  if (!isBlock) return valueStart
  let offset = valueStart // of a line, with its indentation
  while (offset < event.valueEnd && ' \n\r'.includes(text[offset] ?? 'x')) offset += 1
  return offset
}
