import type { Exchange } from '../../http/exchange.js'

/** The one result of the filter beside OK. */
export const INVALID = 1

/** How a token is judged: by what it says itself, or by a server. */
export interface TokenJudge {
  /** OK, INVALID (the answer is then set), or SUSPENDED when the verdict comes later. */
  judge(ex: Exchange, token: string): number
  /** Nothing more will be judged. */
  retire(): void
}
