import type { Exchange } from './exchange.js'
import { Headers, isFieldName, isFieldValue, toLatin1 } from './headers.js'

/** An answer known from configuration: encoded once, applied to any exchange. */
export class FixedAnswer {
  readonly #status: number
  readonly #fields: readonly string[]
  readonly #body: Uint8Array | null

  constructor(status: number, headers: Readonly<Record<string, string>>, body: string) {
    this.#status = status
    const fields = new Headers()
    for (const [name, text] of Object.entries(headers)) {
      const value = toLatin1(text)
      if (isFieldName(name) && isFieldValue(value)) fields.set(name.toLowerCase(), value)
    }
    this.#fields = fields.lend()
    this.#body = body === '' ? null : Buffer.from(body)
  }

  /** Sets status, fields and body; other fields stay. */
  apply(ex: Exchange): void {
    const { response } = ex
    response.body = this.#body
    // It said how the body before was coded.
    response.headers.delete('content-encoding')
    response.status = this.#status
    response.headers.setAll(this.#fields)
  }
}
