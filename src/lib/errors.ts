/**
 * Codes are part of the API: documented in docs/errors.md (a test compares), append only, never
 * reused. The number is the HTTP status the admin API answers with.
 */
export const HTTP_STATUS = {
  SPEC_INVALID: 400,
  NAME_MISMATCH: 400,
  KIND_MISMATCH: 400,
  REQUEST_INVALID: 400,
  UNAUTHENTICATED: 401,
  OBJECT_NOT_FOUND: 404,
  MEMBER_NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  OBJECT_EXISTS: 409,
  VERSION_CONFLICT: 412,
  DOCUMENT_TOO_LARGE: 413,
  INTERNAL: 500,
  NOT_LEADER: 503,
  STORE_UNAVAILABLE: 503,
  OVERLOADED: 503,
  TIMEOUT: 503,
} as const

export type ErrorCode = keyof typeof HTTP_STATUS
export type ErrorDetail = Readonly<Record<string, string | number | boolean>>

/** The one form of an error that crosses a MessagePort or HTTP. */
export interface ErrorJson {
  readonly code: ErrorCode
  readonly message: string
  readonly detail: ErrorDetail
}

/** An expected failure of the control path. Programmer errors are assertions, not this. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: ErrorCode
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.detail = detail
  }

  /** `GatewayError.fromJSON` is its inverse. */
  toJSON(): ErrorJson {
    return { code: this.code, message: this.message, detail: this.detail }
  }

  static fromJSON(json: ErrorJson): GatewayError {
    return new GatewayError(json.code, json.message, json.detail)
  }

  /** Whatever was thrown, as a GatewayError; what is not one already becomes INTERNAL. */
  static from(thrown: unknown): GatewayError {
    if (thrown instanceof GatewayError) return thrown
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return new GatewayError('INTERNAL', message, {}, { cause: thrown })
  }
}
