import { fn } from './define.js'
import type { Func } from './value.js'

const CONNECTOR = /^[-_\s\u0085]$/u
const UPPER = /^\p{Lu}$/u
const LETTER = /^\p{L}$/u
const NUMBER = /^\p{N}$/u
const PUNCTUATION = /^\p{P}$/u

type WordType = 'none' | 'number' | 'upper' | 'letters' | 'connector' | 'punctuation' | 'other'

interface Word {
  readonly type: WordType
  readonly text: string
}

/** Cuts text into runs of one kind, as sprig's snakecase sees words: `HTTPServer` is two. */
class Words {
  readonly #characters: readonly string[]
  #at = 0

  constructor(text: string) {
    this.#characters = [...text]
  }

  get isDone(): boolean {
    return this.#at >= this.#characters.length
  }

  next(): Word {
    const start = this.#at
    const first = this.#characters[start]
    if (first === undefined) return { type: 'none', text: '' }
    this.#at += 1
    const type = typeOfCharacter(first)
    if (type === 'upper') this.#upper()
    else this.#while((character) => typeOfCharacter(character) === type)
    return { type, text: this.#characters.slice(start, this.#at).join('') }
  }

  #while(test: (character: string) => boolean): void {
    for (;;) {
      const character = this.#characters[this.#at]
      if (character === undefined || !test(character)) return
      this.#at += 1
    }
  }

  /** A capital with what is lower case behind it, or a run of capitals. */
  #upper(): void {
    const second = this.#characters[this.#at]
    if (second === undefined) return
    if (!UPPER.test(second)) {
      this.#while((character) => typeOfCharacter(character) === 'letters')
      return
    }
    this.#while((character) => UPPER.test(character))
    const next = this.#characters[this.#at]
    // Of `HTTPServer` the S belongs to the next word.
    if (next !== undefined && LETTER.test(next)) this.#at -= 1
  }
}

function typeOfCharacter(character: string): WordType {
  if (CONNECTOR.test(character)) return 'connector'
  if (PUNCTUATION.test(character)) return 'punctuation'
  if (UPPER.test(character)) return 'upper'
  if (LETTER.test(character)) return 'letters'
  return NUMBER.test(character) ? 'number' : 'other'
}

/** A connector between words; digits go with the word before, unless letters follow them. */
function connected(text: string, connector: string): string {
  const words = new Words(text)
  let out = ''
  const put = ({ type, text: word }: Word): void => {
    if (type === 'connector') out += connector.repeat([...word].length)
    else out += type === 'upper' ? word.toLowerCase() : word
  }
  const isWord = ({ type }: Word): boolean =>
    type !== 'none' && type !== 'connector' && type !== 'punctuation'
  const isTail = ({ type }: Word): boolean => type === 'letters' || type === 'number'
  let word = words.next()
  while (!words.isDone) {
    if (word.type !== 'connector') put(word)
    const before = word
    word = words.next()
    if (before.type === 'number') {
      while (isTail(word)) {
        put(word)
        word = words.next()
      }
      if (isWord(word)) out += connector
    } else if (before.type === 'connector') put(before)
    else if (before.type === 'punctuation') continue
    else if (word.type !== 'number') {
      if (isWord(word)) out += connector
    } else if (!words.isDone) {
      const digits = word
      word = words.next()
      if (word.type !== 'letters') {
        put(digits)
        if (isWord(word)) out += connector
        continue
      }
      out += connector
      put(digits)
      while (isTail(word)) {
        put(word)
        word = words.next()
      }
      if (isWord(word)) out += connector
    }
  }
  put(word)
  return out
}

function camelCase(text: string): string {
  const characters = [...text]
  let at = 0
  let out = ''
  while (at < characters.length && CONNECTOR.test(characters[at] as string)) {
    out += characters[at]
    at += 1
  }
  if (at >= characters.length) return out
  let isUpperRun = UPPER.test(characters[at] as string)
  let current = (characters[at] as string).toLowerCase()
  for (at += 1; at < characters.length; at++) {
    const before = current
    current = characters[at] as string
    if (CONNECTOR.test(before)) {
      if (CONNECTOR.test(current)) out += before
      else {
        isUpperRun = UPPER.test(current)
        current = current.toUpperCase()
      }
      continue
    }
    if (isUpperRun) {
      if (UPPER.test(current)) current = current.toLowerCase()
      else isUpperRun = false
    }
    out += before
  }
  return out + current
}

/** Sprig's functions that change how words are put together. */
export const CASE_FUNCTIONS: readonly Func[] = [
  fn('snakecase', ['string'], (_run, text) => connected(text, '_')),
  fn('kebabcase', ['string'], (_run, text) => connected(text, '-')),
  fn('camelcase', ['string'], (_run, text) => camelCase(text)),
]
