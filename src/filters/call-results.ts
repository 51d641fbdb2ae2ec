/** Results of the kinds of v2 that call back ends, in this order. */
export const CALL_RESULTS = [
  'internalError',
  'clientError',
  'serverError',
  'failureCode',
  'timeout',
  'shortCircuited',
] as const
export const INTERNAL_ERROR = 1
export const SERVER_ERROR = 3
export const FAILURE_CODE = 4
export const TIMEOUT = 5
export const SHORT_CIRCUITED = 6
