/** The work that every side of the comparison does. */
export interface Scenario {
  readonly name: string
  readonly summary: string
  /** Of each request; 0 for GET. */
  readonly requestBytes: number
  /** Of each answer. */
  readonly answerBytes: number
  /** The gateway answers by itself, no back end is asked. */
  readonly mocked: boolean
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'proxy',
    summary: 'GET, proxied, 64-byte answer',
    requestBytes: 0,
    answerBytes: 64,
    mocked: false,
  },
  {
    name: 'mock',
    summary: 'GET, answered by the gateway with 64 bytes',
    requestBytes: 0,
    answerBytes: 64,
    mocked: true,
  },
  {
    name: 'post1k',
    summary: 'POST of 1 KB, proxied, 64-byte answer',
    requestBytes: 1024,
    answerBytes: 64,
    mocked: false,
  },
  {
    name: '10k',
    summary: 'GET, proxied, 10 KB answer',
    requestBytes: 0,
    answerBytes: 10_240,
    mocked: false,
  },
]

export const PATH = '/pipeline'
const PATTERN = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_'

/** The body of every answer. */
export function bodyOf(bytes: number): string {
  return PATTERN.repeat(Math.ceil(bytes / PATTERN.length)).slice(0, bytes)
}
