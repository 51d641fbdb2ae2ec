import type { Exchange } from './exchange.js'
import { isFieldName, isFieldValue, toLatin1 } from './headers.js'

/** An answer known from configuration: encoded once, applied to any exchange. */
export class FixedAnswer {
  readonly #status: number
  readonly #fields: readonly (readonly [name: string, value: string])[]
  readonly #body: Uint8Array | null

  constructor(status: number, headers: Readonly<Record<string, string>>, body: string) {
    this.#status = status
    this.#fields = Object.entries(headers)
      .map(([name, value]) => [name.toLowerCase(), toLatin1(value)] as const)
      .filter(([name, value]) => isFieldName(name) && isFieldValue(value))
    this.#body = body === '' ? null : Buffer.from(body)
  }

  /** Sets status, fields and body; other fields stay. */
  apply(ex: Exchange): void {
    const { response } = ex
    response.body = this.#body
    // It said how the body before was coded.
    response.headers.delete('content-encoding')
    response.status = this.#status
    for (const [name, value] of this.#fields) response.headers.set(name, value)
  }
}
