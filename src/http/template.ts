import type { Exchange } from './exchange.js'

/**
 * A text with variables, compiled: literal parts and indices into `ex.captured`. Values are text
 * (not Latin-1); what goes into a header passes `toLatin1` and `isFieldValue`.
 */
export class Template {
  readonly #parts: readonly (string | number)[]
  readonly #literal: string | null

  constructor(parts: readonly (string | number)[]) {
    this.#parts = parts
    const [first] = parts
    if (parts.length === 0) this.#literal = ''
    else this.#literal = parts.length === 1 && typeof first === 'string' ? first : null
  }

  /** The text when it has no variable, else null. */
  get literal(): string | null {
    return this.#literal
  }

  /** Variables without a value become empty texts. */
  render(ex: Exchange): string {
    if (this.#literal !== null) return this.#literal
    const captured = ex.captured
    let text = ''
    for (const part of this.#parts) {
      if (typeof part === 'string') text += part
      else text += captured?.[part] ?? ''
    }
    return text
  }
}
